package mailgun

import (
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/mail"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/postern-chat/postern/sandbox/mailbox/eml"
	"github.com/postern-chat/postern/sandbox/mailbox/spool"
)

// composed are the fields from which Mailgun builds a MIME message.
type composed struct {
	values      url.Values
	attachments []formFile
	inline      []formFile
}

// takeFields checks the fields of POST messages and builds the MIME.
func (s *Server) takeFields(m *message, f *sendForm, sw Switches) error {
	v := f.values
	switch {
	case v.Get("from") == "":
		return refuse(http.StatusBadRequest, "%s", textFrom)
	case v.Get("text") == "" && v.Get("html") == "" && v.Get("amp-html") == "" && v.Get("template") == "":
		return refuse(http.StatusBadRequest, "%s", textBody)
	case v.Get("html") != "" && v.Get("template") != "":
		return refuse(http.StatusBadRequest, "%s", textBoth)
	case v.Get("template") != "":
		return refuse(http.StatusBadRequest, "template '%s' not found", v.Get("template")) // stored templates are not emulated
	}
	if len(eml.Addresses(v.Get("from"))) != 1 {
		return refuse(http.StatusBadRequest, "%s", strings.Replace(textTo, "to ", "from ", 1))
	}
	if err := readRecipientVariables(m, v.Get("recipient-variables")); err != nil {
		return err
	}
	c := &composed{values: v}
	for _, x := range f.files {
		switch x.field {
		case "attachment":
			c.attachments = append(c.attachments, x)
		case "inline":
			c.inline = append(c.inline, x)
		}
	}
	w := s.spool.NewWriter(sw.MaxMessage)
	if err := c.write(w, strings.Join(v["to"], ", "), nil); err != nil {
		w.Abort()
		return tooLarge(err)
	}
	blob, err := w.Done()
	if err != nil {
		return err
	}
	if m.recipVars != nil {
		m.fields = c
		return s.finish(m, blob)
	}
	defer f.remove() // the files are inside the MIME now
	return s.finish(m, blob)
}

// personal is one recipient's copy of a batch: the variables filled in, and
// nobody but him in To.
func (s *Server) personal(m *message, d *delivery) (*spool.Blob, error) {
	swap := func(text string) string {
		for k, v := range m.recipVars[d.to] {
			text = strings.ReplaceAll(text, "%recipient."+k+"%", fmt.Sprint(v))
		}
		return strings.ReplaceAll(text, "%recipient%", d.to)
	}
	if m.fields == nil {
		return s.rewritten(m.raw, &rewriter{swap: swap, set: []eml.Field{{Name: "To", Value: d.to}}})
	}
	w := s.spool.NewWriter(0)
	if err := m.fields.write(w, d.to, swap); err != nil {
		w.Abort()
		return nil, err
	}
	blob, err := w.Done()
	if err != nil {
		return nil, err
	}
	defer blob.Remove()
	return s.withHeaders(blob, append([]eml.Field{{Name: "Message-Id", Value: "<" + m.id + ">"}}, m.opts.headers...))
}

// write builds multipart/mixed(related(alternative(text, html), inline), files)
// as far as it is needed.
func (c *composed) write(w io.Writer, to string, swap func(string) string) error {
	batch := swap != nil
	if !batch {
		swap = func(s string) string { return s }
	}
	v := c.values
	b := &builder{w: w}
	b.line("From: %s", encodeAddresses(v.Get("from")))
	b.line("To: %s", encodeAddresses(to))
	if !batch && v.Get("cc") != "" {
		b.line("Cc: %s", encodeAddresses(strings.Join(v["cc"], ", ")))
	}
	b.line("Subject: %s", mime.QEncoding.Encode("utf-8", oneLine(swap(v.Get("subject")))))
	b.line("MIME-Version: 1.0")
	mixed, related := len(c.attachments) > 0, len(c.inline) > 0
	var ends []string
	open := func(kind string) {
		boundary := fmt.Sprintf("mailgun-%s-%d", kind, len(v.Get("text"))+len(v.Get("html")))
		b.line("Content-Type: multipart/%s; boundary=\"%s\"\r\n", kind, boundary)
		b.line("--%s", boundary)
		ends = append(ends, boundary)
	}
	if mixed {
		open("mixed")
	}
	if related {
		open("related")
	}
	c.texts(b, swap, open, &ends)
	for _, f := range c.inline {
		b.line("--%s", ends[len(ends)-1])
		b.file(f, "inline")
	}
	if related {
		b.line("--%s--", ends[len(ends)-1])
		ends = ends[:len(ends)-1]
	}
	for _, f := range c.attachments {
		b.line("--%s", ends[len(ends)-1])
		b.file(f, "attachment")
	}
	if mixed {
		b.line("--%s--", ends[len(ends)-1])
	}
	return b.err
}

