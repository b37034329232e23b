package mailgun

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// triple is a webhook's signature; all tries of a post carry the same one.
type triple struct{ timestamp, token, signature string }

// Sign is Mailgun's signature: hex HMAC-SHA256 of timestamp and token, joined
// with nothing between.
func Sign(key, timestamp, token string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(timestamp + token))
	return hex.EncodeToString(h.Sum(nil))
}

// newTriple needs Server.mu.
func (s *Server) newTriple(now time.Time) triple {
	t := triple{timestamp: strconv.FormatInt(now.Unix(), 10), token: s.ids.hex(50)}
	t.signature = Sign(s.st.signingKey, t.timestamp, t.token)
	return t
}

// Post is one webhook or inbound POST with all its tries.
type Post struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"` // event, inbound, notify
	URL       string    `json:"url"`
	Event     string    `json:"event"` // event name, or "inbound"
	MessageID string    `json:"message_id"`
	Recipient string    `json:"recipient"`
	State     string    `json:"state"` // waiting, done, refused, given up, dropped
	Tries     []Try     `json:"tries"`
	Next      time.Time `json:"next,omitzero"`
	Created   time.Time `json:"created"`
}

// Try is one attempt of a post.
type Try struct {
	Time   time.Time `json:"time"`
	Status int       `json:"status"`
	Error  string    `json:"error,omitempty"`
}

// post is a Post and how to make its body again for each try.
type post struct {
	Post
	contentType string
	body        func() (io.ReadCloser, error)
	retries     []time.Duration
	done        func(status int) // called once when the post has ended; may be nil
	lane        string
}

// addPost schedules a post, as far as the faults let it.
func (s *Server) addPost(p *post, wait time.Duration) {
	now := s.Now()
	sw := s.switches()
	s.mu.Lock()
	p.ID, p.Created, p.State = s.ids.text(), now, "waiting"
	s.st.posts = append(s.st.posts, p)
	s.st.postByID[p.ID] = p
	s.mu.Unlock()
	p.lane = "post:" + p.URL + " " + p.MessageID + " " + p.Recipient
	f := s.strikes(subject{on: "post", recipient: p.Recipient, event: p.Event, messageID: p.MessageID, path: p.URL})
	wait += sw.eventDelay(p)
	key := []string{p.MessageID, p.Recipient, p.Event, p.URL}
	action := ""
	if f != nil {
		action = f.Action
	}
	if sw.DropPosts > 0 && chance(s.cfg.Seed, append(key, "drop")...) < sw.DropPosts {
		action = "drop"
	}
	if sw.DuplicatePosts > 0 && chance(s.cfg.Seed, append(key, "twice")...) < sw.DuplicatePosts {
		action = "duplicate"
	}
	switch action {
	case "drop":
		s.endPost(p, "dropped", 0)
		s.note(Entry{Kind: "note", What: "dropped by fault: " + p.Event + " for " + p.Recipient, Post: p.ID})
		s.release(p, wait) // what was to come behind it comes all the same
		return
	case "delay":
		wait += s.cfg.Timing.scaled(seconds(f.Seconds))
	case "reorder":
		if s.hold(p) {
			return
		}
	}
	s.later(wait, p.lane, func(ctx context.Context) { s.try(ctx, p, true) })
	if action == "duplicate" { // after the other: that one stays away once the post has ended
		s.later(wait, p.lane, func(ctx context.Context) { s.try(ctx, p, false) })
	}
	s.release(p, wait)
}

// eventDelay is how much later than usual a post is made.
func (sw Switches) eventDelay(p *post) time.Duration {
	switch {
	case p.Kind != "event":
		return 0
	case sw.EventDisorder && (p.Event == "opened" || p.Event == "clicked"):
		return seconds(sw.EventDelaySeconds / 2)
	}
	return seconds(sw.EventDelaySeconds)
}

// hold keeps a post back until the next one for the same URL and message.
func (s *Server) hold(p *post) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.st.held[p.lane] != nil {
		return false
	}
	s.st.held[p.lane] = p
	return true
}

// release posts what was held back for a post.
func (s *Server) release(p *post, wait time.Duration) {
	s.mu.Lock()
	held := s.st.held[p.lane]
	delete(s.st.held, p.lane)
	s.mu.Unlock()
	if held != nil {
		s.later(wait, p.lane, func(ctx context.Context) { s.try(ctx, held, true) })
	}
}

