package mailgun

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/postern-chat/postern"
)

const (
	maxHeaderList = 1 << 20   // of message-headers
	maxMap        = 256 << 10 // of content-id-map and of a notice's attachments
	maxLoose      = 256 << 10 // of headers kept for a post without message-headers
	maxFiles      = 1000
)

// InboundForm reads a parsed post, urlencoded or multipart, and writes a message made
// anew of it: the original headers in their order, the texts, the attachments. Nothing is
// written before the signature was checked. Attachments are never held in memory.
//
// A post of store(notify=) names attachments without bringing them. The message then says
// so in one X-Postern-Not-Fetched header for each.
func (c *Client) InboundForm(ctx context.Context, r *http.Request, w io.Writer) (postern.Inbound, error) {
	f, err := c.openForm(ctx, r)
	if err != nil {
		return postern.Inbound{}, err
	}
	p := &parsed{
		env:   newEnvelope(c),
		spool: &spool{dir: c.cfg.TempDir, limit: c.cfg.MaxInbound},
		small: map[string]string{},
	}
	defer p.spool.close()
	for {
		fl, err := f.next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = p.take(fl)
		}
		if err != nil {
			return postern.Inbound{}, f.fault(err)
		}
	}
	in, err := p.env.inbound(f)
	if err != nil {
		return postern.Inbound{}, err
	}
	if err := p.complete(); err != nil {
		return postern.Inbound{}, err
	}
	if in.MessageID == "" {
		in.MessageID = bareID(p.header("Message-Id"))
	}
	for _, h := range p.headers {
		if err := p.env.header(&field{name: h[0], r: strings.NewReader(h[1])}); err != nil {
			return postern.Inbound{}, err
		}
	}
	in.Verdicts = p.env.v
	return in, p.message(c.boundary(p.env.triple())).write(&sink{w})
}

// boundary is the same for each repetition of a post, and nobody who writes a mail can
// know it.
func (c *Client) boundary(t triple) string {
	const digits = "0123456789abcdefghijklmnopqrstuv"
	b := []byte("postern-")
	for _, v := range mac(c.cfg.SigningKeys[0], "boundary", t.token)[:24] {
		b = append(b, digits[v&31])
	}
	return string(b)
}

// parsed is a parsed post: what will become of its fields.
type parsed struct {
	env         *envelope
	spool       *spool
	small       map[string]string // documented fields of modest size
	plain, html *textField
	files       []attachment
	loose       [][2]string // headers that came as fields
	looseSize   int
	headers     [][2]string
	raw         bool // it has a body-mime
}

type textField struct {
	section
	charset string // as the part said; "" = it did not
}

// attachment is a file part, field "attachment-N".
type attachment struct {
	section
	field       string
	filename    string
	contentType string
	cid         string
}

func (p *parsed) take(f *field) error {
	var limit int64
	switch f.name {
	case "body-plain":
		return p.text(&p.plain, f)
	case "body-html":
		return p.text(&p.html, f)
	case "message-headers":
		limit = maxHeaderList
	case "content-id-map", "attachments":
		limit = maxMap
	case "from", "subject":
		limit = 16 << 10
	case "body-mime":
		p.raw = true
		return nil
	default:
		return p.other(f)
	}
	if _, seen := p.small[f.name]; seen {
		return nil
	}
	v, err := readUpTo(f.r, limit+1)
	if err == nil && int64(len(v)) > limit {
		return errTooLarge
	}
	p.small[f.name] = v
	return err
}

func (p *parsed) text(dst **textField, f *field) (err error) {
	if *dst != nil {
		return nil
	}
	t := &textField{charset: charsetOf(f.contentType)}
	t.section, err = p.spool.add(f.r)
	*dst = t
	return err
}

