package storetest

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// events hands log records to a test: its way to see that a job was put off.
type events struct{ c chan map[string]any }

func newLog() (*slog.Logger, events) {
	e := events{c: make(chan map[string]any, 100_000)}
	return slog.New(e), e
}

func (e events) Enabled(context.Context, slog.Level) bool { return true }
func (e events) WithAttrs([]slog.Attr) slog.Handler       { return e }
func (e events) WithGroup(string) slog.Handler            { return e }
func (e events) Handle(_ context.Context, r slog.Record) error {
	m := map[string]any{"msg": r.Message}
	r.Attrs(func(a slog.Attr) bool { m[a.Key] = a.Value.Any(); return true })
	e.c <- m
	return nil
}

func (e events) await(t *testing.T, msg string) map[string]any {
	t.Helper()
	for {
		if m := receive(t, e.c, "the log: "+msg); m["msg"] == msg {
			return m
		}
	}
}

// work runs workers until the test ends, or stop is called.
func work(t *testing.T, s *store.Store, slots int, log *slog.Logger, h store.Handler) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.NewWorkers(slots, log, h).Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func doAll(l *store.Lease) func(*store.Tx) error {
	return func(tx *store.Tx) error { return tx.Done(l.Jobs...) }
}

// Many recorders, many workers, few lanes: no two handlers of one lane at a time, and
// every recorder's jobs once and in order.
func testWorkersOrder(t *testing.T, b Backend) {
	cfg := store.Config{Database: b.Fresh(t)}
	checkOrder(t, []*store.Store{openAt(t, cfg)})
}

func checkOrder(t *testing.T, stores []*store.Store) {
	const lanes, recorders, each = 5, 8, 60
	var mu sync.Mutex
	busy, last := map[string]bool{}, map[string]int{}
	seen, left := 0, recorders*each
	all := make(chan struct{})
	handle := func(_ context.Context, l *store.Lease) (func(*store.Tx) error, error) {
		mu.Lock()
		if busy[l.Lane] {
			t.Errorf("%s is handled twice at once", l.Lane)
		}
		busy[l.Lane] = true
		mu.Unlock()
		jobs := l.Jobs[:min(len(l.Jobs), 3)] // often some remain
		return func(tx *store.Tx) error { return tx.Done(jobs...) }, func() error {
			mu.Lock()
			defer mu.Unlock()
			busy[l.Lane] = false
			for _, j := range jobs {
				var r, i int
				if _, err := fmt.Sscan(j.Kind, &r, &i); err != nil {
					return err
				}
				key := fmt.Sprint(l.Lane, r)
				if prev, ok := last[key]; ok && prev >= i {
					t.Errorf("%s: %d after %d", key, i, prev)
				}
				last[key] = i
				if seen++; seen == left {
					close(all)
				}
			}
			return nil
		}()
	}
	for _, s := range stores {
		work(t, s, 4, slog.New(slog.DiscardHandler), handle)
	}
	var wg sync.WaitGroup
	for r := range recorders {
		wg.Go(func() {
			for i := range each {
				record(t, stores[r%len(stores)], fmt.Sprint(r, " ", i), job(fmt.Sprint("lane", (r+i)%lanes), fmt.Sprintf("%d %d", r, i)))
			}
		})
	}
	wg.Wait()
	receive(t, all, "all jobs")
}

// A handler that panics, or whose final function does, harms only its own job.
func testWorkersPanic(t *testing.T, b Backend) {
	s := openAt(t, store.Config{Database: b.Fresh(t)})
	log, logged := newLog()
	good := make(chan string, 10)
	work(t, s, 4, log, func(_ context.Context, l *store.Lease) (func(*store.Tx) error, error) {
		switch l.Jobs[0].Kind {
		case "panic":
			panic("a handler's own panic")
		case "late panic":
			return func(tx *store.Tx) error {
				if err := tx.Done(l.Jobs...); err != nil {
					return err
				}
				panic("a final function's own panic")
			}, nil
		}
		good <- l.Lane
		return doAll(l), nil
	})
	record(t, s, "1", job("bad", "panic"))
	logged.await(t, "a job failed")
	record(t, s, "2", job("worse", "late panic"))
	logged.await(t, "a job failed")
	record(t, s, "3", job("good", "x"))
	receive(t, good, "the good lane")
	for _, lane := range []string{"bad", "worse"} {
		if n := must(s.Pending(ctxOf(t), lane))(t); n != 1 {
			t.Errorf("%s has %d jobs", lane, n)
		}
	}
}

