package letter

import (
	"iter"
	"strings"
	"unicode"
)

func hasBad(s string) bool { return strings.Contains(s, "\ufffd") }

// wordsOf yields the words of text in lower case, tags of HTML left out.
func wordsOf(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		start, tag := -1, false
		for i, r := range s {
			switch {
			case r == '<' && i+1 < len(s) && (s[i+1] == '/' || s[i+1] == '!' || s[i+1]|0x20 >= 'a' && s[i+1]|0x20 <= 'z'):
				tag = true
			case r == '>':
				tag = false
			}
			if !tag && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
				if start < 0 {
					start = i
				}
				continue
			}
			if start >= 0 && !yield(strings.ToLower(s[start:i])) {
				return
			}
			start = -1
		}
		if start >= 0 {
			yield(strings.ToLower(s[start:]))
		}
	}
}
