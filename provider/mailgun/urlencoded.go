package mailgun

import (
	"io"
)

// urlEncoded reads application/x-www-form-urlencoded without ever holding a value.
// Go's own reader holds all of them, twice.
type urlEncoded struct {
	r        io.Reader
	buf      []byte
	pos, end int
	inValue  bool
	err      error
}

func newURLEncoded(r io.Reader) *urlEncoded {
	return &urlEncoded{r: r, buf: make([]byte, 32<<10)}
}

func (u *urlEncoded) fill() error {
	if u.err != nil {
		return u.err
	}
	for range 100 {
		n, err := u.r.Read(u.buf)
		u.pos, u.end, u.err = 0, n, err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	u.err = io.ErrNoProgress
	return u.err
}

func (u *urlEncoded) byte() (byte, error) {
	if u.pos == u.end {
		if err := u.fill(); err != nil {
			return 0, err
		}
	}
	b := u.buf[u.pos]
	u.pos++
	return b, nil
}

// next reads a name. A pair without "=" has an empty value; empty pairs are no fields.
func (u *urlEncoded) next() (*field, error) {
	for u.inValue {
		var scratch [4096]byte
		if _, err := u.Read(scratch[:]); err != nil && err != io.EOF {
			return nil, err
		}
	}
	name, pairs := make([]byte, 0, 32), 0
	for {
		b, err := u.byte()
		if err == io.EOF && len(name) == 0 {
			return nil, io.EOF
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		if err == nil && b == '&' && len(name) == 0 {
			if pairs++; pairs > maxFields {
				return nil, errTooMany
			}
			continue
		}
		if err == io.EOF || b == '&' || b == '=' {
			u.inValue = err == nil && b == '='
			return u.field(name), nil
		}
		if b, err = u.decode(b); err != nil {
			return nil, err
		}
		if len(name) <= maxFieldName {
			name = append(name, b)
		}
	}
}

func (u *urlEncoded) field(name []byte) *field {
	f := &field{r: u}
	if len(name) <= maxFieldName {
		f.name = string(name)
	}
	return f
}

// decode turns one byte of the wire, with what belongs to it, into one of the value.
func (u *urlEncoded) decode(b byte) (byte, error) {
	switch b {
	case '+':
		return ' ', nil
	case '%':
		return u.escape()
	}
	return b, nil
}

func (u *urlEncoded) escape() (byte, error) {
	var v byte
	for range 2 {
		b, err := u.byte()
		if err == io.EOF {
			return 0, errEscape
		}
		if err != nil {
			return 0, err
		}
		d, ok := hexDigit(b)
		if !ok {
			return 0, errEscape
		}
		v = v<<4 | d
	}
	return v, nil
}

func hexDigit(b byte) (byte, bool) {
	switch {
	case b >= '0' && b <= '9':
		return b - '0', true
	case b >= 'a' && b <= 'f':
		return b - 'a' + 10, true
	case b >= 'A' && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}

// Read reads the value of the field at hand.
func (u *urlEncoded) Read(p []byte) (n int, err error) {
	if !u.inValue {
		return 0, io.EOF
	}
	for n < len(p) {
		n += u.run(p[n:])
		if n == len(p) {
			break
		}
		b, err := u.byte()
		if err == io.EOF || err == nil && b == '&' {
			u.inValue = false
			return n, io.EOF
		}
		if err == nil {
			b, err = u.decode(b)
		}
		if err != nil {
			return n, err
		}
		p[n] = b
		n++
	}
	return n, nil
}

// run copies what is at hand and stands for itself. A mail is mostly that.
func (u *urlEncoded) run(p []byte) int {
	src := u.buf[u.pos:u.end]
	if len(src) > len(p) {
		src = src[:len(p)]
	}
	for i, b := range src {
		if b == '%' || b == '&' || b == '+' {
			src = src[:i]
			break
		}
	}
	u.pos += copy(p, src)
	return len(src)
}
