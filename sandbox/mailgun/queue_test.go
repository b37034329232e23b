package mailgun_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/mailgun"
)

// TestDeliveryFaults: what each local part does to a delivery.
func TestDeliveryFaults(t *testing.T) {
	for _, c := range []struct {
		to      string
		names   []string
		last    map[string]any // of the last webhook
		arrives bool
	}{
		{"bounce", []string{"accepted", "failed/permanent"}, map[string]any{"reason": "bounce", "delivery-status/code": 550,
			"delivery-status/bounce-type": "hard", "log-level": "error", "delivery-status/enhanced-code": "5.1.1"}, false},
		{"552", []string{"accepted", "failed/permanent"}, map[string]any{"delivery-status/code": 552}, false},
		{"espblock", []string{"accepted", "failed/permanent"}, map[string]any{"reason": "espblock"}, false},
		{"no-mx", []string{"accepted", "failed/permanent"}, map[string]any{"delivery-status/code": 498, "reason": "generic"}, false},
		{"defer", []string{"accepted", "failed/temporary", "failed/temporary", "delivered"}, map[string]any{"delivery-status/attempt-no": 3}, true},
		{"full+x", []string{"accepted", "failed/temporary", "failed/temporary", "delivered"}, nil, true},
		{"greylist", []string{"accepted", "failed/temporary", "delivered"}, nil, true},
		{"450", []string{"accepted", "failed/temporary", "failed/temporary", "delivered"}, nil, true},
		{"delayed-bounce", []string{"accepted", "delivered", "failed/permanent"}, map[string]any{"flags/is-delayed-bounce": true,
			"envelope": map[string]any{}, "delivery-status/bounce-code": "5.1.1"}, true},
		{"complain", []string{"accepted", "delivered", "complained"}, map[string]any{"log-level": "warn", "flags/is-test-mode": false}, true},
		{"unsubscribe", []string{"accepted", "delivered", "unsubscribed"}, map[string]any{"tags": "[*]", "storage": "[]"}, true},
		{"suppressed", []string{"accepted", "failed/permanent"}, map[string]any{"delivery-status/code": 605, "reason": "suppress-bounce",
			"delivery-status/description": "Not delivering to previously bounced address", "delivery-status/message": ""}, false},
		{"lost", []string{"accepted", "delivered"}, nil, false},
		{"rejected", nil, nil, false},
		{"bob", []string{"accepted", "delivered"}, map[string]any{"flags/is-routed": false, "delivery-status/tls": true, "campaigns": "[]"}, true},
	} {
		t.Run(c.to, func(t *testing.T) {
			w := start(t)
			w.mg.AddWebhook(domain, w.hooks.url)
			w.send(c.to+"@example.org", simpleMail, nil)
			w.mg.Advance(2 * time.Hour)
			w.wantNames(c.names...)
			if n := len(c.names); n > 0 {
				for path, want := range c.last {
					w.want(w.events()[n-1], path, want)
				}
			}
			if got := len(w.boxes.Messages(c.to+"@example.org")) == 1; got != c.arrives {
				t.Errorf("arrived: %v", got)
			}
		})
	}
}

func TestTemporaryFailure(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url)
	w.send("full@example.org", simpleMail, nil)
	w.mg.Advance(0)
	e := w.events()[1]
	for path, want := range map[string]any{"severity": "temporary", "log-level": "warn", "delivery-status/code": 452, "delivery-status/enhanced-code": "4.2.2",
		"delivery-status/retry-seconds": 600, "reason": "generic"} {
		w.want(e, path, want)
	}
	w.mg.Advance(10*time.Minute - time.Millisecond)
	w.wantNames("accepted", "failed/temporary")
	w.mg.Advance(time.Millisecond)
	w.wantNames("accepted", "failed/temporary", "failed/temporary")
}

func TestGivingUp(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url)
	w.send("defer-forever@example.org", simpleMail, url.Values{"o:deliver-within": {"1h"}})
	w.mg.Advance(9 * time.Hour)
	names := w.names()
	if last := len(names) - 1; names[last] != "failed/permanent" || slices.Contains(names, "delivered") {
		t.Fatalf("webhooks are %v", names)
	}
	w.want(w.events()[len(names)-1], "reason", "old")
	w.want(w.events()[len(names)-1], "delivery-status/code", 602)
	if len(names) > 8 {
		t.Errorf("within an hour it tried %d times", len(names)-2)
	}
}

