package zonetext

import (
	"fmt"
	"strconv"
	"strings"
)

// maxString is the longest string of a TXT record (RFC 1035 section 3.3).
const maxString = 255

// Strings cuts a text into strings of at most 255 bytes, at least one. Quotes and
// backslashes are escaped; what is not printable ASCII is written by strange.
func Strings(text string, strange func(byte) string) []string {
	var parts []string
	for {
		n := min(len(text), maxString)
		parts = append(parts, escape(text[:n], strange))
		if text = text[n:]; text == "" {
			return parts
		}
	}
}

// Quote gives a text's Strings in quotes, side by side.
func Quote(text string, strange func(byte) string) string {
	return `"` + strings.Join(Strings(text, strange), `" "`) + `"`
}

func escape(s string, strange func(byte) string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20 || c > 0x7e:
			b.WriteString(strange(c))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Decimal writes a byte as zone files do: \DDD.
func Decimal(c byte) string { return fmt.Sprintf(`\%03d`, c) }

// Join makes one text of a record's strings (RFC 7208 section 3.3) that stand escaped by
// Decimal.
func Join(parts []string) string {
	s := strings.Join(parts, "")
	if !strings.Contains(s, `\`) {
		return s
	}
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