// try posts once. Only the retrying one of two duplicates plans further tries.
func (s *Server) try(ctx context.Context, p *post, retrying bool) {
	s.mu.Lock()
	over := p.State != "waiting" && retrying
	n := len(p.Tries) + 1
	s.mu.Unlock()
	if over {
		return
	}
	began := s.Now()
	status, answer, err := s.doPost(ctx, p)
	if ctx.Err() != nil {
		return
	}
	e := Entry{Kind: "post", What: fmt.Sprintf("%s for %s -> %d", p.Event, p.Recipient, status), Method: http.MethodPost, URL: redact(p.URL),
		Status: status, Answer: answer, Try: n, Post: p.ID, Event: p.Event, MessageID: p.MessageID, Recipient: p.Recipient,
		Millis: s.Now().Sub(began).Milliseconds(), Body: s.bodySample(p), Header: map[string][]string{"Content-Type": {p.contentType}}}
	t := Try{Time: began, Status: status}
	if err != nil {
		t.Error, e.Error = err.Error(), err.Error()
	}
	ok := status == http.StatusOK || (status/100 == 2 && s.switches().Accept2xx)
	e.Failed = !ok
	s.note(e)
	s.mu.Lock()
	p.Tries = append(p.Tries, t)
	s.mu.Unlock()
	switch {
	case ok:
		s.endPost(p, "done", status)
	case status == http.StatusNotAcceptable:
		s.endPost(p, "refused", status)
	case retrying:
		s.again(p, status)
	}
}

func (s *Server) again(p *post, status int) {
	s.mu.Lock()
	i := len(p.Tries) - 1
	s.mu.Unlock()
	if i >= len(p.retries) {
		s.endPost(p, "given up", status)
		return
	}
	pause := s.cfg.Timing.scaled(p.retries[i])
	s.mu.Lock()
	p.Next = s.sched.Now().Add(pause)
	s.mu.Unlock()
	s.later(pause, p.lane, func(ctx context.Context) { s.try(ctx, p, true) })
}

func (s *Server) endPost(p *post, state string, status int) {
	s.mu.Lock()
	first := p.State == "waiting"
	if first || state == "done" {
		p.State = state
	}
	p.Next = time.Time{}
	done := p.done
	s.mu.Unlock()
	if first && done != nil {
		done(status)
	}
}

func (s *Server) doPost(ctx context.Context, p *post) (status int, answer string, err error) {
	body, err := p.body()
	if err != nil {
		return 0, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.PostTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, body)
	if err != nil {
		_ = body.Close()
		return 0, "", err
	}
	req.Header.Set("Content-Type", p.contentType)
	req.Header.Set("User-Agent", "mailgun/treq-0.2.0")
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, string(b), nil
}

func (s *Server) bodySample(p *post) string {
	r, err := p.body()
	if err != nil {
		return ""
	}
	defer func() { _ = r.Close() }()
	b, _ := io.ReadAll(io.LimitReader(r, int64(s.cfg.BookBody)))
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// redact leaves a URL's password out of the book.
func redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Redacted()
}

// postEvent posts an event to every URL registered for its type.
func (s *Server) postEvent(ev *event, hook string) {
	sw := s.switches()
	odd := sw.Oddities
	if f := s.strikes(subject{on: "payload", recipient: ev.recipient, event: ev.name, messageID: ev.messageID}); f != nil {
		odd = with(odd, f.Oddities)
	}
	now := s.Now()
	s.mu.Lock()
	urls := s.st.urlsFor(ev.domain, hook, now)
	s.mu.Unlock()
	for _, u := range urls {
		if odd[OddUnknownEvent] {
			strange := oddly(ev.data, odd)
			strange["event"], strange["id"] = "list_member_teleported", ev.id+"x"
			s.addPost(s.eventPost(ev, u, strange, odd, "list_member_teleported"), s.cfg.Timing.PostAfter)
		}
		s.addPost(s.eventPost(ev, u, oddly(ev.data, odd), odd, ev.name), s.cfg.Timing.PostAfter)
	}
}

func with(odd map[string]bool, more []string) map[string]bool {
	out := map[string]bool{}
	for k, v := range odd {
		out[k] = v
	}
	for _, k := range more {
		out[k] = true
	}
	return out
}

func (s *Server) eventPost(ev *event, u string, data map[string]any, odd map[string]bool, name string) *post {
	s.mu.Lock()
	t := s.newTriple(s.sched.Now())
	s.mu.Unlock()
	sig := map[string]any{"timestamp": t.timestamp, "token": t.token, "signature": t.signature}
	if odd[OddParentSignature] {
		sig["parent-signature"] = Sign("the parent's key", t.timestamp, t.token)
	}
	if odd[OddTimestampNumber] {
		sig["timestamp"] = json.RawMessage(t.timestamp)
	}
	b, _ := json.Marshal(map[string]any{"signature": sig, "event-data": data})
	return &post{Post: Post{Kind: "event", URL: u, Event: name, MessageID: ev.messageID, Recipient: ev.recipient},
		contentType: "application/json", retries: s.cfg.Timing.EventRetries,
		body: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(b))), nil }}
}

// Posts are all webhook and inbound posts so far, with their tries.
func (s *Server) Posts() []Post {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Post, 0, len(s.st.posts))
	for _, p := range s.st.posts {
		c := p.Post
		c.Tries = slices.Clone(p.Tries)
		c.URL = redact(c.URL)
		out = append(out, c)
	}
	return out
}

// Resend makes a post once more, byte for byte, whatever became of it.
func (s *Server) Resend(id string) error {
	s.mu.Lock()
	p := s.st.postByID[id]
	s.mu.Unlock()
	if p == nil {
		return fmt.Errorf("sandbox mailgun: no post %q", id)
	}
	s.later(0, p.lane, func(ctx context.Context) { s.try(ctx, p, false) })
	return nil
}
