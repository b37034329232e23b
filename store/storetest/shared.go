package storetest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// RunShared runs what several stores on one database must hold.
func RunShared(t *testing.T, b Backend) {
	t.Run("OpenAtOnce", func(t *testing.T) { testOpenAtOnce(t, b) })
	t.Run("LostWakeUp", func(t *testing.T) { testLostWakeUp(t, b) })
	t.Run("OtherTakesOver", func(t *testing.T) { testOtherTakesOver(t, b) })
	t.Run("WorkersOrder", func(t *testing.T) {
		cfg := store.Config{Database: b.Fresh(t)}
		checkOrder(t, []*store.Store{openAt(t, cfg), openAt(t, cfg), openAt(t, cfg)})
	})
	t.Run("Wakes", func(t *testing.T) { testWakes(t, b) })
	t.Run("Crosswise", func(t *testing.T) { testCrosswise(t, b) })
	t.Run("Newcomers", func(t *testing.T) { testNewcomersShared(t, b) })
	t.Run("Deadlock", func(t *testing.T) { testDeadlock(t, b) })
}

// Many open an empty database at once: one makes the tables, all can use them.
func testOpenAtOnce(t *testing.T, b Backend) {
	cfg := store.Config{Database: b.Fresh(t)}
	const n = 6
	stores, errs := make([]*store.Store, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { stores[i], errs[i] = store.Open(ctxOf(t), cfg) })
	}
	wg.Wait()
	for i, s := range stores {
		if errs[i] != nil {
			t.Errorf("%d: %v", i, errs[i])
			continue
		}
		record(t, s, fmt.Sprint(i), job("l", "x"))
		defer func() { ok(t, s.Close()) }()
	}
	// Opening beside those at work leaves their leases alone.
	l := claimOne(t, stores[0], "l")
	s := openAt(t, cfg)
	claimNone(t, s, "another's lease")
	finish(t, stores[0], l)
}

// The trap of a lane that is given back while another store adds to it: whatever the
// order of the two, the job that was added is due.
func testLostWakeUp(t *testing.T, b Backend) {
	clock := NewClock()
	cfg := store.Config{Database: b.Fresh(t), Now: clock.Now, Lease: lease}
	owner, recorder := openAt(t, cfg), openAt(t, cfg)
	for i := range 150 {
		lane := fmt.Sprint("lane", i)
		record(t, recorder, fmt.Sprint(i, "a"), job(lane, "a"))
		l := claimOne(t, owner, lane)
		var wg sync.WaitGroup
		wg.Go(func() { finish(t, owner, l) })
		for j := range 3 {
			wg.Go(func() { record(t, recorder, fmt.Sprint(i, "b", j), job(lane, "b")) })
		}
		wg.Wait()
		l = claimOne(t, owner, lane) // the clock stands: no lease and no poll helps
		if len(l.Jobs) != 3 {
			t.Fatalf("%d jobs, want 3", len(l.Jobs))
		}
		finish(t, owner, l)
	}
}

// An owner that is gone loses its lanes when its leases run out, not before, and can
// do nothing if it comes back.
func testOtherTakesOver(t *testing.T, b Backend) {
	clock := NewClock()
	cfg := store.Config{Database: b.Fresh(t), Now: clock.Now, Lease: lease}
	one, two := openAt(t, cfg), openAt(t, cfg)
	record(t, one, "1", job("l", "x"))
	late := claimOne(t, one, "l")
	claimNone(t, two, "another's lease")
	clock.Move(lease)
	l := claimOne(t, two, "l")
	if err := one.Finish(ctxOf(t), late, nil); !store.Lost(err) {
		t.Errorf("the late owner: %v", err)
	}
	finish(t, two, l)
}

// A job recorded by one store wakes the other's workers.
func testWakes(t *testing.T, b Backend) {
	cfg := store.Config{Database: b.Fresh(t)}
	one, two := openAt(t, cfg), openAt(t, cfg)
	// The connection that listens is made in its own time: record until it is heard.
	for i, end := 0, time.Now().Add(patience); ; i++ {
		record(t, one, fmt.Sprint(i), job("l", "x"))
		select {
		case <-b.Woken(two):
			return
		case <-time.After(50 * time.Millisecond):
			if time.Now().After(end) {
				t.Fatal("the other store was never woken")
			}
		}
	}
}

