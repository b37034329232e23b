package letter

import (
	"strings"
)

// setType reads the MIME fields of a part and repairs what they say.
func (p *part) setType(m *Message) {
	raw := p.header.Raw("Content-Type")
	p.mediaType, p.params = parseParams(raw)
	p.disposition, p.dispParams = parseParams(p.header.Raw("Content-Disposition"))
	p.encoding = transferEncoding(p.header.Raw("Content-Transfer-Encoding"))
	if p.encoding == "?" {
		m.problem(ProblemEncoding, p, "unknown transfer encoding taken as none")
		p.encoding = ""
	}
	if strings.ContainsAny(p.disposition, ". ") && p.dispParams.get("filename") == "" { // a bare file name
		p.dispParams = params{"filename": decodeHeader(p.header.Raw("Content-Disposition"))}
		p.disposition = "attachment"
	}
	if strings.Contains(p.disposition, "=") {
		p.disposition = "attachment"
	}
	p.mediaType = strings.Trim(p.mediaType, "\"' ,")
	kind, sub, ok := strings.Cut(p.mediaType, "/")
	switch {
	case p.mediaType == "":
		p.mediaType = "text/plain"
		if p.parent != nil && p.parent.mediaType == "multipart/digest" {
			p.mediaType = "message/rfc822"
		}
		if raw != "" {
			m.problem(ProblemType, p, "unreadable content type")
		}
	case !ok && kind == "html" || p.mediaType == "text/htm":
		p.mediaType = "text/html"
	case !ok || kind == "" || sub == "" || strings.ContainsAny(p.mediaType, " \t"):
		m.problem(ProblemType, p, "malformed content type")
		p.mediaType = "text/plain"
		if p.params.get("boundary") != "" {
			p.mediaType = "multipart/mixed"
		} else if p.filename() != "" {
			p.mediaType = "application/octet-stream"
		}
	}
}

func transferEncoding(raw string) string {
	e := strings.ToLower(strings.TrimSpace(stripComment(unfold(raw))))
	e, _, _ = strings.Cut(e, ";")
	switch e = strings.Trim(e, "\"' ,."); e {
	case "", "7bit", "8bit", "binary", "7-bit", "8-bit", "none", "utf-8", "us-ascii", "8bits", "7bits":
		return ""
	case "base64", "base-64", "b64", "x-base64":
		return "base64"
	case "quoted-printable", "quotedprintable", "quoted/printable", "qp":
		return "quoted-printable"
	case "x-uuencode", "uuencode", "x-uue", "uue":
		return "x-uuencode"
	}
	return "?"
}

// filename is the declared name, without any path, control or direction mark; "" if there is none.
func (p *part) filename() string {
	name := p.dispParams.get("filename")
	if name == "" {
		name = p.params.get("name")
	}
	return safeName(name)
}

func safeName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f || r == 0x200e || r == 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, cleanUTF8(name))
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.TrimSpace(strings.Trim(name, `"`))
	if strings.Trim(name, ".") == "" {
		return ""
	}
	if len(name) > 200 { // keep the extension
		ext := ""
		if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i < 20 {
			ext = name[i:]
		}
		name = clip(name, 200-len(ext)) + ext
	}
	return name
}

func (p *part) contentID() string {
	ids := messageIDs(p.header.Raw("Content-ID"))
	if len(ids) == 0 {
		return ""
	}
	return ids[0]
}

// text tells whether the part may be a piece of the body.
func (p *part) text() bool {
	switch p.mediaType {
	case "text/plain", "text/html", "text/enriched", "text/richtext", "text/x-markdown", "text/markdown", "text/x-plain", "text/text":
	case "text/x-amp-html", "text/watch-html", "text/calendar", "text/x-vcalendar", "text/vcard", "text/x-vcard", "text/directory",
		"text/rfc822-headers", "text/rfc822-header", "text/csv", "text/rtf", "text/xml", "text/css", "text/javascript":
		return false
	default: // unknown text is text (RFC 2046 section 4.1.4)
		return p.is("text/") && p.filename() == "" && p.disposition == "" && !p.is("text/vnd.")
	}
	if exchangeText(p.filename()) {
		return true
	}
	if p.parent == nil {
		return p.disposition != "attachment" || p.filename() == ""
	}
	return p.disposition != "attachment" && p.filename() == ""
}

// exchangeText knows the names that Exchange gives to texts that stood between attachments: "ATT00001.txt". They are
// marked as attachments and hold the author's words.
func exchangeText(name string) bool {
	name = strings.ToLower(name)
	base, ext, ok := strings.Cut(name, ".")
	return ok && len(base) == 8 && strings.HasPrefix(base, "att") && digits(base[3:]) && (ext == "txt" || ext == "htm" || ext == "html")
}

func (p *part) html() bool { return p.mediaType == "text/html" }
