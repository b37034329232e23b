package replytext

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// folding has, for each rune below its length, what fold makes of it.
type folding [0x2000]rune

// drop marks a rune that leaves no trace: invisible, or a mark over a letter.
const drop = -1

var foldings = sync.OnceValue(func() *folding {
	var t folding
	for r := rune(0); r < rune(len(t)); r++ {
		t[r] = foldSlow(r)
	}
	return &t
})

// foldSlow maps letters to lower case without accents, any script's digits to
// ASCII and any space to a space.
func foldSlow(r rune) rune {
	switch r {
	case '\t':
		return ' '
	case 'ł', 'Ł':
		return 'l'
	case 'ø', 'Ø':
		return 'o'
	case 'đ', 'Đ':
		return 'd'
	case 'ı', 'İ':
		return 'i'
	case 'ς', 'Σ':
		return 'σ'
	case '´', '`', 'ʼ':
		return '\''
	case '«', '»':
		return '"'
	case 'ـ': // Arabic tatweel: a stretched line, not a letter
		return drop
	}
	switch {
	case unicode.Is(unicode.Mn, r), unicode.Is(unicode.Cf, r):
		return drop
	case unicode.Is(unicode.Nd, r):
		return '0' + (r-firstDigit(r))%10
	case unicode.IsSpace(r) || r == '\u00a0':
		return ' '
	}
	if s := norm.NFD.String(string(r)); len(s) > 0 {
		r, _ = utf8.DecodeRuneInString(s)
	}
	return unicode.ToLower(r)
}

// firstDigit finds the zero of r's digits: Unicode lays them in runs of ten.
func firstDigit(r rune) rune {
	for unicode.Is(unicode.Nd, r-1) {
		r--
	}
	return r
}

// foldHigh folds a rune above the table: width, dashes, quotation marks.
func foldHigh(r rune) rune {
	switch {
	case r >= 0xFF01 && r <= 0xFF5E: // full width forms of ASCII
		return unicode.ToLower(r - 0xFEE0)
	case r >= 0x2000 && r <= 0x200A, r == 0x202F, r == 0x205F, r == 0x3000:
		return ' '
	case r >= 0x2010 && r <= 0x2015, r == 0x2212, r == 0x2500, r == 0x2501:
		return '-'
	case r == '\u2018', r == '\u2019', r == '\u201A', r == '\u2032':
		return '\''
	case r == '\u201C', r == '\u201D', r == '\u201E', r == '\u2033':
		return '"'
	case r == '、':
		return ','
	case r == '‹':
		return '<'
	case r == '›':
		return '>'
	case unicode.Is(unicode.Cf, r), r >= 0xFE00 && r <= 0xFE0F:
		return drop
	}
	return r
}

// fold makes words of many languages comparable: lower case, no accents, no
// invisible characters, ASCII digits, plain spaces, dashes and quotation marks.
func fold(s string) string {
	if folded(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	t := foldings()
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			b.WriteByte(lowerASCII(c))
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r == 'ß' {
			b.WriteString("ss")
			continue
		}
		if r = foldRune(t, r); r != drop {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// foldMap is fold with, for each byte of the result, the place of the rune in s
// that it was made of, and one more for the end.
func foldMap(s string) (string, []int32) {
	out := make([]byte, 0, len(s)+1)
	at := make([]int32, 0, len(s)+2)
	t := foldings()
	for i := 0; i < len(s); {
		from := int32(i)
		if c := s[i]; c < utf8.RuneSelf {
			out, at = append(out, lowerASCII(c)), append(at, from)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r == 'ß' {
			out, at = append(out, "ss"...), append(at, from, from)
			continue
		}
		if r = foldRune(t, r); r != drop {
			out = utf8.AppendRune(out, r)
			for len(at) < len(out) {
				at = append(at, from)
			}
		}
	}
	return string(out), append(at, int32(len(s)))
}

func foldRune(t *folding, r rune) rune {
	if int(r) < len(t) {
		return t[r]
	}
	return foldHigh(r)
}

func folded(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' || c == '\t' || c == '`' {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	case c == '\t':
		return ' '
	case c == '`':
		return '\''
	}
	return c
}
