package letter

import (
	"strings"
)

// Reports of servers that do not keep RFC 3464, and of gateways that lost its parts on the way.

// bounceFormat is how one mail server words its reports. All phrases are lower case.
type bounceFormat struct {
	name   string
	marks  []string // any of them shows the format
	copies []string // lines behind which the returned mail stands
}

var bounceFormats = []bounceFormat{ // read only
	{"qmail", []string{"this is the qmail-send program", "this is the mta for", "i wasn't able to deliver your message to the following addresses"},
		[]string{"--- below this line is a copy of the message", "--- enclosed is a copy of the message", "--- undelivered message follows"}},
	{"exim", []string{"this message was created automatically by mail delivery software", "a message that you sent could not be delivered to one or more of its recipients", "a message that you sent has not yet been delivered"},
		[]string{"------ this is a copy of", "the original message was"}},
	{"sendmail", []string{"----- the following addresses had", "----- transcript of session follows", "----- the following recipients"},
		[]string{"----- original message follows", "----- unsent message follows", "----- message header follows", "----- message headers follow"}},
	{"postfix", []string{"this is the mail system at host", "this is the postfix program at host", "your message could not be delivered to one or more recipients"},
		[]string{"--- undelivered mail", "------ undelivered message", "unzustellbare nachricht"}},
	{"gmail", []string{"delivery to the following recipient failed permanently", "delivery to the following recipients failed", "your message wasn't delivered to", "** address not found **", "** message blocked **", "** delivery incomplete **", "** message not delivered **", "delivery to the following recipient has been delayed"},
		[]string{"----- original message -----", "----- message header follows", "---------- forwarded message"}},
	{"exchange", []string{"your message did not reach some or all of the intended recipients", "delivery has failed to these recipients or groups", "delivery has failed to these recipients or distribution lists", "the following recipient(s) could not be reached", "the following recipient(s) cannot be reached", "your message couldn't be delivered", "this is an automatically generated delivery status notification", "diagnostic information for administrators"},
		[]string{"original message headers:", "original message header"}},
	{"yahoo", []string{"sorry, we were unable to deliver your message to the following address", "message from yahoo", "this message was created automatically by yahoo"},
		[]string{"--- below this line is a copy of the message", "--------- forwarded message"}},
}

// bounceSubjects begin or stand in the subjects of reports, lower case.
var bounceSubjects = []string{ // read only
	"undelivered mail", "undeliverable", "undeliver", "delivery status notification", "delivery failure", "delivery failed", "failure notice", "failure delivery", "returned mail",
	"mail delivery failed", "mail delivery failure", "mail delivery system", "mail could not be delivered", "mail system error", "message delivery failure", "message undeliverable",
	"non-delivery", "nondeliverable", "not delivered", "delivery has failed", "delivery delayed", "delayed mail", "warning: message", "warning: could not send", "could not be delivered", "rejected mail", "mail undeliverable",
	"unzustellbar", "nicht zugestellt", "zustellung fehlgeschlagen", "fehler bei der zustellung", "non remis", "échec de la remise", "échec de distribution", "no se puede entregar", "no entregado", "error de entrega", "não é possível entregar", "falha na entrega", "não entregue",
	"non recapitabile", "mancato recapito", "recapito non riuscito", "niet te bezorgen", "onbestelbaar", "kan inte leverera", "går inte att leverera", "kunne ikke leveres", "kan ikke leveres", "ei voitu toimittaa", "nie można dostarczyć", "niedostarczona", "nedoručitelné", "nedoručiteľné",
	"kézbesíthetetlen", "nelivrat", "недоставлено", "не доставлено", "не удается доставить", "не може бути доставлено", "teslim edilemedi", "iletilemedi", "αδυναμία παράδοσης", "לא ניתן למסור", "تعذر التسليم", "لم يتم التسليم",
	"配信不能", "配信できません", "未配信", "无法传递", "退信", "系统退信", "無法傳遞", "배달되지 않음", "전송 실패", "배달 실패", "ไม่สามารถส่ง", "không thể gửi", "tidak dapat dikirim",
}

