package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"
)

// SQLite's log is copied into the file now and then, beside the writer, by a connection of
// its own: no commit waits for that. The log begins anew when all of it is copied and
// nobody reads it; with a writer and readers at work all the time that never happens by
// itself, and it grows. So once most of it is copied the writer stops for a moment and
// copies the rest; and if the file is larger than it should be, it waits for those who read.
const (
	// logPages is how much is written between copies: pages of the lanes, which change
	// all the time, are then copied once for many changes.
	logPages = 4000
	// fewPages is how much of the log should be left for the writer to copy, mostPages
	// how much may be.
	fewPages  = 250
	mostPages = logPages / 2
	// keptLog is how large the log's file stays: overwriting costs less than growing.
	keptLog = 20 << 20
	// logLook is how soon after a commit the log is looked at.
	logLook = 20 * time.Millisecond
)

// log is SQLite's log, as it is looked after.
type log struct {
	s    *Store
	file string
	db   *sql.DB // a connection of its own
}

// patienceFor is how long the writer waits for those who read a log of this size, so
// that it can begin anew: the less the more often it is tried.
func patienceFor(size int64) time.Duration {
	switch {
	case size <= keptLog:
		return 0
	case size < 3*keptLog:
		return 5 * time.Millisecond
	case size < 6*keptLog:
		return 100 * time.Millisecond
	}
	return time.Second
}

// tend copies what is in the log, if that is much. It stops the writer only for the last
// pages.
func (l *log) tend(ctx context.Context) error {
	pages, copied, err := checkpoint(ctx, l.db, "NOOP")
	if err != nil || pages < logPages || copied == pages {
		return err
	}
	for range 3 {
		before := copied
		if _, _, err = checkpoint(ctx, l.db, "PASSIVE"); err != nil {
			return err
		}
		if pages, copied, err = checkpoint(ctx, l.db, "NOOP"); err != nil {
			return err
		}
		if pages-copied <= fewPages || copied == before { // readers are in its way
			break
		}
	}
	if pages-copied <= mostPages {
		err = l.s.writers[0].aside(ctx, func(conn *sql.Conn) error {
			_, _, err := checkpoint(context.WithoutCancel(ctx), conn, "PASSIVE")
			return err
		})
		if err != nil {
			return err
		}
	}
	return l.bound(ctx)
}

// checkpoint copies the log, as far as its mode does, and tells how many pages are in it
// and how many of them are copied.
func checkpoint(ctx context.Context, on interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, mode string) (pages, copied int, err error) {
	var busy int
	err = on.QueryRowContext(ctx, `PRAGMA wal_checkpoint(`+mode+`)`).Scan(&busy, &pages, &copied)
	return pages, copied, err
}

// bound has a log that is too large begin anew.
func (l *log) bound(ctx context.Context) error {
	info, err := os.Stat(l.file + "-wal")
	if err != nil {
		return err
	}
	if wait := patienceFor(info.Size()); wait > 0 {
		return l.s.writers[0].aside(ctx, func(conn *sql.Conn) error { return restartLog(ctx, conn, wait) })
	}
	return nil
}

// restartLog copies the rest of the log and waits for its readers. The next commit then
// makes its file small again.
func restartLog(ctx context.Context, conn *sql.Conn, patience time.Duration) error {
	ctx = context.WithoutCancel(ctx) // the connection must come back as it was
	set := func(d time.Duration) error {
		_, err := conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA busy_timeout(%d)`, d.Milliseconds()))
		return err
	}
	if err := set(patience); err != nil {
		return err
	}
	_, _, err := checkpoint(ctx, conn, "RESTART")
	if e := set(busyTimeout); err == nil {
		err = e
	}
	return err
}
