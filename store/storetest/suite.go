package storetest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// Backend is a database under test.
type Backend struct {
	// Fresh makes an empty database and gives its Config.Database.
	Fresh func(t testing.TB) string
	// Shared tells that several stores may be open on one database.
	Shared bool
	// Queued tells how many writes wait in a store, so that a test can make a group.
	Queued func(*store.Store) int
	// Share tells how long functions of one group may run, if one of them asks.
	Share func(*store.Store) time.Duration
	// Woken, where Shared, receives when another store has something due.
	Woken func(*store.Store) <-chan struct{}
	// LookAtClock, if any, has a store notice that its Config.Now was set.
	LookAtClock func(context.Context, *store.Store) error
	// HandOnly has lanes handed to a handler that nobody asks for, until stop is called.
	HandOnly func(s *store.Store, slots int, h store.Handler) (stop func())
	// HandedOver waits until none that were handed on is worked, Stopping until stop is
	// under way.
	HandedOver, Stopping func(*store.Store)
	// Holds tells what is wrong in a store that a test leaves behind.
	Holds func(context.Context, *store.Store) error
	// Closing, if any, is called with a store before it is closed.
	Closing func(*store.Store)
}

// Run runs the suite.
func Run(t *testing.T, b Backend) {
	tests := []struct {
		name string
		run  func(*testing.T, Backend)
	}{
		{"Record", testRecord},
		{"RecordGroup", testRecordGroup},
		{"RecordRace", testRecordRace},
		{"RecordStrange", testRecordStrange},
		{"OrderOfConcurrentRecorders", testOrder},
		{"QuietWindow", testQuiet},
		{"QuietWindowLeavesOthers", testQuietOthers},
		{"BackoffHolds", testBackoff},
		{"ClaimExclusive", testClaimExclusive},
		{"ClaimBounds", testClaimBounds},
		{"Fence", testFence},
		{"Extend", testExtend},
		{"ReleaseSeesAdded", testReleaseSeesAdded},
		{"JobVerbs", testJobVerbs},
		{"Poke", testPoke},
		{"Kinds", testKinds},
		{"LongLane", testLongLane},
		{"Model", testModel},
		{"Neighbours", testNeighbours},
		{"QueueFull", testQueueFull},
		{"ArrivalsTakeTurns", testArrivalsTakeTurns},
		{"ContextEnds", testContextEnds},
		{"Close", testClose},
		{"Reopen", testReopen},
		{"ClockSteps", testClockSteps},
		{"ClockStepsRounds", testClockStepsRounds},
		{"ClockStepsCalls", testClockStepsCalls},
		{"HandOff", testHandOff},
		{"HandOffGroup", testHandOffGroup},
		{"HandOffSlots", testHandOffSlots},
		{"HandOffStop", testHandOffStop},
		{"WorkersOrder", testWorkersOrder},
		{"WorkersLose", testWorkersLose},
		{"WorkersPanic", testWorkersPanic},
		{"WorkersKinds", testWorkersKinds},
		{"WorkersHalfDone", testWorkersHalfDone},
		{"WorkersMoving", testWorkersMoving},
		{"WorkersStop", testWorkersStop},
		{"People", testPeople},
		{"Participants", testParticipants},
		{"Recipients", testRecipients},
		{"RecipientsSeeCommitted", testRecipientsSeeCommitted},
		{"RecipientsEnd", testRecipientsEnd},
		{"Deliveries", testDeliveries},
		{"FirstDelivery", testFirstDelivery},
		{"DeliveryOrder", testDeliveryOrder},
		{"DeliveryCounts", testDeliveryCounts},
		{"Mailed", testMailed},
		{"Revisions", testRevisions},
		{"Posts", testPosts},
		{"PostsTogether", testPostsTogether},
		{"Answerer", testAnswerer},
		{"Marks", testMarks},
		{"LookTogether", testLookTogether},
		{"Held", testHeld},
		{"Notes", testNotes},
		{"Told", testTold},
		{"MailsExplained", testMailsExplained},
		{"Watches", testWatches},
		{"Rounds", testRounds},
		{"Asks", testAsks},
		{"HeardAndMailed", testHeardAndMailed},
		{"WrittenTogether", testWrittenTogether},
		{"Newcomers", testNewcomers},
		{"Accepted", testAccepted},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, b) })
	}
}

// Clock is a clock that a test moves.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock makes a clock that stands at some moment.
func NewClock() *Clock { return &Clock{now: time.UnixMilli(1_800_000_000_000).UTC()} }

