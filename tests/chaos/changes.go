//go:build unix

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// change is an edit or a deletion of a message, soon after it was written.
type change struct {
	id      string // of the message
	deleted bool
	at      time.Time // when the chat had done it
}

// amended stands in a message after it was edited.
const amended = ", as amended"

// draw decides whether a message is changed, and after how long: mostly within the quiet
// window of its mail.
func (w *world) draw(rnd *rand.Rand) (c change, after time.Duration) {
	n, after := rnd.IntN(100), time.Duration(rnd.Float64()*1.2*float64(w.opt.Delay))
	switch {
	case n < 6:
		c.deleted = true
	case n >= 16:
		after = -1
	}
	return c, after
}

// change carries out what was drawn.
func (w *world) change(c *channel, user, tok, id string, ch change, after time.Duration) {
	w.pending.Add(1)
	w.wg.Go(func() {
		defer w.pending.Add(-1)
		if !sleep(w.ctx, after) {
			return
		}
		method, body := http.MethodPut, any(map[string]any{"message_type": "MESG", "message": "This is " + tok + amended + "."})
		if ch.deleted {
			method, body = http.MethodDelete, nil
		}
		// Before the call: its webhook may be faster than its answer.
		ch.id, ch.at = id, time.Now()
		w.books.mu.Lock()
		w.books.changes[tok] = ch
		w.books.mu.Unlock()
		if err := w.api(w.ctx, method, w.actsAs(user, c)+"/"+id, body, nil); err != nil && w.ctx.Err() == nil {
			w.logf("%s cannot be changed: %v", tok, err)
			w.books.mu.Lock()
			delete(w.books.changes, tok) // it is as it was written
			w.books.mu.Unlock()
		}
	})
}

// changedEarly tells whether the gateway had accepted a change before the mail of a
// message could have been written: within its quiet window, with nothing in the person's
// lane that could have taken it along.
func (w *world) changedEarly(user, tok string, ch change, messages []*said, box *inbox) bool {
	b := &w.books
	b.mu.Lock()
	defer b.mu.Unlock()
	m, c := b.acks["chat "+ch.id], b.acks[ch.key()]
	if m == nil || c == nil || m.taken.IsZero() || c.taken.IsZero() {
		return false
	}
	over := m.came.Add(w.opt.Delay)
	return c.taken.Before(over) && !w.laneBusy(user, tok, ack{m.came, over}, messages, box)
}

func (c change) key() string {
	if c.deleted {
		return "delete " + c.id
	}
	return "edit " + c.id
}

// judgeChanges: what was edited within the quiet window is mailed as edited, what was
// deleted is not mailed at all; and never twice.
func (w *world) judgeChanges(r *report, c *channel, user string, messages []*said, box *inbox) {
	w.books.mu.Lock()
	changes := map[string]change{}
	for tok, ch := range w.books.changes {
		if strings.HasPrefix(tok, fmt.Sprintf("m-%02d-", c.n)) {
			changes[tok] = ch
		}
	}
	w.books.mu.Unlock()
	for tok, ch := range changes {
		mails := box.byToken[tok]
		if ch.deleted && len(mails) > 1 {
			r.twice++
			r.violate(ch.id, "twice", fmt.Sprintf("%s, which was deleted, was mailed to %s %d times", tok, user, len(mails)))
		}
		if !w.changedEarly(user, tok, ch, messages, box) {
			continue
		}
		switch {
		case ch.deleted:
			r.deleted++
			if len(mails) > 0 {
				r.stale++
				r.violate(ch.id, "deleted", tok+" was mailed to "+user+" although it had been deleted within its quiet window")
			}
		case len(mails) > 0:
			r.edited++
			if !strings.Contains(mails[0].Text, tok+amended) {
				r.stale++
				r.violate(ch.id, "edited", tok+" was mailed to "+user+" as it was before it was edited within its quiet window")
			}
		}
	}
}

// laneBusy tells whether the person's lane had something else to do within a message's quiet
// window, and may have taken this one along before that was over.
func (w *world) laneBusy(user, tok string, window ack, messages []*said, box *inbox) bool {
	for _, m := range messages {
		mails := box.byToken[m.tok]
		if m.User.ID == user || m.tok == tok || len(mails) == 0 || mails[0].Received.Before(window.came) {
			continue
		}
		x := w.books.acks["chat "+m.ID.String()]
		switch {
		case x != nil && !x.taken.IsZero():
			if x.came.Before(window.came) {
				return true
			}
		case mails[0].Received.Before(window.taken.Add(5 * time.Second)): // it was found, nobody knows when
			return true
		}
	}
	return false
}

// missing says what is still to be found, in the chat's and the provider's books, of what
// no webhook told; "" if nothing.
func (w *world) missing(ctx context.Context) string {
	r := &report{w: w}
	boxes := w.inboxes(r, w.takenOrder(r))
	for _, c := range w.channels {
		messages, members, err := w.channelState(ctx, c)
		if err != nil {
			return err.Error()
		}
		for _, u := range c.away {
			w.judgeMail(r, c, u, messages, boxes[u][c.n])
			w.judgeMarks(r, c, u, messages, members, boxes[u][c.n])
		}
	}
	if r.lost+r.unmarked == 0 {
		return ""
	}
	return fmt.Sprintf("%d messages and %d marks are to be found", r.lost, r.unmarked)
}
