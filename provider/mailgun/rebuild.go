package mailgun

import (
	"bufio"
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strconv"
	"strings"
	"unicode/utf8"
)

// part is an entity of RFC 2045: headers, then a body or parts of its own.
type part struct {
	headers  [][2]string
	body     func(w *bufio.Writer) error
	parts    []*part
	boundary string
}

// message arranges a post as mail programs do: mixed(related(alternative(plain, html),
// pictures), files), each level only if it is needed.
func (p *parsed) message(boundary string) *part {
	n := 0
	multi := func(kind string, parts ...*part) *part {
		n++
		b := boundary + "-" + strconv.Itoa(n)
		return &part{headers: [][2]string{{"Content-Type", kind + `; boundary="` + b + `"`}}, parts: parts, boundary: b}
	}
	root := p.texts(multi)
	var inline, files []*part
	for i := range p.files {
		a := &p.files[i]
		pictured := a.cid != "" && p.html != nil
		if pictured {
			inline = append(inline, a.part("inline"))
		} else {
			files = append(files, a.part("attachment"))
		}
	}
	if len(inline) > 0 {
		root = multi("multipart/related", append([]*part{root}, inline...)...)
	}
	if len(files) > 0 {
		root = multi(p.outer(), append([]*part{root}, files...)...)
	}
	root.headers = append([][2]string{{"MIME-Version", "1.0"}}, root.headers...)
	for _, text := range p.notFetched() {
		root.headers = append([][2]string{{"X-Postern-Not-Fetched", text}}, root.headers...)
	}
	root.headers = append(originals(p.headers), root.headers...)
	return root
}

// outer keeps a report a report (RFC 6522): bounces are recognised by it.
func (p *parsed) outer() string {
	kind, params, _ := mime.ParseMediaType(p.header("Content-Type"))
	if t := params["report-type"]; kind == "multipart/report" && headerName(t) && len(t) < 100 {
		return `multipart/report; report-type="` + t + `"`
	}
	return "multipart/mixed"
}

// texts are the readable part. Mailgun makes a body-plain of the HTML where the mail has
// none; that is left out where the mail's own type proves it.
func (p *parsed) texts(multi func(string, ...*part) *part) *part {
	if p.html == nil || p.html.n == 0 {
		p.html = nil
		if p.plain == nil {
			p.plain = &textField{}
		}
		return p.plain.part("text/plain")
	}
	kind, _, _ := mime.ParseMediaType(p.header("Content-Type"))
	if p.plain == nil || p.plain.n == 0 || kind == "text/html" {
		return p.html.part("text/html")
	}
	return multi("multipart/alternative", p.plain.part("text/plain"), p.html.part("text/html"))
}

// originals are the mail's headers without those that speak of a body that is no more.
func originals(headers [][2]string) (out [][2]string) {
	for _, h := range headers {
		name := strings.ToLower(h[0])
		switch {
		case strings.HasPrefix(name, "content-"), name == "mime-version", name == "x-postern-not-fetched":
		default:
			out = append(out, [2]string{h[0], encoded(name, oneLine(h[1]))})
		}
	}
	return out
}

func (t *textField) part(kind string) *part {
	charset := t.charset
	if charset == "" {
		charset = "utf-8"
		if !validUTF8(t.open()) {
			charset = "windows-1252" // the commonest that is not
		}
	}
	return &part{
		headers: [][2]string{
			{"Content-Type", kind + "; charset=" + charset},
			{"Content-Transfer-Encoding", "quoted-printable"},
		},
		body: func(w *bufio.Writer) error {
			q := quotedprintable.NewWriter(w)
			if _, err := io.Copy(q, t.open()); err != nil {
				return err
			}
			return q.Close()
		},
	}
}

func (a *attachment) part(disposition string) *part {
	kind := mediaType(a.contentType)
	encoding, body := "base64", a.base64
	if strings.HasPrefix(kind, "message/") {
		// RFC 2046 5.2: a message inside a message is not encoded.
		encoding, body = "binary", func(w *bufio.Writer) error {
			_, err := io.Copy(w, a.open())
			return err
		}
	}
	if strings.HasPrefix(kind, "text/") {
		if charset := charsetOf(a.contentType); charset != "" {
			kind += "; charset=" + charset
		}
	}
	p := &part{
		headers: [][2]string{
			{"Content-Type", kind},
			{"Content-Disposition", dispositionOf(disposition, a.filename)},
			{"Content-Transfer-Encoding", encoding},
		},
		body: body,
	}
	if a.cid != "" {
		p.headers = append(p.headers, [2]string{"Content-ID", "<" + a.cid + ">"})
	}
	return p
}

