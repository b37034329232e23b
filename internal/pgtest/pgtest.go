//go:build unix

package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Environment variables.
const (
	// EnvURL names a server to use instead of a throw-away one. Its user must be
	// allowed to create databases.
	EnvURL = "POSTERN_TEST_POSTGRES"
	// EnvRequire makes a machine without PostgreSQL a failure instead of a skip, as
	// CI does.
	EnvRequire = "POSTERN_TEST_REQUIRE_POSTGRES"
)

// errNone: there is no PostgreSQL here that we could run.
var errNone = errors.New("no PostgreSQL on this machine; install it (Debian: apt-get install postgresql) or set " + EnvURL)

const (
	startTimeout = 90 * time.Second
	callTimeout  = 30 * time.Second
)

// Option changes the server.
type Option func(*options)

type options struct{ noFsync bool }

// NoFsync lets the server forget what it committed if the machine loses power. It is
// faster; only for tests that do not care for durability.
func NoFsync() Option { return func(o *options) { o.noFsync = true } }

// Start gives the URL of a fresh, empty database, which is dropped when the test
// ends. The first call starts the server; it is stopped and removed when the test
// process ends, however it ends. Without PostgreSQL the test is skipped, or fails if
// CI or POSTERN_TEST_REQUIRE_POSTGRES is set.
func Start(t testing.TB, opts ...Option) (dsn string) {
	t.Helper()
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	base, err := serverURL(o)
	switch {
	case errors.Is(err, errNone) && os.Getenv("CI") == "" && os.Getenv(EnvRequire) == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	name := "test_" + strings.ToLower(rand.Text())
	// The name is our own: letters, digits and an underscore.
	if err := execSQL(base, "CREATE DATABASE "+name); err != nil {
		t.Fatalf("pgtest: create a database: %v", err)
	}
	t.Cleanup(func() {
		if err := execSQL(base, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("pgtest: drop the database: %v", err)
		}
	})
	dsn, err = withDatabase(base, name)
	if err != nil {
		t.Fatal(err)
	}
	return dsn
}

// servers are those of this process, at most one of each sort. This is the one place
// with state of the process's own: a server per test would cost a second each.
var servers struct {
	sync.Mutex
	started map[options]*started
}

type started struct {
	server *server
	err    error
}

// serverURL gives the URL of the maintenance database of a running server.
func serverURL(o options) (string, error) {
	if u := os.Getenv(EnvURL); u != "" {
		return u, nil
	}
	servers.Lock()
	defer servers.Unlock()
	s := servers.started[o]
	if s == nil {
		if servers.started == nil {
			servers.started = map[options]*started{}
		}
		s = new(started)
		s.server, s.err = startServer(o)
		servers.started[o] = s
	}
	if s.err != nil {
		return "", s.err
	}
	return s.server.url, nil
}

func execSQL(dsn, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

func withDatabase(dsn, name string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("%s is not a URL", EnvURL)
	}
	u.Path = "/" + name
	return u.String(), nil
}
