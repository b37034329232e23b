package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/postern-chat/postern/store"
)

// The toy model: lanes as they should be, in the simplest form. It is kept apart from
// the store's own way: a lane's due time is worked out anew from its jobs each time.
type (
	toyJob struct {
		kind     string
		due, cap time.Duration // on the test's clock
		attempts int
	}
	toyLane struct {
		jobs  []*toyJob
		due   time.Duration // when it wants a worker, or its lease ends
		cap   time.Duration // a waiting lane's due never moves beyond
		owner *toyLease
		poked bool
	}
	toyLease struct {
		real *store.Lease
		jobs []*toyJob // as handed out
	}
	toy struct {
		s      *store.Store
		b      Backend
		clock  *Clock
		start  time.Time
		names  []string
		lanes  map[string]*toyLane
		leases []*toyLease // all there ever were, the late ones too
		keys   map[string]int64
		n      int
		run    int
		dead   int64
	}
)

func ctxOfRapid(t *rapid.T) context.Context { return t.Context() }

func testModel(t *testing.T, b Backend) {
	s, clock := open(t, b)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &toy{s: s, b: b, clock: clock, start: clock.Now(), lanes: map[string]*toyLane{}, keys: map[string]int64{}, run: run}
		for i := range 3 {
			m.names = append(m.names, fmt.Sprintf("run%d-%d", run, i))
		}
		dead := must(s.Backlog(ctxOf(t)))(t).Dead
		// Also after a failure: the next run begins with an empty store.
		defer m.drain(t)
		rt.Repeat(map[string]func(*rapid.T){
			"record": m.record, "recordMore": m.record, "claim": m.claim, "claimSoon": m.claim, "finish": m.finish, "finishMore": m.finish,
			"work": m.work, "extend": m.extend, "poke": m.poke, "time": m.time,
			"": m.check,
		})
		if got := must(s.Backlog(ctxOf(t)))(t).Dead - dead; got != m.dead {
			rt.Fatalf("%d dead letters, want %d", got, m.dead)
		}
	})
}

func (m *toy) now() time.Duration { return m.clock.Now().Sub(m.start) }

func (m *toy) record(t *rapid.T) {
	lane := rapid.SampledFrom(m.names).Draw(t, "lane")
	m.n++
	in := store.LaneJob{Lane: lane, Kind: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "kind"), Args: fmt.Append(nil, m.n)}
	if rapid.Bool().Draw(t, "quiet") {
		in.Delay = time.Duration(rapid.IntRange(0, 5).Draw(t, "delay")) * time.Second
		in.Cap = time.Duration(rapid.IntRange(0, 15).Draw(t, "cap")) * time.Second
	}
	key := fmt.Sprintf("%d-%d", m.run, rapid.IntRange(0, 30).Draw(t, "key"))
	id, dup, err := m.s.Record(ctxOfRapid(t), store.Arrival{Source: "model", Dedup: key, Body: []byte("b"), Jobs: []store.LaneJob{in}})
	if err != nil {
		t.Fatal(err)
	}
	if first, known := m.keys[key]; known != dup || known && first != id {
		t.Fatalf("key %s: id %d, duplicate %v; want %d, %v", key, id, dup, first, known)
	}
	if m.keys[key] = id; dup {
		return
	}
	due := m.now() + in.Delay
	j := &toyJob{kind: in.Kind, due: due, cap: max(due, m.now()+in.Cap)}
	l := m.lanes[lane]
	if l == nil {
		l = &toyLane{due: j.due, cap: j.cap}
		m.lanes[lane] = l
	} else if l.owner == nil {
		l.due = min(l.cap, max(l.due, j.due))
	}
	l.jobs = append(l.jobs, j)
}