// fromDaemon tells whether the author is a mail server's own mailbox, or the envelope sender the empty one.
func (rd *reader) fromDaemon() bool {
	if path, known := rd.returnPath(); known && path == "" {
		return true
	}
	for _, a := range rd.msg.From {
		local := strings.ToLower(a.Local())
		switch {
		case local == "mailer-daemon", local == "postmaster", local == "mailerdaemon", local == "mail-daemon", local == "mailer_daemon",
			strings.HasPrefix(local, "microsoftexchange"), local == "maildelivery", local == "mmdf", local == "bounce":
			return true
		}
		if strings.Contains(strings.ToLower(a.Name), "mail delivery s") { // System, Subsystem, Service
			return true
		}
	}
	return false
}

func bounceSubject(subject string) string {
	s := strings.ToLower(clip(subject, 300))
	for _, p := range bounceSubjects {
		if strings.Contains(s, p) {
			return p
		}
	}
	return ""
}

// plain is the text of the mail, from the HTML if it has no other. Only for looking at, not for showing.
func (rd *reader) plain() string {
	m := rd.msg
	if m.Text != "" || m.HTML == "" {
		return m.Text
	}
	return roughText(clip(m.HTML, maxReport))
}

// informalBounce decides by the author together with the wording: a person who forwards a bounce is no mail server.
func (rd *reader) informalBounce(b *Bounce, report bool) bool {
	failed := rd.msg.Header.Get("X-Failed-Recipients")
	daemon := rd.fromDaemon()
	if !report && !daemon && failed == "" {
		return false
	}
	format := formatOf(rd.plain())
	subject := bounceSubject(rd.msg.Subject)
	switch {
	case report && (daemon || format != nil || subject != ""):
		b.proof = "Content-Type: multipart/report"
	case failed != "":
		b.proof = "X-Failed-Recipients: " + failed
	case daemon && format != nil:
		b.proof = "text of " + format.name
	case daemon && subject != "":
		b.proof = "Subject: " + subject
	default:
		return false
	}
	rd.informal(b)
	return true
}

func formatOf(text string) *bounceFormat {
	low := strings.ToLower(strings.Join(strings.Fields(clip(text, 8<<10)), " "))
	for i := range bounceFormats {
		for _, m := range bounceFormats[i].marks {
			if strings.Contains(low, m) {
				return &bounceFormats[i]
			}
		}
	}
	return nil
}

// informal reads recipients and reasons out of a report's text.
func (rd *reader) informal(b *Bounce) {
	text := clip(rd.plain(), 64<<10)
	format := formatOf(text)
	b.Format = "other"
	if format != nil {
		b.Format = format.name
	}
	text, copied := splitCopy(text, format)
	if b.Original == nil && copied != "" {
		b.Original = parseHeader(copied, 16)
	}
	known := map[string]bool{}
	for _, a := range rd.msg.Header.Addresses("X-Failed-Recipients") {
		if a.Address != "" && !known[strings.ToLower(a.Address)] {
			known[strings.ToLower(a.Address)] = true
			b.Recipients = append(b.Recipients, Recipient{Address: a.Address})
		}
	}
	s := textScan{b: b, known: known, skip: rd.ownAddresses(), delayed: delayedText(rd.msg.Subject + "\n" + text)}
	s.run(text)
}

// ownAddresses are those that a report names without meaning a failure: its own reader and its own author.
func (rd *reader) ownAddresses() map[string]bool {
	own := map[string]bool{}
	for _, list := range [][]Address{rd.msg.To, rd.msg.Cc, rd.msg.From, rd.msg.Sender, rd.msg.ReplyTo} {
		for _, a := range list {
			own[strings.ToLower(a.Address)] = true
		}
	}
	return own
}

