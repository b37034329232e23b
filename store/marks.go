package store

import (
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern"
)

// later are writes about posts and marks that wait in bulk. No two of them depend on the
// order among them.
type later struct {
	planned  []Post
	posted   []postedRow
	answered []postern.DeliveryID
	marked   []markedRow
}

// postedRow is a post that stands in the chat now.
type postedRow struct {
	id   postern.PostID
	chat postern.MessageID
}

// markedRow is how far a participant's marks were moved, and when the read mark was; 0 =
// not.
type markedRow struct {
	id                    postern.ParticipantID
	delivered, read, when int64
}

func (l *later) empty() bool {
	return len(l.planned)+len(l.posted)+len(l.answered)+len(l.marked) == 0
}

func (l *later) settle(tx *Tx) error {
	for part := range parts(l.planned) {
		args := make([]any, 0, 10*len(part))
		for _, p := range part {
			args = append(args, string(p.ID), p.Batch, p.Seq, int64(p.Conversation), string(p.User), p.Text, p.File, int(p.State), tx.now, ms(p.AttemptedAt))
		}
		if _, err := tx.exec(rows(len(part), `INSERT INTO posts (id, batch, seq, conversation_id, user_id, text, file, state, created_at, attempted_at) VALUES `, 10, ` ON CONFLICT (batch, seq) DO NOTHING`), args...); err != nil {
			return err
		}
	}
	for part := range parts(l.posted) {
		args := []any{int(Posted)}
		for _, p := range part {
			args = append(args, string(p.id), string(p.chat))
		}
		if _, err := tx.exec(rows(len(part), `UPDATE posts SET state = ?, chat_message_id = ended.column2, detail = '' FROM (VALUES `, 2,
			`) AS ended WHERE posts.id = ended.column1 AND posts.state <> ?`), append(args, int(Posted))...); err != nil {
			return err
		}
	}
	if err := l.settleAnswered(tx); err != nil {
		return err
	}
	return l.settleMarked(tx)
}

func (l *later) settleAnswered(tx *Tx) error {
	slices.Sort(l.answered) // rows are locked in one order
	for part := range parts(l.answered) {
		var ids []any
		for _, id := range part {
			ids = append(ids, string(id))
		}
		rise, err := all(tx, scanState, `SELECT state FROM deliveries WHERE id IN `+in(len(ids))+` AND state < ? + 0 ORDER BY id`+tx.w.s.dialect.locking(), append(ids, int(Delivered))...)
		if err != nil {
			return err
		}
		for _, was := range rise {
			tx.moved(was, Delivered)
		}
		if _, err := tx.exec(`UPDATE deliveries SET answered_at = CASE WHEN answered_at = 0 THEN ? ELSE answered_at END,
 delivered_at = CASE WHEN delivered_at = 0 THEN ? ELSE delivered_at END, state = CASE WHEN state < ? THEN ? ELSE state END WHERE id IN `+in(len(ids)), append([]any{tx.now, tx.now, int(Delivered), int(Delivered)}, ids...)...); err != nil {
			return err
		}
	}
	return nil
}

func scanState(r *sql.Rows) (state DeliveryState, err error) {
	err = r.Scan(&state)
	return state, err
}

// markedRowOf is a row of numbers; untyped, PostgreSQL would take them for text.
const markedRowOf = `(CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT))`

func (l *later) settleMarked(tx *Tx) error {
	for part := range parts(l.marked) {
		args := make([]any, 0, 4*len(part))
		for _, m := range part {
			args = append(args, int64(m.id), m.delivered, m.read, m.when)
		}
		_, err := tx.exec(`UPDATE participants SET own_delivered_upto = CASE WHEN own_delivered_upto < marked.column2 THEN marked.column2 ELSE own_delivered_upto END,
 own_read_upto = CASE WHEN own_read_upto < marked.column3 THEN marked.column3 ELSE own_read_upto END,
 own_read_at = CASE WHEN marked.column4 > 0 THEN marked.column4 ELSE own_read_at END
 FROM (VALUES `+strings.Repeat(markedRowOf+", ", len(part)-1)+markedRowOf+`) AS marked WHERE participants.id = marked.column1`, args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// Answered notes that the participant answered a delivery: that proves that it arrived,
// and that he read it.
func (tx *Tx) Answered(id postern.DeliveryID) error {
	tx.bulk.later.answered, tx.touched = append(tx.bulk.later.answered, id), true
	return nil
}

// maxMarking is how long after its beginning a call that moves a read mark may still
// take effect, if we never hear of its end.
const maxMarking = 10 * time.Minute

// Marking keeps that a call begins that moves a participant's read mark. Marked ends it.
func (tx *Tx) Marking(id postern.ParticipantID) error {
	tx.leaveMark(markedRow{id: id, when: tx.now + maxMarking.Milliseconds()})
	return nil
}

// Marked keeps that we moved a participant's marks: over messages up to upto. What was
// covered stays so. With an upto of 0 the mark was not moved.
func (tx *Tx) Marked(id postern.ParticipantID, read bool, upto int64) error {
	m := markedRow{id: id, delivered: upto}
	if read {
		m = markedRow{id: id, read: upto, when: tx.now}
	}
	tx.leaveMark(m)
	return nil
}

// leaveMark leaves a mark; of one participant there is one row.
func (tx *Tx) leaveMark(m markedRow) {
	tx.touched = true
	list := tx.bulk.later.marked
	i := slices.IndexFunc(list, func(o markedRow) bool { return o.id == m.id })
	if i < 0 {
		tx.bulk.later.marked = append(list, m)
		return
	}
	o := &list[i]
	o.delivered, o.read = max(o.delivered, m.delivered), max(o.read, m.read)
	if m.when > 0 {
		o.when = m.when
	}
}

// Overtaken tells what came since marks were looked at. late: the lane of mails to the
// participant has open jobs, or a mail to him was written down of which nothing proves that
// it arrived (those with no message newer than after, in ms, are not looked at). second:
// another lane has jobs of a kind.
func (tx *Tx) Overtaken(m Marks, after int64, lane, other, kind string) (late, second bool, err error) {
	look := func() error {
		_, err := tx.one(`SELECT EXISTS (SELECT 1 FROM jobs WHERE `+inLane+`)
 OR EXISTS (SELECT 1 FROM deliveries WHERE participant_id = ? AND newest_at > ? AND created_at >= ? AND state < 4), EXISTS (SELECT 1 FROM jobs WHERE `+inLane+` AND kind = ?)`,
			[]any{lane, int64(m.ID), after, m.looked, other, kind}, &late, &second)
		return err
	}
	if len(tx.bulk.became) > 0 {
		err = look()
	} else {
		err = tx.apart(look)
	}
	return late, second, err
}
