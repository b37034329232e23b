package mailgun_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/mailgun"
)

// TestSignVector is the facts' own test vector.
func TestSignVector(t *testing.T) {
	got := mailgun.Sign("key-gw-test", "1793577600", "0123456789abcdef0123456789abcdef0123456789abcdef01")
	if want := "7887ae20867b76e156ac1e4840b5fa1dc49130b9e7867e058af9e72cdb564a57"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestRetrySchedules: everything but 200 and 406 is tried again, at the
// documented pauses, with the same signature triple.
func TestRetrySchedules(t *testing.T) {
	minutes := func(ms ...int) (out []time.Duration) {
		for _, m := range ms {
			out = append(out, time.Duration(m)*time.Minute)
		}
		return out
	}
	for _, c := range []struct {
		kind    string
		status  int
		pauses  []time.Duration
		state   string
		accept2 bool
	}{
		{"event", 200, nil, "done", false},
		{"event", 406, nil, "refused", false},
		{"event", 500, minutes(5, 10, 15, 60, 120, 240), "given up", false},
		{"event", 401, minutes(5, 10, 15, 60, 120, 240), "given up", false},
		{"event", 204, minutes(5, 10, 15, 60, 120, 240), "given up", false},
		{"event", 204, nil, "done", true},
		{"event", 302, minutes(5, 10, 15, 60, 120, 240), "given up", false},
		{"inbound", 200, nil, "done", false},
		{"inbound", 406, nil, "refused", false},
		{"inbound", 503, minutes(10, 15, 30, 60, 120, 240), "given up", false},
	} {
		t.Run(c.kind+" "+c.state, func(t *testing.T) {
			w := start(t)
			w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.RoutedEvents, sw.Accept2xx = false, c.accept2 })
			w.hooks.answering(func(string, int) int { return c.status })
			if c.kind == "event" {
				w.mg.AddWebhook(domain, w.hooks.url, "accepted")
				w.send("bob@example.org", simpleMail, nil)
			} else {
				w.route(0, `catch_all()`, `forward("`+w.hooks.url+`/mime")`)
				w.receive("x@"+domain, simpleMail)
			}
			began := w.mg.Now()
			w.mg.Advance(12 * time.Hour)
			p := w.mg.Posts()[0]
			if p.State != c.state || len(p.Tries) != len(c.pauses)+1 {
				t.Fatalf("%s after %d tries", p.State, len(p.Tries))
			}
			at := began
			for i, try := range p.Tries[1:] {
				at = at.Add(c.pauses[i])
				if !try.Time.Equal(at) {
					t.Errorf("try %d is at %s, want %s", i+2, try.Time, at)
				}
			}
			posts := w.hooks.all()
			for _, again := range posts[1:] {
				if string(again.body) != string(posts[0].body) {
					t.Errorf("a retry differs:\n%s\n%s", posts[0].body, again.body)
				}
			}
		})
	}
}

func TestRetryUntilTaken(t *testing.T) {
	w := start(t)
	w.hooks.answering(func(_ string, n int) int { return []int{500, 500, 200}[n] })
	w.mg.AddWebhook(domain, w.hooks.url, "accepted")
	w.send("bob@example.org", simpleMail, nil)
	w.mg.Advance(12 * time.Hour)
	w.wantNames("accepted", "accepted", "accepted")
}

func TestPostFaults(t *testing.T) {
	for _, c := range []struct {
		to    string
		names []string
		after time.Duration
	}{
		{"duplicate", []string{"accepted", "accepted", "delivered", "delivered"}, time.Second},
		{"reorder", []string{"delivered", "accepted"}, time.Second},
		{"silent", nil, 9 * time.Hour},
		{"late", nil, time.Second},
		{"late", []string{"accepted", "delivered"}, time.Hour},
	} {
		t.Run(c.to, func(t *testing.T) {
			w := start(t)
			w.mg.AddWebhook(domain, w.hooks.url)
			w.send(c.to+"@example.org", simpleMail, nil)
			w.mg.Advance(c.after)
			w.wantNames(c.names...)
		})
	}
}

// TestReorderedBehindDropped: what is held back comes, also if what it waits for does not.
func TestReorderedBehindDropped(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url)
	w.fault(mailgun.Fault{On: "post", Action: "reorder", Event: "accepted"})
	w.fault(mailgun.Fault{On: "post", Action: "drop", Event: "delivered"})
	w.send("bob@example.org", simpleMail, nil)
	w.mg.Advance(time.Second)
	w.wantNames("accepted")
}

// TestDuplicateIsExact: a post made twice is byte for byte the same; so is one
// that is sent again by hand.
func TestDuplicateIsExact(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url, "delivered")
	w.send("duplicate@example.org", simpleMail, nil)
	w.mg.Advance(time.Second)
	if status, _ := w.control("POST", "/_emulator/posts/"+w.mg.Posts()[0].ID+"/resend", ""); status != 200 {
		t.Fatal(status)
	}
	w.mg.Advance(0)
	posts := w.hooks.all()
	if len(posts) != 3 || string(posts[0].body) != string(posts[1].body) || string(posts[1].body) != string(posts[2].body) {
		t.Errorf("%d posts, not all the same", len(posts))
	}
}

