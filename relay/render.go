package relay

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/language"

	"github.com/postern-chat/postern"
)

// phrases are the few words of our own in a mail.
type phrases struct {
	Reply string // how to answer
	Leave string // how to get no more mail
	Files string // before the files that are not attached
	Chat  string // where a file is that cannot be linked
}

var languages = []language.Tag{language.English, language.German, language.French, language.Spanish, language.Portuguese,
	language.Italian, language.Dutch, language.Polish, language.Turkish, language.Japanese, language.Korean}

var wordings = []phrases{
	{"Answer this e-mail to answer in the chat.", "No more e-mails from this conversation", "Not attached", "see the chat"},
	{"Antworten Sie auf diese E-Mail, um im Chat zu antworten.", "Keine E-Mails mehr aus dieser Unterhaltung", "Nicht angehängt", "siehe Chat"},
	{"Répondez à cet e-mail pour répondre dans la discussion.", "Ne plus recevoir d’e-mails de cette conversation", "Non joint", "voir la discussion"},
	{"Responda a este correo para responder en el chat.", "No recibir más correos de esta conversación", "Sin adjuntar", "véase el chat"},
	{"Responda a este e-mail para responder no chat.", "Não receber mais e-mails desta conversa", "Não anexado", "veja o chat"},
	{"Rispondi a questa e-mail per rispondere nella chat.", "Non ricevere più e-mail da questa conversazione", "Non allegato", "vedi la chat"},
	{"Beantwoord deze e-mail om in de chat te antwoorden.", "Geen e-mails meer uit dit gesprek", "Niet bijgevoegd", "zie de chat"},
	{"Odpowiedz na tę wiadomość, aby odpowiedzieć na czacie.", "Nie chcę więcej e-maili z tej rozmowy", "Nie załączono", "zobacz czat"},
	{"Sohbette yanıtlamak için bu e-postayı yanıtlayın.", "Bu konuşmadan artık e-posta alma", "Eklenmedi", "sohbete bakın"},
	{"このメールに返信すると、チャットに返信できます。", "この会話のメールを受け取らない", "添付されていません", "チャットを確認"},
	{"이 이메일에 회신하면 채팅에 답장됩니다.", "이 대화의 이메일을 더 이상 받지 않기", "첨부되지 않음", "채팅에서 확인"},
}

// matcher is costly to make, and never changes.
var matcher = language.NewMatcher(languages)

// languageOf finds the nearest of our languages.
func languageOf(locale string) string {
	i := 0
	if locale != "" {
		_, i, _ = matcher.Match(language.Make(locale))
	}
	return languages[i].String()
}

// wordingOf gives our words in a language; the first one's where it is none of ours.
func wordingOf(lang string) phrases {
	return wordings[max(slices.IndexFunc(languages, func(t language.Tag) bool { return t.String() == lang }), 0)]
}

// paragraph is what one person wrote in one go.
type paragraph struct {
	Who   string   `json:"who,omitempty"` // "" where it is plain who writes
	Lines []string `json:"lines"`
}

// linkFor is how long a link to a file holds.
const linkFor = 30 * 24 * time.Hour

// shownLink is a file that is not attached: where it is, or in words where to look.
type shownLink struct {
	Name string `json:"name"`
	URL  string `json:"url,omitempty"`
	Note string `json:"note,omitempty"`
}

// render says what a mail says, and writes it.
func (c *content) render(r *Rules, id postern.DeliveryID) {
	c.Lang = languageOf(c.locale)
	w := wordingOf(c.Lang)
	c.Shown = nil
	for i, l := range c.Links {
		s := shownLink{Name: l.Name, Note: w.Chat}
		switch {
		case l.Foreign && webURL(l.URL):
			s.URL = strings.ToValidUTF8(l.URL, "\uFFFD")
		case !l.Foreign && l.URL != "" && r.PublicURL != "":
			s.URL = r.PublicURL + "/f/" + r.fileWord(id, i, c.Date.Add(linkFor))
		}
		c.Shown = append(c.Shown, s)
	}
	c.Said = paragraphs(c.messages, c.where)
	c.write()
}

// write writes the texts of a mail, plain and HTML. From the same content it writes the
// same again: a second try sends what the first did, but for a newer version's manners.
func (c *content) write() {
	w := wordingOf(c.Lang)
	c.Text = strings.ToValidUTF8(plainText(c.Said, c.Shown, w, c.Leave), "\uFFFD")
	c.HTML = strings.ToValidUTF8(page(c.Said, c.Shown, w, c.Leave, c.Lang), "\uFFFD")
}

func webURL(s string) bool {
	return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
}

// nobody stands where a writer has no name that may be told.
const nobody = "👤"

