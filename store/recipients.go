package store

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

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

// How recipients are read: so many goroutines, each with at most so many rows at once (a
// row is a message), and not for longer than this.
const (
	askReaders = 2
	askRows    = 32
	askTimeout = 10 * time.Second
)

// asking answers who asks for recipients. Like writes these reads are done together with
// whatever others wait: a statement costs more than its rows. The goroutines stay, with the
// stacks that they have grown inside SQLite.
type asking struct {
	queue chan *ask
	done  chan struct{} // closed: nobody is answered any more
}

// ask is a question on its way through a reader. Its strings are clean.
type ask struct {
	ctx                     context.Context
	platform, channel, user string
	messages                []string
	ids                     []postern.MessageID // the same as they were given
	answer                  Recipient
	result                  chan error
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
	a := &ask{ctx: ctx, platform: text(platform), channel: text(string(ch)), user: text(string(user)), ids: messages, result: make(chan error, 1)}
	a.messages = make([]string, len(messages))
	for i, m := range messages {
		a.messages[i] = text(string(m))
	}
	if err := s.asking.wait(ctx, a); err != nil {
		return Recipient{}, err
	}
	return a.answer, nil
}

func (r *asking) wait(ctx context.Context, a *ask) error {
	if err := ctx.Err(); err != nil {
		return fault("store.read", err)
	}
	select {
	case r.queue <- a:
	case <-ctx.Done():
		return fault("store.read", ctx.Err())
	case <-r.done:
		return errNoReader
	}
	select {
	case err := <-a.result:
		return err
	case <-ctx.Done():
		return fault("store.read", ctx.Err())
	case <-r.done:
	}
	select {
	case err := <-a.result: // just before the end
		return err
	default:
		return errNoReader
	}
}

var errNoReader = postern.Errorf(postern.Temporary, "store.read", "the store is closed")

func (s *Store) startReaders() {
	r := &asking{queue: make(chan *ask, maxQueue), done: make(chan struct{})}
	s.asking = r
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for range askReaders {
		running.Go(func() { s.answerAll(ctx, r.queue) })
	}
	s.stops = append(s.stops, func() { cancel(); running.Wait(); close(r.done) })
}

func (s *Store) answerAll(ctx context.Context, queue <-chan *ask) {
	for ctx.Err() == nil {
		select {
		case first := <-queue:
			// Whoever else can run now may be about to ask: lanes begin many at once. Without
			// this each ask wakes a reader for itself, and costs twice as much.
			runtime.Gosched()
			s.answer(ctx, gatherAsks(first, queue))
		case <-ctx.Done():
		}
	}
}

// gatherAsks takes what waits, leaving out whoever has stopped waiting.
func gatherAsks(first *ask, queue <-chan *ask) (group []*ask) {
	for rows := 0; ; {
		if first.ctx.Err() == nil {
			group, rows = append(group, first), rows+max(1, len(first.messages))
		}
		if rows >= askRows {
			return group
		}
		select {
		case first = <-queue:
		default:
			return group
		}
	}
}

// answer answers a group. If the database blames the question, or answering it panicked,
// they are answered one by one, so that a bad one cannot fail its neighbours.
func (s *Store) answer(ctx context.Context, group []*ask) {
	err := s.find(ctx, group)
	if err != nil && len(group) > 1 && postern.KindOf(err) == postern.Internal {
		s.cfg.Logger.Warn("reads are tried one by one", "reads", len(group), "error", err)
		for _, a := range group {
			a.result <- s.find(ctx, []*ask{a})
		}
		return
	}
	for _, a := range group {
		a.result <- err
	}
}

func (s *Store) find(ctx context.Context, group []*ask) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Logger.Error("a read panicked", "panic", p, "stack", string(debug.Stack()))
			err = postern.Errorf(postern.Internal, "store.read", "panic: %v", p)
		}
	}()
	// Not the callers' contexts: one that ends would break its neighbours' statement.
	ctx, cancel := s.dialect.patience(ctx, askTimeout)
	defer cancel()
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
	for part := range slices.Chunk(rows, askRows) {
		if err := s.findPart(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) findPart(ctx context.Context, part []wanted) error {
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
