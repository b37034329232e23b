package storetest

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

func testPeople(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx := ctxOf(t)
	bob := postern.Person{UserID: "bob", Email: "bob@example.com", Name: "Bob\x00", Locale: "de", TimeZone: "Europe/Berlin"}
	ok(t, s.PutPeople(ctx, bob))
	person := func(id postern.UserID) postern.Person {
		t.Helper()
		p, found, err := s.Person(ctx, id)
		if err != nil || !found {
			t.Fatal(found, err)
		}
		return p
	}
	bob.Name = "Bob\uFFFD"
	if diff := cmp.Diff(bob, person("bob")); diff != "" {
		t.Fatal(diff)
	}
	stop := func(id postern.UserID, why postern.StopReason, fresh bool) {
		t.Helper()
		do(t, s, func(tx *store.Tx) error {
			got, err := tx.StopPerson(id, "bob@example.com", why, "550")
			if got != fresh {
				t.Errorf("stop of %s: fresh %v", id, got)
			}
			return err
		})
	}
	stop("bob", postern.StopBounced, true)
	stop("bob", postern.StopComplained, false) // the first reason stays
	do(t, s, func(tx *store.Tx) error {
		got, found, err := tx.Person("bob")
		if !found || got.Stopped != postern.StopBounced || !got.StoppedAt.Equal(clock.Now()) {
			t.Errorf("within a transaction: %+v", got)
		}
		return err
	})
	for _, step := range []struct {
		email string
		want  postern.StopReason
	}{{"bob@example.com", postern.StopBounced}, {"Bob@Example.com", postern.StopBounced}, {"new@example.com", ""}} {
		bob.Email = step.email
		ok(t, s.PutPeople(ctx, bob))
		if p := person("bob"); p.Stopped != step.want || p.Email != step.email || (p.StoppedDetail == "") != (step.want == "") || p.StoppedAt.IsZero() != (step.want == "") {
			t.Errorf("put again as %s: %+v", step.email, p)
		}
	}
	stop("bob", postern.StopUnsubscribed, true)
	if lifted := must(s.LiftPerson(ctx, "bob"))(t); !lifted || person("bob").Stopped != "" {
		t.Error("not lifted")
	}
	if lifted := must(s.LiftPerson(ctx, "bob"))(t); lifted {
		t.Error("lifted twice")
	}
	stop("stranger@example.com", postern.StopSuppressed, true) // known by user id alone
	if p := person("stranger@example.com"); p.Stopped != postern.StopSuppressed || p.Email != "bob@example.com" {
		t.Errorf("%+v", p)
	}
	if gone := must(s.DeletePerson(ctx, "bob"))(t); !gone {
		t.Error("not deleted")
	}
	if gone := must(s.DeletePerson(ctx, "bob"))(t); gone {
		t.Error("deleted twice")
	}
	if _, found, err := s.Person(ctx, "bob"); found || err != nil {
		t.Error(found, err)
	}
	if err := s.PutPeople(ctx, postern.Person{UserID: postern.UserID(strings.Repeat("u", 5000))}); postern.KindOf(err) != postern.Invalid {
		t.Errorf("a long user id: %v", err)
	}

	many := make([]postern.Person, 700)
	for i := range many {
		many[i] = postern.Person{UserID: postern.UserID(fmt.Sprintf("user%04d", i)), Email: "u@example.com"}
	}
	ok(t, s.PutPeople(ctx, many...))
	var got []postern.UserID
	for after := postern.UserID(""); ; {
		page := must(s.People(ctx, after, 300))(t)
		if len(page) == 0 {
			break
		}
		for _, p := range page {
			got = append(got, p.UserID)
		}
		after = got[len(got)-1]
	}
	if len(got) != 701 || got[1] != "user0000" || got[700] != "user0699" {
		t.Errorf("%d people listed", len(got))
	}
}

