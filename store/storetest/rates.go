package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// turns lets callers of several processes call as fast as they may for a while, on one
// clock that nobody waits for, and tells when each call began.
func turns(t testing.TB, clock *Clock, limits []*store.Limits, callers int, rate float64, total time.Duration) []time.Time {
	t.Helper()
	type caller struct {
		l     *store.Limits
		at    time.Time // when he asks next, or calls
		calls bool
	}
	var all []*caller
	for i := range callers {
		all = append(all, &caller{l: limits[i%len(limits)], at: clock.Now()})
	}
	end := clock.Now().Add(total)
	var out []time.Time
	for {
		c := slices.MinFunc(all, func(a, b *caller) int { return a.at.Compare(b.at) })
		if c.at.After(end) {
			return out
		}
		if d := c.at.Sub(clock.Now()); d > 0 {
			clock.Move(d)
		}
		if c.calls {
			out = append(out, clock.Now())
			c.calls = false
		}
		wait, granted, err := c.l.Reserve(ctxOf(t), "post", rate)
		ok(t, err)
		c.calls, c.at = granted, clock.Now().Add(wait)
	}
}

// within is the greatest number of calls in any window.
func within(calls []time.Time, window time.Duration) (most int) {
	for i, from := 0, 0; i < len(calls); i++ {
		for calls[i].Sub(calls[from]) >= window {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

func checkRate(t *testing.T, calls []time.Time, rate float64, total time.Duration) {
	t.Helper()
	// Turns are spaced; one may be used late, and the next in time.
	if most := within(calls, time.Second); float64(most) > rate+2 {
		t.Errorf("%d calls within a second at a rate of %v", most, rate)
	}
	if least := rate * total.Seconds() * 0.9; float64(len(calls)) < least {
		t.Errorf("%d calls in %v, at least %v could be made", len(calls), total, least)
	}
}

func testRate(t *testing.T, b Backend) {
	for _, rate := range []float64{2, 10, 180} {
		for _, callers := range []int{1, 3, 50} {
			t.Run(fmt.Sprint(rate, " ", callers), func(t *testing.T) {
				s, clock := open(t, b)
				checkRate(t, turns(t, clock, []*store.Limits{s.NewLimits()}, callers, rate, 5*time.Second), rate, 5*time.Second)
			})
		}
	}
}

// Several processes together go no faster than one, and no slower.
func testRateShared(t *testing.T, b Backend) {
	for _, rate := range []float64{5, 100} {
		clock := NewClock()
		cfg := store.Config{Database: b.Fresh(t), Now: clock.Now, Lease: lease}
		limits := []*store.Limits{openAt(t, cfg).NewLimits(), openAt(t, cfg).NewLimits()}
		checkRate(t, turns(t, clock, limits, 40, rate, 5*time.Second), rate, 5*time.Second)
	}
}

// What a process took when it died is soon over.
func testRateOwnerDies(t *testing.T, b Backend) {
	clock := NewClock()
	cfg := store.Config{Database: b.Fresh(t), Now: clock.Now, Lease: lease}
	dies, lives := openAt(t, cfg).NewLimits(), openAt(t, cfg).NewLimits()
	const rate = 100
	turns(t, clock, []*store.Limits{dies, lives}, 60, rate, time.Second)
	calls := turns(t, clock, []*store.Limits{lives}, 30, rate, 2*time.Second)
	if gap := calls[0].Sub(clock.Now().Add(-2 * time.Second)); gap > 250*time.Millisecond {
		t.Errorf("the first call after %v", gap)
	}
	checkRate(t, calls, rate, 2*time.Second)
}

// Who is told to stay away stops everybody, with a rate and without.
func testRateHold(t *testing.T, b Backend) {
	for _, rate := range []float64{0, 50} {
		clock := NewClock()
		cfg := store.Config{Database: b.Fresh(t), Now: clock.Now, Lease: lease}
		s := openAt(t, cfg)
		told := s.NewLimits()
		limits := []*store.Limits{told}
		if b.Shared {
			limits = append(limits, openAt(t, cfg).NewLimits())
		}
		if rate > 0 {
			turns(t, clock, limits, 20, rate, time.Second)
		} else {
			for _, l := range limits {
				if wait, granted, err := l.Reserve(ctxOf(t), "post", 0); wait != 0 || !granted || err != nil {
					t.Fatal(wait, granted, err)
				}
			}
		}
		until := clock.Now().Add(20 * time.Second)
		ok(t, told.Hold(ctxOf(t), "post", until))
		ok(t, told.Hold(ctxOf(t), "post", until.Add(-10*time.Second))) // the later word stands
		clock.Move(110 * time.Millisecond)                             // what others had taken is used up
		for i, l := range limits {
			wait, granted, err := l.Reserve(ctxOf(t), "post", rate)
			ok(t, err)
			if begin := clock.Now().Add(wait); begin.Before(until) {
				t.Errorf("process %d at rate %v: a call (%v) begins %v early", i, rate, granted, until.Sub(begin))
			}
			if wait, granted, err := l.Reserve(ctxOf(t), fmt.Sprint("another", i), rate); wait != 0 || !granted || err != nil {
				t.Errorf("another rate waits %v, %v, %v", wait, granted, err)
			}
		}
		if err := limits[0].Wait(ctxOf(t), "post", rate); postern.KindOf(err) != postern.Temporary || postern.RetryAfter(err) < 19*time.Second {
			t.Errorf("for long there is no turn: %v", err)
		}
		clock.Move(21 * time.Second)
		wait, granted, err := limits[len(limits)-1].Reserve(ctxOf(t), "post", rate)
		if wait > 250*time.Millisecond || !granted && wait == 0 || err != nil {
			t.Errorf("afterwards at rate %v: %v, %v, %v", rate, wait, granted, err)
		}
	}
}

// Turns that nobody used do not add up to a burst.
func testRateLate(t *testing.T, b Backend) {
	s, clock := open(t, b)
	l := s.NewLimits()
	turns(t, clock, []*store.Limits{l}, 30, 100, time.Second)
	clock.Move(time.Hour)
	calls := turns(t, clock, []*store.Limits{l}, 30, 100, time.Second)
	checkRate(t, calls, 100, time.Second)
	if n := within(calls, 10*time.Millisecond); n > 2 {
		t.Errorf("%d calls within 10 ms", n)
	}
}

// Wait lets everybody through, and nobody when his time is over.
func testRateWait(t *testing.T, b Backend) {
	s := openAt(t, store.Config{Database: b.Fresh(t)})
	l := s.NewLimits()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := l.Wait(ctxOf(t), "post", 200); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ok(t, l.Hold(t.Context(), "post", time.Now().Add(time.Second)))
	if err := l.Wait(ctx, "post", 200); postern.KindOf(err) != postern.Temporary {
		t.Error(err)
	}
}