func TestCompressedClock(t *testing.T) {
	w := start(t, func(c *mailgun.Config) { c.Timing.Compress = 600 })
	w.mg.AddWebhook(domain, w.hooks.url)
	w.send("defer@example.org", simpleMail, nil)
	w.mg.Advance(2 * time.Second) // ten minutes are one second
	w.wantNames("accepted", "failed/temporary", "failed/temporary", "delivered")
	w.want(w.events()[1], "delivery-status/retry-seconds", 600)
}

// TestSuppressions: accepted with 200, then failed by an event.
func TestSuppressions(t *testing.T) {
	for _, c := range []struct {
		list, reason string
		code         int
	}{{"bounces", "suppress-bounce", 605}, {"unsubscribes", "suppress-unsubscribe", 606}, {"complaints", "suppress-complaint", 607}} {
		t.Run(c.list, func(t *testing.T) {
			w := start(t)
			w.mg.AddWebhook(domain, w.hooks.url)
			if status, body := w.call("POST", "/v3/"+domain+"/"+c.list, url.Values{"address": {"Bob@example.org"}}); status != 200 {
				t.Fatalf("%d %v", status, body)
			}
			w.send("bob@example.org", simpleMail, nil)
			w.mg.Advance(time.Second)
			w.wantNames("accepted", "failed/permanent")
			w.want(w.events()[1], "reason", c.reason)
			w.want(w.events()[1], "delivery-status/code", c.code)
			w.want(w.events()[1], "delivery-status/attempt-no", 1)
			if status, _ := w.call("DELETE", "/v3/"+domain+"/"+c.list+"/bob@example.org", nil); status != 200 {
				t.Fatal(status)
			}
			w.hooks.forget()
			w.send("bob@example.org", simpleMail, nil)
			w.mg.Advance(time.Second)
			w.wantNames("accepted", "delivered")
		})
	}
}

func TestBounceSuppressesAndLifts(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url)
	w.fault(mailgun.Fault{On: "delivery", Action: "bounce", Recipient: "bob@example.org", Times: 1})
	w.send("bob@example.org", simpleMail, nil)
	w.mg.Advance(time.Second)
	status, body := w.call("GET", "/v3/"+domain+"/bounces/bob@example.org", nil)
	if status != 200 || body["code"] != "550" || !strings.HasSuffix(body["created_at"].(string), " UTC") {
		t.Fatalf("%d %v", status, body)
	}
	w.send("bob@example.org", simpleMail, nil)
	w.mg.Advance(time.Second)
	w.wantNames("accepted", "failed/permanent", "accepted", "failed/permanent")
	w.want(w.events()[3], "delivery-status/code", 605)
	// A whitelisted address never comes onto the list.
	w.call("POST", "/v3/"+domain+"/whitelists", url.Values{"address": {"carl@example.org"}})
	w.fault(mailgun.Fault{On: "delivery", Action: "bounce", Recipient: "carl@example.org"})
	w.send("carl@example.org", simpleMail, nil)
	w.mg.Advance(time.Second)
	if status, _ := w.call("GET", "/v3/"+domain+"/bounces/carl@example.org", nil); status != 404 {
		t.Errorf("whitelisted address on the list: %d", status)
	}
	if _, body := w.call("GET", "/v3/"+domain+"/whitelists/carl@example.org", nil); body["createdAt"] == nil || body["created_at"] != nil || body["value"] != "carl@example.org" {
		t.Errorf("the entry is %v", body)
	}
}

func TestUnsubscribeByTag(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url)
	req := newJSON(t, w, "POST", "/v3/"+domain+"/unsubscribes", `[{"address":"bob@example.org","tags":["news"]}]`)
	if status, body, _ := w.do(req); status != 200 || !strings.Contains(body, "1 addresses have been added to the unsubscribes table") {
		t.Fatalf("%d %s", status, body)
	}
	w.send("bob@example.org", simpleMail, url.Values{"o:tag": {"gateway"}})
	w.send("bob@example.org", simpleMail, url.Values{"o:tag": {"news"}})
	w.mg.Advance(time.Second)
	if got := w.names(); !slices.Contains(got, "delivered") || !slices.Contains(got, "failed/permanent") {
		t.Errorf("webhooks are %v", got)
	}
}

