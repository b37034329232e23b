package store

import (
	"context"
	"database/sql"
	"time"
)

// Keep says how long things stay when nothing about them is open any more; 0 = for ever.
type Keep struct {
	// Events are what arrived, with what is true of edited messages and of people's
	// reading. Whatever comes again later than this is taken for new, so it must be
	// longer than anybody repeats a webhook.
	Events time.Duration
	// RawMail is the bytes of mails as they came; 0 or longer than Events: as those.
	RawMail time.Duration
	// Deliveries are the mails that went out, and which message stood in which.
	Deliveries time.Duration
	// Posts are the chat messages that we wrote.
	Posts time.Duration
	Notes time.Duration
	// Held are mails that an operator decided about, or that were refused.
	Held time.Duration
	// Dead are jobs that were given up. Until they are gone their events stay.
	Dead time.Duration
}

// Purged counts what was removed, by table.
type Purged map[string]int64

const (
	// purgeBatch is how many rows one write of the purge touches at most: other writes
	// wait no longer than that takes.
	purgeBatch = 500
	// purgePause lets the lanes' writes go first.
	purgePause = 20 * time.Millisecond
	// revisionMargin is how much longer than an open event the revisions stay that may
	// concern it: the platform's clock wrote their times.
	revisionMargin = 24 * time.Hour
)

// purge is one run of Purge.
type purge struct {
	s     *Store
	ctx   context.Context
	now   int64
	keep  Keep
	open  map[int64]bool // events, old enough to go, that are open
	floor int64          // when the oldest event arrived that a job or a dead job is about
	out   Purged
}

// Purge removes what is past its time, a few rows in one write. Never what is open: an
// event with jobs, given up ones included, or held mail that waits; a delivery that the
// provider is not known to have; posts that are not made. It tells what it removed, also
// when it fails in between. Several at once do no harm, but see Duty.
func (s *Store) Purge(ctx context.Context, keep Keep) (Purged, error) {
	p := &purge{s: s, ctx: ctx, now: s.now(), keep: keep, out: Purged{}}
	// Dead jobs first: what was kept for their sake may go with them.
	for _, step := range []func() error{p.dead, p.findOpen, p.held, p.rawMail, p.events, p.revisions, p.reads, p.deliveries, p.posts, p.notes} {
		if err := step(); err != nil {
			return p.out, err
		}
	}
	return p.out, nil
}

// cut is the moment before which things are past their time; 0 = nothing is.
func (p *purge) cut(keep time.Duration) int64 {
	if keep <= 0 {
		return 0
	}
	return max(p.now-keep.Milliseconds(), 0)
}

// write removes one batch in one write, and rests.
func (p *purge) write(table string, fn func(tx *Tx) (int64, error)) error {
	var n int64
	err := p.s.Do(p.ctx, func(tx *Tx) (err error) {
		n, err = fn(tx)
		return err
	})
	if err != nil {
		return err
	}
	p.out[table] += n
	if !sleep(p.ctx, purgePause) {
		return fault("store.purge", p.ctx.Err())
	}
	return nil
}

// byKey removes rows by their keys, a hundred in a statement.
func byKey[K any](p *purge, table string, keys []K, fn func(tx *Tx, places string, keys []any) (int64, error)) error {
	if len(keys) == 0 {
		return nil
	}
	return p.write(table, func(tx *Tx) (n int64, err error) {
		for rest := keys; len(rest) > 0; {
			k := min(len(rest), perLane)
			places := inLength(k)
			args := make([]any, places)
			for i := range args {
				args[i] = rest[min(i, k-1)] // few lengths of lists, few statements
			}
			m, err := fn(tx, in(places), args)
			if err != nil {
				return 0, err
			}
			n, rest = n+m, rest[k:]
		}
		return n, nil
	})
}

// read reads one page of what may go.
func read[T any](p *purge, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := p.s.query(p.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scan)
}

// aged is a row with an id and a time.
type aged struct {
	id, at, event int64
}

func scanAged(r *sql.Rows) (a aged, err error) { return a, r.Scan(&a.id, &a.at, &a.event) }

// walk goes through rows whose ids rise with their times, from the oldest to the first
// page on which all are young.
func (p *purge) walk(cut int64, query string, do func(ids []int64) error) error {
	for after := int64(0); cut > 0; {
		page, err := read(p, scanAged, query, after, purgeBatch)
		if err != nil {
			return err
		}
		var ids []int64
		old := false
		for _, a := range page {
			after = a.id
			if a.at >= cut {
				continue
			}
			if old = true; !p.open[a.event] {
				ids = append(ids, a.id)
			}
		}
		if err := do(ids); err != nil || len(page) < purgeBatch || !old {
			return err
		}
	}
	return nil
}

