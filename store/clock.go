package store

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// clock tells the time that lanes are due by. It goes on evenly, whatever is done to the
// machine's clock: every due time and every lease is compared with it alone.
//
// On SQLite it is the machine's clock as it was, until a step of that is noticed; then
// the clock steps too, and all that waits steps with it (stepClock). On PostgreSQL it is
// the database's clock, so that replicas whose clocks differ agree on leases.
type clock struct {
	elapsed func() time.Duration
	base    atomic.Int64 // ns since 1970 at an elapsed of 0
	step    sync.Mutex   // held while the clock is looked after
	theirs  bool         // it is the database's
}

const (
	clockEvery = time.Second // how often the machine's clock is looked at
	// maxDrift is how far we may be from the machine's clock before that counts as a step.
	maxDrift = 2 * time.Second
	// measureEvery is how often the database's clock is looked at.
	measureEvery = 30 * time.Second
)

func (c *clock) now() int64 { return (c.base.Load() + int64(c.elapsed())) / int64(time.Millisecond) }

// Now is the time by which lanes are due and leases end: on PostgreSQL the database's,
// whatever this machine's clock says. What is compared with a moment that was written
// down, perhaps by another replica, is compared with this.
func (s *Store) Now() time.Time { return at(s.now()) }

// startClock sets the clock. steady tells that Now is the only clock there is, as in
// most tests: then it cannot step.
func (s *Store) startClock() (steady bool) {
	now := s.cfg.Now
	if now == nil {
		s.cfg.Now = time.Now
	}
	start := s.cfg.Now()
	s.clock.base.Store(start.UnixNano())
	s.clock.elapsed = s.cfg.Elapsed
	switch {
	case s.cfg.Elapsed != nil:
		s.clock.base.Add(-int64(s.cfg.Elapsed()))
	case now == nil:
		s.clock.elapsed = func() time.Duration { return time.Since(start) }
	default:
		s.clock.elapsed = func() time.Duration { return now().Sub(start) }
		return true
	}
	return false
}

// watch looks after something until the store is closed.
func (s *Store) watch(every time.Duration, look func(context.Context) error) {
	always := make(chan struct{})
	close(always)
	s.watchAfter(always, every, look)
}

// watchAfter looks after something that needs it only some time after what c tells of.
func (s *Store) watchAfter(c <-chan struct{}, delay time.Duration, look func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-c:
			}
			if !sleep(ctx, delay) {
				return
			}
			if err := look(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Logger.Warn("what is looked after beside failed", "error", err)
			}
		}
	}()
	s.stops = append(s.stops, func() { cancel(); <-done })
}

// checkClock follows a step of the machine's clock.
func (s *Store) checkClock(ctx context.Context) error {
	s.clock.step.Lock()
	defer s.clock.step.Unlock()
	by := s.cfg.Now().Sub(time.Unix(0, s.clock.base.Load()+int64(s.clock.elapsed()))).Truncate(time.Millisecond)
	if by.Abs() <= maxDrift {
		return nil
	}
	s.cfg.Logger.Warn("the machine's clock was set; all that waits moves with it", "by", by)
	// Last of its group, like a claim: what the group wrote is by the old time, and what
	// follows must be by the new.
	return s.writer("").submit(ctx, &op{claims: true, fn: func(tx *Tx) error {
		if err := tx.shift(by); err != nil {
			return err
		}
		tx.now += by.Milliseconds()
		tx.committed(func() { s.clock.base.Add(int64(by)); s.signal() })
		return nil
	}})
}

// shift moves whatever is waited for.
func (tx *Tx) shift(by time.Duration) error {
	d := by.Milliseconds()
	if _, err := tx.exec(`UPDATE lanes SET due_at = due_at + ?, cap_at = cap_at + ?`, d, d); err != nil {
		return err
	}
	for _, query := range []string{
		`UPDATE jobs SET due_at = due_at + ?, cap_at = cap_at + ?, added_at = added_at + ?`,
		`UPDATE rounds SET due_at = due_at + ? WHERE due_at > 0`,
		`UPDATE watches SET check_at = check_at + ? WHERE check_at > 0`,
		// Since when an e-mail is on its way, and a post uncertain: they are waited for and
		// searched from there. These go through the tables, on a rare day.
		`UPDATE deliveries SET ask_at = ask_at + ?, attempted_at = attempted_at + ? WHERE state = 3 AND ask_at > 0`,
		`UPDATE deliveries SET attempted_at = attempted_at + ? WHERE state IN (1, 2) AND attempted_at > 0`,
		`UPDATE posts SET attempted_at = attempted_at + ? WHERE chat_message_id = '' AND attempted_at > 0`,
		// By the last arrival whoever starts next sees how the clock was set meanwhile: not
		// again by what was moved for here.
		`UPDATE events SET received_at = received_at + ? WHERE id = (SELECT MAX(id) FROM events)`,
		// Up to when a read mark may be our own echo.
		`UPDATE participants SET own_read_at = own_read_at + ? WHERE own_read_at > 0`,
	} {
		args := []any{d, d, d}[:strings.Count(query, "?")]
		if _, err := tx.exec(query, args...); err != nil {
			return err
		}
	}
	return nil
}
