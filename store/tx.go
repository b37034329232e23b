package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Tx is a transaction in which a function of the caller writes, together with other
// callers' functions. It must not be kept. Jobs that are added or done, and lanes
// that are given back, are written at the end, all in one go.
type Tx struct {
	ctx context.Context
	w   *writer
	op  *op
	now int64

	held     map[string]heldLane // lanes that functions need, their rows locked
	failed   error               // of a statement: the transaction is of no use any more
	touched  bool                // something was written, or will be
	added    []laneJob
	finished []int64
	released []string
}

// heldLane is what a transaction knows of a lane whose row it locked.
type heldLane struct {
	fence int64
	poked string // the kind of job that was poked while the lane was worked
}

// Now is the time at which the transaction began.
func (tx *Tx) Now() time.Time { return at(tx.now) }

// fill runs a group's operations.
func (tx *Tx) fill(arrivals []*arrival, rest []*op) error {
	if len(arrivals) > 0 {
		if err := tx.w.s.dialect.record(tx, arrivals); err != nil {
			return err
		}
	}
	if err := tx.lockLanes(rest); err != nil {
		return err
	}
	for i, o := range rest {
		if o.claims && (i == 0 || !rest[i-1].claims) {
			if err := tx.flush(); err != nil {
				return err
			}
		}
		if err := tx.run(o); err != nil {
			return err
		}
	}
	return tx.flush()
}

// run runs one function. If it fails before it wrote anything it fails alone.
func (tx *Tx) run(o *op) error {
	if o.lease != nil && tx.held[o.lease.Lane].fence != o.lease.fence {
		o.err = errLost
		return nil
	}
	tx.op, tx.touched = o, false
	err := o.call(tx)
	if tx.failed != nil {
		// Also if the function made nothing of it: PostgreSQL has given the transaction
		// up, and would take a COMMIT for a ROLLBACK without a word.
		if err == nil {
			err = tx.failed
		}
		return err
	}
	if err != nil && !tx.touched {
		o.err, o.after = err, nil
		return nil
	}
	return err
}

// lockLanes locks the lanes that functions need, in one order.
func (tx *Tx) lockLanes(rest []*op) error {
	var lanes []string
	for _, o := range rest {
		if o.lease != nil {
			lanes = append(lanes, o.lease.Lane)
		}
	}
	if len(lanes) == 0 {
		return nil
	}
	slices.Sort(lanes)
	held, err := tx.w.s.dialect.hold(tx, slices.Compact(lanes))
	tx.held = held
	return err
}

// flush writes what functions left to the end.
func (tx *Tx) flush() error {
	d := tx.w.s.dialect
	tx.op = nil
	if len(tx.finished) > 0 {
		if err := d.finish(tx, tx.finished); err != nil {
			return err
		}
	}
	if len(tx.added) > 0 {
		slices.SortStableFunc(tx.added, laneOrder)
		if err := d.add(tx, tx.added); err != nil {
			return err
		}
	}
	if len(tx.released) > 0 {
		if err := d.release(tx, tx.released); err != nil {
			return err
		}
	}
	tx.finished, tx.added, tx.released = nil, nil, nil
	return nil
}

// exec writes and tells how many rows it touched.
func (tx *Tx) exec(query string, args ...any) (int64, error) {
	tx.touched = true
	st, err := tx.w.prepared(tx.ctx, query)
	if err != nil {
		return 0, tx.fail(err)
	}
	res, err := st.ExecContext(tx.ctx, clean(args)...)
	if err != nil {
		return 0, tx.fail(err)
	}
	return res.RowsAffected()
}

func (tx *Tx) query(query string, args ...any) (*sql.Rows, error) {
	st, err := tx.w.prepared(tx.ctx, query)
	if err != nil {
		return nil, tx.fail(err)
	}
	rows, err := st.QueryContext(tx.ctx, clean(args)...)
	if err != nil {
		return nil, tx.fail(err)
	}
	return rows, nil
}

// one reads one row into dest; false if there is none.
func (tx *Tx) one(query string, args []any, dest ...any) (bool, error) {
	st, err := tx.w.prepared(tx.ctx, query)
	if err != nil {
		return false, tx.fail(err)
	}
	ok, err := found(st.QueryRowContext(tx.ctx, clean(args)...).Scan(dest...))
	if err != nil {
		return false, tx.fail(err)
	}
	return ok, nil
}

// all reads all rows with scan.
func all[T any](tx *Tx, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := tx.query(query, args...)
	if err != nil {
		return nil, err
	}
	out, err := collect(rows, scan)
	if err != nil {
		return nil, tx.fail(err)
	}
	return out, nil
}

func (tx *Tx) fail(err error) error {
	err = fault("store.write", err)
	tx.failed = err
	return err
}

// committed runs f when the transaction is written, not before and not if it fails.
func (tx *Tx) committed(f func()) {
	if tx.op != nil {
		tx.op.after = append(tx.op.after, f)
	}
}

// clean makes strings fit for every database: PostgreSQL takes no NUL and nothing
// but UTF-8, and strangers send both. Bytes are left alone.
func clean(args []any) []any {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = text(s)
		}
	}
	return args
}

func text(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// short bounds a text in bytes, at the beginning of a character.
func short(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
