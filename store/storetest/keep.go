package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// RunKeep runs the part of the suite that is about retention, dead letters, duties and
// rates.
func RunKeep(t *testing.T, b Backend) {
	tests := []struct {
		name string
		run  func(*testing.T, Backend)
	}{
		{"PurgeAges", testPurgeAges},
		{"PurgeNothing", testPurgeNothing},
		{"PurgeModel", testPurgeModel},
		{"PurgeMany", testPurgeMany},
		{"PurgeClockWasWrong", testPurgeClockWasWrong},
		{"PurgeStops", testPurgeStops},
		{"PurgeBeside", testPurgeBeside},
		{"PurgedKeyIsNew", testPurgedKey},
		{"PurgePosts", testPurgePosts},
		{"PurgeRevisions", testPurgeRevisions},
		{"UsedBlobs", testUsedBlobs},
		{"Replay", testReplay},
		{"ReplayOrder", testReplayOrder},
		{"Discarded", testDiscarded},
		{"Duty", testDuty},
		{"DutyLost", testDutyLost},
		{"Rate", testRate},
		{"RateHold", testRateHold},
		{"RateLate", testRateLate},
		{"RateWait", testRateWait},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, b) })
	}
	if b.Shared {
		t.Run("RateShared", func(t *testing.T) { testRateShared(t, b) })
		t.Run("RateOwnerDies", func(t *testing.T) { testRateOwnerDies(t, b) })
		t.Run("DutyShared", func(t *testing.T) { testDutyShared(t, b) })
		t.Run("ReplayTwice", func(t *testing.T) { testReplayTwice(t, b) })
	}
}

const day = 24 * time.Hour

// month keeps everything for thirty days.
func month() store.Keep {
	return store.Keep{Events: 30 * day, RawMail: 30 * day, Deliveries: 30 * day, Posts: 30 * day, Notes: 30 * day, Held: 30 * day, Dead: 30 * day}
}

func purge(t testing.TB, s *store.Store, k store.Keep) store.Purged {
	t.Helper()
	return must(s.Purge(ctxOf(t), k))(t)
}

func hasEvent(t testing.TB, s *store.Store, id int64) bool {
	t.Helper()
	_, found, err := s.Event(ctxOf(t), id)
	ok(t, err)
	return found
}

