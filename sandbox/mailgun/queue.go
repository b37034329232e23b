package mailgun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// DeliveryError is what a receiving mail server says when it does not take a
// mail. Codes of 400 to 499 are temporary.
type DeliveryError struct {
	Code     int
	Enhanced string
	Message  string
	Reason   string // Mailgun's reason; default bounce or generic
}

func (e *DeliveryError) Error() string { return fmt.Sprintf("%d %s", e.Code, e.Message) }

// SMTPCode is the reply for the server that sends.
func (e *DeliveryError) SMTPCode() (code int, text string) { return e.Code, e.Message }

// maxAge is how long Mailgun goes on trying to deliver.
const maxAge = 8 * time.Hour

// enqueue takes an accepted message on its way: the accepted event, then for
// each recipient delivered or failed.
func (s *Server) enqueue(m *message) {
	s.mu.Lock()
	m.key = "B" + s.ids.hex(40)
	s.st.messages[m.key] = m
	s.st.order = append(s.st.order, m)
	for _, d := range m.to {
		d.token = s.ids.hex(32)
		s.st.tokens[d.token] = d
	}
	if dom := s.st.domains[m.domain]; dom != nil {
		for _, t := range m.opts.tags {
			if len(dom.tags) < s.st.switches.TagLimit {
				dom.tags[strings.ToLower(t)] = true
			}
		}
	}
	s.mu.Unlock()
	s.archive(m)
	for _, d := range m.to {
		s.later(s.cfg.Timing.AcceptAfter, "to:"+d.token, func(context.Context) { s.accept(d) })
	}
}

func (s *Server) accept(d *delivery) {
	m := d.msg
	if s.rejected(d) {
		return
	}
	s.emit(d, "accepted", "accepted", s.acceptedData(d))
	wait := s.cfg.Timing.DeliverAfter
	if at := m.opts.deliverAt; !at.IsZero() {
		wait = max(wait, at.Sub(s.Now()))
	}
	d.first = s.Now().Add(wait)
	s.later(wait, "to:"+d.token, func(ctx context.Context) { s.attempt(ctx, d) })
}

// rejected: a sandbox domain's stranger in the older way, or a fault.
func (s *Server) rejected(d *delivery) bool {
	text := ""
	s.mu.Lock()
	if dom := s.st.domains[d.msg.domain]; dom != nil && dom.Type == "sandbox" && s.st.switches.SandboxEvent && !s.st.authorised(d.to) {
		text = textSandbox
	}
	s.mu.Unlock()
	if text == "" {
		if f := s.strikes(subject{on: "delivery", recipient: d.to, messageID: d.msg.id}); f != nil {
			s.mu.Lock()
			d.pending, d.fault = f, f.Action
			s.mu.Unlock()
			if f.Action == "reject" {
				text = orText(f.Text, "Message was rejected by the emulator")
			}
		}
	}
	if text == "" {
		return false
	}
	s.setState(d, "failed")
	data := s.messageData(d)
	data["log-level"], data["reject"] = "warn", map[string]any{"reason": text, "description": ""}
	delete(data, "envelope")
	s.emit(d, "rejected", "", data)
	return true
}

// attempt tries once to hand the mail over. It runs in the delivery's lane.
func (s *Server) attempt(ctx context.Context, d *delivery) {
	m := d.msg
	s.mu.Lock()
	d.tries++
	dropped := d.state == "dropped"
	s.mu.Unlock()
	if dropped {
		return
	}
	if code, text, reason := s.suppressed(m, d); code != 0 {
		s.setState(d, "failed")
		s.emit(d, "failed", "permanent_fail", s.failedData(d, "permanent", reason, &DeliveryError{Code: code, Message: ""}, text, 0))
		return
	}
	err := s.handOver(ctx, d)
	var de *DeliveryError
	switch {
	case err == nil:
		s.delivered(d)
	case errors.As(err, &de) && (de.Code < 400 || de.Code > 499 || de.Code == 498):
		s.bounced(d, de)
	default:
		if de == nil {
			de = &DeliveryError{Code: 421, Message: err.Error()}
		}
		s.deferred(d, de)
	}
}

