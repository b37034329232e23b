package letter

import (
	"bytes"
	"slices"
	"strings"
)

// content is what a subtree contributes to the body: runs of text, HTML or both.
type content struct {
	runs []run
}

type run struct {
	text, html   string
	hasT, hasH   bool
	image        *Attachment // stands between texts
	alternatives bool
}

// contents walks the tree: body, attachments, then the verdicts that need both.
func (rd *reader) contents(root *part) error {
	c, err := rd.collect(root)
	if err != nil {
		return err
	}
	if t, h := c.has(); !t && !h {
		last, err := rd.lastResort(root)
		if err != nil {
			return err
		}
		c.runs = append(c.runs, last.runs...)
	}
	if err := rd.strays(root); err != nil {
		return err
	}
	rd.join(c)
	return rd.verdicts(root)
}

func (c content) has() (text, html bool) {
	for _, r := range c.runs {
		text = text || r.hasT && strings.TrimSpace(r.text) != ""
		html = html || r.hasH && strings.TrimSpace(r.html) != ""
	}
	return text, html
}

// refers tells whether the HTML shows an attachment by its Content-ID.
func (c content) refers(cid string) bool {
	if cid == "" {
		return false
	}
	for _, r := range c.runs {
		if strings.Contains(r.html, cid) {
			return true
		}
	}
	return false
}

// collect returns the body runs below p and appends everything else to the attachments.
func (rd *reader) collect(p *part) (content, error) {
	switch {
	case p.multipart() && p.mediaType == "multipart/alternative" && len(p.children) <= 30: // more are no alternatives
		return rd.alternative(p)
	case p.multipart():
		rd.cryptoMultipart(p)
		return rd.sequence(p)
	case p.mediaType == "text/x-amp-html" && p.parent != nil && p.parent.mediaType == "multipart/alternative":
		return content{}, nil // AMP repeats the HTML for the few programs that run it
	case p.text():
		r, err := rd.textRun(p)
		return content{runs: []run{r}}, err
	}
	return rd.attach(p)
}

// sequence reads every multipart but alternative: the parts stand one after the other (RFC 2046 section 5.1.3; unknown
// subtypes are treated as mixed). In a related one the rest belongs to the root and is no text of its own.
func (rd *reader) sequence(p *part) (content, error) {
	var out content
	root := p.relatedRoot()
	for _, child := range p.children {
		var c content
		var err error
		if root != nil && child != root && !child.multipart() && child.contentID() != "" {
			c, err = rd.attach(child)
			c.runs = slices.DeleteFunc(c.runs, func(r run) bool { return r.image != nil }) // its place is where the root refers to it
		} else {
			c, err = rd.collect(child)
		}
		if err != nil {
			return out, err
		}
		out.runs = append(out.runs, c.runs...)
	}
	if p.mediaType != "multipart/related" {
		out.runs = undeclaredAlternatives(out.runs)
	}
	return out, nil
}

// relatedRoot finds the root of a multipart/related (RFC 2387 section 3.2), nil for other types.
func (p *part) relatedRoot() *part {
	if p.mediaType != "multipart/related" || len(p.children) == 0 {
		return nil
	}
	if start := strings.Trim(p.params.get("start"), "<> "); start != "" {
		for _, c := range p.children {
			if c.contentID() == start {
				return c
			}
		}
	}
	for _, c := range p.children { // some put the image first
		if c.multipart() || c.html() {
			return c
		}
	}
	return p.children[0]
}

// alternative takes the best plain text and the best HTML, each from the last part that has one (RFC 2046 section 5.1.4).
// Parts of the same kind of which the later does not hold all words of the earlier are no alternatives: both are kept.
func (rd *reader) alternative(p *part) (content, error) {
	best := run{alternatives: true}
	var loose []run
	for _, child := range p.children {
		c, err := rd.collect(child)
		if err != nil {
			return content{}, err
		}
		hasT, hasH := c.has()
		text, html := flatten(c.runs)
		switch {
		case hasH && best.hasH && !contains(html, best.html):
			best.html += "\n" + html
		case hasH:
			best.html, best.hasH = html, true
		}
		switch {
		case !hasT:
		case !hasH && best.hasT && !contains(text, best.text):
			best.text = joinText(best.text, text)
		case !hasH, !best.hasT && textEverywhere(c.runs):
			best.text, best.hasT = text, true
		}
		for _, r := range c.runs {
			if r.image != nil && !hasH {
				loose = append(loose, r)
			}
		}
	}
	return content{runs: append([]run{best}, loose...)}, nil
}

// textEverywhere tells whether the plain text of the runs leaves out no HTML.
func textEverywhere(runs []run) bool {
	for _, r := range runs {
		if r.hasH && !r.hasT && strings.TrimSpace(r.html) != "" {
			return false
		}
	}
	return true
}

// textRun decodes a text part. What is beyond the limit stays available as an attachment.
func (rd *reader) textRun(p *part) (run, error) {
	limit := min(rd.lim.Text, 2*rd.lim.Text-rd.textUsed)
	raw, err := p.src.bytes(p.start, p.end, limit*2)
	if err != nil {
		return run{}, err
	}
	b := raw
	if p.encoding == "base64" {
		b = rd.looseBase64(p, raw)
	} else {
		b = decodeTransfer(raw, p.encoding)
	}
	if p.encoding == "x-uuencode" && len(b) == 0 {
		b = raw
	}
	if int64(len(b)) > limit || p.end-p.start > limit*2 {
		b = b[:min(int64(len(b)), limit)]
		rd.msg.problem(ProblemTruncated, p, "text cut at %d bytes, the whole is an attachment", limit)
		a := rd.newAttachment(p)
		a.Role = RoleText
	}
	rd.textUsed += int64(len(b))
	text := rd.toUTF8(p, b)
	if p.html() {
		return run{html: text, hasH: true}, nil
	}
	text = rd.clearsigned(text)
	if strings.EqualFold(p.params.get("format"), "flowed") {
		text = joinFlowed(text, strings.EqualFold(p.params.get("delsp"), "yes"))
	}
	return run{text: text, hasT: true}, nil
}

