package eml

import (
	"bytes"
	"io"
	"mime"
	"net/mail"
	"strings"

	"golang.org/x/net/html/charset"
)

// Field is one header field: its name as written, its value unfolded but still
// encoded.
type Field struct{ Name, Value string }

// Header is a header block in its original order, repeats kept.
type Header []Field

// Get is the first value of the named field, or "".
func (h Header) Get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Values are all values of the named field.
func (h Header) Values(name string) []string {
	var vs []string
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			vs = append(vs, f.Value)
		}
	}
	return vs
}

// Text is the first value of the named field with its encoded words decoded
// (RFC 2047).
func (h Header) Text(name string) string { return DecodeWords(h.Get(name)) }

// ParseHeader reads a raw header block. Lines that are no field are dropped.
func ParseHeader(raw []byte) Header {
	var h Header
	for len(raw) > 0 {
		line := raw
		if i := bytes.IndexByte(raw, '\n'); i >= 0 {
			line, raw = raw[:i], raw[i+1:]
		} else {
			raw = nil
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			if n := len(h); n > 0 {
				h[n-1].Value += " " + strings.TrimSpace(string(line))
			}
			continue
		}
		name, value, ok := strings.Cut(string(line), ":")
		if !ok || strings.ContainsAny(strings.TrimSpace(name), " \t") {
			continue
		}
		h = append(h, Field{strings.TrimSpace(name), strings.TrimSpace(value)})
	}
	return h
}

// DecodeWords decodes RFC 2047 encoded words in any known charset; what cannot
// be decoded stays as it is.
func DecodeWords(s string) string {
	dec := mime.WordDecoder{CharsetReader: func(label string, r io.Reader) (io.Reader, error) {
		return charset.NewReaderLabel(label, r)
	}}
	out, err := dec.DecodeHeader(s)
	if err != nil {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.ToValidUTF8(out, "\uFFFD")
}

// Address is the bare address in a From- or To-like value, lower case in its
// domain, or "" if there is none.
func Address(value string) string {
	if as := Addresses(value); len(as) > 0 {
		return as[0].Address
	}
	return ""
}

// Addresses reads an address list, leniently: what net/mail refuses is cut at
// commas and angle brackets.
func Addresses(value string) []mail.Address {
	p := mail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: func(label string, r io.Reader) (io.Reader, error) {
		return charset.NewReaderLabel(label, r)
	}}}
	var out []mail.Address
	if list, err := p.ParseList(value); err == nil {
		for _, a := range list {
			out = append(out, *a)
		}
		return out
	}
	for _, one := range strings.Split(value, ",") {
		name, addr := "", strings.TrimSpace(one)
		if i, j := strings.LastIndexByte(one, '<'), strings.LastIndexByte(one, '>'); i >= 0 && j > i {
			name, addr = strings.Trim(strings.TrimSpace(one[:i]), `"`), strings.TrimSpace(one[i+1:j])
		}
		if strings.Contains(addr, "@") && !strings.ContainsAny(addr, " \t") {
			out = append(out, mail.Address{Name: DecodeWords(name), Address: addr})
		}
	}
	return out
}

// MessageID is a message id without white space and angle brackets.
func MessageID(value string) string {
	v := strings.TrimSpace(value)
	if i, j := strings.IndexByte(v, '<'), strings.IndexByte(v, '>'); i >= 0 && j > i {
		v = v[i+1 : j]
	}
	return strings.Trim(v, "<> \t")
}

func mediaType(value, fallback string) (string, map[string]string) {
	t, params, err := mime.ParseMediaType(value)
	if err == nil || (t != "" && err == mime.ErrInvalidMediaParameter) {
		if params == nil {
			params = looseParams(value)
		}
		return strings.ToLower(t), params
	}
	first, _, _ := strings.Cut(value, ";")
	first = strings.ToLower(strings.TrimSpace(first))
	if first == "" {
		first = fallback
	}
	return first, looseParams(value)
}

// looseParams reads `; name=value` pairs where the standard parser gives up.
func looseParams(value string) map[string]string {
	out := map[string]string{}
	_, rest, _ := strings.Cut(value, ";")
	for rest != "" {
		var pair string
		pair, rest = cutParam(rest)
		k, v, ok := strings.Cut(pair, "=")
		k = strings.ToLower(strings.TrimSpace(k))
		if ok && k != "" && out[k] == "" {
			out[k] = strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return out
}

func cutParam(s string) (param, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ';' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
