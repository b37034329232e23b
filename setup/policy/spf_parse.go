package policy

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-chat/postern"
)

// maxSPFText bounds what is parsed; records that work are far shorter.
const maxSPFText = 8 << 10

// IsSPF tells whether a text is an SPF record by its first word (RFC 7208 section 4.5).
func IsSPF(text string) bool {
	const version = "v=spf1"
	return len(text) >= len(version) && strings.EqualFold(text[:len(version)], version) &&
		(len(text) == len(version) || text[len(version)] == ' ')
}

// ParseSPF reads one record. Every error is Invalid and what RFC 7208 calls a permerror.
func ParseSPF(text string) (*SPF, error) {
	if !IsSPF(text) {
		return nil, invalid("no SPF record: it does not begin with v=spf1")
	}
	if len(text) > maxSPFText {
		return nil, invalid("longer than %d bytes", maxSPFText)
	}
	s := &SPF{Text: text}
	for _, word := range strings.FieldsFunc(text[len("v=spf1"):], func(r rune) bool { return r == ' ' }) {
		t, err := parseTerm(word)
		if err != nil {
			return nil, err
		}
		if t.Modifier && (t.Name == "redirect" || t.Name == "exp") &&
			slices.ContainsFunc(s.Terms, func(o Term) bool { return o.Modifier && o.Name == t.Name }) {
			return nil, invalid("%s= stands twice", t.Name)
		}
		s.Terms = append(s.Terms, t)
	}
	return s, nil
}

func invalid(format string, args ...any) error {
	return postern.Errorf(postern.Invalid, op, format, args...)
}

func parseTerm(word string) (Term, error) {
	for _, b := range []byte(word) {
		if b < 0x21 || b > 0x7e {
			return Term{}, invalid("a character that is not allowed in %q", word)
		}
	}
	if name, value, is := strings.Cut(word, "="); is && isModifierName(name) {
		return parseModifier(word, strings.ToLower(name), value)
	}
	t := Term{Text: word, Qualifier: '+', Bits4: 32, Bits6: 128}
	rest := word
	if strings.ContainsRune("+-~?", rune(rest[0])) {
		t.Qualifier, rest = rest[0], rest[1:]
	}
	end := strings.IndexAny(rest, ":/")
	if end < 0 {
		end = len(rest)
	}
	t.Name = strings.ToLower(rest[:end])
	return t, parseArgument(&t, rest[end:])
}

// isModifierName: name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ).
func isModifierName(s string) bool {
	for i, b := range []byte(s) {
		if !isAlpha(b) && (i == 0 || !isDigit(b) && b != '-' && b != '_' && b != '.') {
			return false
		}
	}
	return s != ""
}

func isAlpha(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func parseModifier(word, name, value string) (Term, error) {
	t := Term{Text: word, Modifier: true, Name: name, Domain: value}
	if name != "redirect" && name != "exp" {
		if _, ok := macroString(value); !ok {
			return t, invalid("%q: not a macro string", word)
		}
		return t, nil
	}
	if !isDomainSpec(value) {
		return t, invalid("%q: not a domain", word)
	}
	return t, nil
}

// parseArgument reads what stands behind a mechanism's name, with its : or /.
func parseArgument(t *Term, arg string) error {
	switch t.Name {
	case "all":
		if arg != "" {
			return invalid("%q: all stands alone", t.Text)
		}
		return nil
	case "ip4", "ip6":
		return parseNetwork(t, arg)
	case "include", "exists", "ptr", "a", "mx":
	default:
		return invalid("%q: no such mechanism", t.Text)
	}
	if t.Name == "a" || t.Name == "mx" {
		var ok bool
		if arg, ok = cutPrefixLengths(t, arg); !ok {
			return invalid("%q: not a prefix length", t.Text)
		}
	}
	if arg == "" {
		if t.Name == "include" || t.Name == "exists" {
			return invalid("%q: the domain is missing", t.Text)
		}
		return nil
	}
	if arg[0] != ':' || !isDomainSpec(arg[1:]) {
		return invalid("%q: not a domain", t.Text)
	}
	t.Domain = arg[1:]
	return nil
}

func parseNetwork(t *Term, arg string) error {
	if !strings.HasPrefix(arg, ":") {
		return invalid("%q: the network is missing", t.Text)
	}
	text, length, has := strings.Cut(arg[1:], "/")
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Is4() != (t.Name == "ip4") || addr.Zone() != "" {
		return invalid("%q: not an address", t.Text)
	}
	bits := addr.BitLen()
	if has {
		var ok bool
		if bits, ok = prefixLength(length, bits); !ok {
			return invalid("%q: not a prefix length", t.Text)
		}
	}
	t.Prefix = netip.PrefixFrom(addr, bits).Masked()
	return nil
}

// cutPrefixLengths takes dual-cidr-length from the end: /24, //64 or /24//64.
func cutPrefixLengths(t *Term, arg string) (rest string, ok bool) {
	if i := strings.LastIndex(arg, "//"); i >= 0 && !strings.Contains(arg[i:], "}") {
		if t.Bits6, ok = prefixLength(arg[i+2:], 128); !ok {
			return "", false
		}
		arg = arg[:i]
	}
	if i := strings.LastIndexByte(arg, '/'); i >= 0 && !strings.Contains(arg[i:], "}") {
		if t.Bits4, ok = prefixLength(arg[i+1:], 32); !ok {
			return "", false
		}
		arg = arg[:i]
	}
	return arg, true
}

func prefixLength(s string, most int) (int, bool) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > most || strconv.Itoa(n) != s {
		return 0, false
	}
	return n, true
}

