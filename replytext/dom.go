package replytext

import "strings"

// domAction is what an element of a mail program means.
type domAction uint8

const (
	domNone        domAction = iota
	domContainer             // holds an attribution and quotes, and answers between them
	domQuote                 // holds only history
	domFrom                  // history begins here
	domBox                   // a header block's box: history begins here if it holds one
	domAttribution           // an attribution
	domSignature             // a signature
	domForward               // a forwarded mail
	domCite                  // a blockquote made for a quote
	domButton                // a blockquote made by the composer's quote button
	domDrop                  // nothing a reader sees
)

// A domRule recognises an element that a mail program makes. Empty fields match
// anything; a "*" at the end matches any continuation.
type domRule struct {
	client string
	tag    string
	id     string
	class  string
	attr   string // attribute that must be there ...
	value  string // ... and contain this
	action domAction
}

// domRules are tried in order; the first that fits counts. Identifiers and
// classes are compared without the prefixes that webmail adds (see plainName).
var domRules = []domRule{
	{client: "Gmail", tag: "div", class: "gmail_attr", action: domAttribution},
	{client: "Gmail", tag: "div", class: "gmail_quote_container", action: domContainer},
	{client: "Gmail", tag: "div", class: "gmail_quote", action: domContainer},
	{client: "Gmail", tag: "div", class: "gmail_extra", action: domContainer},
	{client: "Gmail", tag: "blockquote", class: "gmail_quote", action: domCite},
	{client: "Gmail", class: "gmail_signature", action: domSignature},
	{client: "Gmail", class: "gmail_signature_prefix", action: domSignature},
	{client: "Apple Mail", tag: "blockquote", attr: "type", value: "cite", action: domCite},
	{client: "Thunderbird", class: "moz-cite-prefix", action: domAttribution},
	{client: "Thunderbird", class: "moz-forward-container", action: domForward},
	{client: "Thunderbird", class: "moz-signature", action: domSignature},
	{client: "Thunderbird", tag: "blockquote", attr: "cite", action: domCite},
	{client: "Outlook", id: "appendonsend", action: domFrom},
	{client: "Outlook", id: "divRplyFwdMsg", action: domFrom},
	{client: "Outlook", id: "OLK_SRC_BODY_SECTION", action: domQuote},
	{client: "Outlook", id: "mail-editor-reference-message-container", action: domFrom},
	{client: "Outlook", id: "ms-outlook-mobile-signature", action: domSignature},
	{client: "Outlook", id: "Signature", tag: "div", action: domSignature},
	{client: "Outlook", tag: "div", attr: "style", value: "border-top:solid #b5c4df", action: domBox},
	{client: "Outlook", tag: "div", attr: "style", value: "border-top:solid #e1e1e1", action: domBox},
	{client: "Outlook", tag: "div", attr: "style", value: "border-top:solid windowtext", action: domBox},
	{client: "Outlook", tag: "div", attr: "style", value: "border-top-color:rgb(181,196,223)", action: domBox},
	{client: "Outlook", tag: "div", attr: "style", value: "border-top-color:rgb(225,225,225)", action: domBox},
	{client: "Outlook", tag: "div", attr: "style", value: "border-color:#b5c4df", action: domBox},
	{client: "Windows Mail", tag: "div", attr: "style", value: "border-top-color:rgb(229,229,229)", action: domBox},
	{client: "Windows Mail", attr: "data-signatureblock", value: "true", action: domSignature},
	{client: "Hotmail", tag: "hr", id: "stopSpelling", action: domFrom},
	{client: "Hotmail", tag: "hr", attr: "tabindex", value: "-1", action: domBox},
	{client: "Yahoo", class: "yahoo_quoted*", action: domQuote},
	{client: "Yahoo", id: "yahoo_quoted*", action: domQuote},
	{client: "Yahoo", class: "yahoo-signature", action: domSignature},
	{client: "Yahoo", class: "signature", tag: "div", attr: "id", value: "signature", action: domSignature},
	{client: "Proton", class: "protonmail_quote", action: domContainer},
	{client: "Proton", class: "protonmail_signature_block*", action: domSignature},
	{client: "Tutanota", class: "tutanota_quote", action: domCite},
	{client: "GMX, Web.de", attr: "name", value: "quote", tag: "div", action: domQuote},
	{client: "GMX, Web.de", attr: "name", value: "quoted-content", tag: "div", action: domQuote},
	{client: "Mail.ru", class: "mail-quote-collapse", action: domQuote},
	{client: "Mail.ru", tag: "blockquote", class: "mail-quote*", action: domCite},
	{client: "QQ", tag: "includetail", action: domContainer},
	{client: "QQ", id: "original-content", action: domQuote},
	{client: "163", id: "isReplyContent", action: domQuote},
	{client: "163", id: "isForwardContent", action: domForward},
	{client: "163", class: "J-reply", action: domQuote},
	{client: "163", class: "ntes-mailmaster-quote", action: domQuote},
	{client: "Zimbra", tag: "hr", id: "zwchr", action: domFrom},
	{client: "Zimbra", attr: "data-marker", value: "__HEADERS__", action: domFrom},
	{client: "Zimbra", attr: "data-marker", value: "__DIVIDER__", action: domFrom},
	{client: "Zimbra", attr: "data-marker", value: "__QUOTED_TEXT__", action: domQuote},
	{client: "Zimbra", attr: "data-marker", value: "__SIG_*", action: domSignature},
	{client: "Spark", tag: "div", attr: "name", value: "messageReplySection", action: domContainer},
	{client: "Spark", tag: "div", attr: "name", value: "messageSignatureSection", action: domSignature},
	{client: "Airmail", class: "bloop_sign", action: domSignature},
	{client: "Airmail", tag: "blockquote", class: "clean_bq", action: domCite},
	{client: "Airmail", class: "airmail_on", action: domAttribution},
	{client: "BlueMail", class: "replyHeader", action: domFrom},
	{client: "BlueMail, TypeApp", class: "blue_quote", action: domCite},
	{client: "Samsung", id: "composer_signature", action: domSignature},
	{client: "Samsung, Android", id: "quoted_header_editor", action: domFrom},
	{client: "Roundcube", id: "replybody*", action: domContainer},
	{client: "Roundcube", id: "reply-intro", action: domAttribution},
	{client: "Roundcube", id: "forwardbody*", action: domForward},
	{client: "Roundcube", id: "_rc_sig", action: domSignature},
	{client: "SOGo, Evolution", class: "-x-evo-quoted", action: domQuote},
	{client: "Evolution", class: "-x-evo-signature*", action: domSignature},
	{client: "Lotus Notes", tag: "div", attr: "style", value: "border-left:solid black 1.5pt", action: domCite},
	{client: "Front", class: "front-blockquote", action: domCite},
	{client: "Front", class: "front-signature", action: domSignature},
	{client: "Superhuman", class: "sh-signature", action: domSignature},
	{client: "Zendesk", class: "zd-comment-quote", action: domQuote},
	{client: "FreeScout, Help Scout", class: "fs-reply-separator", action: domFrom},
	{client: "eM Client", tag: "blockquote", class: "cite*", action: domCite},
	{client: "eM Client", id: "signature_old", action: domSignature},
	{client: "Mailbird", class: "mb_sig", action: domSignature},
	{client: "Fastmail", attr: "id", value: "qt", tag: "blockquote", action: domCite},
	{client: "Freenet, T-Online", class: "WordSection1Reply", action: domQuote},
}

