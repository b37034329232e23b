package relay

import (
	"context"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/postern-chat/postern"
)

// moment is how long an answer about a channel is shared: a message to a hundred
// members makes a hundred mails at once, and they need not ask a hundred times.
const moment = 300 * time.Millisecond

// moments shares answers that are asked for at the same time. The zero value is ready.
type moments[T any] struct {
	flight singleflight.Group
	mu     sync.Mutex
	kept   map[string]answer[T]
}

type answer[T any] struct {
	value T
	at    time.Time
}

// fresh: a clock that was set back makes an answer old, not eternal.
func (a answer[T]) fresh(now time.Time) bool { return now.Sub(a.at).Abs() < moment }

// get gives the answer for key, asking if nobody did just now. The value is shared: it
// must not be changed.
func (m *moments[T]) get(ctx context.Context, now func() time.Time, key string, ask func(context.Context) (T, error)) (T, error) {
	m.mu.Lock()
	a, ok := m.kept[key]
	m.mu.Unlock()
	if ok && a.fresh(now()) {
		return a.value, nil
	}
	got := m.flight.DoChan(key, func() (any, error) {
		// Not the asker's context: others wait for the same answer.
		v, err := ask(context.WithoutCancel(ctx))
		if err == nil {
			m.keep(key, v, now())
		}
		return v, err
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
	if len(m.kept) > 1000 {
		for k, a := range m.kept {
			if !a.fresh(now) {
				delete(m.kept, k)
			}
		}
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
