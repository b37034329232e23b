package mailgun

import (
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
)

// Fault is a failure on demand. It strikes what all of its non-empty patterns
// fit (shell patterns, `*` spans everything but `/`).
type Fault struct {
	ID string `json:"id"`
	// On is where it strikes: "api" (any call), "send", "delivery" (the attempt
	// to hand a mail to its recipient), "post" (webhooks and inbound), "payload"
	// (what they hold).
	On string `json:"on"`
	// Action, by On:
	//   api, send: status, slow, hang, reset, status-after-accept (send),
	//     reset-after-accept (send)
	//   delivery: bounce, delayed-bounce, defer, espblock, no-mx, suppress,
	//     reject, complain, unsubscribe, lose (delivered, never arrives)
	//   post: duplicate, drop, delay, reorder
	//   payload: odd
	Action    string `json:"action"`
	Recipient string `json:"recipient,omitempty"`
	Path      string `json:"path,omitempty"`
	Event     string `json:"event,omitempty"` // event name, or "inbound"
	MessageID string `json:"message_id,omitempty"`

	Status   int      `json:"status,omitempty"`  // HTTP status, or SMTP code of a delivery
	Body     string   `json:"body,omitempty"`    // instead of the usual answer
	Text     string   `json:"text,omitempty"`    // what the receiving mail server says
	Seconds  float64  `json:"seconds,omitempty"` // slow, delay
	Times    int      `json:"times,omitempty"`   // strikes so often, then no more; 0: always
	Chance   float64  `json:"chance,omitempty"`  // 0 is always
	Oddities []string `json:"oddities,omitempty"`
	Struck   int      `json:"struck"`

	again bool // after Times strikes one passes, then it strikes again (local parts)
}

// Locals explains the local parts that cause faults: local part -> what happens.
func Locals() map[string]string {
	out := map[string]string{}
	for _, l := range localFaults() {
		out[l.local] = l.help
	}
	return out
}

type localFault struct {
	local, help string
	fault       Fault
}

