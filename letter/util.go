package letter

import (
	"iter"
	"strings"
	"unicode"
)

func hasBad(s string) bool { return strings.Contains(s, "\ufffd") }

// wordsOf yields the words of text in lower case, tags of HTML left out.
func wordsOf(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		start, tag := -1, false
		for i, r := range s {
			switch {
			case r == '<' && i+1 < len(s) && (s[i+1] == '/' || s[i+1] == '!' || s[i+1]|0x20 >= 'a' && s[i+1]|0x20 <= 'z'):
				tag = true
			case r == '>':
				tag = false
			}
			if !tag && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
				if start < 0 {
					start = i
				}
				continue
			}
			if start >= 0 && !yield(strings.ToLower(s[start:i])) {
				return
			}
			start = -1
		}
		if start >= 0 {
			yield(strings.ToLower(s[start:]))
		}
	}
}

// roughText makes HTML readable for phrase searches: tags become blanks or line ends, the commonest entities characters.
func roughText(html string) string {
	var b strings.Builder
	b.Grow(len(html))
	for html != "" {
		i := strings.IndexByte(html, '<')
		if i < 0 {
			b.WriteString(html)
			break
		}
		b.WriteString(html[:i])
		html = html[i:]
		j := strings.IndexByte(html, '>')
		if j < 0 {
			break
		}
		tag := strings.ToLower(clip(strings.TrimLeft(html[1:j], "/"), 10))
		for _, block := range []string{"p", "br", "div", "tr", "li", "h1", "h2", "h3", "table", "pre"} {
			if rest, ok := strings.CutPrefix(tag, block); ok && (rest == "" || strings.IndexByte(" />\t\n", rest[0]) >= 0) {
				b.WriteByte('\n')
				break
			}
		}
		html = html[j+1:]
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&nbsp;", " ", "&#160;", " ", "&quot;", `"`, "&#39;", "'", "&#43;", "+", "&#64;", "@", "&amp;", "&").Replace(b.String())
}
