package relay

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

func testGate(slots int) (*gate, *time.Time) {
	now := start()
	return newGate("mail", slots, func() time.Time { return now }, slog.New(slog.DiscardHandler)), &now
}

// tries makes a call through a gate; called tells whether it was let through.
func tries(g *gate, err error) (called bool, got error) {
	_, got = through(context.Background(), g, func(context.Context) (int, error) { called = true; return 0, err })
	return called, got
}

func TestGate(t *testing.T) {
	down := postern.Errorf(postern.Temporary, "fake", "down")
	g, now := testGate(0)
	for i := range gateFailures {
		if called, _ := tries(g, down); !called {
			t.Fatalf("shut after %d failures", i)
		}
	}
	called, err := tries(g, nil)
	if called || postern.KindOf(err) != postern.Temporary || postern.CauseOf(err) != postern.CauseBusy || postern.RetryAfter(err) < gatePause {
		t.Fatalf("called %t, %v", called, err)
	}
	pause := gatePause
	for range 6 { // each probe that fails doubles the pause
		*now = now.Add(pause)
		if called, _ := tries(g, postern.Errorf(postern.Unsure, "fake", "hangs")); !called {
			t.Fatalf("no probe after %v", pause)
		}
		if called, _ := tries(g, nil); called {
			t.Fatal("open after a probe that failed")
		}
		pause = min(2*pause, gatePauseMost)
	}
	*now = now.Add(pause)
	if called, _ := tries(g, nil); !called || g.shut() != 0 {
		t.Error("not open after a probe that succeeded")
	}
	for range gateFailures - 1 {
		tries(g, down)
	}
	tries(g, postern.Errorf(postern.Permanent, "fake", "refused")) // it answers
	tries(g, down)
	if g.shut() != 0 {
		t.Error("shut although it answered in between")
	}
}

// While one call finds out, the others wait; one that panics does not shut it for good.
func TestGateProbesAlone(t *testing.T) {
	g, now := testGate(0)
	for range gateFailures {
		tries(g, postern.Errorf(postern.Temporary, "fake", "down"))
	}
	*now = now.Add(gatePause)
	_, _ = through(context.Background(), g, func(context.Context) (int, error) {
		if called, _ := tries(g, nil); called {
			t.Error("two probes at once")
		}
		return 0, nil
	})
	if g.shut() != 0 {
		t.Error("shut")
	}
	for range gateFailures {
		tries(g, postern.Errorf(postern.Temporary, "fake", "down"))
	}
	*now = now.Add(gatePause)
	func() {
		defer func() { _ = recover() }()
		_, _ = through(context.Background(), g, func(context.Context) (int, error) { panic("ours") })
	}()
	if called, _ := tries(g, nil); !called || g.inFlight != 0 {
		t.Errorf("called %t, %d in flight", called, g.inFlight)
	}
}

// A provider that asks us to wait means all calls; a platform's client paces itself.
func TestGateIsTold(t *testing.T) {
	slow := postern.Errorf(postern.Temporary, "fake", "slow down")
	slow.After = 2 * time.Minute
	for _, told := range []bool{true, false} {
		g, now := testGate(0)
		g.told = told
		for range 2 * gateFailures {
			tries(g, slow)
		}
		if d := g.shut(); (d > 0) != told || told && (d < slow.After || d > 2*slow.After) {
			t.Errorf("told %t: shut for %v", told, d)
		}
		*now = now.Add(slow.After)
		if called, _ := tries(g, nil); !called || g.shut() != 0 {
			t.Errorf("told %t: not open after its time", told)
		}
	}
}

// A service that hangs holds its share of the slots and no more.
func TestGateShare(t *testing.T) {
	g := newGate("mail", 10, time.Now, slog.New(slog.DiscardHandler))
	var in, refused atomic.Int32
	var wg sync.WaitGroup
	hang, all := make(chan struct{}), make(chan struct{}, 10)
	for range 10 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, err := through(context.Background(), g, func(context.Context) (int, error) {
				in.Add(1)
				all <- struct{}{}
				<-hang
				return 0, nil
			})
			if err != nil {
				refused.Add(1)
				all <- struct{}{}
			}
		}()
	}
	for range 10 {
		<-all
	}
	if in.Load() != 8 || refused.Load() != 2 {
		t.Errorf("%d calls under way, %d refused, want 8 and 2", in.Load(), refused.Load())
	}
	close(hang)
	wg.Wait()
	if g.shut() != 0 || g.inFlight != 0 {
		t.Error("not free again")
	}
}

// A provider that is down costs no attempts and no calls; the chat goes on; when it is
// back everything goes out, once.
func TestProviderDown(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Hello")
	for i := range 20 {
		u := postern.UserID(fmt.Sprintf("u%d", i))
		h.chat.members = append(h.chat.members, postern.Member{User: postern.User{ID: u}, Active: true, Joined: true})
		h.put(postern.Person{UserID: u, Email: string(u) + "@people.example"})
	}
	h.mail.calls["send"] = repeat(failure(postern.Temporary), 1000)
	h.says("ana", "To all")
	h.pass(time.Minute)
	if r := h.Remotes(); !r[1].Paused || r[0].Paused {
		t.Errorf("%+v", r)
	}
	tried := len(h.mail.tries)
	if tried > 1+gateFailures+4 {
		t.Errorf("%d calls in a minute", tried)
	}
	h.answers(m.replyTo(), h.letterFrom(bobsAddress, "Yes")) // the chat goes on
	h.pass(time.Second)
	if said := h.chat.said(); len(said) != 1 || said[0] != "bob: Yes" {
		t.Errorf("said %q", said)
	}
	h.pass(30 * time.Minute)
	if n := len(h.mail.tries) - tried; n > 30+10 {
		t.Errorf("%d calls in half an hour", n)
	}
	h.mail.calls["send"] = nil
	h.pass(10 * time.Minute)
	if n := len(h.mail.sent); n != 22 { // the first, and one each for Bob and twenty others
		t.Errorf("%d mails, want 22", n)
	}
	if h.Remotes()[1].Paused {
		t.Error("still paused")
	}
}

