package letter

import (
	"strings"
)

// Automatic says that a mail was written by a program, and how we know.
type Automatic struct {
	Class Class
	// Proof is the header field or the phrase that decided, for instance "Auto-Submitted: auto-replied".
	Proof string
	// Certain is true if the mail itself declares to be automatic, false if it was inferred from its looks.
	Certain bool
}

// Class is a kind of automatic mail.
type Class string

// The classes.
const (
	ClassOwn         Class = "own"           // a mail of the caller's coming back
	ClassBounce      Class = "bounce"        // not delivered, or delayed: see Message.Bounce
	ClassDelivered   Class = "delivered"     // a notice of success, see Message.Bounce
	ClassReceipt     Class = "receipt"       // a message disposition notification (RFC 8098): displayed, deleted
	ClassComplaint   Class = "complaint"     // an abuse report (ARF, RFC 5965)
	ClassOutOfOffice Class = "out-of-office" // an answer because its author is away
	ClassAutoReply   Class = "auto-reply"    // another automatic answer: ticket opened, mail received
	ClassGenerated   Class = "generated"     // a notice that answers nothing
	ClassList        Class = "list"          // distributed by a mailing list
	ClassBulk        Class = "bulk"          // a newsletter or other mass mail
)

// automatic decides who wrote the mail: strongest evidence first. X-Auto-Response-Suppress only backs up other signs,
// because mail of persons carries it too.
func (rd *reader) automatic(root *part) *Automatic {
	for _, rule := range []func(*part) *Automatic{
		rd.ownMail, rd.reportMail, rd.bounceMail, rd.declaredAuto, rd.subjectAuto, rd.precedence, rd.senderAuto, rd.listMail, rd.weakSigns,
	} {
		if a := rule(root); a != nil {
			a.Proof = clip(cleanUTF8(a.Proof), 200)
			return a
		}
	}
	return nil
}

// subject matches the Subject once for all rules.
func (rd *reader) subject() subjectMatch {
	if rd.matched == nil {
		m := matchSubject(rd.msg.Subject)
		rd.matched = &m
	}
	return *rd.matched
}

func proof(f Field) string { return f.Name + ": " + strings.TrimSpace(f.Value()) }

func (rd *reader) ownMail(*part) *Automatic {
	m := rd.msg
	if rd.opt.OurIDs != nil && m.MessageID != "" && rd.opt.OurIDs(m.MessageID) {
		return &Automatic{ClassOwn, "Message-ID: <" + m.MessageID + ">", true}
	}
	if rd.opt.LoopHeader != "" {
		for _, f := range m.Header {
			if strings.EqualFold(f.Name, rd.opt.LoopHeader) && strings.Contains(f.Raw, rd.opt.LoopValue) {
				return &Automatic{ClassOwn, proof(f), true}
			}
		}
	}
	return nil
}

// reportMail knows multipart/report (RFC 6522) by its type, or by the part that programs read when a gateway changed the type.
func (rd *reader) reportMail(root *part) *Automatic {
	kind := ""
	if root.mediaType == "multipart/report" {
		kind = strings.ToLower(root.params.get("report-type"))
	}
	for _, a := range rd.msg.Attachments {
		if a.Role == RoleReport && a.part != nil && a.part.parent == root {
			if k := strings.TrimPrefix(strings.TrimPrefix(a.ContentType, "message/global-"), "message/"); k != "headers" && !strings.HasPrefix(k, "text/") {
				kind = k
			}
		}
	}
	how := "Content-Type: multipart/report; report-type=" + kind
	switch kind {
	case "delivery-status":
		return &Automatic{rd.msg.Bounce.class(), how, true}
	case "disposition-notification":
		return &Automatic{ClassReceipt, how, true}
	case "feedback-report":
		return &Automatic{ClassComplaint, how, true}
	}
	return nil
}

func (rd *reader) bounceMail(*part) *Automatic {
	if b := rd.msg.Bounce; b != nil {
		return &Automatic{b.class(), b.proof, false}
	}
	return nil
}

// declaredAuto obeys what the mail says of itself: RFC 3834 and the fields that responders invented before and beside it.
func (rd *reader) declaredAuto(*part) *Automatic {
	for _, f := range rd.msg.Header {
		name := strings.ToLower(f.Name)
		if len(name) < 6 || name[0] != 'a' && name[0] != 'x' {
			continue
		}
		value := strings.ToLower(strings.TrimSpace(stripComment(unfold(f.Raw))))
		value, _, _ = strings.Cut(value, ";")
		value = strings.TrimSpace(value)
		if name == "auto-submitted" || name == "x-auto-submitted" {
			switch {
			case value == "no" || value == "":
				continue
			case strings.HasPrefix(value, "auto-replied"):
				return &Automatic{rd.away(ClassAutoReply), proof(f), true}
			default:
				return &Automatic{rd.away(ClassGenerated), proof(f), true}
			}
		}
		if class, ok := responderField(name, value); ok {
			return &Automatic{rd.away(class), proof(f), true}
		}
	}
	return nil
}

