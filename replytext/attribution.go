package replytext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// An introduction is a mail program's words above a quoted mail: an attribution
// line, a header block, a title between dashes.
type introduction struct {
	start    int // offset in full where it begins
	end      int // offset in full where it ends
	last     int // index of the line that end is in
	kind     Kind
	reason   string
	strength float64
}

// Bounds of an attribution: mail programs wrap them, but write nothing longer.
const (
	attributionLines  = 8
	attributionTokens = 70
	attributionWords  = 26
)

// attributionAt looks for an attribution that begins in line i, at its start or
// behind the author's last words.
func (d *doc) attributionAt(i int) (introduction, bool) {
	if !d.mayAttribute(i) {
		return introduction{}, false
	}
	lx := words()
	s := d.scanFrom(lx, i)
	if s.first > 0 && s.begins() {
		if in, ok := s.match(0, true); ok {
			return in, true
		}
	}
	// "Yes, do. On Monday, 5 May 2025, Ann wrote:"
	afterMail, onlyMarks := false, true
	for k := 1; k < s.first; k++ {
		afterMail = (afterMail || s.toks[k-1].what == tokMail) && !s.sentenceEnd(k-1)
		onlyMarks = onlyMarks && s.toks[k-1].what == tokMark
		if !afterMail && s.inlineStart(k) {
			if in, ok := s.match(k, onlyMarks); ok {
				return in, true
			}
		}
	}
	return s.match(0, true)
}

// begins tells whether the line's first words are an attribution's: an opener,
// or a number soon.
func (s *attributionScan) begins() bool {
	if s.toks[0].opener {
		return true
	}
	for k := 0; k < s.first && k < 4; k++ {
		switch s.toks[k].what {
		case tokNumber, tokTime, tokDate:
			return true
		}
	}
	return false
}

// mayAttribute is the cheap test that spares most lines the real one: an
// attribution begins with, or has soon, a digit, an address or a verb.
func (d *doc) mayAttribute(i int) bool {
	f := d.lines[i].fold
	if d.lines[i].mark == markAttribution {
		return true
	}
	digit, colon := false, false
	for k := 0; k < len(f); k++ {
		switch c := f[k]; {
		case isDigit(c):
			digit = true
		case c == '@' || c == '<' && len(f) > 1:
			return true
		case c == ':':
			colon = true
		}
	}
	return digit || colon || strings.HasSuffix(f, "-") || d.nameAbove(i)
}

// nameAbove tells whether line i may be the name of an attribution that was
// wrapped before the address.
func (d *doc) nameAbove(i int) bool {
	if i+1 >= len(d.lines) || len(d.lines[i].fold) > 70 || !strings.HasPrefix(d.lines[i+1].fold, "<") && !strings.HasPrefix(d.lines[i+1].fold, "(<") {
		return false
	}
	r, _ := utf8.DecodeRuneInString(d.text(i))
	return !unicode.IsLower(r) && strings.Count(d.lines[i].fold, " ") <= 10
}

// An attributionScan is the tokens of a line and, as far as they may belong to
// an attribution, of those below it.
type attributionScan struct {
	d      *doc
	line   int
	toks   []token
	lineOf []int   // line of each token
	at     []int32 // offset in full of each token's start, and of its end
	endAt  []int32
	buf    []token // of one line
	first  int     // number of tokens in the first line
	named  bool    // our display name is in it
	open   int     // angle brackets that are not closed yet
}

// scanFrom reads the tokens of line i and of those below that may belong to it.
func (d *doc) scanFrom(lx *lexicon, i int) *attributionScan {
	s := &d.scanner
	*s = attributionScan{d: d, line: i, toks: s.toks[:0], lineOf: s.lineOf[:0], at: s.at[:0], endAt: s.endAt[:0], buf: s.buf}
	depth := d.lines[i].depth
	blanks := 0
	for j := i; j < len(d.lines) && j < i+attributionLines; j++ {
		l := &d.lines[j]
		if l.blank() {
			blanks++
			continue
		}
		if j > i && !s.joins(j, depth, blanks) {
			break
		}
		s.add(lx, j)
		if j == i {
			s.first = len(s.toks)
		} else if len(s.toks)-s.first > attributionTokens {
			break
		}
	}
	return s
}

