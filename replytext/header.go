package replytext

import (
	"strings"
	"unicode"
)

// headerLines bounds the lines of a quoted header block that are looked at.
const headerLines = 16

// labelOf reads a header label at the beginning of a folded line and says where
// its value begins. Labels may be bold, as Outlook's are in text made of HTML.
func labelOf(f string) (field, int) {
	lx := words()
	i := 0
	for i < len(f) && strings.IndexByte("*_ |#>", f[i]) >= 0 {
		i++
	}
	stop := min(len(f), i+lx.longest+4)
	c := strings.IndexByte(f[i:stop], ':')
	if c <= 0 {
		return fieldNone, 0
	}
	return lx.labels[strings.Trim(f[i:i+c], "*_ .\"")], i + c + 1
}

// lateLabel finds a label inside a line, behind another field's value, as in
// text that lost its line breaks: "To: a@b Subject: c".
func lateLabel(f string) (found [fieldOther + 1]bool) {
	lx := words()
	first := strings.IndexByte(f, ':')
	for c := first; c >= 0 && c < 600; {
		w := f[:c]
		w = strings.TrimRight(w, " *_")
		w = w[strings.LastIndexByte(w, ' ')+1:]
		w = strings.TrimLeft(w, "*_0123456789()[]<>.:/\"")
		if k, ok := lx.labels[w]; ok && c > first {
			found[k] = true
		}
		n := strings.IndexByte(f[c+1:], ':')
		if n < 0 {
			break
		}
		c += 1 + n
	}
	return found
}

// headerAt looks for a quoted header block that begins in line i.
func (d *doc) headerAt(i int) (introduction, bool) {
	l := &d.lines[i]
	first := l.label
	if (first == fieldNone || first == fieldOther) && l.mark != markHeader {
		return d.flatHeader(i)
	}
	b := d.readHeader(i)
	strength := b.strength(d.introduced(i), l.mark == markHeader)
	d.us = d.us || b.us && strength > 0
	if strength == 0 {
		return introduction{}, false
	}
	return introduction{
		start: l.body, end: d.lines[b.last].end, last: b.last,
		kind: Attribution, reason: "header block", strength: strength,
	}, true
}

// flatHeader finds a header block in the middle of a line, where a converter
// lost all line breaks: "Yes. Ann From: Bob <bob@example.org> Sent: ... To: ...".
func (d *doc) flatHeader(i int) (introduction, bool) {
	l := &d.lines[i]
	if strings.Count(l.fold, ":") < 4 || !strings.Contains(l.fold, "@") {
		return introduction{}, false
	}
	lx := words()
	f, at := foldMap(d.full[l.body:l.end])
	for c := strings.IndexByte(f, ':'); c >= 0; {
		start := strings.LastIndexByte(f[:c], ' ') + 1
		if lx.labels[strings.TrimLeft(f[start:c], "*_")] == fieldFrom && unicode.IsUpper(rune(d.full[l.body+int(at[start])])) {
			block := f[start:min(len(f), start+600)]
			found := lateLabel(block)
			if found[fieldSent] && found[fieldTo] && found[fieldSubject] && strings.Contains(block, "@") {
				return introduction{
					start: l.body + int(at[start]), end: l.end, last: i,
					kind: Attribution, reason: "header block", strength: .9,
				}, true
			}
		}
		n := strings.IndexByte(f[c+1:], ':')
		if n < 0 {
			break
		}
		c += 1 + n
	}
	return introduction{}, false
}

// topHeaders takes labels above the text that are the mail's own headers: a
// quoted header block below has the same people, sender and recipient changed.
func (d *doc) topHeaders() {
	i := d.nextText(0)
	end := i
	for end < len(d.lines) && end < i+6 && d.lines[end].own() && d.lines[end].label != fieldNone {
		end++
	}
	if end-i < 2 || end >= len(d.lines) || !d.lines[end].blank() {
		return
	}
	quoted := ""
	for j := end; j < len(d.lines) && len(quoted) < 2000; j++ {
		if l := &d.lines[j]; l.kind == Attribution && l.reason == "header block" {
			quoted += l.fold + "\n"
		}
	}
	for j := i; j < end; j++ {
		_, at := labelOf(d.lines[j].fold)
		if value := strings.TrimSpace(d.lines[j].fold[at:]); value == "" || !strings.Contains(quoted, value) {
			return
		}
	}
	d.set(i, end, Attribution, "own headers", .7)
}

// A headerBlock is what has been seen of a quoted header block.
type headerBlock struct {
	has    [fieldOther + 1]bool
	labels int // lines with a label
	mail   bool
	date   bool
	us     bool
	last   int
	late   bool // more than one label in a line
}

