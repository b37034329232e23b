package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"
)

// SQLite copies its log into the file now and then, after a commit. The log begins anew
// when all of it is copied and nobody reads it; where reads overlap all the time that
// never happens by itself, and it grows. So once it is larger than it should be the
// writer stops for a moment, copies the rest and waits for those who read.
const (
	// logPages is how much is written between copies: pages of the lanes, which change
	// all the time, are then copied once for many changes.
	logPages = 4000
	// keptLog is how large the log's file stays: overwriting costs less than growing.
	keptLog = 20 << 20
	logLook = 500 * time.Millisecond
)

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

// boundLog has a log that is too large begin anew.
func (s *Store) boundLog(file string) func(context.Context) error {
	return func(ctx context.Context) error {
		info, err := os.Stat(file + "-wal")
		if err != nil {
			return err
		}
		if wait := patienceFor(info.Size()); wait > 0 {
			return s.writers[0].aside(ctx, func(conn *sql.Conn) error { return restartLog(ctx, conn, wait) })
		}
		return nil
	}
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
	var busy, log, copied int64
	err := conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(RESTART)`).Scan(&busy, &log, &copied)
	if e := set(busyTimeout); err == nil {
		err = e
	}
	return err
}
