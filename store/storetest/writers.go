package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

var errOwn = errors.New("a function's own error")

// One operation that fails, in any of the ways there are, does not fail its group's
// neighbours, and leaves nothing behind.
func testNeighbours(t *testing.T, b Backend) {
	s, _ := open(t, b)
	record(t, s, "1", job("held", "x"))
	l := claimOne(t, s, "held")
	record(t, s, "2", job("other", "x"))
	lost := *claimOne(t, s, "other")
	finish(t, s, &lost)
	put := func(name string) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			return tx.AddDelivery(store.Delivery{ID: postern.DeliveryID(name), MessageID: name + "@x", Content: []byte{}}, nil)
		}
	}
	then := func(err error, fns ...func(*store.Tx) error) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			for _, fn := range fns {
				if err := fn(tx); err != nil {
					return err
				}
			}
			return err
		}
	}
	ctx := context.Background()
	steps := []struct {
		name string
		do   func() error
		kind postern.Kind
		ok   bool
	}{
		{name: "good1", ok: true, do: func() error { return s.Do(ctx, put("good1")) }},
		{name: "fails at once", do: func() error { return s.Do(ctx, func(*store.Tx) error { return errOwn }) }},
		{name: "good2", ok: true, do: func() error { return s.Work(ctx, l, put("good2")) }},
		{name: "bad1", do: func() error { return s.Do(ctx, then(errOwn, put("bad1"))) }},
		{name: "bad2", do: func() error {
			return s.Do(ctx, then(nil, put("bad2"), func(*store.Tx) error { panic("a function's own panic") }))
		}},
		{name: "bad3", do: func() error { return s.Do(ctx, then(nil, put("bad3"), put("bad3"))) }},
		{name: "bad4", do: func() error { // makes nothing of a statement that failed
			return s.Do(ctx, then(nil, put("bad4"), func(tx *store.Tx) error { _ = put("bad4")(tx); return nil }))
		}},
		{name: "late", kind: postern.Temporary, do: func() error { return s.Work(ctx, &lost, put("late")) }},
		{name: "recorded", ok: true, do: func() error {
			_, _, err := s.Record(ctx, store.Arrival{Source: "test", Dedup: "recorded", Body: []byte("b"), Jobs: []store.LaneJob{job("r", "x")}})
			return err
		}},
		{name: "good3", ok: true, do: func() error {
			return s.Finish(ctx, l, then(nil, put("good3"), func(tx *store.Tx) error { return tx.Done(l.Jobs...) }))
		}},
	}
	errs := togetherIn(t, b, s, len(steps), func(i int) error { return steps[i].do() })
	for i, step := range steps {
		if step.ok != (errs[i] == nil) {
			t.Errorf("%s: %v", step.name, errs[i])
		}
		if !step.ok && postern.KindOf(errs[i]) != step.kind {
			t.Errorf("%s: kind %v, want %v", step.name, postern.KindOf(errs[i]), step.kind)
		}
		if _, found, err := s.Delivery(ctx, postern.DeliveryID(step.name)); err != nil || found != (step.ok && step.name != "recorded") {
			t.Errorf("%s: written %v, %v", step.name, found, err)
		}
	}
	finish(t, s, claimOne(t, s, "r"))
	do(t, s, put("afterwards"))
}

// togetherIn is together, on whichever writers the operations go to.
func togetherIn(t *testing.T, b Backend, s *store.Store, n int, start func(i int) error) []error {
	if !b.Shared {
		return together(t, b, s, n, start)
	}
	// With two writers some of them wait and others run: just start all at once.
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n - 1 {
		wg.Go(func() { errs[i] = start(i) })
	}
	wg.Wait()
	errs[n-1] = start(n - 1) // it gives the lane back
	return errs
}