// An event that cannot be handled goes to the dead letters, and its lane goes on.
func TestPoison(t *testing.T) {
	h := newHouse(t)
	h.recordRaw("not an event", messageJobFor(h, "bob"))
	h.says("ana", "Hello")
	h.recordRaw("{", messageJobFor(h, "bob"))
	h.says("ana", "And again")
	h.pass(time.Minute)
	if len(h.buried) != 2 {
		t.Errorf("buried: %q", h.buried)
	}
	if n := len(h.mail.sent); n == 0 || n > 2 {
		t.Errorf("%d mails", n)
	}
	if left, err := h.Store.Pending(t.Context(), h.mailLane(store.Participant{User: "bob", Conversation: store.Conversation{Channel: channel}})); err != nil || left != 0 {
		t.Errorf("%d jobs left, %v", left, err)
	}
}

// What nobody classed fails for long, but not for ever: real workers give it up, and the
// lane goes on.
func TestPoisonOfUnknownKind(t *testing.T) {
	var now atomic.Int64
	now.Store(start().UnixMilli())
	clock := func() time.Time { return time.UnixMilli(now.Add(20_000)).UTC() } // whoever looks makes it later
	h := newHouse(t)
	h.must(h.Store.Close())
	s, err := store.Open(t.Context(), store.Config{Database: "sqlite:" + t.TempDir() + "/poison.db", Now: clock, Lease: 1000 * time.Hour})
	h.must(err)
	defer func() { _ = s.Close() }()
	done := make(chan string, 10)
	handle := func(_ context.Context, l *store.Lease) (func(*store.Tx) error, error) {
		if l.Jobs[0].Kind == "poison" {
			panic("a defect")
		}
		done <- l.Jobs[0].Kind
		return func(tx *store.Tx) error { return tx.Done(l.Jobs[0]) }, nil
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.NewWorkers(4, slog.New(slog.DiscardHandler), handle).Run(ctx) }()
	_, _, err = s.Record(ctx, store.Arrival{Source: "x", Jobs: []store.LaneJob{{Lane: "a", Kind: "poison"}, {Lane: "a", Kind: "behind"}}})
	h.must(err)
	if k := <-done; k != "behind" {
		t.Errorf("did %q", k)
	}
	stop()
	<-ended
	b, err := s.Backlog(context.Background())
	if err != nil || b.Dead != 1 || b.Jobs != 0 {
		t.Errorf("%+v, %v", b, err)
	}
}

// Each member is a step of its own: one whose mail fails is tried again alone.
func TestEachMemberIsAStep(t *testing.T) {
	h := newHouse(t)
	for i := range 6 {
		u := postern.UserID(fmt.Sprintf("u%d", i))
		h.chat.members = append(h.chat.members, postern.Member{User: postern.User{ID: u}, Active: true, Joined: true})
		h.put(postern.Person{UserID: u, Email: string(u) + "@people.example"})
	}
	h.mail.calls["send"] = append(repeat(outcome{happens: true}, 6), failure(postern.Temporary), failure(postern.Temporary))
	h.says("ana", "To all")
	h.pass(time.Hour)
	if len(h.mail.sent) != 7 || len(h.mail.tries) != 9 {
		t.Errorf("%d mails in %d calls, want 7 in 9", len(h.mail.sent), len(h.mail.tries))
	}
	to := map[string]int{}
	for _, s := range h.mail.sent {
		to[s.To]++
	}
	for a, n := range to {
		if n != 1 {
			t.Errorf("%d mails to %s", n, a)
		}
	}
}

// A call that was under way when its service was shut off, and succeeds, shows that it is up.
func TestGateLateSuccess(t *testing.T) {
	g, _ := testGate(0)
	if err := g.enter(); err != nil {
		t.Fatal(err)
	}
	for range gateFailures {
		tries(g, postern.Errorf(postern.Temporary, "fake", "down"))
	}
	if g.shut() == 0 {
		t.Fatal("not shut")
	}
	g.leave(nil, false)
	if g.shut() != 0 || g.failures != 0 {
		t.Error("it answers, and is left alone")
	}
}

// reading is a chat that can be asked for one message.
type reading struct{ *fakeChat }

func (c reading) Message(_ context.Context, _ postern.ChannelID, id postern.MessageID) (m postern.ChatMessage, err error) {
	for _, m := range c.messages {
		if m.ID == id {
			return m, c.call("message").err
		}
	}
	return m, failure(postern.Permanent).err
}

// A chat that is down is not asked where a file is either.
func TestGateBeforeOneMessage(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Platform = reading{c.Platform.(*fakeChat)} })
	for range gateFailures {
		tries(h.Rules.chat, postern.Errorf(postern.Temporary, "fake", "down"))
	}
	h.says("ana", "See this", func(e *postern.ChatEvent) { e.Message.Type = postern.FileMessage })
	h.settle()
	if n := countOf(h.chat.asked, "message"); n != 0 || len(h.mail.sent) != 0 {
		t.Errorf("asked %d times, %d mails", n, len(h.mail.sent))
	}
	h.pass(time.Minute)
	if n := countOf(h.chat.asked, "message"); n != 1 || len(h.mail.sent) != 1 {
		t.Errorf("asked %d times, %d mails", n, len(h.mail.sent))
	}
}
