package cloudflare

import (
	"strings"

	"github.com/postern-chat/postern/internal/zonetext"
)

// quote gives a text as Cloudflare wants it: strings of at most 255 bytes in quotes, all
// but quotes and backslashes as it is.
func quote(text string) string {
	return zonetext.Quote(text, func(c byte) string { return string([]byte{c}) })
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
