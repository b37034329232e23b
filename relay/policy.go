package relay

import (
	"context"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// letterTo is what is known about a mail that may be written: for whom, and of which
// messages, as is true now.
type letterTo struct {
	channel  postern.Channel
	user     postern.UserID
	person   postern.Person
	known    store.Participant // without an ID while he never got a mail
	messages []wanted
	dropped  []store.Note
	attempts int           // how often this failed before
	listed   heeded        // what the platform's list told beside what was heard
	wait     time.Duration // older messages may still join it
}

// wanted is a message on its way into a mail, and the job that asked for it.
type wanted struct {
	postern.ChatMessage
	job store.Job
}

func (t *letterTo) drop(m wanted, why string) {
	t.dropped = append(t.dropped, store.Note{What: "not mailed", Why: why, Channel: t.channel.ID, User: t.user, Ref: string(m.ID)})
}

// ids are the messages'.
func (t *letterTo) ids() []postern.MessageID {
	ids := make([]postern.MessageID, len(t.messages))
	for i, m := range t.messages {
		ids[i] = m.ID
	}
	return ids
}

// keep drops the messages for which why gives a reason.
func (t *letterTo) keep(why func(wanted) string) {
	kept := t.messages[:0]
	for _, m := range t.messages {
		if w := why(m); w != "" {
			t.drop(m, w)
			continue
		}
		kept = append(kept, m)
	}
	t.messages = kept
}

func (t *letterTo) dropAll(why string) { t.keep(func(wanted) string { return why }) }

// address finds out where a user is written to, and whether he is.
func (r *Rules) address(ctx context.Context, user postern.UserID) (p postern.Person, why string, err error) {
	p, ok, err := r.Store.Person(ctx, user)
	if err != nil {
		return p, "", err
	}
	p, why = r.addressOf(user, p, ok)
	return p, why, nil
}

// addressOf is that for whom the store knows, or does not.
func (r *Rules) addressOf(user postern.UserID, p postern.Person, ok bool) (_ postern.Person, why string) {
	switch {
	case !ok && r.UserIDIsAddress && isAddress(string(user)):
		return postern.Person{UserID: user, Email: string(user)}, ""
	case !ok:
		return p, "no address known"
	case p.Stopped != "":
		return p, "stopped: " + string(p.Stopped)
	}
	return p, ""
}

func isAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && strings.Contains(s, "@")
}

// remembered drops what our own memory gives reasons against: mailed before, his own,
// deleted meanwhile, read meanwhile. Edited messages get their present text.
func (r *Rules) remembered(t *letterTo, known store.Recipient) {
	seen := map[postern.MessageID]bool{}
	t.keep(func(m wanted) string {
		twice := seen[m.ID]
		seen[m.ID] = true
		switch {
		case twice || known.Mailed[m.ID]:
			return "mailed before"
		case m.Sender.ID == t.user && t.user != "":
			return "own message"
		case m.Type == postern.AdminMessage && m.Mark == "" && known.Ours[m.ID]:
			return "our own line" // the platform lost our mark; its id was remembered
		case m.Type != postern.FileMessage && len(m.Files) == 0 && strings.TrimSpace(m.Text) == "":
			return "nothing in it"
		case known.Revisions[m.ID].Removed:
			return "deleted"
		case r.hasRead(t.known, time.UnixMilli(t.known.ReadAt), m.CreatedAt):
			return "read"
		}
		return ""
	})
	for i, m := range t.messages {
		if rev, ok := known.Revisions[m.ID]; ok {
			t.messages[i].Text = rev.Text
		}
	}
}

// ownEcho is how far the platform's clock and ours may be apart, beyond what it told us,
// when its word on a read mark is compared with the moment we moved that mark ourselves. It
// tells its time in whole seconds, and what is less than two of them is not believed.
const ownEcho = 4 * time.Second

// hasRead tells whether a read mark at the platform proves that the person himself read
// a message. One that is not later than our own last move of it proves nothing: we
// move it over mails, and over whatever else was written by then, heard of or not.
func (r *Rules) hasRead(p store.Participant, mark, created time.Time) bool {
	if mark.UnixMilli() <= 0 || mark.Before(created) {
		return false
	}
	return p.OwnReadAt == 0 || mark.Add(-r.ahead()).Sub(time.UnixMilli(p.OwnReadAt)) > ownEcho
}

// fresh is how long the platform's word on who is there is believed where no quiet window
// passes in between, from the webhook's arrival on. It is longer than an ordinary queue,
// because two calls for each mail just when work piles up would make it pile up for good;
// and no longer than presence itself lags. Who reads, and what is edited or deleted
// meanwhile, is told by webhooks, and heeded whatever the age.
const fresh = 5 * time.Second

// patience is how many times the platform is asked again before a mail goes out by what
// was known, or without a file.
const patience = 4

// lookAgain asks the platform who is there now, and drops the messages that he need
// not get any more. If the platform will not say, or cannot for long, its earlier word
// stands: late is better than never.
func (r *Rules) lookAgain(ctx context.Context, t *letterTo) error {
	if len(t.messages) == 0 {
		return nil
	}
	if r.Delay == 0 && t.believed(r) {
		return nil
	}
	members, err := r.membersNow(ctx, t.channel.ID)
	err = soon(err)
	if err != nil && (settled(err) || t.attempts >= patience) {
		t.dropped = append(t.dropped, store.Note{What: "looked again in vain", Why: postern.KindOf(err).String(), Channel: t.channel.ID, User: t.user})
		return nil
	}
	if err != nil {
		return err
	}
	r.present(t, members)
	return r.unchanged(ctx, t)
}

