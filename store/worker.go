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
	running sync.WaitGroup
	mu      sync.Mutex
	active  map[*Lease]*held
	free    chan struct{} // a slot became free
	claimed atomic.Int64  // Store.clock.elapsed when lanes were last asked for with success
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
	w.claimed.Store(s.now())
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
	for ctx.Err() == nil {
		if w.claim(ctx, work) {
			continue
		}
		w.rest(ctx)
	}
	stop := time.AfterFunc(grace, cancel)
	w.running.Wait()
	stop.Stop()
	cancel()
	<-beat
}

func (w *Workers) room() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.slots - len(w.active)
}

// claim leases what is due, as far as slots are free; false if there is nothing to
// do now.
func (w *Workers) claim(ctx, work context.Context) bool {
	room := w.room()
	if room <= 0 {
		return false
	}
	since := time.Now()
	leases, err := w.s.Claim(ctx, min(room, maxGroup))
	if err != nil {
		if ctx.Err() == nil {
			w.log.Warn("lanes could not be leased", "error", err)
			sleep(ctx, poll)
		}
		return false
	}
	w.move()
	for _, l := range leases {
		own, lose := context.WithCancelCause(work)
		w.mu.Lock()
		w.active[l] = &held{since: since, lose: lose}
		w.mu.Unlock()
		w.running.Add(1)
		go w.work(work, own, l)
	}
	return len(leases) > 0
}

// rest waits until a lane may be due.
func (w *Workers) rest(ctx context.Context) {
	wait, wake := poll, w.s.wake
	if w.room() <= 0 {
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

// work has a lane handled. own ends when the lease is lost.
func (w *Workers) work(ctx, own context.Context, l *Lease) {
	defer w.running.Done()
	defer func() {
		w.mu.Lock()
		full := len(w.active) >= w.slots
		w.active[l].lose(nil)
		delete(w.active, l)
		w.move() // a lane that ends shows that lanes move, even with no slot free
		w.mu.Unlock()
		if full {
			select {
			case w.free <- struct{}{}:
			default:
			}
		}
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
