package eml

import (
	"bytes"
	"io"
	"strings"

	"github.com/postern-chat/postern/sandbox/mailbox/spool"
)

// maxText bounds the text kept of one mail; more is cut.
const maxText = 8 << 20

// Mail is a message taken apart.
type Mail struct {
	Header Header
	Size   int64
	Text   string // all text/plain parts, in UTF-8
	HTML   string // all text/html parts, in UTF-8, one after another
	Files  []File
}

// File is an attachment or an inline part, decoded.
type File struct {
	Filename    string
	ContentType string
	ContentID   string
	Disposition string
	Blob        *spool.Blob // nil when Parse was called without a spool
	Size        int64
}

// Parse reads a message to its end. Files are decoded into sp; with a nil sp
// only their names, types and sizes are kept.
func Parse(r io.Reader, sp *spool.Spool) (*Mail, error) {
	p := &parser{mail: &Mail{}, spool: sp}
	c := &counter{r: r}
	if err := Walk(c, p); err != nil {
		p.mail.Remove()
		return nil, err
	}
	p.mail.Size = c.n
	return p.mail, nil
}

// Remove frees the files' blobs.
func (m *Mail) Remove() {
	for _, f := range m.Files {
		f.Blob.Remove()
	}
}

type parser struct {
	mail  *Mail
	spool *spool.Spool
	text  bytes.Buffer
	pipe  *decoder
}

func (p *parser) Header(e *Entity, _ []byte) error {
	if e.Parent == nil {
		p.mail.Header = e.Header
	}
	if !e.Leaf() {
		return nil
	}
	p.text.Reset()
	p.pipe = nil
	if !e.IsText("text/plain") && !e.IsText("text/html") {
		p.pipe = newDecoder(e.Encoding, p.spool)
	}
	return nil
}

func (p *parser) Body(_ *Entity, b []byte) error {
	if p.pipe != nil {
		return p.pipe.Write(b)
	}
	if p.text.Len()+len(b) <= 2*maxText {
		p.text.Write(b)
	}
	return nil
}

func (p *parser) End(e *Entity) error {
	if p.pipe != nil {
		blob, size, err := p.pipe.Done()
		p.pipe = nil
		if err != nil {
			return err
		}
		p.mail.Files = append(p.mail.Files, File{Filename: e.Filename, ContentType: e.Type,
			ContentID: e.ContentID, Disposition: e.Disposition, Blob: blob, Size: size})
		return nil
	}
	raw, _ := io.ReadAll(Decoded(bytes.NewReader(p.text.Bytes()), e.Encoding))
	s := UTF8(raw, e.Params["charset"])
	dst := &p.mail.Text
	if e.Type == "text/html" {
		dst = &p.mail.HTML
	} else if *dst != "" && !strings.HasSuffix(*dst, "\n") {
		*dst += "\n"
	}
	if len(*dst)+len(s) <= maxText {
		*dst += s
	}
	return nil
}

func (p *parser) Frame([]byte) error { return nil }

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// decoder takes encoded pieces and keeps them, decoded, as a blob.
type decoder struct {
	encoding string
	spool    *spool.Spool
	in       *spool.Writer
	size     int64
	escape   int // characters of a quoted-printable escape still to come
}

func newDecoder(encoding string, sp *spool.Spool) *decoder {
	d := &decoder{encoding: encoding, spool: sp}
	if sp != nil {
		d.in = sp.NewWriter(0)
	}
	return d
}

// Write without a spool only counts, which is all that is wanted: characters of base64, else bytes.
func (d *decoder) Write(p []byte) error {
	if d.in != nil {
		_, err := d.in.Write(p)
		return err
	}
	for _, c := range p {
		d.count(c)
	}
	return nil
}

func (d *decoder) count(c byte) {
	switch d.encoding {
	case "base64":
		if c != '=' && c != '\r' && c != '\n' && c != ' ' && c != '\t' {
			d.size++
		}
	case "quoted-printable":
		switch {
		case d.escape > 0:
			if d.escape--; d.escape == 0 && c != '\n' { // =XX is one byte, = at a line's end is none
				d.size++
			}
			if c == '\n' {
				d.escape = 0
			}
		case c == '=':
			d.escape = 2
		default:
			d.size++
		}
	default:
		d.size++
	}
}

func (d *decoder) Done() (*spool.Blob, int64, error) {
	if d.in == nil {
		if d.encoding == "base64" {
			d.size = d.size * 3 / 4
		}
		return nil, d.size, nil
	}
	enc, err := d.in.Done()
	if err != nil {
		return nil, 0, err
	}
	if d.encoding != "base64" && d.encoding != "quoted-printable" {
		return enc, enc.Size(), nil
	}
	defer enc.Remove()
	r, err := enc.Open()
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = r.Close() }()
	blob, err := d.spool.Put(Decoded(r, d.encoding), 0)
	if err != nil {
		return nil, 0, err
	}
	return blob, blob.Size(), nil
}
