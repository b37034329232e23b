package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/postern-chat/postern"
)

// Recipient is what is remembered of somebody who may be mailed messages of a channel.
type Recipient struct {
	Person postern.Person
	Known  bool // Person is; else it is zero
	// Participant has no ID while he never got a mail from there. Two things are told all
	// the same: ReadAt, and the Conversation, if somebody else is in it.
	Participant Participant
	// Of the messages that were asked for: what is true now of those that were edited or
	// deleted, which went to the participant before, and which are posts of ours.
	Revisions    map[postern.MessageID]Revision
	Mailed, Ours map[postern.MessageID]bool
}

// ask is a question for a recipient. Its strings are clean.
type ask struct {
	platform, channel, user string
	messages                []string
	ids                     []postern.MessageID // the same as they were given
	answer                  Recipient
}

// wanted is one row of what is read: an ask's message, or the ask alone.
type wanted struct {
	*ask
	message int // less than 0: there is none
}

// Recipient reads what decides about mailing messages of a channel to a user. It sees
// what was committed before it was called. Many callers at once cost less than one after
// another.
func (s *Store) Recipient(ctx context.Context, platform string, ch postern.ChannelID, user postern.UserID, messages []postern.MessageID) (Recipient, error) {
	a := &ask{platform: text(platform), channel: text(string(ch)), user: text(string(user)), ids: messages}
	a.messages = make([]string, len(messages))
	for i, m := range messages {
		a.messages[i] = text(string(m))
	}
	if err := s.recipients.ask(ctx, a, len(a.messages)); err != nil {
		return Recipient{}, err
	}
	return a.answer, nil
}

func (s *Store) readRecipients(ctx context.Context, group []*ask) error {
	var rows []wanted
	for _, a := range group {
		a.answer = Recipient{}
		for i := range a.messages {
			rows = append(rows, wanted{a, i})
		}
		if len(a.messages) == 0 {
			rows = append(rows, wanted{a, -1})
		}
	}
	for part := range slices.Chunk(rows, togetherRows) {
		if err := s.readWanted(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) readWanted(ctx context.Context, part []wanted) error {
	query, args := s.dialect.recipients(part)
	rows, err := s.query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	row := newCells(recipientWidth)
	for rows.Next() {
		if err := rows.Scan(row.dest...); err != nil {
			return fault("store.read", err)
		}
		row.next = 0
		part[row.number()-1].take(row)
		if row.err != nil {
			return fault("store.read", row.err)
		}
	}
	return fault("store.read", rows.Err())
}

// take adds a row to the answer, in the order of recipientColumns.
func (w wanted) take(row *cells) {
	revised, rev := !row.null(), Revision{Removed: row.number() != 0, Text: row.text()}
	mailed, ours := row.number() != 0, row.number() != 0
	if w.message >= 0 {
		id := w.ids[w.message]
		if revised {
			put(&w.answer.Revisions, id, rev)
		}
		if mailed {
			put(&w.answer.Mailed, id, true)
		}
		if ours {
			put(&w.answer.Ours, id, true)
		}
	}
	if w.message <= 0 {
		w.takeWho(row)
	}
}

func (w wanted) takeWho(row *cells) {
	who, p := &w.answer.Person, &w.answer.Participant
	if w.answer.Known = !row.null(); w.answer.Known {
		who.UserID = postern.UserID(w.user)
	}
	who.Email, who.Name, who.Locale, who.TimeZone = row.text(), row.text(), row.text(), row.text()
	who.Stopped, who.StoppedDetail, who.StoppedAt = postern.StopReason(row.text()), row.text(), at(row.number())
	p.ReadAt = row.number()
	if !row.null() {
		p.Platform, p.Channel = w.platform, postern.ChannelID(w.channel)
	}
	p.Conversation.ID = postern.ConversationID(row.number())
	p.Name, p.Subject, p.RootID = row.text(), row.text(), row.text()
	if !row.null() {
		p.User = postern.UserID(w.user)
	}
	p.ID = postern.ParticipantID(row.number()) //nolint:gosec // the same 64 bits
	p.Muted, p.Revoked = row.number() != 0, row.number() != 0
	p.OwnReadAt, p.OwnReadUpto, p.OwnDeliveredUpto = row.number(), row.number(), row.number()
}

func put[V any](m *map[postern.MessageID]V, id postern.MessageID, v V) {
	if *m == nil {
		*m = map[postern.MessageID]V{}
	}
	(*m)[id] = v
}

// cells are a row's columns, taken one after another. A NULL is the zero value.
type cells struct {
	v, dest []any
	next    int
	err     error // a column was of another type
}

func newCells(n int) *cells {
	c := &cells{v: make([]any, n), dest: make([]any, n)}
	for i := range c.v {
		c.dest[i] = &c.v[i]
	}
	return c
}

// null tells whether the next column is, and does not take it.
func (c *cells) null() bool { return c.v[c.next] == nil }

func (c *cells) text() string  { return cell[string](c) }
func (c *cells) number() int64 { return cell[int64](c) }

func cell[T any](c *cells) (t T) {
	v := c.v[c.next]
	c.next++
	if v == nil {
		return t
	}
	t, ok := v.(T)
	if !ok {
		c.err = fmt.Errorf("column %d is a %T", c.next, v)
	}
	return t
}
