package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

func testWatches(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx, now := ctxOf(t), clock.Now()
	find := func(ch postern.ChannelID) store.Watch {
		t.Helper()
		w, found, err := s.FindWatch(ctx, "p", ch)
		if err != nil || !found {
			t.Fatal(ch, found, err)
		}
		return w
	}
	if _, found, err := s.FindWatch(ctx, "p", "a"); found || err != nil {
		t.Fatal(found, err)
	}
	put := func(upto int64, active, check time.Duration, checked bool) {
		t.Helper()
		w := store.Watch{Platform: "p", Channel: "a", Upto: upto, ActiveAt: now.Add(active)}
		if check != 0 {
			w.CheckAt = now.Add(check)
		}
		do(t, s, func(tx *store.Tx) error {
			if checked || check == 0 {
				return tx.PutWatch(w, checked)
			}
			neighbours := []store.Watch{w}
			for i := range 40 { // the same rules for each of many, new and known
				neighbours = append(neighbours, store.Watch{Platform: "p", Channel: postern.ChannelID(fmt.Sprint("n", i)), Upto: int64(i)})
			}
			return tx.PutWatches(neighbours)
		})
	}
	put(100, time.Second, 0, false)
	put(50, 0, 2*time.Hour, false)
	put(0, 0, time.Hour, false)   // sooner
	put(0, 0, 3*time.Hour, false) // later: the earlier stands
	put(0, time.Minute, 0, false) // nothing to check: it stands
	if w := find("a"); w.Upto != 100 || !w.ActiveAt.Equal(now.Add(time.Minute)) || !w.CheckAt.Equal(now.Add(time.Hour)) {
		t.Errorf("%+v", w)
	}
	if w := find("n39"); w.Upto != 39 || !w.CheckAt.IsZero() {
		t.Errorf("%+v", w)
	}
	do(t, s, func(tx *store.Tx) error { return tx.Suspect("p", "a", 20, now) })
	do(t, s, func(tx *store.Tx) error { return tx.Suspect("p", "b", 20, now) })
	if a, b := find("a"), find("b"); a.Upto != 100 || b.Upto != 20 || !a.CheckAt.Equal(now) || !b.CheckAt.Equal(now) {
		t.Errorf("%+v, %+v", a, b)
	}
	put(200, 0, 0, true) // looked through
	if w := find("a"); w.Upto != 200 || !w.CheckAt.IsZero() {
		t.Errorf("%+v", w)
	}

	// Of many the longest due come first, as many as may, and then rest.
	var many []store.Watch
	for i := range 7 {
		many = append(many, store.Watch{Platform: "p", Channel: postern.ChannelID(fmt.Sprint("c", i)), CheckAt: now.Add(time.Duration(i-5) * time.Minute)})
	}
	do(t, s, func(tx *store.Tx) error { return tx.PutWatches(many) })
	do(t, s, func(tx *store.Tx) error { return tx.PutWatches(nil) })
	if due, found, err := s.WatchDue(ctx); err != nil || !found || !due.Equal(now.Add(-5*time.Minute)) {
		t.Error(due, found, err)
	}
	var got []postern.ChannelID
	take := func(most int) {
		do(t, s, func(tx *store.Tx) (err error) { got, err = tx.DueWatches("p", most, now.Add(time.Hour)); return err })
	}
	take(3)
	if !slices.Equal(got, []postern.ChannelID{"c0", "c1", "c2"}) {
		t.Errorf("due %q", got)
	}
	if take(100); len(got) != 4 { // c3, c4, c5, b; not c6
		t.Errorf("due %q", got)
	}
	if take(100); len(got) != 0 {
		t.Errorf("twice: %q", got)
	}
	do(t, s, func(tx *store.Tx) error { return tx.HurryWatches("p") })
	if take(100); len(got) != 8 || slices.Contains(got, "a") {
		t.Errorf("hurried: %q", got)
	}
}

func testRounds(t *testing.T, b Backend) {
	s, clock := open(t, b)
	if _, found, err := s.FindRound(ctxOf(t), "r"); found || err != nil {
		t.Fatal(found, err)
	}
	var mine bool
	take := func() bool {
		t.Helper()
		do(t, s, func(tx *store.Tx) (err error) {
			if err := tx.BeginRound("r", tx.Now(), 7); err != nil {
				return err
			}
			mine, err = tx.TakeRound("r", tx.Now().Add(time.Minute))
			return err
		})
		return mine
	}
	if !take() || take() {
		t.Error("not taken once")
	}
	clock.Move(time.Minute)
	if !take() {
		t.Error("not due again")
	}
	do(t, s, func(tx *store.Tx) error { return tx.RoundDone("r", 9) })
	do(t, s, func(tx *store.Tx) error { return tx.RoundDone("r", 8) })
	if r, found, err := s.FindRound(ctxOf(t), "r"); err != nil || !found || r.Upto != 9 || !r.DueAt.Equal(clock.Now().Add(time.Minute)) {
		t.Errorf("%+v, %t, %v", r, found, err)
	}
}

