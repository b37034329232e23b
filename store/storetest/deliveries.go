package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// addDelivery writes a delivery down, with a Message-ID and a content if it has none.
func addDelivery(t testing.TB, s *store.Store, d store.Delivery, messages ...store.Mailed) {
	t.Helper()
	if d.MessageID == "" {
		d.MessageID = string(d.ID) + "@x"
	}
	if d.Content == nil {
		d.Content = []byte("{}")
	}
	do(t, s, func(tx *store.Tx) error { return tx.AddDelivery(d, messages) })
}

func testDeliveries(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx := ctxOf(t)
	const who = postern.ParticipantID(1<<63 | 9)
	for _, d := range []store.Delivery{{ID: "d1", NewestAt: 10}, {ID: "d2", NewestAt: 30}, {ID: "d3", NewestAt: 20}} {
		d.Participant, d.MessageID, d.Recipient, d.Content = who, string(d.ID)+"@x", "bob@example.com", []byte("{}")
		addDelivery(t, s, d)
	}
	get := func() store.Delivery {
		t.Helper()
		d, found, err := s.Delivery(ctx, "d1")
		same, found2, err2 := s.DeliveryByMessageID(ctx, "d1@x")
		if err != nil || err2 != nil || !found || !found2 || !cmp.Equal(d, same) {
			t.Fatal(d, found, err, same, found2, err2)
		}
		return d
	}
	want := store.Delivery{ID: "d1", Participant: who, MessageID: "d1@x", Recipient: "bob@example.com", Content: []byte("{}"), NewestAt: 10, CreatedAt: clock.Now()}
	expect := func() {
		t.Helper()
		if diff := cmp.Diff(want, get()); diff != "" {
			t.Fatal(diff)
		}
	}
	expect()
	do(t, s, func(tx *store.Tx) error { return attempt(tx, "d1", true) })
	want.State, want.AttemptedAt = store.Sending, clock.Now()
	expect()
	do(t, s, func(tx *store.Tx) error { return tx.Unsent("d1") })
	want.State = store.Queued
	expect()
	do(t, s, func(tx *store.Tx) error {
		if rose, err := tx.Advance("d1", store.Accepted, clock.Now(), "ok"); err != nil || !rose {
			t.Error(rose, err)
		}
		return tx.Accept("d1", "p1", time.Time{}, job("late", "x"))
	})
	want.State, want.ProviderID, want.Detail = store.Accepted, "p1", "ok"
	expect()
	// What the provider has is not sent again.
	do(t, s, func(tx *store.Tx) error {
		if err := attempt(tx, "d1", false); err != nil {
			return err
		}
		return tx.Unsent("d1")
	})
	expect()
	do(t, s, func(tx *store.Tx) error { return tx.Answered("d1") })
	want.AnsweredAt, want.DeliveredAt, want.State = clock.Now(), clock.Now(), store.Delivered // nobody answers what did not arrive
	clock.Move(time.Hour)
	do(t, s, func(tx *store.Tx) error { return tx.Answered("d1") })
	expect()

	// Of several moments at which it was opened the latest is kept.
	for _, after := range []time.Duration{2, 3, 1} {
		do(t, s, func(tx *store.Tx) error { return tx.SawOpen("d1", clock.Now().Add(after*time.Minute)) })
	}
	want.OpenedAt = clock.Now().Add(3 * time.Minute)
	expect()
	do(t, s, func(tx *store.Tx) error {
		d, found, err1 := tx.Delivery("d1")
		if !cmp.Equal(d, want) || !found {
			t.Errorf("within a transaction: %+v", d)
		}
		if _, found, err := tx.Delivery("none"); found || err != nil {
			t.Error(found, err)
		}
		return err1
	})

	ids := func(ds []store.Delivery) (out string) {
		for _, d := range ds {
			out += string(d.ID)
		}
		return out
	}
	if got := ids(must(s.Deliveries(ctx, who, 10))(t)); got != "d3d2" {
		t.Errorf("after 10: %s", got)
	}
	if got := ids(must(s.LastStates(ctx, who, 5))(t)); got != "d1" {
		t.Errorf("that may have gone out: %s", got)
	}
	want.Content = nil
	if diff := cmp.Diff([]store.Delivery{want}, must(s.LastStates(ctx, who, 5))(t)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int64{"delivered": 1, "queued": 2}, must(s.DeliveryCounts(ctx))(t)); diff != "" {
		t.Error(diff)
	}
	if _, found, err := s.Delivery(ctx, "none\x00"); found || err != nil {
		t.Error(found, err)
	}
}

