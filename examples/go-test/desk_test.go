package desk

import (
	"net/http/httptest"
	"testing"

	"github.com/postern-chat/postern/sandbox"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

const duty = "carl@people.example"

// start runs a world, and a desk that is connected to it.
func start(t *testing.T) (*Desk, *sandbox.World) {
	t.Helper()
	w := sandbox.Run(t, sandbox.Config{})
	d := &Desk{OnDuty: duty, Domain: w.Domain,
		SendbirdAPI: w.SendbirdAPI, SendbirdToken: w.APIToken,
		MailgunAPI: w.MailgunAPI, MailgunKey: w.SendingKey}
	srv := httptest.NewServer(d)
	t.Cleanup(srv.Close)
	if err := w.Connect(sandbox.Hooks{Sendbird: srv.URL}); err != nil {
		t.Fatal(err)
	}
	return d, w
}

// says has Ana write, and waits until Sendbird and Mailgun have nothing more to do.
func says(t *testing.T, w *sandbox.World, text string) {
	t.Helper()
	if _, err := w.Say(t.Context(), "ana", w.Channel, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestUrgent(t *testing.T) {
	_, w := start(t)
	says(t, w, "Good morning")
	says(t, w, "URGENT: water in the cellar")
	mails := w.People.Messages(duty)
	if len(mails) != 1 || mails[0].Subject != "Urgent, from Ana" {
		t.Errorf("in the mailbox: %+v", mails)
	}
}

// TestTwice: Sendbird may deliver a webhook twice.
func TestTwice(t *testing.T) {
	_, w := start(t)
	if _, err := w.Chat.AddHookFault(sendbird.HookFault{Do: "duplicate", Copies: 3}); err != nil {
		t.Fatal(err)
	}
	says(t, w, "urgent")
	if mails := w.People.Messages(duty); len(mails) != 1 {
		t.Errorf("%d mails, want 1", len(mails))
	}
}

// TestMailgunFails: Sendbird comes again, and the second time it works.
func TestMailgunFails(t *testing.T) {
	_, w := start(t)
	if _, err := w.Mail.AddFault(mailgun.Fault{On: "send", Action: "status", Status: 500, Times: 1}); err != nil {
		t.Fatal(err)
	}
	says(t, w, "urgent")
	if mails := w.People.Messages(duty); len(mails) != 1 {
		t.Errorf("%d mails, want 1", len(mails))
	}
}

// TestMailgunLies shows what this little program gets wrong, and that the sandbox finds
// it: Mailgun answered 500 although it sent, so the second try mails a second time.
// (Postern asks Mailgun before it repeats; that is a story of its own.)
func TestMailgunLies(t *testing.T) {
	_, w := start(t)
	if _, err := w.Mail.AddFault(mailgun.Fault{On: "send", Action: "status-after-accept", Status: 500, Times: 1, Recipient: duty}); err != nil {
		t.Fatal(err)
	}
	says(t, w, "urgent")
	if mails := w.People.Messages(duty); len(mails) != 2 {
		t.Errorf("%d mails; the sandbox should have fooled it into 2", len(mails))
	}
}

// TestForged: what is not signed with the token that it knows is not believed.
func TestForged(t *testing.T) {
	d, w := start(t)
	deaf := httptest.NewServer(&Desk{OnDuty: duty, Domain: d.Domain, MailgunAPI: d.MailgunAPI, MailgunKey: d.MailgunKey, SendbirdToken: "another"})
	t.Cleanup(deaf.Close)
	if err := w.Connect(sandbox.Hooks{Sendbird: deaf.URL}); err != nil {
		t.Fatal(err)
	}
	says(t, w, "urgent")
	if mails := w.People.Messages(duty); len(mails) != 0 {
		t.Errorf("%d mails, want none", len(mails))
	}
}
