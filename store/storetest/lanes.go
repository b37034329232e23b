package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

func quiet(lane, kind string) store.LaneJob {
	return store.LaneJob{Lane: lane, Kind: kind, Delay: 10 * time.Second, Cap: 25 * time.Second}
}

// A quiet window begins anew with every job, up to its cap.
func testQuiet(t *testing.T, b Backend) {
	s, clock := open(t, b)
	const sec = time.Second
	for i, c := range []struct {
		at     []time.Duration // when jobs come
		worked time.Duration   // when it is given back
		want   time.Duration
	}{
		{at: []time.Duration{0}, want: 10 * sec},
		{at: []time.Duration{0, 6 * sec}, want: 16 * sec},
		{at: []time.Duration{0, 6 * sec, 14 * sec}, want: 24 * sec},
		{at: []time.Duration{0, 6 * sec, 14 * sec, 22 * sec}, want: 25 * sec}, // the cap of the first
		// What comes while the lane is worked opens a window of its own.
		{at: []time.Duration{0, 4 * sec}, worked: 5 * sec, want: 14 * sec},
		{at: []time.Duration{0, 4 * sec, 11 * sec}, worked: 5 * sec, want: 21 * sec},
		{at: []time.Duration{0, 4 * sec, 11 * sec, 20 * sec}, worked: 5 * sec, want: 25 * sec},
	} {
		lane := fmt.Sprint("q", i)
		var held *store.Lease
		if c.worked > 0 {
			record(t, s, lane+"first", job(lane, "first"))
			held = claimOne(t, s, lane)
		}
		start := clock.Now()
		to := func(after time.Duration) { clock.Move(start.Add(after).Sub(clock.Now())) }
		for n, at := range c.at {
			if held != nil && at > c.worked {
				to(c.worked)
				finish(t, s, held)
				held = nil
			}
			to(at)
			record(t, s, fmt.Sprint(lane, n), quiet(lane, fmt.Sprint(n)))
		}
		if held != nil {
			to(c.worked)
			finish(t, s, held)
		}
		dueAt(t, s, clock, lane, start.Add(c.want))
	}

	// Two jobs of one group count as two.
	start := clock.Now()
	record(t, s, "9", store.LaneJob{Lane: "two", Kind: "a", Delay: time.Second, Cap: 4 * time.Second}, store.LaneJob{Lane: "two", Kind: "b", Delay: 6 * time.Second, Cap: 60 * time.Second})
	dueAt(t, s, clock, "two", start.Add(4*time.Second))
}

// dueAt lets time pass until just before a lane is due, and then until it is. On the way
// NextDue is never too late, and once it was too early it tells the moment itself.
func dueAt(t *testing.T, s *store.Store, clock *Clock, lane string, want time.Time) {
	t.Helper()
	for {
		due := nextDue(t, s)
		if due.After(want) {
			t.Fatalf("%s: next due %v late", lane, due.Sub(want))
		}
		if due.Equal(want) {
			break
		}
		clock.Move(max(due.Sub(clock.Now()), 0))
		claimNone(t, s, "before its time")
		if !nextDue(t, s).After(clock.Now()) {
			t.Fatalf("%s: still due at %v, and not claimed", lane, due)
		}
	}
	clock.Move(want.Sub(clock.Now()) - time.Millisecond)
	claimNone(t, s, "a moment before its time")
	clock.Move(time.Millisecond)
	finish(t, s, claimOne(t, s, lane))
}

// Ordinary lanes are due at once beside quiet ones; an ordinary job in a quiet lane
// waits with it, a quiet job in an ordinary lane does not delay it.
func testQuietOthers(t *testing.T, b Backend) {
	s, clock := open(t, b)
	record(t, s, "1", quiet("q", "a"), job("o", "x"))
	record(t, s, "2", job("q", "b"), quiet("o", "y"))
	l := claimOne(t, s, "o")
	if diff := cmp.Diff([]string{"x", "y"}, kinds(l.Jobs)); diff != "" {
		t.Fatal(diff)
	}
	finish(t, s, l)
	claimNone(t, s, "in the quiet window")
	clock.Move(10 * time.Second)
	l = claimOne(t, s, "q")
	if diff := cmp.Diff([]string{"a", "b"}, kinds(l.Jobs)); diff != "" {
		t.Fatal(diff)
	}
	// With its window over, what is left is due at once, also behind a newer quiet job.
	record(t, s, "3", quiet("q", "c"))
	ok(t, s.Finish(ctxOf(t), l, func(tx *store.Tx) error { return tx.Done(l.Jobs[0]) }))
	finish(t, s, claimOne(t, s, "q"))
}

