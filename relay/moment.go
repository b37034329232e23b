package relay

import (
	"context"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/postern-chat/postern"
)

// moment is how long an answer about a channel is shared: a message to a hundred
// members makes a hundred mails at once, and they need not ask a hundred times.
const moment = 300 * time.Millisecond

// mostKept is how many answers are kept before old ones are dropped.
const mostKept = 1000

// moments shares answers that are asked for at the same time. The zero value is ready, and
// shares them for a moment.
type moments[T any] struct {
	life   time.Duration // how long an answer is shared; 0 = a moment
	flight singleflight.Group
	mu     sync.Mutex
	kept   map[string]answer[T]
	sweep  int // so many are kept when old ones are dropped next
}

type answer[T any] struct {
	value T
	at    time.Time
}

// fresh: a clock that was set back makes an answer old, not eternal.
func (m *moments[T]) fresh(a answer[T], now time.Time) bool {
	return now.Sub(a.at).Abs() < max(m.life, moment)
}

// get gives the answer for key, asking if nobody did just now. The value is shared: it
// must not be changed.
func (m *moments[T]) get(ctx context.Context, now func() time.Time, key string, ask func(context.Context) (T, error)) (T, error) {
	m.mu.Lock()
	a, ok := m.kept[key]
	m.mu.Unlock()
	if ok && m.fresh(a, now()) {
		return a.value, nil
	}
	got := m.flight.DoChan(key, func() (v any, err error) {
		defer func() {
			if p := recover(); p != nil { // on a goroutine where nobody else would
				v, err = nil, postern.Errorf(postern.Internal, "relay.moment", "panic: %v\n%s", p, debug.Stack())
			}
		}()
		// Not the asker's context: others wait for the same answer.
		t, err := ask(context.WithoutCancel(ctx))
		if err == nil {
			m.keep(key, t, now())
		}
		return t, err
	})
	select {
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	case r := <-got:
		v, _ := r.Val.(T)
		return v, r.Err
	}
}

func (m *moments[T]) keep(key string, v T, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.kept) >= max(m.sweep, mostKept) {
		for k, a := range m.kept {
			if !m.fresh(a, now) {
				delete(m.kept, k)
			}
		}
		if len(m.kept) > 8*mostKept { // a rush: they are asked for again
			clear(m.kept)
		}
		m.sweep = 2 * len(m.kept)
	}
	if m.kept == nil {
		m.kept = map[string]answer[T]{}
	}
	m.kept[key] = answer[T]{v, now}
}

func (r *Rules) membersNow(ctx context.Context, ch postern.ChannelID) ([]postern.Member, error) {
	return r.members.get(ctx, r.Now, string(ch), func(ctx context.Context) ([]postern.Member, error) { return r.Platform.Members(ctx, ch) })
}

func (r *Rules) messagesNow(ctx context.Context, ch postern.ChannelID, since time.Time) ([]postern.ChatMessage, error) {
	key := string(ch) + "/" + strconv.FormatInt(since.UnixMilli(), 10)
	return r.messages.get(ctx, r.Now, key, func(ctx context.Context) ([]postern.ChatMessage, error) { return r.Platform.Messages(ctx, ch, since) })
}

// limitLife is how long a channel's longest text is believed. If it is made shorter
// meanwhile, the platform's refusal has the text split once more.
const limitLife = 5 * time.Minute

// longestText is how long a text the channel says that it takes, in characters; 0 if it
// does not say.
func (r *Rules) longestText(ctx context.Context, ch postern.ChannelID) (int, error) {
	return r.limits.get(ctx, r.Now, string(ch), func(ctx context.Context) (int, error) {
		c, err := r.Platform.Channel(ctx, ch)
		return c.MaxMessageLength, err
	})
}
