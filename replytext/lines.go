package replytext

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A doc is a mail's body as lines, each with what is known about it.
type doc struct {
	full   string
	lines  []line
	source Source
	ours   *evidence

	scanner  attributionScan
	passedOn bool // the subject says that this is a forward
	first    int  // the author's first line
	seen     bool // the scan has met words of the author
	final    int  // behind the last line with words of ours
	us       bool // our address, our name or our words were found
}

// A line is a span of full. Lines may be split where a mail program's words
// follow the author's without a break, so two of them can share a line of text.
type line struct {
	start, end int     // without the line feed
	body       int     // where the text begins behind the quote marks
	depth      int     // number of quote marks
	mark       mark    // what the DOM says
	fold       string  // text behind the quote marks, folded and trimmed
	label      field   // of a header that the line may be
	looked     look    // what tokens it has
	words      int     // words of the text, links left out
	sent       float32 // share of them that stand in a mail of ours

	kind     Kind // "" for the author's own
	reason   string
	strength float64
	shown    bool // a quoted line that stays, because an answer stands under it
}

// A mark is what the HTML said about a line.
type mark uint8

const (
	markNone        mark = iota
	markCite             // in a blockquote that mail programs make for quotes
	markButton           // in a blockquote that the author made by the composer's button
	markQuote            // in an element that holds only history
	markSent             // words that we sent, whether marked as a quote or not
	markFrom             // history begins here and goes to the end
	markHeader           // first line of a box that a header block stands in
	markAttribution      // in an attribution's element
	markSignature        // in a signature's element
	markForward          // in a forwarded mail's element
)

func (l *line) blank() bool  { return l.fold == "" && l.mark != markFrom }
func (l *line) own() bool    { return l.kind == "" && l.fold != "" }
func (l *line) quoted() bool { return l.depth > 0 || l.mark == markQuote || l.mark == markSent }

// newTextDoc reads a text/plain body.
func newTextDoc(s string) *doc {
	return newDoc(clean(s), nil, FromText)
}

// newDoc splits full into lines. marks, if any, has one element per line.
func newDoc(full string, marks []mark, src Source) *doc {
	d := &doc{full: full, source: src}
	d.lines = make([]line, 0, strings.Count(full, "\n")+1)
	for at, n := 0, 0; at <= len(full); n++ {
		end := len(full)
		if i := strings.IndexByte(full[at:], '\n'); i >= 0 {
			end = at + i
		}
		l := d.newLine(at, end)
		if n < len(marks) {
			l.mark = marks[n]
		}
		d.lines = append(d.lines, l)
		at = end + 1
	}
	return d
}

func (d *doc) newLine(start, end int) line {
	l := line{start: start, end: end}
	off, depth := quoteMarks(d.full[start:end])
	l.body, l.depth = start+off, depth
	d.refold(&l)
	return l
}

// refold sets what follows from a line's text.
func (d *doc) refold(l *line) {
	l.fold = strings.TrimSpace(fold(d.full[l.body:l.end]))
	l.label, _ = labelOf(l.fold)
	l.looked = 0
}

// quoteMarks counts the marks at the beginning of s and says where the text
// behind them begins. Marks may be apart: ">>", "> >", " > ".
func quoteMarks(s string) (off, depth int) {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '>':
			depth++
			i++
			off = i
		case c == ' ' || c == '\t':
			i++
		default:
			// Space and byte order marks may stand before a quote mark.
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == '\u00a0' || r == '\u200b' || r == '\ufeff' || r == '\u200e' || r == '\u200f' {
				i += n
				continue
			}
			if r == '＞' {
				depth++
				i += n
				off = i
				continue
			}
			return off, depth
		}
	}
	return off, depth
}

// splitAt makes two lines of line i at the offset at of full. The second one
// keeps the first one's depth and mark.
func (d *doc) splitAt(i, at int) {
	l := d.lines[i]
	if at <= l.body || at >= l.end {
		return
	}
	first, second := l, l
	first.end = at
	second.start, second.body = at, at
	d.refold(&first)
	d.refold(&second)
	d.lines = append(d.lines, line{})
	copy(d.lines[i+2:], d.lines[i+1:])
	d.lines[i], d.lines[i+1] = first, second
}

// text returns a line's text behind the quote marks.
func (d *doc) text(i int) string { return d.full[d.lines[i].body:d.lines[i].end] }

// nextText returns the first line from i on that is not blank, or len(d.lines).
func (d *doc) nextText(i int) int {
	for i < len(d.lines) && d.lines[i].blank() {
		i++
	}
	return i
}

// prevText returns the last line before i that is not blank, or -1.
func (d *doc) prevText(i int) int {
	for i--; i >= 0 && d.lines[i].blank(); i-- {
	}
	return i
}

// set marks the lines from i up to j.
func (d *doc) set(i, j int, k Kind, reason string, strength float64) {
	for ; i < j && i < len(d.lines); i++ {
		l := &d.lines[i]
		l.kind, l.reason, l.strength = k, reason, strength
	}
}

// clean bounds a body and brings it to line feeds, composed letters and valid
// UTF-8, without control characters and byte order marks.
func clean(s string) string {
	if len(s) > MaxInput {
		s = s[:MaxInput] // a letter parted here becomes U+FFFD
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.IndexByte(s, '\r') >= 0 {
		s = strings.ReplaceAll(s, "\r\n", "\n")
		s = strings.ReplaceAll(s, "\r", "\n")
	}
	if plain(s) {
		return composed(s)
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\f', r == '\v', r == '\u2028', r == '\u2029', r == '\u0085':
			return '\n'
		case r < ' ' && r != '\n' && r != '\t', r == 0x7F, r == '\ufeff':
			return -1
		}
		return r
	}, s)
	return composed(s)
}

func composed(s string) string {
	if !norm.NFC.IsNormalString(s) {
		s = norm.NFC.String(s)
	}
	return s
}

// plain tells whether there is nothing in s that clean takes out or makes a line feed.
// Most bodies are so, and looking is cheaper than copying.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= ' ' && c < 0x7F, c == '\n', c == '\t', c > 0x7F && c != 0xC2 && c != 0xE2 && c != 0xEF:
		case c < 0x80,
			strings.HasPrefix(s[i:], "\u0085"), strings.HasPrefix(s[i:], "\u2028"), strings.HasPrefix(s[i:], "\u2029"), strings.HasPrefix(s[i:], "\ufeff"):
			return false
		}
	}
	return true
}
