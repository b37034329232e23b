package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/postern-chat/postern"
)

// Answerer is what is known of a participant whose answer came.
type Answerer struct {
	Participant
	Person postern.Person
	Known  bool       // there is such a person
	Last   []Delivery // as LastStates lists them, at most LastFew, with their Content
	Before bool       // the batch that was asked for is written down already
	// Since is when he was written down, together with the first delivery that he ever had.
	// The first of Last may have followed others that are past their time, and gone.
	Since time.Time
}

// LastFew is how many deliveries an Answerer has.
const LastFew = 8

// Answerer looks a participant up, with his person, his last deliveries, and whether a
// batch of posts is written down; false if there is no such participant.
func (s *Store) Answerer(ctx context.Context, id postern.ParticipantID, batch string) (Answerer, bool, error) {
	return lookUp(ctx, s.answerers, id, batch)
}

const answererFields = participantFields + `, pe.user_id IS NOT NULL, COALESCE(pe.user_id, ''), COALESCE(pe.email, ''), COALESCE(pe.name, ''), COALESCE(pe.locale, ''), COALESCE(pe.time_zone, ''),
 COALESCE(pe.stopped, ''), COALESCE(pe.stopped_detail, ''), COALESCE(pe.stopped_at, 0), EXISTS (SELECT 1 FROM posts WHERE batch = want.word), p.created_at, ` + perhapsDelivery + `,
 (SELECT content FROM delivery_contents WHERE delivery_id = d.id)`

// perhapsDelivery is deliveryState of d, which may be none: then its id is empty.
const perhapsDelivery = `COALESCE(d.id, ''), COALESCE(d.participant_id, 0), COALESCE(d.state, 0), COALESCE(d.message_id, ''), COALESCE(d.provider_id, ''), COALESCE(d.recipient, ''),
 COALESCE(d.newest_at, 0), COALESCE(d.created_at, 0), COALESCE(d.attempted_at, 0), COALESCE(d.delivered_at, 0), COALESCE(d.opened_at, 0), COALESCE(d.answered_at, 0), COALESCE(d.detail, '')`

// lastFew and sinceMarks are a participant's deliveries that are read with him.
const (
	lastFew    = ` FROM deliveries WHERE participant_id = p.id AND state > 0 ORDER BY newest_at DESC, created_at DESC LIMIT 8`
	sinceMarks = ` FROM deliveries WHERE participant_id = p.id AND newest_at > CASE WHEN p.own_read_upto > p.own_delivered_upto THEN p.own_read_upto ELSE p.own_delivered_upto END
 ORDER BY newest_at, created_at LIMIT 500`
)

func (a *Answerer) dest() []any {
	return append(append(append(a.Participant.dest(), &a.Known), personDest(&a.Person)...), &a.Before, (*moment)(&a.Since))
}

func (a *Answerer) deliveries() *[]Delivery { return &a.Last }

func (a *Answerer) order(x, y Delivery) int {
	return cmp.Or(cmp.Compare(y.NewestAt, x.NewestAt), y.CreatedAt.Compare(x.CreatedAt))
}

// Marks is what says how far a participant's marks may be moved, as of one moment.
type Marks struct {
	Participant
	Busy        bool       // mails to him are being worked, or are to be
	Between     bool       // between our two marks a delivery is still on its way
	FirstMailed int64      // creation (ms) of the oldest message mailed to him; told only if no mark of ours was moved yet
	Since       []Delivery // as Deliveries lists them after both of our marks

	looked int64 // what was written down before then was seen; clocks of replicas differ a little
}

// Marks looks at once what moving a participant's marks depends on; false if there is no
// such participant. lane begins the name of the lane in which mails to him are worked; his
// platform, channel and user id follow.
func (s *Store) Marks(ctx context.Context, id postern.ParticipantID, lane string) (Marks, bool, error) {
	looked := s.now() - maxDrift.Milliseconds()
	m, ok, err := lookUp(ctx, s.marks, id, lane)
	m.looked = looked
	return m, ok, err
}

const marksFields = participantFields + `, EXISTS (SELECT 1 FROM jobs WHERE jobs.lane = (SELECT number FROM lanes WHERE lanes.lane = want.word || c.platform || '/' || c.channel || '/' || p.user_id)),
 EXISTS (SELECT 1 FROM deliveries WHERE participant_id = p.id AND newest_at > p.own_read_upto AND newest_at <= p.own_delivered_upto AND state < 4),
 CASE WHEN p.own_read_upto = 0 AND p.own_delivered_upto = 0 THEN COALESCE((SELECT MIN(created_at) FROM mailed WHERE participant_id = p.id), 0) ELSE 0 END, ` + perhapsDelivery + `, NULL`

