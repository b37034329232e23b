package relay

import (
	"context"
	"encoding/json"
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// Which messages of a channel were heard of: those that stand in the store, those whose
// webhook brought nothing to do (a note says so, if it was not left out in a rush), and
// those that this process remembers.

// heardLately remembers the last webhooks that brought nothing to do. Nothing is stored
// for them, and there may be thousands in a second. A collision forgets the older one.
// The zero value remembers nothing.
type heardLately struct {
	seed maphash.Seed
	last []atomic.Uint64
}

const heardSlots = 1 << 17 // one MB

func newHeard() heardLately {
	return heardLately{seed: maphash.MakeSeed(), last: make([]atomic.Uint64, heardSlots)}
}

func (h *heardLately) sum(key string) uint64 { return maphash.String(h.seed, key) | 1 }

func (h *heardLately) add(key string) {
	if h.last == nil {
		return
	}
	n := h.sum(key)
	h.last[n>>1%heardSlots].Store(n)
}

func (h *heardLately) has(key string) bool {
	if h.last == nil {
		return false
	}
	n := h.sum(key)
	return h.last[n>>1%heardSlots].Load() == n
}

// sentKey tells repeats of a message apart, by whatever way it came.
func (r *Rules) sentKey(ch postern.ChannelID, m postern.MessageID) string {
	return r.eventKey(ch, m, store.ChatSent)
}

// unheard leaves those of a channel's messages of which nothing was ever heard, in their
// order. What nobody is to be told of is left out as well.
func (r *Rules) unheard(ctx context.Context, ch postern.ChannelID, list []postern.ChatMessage) ([]postern.ChatMessage, error) {
	var rest []postern.ChatMessage
	var keys, ids []string
	for _, m := range list {
		key := r.sentKey(ch, m.ID)
		if m.Removed || m.Silent || r.ownLine(m) || r.heard.has(key) {
			continue
		}
		rest, keys, ids = append(rest, m), append(keys, key), append(ids, string(m.ID))
	}
	if len(rest) == 0 {
		return nil, nil
	}
	recorded, err := r.Store.Recorded(ctx, keys)
	if err != nil {
		return nil, err
	}
	noted, err := r.Store.NotMailed(ctx, ch, ids)
	if err != nil {
		return nil, err
	}
	var out []postern.ChatMessage
	for i, m := range rest {
		_, known := recorded[keys[i]]
		if _, told := noted[ids[i]]; known || told {
			continue
		}
		out = append(out, m)
	}
	return out, nil
}

// listedSource is the source of events that no webhook brought.
func (r *Rules) listedSource() string { return r.PlatformName + ".listed" }

// listed tells whether an event was found by listing. It is never fresh: who is there, and
// who has read it, is asked.
func (r *Rules) listed(e *store.Event) bool { return e != nil && e.Source == r.listedSource() }

// chatEvent reads a recorded chat event, whichever way it came.
func (r *Rules) chatEvent(e *store.Event) (postern.ChatEvent, error) {
	if !r.listed(e) {
		return r.Platform.Decode(e.Body)
	}
	var out postern.ChatEvent
	if err := json.Unmarshal(e.Body, &out); err != nil {
		return out, postern.Errorf(postern.Permanent, "relay.listed", "a listed message: %w", err)
	}
	return out, nil
}

// hear takes messages that were found by listing as if their webhook had come now: the
// same key, so that a late webhook is a repeat; the same rules; their order. Members are
// asked for by fanout.
func (r *Rules) hear(ctx context.Context, ch postern.Channel, list []postern.ChatMessage) error {
	for _, m := range list {
		e := postern.ChatEvent{Kind: postern.MessageSent, Category: "listed", Channel: ch, Message: m}
		plan := r.SortChat(e)
		if plan.Skip != "" {
			continue
		}
		body, err := json.Marshal(e)
		if err != nil {
			return postern.Errorf(postern.Internal, "relay.hear", "%w", err)
		}
		n := store.Note{What: "heard late", Why: "its webhook never came", Channel: ch.ID, Ref: string(m.ID)}
		_, before, err := r.Store.Record(ctx, store.Arrival{Source: r.listedSource(), Dedup: plan.Dedup, Body: body, Jobs: plan.Jobs, Notes: append(plan.Notes, n)})
		switch {
		case postern.CauseOf(err) == postern.CauseReplayed || before: // the webhook was faster
		case err != nil:
			return err
		default:
			r.Observe("heard late", "its webhook never came")
			r.Logger.Info("a message was found whose webhook never came", "platform", r.PlatformName, "age", r.Now().Sub(m.CreatedAt).Round(time.Second))
		}
	}
	return nil
}
