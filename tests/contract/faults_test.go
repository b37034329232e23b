package contract

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What Mailgun answers decides whether a mail is sent again: never after what may have
// been taken.
func TestMailgunFaults(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before func(w http.ResponseWriter) bool // not taken
		after  func(w http.ResponseWriter) bool // taken
		mails  int                              // in the end
		stops  bool
	}{
		"429 with Retry-After": {before: func(w http.ResponseWriter) bool {
			w.Header().Set("Retry-After", "2")
			mgJSON(w, 429, map[string]string{"message": "slow down"})
			return true
		}, mails: 1},
		"429 with its words": {before: func(w http.ResponseWriter) bool {
			w.Header().Set("X-Ratelimit-Reset", strconv.FormatInt(time.Now().Add(2*time.Second).UnixMilli(), 10))
			mgJSON(w, 429, map[string]string{"message": "Domain mg.example.com is not allowed to send: account-requests-per-sec limit exceeded, try again after 2 seconds"})
			return true
		}, mails: 1},
		"500, not taken": {before: func(w http.ResponseWriter) bool {
			mgJSON(w, 500, map[string]string{"message": "Internal Server Error"})
			return true
		}, mails: 1},
		"500, but taken": {after: func(w http.ResponseWriter) bool {
			mgJSON(w, 500, map[string]string{"message": "Internal Server Error"})
			return true
		}, mails: 1},
		"cut off, but taken": {after: func(w http.ResponseWriter) bool {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
			return true
		}, mails: 1},
		"half an answer": {after: func(w http.ResponseWriter) bool {
			w.Header().Set("Content-Length", "500")
			w.WriteHeader(200)
			_, _ = io.WriteString(w, `{"id":"<x`)
			return true
		}, mails: 1},
		"a page instead": {before: func(w http.ResponseWriter) bool {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "Mailgun Magnificent API")
			return true
		}, mails: 1},
		"401": {before: func(w http.ResponseWriter) bool {
			w.WriteHeader(401)
			_, _ = io.WriteString(w, "Forbidden")
			return true
		}, mails: 1},
		"400": {before: func(w http.ResponseWriter) bool {
			mgJSON(w, 400, map[string]string{"message": "to parameter is not a valid address. please check documentation"})
			return true
		}, mails: 0, stops: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, vars{"POSTERN_MAILGUN_UNSURE_AFTER": "4s"})
			var calls atomic.Int32
			w.mg.change(func() {
				if tc.before != nil {
					w.mg.before = func(rw http.ResponseWriter, _ string) bool { return calls.Add(1) == 1 && tc.before(rw) }
				} else {
					w.mg.after = func(rw http.ResponseWriter, _ *sent) bool { return calls.Add(1) == 1 && tc.after(rw) }
				}
			})
			c, addr := w.pair("bob")
			w.say(c, "ana", "once, please")
			first := time.Now()
			poll(t, "the first call", func() error { return want(calls.Load() > 0, true) })
			if tc.mails > 0 {
				m := w.mg.mail(t, addr, 1)
				if tc.before != nil && strings.HasPrefix(name, "429") && m.At.Sub(first) < 1500*time.Millisecond {
					t.Errorf("asked to wait for 2 s, sent again after %v", m.At.Sub(first))
				}
			}
			w.gw.idle()
			if n := len(w.mg.mails(addr)); n != tc.mails {
				t.Errorf("%d mails", n)
			}
			if told := len(w.sb.posts(c)); tc.stops != (told == 1) {
				t.Errorf("told %d times", told)
			}
		})
	}
}

