package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/postern-chat/postern"
)

// postgres is the dialect of PostgreSQL: any number of processes, two writers in each.
type postgres struct{}

const pgWriters = 2

func (s *Store) openPostgres(ctx context.Context, follow bool) error {
	cfg, err := pgx.ParseConfig(s.cfg.Database)
	if err != nil {
		// pgx leaves the password out of this text.
		return &postern.Error{Kind: postern.Denied, Op: "store.open", Err: err}
	}
	s.dialect = postgres{}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "postern"
	}
	pool := func(n int, opts ...stdlib.OptionOpenDB) *sql.DB {
		db := stdlib.OpenDB(*cfg, opts...)
		db.SetMaxOpenConns(n)
		db.SetMaxIdleConns(n)
		s.close = append(s.close, db.Close)
		return db
	}
	s.wdb, s.db = pool(pgWriters, stdlib.OptionAfterConnect(writing)), pool(s.cfg.MaxConnections)
	if err := migratePostgres(ctx, s.db); err != nil {
		return err
	}
	if _, err := s.db.ExecContext(ctx, foldCounts); err != nil {
		return fault("store.open", err)
	}
	if follow {
		if err := s.measureClock(ctx); err != nil {
			return err
		}
		s.watch(measureEvery, s.measureClock)
	}
	s.startWriters(pgWriters)
	s.startBell(cfg)
	return nil
}

// foldCounts puts the counts of connections together that are gone.
const foldCounts = `WITH gone AS (DELETE FROM delivery_counts WHERE connection <> 0
 AND NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = connection) RETURNING state, n)
INSERT INTO delivery_counts AS c SELECT 0, state, SUM(n) FROM gone GROUP BY state ORDER BY state
ON CONFLICT (connection, state) DO UPDATE SET n = c.n + excluded.n`

// writing prepares a writer's connection. A commit must be on the disk when it is
// answered. Long values are compressed by the quicker way, where the server has it: what is
// said of a webhook and of a mail is mostly that. A process that is frozen or cut off in a
// transaction must not hold its rows for longer than a lease.
func writing(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, `SELECT set_config('idle_in_transaction_session_timeout', '10s', false), set_config('lock_timeout', '10s', false),
 set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false),
 (SELECT set_config(name, 'lz4', false) FROM pg_settings WHERE name = 'default_toast_compression' AND setting = 'pglz' AND 'lz4' = ANY(enumvals))`)
	return err
}

func (postgres) rebind(query string) string { return numbered(query) }

// begin names the isolation that release needs: it must see what was committed while
// it waited for a lane's row, whatever the server's default is.
func (postgres) begin() string   { return "BEGIN ISOLATION LEVEL READ COMMITTED" }
func (postgres) alone() bool     { return true }
func (postgres) locking() string { return " FOR UPDATE" }

func (postgres) patience(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}
func (postgres) reading(ctx context.Context) context.Context { return ctx }

func (postgres) alive(c *sql.Conn) bool {
	alive := false
	err := c.Raw(func(dc any) error {
		if sc, ok := dc.(*stdlib.Conn); ok {
			alive = !sc.Conn().IsClosed()
		}
		return nil
	})
	return alive && err == nil
}

// ownFaultPostgres tells whether PostgreSQL blames the statement or its values:
// classes 22, 23, 42 and 54 (data, constraint, syntax, limits).
func ownFaultPostgres(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) || len(e.Code) != 5 {
		return false
	}
	switch e.Code[:2] {
	case "22", "23", "42", "54":
		return true
	}
	return false
}

// conflictPostgres tells whether other transactions were in the way: a deadlock, or a
// wait for a lock that took too long.
func conflictPostgres(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40P01" || e.Code == "40001" || e.Code == "55P03")
}

// recordAll does everything in one statement, hence one round trip and no BEGIN:
// events, in order of key so that two groups never wait for each other's keys
// crosswise; then for those that were new the lanes, in order too; then, when all
// lanes' rows are locked, the jobs, so that ids within a lane become visible in order.
// A lane that is there already is locked by a change of nothing, which touches no index.
// The bodies go from the array to the table and nowhere else: they come in their order,
// and bring their ids. Ids for the next group come back, and those of jobs whose lanes
// are handed on.
const recordAll = `WITH stored AS (
 INSERT INTO events (id, source, dedup, digest, received_at, told, body, content, content_ref)
 SELECT id, source, dedup, digest, ?::bigint, told, body, content, ref
 FROM unnest(?::bigint[], ?::text[], ?::text[], ?::bytea[], ?::text[], ?::bytea[], ?::bytea[], ?::text[]) AS t(id, source, dedup, digest, told, body, content, ref)
 ON CONFLICT (dedup) WHERE dedup IS NOT NULL DO NOTHING RETURNING id
), work AS MATERIALIZED (
 SELECT j.*` + fromJobs + ` JOIN stored ON stored.id = j.event
), ` + putJobs + `SELECT 0, id, '' FROM stored UNION ALL SELECT 1, nextval('events_id_seq'), '' FROM generate_series(1, ?)
UNION ALL ` + handedOn

