package relay

import (
	"context"
	"strconv"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// Events on mails get lost like any webhook, and a mail of which nothing more is heard
// would hold its participant's marks for good. The provider's books are asked.

// askUntil is how long a provider is asked about a mail if marks wait for its proof for
// good: its books are not kept longer (Mailgun: 1 to 3 days and more, by plan).
const askUntil = 72 * time.Hour

// firstAsk is when the provider is asked first about a mail that it took now: its books
// are complete only after a while, which is the time of an uncertain send too.
func (r *Rules) firstAsk(now time.Time) time.Time {
	return now.Add(max(r.UnsureAfter, time.Minute))
}

// nextAsk is when it is asked again, four times as long after the call; zero = it was
// asked often enough.
func (r *Rules) nextAsk(d store.Delivery, now time.Time) time.Time {
	limit := r.UnprovenAfter
	if limit <= 0 {
		limit = askUntil
	}
	last := d.AttemptedAt.Add(limit + time.Minute) // then later marks may go on
	if !now.Before(last) {
		return time.Time{}
	}
	next := d.AttemptedAt.Add(4 * now.Sub(d.AttemptedAt))
	if soonest := r.firstAsk(now); next.Before(soonest) {
		next = soonest
	}
	if next.After(last) {
		next = last
	}
	return next
}

// roundOfAsks gives deliveries their jobs about which the provider is to be asked now.
func (r *Rules) roundOfAsks(ctx context.Context) error {
	if due, ok, err := r.Store.AskDue(ctx); err != nil || !ok || due.After(r.Store.Now()) {
		return err
	}
	return r.round(ctx, askRound, roundTime, 0, func(tx *store.Tx) error {
		due, err := tx.DueAsks(r.perRound(), r.firstAsk(tx.Now()))
		for _, d := range due {
			if err == nil {
				lane := "ask/" + strconv.FormatUint(uint64(d.Participant), 36)
				err = tx.Add(store.LaneJob{Lane: lane, Kind: jobAsk, Args: encode(args{Delivery: d.ID, For: d.Participant})})
			}
		}
		return err
	})
}

// ask asks the provider what became of a mail, and learns it as if its events had come.
func (r *Rules) ask(ctx context.Context, j store.Job) (func(*store.Tx) error, error) {
	a, err := decode(j)
	if err != nil {
		return nil, err
	}
	d, ok, err := r.Store.Delivery(ctx, a.Delivery)
	if err != nil {
		return nil, err
	}
	if !ok || d.State != store.Accepted {
		return func(tx *store.Tx) error { return tx.Done(j) }, nil
	}
	var told []postern.MailEvent
	if t, can := able[Tracer](r.Provider); can {
		told, err = through(ctx, r.mail, func(ctx context.Context) ([]postern.MailEvent, error) {
			return t.Trace(ctx, d.MessageID, r.called(d))
		})
		if err != nil {
			r.Logger.Warn("the provider could not be asked what became of an e-mail", "delivery", d.ID, "kind", postern.KindOf(err).String(), "error", err)
		}
	}
	p, _, err := r.Store.Participant(ctx, d.Participant)
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx) error { return r.asked(tx, j, p, d, told) }, nil
}

// asked writes down what the provider's books told.
func (r *Rules) asked(tx *store.Tx, j store.Job, p store.Participant, d store.Delivery, told []postern.MailEvent) error {
	note := func(what, why string) error {
		return tx.Note(store.Note{What: what, Why: why, Channel: p.Channel, User: p.User, Ref: string(d.ID), Detail: "found in the provider's books"})
	}
	proven := false
	for _, e := range told {
		if e.Kind == postern.MailAccepted || r.SortMailEvent(e).Skip != "" {
			continue
		}
		what, why, err := r.learn(tx, d, e)
		if err != nil {
			return err
		}
		proven = proven || e.Kind == postern.MailDelivered || e.Kind == postern.MailFailed
		if what != "" {
			if err := note(what, why); err != nil {
				return err
			}
		}
	}
	next := r.nextAsk(d, tx.Now())
	if proven {
		next = time.Time{}
	}
	if next.IsZero() && !proven {
		if err := tx.Note(store.Note{What: "unproven", Why: "nobody tells whether it arrived", Channel: p.Channel, User: p.User, Ref: string(d.ID)}); err != nil {
			return err
		}
	}
	if err := tx.AskAt(d.ID, next); err != nil {
		return err
	}
	if err := tx.Add(receiptJob(d.Participant)); err != nil {
		return err
	}
	return tx.Done(j)
}
