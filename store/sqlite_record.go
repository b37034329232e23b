package store

import (
	"iter"
	"slices"
	"strings"
)

// known is what a writer remembers of the tables, so that it need not ask again. It is
// forgotten whenever a transaction is not committed.
type known struct {
	ids []int64 // PostgreSQL: of events that are to be

	// SQLite, whose only writer it is.
	event, job, lane int64               // the highest ids
	lanes            map[string]heldLane // open lanes, some of them
}

// maxKnown bounds how many lanes are remembered.
const maxKnown = 50_000

func (k *known) forget(lane string) {
	if k != nil {
		delete(k.lanes, lane)
	}
}

// owned keeps whose a lane is by now, and that nobody poked it since. Whatever writes a
// lane's fence or poked says so here, or by poked.
func (k *known) owned(lane string, fence int64) {
	if k == nil {
		return
	}
	if h, ok := k.lanes[lane]; ok {
		k.lanes[lane] = heldLane{number: h.number, fence: fence}
	}
}

func (k *known) poked(lane, kind string) {
	if k == nil {
		return
	}
	if h, ok := k.lanes[lane]; ok {
		h.poked = kind
		k.lanes[lane] = h
	}
}

// known reads what it must remember, if it does not yet.
func (tx *Tx) known() (*known, error) {
	if tx.w.known != nil {
		return tx.w.known, nil
	}
	k := &known{lanes: map[string]heldLane{}}
	_, err := tx.one(`SELECT event, job, COALESCE((SELECT MAX(number) FROM lanes), 0) FROM sequences`, nil, &k.event, &k.job, &k.lane)
	if err != nil {
		return nil, err
	}
	tx.w.known = k
	return k, nil
}

func (d sqlite) record(tx *Tx, in []*arrival) error {
	k, err := tx.known()
	if err != nil {
		return err
	}
	for _, a := range in {
		k.event++
		a.id, a.duplicate, a.replayed = k.event, false, false
	}
	for part := range parts(in) {
		if err := d.recordPart(tx, part); err != nil {
			return err
		}
	}
	jobs := jobsOf(in, tx.now)
	slices.SortStableFunc(jobs, laneOrder)
	return d.add(tx, jobs)
}

func (sqlite) recordPart(tx *Tx, in []*arrival) error {
	args := make([]any, 0, 9*len(in))
	for _, a := range in {
		args = append(args, a.id, a.Source, nullable(a.Dedup), a.Digest, tx.now, nullable(a.told), a.Ref, a.Body, a.Content)
	}
	n, err := tx.exec(rows(len(in), `INSERT INTO events (id, source, dedup, digest, received_at, told, content_ref, body, content) VALUES `, 9, ` ON CONFLICT DO NOTHING`), args...)
	if err != nil || int(n) == len(in) {
		return err
	}
	for _, a := range in {
		var id int64
		var digest []byte
		if stored, err := tx.one(`SELECT id FROM events WHERE id = ?`, []any{a.id}, &id); err != nil || stored {
			if err != nil {
				return err
			}
			continue
		}
		if _, err := tx.one(`SELECT id, digest FROM events WHERE dedup = ?`, []any{a.Dedup}, &id, &digest); err != nil {
			return err
		}
		a.repeated(id, digest)
	}
	return nil
}

// add writes the jobs, and the highest ids, those of events too.
func (d sqlite) add(tx *Tx, jobs []laneJob) error {
	k, err := tx.known()
	if err != nil {
		return err
	}
	tx.promise(jobs, func(lane string) bool { return k.lanes[lane].number == 0 })
	if err := d.openLanes(tx, k, jobs); err != nil {
		return err
	}
	tx.wake(jobs)
	for part := range parts(jobs) {
		args := make([]any, 0, 8*len(part))
		for _, j := range part {
			k.job++
			tx.handoff.hand(j, k.job, tx.now)
			args = append(args, k.lanes[j.Lane].number, k.job, j.Kind, j.event, j.Args, j.due, j.cap, tx.now)
		}
		if _, err := tx.exec(rows(len(part), `INSERT INTO jobs (lane, id, kind, event_id, args, due_at, cap_at, added_at) VALUES `, 8, ``), args...); err != nil {
			return err
		}
	}
	_, err = tx.exec(`UPDATE sequences SET event = ?, job = ?`, k.event, k.job)
	return err
}

// openLanes sees to it that the jobs' lanes are there and known. What is there already
// is not written: its jobs tell how long it is quiet.
func (sqlite) openLanes(tx *Tx, k *known, jobs []laneJob) error {
	if len(k.lanes)+len(jobs) > maxKnown {
		clear(k.lanes)
	}
	var fresh []laneJob
	for i, j := range jobs {
		if _, ok := k.lanes[j.Lane]; !ok && (i == 0 || jobs[i-1].Lane != j.Lane) {
			fresh = append(fresh, j)
		}
	}
	for part := range parts(fresh) {
		args := make([]any, 0, 4*len(part))
		for _, j := range part {
			k.lane++
			due, limit, fence := tx.opening(j)
			if fence == 0 {
				tx.handoff.drop(j.Lane)
			}
			k.lanes[j.Lane] = heldLane{number: k.lane, fence: fence}
			args = append(args, k.lane, j.Lane, due, limit, fence)
		}
		n, err := tx.exec(rows(len(part), `INSERT INTO lanes (number, lane, due_at, cap_at, fence) VALUES `, 5, ` ON CONFLICT (lane) DO NOTHING`), args...)
		if err != nil {
			return err
		}
		if int(n) == len(part) {
			continue
		}
		for _, j := range part {
			var h heldLane
			if _, err := tx.one(`SELECT number, fence, poked FROM lanes WHERE lane = ?`, []any{j.Lane}, &h.number, &h.fence, &h.poked); err != nil {
				return err
			}
			if h.number != k.lanes[j.Lane].number {
				k.lanes[j.Lane] = h
				tx.handoff.drop(j.Lane)
			}
		}
	}
	return nil
}

// parts cuts what is to be inserted into pieces of few lengths, for which statements
// are prepared. A statement for many rows costs far less than one for each.
func parts[T any](list []T) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for _, n := range []int{32, 8, 1} {
			for ; len(list) >= n; list = list[n:] {
				if !yield(list[:n:n]) {
					return
				}
			}
		}
	}
}

// rows makes an INSERT of n rows.
func rows(n int, head string, columns int, tail string) string {
	return head + strings.Repeat(in(columns)+", ", n-1) + in(columns) + tail
}
