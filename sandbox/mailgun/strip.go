package mailgun

import (
	"regexp"
	"strings"

	"github.com/postern-chat/postern/sandbox/mailbox/eml"
	"golang.org/x/net/html"
)

// bodyPlain is the text of a mail; one that has only HTML gets a text made from
// it.
func bodyPlain(m *eml.Mail) string {
	if m.Text != "" || m.HTML == "" {
		return m.Text
	}
	return PlainText(m.HTML)
}

// PlainText is the readable text of an HTML document, roughly.
func PlainText(doc string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(doc))
	skip := 0
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.TrimSpace(b.String()) + "\n"
		case html.TextToken:
			if skip == 0 {
				b.WriteString(strings.Join(strings.Fields(" "+string(z.Text())+" "), " ") + " ")
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			switch string(name) {
			case "script", "style", "head", "title":
				skip++
			case "br", "p", "div", "tr", "li", "blockquote":
				b.WriteByte('\n')
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			switch string(name) {
			case "script", "style", "head", "title":
				skip = max(0, skip-1)
			case "p", "div":
				b.WriteByte('\n')
			}
		}
	}
}

// quoteStart is where common mail programs begin their quoting.
var quoteStart = regexp.MustCompile(`(?m)^(>|On .{5,200} wrote:\s*$|Am .{5,200} schrieb .*:\s*$|Le .{5,200} a écrit\s*:\s*$|-{2,}\s*(Original Message|Ursprüngliche Nachricht)|_{10,}\s*$|From: .+$)`)

// stripped cuts a reply's own words from the quote and the signature, about as
// well as Mailgun does.
func stripped(text string) (words, signature string) {
	t := strings.ReplaceAll(text, "\r\n", "\n")
	if at := quoteStart.FindStringIndex(t); at != nil && strings.TrimSpace(t[:at[0]]) != "" {
		t = t[:at[0]]
	}
	if i := strings.LastIndex("\n"+t, "\n-- \n"); i >= 0 {
		t, signature = t[:i], t[i:]
	}
	return strings.TrimRight(t, " \n"), strings.TrimSpace(signature)
}

// strippedHTML cuts at the first element that quotes.
func strippedHTML(doc, words string) string {
	if doc == "" {
		if words == "" {
			return ""
		}
		return "<p>" + html.EscapeString(words) + "</p>"
	}
	low := strings.ToLower(doc)
	cut := len(doc)
	for _, mark := range []string{`<div class="gmail_quote`, `<blockquote`, `<div id="divrplyfwdmsg"`, `<div class="moz-cite-prefix"`, `<div id="appendonsend"`} {
		if i := strings.Index(low, mark); i > 0 && i < cut {
			cut = i
		}
	}
	return doc[:cut]
}