// TestSendFaults: what the caller of the send API sees, and whether the mail
// went out nevertheless.
func TestSendFaults(t *testing.T) {
	for _, c := range []struct {
		to       string
		statuses []int // of one call after another; 0 is a broken connection
		sent     int
		text     string
	}{
		{"500-but-sent", []int{500}, 1, "Internal Server Error"},
		{"429", []int{429, 429, 200, 429}, 1, "is not allowed to send: account-requests-per-sec limit exceeded, try again after 1 seconds"},
		{"503", []int{503, 503, 200}, 1, ""},
		{"402", []int{402, 402, 402, 402}, 0, ""},
		{"403", []int{403}, 0, "Free accounts are for test purposes only"},
		{"reset", []int{0, 0, 200}, 1, ""},
		{"reset-after-accept", []int{0}, 1, ""},
	} {
		t.Run(c.to, func(t *testing.T) {
			w := start(t)
			for i, want := range c.statuses {
				status, body := w.try(c.to + "@example.org")
				if status != want {
					t.Fatalf("call %d is answered %d %s, want %d", i, status, body, want)
				}
				if i == 0 && !strings.Contains(body, c.text) {
					t.Errorf("answer is %s", body)
				}
			}
			w.mg.Advance(time.Second)
			if n := len(w.boxes.Messages(c.to + "@example.org")); n != c.sent {
				t.Errorf("%d mails arrived, want %d", n, c.sent)
			}
		})
	}
}

func TestSlowAnswer(t *testing.T) {
	w := start(t)
	done := make(chan int)
	go func() {
		status, _ := w.try("slow@example.org")
		done <- status
	}()
	for w.pending() == 0 {
		select {
		case status := <-done:
			t.Fatalf("answered %d at once", status)
		default:
		}
	}
	w.mg.Advance(5 * time.Second)
	if status := <-done; status != 200 {
		t.Errorf("answered %d", status)
	}
}

func TestScriptedFaults(t *testing.T) {
	w := start(t)
	status, body := w.control("POST", "/_emulator/faults", `{"on":"api","action":"status","path":"/v3/routes","status":502,"times":2}`)
	if status != 200 {
		t.Fatalf("%d %v", status, body)
	}
	var got []int
	for range 3 {
		status, _ := w.call("GET", "/v3/routes", nil)
		got = append(got, status)
	}
	if !slices.Equal(got, []int{502, 502, 200}) {
		t.Errorf("statuses are %v", got)
	}
	if status, _ := w.control("POST", "/_emulator/faults", `{"on":"post","action":"explode"}`); status != 400 {
		t.Errorf("an unknown action is %d", status)
	}
	w.control("PUT", "/_emulator/switches", `{"down":503}`)
	if status, _ := w.call("GET", "/v3/routes", nil); status != 503 {
		t.Errorf("down is %d", status)
	}
	if status, _ := w.try("bob@example.org"); status != 503 {
		t.Errorf("down is %d for sending", status)
	}
	w.control("PUT", "/_emulator/switches", `{"down":0}`)
	if status, _ := w.try("bob@example.org"); status != 200 {
		t.Errorf("up again is %d", status)
	}
}

// TestChanceIsSeeded: the same seed gives the same faults, another seed others.
func TestChanceIsSeeded(t *testing.T) {
	run := func(seed uint64) string {
		w := start(t, func(c *mailgun.Config) { c.Seed = seed })
		w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.BounceChance = 0.5 })
		for i := range 24 {
			w.send("u"+string(rune('a'+i))+"@example.org", "Message-ID: <m"+string(rune('a'+i))+"@mg.example.com>\r\n"+simpleMail, nil)
		}
		w.mg.Advance(time.Second)
		var out strings.Builder
		for _, m := range w.mg.Messages() {
			out.WriteString(m.Recipients[0].State[:1])
		}
		return out.String()
	}
	a, b, c := run(1), run(1), run(2)
	if a != b || a == c || strings.Count(a, "f") < 4 || strings.Count(a, "f") > 20 {
		t.Errorf("seed 1: %s and %s, seed 2: %s", a, b, c)
	}
}
