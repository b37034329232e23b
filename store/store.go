package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-chat/postern"
)

// Config says where the memory is kept and how it is worked.
type Config struct {
	// Database is "sqlite:FILE" or "postgres://...".
	Database string
	// MaxConnections bounds the readers' connections; the writers' come on top (one on
	// SQLite; two, and one that listens, on PostgreSQL). 0 = 8, at least 2.
	MaxConnections int
	// Lease is how long a lane stays with a worker that does not extend it; 0 = 10 s.
	// A dead owner's lanes are taken up after this time.
	Lease time.Duration
	// Now is the clock; nil = time.Now. On PostgreSQL the database's clock is followed
	// then; one that is given counts instead.
	Now func() time.Time
	// Elapsed counts time evenly, whatever becomes of Now; nil = as the machine counts,
	// or, if Now is given, as that goes.
	Elapsed func() time.Duration
	// Discarded is called in the transaction that forgets a job which was given up: thrown
	// away by an operator, or past its time. What the job was about is not to wait for it
	// any more. It may be called again if the transaction is. nil = nothing waits.
	Discarded func(*Tx, LaneJob) error
	// Logger hears of what is repaired or retried here; nil = silence.
	Logger *slog.Logger
}

// Store is the memory. Its methods are safe for concurrent use. Errors are
// Temporary when the database cannot be reached or is full.
type Store struct {
	cfg        Config
	clock      clock
	dialect    dialect
	db         *sql.DB // readers
	wdb        *sql.DB // writers
	recipients *together[ask]
	answerers  *together[lookup[Answerer]]
	marks      *together[lookup[Marks]]
	reads      statements
	writers    []*writer
	wake       chan struct{}           // a lane became due here
	hands      atomic.Pointer[Workers] // who is at work here, and may be handed lanes
	bell       *bell                   // tells other replicas; nil where there are none
	soon       chan Note
	stops      []func() // end what runs beside; the writers still take its last writes
	close      []func() error
	once       sync.Once
}

// dialect is what differs between the databases.
type dialect interface {
	// rebind turns ? into the database's own placeholders.
	rebind(query string) string
	// begin is the statement that opens a writing transaction.
	begin() string
	// reading is the context of a read whose caller's is ctx.
	reading(ctx context.Context) context.Context
	// patience bounds how long statements may take, where that can be done at little cost.
	patience(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
	// alone tells that record needs no transaction around it, and gets none.
	alone() bool
	// record stores arrivals in one go, lanes before jobs.
	record(tx *Tx, in []*arrival) error
	// hold tells what lanes are, which are in order, and locks their rows if asked to.
	hold(tx *Tx, lanes []string, lock bool) (map[string]heldLane, error)
	// finish takes jobs out of their lanes.
	finish(tx *Tx, jobs []jobKey) error
	// add puts jobs into lanes; they are in order of lane.
	add(tx *Tx, jobs []laneJob) error
	// join makes the conversations that are not there yet, and those participants whose
	// conversation is as told and who are not there yet; it tells how many.
	join(tx *Tx, convs []NewConversation, list []joined) (int, error)
	// deliver stores deliveries and the messages in them; note stores notes; become turns
	// jobs into others, due at once.
	deliver(tx *Tx, ds []Delivery, mailed []mailedRow) error
	note(tx *Tx, notes []Note) error
	// count adds to how many deliveries there are in which state.
	count(tx *Tx, states, ns []int64) error
	// locking is what makes a SELECT keep its rows from others until the end.
	locking() string
	// accept raises deliveries that are being sent to accepted, and tells which those were.
	accept(tx *Tx, list []accepted) ([]string, error)
	become(tx *Tx, jobs []becameJob) error
	// watch keeps watches, none of them twice.
	watch(tx *Tx, ws []Watch, checked bool) error
	// about makes the statement that reads fields of so many participants; for each of his
	// deliveries that the text tells of, which begins with FROM, there is a row.
	about(fields, deliveries string, ids []int64, words []string) (query string, args []any)
	// release gives lanes back, whose rows are locked: due when their next job is, or
	// gone if there is none.
	release(tx *Tx, lanes []string) error
	// extend moves the end of leases, which are in order of lane, and tells which were
	// somebody else's by now, or nobody's.
	extend(tx *Tx, leases []*Lease, until int64) (lost []*Lease, err error)
	// claim looks at due lanes, at most max. It leases those whose quiet is over, and
	// moves the others; it tells which it leased, and how many it saw. fence is unique.
	claim(tx *Tx, until, fence int64, max int) (leased []string, seen int, err error)
	// jobs reads the head of each lane, at most per jobs each.
	jobs(ctx context.Context, s *Store, lanes []string, per int) ([]Job, error)
	// recipients makes the statement that reads wanted rows, at most togetherRows.
	recipients(want []wanted) (query string, args []any)
	// alive tells whether a connection is of use after an error.
	alive(c *sql.Conn) bool
}

// Open opens the database, brings its tables up to date and, where nobody else can
// be at work on it, takes up at once what an earlier process left behind.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Lease == 0 {
		cfg.Lease = 10 * time.Second
	}
	if cfg.MaxConnections == 0 {
		cfg.MaxConnections = 8
	}
	cfg.MaxConnections = max(cfg.MaxConnections, 2) // one migrates while another holds the lock
	s := &Store{cfg: cfg, wake: make(chan struct{}, 1)}
	steady := s.startClock()
	var err error
	switch scheme, rest, _ := strings.Cut(cfg.Database, ":"); scheme {
	case "sqlite":
		err = s.openSQLite(ctx, rest, steady)
	case "postgres", "postgresql":
		err = s.openPostgres(ctx, cfg.Now == nil && cfg.Elapsed == nil)
	default:
		err = postern.Errorf(postern.Denied, "store.open", "database is neither sqlite:FILE nor postgres://...")
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.startNotes()
	s.startReaders()
	return s, nil
}