// localFaults is the table of local parts; `bounce+anything@` counts as well.
func localFaults() []localFault {
	l := []localFault{
		{"bounce", "permanent failure 550, then on the bounce list", Fault{On: "delivery", Action: "bounce"}},
		{"delayed-bounce", "delivered, later bounced by a report", Fault{On: "delivery", Action: "delayed-bounce"}},
		{"defer", "two temporary failures, then delivered", Fault{On: "delivery", Action: "defer", Times: 2, again: true}},
		{"defer-forever", "temporary failures until Mailgun gives up", Fault{On: "delivery", Action: "defer"}},
		{"full", "temporary failure 452, mailbox full, twice", Fault{On: "delivery", Action: "defer", Status: 452, Text: "4.2.2 The email account that you tried to reach is over quota", Times: 2, again: true}},
		{"greylist", "one temporary failure, reason greylisted", Fault{On: "delivery", Action: "defer", Status: 451, Text: "4.7.1 Greylisted, try again later", Body: "greylisted", Times: 1, again: true}},
		{"espblock", "permanent failure, reason espblock", Fault{On: "delivery", Action: "espblock"}},
		{"no-mx", "permanent failure 498", Fault{On: "delivery", Action: "no-mx", Status: 498}},
		{"timeout", "temporary failures 499", Fault{On: "delivery", Action: "defer", Status: 499, Text: "connection timed out", Times: 2, again: true}},
		{"suppressed", "fails 605 as if on the bounce list", Fault{On: "delivery", Action: "suppress", Status: 605}},
		{"rejected", "a rejected event", Fault{On: "delivery", Action: "reject"}},
		{"complain", "delivered, then complained of as spam", Fault{On: "delivery", Action: "complain"}},
		{"unsubscribe", "delivered, then unsubscribed at Mailgun", Fault{On: "delivery", Action: "unsubscribe"}},
		{"lost", "delivered says Mailgun, but never arrives", Fault{On: "delivery", Action: "lose"}},
		{"slow", "the send call is answered after five seconds", Fault{On: "send", Action: "slow", Seconds: 5}},
		{"hang", "the send call is never answered, nothing is sent", Fault{On: "send", Action: "hang"}},
		{"500-but-sent", "answered 500, though accepted and sent", Fault{On: "send", Action: "status-after-accept", Status: 500}},
		{"hang-after-accept", "never answered, though accepted and sent", Fault{On: "send", Action: "hang-after-accept"}},
		{"reset", "connection reset twice before anything is accepted", Fault{On: "send", Action: "reset", Times: 2, again: true}},
		{"reset-after-accept", "accepted, then the connection is reset", Fault{On: "send", Action: "reset-after-accept"}},
		{"duplicate", "every webhook comes twice", Fault{On: "post", Action: "duplicate"}},
		{"reorder", "accepted is posted after delivered", Fault{On: "post", Action: "reorder", Event: "accepted"}},
		{"silent", "no webhook ever comes", Fault{On: "post", Action: "drop"}},
		{"late", "webhooks come an hour late", Fault{On: "post", Action: "delay", Seconds: 3600}},
		{"odd", "webhooks in their strangest shapes", Fault{On: "payload", Action: "odd", Oddities: []string{
			OddStorageArray, OddStatusNull, OddCodeString, OddTagsMissing, OddDescriptionNull}}},
	}
	for _, status := range []int{400, 401, 402, 403, 404, 413} {
		l = append(l, localFault{fmt.Sprint(status), fmt.Sprintf("every send call answers %d", status),
			Fault{On: "send", Action: "status", Status: status}})
	}
	for _, status := range []int{429, 500, 502, 503, 504} {
		l = append(l, localFault{fmt.Sprint(status), fmt.Sprintf("two send calls of three answer %d", status),
			Fault{On: "send", Action: "status", Status: status, Times: 2, again: true}})
	}
	for _, code := range []int{421, 450, 451, 452} {
		l = append(l, localFault{fmt.Sprint(code), fmt.Sprintf("two temporary failures %d, then delivered", code),
			Fault{On: "delivery", Action: "defer", Status: code, Times: 2, again: true}})
	}
	for _, code := range []int{550, 551, 552, 553, 554} {
		l = append(l, localFault{fmt.Sprint(code), fmt.Sprintf("permanent failure %d", code),
			Fault{On: "delivery", Action: "bounce", Status: code}})
	}
	return l
}

// subject is what a fault may strike.
type subject struct{ on, recipient, path, event, messageID string }

// strikes finds the first fault that strikes the subject, scripts before local
// parts, and counts it. Server.mu is taken.
func (s *Server) strikes(x subject) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.st.faults {
		if !f.fits(x) || (f.Times > 0 && f.Struck >= f.Times) {
			continue
		}
		if f.Chance > 0 {
			words := []string{f.ID, x.on, x.recipient, x.messageID, x.event, x.path}
			words = append(words, fmt.Sprint(s.count(strings.Join(words, " "))))
			if chance(s.cfg.Seed, words...) >= f.Chance {
				continue
			}
		}
		f.Struck++
		copied := *f
		return &copied
	}
	local, _, _ := strings.Cut(strings.ToLower(localOf(x.recipient)), "+")
	for _, f := range s.locals[local] {
		if !f.fits(x) {
			continue
		}
		f.ID = local + "@"
		if f.again && s.count(local+" "+x.recipient)%(f.Times+1) >= f.Times {
			continue
		}
		return &f
	}
	return nil
}

// count says how often it was called before with key.
func (s *Server) count(key string) int {
	n := s.st.counts[key]
	s.st.counts[key] = n + 1
	return n
}

func (f *Fault) fits(x subject) bool {
	return f.On == x.on && glob(f.Recipient, strings.ToLower(x.recipient)) && glob(f.Path, x.path) &&
		glob(f.Event, x.event) && glob(f.MessageID, x.messageID)
}

func glob(pattern, s string) bool {
	if pattern == "" || pattern == s {
		return true
	}
	ok, err := path.Match(strings.ReplaceAll(pattern, "**", "*"), s)
	if err == nil && !ok && strings.HasSuffix(pattern, "*") {
		return strings.HasPrefix(s, strings.TrimRight(pattern, "*"))
	}
	return err == nil && ok
}

