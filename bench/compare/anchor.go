//go:build unix

package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/postern-chat/postern/bench/fake"
	"github.com/postern-chat/postern/bench/load"
)

// serveHelper is this program as one of the small servers that are measured beside.
func serveHelper(args []string) error {
	var h http.Handler
	switch args[0] {
	case "fake":
		h = fake.New()
	case "verify":
		h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { verified(w, r) })
	case "commit":
		x, err := newBare(args[1])
		if err != nil {
			return err
		}
		h = x
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { <-ctx.Done(); _ = srv.Close() }()
	if err := srv.Serve(ln); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// verified reads and verifies a webhook, and gives its key.
func verified(w http.ResponseWriter, r *http.Request) (key string, body []byte, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return "", nil, false
	}
	mac := hmac.New(sha256.New, []byte(load.Token))
	mac.Write(body)
	want, err := hex.DecodeString(r.Header.Get("X-Sendbird-Signature"))
	if err != nil || !hmac.Equal(want, mac.Sum(nil)) {
		w.WriteHeader(http.StatusUnauthorized)
		return "", nil, false
	}
	if i := strings.Index(string(body), load.KeyMark) + len(load.KeyMark); len(body) >= i+load.KeyDigits {
		key = string(body[i : i+load.KeyDigits])
	}
	return key, body, true
}

// bare is the anchor of durable intake: one row for each webhook, of the columns that
// ours has, and a group commit, as plainly as it can be written.
type bare struct{ queue chan *row }

type row struct {
	key    string
	body   []byte
	stored chan error
}

const bareTable = `CREATE TABLE IF NOT EXISTS events (id %s PRIMARY KEY, source TEXT NOT NULL, dedup TEXT NOT NULL UNIQUE, received_at BIGINT NOT NULL, body %s NOT NULL)`

func newBare(dsn string) (*bare, error) {
	x := &bare{queue: make(chan *row, 4096)}
	if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		commit, err := bareSQLite(file)
		if err != nil {
			return nil, err
		}
		go x.run(commit)
		return x, nil
	}
	for range 2 { // as ours
		commit, err := barePostgres(dsn)
		if err != nil {
			return nil, err
		}
		go x.run(commit)
	}
	return x, nil
}

// ServeHTTP verifies, commits and answers.
func (x *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, body, ok := verified(w, r)
	if !ok {
		return
	}
	e := &row{key: key, body: body, stored: make(chan error, 1)}
	x.queue <- e
	if err := <-e.stored; err != nil {
		fmt.Fprintln(os.Stderr, "anchor:", err)
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// run commits whatever waits, at once.
func (x *bare) run(commit func([]*row) error) {
	for first := range x.queue {
		group := []*row{first}
	more:
		for len(group) < 256 {
			select {
			case r := <-x.queue:
				group = append(group, r)
			default:
				break more
			}
		}
		err := commit(group)
		for _, r := range group {
			r.stored <- err
		}
	}
}

func bareSQLite(file string) (func([]*row) error, error) {
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := c.ExecContext(ctx, fmt.Sprintf(bareTable, "INTEGER", "BLOB")); err != nil {
		return nil, err
	}
	insert, err := c.PrepareContext(ctx, `INSERT INTO events (source, dedup, received_at, body) VALUES ('sendbird', ?, ?, ?) ON CONFLICT DO NOTHING`)
	if err != nil {
		return nil, err
	}
	return func(group []*row) error {
		if _, err := c.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
			return err
		}
		now := time.Now().UnixMilli()
		for _, r := range group {
			if _, err := insert.ExecContext(ctx, r.key, now, r.body); err != nil {
				return err
			}
		}
		_, err := c.ExecContext(ctx, "COMMIT")
		return err
	}, nil
}

func barePostgres(dsn string) (func([]*row) error, error) {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	if _, err := c.Exec(ctx, fmt.Sprintf(bareTable, "BIGINT GENERATED ALWAYS AS IDENTITY", "BYTEA")); err != nil {
		return nil, err
	}
	// Ours compresses bodies by this, where the server can.
	if _, err := c.Exec(ctx, `SELECT set_config(name, 'lz4', false) FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals)`); err != nil {
		return nil, err
	}
	return func(group []*row) error {
		keys, bodies := make([]string, len(group)), make([][]byte, len(group))
		for i, r := range group {
			keys[i], bodies[i] = r.key, r.body
		}
		_, err := c.Exec(ctx, `INSERT INTO events (source, dedup, received_at, body) SELECT 'sendbird', k, $3, b FROM unnest($1::text[], $2::bytea[]) AS u(k, b) ON CONFLICT DO NOTHING`,
			keys, bodies, time.Now().UnixMilli())
		return err
	}, nil
}
