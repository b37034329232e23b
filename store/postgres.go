package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/postern-chat/postern"
)

// postgres is the dialect of PostgreSQL: any number of processes, two writers in each.
type postgres struct{}

const (
	pgWriters = 2
	// notifyEvery bounds how often other replicas are told that lanes are due. NOTIFY
	// takes an instance-wide lock at commit, so it never stands in an accepting
	// transaction and is sent for many at once.
	notifyEvery = 15 * time.Millisecond
	notifyName  = "postern_lanes"
)

func (s *Store) openPostgres(ctx context.Context) error {
	cfg, err := pgx.ParseConfig(s.cfg.Database)
	if err != nil {
		// pgx leaves the password out of this text.
		return &postern.Error{Kind: postern.Denied, Op: "store.open", Err: err}
	}
	s.dialect = postgres{}
	pool := func(n int) *sql.DB {
		db := stdlib.OpenDB(*cfg)
		db.SetMaxOpenConns(n)
		db.SetMaxIdleConns(n)
		s.close = append(s.close, db.Close)
		return db
	}
	s.wdb, s.db = pool(pgWriters), pool(s.cfg.MaxConnections)
	if err := migrate(ctx, s.db, "postgres", "migrations/postgres"); err != nil {
		return err
	}
	s.startWriters(pgWriters)
	s.startBell(cfg)
	return nil
}

func (postgres) rebind(query string) string { return numbered(query) }
func (postgres) begin() string              { return "BEGIN" }
func (postgres) lock() string               { return " FOR UPDATE" }

// broken: whatever is not the server's own word on a statement leaves the connection
// in an unknown state; so do shutdown and lost sessions (class 57).
func (postgres) broken(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return len(pg.Code) == 5 && pg.Code[:2] == "57" || errors.Is(err, driver.ErrBadConn)
	}
	return postern.KindOf(err) == postern.Internal || errors.Is(err, driver.ErrBadConn)
}

func (postgres) record(tx *Tx, in []*arrival) error {
	if err := numberArrivals(tx, in); err != nil {
		return err
	}
	n := len(in)
	ids, sources, keys := make([]int64, n), make([]string, n), make([]*string, n)
	digests, bodies, contents, refs := make([][]byte, n), make([][]byte, n), make([][]byte, n), make([]string, n)
	for i, a := range in {
		ids[i], sources[i], digests[i], bodies[i], contents[i], refs[i] = a.id, a.Source, a.Digest, a.Body, a.Content, a.Ref
		if a.Dedup != "" {
			keys[i] = &a.Dedup
		}
	}
	// Inserted in order of key: two groups never wait for each other's keys crosswise.
	rows, err := tx.query(`INSERT INTO events (id, source, dedup, digest, received_at, body, content, content_ref)
SELECT i, s, k, d, ?::bigint, b, c, r FROM unnest(?::bigint[], ?::text[], ?::text[], ?::bytea[], ?::bytea[], ?::bytea[], ?::text[]) AS t(i, s, k, d, b, c, r)
ORDER BY k, i ON CONFLICT DO NOTHING RETURNING id`, tx.now, ids, sources, keys, digests, bodies, contents, refs)
	if err != nil {
		return err
	}
	stored, err := collect(rows, func(r *sql.Rows) (id int64, err error) { return id, r.Scan(&id) })
	if err != nil {
		return err
	}
	if len(stored) < n {
		if err := findRepeats(tx, in, stored); err != nil {
			return err
		}
	}
	for _, a := range in {
		if a.duplicate {
			continue
		}
		for _, note := range a.Notes {
			if err := tx.Note(note.of(a.id)); err != nil {
				return err
			}
		}
	}
	return addMany(tx, byLane(in, tx.now))
}

// numberArrivals takes event ids before the rows are made, so that a row can be told
// from its neighbours in what INSERT ... RETURNING gives back.
func numberArrivals(tx *Tx, in []*arrival) error {
	rows, err := tx.query(`SELECT nextval(pg_get_serial_sequence('events', 'id')) FROM generate_series(1, ?::int)`, len(in))
	if err != nil {
		return err
	}
	ids, err := collect(rows, func(r *sql.Rows) (id int64, err error) { return id, r.Scan(&id) })
	if err != nil {
		return err
	}
	for i, a := range in {
		a.id, a.duplicate, a.replayed = ids[i], false, false
	}
	return nil
}

