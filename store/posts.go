package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/postern-chat/postern"
)

// PostState is how far a post got.
type PostState int

// The states of a post.
const (
	Planned PostState = iota // written down, not tried, or certainly not made
	Posting                  // the call may be under way, or may have succeeded
	Posted                   // it stands in the chat
	Refused                  // the platform never takes it
)

// Post is a chat message that we write.
type Post struct {
	ID           postern.PostID
	Batch        string // the posts of one mail, or of one line of ours, go out in order of Seq
	Seq          int
	Conversation postern.ConversationID
	User         postern.UserID // "" = the application's own line
	Text         string
	File         []byte // where the file stands in the mail; relay's own form
	State        PostState
	ChatID       postern.MessageID
	AttemptedAt  time.Time
	Detail       string
}

// PlanPosts writes posts down before any is made, or just before the call of one that
// is Posting already. Writing the same batch down again changes nothing.
func (tx *Tx) PlanPosts(posts []Post) error {
	tx.bulk.later.planned, tx.touched = append(tx.bulk.later.planned, posts...), true
	return nil
}

// PlanAgain lets a batch's posts be tried again that the platform had refused.
func (tx *Tx) PlanAgain(batch string) error {
	_, err := tx.exec(`UPDATE posts SET state = ? WHERE batch = ? AND state = ?`, int(Planned), batch, int(Refused))
	return err
}

// Reshape puts other posts into the place of one that was not made, and of all after
// it in its batch: a text that was too long becomes several.
func (tx *Tx) Reshape(first Post, posts []Post) error {
	// Not Planned alone: the call that told of the length had begun.
	if _, err := tx.exec(`DELETE FROM posts WHERE batch = ? AND seq >= ? AND state < ?`, first.Batch, first.Seq, int(Posted)); err != nil {
		return err
	}
	return tx.PlanPosts(posts)
}

// PostBegins notes that a call for the post begins.
func (tx *Tx) PostBegins(id postern.PostID) error {
	_, err := tx.exec(`UPDATE posts SET state = ?, attempted_at = ? WHERE id = ? AND state < ?`, int(Posting), tx.now, string(id), int(Posted))
	return err
}

// PostEnds notes what became of a post. What stands in the chat stays there, whatever
// comes later and in whatever order.
func (tx *Tx) PostEnds(id postern.PostID, state PostState, chat postern.MessageID, detail string) error {
	if state == Posted && detail == "" {
		tx.bulk.later.posted, tx.touched = append(tx.bulk.later.posted, postedRow{id, chat}), true
		return nil
	}
	_, err := tx.exec(`UPDATE posts SET state = ?, chat_message_id = ?, detail = ? WHERE id = ? AND state <> ?`,
		int(state), string(chat), detail, string(id), int(Posted))
	return err
}

// Posts lists the posts of a batch in order.
func (s *Store) Posts(ctx context.Context, batch string) ([]Post, error) {
	rows, err := s.query(ctx, `SELECT id, batch, seq, conversation_id, user_id, text, file, state, chat_message_id, attempted_at, detail FROM posts WHERE batch = ? ORDER BY seq`, batch)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r *sql.Rows) (p Post, err error) {
		err = r.Scan(&p.ID, &p.Batch, &p.Seq, &p.Conversation, &p.User, &p.Text, &p.File, &p.State, &p.ChatID, (*moment)(&p.AttemptedAt), &p.Detail)
		return p, err
	})
}

// Conversation finds a conversation by our id; false if there is none.
func (s *Store) Conversation(ctx context.Context, id postern.ConversationID) (c Conversation, ok bool, err error) {
	ok, err = s.one(ctx, `SELECT id, platform, channel, name, subject, root_id FROM conversations WHERE id = ?`, []any{int64(id)},
		&c.ID, &c.Platform, &c.Channel, &c.Name, &c.Subject, &c.RootID)
	return c, ok, err
}

// Held is a mail that was not posted and waits for an operator.
type Held struct {
	ID          int64                 `json:"id"`
	Event       int64                 `json:"event"`
	Participant postern.ParticipantID `json:"-"`
	Reason      string                `json:"reason"`
	Detail      string                `json:"detail,omitempty"`
	Sender      string                `json:"sender"`
	Recipient   string                `json:"recipient"`
	Subject     string                `json:"subject"`
	State       HeldState             `json:"state"`
	HeldAt      time.Time             `json:"held_at"`
}

// HeldState is what became of a held mail.
type HeldState string

// The states of a held mail.
const (
	HeldWaiting   HeldState = "held"
	HeldReleased  HeldState = "released"
	HeldDiscarded HeldState = "discarded"
	HeldRefused   HeldState = "refused" // never waited: the policy refuses such mail
)

// Hold keeps a mail back. Holding the same event again changes nothing, unless it was
// released meanwhile and could not be posted: then it waits again.
func (tx *Tx) Hold(h Held) error {
	_, err := tx.exec(`INSERT INTO held (event_id, participant_id, reason, detail, sender, recipient, subject, state, held_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (event_id) DO UPDATE SET reason = excluded.reason, detail = excluded.detail, state = excluded.state, held_at = excluded.held_at WHERE held.state = 'released'`, h.Event, int64(h.Participant), h.Reason, h.Detail, h.Sender, h.Recipient, h.Subject, string(h.State), tx.now)
	return err
}

const heldColumns = `id, event_id, participant_id, reason, detail, sender, recipient, subject, state, held_at FROM held`

func scanHeld(r *sql.Rows) (h Held, err error) {
	err = r.Scan(&h.ID, &h.Event, (*signed)(&h.Participant), &h.Reason, &h.Detail, &h.Sender, &h.Recipient, &h.Subject, &h.State, (*moment)(&h.HeldAt))
	return h, err
}

// HeldMail lists held mail after an id, oldest first, at most limit.
func (s *Store) HeldMail(ctx context.Context, after int64, limit int) ([]Held, error) {
	rows, err := s.query(ctx, `SELECT `+heldColumns+` WHERE id > ? ORDER BY id LIMIT ?`, after, limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanHeld)
}

// WaitingMail lists the held mail that nobody decided about yet, after an id, oldest
// first, at most limit.
func (s *Store) WaitingMail(ctx context.Context, after int64, limit int) ([]Held, error) {
	rows, err := s.query(ctx, `SELECT `+heldColumns+` WHERE state = 'held' AND id > ? ORDER BY id LIMIT ?`, after, limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanHeld)
}

// Settle ends the waiting of a held mail; false if it does not wait.
func (s *Store) Settle(ctx context.Context, id int64, to HeldState, also func(*Tx, Held) error) (ok bool, err error) {
	err = s.Do(ctx, func(tx *Tx) error {
		// Of two who settle it at once only one gets through here.
		n, err := tx.exec(`UPDATE held SET state = ? WHERE id = ? AND state = ?`, string(to), id, string(HeldWaiting))
		if ok = n > 0; err != nil || !ok || also == nil {
			return err
		}
		mail, err := all(tx, scanHeld, `SELECT `+heldColumns+` WHERE id = ?`, id)
		if err != nil {
			return err
		}
		mail[0].State = HeldWaiting
		return also(tx, mail[0])
	})
	return ok, err
}

// Event finds a recorded event; false if there is none (any more).
func (s *Store) Event(ctx context.Context, id int64) (e Event, ok bool, err error) {
	var received int64
	ok, err = s.one(ctx, `SELECT id, source, received_at, body, content, content_ref FROM events WHERE id = ?`, []any{id},
		&e.ID, &e.Source, &received, &e.Body, &e.Content, &e.Ref)
	e.ReceivedAt = at(received)
	return e, ok, err
}
