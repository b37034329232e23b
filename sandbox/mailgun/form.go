package mailgun

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/textproto"
	"net/url"
	"sort"
	"strings"

	"github.com/postern-chat/postern/sandbox/mailbox/eml"
	"github.com/postern-chat/postern/sandbox/mailbox/spool"
)

// form is the body of an inbound post, made anew for each try without ever
// being whole in memory.
type form struct {
	fields   []formField
	files    []formPart
	boundary string
}

type formField struct {
	name, value string
	blob        *spool.Blob // instead of value
}

type formPart struct {
	name string
	file eml.File
}

func (f *form) add(name, value string) {
	f.fields = append(f.fields, formField{name: name, value: value})
}

// contentType is multipart exactly when there are files.
func (f *form) contentType() string {
	if len(f.files) > 0 {
		return "multipart/form-data; boundary=" + f.boundary
	}
	return "application/x-www-form-urlencoded"
}

// chain reads one reader after another, each opened when its turn comes.
type chain struct {
	todo []func() (io.ReadCloser, error)
	cur  io.ReadCloser
}

func (c *chain) text(s string) {
	c.todo = append(c.todo, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil })
}

func (c *chain) Read(p []byte) (int, error) {
	for {
		if c.cur == nil {
			if len(c.todo) == 0 {
				return 0, io.EOF
			}
			r, err := c.todo[0]()
			if err != nil {
				return 0, err
			}
			c.cur, c.todo = r, c.todo[1:]
		}
		n, err := c.cur.Read(p)
		if err == io.EOF {
			err = c.cur.Close()
			c.cur = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (c *chain) Close() error {
	c.todo = nil
	if c.cur == nil {
		return nil
	}
	err := c.cur.Close()
	c.cur = nil
	return err
}

func (f *form) open() (io.ReadCloser, error) {
	c := &chain{}
	if len(f.files) == 0 {
		for i, x := range f.fields {
			head := url.QueryEscape(x.name) + "="
			if i > 0 {
				head = "&" + head
			}
			if x.blob == nil {
				c.text(head + url.QueryEscape(x.value))
				continue
			}
			c.text(head)
			c.todo = append(c.todo, func() (io.ReadCloser, error) { return newEscaper(x.blob) })
		}
		return c, nil
	}
	for _, x := range f.fields {
		c.text("--" + f.boundary + "\r\nContent-Disposition: form-data; name=\"" + quoteName(x.name) + "\"\r\n\r\n" + x.value + "\r\n")
	}
	for _, x := range f.files {
		c.text("--" + f.boundary + "\r\nContent-Disposition: form-data; name=\"" + x.name + "\"; filename=\"" + quoteName(x.file.Filename) +
			"\"\r\nContent-Type: " + x.file.ContentType + "\r\n\r\n")
		c.todo = append(c.todo, x.file.Blob.Open)
		c.text("\r\n")
	}
	c.text("--" + f.boundary + "--\r\n")
	return c, nil
}

func quoteName(s string) string {
	return strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A").Replace(s)
}

// escaper urlencodes a blob while it is read.
type escaper struct {
	rc  io.ReadCloser
	in  []byte
	out []byte
}

func newEscaper(b *spool.Blob) (io.ReadCloser, error) {
	rc, err := b.Open()
	if err != nil {
		return nil, err
	}
	return &escaper{rc: rc, in: make([]byte, 8<<10)}, nil
}

func (e *escaper) Read(p []byte) (int, error) {
	for len(e.out) == 0 {
		n, err := e.rc.Read(e.in)
		e.out = []byte(url.QueryEscape(string(e.in[:n])))
		if n == 0 && err != nil {
			return 0, err
		}
	}
	n := copy(p, e.out)
	e.out = e.out[n:]
	return n, nil
}

func (e *escaper) Close() error { return e.rc.Close() }

// inboundForm is the post of one received mail to one recipient, with its
// signature, which all tries share.
func (s *Server) inboundForm(d *delivery, raw bool, odd map[string]bool) (*form, error) {
	m := d.msg
	f := &form{}
	s.mu.Lock()
	t := s.newTriple(s.sched.Now())
	f.boundary = s.ids.hex(32)
	s.mu.Unlock()
	from, subject := m.header.Text("From"), m.header.Text("Subject")
	if raw {
		f.add("recipient", d.to)
		f.add("sender", m.sender)
		f.add("from", from)
		f.add("subject", subject)
		f.fields = append(f.fields, formField{name: "body-mime", blob: m.raw})
		f.add("timestamp", t.timestamp)
		f.add("token", t.token)
		f.add("signature", t.signature)
		return f, nil
	}
	mail, err := s.parsed(m)
	if err != nil {
		return nil, err
	}
	f.headerFields(m.header)
	text := bodyPlain(mail)
	words, signature := stripped(text)
	optional := func(name, value string) {
		if value != "" {
			f.add(name, value)
		}
	}
	if len(mail.Files) > 0 {
		f.add("attachment-count", fmt.Sprint(len(mail.Files)))
	}
	optional("body-html", mail.HTML)
	f.add("body-plain", text)
	f.cidMap(mail.Files, odd)
	f.add("from", from)
	f.add("message-headers", headersJSON(m.header))
	f.add("recipient", d.to)
	f.add("sender", m.sender)
	f.add("signature", t.signature)
	if !odd[OddStrippedMissing] {
		optional("stripped-html", strippedHTML(mail.HTML, words))
		optional("stripped-signature", signature)
		f.add("stripped-text", words)
	}
	f.add("subject", subject)
	f.add("timestamp", t.timestamp)
	f.add("token", t.token)
	for i, file := range mail.Files {
		f.files = append(f.files, formPart{fmt.Sprintf("attachment-%d", i+1), named(file, i)})
	}
	return f, nil
}

func named(f eml.File, i int) eml.File {
	if f.Filename == "" {
		ext := ".bin"
		if exts, _ := mime.ExtensionsByType(f.ContentType); len(exts) > 0 {
			ext = exts[0]
		}
		f.Filename = fmt.Sprintf("attachment-%d%s", i+1, ext)
	}
	return f
}

// headerFields adds every MIME header as a field of its own, alphabetically,
// repeats kept in their order.
func (f *form) headerFields(h eml.Header) {
	sorted := append(eml.Header(nil), h...)
	sort.SliceStable(sorted, func(i, j int) bool { return canonical(sorted[i].Name) < canonical(sorted[j].Name) })
	for _, x := range sorted {
		f.add(canonical(x.Name), eml.DecodeWords(x.Value))
	}
}

func canonical(name string) string { return textproto.CanonicalMIMEHeaderKey(name) }

func headersJSON(h eml.Header) string {
	list := make([][2]string, 0, len(h))
	for _, x := range h {
		list = append(list, [2]string{canonical(x.Name), eml.DecodeWords(x.Value)})
	}
	return jsonText(list)
}

func jsonText(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return strings.TrimSpace(b.String())
}

func (f *form) cidMap(files []eml.File, odd map[string]bool) {
	ids := map[string]string{}
	for i, x := range files {
		if x.ContentID != "" {
			ids["<"+x.ContentID+">"] = fmt.Sprintf("attachment-%d", i+1)
		}
	}
	if odd[OddCIDMapEmptyKey] {
		ids[""] = "attachment-1"
	}
	if len(ids) > 0 && !odd[OddCIDMapMissing] {
		f.add("content-id-map", jsonText(ids))
	}
}

// parsed takes the mail apart; its files stay in the spool.
func (s *Server) parsed(m *message) (*eml.Mail, error) {
	r, err := m.raw.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return eml.Parse(r, s.spool)
}
