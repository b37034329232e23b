package mailbox

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"html"
	"io"
	"mime"
	netmail "net/mail"
	"path/filepath"
	"strings"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox/eml"
)

// Program is a mail program whose way of answering is copied.
type Program string

// The programs.
const (
	Gmail       Program = "gmail"
	Outlook     Program = "outlook"
	AppleMail   Program = "apple"
	Thunderbird Program = "thunderbird"
	Plain       Program = "plain" // text only, > quoting, the answer above
)

// Programs are all programs.
func Programs() []Program { return []Program{Gmail, Outlook, AppleMail, Thunderbird, Plain} }

// Attachment is a file of a letter that is written here.
type Attachment struct {
	Filename    string `json:"filename"`
	ContentType string `json:"content_type"`
	Data        []byte `json:"data"` // base64 in JSON
	// ContentID makes it an inline part.
	ContentID string `json:"content_id,omitempty"`
}

// Letter is a mail that a person writes.
type Letter struct {
	To          []string     `json:"to"`
	Cc          []string     `json:"cc,omitempty"`
	Subject     string       `json:"subject"`
	Text        string       `json:"text"`
	HTML        string       `json:"html,omitempty"`
	Attachments []Attachment `json:"attachments,omitempty"`
	// Program is whose form it takes; default gmail.
	Program Program `json:"program,omitempty"`
	// From overrides the header From, for a forger; the envelope stays true.
	From string `json:"from,omitempty"`
	// Header adds fields.
	Header []eml.Field `json:"header,omitempty"`

	inReplyTo, references string
}

// Write sends a new mail of the mailbox's owner and returns its Message-ID
// without brackets.
func (s *Server) Write(ctx context.Context, address string, l Letter) (messageID string, err error) {
	if len(l.To) == 0 {
		return "", fmt.Errorf("sandbox mailbox: a letter needs somebody to go to")
	}
	if l.From == "" {
		s.mu.Lock()
		name := s.box(address).name
		s.mu.Unlock()
		l.From = (&netmail.Address{Name: name, Address: address}).String()
	}
	messageID = s.newMessageID(address, l.Program)
	raw := l.bytes(messageID, s.cfg.Now())
	var to []string
	for _, list := range [][]string{l.To, l.Cc} {
		for _, one := range list {
			to = append(to, eml.Address(one))
		}
	}
	return messageID, s.Submit(ctx, address, to, bytes.NewReader(raw))
}

func (s *Server) newMessageID(address string, p Program) string {
	s.mu.Lock()
	s.seq++
	n := s.seq
	s.mu.Unlock()
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, s.cfg.Seed, address, n)
	domain := address[strings.LastIndexByte(address, '@')+1:]
	switch p {
	case Gmail, "":
		return fmt.Sprintf("CA+%016x%06d@mail.gmail.com", h.Sum64(), n)
	case Outlook:
		return fmt.Sprintf("DB7PR%016X%04d@DB7PR01MB0001.eurprd01.prod.exchangelabs.com", h.Sum64(), n)
	case AppleMail:
		return fmt.Sprintf("%08X-%04X-4%03X@%s", uint32(h.Sum64()>>32), uint16(h.Sum64()>>16), n&0xfff, domain)
	default:
		return fmt.Sprintf("%016x.%d@%s", h.Sum64(), n, domain)
	}
}

// Answer is how a person answers a mail.
type Answer struct {
	Program     Program      `json:"program"`
	Text        string       `json:"text"`
	Attachments []Attachment `json:"attachments,omitempty"`
	// All answers everybody, not the sender alone.
	All bool `json:"all,omitempty"`
	// NoQuote leaves the old mail out.
	NoQuote bool `json:"no_quote,omitempty"`
	// Signature is put where the program puts it.
	Signature string `json:"signature,omitempty"`
	// From overrides the header From.
	From string `json:"from,omitempty"`
}

// Reply answers a mail of the mailbox in the form of the program, and returns
// the answer's Message-ID without brackets.
func (s *Server) Reply(ctx context.Context, address, id string, a Answer) (messageID string, err error) {
	m := s.find(address, id)
	if m == nil {
		return "", fmt.Errorf("sandbox mailbox: no mail %s in %s", id, address)
	}
	h := m.parsed.Header
	l := Letter{Attachments: a.Attachments, Program: a.Program, From: a.From, Subject: replySubject(h.Text("Subject"), a.Program)}
	to := h.Get("Reply-To")
	if to == "" {
		to = h.Get("From")
	}
	for _, x := range eml.Addresses(to) {
		l.To = append(l.To, x.String())
	}
	if a.All {
		for _, list := range []string{h.Get("To"), h.Get("Cc")} {
			for _, x := range eml.Addresses(list) {
				if !strings.EqualFold(x.Address, address) {
					l.Cc = append(l.Cc, x.String())
				}
			}
		}
	}
	if mid := h.Get("Message-Id"); mid != "" {
		l.inReplyTo = mid
		l.references = strings.TrimSpace(orText(h.Get("References"), h.Get("In-Reply-To")) + " " + mid)
	}
	quote(&l, a, m)
	s.mu.Lock()
	m.see()
	s.mu.Unlock()
	return s.Write(ctx, address, l)
}

