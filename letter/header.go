package letter

import (
	"strings"
)

// Header is a header block: all fields, in their order, repeats kept.
type Header []Field

// Field is one header field.
type Field struct {
	Name string // as spelled in the mail
	Raw  string // the body of the field as it stood, folds included, without the space after the colon; may hold any bytes
}

// Value is the field's body unfolded, encoded words (RFC 2047) and bare 8-bit text decoded to UTF-8.
func (f Field) Value() string { return decodeHeader(f.Raw) }

// Has tells whether there is such a field.
func (h Header) Has(name string) bool {
	_, ok := h.find(name)
	return ok
}

// Get returns the decoded value of the first field of that name, "" if there is none. Names match in any case.
func (h Header) Get(name string) string {
	f, _ := h.find(name)
	return f.Value()
}

// Raw returns the body of the first field of that name as it stood.
func (h Header) Raw(name string) string {
	f, _ := h.find(name)
	return f.Raw
}

// Values returns the decoded values of all fields of that name, topmost first.
func (h Header) Values(name string) []string {
	var out []string
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			out = append(out, f.Value())
		}
	}
	return out
}

// Addresses returns the addresses of all fields of that name. Group names are dropped, their members kept.
func (h Header) Addresses(name string) []Address {
	var out []Address
	for _, f := range h {
		if strings.EqualFold(f.Name, name) && len(out) < maxAddresses {
			out = append(out, ParseAddresses(f.Raw)...)
		}
	}
	return out
}

func (h Header) find(name string) (Field, bool) {
	for _, f := range h {
		if len(f.Name) == len(name) && strings.EqualFold(f.Name, name) {
			return f, true
		}
	}
	return Field{}, false
}

// fieldName returns the length of the field name that line begins with, 0 if line is no field (RFC 5322 section 2.2).
// Blanks before the colon are obsolete syntax and accepted.
func fieldName(line []byte) (name, colon int) {
	for i, c := range line {
		switch {
		case c == ':':
			if name == 0 {
				name = i
			}
			return name, i
		case c == ' ' || c == '\t':
			if i == 0 {
				return 0, 0
			}
			if name == 0 {
				name = i
			}
		case c < 33 || c > 126 || name != 0 || i > 200:
			return 0, 0
		}
	}
	return 0, 0
}

// parseHeader splits a block in which every line is a field or a continuation.
func parseHeader(block string, count int) Header {
	h := make(Header, 0, count)
	for len(block) > 0 {
		end := fieldEnd(block)
		field := block[:end]
		block = block[end:]
		name, colon := fieldName(prefix(field, 256))
		if name == 0 { // a stray line: belongs to the field before
			if n := len(h); n > 0 {
				h[n-1].Raw += "\r\n " + strings.Trim(field, "\r\n")
			}
			continue
		}
		h = append(h, Field{Name: field[:name], Raw: trimField(field[colon+1:])})
	}
	return h
}

func prefix(s string, n int) []byte { return []byte(s[:min(len(s), n)]) }

// fieldEnd finds the end of the first field of block: a line end that is not followed by a blank.
func fieldEnd(block string) int {
	for i := 0; ; {
		j := strings.IndexByte(block[i:], '\n')
		if j < 0 {
			return len(block)
		}
		i += j + 1
		if i >= len(block) || block[i] != ' ' && block[i] != '\t' {
			return i
		}
	}
}

func trimField(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 {
		switch s[len(s)-1] {
		case ' ', '\t', '\r', '\n':
			s = s[:len(s)-1]
			continue
		}
		break
	}
	return s
}

// unfold joins folded lines with one blank and drops other control characters.
func unfold(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 127 {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\r' || c == '\n':
			for i+1 < len(s) && strings.IndexByte("\r\n\t ", s[i+1]) >= 0 {
				i++
			}
			b.WriteByte(' ')
		case c == '\t':
			b.WriteByte(' ')
		case c == 0x1b || c == 0x0e || c == 0x0f: // ISO-2022 needs them
			b.WriteByte(c)
		case c < ' ' || c == 127:
		default:
			b.WriteByte(c)
		}
	}
	return strings.TrimSpace(b.String())
}

// messageIDs finds the Message-IDs in a field: what stands in angle brackets, else every word with an at sign.
// At most 100 are returned, the first and the last ones.
func messageIDs(raw string) []string {
	if raw == "" {
		return nil
	}
	var ids []string
	s := unfold(raw)
	for rest := s; ; {
		i := strings.IndexByte(rest, '<')
		if i < 0 {
			break
		}
		j := strings.IndexByte(rest[i:], '>')
		if j < 0 {
			break
		}
		id := rest[i+1 : i+j]
		if k := strings.LastIndexByte(id, '<'); k >= 0 {
			id = id[k+1:]
		}
		id = strings.ReplaceAll(id, " ", "") // folded inside by broken mailers
		if id != "" {
			ids = append(ids, cleanUTF8(id))
		}
		rest = rest[i+j+1:]
	}
	if len(ids) == 0 {
		for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' }) {
			if w = strings.Trim(w, "<>"); strings.Contains(w, "@") {
				ids = append(ids, cleanUTF8(w))
			}
		}
		if len(ids) == 0 && !strings.ContainsAny(s, " <>") {
			ids = append(ids, cleanUTF8(s))
		}
	}
	if len(ids) > 100 {
		ids = append(ids[:50:50], ids[len(ids)-50:]...)
	}
	return ids
}