// isDomainSpec: a macro string that ends in a top label or in a macro.
func isDomainSpec(s string) bool {
	endsInMacro, ok := macroString(s)
	if !ok || s == "" {
		return false
	}
	if endsInMacro {
		return true
	}
	s = strings.TrimSuffix(s, ".")
	i := strings.LastIndexByte(s, '.')
	return i >= 0 && isTopLabel(s[i+1:])
}

// isTopLabel: letters, digits and hyphens inside, and not digits alone.
func isTopLabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	word := false
	for _, b := range []byte(s) {
		if !isAlpha(b) && !isDigit(b) && b != '-' {
			return false
		}
		word = word || !isDigit(b)
	}
	return word
}

// macroString checks the form of RFC 7208 section 7.1 and tells whether it ends in a macro.
func macroString(s string) (endsInMacro, ok bool) {
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			endsInMacro = false
			continue
		}
		if i++; i == len(s) {
			return false, false
		}
		switch s[i] {
		case '%', '_', '-':
		case '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 || !isMacro(s[i+1:i+end]) {
				return false, false
			}
			i += end
		default:
			return false, false
		}
		endsInMacro = true
	}
	return endsInMacro, true
}

// isMacro reads what stands between %{ and }: a letter, a number, r, delimiters.
func isMacro(s string) bool {
	if s == "" || !strings.ContainsRune("slodiphcrtv", rune(s[0]|0x20)) {
		return false
	}
	rest := strings.TrimLeft(s[1:], "0123456789")
	if digits := s[1 : len(s)-len(rest)]; digits != "" && strings.Trim(digits, "0") == "" {
		return false
	}
	if rest != "" && rest[0]|0x20 == 'r' {
		rest = rest[1:]
	}
	return strings.Trim(rest, ".-+,/_=") == ""
}

// HasMacro tells whether the term's domain depends on the mail.
func (t Term) HasMacro() bool { return strings.Contains(t.Domain, "%") }

// CostsLookup tells whether receivers count the term (RFC 7208 section 4.6.4).
func (t Term) CostsLookup() bool {
	if t.Modifier {
		return t.Name == "redirect"
	}
	switch t.Name {
	case "include", "a", "mx", "ptr", "exists":
		return true
	}
	return false
}

// All gives the first all term.
func (s *SPF) All() (Term, bool) { return s.find("all", false) }

// Redirect gives the redirect modifier, whether it is used or not.
func (s *SPF) Redirect() (Term, bool) { return s.find("redirect", true) }

func (s *SPF) find(name string, modifier bool) (Term, bool) {
	i := slices.IndexFunc(s.Terms, func(t Term) bool { return t.Name == name && t.Modifier == modifier })
	if i < 0 {
		return Term{}, false
	}
	return s.Terms[i], true
}

// Remarks says what is odd about the record by itself.
func (s *SPF) Remarks() []Remark {
	var rs []Remark
	add := func(code RemarkCode, detail string) { rs = append(rs, Remark{code, detail}) }
	ended := false
	for _, t := range s.Terms {
		switch {
		case ended && !t.Modifier:
			add(SPFAfterAll, t.Text)
		case t.Modifier && t.Name != "redirect" && t.Name != "exp":
			add(SPFUnknown, t.Text)
		case t.Name == "ptr" && !t.Modifier:
			add(SPFPtr, t.Text)
		case t.Name == "include" && t.Qualifier != '+':
			add(SPFIncludeNotPass, t.Text)
		}
		if !t.Modifier && t.HasMacro() {
			add(SPFMacro, t.Text)
		}
		ended = ended || t.Name == "all" && !t.Modifier
	}
	all, hasAll := s.All()
	redirect, hasRedirect := s.Redirect()
	switch {
	case hasAll && hasRedirect:
		add(SPFAllRedirect, redirect.Text)
	case !hasAll && !hasRedirect:
		add(SPFNoAll, "")
	}
	switch {
	case hasAll && all.Qualifier == '+':
		add(SPFAllPass, all.Text)
	case hasAll && all.Qualifier == '?':
		add(SPFAllNeutral, all.Text)
	}
	switch {
	case len(s.Text) > 512:
		add(SPFTooLong, strconv.Itoa(len(s.Text))+" bytes")
	case len(s.Text) > 255:
		add(SPFLong, strconv.Itoa(len(s.Text))+" bytes")
	}
	return rs
}