// domIndex keeps rules by tag, so that an element is held against few of them.
type domIndex struct {
	byTag map[string][]*domRule
	any   []*domRule
}

func newDOMIndex(rules []domRule) *domIndex {
	x := &domIndex{byTag: map[string][]*domRule{}}
	for i := range rules {
		if r := &rules[i]; r.tag != "" {
			x.byTag[r.tag] = append(x.byTag[r.tag], r)
		} else {
			x.any = append(x.any, r)
		}
	}
	return x
}

// element is what rules look at, worked out once for all of them.
type element struct {
	*node
	id, class string
	classes   []string // of class, as far as plain names go; worked out when first asked for
	style     string   // as plainStyle makes it
}

func elementOf(n *node) *element {
	e := &element{node: n}
	for i := range n.attrs {
		switch a := &n.attrs[i]; {
		case a.Key == "id" && e.id == "":
			e.id = plainName(a.Val)
		case a.Key == "class" && e.class == "":
			e.class = a.Val
		case a.Key == "style" && e.style == "":
			e.style = plainStyle(a.Val)
		}
	}
	return e
}

// action says what an element means.
func (x *domIndex) action(n *node) domAction {
	if len(n.attrs) == 0 && n.tag != "includetail" {
		return domNone
	}
	e := elementOf(n)
	if e.hidden() {
		return domDrop
	}
	for _, r := range x.byTag[n.tag] {
		if r.fits(e) {
			return r.action
		}
	}
	for _, r := range x.any {
		if r.fits(e) {
			return r.action
		}
	}
	return domNone
}

