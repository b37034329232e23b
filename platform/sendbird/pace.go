package sendbird

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/postern-chat/postern"
)

// Rates are calls per second. Sendbird counts a call twice: by the channel and the user
// it is about (5 a second for messages and read marks), and by its method over the whole
// application, as the plan allows. Negative means no limit.
type Rates struct {
	Channel float64 // messages and read marks of one channel, default 4
	User    float64 // messages and read marks of one user, default 4
	Get     float64 // all calls of a method; 0 = no limit
	Post    float64
	Put     float64
}

// Limiter keeps a rate for each method that several processes share.
type Limiter interface {
	// Wait blocks until a call of the method may begin. It fails with Temporary if ctx
	// ends first, or if there is no turn for long.
	Wait(ctx context.Context, method string) error
	// Hold keeps all processes from calls of the method until then.
	Hold(ctx context.Context, method string, until time.Time) error
}

// maxHold is the longest time that one answer can stop our calls for.
const maxHold = time.Minute

// maxIdleKeys is how many keys may lie about before those that have run out are dropped.
const maxIdleKeys = 4096

// bucket is what is counted together: a method, a channel or a user.
type bucket struct {
	scope byte // 'm', 'c', 'u'
	name  string
}

// pacer spaces calls evenly: a bucket of one token, so that no second ever sees more
// than its rate plus one. It waits with timers, so it reads their clock and no other.
type pacer struct {
	rates    Rates
	mu       sync.Mutex
	next     map[bucket]time.Time // when the bucket has its token again
	sweepLen int
}

func newPacer(rates Rates) *pacer {
	if rates.Channel == 0 {
		rates.Channel = 4
	}
	if rates.User == 0 {
		rates.User = 4
	}
	return &pacer{rates: rates, next: map[bucket]time.Time{}, sweepLen: maxIdleKeys}
}

// interval is the time a token takes to come back.
func (p *pacer) interval(b bucket) time.Duration {
	rate := 0.0
	switch {
	case b.scope == 'c':
		rate = p.rates.Channel
	case b.scope == 'u':
		rate = p.rates.User
	case b.name == http.MethodGet:
		rate = p.rates.Get
	case b.name == http.MethodPost:
		rate = p.rates.Post
	case b.name == http.MethodPut:
		rate = p.rates.Put
	}
	if rate <= 0 {
		return 0
	}
	return time.Duration(float64(time.Second) / rate)
}

// wait blocks until all buckets have a token, and takes them together. Nothing is taken
// ahead of time, so one slow channel does not use up a method's tokens. It fails with
// Temporary if ctx ends first.
func (p *pacer) wait(ctx context.Context, op string, bs []bucket) error {
	for {
		d := p.take(bs)
		if d <= 0 {
			return nil
		}
		t := time.NewTimer(d)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return postern.Errorf(postern.Temporary, op, "waiting for our turn: %w", ctx.Err())
		}
	}
}

// take takes a token from each bucket, or none and tells how long to wait.
func (p *pacer) take(bs []bucket) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	var d time.Duration
	for _, b := range bs {
		d = max(d, p.next[b].Sub(now))
	}
	if d > 0 {
		return d
	}
	for _, b := range bs {
		if every := p.interval(b); every > 0 {
			p.next[b] = now.Add(every)
		}
	}
	p.sweep(now)
	return 0
}

// hold stops the buckets until d is over: the other side said so.
func (p *pacer) hold(bs []bucket, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := time.Now().Add(min(d, maxHold))
	for _, b := range bs {
		if until.After(p.next[b]) {
			p.next[b] = until
		}
	}
}

// sweep forgets buckets that are full again, once there are many.
func (p *pacer) sweep(now time.Time) {
	if len(p.next) < p.sweepLen {
		return
	}
	for b, t := range p.next {
		if !t.After(now) {
			delete(p.next, b)
		}
	}
	p.sweepLen = max(maxIdleKeys, 2*len(p.next))
}