// paragraphs gives what was written, message by message. Names stand only where more
// than one person writes (else From says it), and only where the writer changes. where
// speaks in the application's own lines.
func paragraphs(ms []wanted, where string) []paragraph {
	several := slices.ContainsFunc(ms, func(m wanted) bool { return m.Sender.ID != ms[0].Sender.ID })
	var ps []paragraph
	last := ""
	for _, m := range ms {
		text := linesOf(m)
		if len(text) == 0 {
			continue
		}
		p := paragraph{Lines: text}
		if several && (len(ps) == 0 || last != string(m.Sender.ID)) {
			p.Who = oneLine(m.senderName(), 80)
			switch {
			case p.Who == "" && m.Sender.ID == "":
				p.Who = where
			case p.Who == "":
				p.Who = nobody
			}
		}
		ps, last = append(ps, p), string(m.Sender.ID)
	}
	return ps
}

// linesOf gives a message's text line by line, without control characters, and its files.
func linesOf(m wanted) (lines []string) {
	text := strings.ReplaceAll(strings.ReplaceAll(m.Text, "\r\n", "\n"), "\r", "\n")
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) && c != '\n' && c != '\t' {
			return -1
		}
		return c
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if text = strings.TrimSpace(text); text != "" {
		lines = strings.Split(text, "\n")
	}
	for _, f := range m.Files {
		lines = append(lines, "📎 "+fileName(f))
	}
	return lines
}

func plainText(ps []paragraph, links []shownLink, w phrases, leave string) string {
	var b strings.Builder
	for i, p := range ps {
		if i > 0 {
			b.WriteString("\n")
		}
		if p.Who != "" {
			b.WriteString(p.Who + ":\n")
		}
		b.WriteString(strings.Join(p.Lines, "\n") + "\n")
	}
	for i, l := range links {
		if i == 0 {
			b.WriteString("\n")
		}
		to := l.URL
		if to == "" {
			to = l.Note
		}
		fmt.Fprintf(&b, "%s: %s (%s)\n", w.Files, l.Name, to)
	}
	// The delimiter of a signature: mail programs leave out what follows when quoting.
	b.WriteString("\n-- \n" + w.Reply + "\n")
	if leave != "" {
		b.WriteString(w.Leave + ": " + leave + "\n")
	}
	return b.String()
}

// page writes a mail's HTML. It is deliberately plain: no pictures, no style sheet that a
// mail program would strip, legible in light and dark. Strangers' words stand only between
// tags, escaped; addresses only within quotes, escaped as well. (html/template gives the
// same, which a test holds, at ten times the cost.)
func page(ps []paragraph, links []shownLink, w phrases, leave, lang string) string {
	var b strings.Builder
	b.Grow(2048)
	b.WriteString(`<!doctype html>
<html lang="` + lang + `"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"></head>
<body style="margin:0;padding:16px;font:16px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif">
<div style="max-width:640px">
`)
	for _, p := range ps {
		if p.Who != "" {
			put(&b, `<div style="margin-top:12px"><b>`, escape(p.Who), "</b></div>\n")
		}
		b.WriteString(`<div dir="auto" style="margin:4px 0 12px">`)
		for i, l := range p.Lines {
			if i > 0 {
				b.WriteString("<br>\n")
			}
			b.WriteString(escape(l))
		}
		b.WriteString("</div>\n")
	}
	for _, l := range links {
		put(&b, `<div style="margin:4px 0">`, escape(w.Files), ": ")
		if l.URL != "" {
			put(&b, `<a href="`, address(l.URL), `">`, escape(l.Name), "</a></div>\n")
		} else {
			put(&b, escape(l.Name), " (", escape(l.Note), ")</div>\n")
		}
	}
	put(&b, `<div style="margin-top:24px;padding-top:8px;border-top:1px solid #8884;font-size:13px;color:#777">`, escape(w.Reply))
	if leave != "" {
		put(&b, "<br>\n<a href=\"", address(leave), `" style="color:#777">`, escape(w.Leave), "</a>")
	}
	b.WriteString("</div>\n</div></body></html>\n")
	return b.String()
}

func put(b io.StringWriter, words ...string) {
	for _, w := range words {
		_, _ = b.WriteString(w) // to memory
	}
}

func escape(s string) string { return escaper.Replace(s) }

// escaper makes text that can stand between tags and within quoted values.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;", "\x00", "\uFFFD", "+", "&#43;")

// address makes an address that can stand within quotes. What is no character of an
// address (RFC 3986 section 2) is percent-encoded; what is encoded already stays.
func address(u string) string {
	const plain = "-._~!#$&*+,/:;=?@[]"
	var b strings.Builder
	for i := range len(u) {
		switch c := u[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(plain, c) >= 0, c == '%' && i+2 < len(u) && isHex(u[i+1]) && isHex(u[i+2]):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return escape(b.String())
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