// fromJobs are jobs as columnsOf has them; putJobs puts work into its lanes.
const (
	fromJobs = `
 FROM unnest(?::bigint[], ?::text[], ?::text[], ?::bytea[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[])
  WITH ORDINALITY AS j(event, lane, kind, args, due, cap, opens, closes, fence, n)
`
	putJobs = `woken AS (
 INSERT INTO lanes (lane, due_at, cap_at, fence)
 SELECT lane, opens, closes, fence FROM (SELECT DISTINCT ON (lane COLLATE "C") lane, opens, closes, fence FROM work ORDER BY lane COLLATE "C", n) AS firsts
 ON CONFLICT (lane) DO UPDATE SET fence = lanes.fence RETURNING lane, number, fence
), added AS (
 INSERT INTO jobs (lane, kind, event_id, args, due_at, cap_at, added_at)
 SELECT woken.number, kind, event, args, due, cap, ?::bigint FROM work JOIN woken ON woken.lane = work.lane ORDER BY work.n RETURNING lane, id
)
`
)

// handedOn are the jobs of lanes that were opened as leased by us.
const handedOn = `SELECT 2, added.id, woken.lane FROM added JOIN woken ON woken.number = added.lane WHERE woken.fence = ?::bigint`

// eventIDs gives ids of events that are to be. Those that a group leaves are not many: at
// little traffic ids rise with time, but for a few.
func (postgres) eventIDs(tx *Tx, n int) ([]int64, error) {
	k := tx.w.known
	if k == nil {
		k = &known{}
		tx.w.known = k
	}
	if missing := n - len(k.ids); missing > 0 {
		more, err := all(tx, scanInt, `SELECT nextval('events_id_seq') FROM generate_series(1, ?)`, missing)
		if err != nil {
			return nil, err
		}
		k.ids = append(k.ids, more...)
	}
	ids := k.ids[:n:n]
	k.ids = k.ids[n:]
	return ids, nil
}

func (d postgres) record(tx *Tx, in []*arrival) error {
	n := len(in)
	ids, err := d.eventIDs(tx, n)
	if err != nil {
		return err
	}
	sorted := slices.SortedStableFunc(slices.Values(in), func(a, b *arrival) int { return cmp.Compare(a.Dedup, b.Dedup) })
	sources, keys, digests, told := make([]string, n), make([]*string, n), make([][]byte, n), make([]*string, n)
	bodies, contents, refs := make([][]byte, n), make([][]byte, n), make([]string, n)
	for i, a := range sorted {
		a.id, a.duplicate, a.replayed = ids[i], true, false
		sources[i], digests[i], bodies[i], contents[i], refs[i] = a.Source, a.Digest, a.Body, a.Content, a.Ref
		if a.Dedup != "" {
			keys[i] = &a.Dedup
		}
		if a.told != "" {
			told[i] = &a.told
		}
	}
	var jobs []laneJob
	for _, a := range in {
		for _, j := range a.Jobs {
			jobs = append(jobs, newLaneJob(j, a.id, tx.now).from(a))
		}
	}
	tx.promise(jobs, anyLane)
	c := columnsOf(tx, jobs)
	out, err := all(tx, scanOutcome, recordAll, tx.now, ids, sources, keys, digests, told, bodies, contents, refs,
		c.events, c.lanes, c.kinds, c.args, c.dues, c.caps, c.opens, c.closes, c.fences, tx.now, max(n-len(tx.w.known.ids), 0), tx.handoff.fence)
	if err != nil {
		return err
	}
	stored := make(map[int64]bool, n)
	for _, o := range out {
		switch o.what {
		case wasStored:
			stored[o.id] = true
		case nextID:
			tx.w.known.ids = append(tx.w.known.ids, o.id)
		}
	}
	tx.handOn(slices.DeleteFunc(jobs, func(j laneJob) bool { return !stored[j.event] }), out)
	repeats := map[string][]*arrival{}
	for _, a := range in {
		if a.duplicate = !stored[a.id]; a.duplicate {
			repeats[a.Dedup] = append(repeats[a.Dedup], a)
		}
	}
	return findFirsts(tx, repeats)
}

