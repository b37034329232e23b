package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/postern-chat/postern"
)

// DeliveryState is how far a delivery got. It only ever rises; Failed is above all
// but can be left by nothing.
type DeliveryState int

// The states of a delivery.
const (
	Queued    DeliveryState = iota // written down, not tried, or certainly not taken
	Sending                        // the call may be under way
	Unsure                         // the call may have succeeded
	Accepted                       // the provider has it
	Delivered                      // the recipient's server has it
	Opened                         // a person opened it, or answered it
	Failed                         // it never arrives
)

var deliveryStates = [...]string{"queued", "sending", "unsure", "accepted", "delivered", "opened", "failed"}

func (s DeliveryState) String() string {
	if s >= 0 && int(s) < len(deliveryStates) {
		return deliveryStates[s]
	}
	return strconv.Itoa(int(s))
}

// Delivery is one e-mail to one participant.
type Delivery struct {
	ID          postern.DeliveryID
	Participant postern.ParticipantID
	State       DeliveryState
	MessageID   string // ID, "@" and a domain
	ProviderID  string
	Recipient   string
	Content     []byte // what was written; relay's own form
	NewestAt    int64  // creation of the newest chat message in it, ms
	CreatedAt   time.Time
	AttemptedAt time.Time // when the last call began; zero = never
	DeliveredAt time.Time
	OpenedAt    time.Time
	AnsweredAt  time.Time
	Detail      string
}

// Mailed is a chat message that stands in a delivery.
type Mailed struct {
	Message   postern.MessageID
	CreatedAt int64 // ms
}

// AddDelivery writes a delivery down, before anything is sent, with the messages it
// carries. A message that has been mailed to the participant before is an error:
// nothing goes out twice. Invalid: the Message-ID does not begin with the delivery's own id,
// by which it is found.
func (tx *Tx) AddDelivery(d Delivery, messages []Mailed) error {
	if local, _, ok := strings.Cut(d.MessageID, "@"); !ok || local != string(d.ID) {
		return postern.Errorf(postern.Invalid, "store.delivery", "the Message-ID of delivery %s does not begin with its id", d.ID)
	}
	d.Recipient, d.MessageID = text(d.Recipient), text(d.MessageID)
	tx.bulk.deliveries, tx.touched = append(tx.bulk.deliveries, d), true
	tx.count(d.State, 1)
	for _, m := range messages {
		m.Message = postern.MessageID(text(string(m.Message)))
		tx.bulk.mailed = append(tx.bulk.mailed, mailedRow{d.Participant, d.ID, m})
	}
	return nil
}

// Attempt notes that a call for the delivery begins; false if none is to be made: it is
// not there, or the provider has it, or it failed.
func (tx *Tx) Attempt(id postern.DeliveryID) (bool, error) {
	was, _, ok, err := tx.deliveryState(id, "attempted_at")
	if err != nil || !ok || was >= Accepted {
		return false, err
	}
	tx.moved(was, Sending)
	_, err = tx.exec(`UPDATE deliveries SET state = ?, attempted_at = ? WHERE id = ?`, int(Sending), tx.now, string(id))
	return err == nil, err
}

// Unsent puts a delivery back that certainly was not taken.
func (tx *Tx) Unsent(id postern.DeliveryID) error {
	was, _, ok, err := tx.deliveryState(id, "attempted_at")
	if err != nil || !ok || was >= Accepted {
		return err
	}
	tx.moved(was, Queued)
	_, err = tx.exec(`UPDATE deliveries SET state = ? WHERE id = ?`, int(Queued), string(id))
	return err
}

// deliveryState reads a delivery's state and one of its moments in order to change them:
// the row is ours until the end. Whatever writes a state tells of it, see count.
func (tx *Tx) deliveryState(id postern.DeliveryID, moment string) (state DeliveryState, when int64, ok bool, err error) {
	ok, err = tx.one(`SELECT state, `+moment+` FROM deliveries WHERE id = ?`+tx.w.s.dialect.locking(), []any{string(id)}, &state, &when)
	return state, when, ok, err
}

// count counts deliveries that come into a state, or with less than 0 leave it.
func (tx *Tx) count(state DeliveryState, n int) {
	if tx.counts == nil {
		tx.counts = map[DeliveryState]int{}
	}
	tx.counts[state] += n
}

func (tx *Tx) moved(from, to DeliveryState) {
	tx.count(from, -1)
	tx.count(to, 1)
}

// advanceColumns are the moments that belong to states.
var advanceColumns = map[DeliveryState]string{
	Accepted: "accepted_at", Delivered: "delivered_at", Failed: "failed_at",
}

// Advance raises a delivery's state; it never lowers it, so events may come in any
// order. when is the moment it happened. It tells whether the state rose.
func (tx *Tx) Advance(id postern.DeliveryID, to DeliveryState, when time.Time, detail string) (rose bool, err error) {
	if !tx.bulk.holds(id) {
		err = tx.apart(func() error { rose, err = tx.advance(id, to, when, detail); return err })
		return rose, err
	}
	return tx.advance(id, to, when, detail)
}

