package letter

import (
	"sort"
	"strconv"
	"strings"
)

// params are the parameters of Content-Type or Content-Disposition: decoded values by lower-case name.
type params map[string]string

func (p params) get(name string) string { return p[name] }

const maxParams = 200

// parseParams splits "value; name=x; name*0*=..." (RFC 2045 section 5.1, RFC 2231), taking what real mailers write:
// unquoted blanks, missing semicolons after quotes, encoded words inside of quotes, bare 8-bit names.
func parseParams(raw string) (value string, out params) {
	s := unfold(raw)
	i := strings.IndexByte(s, ';')
	if i < 0 {
		return strings.ToLower(strings.TrimSpace(stripComment(s))), nil
	}
	value, s = strings.ToLower(strings.TrimSpace(stripComment(s[:i]))), s[i:]
	out = params{}
	var pieces []piece
	for n := 0; n < maxParams && s != ""; n++ {
		s = strings.TrimLeft(s, "; \t")
		eq := strings.IndexAny(s, "=;")
		if eq < 0 {
			break
		}
		if s[eq] == ';' {
			s = s[eq:]
			continue
		}
		name := strings.ToLower(strings.TrimSpace(s[:eq]))
		var val string
		val, s = paramValue(strings.TrimLeft(s[eq+1:], " \t"))
		if star := strings.IndexByte(name, '*'); star > 0 {
			pieces = append(pieces, newPiece(name[:star], name[star:], val))
		} else if _, dup := out[name]; !dup {
			out[name] = paramText(name, val)
		}
	}
	joinPieces(pieces, out)
	return value, out
}

// paramText decodes file names, which alone may hold more than ASCII.
func paramText(name, val string) string {
	if fileParam(name) {
		return decodeHeader(val)
	}
	return cleanUTF8(val)
}

func fileParam(name string) bool { return name == "name" || name == "filename" }

func paramValue(s string) (value, rest string) {
	if s == "" || s[0] != '"' {
		i := strings.IndexByte(s, ';')
		if i < 0 {
			i = len(s)
		}
		return strings.TrimSpace(s[:i]), s[i:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:]
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		default: // a backslash before anything else is a path of Windows
			b.WriteByte(c)
		}
	}
	if i := strings.IndexByte(s, ';'); i >= 0 { // the quote was never closed
		return strings.TrimSpace(s[1:i]), s[i:]
	}
	return strings.TrimSpace(s[1:]), ""
}

// piece is one segment of a parameter continued over several (RFC 2231 section 3).
type piece struct {
	name    string
	index   int
	encoded bool
	value   string
}

func newPiece(name, stars, value string) piece {
	p := piece{name: name, value: value, encoded: strings.HasSuffix(stars, "*")}
	if n, err := strconv.Atoi(strings.Trim(stars, "*")); err == nil {
		p.index = n
	}
	return p
}

func joinPieces(pieces []piece, out params) {
	if len(pieces) == 0 {
		return
	}
	sort.SliceStable(pieces, func(i, j int) bool {
		if pieces[i].name != pieces[j].name {
			return pieces[i].name < pieces[j].name
		}
		return pieces[i].index < pieces[j].index
	})
	for i := 0; i < len(pieces); {
		var raw []byte
		charset, any := "", false
		j := i
		for ; j < len(pieces) && pieces[j].name == pieces[i].name; j++ {
			p := pieces[j]
			if p.encoded {
				if j == i {
					if parts := strings.SplitN(p.value, "'", 3); len(parts) == 3 {
						charset, p.value = parts[0], parts[2]
					}
				}
				raw, any = appendPercent(raw, p.value), true
			} else {
				raw = append(raw, p.value...)
			}
		}
		if any && fileParam(pieces[i].name) {
			text, _ := decodeCharset(raw, charset, "")
			out[pieces[i].name] = text
		} else {
			out[pieces[i].name] = paramText(pieces[i].name, string(raw))
		}
		i = j
	}
}

func appendPercent(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if h, l := unhex(s[i+1]), unhex(s[i+2]); h >= 0 && l >= 0 {
				dst = append(dst, byte(h<<4|l))
				i += 2
				continue
			}
		}
		dst = append(dst, s[i])
	}
	return dst
}

// stripComment removes a trailing RFC 822 comment: "text/plain (rich)".
func stripComment(s string) string {
	if i := strings.IndexByte(s, '('); i > 0 && !strings.Contains(s[:i], `"`) {
		return s[:i]
	}
	return s
}
