package replytext

import (
	"strconv"
	"strings"
	"sync"
)

// blocks are elements that begin a line.
var blocks = map[string]bool{
	"address": true, "article": true, "aside": true, "blockquote": true, "body": true, "center": true, "dd": true,
	"details": true, "dir": true, "div": true, "dl": true, "dt": true, "fieldset": true, "figcaption": true, "figure": true,
	"footer": true, "form": true, "h1": true, "h2": true, "h3": true, "h4": true, "h5": true, "h6": true, "header": true,
	"hr": true, "li": true, "main": true, "menu": true, "nav": true, "ol": true, "p": true, "pre": true, "section": true,
	"summary": true, "table": true, "tbody": true, "tfoot": true, "thead": true, "tr": true, "ul": true, "includetail": true,
	"caption": true, "legend": true, "html": true,
}

// skipped are elements without text for a reader.
var skipped = map[string]bool{
	"head": true, "style": true, "script": true, "title": true, "template": true, "noscript": true, "svg": true, "math": true,
	"object": true, "iframe": true, "select": true, "textarea": true, "xml": true,
}

var domActions = sync.OnceValue(func() *domIndex { return newDOMIndex(domRules) })

// newHTMLDoc turns a text/html body into lines, each marked with what the DOM
// says about it.
func newHTMLDoc(s string, markdown bool) *doc {
	nodes := parseHTML(clean(s))
	x := domActions()
	for i := range nodes {
		if nodes[i].tag != "" {
			nodes[i].action = x.action(&nodes[i])
		}
	}
	for i := len(nodes) - 1; i > 0; i-- { // children stand behind their parents
		n, p := &nodes[i], &nodes[nodes[i].parent]
		p.quotes = p.quotes || n.quotes || n.tag == "blockquote" || n.action == domCite
		p.carries = p.carries || n.carries || n.tag == "" && strings.TrimSpace(n.text) != ""
	}
	w := &walker{nodes: nodes, markdown: markdown}
	w.walk()
	w.line()
	return newDoc(w.out.String(), w.marks, FromHTML)
}

// A walker writes nodes as lines.
type walker struct {
	nodes    []node
	markdown bool
	out      strings.Builder
	marks    []mark

	cur   strings.Builder // the line being written
	space bool            // a space is due before the next word
	cell  bool            // a bar is due before the next word
	open  string          // Markdown's mark that is due before the next word
	blank bool            // a blank line is due before the next one
	wrote bool            // something was written
	above int             // depth of the line above
	mark  mark            // of the line being written

	state walkState
	from  bool // the next line begins history
	box   bool // the next line begins a header box
}

// walkState is what children inherit.
type walkState struct {
	depth     int
	mark      mark
	pre       bool
	container bool
	list      []listState
}

type listState struct {
	ordered bool
	n       int
}

// walk goes through the tree without recursion.
func (w *walker) walk() {
	type frame struct {
		id    int32
		state walkState
		close string
	}
	stack := make([]frame, 0, 64)
	id := w.nodes[0].first
	for {
		for id == 0 {
			if len(stack) == 0 {
				return
			}
			f := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			w.leave(&w.nodes[f.id], f.close)
			w.state = f.state
			id = w.nodes[f.id].next
		}
		n := &w.nodes[id]
		if n.tag == "" {
			w.text(n.text)
			id = n.next
			continue
		}
		if skipped[n.tag] || n.action == domDrop {
			id = n.next
			continue
		}
		f := frame{id: id, state: w.state}
		f.close = w.enter(n)
		if n.first == 0 {
			w.leave(n, f.close)
			w.state = f.state
			id = n.next
			continue
		}
		stack = append(stack, f)
		id = n.first
	}
}

// enter begins an element and returns what leave writes after its text.
func (w *walker) enter(n *node) string {
	if blocks[n.tag] {
		w.line()
	}
	w.act(n)
	switch n.tag {
	case "br":
		w.lineBreak()
	case "hr":
		w.blank = true
		w.word("---")
		w.line()
		w.blank = true
	case "p":
		w.blank = w.blank || !tight(n)
	case "h1", "h2", "h3", "h4", "h5", "h6":
		w.blank = true
		if w.markdown && n.carries {
			w.word(strings.Repeat("#", int(n.tag[1]-'0')) + " ")
		}
	case "pre":
		w.state.pre = true
	case "blockquote":
		w.blockquote(n)
	case "ul", "ol", "menu", "dir":
		w.list(n)
	case "li":
		w.item()
	case "td", "th":
		w.cell = w.cur.Len() > 0
	case "img":
		w.image(n)
	case "a":
		return w.anchor(n)
	case "b", "strong":
		return w.emphasis(n, "**")
	case "i", "em":
		return w.emphasis(n, "*")
	case "s", "strike", "del":
		return w.emphasis(n, "~~")
	case "code", "tt":
		return w.emphasis(n, "`")
	}
	return ""
}

// leave ends an element.
func (w *walker) leave(n *node, close string) {
	if close != "" {
		if w.open == "" && w.cur.Len() > 0 {
			w.cur.WriteString(close)
		}
		w.open = ""
	}
	if blocks[n.tag] {
		w.line()
	}
	switch n.tag {
	case "p":
		w.blank = w.blank || !tight(n)
	case "h1", "h2", "h3", "h4", "h5", "h6", "table", "blockquote", "pre":
		w.blank = true
	case "ul", "ol":
		w.blank = w.blank || len(w.state.list) == 1
	}
}

