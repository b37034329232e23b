package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"

	"github.com/postern-chat/postern"
)

// What is told of ids, and of what happened last: the notes that were written; those that
// stand in events, see told.go; and what deliveries say of themselves. That a message went
// into a mail, and that the provider took it, is not noted besides: "to be mailed" and
// "mailed" are read from the tables, and have no number.

// The words for what deliveries say of themselves.
const (
	noteToMail = "to be mailed"
	noteMailed = "mailed"
)

// explained bounds what is told of one id.
const explained = 500

// Explain lists what is known about an id (a chat message, a delivery, a post, an event),
// and about what came of it, oldest first. Of a message it finds what came of it as long
// as its event is kept.
func (s *Store) Explain(ctx context.Context, ref string) ([]Note, error) {
	told, deliveries, err := s.explainEvents(ctx, ref)
	if err != nil {
		return nil, err
	}
	notes, err := s.notesAbout(ctx, ref)
	if err != nil {
		return nil, err
	}
	more, err := s.notesOf(ctx, deliveries)
	if err != nil {
		return nil, err
	}
	notes = slices.Concat(notes, more)
	ids := append([]string{ref}, deliveries...)
	for _, n := range notes {
		ids = append(ids, n.Ref, n.Ref2)
	}
	mails, err := s.mailNotes(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := story(told, mails, notes)
	return out[:min(len(out), explained)], nil
}

// story puts what was told into the order of time.
func story(told, mails, notes []Note) []Note {
	slices.SortFunc(notes, func(a, b Note) int { return cmp.Compare(a.ID, b.ID) })
	notes = slices.CompactFunc(notes, func(a, b Note) bool { return a.ID == b.ID })
	out := slices.Concat(told, mails, notes)
	slices.SortStableFunc(out, func(a, b Note) int { return a.At.Compare(b.At) })
	return out
}

// explainEvents gives what was told on arrival of an event, or of a message's events, and
// the deliveries in which that message stands.
func (s *Store) explainEvents(ctx context.Context, ref string) (told []Note, deliveries []string, err error) {
	events, err := s.tellers(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	if told, err = toldBy(events); err != nil {
		return nil, nil, err
	}
	for _, e := range events {
		if e.key.Message == "" {
			continue
		}
		found, err := s.carriers(ctx, e.key)
		if err != nil {
			return nil, nil, err
		}
		deliveries = append(deliveries, found...)
	}
	return told, deliveries, nil
}

// carriers are the deliveries in which a message stands: those of its channel's
// participants.
func (s *Store) carriers(ctx context.Context, k ChatKey) ([]string, error) {
	rows, err := s.query(ctx, `SELECT m.delivery_id FROM conversations c JOIN participants p ON p.conversation_id = c.id
JOIN mailed m ON m.participant_id = p.id AND m.message_id = ? WHERE c.platform = ? AND c.channel = ? LIMIT 100`, string(k.Message), k.Platform, string(k.Channel))
	if err != nil {
		return nil, err
	}
	return collect(rows, scanString)
}

// notesAbout are the notes about an id, about what came of it, and about what it came of.
func (s *Store) notesAbout(ctx context.Context, ref string) ([]Note, error) {
	rows, err := s.query(ctx, `SELECT `+noteColumns+` FROM notes WHERE id IN (
 SELECT id FROM notes WHERE ref = ? UNION SELECT id FROM notes WHERE ref2 <> '' AND ref2 = ?
 UNION SELECT n.id FROM notes a JOIN notes n ON n.ref = a.ref2 WHERE a.ref = ? AND a.ref2 <> ''
 UNION SELECT n.id FROM notes a JOIN notes n ON n.ref2 = a.ref AND n.ref2 <> '' WHERE a.ref2 <> '' AND a.ref2 = ?) ORDER BY id LIMIT 500`, ref, ref, ref, ref)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanNote)
}

// notesOf are the notes about ids.
func (s *Store) notesOf(ctx context.Context, ids []string) (out []Note, err error) {
	err = s.inParts(ctx, `SELECT `+noteColumns+` FROM notes WHERE ref IN `, nil, ids, func(r *sql.Rows) error {
		n, err := scanNote(r)
		out = append(out, n)
		return err
	})
	return out, err
}

// mailNotes is what the deliveries among some ids say of themselves, in their order.
func (s *Store) mailNotes(ctx context.Context, ids []string) ([]Note, error) {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	ids = slices.DeleteFunc(ids, func(id string) bool { return id == "" })
	ids = ids[:min(len(ids), explained)]
	mails := map[string]*mail{}
	err := s.inParts(ctx, `SELECT `+mailColumns+` WHERE d.id IN `, nil, ids, func(r *sql.Rows) error {
		m, err := scanMail(r)
		mails[m.id] = &m
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.notesOfMails(ctx, mails)
}

// mail is a delivery as far as notes are told of it.
type mail struct {
	id                string
	channel           postern.ChannelID
	user              postern.UserID
	created, accepted int64
	noted             bool // that it was taken: the note says how that was found out
	messages          []string
}

const mailColumns = `d.id, COALESCE(c.channel, ''), COALESCE(p.user_id, ''), d.created_at, d.accepted_at
FROM deliveries d LEFT JOIN participants p ON p.id = d.participant_id LEFT JOIN conversations c ON c.id = p.conversation_id`

func scanMail(r *sql.Rows) (m mail, err error) {
	return m, r.Scan(&m.id, &m.channel, &m.user, &m.created, &m.accepted)
}

func (s *Store) notesOfMails(ctx context.Context, mails map[string]*mail) ([]Note, error) {
	ids := make([]string, 0, len(mails))
	for id := range mails {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	err := s.inParts(ctx, `SELECT delivery_id, message_id FROM mailed WHERE delivery_id IN `, nil, ids, func(r *sql.Rows) error {
		var id, message string
		err := r.Scan(&id, &message)
		if m := mails[id]; m != nil {
			m.messages = append(m.messages, message)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = s.inParts(ctx, `SELECT ref FROM notes WHERE what = '`+noteMailed+`' AND ref IN `, nil, ids, func(r *sql.Rows) error {
		id, err := scanString(r)
		if m := mails[id]; m != nil {
			m.noted = true
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []Note
	for _, id := range ids {
		m := mails[id]
		slices.Sort(m.messages)
		for _, message := range m.messages {
			out = append(out, Note{At: at(m.created), What: noteToMail, Channel: m.channel, User: m.user, Ref: message, Ref2: id})
		}
		if m.accepted > 0 && !m.noted {
			out = append(out, Note{At: at(m.accepted), What: noteMailed, Channel: m.channel, User: m.user, Ref: id})
		}
	}
	return out, nil
}

// lately bounds how many events are looked at for what was told of them.
const lately = 1000

// Lately is what is not noted, of the last things that happened: what was told on arrival
// of the newest events, and what the newest deliveries, at most limit, say of themselves;
// oldest first. These have no numbers.
func (s *Store) Lately(ctx context.Context, limit int) ([]Note, error) {
	told, mails, err := s.lately(ctx, limit)
	return story(told, mails, nil), err
}

func (s *Store) lately(ctx context.Context, limit int) (told, mailed []Note, err error) {
	rows, err := s.query(ctx, `SELECT `+tellerColumns+` FROM (SELECT `+tellerColumns+` FROM events WHERE id > 0 ORDER BY id DESC LIMIT ?) AS few WHERE told IS NOT NULL ORDER BY id`, min(4*limit, lately))
	if err != nil {
		return nil, nil, err
	}
	events, err := collect(rows, scanTeller)
	if err != nil {
		return nil, nil, err
	}
	if told, err = toldBy(events); err != nil {
		return nil, nil, err
	}
	if rows, err = s.query(ctx, `SELECT `+mailColumns+` WHERE d.id > '' ORDER BY d.id DESC LIMIT ?`, limit); err != nil { // ids rise with time
		return nil, nil, err
	}
	list, err := collect(rows, scanMail)
	if err != nil {
		return nil, nil, err
	}
	mails := make(map[string]*mail, len(list))
	for i := range list {
		mails[list[i].id] = &list[i]
	}
	mailed, err = s.notesOfMails(ctx, mails)
	return told, mailed, err
}

// LastNotes lists what happened last, whether it was noted or is read from the tables,
// newest first.
func (s *Store) LastNotes(ctx context.Context, limit int) ([]Note, error) {
	rows, err := s.query(ctx, `SELECT `+noteColumns+` FROM notes WHERE id > 0 ORDER BY id DESC LIMIT ?`, limit)
	if err != nil {
		return nil, err
	}
	notes, err := collect(rows, scanNote)
	if err != nil {
		return nil, err
	}
	told, mails, err := s.lately(ctx, limit)
	if err != nil {
		return nil, err
	}
	out := story(told, mails, notes)
	slices.Reverse(out)
	return out[:min(len(out), limit)], nil
}