// looseBase64 decodes base64 text behind which gateways have put a plain footer, or that is no base64 at all.
func (rd *reader) looseBase64(p *part, raw []byte) []byte {
	plain := len(raw)
	for i := 0; i < len(raw); {
		line := firstLine(raw[i:], p.nl)
		trimmed := bytes.TrimSpace(line)
		for _, c := range trimmed {
			if base64Values[c] == b64Skip || c == '-' || c == '_' { // "-- " begins a footer; texts do not use the URL alphabet
				plain = i
				break
			}
		}
		if plain < len(raw) {
			break
		}
		i += len(line)
	}
	out := appendBase64(make([]byte, 0, plain*3/4+3+len(raw)-plain), raw[:plain])
	if plain < len(raw) {
		rd.msg.problem(ProblemEncoding, p, "text that is not base64 kept as it stood")
		if len(out) > 0 && !bytes.HasSuffix(out, []byte("\n")) {
			out = append(out, '\n')
		}
		out = append(out, raw[plain:]...)
	}
	return out
}

// toUTF8 decodes the charset of a text part, says if it was not the declared one, and makes line ends "\n".
func (rd *reader) toUTF8(p *part, b []byte) string {
	declared := p.params.get("charset")
	if i := strings.IndexAny(declared, " (;"); i > 0 {
		declared = declared[:i]
	}
	if declared == "" && p.html() {
		declared = metaCharset(b)
	}
	hint := rd.opt.Charset
	if p.html() && declared != "" && !is7bit(b) {
		hint = orDefault(metaCharset(b), hint) // the second witness, should the first be wrong
	}
	text, used := decodeCharset(b, declared, hint)
	if label := charsetLabel(declared); label != used && used != "us-ascii" && !(label == "" && used == "utf-8") {
		rd.msg.problem(ProblemCharset, p, "declared %q, read as %s", clip(declared, 40), used)
	}
	return newlines(cleanUTF8(text))
}

func newlines(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for {
		i := strings.IndexByte(s, '\r')
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		b.WriteByte('\n')
		s = s[i+1:]
		if strings.HasPrefix(s, "\r\n") { // CR CR LF
			s = s[1:]
		}
		s = strings.TrimPrefix(s, "\n")
	}
	b.WriteString(s)
	return b.String()
}

// metaCharset looks for <meta charset=...> in the head of an HTML part that declares none.
func metaCharset(b []byte) string {
	head := bytes.ToLower(b[:min(len(b), 2048)])
	for {
		i := bytes.Index(head, []byte("charset"))
		if i < 0 {
			return ""
		}
		head = bytes.TrimLeft(head[i+7:], " \t\r\n")
		if len(head) == 0 || head[0] != '=' {
			continue
		}
		head = bytes.TrimLeft(head[1:], " \t\r\n\"'")
		if j := bytes.IndexAny(head, "\"' ;>/\r\n"); j > 0 {
			return string(head[:j])
		}
		return ""
	}
}

// lastResort is for mails in which nothing counts as the body: that of a winmail.dat, a named text part that is no attachment by its own word,
// or text outside of the parts.
func (rd *reader) lastResort(root *part) (content, error) {
	if rd.spare.hasT || rd.spare.hasH {
		return content{runs: []run{rd.spare}}, nil
	}
	for _, a := range rd.msg.Attachments {
		p := a.part
		if p == nil || p.disposition == "attachment" || p.mediaType != "text/plain" && p.mediaType != "text/html" || a.Role != RoleFile && a.Role != RoleInline {
			continue
		}
		r, err := rd.textRun(p)
		if err != nil {
			return content{}, err
		}
		rd.detach(a)
		return content{runs: []run{r}}, nil
	}
	var out content
	for _, stretch := range append([]span{root.preamble}, root.epilogues...) {
		r, err := rd.textRun(root.stray(stretch))
		if err != nil {
			return content{}, err
		}
		if strings.TrimSpace(r.text) != "" {
			out.runs = append(out.runs, r)
		}
	}
	if len(out.runs) > 0 {
		rd.msg.problem(ProblemStray, nil, "text outside of the parts taken as the body")
		root.epilogues = nil
	}
	return out, nil
}

// stray makes a part out of text that belongs to none.
func (p *part) stray(s span) *part {
	return &part{src: p.src, path: p.path, start: s.start, end: s.end, mediaType: "text/plain", nl: p.nl}
}

// strays lists text after the last part of a multipart: no mail program shows it, but some gateways put footers there.
func (rd *reader) strays(p *part) error {
	for _, s := range p.epilogues {
		head, err := p.src.bytes(s.start, s.end, 4096)
		if err != nil {
			return err
		}
		if len(bytes.Trim(head, " \t\r\n\x00\x1a")) > 0 {
			rd.msg.problem(ProblemStray, p, "text after the last part")
			rd.newAttachment(p.stray(s)).Role = RoleStray
		}
	}
	for _, c := range p.children {
		if err := rd.strays(c); err != nil {
			return err
		}
	}
	return nil
}
