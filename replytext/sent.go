package replytext

import "strings"

// evidence is what we know of the mails that may be quoted: stage one, and the
// strongest. A nil evidence knows nothing.
type evidence struct {
	addresses []string
	names     []string
	sent      []sentWords
}

// sentWords are the shingles of one sent mail.
type sentWords struct {
	shingles map[uint64]struct{}
	lines    map[string]struct{}
	words    int
}

// shingle is the number of words that are compared at once.
const shingle = 4

func newEvidence(sent []Sent) *evidence {
	if len(sent) == 0 {
		return nil
	}
	e := &evidence{}
	for _, s := range sent {
		for _, a := range s.From {
			if a = strings.TrimSpace(fold(a)); a != "" {
				e.addresses = append(e.addresses, a)
			}
		}
		// Shorter ones are words of every language.
		if n := strings.TrimSpace(fold(s.Name)); len(n) >= 5 {
			e.names = append(e.names, n)
		}
		text := clean(s.Text)
		if s.HTML != "" {
			text += "\n" + newHTMLDoc(s.HTML, false).full
		}
		e.sent = append(e.sent, newSentWords(text))
	}
	return e
}

func newSentWords(text string) sentWords {
	w := sentWords{shingles: make(map[uint64]struct{}, len(text)/8), lines: map[string]struct{}{}}
	var last lastWords
	for l := range strings.SplitSeq(text, "\n") {
		f := fold(l)
		if k := bare(f); k != "" {
			w.lines[k] = struct{}{}
		}
		eachWord(f, func(h uint64) {
			w.words++
			if m, ok := last.add(h); ok {
				w.shingles[m] = struct{}{}
			}
		})
	}
	return w
}

// bare is a folded line without quote marks and outer punctuation.
func bare(f string) string { return strings.Join(strings.Fields(strings.Trim(f, " >*_-")), " ") }

// eachWord calls do with a hash of each word of a folded line. Links are left
// out: gateways rewrite them.
func eachWord(f string, do func(uint64)) {
	for i := 0; i < len(f); {
		if !isLetter(f[i]) && !isDigit(f[i]) {
			i++
			continue
		}
		if strings.HasPrefix(f[i:], "http") {
			for i < len(f) && f[i] != ' ' && f[i] != '>' && f[i] != ')' {
				i++
			}
			continue
		}
		h := uint64(14695981039346656037)
		for i < len(f) && (isLetter(f[i]) || isDigit(f[i])) {
			h = (h ^ uint64(f[i])) * 1099511628211
			i++
		}
		do(h)
	}
}

// lastWords are the hashes of the last few words of a text.
type lastWords struct {
	hash [shingle]uint64
	n    int // words so far
}

// add takes a word; with enough of them it gives their hash together.
func (r *lastWords) add(h uint64) (together uint64, enough bool) {
	copy(r.hash[:], r.hash[1:])
	r.hash[shingle-1] = h
	if r.n++; r.n < shingle {
		return 0, false
	}
	together = shingle
	for _, w := range r.hash {
		together = (together ^ w) * 0x9E3779B97F4A7C15
		together ^= together >> 29
	}
	return together, true
}

// isOurs tells whether an address is one that we sent from.
func (e *evidence) isOurs(address string) bool {
	if e == nil {
		return false
	}
	a := fold(address)
	for _, o := range e.addresses {
		if strings.Contains(a, o) {
			return true
		}
	}
	return false
}

// named tells whether our display name stands in a folded line.
func (e *evidence) named(f string) bool {
	if e == nil || len(f) > 600 {
		return false
	}
	for _, n := range e.names {
		if strings.Contains(f, n) {
			return true
		}
	}
	return false
}

// Thresholds of stage one. A line is ours by its words only together with its
// neighbours, for anybody may repeat three words of a mail. Lines that nothing marks
// as quoted must be ours almost to the word: people answer in our own words
// ("see you on Saturday at eleven"), and losing theirs is worse than leaving ours.
const (
	oursShare  = .6 // of the words of a marked line
	plainShare = .9 // of those of a line that nothing marks
	oursWords  = 6  // in a run of such lines
)

