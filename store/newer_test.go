package store_test

import (
	"database/sql"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/postern-chat/postern/internal/pgtest"
	"github.com/postern-chat/postern/store"
)

// newer is what a next version may do to a database while we are still there: it expands.
var newer = []string{
	`CREATE TABLE next_things (id BIGINT PRIMARY KEY)`,
	`ALTER TABLE lanes ADD COLUMN next_hint TEXT`,
	`ALTER TABLE jobs ADD COLUMN next_hint TEXT NOT NULL DEFAULT ''`,
	`ALTER TABLE events ADD COLUMN next_hint TEXT`,
	`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`,
}

// A database that the next version has migrated is still ours: while we run, and when we
// start.
func TestNewerSQLite(t *testing.T) {
	b := sqlite()
	dsn := b.Fresh(t)
	besideNewer(t, dsn, func() (*sql.DB, error) { return sql.Open("sqlite", strings.TrimPrefix(dsn, "sqlite:")) })
}

func TestNewerPostgres(t *testing.T) {
	dsn := pgtest.Start(t, pgtest.NoFsync())
	besideNewer(t, dsn, func() (*sql.DB, error) { return sql.Open("pgx", dsn) })
}

func besideNewer(t *testing.T, dsn string, open func() (*sql.DB, error)) {
	t.Helper()
	work := func(s *store.Store, key string) {
		t.Helper()
		if _, _, err := s.Record(t.Context(), store.Arrival{Source: "test", Dedup: key, Body: []byte("b"), Jobs: []store.LaneJob{{Lane: "l", Kind: "x"}}}); err != nil {
			t.Fatal(err)
		}
		leases, err := s.Claim(t.Context(), 10)
		if err != nil || len(leases) != 1 || len(leases[0].Jobs) != 1 || string(leases[0].Jobs[0].Event.Body) != "b" {
			t.Fatalf("%+v: %v", leases, err)
		}
		if err := s.Finish(t.Context(), leases[0], func(tx *store.Tx) error { return tx.Done(leases[0].Jobs...) }); err != nil {
			t.Fatal(err)
		}
	}
	s := openSQLite(t, store.Config{Database: dsn})
	work(s, "1")
	db, err := open()
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range newer {
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(query, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	work(s, "2")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSQLite(t, store.Config{Database: dsn})
	work(s, "3")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