// Now is a Config.Now.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Move moves the clock.
func (c *Clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// patience is how long a test waits for what must come; no test measures it.
const patience = 60 * time.Second

const lease = 10 * time.Second

func ctxOf(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	return ctx
}

// open opens a fresh database on a clock of its own.
func open(t testing.TB, b Backend) (*store.Store, *Clock) {
	t.Helper()
	clock := NewClock()
	s := openAt(t, store.Config{Database: b.Fresh(t), Now: clock.Now, Lease: lease})
	t.Cleanup(func() { holds(t, b, s) })
	if b.Closing != nil {
		t.Cleanup(func() { b.Closing(s) })
	}
	return s, clock
}

func holds(t testing.TB, b Backend, s *store.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.Holds(ctx, s); err != nil {
		t.Error(err)
	}
}

func openAt(t testing.TB, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(ctxOf(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// job is a job that is due at once.
func job(lane, kind string) store.LaneJob { return store.LaneJob{Lane: lane, Kind: kind} }

// record records an arrival with jobs, which must be new.
func record(t testing.TB, s *store.Store, key string, jobs ...store.LaneJob) int64 {
	t.Helper()
	id, dup, err := s.Record(ctxOf(t), store.Arrival{Source: "test", Dedup: key, Digest: []byte("d"), Body: []byte(key), Jobs: jobs})
	if err != nil || dup || id == 0 {
		t.Fatalf("record %q: id %d, duplicate %v, error %v", key, id, dup, err)
	}
	return id
}

func claim(t testing.TB, s *store.Store) []*store.Lease {
	t.Helper()
	leases, err := s.Claim(ctxOf(t), 1000)
	if err != nil {
		t.Fatal(err)
	}
	return leases
}

// claimOne claims and expects one lane.
func claimOne(t testing.TB, s *store.Store, lane string) *store.Lease {
	t.Helper()
	leases := claim(t, s)
	if len(leases) != 1 || leases[0].Lane != lane {
		t.Fatalf("claimed %s, want %s alone", names(leases), lane)
	}
	return leases[0]
}

func claimNone(t testing.TB, s *store.Store, why string) {
	t.Helper()
	if leases := claim(t, s); len(leases) != 0 {
		t.Fatalf("%s: claimed %s, want none", why, names(leases))
	}
}

func names(leases []*store.Lease) string {
	var out []string
	for _, l := range leases {
		out = append(out, fmt.Sprintf("%s(%d)", l.Lane, len(l.Jobs)))
	}
	return fmt.Sprint(out)
}

// finish does all jobs of a lease and gives the lane back.
func finish(t testing.TB, s *store.Store, l *store.Lease) {
	t.Helper()
	ok(t, s.Finish(ctxOf(t), l, func(tx *store.Tx) error { return tx.Done(l.Jobs...) }))
}

func do(t testing.TB, s *store.Store, fn func(tx *store.Tx) error) {
	t.Helper()
	ok(t, s.Do(ctxOf(t), fn))
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

// participantOf finds a participant by channel and user.
func participantOf(t testing.TB, s *store.Store, platform string, ch postern.ChannelID, user postern.UserID) (store.Participant, bool, error) {
	t.Helper()
	who, err := s.Recipient(ctxOf(t), platform, ch, user, nil)
	return who.Participant, who.Participant.ID != 0, err
}

func kinds(jobs []store.Job) (out []string) {
	for _, j := range jobs {
		out = append(out, j.Kind)
	}
	return out
}

// nextDue is when the next lane is due; zero if there is none.
func nextDue(t testing.TB, s *store.Store) time.Time {
	t.Helper()
	due, _, err := s.NextDue(ctxOf(t))
	ok(t, err)
	return due
}

// receive waits for what must come.
func receive[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// together makes functions wait in a store's writer until all are queued, and so puts
// them into one group. start begins each in a goroutine of its own.
func together(t testing.TB, b Backend, s *store.Store, n int, start func(i int) error) []error {
	t.Helper()
	begun, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	blocker := make(chan error, 1)
	go func() {
		blocker <- s.Do(context.Background(), func(*store.Tx) error {
			once.Do(func() { close(begun); <-release })
			return nil
		})
	}()
	receive(t, begun, "the writer")
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = start(i) })
		awaitQueued(t, b, s, i+1)
	}
	close(release)
	wg.Wait()
	ok(t, receive(t, blocker, "the blocking write"))
	return errs
}

func awaitQueued(t testing.TB, b Backend, s *store.Store, n int) {
	t.Helper()
	for end := time.Now().Add(patience); b.Queued(s) < n; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d writes wait, want %d", b.Queued(s), n)
		}
	}
}
