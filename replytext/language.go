package replytext

import (
	"strings"
	"sync"
)

// A language is what mail programs say in one language. All fields are lists
// separated by "|", written plainly: the lexicon folds them as it folds mail
// (see fold), so accents and case in these tables do not matter.
type language struct {
	code string

	// opens are words that an attribution begins with ("On", "Am", "Le").
	opens string
	// wrote are the verbs of an attribution. Of several words the last one counts.
	wrote string

	// Labels of a quoted header block.
	from, sent, to, cc, subject, replyTo string

	// original and forwarded are the titles over a quoted and a forwarded mail,
	// without their dashes.
	original, forwarded string

	// device begins (or, in some languages, ends) the line that a telephone or
	// a mail program leaves under the text.
	device string
	// bye are the closings of a letter.
	bye string
	// self are the first person's pronouns: a line that has one is a person's
	// sentence, not a mail program's.
	self string
}

// A langSet says which languages use a word. There are fewer than 64 of them.
type langSet uint64

// A field is a header's meaning, whatever the language of its label.
type field uint8

const (
	fieldNone field = iota
	fieldFrom
	fieldSent
	fieldTo
	fieldCc
	fieldSubject
	fieldOther // known in header blocks, but says nothing alone: Reply-To, Importance
)

// A lexicon is all languages at once: a mail is not asked for its language,
// because the quoted part is often in another one than the reply.
type lexicon struct {
	opens     map[string]langSet // single folded words
	wrote     map[string]langSet // single folded words
	wroteCJK  []string           // verbs of scripts without spaces between words
	self      map[string]langSet
	labels    map[string]field
	original  map[string]bool
	forwarded map[string]bool
	// Device openers by their first and last word; those without words apart.
	deviceFirst, deviceLast map[string][]string
	deviceCJK               []string
	bye                     map[string]bool
	longest                 int // bytes of the longest label
}

// words returns the lexicon, built at the first call and never changed.
var words = sync.OnceValue(func() *lexicon {
	lx := &lexicon{
		opens: map[string]langSet{}, wrote: map[string]langSet{}, self: map[string]langSet{},
		labels: map[string]field{}, original: map[string]bool{}, forwarded: map[string]bool{},
		bye:         map[string]bool{},
		deviceFirst: map[string][]string{}, deviceLast: map[string][]string{},
	}
	n := 0
	for _, family := range [][]language{germanic, romance, slavic, asian} {
		for i := range family {
			lx.add(&family[i], 1<<n)
			n++
		}
	}
	return lx
})

func (lx *lexicon) add(l *language, bit langSet) {
	for _, w := range list(l.opens) {
		lx.opens[firstWord(w)] |= bit
	}
	for _, w := range list(l.wrote) {
		if spaceless(w) {
			lx.wroteCJK = append(lx.wroteCJK, w)
			continue
		}
		lx.wrote[lastWord(w)] |= bit
	}
	for _, w := range list(l.self) {
		lx.self[w] |= bit
	}
	// The order matters where one word means two things: the last one wins.
	lx.label(fieldOther, l.replyTo)
	lx.label(fieldCc, l.cc)
	lx.label(fieldTo, l.to)
	lx.label(fieldSubject, l.subject)
	lx.label(fieldSent, l.sent)
	lx.label(fieldFrom, l.from)
	for _, w := range list(l.original) {
		lx.original[w] = true
	}
	for _, w := range list(l.forwarded) {
		lx.forwarded[w] = true
	}
	for _, w := range list(l.device) {
		if spaceless(w) {
			lx.deviceCJK = append(lx.deviceCJK, w)
			continue
		}
		lx.deviceFirst[firstWord(w)] = append(lx.deviceFirst[firstWord(w)], w)
		lx.deviceLast[lastWord(w)] = append(lx.deviceLast[lastWord(w)], w)
	}
	for _, w := range list(l.bye) {
		lx.bye[w] = true
	}
}

func (lx *lexicon) label(f field, names string) {
	for _, w := range list(names) {
		if old, ok := lx.labels[w]; ok && old < f && old != fieldNone {
			continue // "a" is French for "to"; an earlier and weightier meaning stays
		}
		lx.labels[w] = f
		lx.longest = max(lx.longest, len(w))
	}
}

// list folds and splits a field of a language.
func list(s string) []string {
	if s == "" {
		return nil
	}
	parts := strings.Split(s, "|")
	out := parts[:0]
	for _, p := range parts {
		if p = strings.TrimRight(fold(p), ":. "); p != "" {
			out = append(out, p)
		}
	}
	return out
}

func firstWord(s string) string {
	w, _, _ := strings.Cut(s, " ")
	return strings.Trim(w, ".,()")
}

func lastWord(s string) string {
	s = strings.TrimRight(s, ")")
	if i := strings.IndexByte(s, '('); i > 0 {
		s = strings.TrimRight(s[:i], " ")
	}
	if i := strings.IndexByte(s, '/'); i > 0 {
		s = s[:i]
	}
	return s[strings.LastIndexByte(s, ' ')+1:]
}

// spaceless tells whether s is in a script that puts no spaces between words,
// or glues the verb to the name as Korean does.
func spaceless(s string) bool {
	for _, r := range s {
		if r >= 0x0E00 && r < 0x0F00 || r >= 0x2E80 {
			return true
		}
	}
	return false
}