// strike applies a fault on an API call; true means that it is answered.
func (s *Server) strike(c *call, on, recipient, messageID string) bool {
	if down := s.switches().Down; down != 0 {
		c.failed(down, "", 0)
		return true
	}
	f := s.strikes(subject{on: on, recipient: recipient, path: c.r.URL.Path, messageID: messageID})
	if f == nil {
		return false
	}
	return s.applyToCall(c, f)
}

func (s *Server) applyToCall(c *call, f *Fault) (answered bool) {
	entryOf(c.r).What = "(fault " + f.Action + " " + f.ID + ")"
	switch f.Action {
	case "status":
		c.failed(f.Status, f.Body, f.Seconds)
	case "slow":
		return !s.wait(c.r.Context(), s.cfg.Timing.scaled(seconds(f.Seconds)))
	case "hang":
		s.hang(c)
	case "reset":
		abort(c.w)
	default:
		return false
	}
	return true
}

// hang answers nothing until the caller gives up.
func (s *Server) hang(c *call) {
	select {
	case <-c.r.Context().Done():
	case <-s.sched.ctx.Done():
	}
	panic(http.ErrAbortHandler)
}

// sendFault looks for a fault on a send call. answered means that the call is
// over; after, if not nil, is what to do instead of answering once the message
// is accepted.
func (s *Server) sendFault(c *call, m *message) (after func(), answered bool) {
	sw := s.switches()
	if sw.FailSends > 0 && chance(s.cfg.Seed, "fail", m.id, s.nth(m.id)) < sw.FailSends {
		c.failed(http.StatusServiceUnavailable, "", 0)
		return nil, true
	}
	if sw.LostAnswers > 0 && chance(s.cfg.Seed, "lost", m.id, s.nth(m.id)) < sw.LostAnswers {
		return func() { c.failed(http.StatusInternalServerError, "", 0) }, false
	}
	for _, d := range m.to {
		f := s.strikes(subject{on: "send", recipient: d.to, path: c.r.URL.Path, messageID: m.id})
		if f == nil {
			continue
		}
		switch f.Action {
		case "status-after-accept":
			after = func() { c.failed(f.Status, f.Body, f.Seconds) }
		case "reset-after-accept":
			after = func() { abort(c.w) }
		case "hang-after-accept":
			after = func() { s.hang(c) }
		default:
			if s.applyToCall(c, f) {
				return nil, true
			}
		}
		entryOf(c.r).What = "(fault " + f.Action + " " + f.ID + ")"
	}
	return after, false
}

func (s *Server) nth(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.count("nth " + key))
}

// failed answers a status as Mailgun words it.
func (c *call) failed(status int, body string, secs float64) {
	if body != "" {
		c.w.Header().Set("Content-Type", "application/json")
		c.w.WriteHeader(status)
		_, _ = c.w.Write([]byte(body))
		return
	}
	switch status {
	case http.StatusUnauthorized:
		forbidden(c.w)
	case http.StatusForbidden:
		c.message(status, "Domain %s is not allowed to send: Free accounts are for test purposes only. Please upgrade or add the address to authorized recipients in Account Settings.", c.domain)
	case http.StatusTooManyRequests:
		if secs == 0 {
			secs = 1
		}
		c.message(status, "Domain %s is not allowed to send: account-requests-per-sec limit exceeded, try again after %d seconds", c.domain, int(secs))
	case http.StatusBadRequest:
		c.message(status, "%s", textTo)
	case http.StatusNotFound:
		c.message(status, "Domain not found: %s", c.domain)
	case http.StatusRequestEntityTooLarge:
		c.message(status, "%s", textTooLarge)
	case http.StatusInternalServerError:
		c.message(status, "Internal Server Error")
	default: // a proxy in front answers, not Mailgun
		http.Error(c.w, "<html><head><title>"+http.StatusText(status)+"</title></head></html>", status)
	}
}

func seconds(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }
