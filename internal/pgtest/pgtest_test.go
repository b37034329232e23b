//go:build unix

package pgtest

import (
	"bufio"
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func query(t *testing.T, dsn, sql string) (value string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background()) //nolint:errcheck // end of a test
	if err := conn.QueryRow(context.Background(), sql).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestStart(t *testing.T) {
	a, b := Start(t), Start(t)
	if a == b {
		t.Fatal("two calls gave one database")
	}
	ua, _ := url.Parse(a)
	ub, _ := url.Parse(b)
	if ua.Host != ub.Host {
		t.Errorf("two servers were started: %s and %s", ua.Host, ub.Host)
	}
	// The server must outlive a collection of everything that nobody holds.
	runtime.GC()
	runtime.GC()
	if have := query(t, a, "SHOW fsync"); have != "on" {
		t.Errorf("fsync is %s", have)
	}
	if have := query(t, a, "SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'"); have != "0" {
		t.Errorf("%s tables in a fresh database", have)
	}
}

func TestNoFsync(t *testing.T) {
	if os.Getenv(EnvURL) != "" {
		t.Skip("another server is used: " + EnvURL)
	}
	if have := query(t, Start(t, NoFsync()), "SHOW fsync"); have != "off" {
		t.Errorf("fsync is %s", have)
	}
}

func TestDatabaseGoesWithItsTest(t *testing.T) {
	var dsn string
	t.Run("inner", func(t *testing.T) {
		dsn = Start(t)
		// A connection that nobody closed does not keep the database alive.
		if _, err := pgx.Connect(context.Background(), dsn); err != nil {
			t.Fatal(err)
		}
	})
	if dsn == "" {
		t.Skip("skipped inside")
	}
	name := strings.TrimPrefix(mustURL(t, dsn).Path, "/")
	if have := query(t, Start(t), "SELECT count(*)::text FROM pg_database WHERE datname = '"+name+"'"); have != "0" {
		t.Error("the database is still there")
	}
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestKilled kills a process that has a server, and waits until server and folder
// are gone.
func TestKilled(t *testing.T) {
	if os.Getenv("PGTEST_CHILD") != "" {
		dsn := Start(t)
		folder := query(t, dsn, "SELECT current_setting('data_directory')")
		_, _ = os.Stdout.WriteString("folder=" + folder + "\n")
		select {} // until killed
	}
	Start(t) // skips where there is none
	if os.Getenv(EnvURL) != "" {
		t.Skip("another server is used: " + EnvURL)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "PGTEST_CHILD=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var folder string
	for lines := bufio.NewScanner(out); folder == "" && lines.Scan(); {
		folder, _ = strings.CutPrefix(lines.Text(), "folder=")
		if folder == lines.Text() {
			folder = ""
		}
	}
	if folder == "" {
		t.Fatal("the child did not start a server")
	}
	if _, err := os.Stat(filepath.Join(folder, "postmaster.pid")); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// Nobody tells us when the warden is done: look until it is.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(filepath.Dir(folder)); os.IsNotExist(err) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there", folder)
		}
	}
}
