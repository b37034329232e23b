package store

import (
	"bytes"
	"context"
	"database/sql"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/postern-chat/postern"
)

// Arrival is something to be recorded: an event and what is to be done about it.
type Arrival struct {
	Source string // "sendbird", "mailgun.inbound", "mailgun.events"
	// Dedup tells repeats apart; "" = every arrival is new. A repeat with the same
	// Digest is a duplicate, one with another is refused.
	Dedup   string
	Digest  []byte
	Body    []byte    // as received, or the envelope of a mail (JSON)
	Content []byte    // a mail's raw bytes, or nil
	Ref     string    // or the blob that holds them
	Jobs    []LaneJob // none: recorded for the operator's eye only
	Notes   []Note
}

// LaneJob is a job to be put into a lane.
type LaneJob struct {
	Lane string
	Kind string
	Args []byte
	// Delay is how long the lane stays quiet first. While more jobs come the quiet
	// begins anew, up to Cap after the first. 0, 0 = at once.
	Delay, Cap time.Duration
}

// Plan is what the rules say about an arrival before it is answered: what to record
// it as and which jobs come of it. With a Skip nothing is recorded at all.
type Plan struct {
	Dedup string
	Jobs  []LaneJob
	Notes []Note
	Skip  string // why nothing is to be done; "" = record it
	Note  Note   // with Skip: what to tell whoever asks; zero = nothing worth telling
}

// Event is an arrival as it was recorded.
type Event struct {
	ID         int64
	Source     string
	ReceivedAt time.Time
	Body       []byte
	Content    []byte
	Ref        string
}

// Job is one piece of work of a lane.
type Job struct {
	ID       int64
	Lane     string
	Kind     string
	Args     []byte
	Attempts int
	DueAt    time.Time
	AddedAt  time.Time
	Event    *Event // nil if the job came from no event
}

// Lease is the right to work a lane until it runs out, and the lane's first jobs.
type Lease struct {
	Lane  string
	Jobs  []Job // in order; at least one; never more than perLane
	fence int64
}

// perLane is how many jobs of one lane are handed out at once; a burst larger than
// that becomes several mails.
const perLane = 100

// arrival is an Arrival on its way through a writer.
type arrival struct {
	Arrival
	id        int64
	duplicate bool
	replayed  bool
}

// Record stores an arrival durably. It tells the event's id, and whether the same
// had been recorded before: then nothing new was stored and the id is the first
// one's. The same Dedup with another Digest is Denied (CauseReplayed). CauseBusy: too
// many wait.
func (s *Store) Record(ctx context.Context, in Arrival) (id int64, duplicate bool, err error) {
	a := &arrival{Arrival: in}
	lane := ""
	if len(in.Jobs) > 0 {
		lane = in.Jobs[0].Lane
	}
	if err := s.writer(lane).submit(ctx, &op{arrival: a}); err != nil {
		return 0, false, err
	}
	if a.replayed {
		return a.id, true, postern.Errorf(postern.Denied, "store.record", "recorded before with another content").Because(postern.CauseReplayed)
	}
	s.added()
	return a.id, a.duplicate, nil
}

// repeated classes an arrival whose key was there already.
func (a *arrival) repeated(id int64, digest []byte) {
	a.id, a.duplicate = id, true
	a.replayed = !bytes.Equal(digest, a.Digest)
}

// byLane gives all jobs of the arrivals in order of lane, and within a lane in
// order of arrival: rows are locked in one order everywhere.
func byLane(in []*arrival, now int64) []laneJob {
	var out []laneJob
	for _, a := range in {
		if a.duplicate {
			continue
		}
		for _, j := range a.Jobs {
			out = append(out, newLaneJob(j, a.id, now))
		}
	}
	slices.SortStableFunc(out, func(a, b laneJob) int { return cmpString(a.Lane, b.Lane) })
	return out
}

type laneJob struct {
	LaneJob
	event    int64
	due, cap int64
}

