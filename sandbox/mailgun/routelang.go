package mailgun

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/postern-chat/postern/sandbox/mailbox/eml"
)

// maxRule is the longest filter or action.
const maxRule = 4 << 10

// filter is a parsed route expression: all conditions must hold.
type filter []condition

type condition struct {
	kind   string // match_recipient, match_header, catch_all
	header string
	re     *regexp.Regexp
}

// action is one parsed route action.
type action struct {
	kind    string // forward, store, stop
	targets []string
	notify  string
}

var (
	ruleCall = regexp.MustCompile(`^\s*([a-z_]+)\s*\(`)
	groupRef = regexp.MustCompile(`\\(\d+)|\\g<(\w+)>`)
)

// parseFilter reads match_recipient(".."), match_header("..", ".."),
// catch_all(), joined with `and`.
func parseFilter(expr string) (filter, error) {
	if len(expr) > maxRule {
		return nil, fmt.Errorf("expression is longer than %d bytes", maxRule)
	}
	var f filter
	rest := expr
	for {
		name, args, after, err := readCall(rest)
		if err != nil {
			return nil, err
		}
		c := condition{kind: name}
		pattern := ""
		switch {
		case name == "catch_all" && len(args) == 0:
		case name == "match_recipient" && len(args) == 1:
			pattern = args[0]
		case name == "match_header" && len(args) == 2:
			c.header, pattern = args[0], args[1]
		default:
			return nil, fmt.Errorf("unknown filter %s with %d arguments", name, len(args))
		}
		// Python's re.match: anchored at the start only.
		if c.re, err = regexp.Compile(`(?i)\A(?:` + pattern + `)`); err != nil {
			return nil, err
		}
		f = append(f, c)
		after = strings.TrimSpace(after)
		if after == "" {
			return f, nil
		}
		var ok bool
		if rest, ok = strings.CutPrefix(after, "and"); !ok {
			return nil, fmt.Errorf("expected `and` before %q", after)
		}
	}
}

func parseAction(text string) (action, error) {
	if len(text) > maxRule {
		return action{}, fmt.Errorf("action is longer than %d bytes", maxRule)
	}
	name, args, after, err := readCall(text)
	if err != nil || strings.TrimSpace(after) != "" {
		return action{}, fmt.Errorf("cannot read action %q", text)
	}
	a := action{kind: name}
	switch {
	case name == "stop" && len(args) == 0:
	case name == "store" && len(args) <= 1:
		if len(args) == 1 {
			a.notify = args[0]
		}
	case name == "forward" && len(args) == 1:
		for _, t := range strings.Split(args[0], ",") {
			if t = strings.TrimSpace(t); t != "" {
				a.targets = append(a.targets, t)
			}
		}
	default:
		return action{}, fmt.Errorf("unknown action %s with %d arguments", name, len(args))
	}
	return a, nil
}

// readCall reads name("arg", key="arg") and what follows it.
func readCall(s string) (name string, args []string, rest string, err error) {
	m := ruleCall.FindStringSubmatch(s)
	if m == nil {
		return "", nil, "", fmt.Errorf("cannot read %q", s)
	}
	name, s = m[1], s[len(m[0]):]
	for {
		s = strings.TrimLeft(s, " \t\r\n,")
		if s == "" {
			return "", nil, "", fmt.Errorf("missing ) after %s", name)
		}
		if s[0] == ')' {
			return name, args, s[1:], nil
		}
		if key, after, ok := strings.Cut(s, "="); ok && !strings.ContainsAny(key, `"'`) {
			s = strings.TrimLeft(after, " ")
		}
		arg, after, ok := readString(s)
		if !ok {
			return "", nil, "", fmt.Errorf("expected a string in %s", name)
		}
		args, s = append(args, arg), after
	}
}

// readString reads a Python string: \\ and escaped quotes are one character,
// every other backslash stays.
func readString(s string) (value, rest string, ok bool) {
	if s == "" || (s[0] != '"' && s[0] != '\'') {
		return "", "", false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == s[0]:
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '\\' || s[i+1] == s[0]):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// captures are the groups of the first condition that has any.
type captures struct {
	groups []string
	names  []string
}

// match says whether all conditions hold; first tells catch_all that no earlier
// route matched.
func (f filter) match(recipient string, h eml.Header, first bool) (captures, bool) {
	var caught captures
	for _, c := range f {
		var got []string
		switch c.kind {
		case "catch_all":
			if !first {
				return captures{}, false
			}
			continue
		case "match_recipient":
			got = c.re.FindStringSubmatch(recipient)
		case "match_header":
			for _, v := range h.Values(c.header) {
				if got = c.re.FindStringSubmatch(eml.DecodeWords(v)); got != nil {
					break
				}
			}
		}
		if got == nil {
			return captures{}, false
		}
		if len(got) > 1 && caught.groups == nil {
			caught = captures{got, c.re.SubexpNames()}
		}
	}
	return caught, true
}

// expand puts captures into a target: into everything but a host name.
func (c captures) expand(target string) string {
	host := 0
	if scheme := strings.Index(target, "://"); scheme > 0 {
		host = len(target)
		if slash := strings.IndexAny(target[scheme+3:], "/?#"); slash >= 0 {
			host = scheme + 3 + slash
		}
	}
	put := func(s string, escape bool) string {
		return groupRef.ReplaceAllStringFunc(s, func(ref string) string {
			v := c.get(groupRef.FindStringSubmatch(ref))
			if escape {
				return url.PathEscape(v)
			}
			return v
		})
	}
	if host > 0 {
		return target[:host] + put(target[host:], true)
	}
	local, dom, ok := strings.Cut(target, "@")
	if !ok {
		return target
	}
	return put(local, false) + "@" + dom
}

func (c captures) get(ref []string) string {
	if n, err := strconv.Atoi(ref[1]); err == nil && n < len(c.groups) {
		return c.groups[n]
	}
	for i, name := range c.names {
		if name != "" && name == ref[2] && i < len(c.groups) {
			return c.groups[i]
		}
	}
	return ""
}