func findRepeats(tx *Tx, in []*arrival, stored []int64) error {
	slices.Sort(stored)
	var keys []string
	for _, a := range in {
		if _, ok := slices.BinarySearch(stored, a.id); !ok {
			a.duplicate = true
			keys = append(keys, a.Dedup)
		}
	}
	type first struct {
		id     int64
		key    string
		digest []byte
	}
	rows, err := tx.query(`SELECT id, dedup, digest FROM events WHERE dedup = ANY(?::text[])`, keys)
	if err != nil {
		return err
	}
	firsts, err := collect(rows, func(r *sql.Rows) (f first, err error) { return f, r.Scan(&f.id, &f.key, &f.digest) })
	if err != nil {
		return err
	}
	byKey := make(map[string]first, len(firsts))
	for _, f := range firsts {
		byKey[f.key] = f
	}
	for _, a := range in {
		if a.duplicate {
			f := byKey[a.Dedup]
			a.repeated(f.id, f.digest)
		}
	}
	return nil
}

// addMany is add for many jobs, in two statements. jobs are in order of lane.
func addMany(tx *Tx, jobs []laneJob) error {
	if len(jobs) == 0 {
		return nil
	}
	n := len(jobs)
	var lanes []string
	var dues, caps []int64
	names, kinds, args := make([]string, n), make([]string, n), make([][]byte, n)
	events, jobDues, jobCaps := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, j := range jobs {
		names[i], kinds[i], args[i], events[i], jobDues[i], jobCaps[i] = j.Lane, j.Kind, j.Args, j.event, j.due, j.cap
		if k := len(lanes); k == 0 || lanes[k-1] != j.Lane {
			lanes, dues, caps = append(lanes, j.Lane), append(dues, j.due), append(caps, j.cap)
			continue
		}
		k := len(lanes) - 1
		dues[k] = min(caps[k], max(dues[k], j.due))
	}
	_, err := tx.exec(`INSERT INTO lanes (lane, due_at, cap_at) SELECT * FROM unnest(?::text[], ?::bigint[], ?::bigint[])
ON CONFLICT (lane) DO UPDATE SET due_at = LEAST(lanes.cap_at, GREATEST(lanes.due_at, excluded.due_at))`, lanes, dues, caps)
	if err != nil {
		return err
	}
	_, err = tx.exec(`INSERT INTO jobs (lane, kind, event_id, args, due_at, cap_at, added_at)
SELECT l, k, e, a, d, c, ?::bigint FROM unnest(?::text[], ?::text[], ?::bigint[], ?::bytea[], ?::bigint[], ?::bigint[]) WITH ORDINALITY AS t(l, k, e, a, d, c, n) ORDER BY n`,
		tx.now, names, kinds, events, args, jobDues, jobCaps)
	return err
}

func (postgres) claim(tx *Tx, now, until, fence int64, max int) ([]string, error) {
	rows, err := tx.query(`UPDATE lanes SET due_at = ?, cap_at = ?, fence = ? WHERE lane IN
(SELECT lane FROM lanes WHERE due_at <= ? ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED) RETURNING lane`, until, until, fence, now, max)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanString)
}

func (postgres) jobs(ctx context.Context, s *Store, lanes []string, per int) ([]Job, error) {
	rows, err := s.query(ctx, `SELECT `+jobColumns+` FROM unnest(?::text[]) AS l(lane)
CROSS JOIN LATERAL (SELECT * FROM jobs WHERE jobs.lane = l.lane ORDER BY id LIMIT ?) j LEFT JOIN events e ON e.id = j.event_id ORDER BY j.id`, lanes, per)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanJob)
}

// bell tells other replicas that lanes are due, and hears them.
type bell struct {
	ring   chan struct{}
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func (s *Store) startBell(cfg *pgx.ConnConfig) {
	ctx, cancel := context.WithCancel(context.Background())
	b := &bell{ring: make(chan struct{}, 1), cancel: cancel}
	s.bell = b
	b.wg.Add(2)
	go func() { defer b.wg.Done(); s.notify(ctx) }()
	go func() { defer b.wg.Done(); s.listen(ctx, cfg) }()
	s.close = append(s.close, func() error { cancel(); b.wg.Wait(); return nil })
}

func (s *Store) notify(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.bell.ring:
		}
		// Lost notifications cost a poll's delay, nothing more.
		if _, err := s.db.ExecContext(ctx, "NOTIFY "+notifyName); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Debug("other replicas could not be told of due lanes", "error", err)
		}
		if !sleep(ctx, notifyEvery) {
			return
		}
	}
}

func (s *Store) listen(ctx context.Context, cfg *pgx.ConnConfig) {
	for ctx.Err() == nil {
		if err := s.hear(ctx, cfg); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Debug("the connection that listens for due lanes broke", "error", err)
		}
		sleep(ctx, time.Second)
	}
}

func (s *Store) hear(ctx context.Context, cfg *pgx.ConnConfig) error {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+notifyName); err != nil {
		return err
	}
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		s.signal()
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
