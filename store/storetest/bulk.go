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

// What functions leave to be written together is there for whoever asks in the same
// transaction, and of one that fails nothing stays, while its neighbours' does.
func testWrittenTogether(t *testing.T, b Backend) {
	s, _ := open(t, b)
	ctx := ctxOf(t)
	delivery := func(id string) store.Delivery {
		return store.Delivery{ID: postern.DeliveryID(id), Participant: 7, State: store.Sending, MessageID: id + "@x", Recipient: "a@example.com", Content: []byte(id)}
	}
	do(t, s, func(tx *store.Tx) error {
		if err := tx.AddDelivery(delivery("d1"), []store.Mailed{{Message: "m1", CreatedAt: 1}}); err != nil {
			return err
		}
		if err := tx.Took("d1", "first"); err != nil {
			return err
		}
		d, ok, err := tx.Delivery("d1")
		if !ok || string(d.Content) != "d1" || d.ProviderID != "first" {
			t.Error("within its transaction", d, ok)
		}
		if err != nil {
			return err
		}
		if err := tx.AddDelivery(delivery("d2"), nil); err != nil {
			return err
		}
		rose, err := tx.Advance("d2", store.Delivered, tx.Now(), "")
		if !rose {
			t.Error("just added, it did not rise")
		}
		return err
	})
	// An event came before the answer: the provider's id is kept all the same.
	do(t, s, func(tx *store.Tx) error {
		if err := tx.TookAt("d2", "late", tx.Now().Add(time.Hour)); err != nil {
			return err
		}
		rose, err := tx.Advance("d2", store.Accepted, tx.Now(), "")
		if rose {
			t.Error("it fell")
		}
		if err := tx.TookAt("d1", "second", tx.Now().Add(time.Hour)); err != nil {
			return err
		}
		return err
	})
	for id, want := range map[postern.DeliveryID]string{"d1": "second", "d2": "late"} {
		if d, _, err := s.Delivery(ctx, id); d.ProviderID != want || err != nil {
			t.Error(id, d.ProviderID, err)
		}
	}
	var all sync.WaitGroup
	var good, bad []error
	var mu sync.Mutex
	for i := range 40 {
		all.Go(func() {
			ref := "ok"
			err := s.Do(ctx, func(tx *store.Tx) error {
				if i%4 == 0 {
					ref = "no"
				}
				if err := tx.Note(store.Note{What: "x", Ref: ref}); err != nil {
					return err
				}
				switch {
				case i%8 == 0: // mailed before
					return tx.AddDelivery(delivery("again-"+string(rune('a'+i))), []store.Mailed{{Message: "m1", CreatedAt: 1}})
				case i%4 == 0:
					return errors.New("after it left a note")
				}
				return nil
			})
			mu.Lock()
			defer mu.Unlock()
			if i%4 == 0 {
				bad = append(bad, err)
			} else {
				good = append(good, err)
			}
		})
	}
	all.Wait()
	if err := errors.Join(good...); err != nil {
		t.Error("neighbours fail:", err)
	}
	for _, err := range bad {
		if err == nil {
			t.Error("one that fails was written")
		}
	}
	if kept := must(s.Explain(ctx, "ok"))(t); len(kept) != 30 {
		t.Error(len(kept), "notes of neighbours, not 30")
	}
	if kept := must(s.Explain(ctx, "no"))(t); len(kept) != 0 {
		t.Error(len(kept), "notes of those that failed")
	}
}

// newcomer takes somebody for new and mails him.
func newcomer(s *store.Store, c store.NewConversation, user postern.UserID, id postern.ParticipantID, runs *int) (p store.Participant, err error) {
	err = s.Do(context.Background(), func(tx *store.Tx) (err error) {
		*runs++
		if p, err = tx.NewParticipant(c, user, id); err != nil {
			return err
		}
		d := postern.DeliveryID(fmt.Sprint("to-", id))
		return tx.AddDelivery(store.Delivery{ID: d, MessageID: string(d) + "@x", Participant: p.ID, Content: []byte(p.Subject)}, []store.Mailed{{Message: "m", CreatedAt: 1}})
	})
	return p, err
}

