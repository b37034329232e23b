package storetest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern/store"
)

// watch is a clock that can be set while time goes on evenly.
type watch struct {
	Clock
	mu   sync.Mutex
	even time.Duration
}

// Elapsed is a Config.Elapsed.
func (w *watch) Elapsed() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.even
}

// pass lets time pass.
func (w *watch) pass(d time.Duration) {
	w.mu.Lock()
	w.even += d
	w.mu.Unlock()
	w.Move(d)
}

// The machine's clock is set forward and back, with lanes due, quiet, put off and leased:
// nothing becomes due by that, nothing waits longer, and no lease ends. Also what was
// recorded between the step and its notice is worked in its time.
func testClockSteps(t *testing.T, b Backend) {
	for _, step := range []time.Duration{3 * time.Hour, -3 * time.Hour, 50 * time.Hour, -time.Minute} {
		t.Run(step.String(), func(t *testing.T) {
			w := &watch{Clock: Clock{now: NewClock().Now()}}
			s := openAt(t, store.Config{Database: b.Fresh(t), Now: w.Now, Elapsed: w.Elapsed, Lease: lease})
			look := func() {
				t.Helper()
				if b.LookAtClock != nil {
					ok(t, b.LookAtClock(ctxOf(t), s))
				}
			}
			record(t, s, "off", job("off", "x"))
			l := claimOne(t, s, "off")
			ok(t, s.Finish(ctxOf(t), l, func(tx *store.Tx) error { return tx.Retry(l.Jobs[0], tx.Now().Add(15*time.Second)) }))
			record(t, s, "quiet", quiet("quiet", "a")) // due after 10 s
			record(t, s, "leased", job("leased", "x"))
			held := claimOne(t, s, "leased")
			w.pass(4 * time.Second)

			w.Move(step)
			claimNone(t, s, "the clock was set")
			record(t, s, "between", quiet("quiet", "b")) // now due after 14 s
			look()
			look() // it is no step any more
			claimNone(t, s, "and that was noticed")
			if b.LookAtClock != nil {
				do(t, s, func(tx *store.Tx) error {
					if !tx.Now().Equal(w.Now()) {
						t.Errorf("it is %v, the store says %v", w.Now(), tx.Now())
					}
					return nil
				})
			}
			if lost := must(s.Extend(ctxOf(t), []*store.Lease{held}))(t); len(lost) != 0 {
				t.Fatal("a lease is lost because the clock was set")
			}
			record(t, s, "after", job("after", "x"))
			finish(t, s, claimOne(t, s, "after"))

			w.pass(10*time.Second - time.Millisecond)
			claimNone(t, s, "just before")
			w.pass(time.Millisecond) // 14 s: the quiet is over, and so is the lease
			got := claim(t, s)
			if len(got) != 2 {
				t.Fatalf("claimed %s, want the quiet one and the lost one", names(got))
			}
			for _, l := range got {
				finish(t, s, l)
			}
			if err := s.Finish(ctxOf(t), held, nil); !store.Lost(err) {
				t.Errorf("the late owner: %v", err)
			}
			w.pass(time.Second - time.Millisecond)
			claimNone(t, s, "just before")
			w.pass(time.Millisecond)
			finish(t, s, claimOne(t, s, "off"))
		})
	}
}

// An owner whose lane was taken over is told, writes nothing, and counts no attempt.
func testWorkersLose(t *testing.T, b Backend) {
	clock := NewClock()
	// A short lease, so that heartbeats are frequent; the test's clock decides when it ends.
	s := openAt(t, store.Config{Database: b.Fresh(t), Now: clock.Now, Lease: time.Second})
	begun, told := make(chan *store.Lease, 1), make(chan error, 1)
	stop := work(t, s, 1, slog.New(slog.DiscardHandler), func(ctx context.Context, l *store.Lease) (func(*store.Tx) error, error) {
		select {
		case begun <- l:
		default:
			return nil, errors.New("the lane was given out again")
		}
		<-ctx.Done()
		told <- context.Cause(ctx)
		return doAll(l), ctx.Err()
	})
	id := record(t, s, "1", job("l", "x"))
	late := receive(t, begun, "a handler")
	var owner *store.Lease
	for end := time.Now().Add(patience); owner == nil; { // between two heartbeats
		if time.Now().After(end) {
			t.Fatal("the lane could not be taken over")
		}
		clock.Move(time.Second)
		if got := claim(t, s); len(got) == 1 {
			owner = got[0]
		}
	}
	if err := receive(t, told, "the owner who lost"); !store.Lost(err) {
		t.Fatalf("told: %v", err)
	}
	stop()
	if owner.Jobs[0].Event.ID != id || owner.Jobs[0].ID != late.Jobs[0].ID || owner.Jobs[0].Attempts != 0 {
		t.Fatalf("%+v", owner.Jobs[0])
	}
	ran := false
	for _, write := range []func(context.Context, *store.Lease, func(*store.Tx) error) error{s.Work, s.Finish} {
		if err := write(ctxOf(t), late, func(*store.Tx) error { ran = true; return nil }); !store.Lost(err) || ran {
			t.Errorf("the late owner's write: %v, run %v", err, ran)
		}
	}
	finish(t, s, owner)
}
