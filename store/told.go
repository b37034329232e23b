package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/quick"
)

// What is noted of an event on its arrival stands in the event's own row, as compact JSON:
// a row and two index entries of its own would cost as much as the event. It goes with the
// event.

// toldNote is a Note in an event's row, as tell writes it. What the event's key says is not
// said again.
type toldNote struct {
	What    string `json:"w"`
	Why     string `json:"y"`
	Key     bool   `json:"k"` // channel and message are the key's
	Channel string `json:"c"`
	User    string `json:"u"`
	Ref     string `json:"r"`
	Ref2    string `json:"s"`
	Detail  string `json:"d"`
}

// tell writes an arrival's notes for its row; "" if there are none.
func tell(notes []Note, dedup string) string {
	if len(notes) == 0 {
		return ""
	}
	key, sent := sentKey(dedup)
	b := append(make([]byte, 0, 256), '[')
	for i, n := range notes {
		n = n.bounded()
		if i > 0 {
			b = append(b, ',')
		}
		b = quick.Field(append(b, '{'), "w", n.What)
		b = quick.Field(b, "y", n.Why)
		if sent && n.Channel == key.Channel && n.Ref == string(key.Message) {
			b = append(quick.Name(b, "k"), "true"...)
		} else {
			b = quick.Field(b, "c", string(n.Channel))
			b = quick.Field(b, "r", n.Ref)
		}
		b = quick.Field(b, "u", string(n.User))
		b = quick.Field(b, "s", n.Ref2)
		b = append(quick.Field(b, "d", n.Detail), '}')
	}
	return string(append(b, ']'))
}

// teller is an event as far as notes are told of it.
type teller struct {
	id, at int64
	key    ChatKey // of a message that was sent, or zero
	told   string
}

const tellerColumns = `id, received_at, dedup, told`

func scanTeller(r *sql.Rows) (t teller, err error) {
	var dedup, told sql.NullString
	err = r.Scan(&t.id, &t.at, &dedup, &told)
	t.key, _ = sentKey(dedup.String)
	t.told = told.String
	return t, err
}

// notes are those that were told on arrival.
func (t teller) notes() ([]Note, error) {
	var list []toldNote
	if t.told != "" {
		if err := json.Unmarshal([]byte(t.told), &list); err != nil {
			return nil, postern.Errorf(postern.Internal, "store.explain", "notes of %s: %w", EventRef(t.id), err)
		}
	}
	out := make([]Note, len(list))
	for i, l := range list {
		n := Note{At: at(t.at), What: l.What, Why: l.Why, Channel: postern.ChannelID(l.Channel), User: postern.UserID(l.User), Ref: l.Ref, Ref2: l.Ref2, Detail: l.Detail}
		if l.Key {
			n.Channel, n.Ref = t.key.Channel, string(t.key.Message)
		}
		out[i] = n.of(t.id)
	}
	return out, nil
}

// toldBy are the notes of several.
func toldBy(events []teller) (told []Note, err error) {
	for _, e := range events {
		notes, err := e.notes()
		if err != nil {
			return nil, err
		}
		told = append(told, notes...)
	}
	return told, nil
}

// tellers finds the events that an id means: an event's own, or a chat message's.
func (s *Store) tellers(ctx context.Context, ref string) ([]teller, error) {
	where, args := `dedup >= ? AND dedup < ?`, make([]any, 2)
	args[0], args[1] = chatKeys(ref)
	if id, ok := eventOf(ref); ok {
		where, args = `id = ?`, []any{id}
	}
	rows, err := s.query(ctx, `SELECT `+tellerColumns+` FROM events WHERE `+where+` ORDER BY id LIMIT 100`, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanTeller)
}
