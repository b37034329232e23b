package store

import (
	"context"
	"database/sql"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/postern-chat/postern"
)

// Queued tells how many writes wait.
func (s *Store) Queued() (n int) {
	for _, w := range s.writers {
		n += len(w.arrivals) + len(w.queue)
	}
	return n
}

// CheckClock looks whether Config.Now was set.
func (s *Store) CheckClock(ctx context.Context) error { return s.checkClock(ctx) }

// MeasureClock follows the database's clock.
func (s *Store) MeasureClock(ctx context.Context) error { return s.measureClock(ctx) }

// BoundLog has SQLite's log begin anew if it is too large.
func (s *Store) BoundLog(ctx context.Context, file string) error {
	return (&log{s: s, file: file}).bound(ctx)
}

// TendLog copies SQLite's log into the file, if there is much of it.
func (s *Store) TendLog(ctx context.Context, file string) error {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return (&log{s: s, file: file, db: db}).tend(ctx)
}

// HandOnly has lanes handed to workers that ask for none.
func (s *Store) HandOnly(slots int, h Handler) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	w := s.NewWorkers(slots, slog.New(slog.DiscardHandler), h)
	w.open(ctx)
	w.mu.Lock()
	w.behind = false
	w.mu.Unlock()
	return func() {
		w.open(nil)
		w.running.Wait()
		cancel()
		w.crew.end()
	}
}

// HandedOver waits until nothing that was handed on is worked.
func (s *Store) HandedOver() { s.hands.Load().running.Wait() }

// Stopping waits until nothing is handed on any more.
func (s *Store) Stopping() {
	for s.hands.Load() != nil {
		runtime.Gosched()
	}
}

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

// Ask is a question for Recipient that is put with others.
type Ask struct{ ask }

// NewAsk makes a question that is answered alone like any other; panics makes one that
// is not: its answer ends in a panic.
func NewAsk(user string, panics bool) *Ask {
	a := &Ask{ask{ctx: context.Background(), platform: "p", channel: "c", user: user, messages: []string{"m"}, ids: []postern.MessageID{"m"}, result: make(chan error, 1)}}
	if panics {
		a.ids = nil
	}
	return a
}

// Answer answers questions as one group and tells what became of each.
func (s *Store) Answer(ctx context.Context, asks ...*Ask) (errs []error) {
	group := make([]*ask, len(asks))
	for i, a := range asks {
		group[i] = &a.ask
	}
	s.answer(ctx, group)
	for _, a := range group {
		errs = append(errs, <-a.result)
	}
	return errs
}

// Known tells what a question's answer says of the person.
func (a *Ask) Known() bool { return a.answer.Known }
