package mailgun

import (
	"encoding/json"
	"maps"
	"strings"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox/eml"
)

// sendingIP is from the block for documentation (RFC 5737).
const sendingIP = "192.0.2.25"

// event is one line of Mailgun's log.
type event struct {
	id        string
	name      string // as in payloads: both fails are "failed"
	at        time.Time
	domain    string
	recipient string
	messageID string
	data      map[string]any // never changed once emitted
}

// emit records an event and posts it to the webhooks of the given type; an
// empty type has none.
func (s *Server) emit(d *delivery, name, hook string, data map[string]any) {
	m := d.msg
	now := s.Now()
	ev := &event{name: name, at: now, domain: m.domain, recipient: d.to, messageID: m.id, data: data}
	s.mu.Lock()
	ev.id = s.ids.text()
	data["id"], data["event"], data["timestamp"] = ev.id, name, float64(now.UnixMicro())/1e6
	s.st.events = append(s.st.events, ev)
	s.mu.Unlock()
	e := Entry{Kind: "event", What: name + " " + d.to, Event: name, MessageID: m.id, Recipient: d.to,
		Failed: name == "failed" || name == "rejected"}
	if sev, _ := data["severity"].(string); sev != "" {
		e.What = sev + " " + e.What
	}
	if b, err := json.Marshal(data); err == nil {
		e.Body = string(b)
	}
	s.note(e)
	if hook != "" && (!m.inbound || s.switches().RoutedEvents) {
		s.postEvent(ev, hook)
	}
}

// messageData is what nearly all events have in common.
func (s *Server) messageData(d *delivery) map[string]any {
	m := d.msg
	files := make([]any, 0, len(m.files))
	for _, f := range m.files {
		files = append(files, map[string]any{"filename": f.Filename, "content-type": f.ContentType, "size": f.Size})
	}
	tags := make([]any, 0, len(m.opts.tags))
	for _, t := range m.opts.tags {
		tags = append(tags, t)
	}
	return map[string]any{
		"log-level": "info", "account": map[string]any{"id": accountID}, "domain": map[string]any{"name": m.domain},
		"recipient": d.to, "recipient-domain": domainOf(d.to), "recipient-provider": provider(d.to),
		"tags": tags, "user-variables": m.opts.eventVars(), "campaigns": []any{},
		"flags": map[string]any{"is-authenticated": true, "is-routed": m.inbound, "is-big": m.size > 1<<20,
			"is-system-test": false, "is-test-mode": m.opts.testMode},
		"envelope": map[string]any{"sender": senderOf(m), "targets": d.to, "transport": "smtp"},
		"message": map[string]any{"headers": map[string]any{
			"from": m.header.Text("From"), "to": m.header.Text("To"), "subject": m.header.Text("Subject"), "message-id": m.id,
		}, "attachments": files, "size": m.size},
		"storage": map[string]any{"key": m.key, "url": m.base + "/v3/domains/" + m.domain + "/messages/" + m.key,
			"region": "us-east4", "env": "production"},
	}
}

const accountID = "sandbox0000000000000001"

func senderOf(m *message) string {
	if m.sender != "" {
		return m.sender
	}
	return eml.Address(m.header.Get("From"))
}

func provider(address string) string {
	switch d := domainOf(address); d {
	case "gmail.com", "googlemail.com":
		return "Gmail"
	case "yahoo.com", "yahoo.de":
		return "Yahoo"
	case "outlook.com", "hotmail.com", "live.com":
		return "Outlook"
	case "icloud.com", "me.com":
		return "iCloud"
	default:
		return "Other"
	}
}

func (s *Server) acceptedData(d *delivery) map[string]any {
	m := d.msg
	data := s.messageData(d)
	data["method"], data["api-key-id"] = m.method, m.keyID
	data["flags"] = map[string]any{"is-authenticated": true, "is-test-mode": m.opts.testMode}
	if m.inbound {
		data["flags"] = map[string]any{"is-authenticated": false, "is-routed": true, "is-test-mode": false}
		delete(data, "api-key-id")
	}
	msg := data["message"].(map[string]any)
	delete(msg, "attachments")
	delete(data, "campaigns")
	return data
}