func TestSigningKeyRotation(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url, "accepted")
	w.hooks.answering(func(_ string, n int) int { return []int{401, 200, 200}[n] })
	w.send("bob@example.org", simpleMail, nil)
	w.mg.Advance(time.Second)
	_, body := w.call("POST", "/v5/accounts/http_signing_key", nil)
	key, _ := body["http_signing_key"].(string)
	if key == signingKey || !strings.HasPrefix(key, "key-") || body["message"] != "regenerated HTTP signing key for account" {
		t.Fatalf("%v", body)
	}
	if _, body = w.call("GET", "/v5/accounts/http_signing_key", nil); body["http_signing_key"] != key {
		t.Errorf("reads as %v", body)
	}
	w.send("carl@example.org", simpleMail, nil)
	w.mg.Advance(time.Hour)
	var keys []string
	for _, p := range w.hooks.all() {
		var b struct {
			Signature struct{ Timestamp, Token, Signature string }
		}
		if err := json.Unmarshal(p.body, &b); err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{signingKey, key} {
			if mailgun.Sign(k, b.Signature.Timestamp, b.Signature.Token) == b.Signature.Signature {
				keys = append(keys, k)
			}
		}
	}
	// The first event's retry keeps the old key's signature.
	if want := []string{signingKey, key, signingKey}; !slices.Equal(keys, want) {
		t.Errorf("signed with %v, want %v", keys, want)
	}
}

// TestOddities: each strange shape, and that it is absent without being asked
// for.
func TestOddities(t *testing.T) {
	for _, c := range []struct {
		name, to, path string
		vars           url.Values
		normal, odd    string // as JSON
	}{
		{mailgun.OddVarsArray, "bob", "user-variables", nil, `{}`, `[]`},
		{mailgun.OddVarsString, "bob", "user-variables", url.Values{"v:a": {"1"}}, `{"a":"1"}`, `"{\"a\":\"1\"}"`},
		{mailgun.OddStorageArray, "bob", "storage", nil, "", `[]`},
		{mailgun.OddStorageURLArray, "bob", "storage/url", nil, "", `[`},
		{mailgun.OddStatusNull, "bob", "delivery-status", nil, "", `null`},
		{mailgun.OddCodeString, "550", "delivery-status/code", nil, `550`, `"550"`},
		{mailgun.OddDescriptionNull, "550", "delivery-status/description", nil, `""`, `null`},
		{mailgun.OddEnhancedMissing, "550", "delivery-status/enhanced-code", nil, `"5.1.1"`, `null`},
		{mailgun.OddTagsMissing, "bob", "tags", nil, `[]`, `null`},
		{mailgun.OddBrackets, "bob", "message/headers/message-id", url.Values{"h:Message-Id": {"<i@mg.example.com>"}}, `"i@mg.example.com"`, `"<i@mg.example.com>"`},
		{mailgun.OddHeadersMissing, "bob", "message/headers/subject", nil, `"Hello"`, `null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, on := range []bool{false, true} {
				w := start(t)
				w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.Oddities = map[string]bool{c.name: on} })
				w.mg.AddWebhook(domain, w.hooks.url)
				w.send(c.to+"@example.org", simpleMail, c.vars)
				w.mg.Advance(time.Second)
				b, _ := marshal(get(w.events()[1], c.path))
				want := c.normal
				if on {
					want = c.odd
				}
				if on && !strings.HasPrefix(b, want) || !on && want != "" && b != want {
					t.Errorf("odd %v: %s is %s, want %s", on, c.path, b, want)
				}
				if !on && want == "" && (b == "[]" || b == "null" || strings.HasPrefix(b, "[")) {
					t.Errorf("%s is odd unasked: %s", c.path, b)
				}
			}
		})
	}
}

func TestOtherOddities(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url, "accepted")
	w.mg.SetSwitches(func(sw *mailgun.Switches) {
		sw.Oddities = map[string]bool{mailgun.OddParentSignature: true, mailgun.OddUnknownEvent: true}
	})
	w.send("bob@example.org", simpleMail, nil)
	w.mg.Advance(time.Second)
	w.wantNames("list_member_teleported", "accepted")
	var b hookBody
	if err := json.Unmarshal(w.hooks.all()[0].body, &b); err != nil || b.Signature["parent-signature"] == nil {
		t.Errorf("no parent-signature: %v %v", b.Signature, err)
	}
	w.hooks.forget()
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.Oddities = map[string]bool{mailgun.OddTimestampNumber: true} })
	w.send("bob@example.org", simpleMail, nil)
	w.mg.Advance(time.Second)
	if err := json.Unmarshal(w.hooks.all()[0].body, &b); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.Signature["timestamp"].(float64); !ok {
		t.Errorf("timestamp is %T", b.Signature["timestamp"])
	}
	if len(mailgun.Oddities()) != 17 {
		t.Errorf("%d oddities are listed", len(mailgun.Oddities()))
	}
}

// TestOddByRecipient: the oddities of odd@ do not touch others.
func TestOddByRecipient(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url, "delivered")
	w.send("odd@example.org", simpleMail, nil)
	w.send("bob@example.org", simpleMail, nil)
	w.mg.Advance(time.Second)
	for _, e := range w.events() {
		_, has := e["tags"]
		if odd := e["recipient"] == "odd@example.org"; odd == has {
			t.Errorf("%v has tags: %v", e["recipient"], has)
		}
	}
}

func TestArchive(t *testing.T) {
	w := start(t)
	w.send("bob@example.org", simpleMail, url.Values{"o:archive-to": {w.hooks.url + "/archive"}})
	w.mg.Advance(time.Second)
	posts := w.hooks.all()
	if len(posts) != 1 || posts[0].contentType != "application/mime" || !strings.Contains(string(posts[0].body), "Subject: Hello") {
		t.Errorf("archive got %v", posts)
	}
}

func marshal(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSpace(b.String()), err
}