// add appends line j's tokens.
func (s *attributionScan) add(lx *lexicon, j int) {
	l := &s.d.lines[j]
	text := s.d.full[l.body:l.end]
	f, at := foldMap(text)
	if s.open > 0 && l.depth > s.d.lines[s.line].depth {
		s.open-- // what looked like a quote mark closed the bracket
	}
	s.named = s.named || s.d.ours.named(f)
	s.buf = lx.tokens(s.buf[:0], f)
	for _, t := range s.buf {
		switch t.text {
		case "<":
			s.open++
		case ">":
			s.open = max(0, s.open-1)
		}
		s.toks = append(s.toks, t)
		s.lineOf = append(s.lineOf, j)
		s.at = append(s.at, int32(l.body)+at[t.start])
		s.endAt = append(s.endAt, int32(l.body)+at[t.end])
	}
}

// joins tells whether line j may belong to the attribution above it: a line
// behind a blank one, or with quote marks, only if a bracket is open.
func (s *attributionScan) joins(j, depth, blanks int) bool {
	l := &s.d.lines[j]
	if s.open > 0 {
		return l.depth <= depth+1
	}
	if l.depth != depth || l.mark == markFrom || l.mark == markHeader {
		return false
	}
	if blanks > 0 {
		return l.fold[0] == '<'
	}
	if strings.HasPrefix(l.fold, "--") {
		return false
	}
	return l.label == fieldNone || l.label == fieldSent && !isLetter(l.fold[0])
}

// word is token k as it stands in the mail.
func (s *attributionScan) word(k int) string { return s.d.full[s.at[k]:s.endAt[k]] }

// inlineStart tells whether token k looks like an attribution's first word
// behind other words: an opener with a number soon after it, in capitals where
// its script has them, or the dashes before one.
func (s *attributionScan) inlineStart(k int) bool {
	t := s.toks[k]
	if !t.opener || t.what != tokWord {
		return false
	}
	r, _ := utf8.DecodeRuneInString(s.d.full[s.at[k]:])
	if unicode.IsLower(r) || !unicode.IsUpper(r) && k > 0 && s.lineOf[k-1] == s.lineOf[k] && !s.sentenceEnd(k-1) {
		return false
	}
	for n := k + 1; n < len(s.toks) && n <= k+4; n++ {
		switch s.toks[n].what {
		case tokDate, tokTime, tokNumber:
			return true
		case tokColon, tokMail:
			return false
		}
	}
	return false
}

// A reading is what has been seen of a possible attribution.
type reading struct {
	opener, startDate    bool // how it begins
	mail, date, verb     bool // what it has
	self                 langSet
	us                   bool // it names our address or our name
	openLangs, verbLangs langSet
	words                int  // words so far
	before               int  // words before the first of address, date and verb
	digits               int  // numbers, dates and times
	day                  bool // a date, not only a time
	verbFirst            bool // the verb stands before address and date
	verbAt               int
	parens               int // round brackets that are open
}

// see takes token n into the reading; it is the nth from the beginning.
func (r *reading) see(s *attributionScan, n, nth int) {
	t := s.toks[n]
	switch t.what {
	case tokMail:
		r.mark()
		r.mail = true
		r.us = r.us || s.d.ours.isOurs(t.text)
	case tokDate, tokTime:
		r.mark()
		r.date = true
		r.day = r.day || t.what == tokDate
		if r.digits++; t.end-t.start > 4 {
			r.digits++ // more than a year
		}
		r.startDate = r.startDate || nth < 4
	case tokNumber:
		r.digits++
		r.startDate = r.startDate || nth < 4
	case tokMark:
		switch s.toks[n].text {
		case "(":
			r.parens++
		case ")":
			r.parens--
		}
	case tokWord:
		r.words++
		if t.verb {
			r.mark()
			r.verbFirst = r.verbFirst || !r.mail && !r.date
			r.verb, r.verbAt = true, n
			r.verbLangs |= t.langs
		}
		if s.word(n) != "i" {
			r.self |= t.self
		}
	}
}