func (m *toy) claim(t *rapid.T) {
	var want []string
	for name, l := range m.lanes {
		if l.due <= m.now() {
			want = append(want, name)
		}
	}
	leases, err := m.s.Claim(ctxOfRapid(t), 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, real := range leases {
		got = append(got, real.Lane)
		l := m.lanes[real.Lane]
		if l == nil {
			t.Fatalf("claimed %s, which is not there", real.Lane)
		}
		lease10 := &toyLease{real: real, jobs: slices.Clone(l.jobs)}
		m.leases = append(m.leases, lease10)
		l.owner, l.due, l.poked = lease10, m.now()+lease, false
		m.sameJobs(t, l, real)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("claimed: %s", diff)
	}
	if due, some, err := m.s.NextDue(ctxOfRapid(t)); err != nil || some && due.Sub(m.start) <= m.now() {
		t.Fatalf("nothing more is to be claimed, but next due after %v of %v: %v", due.Sub(m.start), m.now(), err)
	}
}

func (m *toy) sameJobs(t *rapid.T, l *toyLane, real *store.Lease) {
	var want, got []string
	for _, j := range l.jobs {
		want = append(want, fmt.Sprint(j.kind, j.attempts, j.due))
	}
	for _, j := range real.Jobs {
		got = append(got, fmt.Sprint(j.Kind, j.Attempts, j.DueAt.Sub(m.start)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("jobs of %s: %s", real.Lane, diff)
	}
}

// lease picks one of the newest leases, whether it still holds or not.
func (m *toy) lease(t *rapid.T) *toyLease {
	if len(m.leases) == 0 {
		t.Skip("nobody has a lease")
	}
	recent := m.leases[max(0, len(m.leases)-4):]
	return recent[rapid.IntRange(0, len(recent)-1).Draw(t, "lease")]
}

// act does something to the jobs of a lease, in the store and in the model.
func (m *toy) act(t *rapid.T, l *toyLease, lane *toyLane) (inStore func(*store.Tx) error, inModel func()) {
	if len(l.jobs) == 0 {
		return func(*store.Tx) error { return nil }, func() {}
	}
	head, real := l.jobs[0], l.real.Jobs[0]
	later := m.now() + time.Duration(rapid.IntRange(0, 20).Draw(t, "later"))*time.Second
	due := m.start.Add(later)
	putOff := func(attempts int) func() {
		return func() {
			if slices.Contains(lane.jobs, head) {
				head.due, head.cap, head.attempts = later, later, attempts
			}
		}
	}
	remove := func(n int) {
		lane.jobs = slices.DeleteFunc(lane.jobs, func(j *toyJob) bool { return slices.Contains(l.jobs[:n], j) })
	}
	switch rapid.SampledFrom([]string{"done", "done", "retry", "again", "become", "bury", "nothing"}).Draw(t, "verb") {
	case "done":
		n := rapid.IntRange(1, len(l.jobs)).Draw(t, "n")
		return func(tx *store.Tx) error { return tx.Done(l.real.Jobs[:n]...) }, func() { remove(n) }
	case "retry":
		return func(tx *store.Tx) error { return tx.Retry(real, due) }, putOff(head.attempts + 1)
	case "again":
		return func(tx *store.Tx) error { return tx.Again(real, due) }, putOff(head.attempts)
	case "become":
		return func(tx *store.Tx) error { return tx.Become(real, "z", nil) }, func() {
			later = m.now()
			putOff(0)()
			head.kind = "z"
		}
	case "bury":
		return func(tx *store.Tx) error { return tx.Bury(real, "buried") }, func() {
			if slices.Contains(lane.jobs, head) {
				m.dead++
			}
			remove(1)
		}
	}
	return func(*store.Tx) error { return nil }, func() {}
}

func (m *toy) write(t *rapid.T, give bool) {
	l := m.lease(t)
	lane := m.lanes[l.real.Lane]
	holds := lane != nil && lane.owner == l
	if lane == nil {
		lane = &toyLane{}
	}
	inStore, inModel := m.act(t, l, lane)
	write := m.s.Work
	if give {
		write = m.s.Finish
	}
	err := write(ctxOfRapid(t), l.real, inStore)
	if !holds {
		if !store.Lost(err) {
			t.Fatalf("a late owner's write on %s: %v", l.real.Lane, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	inModel()
	if give {
		m.release(l.real.Lane, lane)
	}
}

func (m *toy) work(t *rapid.T)   { m.write(t, false) }
func (m *toy) finish(t *rapid.T) { m.write(t, true) }

func (m *toy) release(name string, l *toyLane) {
	if len(l.jobs) == 0 {
		delete(m.lanes, name)
		return
	}
	head := l.jobs[0]
	l.due = head.cap
	if head.due < head.cap && head.cap > m.now() { // its window is open
		l.due = 0
		for _, j := range l.jobs {
			l.due = max(l.due, j.due)
		}
		l.due = min(l.due, head.cap)
	}
	l.cap = head.cap
	if l.poked && head.kind == "x" {
		l.due, l.cap = m.now(), m.now()
	}
	l.owner, l.poked = nil, false
}

func (m *toy) extend(t *rapid.T) {
	l := m.lease(t)
	lost, err := m.s.Extend(ctxOfRapid(t), []*store.Lease{l.real})
	if err != nil {
		t.Fatal(err)
	}
	lane := m.lanes[l.real.Lane]
	holds := lane != nil && lane.owner == l
	if holds == (len(lost) > 0) {
		t.Fatalf("extending %s: lost %v, holds %v", l.real.Lane, lost, holds)
	}
	if holds {
		lane.due = m.now() + lease
	}
}

func (m *toy) poke(t *rapid.T) {
	name := rapid.SampledFrom(m.names).Draw(t, "lane")
	if err := m.s.Do(ctxOfRapid(t), func(tx *store.Tx) error { return tx.Poke(name, "x") }); err != nil {
		t.Fatal(err)
	}
	switch l := m.lanes[name]; {
	case l == nil:
	case l.owner != nil:
		l.poked = true
	case l.jobs[0].kind == "x":
		l.due, l.cap = m.now(), m.now()
		l.jobs[0].due, l.jobs[0].cap = m.now(), m.now()
	}
}

func (m *toy) time(t *rapid.T) {
	m.clock.Move(time.Duration(rapid.IntRange(1, 12_000).Draw(t, "ms")) * time.Millisecond)
}

// check compares what can be seen from outside.
func (m *toy) check(t *rapid.T) {
	var want time.Duration
	first := true
	for _, l := range m.lanes {
		if first || l.due < want {
			want, first = l.due, false
		}
	}
	due, some, err := m.s.NextDue(ctxOfRapid(t))
	if err != nil || some == first || some && due.Sub(m.start) > want {
		t.Fatalf("next due after %v (%v), want %v (%v) at most, %v", due.Sub(m.start), some, want, !first, err)
	}
	for _, name := range m.names {
		want := 0
		if l := m.lanes[name]; l != nil {
			want = len(l.jobs)
		}
		if n, err := m.s.Pending(ctxOfRapid(t), name); err != nil || n != want {
			t.Fatalf("%s: %d jobs, want %d, %v", name, n, want, err)
		}
	}
}

// drain empties the store: whatever happened, time brings every lane to somebody.
func (m *toy) drain(t *testing.T) {
	for range 50 {
		m.clock.Move(time.Minute)
		leases := claim(t, m.s)
		if len(leases) == 0 {
			break
		}
		for _, l := range leases {
			finish(t, m.s, l)
		}
	}
	if bl := must(m.s.Backlog(ctxOf(t)))(t); bl.Jobs != 0 || bl.Lanes != 0 {
		t.Errorf("left after all time: %+v", bl)
	}
}
