package mailgun_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox"
	"github.com/postern-chat/postern/sandbox/mailgun"
)

// TestStory is the main job: out, opened, answered, in.
func TestStory(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url+"/events")
	if _, err := w.mg.AddRoute(0, `match_recipient("^t\\.(.*)@mg.example.com")`, `forward("`+w.hooks.url+`/in/mime")`, `stop()`); err != nil {
		t.Fatal(err)
	}
	id := w.send("bob@example.org", "Message-ID: <own.1@mg.example.com>\r\n"+simpleMail,
		url.Values{"v:delivery": {"d1"}, "o:tag": {"gateway"}, "o:tracking-opens": {"yes"}})
	if id != "own.1@mg.example.com" {
		t.Fatalf("id is %s", id)
	}
	w.mg.Advance(time.Second)
	w.wantNames("accepted", "delivered")
	e := w.events()[1]
	w.want(e, "user-variables/delivery", "d1")
	w.want(e, "message/headers/message-id", id)
	w.want(e, "recipient", "bob@example.org")
	w.want(e, "delivery-status/code", 250)
	m := w.boxes.Messages("bob@example.org")[0]
	if _, err := w.boxes.View(t.Context(), "bob@example.org", m.ID, mailbox.Human); err != nil {
		t.Fatal(err)
	}
	w.mg.Advance(time.Second)
	w.wantNames("accepted", "delivered", "opened")
	w.want(w.events()[2], "client-info/bot", "")
	w.hooks.forget()
	if _, err := w.boxes.Reply(t.Context(), "bob@example.org", m.ID, mailbox.Answer{Program: mailbox.Gmail, Text: "Fine, thanks!"}); err != nil {
		t.Fatal(err)
	}
	w.mg.Advance(time.Second)
	var form url.Values
	for _, p := range w.hooks.all() {
		if p.path == "/in/mime" {
			form, _ = url.ParseQuery(string(p.body))
		}
	}
	if form.Get("recipient") != "t.abc@mg.example.com" || form.Get("sender") != "bob@example.org" || !strings.Contains(form.Get("body-mime"), "Fine, thanks!") ||
		!strings.Contains(form.Get("body-mime"), "In-Reply-To: <own.1@mg.example.com>") {
		t.Fatalf("inbound is %v", form)
	}
	if form.Get("signature") != mailgun.Sign(signingKey, form.Get("timestamp"), form.Get("token")) {
		t.Error("inbound signature does not hold")
	}
}