// person tells whether the words are a sentence in the first person, in the
// language of its verb: "je" is French for "I" and Slovene for "is".
func (r *reading) person() bool {
	if r.verbLangs != 0 {
		return r.self&r.verbLangs != 0
	}
	return r.self != 0
}

// mark notes how many words stood before the first telling token.
func (r *reading) mark() {
	if !r.mail && !r.date && !r.verb {
		r.before = r.words
	}
}

// match reads tokens from k on until they make an attribution or cannot.
// whole says that k is the first token of its line.
func (s *attributionScan) match(k int, whole bool) (introduction, bool) {
	first := k
	for k < len(s.toks) && s.toks[k].what == tokMark && s.toks[k].text != "<" && s.toks[k].text != "\"" {
		k++
	}
	dashed := k-first >= 2
	if k >= len(s.toks) || s.lineOf[k] != s.line {
		return introduction{}, false
	}
	r := reading{opener: s.toks[k].opener, openLangs: s.toks[k].langs, verbAt: -1}
	var fallback introduction
	for n := k; n < len(s.toks) && n < k+attributionTokens; n++ {
		if n > k && !r.verb && s.lineOf[n] == s.line && s.sentenceEnd(n-1) && s.inlineStart(n) {
			return introduction{}, false // the attribution begins here, not at k
		}
		r.see(s, n, n-k)
		eol := n+1 == len(s.toks) || s.lineOf[n+1] != s.lineOf[n]
		switch {
		case s.toks[n].what == tokColon && (s.inLink(n) || r.parens > 0 && !s.quotedAfter(n)):
		case s.toks[n].what == tokColon:
			if strength := s.atColon(&r, k, n, eol); strength > 0 {
				return s.introduction(first, n, whole, strength), true
			}
			if eol || !r.opener && !r.startDate && !r.mail {
				return fallback, fallback.strength > 0
			}
		case eol || dashed && s.dashesAfter(n):
			if strength := s.atEnd(&r, n, dashed); strength > 0 {
				fallback = s.introduction(first, n, whole, strength)
			}
			if !eol || !s.goesOn(&r, n) {
				return fallback, fallback.strength > 0
			}
		}
	}
	return fallback, fallback.strength > 0
}

// atColon weighs an attribution that ends in the colon n; 0 says that it is none.
func (s *attributionScan) atColon(r *reading, k, n int, eol bool) float64 {
	quoted := s.quotedAfter(n)
	begun := r.opener || r.startDate
	switch {
	case r.words > attributionWords, r.person() && !quoted:
		return 0
	case (r.us || s.named) && (r.verb || r.date || quoted):
		s.d.us = true
		return .97
	case r.verb && r.mail && r.date && (begun || r.before <= 9):
		return .95
	case r.verb && r.mail && (r.opener || r.before <= 9 && s.nameLike(k, n)):
		return .85
	case r.verb && r.date && begun && (quoted || r.digits > 1 && (eol || r.openLangs&r.verbLangs != 0)):
		return .9
	case r.verb && (r.verbFirst && r.digits > 1 || r.digits > 2) && r.before <= 8 && eol && s.nameLike(k, n):
		return .8
	case r.mail && r.date && begun && s.label() == fieldNone:
		return .85
	case (r.verb || r.mail || r.startDate && r.digits > 1) && eol && quoted && r.words <= 8:
		return .7 // "Ann Lee wrote:", "Quoting Ann Lee <ann@example.org>:"
	case s.d.lines[s.line].mark == markAttribution && eol && (r.date || r.mail || r.verb):
		return .9
	}
	return 0
}

// atEnd weighs an attribution without a colon that ends in token n, the last
// one of its line or the last one before dashes.
func (s *attributionScan) atEnd(r *reading, n int, dashed bool) float64 {
	quoted := s.quotedAfter(n)
	begun := r.opener || r.startDate
	verbLast := r.verb && r.verbAt == n
	switch {
	case r.person() && !quoted:
		return 0
	case verbLast && dashed && r.words <= 10:
		return .8
	case verbLast && begun && r.date && (r.mail || r.opener || quoted):
		return .8
	case r.us && r.date && (quoted || s.blankAfter(n)):
		s.d.us = true
		return .97
	case r.verb && r.opener && r.openLangs&r.verbLangs != 0 && r.date && n-r.verbAt <= 12 && s.blankAfter(n):
		return .65
	case r.mail && r.date && r.startDate && quoted:
		return .65
	}
	return 0
}

