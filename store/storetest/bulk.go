package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
		if err := tx.Accept("d1", "first", time.Time{}, job("late/d1", "x")); err != nil {
			return err
		}
		d, ok, err := tx.Delivery("d1")
		if !ok || string(d.Content) != "d1" || d.ProviderID != "first" || d.State != store.Accepted {
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

// The provider's answers are written together. Where an event was faster, the id is kept
// all the same, the state stays and the job that is late is added; nowhere else.
func testAccepted(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx := ctxOf(t)
	type one struct {
		was, then store.DeliveryState
		late      bool
	}
	list := []one{
		{store.Sending, store.Accepted, false}, {store.Unsure, store.Accepted, false}, {store.Delivered, store.Delivered, true},
		{store.Queued, store.Accepted, false}, {store.Accepted, store.Accepted, true}, {store.Failed, store.Failed, true}, {store.Sending, store.Accepted, false},
	}
	for range 6 { // many make another statement than few
		list = append(list, list[0], list[2])
	}
	id := func(i int) postern.DeliveryID { return postern.DeliveryID(fmt.Sprint("d", i)) }
	for i, d := range list {
		addDelivery(t, s, store.Delivery{ID: id(i), State: d.was})
	}
	errs := togetherIn(t, b, s, len(list), func(i int) error {
		return s.Do(ctx, func(tx *store.Tx) error {
			return tx.Accept(id(i), fmt.Sprint("p", i), clock.Now().Add(time.Hour), job(fmt.Sprint("late/", i), "x"))
		})
	})
	ok(t, errors.Join(errs...))
	accepted := 0
	for i, d := range list {
		got, _, err := s.Delivery(ctx, id(i))
		if err != nil || got.State != d.then || got.ProviderID != fmt.Sprint("p", i) {
			t.Errorf("%d: %+v: %+v, %v", i, d, got, err)
		}
		if n := must(s.Pending(ctx, fmt.Sprint("late/", i)))(t); (n == 1) != d.late || n > 1 {
			t.Errorf("%d: %+v: %d jobs", i, d, n)
		}
		if d.then == store.Accepted {
			accepted++
		}
	}
	clock.Move(2 * time.Hour)
	do(t, s, func(tx *store.Tx) error {
		asks, err := tx.DueAsks(100, tx.Now())
		if len(asks) != accepted {
			t.Errorf("%d to be asked about, want %d", len(asks), accepted)
		}
		return err
	})
	// An event in the same transaction, before the answer and after it.
	for i, first := range []bool{true, false} {
		d := postern.DeliveryID(fmt.Sprint("both", i))
		addDelivery(t, s, store.Delivery{ID: d, State: store.Sending})
		do(t, s, func(tx *store.Tx) error {
			steps := []func() error{
				func() error { return tx.Accept(d, "p", time.Time{}, job("late/"+string(d), "x")) },
				func() error { _, err := tx.Advance(d, store.Delivered, tx.Now(), ""); return err },
			}
			if first {
				steps[0], steps[1] = steps[1], steps[0]
			}
			return errors.Join(steps[0](), steps[1]())
		})
		got, _, err := s.Delivery(ctx, d)
		if n := must(s.Pending(ctx, "late/"+string(d)))(t); err != nil || got.State != store.Delivered || got.ProviderID != "p" || (n == 1) != first {
			t.Errorf("%v: %+v, %d jobs, %v", first, got, n, err)
		}
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
		return tx.AddDelivery(store.Delivery{ID: d, MessageID: string(d) + "@x", Participant: p.ID, State: store.Sending, Content: []byte(p.Subject)}, []store.Mailed{{Message: "m", CreatedAt: 1}})
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
			kept, found, err := participantOf(t, s, "p", c.channel, c.user)
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
	if p, _, err := participantOf(t, s, "p", "room", "ana"); err != nil || p.Name != "Renamed" {
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
			// The answer and an event, by two replicas.
			d := postern.DeliveryID(fmt.Sprint("to-", i+1))
			wg.Go(func() {
				do(t, stores[user%2], func(tx *store.Tx) error { return tx.Accept(d, "p", time.Time{}, job("late", "x")) })
			})
			wg.Go(func() {
				do(t, stores[1-user%2], func(tx *store.Tx) error { _, err := tx.Advance(d, store.Delivered, tx.Now(), ""); return err })
			})
		})
	}
	wg.Wait()
	holds(t, b, stores[0])
	if diff := cmp.Diff(map[string]int64{"delivered": channels * users}, must(stores[1].DeliveryCounts(ctxOf(t)))(t)); diff != "" {
		t.Error(diff)
	}
	for ch := range channels {
		var conv postern.ConversationID
		for user := range users {
			p, found, err := participantOf(t, stores[0], "p", postern.ChannelID(fmt.Sprint("c", ch)), postern.UserID(fmt.Sprint("u", user)))
			if err != nil || !found || conv != 0 && p.Conversation.ID != conv {
				t.Fatalf("%+v %v", p, err)
			}
			conv = p.Conversation.ID
		}
	}
}