// bury gives a lane's jobs up.
func bury(t testing.TB, s *store.Store, l *store.Lease) {
	t.Helper()
	ok(t, s.Finish(ctxOf(t), l, func(tx *store.Tx) error {
		for _, j := range l.Jobs {
			if err := tx.Bury(j, "no use"); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Each table by its own time, and not a moment sooner.
func testPurgeAges(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx := ctxOf(t)
	keep := store.Keep{Events: 50 * day, RawMail: 10 * day, Deliveries: 60 * day, Posts: 20 * day, Notes: 30 * day, Held: 40 * day, Dead: 45 * day}
	p := ensure(t, s, "bob", 5)
	mail, _, err := s.Record(ctx, store.Arrival{Source: "mail", Body: []byte("{}"), Content: []byte("raw"), Jobs: []store.LaneJob{job("post", "in")}})
	ok(t, err)
	large, _, err := s.Record(ctx, store.Arrival{Source: "mail", Body: []byte("{}"), Ref: "blob"})
	ok(t, err)
	finish(t, s, claimOne(t, s, "post"))
	doomed := record(t, s, "doomed", job("doom", "x"))
	bury(t, s, claimOne(t, s, "doom"))
	addDelivery(t, s, store.Delivery{ID: "d", Participant: p.ID, Recipient: "r", NewestAt: 1}, store.Mailed{Message: "1"})
	do(t, s, func(tx *store.Tx) error {
		if err := tx.Hold(store.Held{Event: mail, Reason: "r", State: store.HeldRefused}); err != nil {
			return err
		}
		if err := tx.Note(store.Note{What: "noted"}); err != nil {
			return err
		}
		if err := tx.PlanPosts([]store.Post{{ID: "p", Batch: "b", Conversation: p.Conversation.ID, State: store.Posted}}); err != nil {
			return err
		}
		if err := tx.UseBlobs("d", "attached"); err != nil {
			return err
		}
		if err := tx.Revise("sendbird", "room", "1", store.Revision{Text: "new"}, clock.Now()); err != nil {
			return err
		}
		if err := tx.SawRead("sendbird", "room", postern.ReadMark{User: "bob", At: clock.Now()}); err != nil {
			return err
		}
		_, err := tx.Advance("d", store.Delivered, clock.Now(), "")
		return err
	})
	started := clock.Now()
	for _, step := range []struct {
		after time.Duration
		want  store.Purged
	}{
		{10 * day, store.Purged{}},
		{10*day + 1, store.Purged{"raw_mail": 2}},
		{20*day + 1, store.Purged{"posts": 1}},
		{30*day + 1, store.Purged{"notes": 1}},
		{40*day + 1, store.Purged{"held": 1}},
		{45 * day, store.Purged{}},
		{45*day + 1, store.Purged{"dead_jobs": 1}},
		{50*day + 1, store.Purged{"events": 3, "revisions": 1, "reads": 1}},
		{60 * day, store.Purged{}},
		{60*day + 1, store.Purged{"deliveries": 1}},
		{600 * day, store.Purged{}},
	} {
		clock.Move(started.Add(step.after.Truncate(time.Millisecond)).Sub(clock.Now()))
		if step.after%time.Millisecond != 0 {
			clock.Move(time.Millisecond)
		}
		if got := purge(t, s, keep); !equalCounts(got, step.want) {
			t.Errorf("after %v: %v, want %v", step.after, got, step.want)
		}
	}
	for _, id := range []int64{mail, large, doomed} {
		if hasEvent(t, s, id) {
			t.Errorf("event %d is still there", id)
		}
	}
	if again := must(s.Recipient(ctx, p.Platform, p.Channel, p.User, []postern.MessageID{"1"}))(t); again.Participant.ID != p.ID || again.Mailed["1"] {
		t.Error("what was mailed outlived its delivery")
	}
	if got, found, err := s.Participant(ctx, p.ID); err != nil || !found || got.Revoked {
		t.Error("the reply address is gone", got, found, err)
	}
	if used := must(s.UsedBlobs(ctx, []string{"blob", "attached"}))(t); len(used) > 0 {
		t.Errorf("blobs in use: %v", used)
	}
}

func equalCounts(got, want store.Purged) bool {
	for k, n := range got {
		if want[k] != n {
			return false
		}
	}
	for k, n := range want {
		if got[k] != n {
			return false
		}
	}
	return true
}

// Zero keeps for ever.
func testPurgeNothing(t *testing.T, b Backend) {
	s, clock := open(t, b)
	id := record(t, s, "1")
	do(t, s, func(tx *store.Tx) error { return tx.Note(store.Note{What: "w"}) })
	clock.Move(10000 * day)
	if got := purge(t, s, store.Keep{}); !equalCounts(got, store.Purged{}) || !hasEvent(t, s, id) {
		t.Errorf("removed %v", got)
	}
}

// More than one batch of everything.
// Deliveries whose ids say a later time than they are of go late, and never too early.
func testPurgeClockWasWrong(t *testing.T, b Backend) {
	s, clock := open(t, b)
	add := func(prefix string, n int) {
		do(t, s, func(tx *store.Tx) error {
			for i := range n {
				id := postern.DeliveryID(fmt.Sprintf("%s%04d", prefix, i))
				d := store.Delivery{ID: id, MessageID: string(id) + "@x", State: store.Accepted, Content: []byte{}}
				if err := tx.AddDelivery(d, []store.Mailed{{Message: postern.MessageID(id)}}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	add("late", 3)
	clock.Move(20 * day)
	add("early", 600)
	for _, step := range []struct {
		after time.Duration
		gone  int64
	}{{9 * day, 0}, {7 * day, 0}, {20 * day, 603}, {0, 0}} {
		clock.Move(step.after)
		if got := purge(t, s, month())["deliveries"]; got != step.gone {
			t.Errorf("%d gone, want %d", got, step.gone)
		}
	}
}

func testPurgeMany(t *testing.T, b Backend) {
	s, clock := open(t, b)
	const n = 1203
	p := ensure(t, s, "bob", 5)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, _, err := s.Record(context.Background(), store.Arrival{Source: "mail", Body: []byte("{}"), Content: []byte("raw")}); err != nil {
				t.Error(i, err)
			}
		})
	}
	wg.Wait()
	do(t, s, func(tx *store.Tx) error {
		for i := range n {
			if err := tx.Note(store.Note{What: "n"}); err != nil {
				return err
			}
			id := postern.DeliveryID(fmt.Sprint("d", i))
			d := store.Delivery{ID: id, Participant: p.ID, MessageID: string(id) + "@x", Recipient: "r", Content: []byte("{}")}
			if err := tx.AddDelivery(d, []store.Mailed{{Message: postern.MessageID(fmt.Sprint(i))}}); err != nil {
				return err
			}
			if i%100 == 0 {
				continue // never taken by the provider
			}
			if _, err := tx.Advance(id, store.Accepted, tx.Now(), ""); err != nil {
				return err
			}
			if err := tx.Revise("p", "c", postern.MessageID(fmt.Sprint(i)), store.Revision{}, tx.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	clock.Move(31 * day)
	young := record(t, s, "young")
	got := purge(t, s, month())
	if want := (store.Purged{"events": n, "raw_mail": n, "notes": n, "deliveries": n - 13, "revisions": n - 13}); !equalCounts(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if !hasEvent(t, s, young) {
		t.Error("the young one is gone")
	}
}

// One that is asked to stop says so, and what is left goes the next time.
func testPurgeStops(t *testing.T, b Backend) {
	s, clock := open(t, b)
	id := record(t, s, "1")
	clock.Move(31 * day)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Purge(ctx, month()); err == nil {
		t.Error("stopped without a word")
	}
	purge(t, s, month())
	if hasEvent(t, s, id) {
		t.Error("left behind")
	}
}

// Lanes go on while old things are removed, and nothing of theirs is lost.
func testPurgeBeside(t *testing.T, b Backend) {
	s, clock := open(t, b)
	for i := range 1100 {
		record(t, s, fmt.Sprint("old", i))
	}
	held := record(t, s, "waits", job("waits", "x"))
	clock.Move(31 * day)
	finishLater := claimOne(t, s, "waits")
	done := make(chan error, 1)
	go func() { _, err := s.Purge(context.Background(), month()); done <- err }()
	var ids []int64
	for i := range 200 {
		id := record(t, s, fmt.Sprint("new", i), job(fmt.Sprint("lane", i), "x"))
		finish(t, s, claimOne(t, s, fmt.Sprint("lane", i)))
		ids = append(ids, id)
	}
	ok(t, receive(t, done, "the purge"))
	for _, id := range append(ids, held) {
		if !hasEvent(t, s, id) {
			t.Fatalf("event %d is gone", id)
		}
	}
	finish(t, s, finishLater)
}

// The key of an event that is gone is nobody's.
func testPurgedKey(t *testing.T, b Backend) {
	s, clock := open(t, b)
	first := record(t, s, "key")
	clock.Move(29 * day)
	purge(t, s, month())
	if _, dup, err := s.Record(ctxOf(t), store.Arrival{Source: "test", Dedup: "key", Digest: []byte("d"), Body: []byte("key")}); err != nil || !dup {
		t.Error("a repeat within the time was taken for new", err)
	}
	clock.Move(2 * day)
	purge(t, s, month())
	if again := record(t, s, "key"); again <= first {
		t.Errorf("ids go back: %d after %d", again, first)
	}
}

// A batch goes as a whole: what is left of half a batch would be posted by itself.
func testPurgePosts(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx := ctxOf(t)
	p := ensure(t, s, "bob", 5)
	mail := record(t, s, "mail")
	plan := func(batch string, states ...store.PostState) {
		do(t, s, func(tx *store.Tx) error {
			for i, st := range states {
				id := postern.PostID(fmt.Sprint(batch, i))
				if err := tx.PlanPosts([]store.Post{{ID: id, Batch: batch, Seq: i, Conversation: p.Conversation.ID, User: "bob", State: st}}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	plan("done", store.Posted, store.Posted)
	plan("half", store.Posted, store.Posting)
	plan("planned", store.Planned)
	plan("refused", store.Posted, store.Refused)
	do(t, s, func(tx *store.Tx) error {
		return tx.Hold(store.Held{Event: mail, Participant: p.ID, Reason: "refused", State: store.HeldWaiting})
	})
	clock.Move(31 * day)
	left := func(want ...string) {
		t.Helper()
		purge(t, s, month())
		var got []string
		for _, batch := range []string{"done", "half", "planned", "refused"} {
			if n := len(must(s.Posts(ctx, batch))(t)); n > 0 {
				got = append(got, fmt.Sprint(batch, n))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("left: %v, want %v", got, want)
		}
	}
	left("half2", "planned1", "refused2")
	h := must(s.HeldMail(ctx, 0, 10))(t)
	must(s.Settle(ctx, h[0].ID, store.HeldReleased, func(tx *store.Tx, h store.Held) error { return tx.AddFor(h.Event, job("l", "x")) }))(t)
	left("half2", "planned1", "refused2") // let through, not posted yet
	bury(t, s, claimOne(t, s, "l"))
	left("half2", "planned1", "refused2") // nor given up for good
	must(s.DiscardDead(ctx, must(s.DeadJobs(ctx, "", 0, 1))(t)[0].ID))(t)
	do(t, s, func(tx *store.Tx) error { return tx.PostEnds("half1", store.Posted, "c", "") })
	left("planned1")
}

// What a forgotten job was about hears of it, whoever forgets it, in the same write.
func testDiscarded(t *testing.T, b Backend) {
	clock := NewClock()
	var heard []string
	var fails error
	s := openAt(t, store.Config{Database: b.Fresh(t), Now: clock.Now, Lease: lease, Discarded: func(tx *store.Tx, j store.LaneJob) error {
		heard = append(heard, j.Lane+" "+j.Kind+" "+string(j.Args))
		return fails
	}})
	ctx := ctxOf(t)
	for _, lane := range []string{"a", "b", "c"} {
		do(t, s, func(tx *store.Tx) error {
			return tx.Add(store.LaneJob{Lane: lane, Kind: "x", Args: []byte("of " + lane)})
		})
		bury(t, s, claimOne(t, s, lane))
	}
	dead := must(s.DeadJobs(ctx, "", 0, 10))(t)
	fails = errors.New("not now")
	if _, err := s.DiscardDead(ctx, dead[0].ID); err == nil {
		t.Error("forgotten although what it was about could not be told")
	}
	heard, fails = nil, nil
	must(s.DiscardDead(ctx, dead[0].ID))(t)
	must(s.Replay(ctx, dead[1].ID))(t)
	clock.Move(31 * day)
	purge(t, s, month())
	if want := []string{"a x of a", "c x of c"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
	if left := must(s.DeadJobs(ctx, "", 0, 10))(t); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
}

// What is known of a message stays while a job may be about it, given up or not.
func testPurgeRevisions(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx := ctxOf(t)
	do(t, s, func(tx *store.Tx) error {
		if err := tx.Revise("p", "c", "old", store.Revision{Removed: true}, clock.Now().Add(-48*time.Hour)); err != nil {
			return err
		}
		if err := tx.SawRead("p", "c", postern.ReadMark{User: "bob", At: clock.Now()}); err != nil {
			return err
		}
		return tx.Revise("p", "c", "m", store.Revision{Removed: true}, clock.Now().Add(-time.Hour)) // its clock is slow
	})
	record(t, s, "m", job("l", "x"))
	clock.Move(31 * day)
	check := func(when string, stays bool) {
		t.Helper()
		purge(t, s, month())
		now := must(s.Revisions(ctx, "p", "c", []postern.MessageID{"m", "old"}))(t)
		read := must(s.Recipient(ctx, "p", "c", "bob", nil))(t).Participant.ReadAt
		if now["m"].Removed != stays || now["old"].Removed || (read > 0) != stays {
			t.Errorf("%s: %v, read %d", when, now, read)
		}
	}
	check("open", true)
	bury(t, s, claimOne(t, s, "l"))
	check("given up", true)
	must(s.DiscardDead(ctx, must(s.DeadJobs(ctx, "", 0, 1))(t)[0].ID))(t)
	check("over", false)
}

func testUsedBlobs(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx := ctxOf(t)
	p := ensure(t, s, "bob", 5)
	_, _, err := s.Record(ctx, store.Arrival{Source: "mail", Body: []byte("{}"), Ref: "of-event"})
	ok(t, err)
	addDelivery(t, s, store.Delivery{ID: "d", Participant: p.ID, Recipient: "r"})
	do(t, s, func(tx *store.Tx) error { return tx.UseBlobs("d", "of-delivery", "of-delivery") })
	refs := []string{"of-event", "of-delivery"}
	for i := range 250 {
		refs = append(refs, fmt.Sprint("nobody's", i))
	}
	used := must(s.UsedBlobs(ctx, refs))(t)
	if len(used) != 2 || !used["of-event"] || !used["of-delivery"] {
		t.Errorf("%v", used)
	}
	clock.Move(31 * day)
	purge(t, s, month())
	used = must(s.UsedBlobs(ctx, refs))(t)
	if len(used) != 1 || !used["of-delivery"] { // the provider never had it
		t.Errorf("after the purge: %v", used)
	}
	if len(must(s.UsedBlobs(ctx, nil))(t)) != 0 {
		t.Error("of no blobs some are used")
	}
	if one, two := must(s.ID(ctx))(t), must(s.ID(ctx))(t); one == "" || one != two {
		t.Errorf("the database is called %q, %q", one, two)
	}
}
