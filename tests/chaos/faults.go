//go:build unix

package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

// fault is something that goes wrong for a while.
type fault struct {
	name string
	// begin begins it; what it gives ends it.
	begin func(w *world) (end func())
}

// slow are those that take a minute or more to get over: the gateway waits that long for
// an answer, or to hear of a mail.
func slow(name string) bool {
	return strings.HasSuffix(name, "hangs") || strings.HasPrefix(name, "events dropped") || name == "clock set"
}

const (
	messagesPath = "/v3/group_channels/*/messages"
	anyPath      = "/v3/**"
)

func chatFault(name string, f sendbird.Fault) fault {
	return fault{name, func(w *world) func() {
		id := w.chat.AddFault(f)
		w.books.faultNames.Store("fault "+strconv.FormatInt(id, 10), name)
		return func() { w.chat.RemoveFault(id) }
	}}
}

func hookFault(name string, f sendbird.HookFault) fault {
	return fault{name, func(w *world) func() {
		id, err := w.chat.AddHookFault(f)
		if err != nil {
			w.logf("%s: %v", name, err)
			return func() {}
		}
		w.strikes.add(name+" (windows)", 1)
		return func() { w.chat.RemoveFault(id) }
	}}
}

func mailFault(name string, f mailgun.Fault) fault {
	return fault{name, func(w *world) func() {
		id, err := w.mail.AddFault(f)
		if err != nil {
			w.logf("%s: %v", name, err)
			return func() {}
		}
		return func() { w.endMailFault(name, id) }
	}}
}

// endMailFault takes a fault back and counts how often it struck.
func (w *world) endMailFault(name, id string) {
	var list struct{ Faults []mailgun.Fault }
	if err := w.api(w.ctx, http.MethodGet, w.mailURL+"/_emulator/faults", nil, &list); err != nil {
		return // we are being stopped
	}
	for _, f := range list.Faults {
		if f.ID == id {
			w.strikes.add(name, f.Struck)
		}
	}
	_ = w.api(w.ctx, http.MethodDelete, w.mailURL+"/_emulator/faults/"+id, nil, nil)
}

// faults are all of them.
func faults() []fault {
	post := sendbird.Fault{Method: http.MethodPost, Path: messagesPath, Probability: 0.5}
	with := func(f sendbird.Fault, change func(*sendbird.Fault)) sendbird.Fault { change(&f); return f }
	some := func(f mailgun.Fault) mailgun.Fault { f.Chance = 0.5; return f }
	return []fault{
		chatFault("post made, answered 500", with(post, func(f *sendbird.Fault) { f.Accept, f.Status = true, 500 })),
		chatFault("post made, reset", with(post, func(f *sendbird.Fault) { f.Accept, f.Reset = true, true })),
		chatFault("post reset", with(post, func(f *sendbird.Fault) { f.Reset = true })),
		chatFault("post 429", with(post, func(f *sendbird.Fault) { f.Status = 429 })),
		chatFault("chat 503", sendbird.Fault{Path: anyPath, Status: 503, Probability: 0.5}),
		chatFault("chat 429", sendbird.Fault{Path: anyPath, Status: 429, Probability: 0.7}),
		chatFault("chat slow", sendbird.Fault{Path: anyPath, DelayMS: 700, Probability: 0.5}),
		chatFault("mark made, answered 500", sendbird.Fault{Method: http.MethodPut, Path: messagesPath + "/mark_as_read", Accept: true, Status: 500, Probability: 0.7}),
		hookFault("chat webhooks twice", sendbird.HookFault{Do: "duplicate", Probability: 0.5}),
		hookFault("chat webhooks reordered", sendbird.HookFault{Do: "reorder", DelayMS: 1000, Probability: 0.5}),
		hookFault("chat webhooks late", sendbird.HookFault{Do: "delay", DelayMS: 1500, Probability: 0.5}),
		hookFault("chat webhooks dropped", sendbird.HookFault{Do: "drop", Probability: 0.3}),
		mailFault("mail sent, answered 500", some(mailgun.Fault{On: "send", Action: "status-after-accept", Status: 500})),
		mailFault("mail sent, reset", some(mailgun.Fault{On: "send", Action: "reset-after-accept"})),
		mailFault("send 500", some(mailgun.Fault{On: "send", Action: "status", Status: 500})),
		mailFault("send 503", some(mailgun.Fault{On: "send", Action: "status", Status: 503})),
		mailFault("send 429", some(mailgun.Fault{On: "send", Action: "status", Status: 429})),
		mailFault("send reset", some(mailgun.Fault{On: "send", Action: "reset"})),
		mailFault("send slow", some(mailgun.Fault{On: "send", Action: "slow", Seconds: 1.5})),
		mailFault("find 503", mailgun.Fault{On: "api", Action: "status", Status: 503, Path: "/v3/" + domain + "/events"}),
		mailFault("events twice", some(mailgun.Fault{On: "post", Action: "duplicate"})),
		mailFault("events late", some(mailgun.Fault{On: "post", Action: "delay", Seconds: 2})),
		mailFault("events reordered", mailgun.Fault{On: "post", Action: "reorder", Event: "accepted"}),
		mailFault("events dropped", mailgun.Fault{On: "post", Action: "drop", Chance: 0.3}),
		chatFault("post made, hangs", with(post, func(f *sendbird.Fault) { f.Accept, f.Hang, f.Count = true, true, 2 })),
		chatFault("post hangs", with(post, func(f *sendbird.Fault) { f.Hang, f.Count = true, 2 })),
		chatFault("mark made, hangs", sendbird.Fault{Method: http.MethodPut, Path: messagesPath + "/*", Accept: true, Hang: true, Count: 2}),
		chatFault("members hangs", sendbird.Fault{Path: "/v3/group_channels/*/members", Hang: true, Count: 2}),
		chatFault("messages hangs", sendbird.Fault{Method: http.MethodGet, Path: messagesPath, Hang: true, Count: 2}),
		chatFault("channels hangs", sendbird.Fault{Method: http.MethodGet, Path: "/v3/group_channels", Hang: true, Count: 2}),
		mailFault("mail sent, hangs", mailgun.Fault{On: "send", Action: "hang-after-accept", Times: 2}),
		mailFault("send hangs", mailgun.Fault{On: "send", Action: "hang", Times: 2}),
		mailFault("find hangs", mailgun.Fault{On: "api", Action: "hang", Times: 2, Path: "/v3/" + domain + "/events"}),
		{"429 storm", func(w *world) func() { w.storm.Store(1); return func() { w.storm.Store(0) } }},
		{"clock set", func(w *world) func() { return w.clocks.set() }},
		{"answers lost", func(w *world) func() { w.front.lose.Store(40); return func() { w.front.lose.Store(0) } }},
	}
}

