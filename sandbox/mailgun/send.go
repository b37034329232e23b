package mailgun

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/mail"
	"net/url"
	"strings"

	"github.com/postern-chat/postern/sandbox/mailbox/eml"
	"github.com/postern-chat/postern/sandbox/mailbox/spool"
)

func (s *Server) sendEndpoints() []endpoint {
	return []endpoint{
		{"POST", "/v3/{domain}/messages", scopeSend, func(c *call) { c.s.send(c, false) }},
		{"POST", "/v3/{domain}/messages.mime", scopeSend, func(c *call) { c.s.send(c, true) }},
		{"GET", "/v3/domains/{domain}/messages/{key}", scopeDomain, func(c *call) { c.s.storedGet(c) }},
		{"POST", "/v3/domains/{domain}/messages/{key}", scopeDomain, func(c *call) { c.s.storedResend(c) }},
		{"DELETE", "/v3/domains/{domain}/messages/{key}", scopeDomain, func(c *call) { c.s.storedDelete(c) }},
		{"GET", "/v3/domains/{domain}/sending_queues", scopeDomain, func(c *call) { c.s.sendingQueues(c) }},
		{"DELETE", "/v3/{domain}/envelopes", scopeDomain, func(c *call) { c.s.clearQueues(c) }},
	}
}

// sendForm is a send call's body, its files in the spool.
type sendForm struct {
	values url.Values
	files  []formFile
}

type formFile struct {
	field, name, contentType string
	blob                     *spool.Blob
}

func (f *sendForm) remove() {
	for _, x := range f.files {
		x.blob.Remove()
	}
}

// bad is a refusal with its status and text.
type bad struct {
	status int
	text   string
}

func (b *bad) Error() string { return b.text }

func refuse(status int, format string, args ...any) *bad {
	return &bad{status, fmt.Sprintf(format, args...)}
}

// The texts are Mailgun's own (OpenAPI file, POST messages, 400).
const (
	textTo       = "to parameter is not a valid address. please check documentation"
	textFrom     = "from parameter is missing."
	textBody     = "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified."
	textBoth     = "Only one parameters 'html' or 'template' is allowed."
	textOptions  = "Send options (parameters starting with o:, h:, or v:) are limited to 16KB total"
	textTooLarge = "message is too large"
	textQueued   = "Queued. Thank you."
	textSandbox  = "Sandbox subdomains are for test purposes only. Please add your own domain or add the address to authorized recipients in Account Settings."
)

func (s *Server) send(c *call, mimeForm bool) {
	form, err := s.readSendForm(c)
	if err != nil {
		c.refused(err)
		return
	}
	m, err := s.newMessage(c, form, mimeForm)
	if err != nil {
		form.remove()
		c.refused(err)
		return
	}
	e := entryOf(c.r)
	e.MessageID, e.Recipient = m.id, recipientsOf(m)
	after, answered := s.sendFault(c, m)
	if answered {
		return
	}
	if err := s.sendLimit(c, m); err != nil {
		c.refused(err)
		return
	}
	s.enqueue(m)
	if after != nil {
		after()
		return
	}
	c.answer(http.StatusOK, map[string]string{"id": "<" + m.id + ">", "message": textQueued})
}

func (c *call) refused(err error) {
	var b *bad
	if errors.As(err, &b) {
		c.message(b.status, "%s", b.text)
		return
	}
	entryOf(c.r).Error = err.Error()
	c.message(http.StatusBadRequest, "invalid request body")
}

// readSendForm streams the body: files go to the spool, fields are bounded.
func (s *Server) readSendForm(c *call) (*sendForm, error) {
	sw := s.switches()
	f := &sendForm{values: url.Values{}}
	ct, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	limit := sw.MaxMessage + sw.MaxMessage/2 + 4<<20 // base64 and form around it
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, limit)
	if ct == "application/x-www-form-urlencoded" {
		if err := c.r.ParseForm(); err != nil {
			return nil, tooLarge(err)
		}
		f.values = c.r.PostForm
		return f, nil
	}
	mr, err := c.r.MultipartReader()
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%s", textFrom) // as if every field were missing
	}
	for {
		p, err := mr.NextRawPart()
		if err == io.EOF {
			return f, nil
		}
		if err == nil {
			err = s.readPart(f, p, sw.MaxMessage)
		}
		if err != nil {
			f.remove()
			return nil, tooLarge(err)
		}
	}
}

func (s *Server) readPart(f *sendForm, p *multipart.Part, max int64) error {
	name := p.FormName()
	isFile := name == "attachment" || name == "inline" || name == "message"
	if !isFile {
		b, err := io.ReadAll(p)
		f.values.Add(name, string(b))
		return err
	}
	blob, err := s.spool.Put(p, max)
	if err != nil {
		return err
	}
	if p.FileName() == "" && name != "message" {
		blob.Remove() // Mailgun drops file parts without a name, silently (django-anymail's notes)
		return nil
	}
	f.files = append(f.files, formFile{name, p.FileName(), p.Header.Get("Content-Type"), blob})
	return nil
}

func tooLarge(err error) error {
	var max *http.MaxBytesError
	if errors.As(err, &max) || errors.Is(err, spool.ErrTooLarge) {
		return refuse(http.StatusRequestEntityTooLarge, "%s", textTooLarge)
	}
	return err
}