// cover notes which part of each line's words stands in what we sent, and marks
// the runs of lines that are ours.
func (e *evidence) cover(d *doc) {
	if e == nil {
		return
	}
	for i := range e.sent {
		e.sent[i].cover(d)
	}
	for i := 0; i < len(d.lines); {
		if !d.lines[i].ours() {
			i++
			continue
		}
		words, end := 0, i
		for j := i; j < len(d.lines); j++ {
			l := &d.lines[j]
			if l.words > 0 && !l.oursToo() {
				break // a line without words, blank or a link, is anybody's
			}
			if l.words > 0 || !l.blank() && end == j {
				words += l.words
				end = j + 1
			}
		}
		if words >= oursWords || d.lines[i].depth > 0 {
			d.us = true
			for ; i < end; i++ {
				if d.lines[i].mark != markFrom {
					d.lines[i].mark = markSent
					d.final = i + 1
				}
			}
		}
		i = max(end, i+1)
	}
	d.answersInside()
}

// ours tells whether a line's words are ours, oursToo whether they may be beside one
// whose are: a short line has no shingles of its own.
func (l *line) ours() bool {
	if l.depth > 0 {
		return l.sent >= oursShare
	}
	return l.sent >= plainShare
}

func (l *line) oursToo() bool {
	if l.depth > 0 || l.words < shingle {
		return l.sent >= .5
	}
	return l.sent >= plainShare
}

// answersInside gives back to the author what stands between our words in an
// element that a mail program made for history: he wrote into the quoted mail.
func (d *doc) answersInside() {
	first := 0
	for first < d.final && d.lines[first].mark != markSent {
		first++
	}
	found := false
	for i := first; i < len(d.lines); i++ {
		l := &d.lines[i]
		if i >= d.final && (!found || l.label != fieldNone || l.depth > d.lines[first].depth) {
			return // older history, unless the last answer stands there
		}
		if l.mark == markQuote && l.words > 0 && l.sent == 0 {
			l.mark, found = markNone, true
		}
	}
}

func (s *sentWords) cover(d *doc) {
	if s.words == 0 {
		return
	}
	var last lastWords
	var where [shingle]int // the lines of the last words
	hit := make([]int, len(d.lines))
	covered := -1 // index of the last word that is covered
	for i := range d.lines {
		d.lines[i].words = 0
		eachWord(d.lines[i].fold, func(h uint64) {
			d.lines[i].words++
			copy(where[:], where[1:])
			where[shingle-1] = i
			m, enough := last.add(h)
			if !enough {
				return
			}
			if _, ok := s.shingles[m]; !ok {
				return
			}
			n := last.n
			for k := max(covered+1, n-shingle); k < n; k++ {
				hit[where[k-n+shingle]]++
			}
			covered = n - 1
		})
	}
	for i := range d.lines {
		l := &d.lines[i]
		if l.words == 0 {
			continue
		}
		share := float32(hit[i]) / float32(l.words)
		if _, ok := s.lines[bare(l.fold)]; ok && l.words < shingle {
			share = max(share, .5)
		}
		l.sent = max(l.sent, share)
	}
}

// which returns the sent mail that most of the quoted words stand in, -1 if none.
func (e *evidence) which(quoted string) int {
	if e == nil {
		return -1
	}
	best, at := 0, -1
	for i, s := range e.sent {
		var last lastWords
		n := 0
		eachWord(fold(quoted), func(h uint64) {
			if m, enough := last.add(h); enough {
				if _, ok := s.shingles[m]; ok {
					n++
				}
			}
		})
		if _, ok := s.lines[bare(fold(quoted))]; ok {
			n++
		}
		if n > best {
			best, at = n, i
		}
	}
	return at
}