func (s *Server) deliveredData(d *delivery) map[string]any {
	data := s.messageData(d)
	env := data["envelope"].(map[string]any)
	env["sending-ip"] = sendingIP
	data["primary-dkim"] = "k1._domainkey." + d.msg.domain
	data["delivery-status"] = map[string]any{"attempt-no": max(d.tries, 1), "code": 250, "message": "OK", "description": nil,
		"enhanced-code": nil, "session-seconds": 0.43, "mx-host": "mx." + domainOf(d.to), "certificate-verified": true,
		"tls": true, "utf8": true, "first-delivery-attempt-seconds": 0.4}
	return data
}

// failedData describes a failure. description is the text of suppressions; pause
// is the time to the next try of a temporary one.
func (s *Server) failedData(d *delivery, severity, reason string, de *DeliveryError, description string, pause time.Duration) map[string]any {
	data := s.messageData(d)
	data["severity"], data["reason"] = severity, reason
	data["log-level"] = "error"
	enhanced := de.Enhanced
	if enhanced == "" && len(de.Message) > 5 && de.Message[1] == '.' && de.Message[3] == '.' {
		enhanced, _, _ = strings.Cut(de.Message, " ")
	}
	status := map[string]any{"attempt-no": max(d.tries, 1), "code": de.Code, "message": de.Message, "description": description,
		"enhanced-code": enhanced, "session-seconds": 0.11}
	switch {
	case severity == "temporary":
		data["log-level"] = "warn"
		status["retry-seconds"] = int(pause.Seconds())
	case reason == "bounce":
		status["bounce-type"] = "hard"
	case strings.HasPrefix(reason, "suppress-"):
		status["session-seconds"] = 0
		delete(status, "enhanced-code")
	}
	data["delivery-status"] = status
	return data
}

// engagementData is the common part of opened, clicked and unsubscribed; their
// message has nothing but its id.
func (s *Server) engagementData(d *delivery, v visitor) map[string]any {
	data := s.messageData(d)
	for _, k := range []string{"envelope", "flags", "storage"} {
		delete(data, k)
	}
	data["message"] = map[string]any{"headers": map[string]any{"message-id": d.msg.id}}
	s.mu.Lock()
	at := d.delivered
	s.mu.Unlock()
	if !at.IsZero() {
		data["delivered-at"] = at.Unix()
	}
	data["ip"] = v.ip
	data["geolocation"] = map[string]any{"country": "US", "region": "CA", "city": "San Francisco", "timezone": "America/Los_Angeles"}
	data["client-info"] = v.info()
	return data
}

// oddly is an event's data as a webhook shows it: the oddities applied to a copy.
func oddly(data map[string]any, odd map[string]bool) map[string]any {
	out := maps.Clone(data)
	if vars, _ := out["user-variables"].(map[string]any); len(vars) == 0 && odd[OddVarsArray] {
		out["user-variables"] = []any{}
	} else if odd[OddVarsString] {
		b, _ := json.Marshal(vars)
		out["user-variables"] = string(b)
	}
	if st, ok := out["storage"].(map[string]any); ok && odd[OddStorageURLArray] {
		st = maps.Clone(st)
		st["url"] = []any{st["url"]}
		out["storage"] = st
	}
	if _, ok := out["storage"]; ok && odd[OddStorageArray] {
		out["storage"] = []any{}
	}
	if odd[OddTagsMissing] {
		delete(out, "tags")
	}
	if st, ok := out["delivery-status"].(map[string]any); ok {
		out["delivery-status"] = oddStatus(st, odd)
	}
	oddMessage(out, odd)
	return out
}

func oddStatus(st map[string]any, odd map[string]bool) any {
	if odd[OddStatusNull] {
		return nil
	}
	st = maps.Clone(st)
	if code, ok := st["code"].(int); ok && odd[OddCodeString] {
		b, _ := json.Marshal(code)
		st["code"] = string(b)
	}
	if odd[OddDescriptionNull] {
		st["description"], st["enhanced-code"] = nil, nil
	}
	if odd[OddEnhancedMissing] {
		delete(st, "description")
		delete(st, "enhanced-code")
	}
	return st
}

func oddMessage(out map[string]any, odd map[string]bool) {
	msg, _ := out["message"].(map[string]any)
	headers, _ := msg["headers"].(map[string]any)
	if headers == nil || !(odd[OddBrackets] || odd[OddHeadersMissing]) {
		return
	}
	id, _ := headers["message-id"].(string)
	msg, headers = maps.Clone(msg), maps.Clone(headers)
	if odd[OddHeadersMissing] {
		headers = map[string]any{}
	}
	headers["message-id"] = id
	if odd[OddBrackets] {
		headers["message-id"] = "<" + id + ">"
	}
	msg["headers"] = headers
	out["message"] = msg
}
