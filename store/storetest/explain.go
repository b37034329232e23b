package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// said writes notes in few words.
func said(ns []store.Note) (out []string) {
	for _, n := range ns {
		out = append(out, strings.Join([]string{n.What, n.Why, string(n.Channel), string(n.User), n.Ref, n.Ref2, n.Detail}, "|"))
	}
	return out
}

func explained(t *testing.T, s *store.Store, ref string, want ...string) {
	t.Helper()
	notes := must(s.Explain(ctxOf(t), ref))(t)
	if diff := cmp.Diff(want, said(notes)); diff != "" {
		t.Errorf("explain %s: %s", ref, diff)
	}
	for i, n := range notes {
		if i > 0 && n.At.Before(notes[i-1].At) {
			t.Errorf("explain %s: %v comes after %v", ref, n.At, notes[i-1].At)
		}
	}
}

// sentIn is the key of a message.
func sentIn(m postern.MessageID, ch postern.ChannelID) string {
	return store.ChatKey{Message: m, Platform: "sendbird", Channel: ch, What: store.ChatSent}.String()
}

// What was noted of an event on its arrival is told of the event and of the message, and
// of no other; whatever stands in ids and texts.
func testTold(t *testing.T, b Backend) {
	s, clock := open(t, b)
	record := func(key string, notes ...store.Note) string {
		t.Helper()
		id, _, err := s.Record(ctxOf(t), store.Arrival{Source: "sendbird", Dedup: key, Notes: notes})
		ok(t, err)
		return store.EventRef(id)
	}
	odd := postern.ChannelID("room:1:sent;\u00fc")
	long := strings.Repeat("\u00e9", 2000)
	e1 := record(sentIn("1", odd), store.Note{What: "not mailed", Why: "online", Channel: odd, Ref: "1", Detail: "a\x00\xff\"b"}, store.Note{What: "seen", Channel: "other", User: "bob", Ref: "m", Ref2: "x"})
	e11 := record(sentIn("11", odd), store.Note{What: "not mailed", Channel: odd, Ref: "11", Detail: long})
	e2 := record("1:sendbird:"+string(odd)+":deleted", store.Note{What: "deleted"})
	record("0;:", store.Note{What: "other"})
	record("1", store.Note{What: "other"})
	record("1;", store.Note{What: "other"})
	record(sentIn("", "c"))
	e3 := record("", store.Note{What: "no key", Ref: "1"})
	one := []string{"not mailed|online|" + string(odd) + "||1|" + e1 + "|a\ufffd\ufffd\"b", "seen||other|bob|m|x|"}
	explained(t, s, "1", append(one, "deleted||||"+e2+"||")...)
	explained(t, s, e1, one...)
	explained(t, s, e2, "deleted||||"+e2+"||")
	explained(t, s, e3, "no key||||1|"+e3+"|")
	explained(t, s, "11", "not mailed||"+string(odd)+"||11|"+e11+"|"+strings.Repeat("\u00e9", 1000))
	for _, none := range []string{"", "sendbird", "event-", "event-x", "event-999", "12", ":", "\x00"} {
		if notes := must(s.Explain(ctxOf(t), none))(t); len(notes) != 0 {
			t.Errorf("explain %q: %v", none, said(notes))
		}
	}
	for _, n := range must(s.LastNotes(ctxOf(t), 3))(t) {
		if n.ID != 0 || !n.At.Equal(clock.Now()) {
			t.Errorf("%+v", n)
		}
	}
	if got := must(s.LastNotes(ctxOf(t), 3))(t); len(got) != 3 || got[0].What != "no key" {
		t.Errorf("%v", said(got))
	}
}

// To whom a message was mailed, in which delivery and when it was taken, is told of the
// message, of its event and of the delivery, without a note.
func testMailsExplained(t *testing.T, b Backend) {
	s, clock := open(t, b)
	event, _, err := s.Record(ctxOf(t), store.Arrival{Source: "sendbird", Dedup: sentIn("m1", "room:1"), Notes: []store.Note{{What: "not mailed", Why: "online", Channel: "room:1", Ref: "m1"}}})
	ok(t, err)
	must2(s.Record(ctxOf(t), store.Arrival{Source: "sendbird", Dedup: sentIn("m1", "other")}))(t)
	mail := func(user postern.UserID, ch postern.ChannelID, d postern.DeliveryID, messages ...postern.MessageID) {
		t.Helper()
		clock.Move(time.Second)
		do(t, s, func(tx *store.Tx) error {
			p, err := tx.EnsureParticipant(store.NewConversation{Platform: "sendbird", Channel: ch, Subject: "s", RootID: "r-" + string(ch)}, user, postern.ParticipantID(len(d))<<40|postern.ParticipantID(len(user)))
			if err != nil {
				return err
			}
			var list []store.Mailed
			for _, m := range messages {
				list = append(list, store.Mailed{Message: m, CreatedAt: 1})
			}
			return tx.AddDelivery(store.Delivery{ID: d, Participant: p.ID, State: store.Sending, MessageID: string(d) + "@x", Recipient: "x@example.com", Content: []byte("{}")}, list)
		})
	}
	mail("bob", "room:1", "d1", "m1", "m0")
	mail("carla", "room:1", "d-2", "m1")
	mail("bob", "another", "d--3", "m1") // no message of this channel
	clock.Move(time.Second)
	accepted := clock.Now()
	do(t, s, func(tx *store.Tx) error {
		if _, err := tx.Advance("d1", store.Accepted, tx.Now(), ""); err != nil {
			return err
		}
		return tx.Note(store.Note{What: "delivered", Ref: "d1", Ref2: store.EventRef(77)})
	})
	toBob, toCarla, taken := []string{"to be mailed||room:1|bob|m0|d1|", "to be mailed||room:1|bob|m1|d1|"}, "to be mailed||room:1|carla|m1|d-2|", []string{"mailed||room:1|bob|d1||", "delivered||||d1|event-77|"}
	told := "not mailed|online|room:1||m1|" + store.EventRef(event) + "|"
	all := append(append([]string{told}, toBob...), append([]string{toCarla}, taken...)...)
	explained(t, s, "m1", all...)
	explained(t, s, store.EventRef(event), all...)
	explained(t, s, "d1", append(toBob, taken...)...)
	explained(t, s, "event-77", append(toBob, taken...)...)
	explained(t, s, "d-2", toCarla)
	for _, n := range must(s.Explain(ctxOf(t), "d1"))(t) {
		if n.What == "mailed" && !n.At.Equal(accepted) {
			t.Errorf("taken at %v, not at %v", n.At, accepted)
		}
	}
	// A note on how it was found out says more.
	do(t, s, func(tx *store.Tx) error {
		if _, err := tx.Advance("d-2", store.Accepted, tx.Now(), ""); err != nil {
			return err
		}
		return tx.Note(store.Note{What: "mailed", Why: "found", Ref: "d-2"})
	})
	explained(t, s, "d-2", toCarla, "mailed|found|||d-2||")
	lately := said(must(s.Lately(ctxOf(t), 100))(t))
	last := said(must(s.LastNotes(ctxOf(t), 100))(t))
	if len(lately) != 6 || len(last) != 8 || last[7] != told {
		t.Errorf("%d lately, %d last: %v", len(lately), len(last), last)
	}
	if two := must(s.LastNotes(ctxOf(t), 2))(t); len(two) != 2 || fmt.Sprint(said(two)) != fmt.Sprint(last[:2]) {
		t.Errorf("%v", said(two))
	}
}