func (d *doc) readHeader(i int) headerBlock {
	b := headerBlock{last: i}
	depth, blanks, loose := d.lines[i].depth, 0, 0
	for j := i; j < len(d.lines) && j < i+headerLines; j++ {
		l := &d.lines[j]
		if l.blank() {
			if blanks++; blanks > 1 && b.labels > 2 || blanks > 2 {
				break
			}
			continue
		}
		if l.depth != depth {
			break
		}
		f := l.label
		if f == fieldNone {
			// A value may be wrapped; text behind a blank line is the mail.
			if loose++; blanks > 0 || loose > 3 {
				break
			}
			b.look(d, j)
			continue
		}
		if b.has[f] && f != fieldOther && (blanks > 0 || b.enough()) {
			break
		}
		blanks, loose = 0, 0
		b.has[f] = true
		b.labels++
		b.last = j
		for k, ok := range lateLabel(l.fold) {
			if ok && !b.has[k] {
				b.has[k], b.late = true, true
			}
		}
		b.look(d, j)
	}
	b.last = d.wrappedValue(b.last)
	return b
}

// A look is what a line of a header block has.
type look uint8

const (
	lookDone look = 1 << iota
	lookMail
	lookDate
	lookOurs
)

// look notes addresses and dates in a block's line; each line is read once.
func (b *headerBlock) look(d *doc, j int) {
	l := &d.lines[j]
	if l.looked == 0 {
		l.looked = lookDone
		f := l.fold[:min(len(l.fold), 1000)]
		d.scanner.buf = words().tokens(d.scanner.buf[:0], f)
		for _, t := range d.scanner.buf {
			switch t.what {
			case tokMail:
				l.looked |= lookMail
				if d.ours.isOurs(t.text) {
					l.looked |= lookOurs
				}
			case tokDate, tokTime:
				l.looked |= lookDate
			}
		}
	}
	b.mail = b.mail || l.looked&lookMail != 0
	b.date = b.date || l.looked&lookDate != 0
	b.us = b.us || l.looked&lookOurs != 0
}

func (b *headerBlock) enough() bool { return b.has[fieldFrom] && b.has[fieldSubject] }

// wrappedValue includes the continuation of a block's last value: address lists
// and long subjects are wrapped, with a space before the next line or without.
func (d *doc) wrappedValue(last int) int {
	if last+1 >= len(d.lines) {
		return last
	}
	value := d.full[d.lines[last].body:d.lines[last].end]
	next := d.full[d.lines[last+1].body:d.lines[last+1].end]
	open := strings.Count(value, "<") > strings.Count(value, ">") || strings.HasSuffix(strings.TrimSpace(value), ";")
	if open && len(next) < 300 && strings.TrimSpace(next) != "" {
		return last + 1
	}
	return last
}

// strength weighs a block; 0 says that it is none. A person's own list ("From:
// Paris, To: London") has no address and no subject.
func (b *headerBlock) strength(introduced, boxed bool) float64 {
	n := 0
	for f, ok := range b.has {
		if ok && field(f) != fieldNone && field(f) != fieldOther {
			n++
		}
	}
	fromWhom := b.has[fieldFrom] && (b.mail || b.has[fieldSubject])
	switch {
	case b.us && n >= 2:
		return .97
	case n >= 3 && (b.mail || b.has[fieldSubject]):
		return .95
	case n >= 2 && (introduced || boxed):
		return .9
	case n >= 3 && b.has[fieldFrom] && b.date:
		return .8
	case boxed && b.labels == 0 && b.mail && b.date:
		return .8
	case n == 2 && fromWhom && (b.has[fieldSent] || b.has[fieldSubject]) && (b.mail || b.date):
		return .8
	case n == 2 && b.has[fieldSent] && b.has[fieldTo] && b.mail && b.date:
		return .75
	}
	return 0
}

// introduced tells whether a rule, dashes or a title stand above line i, so
// that a weaker block will do.
func (d *doc) introduced(i int) bool {
	p := d.prevText(i)
	if p < 0 {
		return false
	}
	f := d.lines[p].fold
	if isRule(f) {
		return true
	}
	_, ok := d.titleAt(p)
	return ok || d.lines[p].kind == Attribution
}

// titleAt looks for "-----Original Message-----" and its like in line i, at its
// start or behind the author's last words.
func (d *doc) titleAt(i int) (introduction, bool) {
	f := d.lines[i].fold
	if len(f) < 4 {
		return introduction{}, false
	}
	dashes := strings.Contains(f, "--") || strings.Contains(f, "__") || strings.Contains(f, "==")
	if dashes {
		if in, ok := d.dashedTitle(i); ok {
			return in, true
		}
	}
	if len(f) > 140 {
		return introduction{}, false
	}
	if isReplyLine(f) {
		l := &d.lines[i]
		return introduction{start: l.body, end: l.end, last: i, kind: Attribution, reason: "reply line", strength: .95}, true
	}
	if dashes || len(f) > 80 {
		return introduction{}, false
	}
	return d.bareTitle(i)
}

