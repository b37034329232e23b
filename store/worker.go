package store

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-chat/postern"
)

// Handler works the first jobs of a lane. It runs outside any transaction and may
// call far away. Its context ends when the lane may be another's: then it must send
// nothing more. What it returns is written in the transaction that gives the lane
// back; nil writes nothing. On an error the lane's first job is put off or given up
// by the error's kind; the handler is called again with it, also after a crash.
type Handler func(ctx context.Context, l *Lease) (final func(*Tx) error, err error)

// Workers lease lanes and have them handled.
type Workers struct {
	s       *Store
	handle  Handler
	slots   int
	log     *slog.Logger
	crew    crew
	running sync.WaitGroup // leases and promised slots
	mu      sync.Mutex
	active  map[*Lease]*held
	kept    int             // slots that are reserved
	behind  bool            // lanes may be due that were not asked for: nothing is handed on before them
	work    context.Context // nil: not at work
	free    chan struct{}   // a slot became free
	claimed atomic.Int64    // Store.clock.elapsed when lanes were last asked for with success
}

// held is a lease that is being worked.
type held struct {
	since time.Time // when it was certainly ours; on the machine's even clock
	lose  context.CancelCauseFunc
	lost  bool
}

// How long jobs are tried, by what their errors are.
const (
	maxDefects = 8              // attempts of what fails for reasons nobody classed
	maxAge     = 72 * time.Hour // of a job whose other side is down
	poll       = 500 * time.Millisecond
	grace      = 15 * time.Second // for running work, when asked to stop
)

// NewWorkers makes workers that handle at most slots lanes at once.
func (s *Store) NewWorkers(slots int, log *slog.Logger, h Handler) *Workers {
	w := &Workers{s: s, handle: h, slots: slots, log: log, active: map[*Lease]*held{}, free: make(chan struct{}, 1)}
	w.move() // else nobody would notice one that never gets to ask
	return w
}

// Moving tells when lanes were last asked for with success, by the machine's clock as it
// is now: what readiness looks at.
func (w *Workers) Moving() time.Time {
	return w.s.cfg.Now().Add(time.Duration(w.claimed.Load()) - w.s.clock.elapsed())
}

func (w *Workers) move() { w.claimed.Store(int64(w.s.clock.elapsed())) }

// Run works until ctx ends. Then nothing new begins; what runs has a grace period,
// and what is not finished by then is left for the next owner.
func (w *Workers) Run(ctx context.Context) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	beat := make(chan struct{})
	go func() { defer close(beat); w.heartbeat(work) }()
	w.open(work)
	for ctx.Err() == nil {
		if w.claim(ctx) {
			continue
		}
		w.rest(ctx)
	}
	w.shut()
	stop := time.AfterFunc(grace, cancel)
	w.running.Wait()
	stop.Stop()
	cancel()
	<-beat
	w.crew.end()
}

// open has lanes handed on, which are worked under work, until shut.
func (w *Workers) open(work context.Context) {
	w.mu.Lock()
	w.work, w.behind = work, true
	w.mu.Unlock()
	w.s.hands.CompareAndSwap(nil, w)
}

func (w *Workers) shut() {
	w.mu.Lock()
	w.work, w.behind = nil, true
	w.mu.Unlock()
	w.s.hands.CompareAndSwap(w, nil)
}

// reserve keeps up to n slots for lanes that are about to be opened, and tells how many.
// None while lanes may wait in the database: they are older.
func (w *Workers) reserve(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.work == nil || w.behind {
		return 0
	}
	if room := w.slots - len(w.active) - w.kept; n > room {
		n, w.behind = max(room, 0), true // the others will wait
	}
	w.kept += n
	w.running.Add(n)
	return n
}

// unreserve gives back slots.
func (w *Workers) unreserve(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept -= n
	w.running.Add(-n)
	w.freed()
}

