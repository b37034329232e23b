package store

import (
	"context"
	"math"
	"time"

	"github.com/postern-chat/postern"
)

// reading is what the database says of its clock.
type reading struct {
	base  int64         // ns since 1970 at an elapsed of 0, with ahead
	ahead int64         // ms that the house's clock is ahead of the database's: by as much that one was set back
	sure  time.Duration // how good that is: the fastest of a few answers took so long
}

// measureClock sets the clock by the database's.
//
// If that was set back, all that waits would wait for as much longer, and what is held to
// a rate too. To move it along, as on SQLite, is no way: until all replicas have noticed
// they write by two clocks, and one that moved things would move what others just wrote.
// So the house stays ahead of the database's clock from then on, for all replicas and
// whoever comes after them.
func (s *Store) measureClock(ctx context.Context) error {
	s.clock.step.Lock()
	defer s.clock.step.Unlock()
	const tries = 3 // another replica may be the one that writes it down
	for range tries {
		r, err := s.readClock(ctx)
		if err != nil {
			return err
		}
		by := time.Duration(r.base - s.clock.base.Load())
		if !s.clock.theirs {
			if by, err = s.sinceLastArrival(ctx, r); err != nil {
				return err
			}
		}
		if by >= -maxDrift-r.sure {
			s.follow(r)
			return nil
		}
		s.cfg.Logger.Warn("the database's clock was set back; ours goes on, ahead of it", "by", by)
		if _, err := s.db.ExecContext(ctx, `UPDATE house SET clock_ahead = $1 WHERE clock_ahead = $2`, r.ahead-by.Milliseconds(), r.ahead); err != nil {
			return fault("store.clock", err)
		}
	}
	return postern.Errorf(postern.Temporary, "store.clock", "the database's clock is set again and again")
}

// readClock asks for the database's clock. The answer is taken for the middle of the time
// that it took.
func (s *Store) readClock(ctx context.Context) (best reading, err error) {
	best.sure = math.MaxInt64
	for range 3 {
		var micros int64
		r, before := reading{}, s.clock.elapsed()
		err := s.db.QueryRowContext(ctx, `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT), clock_ahead FROM house`).Scan(&micros, &r.ahead)
		if err != nil {
			return best, fault("store.clock", err)
		}
		if r.sure = s.clock.elapsed() - before; r.sure < best.sure {
			r.base = (micros+r.ahead*1000)*1000 - int64(before+r.sure/2)
			best = r
		}
	}
	return best, nil
}

// sinceLastArrival is less than 0 if the database's clock was set back while nobody was at
// work.
func (s *Store) sinceLastArrival(ctx context.Context, r reading) (time.Duration, error) {
	var last int64
	found, err := s.one(ctx, `SELECT received_at FROM events ORDER BY id DESC LIMIT 1`, nil, &last)
	if err != nil || !found {
		return 0, err
	}
	return time.Duration(r.base+int64(s.clock.elapsed())) - time.Duration(last)*time.Millisecond, nil
}

// follow takes the database's clock for ours.
func (s *Store) follow(r reading) {
	followed := s.clock.theirs
	s.clock.theirs = true
	by := time.Duration(r.base - s.clock.base.Load())
	if by.Abs() <= r.sure { // we know no better
		return
	}
	switch log := s.cfg.Logger; {
	case by.Abs() <= maxDrift:
	case !followed:
		log.Info("this machine's clock differs from the database's, which counts", "by", -by)
	case by > 0:
		log.Warn("the database's clock was set forward, or this machine slept: what waits is due", "by", by)
	}
	s.clock.base.Store(r.base)
}