func anyLane(string) bool { return true }

// outcome is one row of what recordAll tells.
type outcome struct {
	what int
	id   int64
	lane string
}

// What an outcome is: an event that is new; an id for an event to be; a job in a lane that
// is handed on.
const (
	wasStored = iota
	nextID
	handedJob
)

func scanOutcome(r *sql.Rows) (o outcome, err error) { return o, r.Scan(&o.what, &o.id, &o.lane) }

// handOn gives jobs that were added to the leases of the lanes they opened. Within a lane
// ids are in the jobs' order.
func (tx *Tx) handOn(jobs []laneJob, out []outcome) {
	ids := map[string][]int64{}
	for _, o := range out {
		if o.what == handedJob {
			ids[o.lane] = append(ids[o.lane], o.id)
		}
	}
	for lane, list := range ids {
		slices.Sort(list)
		ids[lane] = list
	}
	for _, j := range jobs {
		list := ids[j.Lane]
		if len(list) == 0 {
			tx.handoff.drop(j.Lane)
			continue
		}
		tx.handoff.hand(j, list[0], tx.now)
		ids[j.Lane] = list[1:]
	}
	tx.wake(jobs)
}

// findFirsts finds what arrivals repeat.
func findFirsts(tx *Tx, repeats map[string][]*arrival) error {
	if len(repeats) == 0 {
		return nil
	}
	keys := slices.Sorted(maps.Keys(repeats))
	type first struct {
		id     int64
		key    string
		digest []byte
	}
	firsts, err := all(tx, func(r *sql.Rows) (f first, err error) { return f, r.Scan(&f.id, &f.key, &f.digest) },
		`SELECT id, dedup, digest FROM events WHERE dedup = ANY(?::text[])`, keys)
	if err != nil {
		return err
	}
	for _, f := range firsts {
		for _, a := range repeats[f.key] {
			a.repeated(f.id, f.digest)
		}
		delete(repeats, f.key)
	}
	if len(repeats) > 0 { // taken away in between
		return tx.fail(errors.New("what an arrival repeats is gone"))
	}
	return nil
}

// jobColumnsOf are jobs as columns, for unnest; opens, closes and fences are what a lane
// begins with that is opened by the job.
type jobColumnsOf struct {
	events, dues, caps    []int64
	opens, closes, fences []int64
	lanes, kinds          []string
	args                  [][]byte
}

func columnsOf(tx *Tx, jobs []laneJob) (c jobColumnsOf) {
	for _, j := range jobs {
		c.events, c.dues, c.caps = append(c.events, j.event), append(c.dues, j.due), append(c.caps, j.cap)
		c.lanes, c.kinds, c.args = append(c.lanes, j.Lane), append(c.kinds, j.Kind), append(c.args, j.Args)
		due, limit, fence := tx.opening(j)
		c.opens, c.closes, c.fences = append(c.opens, due), append(c.closes, limit), append(c.fences, fence)
	}
	return c
}

// add is the second half of recordAll.
func (postgres) add(tx *Tx, jobs []laneJob) error {
	tx.promise(jobs, anyLane)
	c := columnsOf(tx, jobs)
	out, err := all(tx, scanOutcome, `WITH work AS MATERIALIZED (SELECT *`+fromJobs+`), `+putJobs+handedOn, c.events, c.lanes, c.kinds, c.args, c.dues, c.caps, c.opens, c.closes, c.fences, tx.now, tx.handoff.fence)
	if err == nil {
		tx.handOn(jobs, out)
	}
	return err
}

func (postgres) hold(tx *Tx, lanes []string, lock bool) (map[string]heldLane, error) {
	query := `SELECT lane, number, fence, poked FROM lanes WHERE lane = ANY(?::text[])`
	if lock {
		query += ` ORDER BY lane COLLATE "C" FOR UPDATE`
	}
	held := make(map[string]heldLane, len(lanes))
	_, err := all(tx, func(r *sql.Rows) (_ struct{}, err error) {
		var lane string
		var h heldLane
		err = r.Scan(&lane, &h.number, &h.fence, &h.poked)
		held[lane] = h
		return struct{}{}, err
	}, query, lanes)
	return held, err
}

func (postgres) finish(tx *Tx, jobs []jobKey) error {
	lanes, ids := make([]int64, len(jobs)), make([]int64, len(jobs))
	for i, j := range jobs {
		lanes[i], ids[i] = tx.held[j.lane].number, j.id
	}
	_, err := tx.exec(`DELETE FROM jobs USING unnest(?::bigint[], ?::bigint[]) AS u(lane, id) WHERE jobs.lane = u.lane AND jobs.id = u.id`, lanes, ids)
	return err
}