// handOver gives the mail to the mailbox, the routes, or the fault.
func (s *Server) handOver(ctx context.Context, d *delivery) error {
	m := d.msg
	f := s.deliveryFault(d)
	if err := faultError(f); err != nil {
		return err
	}
	sent, err := s.copyFor(d)
	if err != nil {
		return &DeliveryError{Code: 554, Message: err.Error()}
	}
	s.mu.Lock()
	d.sent = sent
	s.mu.Unlock()
	if m.opts.testMode || (f != nil && f.Action == "lose") {
		return nil // accepted and processed, but nobody gets it
	}
	r, err := sent.Open()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	from := m.sender
	if from == "" {
		from = "bounce+" + d.token[:12] + "@" + m.domain
	}
	began := s.Now()
	switch {
	case s.Hosts(d.to):
		err = s.Receive(ctx, from, []string{d.to}, r)
	case s.cfg.Deliver != nil:
		err = s.cfg.Deliver(ctx, from, d.to, r)
	default:
		_, err = io.Copy(io.Discard, r)
	}
	e := Entry{Kind: "delivery", What: "mail to " + d.to, MessageID: m.id, Recipient: d.to, Try: d.tries,
		Millis: s.Now().Sub(began).Milliseconds()}
	if err != nil {
		e.Error, e.Failed = err.Error(), true
	}
	s.note(e)
	return err
}

// deliveryFault is the fault of this attempt; the one found at acceptance
// counts for the first.
func (s *Server) deliveryFault(d *delivery) *Fault {
	f := d.pending
	d.pending = nil
	if d.tries > 1 {
		f = s.strikes(subject{on: "delivery", recipient: d.to, messageID: d.msg.id})
	}
	sw := s.switches()
	key := []string{d.msg.id, d.to, fmt.Sprint(d.tries)}
	if f == nil && sw.BounceChance > 0 && chance(s.cfg.Seed, append(key, "bounce")...) < sw.BounceChance {
		f = &Fault{Action: "bounce"}
	}
	if f == nil && sw.DeferChance > 0 && chance(s.cfg.Seed, append(key, "defer")...) < sw.DeferChance {
		f = &Fault{Action: "defer"}
	}
	return f
}

func faultError(f *Fault) error {
	if f == nil {
		return nil
	}
	e := &DeliveryError{Code: f.Status, Message: f.Text, Reason: f.Body}
	switch f.Action {
	case "bounce":
		e.Code, e.Message = orInt(e.Code, 550), orText(e.Message, "5.1.1 The email account that you tried to reach does not exist")
	case "espblock":
		e.Code, e.Message, e.Reason = orInt(e.Code, 550), orText(e.Message, "5.7.1 Message blocked by the receiving provider"), "espblock"
	case "no-mx":
		e.Code, e.Message, e.Reason = 498, "No MX for "+"the recipient's domain", "generic"
	case "defer":
		e.Code, e.Message = orInt(e.Code, 421), orText(e.Message, "4.3.2 Service not available, try again later")
	default:
		return nil
	}
	return e
}

func (s *Server) delivered(d *delivery) {
	now := s.Now()
	s.mu.Lock()
	d.state, d.delivered = "delivered", now
	s.mu.Unlock()
	s.emit(d, "delivered", "delivered", s.deliveredData(d))
	switch d.fault {
	case "complain":
		s.later(time.Second, "to:"+d.token, func(context.Context) { _ = s.Complain(d.to, d.msg.id) })
	case "unsubscribe":
		s.later(time.Second, "to:"+d.token, func(context.Context) { s.unsubscribe(d, somebody(), "*") })
	case "delayed-bounce":
		s.later(time.Minute, "to:"+d.token, func(context.Context) { s.delayedBounce(d) })
	}
}