// replySubject adds one Re: where there is none.
func replySubject(subject string, p Program) string {
	prefix := "Re: "
	if p == Outlook {
		prefix = "RE: "
	}
	if len(subject) >= 3 && strings.EqualFold(subject[:3], "re:") {
		return subject
	}
	return prefix + subject
}

// bytes is the letter as raw mail with CRLF lines.
func (l Letter) bytes(messageID string, now time.Time) []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	field := func(name, value string) {
		if value != "" {
			line("%s: %s", name, value)
		}
	}
	field("Date", now.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	field("Message-ID", "<"+messageID+">")
	field("In-Reply-To", l.inReplyTo)
	field("References", strings.Join(strings.Fields(l.references), "\r\n "))
	field("From", l.From)
	field("To", strings.Join(l.To, ", "))
	field("Cc", strings.Join(l.Cc, ", "))
	field("Subject", mime.QEncoding.Encode("utf-8", l.Subject))
	switch l.Program {
	case Outlook:
		field("Thread-Topic", mime.QEncoding.Encode("utf-8", strings.TrimPrefix(strings.TrimPrefix(l.Subject, "RE: "), "Re: ")))
		field("X-MS-Has-Attach", map[bool]string{true: "yes"}[len(l.Attachments) > 0])
		field("Content-Language", "en-US")
	case AppleMail:
		field("X-Mailer", "Apple Mail (2.3826.700.81)")
	case Thunderbird:
		field("User-Agent", "Mozilla Thunderbird")
	}
	for _, f := range l.Header {
		field(f.Name, f.Value)
	}
	line("MIME-Version: 1.0")
	l.body(&b, line)
	return b.Bytes()
}

func (l Letter) body(b *bytes.Buffer, line func(string, ...any)) {
	mixed := len(l.Attachments) > 0
	if mixed {
		line("Content-Type: multipart/mixed; boundary=\"=_mixed\"\r\n")
		line("--=_mixed")
	}
	if l.HTML == "" {
		textPart(b, line, "text/plain", l.Text)
	} else {
		line("Content-Type: multipart/alternative; boundary=\"=_alternative\"\r\n")
		line("--=_alternative")
		textPart(b, line, "text/plain", l.Text)
		line("--=_alternative")
		textPart(b, line, "text/html", l.HTML)
		line("--=_alternative--")
	}
	for _, a := range l.Attachments {
		line("--=_mixed")
		filePart(b, line, a)
	}
	if mixed {
		line("--=_mixed--")
	}
}

func textPart(b *bytes.Buffer, line func(string, ...any), kind, text string) {
	line("Content-Type: %s; charset=\"UTF-8\"", kind)
	line("Content-Transfer-Encoding: quoted-printable\r\n")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	b.Write(eml.Encode([]byte(text), "quoted-printable"))
	b.WriteString("\r\n")
}

func filePart(b *bytes.Buffer, line func(string, ...any), a Attachment) {
	kind := orText(a.ContentType, orText(mime.TypeByExtension(filepath.Ext(a.Filename)), "application/octet-stream"))
	disposition := "attachment"
	if a.ContentID != "" {
		disposition = "inline"
		line("Content-ID: <%s>", a.ContentID)
	}
	line("Content-Type: %s", kind)
	line("Content-Disposition: %s", mime.FormatMediaType(disposition, map[string]string{"filename": orText(a.Filename, "file")}))
	line("Content-Transfer-Encoding: base64\r\n")
	enc := base64.StdEncoding.EncodeToString(a.Data)
	for len(enc) > 76 {
		b.WriteString(enc[:76] + "\r\n")
		enc = enc[76:]
	}
	b.WriteString(enc + "\r\n")
}

// quote fills the letter's text and HTML with the answer and the old mail, the
// way the program does.
func quote(l *Letter, a Answer, m *mail) {
	q := quoting{a: a, from: m.parsed.Header.Text("From"), to: m.parsed.Header.Text("To"), subject: m.parsed.Header.Text("Subject"),
		when: m.received, text: strings.TrimRight(strings.ReplaceAll(m.parsed.Text, "\r\n", "\n"), "\n"), html: m.parsed.HTML}
	if t, err := netmail.ParseDate(m.parsed.Header.Get("Date")); err == nil {
		q.when = t
	}
	if q.html == "" {
		q.html = paragraphs(q.text)
	}
	if a.NoQuote {
		l.Text = a.Text + "\n"
		if a.Signature != "" {
			l.Text += "\n-- \n" + a.Signature + "\n"
		}
		if a.Program != Plain {
			l.HTML = paragraphs(l.Text)
		}
		return
	}
	switch a.Program {
	case Outlook:
		q.outlook(l)
	case AppleMail:
		q.apple(l)
	case Thunderbird:
		q.thunderbird(l)
	case Plain:
		l.Text = q.own("\n-- \n") + "\n" + q.from + " wrote:\n" + prefixed(q.text)
	default:
		q.gmail(l)
	}
}