// splitCopy cuts the returned mail off the report's own words.
func splitCopy(text string, format *bounceFormat) (report, copied string) {
	pos := 0
	for pos < len(text) {
		line, _, _ := strings.Cut(text[pos:], "\n")
		low := strings.ToLower(strings.TrimSpace(line))
		next := min(pos+len(line)+1, len(text))
		if format != nil {
			for _, c := range format.copies {
				if strings.HasPrefix(low, c) {
					return text[:pos], strings.TrimLeft(text[next:], "\n \t")
				}
			}
		}
		if strings.HasPrefix(low, "return-path:") || strings.HasPrefix(low, "received:") || strings.HasPrefix(low, "dkim-signature:") {
			return text[:pos], text[pos:]
		}
		pos = next
	}
	return text, ""
}

func delayedText(s string) bool {
	low := strings.ToLower(clip(s, 8<<10))
	for _, p := range []string{"delayed", "has not yet been delivered", "still being retried", "will be retried", "will continue to", "will keep trying", "delivery incomplete", "no action is required on your part", "transient non-fatal", "you do not need to resend"} {
		if strings.Contains(low, p) {
			return true
		}
	}
	return false
}

// textScan goes over a report line by line: an address opens a recipient, a code in the lines after it is its reason.
type textScan struct {
	b       *Bounce
	known   map[string]bool
	skip    map[string]bool
	delayed bool
	current int // index of the recipient that reasons belong to, -1 before the first
	orphan  string
}

func (s *textScan) run(text string) {
	s.current = -1
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || len(line) > 4000 {
			continue
		}
		if i := s.recipient(line); i >= 0 {
			s.current = i
		}
		code, status := codesIn(line)
		if code < 400 && status == "" || strings.HasPrefix(line, ">>>") {
			continue
		}
		if s.current < 0 {
			if s.orphan == "" {
				s.orphan = line
			}
			continue
		}
		s.reason(s.current, line)
	}
	for i := range s.b.Recipients {
		r := &s.b.Recipients[i]
		if r.Diagnostic == "" && s.orphan != "" {
			s.reason(i, s.orphan)
		}
		if s.delayed {
			r.Outcome = OutcomeDelayed
		} else if r.Outcome == OutcomeUnknown {
			r.Outcome = OutcomeFailed // a report that only says "not delivered"
		}
	}
	if len(s.b.Recipients) == 0 {
		var r Recipient
		r.Diagnostic = s.orphan
		r.judge()
		if s.b.Outcome = r.Outcome; s.delayed {
			s.b.Outcome = OutcomeDelayed
		}
	}
}

// recipient finds an address that leads its line: "<a@b>:", "a@b", "'Name' (a@b)", "To: a@b".
func (s *textScan) recipient(line string) int {
	if len(line) > 400 {
		return -1
	}
	for _, w := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t<>()[]'\",;:", r) }) {
		w = strings.TrimRight(strings.TrimPrefix(strings.ToLower(w), "mailto:"), ".")
		at := strings.IndexByte(w, '@')
		if at <= 0 || at == len(w)-1 || !strings.Contains(w[at:], ".") || s.skip[w] || len(w) > 320 {
			continue
		}
		for i := range s.b.Recipients {
			if strings.EqualFold(s.b.Recipients[i].Address, w) {
				return i
			}
		}
		// New ones count only before a long run of prose: at the head of a line, or in a short one.
		if !strings.HasPrefix(strings.ToLower(strings.TrimLeft(line, "<'\"( ")), w) && len(strings.Fields(line)) > 12 || len(s.b.Recipients) >= maxRecipients || s.current >= 0 && isDiagnostic(line) {
			continue
		}
		s.b.Recipients = append(s.b.Recipients, Recipient{Address: w})
		return len(s.b.Recipients) - 1
	}
	return -1
}

func isDiagnostic(line string) bool {
	code, status := codesIn(line)
	return code >= 400 || status != ""
}

func (s *textScan) reason(i int, line string) {
	r := &s.b.Recipients[i]
	if r.Diagnostic != "" {
		return
	}
	r.Diagnostic = clip(line, 1000)
	r.judge()
}
