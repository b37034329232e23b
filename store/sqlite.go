package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	if s.wdb, err = s.openPool(dsn+fmt.Sprintf("&_pragma=wal_autocheckpoint(0)&_pragma=journal_size_limit(%d)&_pragma=cache_size(-%d)", keptLog, writerCache(file)), 1); err != nil {
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
	l := &log{s: s, file: file}
	if l.db, err = s.openPool(dsn, 1); err != nil {
		return err
	}
	s.watchAfter(s.writers[0].wrote, logLook, l.tend)
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

// writerCache is how many kB of pages stay in the writer's memory. A large file's indexes
// want them. In one below 1 GB they cost more than they save: when SQLite puts pages in
// order it passes through the number of the lock page, which is that of the byte at 1 GB,
// and the commit then looks through all pages in memory for what lies behind the file's
// end (balance_nonroot, pcache1Truncate).
func writerCache(file string) int {
	if info, err := os.Stat(file); err == nil && info.Size() > 1<<30 {
		return 64_000
	}
	return 16_000
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
func (sqlite) locking() string            { return "" } // there is one writer

// patience and reading: a context that can end costs a goroutine for each statement, and
// more for each row's reader. Statements on a file are short, and a disk that hangs is not
// to be interrupted anyway.
func (sqlite) patience(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
	return ctx, func() {}
}
func (sqlite) reading(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

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

// jobs asks for many lanes at once. CROSS JOIN keeps them in the order of the list, so
// when one lane has too much, the rest of it is left out by asking anew for those behind.
func (sqlite) jobs(ctx context.Context, s *Store, lanes []string, per int) (out []Job, err error) {
	query := `SELECT ` + jobColumns + ` FROM json_each(?) AS want CROSS JOIN lanes l ON l.lane = want.value CROSS JOIN jobs j ON j.lane = l.number
 AND j.id < COALESCE((SELECT id FROM jobs WHERE jobs.lane = l.number ORDER BY id LIMIT 1 OFFSET ` + strconv.Itoa(per) + `), 9223372036854775807)
LEFT JOIN events e ON e.id = j.event_id`
	for len(lanes) > 0 {
		list, err := json.Marshal(lanes)
		if err != nil {
			return nil, fault("store.read", err)
		}
		rows, err := s.query(ctx, query, string(list))
		if err != nil {
			return nil, err
		}
		full := ""
		if out, full, err = appendLanes(out, rows); err != nil || full == "" {
			return out, err
		}
		lanes = lanes[slices.Index(lanes, full)+1:]
	}
	return out, nil
}

// appendLanes reads lanes' jobs until one lane's are too large, which it names.
func appendLanes(out []Job, rows *sql.Rows) (_ []Job, full string, err error) {
	defer func() { _ = rows.Close() }()
	lane, size := "", 0
	for rows.Next() {
		j, err := scanJob(rows)
		if err != nil {
			return nil, "", fault("store.read", err)
		}
		if j.Lane != lane {
			lane, size = j.Lane, 0
		}
		if size >= perLaneBytes {
			return out, lane, nil
		}
		size += j.size()
		out = append(out, j)
	}
	return out, "", fault("store.read", rows.Err())
}

func scanInt(rows *sql.Rows) (n int64, err error) { return n, rows.Scan(&n) }

func scanString(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) }

func nullable(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }
