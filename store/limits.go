package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/postern-chat/postern"
)

// leaseSpan is how much of a rate a process takes at once: enough that not every call
// asks the database, little enough that what a dead process took is no loss.
const leaseSpan = 100 * time.Millisecond

// Limits keeps rates that all processes on one database share. A rate's turns are spaced
// evenly; no two processes get the same turn, so that together they never go faster. Their
// times are by the store's even clock, so machines' clocks may differ, and be set.
//
// On PostgreSQL a rate is one row, from which a process takes turns for up to 100 ms at
// once, no more than calls are waiting. On SQLite, which has one process, it is memory.
type Limits struct {
	s      *Store
	shared bool  // with other processes
	began  int64 // what the clock was based on, ns
	take   func(ctx context.Context, name string, now, span int64) (start int64, err error)
	stop   func(ctx context.Context, name string, until int64) error

	mu    sync.Mutex
	rates map[string]*sharedRate
}

// sharedRate is what this process has of a rate. Times are in microseconds.
type sharedRate struct {
	busy    sync.Mutex // held while the database is asked
	mu      sync.Mutex
	waiting int   // callers who want a turn
	later   int   // callers who were told to come again, since turns were last taken
	next    int64 // the first turn that is ours and free
	end     int64 // where ours end
	every   int64 // between turns
	lead    int64 // how long the database took to answer last
}

// NewLimits makes the rates. One for a process will do, and it is safe for concurrent use.
func (s *Store) NewLimits() *Limits {
	l := &Limits{s: s, rates: map[string]*sharedRate{}, began: s.clock.base.Load()}
	if _, l.shared = s.dialect.(postgres); l.shared {
		l.take, l.stop = s.takeTurns, s.stopTurns
	} else {
		m := &memoryRates{free: map[string]int64{}}
		l.take, l.stop = m.take, m.stop
	}
	return l
}

// maxTurn is the longest time that Wait blocks for one turn: whoever waits keeps others
// from working.
const maxTurn = 10 * time.Second

// Wait blocks until it is the caller's turn under a rate of so many a second; 0 = only
// Hold stops it. It fails with Temporary if ctx ends first, if the database does not
// answer, or if there is no turn for long, with the time that it takes.
func (l *Limits) Wait(ctx context.Context, name string, rate float64) error {
	for {
		wait, granted, err := l.Reserve(ctx, name, rate)
		if err != nil {
			return err
		}
		if wait > maxTurn {
			return &postern.Error{Kind: postern.Temporary, Op: "store.limit", After: wait, Err: errors.New("we were told to stay away for a while")}
		}
		if !sleep(ctx, wait) {
			return postern.Errorf(postern.Temporary, "store.limit", "waiting for a turn: %w", ctx.Err())
		}
		if granted {
			return nil
		}
	}
}

// Reserve is Wait without the waiting. granted: the call may begin after wait, and
// should not begin later than that; else ask again after wait.
func (l *Limits) Reserve(ctx context.Context, name string, rate float64) (wait time.Duration, granted bool, err error) {
	r := l.rate(name)
	r.mu.Lock()
	r.waiting++
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.waiting--
		r.mu.Unlock()
	}()
	if wait, state := r.turn(l.now(), rate); state != askFor {
		return wait, state == turnTaken, nil
	}
	r.busy.Lock() // one asks for all
	defer r.busy.Unlock()
	for range 3 {
		wait, state := r.turn(l.now(), rate)
		if state != askFor {
			return wait, state == turnTaken, nil
		}
		if err := r.refill(ctx, l, name, rate); err != nil {
			return 0, false, err
		}
	}
	return 0, false, nil // the turns passed while we were given them
}

// Hold keeps everybody from calls under a rate until then: the other side said so. Turns
// that other processes took already, for 100 ms, are used up.
func (l *Limits) Hold(ctx context.Context, name string, until time.Time) error {
	r := l.rate(name)
	r.mu.Lock()
	r.next, r.end = 0, 0
	r.mu.Unlock()
	return l.stop(ctx, name, l.now()+until.Sub(l.s.cfg.Now()).Microseconds())
}

