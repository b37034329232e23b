package relay

import (
	"context"
	"io"
	"strings"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/replytext"
	"github.com/postern-chat/postern/store"
)

// Lift lets mail go out to a person again, here and, where it can be asked, at the
// provider; false if he was not stopped here.
func (r *Rules) Lift(ctx context.Context, user postern.UserID) (bool, error) {
	p, ok, err := r.Store.Person(ctx, user)
	if err != nil || !ok || p.Stopped == "" {
		return false, err
	}
	// At the provider first: should that fail, the operator can simply try again.
	if l, can := able[Lifter](r.Provider); can {
		if err := l.Lift(ctx, p.Email); err != nil && !settled(err) {
			return false, err
		} else if err != nil {
			r.Logger.Warn("the provider's own list of refused addresses could not be changed", "error", err)
		}
	}
	return r.Store.LiftPerson(ctx, user)
}

// Revoke makes a reply address worthless: what is sent to it is held. False if nobody has it.
func (r *Rules) Revoke(ctx context.Context, address string) (bool, error) {
	local, domain, ok := cutAddress(address)
	id, known := r.participantOf(strings.ToLower(local))
	if !ok || !known || !strings.EqualFold(domain, r.Domain) {
		return false, nil
	}
	if _, found, err := r.Store.Participant(ctx, id); err != nil || !found {
		return false, err
	}
	return true, r.Store.Revoke(ctx, id)
}

// Release lets a held mail into the chat as the participant's; false if it does not wait.
func (r *Rules) Release(ctx context.Context, id int64) (bool, error) {
	return r.Store.Settle(ctx, id, store.HeldReleased, func(tx *store.Tx, h store.Held) error {
		if h.Participant == 0 {
			return postern.Errorf(postern.Permanent, "relay.release", "the mail was for no participant")
		}
		if err := tx.Note(store.Note{What: "released", Ref: store.EventRef(h.Event)}); err != nil {
			return err
		}
		return tx.AddFor(h.Event, store.LaneJob{Lane: postLane(h.Participant), Kind: jobInbound, Args: encode(args{Released: true})})
	})
}

// Discard ends the waiting of a held mail; false if it does not wait.
func (r *Rules) Discard(ctx context.Context, id int64) (bool, error) {
	return r.Store.Settle(ctx, id, store.HeldDiscarded, func(tx *store.Tx, h store.Held) error {
		return tx.Note(store.Note{What: "discarded", Ref: store.EventRef(h.Event)})
	})
}

// Discarded is the store's Config.Discarded: an e-mail whose job is forgotten is not sent
// any more, so nothing waits for it: neither later mails' marks nor its own removal.
func Discarded(tx *store.Tx, j store.LaneJob) error {
	a, err := decode(store.Job{Args: j.Args})
	if err != nil || j.Kind != jobSend {
		return nil // what cannot be read cannot be done either
	}
	d, ok, err := tx.Delivery(a.Delivery)
	if err != nil || !ok || d.State >= store.Accepted {
		return err
	}
	if _, err := tx.Advance(d.ID, store.Failed, tx.Now(), "discarded"); err != nil {
		return err
	}
	return tx.Add(receiptJob(d.Participant))
}

// Raw gives a recorded mail's bytes, as it came; false if there is none.
func (r *Rules) Raw(ctx context.Context, event int64) ([]byte, bool, error) {
	e, ok, err := r.Store.Event(ctx, event)
	if err != nil || !ok || len(e.Content) == 0 && e.Ref == "" {
		return nil, false, err
	}
	if e.Ref == "" {
		return e.Content, true, nil
	}
	f, err := r.Blobs.Open(e.Ref)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	return b, err == nil, err
}

// Extracted gives what was taken out of a recorded mail as its new words, the whole of
// it as text, and what was cut and why; false if there is no such mail.
func (r *Rules) Extracted(ctx context.Context, event int64) (replytext.Result, bool, error) {
	e, ok, err := r.Store.Event(ctx, event)
	if err != nil || !ok || len(e.Content) == 0 && e.Ref == "" {
		return replytext.Result{}, false, err
	}
	m, err := r.open(store.Job{Event: &e})
	defer func() { _ = m.close() }()
	if err != nil {
		return replytext.Result{}, false, err
	}
	if err := r.lookUp(ctx, m); err != nil {
		return replytext.Result{}, false, err
	}
	sent, _, err := r.answersTo(ctx, m)
	if err != nil {
		return replytext.Result{}, false, err
	}
	return r.extract(m, sent), true, nil
}
