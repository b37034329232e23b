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
	deliveries []Delivery
	mailed     []mailedRow
	notes      []Note
	became     []becameJob
	took       *took
	later      later // posts and marks
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

// took is the provider's id for a delivery, which mostly is followed by its new state.
type took struct {
	id       postern.DeliveryID
	provider string
	ask      int64 // less than 0: stays
}

func (b *bulk) empty() bool {
	return len(b.deliveries)+len(b.mailed)+len(b.notes)+len(b.became) == 0 && b.took == nil && b.later.empty()
}

// settle writes what was left for later.
func (tx *Tx) settle() error {
	if tx.bulk.empty() {
		return nil
	}
	b, d := tx.bulk, tx.w.s.dialect
	tx.bulk = bulk{}
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
	if t := b.took; t != nil {
		set, args := t.set()
		_, err := tx.exec(`UPDATE deliveries SET `+set+` WHERE id = ?`, append(args, string(t.id))...)
		return err
	}
	return nil
}

func (t *took) set() (string, []any) {
	if t.ask < 0 {
		return `provider_id = ?`, []any{t.provider}
	}
	return `provider_id = ?, ask_at = ?`, []any{t.provider, t.ask}
}

// leaveTook leaves a provider's id, mostly for Advance, which comes next.
func (tx *Tx) leaveTook(t took) error {
	if tx.bulk.took != nil {
		if err := tx.settle(); err != nil {
			return err
		}
	}
	t.provider = text(t.provider)
	tx.bulk.took, tx.touched = &t, true
	return nil
}

// apart runs statements of fn that neither read nor write what stands in bulk.
func (tx *Tx) apart(fn func() error) error {
	old := tx.bulk
	tx.bulk = bulk{}
	err := fn()
	tx.bulk = old
	return err
}

// adds tells whether a delivery waits to be written.
func (b *bulk) adds(id postern.DeliveryID) bool {
	return slices.ContainsFunc(b.deliveries, func(d Delivery) bool { return d.ID == id })
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
