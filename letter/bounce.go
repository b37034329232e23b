package letter

import (
	"bytes"
	"io"
	"strings"
)

// Bounce is a report on the delivery of an earlier mail: RFC 3464, or the wording of a mail server that knows no standard.
type Bounce struct {
	// Recipients are the addresses reported on; empty if the report names none that can be told from the rest.
	Recipients []Recipient
	// Outcome sums up the recipients: Failed if any failed for good.
	Outcome Outcome
	// OurIDs are the Message-IDs found anywhere in the report that Options.OurIDs knows, in the order found.
	OurIDs []string
	// OriginalID is the Message-ID of the returned mail as the report has it, "" if it does not tell.
	OriginalID string
	// Original is the header of the returned mail, as far as the report holds it.
	Original Header
	// Format says what was recognised: "rfc3464", "qmail", "exim", "sendmail", "postfix", "exchange", "gmail", "yahoo" or "other".
	Format string

	proof string
}

// Recipient is one address of a report.
type Recipient struct {
	Address    string
	Original   string // the address as the sender gave it, if it differs
	Outcome    Outcome
	Action     string // RFC 3464 section 2.3.3: failed, delayed, delivered, relayed, expanded; "" in informal reports
	Status     string // enhanced status code (RFC 3463), "5.1.1"; "" if none is given
	Code       int    // SMTP reply code, 550; 0 if none is given
	Diagnostic string // what the remote server said, one line
	RemoteMTA  string
}

// Outcome is what became of a delivery.
type Outcome string

// The outcomes.
const (
	OutcomeUnknown   Outcome = ""
	OutcomeFailed    Outcome = "failed"    // permanent: do not send there again
	OutcomeTemporary Outcome = "temporary" // failed now; another attempt later may succeed
	OutcomeDelayed   Outcome = "delayed"   // not yet given up, the server goes on trying
	OutcomeDelivered Outcome = "delivered" // success, also relayed or expanded
)

func (b *Bounce) class() Class {
	if b != nil && b.Outcome == OutcomeDelivered {
		return ClassDelivered
	}
	return ClassBounce
}

// Permanent tells whether the mail will not be delivered to at least one recipient, ever.
func (b *Bounce) Permanent() bool { return b.Outcome == OutcomeFailed }

const (
	maxReport     = 256 << 10 // bytes of a report's part that are looked at
	maxRecipients = 500
	maxOurIDs     = 100
	maxCandidates = 20000 // calls of Options.OurIDs
)

// bounce recognises and reads delivery reports.
func (rd *reader) bounce(root *part) (*Bounce, error) {
	b := &Bounce{}
	var status *part
	var returned []*part
	for _, p := range leaves(root, nil) {
		switch p.mediaType {
		case "message/delivery-status", "message/global-delivery-status", "message/delivery-report":
			if status == nil {
				status = p
			}
		case "message/rfc822", "message/global", "message/partial", "text/rfc822-headers", "message/global-headers", "message/rfc822-headers", "text/rfc822-header":
			returned = append(returned, p)
		}
	}
	report := root.mediaType == "multipart/report" && rd.reportType(root) != "disposition-notification" && rd.reportType(root) != "feedback-report"
	if status != nil && (report || status.parent == root || rd.fromDaemon()) {
		text, err := rd.partText(status)
		if err != nil {
			return nil, err
		}
		b.Format, b.proof = "rfc3464", "message/delivery-status"
		b.Recipients = deliveryStatus(text)
		if len(b.Recipients) == 0 {
			rd.informal(b)
			b.Format = "rfc3464"
		}
	} else if !rd.informalBounce(b, report) {
		return nil, nil
	}
	if len(returned) > 0 {
		if err := rd.returnedHeader(b, returned[0]); err != nil {
			return nil, err
		}
	}
	if b.OriginalID == "" {
		b.OriginalID = quotedID(rd.plain())
	}
	b.sum()
	return b, rd.findOurs(b, root)
}

func (rd *reader) reportType(root *part) string {
	return strings.ToLower(root.params.get("report-type"))
}

func leaves(p *part, out []*part) []*part {
	if len(p.children) == 0 {
		return append(out, p)
	}
	for _, c := range p.children {
		out = leaves(c, out)
	}
	return out
}

