package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/postern-chat/postern"
)

// maxGroup bounds how many operations are committed at once, maxQueue how many may
// wait: beyond that an arrival is told to come again, so that a webhook gets its 503.
const (
	maxGroup = 256
	maxQueue = 4096
)

// How long the database may take.
const (
	connectTimeout  = 10 * time.Second
	groupTimeout    = 30 * time.Second
	rollbackTimeout = 5 * time.Second
)

// writer owns one connection and commits in groups whatever waits for it. Groups
// find their size by themselves: while one commit waits for the disk the next gathers.
type writer struct {
	s      *Store
	conn   *sql.Conn
	stmts  map[string]*sql.Stmt
	known  *known
	queue  chan *op
	beside chan func()   // what is done on the connection between groups
	halt   chan struct{} // closed: write what waits, then end
	done   chan struct{} // closed: nothing is written any more
	once   sync.Once
}

// op is one unit of a group: either an arrival to be recorded, or a function.
type op struct {
	ctx     context.Context
	arrival *arrival
	fn      func(*Tx) error
	lease   *Lease // the lane must still be this lease's; nil = needs none
	claims  bool   // leases lanes: comes last, so that nothing waits for rows behind it
	err     error  // what became of it alone, while the group goes on
	after   []func()
	result  chan error
}

// lane is what functions are sorted by: rows are locked in one order everywhere.
func (o *op) lane() string {
	if o.lease != nil {
		return o.lease.Lane
	}
	return ""
}

func (s *Store) startWriters(n int) {
	for range n {
		w := &writer{s: s, queue: make(chan *op, maxQueue), beside: make(chan func()), halt: make(chan struct{}), done: make(chan struct{})}
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

// submit queues an operation and waits for its end, also beyond the end of ctx: only
// so the caller knows whether it was written. A full queue turns arrivals away, whose
// senders come again; what our own work has come to waits for a place.
func (w *writer) submit(ctx context.Context, o *op) error {
	o.ctx, o.result = ctx, make(chan error, 1)
	select {
	case w.queue <- o:
	default:
		if o.arrival != nil {
			return postern.Errorf(postern.Temporary, "store.write", "more than %d writes wait", maxQueue).Because(postern.CauseBusy)
		}
		select {
		case w.queue <- o:
		case <-ctx.Done():
			return fault("store.write", ctx.Err())
		case <-w.done:
			return errClosed
		}
	}
	select {
	case err := <-o.result:
		return err
	case <-w.done:
	}
	select {
	case err := <-o.result: // written, just before the end
		return err
	default:
		return errClosed
	}
}

var errClosed = postern.Errorf(postern.Temporary, "store.write", "the store is closed")

func (w *writer) run() {
	defer close(w.done)
	defer w.disconnect()
	for {
		select {
		case f := <-w.beside:
			f()
			continue
		default:
		}
		select {
		case first := <-w.queue:
			w.write(w.gather(first))
			continue
		default:
		}
		select {
		case first := <-w.queue:
			w.write(w.gather(first))
		case f := <-w.beside:
			f()
		case <-w.halt:
			if len(w.queue) == 0 {
				return
			}
		}
	}
}

// aside runs fn on the writer's connection between two groups, and waits for it.
func (w *writer) aside(ctx context.Context, fn func(*sql.Conn) error) (err error) {
	done := make(chan struct{})
	f := func() {
		defer close(done)
		if err = w.connect(); err == nil {
			err = fn(w.conn)
		}
	}
	select {
	case w.beside <- f:
		<-done
		return err
	case <-w.done:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gather takes what waits, leaving out whoever has stopped waiting.
func (w *writer) gather(first *op) []*op {
	group := make([]*op, 0, 16)
	add := func(o *op) {
		if err := o.ctx.Err(); err != nil {
			o.result <- fault("store.write", err)
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

// fate is what became of a group.
type fate int

const (
	written fate = iota
	refused      // nothing was written, because of one of its operations
	lost         // nothing was written, because of the database
	unknown      // a COMMIT got no answer
)

// write commits what was gathered: in one transaction, or, where recording needs none
// around it, arrivals first and functions then.
func (w *writer) write(group []*op) {
	if !w.s.dialect.alone() {
		w.commit(group)
		return
	}
	var arrivals, rest []*op
	for _, o := range group {
		if o.arrival != nil {
			arrivals = append(arrivals, o)
		} else {
			rest = append(rest, o)
		}
	}
	w.commit(arrivals)
	w.commit(rest)
}

// commit writes a group. If one operation fails the others are written one by one,
// so that a bad one cannot fail its neighbours. If the database failed, the group is
// tried once more on a new connection. A COMMIT that got no answer may have happened:
// nobody's operation is repeated here then. Callers come again by themselves, and
// keys and fences keep what was written from being written twice.
func (w *writer) commit(group []*op) {
	if len(group) == 0 {
		return
	}
	f, err := w.attempt(group)
	for try := 1; again(f, len(group), err, try); try++ {
		w.s.cfg.Logger.Info("writes are tried again", "writes", len(group), "try", try, "error", err)
		f, err = w.attempt(group)
	}
	if f == refused && len(group) > 1 {
		for _, o := range group {
			w.commit([]*op{o})
		}
		return
	}
	for _, o := range group {
		o.finish(err)
	}
}

// conflictTries bounds how often an operation is repeated that other transactions were
// in the way of.
const conflictTries = 10

// again tells whether an attempt is to be repeated as it was.
func again(f fate, n int, err error, try int) bool {
	return f == lost && try == 1 || f == refused && n == 1 && conflictPostgres(err) && try < conflictTries
}

func (o *op) finish(err error) {
	if err = cmp.Or(err, o.err); err == nil {
		for _, f := range o.after {
			f()
		}
	}
	o.result <- err
}

// attempt runs a group in one transaction.
func (w *writer) attempt(group []*op) (f fate, err error) {
	defer func() {
		if f != written {
			w.known = nil
		}
	}()
	if err := w.connect(); err != nil {
		return lost, fault("store.write", err)
	}
	// Not the callers' contexts: one that ends would break its neighbours' transaction.
	ctx, cancel := w.s.dialect.patience(context.Background(), groupTimeout)
	defer cancel()
	tx := &Tx{ctx: ctx, w: w, now: w.s.now()}
	arrivals, rest := split(group)
	if len(rest) == 0 && w.s.dialect.alone() {
		if err := w.s.dialect.record(tx, arrivals); err != nil {
			return w.gone(unheard(arrivals), refused), err
		}
		return written, nil
	}
	if err := w.exec(ctx, w.s.dialect.begin()); err != nil {
		w.disconnect()
		return lost, fault("store.write", err)
	}
	if err := tx.fill(arrivals, rest); err != nil {
		w.rollback()
		return w.gone(lost, refused), err
	}
	if err := w.exec(ctx, "COMMIT"); err != nil {
		w.rollback()
		return w.gone(unknown, lost), fault("store.write", err)
	}
	if tx.due {
		w.s.signal()
	}
	return written, nil
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

// split parts arrivals from functions and puts both in order, anew on every attempt.
func split(group []*op) (arrivals []*arrival, rest []*op) {
	for _, o := range group {
		o.after, o.err = nil, nil
		if o.arrival != nil {
			arrivals = append(arrivals, o.arrival)
		} else {
			rest = append(rest, o)
		}
	}
	slices.SortStableFunc(rest, func(a, b *op) int {
		if a.claims != b.claims {
			if b.claims {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.lane(), b.lane())
	})
	return arrivals, rest
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
	return o.fn(tx)
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
