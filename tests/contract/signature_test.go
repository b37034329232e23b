package contract

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	pathSendbird = "/hooks/sendbird"
	pathRaw      = "/hooks/mailgun/inbound/mime"
	pathParsed   = "/hooks/mailgun/inbound"
	pathEvents   = "/hooks/mailgun/events"
)

// What is refused leaves no trace: no mail, no post, no job.
func (w *world) nothingHappened(t *testing.T, do func()) {
	t.Helper()
	w.gw.idle()
	mails, posts := len(w.mg.mails("")), w.allPosts()
	do()
	w.gw.idle()
	if n := len(w.mg.mails("")); n != mails {
		t.Errorf("%d mails more", n-mails)
	}
	if n := w.allPosts(); n != posts {
		t.Errorf("%d posts more", n-posts)
	}
}

func (w *world) allPosts() int {
	w.sb.mu.Lock()
	cs := make([]*channel, 0, len(w.sb.channels))
	for _, c := range w.sb.channels {
		cs = append(cs, c)
	}
	w.sb.mu.Unlock()
	n := 0
	for _, c := range cs {
		n += len(w.sb.posts(c))
	}
	return n
}

func TestSendbirdSignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c, _ := w.pair("bob")
	p := w.sb.add(c, &post{User: "ana", Text: "secret words"})
	body := wire(w.messageHook("group_channel:message_send", c, p))
	good := sign(masterToken, body)
	send := func(sig, ctype, body string) int {
		h := map[string]string{"Content-Type": ctype}
		if sig != "" {
			h["X-Sendbird-Signature"] = sig
		}
		return w.request(pathSendbird, h, strings.NewReader(body))
	}
	const json = "application/json"
	for _, tc := range []struct {
		name, sig, ctype, body string
		status                 int
	}{
		{"none", "", json, body, 401},
		{"empty body", sign(masterToken, ""), json, "", 400},
		{"forged", strings.Repeat("0", 64), json, body, 401},
		{"of the API token, not the master token", sign(apiToken, body), json, body, 401},
		{"of the body written again", good, json, strings.ReplaceAll(body, `\/`, "/"), 401},
		{"truncated body", good, json, body[:len(body)-1], 401},
		{"truncated signature", good[:63], json, body, 401},
		{"not hex", strings.Repeat("z", 64), json, body, 401},
		{"one byte more", good, json, body + " ", 401},
		{"signed, not JSON", sign(masterToken, "nonsense"), json, "nonsense", 400},
		{"signed, truncated JSON", sign(masterToken, body[:50]), json, body[:50], 400},
		{"signed, an array", sign(masterToken, "[]"), json, "[]", 400},
		{"signed, null", sign(masterToken, "null"), json, "null", 400},
		{"signed, deep", sign(masterToken, strings.Repeat("[", 200000)), json, strings.Repeat("[", 200000), 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.nothingHappened(t, func() {
				if got := send(tc.sig, tc.ctype, tc.body); got != tc.status {
					t.Errorf("status %d, want %d", got, tc.status)
				}
			})
		})
	}
	t.Run("oversized", func(t *testing.T) {
		big := `{"category":"group_channel:message_send","x":"` + strings.Repeat("a", 40<<20) + `"}`
		if got := send(sign(masterToken, big), json, big); got != 400 {
			t.Errorf("status %d, want 400", got)
		}
	})
	t.Run("GET", func(t *testing.T) {
		if code, _ := w.gw.get(pathSendbird); code == 200 {
			t.Error("a GET is answered 200")
		}
	})
	t.Run("a sloppy content type will do", func(t *testing.T) {
		if got := send(good, "application/json, charset=utf8", body); got != 200 {
			t.Errorf("status %d", got)
		}
		w.mg.mail(t, "bob@example.org", 1)
	})
	t.Run("upper-case hex and the exact repeat", func(t *testing.T) {
		w.nothingHappened(t, func() {
			if got := send(good, json, body); got != 200 {
				t.Errorf("repeat: status %d", got)
			}
		})
	})
}

func TestMailgunSignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t, vars{"POSTERN_MAILGUN_SIGNING_KEYS": "key-new," + signingKey})
	c, addr := w.pair("bob")
	w.say(c, "ana", "Hello")
	m := w.mg.mail(t, addr, 1)
	to := m.replyTo(t)
	form := func(key string, at time.Time) url.Values {
		f := fields(to, addr)
		ts, tok, sig := triple(key, at)
		f.Set("timestamp", ts)
		f.Set("token", tok)
		f.Set("signature", sig)
		f.Set("from", addr)
		f.Set("body-plain", "x")
		f.Set("message-headers", `[["From","`+addr+`"]]`)
		f.Set("body-mime", letter(addr, to, "an answer"))
		return f
	}
	now := time.Now()
	for _, path := range []string{pathRaw, pathParsed} {
		without := func(k string) url.Values { f := form(signingKey, now); f.Del(k); return f }
		changed := func(k, v string) url.Values { f := form(signingKey, now); f.Set(k, v); return f }
		for name, tc := range map[string]struct {
			f      url.Values
			status int
		}{
			"wrong key":      {form("key-of-somebody", now), 401},
			"no signature":   {without("signature"), 401},
			"no token":       {without("token"), 401},
			"no timestamp":   {without("timestamp"), 401},
			"bad timestamp":  {changed("timestamp", "soon"), 401},
			"other token":    {changed("token", token()), 401},
			"stale":          {form(signingKey, now.Add(-30*24*time.Hour)), 401},
			"of the future":  {form(signingKey, now.Add(48*time.Hour)), 401},
			"no recipient":   {without("recipient"), 406},
			"foreign domain": {changed("recipient", "x@elsewhere.example"), 406},
			"not an address": {changed("recipient", "nonsense"), 406},
		} {
			t.Run(path+" "+name, func(t *testing.T) {
				w.nothingHappened(t, func() {
					if got := w.post(path, tc.f); got != tc.status {
						t.Errorf("status %d, want %d", got, tc.status)
					}
				})
			})
		}
		t.Run(path+" wrong content type", func(t *testing.T) {
			f := form(signingKey, now)
			for _, ct := range []string{"application/json", "text/plain", ""} {
				w.nothingHappened(t, func() {
					got := w.request(path, map[string]string{"Content-Type": ct}, strings.NewReader(f.Encode()))
					if got != 401 && got != 406 {
						t.Errorf("%q: status %d", ct, got)
					}
				})
			}
		})
		t.Run(path+" broken encodings", func(t *testing.T) {
			for ct, body := range map[string]string{
				"application/x-www-form-urlencoded":  "timestamp=%zz&token=%",
				"multipart/form-data; boundary=abc":  "--abc\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nx",
				"multipart/form-data":                "no boundary",
				"multipart/form-data; boundary=\"\"": "",
			} {
				if got := w.request(path, map[string]string{"Content-Type": ct}, strings.NewReader(body)); got != 401 && got != 406 {
					t.Errorf("%q: status %d", ct, got)
				}
			}
		})
	}
	t.Run("hours old, as a retry", func(t *testing.T) {
		f := form(signingKey, now.Add(-9*time.Hour))
		if got := w.post(pathRaw, f); got != 200 {
			t.Fatalf("status %d", got)
		}
		w.posted(c, 1)
		w.nothingHappened(t, func() {
			if got := w.post(pathRaw, f); got != 200 {
				t.Errorf("exact repeat: status %d", got)
			}
			f.Set("body-mime", letter(addr, to, "something else"))
			if got := w.post(pathRaw, f); got == 200 {
				t.Errorf("same token, other body: status %d", got)
			}
		})
	})
	t.Run("the new key of a rotation", func(t *testing.T) {
		if got := w.post(pathRaw, form("key-new", now)); got != 200 {
			t.Fatalf("status %d", got)
		}
		w.posted(c, 2)
	})
}

func TestEventSignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	body := func(ts, tok, sig string) string {
		return fmt.Sprintf(`{"signature":{"timestamp":%q,"token":%q,"signature":%q},"event-data":{"event":"delivered","id":"x","timestamp":1.5,"message":{"headers":{"message-id":"x@mg.example.com"}}}}`, ts, tok, sig)
	}
	send := func(b string) int {
		return w.request(pathEvents, map[string]string{"Content-Type": "application/json"}, strings.NewReader(b))
	}
	ts, tok, sig := triple(signingKey, time.Now())
	oldTS, oldTok, oldSig := triple(signingKey, time.Now().Add(-30*24*time.Hour))
	for name, tc := range map[string]struct {
		body   string
		status []int
	}{
		"forged":       {body(ts, tok, strings.Repeat("a", 64)), []int{401}},
		"stale":        {body(oldTS, oldTok, oldSig), []int{401}},
		"none":         {`{"event-data":{"event":"delivered"}}`, []int{401}},
		"null":         {`{"signature":null,"event-data":null}`, []int{401}},
		"not JSON":     {`x`, []int{401, 406}},
		"truncated":    {body(ts, tok, sig)[:100], []int{401, 406}},
		"empty":        {``, []int{401, 406}},
		"an array":     {`[]`, []int{401, 406}},
		"deep":         {strings.Repeat(`{"signature":`, 100000), []int{401, 406}},
		"no event":     {fmt.Sprintf(`{"signature":{"timestamp":%q,"token":%q,"signature":%q}}`, ts, tok, sig), []int{406, 200}},
		"a wrong type": {`{"signature":{"timestamp":[],"token":{},"signature":1}}`, []int{401, 406}},
	} {
		t.Run(name, func(t *testing.T) {
			got := send(tc.body)
			for _, s := range tc.status {
				if s == got {
					return
				}
			}
			t.Errorf("status %d, want %v", got, tc.status)
		})
	}
	t.Run("repeat and replay", func(t *testing.T) {
		ts, tok, sig := triple(signingKey, time.Now().Add(-time.Hour))
		if got := send(body(ts, tok, sig)); got != 200 {
			t.Fatalf("status %d", got)
		}
		if got := send(body(ts, tok, sig)); got != 200 {
			t.Errorf("exact repeat: %d", got)
		}
		if got := send(strings.Replace(body(ts, tok, sig), "delivered", "opened", 1)); got != 401 {
			t.Error("same token with another body: 200")
		}
	})
	t.Run("a numeric timestamp", func(t *testing.T) {
		ts, tok, sig := triple(signingKey, time.Now())
		b := strings.Replace(body(ts, tok, sig), `"timestamp":"`+ts+`"`, `"timestamp":`+ts, 1)
		if got := send(b); got != 200 {
			t.Errorf("status %d", got)
		}
	})
	t.Run("oversized", func(t *testing.T) {
		b := strings.Replace(body(ts, token(), sig), `"x"`, `"`+strings.Repeat("x", 30<<20)+`"`, 1)
		if got := send(b); got != 406 {
			t.Errorf("status %d", got)
		}
	})
}

// A caller who stops in the middle, or never ends, holds nobody up.
func TestSlowAndBrokenCallers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for range 50 {
		conn, err := net.Dial("tcp", w.gw.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "POST /hooks/sendbird HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
	}
	c, addr := w.pair("bob")
	w.say(c, "ana", "still served")
	w.mg.mail(t, addr, 1)
	// A body whose end is missing is not taken.
	conn, err := net.Dial("tcp", w.gw.addr)
	if err != nil {
		t.Fatal(err)
	}
	p := w.sb.add(c, &post{User: "ana", Text: "half"})
	body := wire(w.messageHook("group_channel:message_send", c, p))
	fmt.Fprintf(conn, "POST /hooks/sendbird HTTP/1.1\r\nHost: x\r\nX-Sendbird-Signature: %s\r\nContent-Length: %d\r\n\r\n%s", sign(masterToken, body), len(body)+10, body)
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn)
	conn.Close()
	w.gw.idle()
	if n := len(w.mg.mails("")); n != 1 {
		t.Errorf("%d mails", n)
	}
	// Nothing of the refused was kept.
	res, err := http.Post(w.gw.url("/hooks/sendbird"), "application/json", bytes.NewReader([]byte("{}")))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 401 {
		t.Errorf("status %d", res.StatusCode)
	}
	if n := w.gw.metric("postern_events_total", `outcome="recorded"`); n != 1 {
		t.Errorf("%v events recorded, want 1", n)
	}
}