// ensure makes a participant of conversation "room".
func ensure(t testing.TB, s *store.Store, user postern.UserID, id postern.ParticipantID) store.Participant {
	t.Helper()
	var p store.Participant
	do(t, s, func(tx *store.Tx) (err error) {
		p, err = tx.EnsureParticipant(store.NewConversation{Platform: "sendbird", Channel: "room", Name: "Room", Subject: "Subject", RootID: "root@x"}, user, id)
		return err
	})
	return p
}

func testParticipants(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx := ctxOf(t)
	const high = postern.ParticipantID(1<<63 | 5) // ids have 64 bits
	p := ensure(t, s, "bob", high)
	if p.ID != high || p.Subject != "Subject" || p.RootID != "root@x" || p.User != "bob" || p.Channel != "room" {
		t.Fatalf("%+v", p)
	}
	if again := ensure(t, s, "bob", 7); again != p {
		t.Errorf("made again: %+v", again)
	}
	cy := ensure(t, s, "cy", 8)
	if cy.Conversation != p.Conversation || cy.ID != 8 {
		t.Errorf("%+v", cy)
	}
	do(t, s, func(tx *store.Tx) error {
		for _, name := range []string{"", "Renamed"} { // no name is no new name
			c := store.NewConversation{Platform: "sendbird", Channel: "room", Name: name, Subject: "Other", RootID: "other@x"}
			if _, err := tx.EnsureParticipant(c, "bob", 9); err != nil {
				return err
			}
		}
		return nil
	})
	p.Name = "Renamed"
	do(t, s, func(tx *store.Tx) error {
		got, found, err := tx.Participant(high)
		if got != p || !found {
			t.Errorf("within a transaction: %+v", got)
		}
		return err
	})
	find := func() store.Participant {
		t.Helper()
		one, found1, err1 := s.Participant(ctx, high)
		two, found2, err2 := participantOf(t, s, "sendbird", "room", "bob")
		if err1 != nil || err2 != nil || !found1 || !found2 || one != two {
			t.Fatal(one, found1, err1, two, found2, err2)
		}
		return one
	}
	if got := find(); got != p {
		t.Errorf("%+v, want %+v", got, p)
	}
	if c, found, err := s.Conversation(ctx, p.Conversation.ID); err != nil || !found || c != p.Conversation {
		t.Error(c, found, err)
	}
	ok(t, s.SetMuted(ctx, high, true))
	ok(t, s.Revoke(ctx, high))
	if got := find(); !got.Muted || !got.Revoked {
		t.Errorf("%+v", got)
	}
	ok(t, s.SetMuted(ctx, high, false))
	mark := func(fn func(tx *store.Tx) error, read, ownRead, ownDelivered int64) {
		t.Helper()
		do(t, s, fn)
		if got := find(); got.Muted || got.ReadAt != read || got.OwnReadUpto != ownRead || got.OwnDeliveredUpto != ownDelivered {
			t.Errorf("%+v, want %d %d %d", got, read, ownRead, ownDelivered)
		}
	}
	saw := func(ms int64) func(tx *store.Tx) error {
		return func(tx *store.Tx) error {
			return tx.SawRead("sendbird", "room", postern.ReadMark{User: "bob", At: time.UnixMilli(ms)})
		}
	}
	mark(saw(500), 500, 0, 0)
	mark(saw(400), 500, 0, 0)
	mark(func(tx *store.Tx) error {
		return tx.SawRead("sendbird", "room", postern.ReadMark{User: "nobody", At: time.UnixMilli(1)})
	}, 500, 0, 0)
	mark(func(tx *store.Tx) error { return tx.Marked(high, false, 300) }, 500, 0, 300)
	mark(func(tx *store.Tx) error { return tx.Marked(high, false, 200) }, 500, 0, 300)
	mark(func(tx *store.Tx) error { return tx.Marked(high, true, 300) }, 500, 300, 300)
	clock.Move(time.Second)
	mark(func(tx *store.Tx) error { return tx.Marked(high, true, 200) }, 500, 300, 300)
	if got := find(); got.OwnReadAt != clock.Now().UnixMilli() {
		t.Errorf("own read at %d", got.OwnReadAt)
	}
	mark(func(tx *store.Tx) error { return tx.Marking(high) }, 500, 300, 300)
	if got := find(); got.OwnReadAt <= clock.Now().UnixMilli() {
		t.Errorf("while a call is under way: own read at %d", got.OwnReadAt)
	}
	mark(func(tx *store.Tx) error { return tx.Marked(high, true, 0) }, 500, 300, 300)
	if got := find(); got.OwnReadAt != clock.Now().UnixMilli() {
		t.Errorf("after it: own read at %d", got.OwnReadAt)
	}
}