// take has a lane worked in a slot that was reserved for it. Asked to stop meanwhile, it
// gives it back at once.
func (w *Workers) take(l *Lease, since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept--
	if w.work == nil {
		w.crew.run(func() {
			defer w.running.Done()
			ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
			defer cancel()
			if err := w.s.Finish(ctx, l, nil); err != nil {
				w.log.Warn("a lane could not be given back; it is taken up when its lease runs out", "error", err)
			}
		})
		return
	}
	w.begin(l, since)
}

// begin has a lane worked, in a slot that is reserved no more. w.mu is held.
func (w *Workers) begin(l *Lease, since time.Time) {
	work := w.work
	own, lose := context.WithCancelCause(work)
	w.active[l] = &held{since: since, lose: lose}
	w.crew.run(func() { w.do(work, own, l) })
}

// full tells whether no slot is free.
func (w *Workers) full() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.active)+w.kept >= w.slots
}

// claim leases what is due, as far as slots are free; false if there is nothing to
// do now.
func (w *Workers) claim(ctx context.Context) bool {
	w.mu.Lock()
	room := min(w.slots-len(w.active)-w.kept, maxGroup)
	if room <= 0 {
		w.behind = true
		w.mu.Unlock()
		return false
	}
	w.kept += room // not to be promised meanwhile
	w.mu.Unlock()
	since := time.Now()
	leases, err := w.s.Claim(ctx, room)
	w.mu.Lock()
	w.kept -= room
	w.behind = err != nil || len(leases) == room
	for _, l := range leases {
		w.running.Add(1)
		w.begin(l, since)
	}
	w.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			w.log.Warn("lanes could not be leased", "error", err)
			sleep(ctx, poll)
		}
		return false
	}
	w.move()
	return len(leases) > 0
}

// rest waits until a lane may be due.
func (w *Workers) rest(ctx context.Context) {
	wait, wake := poll, w.s.wake
	if w.full() {
		wake = nil // it keeps until a slot is free
	} else if due, ok, err := w.s.NextDue(ctx); err == nil && ok {
		wait = min(wait, max(due.Sub(at(w.s.now())), 0)+time.Millisecond)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-w.free:
	case <-t.C:
	}
}

// do has a lane handled. own ends when the lease is lost.
func (w *Workers) do(ctx, own context.Context, l *Lease) {
	defer w.running.Done()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.active[l].lose(nil)
		delete(w.active, l)
		w.move() // a lane that ends shows that lanes move, even with no slot free
		w.freed()
	}()
	var final func(*Tx) error
	var err error
	if len(l.Jobs) > 0 { // else a job was withdrawn: just give the lane back
		final, err = w.safely(own, l)
	}
	if err != nil && Lost(context.Cause(own)) {
		w.log.Info("a lane was lost while it was worked", "lane", l.Lane)
		final, err = nil, nil // if it is nobody's yet, whoever is next begins at once
	}
	if err == nil {
		// Also when we are being stopped: what is done must not be done again.
		done, cancel := context.WithTimeout(context.WithoutCancel(ctx), groupTimeout)
		defer cancel()
		err = w.s.Finish(done, l, final)
	}
	if err == nil || Lost(err) {
		return
	}
	if len(l.Jobs) == 0 {
		w.log.Warn("a lane could not be given back; it is taken up when its lease runs out", "error", err)
		return
	}
	w.failed(ctx, l, err)
}

// freed tells that slots are free, if somebody may wait for them. w.mu is held.
func (w *Workers) freed() {
	if w.behind {
		select {
		case w.free <- struct{}{}:
		default:
		}
	}
}

// safely keeps a panic of one lane from ending the others.
func (w *Workers) safely(ctx context.Context, l *Lease) (final func(*Tx) error, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.log.Error("a handler panicked", "lane", l.Lane, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = postern.Errorf(postern.Internal, "store.work", "panic: %v", p)
		}
	}()
	return w.handle(ctx, l)
}