func (p *purge) dead() error {
	cut := p.cut(p.keep.Dead)
	for cut > 0 {
		ids, err := read(p, scanID, `SELECT id FROM dead_jobs WHERE died_at < ? ORDER BY id LIMIT ?`, cut, purgeBatch)
		if err != nil {
			return err
		}
		err = byKey(p, "dead_jobs", ids, func(tx *Tx, places string, keys []any) (int64, error) {
			jobs, err := all(tx, scanLaneJob, `SELECT lane, kind, args FROM dead_jobs WHERE id IN `+places, keys...)
			for _, j := range jobs {
				if err == nil {
					err = p.s.discarded(tx, j)
				}
			}
			if err != nil {
				return 0, err
			}
			return tx.exec(`DELETE FROM dead_jobs WHERE id IN `+places, keys...)
		})
		if err != nil || len(ids) < purgeBatch {
			return err
		}
	}
	return nil
}

func scanLaneJob(r *sql.Rows) (j LaneJob, err error) {
	return j, r.Scan(&j.Lane, &j.Kind, &j.Args)
}

func scanID(r *sql.Rows) (id int64, err error) { return id, r.Scan(&id) }

// findOpen looks for open events, all at one moment. That is enough: what is open later
// was open then, or is too young. A closed event is never opened again.
func (p *purge) findOpen() error {
	latest := max(p.cut(p.keep.Events), p.cut(p.keep.RawMail), p.cut(p.keep.Held))
	p.open, p.floor = map[int64]bool{}, p.cut(p.keep.Events)
	if latest == 0 {
		return nil
	}
	type open struct {
		id, received int64
		job          bool
	}
	found, err := read(p, func(r *sql.Rows) (o open, err error) {
		var job int
		err = r.Scan(&o.id, &o.received, &job)
		o.job = job != 0
		return o, err
	}, `SELECT e.id, e.received_at, MAX(o.job) FROM (
 SELECT event_id, 1 AS job FROM jobs WHERE event_id <> 0
 UNION ALL SELECT event_id, 1 AS job FROM dead_jobs WHERE event_id <> 0
 UNION ALL SELECT event_id, 0 AS job FROM held WHERE state = ?
) AS o JOIN events e ON e.id = o.event_id WHERE e.received_at < ? GROUP BY e.id, e.received_at`, string(HeldWaiting), latest)
	for _, o := range found {
		if p.open[o.id] = true; o.job {
			p.floor = min(p.floor, o.received-revisionMargin.Milliseconds())
		}
	}
	return err
}

func (p *purge) held() error {
	cut := p.cut(p.keep.Held)
	for after := int64(0); cut > 0; {
		page, err := read(p, scanAged, `SELECT id, held_at, event_id FROM held WHERE id > ? AND state <> ? AND held_at < ? ORDER BY id LIMIT ?`,
			after, string(HeldWaiting), cut, purgeBatch)
		if err != nil {
			return err
		}
		var ids []int64
		for _, h := range page {
			if after = h.id; !p.open[h.event] {
				ids = append(ids, h.id)
			}
		}
		err = byKey(p, "held", ids, func(tx *Tx, places string, keys []any) (int64, error) {
			return tx.exec(`DELETE FROM held WHERE id IN `+places+` AND state <> ?`, append(keys, string(HeldWaiting))...)
		})
		if err != nil || len(page) < purgeBatch {
			return err
		}
	}
	return nil
}

// rawMail takes the bytes out of events. Their blobs have no owner then, see UsedBlobs.
func (p *purge) rawMail() error {
	const query = `SELECT id, received_at, id FROM events WHERE id > ? AND (content IS NOT NULL OR content_ref <> '') ORDER BY id LIMIT ?`
	return p.walk(p.cut(p.keep.RawMail), query, func(ids []int64) error {
		return byKey(p, "raw_mail", ids, func(tx *Tx, places string, keys []any) (int64, error) {
			return tx.exec(`UPDATE events SET content = NULL, content_ref = '' WHERE id IN `+places, keys...)
		})
	})
}

func (p *purge) events() error {
	return p.walk(p.cut(p.keep.Events), `SELECT id, received_at, id FROM events WHERE id > ? ORDER BY id LIMIT ?`, func(ids []int64) error {
		return byKey(p, "events", ids, func(tx *Tx, places string, keys []any) (int64, error) {
			return tx.exec(`DELETE FROM events WHERE id IN `+places, keys...)
		})
	})
}

func (p *purge) notes() error {
	open := p.open
	p.open = nil // a note is about nothing that waits
	defer func() { p.open = open }()
	return p.walk(p.cut(p.keep.Notes), `SELECT id, at, 0 FROM notes WHERE id > ? ORDER BY id LIMIT ?`, func(ids []int64) error {
		return byKey(p, "notes", ids, func(tx *Tx, places string, keys []any) (int64, error) {
			return tx.exec(`DELETE FROM notes WHERE id IN `+places, keys...)
		})
	})
}