func newLaneJob(j LaneJob, event, now int64) laneJob {
	due := now + j.Delay.Milliseconds()
	return laneJob{LaneJob: j, event: event, due: due, cap: max(due, now+j.Cap.Milliseconds())}
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// upsertLane wakes a lane for a new job. A lane that waits keeps waiting (its quiet
// begins anew as far as cap_at allows); a leased one keeps its lease, because a
// lease sets due_at and cap_at alike, and is looked at again when it is released.
const upsertLane = `INSERT INTO lanes (lane, due_at, cap_at) VALUES (?, ?, ?)
ON CONFLICT (lane) DO UPDATE SET due_at = CASE
 WHEN lanes.cap_at < excluded.due_at THEN lanes.cap_at
 WHEN lanes.due_at > excluded.due_at THEN lanes.due_at
 ELSE excluded.due_at END`

const insertJob = `INSERT INTO jobs (lane, kind, event_id, args, due_at, cap_at, added_at) VALUES (?, ?, ?, ?, ?, ?, ?)`

// Add puts jobs into lanes.
func (tx *Tx) Add(jobs ...LaneJob) error {
	out := make([]laneJob, 0, len(jobs))
	for _, j := range jobs {
		out = append(out, newLaneJob(j, 0, tx.now))
	}
	return tx.add(out)
}

// AddFor puts jobs that belong to a recorded event into lanes.
func (tx *Tx) AddFor(event int64, jobs ...LaneJob) error {
	out := make([]laneJob, 0, len(jobs))
	for _, j := range jobs {
		out = append(out, newLaneJob(j, event, tx.now))
	}
	return tx.add(out)
}

func (tx *Tx) add(jobs []laneJob) error {
	slices.SortStableFunc(jobs, func(a, b laneJob) int { return cmpString(a.Lane, b.Lane) })
	for _, j := range jobs {
		// The lane's row is locked before the job gets its id, so that ids within a lane
		// become visible in order.
		if _, err := tx.exec(upsertLane, j.Lane, j.due, j.cap); err != nil {
			return err
		}
		if _, err := tx.exec(insertJob, j.Lane, j.Kind, j.event, j.Args, j.due, j.cap, tx.now); err != nil {
			return err
		}
	}
	tx.committed(tx.w.s.added)
	return nil
}

// Claim leases up to max lanes that are due, each with its first jobs. Nobody else
// gets them until they are released or the lease runs out.
func (s *Store) Claim(ctx context.Context, max int) ([]*Lease, error) {
	fence := rand.Int64N(1<<62) + 1
	var lanes []string
	err := s.writer("").do(ctx, func(tx *Tx) (err error) {
		lanes, err = s.dialect.claim(tx, tx.now, tx.now+s.cfg.Lease.Milliseconds(), fence, max)
		return err
	})
	if err != nil || len(lanes) == 0 {
		return nil, err
	}
	jobs, err := s.dialect.jobs(ctx, s, lanes, perLane)
	if err != nil {
		return nil, err
	}
	leases := make([]*Lease, 0, len(lanes))
	byName := make(map[string]*Lease, len(lanes))
	for _, name := range lanes {
		l := &Lease{Lane: name, fence: fence}
		leases, byName[name] = append(leases, l), l
	}
	for _, j := range jobs {
		byName[j.Lane].Jobs = append(byName[j.Lane].Jobs, j)
	}
	return leases, nil
}

// NextDue tells when the next lane wants a worker; false if none does.
func (s *Store) NextDue(ctx context.Context) (time.Time, bool, error) {
	var due sql.NullInt64
	_, err := s.one(ctx, `SELECT MIN(due_at) FROM lanes`, nil, &due)
	return at(due.Int64), due.Valid, err
}

// Woken receives when a lane may have become due in this process.
func (s *Store) Woken() <-chan struct{} { return s.wake }

// errLost says that the lane is somebody else's by now.
var errLost = postern.Errorf(postern.Temporary, "store.lane", "the lease ran out and the lane is another's").Because(postern.CauseStale)

// Lost tells whether an error says that the lease ran out.
func Lost(err error) bool { return postern.CauseOf(err) == postern.CauseStale }

// Work runs fn in a transaction, if the lane is still the lease's. The fence keeps
// an owner who was late from writing.
func (s *Store) Work(ctx context.Context, l *Lease, fn func(tx *Tx) error) error {
	return s.writer(l.Lane).do(ctx, func(tx *Tx) error {
		if err := tx.hold(l); err != nil {
			return err
		}
		return fn(tx)
	})
}

// Finish runs fn like Work and gives the lane back: to be due when its next job is,
// or gone if it has none.
func (s *Store) Finish(ctx context.Context, l *Lease, fn func(tx *Tx) error) error {
	return s.Work(ctx, l, func(tx *Tx) error {
		if fn != nil {
			if err := fn(tx); err != nil {
				return err
			}
		}
		return tx.release(l)
	})
}

// Extend makes leases last longer, from now. Those that are no longer the caller's
// are left alone.
func (s *Store) Extend(ctx context.Context, leases []*Lease) error {
	if len(leases) == 0 {
		return nil
	}
	slices.SortFunc(leases, func(a, b *Lease) int { return cmpString(a.Lane, b.Lane) })
	return s.writer(leases[0].Lane).do(ctx, func(tx *Tx) error {
		until := tx.now + s.cfg.Lease.Milliseconds()
		for _, l := range leases {
			if _, err := tx.exec(`UPDATE lanes SET due_at = ?, cap_at = ? WHERE lane = ? AND fence = ?`, until, until, l.Lane, l.fence); err != nil {
				return err
			}
		}
		return nil
	})
}

func (tx *Tx) hold(l *Lease) error {
	var one int64
	ok, err := tx.one(`SELECT fence FROM lanes WHERE lane = ? AND fence = ?`+tx.w.s.dialect.lock(), []any{l.Lane, l.fence}, &one)
	if err == nil && !ok {
		return errLost
	}
	return err
}

// release recomputes when the lane is due. It stands in a statement of its own
// after hold has locked the row: only so does it see the jobs that were added while
// the lane was worked.
func (tx *Tx) release(l *Lease) error {
	var head, cap, last sql.NullInt64
	_, err := tx.one(`SELECT MAX(due_at), (SELECT cap_at FROM jobs WHERE lane = ? ORDER BY id LIMIT 1), MIN(id) FROM jobs WHERE lane = ?`,
		[]any{l.Lane, l.Lane}, &last, &cap, &head)
	if err != nil {
		return err
	}
	if !head.Valid {
		_, err := tx.exec(`DELETE FROM lanes WHERE lane = ?`, l.Lane)
		return err
	}
	due := min(last.Int64, cap.Int64)
	if due <= tx.now {
		tx.committed(tx.w.s.signal)
	}
	_, err = tx.exec(`UPDATE lanes SET due_at = ?, cap_at = ?, fence = 0 WHERE lane = ?`, due, cap.Int64, l.Lane)
	return err
}

// Done takes finished jobs out of their lane.
func (tx *Tx) Done(jobs ...Job) error {
	for _, j := range jobs {
		if _, err := tx.exec(`DELETE FROM jobs WHERE id = ?`, j.ID); err != nil {
			return err
		}
	}
	return nil
}

// Become turns a job into another one at the same place of its lane, due at once.
func (tx *Tx) Become(j Job, kind string, args []byte) error {
	_, err := tx.exec(`UPDATE jobs SET kind = ?, args = ?, attempts = 0, due_at = ?, cap_at = ? WHERE id = ?`, kind, args, tx.now, tx.now, j.ID)
	return err
}

// Retry puts a job off. Its lane waits with it: order goes before speed.
func (tx *Tx) Retry(j Job, due time.Time) error {
	_, err := tx.exec(`UPDATE jobs SET attempts = attempts + 1, due_at = ?, cap_at = ? WHERE id = ?`, ms(due), ms(due), j.ID)
	return err
}

// Again puts a job off without counting an attempt: it waits for something, it did
// not fail.
func (tx *Tx) Again(j Job, due time.Time) error {
	_, err := tx.exec(`UPDATE jobs SET due_at = ?, cap_at = ? WHERE id = ?`, ms(due), ms(due), j.ID)
	return err
}

// Bury gives a job up: it goes to the dead letters and its lane goes on.
func (tx *Tx) Bury(j Job, reason string) error {
	_, err := tx.exec(`INSERT INTO dead_jobs (id, lane, kind, event_id, args, attempts, died_at, reason)
SELECT id, lane, kind, event_id, args, attempts, ?, ? FROM jobs WHERE id = ? ON CONFLICT (id) DO NOTHING`, tx.now, reason, j.ID)
	if err != nil {
		return err
	}
	return tx.Done(j)
}

// Poke makes a waiting lane due at once, if its first job is of this kind: what it
// waits for has come.
func (tx *Tx) Poke(lane, kind string) error {
	var id int64
	ok, err := tx.one(`SELECT id FROM lanes JOIN jobs ON jobs.lane = lanes.lane WHERE lanes.lane = ? AND fence = 0 AND jobs.kind = ?
 AND jobs.id = (SELECT MIN(id) FROM jobs WHERE lane = ?)`, []any{lane, kind, lane}, &id)
	if err != nil || !ok {
		return err
	}
	if _, err := tx.exec(`UPDATE jobs SET due_at = ?, cap_at = ? WHERE id = ?`, tx.now, tx.now, id); err != nil {
		return err
	}
	tx.committed(tx.w.s.added)
	_, err = tx.exec(`UPDATE lanes SET due_at = ?, cap_at = ? WHERE lane = ? AND fence = 0`, tx.now, tx.now, lane)
	return err
}

// Pending tells how many jobs a lane still has.
func (s *Store) Pending(ctx context.Context, lane string) (n int, err error) {
	_, err = s.one(ctx, `SELECT COUNT(*) FROM jobs WHERE lane = ?`, []any{lane}, &n)
	return n, err
}

// Backlog is the state of all lanes, for metrics.
type Backlog struct {
	Jobs, Lanes, Dead int64
	Oldest            time.Time // when the oldest open job was added; zero if none
}

// Backlog counts what is open. It reads every open job.
func (s *Store) Backlog(ctx context.Context) (b Backlog, err error) {
	var oldest sql.NullInt64
	_, err = s.one(ctx, `SELECT (SELECT COUNT(*) FROM jobs), (SELECT COUNT(*) FROM lanes), (SELECT COUNT(*) FROM dead_jobs), (SELECT MIN(added_at) FROM jobs)`,
		nil, &b.Jobs, &b.Lanes, &b.Dead, &oldest)
	b.Oldest = at(oldest.Int64)
	return b, err
}

const jobColumns = `j.id, j.lane, j.kind, j.args, j.attempts, j.due_at, j.added_at, e.id, e.source, e.received_at, e.body, e.content, e.content_ref`

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
