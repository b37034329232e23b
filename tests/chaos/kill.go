//go:build unix

package main

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// point is a moment at which a process is killed.
type point struct {
	call   string        // "send", "post", "hook chat" ...
	moment string        // before, unanswered, answered
	after  time.Duration // of a webhook, how long after it was passed on
	pause  time.Duration // until the process comes back
	once   sync.Once
	hit    chan struct{} // closed: it was met, and the process killed unless it was gone
}

// over ends a point that was met.
func (p *point) over() { p.once.Do(func() { close(p.hit) }) }

func (p *point) String() string { return p.call + " " + p.moment }

// pointNames are all named points: before and after each call of the gateway, and
// around each webhook.
func pointNames() (out []string) {
	for _, call := range []string{"send", "find", "post", "upload", "mark delivered", "mark read", "members", "messages", "message", "channel", "channels", "file", "hook chat", "hook inbound", "hook event"} {
		for _, m := range []string{"before", "unanswered", "answered"} {
			out = append(out, call+" "+m)
		}
	}
	return out
}

// points are those that are armed.
type points struct {
	mu    sync.Mutex
	armed []*point
}

func (p *points) arm(one *point) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = append(p.armed, one)
}

func (p *points) disarm(one *point) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, q := range p.armed {
		if q == one {
			p.armed = append(p.armed[:i], p.armed[i+1:]...)
			return true
		}
	}
	return false
}

// take gives the point that is armed for a call, once.
func (p *points) take(call string) *point {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, q := range p.armed {
		if q.call == call {
			p.armed = append(p.armed[:i], p.armed[i+1:]...)
			return q
		}
	}
	return nil
}

// kill kills a replica at a point.
func (w *world) kill(n int, p *point) {
	if w.replicas[n].kill(p.pause) {
		w.kills.add(p.String(), 1)
	}
	p.over()
}

// anybody is a replica that runs, for calls of which nobody knows whose they are.
func (w *world) anybody() int {
	for i, r := range w.replicas {
		if r.up() {
			return i
		}
	}
	return 0
}

// killAll kills as often as was asked for, spread over the time of the load: by turns
// at a random moment and at the next named point.
func (w *world) killAll(ctx context.Context) {
	if w.opt.Kills <= 0 {
		return
	}
	rnd := rand.New(rand.NewPCG(uint64(w.opt.Seed), 3))
	names := pointNames()
	rnd.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	every := w.opt.For / time.Duration(w.opt.Kills)
	began := time.Now()
	for i := 0; w.kills.total() < w.opt.Kills; i++ {
		at := began.Add(time.Duration(float64(every) * (float64(i) + rnd.Float64())))
		pause, after, who := downtime(rnd), time.Duration(rnd.Int64N(int64(8*time.Millisecond))), rnd.IntN(len(w.replicas))
		name := ""
		if w.opt.Point != "" {
			name = w.opt.Point
		} else if i%2 == 1 {
			name = names[i/2%len(names)]
		}
		if !sleepUntil(ctx, at) {
			return
		}
		w.killOnce(ctx, name, pause, after, who)
	}
}

func (w *world) killOnce(ctx context.Context, name string, pause, after time.Duration, who int) {
	if name != "" {
		i := strings.LastIndexByte(name, ' ')
		p := &point{call: name[:i], moment: name[i+1:], after: after, pause: pause, hit: make(chan struct{})}
		w.points.arm(p)
		select {
		case <-p.hit:
			return
		case <-ctx.Done():
		case <-time.After(patience):
		}
		if !w.points.disarm(p) { // it is being hit
			<-p.hit
			return
		}
		w.strikes.add("point not met: "+name, 1)
	}
	if ctx.Err() == nil && w.replicas[who].kill(pause) {
		w.kills.add("any moment", 1)
	}
}

// patience is how long a kill point may wait for its call.
const patience = 6 * time.Second

// downtime is how long a process stays away: mostly short, at times so long that
// webhooks are given up.
func downtime(rnd *rand.Rand) time.Duration {
	switch n := rnd.IntN(20); {
	case n == 0:
		return 5 * time.Second
	case n < 8:
		return 0
	}
	return time.Duration(rnd.Int64N(int64(900 * time.Millisecond)))
}

func sleepUntil(ctx context.Context, at time.Time) bool { return sleep(ctx, time.Until(at)) }

func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
