package letter

import (
	"bytes"
	"io"
)

// Decoders of Content-Transfer-Encoding (RFC 2045 section 6) that go on over garbage.

const (
	b64Skip = 0xff
	b64Pad  = 0xfe
)

func base64Table() (t [256]byte) {
	for i := range t {
		t[i] = b64Skip
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	t['-'], t['_'], t['='] = 62, 63, b64Pad // URL alphabet
	return t
}

var base64Values = base64Table() // read only

// base64Decoder decodes a stream piece by piece. Bytes outside of the alphabet are passed over, padding in the middle
// ends a quantum (several base64 texts one after the other are common), a quantum cut off gives what it holds.
type base64Decoder struct {
	acc uint32
	n   int // characters in acc
}

func (d *base64Decoder) decode(dst, src []byte) []byte {
	for i := 0; i < len(src); {
		if d.n == 0 { // the fast road: whole quanta
			for i+4 <= len(src) {
				a, b, c, e := base64Values[src[i]], base64Values[src[i+1]], base64Values[src[i+2]], base64Values[src[i+3]]
				if a|b|c|e >= 64 {
					break
				}
				v := uint32(a)<<18 | uint32(b)<<12 | uint32(c)<<6 | uint32(e)
				dst = append(dst, byte(v>>16), byte(v>>8), byte(v))
				i += 4
			}
			if i == len(src) {
				break
			}
		}
		v := base64Values[src[i]]
		i++
		switch v {
		case b64Skip:
		case b64Pad:
			dst = d.finish(dst)
		default:
			d.acc = d.acc<<6 | uint32(v)
			if d.n++; d.n == 4 {
				dst = append(dst, byte(d.acc>>16), byte(d.acc>>8), byte(d.acc))
				d.acc, d.n = 0, 0
			}
		}
	}
	return dst
}

func (d *base64Decoder) finish(dst []byte) []byte {
	switch d.n {
	case 2:
		dst = append(dst, byte(d.acc>>4))
	case 3:
		dst = append(dst, byte(d.acc>>10), byte(d.acc>>2))
	}
	d.acc, d.n = 0, 0
	return dst
}

func appendBase64(dst, src []byte) []byte {
	var d base64Decoder
	return d.finish(d.decode(dst, src))
}

// quotedDecoder decodes quoted-printable. What is no escape stays as it is.
type quotedDecoder struct{}

// decode consumes src as far as it can be decided; at the end of the data everything is.
func (quotedDecoder) decode(dst, src []byte, last bool) (out []byte, used int) {
	for i := 0; ; {
		j := bytes.IndexByte(src[i:], '=')
		if j < 0 {
			return append(dst, src[i:]...), len(src)
		}
		dst = append(dst, src[i:i+j]...)
		i += j
		if i+2 < len(src) {
			if h, l := unhex(src[i+1]), unhex(src[i+2]); h >= 0 && l >= 0 {
				dst = append(dst, byte(h<<4|l))
				i += 3
				continue
			}
		}
		n, known := softBreak(src[i+1:])
		switch {
		case known && n >= 0:
			i += 1 + n
		case !known && !last && len(src)-i < 1000:
			return dst, i
		case !known && n >= 0: // "=" and blanks at the very end
			return dst, len(src)
		default:
			dst = append(dst, '=')
			i++
		}
	}
}

// softBreak measures blanks and a line end at the beginning of s. n is -1 if something else comes first;
// known is false if s ends before that is clear.
func softBreak(s []byte) (n int, known bool) {
	for i, c := range s {
		switch {
		case c == ' ' || c == '\t':
		case c == '\n':
			return i + 1, true
		case c == '\r':
			if i+1 >= len(s) {
				return len(s), false
			}
			if s[i+1] == '\n' {
				return i + 2, true
			}
			return i + 1, true
		case i == 0 && unhex(c) >= 0 && len(s) == 1:
			return -1, false // an escape cut in two
		default:
			return -1, true
		}
	}
	return len(s), false
}

// decodeTransfer decodes a body that is in memory.
func decodeTransfer(b []byte, encoding string) []byte {
	switch encoding {
	case "base64":
		return appendBase64(make([]byte, 0, len(b)*3/4+3), b)
	case "quoted-printable":
		out, _ := quotedDecoder{}.decode(make([]byte, 0, len(b)), b, true)
		return out
	case "x-uuencode":
		out, _ := io.ReadAll(newUUReader(bytes.NewReader(b)))
		return out
	}
	return b
}

// newTransferReader decodes a stream with a buffer of fixed size.
func newTransferReader(r io.Reader, encoding string) io.Reader {
	switch encoding {
	case "base64":
		return &transferReader{r: r, step: base64Step()}
	case "quoted-printable":
		return &transferReader{r: r, step: quotedDecoder{}.decode}
	case "x-uuencode":
		return newUUReader(r)
	}
	return r
}

func base64Step() func(dst, src []byte, last bool) ([]byte, int) {
	d := &base64Decoder{}
	return func(dst, src []byte, last bool) ([]byte, int) {
		dst = d.decode(dst, src)
		if last {
			dst = d.finish(dst)
		}
		return dst, len(src)
	}
}

type transferReader struct {
	r     io.Reader
	step  func(dst, src []byte, last bool) (out []byte, used int)
	in    []byte
	n     int // bytes in in
	out   []byte
	ready []byte
	err   error
}

func (t *transferReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if t.in == nil {
		t.in = make([]byte, 32<<10)
	}
	for len(t.ready) == 0 {
		if t.err != nil {
			return 0, t.err
		}
		var n, used int
		n, t.err = t.r.Read(t.in[t.n:])
		t.n += n
		t.out, used = t.step(t.out[:0], t.in[:t.n], t.err != nil)
		copy(t.in, t.in[used:t.n])
		t.n -= used
		t.ready = t.out
	}
	n := copy(p, t.ready)
	t.ready = t.ready[n:]
	return n, nil
}

// newUUReader decodes uuencoded text between "begin" and "end"; without a "begin" line everything is passed on as it is.
func newUUReader(r io.Reader) io.Reader {
	u := &uuDecoder{}
	return &transferReader{r: r, step: u.step}
}

type uuDecoder struct{ begun, ended bool }

func (u *uuDecoder) step(dst, src []byte, last bool) (out []byte, used int) {
	for used < len(src) {
		i := bytes.IndexByte(src[used:], '\n')
		if i < 0 && !last && len(src)-used < 16<<10 {
			return dst, used
		}
		line := src[used:]
		if i >= 0 {
			line = line[:i+1]
		}
		used += len(line)
		dst = u.line(dst, bytes.TrimRight(line, "\r\n"))
	}
	return dst, used
}

func (u *uuDecoder) line(dst, line []byte) []byte {
	switch {
	case u.ended || len(line) == 0:
	case !u.begun:
		if bytes.HasPrefix(line, []byte("begin ")) {
			u.begun = true
		}
	case bytes.Equal(line, []byte("end")):
		u.ended = true
	default:
		return appendUU(dst, line)
	}
	return dst
}

func appendUU(dst, line []byte) []byte {
	n := int(line[0]-' ') & 63
	at := func(i int) byte {
		if i < len(line) {
			return (line[i] - ' ') & 63
		}
		return 0
	}
	for i := 1; n > 0; i += 4 {
		v := [3]byte{at(i)<<2 | at(i+1)>>4, at(i+1)<<4 | at(i+2)>>2, at(i+2)<<6 | at(i+3)}
		dst = append(dst, v[:min(n, 3)]...)
		n -= 3
	}
	return dst
}
