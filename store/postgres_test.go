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

// A machine's clock does not matter: the database's does, for all who share it. That it
// was set is told, because much waits for it.
func TestPostgresClock(t *testing.T) {
	dsn := pgtest.Start(t, pgtest.NoFsync())
	for skew, says := range map[time.Duration]string{0: "", 5 * time.Hour: "was set back", -5 * time.Hour: "was set forward"} {
		var said bytes.Buffer
		s, err := store.Open(t.Context(), store.Config{Database: dsn, Logger: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))})
		if err != nil {
			t.Fatal(err)
		}
		s.Skew(skew)
		if err := s.MeasureClock(t.Context()); err != nil {
			t.Fatal(err)
		}
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		var before, after, now time.Time
		read := func(to *time.Time) {
			t.Helper()
			if err := conn.QueryRow(t.Context(), `SELECT clock_timestamp()`).Scan(to); err != nil {
				t.Fatal(err)
			}
		}
		read(&before)
		if err := s.Do(t.Context(), func(tx *store.Tx) error { now = tx.Now(); return nil }); err != nil {
			t.Fatal(err)
		}
		read(&after)
		// What we know of it is as good as the fastest of three answers.
		if now.Before(before.Add(-time.Second)) || now.After(after.Add(time.Second)) {
			t.Errorf("%v wrong: %v, the database's clock says %v to %v", skew, now, before, after)
		}
		_ = conn.Close(t.Context())
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if told := said.String(); !strings.Contains(told, says) || (told == "") != (says == "") {
			t.Errorf("%v wrong, it said: %s", skew, told)
		}
	}
}