// What becomes of a job is decided by its error's kind.
func testWorkersKinds(t *testing.T, b Backend) {
	clock := NewClock()
	s := openAt(t, store.Config{Database: b.Fresh(t), Now: clock.Now, Lease: 100 * time.Hour})
	log, logged := newLog()
	fails := map[string]error{
		"temporary": &postern.Error{Kind: postern.Temporary, Op: "test", After: time.Hour},
		"unsure":    postern.Errorf(postern.Unsure, "test", "perhaps"),
		"denied":    postern.Errorf(postern.Denied, "test", "no key"),
		"permanent": postern.Errorf(postern.Permanent, "test", "never"),
		"invalid":   postern.Errorf(postern.Invalid, "test", "nonsense"),
		"internal":  fmt.Errorf("nobody classed this"),
	}
	work(t, s, 1, log, func(_ context.Context, l *store.Lease) (func(*store.Tx) error, error) {
		return doAll(l), fails[l.Jobs[0].Kind]
	})
	dead := int64(0)
	for _, c := range []struct {
		kind   string
		rounds int           // until it is given up; 0 = not within these rounds
		least  time.Duration // of its first delay
	}{{"temporary", 0, time.Hour}, {"unsure", 0, time.Second}, {"denied", 0, time.Second}, {"permanent", 1, 0}, {"invalid", 1, 0}, {"internal", 8, time.Second}} {
		ref := store.EventRef(record(t, s, c.kind, job(c.kind, c.kind)))
		for round := 1; round <= max(c.rounds, 10); round++ {
			failed := logged.await(t, "a job failed")
			if failed["kind"] != c.kind || failed["attempt"] != int64(round) {
				t.Fatalf("%s, round %d: %v", c.kind, round, failed)
			}
			if gone := failed["given_up"].(bool); gone != (round == c.rounds) {
				t.Fatalf("%s, round %d: given up %v", c.kind, round, gone)
			}
			if round == c.rounds {
				break
			}
			wait := nextDue(t, s).Sub(clock.Now())
			if wait < c.least || wait > 2*time.Hour {
				t.Fatalf("%s, round %d: again after %v", c.kind, round, wait)
			}
			clock.Move(wait)
		}
		if c.rounds > 0 {
			dead++
			if notes := must(s.Explain(ctxOf(t), ref))(t); len(notes) != 1 || notes[0].What != "given up" || notes[0].Why != c.kind {
				t.Errorf("%s: %+v", c.kind, notes)
			}
		} else {
			clock.Move(80 * time.Hour) // too old for any more tries
			if failed := logged.await(t, "a job failed"); failed["given_up"] != true {
				t.Errorf("%s after its time: %v", c.kind, failed)
			}
			dead++
		}
		if bl := must(s.Backlog(ctxOf(t)))(t); bl.Dead != dead || bl.Jobs != 0 || bl.Lanes != 0 {
			t.Fatalf("%s: %+v", c.kind, bl)
		}
	}
}

// A handler that did its first job and failed at the second: it is the second that is
// put off and counted.
func testWorkersHalfDone(t *testing.T, b Backend) {
	s, _ := open(t, b)
	log, logged := newLog()
	work(t, s, 1, log, func(ctx context.Context, l *store.Lease) (func(*store.Tx) error, error) {
		if err := s.Work(ctx, l, func(tx *store.Tx) error { return tx.Done(l.Jobs[0]) }); err != nil {
			return nil, err
		}
		return nil, postern.Errorf(postern.Permanent, "test", "the second")
	})
	record(t, s, "1", job("l", "first"), job("l", "second"))
	if failed := logged.await(t, "a job failed"); failed["kind"] != "second" || failed["given_up"] != true {
		t.Errorf("%v", failed)
	}
	if bl := must(s.Backlog(ctxOf(t)))(t); bl.Jobs != 0 || bl.Lanes != 0 || bl.Dead != 1 {
		t.Errorf("%+v", bl)
	}
}

// Lanes move while they are asked for. Whoever never gets to ask is not ready for longer than
// anybody else who cannot.
func testWorkersMoving(t *testing.T, b Backend) {
	w := &watch{Clock: Clock{now: NewClock().Now()}}
	s := openAt(t, store.Config{Database: b.Fresh(t), Now: w.Now, Elapsed: w.Elapsed, Lease: lease})
	w.pass(time.Hour)
	made := w.Now()
	workers := s.NewWorkers(2, slog.New(slog.DiscardHandler), func(_ context.Context, l *store.Lease) (func(*store.Tx) error, error) {
		return doAll(l), nil
	})
	w.pass(time.Minute)
	if at := workers.Moving(); !at.Equal(made) {
		t.Errorf("made at %v, they moved at %v", made, at)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); workers.Run(ctx) }()
	defer func() { cancel(); receive(t, done, "the end") }()
	for end := time.Now().Add(patience); !workers.Moving().Equal(w.Now()); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("at %v they moved at %v", w.Now(), workers.Moving())
		}
	}
}

// Asked to stop, nothing new begins and what runs is finished and written.
func testWorkersStop(t *testing.T, b Backend) {
	s := openAt(t, store.Config{Database: b.Fresh(t)})
	for i := range 5 {
		record(t, s, fmt.Sprint(i), job(fmt.Sprint("lane", i), "x"))
	}
	begun, release := make(chan string, 10), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	w := s.NewWorkers(2, slog.New(slog.DiscardHandler), func(ctx context.Context, l *store.Lease) (func(*store.Tx) error, error) {
		begun <- l.Lane
		<-release
		return doAll(l), ctx.Err()
	})
	go func() { defer close(done); w.Run(ctx) }()
	receive(t, begun, "a handler")
	receive(t, begun, "a handler")
	cancel()
	close(release)
	receive(t, done, "the end")
	if len(begun) > 0 {
		t.Error("new work began while stopping")
	}
	if bl := must(s.Backlog(ctxOf(t)))(t); bl.Jobs != 3 || bl.Lanes != 3 {
		t.Errorf("%+v, want 3 jobs left", bl)
	}
	if got := claim(t, s); len(got) != 3 {
		t.Errorf("%s can be claimed at once, want 3", names(got))
	}
}