// act does what the element's mail program meant by it.
func (w *walker) act(n *node) {
	switch n.action {
	case domContainer:
		w.state.container = true
		if !n.quotes {
			w.hold(markQuote)
		}
	case domQuote:
		w.hold(markQuote)
	case domCite:
		w.hold(markCite)
	case domAttribution:
		w.hold(markAttribution)
	case domSignature:
		w.hold(markSignature)
	case domForward:
		w.hold(markForward)
	case domFrom:
		w.line()
		w.from = true
	case domBox:
		w.line()
		w.box = true
	}
}

// hold sets the mark of an element's lines, unless a stronger one holds.
func (w *walker) hold(m mark) {
	w.line()
	if w.state.mark == markNone || w.state.mark == markCite || m == markQuote {
		w.state.mark = m
	}
}

// blockquote deepens the quotation. Gmail puts history into its own division; a
// blockquote of its class elsewhere was made by the composer's quote button.
func (w *walker) blockquote(n *node) {
	if n.action == domCite && !w.state.container && !n.has("type") && !n.has("cite") && strings.Contains(n.attr("class"), "gmail_quote") {
		w.state.mark = markButton
	}
	w.state.depth++
	w.blank = true
}

// tight tells whether a paragraph has no space around it: Outlook's lines.
func tight(n *node) bool {
	st := n.attr("style")
	return strings.Contains(n.attr("class"), "Mso") || strings.Contains(st, "margin:0") || strings.Contains(st, "margin: 0") ||
		strings.Contains(st, "margin-bottom:0") || strings.Contains(st, "margin-bottom: 0")
}

func (w *walker) list(n *node) {
	list := make([]listState, len(w.state.list), len(w.state.list)+1)
	copy(list, w.state.list)
	start := 0
	if v, err := strconv.Atoi(n.attr("start")); err == nil {
		start = v - 1
	}
	w.state.list = append(list, listState{ordered: n.tag == "ol", n: start})
}

func (w *walker) item() {
	k := len(w.state.list)
	if k == 0 {
		w.bullet("- ")
		return
	}
	l := &w.state.list[k-1]
	indent := strings.Repeat("  ", min(k-1, 8))
	if l.ordered {
		l.n++
		w.bullet(indent + strconv.Itoa(l.n) + ". ")
		return
	}
	w.bullet(indent + "- ")
}

// bullet begins a list item's line; it is written only if words follow.
func (w *walker) bullet(s string) {
	w.cur.WriteString(s)
	w.mark = w.state.mark
	w.space = false
}

// text writes a text node: white space collapses outside of pre.
func (w *walker) text(s string) {
	if w.state.pre {
		for {
			l, rest, more := strings.Cut(s, "\n")
			if l != "" {
				w.word(l)
			}
			if !more {
				return
			}
			w.lineBreak()
			s = rest
		}
	}
	for i := 0; i < len(s); {
		if isSpace(s[i]) {
			w.space = true
			i++
			continue
		}
		j := i
		for j < len(s) && !isSpace(s[j]) {
			j++
		}
		w.word(strings.ReplaceAll(s[i:j], "\u00a0", " "))
		i = j
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' }

// word writes a run of characters, with the space or bar that is due before it.
func (w *walker) word(s string) {
	if w.cur.Len() == 0 {
		w.mark = w.state.mark
	}
	switch {
	case w.cur.Len() == 0:
	case w.cell:
		w.cur.WriteString(" | ")
	case w.space && !strings.HasSuffix(w.cur.String(), " "):
		w.cur.WriteByte(' ')
	}
	w.space, w.cell = false, false
	w.cur.WriteString(w.open)
	w.open = ""
	w.cur.WriteString(s)
}

// lineBreak ends the line, or leaves an empty one.
func (w *walker) lineBreak() {
	if strings.TrimSpace(w.cur.String()) == "" {
		w.cur.Reset()
		w.blank = w.wrote
		return
	}
	w.line()
}

// line ends the line being written, if there is one.
func (w *walker) line() {
	s := strings.TrimRight(w.cur.String(), " ")
	w.cur.Reset()
	w.space, w.cell = false, false
	if t := strings.TrimSpace(s); t == "" || t == "-" && strings.HasPrefix(s, "- ") {
		return
	}
	depth := min(w.state.depth, 40)
	prefix := strings.Repeat("> ", depth)
	if w.blank && w.wrote {
		w.emit(strings.TrimRight(strings.Repeat("> ", min(depth, w.above)), " "), markNone)
	}
	w.above = depth
	m := w.mark
	switch {
	case w.from:
		m = markFrom
	case w.box && m == markNone:
		m = markHeader
	}
	w.from, w.box, w.blank, w.wrote = false, false, false, true
	w.emit(prefix+s, m)
}

func (w *walker) emit(s string, m mark) {
	if len(w.marks) > 0 {
		w.out.WriteByte('\n')
	}
	w.out.WriteString(strings.ReplaceAll(s, "\n", " ")) // attributes may hold line feeds
	w.marks = append(w.marks, m)
}

// image keeps the place of an inline image and the sense of an emoticon.
func (w *walker) image(n *node) {
	src, alt := n.attr("src"), strings.TrimSpace(n.attr("alt"))
	switch {
	case strings.HasPrefix(src, "cid:"):
		w.word("![" + strings.NewReplacer("[", "(", "]", ")", "\n", " ").Replace(alt) + "](" + src + ")")
	case alt != "" && len(alt) <= 16 && alt[0] >= 0xE2:
		w.word(alt)
	}
}
