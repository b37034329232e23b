package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"sync"
	"time"

	"github.com/postern-chat/postern"
)

// maxGroup bounds how many operations are committed at once, maxQueue how many may
// wait: beyond that an arrival is told to come again, so that a webhook gets its 503.
// functionTime is for how long a group's functions run while an arrival may be waiting
// for its turn, or as long as a commit takes, if that is more: else the disk, and not the
// work, would be what takes the time. minFunctions are taken however long they took before.
const (
	maxGroup     = 256
	minFunctions = 8
	maxQueue     = 4096
	functionTime = 4 * time.Millisecond
)

// Where operations come in company, but fewer than calmBelow wait, a group begins no sooner
// than groupEvery after the one before.
const (
	groupEvery = 2 * time.Millisecond
	calmBelow  = 32
)

// writer owns one connection and commits in groups whatever waits for it. Groups
// find their size by themselves: while one commit waits for the disk the next gathers.
// Arrivals, for which a webhook's sender waits, and functions take turns, so neither
// waits for more than one group of the other.
type writer struct {
	s        *Store
	conn     *sql.Conn
	stmts    map[string]*sql.Stmt
	known    *known
	arrivals chan *op
	queue    chan *op      // functions
	taken    []*op         // out of it, in order of lane, and not run yet
	fit      int           // how many functions are taken at once
	commits  time.Duration // how long a commit takes, about
	last     *Tx           // that was attempted
	beside   chan func()   // what is done on the connection between groups
	halt     chan struct{} // closed: write what waits, then end
	done     chan struct{} // closed: nothing is written any more
	wrote    chan struct{} // a transaction was committed
	once     sync.Once
	began    time.Time // when the last group was begun, and
	company  int       // how many were in it
}

// op is one unit of a group: either an arrival to be recorded, or a function. A group has
// only the one or only the other.
type op struct {
	origin
	ctx     context.Context
	arrival *arrival
	fn      func(*Tx) error
	lease   *Lease // the lane must still be this lease's; nil = needs none
	careful bool   // takes nothing for granted: what it took so was not so
	gives   bool   // the lane back, when fn, if any, is done
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
		w := &writer{
			s: s, arrivals: make(chan *op, maxQueue), queue: make(chan *op, maxQueue), fit: maxGroup,
			beside: make(chan func()), halt: make(chan struct{}), done: make(chan struct{}), wrote: make(chan struct{}, 1),
		}
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
	o.begin()
	if o.arrival != nil {
		select {
		case w.arrivals <- o:
		default:
			return postern.Errorf(postern.Temporary, "store.write", "more than %d writes wait", maxQueue).Because(postern.CauseBusy)
		}
	} else {
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
		w.calm()
		if arrivals := w.gather(nil); len(arrivals)+len(w.taken) > 0 {
			w.write(arrivals)
			continue
		}
		select {
		case o := <-w.arrivals:
			w.calm()
			w.write(w.gather(o))
		case o := <-w.queue:
			w.calm()
			w.take(o)
		case f := <-w.beside:
			f()
		case <-w.halt:
			if len(w.arrivals)+len(w.queue) == 0 {
				return
			}
		}
	}
}

// calm waits a moment where much comes, but little of it is there: pages and fsyncs are paid
// by the group. Where operations come alone nothing is waited for.
func (w *writer) calm() {
	if w.company < 2 || len(w.arrivals)+len(w.queue)+len(w.taken) >= calmBelow {
		return
	}
	if wait := groupEvery - time.Since(w.began); wait > 0 {
		time.Sleep(wait)
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

// gather takes the arrivals that wait, after first, if any, and functions if none are left.
func (w *writer) gather(first *op) (arrivals []*op) {
	if first != nil {
		arrivals = waiting(arrivals, first)
	}
	arrivals = drain(arrivals, w.arrivals, maxGroup)
	if len(w.taken) == 0 {
		w.take(nil)
	}
	return arrivals
}

// take takes functions that wait, after first, if any. Rows are locked in one order
// everywhere.
func (w *writer) take(first *op) {
	if first != nil {
		w.taken = waiting(w.taken, first)
	}
	w.taken = drain(w.taken, w.queue, w.fit)
	slices.SortStableFunc(w.taken, func(a, b *op) int {
		if a.claims != b.claims {
			if b.claims {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.lane(), b.lane())
	})
}

func drain(list []*op, queue chan *op, most int) []*op {
	for len(list) < most {
		select {
		case o := <-queue:
			list = waiting(list, o)
			continue
		default:
		}
		break
	}
	return list
}

// waiting appends an operation, unless its caller has stopped waiting.
func waiting(list []*op, o *op) []*op {
	if err := o.ctx.Err(); err != nil {
		o.result <- fault("store.write", err)
		return list
	}
	return append(list, o)
}

// write commits arrivals, and then functions, as many as find the time.
func (w *writer) write(arrivals []*op) {
	w.began, w.company = time.Now(), len(arrivals)+len(w.taken)
	w.commit(arrivals)
	n := w.commit(w.taken)
	if n < len(w.taken) {
		w.taken, w.fit = w.taken[n:], max(minFunctions, n)
	} else {
		w.taken, w.fit = nil, min(maxGroup, max(w.fit, 2*n))
	}
}
