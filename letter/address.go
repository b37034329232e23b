package letter

import "strings"

// Address is one mailbox. Address holds what stood in the angle brackets, trimmed; it need not be a valid one.
type Address struct {
	Name    string // decoded display name, may be ""
	Address string
}

// String renders the address for people, not for a header.
func (a Address) String() string {
	if a.Name == "" {
		return a.Address
	}
	return a.Name + " <" + a.Address + ">"
}

// Local and Domain split the address at its last at sign.
func (a Address) Local() string {
	if i := strings.LastIndexByte(a.Address, '@'); i >= 0 {
		return a.Address[:i]
	}
	return a.Address
}

// Domain is what follows the last at sign, in lower case, "" if there is none.
func (a Address) Domain() string {
	if i := strings.LastIndexByte(a.Address, '@'); i >= 0 {
		return strings.ToLower(a.Address[i+1:])
	}
	return ""
}

const (
	maxAddresses = 2000
	lexeme       = 2000 // no quoted string, comment or bracket is longer
)

// ParseAddresses reads an address list (RFC 5322 section 3.4) as mailers write it: encoded or bare 8-bit names, commas in
// unquoted names, semicolons as separators, groups, comments, missing brackets. At most 2,000 addresses are returned.
func ParseAddresses(raw string) []Address {
	s := unfold(raw)
	var out []Address
	lame := 0  // quotes and comments that were never closed
	name := "" // a piece without an address: the first half of an unquoted "Doe, John <j@example.com>"
	for s != "" && len(out) < maxAddresses {
		var m mailbox
		m, s = nextMailbox(s, &lame)
		if m.group {
			name = ""
			continue
		}
		a := m.address()
		switch {
		case a.Address == "" && m.angle:
			name = ""
		case a.Address == "":
			if name != "" && a.Name != "" {
				name += ", "
			}
			name = clip(name+a.Name, 1000)
		default:
			if name != "" && m.angle && !m.quoted {
				a.Name = name + ", " + a.Name
			}
			name = ""
			out = append(out, a)
		}
	}
	if len(out) == 0 && name != "" && strings.TrimSpace(s) == "" {
		out = append(out, Address{Name: name})
	}
	return out
}

// mailbox collects the lexical pieces of one entry of a list.
type mailbox struct {
	phrase  strings.Builder // words before the bracket, quotes resolved
	addr    string          // inside of the brackets
	comment string
	angle   bool
	quoted  bool
	group   bool
}

func (m *mailbox) address() Address {
	phrase := strings.TrimSpace(m.phrase.String())
	if !m.angle {
		if i := strings.IndexByte(phrase, '@'); i < 0 {
			return Address{Name: cleanName(phrase)}
		}
		words := strings.Fields(phrase)
		for i, w := range words { // "John Doe john@example.com", or "john @ example.com"
			if len(w) > 2 && strings.IndexByte(w[1:len(w)-1], '@') >= 0 {
				rest := strings.Join(append(words[:i:i], words[i+1:]...), " ")
				if rest == "" {
					rest = m.comment
				}
				return Address{cleanName(rest), cleanAddr(w)}
			}
		}
		return Address{cleanName(m.comment), cleanAddr(strings.ReplaceAll(phrase, " ", ""))}
	}
	if phrase == "" {
		phrase = m.comment
	}
	return Address{cleanName(phrase), cleanAddr(m.addr)}
}

func cleanName(s string) string {
	s = strings.TrimSpace(decodeHeader(s))
	if n := len(s); n > 1 && (s[0] == '"' && s[n-1] == '"' || s[0] == '\'' && s[n-1] == '\'') {
		s = strings.TrimSpace(s[1 : n-1])
	}
	return s
}

func cleanAddr(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	if strings.HasPrefix(s, "@") { // source route, RFC 5322 section 4.4
		if i := strings.IndexByte(s, ':'); i >= 0 {
			s = s[i+1:]
		}
	}
	s = strings.Trim(s, " <>\"',;")
	if strings.Contains(s, "=?") || !isASCII(s) {
		s = decodeHeader(s)
	}
	return s
}

// nextMailbox reads up to the next separator and returns the rest after it. lame counts what was opened and never closed;
// beyond a few, quotes and brackets are taken as plain characters, which keeps hostile lists linear.
func nextMailbox(s string, lame *int) (m mailbox, rest string) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if *lame > 20 && (c == '"' || c == '(') {
			continue
		}
		switch c {
		case '"':
			text, n := quoted(s[i:])
			if n == 1 {
				*lame++
			}
			m.phrase.WriteString(text)
			m.quoted = true
			i += n - 1
		case '(':
			text, n := comment(s[i:])
			if n == 1 {
				*lame++
			}
			m.comment = text
			i += n - 1
		case '<':
			near := s[i:min(len(s), i+lexeme)]
			end := strings.IndexByte(near, '>')
			if end < 0 {
				if end = strings.IndexAny(near, ",;"); end < 0 {
					end = len(near)
				}
			}
			if inner := near[min(1, end):end]; !m.angle || strings.Contains(inner, "@") {
				if m.angle { // "<name> <address>"
					m.phrase.WriteString(m.addr)
				}
				m.addr, m.angle = inner, true
			}
			i += end
		case '=':
			if strings.HasPrefix(s[i:], "=?") {
				if _, n := parseWord(s[i:]); n > 0 { // commas inside of encoded words do not separate
					m.phrase.WriteString(s[i : i+n])
					i += n - 1
					continue
				}
			}
			m.phrase.WriteByte(c)
		case ',', ';':
			return m, s[i+1:]
		case ':':
			if !m.angle && !strings.Contains(m.phrase.String(), "@") && !strings.EqualFold(strings.TrimSpace(m.phrase.String()), "mailto") {
				m.group = true
				return m, s[i+1:]
			}
			m.phrase.WriteByte(c)
		default:
			m.phrase.WriteByte(c)
		}
	}
	return m, ""
}

// quoted reads a quoted string at the beginning of s; one that is never closed is taken as a stray quote.
func quoted(s string) (text string, n int) {
	var b strings.Builder
	for i := 1; i < min(len(s), lexeme); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), i + 1
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", 1
}

// comment reads a comment with its nested ones.
func comment(s string) (text string, n int) {
	depth := 0
	for i := 0; i < min(len(s), lexeme); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return s[1:i], i + 1
			}
		}
	}
	return "", 1
}
