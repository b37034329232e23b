package storetest

import (
	"testing"
	"time"

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
