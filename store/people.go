package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/postern-chat/postern"
)

const personColumns = `user_id, email, name, locale, time_zone, stopped, stopped_detail, stopped_at`

func scanPerson(rows *sql.Rows) (p postern.Person, err error) {
	err = rows.Scan(personDest(&p)...)
	return p, err
}

func personDest(p *postern.Person) []any {
	return []any{&p.UserID, &p.Email, &p.Name, &p.Locale, &p.TimeZone, &p.Stopped, &p.StoppedDetail, (*moment)(&p.StoppedAt)}
}

// PutPeople writes people, new or changed. A new address lifts a stop: it was the old
// address that failed; another case of its letters is no new address. Many are written
// in parts, in order. Invalid: a user id is longer than 1,000 bytes.
func (s *Store) PutPeople(ctx context.Context, people ...postern.Person) error {
	for part := range slices.Chunk(people, maxGroup) {
		if err := s.putPeople(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) putPeople(ctx context.Context, people []postern.Person) error {
	return s.Do(ctx, func(tx *Tx) error {
		for _, p := range people {
			if len(p.UserID) > maxKey {
				return postern.Errorf(postern.Invalid, "store.people", "a user id of %d bytes", len(p.UserID))
			}
			_, err := tx.exec(`INSERT INTO people (user_id, email, name, locale, time_zone) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (user_id) DO UPDATE SET name = excluded.name, locale = excluded.locale, time_zone = excluded.time_zone,
 stopped = CASE WHEN lower(people.email) = lower(excluded.email) THEN people.stopped ELSE '' END,
 stopped_detail = CASE WHEN lower(people.email) = lower(excluded.email) THEN people.stopped_detail ELSE '' END,
 stopped_at = CASE WHEN lower(people.email) = lower(excluded.email) THEN people.stopped_at ELSE 0 END,
 email = excluded.email`, string(p.UserID), p.Email, p.Name, p.Locale, p.TimeZone)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Person finds a person; false if nobody is known by that id.
func (s *Store) Person(ctx context.Context, id postern.UserID) (p postern.Person, ok bool, err error) {
	ok, err = s.one(ctx, `SELECT `+personColumns+` FROM people WHERE user_id = ?`, []any{string(id)}, personDest(&p)...)
	return p, ok, err
}

// People lists people in order of user id, after a given one, at most limit.
func (s *Store) People(ctx context.Context, after postern.UserID, limit int) ([]postern.Person, error) {
	rows, err := s.query(ctx, `SELECT `+personColumns+` FROM people WHERE user_id > ? ORDER BY user_id LIMIT ?`, string(after), limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanPerson)
}

// DeletePerson forgets a person's address; false if nobody is known by that id.
func (s *Store) DeletePerson(ctx context.Context, id postern.UserID) (ok bool, err error) {
	err = s.Do(ctx, func(tx *Tx) error {
		n, err := tx.exec(`DELETE FROM people WHERE user_id = ?`, string(id))
		ok = n > 0
		return err
	})
	return ok, err
}

// StopPerson keeps mail from a person until an operator lifts it. A person who was
// known by his user id alone becomes known, so that the stop is kept. It tells
// whether he had not been stopped before.
func (tx *Tx) StopPerson(id postern.UserID, email string, why postern.StopReason, detail string) (fresh bool, err error) {
	n, err := tx.exec(`INSERT INTO people (user_id, email, stopped, stopped_detail, stopped_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (user_id) DO UPDATE SET stopped = excluded.stopped, stopped_detail = excluded.stopped_detail, stopped_at = excluded.stopped_at
WHERE people.stopped = ''`, string(id), email, string(why), detail, tx.now)
	return n > 0, err
}

// LiftPerson lets mail go out to a person again; false if he was not stopped.
func (s *Store) LiftPerson(ctx context.Context, id postern.UserID) (ok bool, err error) {
	err = s.Do(ctx, func(tx *Tx) error {
		n, err := tx.exec(`UPDATE people SET stopped = '', stopped_detail = '', stopped_at = 0 WHERE user_id = ? AND stopped <> ''`, string(id))
		ok = n > 0
		return err
	})
	return ok, err
}

// Conversation is a channel and the mail thread that mirrors it.
type Conversation struct {
	ID       postern.ConversationID
	Platform string
	Channel  postern.ChannelID
	Name     string
	Subject  string // constant: mail programs thread by it
	RootID   string // the synthetic Message-ID that every mail of the thread refers to
}

// Participant is a user in a conversation, as reached by mail. Times are zero for never.
type Participant struct {
	ID      postern.ParticipantID
	User    postern.UserID
	Muted   bool // asked for no mail from this conversation
	Revoked bool // his reply address is no longer taken
	// ReadAt is what the platform told of his reading in the chat itself.
	ReadAt int64
	// OwnReadAt is when we last moved his read mark: what the platform tells of moments
	// up to then may be our own echo. It lies ahead while a call may be under way.
	OwnReadAt int64
	// OwnReadUpto and OwnDeliveredUpto are the creation time of the newest message
	// that our marks were meant to cover.
	OwnReadUpto, OwnDeliveredUpto int64
	Conversation
}

const (
	participantColumns = participantFields + fromParticipants
	participantFields  = `p.id, p.user_id, p.muted_at, p.revoked_at, COALESCE(r.read_at, 0), p.own_read_at, p.own_read_upto, p.own_delivered_upto,
 c.id, c.platform, c.channel, c.name, c.subject, c.root_id`
	fromParticipants = ` FROM participants p JOIN conversations c ON c.id = p.conversation_id
 LEFT JOIN reads r ON r.platform = c.platform AND r.channel = c.channel AND r.user_id = p.user_id`
)

func (p *Participant) dest() []any {
	return []any{(*signed)(&p.ID), &p.User, (*isSet)(&p.Muted), (*isSet)(&p.Revoked), &p.ReadAt, &p.OwnReadAt, &p.OwnReadUpto, &p.OwnDeliveredUpto,
		&p.Conversation.ID, &p.Platform, &p.Channel, &p.Name, &p.Subject, &p.RootID}
}

// Participant finds a participant by our id; false if there is none.
func (s *Store) Participant(ctx context.Context, id postern.ParticipantID) (p Participant, ok bool, err error) {
	ok, err = s.one(ctx, `SELECT `+participantColumns+` WHERE p.id = ?`, []any{int64(id)}, p.dest()...)
	return p, ok, err
}

// Participant finds a participant by our id, within a transaction.
func (tx *Tx) Participant(id postern.ParticipantID) (p Participant, ok bool, err error) {
	ok, err = tx.one(`SELECT `+participantColumns+` WHERE p.id = ?`, []any{int64(id)}, p.dest()...)
	return p, ok, err
}

// Person finds a person, within a transaction.
func (tx *Tx) Person(id postern.UserID) (p postern.Person, ok bool, err error) {
	ok, err = tx.one(`SELECT `+personColumns+` FROM people WHERE user_id = ?`, []any{string(id)}, personDest(&p)...)
	return p, ok, err
}

// NewConversation is what EnsureParticipant needs for a conversation that is not
// known yet. Subject and RootID never change afterwards.
type NewConversation struct {
	Platform string
	Channel  postern.ChannelID
	Name     string
	Subject  string
	RootID   string
}

// EnsureParticipant gives the participant of a channel and user, and makes him and
// the conversation if they are new; id is the new participant's, random.
func (tx *Tx) EnsureParticipant(c NewConversation, user postern.UserID, id postern.ParticipantID) (p Participant, err error) {
	if len(tx.bulk.joined) > 0 { // he may be among them
		return tx.ensure(c, user, id)
	}
	err = tx.apart(func() error { p, err = tx.ensure(c, user, id); return err })
	return p, err
}

// NewParticipant is EnsureParticipant for somebody who is most likely new: he is written
// later, with others. What it gives is what will be there then, Conversation.ID apart; if
// somebody else made him meanwhile, or the conversation has another name, subject or root,
// everything is run again, and then it is EnsureParticipant.
func (tx *Tx) NewParticipant(c NewConversation, user postern.UserID, id postern.ParticipantID) (Participant, error) {
	if tx.op == nil || tx.op.careful {
		return tx.EnsureParticipant(c, user, id)
	}
	c.Platform, c.Channel, c.Name, c.Subject, c.RootID = text(c.Platform), postern.ChannelID(text(string(c.Channel))), text(c.Name), text(c.Subject), text(c.RootID)
	user = postern.UserID(text(string(user)))
	tx.bulk.joined, tx.touched = append(tx.bulk.joined, joined{c, user, id, tx.op}), true
	return Participant{ID: id, User: user, Conversation: Conversation{Platform: c.Platform, Channel: c.Channel, Name: c.Name, Subject: c.Subject, RootID: c.RootID}}, nil
}

func (tx *Tx) ensure(c NewConversation, user postern.UserID, id postern.ParticipantID) (p Participant, err error) {
	// Looked for first: ON CONFLICT DO UPDATE would lock the conversation's row every
	// time, and all its members' mails would wait for one another.
	p, ok, err := tx.participantOf(c, user)
	if err != nil || ok && (c.Name == "" || c.Name == p.Name) {
		return p, err
	}
	p = Participant{ID: id, User: postern.UserID(text(string(user))), Conversation: Conversation{Platform: text(c.Platform), Channel: postern.ChannelID(text(string(c.Channel)))}}
	fresh, err := tx.one(`INSERT INTO conversations (platform, channel, name, subject, root_id) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (platform, channel) DO UPDATE SET name = excluded.name WHERE conversations.name <> excluded.name AND excluded.name <> ''
RETURNING id, name, subject, root_id, COALESCE((SELECT read_at FROM reads WHERE reads.platform = conversations.platform AND reads.channel = conversations.channel AND reads.user_id = ?), 0)`,
		[]any{c.Platform, string(c.Channel), c.Name, c.Subject, c.RootID, string(user)},
		&p.Conversation.ID, &p.Name, &p.Subject, &p.RootID, &p.ReadAt)
	tx.touched = true
	if err != nil {
		return p, err
	}
	n, err := tx.exec(`INSERT INTO participants (id, conversation_id, user_id, created_at)
SELECT ?, id, ?, ? FROM conversations WHERE platform = ? AND channel = ? ON CONFLICT (conversation_id, user_id) DO NOTHING`,
		int64(id), string(user), tx.now, c.Platform, string(c.Channel))
	if err != nil || fresh && n == 1 {
		return p, err
	}
	p, ok, err = tx.participantOf(c, user)
	if err == nil && !ok {
		err = fmt.Errorf("participant of %s was not kept", c.Platform)
	}
	return p, err
}

func (tx *Tx) participantOf(c NewConversation, user postern.UserID) (p Participant, ok bool, err error) {
	ok, err = tx.one(`SELECT `+participantColumns+` WHERE c.platform = ? AND c.channel = ? AND p.user_id = ?`,
		[]any{c.Platform, string(c.Channel), string(user)}, p.dest()...)
	return p, ok, err
}

// SetMuted lets a participant out of a conversation's mail, or in again.
func (s *Store) SetMuted(ctx context.Context, id postern.ParticipantID, muted bool) error {
	return s.Do(ctx, func(tx *Tx) error {
		when := int64(0)
		if muted {
			when = tx.now
		}
		_, err := tx.exec(`UPDATE participants SET muted_at = ? WHERE id = ?`, when, int64(id))
		return err
	})
}

// Revoke makes a participant's reply address worthless. Mail to it is held.
func (s *Store) Revoke(ctx context.Context, id postern.ParticipantID) error {
	return s.Do(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE participants SET revoked_at = ? WHERE id = ?`, tx.now, int64(id))
		return err
	})
}

// SawRead keeps what the platform told of a user's reading; the latest counts.
func (tx *Tx) SawRead(platform string, ch postern.ChannelID, r postern.ReadMark) error {
	_, err := tx.exec(`INSERT INTO reads (platform, channel, user_id, read_at) VALUES (?, ?, ?, ?)
ON CONFLICT (platform, channel, user_id) DO UPDATE SET read_at = excluded.read_at WHERE reads.read_at < excluded.read_at`,
		platform, string(ch), string(r.User), ms(r.At))
	return err
}