func (a *attachment) base64(w *bufio.Writer) error {
	const line = 57 // 76 characters, RFC 2045 6.8
	var raw [line * 128]byte
	var out [78]byte
	copy(out[76:], "\r\n")
	for r := a.open(); ; {
		n, err := io.ReadFull(r, raw[:])
		for i := 0; i < n; i += line {
			chunk := raw[i:min(i+line, n)]
			m := base64.StdEncoding.EncodedLen(len(chunk))
			base64.StdEncoding.Encode(out[:], chunk)
			copy(out[m:], "\r\n")
			if _, err := w.Write(out[:m+2]); err != nil {
				return err
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return ours(opInbound, err)
		}
	}
}

func (p *part) write(w io.Writer) error {
	b := bufio.NewWriterSize(w, 32<<10)
	if err := p.writeTo(b); err != nil {
		return err
	}
	return b.Flush()
}

func (p *part) writeTo(w *bufio.Writer) error {
	for _, h := range p.headers {
		writeHeader(w, h[0], h[1])
	}
	w.WriteString("\r\n")
	if p.body != nil {
		return p.body(w)
	}
	for i, inner := range p.parts {
		if i > 0 {
			w.WriteString("\r\n")
		}
		w.WriteString("--" + p.boundary + "\r\n")
		if err := inner.writeTo(w); err != nil {
			return err
		}
	}
	_, err := w.WriteString("\r\n--" + p.boundary + "--\r\n")
	return err
}

// writeHeader folds at white space before column 78 (RFC 5322 2.2.3), so that unfolding
// gives the value back.
func writeHeader(w *bufio.Writer, name, value string) {
	w.WriteString(name + ":")
	column, before := len(name)+1, ""
	for i, word := range strings.Split(value, " ") {
		if i > 0 && word != "" && before != "" && column+1+len(word) > 78 {
			w.WriteString("\r\n")
			column = 0
		}
		w.WriteString(" " + word)
		column += 1 + len(word)
		before = word
	}
	w.WriteString("\r\n")
}

// oneLine unfolds a value, and takes away whatever could begin another header.
func oneLine(s string) string {
	s = strings.NewReplacer("\r\n", "", "\r", " ", "\n", " ", "\x00", "").Replace(s)
	return strings.TrimSpace(strings.ToValidUTF8(s, "\uFFFD"))
}

// encoded turns what is not ASCII into encoded words (RFC 2047). An address list that
// cannot be read stays UTF-8 (RFC 6532), which harms it less than a guess.
func encoded(name, value string) string {
	if ascii(value) {
		return value
	}
	switch strings.TrimPrefix(name, "resent-") {
	case "from", "sender", "reply-to", "to", "cc", "bcc":
		l, err := mail.ParseAddressList(value)
		if err != nil {
			return value
		}
		all := make([]string, len(l))
		for i, a := range l {
			all[i] = a.String()
		}
		return strings.Join(all, ", ")
	}
	return mime.QEncoding.Encode("utf-8", value)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// headerName tells a field name of RFC 5322 3.6.8 (which is also good for a token).
func headerName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || strings.IndexByte(`:"\;,=<>`, s[i]) >= 0 {
			return false
		}
	}
	return s != "" && len(s) <= 200
}

// mediaType is a type that a single part may have; octet-stream for all that is malformed
// or would need a structure of its own.
func mediaType(s string) string {
	kind, _, err := mime.ParseMediaType(s)
	major, minor, ok := strings.Cut(kind, "/")
	if err != nil && err != mime.ErrInvalidMediaParameter || !ok || major == "multipart" || !headerName(major) || !headerName(minor) {
		return "application/octet-stream"
	}
	return kind
}

func charsetOf(contentType string) string {
	_, params, _ := mime.ParseMediaType(contentType)
	if c := params["charset"]; headerName(c) && len(c) < 40 {
		return c
	}
	return ""
}

// dispositionOf writes a file name of any characters (RFC 2231).
func dispositionOf(kind, filename string) string {
	if d, err := new(mime.WordDecoder).DecodeHeader(filename); err == nil {
		filename = d
	}
	filename = shorten(clean(filename, 4000))
	if filename == "" {
		return kind
	}
	if s := mime.FormatMediaType(kind, map[string]string{"filename": filename}); s != "" {
		return s
	}
	return kind
}

// shorten keeps the ending of a long name, which says what the file is.
func shorten(name string) string {
	const limit = 200
	if len(name) <= limit {
		return name
	}
	ending := ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 && len(name)-i <= 20 {
		ending = name[i:]
	}
	return cut(name, limit-len(ending)) + ending
}

func quoted(s string) string {
	return `"` + mime.QEncoding.Encode("utf-8", strings.NewReplacer(`"`, "'", `\`, "/").Replace(s)) + `"`
}

func validUTF8(r io.Reader) bool {
	b := bufio.NewReader(r)
	for {
		c, size, err := b.ReadRune()
		if err != nil {
			return true
		}
		if c == utf8.RuneError && size == 1 {
			return false
		}
	}
}
