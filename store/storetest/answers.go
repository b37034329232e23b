package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// One look at a participant whose answer came tells what many would.
func testAnswerer(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx := ctxOf(t)
	const who = postern.ParticipantID(1<<63 | 9)
	if _, found, err := s.Answerer(ctx, who, "batch"); found || err != nil {
		t.Fatal(found, err)
	}
	bob, start := ensure(t, s, "bob", who), clock.Now()
	ensure(t, s, "eve", 12)
	compare := func(last int, before bool) {
		t.Helper()
		got, found, err := s.Answerer(ctx, who, "batch")
		if err != nil || !found {
			t.Fatal(found, err)
		}
		want := store.Answerer{Last: must(s.LastStates(ctx, who, store.LastFew))(t), Before: before, Since: start}
		for i := range want.Last {
			want.Last[i], _, _ = s.Delivery(ctx, want.Last[i].ID)
		}
		want.Participant, _, _ = s.Participant(ctx, who)
		want.Person, want.Known, _ = s.Person(ctx, "bob")
		if diff := cmp.Diff(want, got); diff != "" || len(got.Last) != last || got.ID != bob.ID {
			t.Errorf("%d deliveries; %s", len(got.Last), diff)
		}
	}
	compare(0, false)
	ok(t, s.PutPeople(ctx, postern.Person{UserID: "bob", Email: "bob@example.com", Name: "Bob", Locale: "de", TimeZone: "Europe/Berlin"}))
	do(t, s, func(tx *store.Tx) error {
		if _, err := tx.StopPerson("bob", "", postern.StopBounced, "no such box"); err != nil {
			return err
		}
		return tx.SawRead("sendbird", "room", postern.ReadMark{User: "bob", At: time.UnixMilli(77)})
	})
	compare(0, false)
	for i, newest := range []int64{10, 30, 30, 20, 40, 5, 7, 31, 33, 2, 50} { // two of one moment: the later made comes first
		clock.Move(time.Second)
		id := postern.DeliveryID(fmt.Sprintf("d%d", i))
		addDelivery(t, s, store.Delivery{ID: id, Participant: who, Recipient: "bob@example.com", Content: []byte(id), NewestAt: newest, State: store.Sending, AttemptedAt: clock.Now()})
		compare(min(i+1, store.LastFew), false)
	}
	do(t, s, func(tx *store.Tx) error { return tx.Unsent("d10") }) // never went out
	addDelivery(t, s, store.Delivery{ID: "other", Participant: 12, NewestAt: 99, State: store.Sending})
	compare(store.LastFew, false)
	do(t, s, func(tx *store.Tx) error {
		return tx.PlanPosts([]store.Post{{ID: "p1", Batch: "batch", Conversation: bob.Conversation.ID}, {ID: "p2", Batch: "batch", Seq: 1, Conversation: bob.Conversation.ID}})
	})
	compare(store.LastFew, true)
	ok(t, s.SetMuted(ctx, who, true))
	ok(t, s.Revoke(ctx, who))
	compare(store.LastFew, true)
}

// Many who look at once each get their own answer.
func testLookTogether(t *testing.T, b Backend) {
	s, _ := open(t, b)
	const n = 70
	for i := range n {
		id := postern.ParticipantID(i + 1)
		ensure(t, s, postern.UserID(fmt.Sprint("u", i)), id)
		addDelivery(t, s, store.Delivery{ID: postern.DeliveryID(fmt.Sprint("d", i)), Participant: id, NewestAt: 1, State: store.Accepted, Content: []byte(fmt.Sprint("c", i))})
	}
	var all sync.WaitGroup
	for i := range n + 5 { // some are nobody's
		all.Go(func() {
			a, found, err := s.Answerer(ctxOf(t), postern.ParticipantID(i+1), "none")
			m, found2, err2 := s.Marks(ctxOf(t), postern.ParticipantID(i+1), "mail/")
			if err != nil || err2 != nil || found != (i < n) || found2 != found {
				t.Error(i, found, found2, err, err2)
			}
			if !found {
				return
			}
			if a.User != postern.UserID(fmt.Sprint("u", i)) || len(a.Last) != 1 || string(a.Last[0].Content) != fmt.Sprint("c", i) || m.User != a.User || len(m.Since) != 1 || m.Since[0].ID != a.Last[0].ID {
				t.Errorf("%d: %+v %+v", i, a, m)
			}
		})
	}
	all.Wait()
	ended, end := context.WithCancel(ctxOf(t))
	end()
	if _, _, err := s.Answerer(ended, 1, ""); err == nil {
		t.Error("answered to nobody")
	}
	ok(t, s.Close())
	if _, _, err := s.Answerer(ctxOf(t), 1, ""); postern.KindOf(err) != postern.Temporary {
		t.Error(err)
	}
}

