package mailgun

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"

	"github.com/postern-chat/postern"
)

// Limits of a post. Every header of the mail may be a field of its own, so there may be many.
const (
	opInbound    = "mailgun.inbound"
	maxFields    = 10_000
	maxFieldName = 1000 // longer names are none of those we know
	wireSlack    = 4 << 20
)

var (
	errTooLarge  = errors.New("larger than allowed")
	errTooMany   = errors.New("too many fields")
	errEscape    = errors.New("malformed percent escape")
	errEncoding  = errors.New("the request body is compressed")
	errMediaType = errors.New("neither application/x-www-form-urlencoded nor multipart/form-data")
)

// field is one field of a form, its value to be read before the next one is asked for.
type field struct {
	name        string
	file        bool   // came with a file name or a type of its own
	filename    string // as given, without directories
	contentType string
	r           io.Reader
}

// source gives a form's fields in the order in which they came; io.EOF after the last.
type source interface {
	next() (*field, error)
}

// form reads an urlencoded or multipart post field by field, and sums up its content.
type form struct {
	wire  *wire
	src   source
	count int
	cur   *field
	h     hash.Hash
	sums  [][sha256.Size]byte
}

func (c *Client) openForm(ctx context.Context, r *http.Request) (*form, error) {
	f := &form{h: sha256.New(), wire: &wire{ctx: ctx, r: r.Body, left: 3*c.cfg.MaxInbound + wireSlack}}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, f.fault(errEncoding)
	}
	if r.ContentLength > f.wire.left {
		return nil, f.fault(errTooLarge)
	}
	if r.Body == nil {
		f.wire.r = strings.NewReader("")
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case kind == "application/x-www-form-urlencoded":
		f.src = newURLEncoded(f.wire)
	case kind == "multipart/form-data" && err == nil && params["boundary"] != "":
		f.src = &multipartSource{multipart.NewReader(f.wire, params["boundary"])}
	default:
		return nil, f.fault(errMediaType)
	}
	return f, nil
}

// next gives the next field; what was left of the one before is read over.
func (f *form) next() (*field, error) {
	if err := f.finish(); err != nil {
		return nil, err
	}
	fl, err := f.src.next()
	if err == io.EOF {
		return nil, io.EOF
	}
	if err != nil {
		return nil, f.fault(err)
	}
	if f.count++; f.count > maxFields {
		return nil, f.fault(errTooMany)
	}
	f.h.Reset()
	f.mix(fl.name)
	if fl.file {
		f.mix(fl.filename)
		f.mix(fl.contentType)
	}
	fl.r = &faultReader{f: f, r: io.TeeReader(fl.r, f.h)}
	f.cur = fl
	return fl, nil
}

func (f *form) mix(s string) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(s)))
	f.h.Write(n[:])
	io.WriteString(f.h, s)
}

func (f *form) finish() error {
	if f.cur == nil {
		return nil
	}
	if _, err := io.Copy(io.Discard, f.cur.r); err != nil {
		return err
	}
	switch f.cur.name {
	case "timestamp", "token", "signature": // not content
	default:
		f.sums = append(f.sums, [sha256.Size]byte(f.h.Sum(nil)))
	}
	f.cur = nil
	return nil
}

// digest is of all fields after decoding, in no order: a repetition with another
// boundary, another order or another transport is still the same post.
func (f *form) digest() []byte {
	slices.SortFunc(f.sums, func(a, b [sha256.Size]byte) int { return slices.Compare(a[:], b[:]) })
	all := sha256.New()
	for i := range f.sums {
		all.Write(f.sums[i][:])
	}
	return all.Sum(nil)
}

// fault classes an error of reading: what broke on the way may come again whole, all
// else can never be accepted.
func (f *form) fault(err error) error {
	var known *postern.Error
	var tooLarge *http.MaxBytesError
	e := &postern.Error{Kind: postern.Invalid, Op: opInbound, Err: err}
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &tooLarge), errors.Is(err, errTooLarge):
		e.Cause = postern.CauseTooLarge
	case f.wire.err != nil:
		e.Kind = postern.Temporary
	}
	return e
}

type faultReader struct {
	f *form
	r io.Reader
}

func (r *faultReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		err = r.f.fault(err)
	}
	return n, err
}

// wire is the request's body: bounded, and able to tell a broken connection from a
// broken form.
type wire struct {
	ctx  context.Context
	r    io.Reader
	left int64
	err  error // of the connection
}

func (w *wire) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		w.err = err
		return 0, err
	}
	if int64(len(p)) > w.left+1 {
		p = p[:w.left+1]
	}
	n, err := w.r.Read(p)
	if w.left -= int64(n); w.left < 0 {
		w.left = 0
		return 0, errTooLarge
	}
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// multipartSource reads multipart/form-data (RFC 7578).
type multipartSource struct{ r *multipart.Reader }

func (m *multipartSource) next() (*field, error) {
	p, err := m.r.NextPart()
	if err != nil {
		return nil, err
	}
	name, filename, file := disposition(p.Header.Get("Content-Disposition"))
	contentType := p.Header.Get("Content-Type")
	if len(name) > maxFieldName {
		name = ""
	}
	return &field{name: name, file: file || contentType != "", filename: filename, contentType: contentType, r: p}, nil
}

// disposition reads a part's names, also those that are not well-formed: a mail's
// attachment may be called anything, and must not be lost for it.
func disposition(header string) (name, filename string, file bool) {
	if _, params, err := mime.ParseMediaType(header); err == nil {
		name = params["name"]
		filename, file = params["filename"]
	} else {
		name, _ = looseParam(header, "name")
		filename, file = looseParam(header, "filename")
	}
	if i := strings.LastIndexAny(filename, `/\`); i >= 0 {
		filename = filename[i+1:]
	}
	return name, filename, file
}

// looseParam takes all from key=" to the last quote before the next parameter.
func looseParam(header, key string) (string, bool) {
	for rest := header; ; {
		_, after, ok := strings.Cut(rest, ";")
		if !ok {
			return "", false
		}
		rest = after
		v, ok := strings.CutPrefix(strings.TrimLeft(after, " \t"), key+`="`)
		if !ok {
			continue
		}
		if i := strings.Index(v, `";`); i >= 0 {
			return v[:i], true
		}
		return strings.TrimSuffix(strings.TrimRight(v, " \t"), `"`), true
	}
}