func (s *Server) bounced(d *delivery, de *DeliveryError) {
	s.setState(d, "failed")
	reason := de.Reason
	if reason == "" {
		reason = "bounce"
	}
	if reason == "bounce" {
		s.suppress(d.msg.domain, "bounces", d.to, fmt.Sprint(de.Code), de.Message, nil)
	}
	s.emit(d, "failed", "permanent_fail", s.failedData(d, "permanent", reason, de, "", 0))
}

// deferred plans the next try, or gives up when the message is too old.
func (s *Server) deferred(d *delivery, de *DeliveryError) {
	within := maxAge
	if w := d.msg.opts.deliverWithin; w > 0 {
		within = w
	}
	pauses := s.cfg.Timing.DeliveryRetries
	if d.tries > len(pauses) {
		s.tooOld(d)
		return
	}
	pause := s.cfg.Timing.scaled(pauses[d.tries-1])
	if s.Now().Add(pause).Sub(d.first) > s.cfg.Timing.scaled(within) {
		s.tooOld(d)
		return
	}
	reason := orText(de.Reason, "generic")
	s.emit(d, "failed", "temporary_fail", s.failedData(d, "temporary", reason, de, "", pauses[d.tries-1]))
	s.later(pause, "to:"+d.token, func(ctx context.Context) { s.attempt(ctx, d) })
}

func (s *Server) tooOld(d *delivery) {
	s.setState(d, "failed")
	s.emit(d, "failed", "permanent_fail", s.failedData(d, "permanent", "old", &DeliveryError{Code: 602, Message: "Too old"}, "", 0))
}

// delayedBounce is a report that comes back after the mail was taken.
func (s *Server) delayedBounce(d *delivery) {
	de := &DeliveryError{Code: 550, Enhanced: "5.1.1", Message: "550 5.1.1 User unknown"}
	s.suppress(d.msg.domain, "bounces", d.to, "550", de.Message, nil)
	data := s.failedData(d, "permanent", "bounce", de, "", 0)
	data["envelope"] = map[string]any{}
	data["flags"].(map[string]any)["is-delayed-bounce"] = true
	status := data["delivery-status"].(map[string]any)
	status["bounce-code"] = "5.1.1"
	s.emit(d, "failed", "permanent_fail", data)
}

// Complain files a spam complaint of the recipient about the message.
func (s *Server) Complain(recipient, messageID string) error {
	d := s.find(recipient, messageID)
	if d == nil {
		return fmt.Errorf("sandbox mailgun: no message <%s> was sent to %s", messageID, recipient)
	}
	s.suppress(d.msg.domain, "complaints", d.to, "", "", nil)
	data := s.messageData(d)
	data["log-level"], data["envelope"] = "warn", map[string]any{"sending-ip": sendingIP}
	data["flags"] = map[string]any{"is-test-mode": d.msg.opts.testMode}
	s.emit(d, "complained", "complained", data)
	return nil
}

// find is the newest delivery of a message id to a recipient; an empty id is
// the newest mail to him.
func (s *Server) find(recipient, messageID string) *delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.st.order) - 1; i >= 0; i-- {
		m := s.st.order[i]
		if m.inbound || (messageID != "" && m.id != strings.Trim(messageID, "<>")) {
			continue
		}
		for _, d := range m.to {
			if strings.EqualFold(d.to, recipient) {
				return d
			}
		}
	}
	return nil
}

// archive posts the MIME to o:archive-to, once and without retries.
func (s *Server) archive(m *message) {
	if m.opts.archiveTo == "" {
		return
	}
	s.later(0, "", func(ctx context.Context) {
		r, err := m.raw.Open()
		if err != nil {
			return
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.opts.archiveTo, r)
		if err != nil {
			_ = r.Close()
			return
		}
		req.Header.Set("Content-Type", "application/mime")
		e := Entry{Kind: "post", What: "archive copy", URL: m.opts.archiveTo, MessageID: m.id}
		resp, err := s.client.Do(req)
		if err != nil {
			e.Error, e.Failed = err.Error(), true
		} else {
			e.Status = resp.StatusCode
			_ = resp.Body.Close()
		}
		s.note(e)
	})
}

func (s *Server) setState(d *delivery, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.state = to
}

func orInt(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}

func orText(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
