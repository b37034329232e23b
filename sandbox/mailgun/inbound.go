package mailgun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-chat/postern/sandbox/mailbox/eml"
	"github.com/postern-chat/postern/sandbox/mailbox/spool"
)

// maxInbound is the largest mail that is taken from outside.
const maxInbound = 64 << 20

// Receive takes a mail from the outside world for addresses of the account, as
// Mailgun's MX would, and runs the routes once per recipient. It returns when
// the mail is stored; the posts follow. The error, if any, is a *DeliveryError
// to be told to the sending server.
func (s *Server) Receive(_ context.Context, from string, to []string, raw io.Reader) error {
	blob, err := s.spool.Put(raw, maxInbound)
	if errors.Is(err, spool.ErrTooLarge) {
		return &DeliveryError{Code: 552, Enhanced: "5.3.4", Message: "5.3.4 Message too large"}
	}
	if err != nil {
		return &DeliveryError{Code: 451, Message: err.Error()}
	}
	defer blob.Remove()
	for _, rcpt := range to {
		if !s.Hosts(rcpt) {
			return &DeliveryError{Code: 550, Enhanced: "5.7.1", Message: "5.7.1 Relaying denied"}
		}
	}
	for _, rcpt := range to {
		if err := s.receiveOne(from, rcpt, blob); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) receiveOne(from, rcpt string, raw *spool.Blob) error {
	if s.returned(rcpt) {
		return nil
	}
	m, err := s.inboundMessage(from, rcpt, raw)
	if err != nil {
		return &DeliveryError{Code: 451, Message: err.Error()}
	}
	d := m.to[0]
	s.mu.Lock()
	all := s.st.sortedRoutes()
	s.mu.Unlock()
	matched := false
	var todo []func()
	for _, r := range all {
		caught, ok := r.filter.match(rcpt, m.header, !matched)
		if !ok {
			continue
		}
		matched = true
		stop := false
		for _, a := range r.parsed {
			stop = stop || a.kind == "stop"
			todo = append(todo, func() { s.act(d, a, caught) })
		}
		if stop {
			break
		}
	}
	e := Entry{Kind: "note", What: "mail from " + from + " for " + rcpt, MessageID: m.id, Recipient: rcpt}
	if !matched {
		e.What += ": no route matches"
		e.Failed = true
		s.note(e)
		if s.switches().RefuseUnrouted {
			return &DeliveryError{Code: 550, Enhanced: "5.7.1", Message: "5.7.1 Relaying denied"}
		}
		return nil
	}
	s.note(e)
	s.mu.Lock()
	m.key = "I" + s.ids.hex(40)
	s.st.messages[m.key] = m
	s.mu.Unlock()
	s.emit(d, "accepted", "accepted", s.acceptedData(d))
	for _, f := range todo {
		f()
	}
	return nil
}

// inboundMessage is the mail as Mailgun passes it on, for one recipient.
func (s *Server) inboundMessage(from, rcpt string, raw *spool.Blob) (*message, error) {
	dom := domainOf(rcpt)
	set := []eml.Field{{Name: "X-Envelope-From", Value: "<" + from + ">"}, {Name: "X-Mailgun-Incoming", Value: "Yes"}}
	s.mu.Lock()
	if d := s.st.domains[dom]; d != nil && d.Settings["spam_action"] == "tag" {
		set = append(set, eml.Field{Name: "X-Mailgun-Sflag", Value: "No"}, eml.Field{Name: "X-Mailgun-Sscore", Value: "-0.1"},
			eml.Field{Name: "X-Mailgun-Spf", Value: "Neutral"}, eml.Field{Name: "X-Mailgun-Dkim-Check-Result", Value: "Fail"})
	}
	token := s.ids.hex(32)
	generated := s.ids.message(s.sched.Now(), dom)
	s.mu.Unlock()
	set = append(set, eml.Field{Name: "Received", Value: "from sandbox by mxa.mailgun.org with ESMTP id " + token[:12] + "; " +
		s.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 +0000")})
	blob, err := s.rewritten(raw, &rewriter{set: set})
	if err != nil {
		return nil, err
	}
	r, err := blob.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	mail, err := eml.Parse(r, nil)
	if err != nil {
		return nil, err
	}
	m := &message{domain: dom, id: eml.MessageID(mail.Header.Get("Message-Id")), method: "smtp", base: s.base(),
		sender: from, raw: blob, header: mail.Header, files: mail.Files, size: blob.Size(), inbound: true, created: s.Now()}
	if m.id == "" {
		m.id = generated
	}
	m.to = []*delivery{{msg: m, to: rcpt, token: token, state: "queued"}}
	return m, nil
}

// returned handles mail to Mailgun's own addresses: bounces to the envelope
// sender and unsubscribe requests by mail.
func (s *Server) returned(rcpt string) bool {
	local := strings.ToLower(localOf(rcpt))
	bounce, isBounce := strings.CutPrefix(local, "bounce+")
	unsub, isUnsub := strings.CutPrefix(local, "u+")
	if !isBounce && !isUnsub {
		return false
	}
	s.mu.Lock()
	d := s.st.tokens[unsub]
	if isBounce {
		d = nil
		for token, x := range s.st.tokens {
			if strings.HasPrefix(token, bounce) && len(bounce) == 12 {
				d = x
			}
		}
	}
	s.mu.Unlock()
	if d == nil {
		return false
	}
	s.later(0, "to:"+d.token, func(context.Context) {
		if isBounce {
			s.delayedBounce(d)
		} else {
			s.unsubscribe(d, somebody(), "*")
		}
	})
	return true
}

// act does one action of a route that matched.
func (s *Server) act(d *delivery, a action, caught captures) {
	switch a.kind {
	case "store":
		s.storeAndNotify(d, caught.expand(a.notify))
	case "forward":
		for _, t := range a.targets {
			t = caught.expand(t)
			if strings.HasPrefix(t, "http://") || strings.HasPrefix(t, "https://") {
				s.forwardHTTP(d, t)
			} else {
				s.forwardMail(d, t)
			}
		}
	}
}

func (s *Server) forwardMail(d *delivery, to string) {
	copied := *d.msg
	s.mu.Lock()
	next := &delivery{msg: &copied, to: to, token: s.ids.hex(32), state: "queued", first: s.sched.Now()}
	s.mu.Unlock()
	copied.to = []*delivery{next}
	s.later(s.cfg.Timing.DeliverAfter, "to:"+next.token, func(ctx context.Context) { s.attempt(ctx, next) })
}

// forwardHTTP posts the mail: raw when the URL's path ends in "mime", parsed
// otherwise.
func (s *Server) forwardHTTP(d *delivery, target string) {
	odd := s.switches().Oddities
	if f := s.strikes(subject{on: "payload", recipient: d.to, event: "inbound", messageID: d.msg.id}); f != nil {
		odd = with(odd, f.Oddities)
	}
	f, err := s.inboundForm(d, isMIME(target), odd)
	if err != nil {
		s.note(Entry{Kind: "note", What: "cannot read mail for " + d.to, Error: err.Error(), Failed: true, MessageID: d.msg.id})
		return
	}
	s.postForm(d, "inbound", target, f)
}

func isMIME(target string) bool {
	u, err := url.Parse(target)
	return err == nil && strings.HasSuffix(strings.TrimRight(u.Path, "/"), "mime")
}

func (s *Server) postForm(d *delivery, kind, target string, f *form) {
	p := &post{Post: Post{Kind: kind, URL: target, Event: "inbound", MessageID: d.msg.id, Recipient: d.to},
		contentType: f.contentType(), body: f.open, retries: s.cfg.Timing.RouteRetries}
	p.done = func(status int) { s.routed(d, target, status) }
	s.addPost(p, s.cfg.Timing.PostAfter)
}

// routed tells by an event what became of a forwarded mail.
func (s *Server) routed(d *delivery, target string, status int) {
	if status == http.StatusOK || status/100 == 2 {
		now := s.Now()
		s.mu.Lock()
		d.state, d.delivered = "delivered", now
		s.mu.Unlock()
		data := s.deliveredData(d)
		data["envelope"] = map[string]any{"sender": d.msg.sender, "transport": "http", "targets": redact(target)}
		s.emit(d, "delivered", "delivered", data)
		return
	}
	s.setState(d, "failed")
	data := s.failedData(d, "permanent", "generic", &DeliveryError{Code: status, Message: fmt.Sprintf("HTTP %d", status)}, "", 0)
	data["envelope"] = map[string]any{"sender": d.msg.sender, "transport": "http", "targets": redact(target)}
	s.emit(d, "failed", "permanent_fail", data)
}