// Neither ordinary nor quiet jobs shorten or lengthen a back-off.
func testBackoff(t *testing.T, b Backend) {
	s, clock := open(t, b)
	for i, other := range []store.LaneJob{job("l", "o"), quiet("l", "q"), {Lane: "l", Kind: "far", Delay: time.Hour, Cap: 2 * time.Hour}} {
		record(t, s, fmt.Sprint("a", i), job("l", "head"))
		l := claimOne(t, s, "l")
		due := clock.Now().Add(time.Minute)
		record(t, s, fmt.Sprint("b", i), other) // while worked
		ok(t, s.Finish(ctxOf(t), l, func(tx *store.Tx) error { return tx.Retry(l.Jobs[0], due) }))
		if got := nextDue(t, s); !got.Equal(due) {
			t.Fatalf("%s: due %v, want %v", other.Kind, got, due)
		}
		clock.Move(30 * time.Second)
		record(t, s, fmt.Sprint("c", i), other) // while waiting
		if got := nextDue(t, s); !got.Equal(due) {
			t.Fatalf("%s: due %v, want %v", other.Kind, got, due)
		}
		clock.Move(30 * time.Second)
		l = claimOne(t, s, "l")
		if len(l.Jobs) != 3 || l.Jobs[0].Attempts != 1 {
			t.Fatalf("%+v", l.Jobs)
		}
		finish(t, s, l)
	}
}

