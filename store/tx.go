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
// that are poked or given back, are written at the end, all in one go.
type Tx struct {
	ctx context.Context
	w   *writer
	op  *op
	now int64

	begun    time.Time           // a moment before now
	held     map[string]heldLane // lanes that functions need
	failed   error               // of a statement: the transaction is of no use any more
	touched  bool                // something was written, or will be
	due      bool                // a lane that is given back is due soon
	wakes    bool                // a job was added that is due soon
	handoff  *handoff            // lanes that are handed to our own workers
	bulk     bulk
	added    []laneJob
	finished []jobKey
	poked    []poke
	released []string
	counts   map[DeliveryState]int // how many deliveries more there are in which state
}

// heldLane is what a transaction knows of a lane.
type heldLane struct {
	number int64
	fence  int64
	poked  string // the kind of job that was poked while the lane was worked
}

// jobKey is what a job is found by.
type jobKey struct {
	lane string
	id   int64
}

// poke is a wish for a lane to be due, if its first job is of this kind.
type poke struct{ lane, kind string }

// Now is the time at which the transaction began.
func (tx *Tx) Now() time.Time { return at(tx.now) }

// fill runs a group's operations: all of its arrivals, or of its functions as many as find
// the time. It tells how many it came to.
func (tx *Tx) fill(group []*op, arrivals []*arrival) (n int, err error) {
	if len(arrivals) > 0 {
		if err := tx.w.s.dialect.record(tx, arrivals); err != nil {
			return len(group), err
		}
		return len(group), tx.settle()
	}
	if err := tx.look(group); err != nil {
		return len(group), err
	}
	begun, most, flushed := time.Now(), max(functionTime, tx.w.commits), false
	for ; n < len(group); n++ {
		if n > 0 && time.Since(begun) > most {
			break
		}
		o := group[n]
		if o.claims && !flushed { // they come last
			if err := tx.flush(group[:n]); err != nil {
				return n, err
			}
			flushed = true
		}
		if err := tx.run(o); err != nil {
			return n + 1, err
		}
	}
	if flushed {
		return n, nil
	}
	return n, tx.flush(group[:n])
}

// end tells workers of what is due soon, if it was written.
func (tx *Tx) end(written bool) {
	tx.handoff.end(written)
	switch {
	case !written:
	case tx.wakes:
		tx.w.s.added()
	case tx.due:
		tx.w.s.signal()
	}
}

// run runs one function. If it fails before it wrote anything it fails alone.
func (tx *Tx) run(o *op) error {
	if o.lease != nil && (tx.held[o.lease.Lane].fence != o.lease.fence || slices.Contains(tx.released, o.lease.Lane)) {
		o.err = errLost
		return nil
	}
	tx.op, tx.touched = o, false
	err := o.call(tx)
	tx.op = nil
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

// look reads the lanes that functions need, so that late owners' do not run.
func (tx *Tx) look(rest []*op) (err error) {
	var lanes []string
	for _, o := range rest {
		if o.lease != nil {
			lanes = append(lanes, o.lease.Lane)
		}
	}
	tx.held = map[string]heldLane{}
	if len(lanes) > 0 {
		slices.Sort(lanes)
		tx.held, err = tx.w.s.dialect.hold(tx, slices.Compact(lanes), false)
	}
	return err
}

// lockLanes locks the rows of all lanes that are to be written, in one order and in
// one statement, after everything else: groups of several writers then never wait for
// one another crosswise. Whoever lost his lane since look has failed.
func (tx *Tx) lockLanes(rest []*op) (err error) {
	var lanes []string
	for _, o := range rest {
		if o.lease != nil && o.err == nil {
			lanes = append(lanes, o.lease.Lane)
		}
	}
	for _, j := range tx.added {
		lanes = append(lanes, j.Lane)
	}
	for _, p := range tx.poked {
		lanes = append(lanes, p.lane)
	}
	for _, j := range tx.finished {
		lanes = append(lanes, j.lane)
	}
	if len(lanes) == 0 {
		return nil
	}
	slices.Sort(lanes)
	if tx.held, err = tx.w.s.dialect.hold(tx, slices.Compact(lanes), true); err != nil {
		return err
	}
	for _, o := range rest {
		if o.lease != nil && o.err == nil && tx.held[o.lease.Lane].fence != o.lease.fence {
			return errLost
		}
	}
	return nil
}

// flush writes what functions left to the end.
func (tx *Tx) flush(rest []*op) error {
	d := tx.w.s.dialect
	if err := tx.settle(); err != nil {
		return err
	}
	if err := tx.writeCounts(); err != nil {
		return err
	}
	if err := tx.lockLanes(rest); err != nil {
		return err
	}
	if len(tx.finished) > 0 {
		if err := d.finish(tx, tx.finished); err != nil {
			return err
		}
	}
	if len(tx.added) > 0 {
		slices.SortStableFunc(tx.added, laneOrder) // poke wants that too
		if err := d.add(tx, tx.added); err != nil {
			return err
		}
	}
	for _, p := range tx.poked {
		if err := tx.poke(p); err != nil {
			return err
		}
	}
	if len(tx.released) > 0 {
		return d.release(tx, tx.released)
	}
	return nil
}

// writeCounts writes how many deliveries there are in which state now.
func (tx *Tx) writeCounts() error {
	var states, ns []int64
	for state := Queued; state <= Failed; state++ {
		if n := tx.counts[state]; n != 0 {
			states, ns = append(states, int64(state)), append(ns, int64(n))
		}
	}
	if len(states) == 0 {
		return nil
	}
	return tx.w.s.dialect.count(tx, states, ns)
}

// exec writes and tells how many rows it touched.
func (tx *Tx) exec(query string, args ...any) (int64, error) {
	if err := tx.settle(); err != nil {
		return 0, err
	}
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
	if err := tx.settle(); err != nil {
		return nil, err
	}
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
	if err := tx.settle(); err != nil {
		return false, err
	}
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
