package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-chat/postern/store"
)

// handing has lanes handed to a handler, and to nobody else: nobody asks for lanes.
func handing(t *testing.T, b Backend, s *store.Store, slots int, h func(*store.Lease)) (stop func()) {
	return b.HandOnly(s, slots, func(_ context.Context, l *store.Lease) (func(*store.Tx) error, error) {
		h(l)
		return doAll(l), nil
	})
}

// A lane that is opened and due at once goes to a worker, with its jobs as Claim tells them.
func testHandOff(t *testing.T, b Backend) {
	s, clock := open(t, b)
	arrive := func(key string) {
		body := []byte(`{"a": 1}`)
		_, _, err := s.Record(ctxOf(t), store.Arrival{Source: "test\x00", Dedup: key, Body: body, Content: []byte("raw"), Ref: "ref",
			Jobs: []store.LaneJob{{Lane: "l\x00", Kind: "k\xff", Args: []byte("args")}, {Lane: "l\x00", Kind: "bare", Delay: time.Minute}}})
		ok(t, err)
		copy(body, bytes.Repeat([]byte("z"), len(body))) // it is the caller's again
	}
	arrive("1")
	l := claimOne(t, s, "l\uFFFD")
	want := l.Jobs
	finish(t, s, l)
	clock.Move(time.Second)

	leases, hold := make(chan *store.Lease, 10), make(chan struct{})
	stop := handing(t, b, s, 4, func(l *store.Lease) { leases <- l; <-hold })
	arrive("2")
	got := receive(t, leases, "a lease").Jobs
	for i := range want {
		if e, j := got[i].Event, got[i]; e.ID == want[i].Event.ID || j.ID == want[i].ID {
			t.Errorf("event %d, job %d again", e.ID, j.ID)
		}
		want[i].ID, want[i].DueAt, want[i].AddedAt = got[i].ID, want[i].DueAt.Add(time.Second), want[i].AddedAt.Add(time.Second)
		want[i].Event.ID, want[i].Event.ReceivedAt = got[i].Event.ID, want[i].Event.ReceivedAt.Add(time.Second)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	claimNone(t, s, "handed to a worker")
	do(t, s, func(tx *store.Tx) error { return tx.Add(job("own", "x")) })
	if l := receive(t, leases, "a lease"); l.Lane != "own" || len(l.Jobs) != 1 || l.Jobs[0].Event != nil {
		t.Errorf("%+v", l)
	}
	record(t, s, "3", job("own", "while it is worked"))
	clock.Move(lease - time.Millisecond)
	claimNone(t, s, "leased")
	close(hold)
	stop()
	finish(t, s, claimOne(t, s, "own"))
	if bl := must(s.Backlog(ctxOf(t)))(t); bl.Jobs != 0 || bl.Lanes != 0 || len(leases) > 0 {
		t.Errorf("left: %+v, and %d leases", bl, len(leases))
	}
}

// Jobs of one group that open a lane are in its lease, in order, and no repeat's.
func testHandOffGroup(t *testing.T, b Backend) {
	s, _ := open(t, b)
	record(t, s, "old", store.LaneJob{Lane: "q", Kind: "old", Delay: time.Second}, store.LaneJob{Lane: "later", Kind: "old", Delay: time.Hour})
	leases := make(chan *store.Lease, 10)
	stop := handing(t, b, s, 10, func(l *store.Lease) { leases <- l })
	arrivals := []store.Arrival{
		{Dedup: "old", Jobs: []store.LaneJob{job("l", "a repeat")}},
		{Dedup: "1", Jobs: []store.LaneJob{job("l", "1"), job("q", "not first")}},
		{Dedup: "2", Jobs: []store.LaneJob{job("l", "2"), quiet("l", "3"), quiet("r", "quiet first")}},
		{Dedup: "3", Jobs: []store.LaneJob{job("l", "4"), job("r", "not first")}},
	}
	for i, err := range together(t, b, s, len(arrivals), func(i int) error {
		a := arrivals[i]
		a.Source, a.Digest, a.Body = "test", []byte("d"), []byte("b")
		_, dup, err := s.Record(context.Background(), a)
		if err == nil && dup != (i == 0) {
			err = fmt.Errorf("duplicate %v", dup)
		}
		return err
	}) {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	l := receive(t, leases, "a lease")
	if diff := cmp.Diff([]string{"1", "2", "3", "4"}, kinds(l.Jobs)); l.Lane != "l" || diff != "" {
		t.Errorf("%s: %s", l.Lane, diff)
	}
	stop()
	if len(leases) > 0 {
		t.Errorf("%s was handed on, too", (<-leases).Lane)
	}
	claimNone(t, s, "the others wait")
}

// What finds no slot waits in the database, and nothing that is newer overtakes it.
func testHandOffSlots(t *testing.T, b Backend) {
	s, _ := open(t, b)
	leases, hold := make(chan *store.Lease, 10), make(chan struct{})
	stop := handing(t, b, s, 2, func(l *store.Lease) { leases <- l; <-hold })
	for _, fails := range []error{errors.New("no"), nil} { // what is not written needs no slot
		err := s.Do(ctxOf(t), func(tx *store.Tx) error {
			if err := tx.Add(job("a", "x"), job("b", "x")); err != nil {
				return err
			}
			return fails
		})
		if !errors.Is(err, fails) {
			t.Fatal(err)
		}
	}
	receive(t, leases, "a lease")
	receive(t, leases, "a lease")
	record(t, s, "1", job("c", "x"))
	close(hold)
	b.HandedOver(s) // slots are free
	record(t, s, "2", job("d", "x"))
	stop()
	if got := claim(t, s); len(got) != 2 || len(leases) > 0 {
		t.Errorf("%s wait, want c and d; %d were handed on", names(got), len(leases))
	}
}

// Asked to stop, workers give lanes back that are handed to them.
func testHandOffStop(t *testing.T, b Backend) {
	s, _ := open(t, b)
	stop := handing(t, b, s, 2, func(l *store.Lease) { t.Errorf("%s is worked", l.Lane) })
	stopped := make(chan struct{})
	do(t, s, func(tx *store.Tx) error {
		tx.Committed(func() { // after the COMMIT, and before the lease is handed on
			go func() { defer close(stopped); stop() }()
			b.Stopping(s)
		})
		return tx.Add(job("l", "x"))
	})
	receive(t, stopped, "the end")
	finish(t, s, claimOne(t, s, "l"))
}