// newMessage checks a form by the documented rules and makes the message; its
// MIME is complete afterwards.
func (s *Server) newMessage(c *call, f *sendForm, mimeForm bool) (*message, error) {
	sw := s.switches()
	m := &message{domain: c.domain, method: "HTTP", keyID: c.key.ID, base: c.base(), created: s.Now()}
	if err := s.readRecipients(m, f, mimeForm, sw); err != nil {
		return nil, err
	}
	opts, err := s.readOptions(f.values, sw, m.created)
	if err != nil {
		return nil, err
	}
	m.opts = opts
	if mimeForm {
		err = s.takeMIME(m, f, sw)
	} else {
		err = s.takeFields(m, f, sw)
	}
	if err != nil {
		return nil, err
	}
	if err := s.sandboxRule(m, sw); err != nil {
		m.raw.Remove()
		return nil, err
	}
	return m, nil
}

func (s *Server) readRecipients(m *message, f *sendForm, mimeForm bool, sw Switches) error {
	fields := []string{"to"}
	if !mimeForm {
		fields = append(fields, "cc", "bcc")
	}
	seen := map[string]bool{}
	for _, field := range fields {
		for _, v := range f.values[field] {
			list, ok := strictAddresses(v)
			if !ok {
				return refuse(http.StatusBadRequest, "%s", strings.Replace(textTo, "to ", field+" ", 1))
			}
			for _, a := range list {
				if k := strings.ToLower(a); !seen[k] { // duplicates are dropped
					seen[k] = true
					m.to = append(m.to, &delivery{msg: m, to: a, state: "queued"})
				}
			}
		}
	}
	if len(f.values["to"]) == 0 || len(m.to) == 0 {
		return refuse(http.StatusBadRequest, "%s", textTo)
	}
	if len(m.to) > sw.MaxRecipients {
		return refuse(http.StatusBadRequest, "to parameter is limited to %d recipients", sw.MaxRecipients)
	}
	return nil
}

// strictAddresses reads a comma list; one bad address spoils all.
func strictAddresses(v string) ([]string, bool) {
	list, err := mail.ParseAddressList(strings.Trim(v, ", \t\r\n"))
	if err != nil {
		return nil, false
	}
	var out []string
	for _, a := range list {
		dom := domainOf(a.Address)
		if localOf(a.Address) == "" || strings.Trim(dom, ".") != dom || strings.Contains(dom, "..") {
			return nil, false
		}
		out = append(out, a.Address)
	}
	return out, true
}

func (s *Server) takeMIME(m *message, f *sendForm, sw Switches) error {
	var blob *spool.Blob
	for _, x := range f.files {
		if x.field == "message" {
			blob = x.blob
		}
	}
	if v := f.values.Get("message"); blob == nil && v != "" {
		b, err := s.spool.Put(strings.NewReader(v), sw.MaxMessage)
		if err != nil {
			return tooLarge(err)
		}
		blob = b
	}
	if blob == nil || blob.Size() == 0 {
		return refuse(http.StatusBadRequest, "message parameter is missing.")
	}
	if err := readRecipientVariables(m, f.values.Get("recipient-variables")); err != nil {
		return err
	}
	return s.finish(m, blob)
}

// finish reads the MIME's header, settles the Message-Id and rewrites the
// header where options ask for it. It takes the blob over.
func (s *Server) finish(m *message, blob *spool.Blob) error {
	r, err := blob.Open()
	if err != nil {
		return err
	}
	parsed, err := eml.Parse(r, nil)
	_ = r.Close()
	if err != nil {
		return err
	}
	if parsed.Header.Get("From") == "" && optionHeader(m.opts, "From") == "" {
		return refuse(http.StatusBadRequest, "%s", textFrom)
	}
	m.id = eml.MessageID(optionHeader(m.opts, "Message-Id"))
	if m.id == "" {
		m.id = eml.MessageID(parsed.Header.Get("Message-Id"))
	}
	set := m.opts.headers
	if m.id == "" {
		s.mu.Lock()
		m.id = s.ids.message(m.created, m.domain)
		s.mu.Unlock()
		set = append(set, eml.Field{Name: "Message-Id", Value: "<" + m.id + ">"})
	}
	if parsed.Header.Get("Date") == "" {
		set = append(set, eml.Field{Name: "Date", Value: m.created.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700")})
	}
	m.raw, m.files = blob, parsed.Files
	if len(set) > 0 {
		if m.raw, err = s.withHeaders(blob, set); err != nil {
			return err
		}
		blob.Remove()
	}
	m.header, m.size = applyHeaders(parsed.Header, set), m.raw.Size()
	return nil
}

func optionHeader(o options, name string) string {
	for _, f := range o.headers {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

func recipientsOf(m *message) string {
	var to []string
	for i, d := range m.to {
		if i == 5 {
			return strings.Join(to, ", ") + fmt.Sprintf(" and %d more", len(m.to)-5)
		}
		to = append(to, d.to)
	}
	return strings.Join(to, ", ")
}

// sandboxRule: a sandbox domain sends to authorised recipients only, even in
// test mode (recording of 2025).
func (s *Server) sandboxRule(m *message, sw Switches) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.st.domains[m.domain]
	if d == nil || d.Type != "sandbox" || sw.SandboxEvent {
		return nil
	}
	for _, one := range m.to {
		if !s.st.authorised(one.to) {
			return refuse(http.StatusForbidden, "Domain %s is not allowed to send: %s", m.domain, textSandbox)
		}
	}
	return nil
}
