//go:build unix

package intake

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// bare is the anchor: one table, one row for each webhook, and a group commit, as
// plainly as it can be written.
type bare struct {
	queue chan *row
	done  chan struct{}
}

type row struct {
	key    string
	body   []byte
	stored chan error
}

func (x *bare) record(key string, body []byte) error {
	r := &row{key: key, body: body, stored: make(chan error, 1)}
	x.queue <- r
	return <-r.stored
}

// run commits whatever waits, at once.
func (x *bare) run(commit func([]*row) error) {
	defer func() { x.done <- struct{}{} }()
	for r := range x.queue {
		group := []*row{r}
	more:
		for len(group) < 256 {
			select {
			case r, ok := <-x.queue:
				if !ok {
					break more
				}
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

func (x *bare) start(b *testing.B, commits ...func([]*row) error) {
	x.queue, x.done = make(chan *row, 4096), make(chan struct{}, len(commits))
	for _, commit := range commits {
		go x.run(commit)
	}
	b.Cleanup(func() {
		close(x.queue)
		for range commits {
			<-x.done
		}
	})
}

func bareSQLite(b *testing.B) *bare {
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "bare.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	must(b, err)
	b.Cleanup(func() { _ = db.Close() })
	c, err := db.Conn(ctx)
	must(b, err)
	_, err = c.ExecContext(ctx, `CREATE TABLE bare (id INTEGER PRIMARY KEY, dedup TEXT NOT NULL UNIQUE, body BLOB NOT NULL)`)
	must(b, err)
	insert, err := c.PrepareContext(ctx, `INSERT INTO bare (dedup, body) VALUES (?, ?) ON CONFLICT DO NOTHING`)
	must(b, err)
	x := &bare{}
	x.start(b, func(group []*row) error {
		if _, err := c.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
			return err
		}
		for _, r := range group {
			if _, err := insert.ExecContext(ctx, r.key, r.body); err != nil {
				return err
			}
		}
		_, err := c.ExecContext(ctx, "COMMIT")
		return err
	})
	return x
}

func barePostgres(b *testing.B, dsn string) *bare {
	ctx := context.Background()
	x := &bare{}
	var commits []func([]*row) error
	for i := range 2 {
		c, err := pgx.Connect(ctx, dsn)
		must(b, err)
		b.Cleanup(func() { _ = c.Close(ctx) })
		// Ours compresses bodies by this, where the server can.
		_, err = c.Exec(ctx, `SELECT set_config(name, 'lz4', false) FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals)`)
		must(b, err)
		if i == 0 {
			_, err = c.Exec(ctx, `CREATE TABLE bare (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, dedup TEXT NOT NULL UNIQUE, body BYTEA NOT NULL)`)
			must(b, err)
		}
		commits = append(commits, func(group []*row) error {
			keys, bodies := make([]string, len(group)), make([][]byte, len(group))
			for i, r := range group {
				keys[i], bodies[i] = r.key, r.body
			}
			_, err := c.Exec(ctx, `INSERT INTO bare (dedup, body) SELECT * FROM unnest($1::text[], $2::bytea[]) ON CONFLICT DO NOTHING`, keys, bodies)
			return err
		})
	}
	x.start(b, commits...)
	return x
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
