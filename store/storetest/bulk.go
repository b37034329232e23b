package storetest

import (
	"errors"
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