// Who is taken for new is made in one go with his neighbours, several of one conversation
// too; where he was there, or the conversation is another, that is found and everything is
// written once all the same.
func testNewcomers(t *testing.T, b Backend) {
	s, _ := open(t, b)
	ctx := ctxOf(t)
	type one struct {
		user    postern.UserID
		id      postern.ParticipantID
		channel postern.ChannelID
		name    string
		subject string
		who     postern.ParticipantID // who it is
		want    string                // the subject
	}
	group := func(list []one, careful bool) {
		t.Helper()
		got, runs := make([]store.Participant, len(list)), make([]int, len(list))
		errs := togetherIn(t, b, s, len(list), func(i int) (err error) {
			c := list[i]
			got[i], err = newcomer(s, store.NewConversation{Platform: "p", Channel: c.channel, Name: c.name, Subject: c.subject, RootID: "root@x"}, c.user, c.id, &runs[i])
			return err
		})
		ok(t, errors.Join(errs...))
		for i, c := range list {
			kept, found, err := s.ParticipantOf(ctx, "p", c.channel, c.user)
			if err != nil || !found || kept.ID != c.who || got[i].ID != c.who || kept.Subject != c.want || got[i].Subject != c.want || kept.RootID != got[i].RootID {
				t.Errorf("%+v: %+v, kept %+v, %v", c, got[i], kept, err)
			}
			d, found, err := s.Delivery(ctx, postern.DeliveryID(fmt.Sprint("to-", c.id)))
			if err != nil || !found || d.Participant != c.who || string(d.Content) != c.want {
				t.Errorf("%+v: %+v %v", c, d, err)
			}
			if !b.Shared && (runs[i] > 1) != careful {
				t.Errorf("%+v: ran %d times", c, runs[i])
			}
		}
	}
	group([]one{
		{"ana", 11, "room", "Room", "S", 11, "S"}, {"bob", 12, "room", "Room", "S", 12, "S"}, {"ana", 13, "hall", "Hall", "H", 13, "H"},
		{"cy\x00", 14, "room", "Room", "S", 14, "S"}, {"dan", 15, "room", "", "S", 15, "S"},
	}, false)
	group([]one{
		{"eve", 21, "room", "Room", "S", 21, "S"},   // fits
		{"fay", 22, "hall", "Hall", "New", 22, "H"}, // a subject never changes
		{"gus", 23, "loft", "Loft", "L", 23, "L"},   // a neighbour
		{"hal", 24, "room", "Renamed", "S", 24, "S"},
	}, true)
	if p, _, err := s.ParticipantOf(ctx, "p", "room", "ana"); err != nil || p.Name != "Renamed" {
		t.Errorf("%+v %v", p, err)
	}
	// He was there all the time, and got this message.
	var runs int
	if _, err := newcomer(s, store.NewConversation{Platform: "p", Channel: "room", Name: "Renamed", Subject: "S", RootID: "root@x"}, "ana", 31, &runs); err == nil {
		t.Error("mailed twice")
	}
	if _, found, err := s.Delivery(ctx, "to-31"); found || err != nil {
		t.Error(found, err)
	}
	// What waits to be written is there for whoever asks.
	do(t, s, func(tx *store.Tx) error {
		c := store.NewConversation{Platform: "p", Channel: "den", Name: "Den", Subject: "D", RootID: "root@x"}
		if _, err := tx.NewParticipant(c, "ana", 41); err != nil {
			return err
		}
		p, err := tx.EnsureParticipant(c, "ana", 42)
		if err != nil || p.ID != 41 || p.Conversation.ID == 0 {
			t.Errorf("%+v %v", p, err)
		}
		p, found, err := tx.Participant(41)
		if !found || p.Subject != "D" {
			t.Errorf("%+v", p)
		}
		return err
	})
}

// Newcomers to the same conversations by several replicas at once.
func testNewcomersShared(t *testing.T, b Backend) {
	cfg := store.Config{Database: b.Fresh(t)}
	stores := []*store.Store{openAt(t, cfg), openAt(t, cfg)}
	const channels, users = 40, 6
	var wg sync.WaitGroup
	for i := range channels * users {
		wg.Go(func() {
			ch, user := i%channels, i/channels
			if user%2 == 1 { // the other way round
				ch = channels - 1 - ch
			}
			var runs int
			c := store.NewConversation{Platform: "p", Channel: postern.ChannelID(fmt.Sprint("c", ch)), Name: "N", Subject: "S", RootID: "root@x"}
			if _, err := newcomer(stores[user%2], c, postern.UserID(fmt.Sprint("u", user)), postern.ParticipantID(uint64(i+1)), &runs); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for ch := range channels {
		var conv postern.ConversationID
		for user := range users {
			p, found, err := stores[0].ParticipantOf(ctxOf(t), "p", postern.ChannelID(fmt.Sprint("c", ch)), postern.UserID(fmt.Sprint("u", user)))
			if err != nil || !found || conv != 0 && p.Conversation.ID != conv {
				t.Fatalf("%+v %v", p, err)
			}
			conv = p.Conversation.ID
		}
	}
}
