package sandbox

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/page"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

// ServePage serves the page on which a newcomer plays. The gateway should answer and
// know the people already: what they and the world did so far is not told there.
func (w *World) ServePage() error {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	_ = w.Chat.WaitWebhooks(ctx) // else the first lines are about making the channel
	cancel()
	p, err := page.New(page.Config{
		Chat: w.Chat, Mail: w.Mail, Boxes: w.People,
		Gateway: w.Gateway, AdminToken: w.AdminToken,
		Facts: w.facts, Reset: w.Reset, Kill: w.Kill, Client: w.client, Logger: w.cfg.Logger,
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
	f := page.Facts{Channel: w.Channel, SMTP: w.SMTP, Domain: w.Domain, QuietMillis: w.Quiet.Milliseconds()}
	for _, p := range Cast() {
		f.People = append(f.People, page.Person(p))
	}
	return f
}

// Reset starts the story over: a new channel instead of all others, empty mailboxes,
// people who may be written to again, nothing broken. The emulators themselves are not
// reset: their numbers would begin again, and the gateway would take new messages and
// mails for old ones.
func (w *World) Reset(ctx context.Context) error {
	w.Mail.SetSwitches(func(sw *mailgun.Switches) { *sw = mailgun.DefaultSwitches() })
	if err := w.Chat.SetSwitches(sendbird.Switches{}); err != nil {
		return err
	}
	if err := w.closeChannels(ctx); err != nil {
		return err
	}
	w.People.Reset()
	for _, p := range Cast() {
		w.People.Open(p.Address, p.Name)
	}
	if err := w.openChannel(ctx); err != nil {
		return err
	}
	if w.cfg.Unset { // whoever sets the gateway up tells it of the people
		return nil
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

// closeChannels deletes all channels, as an operator would.
func (w *World) closeChannels(ctx context.Context) error {
	const most = 100
	for {
		var list struct {
			Channels []struct {
				URL string `json:"channel_url"`
			} `json:"channels"`
		}
		if err := w.call(ctx, http.MethodGet, "/group_channels?show_empty=true&limit="+strconv.Itoa(most), nil, &list); err != nil {
			return err
		}
		for _, c := range list.Channels {
			if err := w.call(ctx, http.MethodDelete, "/group_channels/"+url.PathEscape(c.URL), nil, nil); err != nil {
				return err
			}
		}
		if len(list.Channels) < most {
			return nil
		}
	}
}
