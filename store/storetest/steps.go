package storetest

import (
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// What is done again and again, and rates that somebody was told to keep to, neither
// stand still nor hurry when the machine's clock is set.
func testClockStepsRounds(t *testing.T, b Backend) {
	for _, step := range []time.Duration{3 * time.Hour, -3 * time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			w := &watch{Clock: Clock{now: NewClock().Now()}}
			s := openAt(t, store.Config{Database: b.Fresh(t), Now: w.Now, Elapsed: w.Elapsed, Lease: lease})
			limits := s.NewLimits()
			take := func() (mine bool) {
				t.Helper()
				do(t, s, func(tx *store.Tx) (err error) {
					mine, err = tx.TakeRound("r", tx.Now().Add(time.Minute))
					return err
				})
				return mine
			}
			do(t, s, func(tx *store.Tx) error { return tx.BeginRound("r", tx.Now(), 0) })
			if !take() {
				t.Fatal("a new round is due")
			}
			ok(t, limits.Hold(ctxOf(t), "post", w.Now().Add(2*time.Second)))
			w.Move(step)
			if b.LookAtClock != nil {
				ok(t, b.LookAtClock(ctxOf(t), s))
			}
			wait, granted, err := limits.Reserve(ctxOf(t), "post", 0)
			if err != nil || granted || wait <= 0 || wait > 2*time.Second {
				t.Errorf("held for %v, granted %v: %v", wait, granted, err)
			}
			if take() {
				t.Error("the round became due because the clock was set")
			}
			w.pass(time.Minute)
			if !take() {
				t.Error("the round waits because the clock was set")
			}
			if wait, granted, err := limits.Reserve(ctxOf(t), "post", 0); err != nil || !granted || wait > 0 {
				t.Errorf("a minute later: %v, granted %v: %v", wait, granted, err)
			}
		})
	}
}

// How long ago an uncertain call began, and up to when a read mark may be our own, is the
// same after the machine's clock was set.
func testClockStepsCalls(t *testing.T, b Backend) {
	for _, step := range []time.Duration{3 * time.Hour, -3 * time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			w := &watch{Clock: Clock{now: NewClock().Now()}}
			s := openAt(t, store.Config{Database: b.Fresh(t), Now: w.Now, Elapsed: w.Elapsed, Lease: lease})
			UncertainCalls(t, s)
			w.pass(time.Minute)
			w.Move(step)
			if b.LookAtClock != nil {
				ok(t, b.LookAtClock(ctxOf(t), s))
			}
			WantAgo(t, s, time.Minute)
		})
	}
}

// UncertainCalls begins a post, two e-mails and a mark for bob, and hears of no end; of the
// second e-mail the provider is to be asked an hour later.
func UncertainCalls(t testing.TB, s *store.Store) {
	t.Helper()
	ensure(t, s, "bob", 5)
	for id, state := range map[postern.DeliveryID]store.DeliveryState{"unsure": store.Unsure, "accepted": store.Accepted} {
		do(t, s, func(tx *store.Tx) error {
			d := store.Delivery{ID: id, Participant: 5, MessageID: string(id) + "@x", Content: []byte("{}"), State: store.Sending, AttemptedAt: tx.Now()}
			return tx.AddDelivery(d, nil)
		})
		do(t, s, func(tx *store.Tx) error {
			_, err := tx.Advance(id, state, tx.Now(), "")
			return err
		})
	}
	do(t, s, func(tx *store.Tx) error {
		if err := tx.Accept("accepted", "id", tx.Now().Add(time.Hour), store.LaneJob{Lane: "late", Kind: "x", Delay: time.Hour, Cap: time.Hour}); err != nil {
			return err
		}
		if err := tx.Marked(5, true, 1); err != nil {
			return err
		}
		return tx.PlanPosts([]store.Post{{ID: "p", Batch: "b", Conversation: 1, State: store.Posting, AttemptedAt: tx.Now()}})
	})
}

// WantAgo checks how long ago UncertainCalls was.
func WantAgo(t testing.TB, s *store.Store, want time.Duration) {
	t.Helper()
	ctx := ctxOf(t)
	got := map[string]time.Time{}
	for _, id := range []postern.DeliveryID{"unsure", "accepted"} {
		d, found, err := s.Delivery(ctx, id)
		if err != nil || !found {
			t.Fatal(found, err)
		}
		got[string(id)] = d.AttemptedAt
	}
	due, _, err := s.AskDue(ctx)
	ok(t, err)
	got["asked an hour later"] = due.Add(-time.Hour)
	posts := must(s.Posts(ctx, "b"))(t)
	got["post"] = posts[0].AttemptedAt
	p, _, err := s.Participant(ctx, 5)
	ok(t, err)
	got["mark"] = time.UnixMilli(p.OwnReadAt)
	for what, at := range got {
		if ago := s.Now().Sub(at); ago != want {
			t.Errorf("%s: %v ago, want %v", what, ago, want)
		}
	}
}
