package relay

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// A mail that was put off may wait for hours. Meanwhile its messages are edited, deleted
// and read. As it certainly was not taken, it is taken apart then: its messages go back to
// the head of their lane and are judged and written anew, under a new Message-ID. If
// nothing changed it goes out as it is.

// anew takes a mail apart whose messages are not any more what it says; nil if it may go
// out as it is.
func (r *Rules) anew(ctx context.Context, j store.Job, d store.Delivery) (func(*store.Tx) error, error) {
	var c content
	if json.Unmarshal(d.Content, &c) != nil || len(c.Of) == 0 {
		return nil, nil
	}
	mailed, err := r.Store.MailedIn(ctx, d.ID)
	if err != nil || len(mailed) == 0 {
		return nil, err
	}
	p, ok, err := r.Store.Participant(ctx, d.Participant)
	if err != nil || !ok {
		return nil, err
	}
	why, err := r.outdated(ctx, j, p, c, mailed)
	if err != nil || why == "" {
		return nil, err
	}
	keys := make([]string, len(mailed))
	for i, m := range mailed {
		keys[i] = r.sentKey(p.Channel, m.Message)
	}
	events, err := r.Store.Recorded(ctx, keys)
	if err != nil {
		return nil, err
	}
	if len(events) < len(mailed) || j.Event == nil {
		return nil, nil // too old to be told anew: it says what it said
	}
	return func(tx *store.Tx) error {
		if err := r.takeApart(tx, j, d, p, mailed, why); err != nil {
			return err
		}
		for _, k := range keys {
			if id := events[k]; id != j.Event.ID {
				job := r.messageJob(p.Channel, p.User)
				job.Delay, job.Cap = 0, 0 // it waited long enough
				if err := tx.AddFor(id, job); err != nil {
					return err
				}
			}
		}
		tx.Committed(func() { r.drop(&c) })
		return nil
	}, nil
}

// takeApart ends a delivery that is never sent, and lets its messages go into another. Of
// each it is noted where it stood: no table says so any more.
func (r *Rules) takeApart(tx *store.Tx, j store.Job, d store.Delivery, p store.Participant, mailed []store.Mailed, why string) error {
	if err := tx.Unmail(d.ID); err != nil {
		return err
	}
	if _, err := tx.Advance(d.ID, store.Failed, tx.Now(), "written anew: "+why); err != nil {
		return err
	}
	if err := tx.Note(r.noteOf(j, d, "written anew", why)); err != nil {
		return err
	}
	for _, m := range mailed {
		if err := tx.Note(store.Note{What: "to be mailed anew", Why: why, Channel: p.Channel, User: p.User, Ref: string(m.Message), Ref2: string(d.ID)}); err != nil {
			return err
		}
	}
	return tx.Become(j, jobMessage, encode(args{Channel: p.Channel, User: p.User}))
}

// outdated says what changed of the messages that a mail was made of; "" if nothing did,
// or if nobody says.
func (r *Rules) outdated(ctx context.Context, j store.Job, p store.Participant, c content, mailed []store.Mailed) (string, error) {
	ids := make([]postern.MessageID, len(mailed))
	for i, m := range mailed {
		ids[i] = m.Message
		if r.hasRead(p, time.UnixMilli(p.ReadAt), time.UnixMilli(m.CreatedAt)) {
			return "partly read", nil
		}
	}
	known, err := r.Store.Revisions(ctx, r.PlatformName, p.Channel, ids)
	if err != nil {
		return "", err
	}
	for _, s := range c.Of {
		if rev, ok := known[s.ID]; ok && rev.Removed {
			return "partly deleted", nil
		} else if ok && hash(rev.Text) != s.Sum {
			return "edited", nil
		}
	}
	list, err := r.messagesNow(ctx, p.Channel, time.UnixMilli(mailed[0].CreatedAt))
	if err != nil && (settled(err) || j.Attempts >= patience) {
		return "", nil
	}
	if err != nil {
		return "", soon(err)
	}
	for _, m := range list {
		i := slices.IndexFunc(c.Of, func(s stated) bool { return s.ID == m.ID })
		switch {
		case i < 0:
		case m.Removed:
			return "partly deleted", nil
		case !m.UpdatedAt.IsZero() && m.Type != postern.FileMessage && hash(m.Text) != c.Of[i].Sum:
			return "edited", nil
		}
	}
	return "", nil
}
