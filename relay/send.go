package relay

import (
	"context"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// maxSendAge is how long a delivery is tried while the provider is down or refuses us.
const maxSendAge = 72 * time.Hour

// resume goes on with a delivery that was written down earlier: its call was put off,
// or its outcome is not known.
func (r *Rules) resume(ctx context.Context, l *store.Lease, j store.Job) (func(*store.Tx) error, error) {
	a, err := decode(j)
	if err != nil {
		return nil, err
	}
	d, ok, err := r.Store.Delivery(ctx, a.Delivery)
	if err != nil {
		return nil, err
	}
	switch {
	case !ok || d.State >= store.Accepted: // an event proved it meanwhile
		return func(tx *store.Tx) error {
			if !ok {
				return tx.Done(j)
			}
			return r.taken(tx, j, d, "an event proved it")
		}, nil
	case d.State == store.Queued:
		return r.sendAgain(ctx, l, j, d)
	}
	return r.resolve(ctx, l, j, d)
}

// sendAgain calls once more for a delivery that certainly was not taken.
func (r *Rules) sendAgain(ctx context.Context, l *store.Lease, j store.Job, d store.Delivery) (func(*store.Tx) error, error) {
	if why, err := r.withdrawn(ctx, j, d); err != nil || why != "" {
		return whileQueued(j, d, func(tx *store.Tx) error {
			if _, err := tx.Advance(d.ID, store.Failed, tx.Now(), "withdrawn: "+why); err != nil {
				return err
			}
			if err := tx.Note(r.noteOf(j, d, "not mailed", why)); err != nil {
				return err
			}
			if err := tx.Add(receiptJob(d.Participant)); err != nil { // one may have waited for it
				return err
			}
			return tx.Done(j)
		}), err
	}
	if final, err := r.anew(ctx, j, d); err != nil || final != nil {
		return whileQueued(j, d, final), err
	}
	return r.attempt(ctx, l, j, d, "")
}

// whileQueued ends a delivery with fn, unless an event proved it since it was read.
func whileQueued(j store.Job, d store.Delivery, fn func(*store.Tx) error) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		if now, ok, err := tx.Delivery(d.ID); err != nil {
			return err
		} else if ok && now.State != store.Queued {
			return tx.Again(j, tx.Now())
		}
		return fn(tx)
	}
}

// attempt makes another call for a delivery that is written down, unless an event proved
// meanwhile that none is needed. why is noted; "" = nothing is.
func (r *Rules) attempt(ctx context.Context, l *store.Lease, j store.Job, d store.Delivery, why string) (func(*store.Tx) error, error) {
	needed := false
	err := r.Store.Work(ctx, l, func(tx *store.Tx) (err error) {
		if needed, err = tx.Attempt(d.ID); err != nil || !needed || why == "" {
			return err
		}
		return tx.Note(r.noteOf(j, d, "repeated", why))
	})
	if err != nil {
		return nil, err
	}
	if !needed {
		return r.resume(ctx, l, j)
	}
	return r.sendStored(ctx, j, d)
}

// withdrawn says why a delivery that waited is no longer to be sent; "" if it is.
func (r *Rules) withdrawn(ctx context.Context, j store.Job, d store.Delivery) (string, error) {
	a, err := decode(j)
	if err != nil {
		return "", err
	}
	// If the address changed meanwhile, the mail goes where it was written to go.
	_, why, err := r.address(ctx, a.User)
	if err != nil || why != "" {
		return why, err
	}
	p, ok, err := r.Store.Participant(ctx, d.Participant)
	if err != nil || !ok {
		return "", err
	}
	if p.Muted {
		return "unsubscribed from this conversation", nil
	}
	newest := time.UnixMilli(d.NewestAt)
	if r.hasRead(p, time.UnixMilli(p.ReadAt), newest) {
		return "read", nil
	}
	return r.gone(ctx, a, p, newest)
}

