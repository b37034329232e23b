package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/postern-chat/postern"
)

// sqlite is the dialect of SQLite: one process, one writer.
type sqlite struct{}

func (s *Store) openSQLite(ctx context.Context, file string, steady bool) error {
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
	dsn := "file:" + (&url.URL{Path: file}).EscapedPath() + fmt.Sprintf("?_pragma=busy_timeout(%d)", busyTimeout.Milliseconds()) +
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=temp_store(MEMORY)"
	// 16 MB of the indexes stay in the writer's memory.
	if s.wdb, err = s.openPool(dsn+fmt.Sprintf("&_pragma=wal_autocheckpoint(%d)&_pragma=journal_size_limit(%d)&_pragma=cache_size(-16000)", logPages, keptLog), 1); err != nil {
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
	s.watch(logLook, s.boundLog(file))
	if steady {
		return nil
	}
	s.watch(clockEvery, s.checkClock)
	return s.clockWentBack(ctx)
}

// clockWentBack moves what waits if the clock was set back while nobody was at work: it
// is before the last arrival.
func (s *Store) clockWentBack(ctx context.Context) error {
	return s.Do(ctx, func(tx *Tx) error {
		var last int64
		if _, err := tx.one(`SELECT received_at FROM events ORDER BY id DESC LIMIT 1`, nil, &last); err != nil {
			return err
		}
		by := time.Duration(tx.now-last) * time.Millisecond
		if by >= -maxDrift {
			return nil
		}
		s.cfg.Logger.Warn("the machine's clock was set back meanwhile; all that waits moves with it", "by", by)
		return tx.shift(by)
	})
}

// busyTimeout is how long a connection waits for another's lock.
const busyTimeout = 10 * time.Second

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

// hold locks nothing, there is one writer, and so reads no lane twice.
func (sqlite) hold(tx *Tx, lanes []string, lock bool) (map[string]heldLane, error) {
	held := make(map[string]heldLane, len(lanes))
	for _, lane := range lanes {
		if h, ok := tx.held[lane]; ok && lock {
			held[lane] = h
			continue
		}
		var h heldLane
		ok, err := tx.one(`SELECT number, fence, poked FROM lanes WHERE lane = ?`, []any{lane}, &h.number, &h.fence, &h.poked)
		if err != nil {
			return nil, err
		}
		if ok {
			held[lane] = h
		}
	}
	return held, nil
}

func (sqlite) finish(tx *Tx, jobs []jobKey) error {
	for _, j := range jobs {
		if _, err := tx.exec(`DELETE FROM jobs WHERE lane = ? AND id = ?`, tx.held[j.lane].number, j.id); err != nil {
			return err
		}
	}
	return nil
}

func (sqlite) release(tx *Tx, lanes []string) error {
	for _, lane := range lanes {
		var h laneHead
		ok, err := tx.one(`SELECT kind, due_at, cap_at, `+latestDue+` FROM jobs WHERE lane = ? ORDER BY id LIMIT 1`,
			[]any{tx.now, tx.held[lane].number}, &h.kind, &h.due, &h.cap, &h.latest)
		if err != nil {
			return err
		}
		if !ok {
			tx.w.known.forget(lane)
			_, err = tx.exec(`DELETE FROM lanes WHERE number = ?`, tx.held[lane].number)
		} else {
			due, limit := dueOf(h, tx.held[lane].poked, tx.now)
			_, err = tx.exec(`UPDATE lanes SET due_at = ?, cap_at = ?, fence = 0, poked = '' WHERE number = ?`, due, limit, tx.held[lane].number)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (sqlite) extend(tx *Tx, leases []*Lease, until int64) (lost []*Lease, err error) {
	for _, l := range leases {
		n, err := tx.exec(`UPDATE lanes SET due_at = ?, cap_at = ? WHERE lane = ? AND fence = ?`, until, until, l.Lane, l.fence)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			lost = append(lost, l)
		}
	}
	return lost, nil
}

func (sqlite) claim(tx *Tx, until, fence int64, max int) ([]string, int, error) {
	return claimed(tx, fmt.Sprintf(claimDue, "MAX", "MIN", "", "number"), until, fence, max)
}

func (sqlite) jobs(ctx context.Context, s *Store, lanes []string, per int) ([]Job, error) {
	var out []Job
	for _, lane := range lanes {
		rows, err := s.query(ctx, `SELECT `+jobColumns+` FROM lanes l JOIN jobs j ON j.lane = l.number LEFT JOIN events e ON e.id = j.event_id
WHERE l.lane = ? ORDER BY j.id LIMIT ?`, lane, per)
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
