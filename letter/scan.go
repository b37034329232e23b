package letter

import (
	"bytes"
	"fmt"
	"strings"
)

// part is one MIME entity (RFC 2045), known by its offsets.
type part struct {
	src        *source
	header     Header
	parent     *part
	children   []*part
	path       string
	depth      int
	hdr        int64 // where the header begins
	start, end int64 // the body
	nl         byte

	mediaType   string // lower case, repaired; "text/plain" by default
	params      params
	disposition string // lower case, "" if absent
	dispParams  params
	encoding    string // lower case, "" if absent

	eols int64 // bytes that the line ends of the body take
	pads int   // '=' at the end of the last line that is not blank
	// Text outside of the parts of a multipart, which readers do not show: before the first part and after the last.
	preamble  span
	epilogues []span // several if more closing boundaries follow
}

// span is a stretch of the source.
type span struct{ start, end int64 }

func (p *part) addEpilogue(s span) {
	switch n := len(p.epilogues); {
	case s.end <= s.start:
	case n < 20:
		p.epilogues = append(p.epilogues, s)
	default:
		p.epilogues[n-1].end = s.end
	}
}

func (p *part) is(prefix string) bool { return strings.HasPrefix(p.mediaType, prefix) }
func (p *part) multipart() bool       { return len(p.children) > 0 }

// scanner walks once through a source and finds the parts.
type scanner struct {
	src    *source
	lines  *liner
	msg    *Message
	lim    Limits
	bounds []string // boundaries of the open multiparts with their "--", outermost first
	hbytes int
	fields int
	parts  int
	bad    int // header repairs that needed a look ahead
	block  []byte
	limit  *LimitError
}

// scan returns the tree of parts. On a *LimitError the tree reaches up to there; root is never nil without another error.
func scan(s *source, msg *Message, lim Limits) (root *part, err error) {
	lines, err := newLiner(s)
	if err != nil {
		return nil, err
	}
	sc := &scanner{src: s, lines: lines, msg: msg, lim: lim}
	root = &part{src: s, nl: lines.nl, depth: 1}
	if err := sc.skipLeading(); err != nil {
		return nil, err
	}
	if _, _, err := sc.entity(root); err != nil {
		return nil, err
	}
	root.end = max(root.end, root.start)
	if sc.limit != nil {
		return root, sc.limit
	}
	return root, nil
}

// skipLeading passes over what transports leave before a message: a byte-order mark, blank lines, an mbox "From " line.
func (sc *scanner) skipLeading() error {
	for first := true; ; first = false {
		line, off, _, err := sc.lines.next()
		if err != nil {
			return err
		}
		if line == nil {
			return sc.lines.seek(sc.lines.offset())
		}
		skip := int64(0)
		if first && bytes.HasPrefix(line, []byte("\xef\xbb\xbf")) {
			skip, line = 3, line[3:]
		}
		blank := len(bytes.Trim(line, "\r\n \t\x00")) == 0
		if blank || bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From ")) {
			continue
		}
		return sc.lines.seek(off + skip)
	}
}

// closing reports what ended an entity: the index into bounds (-1: end of the source), and whether it was a closing boundary.
func (sc *scanner) entity(p *part) (hit int, closing bool, err error) {
	if hit, closing, err = sc.header(p); err != nil || hit != noHit {
		p.setType(sc.msg)
		return hit, closing, err
	}
	p.setType(sc.msg)
	if sc.limit != nil {
		return sc.leaf(p)
	}
	if p.is("multipart/") {
		return sc.multi(p)
	}
	return sc.leaf(p)
}

const (
	noHit = -2 // nothing ended the entity yet
	eof   = -1
)

// boundary tells which open boundary the line is, innermost first.
func (sc *scanner) boundary(line []byte) (hit int, closing bool) {
	if len(line) < 3 || line[0] != '-' || line[1] != '-' {
		return noHit, false
	}
	for i := len(sc.bounds) - 1; i >= 0; i-- {
		b := sc.bounds[i]
		if len(line) < len(b) || string(line[:len(b)]) != b {
			continue
		}
		rest := bytes.TrimRight(line[len(b):], " \t\r\n")
		switch {
		case len(rest) == 0:
			return i, false
		case len(rest) >= 2 && rest[0] == '-' && rest[1] == '-' && len(bytes.Trim(rest, "- \t")) == 0:
			return i, true
		}
	}
	return noHit, false
}

func (sc *scanner) exceed(name string, max int64) {
	if sc.limit == nil {
		sc.limit = &LimitError{name, max}
	}
}

// header reads the header block. It stops before a line that cannot belong to one.
func (sc *scanner) header(p *part) (hit int, closing bool, err error) {
	p.hdr = sc.lines.offset()
	sc.block = sc.block[:0]
	count := 0
	for {
		line, off, start, err := sc.lines.next()
		if err != nil {
			return 0, false, err
		}
		if line == nil {
			return eof, false, sc.endHeader(p, off, count)
		}
		if start {
			if hit, closing := sc.boundary(line); hit != noHit {
				return hit, closing, sc.endHeader(p, off, count)
			}
			if line[0] == '\r' || line[0] == '\n' {
				return noHit, false, sc.endHeader(p, sc.lines.offset(), count)
			}
			name, _ := fieldName(line)
			folded := count > 0 && (line[0] == ' ' || line[0] == '\t')
			switch {
			case name > 0:
				count++
				sc.fields++
			case folded && len(bytes.TrimSpace(line)) > 0:
			case folded && !sc.headerGoesOn(off): // a "blank" line made of blanks
				return noHit, false, sc.endHeader(p, sc.lines.offset(), count)
			case folded:
				continue
			case count > 0 && sc.headerGoesOn(off):
				sc.msg.problem(ProblemHeader, p, "line without a colon taken as a continuation")
				sc.block = append(sc.block, ' ')
			default:
				sc.msg.problem(ProblemHeader, p, "no blank line after the header")
				if err := sc.lines.seek(off); err != nil {
					return 0, false, err
				}
				return noHit, false, sc.endHeader(p, off, count)
			}
		}
		sc.hbytes += len(line)
		if sc.hbytes > sc.lim.HeaderBytes || sc.fields > sc.lim.HeaderFields {
			sc.exceedHeader()
			return noHit, false, sc.endHeader(p, off, count)
		}
		sc.block = append(sc.block, line...)
		if sc.lines.nl == '\r' {
			sc.block[len(sc.block)-1] = '\n'
		}
	}
}

func (sc *scanner) exceedHeader() {
	if sc.fields > sc.lim.HeaderFields {
		sc.exceed("HeaderFields", int64(sc.lim.HeaderFields))
	} else {
		sc.exceed("HeaderBytes", int64(sc.lim.HeaderBytes))
	}
}

func (sc *scanner) endHeader(p *part, body int64, count int) error {
	p.start, p.end = body, body
	p.header = parseHeader(string(sc.block), count)
	if p.parent != nil && len(p.header) > 0 && !mimeHeader(p.header) {
		// A part that forgot its header and begins with "Note: ..." (RFC 2046 section 5.1: the blank line is not optional).
		sc.msg.problem(ProblemHeader, p, "part without a header")
		p.header = nil
		p.start = p.hdr
		return sc.lines.seek(p.hdr)
	}
	return nil
}

// mimeHeader tells whether any field is one that parts or embedded messages have.
func mimeHeader(h Header) bool {
	for _, f := range h {
		if knownField(f.Name) {
			return true
		}
	}
	return false
}

func knownField(name string) bool {
	switch n := strings.ToLower(name); n {
	case "from", "to", "cc", "bcc", "subject", "date", "received", "message-id", "mime-version", "reply-to", "sender",
		"return-path", "references", "in-reply-to", "delivered-to", "dkim-signature", "authentication-results",
		"thread-index", "thread-topic", "importance", "priority", "user-agent", "precedence", "auto-submitted", "errors-to":
		return true
	default:
		for _, prefix := range [...]string{"content-", "x-", "list-", "arc-", "resent-"} {
			if len(n) > len(prefix) && strings.HasPrefix(n, prefix) {
				return true
			}
		}
		return false
	}
}

// headerGoesOn looks a little ahead of a broken line: does a well-known field follow before the block ends?
func (sc *scanner) headerGoesOn(off int64) bool {
	if sc.bad++; sc.bad > 50 {
		return false
	}
	b, err := sc.src.bytes(off, off+4096, 4096)
	if err != nil {
		return false
	}
	for n := 0; n < 20; n++ {
		i := bytes.IndexByte(b, sc.lines.nl)
		if i < 0 {
			return false
		}
		b = b[i+1:]
		if len(b) == 0 || b[0] == '\r' || b[0] == '\n' {
			return false
		}
		if hit, _ := sc.boundary(firstLine(b, sc.lines.nl)); hit != noHit {
			return false
		}
		if name, _ := fieldName(b); name > 0 && knownField(string(b[:name])) {
			return true
		}
	}
	return false
}

func firstLine(b []byte, nl byte) []byte {
	if i := bytes.IndexByte(b, nl); i >= 0 {
		return b[:i+1]
	}
	return b
}