// Sendbird's faults: wait when asked to, find by the mark what may have been posted.
func TestSendbirdFaults(t *testing.T) {
	t.Parallel()
	limited := func(w http.ResponseWriter) {
		w.Header().Set("X-RateLimit-Limit", "5;w=1")
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(2*time.Second).Unix(), 10))
		w.Header().Set("X-RateLimit-RetryAfter", "2")
		sbError(w, 429, 500910, "Rate limit exceeded")
	}
	for name, tc := range map[string]struct {
		before func(w http.ResponseWriter)
		after  func(w http.ResponseWriter)
		waits  time.Duration
		none   bool
	}{
		"429":              {before: limited, waits: 1500 * time.Millisecond},
		"400 with 500910":  {before: func(w http.ResponseWriter) { sbError(w, 400, 500910, "slow") }},
		"503, not taken":   {before: func(w http.ResponseWriter) { w.WriteHeader(503) }},
		"500, but taken":   {after: func(w http.ResponseWriter) { sbError(w, 500, 500901, "Internal") }},
		"nothing, taken":   {after: func(w http.ResponseWriter) { conn, _, _ := w.(http.Hijacker).Hijack(); conn.Close() }},
		"refused for good": {before: func(w http.ResponseWriter) { sbError(w, 400, 900041, "muted") }, none: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			c, m := w.mailed("bob")
			var calls atomic.Int32
			w.sb.change(func() {
				if tc.before != nil {
					w.sb.before = func(rw http.ResponseWriter, r *http.Request) bool {
						if r.Method == "POST" && calls.Add(1) == 1 {
							_, _ = io.Copy(io.Discard, r.Body)
							tc.before(rw)
							return true
						}
						return false
					}
				} else {
					w.sb.after = func(rw http.ResponseWriter, p *post) bool {
						if calls.Add(1) == 1 {
							tc.after(rw)
							return true
						}
						return false
					}
				}
			})
			began := time.Now()
			w.answer(m, "first")
			w.answer(m, "second")
			if tc.none {
				poll(t, "the second", func() error { return want(len(w.sb.posts(c)), 1) })
				w.gw.idle()
				if got := w.posted(c, 1)[0]; got.Text != "second" {
					t.Errorf("%+v", got)
				}
				if _, b := w.gw.api("GET", "/api/v1/held", ""); !contains(b, "refused") {
					t.Errorf("the refused one is not held: %s", b)
				}
				return
			}
			got := w.posted(c, 2)
			if got[0].Text != "first" || got[1].Text != "second" {
				t.Errorf("order: %q, %q", got[0].Text, got[1].Text)
			}
			if tc.waits > 0 && got[0].Arrived.Sub(began) < tc.waits {
				t.Errorf("asked to wait, came again after %v", got[0].Arrived.Sub(began))
			}
			w.gw.idle()
			w.posted(c, 2)
		})
	}
}

// While Sendbird will not answer, chat still becomes mail where the webhook said enough.
func TestSendbirdAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c, addr := w.pair("bob")
	w.sb.change(func() {
		w.sb.before = func(rw http.ResponseWriter, r *http.Request) bool { sbError(rw, 500, 500901, "away"); return true }
	})
	w.say(c, "ana", "told by the webhook")
	w.mg.mail(t, addr, 1)
	// What needs Sendbird waits and is not lost.
	w.say(c, "ana", "members to be asked for", unset("members"))
	poll(t, "a try", func() error {
		return want(w.gw.metric("postern_remote_call_seconds_count", `service="sendbird"`) > 0, true)
	})
	w.sb.change(func() { w.sb.before = nil })
	m := w.mg.mail(t, addr, 2)
	if !contains(m.envelope(t).Text, "members to be asked for") {
		t.Errorf("%q", m.envelope(t).Text)
	}
}

// Held mail can be let in by the operator, once.
func TestHeldMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c, m := w.mailed("bob")
	w.raw(m.replyTo(t), "bob@home.example", letter("bob@home.example", m.replyTo(t), "from my other address"))
	w.gw.idle()
	code, body := w.gw.api("GET", "/api/v1/held", "")
	if code != 200 || !contains(body, "bob@home.example") || contains(body, "from my other") {
		t.Fatalf("%d %s", code, body)
	}
	if n := len(w.sb.posts(c)); n != 0 {
		t.Fatalf("%d posts", n)
	}
	id := ""
	if _, rest, ok := strings.Cut(body, `"id":`); ok {
		id = rest[:strings.IndexAny(rest, ",}")]
	}
	for i := range 2 {
		code, body = w.gw.api("POST", "/api/v1/held/"+id+"/release", "")
		if want := []int{200, 404}[i]; code != want {
			t.Errorf("release %d: %d %s", i, code, body)
		}
	}
	if p := w.posted(c, 1)[0]; p.Text != "from my other address" || p.User != "bob" {
		t.Errorf("%+v", p)
	}
	w.gw.idle()
	w.posted(c, 1)
}

// A mail that Mailgun put off is looked at again before it goes.
func TestPutOffAndNoLongerWanted(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(w *world, c *channel){
		"left":         func(w *world, c *channel) { w.sb.change(func() { c.Members = c.Members[:1] }) },
		"online":       func(w *world, c *channel) { w.sb.change(func() { c.member("bob").Online = true }) },
		"read":         func(w *world, c *channel) { w.sb.change(func() { c.member("bob").Read = time.Now().UnixMilli() + 1 }) },
		"taken away":   func(w *world, c *channel) { w.gw.api("DELETE", "/api/v1/people/bob", "") },
		"still wanted": func(w *world, c *channel) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			c, addr := w.pair("bob")
			var calls atomic.Int32
			w.mg.change(func() {
				w.mg.before = func(rw http.ResponseWriter, _ string) bool {
					if calls.Add(1) > 1 {
						return false
					}
					do(w, c)
					rw.Header().Set("Retry-After", "1")
					mgJSON(rw, 429, map[string]string{"message": "slow down"})
					return true
				}
			})
			w.say(c, "ana", "perhaps")
			poll(t, "the first call", func() error { return want(calls.Load() > 0, true) })
			w.gw.idle()
			if n, wanted := len(w.mg.mails(addr)), name == "still wanted"; (n == 1) != wanted {
				t.Errorf("%d mails", n)
			}
		})
	}
}
