package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/postern-chat/postern"
)

// Note says why something was done, or not done. Notes are what "explain" tells. They
// hold no message text and no address.
type Note struct {
	ID      int64             `json:"id,omitempty"` // 0 = it was not noted: a table says it
	At      time.Time         `json:"at"`
	What    string            `json:"what"`          // a word of the rules: "mailed", "not mailed", "posted", "held" ...
	Why     string            `json:"why,omitempty"` // the rule: "online", "no address", "own message" ...
	Channel postern.ChannelID `json:"channel,omitempty"`
	User    postern.UserID    `json:"user,omitempty"`
	Ref     string            `json:"ref,omitempty"`  // what it is about: a chat message, an event
	Ref2    string            `json:"ref2,omitempty"` // what came of it: a delivery, a post
	Detail  string            `json:"detail,omitempty"`
}

// EventRef is how notes name a recorded event.
func EventRef(id int64) string { return "event-" + strconv.FormatInt(id, 10) }

// eventOf is the other way round.
func eventOf(ref string) (id int64, ok bool) {
	number, ok := strings.CutPrefix(ref, "event-")
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseInt(number, 10, 64)
	return id, err == nil
}

func (n Note) of(event int64) Note {
	if n.Ref == "" {
		n.Ref = EventRef(event)
	} else if n.Ref2 == "" {
		n.Ref2 = EventRef(event)
	}
	return n
}

// Note writes a note.
func (tx *Tx) Note(n Note) error {
	tx.bulk.notes, tx.touched = append(tx.bulk.notes, n.bounded()), true
	return nil
}

// NoteSoon keeps a note without waiting for the disk, and leaves it out when too many
// come at once: it is for what needs no work, of which there may be very much.
func (s *Store) NoteSoon(n Note) {
	select {
	case s.soon <- n:
	default:
	}
}

// soonEvery and soonMost bound what notes that nobody waits for may cost.
const (
	soonEvery = 100 * time.Millisecond
	soonMost  = 50
)

func (s *Store) startNotes() {
	s.soon = make(chan Note, soonMost)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sleep(ctx, soonEvery) {
			s.writeNotes(ctx)
		}
	}()
	s.stops = append(s.stops, func() { cancel(); <-done; s.writeNotes(context.Background()) })
}

func (s *Store) writeNotes(ctx context.Context) {
	var ns []Note
	for len(ns) < soonMost {
		select {
		case n := <-s.soon:
			ns = append(ns, n)
			continue
		default:
		}
		break
	}
	if len(ns) == 0 {
		return
	}
	err := s.Do(ctx, func(tx *Tx) error {
		for _, n := range ns {
			if err := tx.Note(n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.cfg.Logger.Debug("notes were not kept", "error", err)
	}
}

const noteColumns = `id, at, what, why, channel, user_id, ref, ref2, detail`

// Notes lists what was noted after a note, oldest first, at most limit. Lately tells of
// what is not noted.
func (s *Store) Notes(ctx context.Context, after int64, limit int) ([]Note, error) {
	rows, err := s.query(ctx, `SELECT `+noteColumns+` FROM notes WHERE id > ? ORDER BY id LIMIT ?`, after, limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanNote)
}

func scanNote(rows *sql.Rows) (n Note, err error) {
	var when int64
	err = rows.Scan(&n.ID, &when, &n.What, &n.Why, &n.Channel, &n.User, &n.Ref, &n.Ref2, &n.Detail)
	n.At = at(when)
	return n, err
}