// Owners of lanes add to one another's lanes, crosswise.
func testCrosswise(t *testing.T, b Backend) {
	cfg := store.Config{Database: b.Fresh(t)}
	stores := []*store.Store{openAt(t, cfg), openAt(t, cfg)}
	const lanes, each = 4, 40
	for i := range lanes {
		record(t, stores[0], fmt.Sprint(i), job(fmt.Sprint("lane", i), "x"))
	}
	leases := claim(t, stores[0])
	if len(leases) != lanes {
		t.Fatal(names(leases))
	}
	var wg sync.WaitGroup
	for i, l := range leases {
		s := stores[i%2]
		wg.Go(func() {
			for j := range each {
				err := s.Work(context.Background(), l, func(tx *store.Tx) error {
					return tx.Add(job(fmt.Sprint("lane", (i+1+j)%lanes), "more"))
				})
				if err != nil {
					t.Errorf("%s: %v", l.Lane, err)
				}
			}
		})
	}
	wg.Wait()
	if n := must(stores[0].Backlog(ctxOf(t)))(t).Jobs; n != lanes+lanes*each {
		t.Errorf("%d jobs, want %d", n, lanes+lanes*each)
	}
}

// Two transactions that wait for each other: the database breaks one of them, and both
// are made all the same.
func testDeadlock(t *testing.T, b Backend) {
	cfg := store.Config{Database: b.Fresh(t)}
	stores := []*store.Store{openAt(t, cfg), openAt(t, cfg)}
	people := []postern.UserID{"a", "b"}
	ok(t, stores[0].PutPeople(ctxOf(t), postern.Person{UserID: "a", Email: "a"}, postern.Person{UserID: "b", Email: "b"}))
	var both sync.WaitGroup
	both.Add(2)
	var runs atomic.Int32
	answers := make(chan error, 2)
	for i, s := range stores {
		go func() {
			var once sync.Once
			answers <- s.Do(context.Background(), func(tx *store.Tx) error {
				runs.Add(1)
				if _, err := tx.StopPerson(people[i], "", postern.StopBounced, ""); err != nil {
					return err
				}
				once.Do(func() { both.Done(); both.Wait() })
				_, err := tx.StopPerson(people[1-i], "", postern.StopBounced, "")
				return err
			})
		}()
	}
	for range 2 {
		ok(t, receive(t, answers, "an answer"))
	}
	if runs.Load() < 3 {
		t.Errorf("the two ran %d times: they were never in each other's way", runs.Load())
	}
}

// Survives records and works without a pause while disturb does its worst, and checks
// that the store comes back and that nothing that was acknowledged is lost.
func Survives(t *testing.T, s *store.Store, disturb func()) {
	var mu sync.Mutex
	acked := map[string]bool{}
	counted := make(chan struct{}, 1<<20)
	work(t, s, 4, slog.New(slog.DiscardHandler), func(_ context.Context, l *store.Lease) (func(*store.Tx) error, error) {
		return func(tx *store.Tx) error {
			for _, j := range l.Jobs {
				// Twice would break the Message-ID's uniqueness.
				if err := tx.AddDelivery(store.Delivery{ID: postern.DeliveryID(j.Kind), MessageID: j.Kind + "@x", Content: []byte{}}, nil); err != nil {
					return err
				}
			}
			return tx.Done(l.Jobs...)
		}, nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	for r := range 8 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key := fmt.Sprint(r, "-", i)
				for ctx.Err() == nil { // as a webhook's sender does
					_, _, err := s.Record(context.Background(), store.Arrival{Source: "test", Dedup: key, Body: []byte("b"), Jobs: []store.LaneJob{job(fmt.Sprint("lane", i%5), key)}})
					if err == nil {
						mu.Lock()
						acked[key] = true
						mu.Unlock()
						counted <- struct{}{}
						break
					}
					if k := postern.KindOf(err); k != postern.Temporary {
						t.Errorf("kind %v of %v", k, err)
					}
				}
			}
		})
	}
	for range 3 {
		for range 100 {
			receive(t, counted, "an acknowledgement")
		}
		disturb()
		for len(counted) > 0 {
			<-counted
		}
	}
	for range 100 {
		receive(t, counted, "an acknowledgement afterwards")
	}
	cancel()
	wg.Wait()
	settle(t, s)
	for key := range acked {
		if _, found, err := s.Delivery(ctxOf(t), postern.DeliveryID(key)); err != nil || !found {
			t.Errorf("%s was acknowledged and never handled (%v)", key, err)
		}
	}
	if bl := must(s.Backlog(ctxOf(t)))(t); bl.Dead != 0 {
		t.Errorf("%d dead letters: something was handled twice", bl.Dead)
	}
}

// settle waits until nothing is left to do.
func settle(t *testing.T, s *store.Store) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		bl, err := s.Backlog(ctxOf(t))
		if err == nil && bl.Jobs == 0 && bl.Lanes == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("left: %+v, %v", bl, err)
		}
	}
}
