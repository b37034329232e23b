package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime/debug"
	"time"

	"github.com/postern-chat/postern"
)

// How long the database may take.
const (
	connectTimeout  = 10 * time.Second
	groupTimeout    = 30 * time.Second
	rollbackTimeout = 5 * time.Second
)

// fate is what became of a group.
type fate int

const (
	written fate = iota
	refused      // nothing was written, because of one of its operations
	lost         // nothing was written, because of the database
	unknown      // a COMMIT got no answer
)

// commit writes a group, either of arrivals or of functions, and tells how many of these
// it came to. If one operation fails the others are written one by one, so that a bad one
// cannot fail its neighbours. If the database failed, the group is tried once more on a
// new connection. A COMMIT that got no answer may have happened: nobody's operation is
// repeated here then. Callers come again by themselves, and keys and fences keep what was
// written from being written twice.
func (w *writer) commit(group []*op) (n int) {
	if len(group) == 0 {
		return 0
	}
	n, f, err := w.attempt(group)
	for try := 1; again(f, n, err, try); try++ {
		w.s.cfg.Logger.Info("writes are tried again", "writes", n, "try", try, "error", err)
		n, f, err = w.attempt(group)
	}
	if f == refused && n > 1 {
		for _, o := range group[:n] {
			w.commit([]*op{o})
		}
		return n
	}
	for _, o := range group[:n] {
		o.finish(err)
	}
	if f == written {
		w.last.end(true) // after those who wait have their answers
	}
	w.last = nil
	return n
}

// conflictTries bounds how often an operation is repeated that other transactions were
// in the way of.
const conflictTries = 10

// again tells whether an attempt is to be repeated as it was. Where something was taken for
// granted that was not so, at least one operation will not do so again.
func again(f fate, n int, err error, try int) bool {
	return f == refused && errors.Is(err, errAssumed) || f == lost && try == 1 || f == refused && n == 1 && conflictPostgres(err) && try < conflictTries
}

func (o *op) finish(err error) {
	if err = cmp.Or(err, o.err); err == nil {
		for _, f := range o.after {
			f()
		}
	}
	o.result <- err
}

// attempt runs a group in one transaction, and tells how many of its operations it came to.
func (w *writer) attempt(group []*op) (n int, f fate, err error) {
	defer func() {
		if f != written {
			w.known = nil
		}
	}()
	if err := w.connect(); err != nil {
		return len(group), lost, fault("store.write", err)
	}
	// Not the callers' contexts: one that ends would break its neighbours' transaction.
	ctx, cancel := w.s.dialect.patience(context.Background(), groupTimeout)
	defer cancel()
	tx := &Tx{ctx: ctx, w: w, begun: time.Now(), now: w.s.now()}
	defer func() {
		if w.last = tx; f != written {
			tx.end(false)
		}
	}()
	for _, o := range group {
		o.after, o.err = nil, nil
	}
	arrivals := arrivalsOf(group)
	if arrivals != nil && w.s.dialect.alone() {
		w.point(group, "before")
		if err := w.s.dialect.record(tx, arrivals); err != nil {
			return len(group), w.gone(unheard(arrivals), refused), err
		}
		w.point(group, "after")
		return len(group), written, nil
	}
	if err := w.exec(ctx, w.s.dialect.begin()); err != nil {
		w.disconnect()
		return len(group), lost, fault("store.write", err)
	}
	if n, err = tx.fill(group, arrivals); err != nil {
		w.rollback()
		return n, w.gone(lost, refused), err
	}
	w.point(group[:n], "before")
	begun := time.Now()
	if err := w.exec(ctx, "COMMIT"); err != nil {
		w.rollback()
		return n, w.gone(unknown, lost), fault("store.write", err)
	}
	w.commits += (time.Since(begun) - w.commits) / 8
	w.point(group[:n], "after")
	select {
	case w.wrote <- struct{}{}:
	default:
	}
	return n, written, nil
}

// arrivalsOf are a group's arrivals; nil if it is one of functions.
func arrivalsOf(group []*op) (in []*arrival) {
	for _, o := range group {
		if o.arrival != nil {
			in = append(in, o.arrival)
		}
	}
	return in
}

// unheard is the fate of arrivals whose COMMIT got no answer: with keys they may be
// recorded again without harm.
func unheard(in []*arrival) fate {
	for _, a := range in {
		if a.Dedup == "" {
			return unknown
		}
	}
	return lost
}

// gone is one of two fates: that of a group whose connection is gone, or the other.
func (w *writer) gone(yes, no fate) fate {
	if w.conn != nil && !w.s.dialect.alive(w.conn) {
		w.disconnect()
	}
	if w.conn == nil {
		return yes
	}
	return no
}

// rollback ends a transaction that failed. A connection on which not even that can be
// done is given up.
func (w *writer) rollback() {
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	if err := w.exec(ctx, "ROLLBACK"); err != nil {
		w.disconnect()
	}
}

// call runs a caller's function. One that panics must not end the writer.
func (o *op) call(tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			tx.w.s.cfg.Logger.Error("a write panicked", "panic", p, "stack", string(debug.Stack()))
			err = postern.Errorf(postern.Internal, "store.write", "panic: %v", p)
			tx.failed = err
		}
	}()
	if o.fn != nil {
		if err := o.fn(tx); err != nil {
			return err
		}
	}
	if o.gives {
		tx.released, tx.touched = append(tx.released, o.lease.Lane), true
	}
	return nil
}

func (w *writer) connect() error {
	if w.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	c, err := w.s.wdb.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn, w.stmts = c, map[string]*sql.Stmt{}
	return nil
}

func (w *writer) disconnect() {
	if w.conn == nil {
		return
	}
	for _, st := range w.stmts {
		_ = st.Close()
	}
	// A connection that failed must not come back out of the pool.
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = w.conn.Close()
	w.conn, w.stmts = nil, nil
}

func (w *writer) exec(ctx context.Context, query string) error {
	if w.conn == nil {
		return errors.New("no connection")
	}
	if w.s.dialect.alone() { // a round trip more would be needed
		_, err := w.conn.ExecContext(ctx, query)
		return err
	}
	st, err := w.prepared(ctx, query)
	if err == nil {
		_, err = st.ExecContext(ctx)
	}
	return err
}

func (w *writer) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if st := w.stmts[query]; st != nil {
		return st, nil
	}
	st, err := w.conn.PrepareContext(ctx, w.s.dialect.rebind(query))
	if err != nil {
		return nil, err
	}
	w.stmts[query] = st
	return st, nil
}
