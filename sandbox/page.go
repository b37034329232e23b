package sandbox

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/page"
)

// quietHint is the quiet window of the sandbox's gateway, as the page tells it where
// Config says nothing else.
const quietHint = 2 * time.Second

// ServePage serves the page on which a newcomer plays. The gateway should answer and
// know the people already: what they and the world did so far is not told there.
func (w *World) ServePage() error {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	_ = w.Chat.WaitWebhooks(ctx) // else the first lines are about making the channel
	cancel()
	p, err := page.New(page.Config{
		Chat: w.Chat, Mail: w.Mail, Boxes: w.People,
		Gateway: w.Gateway, AdminToken: w.AdminToken,
		Facts: w.facts, Reset: w.Reset, Client: w.client, Logger: w.cfg.Logger,
	})
	if err != nil {
		return err
	}
	w.closers = append(w.closers, p.Close)
	w.serve(w.page, p.Handler())
	return nil
}

func (w *World) facts() page.Facts {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := page.Facts{Channel: w.Channel, SMTP: w.SMTP, Domain: w.Domain, QuietMillis: w.cfg.Quiet.Milliseconds()}
	for _, p := range Cast() {
		f.People = append(f.People, page.Person(p))
	}
	return f
}

// Reset starts the story over: an empty channel, empty mailboxes, people who may be
// written to again, nothing broken. The Mailgun emulator keeps what it knows of old
// mails, and all numbers go on, so that nothing of the new story looks to the gateway
// like something of the old one.
func (w *World) Reset(ctx context.Context) error {
	w.Mail.SetSwitches(func(sw *mailgun.Switches) { *sw = mailgun.DefaultSwitches() })
	w.Chat.Reset()
	w.People.Reset()
	if err := w.tellStory(ctx); err != nil {
		return err
	}
	err := w.Introduce(ctx)
	for _, p := range Cast() {
		// Not found: he was never stopped.
		_ = w.do(ctx, http.MethodPost, w.Gateway+"/api/v1/people/"+url.PathEscape(p.ID)+"/lift", nil, "Authorization", "Bearer "+w.AdminToken, nil)
	}
	waiting, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if e := w.Chat.WaitWebhooks(waiting); e != nil && !errors.Is(e, context.DeadlineExceeded) {
		err = errors.Join(err, e)
	}
	return err
}