// partText decodes the beginning of a part that programs read.
func (rd *reader) partText(p *part) (string, error) {
	raw, err := p.src.bytes(p.start, p.end, maxReport)
	if err != nil {
		return "", err
	}
	text, _ := decodeCharset(decodeTransfer(raw, p.encoding), p.params.get("charset"), rd.opt.Charset)
	return newlines(cleanUTF8(text)), nil
}

// deliveryStatus reads the groups of fields of RFC 3464 section 2. Every group that names a recipient counts, also the
// first, because some servers put everything into one.
func deliveryStatus(text string) []Recipient {
	var out []Recipient
	for _, group := range strings.Split(strings.Trim(text, "\n"), "\n\n") {
		h := parseHeader(strings.TrimLeft(group, "\n")+"\n", 8)
		final, original := typedValue(h.Get("Final-Recipient")), typedValue(h.Get("Original-Recipient"))
		if final == "" && original == "" || len(out) >= maxRecipients {
			continue
		}
		r := Recipient{Address: final, Original: original}
		if r.Address == "" {
			r.Address, r.Original = original, ""
		}
		if strings.EqualFold(r.Original, r.Address) {
			r.Original = ""
		}
		r.Action, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(h.Get("Action"))), " ")
		r.Diagnostic = clip(typedValue(h.Get("Diagnostic-Code")), 1000)
		r.RemoteMTA = typedValue(h.Get("Remote-MTA"))
		r.Status = enhanced(h.Get("Status"))
		r.judge()
		out = append(out, r)
	}
	return out
}

// typedValue takes the value out of "rfc822; user@example.com" (RFC 3464 section 2.1.2).
func typedValue(s string) string {
	if kind, v, ok := strings.Cut(s, ";"); ok && !strings.ContainsAny(strings.TrimSpace(kind), " @<") {
		s = v
	}
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">") {
		s = s[1 : len(s)-1]
	}
	return s
}

// judge derives codes from the diagnostic and the outcome from all of them.
func (r *Recipient) judge() {
	code, status := codesIn(r.Diagnostic)
	r.Code = code
	// "5.0.0" and "4.0.0" say nothing; the remote server's own code is better.
	if status != "" && (r.Status == "" || strings.HasSuffix(r.Status, ".0.0")) {
		r.Status = status
	}
	switch {
	case r.Action == "delivered" || r.Action == "relayed" || r.Action == "expanded":
		r.Outcome = OutcomeDelivered
	case r.Action == "delayed":
		r.Outcome = OutcomeDelayed
	case strings.HasPrefix(r.Status, "4"), r.Status == "" && code >= 400 && code < 500:
		r.Outcome = OutcomeTemporary
	case strings.HasPrefix(r.Status, "5"), r.Status == "" && code >= 500, r.Action == "failed":
		r.Outcome = OutcomeFailed
	case strings.HasPrefix(r.Status, "2"):
		r.Outcome = OutcomeDelivered
	}
}

func (b *Bounce) sum() {
	rank := map[Outcome]int{OutcomeFailed: 4, OutcomeTemporary: 3, OutcomeDelayed: 2, OutcomeDelivered: 1}
	for _, r := range b.Recipients {
		if rank[r.Outcome] > rank[b.Outcome] {
			b.Outcome = r.Outcome
		}
	}
}

// enhanced finds a status code of RFC 3463 at the beginning of s.
func enhanced(s string) string {
	_, status := codesIn(s)
	return status
}

// codesIn finds the first SMTP reply code and the first enhanced status code in a diagnostic.
func codesIn(s string) (code int, status string) {
	for i := 0; i < len(s); i++ {
		if s[i] < '2' || s[i] > '5' || s[i] == '3' || i > 0 && (alnum(s[i-1]) || s[i-1] == '.') {
			continue
		}
		dash := i > 1 && s[i-1] == '-' && alnum(s[i-2]) // "550-5.1.1", but not "2550-500"
		if status == "" {
			if n := enhancedLen(s[i:]); n > 0 {
				status = s[i : i+n]
				i += n
				continue
			}
		}
		if code == 0 && !dash && s[i] != '2' && i+3 <= len(s) && digits(s[i:i+3]) && (i+3 == len(s) || strings.IndexByte(" -:#,;\n)", s[i+3]) >= 0) {
			code = int(s[i]-'0')*100 + int(s[i+1]-'0')*10 + int(s[i+2]-'0')
		}
	}
	return code, status
}

