package relay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/seal"
	"github.com/postern-chat/postern/store"
)

// fanout asks who is in a channel and gives each member's mail lane its job.
func (r *Rules) fanout(ctx context.Context, j store.Job) (func(*store.Tx) error, error) {
	e, err := r.chatEvent(j.Event)
	if err != nil {
		return nil, err
	}
	members, err := r.Platform.Members(ctx, e.Channel.ID)
	if err != nil {
		return nil, err
	}
	jobs, others := r.audience(e.Channel.ID, e.Message, members)
	return func(tx *store.Tx) error {
		if others != "" || len(jobs) == 0 {
			n := store.Note{What: "not mailed", Why: "not to these members", Channel: e.Channel.ID, Ref: string(e.Message.ID), Detail: others}
			if err := tx.Note(n); err != nil {
				return err
			}
		}
		if err := tx.AddFor(j.Event.ID, jobs...); err != nil {
			return err
		}
		return tx.Done(j)
	}, nil
}

// change keeps what is true now of a message, or of somebody's reading.
func (r *Rules) change(j store.Job) (func(*store.Tx) error, error) {
	e, err := r.chatEvent(j.Event)
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx) error {
		m := e.Message
		var err error
		switch e.Kind {
		case postern.MessageEdited:
			when := m.UpdatedAt
			if when.IsZero() {
				when = j.Event.ReceivedAt
			}
			err = tx.Revise(r.PlatformName, e.Channel.ID, m.ID, store.Revision{Text: m.Text}, when)
		case postern.MessageDeleted:
			err = tx.Revise(r.PlatformName, e.Channel.ID, m.ID, store.Revision{Removed: true}, j.Event.ReceivedAt)
		case postern.MessagesRead:
			for _, read := range e.Reads {
				if err == nil {
					err = tx.SawRead(r.PlatformName, e.Channel.ID, read)
				}
			}
		}
		if err != nil {
			return err
		}
		return tx.Done(j)
	}, nil
}

// mailBurst makes one mail of the messages that wait at the head of a mail lane, and
// sends it: decide, write down, send.
func (r *Rules) mailBurst(ctx context.Context, l *store.Lease) (func(*store.Tx) error, error) {
	burst, events, err := r.readable(l.Jobs)
	if err != nil {
		return nil, err
	}
	t, err := r.gather(ctx, burst, events)
	if err != nil {
		return nil, err
	}
	if t.wait > 0 && len(t.messages) > 0 {
		return func(tx *store.Tx) error { return tx.Again(burst[0], tx.Now().Add(t.wait)) }, nil
	}
	for _, n := range t.dropped {
		r.Observe(n.What, n.Why)
	}
	if len(t.messages) == 0 {
		return func(tx *store.Tx) error { return r.close(tx, t, burst) }, nil
	}
	c, err := r.compose(ctx, t)
	if err != nil {
		return nil, err
	}
	if len(c.Files)+len(c.Links) > 0 { // which may have taken minutes
		if moot, err := r.mootNow(ctx, t); err != nil || moot {
			r.drop(c)
			return func(tx *store.Tx) error { return tx.Again(burst[0], tx.Now()) }, err
		}
	}
	d, err := r.writeDown(ctx, l, t, c, burst)
	if err != nil {
		return nil, err
	}
	r.watchOf(t)
	return r.send(ctx, burst[0], d, c)
}

// readable is the part of a lane that becomes one mail: messages for the same member
// that can be read. What cannot be is left to fail alone, as the head of its lane.
func (r *Rules) readable(jobs []store.Job) (burst []store.Job, events []postern.ChatEvent, err error) {
	for i, j := range jobs {
		if j.Kind != jobMessage || !bytes.Equal(j.Args, jobs[0].Args) {
			break
		}
		var e postern.ChatEvent
		if j.Event == nil {
			err = postern.Errorf(postern.Permanent, "relay.mail", "the recorded message is gone")
		} else {
			e, err = r.chatEvent(j.Event)
		}
		if err != nil {
			if i > 0 {
				err = nil
			}
			break
		}
		burst, events = append(burst, j), append(events, e)
	}
	return burst, events, err
}

// gather leaves those messages of a burst that are to be mailed now.
func (r *Rules) gather(ctx context.Context, burst []store.Job, events []postern.ChatEvent) (*letterTo, error) {
	a, err := decode(burst[0])
	if err != nil {
		return nil, err
	}
	t := &letterTo{user: a.User, channel: events[len(events)-1].Channel, attempts: burst[0].Attempts}
	for i, e := range events {
		t.messages = append(t.messages, wanted{e.Message, burst[i]})
	}
	sortMessages(t.messages)
	known, err := r.Store.Recipient(ctx, r.PlatformName, t.channel.ID, t.user, t.ids())
	if err != nil {
		return nil, err
	}
	var why string
	if t.person, why = r.addressOf(t.user, known.Person, known.Known); why != "" {
		t.dropAll(why)
		return t, nil
	}
	if t.known = known.Participant; t.known.Muted {
		t.dropAll("unsubscribed from this conversation")
		return t, nil
	}
	r.remembered(t, known)
	return t, r.lookAgain(ctx, t)
}