// believed tells whether what the webhooks said of who is there is true enough: the newest
// was heard just now, no try of it failed, and it was not heard by listing. A job that was
// put into its lane later (replayed, written anew) is as old as its webhook, unless the
// members were asked for then.
func (t *letterTo) believed(r *Rules) bool {
	newest := t.messages[len(t.messages)-1].job
	heard := newest.AddedAt
	if e := newest.Event; e != nil && !t.channel.Large && e.ReceivedAt.Before(heard) {
		heard = e.ReceivedAt
	}
	return r.Now().Sub(heard) < fresh && newest.Attempts == 0 && !t.foundByListing(r)
}

// soon is an error of a service that is not called now without its wait: whoever has
// something to go by does not wait for long.
func soon(err error) error {
	if postern.CauseOf(err) == postern.CauseBusy {
		return &postern.Error{Kind: postern.KindOf(err), Cause: postern.CauseBusy, Op: "relay.look", Err: err}
	}
	return err
}

// foundByListing tells whether the webhook of a message never came: then nothing is known
// of who is there, and who has read it.
func (t *letterTo) foundByListing(r *Rules) bool {
	return slices.ContainsFunc(t.messages, func(w wanted) bool { return r.listed(w.job.Event) })
}

// listFor lists what the platform has of a mail's messages, and of those written before
// them since all was heard: one whose webhook was lost comes to light here, at no cost.
func (r *Rules) listFor(ctx context.Context, t *letterTo) ([]postern.ChatMessage, error) {
	first := t.messages[0].CreatedAt
	if r.Reconcile.Window <= 0 {
		return r.messagesNow(ctx, t.channel.ID, first)
	}
	from, err := r.heardFrom(ctx, t.channel.ID, first)
	if err != nil {
		return nil, err
	}
	list, err := r.messagesNow(ctx, t.channel.ID, from)
	if err != nil {
		return nil, err
	}
	named := func(context.Context) (postern.Channel, error) { return t.channel, nil }
	if t.listed, err = r.heed(ctx, list, t.channel.ID, named); err != nil {
		return nil, err
	}
	if err := r.letJoin(ctx, t); err != nil {
		return nil, err
	}
	if len(list) < listPage {
		return list, nil
	}
	t.listed = heeded{} // the rest is looked through later
	return r.messagesNow(ctx, t.channel.ID, first)
}

// joinTime is how long a mail waits for older messages of its channel.
const joinTime = 30 * time.Second

// letJoin has a mail wait for older messages that may be for him too: those whose webhook
// may be on its way, and those that are still being given to whoever is to get them.
func (r *Rules) letJoin(ctx context.Context, t *letterTo) error {
	if r.Now().Sub(t.messages[0].job.AddedAt) >= r.DelayMax+joinTime {
		return nil
	}
	if p := t.listed.pending; !p.IsZero() && p.Before(t.messages[len(t.messages)-1].CreatedAt) {
		t.wait = 3 * time.Second
		return nil
	}
	busy, err := r.Store.LaneHas(ctx, r.chatLane(t.channel.ID), jobFanout)
	if busy {
		t.wait = time.Second
	}
	return err
}

// unlistedIn is when a channel is looked through that was mailed from without a look at
// its list: bursts are looked through once.
const unlistedIn = 2 * time.Minute

// watchOf keeps in mind that a channel is active.
func (r *Rules) watchOf(t *letterTo) {
	check := time.Time{}
	switch {
	case !t.listed.pending.IsZero():
		check = r.Now().Add(againIn)
	case t.listed.upto.IsZero():
		check = r.Now().Add(unlistedIn)
	}
	r.watch(t.channel.ID, t.listed.upto, check)
}

// settled tells whether asking again would give no other answer.
func settled(err error) bool {
	k := postern.KindOf(err)
	return err != nil && (k == postern.Permanent || k == postern.Denied || k == postern.Invalid)
}

func (r *Rules) present(t *letterTo, members []postern.Member) {
	if len(members) == 0 {
		return // nobody at all, not even the writer: no answer to go by
	}
	for _, m := range members {
		if m.ID != t.user {
			continue
		}
		t.keep(func(w wanted) string {
			if r.hasRead(t.known, m.ReadAt, w.CreatedAt) {
				return "read"
			}
			return r.unwanted(m)
		})
		return
	}
	t.dropAll("left the channel")
}

// unchanged takes over what the platform says about the messages themselves: a
// webhook on an edit or a deletion may have been lost. Only its positive word counts.
func (r *Rules) unchanged(ctx context.Context, t *letterTo) error {
	if len(t.messages) == 0 {
		return nil
	}
	now, err := r.listFor(ctx, t)
	err = soon(err)
	if err != nil && (settled(err) || t.attempts >= patience) {
		return nil // listing may need a dearer plan
	}
	if err != nil {
		return err
	}
	byID := make(map[postern.MessageID]postern.ChatMessage, len(now))
	for _, m := range now {
		byID[m.ID] = m
	}
	t.keep(func(w wanted) string {
		if byID[w.ID].Removed {
			return "deleted"
		}
		return ""
	})
	for i, w := range t.messages {
		if m, ok := byID[w.ID]; ok && !m.UpdatedAt.IsZero() && m.UpdatedAt.After(w.UpdatedAt) && m.Type != postern.FileMessage {
			t.messages[i].Text = m.Text
		}
	}
	return nil
}
