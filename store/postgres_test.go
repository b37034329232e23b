//go:build unix

package store_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/postern-chat/postern/internal/pgtest"
	"github.com/postern-chat/postern/store"
	"github.com/postern-chat/postern/store/storetest"
)

func postgres(opts ...pgtest.Option) storetest.Backend {
	return storetest.Backend{
		Fresh:      func(t testing.TB) string { return pgtest.Start(t, opts...) },
		Shared:     true,
		Queued:     (*store.Store).Queued,
		Share:      (*store.Store).Share,
		Woken:      (*store.Store).Woken,
		HandOnly:   (*store.Store).HandOnly,
		HandedOver: (*store.Store).HandedOver,
		Stopping:   (*store.Store).Stopping,
		Holds:      func(ctx context.Context, s *store.Store) error { return s.CountsHold(ctx) },
	}
}

func TestPostgres(t *testing.T) {
	b, said := postgres(pgtest.NoFsync()), new(store.Statements)
	b.Closing = said.From
	storetest.Run(t, b)
	goleak.VerifyNone(t)
	checkPostgresPlans(t, b.Fresh(t), said.All())
}

func TestPostgresShared(t *testing.T) {
	storetest.RunShared(t, postgres(pgtest.NoFsync()))
	goleak.VerifyNone(t)
}

func TestPostgresKilled(t *testing.T) { storetest.Crash(t, postgres(), 3) }

// The server crashes under load, again and again.
func TestPostgresRestarts(t *testing.T) {
	dsn := pgtest.Start(t)
	if os.Getenv(pgtest.EnvURL) != "" {
		t.Skip("the server is not ours to restart")
	}
	restart := restarter(t, dsn)
	s, err := store.Open(t.Context(), store.Config{Database: dsn, Lease: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	storetest.Survives(t, s, restart)
}

// restarter makes a function that crashes the server and starts it again.
func restarter(t *testing.T, dsn string) func() {
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	var data string
	if err := conn.QueryRow(t.Context(), `SHOW data_directory`).Scan(&data); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(t.Context())
	return func() {
		cmd := exec.Command(pgCtl(t), "-D", data, "-m", "immediate", "-w", "-t", "60", "-l", filepath.Join(filepath.Dir(data), "log"), "restart")
		cmd.Dir = "/"
		if os.Geteuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: ownerOf(t, data)}
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("restart: %v\n%s", err, out)
		}
	}
}

func pgCtl(t *testing.T) string {
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		if file := filepath.Join(strings.TrimSpace(string(out)), "pg_ctl"); exists(file) {
			return file
		}
	}
	if files, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl"); len(files) > 0 {
		return files[len(files)-1]
	}
	file, err := exec.LookPath("pg_ctl")
	if err != nil {
		t.Skip(err)
	}
	return file
}

func exists(file string) bool { _, err := os.Stat(file); return err == nil }

func ownerOf(t *testing.T, file string) *syscall.Credential {
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return &syscall.Credential{Uid: st.Uid, Gid: st.Gid}
}