// mootNow tells whether our own memory gives reasons by now against a mail that was
// gathered before: then it is gathered anew.
func (r *Rules) mootNow(ctx context.Context, t *letterTo) (bool, error) {
	now, err := r.Store.Recipient(ctx, r.PlatformName, t.channel.ID, t.user, t.ids())
	if err != nil {
		return false, err
	}
	p := now.Participant
	_, why := r.addressOf(t.user, now.Person, now.Known)
	return why != "" || p.Muted || slices.ContainsFunc(t.messages, func(m wanted) bool {
		return now.Revisions[m.ID].Removed || r.hasRead(p, time.UnixMilli(p.ReadAt), m.CreatedAt)
	}), nil
}

// close ends a burst of which nothing is to be mailed.
func (r *Rules) close(tx *store.Tx, t *letterTo, burst []store.Job) error {
	for _, n := range t.dropped {
		if err := tx.Note(n); err != nil {
			return err
		}
	}
	if err := r.tellStopped(tx, t); err != nil {
		return err
	}
	r.watchOf(t)
	if t.known.ID != 0 {
		// A receipt may have waited for these messages.
		if err := tx.Add(receiptJob(t.known.ID)); err != nil {
			return err
		}
	}
	return tx.Done(burst...)
}

// writeDown stores the delivery before anything is sent: its ids, its bytes, which
// messages it carries. The burst's first job becomes the job of sending it.
func (r *Rules) writeDown(ctx context.Context, l *store.Lease, t *letterTo, c *content, burst []store.Job) (store.Delivery, error) {
	id := postern.DeliveryID(seal.NewID(r.Now()))
	d := store.Delivery{
		ID: id, State: store.Sending, MessageID: string(id) + "@" + r.Domain, Recipient: t.person.Email,
		NewestAt: t.messages[len(t.messages)-1].CreatedAt.UnixMilli(), AttemptedAt: r.Store.Now(),
	}
	mailed := make([]store.Mailed, len(t.messages))
	for i, m := range t.messages {
		mailed[i] = store.Mailed{Message: m.ID, CreatedAt: m.CreatedAt.UnixMilli()}
	}
	// Written before the transaction, in which all others wait, for whom he will most likely
	// be there; and again only if he is somebody else.
	conv := r.conversation(t)
	who := t.known
	if who.ID == 0 {
		if who.Conversation.ID != 0 {
			conv.Subject, conv.RootID = who.Subject, who.RootID
		}
		who.ID, who.Subject, who.RootID = postern.ParticipantID(seal.NewNumber()), conv.Subject, conv.RootID
	}
	written, err := c.address(r, who, id)
	if err != nil {
		r.drop(c)
		return d, err
	}
	err = r.Store.Work(ctx, l, func(tx *store.Tx) error {
		p, err := t.participant(tx, conv, who.ID)
		if err != nil {
			return err
		}
		if p.ID != who.ID || p.Subject != who.Subject || p.RootID != who.RootID {
			b, err := c.address(r, p, id)
			if err != nil {
				return err
			}
			who, written = p, b
		}
		d.Participant, d.Content = p.ID, written
		if err := tx.AddDelivery(d, mailed); err != nil {
			return err
		}
		if err := tx.UseBlobs(string(id), c.blobs()...); err != nil {
			return err
		}
		for _, n := range t.dropped {
			if err := tx.Note(n); err != nil {
				return err
			}
		}
		if err := tx.Done(burst[1:]...); err != nil {
			return err
		}
		return tx.Become(burst[0], jobSend, encode(args{Delivery: id, Channel: t.channel.ID, User: t.user}))
	})
	if err != nil && (store.Lost(err) || postern.KindOf(err) != postern.Temporary) {
		r.drop(c) // else it may be written all the same, and then the files are needed
	}
	return d, err
}

// participant gives the one who is mailed, in a transaction. It mostly need not be asked
// for him: participants stay for good.
func (t *letterTo) participant(tx *store.Tx, conv store.NewConversation, fresh postern.ParticipantID) (store.Participant, error) {
	switch {
	case t.known.Conversation.ID != 0 && conv.Name != "" && conv.Name != t.known.Name:
		return tx.EnsureParticipant(conv, t.user, fresh)
	case t.known.ID == 0:
		return tx.NewParticipant(conv, t.user, fresh)
	}
	return t.known, nil
}

// conversation is what a channel is kept as when it is mailed for the first time. The
// subject never changes after: mail programs thread by it.
func (r *Rules) conversation(t *letterTo) store.NewConversation {
	subject := oneLine(t.channel.Name, 150)
	if subject == "" {
		subject = "Your conversation"
		if len(t.messages) > 0 && t.messages[0].senderName() != "" {
			subject += " with " + oneLine(t.messages[0].senderName(), 80)
		}
	}
	return store.NewConversation{
		Platform: r.PlatformName, Channel: t.channel.ID, Name: oneLine(t.channel.Name, 191),
		Subject: subject, RootID: "c." + hash(r.PlatformName+"/"+string(t.channel.ID)) + "@" + r.Domain,
	}
}

// hash makes a short word out of a longer one; the same word every time.
func hash(s string) string {
	h := sha256.Sum256([]byte(s))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h[:15]))
}
