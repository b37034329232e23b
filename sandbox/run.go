package sandbox

import (
	"context"
	"net/http"
	"net/url"

	"github.com/postern-chat/postern/sandbox/mailbox"
)

// T is what Run needs of a test; *testing.T and *testing.B are such.
type T interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Run starts a world for one test of your own Sendbird or Mailgun code, and stops it
// when the test ends. No gateway is needed: once your program has the addresses and
// keys, Connect says where it takes webhooks and mail. There is no page. Every test may have a world of its own, also in parallel.
//
// A seed of 0 is 1 here, so that a test sees the same ids on every run.
func Run(t T, cfg Config) *World {
	t.Helper()
	if cfg.Seed == 0 {
		cfg.Seed = 1
	}
	w, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatalf("sandbox: %v", err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("sandbox: %v", err)
		}
	})
	_ = w.page.Close() // nobody serves it
	w.page, w.Page = nil, ""
	return w
}

// Say has a user of the chat write a message into a channel, from his app, and returns
// the message's id.
func (w *World) Say(ctx context.Context, user, channel, text string) (id int64, err error) {
	var made struct {
		ID int64 `json:"message_id"`
	}
	err = w.act(ctx, http.MethodPost, "/users/"+url.PathEscape(user)+"/channels/"+url.PathEscape(channel)+"/messages",
		map[string]string{"message": text}, &made)
	return made.ID, err
}

// Settle returns when no webhook, mail or mail program of the emulated world is under
// way. What waits for a later time, such as the next try of a refused webhook of
// Mailgun's, is not waited for; nor is your program.
func (w *World) Settle(ctx context.Context) error {
	if err := w.Chat.WaitWebhooks(ctx); err != nil {
		return err
	}
	if err := w.Mail.Drain(ctx); err != nil {
		return err
	}
	w.People.Wait()
	return w.Mail.Drain(ctx) // a program may have answered
}

// Mails waits until at least n mails that others wrote lie in somebody's mailbox, and
// returns them, oldest first, with header and text.
func (w *World) Mails(ctx context.Context, address string, n int) ([]mailbox.Message, error) {
	return w.People.Await(ctx, address, n)
}
