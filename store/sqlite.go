package store

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

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
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real // one database, one lock, by whatever name
	}
	// The lease logic below is right for one process only.
	unlock, err := lockFile(file + ".lock")
	if errors.Is(err, errLocked) {
		return postern.Errorf(postern.Denied, "store.open", "%s is in use by another process", file).Because(postern.CauseBusy)
	}
	if err != nil {
		return &postern.Error{Kind: postern.Denied, Op: "store.open", Err: err}
	}
	s.close = append(s.close, unlock)
	s.dialect = sqlite{}
	if err := private(file); err != nil {
		return &postern.Error{Kind: postern.Denied, Op: "store.open", Err: err}
	}
	dsn := "file:" + (&url.URL{Path: file}).EscapedPath() + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=temp_store(MEMORY)"
	// A checkpoint every 16 MB: pages of the lanes, which change all the time, are then
	// copied once for many changes. As much of the indexes stays in the writer's memory.
	if s.wdb, err = s.openPool(dsn+"&_pragma=wal_autocheckpoint(4000)&_pragma=cache_size(-16000)", 1); err != nil {
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
		return fault("store.open", err)
	}
	s.startWriters(1)
	return nil
}

// errLocked: somebody else holds the lock.
var errLocked = errors.New("locked")

// private makes the file, if it is new, for our eyes only; SQLite gives the files
// beside it the same rights.
func private(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func (s *Store) openPool(dsn string, n int) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fault("store.open", err)
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	db.SetConnMaxIdleTime(time.Hour)
	s.close = append(s.close, db.Close)
	return db, nil
}

func (sqlite) rebind(query string) string { return query }
func (sqlite) begin() string              { return "BEGIN IMMEDIATE" }
func (sqlite) alone() bool                { return false }

// alive: a database that is a file has no connection to lose; whatever is wrong with
// it shows in the next ROLLBACK.
func (sqlite) alive(*sql.Conn) bool { return true }

// ownFaultSQLite tells whether SQLite blames the statement or its values.
func ownFaultSQLite(err error) bool {
	var e *driver.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_ERROR, lib.SQLITE_TOOBIG, lib.SQLITE_CONSTRAINT, lib.SQLITE_MISMATCH, lib.SQLITE_RANGE:
		return true
	}
	return false
}

func (d sqlite) record(tx *Tx, in []*arrival) error {
	if err := d.number(tx, in); err != nil {
		return err
	}
	for part := range parts(in) {
		if err := d.recordPart(tx, part); err != nil {
			return err
		}
	}
	jobs := jobsOf(in, tx.now)
	slices.SortStableFunc(jobs, laneOrder)
	if err := d.add(tx, jobs); err != nil {
		return err
	}
	return noteArrivals(tx, in)
}

// number gives arrivals their ids, above all there ever were.
func (sqlite) number(tx *Tx, in []*arrival) error {
	var last int64
	if _, err := tx.one(`SELECT seq FROM sqlite_sequence WHERE name = 'events'`, nil, &last); err != nil {
		return err
	}
	for i, a := range in {
		a.id, a.duplicate, a.replayed = last+int64(i)+1, false, false
	}
	return nil
}

func (sqlite) recordPart(tx *Tx, in []*arrival) error {
	args := make([]any, 0, 8*len(in))
	for _, a := range in {
		args = append(args, a.id, a.Source, nullable(a.Dedup), a.Digest, tx.now, a.Body, a.Content, a.Ref)
	}
	n, err := tx.exec(rows(len(in), `INSERT INTO events (id, source, dedup, digest, received_at, body, content, content_ref) VALUES `, 8, ` ON CONFLICT DO NOTHING`), args...)
	if err != nil || int(n) == len(in) {
		return err
	}
	for _, a := range in {
		var id int64
		var digest []byte
		if stored, err := tx.one(`SELECT id FROM events WHERE id = ?`, []any{a.id}, &id); err != nil || stored {
			if err != nil {
				return err
			}
			continue
		}
		if _, err := tx.one(`SELECT id, digest FROM events WHERE dedup = ?`, []any{a.Dedup}, &id, &digest); err != nil {
			return err
		}
		a.repeated(id, digest)
	}
	return nil
}

// parts cuts what is to be inserted into pieces of few lengths, for which statements
// are prepared. A statement for many rows costs far less than one for each.
func parts[T any](list []T) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for _, n := range []int{32, 8, 1} {
			for ; len(list) >= n; list = list[n:] {
				if !yield(list[:n:n]) {
					return
				}
			}
		}
	}
}