func (c *composed) texts(b *builder, swap func(string) string, open func(string), ends *[]string) {
	var parts [][2]string
	for _, x := range [][2]string{{"text/plain", "text"}, {"text/x-amp-html", "amp-html"}, {"text/html", "html"}} {
		if t := c.values.Get(x[1]); t != "" {
			parts = append(parts, [2]string{x[0], swap(t)})
		}
	}
	if len(parts) == 1 {
		b.text(parts[0][0], parts[0][1])
		return
	}
	open("alternative")
	boundary := (*ends)[len(*ends)-1]
	for i, p := range parts {
		if i > 0 {
			b.line("--%s", boundary)
		}
		b.text(p[0], p[1])
	}
	b.line("--%s--", boundary)
	*ends = (*ends)[:len(*ends)-1]
}

// builder writes lines and remembers the first error.
type builder struct {
	w   io.Writer
	err error
}

func (b *builder) put(s string) {
	if b.err == nil {
		_, b.err = io.WriteString(b.w, s)
	}
}

func (b *builder) line(format string, args ...any) { b.put(fmt.Sprintf(format, args...) + "\r\n") }

func (b *builder) text(kind, body string) {
	b.line("Content-Type: %s; charset=\"utf-8\"", kind)
	b.line("Content-Transfer-Encoding: quoted-printable\r\n")
	b.put(string(eml.Encode([]byte(body), "quoted-printable")))
	b.put("\r\n")
}

// file writes an attachment. An inline one has its file name as Content-ID;
// nobody can choose another.
func (b *builder) file(f formFile, disposition string) {
	kind := f.contentType
	if kind == "" || kind == "application/octet-stream" {
		kind = orText(mime.TypeByExtension(filepath.Ext(f.name)), "application/octet-stream")
	}
	b.line("Content-Type: %s", kind)
	b.line("Content-Disposition: %s", mime.FormatMediaType(disposition, map[string]string{"filename": f.name}))
	if disposition == "inline" {
		b.line("Content-ID: <%s>", f.name)
	}
	b.line("Content-Transfer-Encoding: base64\r\n")
	if b.err != nil {
		return
	}
	r, err := f.blob.Open()
	if err != nil {
		b.err = err
		return
	}
	defer func() { _ = r.Close() }()
	enc := base64.NewEncoder(base64.StdEncoding, &wrapper{w: b.w})
	if _, err = io.Copy(enc, r); err == nil {
		err = enc.Close()
	}
	b.err = err
	b.put("\r\n")
}

// wrapper breaks lines after 76 characters.
type wrapper struct {
	w io.Writer
	n int
}

func (w *wrapper) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if w.n == 76 {
			if _, err := io.WriteString(w.w, "\r\n"); err != nil {
				return 0, err
			}
			w.n = 0
		}
		k := min(76-w.n, len(p))
		if _, err := w.w.Write(p[:k]); err != nil {
			return 0, err
		}
		w.n, p = w.n+k, p[k:]
	}
	return total, nil
}

func encodeAddresses(list string) string {
	var out []string
	for _, a := range eml.Addresses(list) {
		if a.Name == "" {
			out = append(out, a.Address)
			continue
		}
		out = append(out, (&mail.Address{Name: a.Name, Address: a.Address}).String())
	}
	return strings.Join(out, ", ")
}