// Close ends the writers after what is queued is written, and closes the database.
func (s *Store) Close() error {
	var errs []error
	s.once.Do(func() {
		for _, stop := range s.stops {
			stop()
		}
		for _, w := range s.writers {
			w.stop()
		}
		for i := len(s.close) - 1; i >= 0; i-- {
			errs = append(errs, s.close[i]())
		}
	})
	return errors.Join(errs...)
}

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.db.PingContext(ctx); err != nil {
		return fault("store.ping", err)
	}
	return nil
}

// Do runs fn in a transaction, together with others'. fn may be run again after a
// conflict, so it may only write through tx and set what it sets anew each time.
func (s *Store) Do(ctx context.Context, fn func(tx *Tx) error) error {
	return s.writer("").do(ctx, fn)
}

// now is the time by which lanes are due, in ms.
func (s *Store) now() int64 { return s.clock.now() }

func (s *Store) writer(lane string) *writer {
	if len(s.writers) == 1 {
		return s.writers[0]
	}
	// The same lane goes to the same writer: within this process two groups never wait
	// for each other's rows.
	h := uint32(2166136261)
	for i := range len(lane) {
		h = (h ^ uint32(lane[i])) * 16777619
	}
	return s.writers[h%uint32(len(s.writers))]
}

// signal tells the local workers that a lane may be due.
func (s *Store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// added tells everybody's workers that a lane may be due.
func (s *Store) added() {
	s.signal()
	if s.bell != nil {
		select {
		case s.bell.ring <- struct{}{}:
		default:
		}
	}
}

// statements keeps prepared statements of a pool by their text. The texts are
// constants of this package (lists of values have three lengths), so there are few.
type statements struct {
	mu sync.RWMutex
	m  map[string]*sql.Stmt
}

func (c *statements) get(ctx context.Context, s *Store, query string) (*sql.Stmt, error) {
	c.mu.RLock()
	st := c.m[query]
	c.mu.RUnlock()
	if st != nil {
		return st, nil
	}
	st, err := s.db.PrepareContext(ctx, s.dialect.rebind(query))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.m[query]; old != nil {
		_ = st.Close()
		return old, nil
	}
	if c.m == nil {
		c.m = map[string]*sql.Stmt{}
	}
	c.m[query] = st
	return st, nil
}

// query reads outside any transaction.
func (s *Store) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := s.reads.get(ctx, s, query)
	if err != nil {
		return nil, fault("store.read", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fault("store.read", err)
	}
	rows, err := st.QueryContext(s.dialect.reading(ctx), clean(args)...)
	if err != nil {
		return nil, fault("store.read", err)
	}
	return rows, nil
}

// one reads one row into dest; false if there is none.
func (s *Store) one(ctx context.Context, query string, args []any, dest ...any) (bool, error) {
	st, err := s.reads.get(ctx, s, query)
	if err != nil {
		return false, fault("store.read", err)
	}
	if err := ctx.Err(); err != nil {
		return false, fault("store.read", err)
	}
	return found(st.QueryRowContext(s.dialect.reading(ctx), clean(args)...).Scan(dest...))
}

func found(err error) (bool, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fault("store.read", err)
	}
	return true, nil
}

// collect reads all rows with scan.
func collect[T any](rows *sql.Rows, scan func(*sql.Rows) (T, error)) ([]T, error) {
	defer func() { _ = rows.Close() }()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, fault("store.read", err)
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fault("store.read", err)
	}
	return out, nil
}

// fault gives an error of the database a kind. What the database said about the
// statement itself is Internal: saying the same again is of no use for long.
func fault(op string, err error) error {
	var e *postern.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	kind := postern.Temporary
	if ownFaultSQLite(err) || ownFaultPostgres(err) {
		kind = postern.Internal
	}
	return &postern.Error{Kind: kind, Op: op, Err: err}
}

// numbered turns ? into $1, $2, ...
func numbered(query string) string {
	var b strings.Builder
	n := 0
	for i := range len(query) {
		if query[i] == '?' {
			n++
			fmt.Fprintf(&b, "$%d", n)
			continue
		}
		b.WriteByte(query[i])
	}
	return b.String()
}
