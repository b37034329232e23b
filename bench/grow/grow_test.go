package grow

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/postern-chat/postern/internal/pgtest"
	"github.com/postern-chat/postern/store"
)

// TestThePastFits fills the real schema, whatever it is today, and lets the store go on
// behind it.
func TestThePastFits(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { fits(t, "sqlite:"+filepath.Join(t.TempDir(), "house.db")) })
	t.Run("PostgreSQL", func(t *testing.T) { fits(t, pgtest.Start(t, pgtest.NoFsync())) })
}

func fits(t *testing.T, database string) {
	ctx := context.Background()
	opened := func() *store.Store {
		s, err := store.Open(ctx, store.Config{Database: database})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if err := opened().Close(); err != nil {
		t.Fatal(err)
	}
	size := Size{Messages: 300, Conversations: 50, People: 40, Domain: "mg.example.com"}
	if err := Fill(ctx, database, size, func(string, int64) {}); err != nil {
		t.Fatal(err)
	}
	s := opened()
	defer func() { _ = s.Close() }()
	id, duplicate, err := s.Record(ctx, store.Arrival{Source: "sendbird", Dedup: "new", Body: []byte("{}")})
	if err != nil || duplicate || id <= 300 {
		t.Errorf("a new event is %d (%v, %v); 300 are there", id, duplicate, err)
	}
	who, err := s.Recipient(ctx, "sendbird", "sendbird_group_channel_10000000_0000000000000000000000000000000000000007", "u00000007", nil)
	if err != nil || who.Participant.ID == 0 {
		t.Fatalf("the participant of the past is not there: %v", err)
	}
	if ds, err := s.LastStates(ctx, who.Participant.ID, 10); err != nil || len(ds) != 6 {
		t.Errorf("%d deliveries (%v), want 300 / 50", len(ds), err)
	}
}

func TestTranslate(t *testing.T) {
	if got, want := postgres.translate("'d-' || pad8(n % (3)) || '.'"), "'d-' || lpad((n % (3))::text, 8, '0') || '.'"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var s string
	if err := db.QueryRow("SELECT " + sqlite.translate("pad8(7) || pad16(12) || bytes(3)")).Scan(&s); err != nil || s != "000000070000000000000012xxx" {
		t.Errorf("SQLite says %q, %v", s, err)
	}
}