// enhancedLen measures "5.1.10", refusing IP addresses and version numbers.
func enhancedLen(s string) int {
	i := 1
	for part := 0; part < 2; part++ {
		if i >= len(s) || s[i] != '.' {
			return 0
		}
		j := i + 1
		for j < len(s) && s[j] >= '0' && s[j] <= '9' {
			j++
		}
		if n := j - i - 1; n < 1 || n > 3 {
			return 0
		}
		i = j
	}
	if i < len(s) && (alnum(s[i]) || s[i] == '.' && i+1 < len(s) && alnum(s[i+1])) {
		return 0
	}
	return i
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) > 0
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// returnedHeader reads the header of the returned mail.
func (rd *reader) returnedHeader(b *Bounce, p *part) error {
	raw, err := p.src.bytes(p.start, p.end, 64<<10)
	if err != nil {
		return err
	}
	raw = bytes.TrimLeft(decodeTransfer(raw, p.encoding), "\r\n")
	if len(raw) == 0 {
		return nil
	}
	sc := scanner{src: memorySource(raw), msg: &Message{}, lim: Limits{}.withDefaults()}
	if sc.lines, err = newLiner(sc.src); err != nil {
		return err
	}
	inner := part{src: sc.src}
	if _, _, err := sc.header(&inner); err != nil {
		return err
	}
	b.Original = inner.header
	if ids := messageIDs(inner.header.Raw("Message-ID")); len(ids) > 0 {
		b.OriginalID = ids[0]
	}
	return nil
}

// quotedID finds a Message-ID field quoted in a text.
func quotedID(text string) string {
	low := strings.ToLower(text[:min(len(text), maxReport)])
	i := strings.Index(low, "message-id:")
	if i < 0 || len(low) != len(text[:min(len(text), maxReport)]) {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimLeft(text[i+11:min(len(text), i+1200)], " \t\n"), "\n")
	if ids := messageIDs(line); len(ids) > 0 && strings.Contains(ids[0], "@") {
		return ids[0]
	}
	return ""
}

// findOurs asks Options.OurIDs about everything in the report that looks like a Message-ID.
func (rd *reader) findOurs(b *Bounce, root *part) error {
	if rd.opt.OurIDs == nil {
		return nil
	}
	f := idFinder{ours: rd.opt.OurIDs, seen: map[string]bool{}}
	for _, id := range append(append([]string{b.OriginalID}, rd.msg.InReplyTo...), rd.msg.References...) {
		f.try(id)
	}
	for _, field := range rd.msg.Header {
		if !strings.EqualFold(field.Name, "Message-ID") {
			f.scan(field.Raw)
		}
	}
	f.scan(rd.msg.Text)
	f.scan(rd.msg.HTML)
	for _, p := range leaves(root, nil) {
		if p.is("message/") || p.is("text/") && !p.text() {
			raw, err := p.src.bytes(p.start, p.end, maxReport)
			if err != nil {
				return err
			}
			decoded, err := io.ReadAll(newTransferReader(bytes.NewReader(raw), p.encoding))
			if err != nil {
				return err
			}
			f.scan(string(decoded))
		}
	}
	b.OurIDs = f.found
	return nil
}

type idFinder struct {
	ours  func(string) bool
	seen  map[string]bool
	found []string
	tries int
}

func (f *idFinder) try(id string) {
	if id == "" || f.seen[id] || f.tries >= maxCandidates || len(f.found) >= maxOurIDs {
		return
	}
	f.tries++
	f.seen[id] = true
	if f.ours(id) {
		f.found = append(f.found, id)
	}
}

// scan tries every run of characters around an at sign.
func (f *idFinder) scan(s string) {
	for at := 0; ; at++ {
		i := strings.IndexByte(s[at:], '@')
		if i < 0 || f.tries >= maxCandidates {
			return
		}
		at += i
		l, r := at, at+1
		for l > 0 && at-l < 250 && idChar(s[l-1]) {
			l--
		}
		for r < len(s) && r-at < 250 && idChar(s[r]) && s[r] != '&' {
			r++
		}
		if l < at && r > at+1 {
			f.try(strings.TrimRight(s[l:r], ".="))
		}
	}
}

// idChar accepts what RFC 5322 section 3.6.4 lets into a Message-ID without quotes.
func idChar(c byte) bool {
	return alnum(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", c) >= 0
}
