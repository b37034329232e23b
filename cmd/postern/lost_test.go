package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/sendbird"
)

// The only webhook of a conversation is lost. Its message is found in the chat's list of
// channels, and mailed once.
func TestLostWebhookIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes the time in which a webhook may still be on its way")
	}
	w := newWorld(t, "POSTERN_RECONCILE_EVERY=2s")
	if _, err := w.Chat.AddHookFault(sendbird.HookFault{Do: "drop", Category: "group_channel:message_send", Count: 1}); err != nil {
		t.Fatal(err)
	}
	w.says("ana", "Did you hear this?")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for tick := time.NewTicker(100 * time.Millisecond); len(w.mails(bobsAddress)) == 0; {
		select {
		case <-ctx.Done():
			t.Fatalf("never mailed; notes: %+v", w.notes())
		case <-tick.C:
		}
	}
	if m := w.mails(bobsAddress)[0]; !strings.Contains(m.Text, "Did you hear this?") {
		t.Errorf("mailed %q", m.Text)
	}
	w.says("ana", "And this?")
	w.waitFor("the second mail", func() bool { return len(w.mails(bobsAddress)) == 2 })
	w.idle()
	if n := len(w.mails(bobsAddress)); n != 2 || !w.noted("heard late", "its webhook never came") {
		t.Errorf("%d mails", n)
	}
}
