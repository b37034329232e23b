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
