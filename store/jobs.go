package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"
)

// laneJob is a LaneJob with its times, and its event, if that arrives with it.
type laneJob struct {
	LaneJob
	event    int64
	of       *arrival
	due, cap int64
}

func newLaneJob(j LaneJob, event, now int64) laneJob {
	due := now + j.Delay.Milliseconds()
	return laneJob{LaneJob: j, event: event, due: due, cap: max(due, now+j.Cap.Milliseconds())}
}

func (j laneJob) from(a *arrival) laneJob {
	j.of = a
	return j
}

func laneOrder(a, b laneJob) int { return cmp.Compare(a.Lane, b.Lane) }

// jobsOf gives all jobs of the arrivals that are new.
func jobsOf(in []*arrival, now int64) []laneJob {
	var out []laneJob
	for _, a := range in {
		if a.duplicate {
			continue
		}
		for _, j := range a.Jobs {
			out = append(out, newLaneJob(j, a.id, now).from(a))
		}
	}
	return out
}

// Add puts jobs into lanes.
func (tx *Tx) Add(jobs ...LaneJob) error { return tx.AddFor(0, jobs...) }

// AddFor puts jobs that belong to a recorded event into lanes.
func (tx *Tx) AddFor(event int64, jobs ...LaneJob) error {
	for _, j := range jobs {
		if err := j.check(); err != nil {
			return err
		}
		tx.added = append(tx.added, newLaneJob(j.clean(), event, tx.now))
	}
	if len(jobs) > 0 {
		tx.touched = true
	}
	return nil
}

// Done takes finished jobs out of their lane.
func (tx *Tx) Done(jobs ...Job) error {
	for _, j := range jobs {
		tx.finished = append(tx.finished, jobKey{lane: j.Lane, id: j.ID})
		tx.touched = true
	}
	return nil
}

// thisJob is the condition for one job, by its lane's name and its id; inLane that for
// a lane's jobs.
const (
	inLane  = `lane = (SELECT number FROM lanes WHERE lane = ?)`
	thisJob = inLane + ` AND id = ?`
)

// Become turns a job into another one at the same place of its lane, due at once.
func (tx *Tx) Become(j Job, kind string, args []byte) error {
	if h, ok := tx.held[j.Lane]; ok {
		tx.bulk.became, tx.touched = append(tx.bulk.became, becameJob{h.number, j.ID, text(kind), args}), true
		return nil
	}
	_, err := tx.exec(`UPDATE jobs SET kind = ?, args = ?, attempts = 0, due_at = ?, cap_at = ? WHERE `+thisJob, kind, args, tx.now, tx.now, j.Lane, j.ID)
	return err
}

// Retry puts a job off. Its lane waits with it: order goes before speed.
func (tx *Tx) Retry(j Job, due time.Time) error {
	_, err := tx.exec(`UPDATE jobs SET attempts = attempts + 1, due_at = ?, cap_at = ? WHERE `+thisJob, ms(due), ms(due), j.Lane, j.ID)
	return err
}

// Again puts a job off without counting an attempt: it waits for something, it did
// not fail.
func (tx *Tx) Again(j Job, due time.Time) error {
	_, err := tx.exec(`UPDATE jobs SET due_at = ?, cap_at = ? WHERE `+thisJob, ms(due), ms(due), j.Lane, j.ID)
	return err
}

// maxReason bounds what is kept of an error's text, in bytes.
const maxReason = 2000

// first finds the first job of a lane, without its event's content.
func (tx *Tx) first(lane string) (j Job, ok bool, err error) {
	var event, added int64
	ok, err = tx.one(`SELECT id, kind, attempts, event_id, added_at FROM jobs WHERE `+inLane+` ORDER BY id LIMIT 1`, []any{lane},
		&j.ID, &j.Kind, &j.Attempts, &event, &added)
	j.Lane = lane
	if j.AddedAt = at(added); event != 0 {
		j.Event = &Event{ID: event}
	}
	return j, ok, err
}

// Bury gives a job up: it goes to the dead letters and its lane goes on.
func (tx *Tx) Bury(j Job, reason string) error {
	_, err := tx.exec(`INSERT INTO dead_jobs (id, lane, kind, event_id, args, attempts, died_at, reason)
SELECT id, ?, kind, event_id, args, attempts, ?, ? FROM jobs WHERE `+thisJob+` ON CONFLICT (id) DO NOTHING`,
		j.Lane, tx.now, short(reason, maxReason), j.Lane, j.ID)
	if err != nil {
		return err
	}
	return tx.Done(j)
}