func (tx *Tx) advance(id postern.DeliveryID, to DeliveryState, when time.Time, detail string) (bool, error) {
	col, dated := advanceColumns[to]
	if !dated {
		col = "created_at"
	}
	was, moment, ok, err := tx.deliveryState(id, col)
	dated = dated && moment == 0
	switch {
	case err != nil || !ok:
		return false, err
	case was >= to && dated:
		_, err = tx.exec(`UPDATE deliveries SET `+col+` = ? WHERE id = ?`, ms(when), string(id))
		return false, err
	case was >= to:
		return false, nil
	}
	tx.moved(was, to)
	set, args := "", []any{int(to), detail, detail}
	if dated {
		set, args = `, `+col+` = ?`, append(args, ms(when))
	}
	_, err = tx.exec(`UPDATE deliveries SET state = ?, detail = CASE WHEN ? = '' THEN detail ELSE ? END`+set+` WHERE id = ?`, append(args, string(id))...)
	return err == nil, err
}

// Accept notes that the provider has a delivery: its id there, and when it is to be asked
// what became of the mail if no event tells; zero = never. It is written later, with
// others. If an event was faster, so that the state does not rise, late is put into its lane.
func (tx *Tx) Accept(id postern.DeliveryID, providerID string, ask time.Time, late LaneJob) error {
	if err := late.check(); err != nil {
		return err
	}
	tx.bulk.accepted, tx.touched = append(tx.bulk.accepted, accepted{id, text(providerID), ms(ask), late}), true
	return nil
}

// The columns of a delivery, with what was sent and without: that may be large.
const (
	deliveryColumns = deliveryState + `, (SELECT content FROM delivery_contents WHERE delivery_id = deliveries.id)` + fromDeliveries
	deliveryState   = `id, participant_id, state, message_id, provider_id, recipient, newest_at, created_at, attempted_at, delivered_at, opened_at, answered_at, detail`
	fromDeliveries  = ` FROM deliveries`
)

func scanDelivery(scan func(...any) error) (Delivery, error) {
	var content []byte
	d, err := scanDeliveryState(scan, &content)
	d.Content = content
	return d, err
}

func scanDeliveryState(scan func(...any) error, more ...any) (d Delivery, err error) {
	dest := []any{&d.ID, (*signed)(&d.Participant), &d.State, &d.MessageID, &d.ProviderID, &d.Recipient, &d.NewestAt,
		(*moment)(&d.CreatedAt), (*moment)(&d.AttemptedAt), (*moment)(&d.DeliveredAt), (*moment)(&d.OpenedAt), (*moment)(&d.AnsweredAt), &d.Detail}
	err = scan(append(dest, more...)...)
	return d, err
}

func (s *Store) delivery(ctx context.Context, where string, args ...any) (d Delivery, ok bool, err error) {
	st, err := s.reads.get(ctx, s, `SELECT `+deliveryColumns+` WHERE `+where)
	if err != nil {
		return d, false, fault("store.read", err)
	}
	d, err = scanDelivery(st.QueryRowContext(s.dialect.reading(ctx), clean(args)...).Scan)
	ok, err = found(err)
	return d, ok, err
}

// Delivery finds a delivery by our id; false if there is none.
func (s *Store) Delivery(ctx context.Context, id postern.DeliveryID) (Delivery, bool, error) {
	return s.delivery(ctx, `id = ?`, string(id))
}

// DeliveryByMessageID finds a delivery by its Message-ID, without angle brackets.
func (s *Store) DeliveryByMessageID(ctx context.Context, id string) (Delivery, bool, error) {
	return s.delivery(ctx, byMessageID, localPart(id), id)
}

// byMessageID needs no index of its own, see AddDelivery.
const byMessageID = `id = ? AND message_id = ?`

func localPart(id string) string {
	local, _, _ := strings.Cut(id, "@")
	return local
}

func (tx *Tx) delivery(where string, args ...any) (d Delivery, ok bool, err error) {
	ds, err := all(tx, func(r *sql.Rows) (Delivery, error) { return scanDelivery(r.Scan) }, `SELECT `+deliveryColumns+` WHERE `+where, args...)
	if err != nil || len(ds) == 0 {
		return d, false, err
	}
	return ds[0], true, nil
}

// Delivery finds a delivery by our id, within a transaction.
func (tx *Tx) Delivery(id postern.DeliveryID) (d Delivery, ok bool, err error) {
	return tx.delivery(`id = ?`, string(id))
}

// SawOpen notes that somebody who may be a person opened a delivery; the latest such
// moment is kept.
func (tx *Tx) SawOpen(id postern.DeliveryID, when time.Time) error {
	_, err := tx.exec(`UPDATE deliveries SET opened_at = ? WHERE id = ? AND opened_at < ?`, ms(when), string(id), ms(when))
	return err
}