type quoting struct {
	a                       Answer
	from, to, subject, text string
	html                    string
	when                    time.Time
}

func (q quoting) own(mark string) string {
	if q.a.Signature == "" {
		return q.a.Text + "\n"
	}
	return q.a.Text + "\n" + mark + q.a.Signature + "\n"
}

func prefixed(text string) string {
	var b strings.Builder
	for _, l := range strings.Split(text, "\n") {
		if strings.HasPrefix(l, ">") || l == "" {
			b.WriteString(">" + l + "\n")
		} else {
			b.WriteString("> " + l + "\n")
		}
	}
	return b.String()
}

func paragraphs(text string) string {
	return "<div>" + strings.ReplaceAll(html.EscapeString(text), "\n", "<br>\n") + "</div>"
}

func (q quoting) gmail(l *Letter) {
	intro := fmt.Sprintf("On %s %s wrote:", q.when.Format("Mon, Jan 2, 2006 at 3:04\u202fPM"), q.from)
	l.Text = q.own("\n-- \n") + "\n" + intro + "\n\n" + prefixed(q.text)
	sig := ""
	if q.a.Signature != "" {
		sig = `<div><br clear="all"></div><span class="gmail_signature_prefix">-- </span><br><div dir="ltr" class="gmail_signature">` + paragraphs(q.a.Signature) + `</div>`
	}
	l.HTML = `<div dir="ltr">` + paragraphs(q.a.Text) + sig + `</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">` +
		html.EscapeString(intro) + `<br></div><blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);padding-left:1ex">` +
		q.html + `</blockquote></div>`
}

func (q quoting) outlook(l *Letter) {
	head := [][2]string{{"From", q.from}, {"Sent", q.when.Format("Monday, January 2, 2006 3:04 PM")}, {"To", q.to}, {"Subject", q.subject}}
	var text, marked strings.Builder
	for _, h := range head {
		text.WriteString(h[0] + ": " + h[1] + "\n")
		marked.WriteString("<b>" + h[0] + ":</b> " + html.EscapeString(h[1]) + "<br>")
	}
	l.Text = q.own("\n") + "\n________________________________\n" + text.String() + "\n" + q.text + "\n"
	l.HTML = `<html><body dir="ltr"><div class="elementToProof">` + paragraphs(q.own("\n")) + `</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%">` +
		`<div id="divRplyFwdMsg" dir="ltr"><font face="Calibri, sans-serif">` + marked.String() + `</font><div>&nbsp;</div></div>` + q.html + `</body></html>`
}

func (q quoting) apple(l *Letter) {
	intro := fmt.Sprintf("On %s, %s wrote:", q.when.Format("Jan 2, 2006, at 3:04\u202fPM"), q.from)
	l.Text = q.own("\n") + "\n> " + intro + "\n> \n" + prefixed(q.text)
	l.HTML = `<html><body style="overflow-wrap: break-word;">` + paragraphs(q.own("\n")) + `<br><div><blockquote type="cite"><div>` + html.EscapeString(intro) +
		`</div><br class="Apple-interchange-newline"><div>` + q.html + `</div></blockquote></div></body></html>`
}

// thunderbird writes below the quote, as it does out of the box.
func (q quoting) thunderbird(l *Letter) {
	intro := fmt.Sprintf("On %s, %s wrote:", q.when.Format("1/2/06 15:04"), q.from)
	l.Text = intro + "\n" + prefixed(q.text) + "\n" + q.own("\n-- \n")
	l.HTML = `<!DOCTYPE html><html><body><div class="moz-cite-prefix">` + html.EscapeString(intro) + `<br></div><blockquote type="cite">` + q.html +
		`</blockquote><p>` + paragraphs(q.a.Text) + `</p>` + map[bool]string{true: `<pre class="moz-signature">-- ` + "\n" + html.EscapeString(q.a.Signature) + `</pre>`}[q.a.Signature != ""] + `</body></html>`
}

// Upload sends a raw mail as it stands. Recipients are those given, or else
// those of its To and Cc.
func (s *Server) Upload(ctx context.Context, address string, to []string, raw io.Reader) error {
	blob, err := s.spool.Put(raw, s.cfg.MaxBytes)
	if err != nil {
		return err
	}
	defer blob.Remove()
	if len(to) == 0 {
		var parsed *eml.Mail
		if err := s.withBlob(blob, func(r io.Reader) (err error) { parsed, err = eml.Parse(r, nil); return err }); err != nil {
			return err
		}
		for _, f := range []string{"To", "Cc"} {
			for _, a := range eml.Addresses(parsed.Header.Get(f)) {
				to = append(to, a.Address)
			}
		}
	}
	if len(to) == 0 {
		return fmt.Errorf("sandbox mailbox: the mail names no recipient")
	}
	return s.withBlob(blob, func(r io.Reader) error { return s.Submit(ctx, address, to, r) })
}
