package store

import (
	"bytes"
	"cmp"
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
	Notes   []Note    // kept with the event
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
	Jobs  []Job // in order; none if they were withdrawn; never more than perLane
	fence int64
}

// perLane is how many jobs of one lane are handed out at once; a burst larger than
// that becomes several mails.
const perLane = 100

// perLaneBytes bounds what is read of one lane at once: a burst of large mails must
// not fill the memory. The first job is always handed out.
const perLaneBytes = 4 << 20

// maxKey bounds what stands in an index, in bytes: PostgreSQL takes no more than 2,700.
const maxKey = 1000

// arrival is an Arrival on its way through a writer.
type arrival struct {
	Arrival
	told      string // its notes, for its row
	id        int64
	duplicate bool
	replayed  bool
}

// Record stores an arrival durably. It tells the event's id, and whether the same
// had been recorded before: then nothing new was stored and the id is the first
// one's. The same Dedup with another Digest is Denied (CauseReplayed). CauseBusy: too
// many wait. Invalid: a key or lane is longer than 1,000 bytes.
func (s *Store) Record(ctx context.Context, in Arrival) (id int64, duplicate bool, err error) {
	a, err := newArrival(in)
	if err != nil {
		return 0, false, err
	}
	lane := ""
	if len(a.Jobs) > 0 {
		lane = a.Jobs[0].Lane
	}
	if err := s.writer(lane).submit(ctx, &op{arrival: a}); err != nil {
		return 0, false, err
	}
	if a.replayed {
		return a.id, true, postern.Errorf(postern.Denied, "store.record", "recorded before with another content").Because(postern.CauseReplayed)
	}
	return a.id, a.duplicate, nil
}

func newArrival(in Arrival) (*arrival, error) {
	in.Source, in.Dedup, in.Ref = text(in.Source), text(in.Dedup), text(in.Ref)
	if len(in.Dedup) > maxKey {
		return nil, postern.Errorf(postern.Invalid, "store.record", "a key of %d bytes", len(in.Dedup))
	}
	jobs := make([]LaneJob, len(in.Jobs))
	for i, j := range in.Jobs {
		if err := j.check(); err != nil {
			return nil, err
		}
		jobs[i] = j.clean()
	}
	in.Jobs = jobs
	if in.Body == nil {
		in.Body = []byte{}
	}
	return &arrival{Arrival: in, told: tell(in.Notes, in.Dedup)}, nil
}

func (j LaneJob) clean() LaneJob {
	j.Lane, j.Kind = text(j.Lane), text(j.Kind)
	return j
}

func (j LaneJob) check() error {
	if len(j.Lane) > maxKey {
		return postern.Errorf(postern.Invalid, "store.lane", "a lane's name of %d bytes", len(j.Lane))
	}
	return nil
}

// repeated classes an arrival whose key was there already.
func (a *arrival) repeated(id int64, digest []byte) {
	a.id, a.duplicate = id, true
	a.replayed = !bytes.Equal(digest, a.Digest)
}

// Claim leases up to max lanes that are due, each with its first jobs. Nobody else
// gets them until they are released or the lease runs out.
func (s *Store) Claim(ctx context.Context, max int) ([]*Lease, error) {
	fence := rand.Int64N(1<<62) + 1
	var lanes []string
	err := s.writer("").submit(ctx, &op{claims: true, fn: func(tx *Tx) (err error) {
		for lanes = nil; len(lanes) < max; {
			got, seen, err := s.dialect.claim(tx, tx.now+s.cfg.Lease.Milliseconds(), fence, max-len(lanes))
			lanes = append(lanes, got...)
			if err != nil || seen < max-len(lanes)+len(got) {
				return err
			}
		}
		return nil
	}})
	if err != nil || len(lanes) == 0 {
		return nil, err
	}
	leases := make([]*Lease, 0, len(lanes))
	byName := make(map[string]*Lease, len(lanes))
	for _, name := range lanes {
		l := &Lease{Lane: name, fence: fence}
		leases, byName[name] = append(leases, l), l
	}
	jobs, err := s.dialect.jobs(ctx, s, lanes, perLane)
	if err != nil {
		return nil, s.unclaim(ctx, leases, err)
	}
	for _, j := range jobs {
		l := byName[j.Lane]
		l.Jobs = append(l.Jobs, j)
	}
	return leases, nil
}

// unclaim gives lanes back whose jobs could not be read, so that nobody has to wait
// for the end of their leases.
func (s *Store) unclaim(ctx context.Context, leases []*Lease, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	for _, l := range leases {
		if s.Finish(ctx, l, nil) != nil {
			break
		}
	}
	return cause
}

// NextDue tells when the next lane may want a worker; false if none does. It is never
// too late, but may be too early while a quiet window goes on: Claim then finds nothing,
// and moves it.
func (s *Store) NextDue(ctx context.Context) (time.Time, bool, error) {
	var due sql.NullInt64
	_, err := s.one(ctx, `SELECT MIN(due_at) FROM lanes`, nil, &due)
	return at(due.Int64), due.Valid, err
}