// now is in microseconds. What is kept in memory does not follow a step of the clock.
func (l *Limits) now() int64 {
	now := int64(l.s.clock.elapsed())
	if l.shared {
		now += l.s.clock.base.Load()
	} else {
		now += l.began
	}
	return now / int64(time.Microsecond)
}

func (l *Limits) rate(name string) *sharedRate {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rates[name]
	if r == nil {
		r = &sharedRate{}
		l.rates[name] = r
	}
	return r
}

type turnState uint8

const (
	askFor    turnState = iota // there is none left: take some
	turnTaken                  // it is the caller's
	turnLater                  // ours are taken, and it is too early to take more
)

// turn takes one of our turns. A turn may be used until the next one begins; then it is
// gone, or several would be used at once.
func (r *sharedRate) turn(now int64, rate float64) (time.Duration, turnState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rate <= 0 { // ours is only the knowledge that nobody is held for a while
		if now < r.end && r.next <= now {
			return 0, turnTaken
		}
		if now < r.next {
			return micros(r.next - now), turnLater
		}
		return 0, askFor
	}
	if r.every > 0 && r.next < now {
		r.next += (now - r.next) / r.every * r.every
	}
	if r.next < r.end {
		wait := micros(max(r.next-now, 0))
		r.next += r.every
		return wait, turnTaken
	}
	// So that a dead process costs one span only, there is never a second one ahead.
	if early := r.end - r.every - now; early > 0 {
		r.later++
		return micros(early), turnLater
	}
	return 0, askFor
}

// refill takes turns for those who wait.
func (r *sharedRate) refill(ctx context.Context, l *Limits, name string, rate float64) error {
	now := l.now()
	if rate <= 0 {
		start, err := l.take(ctx, name, now, 0)
		r.mu.Lock()
		defer r.mu.Unlock()
		if err == nil {
			r.next, r.end, r.every = start, max(start, now)+leaseSpan.Microseconds(), 0
		}
		return err
	}
	every := max(int64(1e6/rate), 1)
	r.mu.Lock()
	n := max(1, min(int64(max(r.waiting, r.later)), leaseSpan.Microseconds()/every))
	from := now + r.lead // turns that pass while we are given them are of no use
	r.mu.Unlock()
	start, err := l.take(ctx, name, from, n*every)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.next, r.end, r.every, r.later = start, start+n*every, every, 0
		r.lead = min(max(l.now()-now, 0), time.Second.Microseconds())
	}
	return err
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// takeTurns moves a rate's row ahead and tells where the caller's span begins.
// A span of nothing only looks.
func (s *Store) takeTurns(ctx context.Context, name string, now, span int64) (int64, error) {
	var free int64
	if span == 0 {
		_, err := s.one(ctx, `SELECT free_at FROM limits WHERE name = ?`, []any{name}, &free)
		return free, err
	}
	_, err := s.one(ctx, `INSERT INTO limits (name, free_at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET free_at =
 GREATEST(limits.free_at, ?) + ? RETURNING free_at`, []any{name, now + span, now, span}, &free)
	return free - span, err
}

func (s *Store) stopTurns(ctx context.Context, name string, until int64) error {
	var free int64
	_, err := s.one(ctx, `INSERT INTO limits (name, free_at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET free_at =
 GREATEST(limits.free_at, excluded.free_at) RETURNING free_at`, []any{name, until}, &free)
	return err
}

// memoryRates are the rates of a database that has one process.
type memoryRates struct {
	mu   sync.Mutex
	free map[string]int64
}

func (m *memoryRates) take(_ context.Context, name string, now, span int64) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	start := m.free[name]
	if span > 0 {
		start = max(start, now)
		m.free[name] = start + span
	}
	return start, nil
}

func (m *memoryRates) stop(_ context.Context, name string, until int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free[name] = max(m.free[name], until)
	return nil
}