func testClaimExclusive(t *testing.T, b Backend) {
	s, _ := open(t, b)
	const lanes, claimers = 200, 12
	for i := range lanes {
		record(t, s, fmt.Sprint(i), job(fmt.Sprint("lane", i), "x"))
	}
	var mu sync.Mutex
	owned := map[string]int{}
	var wg sync.WaitGroup
	for range claimers {
		wg.Go(func() {
			for {
				leases, err := s.Claim(ctxOf(t), 7)
				if err != nil {
					t.Error(err)
				}
				if len(leases) == 0 {
					return
				}
				if len(leases) > 7 {
					t.Errorf("%d lanes, asked for 7", len(leases))
				}
				mu.Lock()
				for _, l := range leases {
					owned[l.Lane]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(owned) != lanes {
		t.Errorf("%d lanes claimed, want %d", len(owned), lanes)
	}
	for lane, n := range owned {
		if n != 1 {
			t.Errorf("%s was claimed %d times", lane, n)
		}
	}
}

// One lease hands out a bounded number of jobs, and of bytes.
func testClaimBounds(t *testing.T, b Backend) {
	s, _ := open(t, b)
	do(t, s, func(tx *store.Tx) error {
		for i := range 150 {
			if err := tx.Add(job("many", fmt.Sprint(i))); err != nil {
				return err
			}
		}
		return nil
	})
	l := claimOne(t, s, "many")
	if len(l.Jobs) != 100 {
		t.Errorf("%d jobs at once, want 100", len(l.Jobs))
	}
	finish(t, s, l)
	l = claimOne(t, s, "many")
	if len(l.Jobs) != 50 || l.Jobs[0].Kind != "100" {
		t.Errorf("%d jobs left, the first is %s", len(l.Jobs), l.Jobs[0].Kind)
	}
	finish(t, s, l)

	body := bytes.Repeat([]byte{7}, 3<<20)
	for i := range 3 {
		_, _, err := s.Record(ctxOf(t), store.Arrival{Source: "test", Body: []byte("b"), Content: body, Jobs: []store.LaneJob{job("large", fmt.Sprint(i))}})
		ok(t, err)
	}
	l = claimOne(t, s, "large")
	if got := kinds(l.Jobs); strings.Join(got, "") != "01" {
		t.Errorf("of three times 3 MiB jobs %v were handed out, want the first two", got)
	}
	finish(t, s, l)
	finish(t, s, claimOne(t, s, "large"))
}

// When a lease runs out another takes the lane, and the late owner can do nothing.
func testFence(t *testing.T, b Backend) {
	s, clock := open(t, b)
	record(t, s, "1", job("l", "x"))
	late := claimOne(t, s, "l")
	clock.Move(lease - time.Millisecond)
	claimNone(t, s, "while the lease lasts")
	clock.Move(time.Millisecond)
	owner := claimOne(t, s, "l")
	if len(owner.Jobs) != 1 || owner.Jobs[0].ID != late.Jobs[0].ID {
		t.Fatalf("%+v", owner.Jobs)
	}
	ran := false
	fn := func(tx *store.Tx) error { ran = true; return tx.Done(late.Jobs...) }
	if err := s.Work(ctxOf(t), late, fn); !store.Lost(err) {
		t.Errorf("work of a late owner: %v", err)
	}
	if err := s.Finish(ctxOf(t), late, fn); !store.Lost(err) {
		t.Errorf("finish of a late owner: %v", err)
	}
	if ran {
		t.Error("a late owner's function ran")
	}
	clock.Move(lease / 2)
	if lost := must(s.Extend(ctxOf(t), []*store.Lease{late, owner}))(t); len(lost) != 1 || lost[0] != late {
		t.Errorf("lost: %s", names(lost))
	}
	clock.Move(lease - time.Millisecond)
	claimNone(t, s, "the owner extended")
	clock.Move(time.Millisecond)
	third := claimOne(t, s, "l") // the late owner extended nothing
	finish(t, s, third)
	for _, l := range []*store.Lease{late, owner, third} {
		if err := s.Work(ctxOf(t), l, fn); !store.Lost(err) {
			t.Errorf("work after the lane is gone: %v", err)
		}
	}
	// A lane of the same name is another lane.
	record(t, s, "2", job("l", "y"))
	if err := s.Finish(ctxOf(t), third, fn); !store.Lost(err) {
		t.Errorf("finish of an earlier lane of that name: %v", err)
	}
	finish(t, s, claimOne(t, s, "l"))

	// An owner who is late, but whom nobody replaced, still owns.
	record(t, s, "3", job("l", "z"))
	l := claimOne(t, s, "l")
	clock.Move(2 * lease)
	finish(t, s, l)
	claimNone(t, s, "all is done")
}

func testExtend(t *testing.T, b Backend) {
	s, clock := open(t, b)
	const n = 300
	for i := range n {
		record(t, s, fmt.Sprint(i), job(fmt.Sprint("lane", i), "x"))
	}
	leases := claim(t, s)
	if len(leases) != n {
		t.Fatalf("%d lanes", len(leases))
	}
	first := leases[0]
	clock.Move(lease / 2)
	if lost := must(s.Extend(ctxOf(t), leases))(t); len(lost) != 0 {
		t.Errorf("lost: %s", names(lost))
	}
	must(s.Extend(ctxOf(t), nil))(t)
	if leases[0] != first {
		t.Error("the caller's slice was sorted")
	}
	record(t, s, "more", job("lane7", "y")) // does not shorten a lease
	clock.Move(lease - time.Millisecond)
	claimNone(t, s, "after the leases were extended")
	clock.Move(time.Millisecond)
	if got := claim(t, s); len(got) != n {
		t.Errorf("%d lanes due after the extended leases, want %d", len(got), n)
	}
}

// What is added while a lane is worked is seen when it is given back.
func testReleaseSeesAdded(t *testing.T, b Backend) {
	s, _ := open(t, b)
	record(t, s, "1", job("l", "a"))
	l := claimOne(t, s, "l")
	record(t, s, "2", job("l", "b"))
	ok(t, s.Finish(ctxOf(t), l, func(tx *store.Tx) error {
		if err := tx.Done(l.Jobs...); err != nil {
			return err
		}
		return tx.AddFor(l.Jobs[0].Event.ID, job("l", "c"), job("m", "d"))
	}))
	leases := claim(t, s)
	if len(leases) != 2 {
		t.Fatal(names(leases))
	}
	for _, got := range leases {
		want := []string{"b", "c"}
		if got.Lane == "m" {
			want = []string{"d"}
		}
		if diff := cmp.Diff(want, kinds(got.Jobs)); diff != "" {
			t.Errorf("%s: %s", got.Lane, diff)
		}
		if last := got.Jobs[len(got.Jobs)-1]; last.Event == nil || last.Event.ID != l.Jobs[0].Event.ID {
			t.Errorf("%s: the event of an added job: %+v", got.Lane, last.Event)
		}
		finish(t, s, got)
	}
	if bl := must(s.Backlog(ctxOf(t)))(t); bl.Jobs != 0 || bl.Lanes != 0 {
		t.Errorf("left: %+v", bl)
	}
}

func testJobVerbs(t *testing.T, b Backend) {
	s, clock := open(t, b)
	record(t, s, "1", job("l", "a"), job("l", "b"))
	l := claimOne(t, s, "l")
	finishWith := func(fn func(tx *store.Tx) error) { t.Helper(); ok(t, s.Finish(ctxOf(t), l, fn)) }

	finishWith(func(tx *store.Tx) error { return tx.Retry(l.Jobs[0], clock.Now().Add(time.Second)) })
	claimNone(t, s, "put off")
	clock.Move(time.Second)
	l = claimOne(t, s, "l")
	if j := l.Jobs[0]; j.Kind != "a" || j.Attempts != 1 || !j.DueAt.Equal(clock.Now()) {
		t.Fatalf("%+v", j)
	}
	finishWith(func(tx *store.Tx) error { return tx.Again(l.Jobs[0], clock.Now().Add(time.Second)) })
	clock.Move(time.Second)
	l = claimOne(t, s, "l")
	if l.Jobs[0].Attempts != 1 {
		t.Errorf("waiting counted as an attempt: %d", l.Jobs[0].Attempts)
	}
	finishWith(func(tx *store.Tx) error { return tx.Become(l.Jobs[0], "a2", []byte("args")) })
	l = claimOne(t, s, "l")
	if j := l.Jobs[0]; j.Kind != "a2" || string(j.Args) != "args" || j.Attempts != 0 || j.Event == nil || l.Jobs[1].Kind != "b" {
		t.Fatalf("%+v", l.Jobs)
	}
	finishWith(func(tx *store.Tx) error { return tx.Bury(l.Jobs[0], "poison") })
	l = claimOne(t, s, "l")
	if diff := cmp.Diff([]string{"b"}, kinds(l.Jobs)); diff != "" {
		t.Fatal(diff)
	}
	if n := must(s.Pending(ctxOf(t), "l"))(t); n != 1 {
		t.Errorf("%d pending", n)
	}
	// Work keeps the lane.
	ok(t, s.Work(ctxOf(t), l, func(tx *store.Tx) error { return tx.Done(l.Jobs...) }))
	claimNone(t, s, "the lane is still leased")
	finishWith(nil)
	bl := must(s.Backlog(ctxOf(t)))(t)
	if bl.Jobs != 0 || bl.Lanes != 0 || bl.Dead != 1 || !bl.Oldest.IsZero() {
		t.Errorf("%+v", bl)
	}
	// Nothing is written by a function that fails, and the lane stays the lease's.
	record(t, s, "2", job("l", "c"))
	l = claimOne(t, s, "l")
	err := s.Finish(ctxOf(t), l, func(tx *store.Tx) error {
		if err := tx.Done(l.Jobs...); err != nil {
			return err
		}
		return postern.Errorf(postern.Permanent, "test", "no")
	})
	if postern.KindOf(err) != postern.Permanent {
		t.Errorf("kind of %v", err)
	}
	finish(t, s, l)
}

func testPoke(t *testing.T, b Backend) {
	s, clock := open(t, b)
	poke := func(kind string) {
		t.Helper()
		do(t, s, func(tx *store.Tx) error { return tx.Poke("l", kind) })
	}
	poke("wait") // no such lane
	record(t, s, "1", job("l", "wait"), job("l", "next"))
	l := claimOne(t, s, "l")
	later := clock.Now().Add(time.Hour)
	again := func() {
		t.Helper()
		ok(t, s.Finish(ctxOf(t), l, func(tx *store.Tx) error { return tx.Again(l.Jobs[0], later) }))
	}
	again()
	poke("next") // it is not first
	claimNone(t, s, "poked for another kind")
	poke("wait")
	l = claimOne(t, s, "l")

	// While the lane is worked, its owner may have looked already.
	poke("wait")
	claimNone(t, s, "a lease is not shortened")
	again()
	l = claimOne(t, s, "l")
	again() // the poke is used up
	claimNone(t, s, "poked once")
	clock.Move(time.Hour)
	l = claimOne(t, s, "l")
	poke("next")
	later = clock.Now().Add(time.Hour)
	again()
	claimNone(t, s, "poked for another kind while worked")
	clock.Move(time.Hour)
	l = claimOne(t, s, "l")
	poke("wait")
	ok(t, s.Finish(ctxOf(t), l, func(tx *store.Tx) error {
		if err := tx.Done(l.Jobs[0]); err != nil {
			return err
		}
		return tx.Retry(l.Jobs[1], clock.Now().Add(time.Hour))
	}))
	claimNone(t, s, "what was poked is done")

	// Whoever opens the lane and whoever pokes it may be neighbours in one transaction.
	do(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.Add(quiet("new", "wait"), quiet("other", "next")), tx.Poke("new", "wait"), tx.Poke("other", "wait"))
	})
	finish(t, s, claimOne(t, s, "new"))
}

// Giving back a very long lane is not a matter of its length; that it is right is what
// this checks, the benchmarks the rest.
func testLongLane(t *testing.T, b Backend) {
	s, clock := open(t, b)
	const n = 2000
	do(t, s, func(tx *store.Tx) error {
		jobs := make([]store.LaneJob, n)
		for i := range jobs {
			jobs[i] = quiet("l", fmt.Sprint(i))
		}
		return tx.Add(jobs...)
	})
	clock.Move(10 * time.Second)
	for i := range 5 {
		l := claimOne(t, s, "l")
		if l.Jobs[0].Kind != fmt.Sprint(i) {
			t.Fatalf("job %s, want %d", l.Jobs[0].Kind, i)
		}
		ok(t, s.Finish(ctxOf(t), l, func(tx *store.Tx) error { return tx.Done(l.Jobs[0]) }))
	}
	if left := must(s.Pending(ctxOf(t), "l"))(t); left != n-5 {
		t.Errorf("%d left", left)
	}
}
