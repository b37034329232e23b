package replytext

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
)

// A node is an element or a piece of text. The tree is our own and simpler than
// a browser's: html.Parse keeps to the letter of the standard, but needs time
// quadratic in the depth of hostile input; this needs one pass.
type node struct {
	tag     string // "" for text
	text    string
	attrs   []html.Attribute
	parent  int32
	first   int32 // first child, 0 if none
	last    int32
	next    int32 // next sibling, 0 if none
	action  domAction
	quotes  bool // has a blockquote below it
	carries bool // has text below it
}

// maxDepth bounds nesting: deeper elements become their ancestor's children.
const maxDepth = 200

// maxNodes bounds memory; text beyond is left out.
const maxNodes = 400_000

var void = map[string]bool{
	"area": true, "base": true, "br": true, "col": true, "embed": true, "hr": true, "img": true, "input": true,
	"link": true, "meta": true, "param": true, "source": true, "track": true, "wbr": true,
}

// closes says which open elements a start tag ends by itself, and which
// elements shelter them.
var closes = map[string]struct{ ends, within string }{
	"li": {"li", " ul ol menu "},
	"dt": {" dt dd ", " dl "},
	"dd": {" dt dd ", " dl "},
	"tr": {" tr td th ", " table tbody thead tfoot "},
	"td": {" td th ", " tr table "},
	"th": {" td th ", " tr table "},
}

// A treeBuilder makes nodes of tokens.
type treeBuilder struct {
	nodes []node
	stack []int32 // open elements; the root is the first
	over  int     // start tags beyond maxDepth
}

// parseHTML reads a body into nodes; the root is the first of them.
func parseHTML(s string) []node {
	// At most a start tag and a text for each angle, mostly half of that.
	b := &treeBuilder{nodes: make([]node, 1, min(strings.Count(s, "<")+8, 4096)), stack: make([]int32, 1, 32)}
	b.nodes[0].tag = "root"
	z := html.NewTokenizer(strings.NewReader(s))
	for len(b.nodes) < maxNodes {
		switch z.Next() {
		case html.ErrorToken:
			return b.nodes
		case html.TextToken:
			b.append(node{text: string(z.Text())})
		case html.StartTagToken, html.SelfClosingTagToken:
			if raw := z.Raw(); strayAngle(raw) {
				b.append(node{text: string(raw)})
				continue
			}
			b.start(z)
		case html.EndTagToken:
			name, _ := z.TagName()
			b.end(known(name))
		}
	}
	return b.nodes
}

// strayAngle tells whether a tag is none: mail programs that forget to escape
// leave <ann@example.org> and <https://...>.
func strayAngle(raw []byte) bool {
	name := raw[1:]
	if i := bytes.IndexAny(name, " \t\n>"); i >= 0 {
		name = name[:i]
	}
	return bytes.IndexByte(name, '@') >= 0 || bytes.Contains(name, []byte("://")) || bytes.HasPrefix(name, []byte("mailto:"))
}

// common are names that need no memory of their own.
var common = func() map[string]string {
	m := map[string]string{}
	for s := range strings.FieldsSeq("a b i u p br hr div span font table tbody thead tr td th img ul ol li h1 h2 h3 h4 pre strong em blockquote body head html meta style title link center o:p " +
		"id class style dir lang href src alt width height align valign border cellpadding cellspacing bgcolor color face size name target rel title type content http-equiv cite") {
		m[s] = s
	}
	return m
}()

func known(name []byte) string {
	if s, ok := common[string(name)]; ok {
		return s
	}
	return string(name)
}

func (b *treeBuilder) append(n node) int32 {
	p := b.stack[len(b.stack)-1]
	n.parent = p
	id := int32(len(b.nodes))
	b.nodes = append(b.nodes, n)
	if last := b.nodes[p].last; last != 0 {
		b.nodes[last].next = id
	} else {
		b.nodes[p].first = id
	}
	b.nodes[p].last = id
	return id
}

func (b *treeBuilder) start(z *html.Tokenizer) {
	name, more := z.TagName()
	n := node{tag: known(name)}
	for more && len(n.attrs) < 40 {
		var k, v []byte
		k, v, more = z.TagAttr()
		n.attrs = append(n.attrs, html.Attribute{Key: known(k), Val: string(v)})
	}
	if rule, ok := closes[n.tag]; ok {
		b.imply(rule.ends, rule.within)
	}
	if blocks[n.tag] {
		b.implyP()
	}
	id := b.append(n)
	if void[n.tag] {
		return
	}
	if len(b.stack) >= maxDepth {
		b.over++
		return
	}
	b.stack = append(b.stack, id)
}

// imply closes the innermost open element of ends, unless one of within shelters it.
func (b *treeBuilder) imply(ends, within string) {
	for i := len(b.stack) - 1; i > 0 && i > len(b.stack)-20; i-- {
		t := b.nodes[b.stack[i]].tag
		if strings.Contains(within, " "+t+" ") {
			return
		}
		if t == ends || strings.Contains(ends, " "+t+" ") {
			b.stack = b.stack[:i]
			return
		}
	}
}

// implyP closes a paragraph that a block begins in.
func (b *treeBuilder) implyP() {
	if i := len(b.stack) - 1; b.nodes[b.stack[i]].tag == "p" {
		b.stack = b.stack[:i]
	}
}

// end closes the innermost open element of that name, with those inside it. A
// table cell is not closed from within by a stray end tag of what holds it.
func (b *treeBuilder) end(name string) {
	if b.over > 0 && !void[name] {
		b.over--
		return
	}
	for i := len(b.stack) - 1; i > 0 && i > len(b.stack)-60; i-- {
		t := b.nodes[b.stack[i]].tag
		if t == name {
			b.stack = b.stack[:i]
			return
		}
		if (t == "td" || t == "table") && name != "tr" && name != "table" && name != "body" && name != "html" && name != "tbody" {
			return
		}
	}
}

// attr returns an attribute's value.
func (n *node) attr(key string) string {
	for i := range n.attrs {
		if n.attrs[i].Key == key {
			return n.attrs[i].Val
		}
	}
	return ""
}

func (n *node) has(key string) bool {
	for i := range n.attrs {
		if n.attrs[i].Key == key {
			return true
		}
	}
	return false
}
