package relay

import (
	"context"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// receiptJob asks for a participant's marks to be looked at.
func receiptJob(p postern.ParticipantID) store.LaneJob {
	return store.LaneJob{Lane: receiptLane(p), Kind: jobReceipt, Args: encode(args{For: p})}
}

// mailEvent takes what a provider says became of an e-mail.
func (r *Rules) mailEvent(ctx context.Context, j store.Job) (func(*store.Tx) error, error) {
	e, err := r.Provider.DecodeEvent(j.Event.Body)
	if err != nil {
		return nil, err
	}
	d, ok, err := r.Store.Delivery(ctx, e.Delivery)
	if err == nil && !ok && e.MessageID != "" {
		d, ok, err = r.Store.DeliveryByMessageID(ctx, e.MessageID)
	}
	if err != nil {
		return nil, err
	}
	if !ok {
		return func(tx *store.Tx) error {
			if err := tx.Note(store.Note{What: "event ignored", Why: "no such delivery", Ref: store.EventRef(j.Event.ID), Ref2: clip(e.MessageID, 200), Detail: e.Kind.String()}); err != nil {
				return err
			}
			return tx.Done(j)
		}, nil
	}
	p, _, err := r.Store.Participant(ctx, d.Participant)
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx) error {
		what, why, err := r.learn(tx, d, e)
		if err != nil {
			return err
		}
		if what != "" {
			n := store.Note{What: what, Why: why, Channel: p.Channel, User: p.User, Ref: string(d.ID), Ref2: store.EventRef(j.Event.ID), Detail: clip(e.Code+" "+e.Detail, 300)}
			if err := tx.Note(n); err != nil {
				return err
			}
		}
		// A lane that was unsure may go on.
		if err := tx.Poke(r.mailLane(p), jobSend); err != nil {
			return err
		}
		if err := tx.Add(receiptJob(d.Participant)); err != nil {
			return err
		}
		return tx.Done(j)
	}, nil
}

// learn keeps what an event says of a delivery. States only rise, so events may come in
// any order and any number of times.
func (r *Rules) learn(tx *store.Tx, d store.Delivery, e postern.MailEvent) (what, why string, err error) {
	// Whatever it tells, it proves that the provider has the mail.
	if _, err := tx.Advance(d.ID, store.Accepted, e.At, ""); err != nil {
		return "", "", err
	}
	switch e.Kind {
	case postern.MailDelivered:
		_, err = tx.Advance(d.ID, store.Delivered, e.At, "")
		what = "delivered"
	case postern.MailOpened:
		return r.opened(tx, d, e)
	case postern.MailFailed:
		_, err = tx.Advance(d.ID, store.Failed, e.At, clip(e.Code+" "+e.Detail, 500))
		reason := e.Suppressed
		if reason == "" {
			reason = postern.StopBounced
		}
		if err == nil {
			err = r.stop(tx, d, reason, clip(e.Code+" "+e.Detail, 500))
		}
		what, why = "failed", string(reason)
	case postern.MailComplained:
		err = r.stop(tx, d, postern.StopComplained, "")
		what, why = "complained", ""
	case postern.MailUnsubscribed:
		err = r.stop(tx, d, postern.StopUnsubscribed, "")
		what = "unsubscribed"
	}
	return what, why, err
}

// opened takes an open. Only one that may be a person's is kept for the read mark.
func (r *Rules) opened(tx *store.Tx, d store.Delivery, e postern.MailEvent) (what, why string, err error) {
	if !e.DeliveredAt.IsZero() {
		if _, err := tx.Advance(d.ID, store.Delivered, e.DeliveredAt, ""); err != nil {
			return "", "", err
		}
	}
	if r.Read == ReadAnyOpen {
		if err := tx.SawOpen(d.ID, e.At); err != nil {
			return "", "", err
		}
		_, err := tx.Advance(d.ID, store.Opened, e.At, "")
		return "opened", string(e.Opener), err
	}
	if e.Opener != postern.OpenedByPerson {
		return "opened by a machine", string(e.Opener), nil
	}
	return "opened", "", tx.SawOpen(d.ID, e.At)
}

// personOpened tells whether a person opened or answered a delivery: an open that comes
// right after the delivery is a scanner's, whatever it calls itself.
func (r *Rules) personOpened(d store.Delivery) bool {
	switch {
	case !d.AnsweredAt.IsZero():
		return true
	case r.Read == ReadReply || r.Read == ReadOff:
		return false
	case r.Read == ReadAnyOpen:
		return d.State == store.Opened
	case d.OpenedAt.IsZero() || d.DeliveredAt.IsZero():
		return false // without the moment of delivery nobody can tell; it is still to come
	}
	return d.OpenedAt.Sub(d.DeliveredAt) >= r.HumanAfter
}

// mark is what a participant's marks in the chat may be moved over.
type mark struct {
	delivered, read int64 // creation of the newest message covered, ms; 0 = leave the mark
}

// above is the creation (ms) of the newest message that was covered before by all marks
// that are to be moved.
func (m mark) above(p store.Participant) int64 {
	if m.read > 0 {
		return p.OwnReadUpto
	}
	return p.OwnDeliveredUpto
}