// leaf passes over a body until a boundary of an enclosing multipart.
func (sc *scanner) leaf(p *part) (hit int, closing bool, err error) {
	eol, last := 0, []byte(nil)
	count := p.encoding == "base64"
	for {
		line, off, start, err := sc.lines.next()
		if err != nil {
			return 0, false, err
		}
		if line == nil {
			p.end = off
			return eof, false, nil
		}
		if start && len(line) > 2 && line[0] == '-' && line[1] == '-' {
			if hit, closing := sc.boundary(line); hit != noHit {
				p.end = max(off-int64(eol), p.start) // the line end before a boundary is the boundary's (RFC 2046 section 5.1.1)
				p.eols -= int64(min(eol, int(p.eols)))
				return hit, closing, nil
			}
		}
		eol = 0
		if n := len(line); line[n-1] == sc.lines.nl {
			eol = 1
			if n > 1 && line[n-2] == '\r' {
				eol = 2
			}
		}
		if count {
			p.eols += int64(eol)
			if last = line[:len(line)-eol]; len(last) > 0 {
				p.pads = len(last) - len(bytes.TrimRight(last, "="))
			}
		}
	}
}

// multi reads the parts of a multipart.
func (sc *scanner) multi(p *part) (hit int, closing bool, err error) {
	b := strings.TrimRight(p.params.get("boundary"), " \t")
	if b == "" || len(b) > 1000 || !sc.appears(p, b) {
		guess := sc.guess(p)
		if guess == "" && b == "" {
			sc.msg.problem(ProblemBoundary, p, "multipart without a usable boundary taken as text")
			p.mediaType, p.params = "text/plain", nil
			return sc.leaf(p)
		}
		if guess != "" {
			sc.msg.problem(ProblemBoundary, p, "boundary missing or wrong, guessed from the body")
			b = guess
		}
	}
	if p.depth >= sc.lim.Depth {
		sc.exceed("Depth", int64(sc.lim.Depth))
		return sc.leaf(p)
	}
	sc.bounds = append(sc.bounds, "--"+b)
	own := len(sc.bounds) - 1
	hit, closing, err = sc.children(p, own)
	sc.bounds = sc.bounds[:own]
	if err == nil && len(p.children) == 0 {
		sc.msg.problem(ProblemBoundary, p, "multipart whose boundary never comes taken as text")
		p.mediaType, p.params = "text/plain", nil
	}
	return hit, closing, err
}

func (sc *scanner) children(p *part, own int) (hit int, closing bool, err error) {
	body := part{start: p.start}
	hit, closing, err = sc.leaf(&body)
	p.preamble = span{body.start, body.end}
	closed := false
	for err == nil && hit == own && sc.limit == nil {
		if closing {
			closed = true
			epilogue := part{start: sc.lines.offset()}
			hit, closing, err = sc.leaf(&epilogue)
			p.addEpilogue(span{epilogue.start, epilogue.end})
			body.end = epilogue.end
			continue
		}
		if sc.parts++; sc.parts > sc.lim.Parts {
			sc.exceed("Parts", int64(sc.lim.Parts))
			break
		}
		child := &part{src: p.src, parent: p, depth: p.depth + 1, nl: p.nl}
		child.path = fmt.Sprint(len(p.children) + 1)
		if p.path != "" {
			child.path = p.path + "." + child.path
		}
		p.children = append(p.children, child)
		hit, closing, err = sc.entity(child)
		body.end = child.end
	}
	p.end = body.end
	if err == nil && !closed && len(p.children) > 0 {
		sc.msg.problem(ProblemBoundary, p, "multipart not closed")
	}
	return hit, closing, err
}

// appears looks for the boundary in the first stretch of the body; the preamble is hardly ever longer.
func (sc *scanner) appears(p *part, b string) bool {
	head, err := sc.src.bytes(p.start, p.start+window/4, window/4)
	return err != nil || bytes.Contains(head, []byte("--"+b)) || len(head) == window/4
}

// guess finds a boundary by its looks: a line of dashes and a word, followed by a content field.
func (sc *scanner) guess(p *part) string {
	head, err := sc.src.bytes(p.start, p.start+window/4, window/4)
	if err != nil {
		return ""
	}
	for len(head) > 0 {
		line := firstLine(head, sc.lines.nl)
		head = head[len(line):]
		if hit, _ := sc.boundary(line); hit != noHit {
			return ""
		}
		word := bytes.TrimRight(line, "\r\n \t")
		if len(word) < 4 || word[0] != '-' || word[1] != '-' || len(word) > 200 || bytes.IndexByte(word, ' ') >= 0 {
			continue
		}
		if name, _ := fieldName(head); name > 8 && strings.EqualFold(string(head[:8]), "content-") {
			return string(word[2:])
		}
	}
	return ""
}
