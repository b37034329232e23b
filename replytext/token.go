package replytext

import "strings"

// A token is a word, number or mark of a folded line.
type token struct {
	text       string // folded
	start, end int    // bytes of the folded line
	what       tokenKind
	langs      langSet // of an opener or a verb
	opener     bool    // may begin an attribution
	verb       bool    // "wrote" in some language
	self       langSet // languages in which it is "I" or "we"
}

type tokenKind uint8

const (
	tokWord   tokenKind = iota
	tokMail             // an e-mail address
	tokNumber           // digits that say nothing more
	tokTime             // 10:15, 10.15, 10h15
	tokDate             // 2017-11-24, 24.11.17, a year
	tokColon
	tokMark // any other punctuation
)

// tokens splits a folded line and appends to out. It looks at each byte a
// bounded number of times.
func (lx *lexicon) tokens(out []token, s string) []token {
	noMail := 0 // no address begins before
	for i := 0; i < len(s); {
		c := s[i]
		if c == ' ' {
			i++
			continue
		}
		t := token{start: i, end: i + 1, what: tokMark}
		if i >= noMail && (isDigit(c) || isLetter(c) && c < 0x80) {
			if end, ok := mailEnd(s, i); ok {
				t.end, t.what = end, tokMail
			} else {
				noMail = end
			}
		}
		switch {
		case t.what == tokMail:
		case c == ':':
			t.what = tokColon
		case isDigit(c):
			t.end, t.what = numberEnd(s, i)
		case isLetter(c):
			t = lx.word(s, i, wordEnd(s, i))
		}
		t.text = s[t.start:t.end]
		out = append(out, t)
		i = t.end
	}
	return out
}

func (lx *lexicon) word(s string, i, end int) token {
	w := s[i:end]
	t := token{start: i, end: end, what: tokWord}
	if langs, ok := lx.opens[w]; ok {
		t.opener, t.langs = true, langs
	}
	if langs, ok := lx.wrote[w]; ok {
		t.verb, t.langs = true, t.langs|langs
	}
	t.self = lx.self[w]
	if !t.verb && len(w) <= 256 && spaceless(w) {
		for _, v := range lx.wroteCJK {
			if strings.Contains(w, v) {
				t.verb = true
				break
			}
		}
	}
	return t
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80 }

// isMailByte tells whether c may stand in an address as mail programs print it.
func isMailByte(c byte) bool {
	return isLetter(c) && c < 0x80 || isDigit(c) || strings.IndexByte("._%+-@=&/#~!$'", c) >= 0
}

// mailEnd finds the end of a run of address bytes at i, and whether it is an
// address: something on both sides of its "@".
func mailEnd(s string, i int) (int, bool) {
	j, at := i, -1
	for j < len(s) && isMailByte(s[j]) && j-i < 254 {
		if s[j] == '@' && at < 0 {
			at = j
		}
		j++
	}
	return j, at > i && at+1 < j
}

// numberEnd reads a number with what stands between digits: a time, a date.
func numberEnd(s string, i int) (int, tokenKind) {
	j, seps, sep := i, 0, byte(0)
	last := i // begin of the last group of digits
	for j < len(s) {
		if isDigit(s[j]) {
			j++
			continue
		}
		if j+1 < len(s) && isDigit(s[j+1]) && strings.IndexByte(":.-/h", s[j]) >= 0 {
			sep = s[j]
			seps++
			j++
			last = j
			continue
		}
		break
	}
	switch {
	case seps == 0 && isYear(s[i:j]):
		return j, tokDate
	case seps == 0:
		return j, tokNumber
	case sep == ':' || sep == 'h', seps == 1 && sep == '.' && j-last == 2 && last-i <= 3:
		return j, tokTime
	case seps == 2 && j-i <= 10:
		return j, tokDate
	}
	return j, tokNumber
}

// isYear knows the years of our time in the Gregorian, Thai and Persian calendars.
func isYear(s string) bool {
	return len(s) == 4 && (s[:2] == "20" || s[:2] == "19" || s[:2] == "25" || s[:2] == "14")
}

// wordEnd finds the end of a word, apostrophes and hyphens inside it included.
func wordEnd(s string, i int) int {
	j := i
	for j < len(s) {
		c := s[j]
		if isLetter(c) {
			j++
			continue
		}
		inner := (c == '\'' || c == '-') && j+1 < len(s) && isLetter(s[j+1])
		if !inner {
			break
		}
		j++
	}
	return j
}