// receipt moves a participant's marks as far as they may go. The platform keeps one
// high-water mark for a user and channel, so moving it claims every message before it.
func (r *Rules) receipt(ctx context.Context, l *store.Lease, j store.Job) (func(*store.Tx) error, error) {
	a, err := decode(j)
	if err != nil {
		return nil, err
	}
	known, ok, err := r.Store.Marks(ctx, a.For, mailLanes)
	if err != nil {
		return nil, err
	}
	done := func(tx *store.Tx) error { return tx.Done(j) }
	if !ok || known.Busy {
		return done, nil // whoever is busy asks for the marks again
	}
	p := known.Participant
	m, err := r.highWater(ctx, known)
	if err != nil || m == (mark{}) {
		return done, err
	}
	cover, err := r.uncovered(ctx, known, m)
	if err != nil {
		return nil, err
	}
	if cover.held {
		return func(tx *store.Tx) error {
			if err := tx.Note(store.Note{What: "mark held", Why: cover.why, Channel: p.Channel, User: p.User}); err != nil {
				return err
			}
			if err := r.wakeLater(tx, p, cover.wake); err != nil {
				return err
			}
			return tx.Done(j)
		}, nil
	}
	late := false
	err = r.Store.Work(ctx, l, func(tx *store.Tx) (err error) {
		// While the platform was asked a message may have come, and even been mailed: the
		// last look is ours.
		var fanout bool
		if late, fanout, err = tx.Overtaken(known, m.above(p), r.mailLane(p), r.chatLane(p.Channel), jobFanout); err != nil || late {
			return err
		}
		if late = fanout; late {
			// Whether he is to get it is not known yet; when it is, he comes back here.
			return r.wakeLater(tx, p, behindFanout)
		}
		if m.read == 0 {
			return nil
		}
		// Before the call: its echo may be back before we are, and we may never come back.
		return tx.Marking(p.ID)
	})
	if err != nil || late {
		return done, err // what came is mailed first, and asks for the marks again
	}
	return r.move(ctx, j, p, m)
}

func (r *Rules) mailLane(p store.Participant) string {
	return mailLanes + r.PlatformName + "/" + string(p.Channel) + "/" + string(p.User)
}

// mailLanes begins the names of mail lanes.
const mailLanes = "mail/"

// highWater finds how far the marks may go by our own memory: no delivery to him may be
// on its way, and a read mark needs the newest mail to be read.
func (r *Rules) highWater(ctx context.Context, p store.Marks) (m mark, err error) {
	newest, settled, err := r.newestSettled(ctx, p)
	if err != nil || !settled || newest.ID == "" {
		return m, err // undelivered: whatever comes after it waits
	}
	if newest.NewestAt > p.OwnDeliveredUpto {
		m.delivered = newest.NewestAt
	}
	if r.Read != ReadOff && r.personOpened(newest) && newest.NewestAt > max(p.ReadAt, p.OwnReadUpto) {
		// A message whose webhook came late lies below the delivered mark, and may still be
		// on its way. Above it there is none: see newestSettled.
		if p.Between {
			late, err := r.onItsWay(ctx, p.Participant, p.OwnReadUpto, min(newest.NewestAt, p.OwnDeliveredUpto))
			if err != nil || late {
				return m, err
			}
		}
		m.read = newest.NewestAt
	}
	return m, nil
}

// deliveriesAtOnce is how many Store.Deliveries lists, and Store.Marks.
const deliveriesAtOnce = 500

// newestSettled finds a participant's newest delivery that arrived. settled: of those
// that no mark covers yet, none is still on its way.
func (r *Rules) newestSettled(ctx context.Context, p store.Marks) (newest store.Delivery, settled bool, err error) {
	since := max(p.OwnReadUpto, p.OwnDeliveredUpto)
	for ds := p.Since; ; {
		for _, d := range ds {
			switch {
			case d.State < store.Delivered && r.moot(p.Participant, d):
			case d.State < store.Delivered:
				return newest, false, nil
			case d.State != store.Failed:
				newest = d
			}
		}
		if len(ds) < deliveriesAtOnce {
			break
		}
		next := ds[len(ds)-1].NewestAt - 1 // several may be of one moment
		if next <= since {
			return newest, false, nil
		}
		since = next
		if ds, err = r.Store.Deliveries(ctx, p.ID, since); err != nil {
			return newest, false, err
		}
	}
	if newest.ID != "" {
		return newest, true, nil
	}
	// The delivered mark covers all; the read mark may have to follow.
	last, err := r.Store.LastStates(ctx, p.ID, 8)
	for _, d := range last {
		if d.State >= store.Delivered && d.State != store.Failed {
			return d, true, err
		}
	}
	return newest, true, err
}

// move moves the marks, each by itself: a platform may refuse one of them (Sendbird's
// delivery receipts cost extra).
func (r *Rules) move(ctx context.Context, j store.Job, p store.Participant, m mark) (func(*store.Tx) error, error) {
	steps := []struct {
		upto int64
		read bool
		what string
		call func(context.Context, postern.ChannelID, postern.UserID) error
	}{{m.delivered, false, "marked delivered", r.Platform.MarkDelivered}, {m.read, true, "marked read", r.Platform.MarkRead}}
	refused := map[bool]string{}
	for _, s := range steps {
		if s.upto == 0 {
			continue
		}
		if err := s.call(ctx, p.Channel, p.User); settled(err) {
			refused[s.read] = codeOf(err)
			r.Logger.Warn("the chat refuses a receipt", "read", s.read, "code", codeOf(err))
		} else if err != nil {
			return nil, err
		}
	}
	return func(tx *store.Tx) error {
		for _, s := range steps {
			if s.upto == 0 {
				continue
			}
			n := store.Note{What: s.what, Channel: p.Channel, User: p.User}
			if code := refused[s.read]; code != "" {
				n.What, n.Why, n.Detail, s.upto = "not "+s.what, "the chat refused it", code, 0
			}
			if err := tx.Marked(p.ID, s.read, s.upto); err != nil {
				return err
			}
			if err := tx.Note(n); err != nil {
				return err
			}
		}
		return tx.Done(j)
	}, nil
}
