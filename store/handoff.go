package store

import (
	"bytes"
	"math/rand/v2"
	"time"
)

// handoff gives lanes that a transaction opens to this process's workers, without their
// asking: a lane that is due at once is written as leased already, and after the COMMIT
// its lease goes to a worker, with its jobs as they would have been read. Slots are
// reserved before. If it is not known what became of the COMMIT nobody works the lane
// until the lease has run out.
type handoff struct {
	to     *Workers
	slots  int // reserved
	since  time.Time
	until  int64
	fence  int64
	leases map[string]*handed // nil in it: the lane was there before
}

// handed is a lease to be, and how much of the memory its jobs take.
type handed struct {
	Lease
	size int
	full bool
}

// none is a fence that no lane has.
const none = -1

// promise reserves slots for the lanes that jobs may open, as far as there are any.
// opens tells which lanes may be new.
func (tx *Tx) promise(jobs []laneJob, opens func(lane string) bool) {
	h := &handoff{to: tx.w.s.hands.Load(), since: tx.begun, until: tx.now + tx.w.s.cfg.Lease.Milliseconds(), fence: none}
	tx.handoff = h
	if h.to == nil {
		return
	}
	h.leases = make(map[string]*handed, len(jobs))
	for _, j := range jobs {
		if tx.handy(j) && opens(j.Lane) {
			h.leases[j.Lane] = nil
		}
	}
	if h.slots = h.to.reserve(len(h.leases)); h.slots == 0 {
		h.leases = nil
		return
	}
	h.fence = rand.Int64N(1<<62) + 1
	n := 0
	for _, j := range jobs {
		if l, may := h.leases[j.Lane]; may && l == nil {
			if n++; n > h.slots {
				delete(h.leases, j.Lane)
				continue
			}
			h.leases[j.Lane] = &handed{Lease: Lease{Lane: j.Lane, fence: h.fence}}
		}
	}
}

// handy tells whether a lane that begins with this job can be handed on: it has no quiet
// window, and all of the job is known here.
func (tx *Tx) handy(j laneJob) bool {
	return j.due <= tx.now && j.cap <= tx.now && (j.event == 0 || j.of != nil)
}

// opening tells when a lane is due that is opened by this job, and whose it is then.
func (tx *Tx) opening(j laneJob) (due, limit, fence int64) {
	h := tx.handoff
	if h.leases[j.Lane] != nil && tx.handy(j) {
		return h.until, h.until, h.fence
	}
	return j.due, j.cap, 0
}

// wake has workers look for what is not handed on and due before they look by themselves.
func (tx *Tx) wake(jobs []laneJob) {
	for _, j := range jobs {
		if tx.handoff.leases[j.Lane] == nil && j.due <= tx.now+poll.Milliseconds() {
			tx.wakes = true
			return
		}
	}
}

// hand adds a job to its lane's lease, if the lane was opened as leased. Jobs come in order.
func (h *handoff) hand(j laneJob, id, now int64) {
	l := h.leases[j.Lane]
	if l == nil || l.full {
		return
	}
	if j.event != 0 && j.of == nil || len(l.Jobs) == perLane || l.size >= perLaneBytes {
		l.full = true // what is left out is read when its turn comes
		return
	}
	// What the caller gave may be overwritten when it has its answer.
	job := Job{ID: id, Lane: j.Lane, Kind: j.Kind, Args: bytes.Clone(j.Args), DueAt: at(j.due), AddedAt: at(now)}
	if a := j.of; a != nil {
		job.Event = &Event{ID: j.event, Source: a.Source, ReceivedAt: at(now), Body: bytes.Clone(a.Body), Content: bytes.Clone(a.Content), Ref: a.Ref}
	}
	l.size += job.size()
	l.Jobs = append(l.Jobs, job)
}

// drop: the lane was there before, and is not ours.
func (h *handoff) drop(lane string) { delete(h.leases, lane) }

// end hands the leases on, if they were written, and gives back the slots that are left.
func (h *handoff) end(written bool) {
	if h == nil || h.slots == 0 {
		return
	}
	if written {
		for _, l := range h.leases {
			if len(l.Jobs) > 0 {
				h.slots--
				h.to.take(&l.Lease, h.since)
			}
		}
	}
	h.to.unreserve(h.slots)
	h.slots = 0
}
