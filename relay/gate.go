package relay

import (
	"context"
	"crypto/rand"
	"log/slog"
	"math/big"
	"sync"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// What a service may do to us before we leave it alone, and for how long.
const (
	gateFailures  = 5               // calls in a row that found it down
	gatePause     = 5 * time.Second // the first pause; each probe that fails doubles it
	gatePauseMost = time.Minute
	gateWaitMost  = 5 * time.Minute // that a service's own word may hold all its calls
	gateShare     = 80              // percent of the worker slots that calls to one service may hold
)

// gate stands before one service. A service that is down is left alone, so that its jobs
// neither fail nor hold slots; one call at a time then finds out whether it is back. And
// a service that hangs never holds all slots: the rest goes on without it.
type gate struct {
	name   string
	share  int // most calls at once; 0 = any number
	now    func() time.Time
	logger *slog.Logger
	// told: a service that asks us to wait means all calls. Otherwise its client paces
	// itself, by what each call is about.
	told bool

	mu       sync.Mutex
	inFlight int
	failures int
	pause    time.Duration // the last one; 0 = it is up
	until    time.Time     // no call before
	probing  bool
}

func newGate(name string, slots int, now func() time.Time, logger *slog.Logger) *gate {
	share := 0
	if slots > 0 {
		share = max(1, slots*gateShare/100)
	}
	return &gate{name: name, share: share, now: now, logger: logger}
}

// shut tells how long a call now would have to wait; 0 = it may be made.
func (g *gate) shut() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.wait()
}

func (g *gate) wait() time.Duration {
	left := g.until.Sub(g.now())
	switch {
	case left > 0:
		return spread(left)
	case g.probing:
		return spread(max(g.pause, time.Second))
	case g.share > 0 && g.inFlight >= g.share:
		return spread(time.Second)
	}
	return 0
}

// spread lengthens a wait by up to a quarter, so that what waits does not come at once.
func spread(d time.Duration) time.Duration {
	n, _ := rand.Int(rand.Reader, big.NewInt(int64(d)/4+1)) // its reader never fails
	return d + time.Duration(n.Int64())
}

// enter asks for a call to be let through; it never blocks.
func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if d := g.wait(); d > 0 {
		e := postern.Errorf(postern.Temporary, "relay.gate", "%s is not called now", g.name).Because(postern.CauseBusy)
		e.After = d
		return e
	}
	g.probing = g.pause > 0
	g.inFlight++
	return nil
}

// leave takes a call's outcome. What the service said, even a refusal, shows that it is up.
func (g *gate) leave(err error, stopped bool) {
	kind := postern.KindOf(err)
	after := postern.RetryAfter(err)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	probe := g.probing
	g.probing = false
	switch {
	case err == nil || kind != postern.Temporary && kind != postern.Unsure || after > 0:
		if g.pause > 0 {
			g.logger.Info("a service answers again", "service", g.name)
			g.until = time.Time{} // a slow call may tell so before the pause is over
		}
		g.failures, g.pause = 0, 0
		if g.told && after > 0 {
			g.until = g.now().Add(min(after, gateWaitMost))
		}
		return
	case stopped: // we gave up, not the service
		return
	}
	if g.failures++; g.failures < gateFailures && !probe {
		return
	}
	if g.until.After(g.now()) {
		return // one of those that were under way when it was shut
	}
	if g.pause == 0 {
		g.logger.Warn("a service is down: its work waits, everything else goes on", "service", g.name, "error", err)
	}
	g.pause = min(max(gatePause, 2*g.pause), gatePauseMost)
	g.until = g.now().Add(g.pause)
}

// through makes a call to a gate's service, if it is let through.
func through[T any](ctx context.Context, g *gate, call func(context.Context) (T, error)) (v T, err error) {
	if err := g.enter(); err != nil {
		return v, err
	}
	left := false
	defer func() {
		if !left { // it panicked: our own defect says nothing of the service
			g.leave(nil, true)
		}
	}()
	v, err = call(ctx)
	left = true
	g.leave(err, ctx.Err() != nil)
	return v, err
}

// Remote is what is known of a service that is called.
type Remote struct {
	Name     string
	Paused   bool // it is left alone for now, being down or having asked for it
	InFlight int  // calls under way
}

// Remotes tells of the services that are called, for metrics.
func (r *Rules) Remotes() []Remote {
	out := make([]Remote, 0, 2)
	for _, g := range []*gate{r.chat, r.mail} {
		g.mu.Lock()
		out = append(out, Remote{Name: g.name, Paused: g.pause > 0 || g.until.After(g.now()), InFlight: g.inFlight})
		g.mu.Unlock()
	}
	return out
}

// gateOf is the gate of the service without which a job can do nothing.
func (r *Rules) gateOf(kind string) *gate {
	switch kind {
	case jobMessage, jobSend, jobAsk:
		return r.mail
	case jobPost, jobTell, jobFanout, jobReceipt:
		return r.chat
	}
	return nil
}

// waits puts a lane off whose service is not called now. No attempt is counted and
// no slot held: nothing was tried.
func (r *Rules) waits(j store.Job) func(*store.Tx) error {
	g := r.gateOf(j.Kind)
	if g == nil {
		return nil
	}
	d := g.shut()
	if d == 0 {
		return nil
	}
	return func(tx *store.Tx) error { return tx.Again(j, tx.Now().Add(d)) }
}