// Poke makes a waiting lane due at once, if its first job is of this kind: what it
// waits for has come. A lane that is being worked is due at once when it is given
// back, if a job of this kind is first then: its owner may have looked too early.
func (tx *Tx) Poke(lane, kind string) error {
	tx.poked = append(tx.poked, poke{lane: text(lane), kind: text(kind)})
	tx.touched = true
	tx.committed(tx.w.s.added)
	return nil
}

// poke does it, after jobs were added. The lane's row is locked, or new.
func (tx *Tx) poke(p poke) error {
	h, ok := tx.held[p.lane]
	if !ok {
		if _, added := slices.BinarySearchFunc(tx.added, p.lane, func(j laneJob, lane string) int { return cmp.Compare(j.Lane, lane) }); !added {
			return nil
		}
		held, err := tx.w.s.dialect.hold(tx, []string{p.lane}, true)
		if err != nil {
			return err
		}
		h = held[p.lane]
	}
	if h.fence != 0 {
		h.poked = p.kind
		tx.held[p.lane] = h
		tx.w.known.poked(p.lane, p.kind)
		_, err := tx.exec(`UPDATE lanes SET poked = ? WHERE lane = ?`, p.kind, p.lane)
		return err
	}
	head, ok, err := tx.first(p.lane)
	if err != nil || !ok || head.Kind != p.kind {
		return err
	}
	if _, err := tx.exec(`UPDATE jobs SET due_at = ?, cap_at = ? WHERE `+thisJob, tx.now, tx.now, p.lane, head.ID); err != nil {
		return err
	}
	_, err = tx.exec(`UPDATE lanes SET due_at = ?, cap_at = ? WHERE lane = ?`, tx.now, tx.now, p.lane)
	return err
}

// Pending tells how many jobs a lane still has.
func (s *Store) Pending(ctx context.Context, lane string) (n int, err error) {
	_, err = s.one(ctx, `SELECT COUNT(*) FROM jobs WHERE `+inLane, []any{lane}, &n)
	return n, err
}

// Backlog is the state of all lanes, for metrics.
type Backlog struct {
	Jobs, Lanes, Dead int64     // each counted up to maxCount
	Oldest            time.Time // when the oldest open job was added; zero if none
}

// maxCount bounds how far open work is counted.
const maxCount = "1000000"

// Backlog counts what is open: what was done is not looked at.
func (s *Store) Backlog(ctx context.Context) (b Backlog, err error) {
	var oldest sql.NullInt64
	_, err = s.one(ctx, `SELECT COUNT(*), MIN(added_at), (SELECT COUNT(*) FROM (SELECT 1 FROM lanes LIMIT `+maxCount+`) AS few), (SELECT COUNT(*) FROM (SELECT 1 FROM dead_jobs LIMIT `+maxCount+`) AS few)
FROM (SELECT added_at FROM jobs LIMIT `+maxCount+`) AS few`, nil, &b.Jobs, &oldest, &b.Lanes, &b.Dead)
	b.Oldest = at(oldest.Int64)
	return b, err
}

const jobColumns = `j.id, l.lane, j.kind, j.args, j.attempts, j.due_at, j.added_at, e.id, e.source, e.received_at, e.body, e.content, e.content_ref`

func scanJob(rows *sql.Rows) (Job, error) {
	var j Job
	var due, added int64
	var id, received sql.NullInt64
	var source, ref sql.NullString
	var body, content []byte
	err := rows.Scan(&j.ID, &j.Lane, &j.Kind, &j.Args, &j.Attempts, &due, &added, &id, &source, &received, &body, &content, &ref)
	j.DueAt, j.AddedAt = at(due), at(added)
	if id.Valid {
		j.Event = &Event{ID: id.Int64, Source: source.String, ReceivedAt: at(received.Int64), Body: body, Content: content, Ref: ref.String}
	}
	return j, err
}

// size is how much of the memory a job takes, nearly.
func (j Job) size() int {
	n := len(j.Args)
	if j.Event != nil {
		n += len(j.Event.Body) + len(j.Event.Content)
	}
	return n
}

// HasJobs tells whether a lane has open jobs at this moment.
func (tx *Tx) HasJobs(lane string) (bool, error) {
	var id int64
	return tx.one(`SELECT id FROM jobs WHERE `+inLane+` LIMIT 1`, []any{lane}, &id)
}