// spoil lets one or two faults at a time strike until ctx ends, each for a few seconds,
// with calm in between; now and then it takes the database or the disk away.
func (w *world) spoil(ctx context.Context) {
	rnd := rand.New(rand.NewPCG(uint64(w.opt.Seed), 2))
	all := faults()
	if !w.opt.Slow {
		all = slices.DeleteFunc(all, func(f fault) bool { return slow(f.name) })
	}
	if !w.opt.Clock {
		all = slices.DeleteFunc(all, func(f fault) bool { return f.name == "clock set" })
	}
	var order []int
	for round := 0; ctx.Err() == nil; round++ {
		if len(order) == 0 {
			order = rnd.Perm(len(all))
		}
		n := min(1+rnd.IntN(2), len(order))
		span, calm := 1500+rnd.IntN(2500), rnd.IntN(2000)
		infra, who := rnd.IntN(8) == 0, rnd.IntN(len(w.replicas))
		var ends []func()
		for _, i := range order[:n] {
			ends = append(ends, all[i].begin(w))
		}
		order = order[n:]
		sleep(ctx, time.Duration(span)*time.Millisecond)
		for _, end := range ends {
			end()
		}
		if infra && w.opt.Infra && ctx.Err() == nil {
			w.database.trouble(ctx)
		}
		if w.opt.Freeze && len(w.replicas) > 1 && round%3 == 2 {
			w.wg.Go(func() { w.replicas[who].freeze(w.ctx) })
		}
		sleep(ctx, time.Duration(calm)*time.Millisecond)
	}
}

// watchBook follows the chat's book: it counts faults, and webhooks that were given up or
// dropped. Those are gone, as they are with Sendbird, unless it is to send them again.
func (w *world) watchBook(ctx context.Context) {
	after := int64(0)
	for sleep(ctx, 100*time.Millisecond) {
		for {
			entries := w.chat.Book(after, 1000)
			if len(entries) == 0 {
				break
			}
			after = entries[len(entries)-1].N
			for _, e := range entries {
				w.entry(ctx, e)
			}
		}
		w.resendMail()
	}
}

func (w *world) entry(ctx context.Context, e sendbird.Entry) {
	if name, ok := w.books.faultNames.Load(e.Fault); ok && e.Kind == "call" {
		w.strikes.add(name.(string), 1)
	}
	if e.Kind != "outcome" {
		return
	}
	w.books.mu.Lock()
	defer w.books.mu.Unlock()
	if e.State == "delivered" {
		delete(w.books.lost, e.Webhook)
		return
	}
	if strings.HasSuffix(e.Category, ":message_send") {
		w.books.gaveUp[e.Webhook] = e.State
	}
	if !w.opt.Resend {
		return
	}
	w.books.lost[e.Webhook] = true
	w.wg.Go(func() {
		if !sleep(ctx, 1500*time.Millisecond) {
			return
		}
		err := w.api(ctx, http.MethodPost, w.chatURL+"/_emulator/webhooks/"+strconv.FormatInt(e.Webhook, 10)+"/resend", map[string]int{"copies": 1}, nil)
		if err != nil && ctx.Err() == nil {
			w.logf("webhook %d cannot be sent again: %v", e.Webhook, err)
		}
	})
}

// resendMail sends mails again that were dropped or given up on their way to the gateway:
// Mailgun tries for eight hours. Its events are gone, unless they are to be sent again.
func (w *world) resendMail() {
	if time.Since(w.books.mailLooked) < time.Second {
		return
	}
	w.books.mailLooked = time.Now()
	waiting := 0
	for _, p := range w.mail.Posts() {
		switch p.State {
		case "done":
		case "waiting":
			waiting++
		default:
			if p.Kind != "inbound" && !w.opt.Resend {
				if w.books.mailAgain[p.ID] == 0 {
					w.books.mailAgain[p.ID] = 1
					w.strikes.add("event gone for good", 1)
				}
				continue
			}
			waiting++
			if n := len(p.Tries); w.books.mailAgain[p.ID] != n+1 {
				w.books.mailAgain[p.ID] = n + 1 // one more try than there were
				if err := w.mail.Resend(p.ID); err != nil {
					w.logf("a post cannot be made again: %v", err)
				}
			}
		}
	}
	w.books.mailWaiting.Store(int64(waiting))
}