// failed puts the lane's first job off, or gives it up. Which one is first is looked up
// again: the handler may have done some of them.
func (w *Workers) failed(ctx context.Context, l *Lease, cause error) {
	// The lane is given back even when we are being stopped.
	done, cancel := context.WithTimeout(context.WithoutCancel(ctx), groupTimeout)
	defer cancel()
	var head Job
	var found, buried bool
	err := w.s.Finish(done, l, func(tx *Tx) (err error) {
		if ctx.Err() != nil {
			return nil // its turn comes again at once, with the next owner
		}
		if head, found, err = tx.first(l.Lane); err != nil || !found {
			return err
		}
		if buried = w.hopeless(head, cause); !buried {
			return tx.Retry(head, tx.Now().Add(Backoff(head.Attempts, postern.RetryAfter(cause))))
		}
		if err := tx.Note(Note{What: "given up", Why: postern.KindOf(cause).String(), Ref: refOf(head), Detail: head.Kind}); err != nil {
			return err
		}
		return tx.Bury(head, cause.Error())
	})
	level := slog.LevelWarn
	if buried {
		level = slog.LevelError
	}
	w.log.Log(ctx, level, "a job failed", "kind", head.Kind, "job", head.ID, "attempt", head.Attempts+1, "given_up", buried, "error", cause)
	if err != nil && !Lost(err) {
		w.log.Warn("a lane could not be given back; it is taken up when its lease runs out", "error", err)
	}
}

func refOf(j Job) string {
	if j.Event != nil {
		return EventRef(j.Event.ID)
	}
	return ""
}

// hopeless tells whether trying again is of no use.
func (w *Workers) hopeless(j Job, err error) bool {
	switch postern.KindOf(err) {
	case postern.Permanent, postern.Invalid:
		return true
	case postern.Internal:
		return j.Attempts+1 >= maxDefects
	}
	return at(w.s.now()).Sub(j.AddedAt) > maxAge
}

// Backoff doubles from a second to five minutes, with a quarter of jitter; it never
// undercuts what the other side asked for.
func Backoff(attempts int, asked time.Duration) time.Duration {
	d := min(time.Second<<min(attempts, 9), 5*time.Minute)
	d += time.Duration(rand.Int64N(int64(d)/4 + 1))
	return max(d, asked)
}

// heartbeat keeps the leases of running work alive, and tells owners who lost theirs.
func (w *Workers) heartbeat(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		// Apart from the writing, which may hang: an owner must know even then.
		for sleep(ctx, w.s.cfg.Lease/10) {
			w.overdue()
			w.crew.thin(idleFor)
		}
	})
	every := w.s.cfg.Lease / 3
	for sleep(ctx, every) {
		old, now := w.older(every/2), time.Now()
		lost, err := w.s.Extend(ctx, old)
		if err != nil {
			if ctx.Err() == nil {
				w.log.Warn("leases could not be extended", "error", err)
			}
			continue
		}
		w.mu.Lock()
		for _, l := range old {
			if h := w.active[l]; h != nil {
				h.since = now
			}
		}
		for _, l := range lost {
			w.lose(l)
		}
		w.mu.Unlock()
	}
}

// older lists the leases that were extended so long ago.
func (w *Workers) older(d time.Duration) (old []*Lease) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for l, h := range w.active {
		if time.Since(h.since) > d && !h.lost {
			old = append(old, l)
		}
	}
	return old
}

// overdue gives leases up that could not be extended in time.
func (w *Workers) overdue() {
	for _, l := range w.older(w.s.cfg.Lease) {
		w.mu.Lock()
		w.lose(l)
		w.mu.Unlock()
	}
}

// lose tells the owner of a lease that it may be another's. w.mu is held.
func (w *Workers) lose(l *Lease) {
	if h := w.active[l]; h != nil {
		h.lost = true
		h.lose(errLost)
	}
}