// gone asks the platform whether a participant still wants a mail that waited. If the
// platform will not say, its earlier word stands.
func (r *Rules) gone(ctx context.Context, a args, p store.Participant, newest time.Time) (string, error) {
	members, err := r.Platform.Members(ctx, a.Channel)
	if err != nil || len(members) == 0 {
		if settled(err) {
			err = nil
		}
		return "", err
	}
	for _, m := range members {
		if m.ID != a.User {
			continue
		}
		if r.hasRead(p, m.ReadAt, newest) {
			return "read", nil
		}
		return r.unwanted(m), nil
	}
	return "left the channel", nil
}

// sendStored sends a delivery as it was written down earlier.
func (r *Rules) sendStored(ctx context.Context, j store.Job, d store.Delivery) (func(*store.Tx) error, error) {
	c, err := restored(d.Content)
	if err != nil {
		return r.giveUp(j, d, err, false), nil
	}
	return r.send(ctx, j, d, c)
}

// send makes the call and says what to write down of its outcome. The delivery stands
// as Sending in the store, with this content.
func (r *Rules) send(ctx context.Context, j store.Job, d store.Delivery, c *content) (func(*store.Tx) error, error) {
	out, err := r.outgoing(d, c)
	if err != nil {
		return r.giveUp(j, d, err, false), nil
	}
	id, err := r.Provider.Send(ctx, out)
	if err == nil {
		return func(tx *store.Tx) error {
			d.ProviderID = id
			return r.taken(tx, j, d, "")
		}, nil
	}
	return r.unsent(j, d, err), nil
}

// taken writes down that the provider has a delivery.
func (r *Rules) taken(tx *store.Tx, j store.Job, d store.Delivery, how string) error {
	// If an event was faster, its receipt waited for this lane.
	if err := tx.Accept(d.ID, d.ProviderID, r.firstAsk(tx.Now()), receiptJob(d.Participant)); err != nil {
		return err
	}
	if how != "" { // else the delivery itself says it, see store.Explain
		if err := tx.Note(r.noteOf(j, d, "mailed", how)); err != nil {
			return err
		}
	}
	return tx.Done(j)
}

// maxSendDefects is how many times a delivery is tried that fails for reasons nobody classed.
const maxSendDefects = 8

// unsent says what to write down of a call that did not succeed.
func (r *Rules) unsent(j store.Job, d store.Delivery, cause error) func(*store.Tx) error {
	kind := postern.KindOf(cause)
	// Its job is older, and moves along where the clock is set.
	age := min(r.Now().Sub(d.CreatedAt), r.Now().Sub(j.AddedAt))
	young := d.CreatedAt.IsZero() || age < maxSendAge
	switch {
	case kind == postern.Unsure:
		return r.doubt(j, d, cause)
	case young && (kind == postern.Temporary || kind == postern.Denied || kind == postern.Internal && j.Attempts < maxSendDefects):
		return r.putOff(j, d, cause)
	}
	// Only the provider's word on this very mail is held against the address: that it is
	// down or refuses us all, or that the mail is too large, is not the recipient's fault.
	his := postern.CauseOf(cause) == postern.CauseNone && (kind == postern.Permanent || kind == postern.Invalid)
	return r.giveUp(j, d, cause, his)
}

// putOff is for a call that certainly had no effect and may succeed later.
func (r *Rules) putOff(j store.Job, d store.Delivery, cause error) func(*store.Tx) error {
	kind := postern.KindOf(cause).String()
	r.Logger.Warn("an e-mail could not be handed over and is tried again", "delivery", d.ID, "kind", kind, "error", cause)
	return func(tx *store.Tx) error {
		if err := tx.Unsent(d.ID); err != nil {
			return err
		}
		if err := tx.Note(r.noteOf(j, d, "put off", kind)); err != nil {
			return err
		}
		return tx.Retry(j, tx.Now().Add(store.Backoff(j.Attempts, postern.RetryAfter(cause))))
	}
}

// doubt is for a call that may have had its effect.
func (r *Rules) doubt(j store.Job, d store.Delivery, cause error) func(*store.Tx) error {
	r.Logger.Warn("an e-mail may or may not have been taken", "delivery", d.ID, "error", cause)
	return func(tx *store.Tx) error {
		if _, err := tx.Advance(d.ID, store.Unsure, tx.Now(), ""); err != nil {
			return err
		}
		if err := tx.Note(r.noteOf(j, d, "unsure", "the call's outcome is not known")); err != nil {
			return err
		}
		return tx.Again(j, tx.Now().Add(r.nextLook(0)))
	}
}

