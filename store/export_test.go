package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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

// Woken receives when a lane may have become due in this process.
func (s *Store) Woken() <-chan struct{} { return s.wake }

// Share is for how long functions of one group run that are in no lane. Only a function
// of such a group may ask.
func (s *Store) Share() time.Duration { return max(functionTime, s.writer("").commits) }

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
		w.shut()
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

// Together answers questions as s does; of each there are so many rows.
type Together[Q any] struct{ t *together[Q] }

// ReadTogether starts readers, which end with the store.
func ReadTogether[Q any](s *Store, read func(context.Context, []*Q) error) Together[Q] {
	return Together[Q]{readTogether(s, read)}
}

// Ask waits for the answer.
func (t Together[Q]) Ask(ctx context.Context, question *Q, rows int) error {
	return t.t.ask(ctx, question, rows)
}

// Queued tells how many questions wait.
func (t Together[Q]) Queued() int { return len(t.t.queue) }

// Readers and RowsTogether are how many readers there are, and about how many rows each
// reads at once.
const (
	Readers      = togetherReaders
	RowsTogether = togetherRows
)

// ReadTwice reads what is told of a participant, once more after it was answered.
func (s *Store) ReadTwice(ctx context.Context, platform, channel, user, message string, id postern.ParticipantID) (known bool, mailed, last, since int, err error) {
	r := &ask{platform: platform, channel: channel, user: user, messages: []string{message}, ids: []postern.MessageID{postern.MessageID(message)}}
	a, m := &lookup[Answerer]{id: id}, &lookup[Marks]{id: id}
	for range 2 {
		err = errors.Join(err, s.recipients.read(ctx, []*ask{r}), s.answerers.read(ctx, []*lookup[Answerer]{a}), s.marks.read(ctx, []*lookup[Marks]{m}))
	}
	return r.answer.Known, len(r.answer.Mailed), len(a.answer.Last), len(m.answer.Since), err
}

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
