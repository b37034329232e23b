package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// Whatever happened in whatever order: nothing open is ever removed, and what is over is.
func testPurgeModel(t *testing.T, b Backend) {
	dsn, round := b.Fresh(t), 0
	clock := NewClock()
	s := openAt(t, store.Config{Database: dsn, Now: clock.Now, Lease: lease})
	rapid.Check(t, func(r *rapid.T) {
		round++
		m := &purgeModel{t: t, s: s, clock: clock, prefix: fmt.Sprintf("r%d-", round), life: map[int64]*eventLife{}, mails: map[string]done{}, batches: map[string]done{}}
		steps := rapid.IntRange(3, 25).Draw(r, "steps")
		for i := range steps {
			m.step(r, i)
		}
		clock.Move(time.Duration(rapid.IntRange(0, 60).Draw(r, "days")) * day)
		m.purge(r)
		m.settle()
		clock.Move(31 * day)
		m.purge(r)
		for id := range m.life {
			if hasEvent(t, s, id) {
				r.Fatalf("event %d is over and still there", id)
			}
		}
	})
}

type eventLife struct {
	lane    string
	at      time.Time
	open    int // jobs
	dead    int
	waiting bool // held
}

type purgeModel struct {
	t      testing.TB
	s      *store.Store
	clock  *Clock
	prefix string
	life   map[int64]*eventLife

	mails, batches map[string]done
	ids            []int64
}

func (m *purgeModel) step(r *rapid.T, i int) {
	switch rapid.IntRange(0, 9).Draw(r, "what") {
	case 0, 1:
		lane := fmt.Sprint(m.prefix, i)
		e := &eventLife{lane: lane, at: m.clock.Now(), open: rapid.IntRange(0, 2).Draw(r, "jobs")}
		var jobs []store.LaneJob
		for range e.open {
			jobs = append(jobs, job(lane, "x"))
		}
		id := record(m.t, m.s, lane, jobs...)
		m.life[id], m.ids = e, append(m.ids, id)
	case 2:
		m.clock.Move(time.Duration(rapid.IntRange(1, 20).Draw(r, "days")) * day)
	case 3: // one job of each due lane is done
		m.work(func(tx *store.Tx, id int64, j store.Job) error { m.life[id].open--; return tx.Done(j) })
	case 4:
		m.work(func(tx *store.Tx, id int64, j store.Job) error {
			m.life[id].open--
			m.life[id].dead++
			return tx.Bury(j, "no use")
		})
	case 5: // held for an operator
		m.work(func(tx *store.Tx, id int64, j store.Job) error {
			m.life[id].open--
			m.life[id].waiting = true
			if err := tx.Hold(store.Held{Event: id, Reason: "r", State: store.HeldWaiting}); err != nil {
				return err
			}
			return tx.Done(j)
		})
	case 6:
		for _, d := range must(m.s.DeadJobs(ctxOf(m.t), "", 0, 1000))(m.t) {
			if m.life[d.Event] != nil && must(m.s.Replay(ctxOf(m.t), d.ID))(m.t) {
				m.life[d.Event].dead--
				m.life[d.Event].open++
			}
		}
	case 7:
		m.purge(r)
	case 8:
		m.deliver(fmt.Sprint(m.prefix, i), store.DeliveryState(rapid.IntRange(int(store.Queued), int(store.Failed)).Draw(r, "state")))
	case 9:
		m.post(fmt.Sprint(m.prefix, i), rapid.SliceOfN(rapid.IntRange(int(store.Planned), int(store.Refused)), 1, 3).Draw(r, "states"))
	}
}

// done is a delivery or a batch of posts, and whether all that can be was heard of it.
type done struct {
	at   time.Time
	over bool
	n    int // posts
}

func (m *purgeModel) deliver(id string, state store.DeliveryState) {
	do(m.t, m.s, func(tx *store.Tx) error {
		d := store.Delivery{ID: postern.DeliveryID(id), Participant: 1, MessageID: id + "@x", Recipient: "r", Content: []byte("{}"), State: state}
		return tx.AddDelivery(d, []store.Mailed{{Message: postern.MessageID(id)}})
	})
	m.mails[id] = done{at: m.clock.Now(), over: state >= store.Accepted}
}

func (m *purgeModel) post(batch string, states []int) {
	over := true
	do(m.t, m.s, func(tx *store.Tx) error {
		var posts []store.Post
		for i, st := range states {
			over = over && store.PostState(st) >= store.Posted
			posts = append(posts, store.Post{ID: postern.PostID(fmt.Sprint(batch, i)), Batch: batch, Seq: i, Conversation: 1, State: store.PostState(st)})
		}
		return tx.PlanPosts(posts)
	})
	m.batches[batch] = done{at: m.clock.Now(), over: over, n: len(states)}
}

// checkOthers looks after deliveries and posts.
func (m *purgeModel) checkOthers(r *rapid.T) {
	gone := func(d done) bool { return d.over && m.clock.Now().Sub(d.at) > 30*day }
	for id, d := range m.mails {
		_, there, err := m.s.Delivery(ctxOf(m.t), postern.DeliveryID(id))
		ok(m.t, err)
		mailed := must(m.s.MailedIn(ctxOf(m.t), postern.DeliveryID(id)))(m.t)
		if there == gone(d) || (len(mailed) > 0) != there {
			r.Fatalf("delivery %s: there %v, mailed %v: %+v", id, there, mailed, d)
		}
	}
	for batch, d := range m.batches {
		if n := len(must(m.s.Posts(ctxOf(m.t), batch))(m.t)); (n == 0) != gone(d) || n > 0 && n != d.n {
			r.Fatalf("batch %s has %d posts: %+v", batch, n, d)
		}
	}
}

// work does one job of each lane that is due.
func (m *purgeModel) work(do func(tx *store.Tx, id int64, j store.Job) error) {
	for _, l := range claim(m.t, m.s) {
		ok(m.t, m.s.Finish(ctxOf(m.t), l, func(tx *store.Tx) error {
			if len(l.Jobs) == 0 {
				return nil
			}
			return do(tx, l.Jobs[0].Event.ID, l.Jobs[0])
		}))
	}
}

func (m *purgeModel) purge(r *rapid.T) {
	dead := m.s
	keep := month()
	for _, d := range must(dead.DeadJobs(ctxOf(m.t), "", 0, 1000))(m.t) {
		if e := m.life[d.Event]; e != nil && m.clock.Now().Sub(d.DiedAt) > keep.Dead {
			e.dead-- // past its own time
		}
	}
	purge(m.t, m.s, keep)
	m.checkOthers(r)
	for _, id := range slices.Clone(m.ids) {
		e := m.life[id]
		if e == nil {
			continue
		}
		there := hasEvent(m.t, m.s, id)
		isOpen := e.open > 0 || e.dead > 0 || e.waiting
		young := m.clock.Now().Sub(e.at) <= keep.Events
		switch {
		case (isOpen || young) && !there:
			r.Fatalf("event %d was removed: %+v", id, *e)
		case !isOpen && !young && there:
			r.Fatalf("event %d was left: %+v", id, *e)
		}
		if !there {
			delete(m.life, id)
		}
	}
}

// settle ends everything.
func (m *purgeModel) settle() {
	for len(claimed(m)) > 0 {
	}
	for _, h := range must(m.s.HeldMail(ctxOf(m.t), 0, 1000))(m.t) {
		must(m.s.Settle(ctxOf(m.t), h.ID, store.HeldDiscarded, nil))(m.t)
		if e := m.life[h.Event]; e != nil {
			e.waiting = false
		}
	}
	for _, d := range must(m.s.DeadJobs(ctxOf(m.t), "", 0, 1000))(m.t) {
		must(m.s.DiscardDead(ctxOf(m.t), d.ID))(m.t)
		if e := m.life[d.Event]; e != nil {
			e.dead--
		}
	}
}

func claimed(m *purgeModel) []*store.Lease {
	leases := claim(m.t, m.s)
	for _, l := range leases {
		for _, j := range l.Jobs {
			if e := m.life[j.Event.ID]; e != nil {
				e.open--
			}
		}
		finish(m.t, m.s, l)
	}
	return leases
}
