package rfc2136

import (
	"fmt"
	"strconv"
	"strings"
)

// maxString is the longest string of a TXT record (RFC 1035 section 3.3).
const maxString = 255

// split cuts a text into strings and escapes them as the library keeps them.
func split(text string) []string {
	if text == "" {
		return []string{""}
	}
	var parts []string
	for text != "" {
		n := min(len(text), maxString)
		parts = append(parts, escape(text[:n]))
		text = text[n:]
	}
	return parts
}

func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20 || c > 0x7e:
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// join is the way back.
func join(parts []string) string {
	s := strings.Join(parts, "")
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		if i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 10, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		i++
		b.WriteByte(s[i])
	}
	return b.String()
}