// rows makes an INSERT of n rows.
func rows(n int, head string, columns int, tail string) string {
	return head + strings.Repeat(in(columns)+", ", n-1) + in(columns) + tail
}

// hold locks nothing, there is one writer, and so reads no lane twice.
func (sqlite) hold(tx *Tx, lanes []string, lock bool) (map[string]heldLane, error) {
	held := make(map[string]heldLane, len(lanes))
	for _, lane := range lanes {
		if h, ok := tx.held[lane]; ok && lock {
			held[lane] = h
			continue
		}
		var h heldLane
		ok, err := tx.one(`SELECT fence, poked FROM lanes WHERE lane = ?`, []any{lane}, &h.fence, &h.poked)
		if err != nil {
			return nil, err
		}
		if ok {
			held[lane] = h
		}
	}
	return held, nil
}

func (sqlite) finish(tx *Tx, jobs []int64) error {
	for _, id := range jobs {
		if _, err := tx.exec(`DELETE FROM jobs WHERE id = ?`, id); err != nil {
			return err
		}
	}
	return nil
}

func (sqlite) add(tx *Tx, jobs []laneJob) error {
	for part := range parts(jobs) {
		lanes, rest := make([]any, 0, 3*len(part)), make([]any, 0, 7*len(part))
		for _, j := range part {
			lanes = append(lanes, j.Lane, j.due, j.cap)
			rest = append(rest, j.Lane, j.Kind, j.event, j.Args, j.due, j.cap, tx.now)
		}
		_, err := tx.exec(rows(len(part), `INSERT INTO lanes (lane, due_at, cap_at) VALUES `, 3, `
ON CONFLICT (lane) DO UPDATE SET due_at = MIN(lanes.cap_at, MAX(lanes.due_at, excluded.due_at))`), lanes...)
		if err != nil {
			return err
		}
		_, err = tx.exec(rows(len(part), `INSERT INTO jobs (lane, kind, event_id, args, due_at, cap_at, added_at) VALUES `, 7, ``), rest...)
		if err != nil {
			return err
		}
	}
	return nil
}

func (sqlite) release(tx *Tx, lanes []string) error {
	for _, lane := range lanes {
		var h laneHead
		ok, err := tx.one(`SELECT kind, due_at, cap_at, `+latestDue+` FROM jobs WHERE lane = ? ORDER BY id LIMIT 1`,
			[]any{tx.now, lane}, &h.kind, &h.due, &h.cap, &h.latest)
		if err != nil {
			return err
		}
		if !ok {
			_, err = tx.exec(`DELETE FROM lanes WHERE lane = ?`, lane)
		} else {
			due, limit := dueOf(h, tx.held[lane].poked, tx.now)
			_, err = tx.exec(`UPDATE lanes SET due_at = ?, cap_at = ?, fence = 0, poked = '' WHERE lane = ?`, due, limit, lane)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (sqlite) extend(tx *Tx, leases []*Lease, until int64) error {
	for _, l := range leases {
		if _, err := tx.exec(`UPDATE lanes SET due_at = ?, cap_at = ? WHERE lane = ? AND fence = ?`, until, until, l.Lane, l.fence); err != nil {
			return err
		}
	}
	return nil
}

func (sqlite) claim(tx *Tx, until, fence int64, max int) ([]string, error) {
	return all(tx, scanString, `UPDATE lanes SET due_at = ?, cap_at = ?, fence = ?, poked = '' WHERE lane IN
(SELECT lane FROM lanes WHERE due_at <= ? ORDER BY due_at LIMIT ?) RETURNING lane`, until, until, fence, tx.now, max)
}

func (sqlite) jobs(ctx context.Context, s *Store, lanes []string, per int) ([]Job, error) {
	var out []Job
	for _, lane := range lanes {
		rows, err := s.query(ctx, `SELECT `+jobColumns+` FROM jobs j LEFT JOIN events e ON e.id = j.event_id WHERE j.lane = ? ORDER BY j.id LIMIT ?`, lane, per)
		if err != nil {
			return nil, err
		}
		if out, err = appendLane(out, rows); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// appendLane reads one lane's jobs until they are too large.
func appendLane(out []Job, rows *sql.Rows) ([]Job, error) {
	defer func() { _ = rows.Close() }()
	for size := 0; size < perLaneBytes && rows.Next(); {
		j, err := scanJob(rows)
		if err != nil {
			return nil, fault("store.read", err)
		}
		size += j.size()
		out = append(out, j)
	}
	return out, fault("store.read", rows.Err())
}

func scanString(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) }

func nullable(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }
