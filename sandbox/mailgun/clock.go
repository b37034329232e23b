package mailgun

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// scheduler runs jobs at their time. Its time is the configured clock plus
// whatever Advance added, so that eight hours of retries fit into one test.
//
// In automatic mode due jobs start by themselves, each lane's one after another
// and different lanes at once. In manual mode nothing runs but inside Advance,
// one job at a time in the order of (due, scheduled): wholly deterministic.
type scheduler struct {
	now    func() time.Time
	manual bool
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{}
	wg     sync.WaitGroup

	mu      sync.Mutex
	offset  time.Duration
	seq     int64
	jobs    jobHeap
	lanes   map[string][]*job // present while a job of the lane runs; holds those that wait
	running int
	idle    chan struct{} // closed when something ends; replaced by waiters
	moving  sync.Mutex    // held by Advance
}

type job struct {
	due  time.Time
	seq  int64
	lane string
	run  func(ctx context.Context)
}

const maxRunning = 64

func newScheduler(now func() time.Time, manual bool) *scheduler {
	ctx, cancel := context.WithCancel(context.Background())
	s := &scheduler{now: now, manual: manual, ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1),
		lanes: map[string][]*job{}, idle: make(chan struct{})}
	if !manual {
		s.wg.Add(1)
		go s.loop()
	}
	return s
}

// Now is the emulator's time.
func (s *scheduler) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now().Add(s.offset)
}

// After schedules run; jobs of one lane never overlap. An empty lane is nobody's.
func (s *scheduler) After(d time.Duration, lane string, run func(ctx context.Context)) {
	s.mu.Lock()
	s.seq++
	heap.Push(&s.jobs, &job{due: s.now().Add(s.offset + d), seq: s.seq, lane: lane, run: run})
	s.mu.Unlock()
	s.poke()
}

func (s *scheduler) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Advance moves time forward by d. In manual mode it runs everything that is
// due on the way, each job at its own time; in automatic mode the jobs that
// became due start at once and Advance does not wait for them (see Drain).
func (s *scheduler) Advance(d time.Duration) {
	if !s.manual {
		s.mu.Lock()
		s.offset += d
		s.mu.Unlock()
		s.poke()
		return
	}
	s.moving.Lock()
	defer s.moving.Unlock()
	target := s.Now().Add(d)
	for s.step(target) && s.ctx.Err() == nil {
	}
	s.mu.Lock()
	if gap := target.Sub(s.now().Add(s.offset)); gap > 0 {
		s.offset += gap
	}
	s.mu.Unlock()
}

func (s *scheduler) step(target time.Time) bool {
	s.mu.Lock()
	if len(s.jobs) == 0 || s.jobs[0].due.After(target) {
		s.mu.Unlock()
		return false
	}
	j := heap.Pop(&s.jobs).(*job)
	if gap := j.due.Sub(s.now().Add(s.offset)); gap > 0 {
		s.offset += gap
	}
	s.mu.Unlock()
	j.run(s.ctx)
	return true
}

// Drain waits until nothing runs and nothing is due now, or ctx ends.
func (s *scheduler) Drain(ctx context.Context) error {
	if s.manual {
		s.Advance(0)
		return ctx.Err()
	}
	for {
		s.mu.Lock()
		busy := s.running > 0 || (len(s.jobs) > 0 && !s.jobs[0].due.After(s.now().Add(s.offset)))
		changed := s.idle
		s.mu.Unlock()
		if !busy {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Pending is the number of jobs that wait for their time, and when the first is
// due.
func (s *scheduler) Pending() (n int, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.jobs) > 0 {
		next = s.jobs[0].due
	}
	return len(s.jobs), next
}

// Clear forgets every job that has not started.
func (s *scheduler) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs = nil
	for lane := range s.lanes {
		s.lanes[lane] = nil
	}
}

// Close stops: nothing starts any more, what runs has its context cancelled and
// is waited for.
func (s *scheduler) Close() {
	s.cancel()
	s.Clear()
	s.wg.Wait()
}

func (s *scheduler) loop() {
	defer s.wg.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(s.startDue())
		select {
		case <-s.ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// startDue starts what is due and says how long to wait for the next.
func (s *scheduler) startDue() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.jobs) > 0 && s.running < maxRunning && s.ctx.Err() == nil {
		if wait := s.jobs[0].due.Sub(s.now().Add(s.offset)); wait > 0 {
			return wait
		}
		j := heap.Pop(&s.jobs).(*job)
		if waiting, busy := s.lanes[j.lane]; busy && j.lane != "" {
			s.lanes[j.lane] = append(waiting, j)
			continue
		}
		s.start(j)
	}
	return time.Hour
}

// start runs j in a goroutine, and after it what waits in its lane.
func (s *scheduler) start(j *job) {
	s.running++
	if j.lane != "" {
		s.lanes[j.lane] = nil
	}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		for next := j; next != nil; {
			next.run(s.ctx)
			next = s.done(j.lane)
		}
	}()
}

func (s *scheduler) done(lane string) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	if lane != "" && len(s.lanes[lane]) > 0 && s.ctx.Err() == nil {
		next := s.lanes[lane][0]
		s.lanes[lane] = s.lanes[lane][1:]
		return next
	}
	delete(s.lanes, lane)
	s.running--
	close(s.idle)
	s.idle = make(chan struct{})
	s.poke()
	return nil
}

type jobHeap []*job

func (h jobHeap) Len() int { return len(h) }
func (h jobHeap) Less(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].seq < h[j].seq
	}
	return h[i].due.Before(h[j].due)
}
func (h jobHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *jobHeap) Push(x any)   { *h = append(*h, x.(*job)) }
func (h *jobHeap) Pop() any {
	old := *h
	j := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return j
}
