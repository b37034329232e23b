package relay

import (
	"context"
	"strconv"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// What a mark would cover. The platform's mark is moved to the moment of the call, over
// everything there is: so the platform is asked what there is, and what of it we never
// heard of is mailed first. What stays is the call itself: a message that is written
// after the answer to our question and before the platform moves the mark lies under it.

// covering says whether a mark would claim too much.
type covering struct {
	held bool
	why  string
	wake waking
}

// waking says when marks that are held are looked at again; 0 = when something comes.
type waking uint8

const (
	behindFanout waking = 1 + iota // when it is known who gets what stands in the chat lane
	afterGrace                     // when a webhook that is on its way should have come
)

// uncovered asks the platform what is there since the previous mark. Messages that were
// never heard are taken as if their webhook had come, and hold the mark; so does whatever
// was written after the newest mail. Where the platform will not say, our own memory has
// to do.
func (r *Rules) uncovered(ctx context.Context, known store.Marks, m mark) (covering, error) {
	p, upto := known.Participant, max(m.delivered, m.read)
	from := r.unmarkedSince(known, upto)
	since := time.UnixMilli(from)
	var out covering
	for range listPages {
		list, err := r.Platform.Messages(ctx, p.Channel, since)
		if settled(err) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if out, err = r.coverPage(ctx, p, list, from, upto, out); err != nil {
			return out, err
		}
		next, more := nextPage(list, since)
		if !more {
			return out, nil
		}
		since = next
	}
	// So many that it takes more than one go: another look at them comes first.
	r.watch(p.Channel, time.Time{}, r.Now())
	return covering{held: true, why: "too many messages to look through", wake: afterGrace}, nil
}

// coverPage adds what a page of messages says.
func (r *Rules) coverPage(ctx context.Context, p store.Participant, list []postern.ChatMessage, from, upto int64, out covering) (covering, error) {
	var since []postern.ChatMessage
	for _, m := range list {
		if m.CreatedAt.UnixMilli() < from || r.hasRead(p, time.UnixMilli(p.ReadAt), m.CreatedAt) {
			continue
		}
		if m.Removed || m.Silent || m.Sender.ID == p.User && p.User != "" {
			continue
		}
		since = append(since, m)
		if m.CreatedAt.UnixMilli() > upto && m.Type != postern.AdminMessage {
			out.held, out.why = true, "a later message is not mailed or not delivered"
		}
	}
	if r.Reconcile.Window <= 0 || r.When == WhenNever || len(since) == 0 {
		return out, nil
	}
	missed, err := r.unheard(ctx, p.Channel, since)
	if err != nil || len(missed) == 0 {
		return out, err
	}
	missed, err = r.notOurs(ctx, p, missed)
	if err != nil || len(missed) == 0 {
		return out, err
	}
	out.held, out.why = true, "a message was never heard of"
	old, young := r.byAge(missed)
	if len(old) > 0 {
		ch, err := r.channelNow(p.Channel)(ctx)
		if err != nil {
			return out, err
		}
		if err := r.hear(ctx, ch, old); err != nil {
			return out, err
		}
		out.wake = max(out.wake, behindFanout)
	}
	if len(young) > 0 {
		out.wake = afterGrace
	}
	return out, nil
}

// notOurs leaves out lines of our own whose mark the platform lost.
func (r *Rules) notOurs(ctx context.Context, p store.Participant, list []postern.ChatMessage) ([]postern.ChatMessage, error) {
	ids := make([]postern.MessageID, len(list))
	for i, m := range list {
		ids[i] = m.ID
	}
	ours, err := r.Store.OurPosts(ctx, p.Conversation.ID, ids)
	if err != nil {
		return nil, err
	}
	var out []postern.ChatMessage
	for _, m := range list {
		if m.Type != postern.AdminMessage || m.Mark != "" || !ours[m.ID] { // a guest's post has its mark, and is mailed
			out = append(out, m)
		}
	}
	return out, nil
}

// unmarkedSince is the creation of the oldest message that a mark would newly cover: what
// came after the previous mark, else after the first mail. What is older than is looked
// for at all stays out.
func (r *Rules) unmarkedSince(p store.Marks, upto int64) int64 {
	if r.Reconcile.Window <= 0 {
		return upto + 1
	}
	since := max(p.OwnReadUpto, p.OwnDeliveredUpto) + 1
	if since == 1 {
		since = p.FirstMailed
	}
	return min(max(since, r.theirs(r.Now()).Add(-r.Reconcile.Window).UnixMilli()), upto+1)
}

// wakeLater has a participant's marks looked at again.
func (r *Rules) wakeLater(tx *store.Tx, p store.Participant, w waking) error {
	j := store.LaneJob{Lane: r.chatLane(p.Channel), Kind: jobWake, Args: encode(args{For: p.ID})}
	switch w {
	case behindFanout:
		return tx.Add(j)
	case afterGrace:
		j.Lane, j.Delay, j.Cap = "wake/"+strconv.FormatUint(uint64(p.ID), 36), grace, grace
		if waits, err := tx.HasJobs(j.Lane); err != nil || waits {
			return err
		}
		return tx.Add(j)
	}
	return nil
}

// moot tells whether a delivery that was never proven holds no marks any more: he has
// read all of it in the chat himself, or so much time passed that its proof never comes.
func (r *Rules) moot(p store.Participant, d store.Delivery) bool {
	return r.hasRead(p, time.UnixMilli(p.ReadAt), time.UnixMilli(d.NewestAt)) || r.unproven(d)
}

// unproven: the provider took the mail, told of no failure for longer than any server
// tries, and its books did not tell either. Only a later mail that did arrive moves the
// mark then, and over this one because the platform has but one mark.
func (r *Rules) unproven(d store.Delivery) bool {
	return r.UnprovenAfter > 0 && d.State == store.Accepted && r.Now().Sub(d.AttemptedAt) > r.UnprovenAfter
}

// onItsWay tells whether a delivery is still on its way whose newest message was written
// after one time and not after another (ms).
func (r *Rules) onItsWay(ctx context.Context, p store.Participant, after, upto int64) (bool, error) {
	if any, err := r.Store.Undelivered(ctx, p.ID, after, upto); err != nil || !any {
		return false, err
	}
	for {
		ds, err := r.Store.Deliveries(ctx, p.ID, after)
		if err != nil {
			return false, err
		}
		for _, d := range ds {
			if d.NewestAt <= upto && d.State < store.Delivered && !r.moot(p, d) {
				return true, nil
			}
		}
		if len(ds) < deliveriesAtOnce {
			return false, nil
		}
		next := ds[len(ds)-1].NewestAt - 1
		if next <= after {
			return true, nil
		}
		after = next
	}
}