func testAsks(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx := ctxOf(t)
	for i := range 4 {
		id := postern.DeliveryID(fmt.Sprint("d", i))
		addDelivery(t, s, store.Delivery{ID: id, Participant: 9, Recipient: "bob@example.com", NewestAt: int64(i)})
		do(t, s, func(tx *store.Tx) error {
			return tx.Accept(id, "p", clock.Now().Add(time.Duration(4-i)*time.Minute), job("late", "x"))
		})
	}
	do(t, s, func(tx *store.Tx) error { _, err := tx.Advance("d1", store.Delivered, tx.Now(), ""); return err })
	do(t, s, func(tx *store.Tx) error { return tx.AskAt("d2", time.Time{}) })
	if due, found, err := s.AskDue(ctx); err != nil || !found || !due.Equal(clock.Now().Add(time.Minute)) {
		t.Error(due, found, err)
	}
	var got []store.Asked
	take := func(most int) {
		t.Helper()
		do(t, s, func(tx *store.Tx) (err error) { got, err = tx.DueAsks(most, tx.Now().Add(time.Hour)); return err })
	}
	if take(9); len(got) != 0 {
		t.Errorf("too early: %v", got)
	}
	clock.Move(10 * time.Minute)
	if take(1); !slices.Equal(got, []store.Asked{{ID: "d3", Participant: 9}}) {
		t.Errorf("%v", got)
	}
	if take(9); !slices.Equal(got, []store.Asked{{ID: "d0", Participant: 9}}) {
		t.Errorf("%v", got)
	}
	if take(9); len(got) != 0 {
		t.Errorf("twice: %v", got)
	}
}

func testHeardAndMailed(t *testing.T, b Backend) {
	s, _ := open(t, b)
	ctx := ctxOf(t)
	var keys []string
	for i := range 130 {
		keys = append(keys, fmt.Sprint("k", i))
		if i%2 == 0 {
			must2(s.Record(ctx, store.Arrival{Source: "x", Dedup: keys[i]}))(t)
		}
	}
	if got, err := s.Recorded(ctx, keys); err != nil || len(got) != 65 || got["k4"] == 0 || got["k5"] != 0 {
		t.Error(len(got), err)
	}
	do(t, s, func(tx *store.Tx) error {
		for _, n := range []store.Note{
			{What: "not mailed", Why: "nobody", Channel: "a", Ref: "1"}, {What: "not mailed", Why: "online", Channel: "a", Ref: "2", User: "bob"},
			{What: "not mailed", Why: "nobody", Channel: "b", Ref: "3"}, {What: "mailed", Channel: "a", Ref: "4"},
		} {
			if err := tx.Note(n); err != nil {
				return err
			}
		}
		return tx.Add(store.LaneJob{Lane: "l", Kind: "fanout"})
	})
	if got, err := s.NotMailed(ctx, "a", []string{"1", "2", "3", "4"}); err != nil || len(got) != 1 || got["1"] != "nobody" {
		t.Error(got, err)
	}
	for kind, want := range map[string]bool{"fanout": true, "change": false} {
		has, err := s.LaneHas(ctx, "l", kind)
		var inside bool
		do(t, s, func(tx *store.Tx) (err error) { inside, err = tx.HasKind("l", kind); return err })
		if err != nil || has != want || inside != want {
			t.Error(kind, has, inside, err)
		}
	}
	do(t, s, func(tx *store.Tx) error {
		return tx.AddDelivery(store.Delivery{ID: "d", Participant: 9, MessageID: "d@x", Recipient: "x@example.com", Content: []byte("{}"), NewestAt: 30},
			[]store.Mailed{{Message: "y", CreatedAt: 30}, {Message: "x", CreatedAt: 20}})
	})
	if in, err := s.MailedIn(ctx, "d"); err != nil || !slices.Equal(in, []store.Mailed{{Message: "x", CreatedAt: 20}, {Message: "y", CreatedAt: 30}}) {
		t.Error(in, err)
	}
	do(t, s, func(tx *store.Tx) error { return tx.Unmail("d") })
	if in, err := s.MailedIn(ctx, "d"); err != nil || len(in) != 0 {
		t.Error(in, err)
	}
}

func must2(_ int64, _ bool, err error) func(testing.TB) {
	return func(t testing.TB) {
		t.Helper()
		ok(t, err)
	}
}
