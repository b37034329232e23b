package letter

import (
	"strings"
	"unicode/utf8"
)

// decodeHeader unfolds a field body and decodes its encoded words (RFC 2047), wherever they stand, and its bare 8-bit text.
func decodeHeader(raw string) string {
	s := unfold(raw)
	if !strings.Contains(s, "=?") {
		if isASCII(s) {
			return s
		}
		return bare(s)
	}
	var d wordDecoder
	for s != "" {
		i := strings.Index(s, "=?")
		if i < 0 {
			d.text(s)
			break
		}
		w, n := parseWord(s[i:])
		if n == 0 {
			d.text(s[:i+2])
			s = s[i+2:]
			continue
		}
		d.text(s[:i])
		d.word(w)
		s = s[i+n:]
	}
	d.flush()
	return d.out.String()
}

// bare decodes header text that should have been encoded and was not.
func bare(s string) string {
	text, _ := decodeCharset([]byte(s), "", "")
	return cleanUTF8(text)
}

// isASCII tells whether s needs no charset: 7 bits and no ISO-2022 escape.
func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 || s[i] == 0x1b {
			return false
		}
	}
	return true
}

type word struct {
	charset string
	base64  bool
	text    string
}

// parseWord reads an encoded word at the beginning of s and returns its length, 0 if there is none.
func parseWord(s string) (w word, n int) {
	q1 := strings.IndexByte(s[2:], '?')
	if q1 <= 0 || q1 > 60 || strings.ContainsAny(s[2:2+q1], " \t\"<>") {
		return w, 0
	}
	w.charset = s[2 : 2+q1]
	if star := strings.IndexByte(w.charset, '*'); star > 0 { // RFC 2231 section 5: language
		w.charset = w.charset[:star]
	}
	rest := s[2+q1+1:]
	if len(rest) < 2 || rest[1] != '?' {
		return w, 0
	}
	switch rest[0] {
	case 'b', 'B':
		w.base64 = true
	case 'q', 'Q':
	default:
		return w, 0
	}
	body := rest[2:]
	head := len(s) - len(body)
	body = body[:min(len(body), 4000)] // RFC 2047 says 75; a bound keeps hostile headers linear
	end := strings.Index(body, "?=")
	if end < 0 { // cut off: up to the next blank
		if end = strings.IndexByte(body, ' '); end < 0 {
			end = len(body)
		}
		w.text = strings.TrimRight(body[:end], "?")
		return w, head + end
	}
	// A bare question mark before an escape ("?=C3=A9?=") does not end a Q word.
	for !w.base64 && end+4 <= len(body) && unhex(body[end+2]) >= 0 && unhex(body[end+3]) >= 0 {
		next := strings.Index(body[end+2:], "?=")
		if next < 0 || strings.ContainsAny(body[end+2:end+2+next], " ") || strings.Contains(body[end+2:end+2+next], "=?") {
			break
		}
		end += 2 + next
	}
	w.text = body[:end]
	return w, head + end + 2
}

// wordDecoder joins adjacent encoded words before it decodes their charset: mailers cut characters in two.
type wordDecoder struct {
	out     strings.Builder
	charset string
	bytes   []byte
	b64     []byte // base64 text not yet decoded: some mailers cut that too
	pending bool
	decoded int // runs decoded so far
}

func (d *wordDecoder) text(s string) {
	if s == "" {
		return
	}
	if d.pending && strings.Trim(s, " \t") == "" {
		return // blanks between words vanish (RFC 2047 section 6.2); those at the end of a field were trimmed before
	}
	d.flush()
	if isASCII(s) {
		d.out.WriteString(s)
		return
	}
	text, _ := decodeCharset([]byte(s), "", d.hint())
	d.out.WriteString(cleanUTF8(text))
}

// hint ends the guessing of charsets in a field that has asked for it too often.
func (d *wordDecoder) hint() string {
	if d.decoded++; d.decoded > 100 {
		return "windows-1252"
	}
	return ""
}

func (d *wordDecoder) word(w word) {
	if d.pending && !strings.EqualFold(w.charset, d.charset) {
		d.flush()
	}
	d.charset, d.pending = w.charset, true
	if w.base64 {
		d.b64 = append(d.b64, w.text...)
		if n := len(d.b64); n > 0 && (n%4 == 0 || d.b64[n-1] == '=') {
			d.endBase64()
		}
		return
	}
	d.endBase64()
	d.bytes = appendQ(d.bytes, w.text)
}

func (d *wordDecoder) endBase64() {
	if len(d.b64) > 0 {
		d.bytes = appendBase64(d.bytes, d.b64)
		d.b64 = d.b64[:0]
	}
}

func (d *wordDecoder) flush() {
	if !d.pending {
		return
	}
	d.endBase64()
	text, _ := decodeCharset(d.bytes, d.charset, d.hint())
	for _, r := range text {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			d.out.WriteByte(' ')
		case r < ' ' || r == 0x7f: // control characters have no place in a header
		default:
			d.out.WriteRune(r)
		}
	}
	d.bytes, d.pending = d.bytes[:0], false
}

func appendQ(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			dst = append(dst, ' ')
		case c == '=' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			dst = append(dst, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// cleanUTF8 makes any string valid UTF-8 without NUL.
func cleanUTF8(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// clip cuts s to at most n bytes at a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
