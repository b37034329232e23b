package cloudflare

import (
	"strings"
)

// maxString is the longest string of a TXT record (RFC 1035 section 3.3).
const maxString = 255

// quote gives a text as Cloudflare wants it: strings of at most 255 bytes in quotes.
func quote(text string) string {
	var b strings.Builder
	for {
		n := min(len(text), maxString)
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteByte('"')
		for i := range n {
			if text[i] == '"' || text[i] == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(text[i])
		}
		b.WriteByte('"')
		if text = text[n:]; text == "" {
			return b.String()
		}
	}
}

// unquote joins the strings of a content. One that does not begin with a quote is from a
// time, or a hand, that wrote none, and is the text itself.
func unquote(content string) string {
	if !strings.HasPrefix(content, `"`) {
		return content
	}
	var b strings.Builder
	inside := false
	for i := 0; i < len(content); i++ {
		switch c := content[i]; {
		case c == '"':
			inside = !inside
		case c == '\\' && inside && i+1 < len(content):
			i++
			b.WriteByte(content[i])
		case inside:
			b.WriteByte(c)
		}
	}
	return b.String()
}