// The trap of release, step by step: a lane is given back while somebody else, whose
// transaction is open, has added to it. Release must wait for him, and then see what
// he added.
func TestPostgresReleaseWaits(t *testing.T) {
	dsn := pgtest.Start(t, pgtest.NoFsync())
	s, err := store.Open(t.Context(), store.Config{Database: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, _, err := s.Record(t.Context(), store.Arrival{Source: "test", Body: []byte("b"), Jobs: []store.LaneJob{{Lane: "l", Kind: "a"}}}); err != nil {
		t.Fatal(err)
	}
	leases, err := s.Claim(t.Context(), 1)
	if err != nil || len(leases) != 1 {
		t.Fatal(leases, err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(`BEGIN`)
	exec(`INSERT INTO lanes (lane, due_at, cap_at) VALUES ('l', 1, 1) ON CONFLICT (lane) DO UPDATE SET due_at = lanes.due_at`)
	exec(`INSERT INTO jobs (lane, kind, due_at, cap_at, added_at) SELECT number, 'b', 1, 1, 1 FROM lanes WHERE lane = 'l'`)
	finished := make(chan error, 1)
	go func() {
		finished <- s.Finish(context.Background(), leases[0], func(tx *store.Tx) error { return tx.Done(leases[0].Jobs...) })
	}()
	for waits := false; !waits; {
		if len(finished) > 0 {
			t.Fatal("release did not wait")
		}
		if err := conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	exec(`COMMIT`)
	if err := <-finished; err != nil {
		t.Fatal(err)
	}
	leases, err = s.Claim(t.Context(), 1)
	if err != nil || len(leases) != 1 || len(leases[0].Jobs) != 1 || leases[0].Jobs[0].Kind != "b" {
		t.Fatalf("what was added is lost: %+v, %v", leases, err)
	}
}

// A program may be older than the database: the next version runs beside it.
func TestPostgresNewer(t *testing.T) {
	dsn := pgtest.Start(t, pgtest.NoFsync())
	for range 2 {
		s, err := store.Open(t.Context(), store.Config{Database: dsn})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) SELECT 99, true WHERE NOT EXISTS (SELECT 1 FROM goose_db_version WHERE version_id = 99)`)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close(t.Context())
	}
}

// A machine's clock does not matter: the database's does, for all who share it. If that is
// set forward they follow, if it is set back they stay ahead of it, together, and so does
// who comes after them.
func TestPostgresClock(t *testing.T) {
	c := &pgClock{t: t, dsn: pgtest.Start(t, pgtest.NoFsync())}
	a := c.open()
	c.wantAhead(0, a)
	a.Skew(-5 * time.Hour)
	c.measure(a)
	c.wantAhead(0, a)
	c.wantTold("set forward")

	b := c.open()
	a.Skew(5 * time.Hour) // as it was when the database's clock stood there
	b.Skew(5 * time.Hour)
	c.measure(a, b)
	c.wantTold("set back")
	c.wantAhead(5*time.Hour, a, b, c.open())
	c.measure(a, b)
	c.wantTold("")
	c.wantAhead(5*time.Hour, a, b)
}

// The database's clock is set back while nobody is at work: the last arrival tells.
func TestPostgresClockSetBackMeanwhile(t *testing.T) {
	c := &pgClock{t: t, dsn: pgtest.Start(t, pgtest.NoFsync())}
	a := c.open()
	a.Skew(7 * time.Hour) // as it was when the database's clock stood there
	_, _, err := a.Record(t.Context(), store.Arrival{Source: "test", Body: []byte("b"), Jobs: []store.LaneJob{{Lane: "l", Kind: "x", Delay: time.Minute, Cap: time.Minute}}})
	c.must(err)
	c.must(a.Close())
	b := c.open()
	c.wantTold("set back")
	c.wantAhead(7*time.Hour, b)
	due, _, err := b.NextDue(t.Context())
	if wait := due.Sub(b.Now()); err != nil || wait > time.Minute || wait < time.Minute/2 {
		t.Errorf("due in %v, %v", wait, err)
	}
}

// pgClock opens stores that follow the database's clock.
type pgClock struct {
	t    *testing.T
	dsn  string
	told syncBuffer
}

func (c *pgClock) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *pgClock) open() *store.Store {
	c.t.Helper()
	s, err := store.Open(c.t.Context(), store.Config{Database: c.dsn, Logger: slog.New(slog.NewTextHandler(&c.told, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	c.must(err)
	c.t.Cleanup(func() { _ = s.Close() })
	return s
}

// measure has stores look at the clock at once.
func (c *pgClock) measure(stores ...*store.Store) {
	var all sync.WaitGroup
	for _, s := range stores {
		all.Go(func() {
			if err := s.MeasureClock(c.t.Context()); err != nil {
				c.t.Error(err)
			}
		})
	}
	all.Wait()
}

// wantAhead checks how far stores are ahead of the database's clock. What we know of it is
// as good as the fastest of three answers.
func (c *pgClock) wantAhead(want time.Duration, stores ...*store.Store) {
	c.t.Helper()
	conn, err := pgx.Connect(c.t.Context(), c.dsn)
	c.must(err)
	defer func() { _ = conn.Close(c.t.Context()) }()
	for i, s := range stores {
		var now, theirs time.Time
		before := time.Now()
		c.must(s.Do(c.t.Context(), func(tx *store.Tx) error { now = tx.Now(); return nil }))
		c.must(conn.QueryRow(c.t.Context(), `SELECT clock_timestamp()`).Scan(&theirs))
		if off := now.Sub(theirs) - want; off.Abs() > time.Second+time.Since(before) {
			c.t.Errorf("store %d is %v too far ahead", i, off)
		}
	}
}

// wantTold checks what was told since the last time.
func (c *pgClock) wantTold(want string) {
	c.t.Helper()
	if told := c.told.take(); !strings.Contains(told, want) || (told == "") != (want == "") {
		c.t.Errorf("want %q told: %q", want, told)
	}
}

// syncBuffer is written to by several.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.b.Reset()
	return b.b.String()
}
