package mailgun

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/postern-chat/postern"
)

const (
	opEvent  = "mailgun.event"
	maxEvent = 1 << 20 // of an event's body; real ones have 2 to 6 KB
)

// Event verifies and reads the body of an event webhook. The digest is of the event's
// content, whatever the order of its members.
func (c *Client) Event(body []byte) (e postern.MailEvent, token string, digest []byte, err error) {
	top, err := openEvent(body)
	if err != nil {
		return e, "", nil, err
	}
	t := signatureOf(top["signature"])
	if err := c.verify(opEvent, t); err != nil {
		return e, "", nil, err
	}
	e, digest, err = readEvent(top)
	return e, t.token, digest, err
}

// DecodeEvent reads the body of an event webhook that was verified when it arrived.
func (c *Client) DecodeEvent(body []byte) (postern.MailEvent, error) {
	top, err := openEvent(body)
	if err != nil {
		return postern.MailEvent{}, err
	}
	e, _, err := readEvent(top)
	return e, err
}

func openEvent(body []byte) (map[string]json.RawMessage, error) {
	if len(body) > maxEvent {
		return nil, postern.Errorf(postern.Invalid, opEvent, "larger than %d bytes", maxEvent).Because(postern.CauseTooLarge)
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(body, &top); err != nil {
		return nil, &postern.Error{Kind: postern.Invalid, Op: opEvent, Err: err}
	}
	return top, nil
}

// signatureOf reads the triple; a parent-signature beside it (subaccounts) is left
// alone. The timestamp is a string, by some accounts a number: what is signed is its text.
func signatureOf(raw json.RawMessage) triple {
	v, err := parseTree(raw)
	if err != nil {
		return triple{}
	}
	o := obj(v)
	text := func(v any) string {
		switch v := v.(type) {
		case string:
			return v
		case json.Number:
			return v.String()
		}
		return ""
	}
	return triple{timestamp: text(o["timestamp"]), token: text(o["token"]), signature: text(o["signature"])}
}

func readEvent(top map[string]json.RawMessage) (e postern.MailEvent, digest []byte, err error) {
	v, err := parseTree(top["event-data"])
	if err != nil {
		return e, nil, postern.Errorf(postern.Invalid, opEvent, "event-data missing or not JSON")
	}
	data, ok := v.(object)
	if !ok {
		return e, nil, postern.Errorf(postern.Invalid, opEvent, "event-data is not an object")
	}
	sum := sha256.Sum256(canonical(make([]byte, 0, 4096), data))
	e = mailEvent(data)
	if id := str(data["id"], 200); id != "" {
		// An id is unique within one day only.
		e.Key = "mailgun:event:" + id + ":"
		if !e.At.IsZero() {
			e.Key += strconv.FormatInt(e.At.UnixMicro(), 10)
		}
	} else {
		e.Key = "mailgun:event:" + hex.EncodeToString(sum[:])
	}
	if e.At.IsZero() {
		signed, _ := strconv.ParseInt(signatureOf(top["signature"]).timestamp, 10, 64)
		e.At = moment(json.Number(strconv.FormatInt(signed, 10)))
	}
	return e, sum[:], nil
}

// mailEvent turns event-data into our words. It takes every shape.
func mailEvent(data object) postern.MailEvent {
	vars := obj(data["user-variables"])
	participant, _ := strconv.ParseUint(str(vars[varParticipant], 32), 10, 64)
	e := postern.MailEvent{
		Kind:        eventKind(data),
		At:          eventTime(data),
		Delivery:    postern.DeliveryID(str(vars[varDelivery], 200)),
		Participant: postern.ParticipantID(participant),
		MessageID:   messageID(data),
		Recipient:   str(data["recipient"], 320),
	}
	switch e.Kind {
	case postern.MailOpened, postern.MailClicked:
		e.Opener = opener(obj(data["client-info"]))
		e.DeliveredAt = moment(data["delivered-at"])
	case postern.MailDelivered, postern.MailDeferred, postern.MailFailed:
		addStatus(&e, data)
	}
	return e
}

func messageID(data object) string {
	headers := obj(obj(data["message"])["headers"])
	return bareID(str(headers["message-id"], 1000))
}

func eventKind(data object) postern.MailEventKind {
	switch str(data["event"], 40) {
	case "accepted":
		return postern.MailAccepted
	case "delivered":
		return postern.MailDelivered
	case "opened":
		return postern.MailOpened
	case "clicked":
		return postern.MailClicked
	case "complained":
		return postern.MailComplained
	case "unsubscribed":
		return postern.MailUnsubscribed
	case "failed":
		return failure(data)
	case "temporary_fail":
		return postern.MailDeferred
	case "permanent_fail", "rejected":
		return postern.MailFailed
	}
	return postern.MailOther
}

// failure tells a refusal for good from one for now. Without a severity the code
// decides, and in doubt it is for now: that stops nobody's mail.
func failure(data object) postern.MailEventKind {
	switch str(data["severity"], 40) {
	case "permanent":
		return postern.MailFailed
	case "temporary":
		return postern.MailDeferred
	}
	code := num(obj(data["delivery-status"])["code"])
	if code >= 500 && code < 600 || suppressed(data) != "" {
		return postern.MailFailed
	}
	return postern.MailDeferred
}

// suppressed says which of its lists made Mailgun refuse to try.
func suppressed(data object) postern.StopReason {
	code, reason := str(obj(data["delivery-status"])["code"], 8), str(data["reason"], 80)
	switch {
	case code == "605" || reason == "suppress-bounce":
		return postern.StopBounced
	case code == "606" || reason == "suppress-unsubscribe":
		return postern.StopUnsubscribed
	case code == "607" || reason == "suppress-complaint":
		return postern.StopComplained
	case strings.HasPrefix(reason, "suppress-"):
		return postern.StopSuppressed
	}
	return ""
}

// addStatus adds what the other server, or Mailgun in its stead, had to say.
func addStatus(e *postern.MailEvent, data object) {
	status := obj(data["delivery-status"])
	code := str(status["code"], 8)
	if code == "" {
		code = str(status["bounce-code"], 16) // a bounce that came as a mail after delivery
	}
	e.Code = strings.TrimSpace(code + " " + str(status["enhanced-code"], 16))
	if e.Kind == postern.MailDelivered {
		return
	}
	e.Detail = firstOf(str(status["message"], 500), str(status["description"], 500), str(data["reason"], 200))
	if e.Kind == postern.MailDeferred {
		e.RetryAfter = seconds(status["retry-seconds"])
		return
	}
	e.Suppressed = suppressed(data)
	reject := obj(data["reject"])
	e.Detail = firstOf(e.Detail, str(reject["reason"], 500), str(reject["description"], 500))
	if truth(obj(data["flags"])["is-delayed-bounce"]) {
		e.Detail = strings.TrimSpace("bounced after delivery: " + e.Detail)
	}
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// opener says who fetched the picture. Mailgun's bot field misses link scanners, so
// that "a person" is only the absence of proof.
func opener(info object) postern.Opener {
	switch strings.ToLower(str(info["bot"], 40)) {
	case "":
		if truth(info["bot"]) {
			return postern.OpenedByScanner
		}
	case "apple":
		return postern.OpenedByApple
	case "gmail":
		return postern.OpenedByGmail
	default:
		return postern.OpenedByScanner
	}
	return agentOpener(str(info["user-agent"], 1000), str(info["client-type"], 40))
}

// robots are parts of user agents of programs that no person sits at.
func robots() []string {
	return []string{
		"barracuda", "mimecast", "proofpoint", "bingpreview", "googlebot", "slackbot",
		"python-requests", "python-urllib", "curl/", "wget/", "go-http-client", "headlesschrome",
	}
}

func agentOpener(agent, clientType string) postern.Opener {
	switch {
	case strings.Contains(agent, "GoogleImageProxy"):
		return postern.OpenedByPerson // fetched when the mail is shown
	case agent == "Mozilla/5.0":
		return postern.OpenedByApple
	case strings.Contains(agent, "Chrome/42.0.2311.135") && strings.Contains(agent, "Edge/12.246") && strings.HasSuffix(agent, "Mozilla/5.0"):
		return postern.OpenedByGmail // while a session is active, before the mail is shown
	case clientType == "robot":
		return postern.OpenedByScanner
	}
	agent = strings.ToLower(agent)
	for _, r := range robots() {
		if strings.Contains(agent, r) {
			return postern.OpenedByScanner
		}
	}
	return postern.OpenedByPerson
}

// eventTime is when it happened; the Logs API has a name of its own for it.
func eventTime(data object) time.Time {
	if t := moment(data["timestamp"]); !t.IsZero() {
		return t
	}
	return moment(data["@timestamp"])
}
