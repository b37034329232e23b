package store_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
	"github.com/postern-chat/postern/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.Child()
	goleak.VerifyTestMain(m)
}

func sqlite() storetest.Backend {
	return storetest.Backend{
		Fresh:  func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "house.db") },
		Queued: (*store.Store).Queued,
		Share:  (*store.Store).Share,
		Holds: func(ctx context.Context, s *store.Store) error {
			if s.Ping(ctx) != nil {
				return nil // closed by the test
			}
			return errors.Join(s.CountsHold(ctx), s.KnownHolds(ctx))
		},

		HandOnly:   (*store.Store).HandOnly,
		HandedOver: (*store.Store).HandedOver,
		Stopping:   (*store.Store).Stopping,

		LookAtClock: func(ctx context.Context, s *store.Store) error { return s.CheckClock(ctx) },
	}
}

func TestSQLite(t *testing.T) {
	b, said := sqlite(), new(store.Statements)
	b.Closing = said.From
	storetest.Run(t, b)
	goleak.VerifyNone(t)
	checkSQLitePlans(t, said.All())
}

func TestSQLiteKilled(t *testing.T) { storetest.Crash(t, sqlite(), 4) }

func openSQLite(t *testing.T, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What a process left leased is free at once for the next one: nobody else can hold it.
func TestSQLiteRestartFreesLeases(t *testing.T) {
	clock := storetest.NewClock()
	cfg := store.Config{Database: sqlite().Fresh(t), Now: clock.Now, Lease: time.Hour}
	s := openSQLite(t, cfg)
	if _, _, err := s.Record(t.Context(), store.Arrival{Source: "test", Body: []byte("b"), Jobs: []store.LaneJob{{Lane: "l", Kind: "x"}, {Lane: "wait", Kind: "y", Delay: time.Minute, Cap: time.Minute}}}); err != nil {
		t.Fatal(err)
	}
	late, err := s.Claim(t.Context(), 10)
	if err != nil || len(late) != 1 {
		t.Fatal(late, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSQLite(t, cfg)
	defer func() { _ = s.Close() }()
	leases, err := s.Claim(t.Context(), 10)
	if err != nil || len(leases) != 1 || leases[0].Lane != "l" {
		t.Fatal(leases, err)
	}
	if err := s.Finish(t.Context(), late[0], nil); !store.Lost(err) {
		t.Errorf("a lease of the process before: %v", err)
	}
}

func TestSQLiteLock(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "house.db")
	s := openSQLite(t, store.Config{Database: "sqlite:" + file})
	link := filepath.Join(dir, "link.db")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, link} {
		_, err := store.Open(t.Context(), store.Config{Database: "sqlite:" + name})
		if postern.KindOf(err) != postern.Denied || !strings.Contains(err.Error(), "in use") {
			t.Errorf("opened twice by %s: %v", name, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSQLite(t, store.Config{Database: "sqlite:" + link})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSQLiteFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new folder", "odd ?#%41&=name")
	s := openSQLite(t, store.Config{Database: "sqlite:" + filepath.Join(dir, "house ü?.db")})
	if _, _, err := s.Record(t.Context(), store.Arrival{Source: "test", Body: []byte("b")}); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		// Addresses and messages are in it.
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
		seen[f.Name()] = true
	}
	if !seen["house ü?.db"] || !seen["house ü?.db-wal"] {
		t.Errorf("files: %v", seen)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.db")
	if err := os.WriteFile(broken, []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dsn := range []string{"", "mysql://x", "sqlite:", "sqlite:" + broken, "postgres://%zz", "postgres://postgres@127.0.0.1:1/none?connect_timeout=5"} {
		s, err := store.Open(t.Context(), store.Config{Database: dsn})
		if err == nil {
			_ = s.Close()
			t.Errorf("%q was opened", dsn)
		}
	}
	goleak.VerifyNone(t)
}

// A handler may take as long as it likes: its lease is extended while it runs.
func TestHeartbeat(t *testing.T) {
	dsn := sqlite().Fresh(t)
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(context.Background(), store.Config{Database: dsn, Lease: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		calls := 0
		go func() {
			defer close(done)
			s.NewWorkers(2, slog.New(slog.DiscardHandler), func(_ context.Context, l *store.Lease) (func(*store.Tx) error, error) {
				calls++
				time.Sleep(time.Hour) // on the bubble's clock
				return func(tx *store.Tx) error { return tx.Done(l.Jobs...) }, nil
			}).Run(ctx)
		}()
		if _, _, err := s.Record(ctx, store.Arrival{Source: "test", Body: []byte("b"), Jobs: []store.LaneJob{{Lane: "l", Kind: "x"}}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if n, err := s.Pending(ctx, "l"); err != nil || n != 0 || calls != 1 {
			t.Errorf("after an hour's work: %d jobs left, %d calls, %v", n, calls, err)
		}
		cancel()
		<-done
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// An owner must know that his lease ran out even if nothing can be written any more.
func TestLeaseRunsOutUnwritten(t *testing.T) {
	s := openSQLite(t, store.Config{Database: sqlite().Fresh(t), Lease: 200 * time.Millisecond})
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun, told, done := make(chan struct{}, 100), make(chan error, 100), make(chan struct{})
	go func() {
		defer close(done)
		s.NewWorkers(1, slog.New(slog.DiscardHandler), func(ctx context.Context, l *store.Lease) (func(*store.Tx) error, error) {
			begun <- struct{}{}
			<-ctx.Done()
			told <- context.Cause(ctx)
			return nil, ctx.Err()
		}).Run(ctx)
	}()
	if _, _, err := s.Record(ctx, store.Arrival{Source: "test", Body: []byte("b"), Jobs: []store.LaneJob{{Lane: "l", Kind: "x"}}}); err != nil {
		t.Fatal(err)
	}
	<-begun
	release := make(chan struct{})
	blocked := make(chan error, 1)
	go func() {
		blocked <- s.Do(context.Background(), func(*store.Tx) error { <-release; return nil })
	}()
	if err := <-told; !store.Lost(err) {
		t.Errorf("told: %v", err)
	}
	cancel()
	close(release)
	if err := <-blocked; err != nil {
		t.Error(err)
	}
	<-done
}

// The clock is set back while the program is not running.
func TestSQLiteClockSetBackMeanwhile(t *testing.T) {
	clock := storetest.NewClock()
	start := clock.Now()
	cfg := store.Config{Database: sqlite().Fresh(t), Now: clock.Now, Elapsed: func() time.Duration { return 0 }}
	s := openSQLite(t, cfg)
	if _, _, err := s.Record(t.Context(), store.Arrival{Source: "test", Body: []byte("b"), Jobs: []store.LaneJob{{Lane: "l", Kind: "x", Delay: time.Minute, Cap: time.Minute}}}); err != nil {
		t.Fatal(err)
	}
	storetest.UncertainCalls(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	clock.Move(-7 * time.Hour)
	s = openSQLite(t, cfg)
	defer func() { _ = s.Close() }()
	due, _, err := s.NextDue(t.Context())
	if want := start.Add(time.Minute - 7*time.Hour); err != nil || !due.Equal(want) {
		t.Errorf("due at %v, want %v, %v", due, want, err)
	}
	storetest.WantAgo(t, s, 0)
}

// What was moved with the clock is not moved again by who starts before the next arrival,
// say after a kill right behind that COMMIT.
func TestSQLiteClockMovesOnce(t *testing.T) {
	for _, noticed := range []bool{true, false} {
		clock := storetest.NewClock()
		cfg := store.Config{Database: sqlite().Fresh(t), Now: clock.Now, Elapsed: func() time.Duration { return 0 }}
		s := openSQLite(t, cfg)
		if _, _, err := s.Record(t.Context(), store.Arrival{Source: "test", Body: []byte("b")}); err != nil {
			t.Fatal(err)
		}
		storetest.UncertainCalls(t, s)
		again := func() {
			t.Helper()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openSQLite(t, cfg)
			storetest.WantAgo(t, s, 0)
		}
		for _, step := range []time.Duration{-7 * time.Hour, 3 * time.Hour, -3 * time.Hour} {
			clock.Move(step)
			if noticed || step > 0 { // ahead is noticed by who runs only
				if err := s.CheckClock(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			again()
			again()
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// While somebody reads, the log grows; after that it is made small again, though others
// read all the time.
func TestSQLiteLogIsBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "house.db")
	s := openSQLite(t, store.Config{Database: "sqlite:" + file})
	defer func() { _ = s.Close() }()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	read := func() (end func()) {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if err := tx.QueryRow(`SELECT COUNT(*) FROM events`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return func() { _ = tx.Rollback() }
	}
	write := func(size int) {
		if _, _, err := s.Record(t.Context(), store.Arrival{Source: "test", Body: []byte("b"), Content: make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 {
		info, err := os.Stat(file + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size() >> 20
	}
	end := read()
	for range 10 {
		write(5 << 20)
	}
	if size() < 50 {
		t.Fatalf("the log has %d MB: nobody is in its way", size())
	}
	next := read() // before the other ends: there is never a moment without a reader
	end()
	if err := s.BoundLog(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	next()
	for tries := 0; size() > 21; tries++ {
		if tries > 100 {
			t.Fatalf("the log still has %d MB", size())
		}
		if err := s.BoundLog(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		write(1)
	}
}

// The log begins anew again and again, though the writer never pauses.
func TestSQLiteLogIsCopied(t *testing.T) {
	file := filepath.Join(t.TempDir(), "house.db")
	s := openSQLite(t, store.Config{Database: "sqlite:" + file})
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	var others sync.WaitGroup
	for range 2 {
		others.Go(func() {
			for ctx.Err() == nil {
				if _, _, err := s.Record(t.Context(), store.Arrival{Source: "test", Body: []byte("b")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 50 {
		if _, _, err := s.Record(t.Context(), store.Arrival{Source: "test", Body: []byte("b"), Content: make([]byte, 4<<20)}); err != nil {
			t.Fatal(err)
		}
		if err := s.TendLog(t.Context(), file); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	others.Wait()
	info, err := os.Stat(file + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 100<<20 { // of 200 MB that were written
		t.Errorf("the log has %d MB", info.Size()>>20)
	}
}