// sentenceEnd tells whether token n ends a sentence.
func (s *attributionScan) sentenceEnd(n int) bool {
	w := s.toks[n].text
	return w == "." || w == "!" || w == "?" || w == "-"
}

// nameLike tells whether the words from token k up to the first address, date
// or verb can be a name: in capitals, but for one word or short particles.
func (s *attributionScan) nameLike(k, n int) bool {
	lower, words := 0, 0
	for ; k < n; k++ {
		t := s.toks[k]
		if t.verb || t.what == tokMail || t.what == tokDate || t.what == tokTime {
			break
		}
		if t.what != tokWord {
			continue
		}
		words++
		if r, _ := utf8.DecodeRuneInString(s.word(k)); unicode.IsLower(r) && t.end-t.start > 4 {
			lower++
		}
	}
	return lower == 0 || lower == 1 && words == 1
}

// goesOn tells whether an attribution may continue in the line below token n.
func (s *attributionScan) goesOn(r *reading, n int) bool {
	if n+1 >= len(s.toks) {
		return false
	}
	if !r.opener && !r.startDate && !r.mail && !r.verb && s.toks[n+1].text != "<" && s.toks[n+1].text != "(" {
		return false
	}
	if !r.date && !r.mail && s.sentenceEnd(n) {
		return false // the end of a sentence, not of a wrapped line
	}
	if r.self&r.openLangs != 0 || r.startDate && !r.opener && !r.mail && !r.verb && !r.day {
		return false // "See you at 10:15": a sentence above an attribution
	}
	return r.mail || !s.inlineStart(n+1)
}

// inLink tells whether the colon n belongs to "mailto:" or "https:".
func (s *attributionScan) inLink(n int) bool {
	if n == 0 {
		return false
	}
	switch s.toks[n-1].text {
	case "mailto", "http", "https", "tel", "smtp":
		return true
	}
	return false
}

// dashesAfter tells whether a row of dashes closes the attribution behind token n.
func (s *attributionScan) dashesAfter(n int) bool {
	return n+2 < len(s.toks) && s.toks[n+1].text == "-" && s.toks[n+2].text == "-"
}

// rest is what stands behind token n in its line.
func (s *attributionScan) rest(n int) string {
	return strings.Trim(s.d.full[s.endAt[n]:s.d.lines[s.lineOf[n]].end], " \t*_-\u00a0\u200e\u200f\u202c")
}

// quotedAfter tells whether marked lines follow token n.
func (s *attributionScan) quotedAfter(n int) bool {
	if rest := s.rest(n); rest != "" {
		return rest[0] == '>'
	}
	j := s.d.nextText(s.lineOf[n] + 1)
	return j < len(s.d.lines) && s.d.deeper(s.line, j)
}

// blankAfter tells whether the attribution's paragraph ends with token n.
func (s *attributionScan) blankAfter(n int) bool {
	if s.rest(n) != "" {
		return false
	}
	j := s.lineOf[n] + 1
	if j >= len(s.d.lines) || s.d.lines[j].blank() {
		return true
	}
	return s.d.lines[j].label != fieldNone
}

// label is the header label that the line begins with, if any.
func (s *attributionScan) label() field {
	return s.d.lines[s.line].label
}

// introduction makes the span from token first to token n.
func (s *attributionScan) introduction(first, n int, whole bool, strength float64) introduction {
	start := int(s.at[first])
	if whole {
		start = s.d.lines[s.line].body
	}
	for k := first - 1; k >= 0 && !whole && s.toks[k].text == "-"; k-- {
		start = int(s.at[k])
	}
	end := int(s.endAt[n])
	for stop := s.d.lines[s.lineOf[n]].end; end < stop && strings.IndexByte(" \t*_-:", s.d.full[end]) >= 0; {
		end++
	}
	return introduction{start: start, end: end, last: s.lineOf[n], kind: Attribution, reason: "attribution", strength: strength}
}
