package replytext

import (
	"net/url"
	"strings"
)

// inlineNodes bounds how much of an inline element is looked at before it is
// written: a longer one gets no marks and no address.
const inlineNodes = 64

// inlineText returns the words of an element that has neither blocks nor line
// breaks inside, so that marks around it make sense.
func (w *walker) inlineText(n *node) (string, bool) {
	var b strings.Builder
	id := n.first
	for count := 0; id != 0; count++ {
		c := &w.nodes[id]
		if count > inlineNodes || blocks[c.tag] || c.tag == "br" || c.tag == "td" {
			return "", false
		}
		b.WriteString(c.text)
		switch {
		case c.first != 0 && c.action != domDrop:
			id = c.first
			continue
		case c.next != 0:
			id = c.next
			continue
		}
		for c.next == 0 && &w.nodes[c.parent] != n {
			c = &w.nodes[c.parent]
		}
		id = c.next
	}
	t := strings.Join(strings.Fields(b.String()), " ")
	return t, t != ""
}

// emphasis puts Markdown's marks around a run of words.
func (w *walker) emphasis(n *node, marks string) string {
	if !w.markdown || w.state.pre || w.open != "" {
		return ""
	}
	if _, ok := w.inlineText(n); !ok {
		return ""
	}
	w.open = marks
	return marks
}

// anchor writes a link's address behind its words when the two differ.
func (w *walker) anchor(n *node) string {
	href := target(strings.Join(strings.Fields(n.attr("href")), ""))
	text, ok := w.inlineText(n)
	if href == "" || !ok || sameLink(text, href) {
		return ""
	}
	if w.markdown {
		w.open += "["
		return "](" + strings.NewReplacer(" ", "%20", "(", "%28", ")", "%29").Replace(href) + ")"
	}
	return " (" + strings.TrimPrefix(href, "mailto:") + ")"
}

// target is where a link leads: without the detour over a scanner that rewrites
// links, and nothing for what is no link between mails.
func target(href string) string {
	scheme, _, ok := strings.Cut(href, ":")
	if !ok || len(href) > 2000 {
		return ""
	}
	switch strings.ToLower(scheme) {
	case "http", "https":
		return unwrapLink(href)
	case "mailto", "tel":
		return href
	}
	return ""
}

// unwrapLink undoes what Safe Links, Google and Proofpoint make of links.
func unwrapLink(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return s
	}
	inner := ""
	switch host := strings.ToLower(u.Hostname()); {
	case strings.HasSuffix(host, ".safelinks.protection.outlook.com"):
		inner = u.Query().Get("url")
	case (host == "www.google.com" || host == "google.com") && u.Path == "/url":
		if inner = u.Query().Get("q"); inner == "" {
			inner = u.Query().Get("url")
		}
	case host == "urldefense.com":
		if _, rest, ok := strings.Cut(s, "/v3/__"); ok {
			inner, _, _ = strings.Cut(rest, "__;")
		}
	}
	if strings.HasPrefix(inner, "http://") || strings.HasPrefix(inner, "https://") {
		return inner
	}
	return s
}

// sameLink tells whether a link's words are its address.
func sameLink(text, href string) bool {
	return bareLink(text) == bareLink(href)
}

func bareLink(s string) string {
	s = strings.ToLower(strings.Trim(s, " <>()[]"))
	for _, p := range []string{"mailto:", "tel:", "https://", "http://", "www."} {
		s = strings.TrimPrefix(s, p)
	}
	if i := strings.IndexAny(s, "?#"); i > 0 && strings.Contains(s[:i], "@") {
		s = s[:i] // mailto:ann@example.org?subject=...
	}
	return strings.TrimRight(strings.ReplaceAll(s, " ", ""), "/")
}
