package mailgun_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/mailgun"
)

// TestDuplicatePosts: every webhook comes twice though the first was taken.
func TestDuplicatePosts(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url+"/events")
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.DuplicatePosts = 1 })
	w.send("bob@example.org", simpleMail, url.Values{})
	w.mg.Advance(time.Second)
	w.wantNames("accepted", "accepted", "delivered", "delivered")
}

// TestLatePosts: webhooks come later, and an open overtakes the delivery that it follows.
func TestLatePosts(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url+"/events")
	w.call("PUT", "/v3/domains/"+domain+"/tracking/open", url.Values{"active": {"yes"}})
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.EventDelaySeconds, sw.EventDisorder = 10, true })
	w.send("bob@example.org", simpleMail, url.Values{"o:tracking": {"yes"}})
	w.mg.Advance(time.Second)
	w.wantNames()
	w.control("POST", "/_emulator/events", `{"event":"opened","recipient":"bob@example.org"}`)
	w.mg.Advance(6 * time.Second)
	w.wantNames("opened")
	w.mg.Advance(5 * time.Second)
	w.wantNames("opened", "accepted", "delivered")
}
