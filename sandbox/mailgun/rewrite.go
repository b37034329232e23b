package mailgun

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/postern-chat/postern/sandbox/mailbox/eml"
	"github.com/postern-chat/postern/sandbox/mailbox/spool"
	"golang.org/x/net/html"
)

// maxHTML is the largest HTML part that is rewritten; larger ones pass as they
// are.
const maxHTML = 8 << 20

// withHeaders is a copy of a mail with fields set: a field of the same name is
// replaced, a new one added at the end of the header.
func (s *Server) withHeaders(b *spool.Blob, set []eml.Field) (*spool.Blob, error) {
	return s.rewritten(b, &rewriter{set: set})
}

func applyHeaders(h eml.Header, set []eml.Field) eml.Header {
	drop := names(set)
	var out eml.Header
	for _, f := range h {
		if !drop[strings.ToLower(f.Name)] {
			out = append(out, f)
		}
	}
	return append(out, set...)
}

func names(fields []eml.Field) map[string]bool {
	out := map[string]bool{}
	for _, f := range fields {
		out[strings.ToLower(f.Name)] = true
	}
	return out
}

// copyFor is the mail as one recipient gets it: with Mailgun's own headers, the
// tracking pixel and rewritten links.
func (s *Server) copyFor(d *delivery) (*spool.Blob, error) {
	m := d.msg
	if m.inbound {
		return m.raw, nil
	}
	s.mu.Lock()
	var t tracking
	if dom := s.st.domains[m.domain]; dom != nil {
		t = dom.Tracking
	}
	s.mu.Unlock()
	rw := &rewriter{set: s.ownHeaders(d, t), drop: map[string]bool{"bcc": true}}
	rw.base = m.base
	rw.token = d.token
	rw.pixel = orText(m.opts.opens, yesNo(t.Open)) == "yes"
	rw.top = orText(m.opts.pixelTop, yesNo(t.OpenTop)) == "yes"
	clicks := orText(m.opts.clicks, orText(t.Click, "no"))
	rw.links, rw.textLinks = clicks != "no", clicks == "yes"
	rw.footer, rw.textFooter = t.footers()
	raw := m.raw
	if m.recipVars != nil {
		b, err := s.personal(m, d)
		if err != nil {
			return nil, err
		}
		defer b.Remove()
		raw = b
	}
	return s.rewritten(raw, rw)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (s *Server) ownHeaders(d *delivery, t tracking) []eml.Field {
	m := d.msg
	now := s.Now().UTC()
	set := []eml.Field{
		{Name: "X-Mailgun-Sending-Ip", Value: sendingIP},
		{Name: "X-Mailgun-Sid", Value: base64.StdEncoding.EncodeToString([]byte(`["` + d.token[:8] + `","` + d.to + `","` + d.token + `"]`))},
	}
	if len(m.opts.vars) > 0 {
		b, _ := json.Marshal(m.opts.vars)
		set = append(set, eml.Field{Name: "X-Mailgun-Variables", Value: string(b)})
	}
	for _, tag := range m.opts.tags {
		set = append(set, eml.Field{Name: "X-Mailgun-Tag", Value: tag})
	}
	kept := set[:0]
	for _, f := range set {
		if !m.opts.suppresses(f.Name) {
			kept = append(kept, f)
		}
	}
	if t.Unsubscribe && m.header.Get("List-Unsubscribe") == "" {
		u := m.base + "/u/" + d.token
		kept = append(kept, eml.Field{Name: "List-Unsubscribe", Value: "<" + u + ">, <mailto:u+" + d.token + "@" + m.domain + "?subject=unsubscribe>"},
			eml.Field{Name: "List-Unsubscribe-Post", Value: "List-Unsubscribe=One-Click"})
	}
	return append(kept, eml.Field{Name: "Received", Value: "from sandbox by mxa.mailgun.org with HTTP id " + d.token[:12] + "; " +
		now.Format("Mon, 02 Jan 2006 15:04:05 +0000")})
}

func (s *Server) rewritten(b *spool.Blob, rw *rewriter) (*spool.Blob, error) {
	r, err := b.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	rw.w = s.spool.NewWriter(0)
	if err := eml.Walk(r, rw); err != nil {
		rw.w.Abort()
		return nil, err
	}
	return rw.w.Done()
}

// rewriter copies a mail and changes what it was told to. All else stays byte
// for byte.
type rewriter struct {
	w    *spool.Writer
	set  []eml.Field // replaced or added in the top header
	drop map[string]bool

	base, token                  string
	pixel, top, links, textLinks bool
	footer, textFooter           string
	held                         *bytes.Buffer // the text part in work
	swap                         func(string) string
}

func (w *rewriter) Header(e *eml.Entity, raw []byte) error {
	w.held = nil
	if e.Leaf() && w.wants(e) {
		w.held = &bytes.Buffer{}
	}
	if e.Parent != nil || (len(w.set) == 0 && w.drop == nil) {
		return w.put(raw)
	}
	return w.put(topHeader(raw, w.set, w.drop))
}

func (w *rewriter) wants(e *eml.Entity) bool {
	if e.IsText("text/html") {
		return w.pixel || w.links || w.footer != "" || w.swap != nil
	}
	return e.IsText("text/plain") && (w.textLinks || w.textFooter != "" || w.swap != nil)
}

// topHeader drops the fields that are set anew and adds the new ones: Received
// at the front, the others at the end.
func topHeader(raw []byte, set []eml.Field, drop map[string]bool) []byte {
	out, gone := names(set), false
	delete(out, "received")
	for k := range drop {
		out[k] = true
	}
	var front, kept bytes.Buffer
	end := []byte("\r\n")
	for _, line := range bytes.SplitAfter(raw, []byte("\n")) {
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			if len(line) > 0 {
				end = line
			}
			continue
		}
		if line[0] != ' ' && line[0] != '\t' {
			name, _, _ := bytes.Cut(line, []byte(":"))
			gone = out[strings.ToLower(string(bytes.TrimSpace(name)))]
		}
		if !gone {
			kept.Write(line)
		}
	}
	for _, f := range set {
		to := &kept
		if strings.EqualFold(f.Name, "Received") {
			to = &front
		}
		fmt.Fprintf(to, "%s: %s%s", f.Name, fold(f.Value, string(end)), end)
	}
	front.Write(kept.Bytes())
	front.Write(end)
	return front.Bytes()
}