// A full queue turns arrivals away, and only those; nobody goes without an answer.
func testQueueFull(t *testing.T, b Backend) {
	s, _ := open(t, b)
	record(t, s, "first", job("", "x"))
	l := claimOne(t, s, "")
	begun, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	answers := make(chan error, 10_000)
	go func() {
		answers <- s.Do(context.Background(), func(*store.Tx) error {
			once.Do(func() { close(begun); <-release })
			return nil
		})
	}()
	receive(t, begun, "the writer")
	for i := range 4096 {
		go func() {
			_, _, err := s.Record(context.Background(), store.Arrival{Source: "test", Dedup: fmt.Sprint(i), Body: []byte("b")})
			answers <- err
		}()
	}
	for range 4096 {
		go func() { answers <- s.Do(context.Background(), func(*store.Tx) error { return nil }) }()
	}
	awaitQueued(t, b, s, 2*4096)
	if _, _, err := s.Record(ctxOf(t), store.Arrival{Source: "test", Dedup: "more", Body: []byte("b")}); postern.CauseOf(err) != postern.CauseBusy || postern.KindOf(err) != postern.Temporary {
		t.Errorf("an arrival at a full queue: %v", err)
	}
	// A worker's result waits for its place; turned away, its work would be done again.
	go func() {
		answers <- s.Finish(context.Background(), l, func(tx *store.Tx) error { return tx.Done(l.Jobs...) })
	}()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Do(ctx, func(*store.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a write whose context ended, at a full queue: %v", err)
	}
	close(release)
	for range 2*4096 + 2 {
		ok(t, receive(t, answers, "an answer"))
	}
	if _, dup, err := s.Record(ctxOf(t), store.Arrival{Source: "test", Dedup: "more", Body: []byte("b")}); err != nil || dup {
		t.Errorf("what was turned away was recorded: %v, %v", dup, err)
	}
}

// An arrival does not wait until all functions before it have run, and functions do not
// wait until no arrival comes.
func testArrivalsTakeTurns(t *testing.T, b Backend) {
	s, _ := open(t, b)
	var arrival sync.WaitGroup
	var recorded error
	for i, err := range together(t, b, s, 3, func(i int) error {
		return s.Do(context.Background(), func(*store.Tx) error {
			switch i {
			case 0:
				arrival.Go(func() {
					_, _, recorded = s.Record(context.Background(), store.Arrival{Source: "test", Body: []byte("b")})
				})
				awaitQueued(t, b, s, 1)
				time.Sleep(b.Share(s) + time.Millisecond) // the group has no more time
			case 2:
				arrival.Wait() // for ever, if this function came before it
			}
			return nil
		})
	}) {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	ok(t, recorded)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var recorders sync.WaitGroup
	for r := range 8 {
		recorders.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				record(t, s, fmt.Sprint(r, " ", i))
			}
		})
	}
	for range 100 {
		do(t, s, func(*store.Tx) error { return nil })
	}
	cancel()
	recorders.Wait()
}

// An operation whose caller has stopped waiting is not written.
func testContextEnds(t *testing.T, b Backend) {
	s, _ := open(t, b)
	ctx, cancel := context.WithCancel(context.Background())
	errs := together(t, b, s, 3, func(i int) error {
		if i == 2 {
			cancel()
			return s.Do(context.Background(), func(*store.Tx) error { return nil })
		}
		_, _, err := s.Record(ctx, store.Arrival{Source: "test", Dedup: fmt.Sprint(i), Body: []byte("b")})
		return err
	})
	for i, err := range errs {
		if i < 2 != errors.Is(err, context.Canceled) {
			t.Errorf("%d: %v", i, err)
		}
		record(t, s, fmt.Sprint(i)) // new: it was not recorded before
	}
}

// Close answers everybody, and keeps what it said was written.
func testClose(t *testing.T, b Backend) {
	cfg := store.Config{Database: b.Fresh(t)}
	s := openAt(t, cfg)
	const n = 200
	answers := make([]error, n)
	var wg sync.WaitGroup
	begun := make(chan struct{}, n)
	for i := range n {
		wg.Go(func() {
			begun <- struct{}{}
			_, _, answers[i] = s.Record(context.Background(), store.Arrival{Source: "test", Dedup: fmt.Sprint(i), Body: []byte("b"), Jobs: []store.LaneJob{job(fmt.Sprint("lane", i%7), "x")}})
		})
	}
	for range n / 2 {
		<-begun
	}
	s.NoteSoon(store.Note{What: "soon"})
	ok(t, s.Close())
	wg.Wait()
	ok(t, s.Close())
	if err := s.Do(ctxOf(t), func(*store.Tx) error { return nil }); postern.KindOf(err) != postern.Temporary {
		t.Errorf("a write after Close: %v", err)
	}
	if err := s.Ping(ctxOf(t)); err == nil {
		t.Error("a closed store answers Ping")
	}
	s = openAt(t, cfg)
	if notes := must(s.Notes(ctxOf(t), 0, 10))(t); len(notes) != 1 || notes[0].What != "soon" {
		t.Errorf("%+v", notes)
	}
	for i, err := range answers {
		_, dup, again := s.Record(ctxOf(t), store.Arrival{Source: "test", Dedup: fmt.Sprint(i), Body: []byte("b")})
		if again != nil || dup != (err == nil) {
			t.Errorf("%d was answered %v, and is there: %v (%v)", i, err, dup, again)
		}
	}
}

// Opening again changes nothing; neither does a database that is newer than we are.
func testReopen(t *testing.T, b Backend) {
	cfg := store.Config{Database: b.Fresh(t)}
	for i := range 3 {
		s := openAt(t, cfg)
		if n := must(s.Backlog(ctxOf(t)))(t).Jobs; n != int64(i) {
			t.Errorf("%d jobs after %d times", n, i)
		}
		record(t, s, fmt.Sprint(i), job("l", "x"))
		ok(t, s.Ping(ctxOf(t)))
		ok(t, s.Close())
	}
}
