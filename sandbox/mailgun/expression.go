package mailgun

import (
	"strconv"
	"strings"
)

// fitsExpression evaluates a filter expression of the Events API: words and
// "quoted words" joined with AND, OR, NOT, brackets, and ranges such as >100.
// exact fields must equal a word, others hold it.
func fitsExpression(expr string, have []string, exact bool) bool {
	p := &expression{words: splitExpression(expr), have: have, exact: exact}
	if len(p.words) == 0 {
		return true
	}
	return p.or()
}

type expression struct {
	words []string
	have  []string
	exact bool
	depth int
}

func splitExpression(s string) []string {
	var out []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		switch {
		case s[0] == '(' || s[0] == ')':
			out, s = append(out, s[:1]), s[1:]
		case s[0] == '"':
			body, rest, _ := strings.Cut(s[1:], `"`)
			out, s = append(out, `"`+body), rest
		default:
			n := strings.IndexAny(s, " \t()")
			if n < 0 {
				n = len(s)
			}
			out, s = append(out, s[:n]), s[n:]
		}
	}
	return out
}

func (p *expression) peek(word string) bool {
	return len(p.words) > 0 && strings.EqualFold(p.words[0], word)
}

func (p *expression) or() bool {
	ok := p.and()
	for p.peek("OR") {
		p.words = p.words[1:]
		next := p.and()
		ok = ok || next
	}
	return ok
}

func (p *expression) and() bool {
	ok := p.not()
	for len(p.words) > 0 && !p.peek("OR") && !p.peek(")") {
		if p.peek("AND") {
			p.words = p.words[1:]
			continue
		}
		next := p.not()
		ok = ok && next
	}
	return ok
}

func (p *expression) not() bool {
	if len(p.words) == 0 {
		return true
	}
	w := p.words[0]
	p.words = p.words[1:]
	switch {
	case strings.EqualFold(w, "NOT"):
		return !p.not()
	case w == "(" && p.depth < 50:
		p.depth++
		ok := p.or()
		p.depth--
		if p.peek(")") {
			p.words = p.words[1:]
		}
		return ok
	}
	for _, h := range p.have {
		if p.one(strings.TrimPrefix(w, `"`), h) {
			return true
		}
	}
	return false
}

func (p *expression) one(w, have string) bool {
	if len(w) > 1 && (w[0] == '>' || w[0] == '<') {
		n, err1 := strconv.ParseInt(w[1:], 10, 64)
		x, err2 := strconv.ParseInt(have, 10, 64)
		return err1 == nil && err2 == nil && (w[0] == '>' && x > n || w[0] == '<' && x < n)
	}
	if p.exact {
		return strings.EqualFold(w, have)
	}
	return strings.Contains(strings.ToLower(have), strings.ToLower(w))
}
