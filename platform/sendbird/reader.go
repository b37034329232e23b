package sendbird

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds nesting; Sendbird's own bodies stay below ten.
const maxDepth = 200

var (
	errJSON = errors.New("not well-formed JSON")
	errDeep = errors.New("JSON nested too deeply")
)

// reader walks over JSON text (RFC 8259) once, from front to back, and builds nothing.
// Every call consumes exactly one value; a value of another type than asked for is
// consumed too and counts as absent. What is skipped is checked like what is read.
// Errors stick: after the first, every call does nothing and gives zero values.
//
// Why not encoding/json: a webhook is decoded before it is answered, and the standard
// decoder costs several times what checking the signature costs (see BenchmarkDecode).
type reader struct {
	b     []byte
	pos   int
	depth int
	first bool // a container was just entered
	err   error
}

// peek skips white space and tells the next byte, 0 at the end.
func (r *reader) peek() byte {
	for r.pos < len(r.b) {
		c := r.b[r.pos]
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c
		}
		r.pos++
	}
	return 0
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.pos = len(r.b)
}

// end tells whether all is read and was well formed.
func (r *reader) end() error {
	if r.err == nil && (r.peek() != 0 || r.pos < len(r.b)) {
		r.err = errJSON
	}
	return r.err
}

// object enters an object, to be read by a loop over key. Anything else it skips.
func (r *reader) object() bool { return r.enter('{') }

// array enters an array, to be read by a loop over next. Anything else it skips.
func (r *reader) array() bool { return r.enter('[') }

func (r *reader) enter(open byte) bool {
	if r.peek() != open {
		r.skip()
		return false
	}
	if r.depth == maxDepth {
		r.fail(errDeep)
		return false
	}
	r.pos++
	r.depth++
	r.first = true
	return true
}

// next moves to the next element of the array that was entered, false at its end.
func (r *reader) next() bool { return r.step(']') }

// key moves to the next field of the object that was entered and gives its name, which
// holds until the next call; false at its end.
func (r *reader) key() ([]byte, bool) {
	if !r.step('}') {
		return nil, false
	}
	if r.peek() != '"' {
		r.fail(errJSON)
		return nil, false
	}
	raw, plain := r.quoted()
	if !plain {
		raw = unquote(raw)
	}
	if r.peek() != ':' {
		r.fail(errJSON)
		return nil, false
	}
	r.pos++
	return raw, true
}

func (r *reader) step(closing byte) bool {
	c := r.peek()
	first := r.first
	r.first = false
	switch {
	case c == closing:
		r.pos++
		r.depth--
		return false
	case first:
		return r.err == nil
	case c == ',':
		r.pos++
		if r.peek() != closing {
			return true
		}
	}
	r.fail(errJSON)
	return false
}

// str reads a string; a number gives its digits.
func (r *reader) str() string {
	switch c := r.peek(); {
	case c == '"':
		raw, plain := r.quoted()
		if !plain {
			raw = unquote(raw)
		}
		return string(raw)
	case c == '-' || '0' <= c && c <= '9':
		return string(r.number())
	}
	r.skip()
	return ""
}

// integer reads a whole number, or a string that holds one; fractions are cut.
func (r *reader) integer() int64 {
	var digits []byte
	switch c := r.peek(); {
	case c == '"':
		digits, _ = r.quoted()
	case c == '-' || '0' <= c && c <= '9':
		digits = r.number()
	default:
		r.skip()
		return 0
	}
	if n, err := strconv.ParseInt(string(digits), 10, 64); err == nil {
		return n
	}
	// The guard keeps the conversion defined: 2^63 does not fit.
	if f, err := strconv.ParseFloat(string(digits), 64); err == nil && f > -1<<62 && f < 1<<62 {
		return int64(f)
	}
	return 0
}

// boolean reads a flag: true, 1, "true" or "1" and their opposites. Anything else is def.
func (r *reader) boolean(def bool) bool {
	start := r.peek()
	from := r.pos
	r.skip()
	v := bytes.Trim(r.b[from:r.pos], `"`)
	switch {
	case start == '{' || start == '[' || r.err != nil:
		return def
	case string(v) == "true" || string(v) == "1":
		return true
	case string(v) == "false" || string(v) == "0":
		return false
	}
	return def
}