// A message goes to a participant once, ever.
func testMailed(t *testing.T, b Backend) {
	s, _ := open(t, b)
	ctx := ctxOf(t)
	ensure(t, s, "bob", 1)
	ensure(t, s, "cy", 2)
	mailed := func(user postern.UserID, ids ...postern.MessageID) map[postern.MessageID]bool {
		t.Helper()
		return must(s.Recipient(ctx, "sendbird", "room", user, ids))(t).Mailed
	}
	d := store.Delivery{ID: "d1", Participant: 1, MessageID: "d1@x", Content: []byte{}}
	addDelivery(t, s, d, store.Mailed{Message: "a"}, store.Mailed{Message: "b"})
	again := store.Delivery{ID: "d2", Participant: 1, MessageID: "d2@x", Content: []byte{}}
	err := s.Do(ctx, func(tx *store.Tx) error {
		return tx.AddDelivery(again, []store.Mailed{{Message: "c"}, {Message: "b"}})
	})
	if postern.KindOf(err) != postern.Internal {
		t.Errorf("mailed twice: %v", err)
	}
	if _, found, _ := s.Delivery(ctx, "d2"); found {
		t.Error("half of it was written")
	}
	// A delivery is found by its Message-ID, which so belongs to it alone.
	for id, message := range map[postern.DeliveryID]string{"d3": "d1@x", "d4": "d4", "d5": "", "d6": "d61@x", "d7@x": "d7@x", "": "x"} {
		err = s.Do(ctx, func(tx *store.Tx) error {
			return tx.AddDelivery(store.Delivery{ID: id, Participant: 2, MessageID: message, Content: []byte{}}, nil)
		})
		if postern.KindOf(err) != postern.Invalid {
			t.Errorf("%q of %q: %v", message, id, err)
		}
	}
	for _, message := range []string{"d1@y", "d1", "@x", "", "D1@x"} {
		if d, found, err := s.DeliveryByMessageID(ctx, message); found || err != nil {
			t.Errorf("%q finds %+v, %v", message, d, err)
		}
	}
	again.Participant = 2
	addDelivery(t, s, again, store.Mailed{Message: "b"})
	var ids []postern.MessageID
	for i := range 250 {
		ids = append(ids, postern.MessageID(fmt.Sprint("x", i)))
	}
	ids[240], ids[120] = "a", "b"
	for n, want := range map[int]int{0: 0, 1: 0, 5: 0, 121: 1, 250: 2} {
		if got := mailed("bob", ids[:n]...); len(got) != want || n == 250 && !(got["a"] && got["b"]) {
			t.Errorf("of %d messages mailed before: %v", n, got)
		}
	}
	if got := mailed("cy", "a", "b"); len(got) != 1 || !got["b"] {
		t.Errorf("%v", got)
	}
}

// Edits and deletions in any order: a deletion stands, else the newest edit.
func testRevisions(t *testing.T, b Backend) {
	s, _ := open(t, b)
	var n atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		id := postern.MessageID(fmt.Sprint("m", n.Add(1)))
		times := rapid.SliceOfNDistinct(rapid.Int64Range(1, 50), 1, 6, rapid.ID[int64]).Draw(rt, "times")
		var want store.Revision
		newest := int64(0)
		for _, at := range times {
			r := store.Revision{Removed: rapid.IntRange(0, 4).Draw(rt, "kind") == 0, Text: fmt.Sprint("text", at)}
			if r.Removed {
				r.Text = ""
			}
			if !want.Removed && (r.Removed || at > newest) {
				want, newest = r, at
			}
			do(t, s, func(tx *store.Tx) error { return tx.Revise("p", "c", id, r, time.UnixMilli(at)) })
		}
		got := must(s.Revisions(ctxOf(t), "p", "c", []postern.MessageID{"none", id}))(t)
		if len(got) != 1 || got[id] != want {
			rt.Fatalf("%v, want %v", got, want)
		}
	})
}