func (r *domRule) fits(e *element) bool {
	if r.id != "" && (e.id == "" || !fitsName(r.id, e.id)) {
		return false
	}
	if r.class != "" && !e.inClass(r.class) {
		return false
	}
	if r.attr == "" {
		return true
	}
	if r.value == "" {
		return e.has(r.attr)
	}
	if r.attr == "style" {
		return strings.Contains(e.style, r.value)
	}
	v := e.attr(r.attr)
	return v != "" && fitsName(r.value, plainName(v))
}

func (e *element) inClass(want string) bool {
	if e.class == "" {
		return false
	}
	if e.classes == nil {
		if e.classes = strings.Fields(e.class); len(e.classes) == 0 {
			e.class = ""
		}
		for i, c := range e.classes {
			e.classes[i] = plainName(c)
		}
	}
	for _, c := range e.classes {
		if fitsName(want, c) {
			return true
		}
	}
	return false
}

func fitsName(want, got string) bool {
	if p, ok := strings.CutSuffix(want, "*"); ok {
		return strings.HasPrefix(got, p)
	}
	return got == want
}

// plainName takes off the prefixes that webmail puts before names of other
// programs: Outlook on the web "x_", Gmail "m_1234", old Hotmail "ecx",
// Yahoo "yiv1234" and "ydp1234".
func plainName(s string) string {
	for {
		switch {
		case strings.HasPrefix(s, "x_"):
			s = s[2:]
		case strings.HasPrefix(s, "ecx"):
			s = s[3:]
		case strings.HasPrefix(s, "m_"):
			rest := strings.TrimLeft(s[2:], "-0123456789")
			if rest == s[2:] {
				return s
			}
			s = rest
		case strings.HasPrefix(s, "yiv"):
			rest := strings.TrimLeft(s[3:], "0123456789")
			if rest == s[3:] {
				return s
			}
			s = rest
		case strings.HasPrefix(s, "ydp") && len(s) > 8:
			i := 3
			for i < len(s) && (isDigit(s[i]) || s[i] >= 'a' && s[i] <= 'f') && i < 14 {
				i++
			}
			if i < 8 {
				return s
			}
			s = s[i:]
		default:
			return s
		}
	}
}

// plainStyle is a style in lower case without the spaces after its colons,
// semicolons and commas.
func plainStyle(s string) string {
	b := make([]byte, 0, 128)
	for i := 0; i < len(s) && len(b) < 600; i++ {
		c := lowerASCII(s[i])
		if c == '\n' || c == '\r' {
			c = ' '
		}
		if n := len(b); c == ' ' && n > 0 && (b[n-1] == ':' || b[n-1] == ';' || b[n-1] == ',') {
			continue
		}
		b = append(b, c)
	}
	return string(b)
}

// hidden tells whether an element is not shown: preheaders, tracking pixels.
func (e *element) hidden() bool {
	if e.has("hidden") {
		return true
	}
	if e.style == "" {
		return false
	}
	st := strings.ReplaceAll(e.style, " ", "")
	return strings.Contains(st, "display:none") || strings.Contains(st, "visibility:hidden") ||
		strings.Contains(st, "mso-hide:all") || strings.Contains(st, "max-height:0px") || strings.HasSuffix(st, "max-height:0") ||
		strings.Contains(st, "max-height:0;")
}