// release recomputes when lanes are due. It stands in a statement of its own after
// hold has locked the rows: only so does it see the jobs that were added meanwhile.
func (postgres) release(tx *Tx, lanes []string) error {
	heads, numbers := make(map[string]laneHead, len(lanes)), make([]int64, len(lanes))
	for i, lane := range lanes {
		numbers[i] = tx.held[lane].number
	}
	_, err := all(tx, func(r *sql.Rows) (_ struct{}, err error) {
		var lane string
		var h laneHead
		err = r.Scan(&lane, &h.kind, &h.due, &h.cap, &h.latest)
		heads[lane] = h
		return struct{}{}, err
	}, `SELECT l.name, h.* FROM unnest(?::text[], ?::bigint[]) AS l(name, number) CROSS JOIN LATERAL
(SELECT kind, due_at, cap_at, `+latestDue+` FROM jobs WHERE jobs.lane = l.number ORDER BY id LIMIT 1) AS h`, lanes, numbers, tx.now)
	if err != nil {
		return err
	}
	var empty, open []string
	var dues, caps []int64
	for _, lane := range lanes {
		h, ok := heads[lane]
		if !ok {
			empty = append(empty, lane)
			continue
		}
		due, limit := tx.dueOf(h, lane)
		open, dues, caps = append(open, lane), append(dues, due), append(caps, limit)
	}
	if len(empty) > 0 {
		if _, err := tx.exec(`DELETE FROM lanes WHERE lane = ANY(?::text[])`, empty); err != nil {
			return err
		}
	}
	if len(open) > 0 {
		_, err = tx.exec(`UPDATE lanes SET due_at = u.due, cap_at = u.cap, fence = 0, poked = ''
FROM unnest(?::text[], ?::bigint[], ?::bigint[]) AS u(lane, due, cap) WHERE lanes.lane = u.lane`, open, dues, caps)
	}
	return err
}

func (postgres) extend(tx *Tx, leases []*Lease, until int64) (lost []*Lease, err error) {
	lanes, fences := make([]string, len(leases)), make([]int64, len(leases))
	for i, l := range leases {
		lanes[i], fences[i] = l.Lane, l.fence
	}
	type owned struct {
		lane  string
		fence int64
	}
	kept := map[owned]bool{}
	_, err = all(tx, func(r *sql.Rows) (_ struct{}, err error) {
		var o owned
		err = r.Scan(&o.lane, &o.fence)
		kept[o] = true
		return struct{}{}, err
	}, `WITH mine AS MATERIALIZED (SELECT lanes.lane FROM lanes JOIN unnest(?::text[], ?::bigint[]) AS u(lane, fence)
 ON lanes.lane = u.lane AND lanes.fence = u.fence ORDER BY lanes.lane COLLATE "C" FOR UPDATE OF lanes)
UPDATE lanes SET due_at = ?, cap_at = ? FROM mine WHERE lanes.lane = mine.lane RETURNING lanes.lane, lanes.fence`, lanes, fences, until, until)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(leases), func(l *Lease) bool { return kept[owned{l.Lane, l.fence}] }), nil
}

// claim reads the jobs of an open window as they were when the statement began. One that
// is added meanwhile finds the lane as if it came a moment later.
func (postgres) claim(tx *Tx, until, fence int64, max int) ([]string, int, error) {
	return claimed(tx, fmt.Sprintf(claimDue, "GREATEST", "LEAST", "FOR UPDATE SKIP LOCKED", "lane"), until, fence, max)
}

func (postgres) jobs(ctx context.Context, s *Store, lanes []string, per int) ([]Job, error) {
	rows, err := s.query(ctx, `SELECT `+jobColumns+` FROM lanes l
CROSS JOIN LATERAL (SELECT id, SUM(size) OVER (ORDER BY id) - size AS before FROM
 (SELECT jobs.id, COALESCE(octet_length(body), 0) + COALESCE(octet_length(content), 0) AS size
  FROM jobs LEFT JOIN events ON events.id = jobs.event_id WHERE jobs.lane = l.number ORDER BY jobs.id LIMIT ?) AS sizes) AS few
JOIN jobs j ON j.lane = l.number AND j.id = few.id LEFT JOIN events e ON e.id = j.event_id
WHERE l.lane = ANY(?::text[]) AND few.before < ? ORDER BY j.id`, per, lanes, perLaneBytes)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanJob)
}