// fold breaks a long value at spaces, below 78 characters where it can.
func fold(v, newline string) string {
	if len(v) < 900 {
		return v
	}
	var b strings.Builder
	n := 0
	for _, word := range strings.SplitAfter(v, " ") {
		if n > 0 && n+len(word) > 78 {
			b.WriteString(newline + " ")
			n = 0
		}
		b.WriteString(word)
		n += len(word)
	}
	return b.String()
}

func (w *rewriter) put(p []byte) error {
	_, err := w.w.Write(p)
	return err
}

func (w *rewriter) Body(_ *eml.Entity, p []byte) error {
	if w.held == nil {
		return w.put(p)
	}
	if w.held.Len()+len(p) > maxHTML { // too large to hold: let it pass
		held := w.held
		w.held = nil
		if err := w.put(held.Bytes()); err != nil {
			return err
		}
		return w.put(p)
	}
	w.held.Write(p)
	return nil
}

func (w *rewriter) End(e *eml.Entity) error {
	if w.held == nil {
		return nil
	}
	raw := w.held.Bytes()
	w.held = nil
	body, _ := io.ReadAll(eml.Decoded(bytes.NewReader(raw), e.Encoding))
	text := string(body) // markup is ASCII in every charset that mail uses
	if w.swap != nil {
		text = w.swap(text)
	}
	if e.Type == "text/html" {
		text = w.html(text)
	} else {
		text = w.plain(text)
	}
	if text == string(body) {
		return w.put(raw)
	}
	out := eml.Encode([]byte(text), e.Encoding)
	if e.Parent == nil && len(raw) > 0 && raw[len(raw)-1] == '\n' && (len(out) == 0 || out[len(out)-1] != '\n') {
		out = append(out, '\r', '\n')
	}
	return w.put(out)
}

func (w *rewriter) Frame(p []byte) error { return w.put(p) }

func (w *rewriter) plain(text string) string {
	if w.textLinks {
		text = rewriteURLs(text, w.click)
	}
	return text + w.textFooter
}

// rewriteURLs replaces each http(s) URL in plain text.
func rewriteURLs(text string, f func(string) string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, "http")
		if i < 0 {
			break
		}
		rest := text[i:]
		if !strings.HasPrefix(rest, "http://") && !strings.HasPrefix(rest, "https://") {
			b.WriteString(text[:i+4])
			text = text[i+4:]
			continue
		}
		n := strings.IndexAny(rest, " \t\r\n<>\"")
		if n < 0 {
			n = len(rest)
		}
		link := strings.TrimRight(rest[:n], ".,;:!?)'")
		b.WriteString(text[:i] + f(link))
		text = rest[len(link):]
	}
	return b.String() + text
}

func (w *rewriter) click(link string) string {
	return w.base + "/c/" + w.token + "?u=" + url.QueryEscape(link)
}

// html rewrites links, and puts the pixel and the footer in. Tokens that are
// not changed are copied as they stand.
func (w *rewriter) html(doc string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(doc))
	pixel := `<img width="1" height="1" alt="" src="` + w.base + "/o/" + w.token + `">`
	placed := !w.pixel
	tail := w.footer
	for {
		tt := z.Next()
		raw := string(z.Raw())
		if tt == html.ErrorToken {
			b.WriteString(raw)
			break
		}
		tok := z.Token()
		switch {
		case tt == html.StartTagToken && tok.Data == "a" && w.links:
			b.WriteString(w.anchor(tok, raw))
		case tt == html.StartTagToken && tok.Data == "body" && w.top && !placed:
			b.WriteString(raw + pixel)
			placed = true
		case tt == html.EndTagToken && (tok.Data == "body" || tok.Data == "html") && (!placed || tail != ""):
			b.WriteString(tail)
			tail = ""
			if !placed {
				b.WriteString(pixel)
				placed = true
			}
			b.WriteString(raw)
		default:
			b.WriteString(raw)
		}
	}
	b.WriteString(tail)
	if !placed && w.top {
		return pixel + b.String()
	}
	if !placed {
		b.WriteString(pixel)
	}
	return strings.ReplaceAll(b.String(), "%unsubscribe_url%", w.base+"/u/"+w.token)
}

// anchor rewrites one link, unless it is exempt or not of the web.
func (w *rewriter) anchor(tok html.Token, raw string) string {
	changed := false
	for i, a := range tok.Attr {
		if a.Key == "disable-tracking" && a.Val == "true" {
			return raw
		}
		if a.Key == "href" && (strings.HasPrefix(a.Val, "http://") || strings.HasPrefix(a.Val, "https://")) {
			tok.Attr[i].Val = w.click(a.Val)
			changed = true
		}
	}
	if !changed {
		return raw
	}
	return tok.String()
}
