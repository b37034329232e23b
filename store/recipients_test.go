package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// A question that cannot be answered does not keep its neighbours from their answers, and
// a database that does not answer fails all of them, in kind.
func TestRecipientNeighbours(t *testing.T) {
	s := openSQLite(t, store.Config{Database: sqlite().Fresh(t)})
	defer func() { _ = s.Close() }()
	if err := s.PutPeople(t.Context(), postern.Person{UserID: "bob", Email: "bob@example.com"}); err != nil {
		t.Fatal(err)
	}
	err := s.Do(t.Context(), func(tx *store.Tx) error {
		return tx.Revise("p", "c", "m", store.Revision{Text: "edited"}, time.UnixMilli(1))
	})
	if err != nil {
		t.Fatal(err)
	}
	good, bad, last := store.NewAsk("bob", false), store.NewAsk("bob", true), store.NewAsk("nobody", false)
	errs := s.Answer(t.Context(), good, bad, last)
	if errs[0] != nil || errs[2] != nil || !good.Known() || last.Known() {
		t.Errorf("neighbours of a question that panics: %v, %v %v", errs, good.Known(), last.Known())
	}
	if postern.KindOf(errs[1]) != postern.Internal {
		t.Errorf("a question that panics: %v", errs[1])
	}
	if got, err := s.Recipient(t.Context(), "p", "c", "bob", nil); err != nil || !got.Known {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for i, err := range s.Answer(ended, good, last) {
		if postern.KindOf(err) != postern.Temporary {
			t.Errorf("%d, of a reader that is stopped: %v", i, err)
		}
	}
}