// What marks depend on is seen at once.
func testMarks(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx := ctxOf(t)
	if _, found, err := s.Marks(ctx, 5, "mail/"); found || err != nil {
		t.Fatal(found, err)
	}
	ensure(t, s, "bob", 5)
	expect := func(busy, between bool, first int64, since string) {
		t.Helper()
		m, found, err := s.Marks(ctx, 5, "mail/")
		if err != nil || !found {
			t.Fatal(found, err)
		}
		p, _, _ := s.Participant(ctx, 5)
		listed := must(s.Deliveries(ctx, 5, max(p.OwnReadUpto, p.OwnDeliveredUpto)))(t)
		ids := ""
		for _, d := range m.Since {
			ids += string(d.ID) + " "
		}
		if diff := cmp.Diff(listed, m.Since); diff != "" || m.Participant != p {
			t.Error(diff)
		}
		if m.Busy != busy || m.Between != between || m.FirstMailed != first || ids != since {
			t.Errorf("busy %t, between %t, first %d, since %q", m.Busy, m.Between, m.FirstMailed, ids)
		}
	}
	expect(false, false, 0, "")
	for i, newest := range []int64{20, 10, 30} {
		id := postern.DeliveryID(fmt.Sprintf("d%d", i))
		addDelivery(t, s, store.Delivery{ID: id, Participant: 5, NewestAt: newest}, store.Mailed{Message: postern.MessageID(id), CreatedAt: newest - 5})
	}
	expect(false, false, 5, "d1 d0 d2 ")
	do(t, s, func(tx *store.Tx) error { return tx.Marked(5, false, 20) })
	expect(false, true, 0, "d2 ") // the read mark would go over what is on its way
	do(t, s, func(tx *store.Tx) error {
		for _, id := range []postern.DeliveryID{"d0", "d1"} {
			if _, err := tx.Advance(id, store.Delivered, tx.Now(), ""); err != nil {
				return err
			}
		}
		return nil
	})
	expect(false, false, 0, "d2 ")
	do(t, s, func(tx *store.Tx) error {
		if err := tx.Marking(5); err != nil {
			return err
		}
		if err := tx.Marked(5, false, 30); err != nil {
			return err
		}
		return tx.Marked(5, true, 20)
	})
	expect(false, true, 0, "")
	if p, _, err := s.Participant(ctx, 5); err != nil || p.OwnReadUpto != 20 || p.OwnDeliveredUpto != 30 {
		t.Errorf("%+v %v", p, err)
	}
	do(t, s, func(tx *store.Tx) error {
		return tx.Add(store.LaneJob{Lane: "mail/sendbird/room/bob", Kind: "send"}, store.LaneJob{Lane: "mail/sendbird/room/eve", Kind: "fanout"})
	})
	expect(true, true, 0, "")
	overtaken := func(m store.Marks, after int64, lane string) (got [2]bool) {
		do(t, s, func(tx *store.Tx) (err error) {
			got[0], got[1], err = tx.Overtaken(m, after, "mail/sendbird/room/"+lane, "mail/sendbird/room/"+lane, "fanout")
			return err
		})
		return got
	}
	for lane, want := range map[string][2]bool{"bob": {true, false}, "eve": {true, true}, "cy": {}} {
		if got := overtaken(store.Marks{}, 0, lane); got != want {
			t.Errorf("%s: %v", lane, got)
		}
	}
	clock.Move(time.Minute)
	m, _, err := s.Marks(ctx, 5, "mail/")
	if err != nil {
		t.Fatal(err)
	}
	if got := overtaken(m, 0, "cy"); got != [2]bool{} { // what was there when they were looked at
		t.Error("overtaken by what was seen")
	}
	do(t, s, func(tx *store.Tx) error {
		return tx.AddDelivery(store.Delivery{ID: "dx", Participant: 5, MessageID: "dx@x", State: store.Sending, NewestAt: 77, Content: []byte("{}")}, nil)
	})
	if got := overtaken(m, 76, "cy"); got != [2]bool{true} {
		t.Error("not overtaken by a mail")
	}
	if overtaken(m, 77, "cy") != [2]bool{} || overtaken(store.Marks{}, 76, "cy") != [2]bool{} {
		t.Error("overtaken by what is not asked for")
	}
}

// Many posts that are planned, made and answered in one transaction end as one by one.
func testPostsTogether(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx := ctxOf(t)
	const n = 45 // several statements
	for i := range n {
		addDelivery(t, s, store.Delivery{ID: postern.DeliveryID(fmt.Sprint("d", i)), Participant: postern.ParticipantID(i + 1), State: store.Accepted})
	}
	do(t, s, func(tx *store.Tx) error {
		for i := range n {
			id := fmt.Sprint(i)
			p := store.Post{ID: postern.PostID("p" + id), Batch: "b" + id, Conversation: 1, Text: "a\x00b", State: store.Posting, AttemptedAt: tx.Now()}
			if err := tx.PlanPosts([]store.Post{p}); err != nil {
				return err
			}
			if err := tx.Answered(postern.DeliveryID("d" + id)); err != nil {
				return err
			}
			if i%2 == 0 {
				if err := tx.PostEnds(p.ID, store.Posted, postern.MessageID("c"+id), ""); err != nil {
					return err
				}
			}
		}
		return nil
	})
	for i := range n {
		id := fmt.Sprint(i)
		want := store.Post{ID: postern.PostID("p" + id), Batch: "b" + id, Conversation: 1, Text: "a\uFFFDb", State: store.Posting, AttemptedAt: clock.Now()}
		if i%2 == 0 {
			want.State, want.ChatID = store.Posted, postern.MessageID("c"+id)
		}
		if diff := cmp.Diff([]store.Post{want}, must(s.Posts(ctx, want.Batch))(t)); diff != "" {
			t.Error(diff)
		}
		if d, _, err := s.Delivery(ctx, postern.DeliveryID("d"+id)); err != nil || d.State != store.Delivered || d.AnsweredAt.IsZero() {
			t.Errorf("%+v %v", d, err)
		}
	}
	if counts := must(s.DeliveryCounts(ctx))(t); counts["delivered"] != n || counts["accepted"] != 0 {
		t.Error(counts)
	}
}
