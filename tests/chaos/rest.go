//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// status is what the gateway says of its lanes.
type status struct {
	Jobs, Lanes, Dead int64
	Deliveries        map[string]int64
}

// maxRest is how long the gateway may take to come to rest when nothing goes wrong any
// more: its longest pause between tries, and some.
const maxRest = 7 * time.Minute

// maxFind is how long the gateway may take, when all is calm, to find what no webhook
// told: messages 20 s, what became of a mail a minute and some.
const maxFind = 3 * time.Minute

// rest waits until nobody has anything to do any more.
func (w *world) rest(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, maxRest)
	defer cancel()
	calm, why, told := 0, "", time.Now()
	var since time.Time // all but what is to be found is calm
	for calm < 4 {
		if why = w.busy(ctx); why == "" {
			if calm++; since.IsZero() {
				since = time.Now()
			}
			if why = w.missing(ctx); why != "" && time.Since(since) < maxFind {
				calm = 0
				sleep(ctx, 2*time.Second)
			}
		} else {
			calm = 0
		}
		if time.Since(told) > 15*time.Second {
			told = time.Now()
			w.logf("not at rest: %s", why)
		}
		if !sleep(ctx, 300*time.Millisecond) {
			break
		}
	}
	if calm < 4 {
		w.unrest = "not at rest: " + why
	}
}

// busy says what is still to be done; "" if nothing.
func (w *world) busy(ctx context.Context) string {
	for _, r := range w.replicas {
		if !r.up() || r.ready(ctx, time.Second) != nil {
			return fmt.Sprintf("replica %d is not ready", r.n)
		}
	}
	if n := w.pending.Load(); n > 0 {
		return fmt.Sprintf("people are about to do %d things", n)
	}
	quick, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if w.chat.WaitWebhooks(quick) != nil {
		return "chat webhooks are under way"
	}
	if w.mail.Drain(quick) != nil {
		return "the e-mail provider is at work"
	}
	w.books.mu.Lock()
	lost := len(w.books.lost)
	w.books.mu.Unlock()
	if lost > 0 {
		return fmt.Sprintf("%d chat webhooks are to be sent again", lost)
	}
	if n := w.books.mailWaiting.Load(); n > 0 {
		return fmt.Sprintf("%d posts of the e-mail provider are not accepted", n)
	}
	st, err := w.status(ctx)
	switch {
	case err != nil:
		return "no status: " + err.Error()
	case st.Jobs > 0:
		return fmt.Sprintf("%d jobs in %d lanes", st.Jobs, st.Lanes)
	}
	return ""
}

func (w *world) status(ctx context.Context) (st status, err error) {
	return st, w.api(ctx, http.MethodGet, w.replicas[0].url+"/api/v1/status", nil, &st)
}