// about is the key of a revision or a read mark, with its time.
type about struct {
	platform, channel, of string
	at                    int64
}

func scanAbout(r *sql.Rows) (a about, err error) {
	return a, r.Scan(&a.platform, &a.channel, &a.of, &a.at)
}

// revisions of a message stay while a job may be about it.
func (p *purge) revisions() error { return p.table("revisions", "message_id", "updated_at") }

// reads are of use for messages that are older than the mark only.
func (p *purge) reads() error { return p.table("reads", "user_id", "read_at") }

func (p *purge) table(name, of, when string) error {
	query := `SELECT platform, channel, ` + of + `, ` + when + ` FROM ` + name + ` WHERE (platform, channel, ` + of + `) > (?, ?, ?) ORDER BY platform, channel, ` + of + ` LIMIT ?`
	remove := `DELETE FROM ` + name + ` WHERE platform = ? AND channel = ? AND ` + of + ` = ? AND ` + when + ` < ?`
	for last := (about{}); p.floor > 0; {
		page, err := read(p, scanAbout, query, last.platform, last.channel, last.of, purgeBatch)
		if err != nil {
			return err
		}
		var old []about
		for _, a := range page {
			if last = a; a.at < p.floor {
				old = append(old, a)
			}
		}
		if err := p.each(name, remove, old); err != nil || len(page) < purgeBatch {
			return err
		}
	}
	return nil
}

func (p *purge) each(table, remove string, old []about) error {
	if len(old) == 0 {
		return nil
	}
	return p.write(table, func(tx *Tx) (n int64, err error) {
		for _, a := range old {
			m, err := tx.exec(remove, a.platform, a.channel, a.of, p.floor)
			if err != nil {
				return 0, err
			}
			n += m
		}
		return n, nil
	})
}

// deliveries go with the messages that stood in them. One that the provider is not known
// to have stays: a job of it may be open, or given up and replayed. Their ids begin with the
// time, so the old ones come first; where a clock was wrong some go later than they could.
func (p *purge) deliveries() error {
	cut := p.cut(p.keep.Deliveries)
	type aged struct {
		id    string
		at    int64
		state DeliveryState
	}
	for after := ""; cut > 0; {
		page, err := read(p, func(r *sql.Rows) (a aged, err error) { return a, r.Scan(&a.id, &a.at, &a.state) },
			`SELECT id, created_at, state FROM deliveries WHERE id > ? ORDER BY id LIMIT ?`, after, purgeBatch)
		if err != nil {
			return err
		}
		var ids []string
		old := false
		for _, a := range page {
			if after = a.id; a.at >= cut {
				continue
			}
			if old = true; a.state >= Accepted {
				ids = append(ids, a.id)
			}
		}
		err = byKey(p, "deliveries", ids, func(tx *Tx, places string, keys []any) (int64, error) {
			for _, table := range []string{"mailed", "blob_uses", "delivery_contents"} {
				if _, err := tx.exec(`DELETE FROM `+table+` WHERE delivery_id IN `+places, keys...); err != nil {
					return 0, err
				}
			}
			gone, err := all(tx, scanInt, `DELETE FROM deliveries WHERE id IN `+places+` RETURNING state`, keys...)
			for _, state := range gone {
				tx.count(DeliveryState(state), -1)
			}
			return int64(len(gone)), err
		})
		if err != nil || len(page) < purgeBatch || !old {
			return err
		}
	}
	return nil
}

// overBatch is a condition on a batch of posts: all of it is old and decided. What the
// platform refused stays while a held mail of that conversation may bring it back.
const overBatch = `NOT EXISTS (SELECT 1 FROM posts q WHERE q.batch = posts.batch AND (q.created_at >= ? OR q.state < ? OR q.state = ? AND EXISTS
 (SELECT 1 FROM held h JOIN participants m ON m.id = h.participant_id WHERE m.conversation_id = q.conversation_id)))`

func (p *purge) posts() error {
	cut := p.cut(p.keep.Posts)
	args := []any{cut, int(Posted), int(Refused)}
	for cut > 0 {
		batches, err := read(p, scanString, `SELECT DISTINCT batch FROM posts WHERE created_at < ? AND `+overBatch+` LIMIT ?`, cut, args[0], args[1], args[2], purgeBatch)
		if err != nil {
			return err
		}
		err = byKey(p, "posts", batches, func(tx *Tx, places string, keys []any) (int64, error) {
			keys = append(append(keys, int(Posted)), args...)
			return tx.exec(`DELETE FROM posts WHERE batch IN `+places+` AND state >= ? AND `+overBatch, keys...)
		})
		if err != nil || len(batches) < purgeBatch {
			return err
		}
	}
	return nil
}
