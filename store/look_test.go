package store_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/pgtest"
	"github.com/postern-chat/postern/store"
)

// TestLook: a database is looked at while it is in use, and is the same afterwards.
func TestLook(t *testing.T) {
	for name, database := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "x.db") },
		"postgres": func(t *testing.T) string { return pgtest.Start(t, pgtest.NoFsync()) },
	} {
		t.Run(name, func(t *testing.T) {
			at, ctx := database(t), context.Background()
			before, err := store.Look(ctx, at, 10)
			if err != nil || before.Version != 0 || before.Latest == 0 || before.Exists != (name == "postgres") {
				t.Fatalf("before: %+v, %v", before, err)
			}
			s, err := store.Open(ctx, store.Config{Database: at})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			if err := s.PutPeople(ctx, postern.Person{UserID: "ana", Email: "ana@people.example"}); err != nil {
				t.Fatal(err)
			}
			g, err := store.Look(ctx, at, 10)
			if err != nil || g.Version != g.Latest || len(g.People) != 1 || g.People[0].Email != "ana@people.example" {
				t.Fatalf("in use: %+v, %v", g, err)
			}
			if (g.Commit > 0) != (name == "postgres") {
				t.Errorf("commit took %v", g.Commit)
			}
			if err := s.Ping(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLookAtSomethingElse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(file, []byte("this is a letter, not a database, and long enough to be told from an empty one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Look(context.Background(), "sqlite:"+file, 0); err == nil {
		t.Error("no error")
	}
	if _, err := store.Look(context.Background(), "mysql:x", 0); postern.KindOf(err) != postern.Denied {
		t.Error(err)
	}
}