// responderField knows the fields by which programs confess.
func responderField(name, value string) (Class, bool) {
	switch name {
	case "x-autoreply", "x-autorespond", "x-autoresponder", "x-autoreply-from", "x-autoreply-domain", "x-auto-reply", "x-mail-autoreply",
		"x-auto-reply-from", "auto-reply", "x-autoresponse", "x-ms-exchange-inbox-rules-loop", "x-vacation", "x-kas-auto-reply":
		return ClassAutoReply, value != "no" && value != "false" && value != "0"
	case "x-autogenerated":
		if strings.HasPrefix(value, "reply") {
			return ClassAutoReply, true
		}
		return ClassGenerated, value != "no" && value != "false"
	case "x-fc-machinegenerated":
		return ClassGenerated, value == "true" || value == "yes" || value == "1"
	case "x-post-messageclass":
		return ClassAutoReply, strings.Contains(value, "autoresponder") || strings.HasPrefix(value, "9")
	case "x-ms-exchange-generated-message-source":
		return ClassAutoReply, strings.Contains(value, "agent")
	case "x-cron-env":
		return ClassGenerated, true
	case "x-precedence":
		return precedenceClass(value)
	}
	return "", false
}

// away turns an automatic answer into an out-of-office one if the subject says so.
func (rd *reader) away(class Class) Class {
	if p := rd.subject(); p.found {
		if p.away || class == ClassGenerated {
			return ClassOutOfOffice
		}
	}
	return class
}

func precedenceClass(value string) (Class, bool) {
	switch strings.ReplaceAll(value, "-", "_") {
	case "auto_reply", "autoreply":
		return ClassAutoReply, true
	case "bulk", "junk":
		return ClassBulk, true
	case "list":
		return ClassList, true
	}
	return "", false
}

func (rd *reader) precedence(*part) *Automatic {
	f, ok := rd.msg.Header.find("Precedence")
	if !ok {
		return nil
	}
	class, ok := precedenceClass(strings.ToLower(strings.TrimSpace(unfold(f.Raw))))
	if !ok {
		return nil
	}
	if class == ClassBulk {
		class = rd.awayOnly(class)
	}
	return &Automatic{class, proof(f), true}
}

// awayOnly is away for mass mail: only an away phrase changes the class.
func (rd *reader) awayOnly(class Class) Class {
	if p := rd.subject(); p.found {
		return ClassOutOfOffice
	}
	return class
}

// subjectAuto knows the subjects that mail programs give to automatic answers. They stand at the very beginning and are
// set off by a colon or stand alone; after "Re:" a person is speaking of one.
func (rd *reader) subjectAuto(*part) *Automatic {
	p := rd.subject()
	if !p.found || !p.alone {
		return nil
	}
	class := ClassAutoReply
	if p.away || rd.suppressed() != "" {
		class = ClassOutOfOffice
	}
	return &Automatic{class, "Subject: " + p.phrase, false}
}

func (rd *reader) suppressed() string {
	f, ok := rd.msg.Header.find("X-Auto-Response-Suppress")
	if !ok || strings.EqualFold(strings.TrimSpace(f.Raw), "none") {
		return ""
	}
	return proof(f)
}

var localSqueezer = strings.NewReplacer("-", "", "_", "", ".", "")

// senderAuto knows the mailboxes behind which no person sits.
func (rd *reader) senderAuto(*part) *Automatic {
	for _, a := range append(append([]Address(nil), rd.msg.From...), rd.msg.Sender...) {
		local := strings.ToLower(a.Local())
		local = localSqueezer.Replace(local)
		for _, name := range [...]string{"noreply", "donotreply", "mailerdaemon"} {
			if strings.HasPrefix(local, name) || strings.HasSuffix(local, name) {
				return &Automatic{ClassGenerated, "From: " + a.Address, false}
			}
		}
		switch local {
		case "postmaster", "maildaemon", "mailsystem", "noanswer", "nepasrepondre", "nichtantworten", "noresponder", "naoresponda", "autoreply", "autoresponder", "bounce", "bounces":
			return &Automatic{ClassGenerated, "From: " + a.Address, false}
		}
	}
	return nil
}

// listMail knows lists (RFC 2919) and mass mail (RFC 2369). A member who answers through a list is a person:
// then the mail answers another one and nothing says that it is bulk.
func (rd *reader) listMail(*part) *Automatic {
	h := rd.msg.Header
	answers := len(rd.msg.InReplyTo) > 0
	for _, name := range []string{"List-Id", "List-Post", "X-Mailing-List", "Mailing-List"} {
		if f, ok := h.find(name); ok && !answers && !strings.EqualFold(strings.TrimSpace(f.Raw), "no") {
			return &Automatic{ClassList, proof(f), false}
		}
	}
	for _, name := range []string{"List-Unsubscribe", "Feedback-ID", "X-Campaign-Id", "X-CampaignID"} {
		if f, ok := h.find(name); ok && !answers {
			return &Automatic{ClassBulk, proof(f), false}
		}
	}
	return nil
}

// weakSigns combines what proves nothing alone.
func (rd *reader) weakSigns(*part) *Automatic {
	if path, known := rd.returnPath(); known && path == "" {
		class := ClassAutoReply
		if p := rd.subject(); p.found {
			class = ClassOutOfOffice
		}
		return &Automatic{class, "Return-Path: <>", false}
	}
	if s := rd.suppressed(); s != "" {
		if p := rd.subject(); p.found {
			return &Automatic{ClassOutOfOffice, "Subject: " + p.phrase + "; " + s, false}
		}
	}
	return nil
}

// returnPath is the envelope sender; known is false if nothing tells.
func (rd *reader) returnPath() (path string, known bool) {
	if rd.opt.ReturnPath != nil {
		return strings.Trim(*rd.opt.ReturnPath, "<> "), true
	}
	for _, name := range []string{"Return-Path", "X-Envelope-From"} {
		if f, ok := rd.msg.Header.find(name); ok {
			return strings.Trim(unfold(f.Raw), "<> \t"), true
		}
	}
	return "", false
}
