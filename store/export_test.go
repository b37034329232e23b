package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"
)

// Queued tells how many writes wait.
func (s *Store) Queued() (n int) {
	for _, w := range s.writers {
		n += len(w.queue)
	}
	return n
}

// CheckClock looks whether Config.Now was set.
func (s *Store) CheckClock(ctx context.Context) error { return s.checkClock(ctx) }

// MeasureClock follows the database's clock.
func (s *Store) MeasureClock(ctx context.Context) error { return s.measureClock(ctx) }

// BoundLog has SQLite's log begin anew if it is too large.
func (s *Store) BoundLog(ctx context.Context, file string) error { return s.boundLog(file)(ctx) }

// Skew puts a store's clock wrong.
func (s *Store) Skew(d time.Duration) { s.clock.base.Add(int64(d)) }

// Statements gathers the texts of all that stores prepared.
type Statements struct {
	mu    sync.Mutex
	texts map[string]bool
}

// From adds what a store has prepared, in the database's own words.
func (c *Statements) From(s *Store) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.texts == nil {
		c.texts = map[string]bool{}
	}
	s.reads.mu.RLock()
	defer s.reads.mu.RUnlock()
	for q := range s.reads.m {
		c.texts[s.dialect.rebind(q)] = true
	}
	for _, w := range s.writers {
		// On the writer's own goroutine; a store that is closed has none.
		_ = w.do(context.Background(), func(tx *Tx) error {
			for q := range tx.w.stmts {
				c.texts[s.dialect.rebind(q)] = true
			}
			return nil
		})
	}
}

// All are the texts.
func (c *Statements) All() map[string]bool { return c.texts }

// CountsHold tells what is wrong with the counts of deliveries, of a store that is open.
func (s *Store) CountsHold(ctx context.Context) error {
	if s.Ping(ctx) != nil {
		return nil
	}
	rows, err := s.db.QueryContext(ctx, `SELECT state, SUM(n) FROM (SELECT state, n FROM delivery_counts UNION ALL SELECT state, -1 FROM deliveries) AS both_ GROUP BY state HAVING SUM(n) <> 0`)
	if err != nil {
		return err
	}
	wrong, err := collect(rows, func(r *sql.Rows) (s string, err error) {
		var state DeliveryState
		var n int64
		err = r.Scan(&state, &n)
		return fmt.Sprintf("%d too many %v", n, state), err
	})
	if err == nil && len(wrong) > 0 {
		err = fmt.Errorf("counted %q", wrong)
	}
	return err
}

// KnownHolds tells whether what SQLite's writer remembers of lanes is what stands there.
func (s *Store) KnownHolds(ctx context.Context) error {
	var wrong []string
	err := s.Do(ctx, func(tx *Tx) error {
		wrong = nil
		if tx.w.known == nil {
			return nil
		}
		for lane, h := range tx.w.known.lanes {
			var is heldLane
			ok, err := tx.one(`SELECT number, fence, poked FROM lanes WHERE lane = ?`, []any{lane}, &is.number, &is.fence, &is.poked)
			if err != nil {
				return err
			}
			if !ok || is != h {
				wrong = append(wrong, fmt.Sprintf("%s: %+v, not %+v", lane, is, h))
			}
		}
		return nil
	})
	if err == nil && len(wrong) > 0 {
		err = fmt.Errorf("remembered wrongly: %q", wrong)
	}
	return err
}
