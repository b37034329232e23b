package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/postern-chat/postern"
)

// sqlite is the dialect of SQLite: one process, one writer.
type sqlite struct{}

func (s *Store) openSQLite(ctx context.Context, file string) error {
	file = strings.TrimPrefix(file, "//")
	if file == "" {
		return postern.Errorf(postern.Denied, "store.open", "database: sqlite: names no file")
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return &postern.Error{Kind: postern.Denied, Op: "store.open", Err: err}
	}
	// The lease logic below is right for one process only.
	unlock, err := lockFile(file + ".lock")
	if err != nil {
		return &postern.Error{Kind: postern.Denied, Op: "store.open", Err: fmt.Errorf("%s is in use by another process: %w", file, err)}
	}
	s.close = append(s.close, unlock)
	s.dialect = sqlite{}
	dsn := "file:" + (&url.URL{Path: file}).EscapedPath() + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=temp_store(MEMORY)"
	if s.wdb, err = s.openPool(dsn, 1); err != nil {
		return err
	}
	if err := migrate(ctx, s.wdb, "sqlite3", "migrations/sqlite"); err != nil {
		return err
	}
	if s.db, err = s.openPool(dsn+"&_pragma=query_only(1)", s.cfg.MaxConnections); err != nil {
		return err
	}
	// Whoever held a lease is dead: this process holds the lock.
	now := s.now()
	if _, err := s.wdb.ExecContext(ctx, `UPDATE lanes SET fence = 0, due_at = $1, cap_at = $1 WHERE fence <> 0`, now); err != nil {
		return unreachable("store.open", err)
	}
	s.startWriters(1)
	return nil
}

func (s *Store) openPool(dsn string, n int) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, unreachable("store.open", err)
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	db.SetConnMaxIdleTime(time.Hour)
	s.close = append(s.close, db.Close)
	return db, nil
}

func (sqlite) rebind(query string) string { return query }
func (sqlite) begin() string              { return "BEGIN IMMEDIATE" }
func (sqlite) lock() string               { return "" }
func (sqlite) broken(err error) bool      { return errors.Is(err, driver.ErrBadConn) }

func (sqlite) record(tx *Tx, in []*arrival) error {
	for _, a := range in {
		a.duplicate, a.replayed = false, false
		ok, err := tx.one(`INSERT INTO events (source, dedup, digest, received_at, body, content, content_ref) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING RETURNING id`, []any{a.Source, nullable(a.Dedup), a.Digest, tx.now, a.Body, a.Content, a.Ref}, &a.id)
		if err != nil {
			return err
		}
		if !ok {
			var id int64
			var digest []byte
			if _, err := tx.one(`SELECT id, digest FROM events WHERE dedup = ?`, []any{a.Dedup}, &id, &digest); err != nil {
				return err
			}
			a.repeated(id, digest)
			continue
		}
		for _, n := range a.Notes {
			if err := tx.Note(n.of(a.id)); err != nil {
				return err
			}
		}
	}
	return tx.add(byLane(in, tx.now))
}

func (sqlite) claim(tx *Tx, now, until, fence int64, max int) ([]string, error) {
	rows, err := tx.query(`UPDATE lanes SET due_at = ?, cap_at = ?, fence = ? WHERE lane IN
(SELECT lane FROM lanes WHERE due_at <= ? ORDER BY due_at LIMIT ?) RETURNING lane`, until, until, fence, now, max)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanString)
}

func (sqlite) jobs(ctx context.Context, s *Store, lanes []string, per int) ([]Job, error) {
	var out []Job
	for _, lane := range lanes {
		rows, err := s.query(ctx, `SELECT `+jobColumns+` FROM jobs j LEFT JOIN events e ON e.id = j.event_id WHERE j.lane = ? ORDER BY j.id LIMIT ?`, lane, per)
		if err != nil {
			return nil, err
		}
		jobs, err := collect(rows, scanJob)
		if err != nil {
			return nil, err
		}
		out = append(out, jobs...)
	}
	return out, nil
}

func scanString(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) }

func nullable(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }
