package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"time"

	"github.com/postern-chat/postern"
)

// maxGroup bounds how many operations are committed at once, maxQueue how many may
// wait: beyond that the caller is told to come again, so that a webhook gets its 503.
const (
	maxGroup = 256
	maxQueue = 4096
)

// writer owns one connection and commits in groups whatever waits for it. Groups
// find their size by themselves: while one commit waits for the disk the next gathers.
type writer struct {
	s     *Store
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	queue chan *op
	halt  chan struct{} // closed: write what waits, then end
	done  chan struct{} // closed: nothing is written any more
	once  sync.Once
}

// op is one unit of a group: either arrivals to be recorded, which are stored
// together, or a function.
type op struct {
	ctx     context.Context
	arrival *arrival
	fn      func(*Tx) error
	after   []func() // run when committed
	result  chan error
}

func (s *Store) startWriters(n int) {
	for range n {
		w := &writer{s: s, queue: make(chan *op, maxQueue), halt: make(chan struct{}), done: make(chan struct{})}
		s.writers = append(s.writers, w)
		go w.run()
	}
}

func (w *writer) stop() {
	w.once.Do(func() { close(w.halt) })
	<-w.done
}

// do queues fn and waits until it is committed.
func (w *writer) do(ctx context.Context, fn func(*Tx) error) error {
	return w.submit(ctx, &op{fn: fn})
}

func (w *writer) submit(ctx context.Context, o *op) error {
	o.ctx, o.result = ctx, make(chan error, 1)
	select {
	case w.queue <- o:
	default:
		return postern.Errorf(postern.Temporary, "store.write", "more than %d writes wait", maxQueue).Because(postern.CauseBusy)
	}
	select {
	case err := <-o.result:
		return err
	case <-w.done:
		return postern.Errorf(postern.Temporary, "store.write", "the store is closed")
	}
}

func (w *writer) run() {
	defer close(w.done)
	defer w.disconnect()
	for {
		select {
		case first := <-w.queue:
			w.commit(w.gather(first))
			continue
		default:
		}
		select {
		case first := <-w.queue:
			w.commit(w.gather(first))
		case <-w.halt:
			if len(w.queue) == 0 {
				return
			}
		}
	}
}

// gather takes what waits, leaving out whoever has stopped waiting.
func (w *writer) gather(first *op) []*op {
	group := make([]*op, 0, 16)
	add := func(o *op) {
		if err := o.ctx.Err(); err != nil {
			o.result <- unreachable("store.write", err)
			return
		}
		group = append(group, o)
	}
	add(first)
	for len(group) < maxGroup {
		select {
		case o := <-w.queue:
			add(o)
			continue
		default:
		}
		break
	}
	return group
}

// commit writes a group. If one operation fails the others are written one by one,
// so that a bad one cannot fail its neighbours. A COMMIT that got no answer may have
// happened: nobody's operation is repeated here then. Callers come again by themselves,
// and keys and fences keep what was written from being written twice.
func (w *writer) commit(group []*op) {
	if len(group) == 0 {
		return
	}
	err, certain := w.attempt(group)
	if err == nil || len(group) == 1 || !certain {
		for _, o := range group {
			o.finish(err)
		}
		return
	}
	for _, o := range group {
		err, _ := w.attempt([]*op{o})
		o.finish(err)
	}
}

func (o *op) finish(err error) {
	if err != nil {
		o.result <- unreachable("store.write", err)
		return
	}
	for _, f := range o.after {
		f()
	}
	o.result <- nil
}

// attempt runs a group in one transaction. On an error nothing was written, if that
// is certain.
func (w *writer) attempt(group []*op) (err error, certain bool) {
	defer func() {
		if err != nil && w.s.dialect.broken(err) {
			w.disconnect()
		}
	}()
	if err := w.connect(); err != nil {
		return err, true
	}
	// Not the callers' contexts: one that ends would break its neighbours' transaction.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := w.exec(ctx, w.s.dialect.begin()); err != nil {
		return err, true
	}
	if err := w.fill(ctx, group); err != nil {
		return errors.Join(err, w.exec(ctx, "ROLLBACK")), true
	}
	if err := w.exec(ctx, "COMMIT"); err != nil {
		return err, w.exec(ctx, "ROLLBACK") == nil
	}
	return nil, true
}

func (w *writer) fill(ctx context.Context, group []*op) error {
	tx := &Tx{ctx: ctx, w: w, now: w.s.now()}
	var in []*arrival
	for _, o := range group {
		o.after = nil
		if o.arrival != nil {
			in = append(in, o.arrival)
		}
	}
	if len(in) > 0 {
		if err := w.s.dialect.record(tx, in); err != nil {
			return err
		}
	}
	for _, o := range group {
		if o.fn == nil {
			continue
		}
		tx.op = o
		if err := o.fn(tx); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) connect() error {
	if w.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
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
	_, err := w.conn.ExecContext(ctx, query)
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

// Tx is a transaction in which a function of the caller writes. It must not be kept.
type Tx struct {
	ctx context.Context
	w   *writer
	op  *op
	now int64
}

// Now is the time at which the transaction began.
func (tx *Tx) Now() time.Time { return at(tx.now) }

// exec writes and tells how many rows it touched.
func (tx *Tx) exec(query string, args ...any) (int64, error) {
	st, err := tx.w.prepared(tx.ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(tx.ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (tx *Tx) query(query string, args ...any) (*sql.Rows, error) {
	st, err := tx.w.prepared(tx.ctx, query)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(tx.ctx, args...)
}

// one reads one row into dest; false if there is none.
func (tx *Tx) one(query string, args []any, dest ...any) (bool, error) {
	st, err := tx.w.prepared(tx.ctx, query)
	if err != nil {
		return false, err
	}
	return found(st.QueryRowContext(tx.ctx, args...).Scan(dest...))
}

// committed runs f when the transaction is written, not before and not if it fails.
func (tx *Tx) committed(f func()) {
	if tx.op != nil {
		tx.op.after = append(tx.op.after, f)
	}
}