// raw skips one value and gives its text.
func (r *reader) raw() []byte {
	r.peek()
	from := r.pos
	r.skip()
	return r.b[from:r.pos]
}

// skip consumes one value of any kind.
func (r *reader) skip() {
	switch c := r.peek(); {
	case r.err != nil:
	case c == '"':
		r.quoted()
	case c == '{':
		for r.object(); r.err == nil; {
			if _, ok := r.key(); !ok {
				return
			}
			r.skip()
		}
	case c == '[':
		for r.array(); r.err == nil; {
			if !r.next() {
				return
			}
			r.skip()
		}
	case c == 't':
		r.word("true")
	case c == 'f':
		r.word("false")
	case c == 'n':
		r.word("null")
	default:
		r.number()
	}
}

func (r *reader) word(w string) {
	if len(r.b)-r.pos < len(w) || string(r.b[r.pos:r.pos+len(w)]) != w {
		r.fail(errJSON)
		return
	}
	r.pos += len(w)
}

// number consumes a number (RFC 8259 section 6).
func (r *reader) number() []byte {
	from, i := r.pos, r.pos
	digits := func() bool {
		start := i
		for i < len(r.b) && '0' <= r.b[i] && r.b[i] <= '9' {
			i++
		}
		return i > start
	}
	at := func(c byte) bool { return i < len(r.b) && r.b[i] == c }
	if at('-') {
		i++
	}
	ok := true
	if at('0') {
		i++
	} else {
		ok = digits()
	}
	if ok && at('.') {
		i++
		ok = digits()
	}
	if ok && (at('e') || at('E')) {
		i++
		if at('+') || at('-') {
			i++
		}
		ok = digits()
	}
	if !ok {
		r.fail(errJSON)
		return nil
	}
	r.pos = i
	return r.b[from:i]
}

// special marks the bytes that end a run of plain ones inside a string: the quote, the
// backslash, control characters and everything beyond ASCII.
var special = func() (t [256]bool) {
	for c := range t {
		t[c] = c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\'
	}
	return t
}()

// quoted consumes a string and gives what stands between the quotes, which is its
// value if plain is true, else to be unquoted.
func (r *reader) quoted() (raw []byte, plain bool) {
	b, i, plain := r.b, r.pos+1, true
	for from := i; i < len(b); i++ {
		c := b[i]
		if !special[c] {
			continue
		}
		switch {
		case c == '"':
			r.pos = i + 1
			return b[from:i], plain
		case c < 0x20:
			r.fail(errJSON)
			return nil, true
		case c == '\\':
			n := escapeLen(b[i:])
			if n == 0 {
				r.fail(errJSON)
				return nil, true
			}
			i += n - 1
		}
		plain = false
	}
	r.fail(errJSON)
	return nil, true
}

// escapeLen tells the length of the escape sequence at the start of b, 0 if it is none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b); ok {
			return 6
		}
	}
	return 0
}

// hex4 reads the \uXXXX at the start of b.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var v rune
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | rune(c)
	}
	return v, true
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unquote gives the value of a string that quoted has accepted. Broken UTF-8, lone
// surrogates and U+0000 (no text, and PostgreSQL refuses it) become U+FFFD.
func unquote(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '\\' && raw[i+1] == 'u':
			v, _ := hex4(raw[i:])
			i += 6
			if utf16.IsSurrogate(v) {
				low, _ := hex4(raw[i:])
				if v = utf16.DecodeRune(v, low); v != utf8.RuneError {
					i += 6
				}
			} else if v == 0 {
				v = utf8.RuneError
			}
			out = utf8.AppendRune(out, v)
		case c == '\\':
			out = append(out, escapes[raw[i+1]])
			i += 2
		case c < utf8.RuneSelf:
			out = append(out, c)
			i++
		default:
			v, n := utf8.DecodeRune(raw[i:])
			out = utf8.AppendRune(out, v)
			i += n
		}
	}
	return out
}