// Deliveries lists a participant's deliveries whose newest message came after a time
// (ms), oldest first, at most 500, without their Content.
func (s *Store) Deliveries(ctx context.Context, p postern.ParticipantID, after int64) ([]Delivery, error) {
	rows, err := s.query(ctx, `SELECT `+deliveryState+fromDeliveries+` WHERE participant_id = ? AND newest_at > ? ORDER BY newest_at, created_at LIMIT 500`, int64(p), after)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r *sql.Rows) (Delivery, error) { return scanDeliveryState(r.Scan) })
}

// Undelivered tells whether a delivery to a participant is still on its way whose newest
// message was written after one time and not after another (ms).
func (s *Store) Undelivered(ctx context.Context, p postern.ParticipantID, after, upto int64) (bool, error) {
	var one int
	return s.one(ctx, `SELECT 1 FROM deliveries WHERE participant_id = ? AND newest_at > ? AND newest_at <= ? AND state < ? + 0 LIMIT 1`,
		[]any{int64(p), after, upto, int(Delivered)}, &one)
}

// LastStates lists the newest few deliveries of a participant that may have gone out,
// newest first, without their Content.
func (s *Store) LastStates(ctx context.Context, p postern.ParticipantID, n int) ([]Delivery, error) {
	rows, err := s.query(ctx, `SELECT `+deliveryState+fromDeliveries+` WHERE participant_id = ? AND state > ? + 0 ORDER BY newest_at DESC, created_at DESC LIMIT ? + 0`, int64(p), int(Queued), n)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r *sql.Rows) (Delivery, error) { return scanDeliveryState(r.Scan) })
}

// OurPosts tells which of these chat messages are ours.
func (s *Store) OurPosts(ctx context.Context, c postern.ConversationID, ids []postern.MessageID) (map[postern.MessageID]bool, error) {
	list, out := make([]string, len(ids)), map[postern.MessageID]bool{}
	for i, id := range ids {
		list[i] = string(id)
	}
	err := s.inParts(ctx, `SELECT chat_message_id FROM posts WHERE conversation_id = ? AND chat_message_id <> '' AND chat_message_id IN `, []any{int64(c)}, list, func(r *sql.Rows) error {
		var id postern.MessageID
		err := r.Scan(&id)
		out[id] = true
		return err
	})
	return out, err
}

// inLength rounds the length of a list up, so that there are few different statements.
func inLength(n int) int {
	switch {
	case n == 1:
		return 1
	case n <= 10:
		return 10
	}
	return perLane
}

// in makes "(?, ?, ?)".
func in(n int) string { return "(" + strings.TrimSuffix(strings.Repeat("?, ", n), ", ") + ")" }

// Revision is what is true now of a message that was edited or deleted.
type Revision struct {
	Removed bool
	Text    string
}

// Revise keeps that a message was edited or deleted; what is deleted stays so.
func (tx *Tx) Revise(platform string, ch postern.ChannelID, m postern.MessageID, r Revision, when time.Time) error {
	removed := 0
	if r.Removed {
		removed = 1
	}
	_, err := tx.exec(`INSERT INTO revisions (platform, channel, message_id, removed, text, updated_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (platform, channel, message_id) DO UPDATE SET removed = excluded.removed, text = excluded.text, updated_at = excluded.updated_at
WHERE revisions.removed = 0 AND (excluded.removed = 1 OR revisions.updated_at <= excluded.updated_at)`,
		platform, string(ch), string(m), removed, r.Text, ms(when))
	return err
}

// Revisions finds what is true now of messages that were edited or deleted.
func (s *Store) Revisions(ctx context.Context, platform string, ch postern.ChannelID, ids []postern.MessageID) (map[postern.MessageID]Revision, error) {
	out := map[postern.MessageID]Revision{}
	for _, id := range ids {
		var removed int
		var r Revision
		ok, err := s.one(ctx, `SELECT removed, text FROM revisions WHERE platform = ? AND channel = ? AND message_id = ?`,
			[]any{platform, string(ch), string(id)}, &removed, &r.Text)
		if err != nil {
			return nil, err
		}
		if r.Removed = removed != 0; ok {
			out[id] = r
		}
	}
	return out, nil
}

// DeliveryCounts tells how many deliveries are in which state, for metrics. It reads a
// few rows that are kept for it.
func (s *Store) DeliveryCounts(ctx context.Context) (map[string]int64, error) {
	rows, err := s.query(ctx, `SELECT state, CAST(SUM(n) AS BIGINT) FROM delivery_counts GROUP BY state`)
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	_, err = collect(rows, func(r *sql.Rows) (struct{}, error) {
		var st DeliveryState
		var n int64
		err := r.Scan(&st, &n)
		if n != 0 {
			out[st.String()] = n
		}
		return struct{}{}, err
	})
	return out, err
}