// giveUp is for a delivery that is never sent. The chat is told; only where it is the
// address that is refused the person gets no more mail.
func (r *Rules) giveUp(j store.Job, d store.Delivery, cause error, address bool) func(*store.Tx) error {
	kind := postern.KindOf(cause).String()
	r.Logger.Error("an e-mail is not sent, for good", "delivery", d.ID, "kind", kind, "error", cause)
	return func(tx *store.Tx) error {
		if _, err := tx.Advance(d.ID, store.Failed, tx.Now(), kind); err != nil {
			return err
		}
		tell := r.tellFailed
		if address {
			tell = func(tx *store.Tx, d store.Delivery) error {
				return r.stop(tx, d, postern.StopBounced, "the e-mail provider refused the mail")
			}
		}
		if err := tell(tx, d); err != nil {
			return err
		}
		if err := tx.Note(r.noteOf(j, d, "not mailed", "given up: "+kind)); err != nil {
			return err
		}
		return tx.Done(j)
	}
}

// The provider's books lag: it is asked at these fractions of UnsureAfter (by default
// at 1, 5, 15 and 35 minutes), and only a miss at the last counts.
var looks = [...]float64{1.0 / 35, 5.0 / 35, 15.0 / 35, 1}

// nextLook tells how long after one look, made so long after the call, the next is due.
func (r *Rules) nextLook(since time.Duration) time.Duration {
	for _, f := range looks {
		if at := time.Duration(f * float64(r.UnsureAfter)); at > since {
			return at - since
		}
	}
	return max(r.UnsureAfter/35, time.Second)
}

// resolve finds out whether an uncertain call succeeded, and repeats it only after a
// clean miss, with the same Message-ID.
func (r *Rules) resolve(ctx context.Context, l *store.Lease, j store.Job, d store.Delivery) (func(*store.Tx) error, error) {
	// Less than 0 where the clock was set between reading d and now.
	since := max(r.Store.Now().Sub(d.AttemptedAt), 0)
	found, certain, err := r.look(ctx, d)
	if err != nil {
		r.Logger.Warn("the provider could not be asked about an uncertain e-mail", "delivery", d.ID, "error", err)
	}
	switch {
	case found:
		return func(tx *store.Tx) error { return r.taken(tx, j, d, "found in the provider's books") }, nil
	case certain && since >= r.UnsureAfter:
		return r.attempt(ctx, l, j, d, "not found in the provider's books")
	}
	return func(tx *store.Tx) error {
		if _, err := tx.Advance(d.ID, store.Unsure, tx.Now(), ""); err != nil {
			return err
		}
		return tx.Again(j, tx.Now().Add(r.nextLook(since)))
	}, nil
}

// look asks the provider for a delivery. certain: it was asked and answered, or it
// can never be asked and only time tells.
func (r *Rules) look(ctx context.Context, d store.Delivery) (found, certain bool, err error) {
	f, ok := able[Finder](r.Provider)
	if !ok {
		return false, true, nil
	}
	found, err = through(ctx, r.mail, func(ctx context.Context) (bool, error) {
		return f.Find(ctx, d.MessageID, r.called(d))
	})
	return found, err == nil || settled(err), err
}

// called is by the machine's clock, as a provider understands it, when the first call for a
// delivery began at the earliest: the books may tell late of one that a later call repeated.
func (r *Rules) called(d store.Delivery) time.Time {
	began := d.AttemptedAt
	if !d.CreatedAt.IsZero() && d.CreatedAt.Before(began) {
		began = d.CreatedAt
		if first := d.AttemptedAt.Add(-maxSendAge); first.After(began) {
			began = first // so long it was not tried: the clock was set
		}
	}
	return began.Add(r.Machine().Sub(r.Now()) - time.Minute)
}

func (r *Rules) noteOf(j store.Job, d store.Delivery, what, why string) store.Note {
	a, _ := decode(j) // was decoded before
	return store.Note{What: what, Why: why, Channel: a.Channel, User: a.User, Ref: string(d.ID)}
}