func (m *Marks) dest() []any {
	return append(m.Participant.dest(), &m.Busy, &m.Between, &m.FirstMailed)
}

func (m *Marks) deliveries() *[]Delivery { return &m.Since }

func (m *Marks) order(x, y Delivery) int {
	return cmp.Or(cmp.Compare(x.NewestAt, y.NewestAt), x.CreatedAt.Compare(y.CreatedAt))
}

// lookup is a question about a participant, and the answer.
type lookup[A any] struct {
	id     postern.ParticipantID
	word   string // what else the statement's fields look for
	answer A
	found  bool
}

func lookUp[A any](ctx context.Context, t *together[lookup[A]], id postern.ParticipantID, word string) (a A, found bool, err error) {
	q := &lookup[A]{id: id, word: text(word)}
	if err := t.ask(ctx, q, 1); err != nil || !q.found {
		return a, false, err
	}
	return q.answer, true, nil
}

// looked is what a lookup answers: a participant, what else his row tells, and deliveries.
type looked interface {
	// dest is what a row of the fields is scanned into, but for the delivery at its end.
	dest() []any
	// deliveries are those of all rows, and order is theirs.
	deliveries() *[]Delivery
	order(x, y Delivery) int
}

// readLookups makes what answers lookups: fields and deliveries see dialect.about. A row
// ends with a delivery's columns, and its content or NULL.
func readLookups[A any, P interface {
	*A
	looked
}](s *Store, fields, deliveries string) func(context.Context, []*lookup[A]) error {
	return func(ctx context.Context, group []*lookup[A]) error {
		ids, words := make([]int64, len(group)), make([]string, len(group))
		for i, q := range group {
			ids[i], words[i] = int64(q.id), q.word //nolint:gosec // the same 64 bits
			q.answer, q.found = *new(A), false
		}
		query, args := s.dialect.about(fields, deliveries, ids, words)
		rows, err := s.query(ctx, query, args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var n int
			var answer A
			dest := append([]any{&n}, P(&answer).dest()...)
			d, err := scanDelivery(func(more ...any) error { return rows.Scan(append(dest, more...)...) })
			if err != nil {
				return fault("store.read", err)
			}
			q := group[n]
			list := *P(&q.answer).deliveries()
			if d.ID != "" {
				list = append(list, d)
			}
			q.answer, q.found = answer, true
			*P(&q.answer).deliveries() = list
		}
		for _, q := range group {
			slices.SortStableFunc(*P(&q.answer).deliveries(), P(&q.answer).order)
		}
		return fault("store.read", rows.Err())
	}
}

// about makes the statement that reads fields, and what deliveries tells, for many: want
// has a number n, a participant's id and a word. It is joined by VALUES; what is too many
// is NULL, so that there are few statements.
func (sqlite) about(fields, deliveries string, ids []int64, words []string) (string, []any) {
	n := 1
	for n < len(ids) {
		n *= 2
	}
	args := make([]any, 3*n)
	for i := range n {
		if args[3*i] = i; i < len(ids) {
			args[3*i+1], args[3*i+2] = ids[i], words[i]
		}
	}
	return rows(n, `WITH want(n, id, word) AS (VALUES `, 3, `) SELECT want.n, `) + fields + ` FROM want CROSS JOIN participants p ON p.id = want.id CROSS JOIN conversations c ON c.id = p.conversation_id
LEFT JOIN reads r ON r.platform = c.platform AND r.channel = c.channel AND r.user_id = p.user_id
LEFT JOIN people pe ON pe.user_id = p.user_id
LEFT JOIN deliveries d ON d.id IN (SELECT id` + deliveries + `)`, args
}

// about looks each up by itself, whatever the planner believes of the tables' sizes.
func (postgres) about(fields, deliveries string, ids []int64, words []string) (string, []any) {
	numbers := make([]int64, len(ids))
	for i := range numbers {
		numbers[i] = int64(i)
	}
	return `SELECT want.n, ` + fields + ` FROM unnest(?::bigint[], ?::bigint[], ?::text[]) AS want(n, id, word)
CROSS JOIN LATERAL (SELECT * FROM participants WHERE id = want.id LIMIT 1) AS p
CROSS JOIN LATERAL (SELECT * FROM conversations WHERE id = p.conversation_id LIMIT 1) AS c
LEFT JOIN LATERAL (SELECT * FROM reads WHERE platform = c.platform AND channel = c.channel AND user_id = p.user_id LIMIT 1) AS r ON true
LEFT JOIN LATERAL (SELECT * FROM people WHERE user_id = p.user_id LIMIT 1) AS pe ON true
LEFT JOIN LATERAL (SELECT ` + deliveryState + deliveries + `) AS d ON true`, []any{numbers, ids, words}
}