// The first of all that a participant had is known even when it is the only one left,
// and no other passes for it.
func testFirstDelivery(t *testing.T, b Backend) {
	s, clock := open(t, b)
	mailed := func(id postern.DeliveryID, to postern.ParticipantID) {
		t.Helper()
		addDelivery(t, s, store.Delivery{ID: id, Participant: to, State: store.Sending})
	}
	expect := func(who postern.ParticipantID, want postern.DeliveryID) {
		t.Helper()
		a, found, err := s.Answerer(ctxOf(t), who, "")
		first := postern.DeliveryID("")
		for _, d := range a.Last {
			if d.CreatedAt.Equal(a.Since) {
				first = d.ID
			}
		}
		if err != nil || !found || first != want {
			t.Errorf("%d: first %q, want %q; %v %v", who, first, want, found, err)
		}
	}
	ensure(t, s, "bob", 1)
	mailed("d1", 1)
	ensure(t, s, "lucy", 2) // her first one is past its time, and gone
	expect(1, "d1")
	clock.Move(time.Hour)
	mailed("d2", 1)
	mailed("d3", 2)
	expect(1, "d1")
	expect(2, "")
}

// Whatever order events come in, repeated or not, the state is the highest, never
// falls, and each moment is that of its first event.
func testDeliveryOrder(t *testing.T, b Backend) {
	s, clock := open(t, b)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		id := postern.DeliveryID(fmt.Sprint("d", n))
		addDelivery(t, s, store.Delivery{ID: id})
		states := rapid.SliceOfN(rapid.SampledFrom([]store.DeliveryState{store.Sending, store.Unsure, store.Accepted, store.Delivered, store.Opened, store.Failed}), 1, 8).Draw(rt, "events")
		high, first := store.Queued, map[store.DeliveryState]time.Time{}
		for i, to := range states {
			when := clock.Now().Add(time.Duration(i) * time.Second)
			if _, seen := first[to]; !seen {
				first[to] = when
			}
			var rose bool
			do(t, s, func(tx *store.Tx) (err error) { rose, err = tx.Advance(id, to, when, ""); return err })
			if rose != (to > high) {
				rt.Fatalf("from %v to %v: rose %v", high, to, rose)
			}
			high = max(high, to)
			d, _, err := s.Delivery(ctxOf(t), id)
			if err != nil || d.State != high || !d.DeliveredAt.Equal(first[store.Delivered]) {
				rt.Fatalf("%+v after %v, %v", d, states[:i+1], err)
			}
		}
	})
}

// attempt begins a call that is to be made, or not.
func attempt(tx *store.Tx, id postern.DeliveryID, want bool) error {
	if got, err := tx.Attempt(id); err != nil || got != want {
		return errors.Join(err, fmt.Errorf("a call for %s is to be made: %t", id, got))
	}
	return nil
}

// The counts are those of the table, whatever was tried, also for the next process.
func testDeliveryCounts(t *testing.T, b Backend) {
	cfg := store.Config{Database: b.Fresh(t), Now: NewClock().Now}
	s := openAt(t, cfg)
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			id := postern.DeliveryID(fmt.Sprint("d", i))
			addDelivery(t, s, store.Delivery{ID: id})
			do(t, s, func(tx *store.Tx) error { return attempt(tx, id, true) })
			if i%2 == 0 {
				do(t, s, func(tx *store.Tx) error { _, err := tx.Advance(id, store.Delivered, tx.Now(), ""); return err })
				do(t, s, func(tx *store.Tx) error { _, err := tx.Advance(id, store.Accepted, tx.Now(), ""); return err })
			}
			if i%4 == 1 {
				do(t, s, func(tx *store.Tx) error {
					return errors.Join(tx.Unsent(id), attempt(tx, "none", false), tx.Unsent("none"))
				})
				do(t, s, func(tx *store.Tx) error {
					return errors.Join(attempt(tx, id, true), tx.Accept(id, "p", time.Time{}, job("late", "x")), tx.Accept("none", "p", time.Time{}, job("late", "x")))
				})
			}
			if i%3 == 0 {
				// A transaction that fails counts for nothing.
				err := s.Do(ctxOf(t), func(tx *store.Tx) error {
					if _, err := tx.Advance(id, store.Failed, tx.Now(), ""); err != nil {
						return err
					}
					return errors.New("no")
				})
				if err == nil {
					t.Error("written")
				}
			}
		})
	}
	wg.Wait()
	want := map[string]int64{"sending": 6, "accepted": 6, "delivered": 12}
	for range 2 {
		if diff := cmp.Diff(want, must(s.DeliveryCounts(ctxOf(t)))(t)); diff != "" {
			t.Error(diff)
		}
		ok(t, s.Close())
		s = openAt(t, cfg)
	}
	addDelivery(t, s, store.Delivery{ID: "more"})
	holds(t, b, s)
	want["queued"] = 1
	if diff := cmp.Diff(want, must(s.DeliveryCounts(ctxOf(t)))(t)); diff != "" {
		t.Error(diff)
	}
}
