package store

import (
	"slices"

	"github.com/postern-chat/postern"
)

// bulk is what functions of a group leave to be written in few statements of many rows: a
// statement costs more than its rows, and on PostgreSQL a round trip besides. Whatever else
// a function says to the database is preceded by these writes, unless it says it by
// Tx.apart; so each function finds what was written before it. A function that failed
// after it left something here fails the whole transaction.
type bulk struct {
	joined     []joined
	deliveries []Delivery
	mailed     []mailedRow
	notes      []Note
	became     []becameJob
	accepted   []accepted
	later      later // posts and marks
}

// joined is a participant who is taken for new, and his conversation for new or as told.
type joined struct {
	NewConversation
	user postern.UserID
	id   postern.ParticipantID
	op   *op
}

// errAssumed: a participant was there already, or the conversation was another.
var errAssumed = postern.Errorf(postern.Internal, "store.write", "what was taken for new was there")

// join writes participants and conversations. If one was not as it was taken for, nothing
// is written, and the operations that took things for granted look for themselves next time.
func (tx *Tx) join(list []joined) error {
	type key struct {
		platform string
		channel  postern.ChannelID
	}
	seen, convs := make(map[key]bool, len(list)), make([]NewConversation, 0, len(list))
	for _, j := range list { // mostly in the order of lanes, in which other transactions lock too
		if k := (key{j.Platform, j.Channel}); !seen[k] {
			seen[k], convs = true, append(convs, j.NewConversation)
		}
	}
	n, err := tx.w.s.dialect.join(tx, convs, list)
	if err == nil && n != len(list) {
		for _, j := range list {
			j.op.careful = true
		}
		err = tx.fail(errAssumed)
	}
	return err
}

type mailedRow struct {
	participant postern.ParticipantID
	delivery    postern.DeliveryID
	Mailed
}

// becameJob is a job that became another one.
type becameJob struct {
	lane, id int64
	kind     string
	args     []byte
}

// accepted is a delivery that the provider has.
type accepted struct {
	id       postern.DeliveryID
	provider string // its id there
	ask      int64
	late     LaneJob
}

func (b *bulk) empty() bool {
	return len(b.joined)+len(b.deliveries)+len(b.mailed)+len(b.notes)+len(b.became)+len(b.accepted) == 0 && b.later.empty()
}

// settle writes what was left for later.
func (tx *Tx) settle() error {
	if tx.bulk.empty() {
		return nil
	}
	b, d := tx.bulk, tx.w.s.dialect
	tx.bulk = bulk{}
	if len(b.joined) > 0 {
		if err := tx.join(b.joined); err != nil {
			return err
		}
	}
	if len(b.deliveries) > 0 {
		if err := d.deliver(tx, b.deliveries, b.mailed); err != nil {
			return err
		}
	}
	if len(b.notes) > 0 {
		if err := d.note(tx, b.notes); err != nil {
			return err
		}
	}
	if len(b.became) > 0 {
		if err := d.become(tx, b.became); err != nil {
			return err
		}
	}
	if err := b.later.settle(tx); err != nil {
		return err
	}
	if len(b.accepted) > 0 {
		return tx.accept(b.accepted)
	}
	return nil
}

// accept raises deliveries, mostly from Sending.
func (tx *Tx) accept(list []accepted) error {
	rose, err := tx.w.s.dialect.accept(tx, list)
	tx.count(Sending, -len(rose))
	tx.count(Accepted, len(rose))
	if err != nil || len(rose) == len(list) {
		return err
	}
	done := make(map[string]bool, len(rose))
	for _, id := range rose {
		done[id] = true
	}
	for _, a := range list {
		if !done[string(a.id)] {
			if err := tx.acceptLate(a); err != nil {
				return err
			}
		}
	}
	return nil
}

// acceptLate is for a delivery that was not being sent any more.
func (tx *Tx) acceptLate(a accepted) error {
	if _, err := tx.exec(`UPDATE deliveries SET provider_id = ?, ask_at = ? WHERE id = ?`, a.provider, a.ask, string(a.id)); err != nil {
		return err
	}
	rose, err := tx.Advance(a.id, Accepted, tx.Now(), "")
	if err != nil || rose {
		return err
	}
	return tx.Add(a.late)
}

// apart runs statements of fn that neither read nor write what stands in bulk.
func (tx *Tx) apart(fn func() error) error {
	old := tx.bulk
	tx.bulk = bulk{}
	err := fn()
	tx.bulk = old
	return err
}

// holds tells whether something of a delivery waits to be written.
func (b *bulk) holds(id postern.DeliveryID) bool {
	return slices.ContainsFunc(b.deliveries, func(d Delivery) bool { return d.ID == id }) ||
		slices.ContainsFunc(b.accepted, func(a accepted) bool { return a.id == id })
}

func (d *Delivery) row(now int64) []any {
	return []any{string(d.ID), int64(d.Participant), int(d.State), d.MessageID, d.Recipient, d.NewestAt, now, ms(d.AttemptedAt)}
}

// bounded is a note as it is kept.
func (n Note) bounded() Note {
	n.What, n.Why, n.Channel, n.User = text(n.What), text(short(n.Why, maxReason)), postern.ChannelID(text(string(n.Channel))), postern.UserID(text(string(n.User)))
	n.Ref, n.Ref2, n.Detail = text(short(n.Ref, maxKey)), text(short(n.Ref2, maxKey)), text(short(n.Detail, maxReason))
	return n
}