func testPosts(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx := ctxOf(t)
	post := func(id string, seq int) store.Post {
		return store.Post{ID: postern.PostID(id), Batch: "batch", Seq: seq, Conversation: 3, User: "bob", Text: id, File: []byte("f")}
	}
	plan := func(posts ...store.Post) {
		t.Helper()
		do(t, s, func(tx *store.Tx) error { return tx.PlanPosts(posts) })
	}
	plan(post("a", 0), post("b", 1), post("c", 2))
	plan(post("a2", 0), post("b2", 1)) // the same batch again changes nothing
	expect := func(want ...store.Post) {
		t.Helper()
		if diff := cmp.Diff(want, must(s.Posts(ctx, "batch"))(t)); diff != "" {
			t.Fatal(diff)
		}
	}
	a, bb := post("a", 0), post("b", 1)
	expect(a, bb, post("c", 2))
	do(t, s, func(tx *store.Tx) error {
		if err := tx.PostBegins("a"); err != nil {
			return err
		}
		return tx.PostEnds("a", store.Posted, "chat-a", "")
	})
	a.State, a.ChatID, a.AttemptedAt = store.Posted, "chat-a", clock.Now()
	expect(a, bb, post("c", 2))
	// What stands in the chat stays there, whatever comes late.
	do(t, s, func(tx *store.Tx) error {
		if err := tx.PostEnds("a", store.Planned, "", "late"); err != nil {
			return err
		}
		return tx.PostBegins("a")
	})
	expect(a, bb, post("c", 2))
	// Too long, as the call told: the whole rest gets another shape.
	do(t, s, func(tx *store.Tx) error { return tx.PostBegins("b") })
	do(t, s, func(tx *store.Tx) error {
		return tx.Reshape(bb, []store.Post{post("b1", 1), post("b2", 2), post("c", 3)})
	})
	expect(a, post("b1", 1), post("b2", 2), post("c", 3))
	if diff := cmp.Diff(map[postern.MessageID]bool{"chat-a": true}, must(s.OurPosts(ctx, 3, []postern.MessageID{"chat-a", "other", ""}))(t)); diff != "" {
		t.Error(diff)
	}
	do(t, s, func(tx *store.Tx) error {
		if err := tx.PostEnds("b1", store.Refused, "", "no"); err != nil {
			return err
		}
		return tx.PlanAgain("batch")
	})
	b1 := post("b1", 1)
	b1.Detail = "no"
	expect(a, b1, post("b2", 2), post("c", 3))
	if got := must(s.OurPosts(ctx, 4, []postern.MessageID{"chat-a"}))(t); len(got) != 0 {
		t.Error("another conversation's post is ours")
	}
}