func (p *parsed) other(f *field) error {
	if f.file && isAttachment(f.name) {
		if len(p.files) == maxFiles {
			return errTooMany
		}
		s, err := p.spool.add(f.r)
		p.files = append(p.files, attachment{section: s, field: f.name, filename: f.filename, contentType: f.contentType})
		return err
	}
	if f.file || !headerName(f.name) || f.name[0] < 'A' || f.name[0] > 'Z' || p.looseSize > maxLoose {
		return p.env.take(f)
	}
	// A header as a field of its own: read once for both who may want it.
	v, err := readUpTo(f.r, 16<<10)
	if err != nil {
		return err
	}
	p.loose = append(p.loose, [2]string{f.name, v})
	p.looseSize += len(f.name) + len(v)
	return p.env.take(&field{name: f.name, r: strings.NewReader(v)})
}

func isAttachment(name string) bool {
	n, ok := strings.CutPrefix(name, "attachment-")
	return ok && digits(n)
}

// complete reads what is JSON inside the form, when all of it has come.
func (p *parsed) complete() error {
	bodyless := p.plain == nil && p.html == nil && len(p.files) == 0
	if bodyless && p.raw {
		return postern.Errorf(postern.Invalid, opInbound, "no body-plain: a raw post belongs at the other path")
	}
	p.headers = headerList(p.small["message-headers"])
	if len(p.headers) == 0 {
		p.headers = p.looseHeaders()
	}
	if bodyless && len(p.headers) == 0 {
		return postern.Errorf(postern.Invalid, opInbound, "neither headers nor a body")
	}
	for cid, name := range contentIDs(p.small["content-id-map"]) {
		for i := range p.files {
			if p.files[i].field == name && p.files[i].cid == "" {
				p.files[i].cid = cid
				break
			}
		}
	}
	return nil
}

// headerList reads message-headers: pairs in the mail's order. What is no pair is left out.
func headerList(data string) (out [][2]string) {
	v, _ := parseTree([]byte(data))
	for _, item := range list(v) {
		pair := list(item)
		if len(pair) < 2 {
			continue
		}
		name, ok1 := pair[0].(string)
		value, ok2 := pair[1].(string)
		if ok1 && ok2 && headerName(name) {
			out = append(out, [2]string{name, value})
		}
	}
	return out
}

// looseHeaders makes the best of a post without message-headers.
func (p *parsed) looseHeaders() [][2]string {
	out := p.loose
	for _, h := range []string{"From", "Subject"} {
		if v := p.small[strings.ToLower(h)]; v != "" && find(out, h) == "" {
			out = append(out, [2]string{h, v})
		}
	}
	return out
}

func (p *parsed) header(name string) string { return find(p.headers, name) }

func find(headers [][2]string, name string) string {
	for _, h := range headers {
		if strings.EqualFold(h[0], name) {
			return h[1]
		}
	}
	return ""
}

// contentIDs gives the pairs of content-id-map in their order. Names are repeated or
// empty in real posts, and only the first for an attachment counts.
func contentIDs(data string) func(yield func(cid, field string) bool) {
	return func(yield func(cid, field string) bool) {
		d := json.NewDecoder(strings.NewReader(data))
		if t, err := d.Token(); err != nil || t != json.Delim('{') {
			return
		}
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return
			}
			var v any
			if d.Decode(&v) != nil {
				return
			}
			key, _ := k.(string)
			cid, field := contentID(key), str(v, maxSmall)
			if cid != "" && !yield(cid, field) {
				return
			}
		}
	}
}

// contentID is an id that can stand between angle brackets (RFC 2392), or "".
func contentID(s string) string {
	s = strings.Trim(s, "<> ")
	if len(s) > 250 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' }) {
		return ""
	}
	return s
}

// notFetched describes the attachments of a store(notify=) post, which are only named.
func (p *parsed) notFetched() (out []string) {
	v, _ := parseTree([]byte(p.small["attachments"]))
	for _, item := range list(v) {
		a := obj(item)
		if a == nil || len(out) == maxFiles {
			continue
		}
		name, kind, size := str(a["name"], 200), mediaType(str(a["content-type"], 200)), str(a["size"], 20)
		out = append(out, quoted(name)+"; type="+kind+"; size="+firstOf(size, "unknown"))
	}
	return out
}
