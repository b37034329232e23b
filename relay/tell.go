package relay

import (
	"strconv"
	"strings"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/seal"
	"github.com/postern-chat/postern/store"
)

// tell writes down a line of our own for a conversation, once per batch.
func (r *Rules) tell(tx *store.Tx, c store.Conversation, batch, text string) error {
	err := tx.PlanPosts([]store.Post{{ID: postern.PostID(seal.NewID(tx.Now())), Batch: batch, Conversation: c.ID, Text: text}})
	if err != nil {
		return err
	}
	return tx.Add(store.LaneJob{Lane: "post/c" + strconv.FormatInt(int64(c.ID), 36), Kind: jobTell, Args: encode(args{Batch: batch, Channel: c.Channel})})
}

// stop ends the mail to a person whom a delivery did not reach, and tells the chat.
func (r *Rules) stop(tx *store.Tx, d store.Delivery, why postern.StopReason, detail string) error {
	p, ok, err := tx.Participant(d.Participant)
	if err != nil || !ok {
		return err
	}
	person, known, err := tx.Person(p.User)
	if err != nil {
		return err
	}
	switch {
	case known && !strings.EqualFold(person.Email, d.Recipient):
		return nil // it was an old address that failed
	case !known && !strings.EqualFold(string(p.User), d.Recipient):
		return nil // an operator has had the person forgotten
	}
	if _, err := tx.StopPerson(p.User, d.Recipient, why, detail); err != nil {
		return err
	}
	if err := tx.Note(store.Note{What: "stopped", Why: string(why), Channel: p.Channel, User: p.User, Ref: string(d.ID), Detail: clip(detail, 500)}); err != nil {
		return err
	}
	name := nameOf(person, p.User)
	if person, _, err = tx.Person(p.User); err != nil {
		return err
	}
	return r.tell(tx, p.Conversation, stopBatch(p.Channel, person), stopLine(name, why))
}

// tellFailed tells the chat that one mail was not sent, through no fault of the address.
func (r *Rules) tellFailed(tx *store.Tx, d store.Delivery) error {
	p, ok, err := tx.Participant(d.Participant)
	if err != nil || !ok {
		return err
	}
	person, _, err := tx.Person(p.User)
	if err != nil {
		return err
	}
	return r.tell(tx, p.Conversation, stopPrefix+hash("delivery/"+string(d.ID)), stopLine(nameOf(person, p.User), ""))
}

// tellStopped tells a conversation that one of its members is not reached by mail, when
// its first message for him is not mailed. In the conversation whose mail failed it
// was told then.
func (r *Rules) tellStopped(tx *store.Tx, t *letterTo) error {
	if t.person.Stopped == "" || len(t.dropped) == 0 {
		return nil
	}
	p, err := tx.EnsureParticipant(r.conversation(t), t.user, postern.ParticipantID(seal.NewNumber()))
	if err != nil {
		return err
	}
	return r.tell(tx, p.Conversation, stopBatch(p.Channel, t.person), stopLine(nameOf(t.person, t.user), t.person.Stopped))
}

// stopPrefix begins the batches in which we speak for ourselves.
const stopPrefix = "stop-"

// stopBatch names the line that tells of one stop in one conversation, so that it is
// told once.
func stopBatch(ch postern.ChannelID, p postern.Person) string {
	return stopPrefix + hash(string(ch)+"/"+string(p.UserID)+"/"+strconv.FormatInt(p.StoppedAt.UnixMilli(), 10))
}

func nameOf(p postern.Person, u postern.UserID) string {
	if n := oneLine(p.Name, 80); n != "" && !strings.Contains(n, "@") {
		return n
	}
	if u == "" || strings.Contains(string(u), "@") {
		return "A member of this chat"
	}
	return string(u)
}

// stopLine is the one plain line that the chat gets. It holds no address.
func stopLine(name string, why postern.StopReason) string {
	switch why {
	case postern.StopComplained:
		return name + " marked the e-mails from this chat as unwanted and gets no more of them."
	case postern.StopUnsubscribed:
		return name + " unsubscribed from the e-mails of this chat."
	case postern.StopSuppressed:
		return name + " cannot be reached by e-mail: the address is blocked after an earlier failure."
	}
	return name + " could not be reached by e-mail: the message was not delivered."
}