func testHeld(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx := ctxOf(t)
	h := store.Held{Event: 5, Participant: 1<<63 | 1, Reason: "stranger", Sender: "x@example.com", Recipient: "r", Subject: "s\x00", State: store.HeldWaiting}
	for range 2 { // held once
		do(t, s, func(tx *store.Tx) error { return tx.Hold(h) })
	}
	do(t, s, func(tx *store.Tx) error { return tx.Hold(store.Held{Event: 6, State: store.HeldRefused}) })
	mails := must(s.HeldMail(ctx, 0, 10))(t)
	if len(mails) != 2 {
		t.Fatalf("%+v", mails)
	}
	h.ID, h.HeldAt, h.Subject = mails[0].ID, clock.Now(), "s\uFFFD"
	if diff := cmp.Diff(h, mails[0]); diff != "" {
		t.Error(diff)
	}
	if got := must(s.HeldMail(ctx, mails[0].ID, 10))(t); len(got) != 1 || got[0].Event != 6 {
		t.Errorf("%+v", got)
	}
	waits := func(want int) {
		t.Helper()
		got := must(s.WaitingMail(ctx, 0, 10))(t)
		if len(got) != want || want == 1 && got[0].Event != 5 {
			t.Errorf("waiting: %+v", got)
		}
		if more := must(s.WaitingMail(ctx, h.ID, 10))(t); len(more) != 0 {
			t.Errorf("waiting after it: %+v", more)
		}
	}
	waits(1)
	// A failure while it is released leaves it waiting.
	if _, err := s.Settle(ctx, h.ID, store.HeldReleased, func(*store.Tx, store.Held) error { return errOwn }); err == nil {
		t.Error("no error")
	}
	// Of many who release it at once one does.
	var done, also atomic.Int32
	answers := make(chan error, 8)
	for range 8 {
		go func() {
			settled, err := s.Settle(ctx, h.ID, store.HeldReleased, func(tx *store.Tx, got store.Held) error {
				if got.Event != 5 {
					return fmt.Errorf("%+v", got)
				}
				also.Add(1)
				return tx.AddFor(5, job("l", "release"))
			})
			if settled {
				done.Add(1)
			}
			answers <- err
		}()
	}
	for range 8 {
		ok(t, receive(t, answers, "an answer"))
	}
	if done.Load() != 1 || also.Load() != 1 || must(s.Pending(ctx, "l"))(t) != 1 {
		t.Errorf("settled %d times, released %d times", done.Load(), also.Load())
	}
	waits(0)
	if settled := must(s.Settle(ctx, mails[1].ID, store.HeldReleased, nil))(t); settled {
		t.Error("what was refused was settled")
	}
	// Released, but the chat would not have it: it waits again, with the new reason.
	h.Reason, h.State = "the chat refused it", store.HeldWaiting
	do(t, s, func(tx *store.Tx) error { return tx.Hold(h) })
	waits(1)
	if got := must(s.HeldMail(ctx, 0, 10))(t)[0]; got.State != store.HeldWaiting || got.Reason != h.Reason {
		t.Errorf("%+v", got)
	}
}

func testNotes(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx := ctxOf(t)
	notes := []store.Note{
		{What: "seen", Why: "webhook", Channel: "room", User: "bob", Ref: "m1", Ref2: store.EventRef(1)},
		{What: "mailed", Ref: "m1", Ref2: "d1"},
		{What: "mailed", Ref: "m2", Ref2: "d1"},
		{What: "accepted", Ref: "d1", Detail: "250"},
		{What: "other", Ref: "m9"},
	}
	for _, n := range notes {
		do(t, s, func(tx *store.Tx) error { return tx.Note(n) })
	}
	whats := func(ns []store.Note) (out []string) {
		for _, n := range ns {
			out = append(out, n.What+" "+n.Ref)
		}
		return out
	}
	for ref, want := range map[string][]string{
		"m1":              {"seen m1", "mailed m1", "mailed m2", "accepted d1"},
		"d1":              {"seen m1", "mailed m1", "mailed m2", "accepted d1"},
		store.EventRef(1): {"seen m1"},
		"m9":              {"other m9"},
		"none":            nil,
	} {
		got := whats(must(s.Explain(ctx, ref))(t))
		if ref == "d1" || ref == "m1" {
			// What was noted about the message, and what came of it; how far beyond that is free.
			for _, w := range []string{"mailed m1", "accepted d1"} {
				if !strings.Contains(strings.Join(got, ","), w) {
					t.Errorf("explain %s: %v lacks %s", ref, got, w)
				}
			}
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("explain %s: %s", ref, diff)
		}
	}
	// Notes that nobody waits for are there after Close at the latest; see testClose.
	all := must(s.Notes(ctx, 0, 3))(t)
	if len(all) != 3 || all[0].Channel != "room" || all[0].User != "bob" || !all[0].At.Equal(clock.Now()) {
		t.Errorf("%+v", all)
	}
	if rest := must(s.Notes(ctx, all[2].ID, 10))(t); len(rest) != 2 {
		t.Errorf("%+v", rest)
	}
}