// errLost says that the lane is somebody else's by now.
var errLost = postern.Errorf(postern.Temporary, "store.lane", "the lease ran out and the lane is another's").Because(postern.CauseStale)

// Lost tells whether an error says that the lease ran out.
func Lost(err error) bool { return postern.CauseOf(err) == postern.CauseStale }

// Work runs fn in a transaction, if the lane is still the lease's. The fence keeps
// an owner who was late from writing.
func (s *Store) Work(ctx context.Context, l *Lease, fn func(tx *Tx) error) error {
	return s.writer(l.Lane).submit(ctx, &op{lease: l, fn: fn})
}

// Finish runs fn like Work and gives the lane back: to be due when its next job is,
// or gone if it has none.
func (s *Store) Finish(ctx context.Context, l *Lease, fn func(tx *Tx) error) error {
	return s.writer(l.Lane).submit(ctx, &op{lease: l, fn: fn, gives: true})
}

// Extend makes leases last longer, from now. Those that are no longer the caller's are
// left alone, and told: their owner should stop.
func (s *Store) Extend(ctx context.Context, leases []*Lease) (lost []*Lease, err error) {
	leases = slices.Clone(leases)
	slices.SortFunc(leases, func(a, b *Lease) int { return cmp.Compare(a.Lane, b.Lane) })
	for part := range slices.Chunk(leases, maxGroup) {
		var gone []*Lease
		err := s.writer(part[0].Lane).do(ctx, func(tx *Tx) (err error) {
			gone, err = s.dialect.extend(tx, part, tx.now+s.cfg.Lease.Milliseconds())
			return err
		})
		if err != nil {
			return lost, err
		}
		lost = append(lost, gone...)
	}
	return lost, nil
}

// claimDue leases due lanes, for both databases: %[1]s and %[2]s are the greater and the
// lesser of two values, %[3]s locks the rows, by %[4]s they are found again. A lane whose
// quiet window is open wants to wait for the last of its jobs; where that is still to come
// it is put off instead.
const claimDue = `WITH found AS MATERIALIZED (SELECT number, lane, due_at, cap_at FROM lanes WHERE due_at <= ? ORDER BY due_at LIMIT ? + 0 %[3]s),
due AS MATERIALIZED (SELECT %[4]s, CASE WHEN cap_at <= ? THEN due_at ELSE %[2]s(cap_at, %[1]s(due_at,
 (SELECT MAX(due_at) FROM (SELECT due_at FROM jobs WHERE jobs.lane = found.number ORDER BY id LIMIT 100) AS few))) END AS wish FROM found)
UPDATE lanes SET due_at = CASE WHEN due.wish > ? THEN due.wish ELSE ? END, cap_at = CASE WHEN due.wish > ? THEN lanes.cap_at ELSE ? END,
 fence = CASE WHEN due.wish > ? THEN lanes.fence ELSE ? END, poked = CASE WHEN due.wish > ? THEN lanes.poked ELSE '' END
FROM due WHERE lanes.%[4]s = due.%[4]s RETURNING lanes.lane, lanes.fence`

// claimed runs claimDue.
func claimed(tx *Tx, query string, until, fence int64, max int) (leased []string, seen int, err error) {
	now := tx.now
	_, err = all(tx, func(r *sql.Rows) (_ struct{}, err error) {
		var lane string
		var owner int64
		err = r.Scan(&lane, &owner)
		if seen++; owner == fence {
			leased = append(leased, lane)
			tx.w.known.owned(lane, fence)
		}
		return struct{}{}, err
	}, query, now, max, now, now, until, now, until, now, fence, now)
	return leased, seen, err
}

// dueOf tells when a lane is due whose first job is this one: now if what it waited
// for came while the lane was worked; at its own time; or, while its quiet window is
// open, when the last of the jobs behind it wants.
func dueOf(head laneHead, poked string, now int64) (due, limit int64) {
	switch {
	case poked != "" && poked == head.kind:
		return now, now
	case head.due < head.cap && head.cap > now:
		return min(head.cap, max(head.due, head.latest)), head.cap
	}
	return head.cap, head.cap
}

// dueOf is that for a lane that is given back. Workers are woken for it only if it is due
// before they look by themselves.
func (tx *Tx) dueOf(head laneHead, lane string) (due, limit int64) {
	due, limit = dueOf(head, tx.held[lane].poked, tx.now)
	tx.due = tx.due || due <= tx.now+poll.Milliseconds()
	return due, limit
}

// laneHead is the first job of a lane, as far as it decides when the lane is due.
type laneHead struct {
	kind     string
	due, cap int64
	latest   int64 // due_at of the jobs behind it, if its quiet window is open
}

// latestDue is laneHead.latest in SQL. Only while the window is open the jobs that one
// lease hands out are looked at: a lane may be very long.
const latestDue = `CASE WHEN due_at < cap_at AND cap_at > ? THEN
 (SELECT MAX(due_at) FROM (SELECT due_at FROM jobs b WHERE b.lane = jobs.lane ORDER BY b.id LIMIT 100) AS few) ELSE 0 END`