// isReplyLine knows the line that ticket systems put above their mails: "## Please
// reply above this line ##".
func isReplyLine(f string) bool {
	if isLetter(f[0]) && !hasAnyPrefix(f, []string{"reply above", "please reply above", "please type your reply above", "write your reply above"}) {
		return false
	}
	return hasAny(f, replyLines)
}

// bareTitle is a title alone in its line, such as Apple's "Begin forwarded
// message:". Headers or quoted lines must follow it.
func (d *doc) bareTitle(i int) (introduction, bool) {
	lx, l := words(), &d.lines[i]
	name := strings.Trim(l.fold, " :*_.~#|[]<>")
	kind := Kind("")
	switch {
	case lx.forwarded[name]:
		kind = Forwarded
	case lx.original[name], strings.HasPrefix(name, "original message processed by "):
		kind = Attribution
	default:
		return introduction{}, false
	}
	j := d.nextText(i + 1)
	if j >= len(d.lines) {
		return introduction{}, false
	}
	below := d.lines[j].label
	if below == fieldNone && d.lines[j].depth <= l.depth && !strings.Contains(name, " processed by ") {
		return introduction{}, false
	}
	return introduction{start: l.body, end: l.end, last: i, kind: kind, reason: "title", strength: .9}, true
}

// dashedTitle reads the words after a run of dashes. The run may follow the
// author's words in the same line.
func (d *doc) dashedTitle(i int) (introduction, bool) {
	lx, l := words(), &d.lines[i]
	f, at := foldMap(d.full[l.body:l.end])
	for p := 0; p < len(f); {
		if !dash(f[p]) {
			p++
			continue
		}
		q := p
		for q < len(f) && dash(f[q]) {
			q++
		}
		if q-p < 2 {
			p = q
			continue
		}
		name, end := titleWords(f, q)
		kind := lx.title(name)
		if kind == "" && p == 0 && end > q+len(name)+2 && d.headerBelow(i) {
			kind = Attribution // dashes, words, dashes, header: a title in a language unknown here
		}
		if kind != "" {
			return introduction{
				start: l.body + int(at[p]), end: l.body + int(at[end]), last: i,
				kind: kind, reason: "title", strength: .95,
			}, true
		}
		p = q
	}
	return introduction{}, false
}

func dash(c byte) bool { return c == '-' || c == '_' || c == '=' || c == '*' }

// titleWords reads the words from q to the next dashes, colon or end, and where
// the dashes behind them end.
func titleWords(f string, q int) (name string, end int) {
	stop := min(len(f), q+90)
	e := q
	for e < stop && !(dash(f[e]) && e+1 < len(f) && dash(f[e+1])) {
		e++
	}
	name = strings.Trim(f[q:e], " :.>*[]")
	for e < len(f) && (dash(f[e]) || f[e] == ' ' || f[e] == ':') {
		e++
	}
	return name, e
}

// title says what a title between dashes introduces, "" if it is none.
func (lx *lexicon) title(name string) Kind {
	if len(name) < 4 {
		return ""
	}
	if lx.forwarded[name] {
		return Forwarded
	}
	if lx.original[name] {
		return Attribution
	}
	// "Forwarded by Ann on 1 May", "Original message from Ann": the title is the beginning.
	for cut := len(name); ; {
		cut = strings.LastIndexByte(name[:cut], ' ')
		if cut <= 0 {
			return ""
		}
		if lx.forwarded[name[:cut]] {
			return Forwarded
		}
		if lx.original[name[:cut]] {
			return Attribution
		}
	}
}

// headerBelow tells whether a header block begins under line i.
func (d *doc) headerBelow(i int) bool {
	j := d.nextText(i + 1)
	if j >= len(d.lines) || j > i+3 {
		return false
	}
	_, ok := d.headerOnly(j)
	return ok
}

// headerOnly is headerAt without a look at what stands above.
func (d *doc) headerOnly(i int) (headerBlock, bool) {
	if f := d.lines[i].label; f == fieldNone || f == fieldOther {
		return headerBlock{}, false
	}
	b := d.readHeader(i)
	return b, b.strength(true, false) > 0
}

// isRule tells whether a folded line is a drawn line: one mark repeated, with or
// without spaces between, perhaps in bold.
func isRule(f string) bool {
	f = strings.Trim(f, " ")
	if strings.HasPrefix(f, "**") {
		if t := strings.Trim(f, "*_ "); t != "" {
			f = t
		}
	}
	if len(f) < 3 || strings.IndexByte("-_=*.~#+", f[0]) < 0 {
		return false
	}
	n := 0
	for i := 0; i < len(f); i++ {
		switch f[i] {
		case ' ':
		case f[0]:
			n++
		default:
			return false
		}
	}
	return n >= 5 || n >= 3 && strings.IndexByte("-_=*", f[0]) >= 0
}
