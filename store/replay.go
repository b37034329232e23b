package store

import (
	"context"
	"database/sql"
	"time"
)

// DeadJob is a job that was given up. What it carries is not shown: it is kept for the
// day on which it is replayed.
type DeadJob struct {
	ID       int64     `json:"id"`
	Kind     string    `json:"kind"`
	Lane     string    `json:"lane"`
	Event    int64     `json:"event,omitempty"` // 0 = it came from no event
	Attempts int       `json:"attempts"`
	DiedAt   time.Time `json:"died_at"`
	Reason   string    `json:"reason"`
}

// DeadJobs lists what was given up, of one kind or of all (""), after an id, in order of
// id, at most limit.
func (s *Store) DeadJobs(ctx context.Context, kind string, after int64, limit int) ([]DeadJob, error) {
	query, args := `SELECT id, kind, lane, event_id, attempts, died_at, reason FROM dead_jobs WHERE id > ?`, []any{after}
	if kind != "" {
		query, args = query+` AND kind = ?`, append(args, kind)
	}
	rows, err := s.query(ctx, query+` ORDER BY id LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r *sql.Rows) (d DeadJob, err error) {
		var died int64
		err = r.Scan(&d.ID, &d.Kind, &d.Lane, &d.Event, &d.Attempts, &died, &d.Reason)
		d.DiedAt = at(died)
		return d, err
	})
}

// Replay puts a job that was given up at the end of its lane, to be tried as if it were
// new; false if there is no such job. Not at its old place: that would be before what is
// being worked, and whatever then fails would be taken for this one. Jobs replayed in
// order of their ids keep that order among themselves.
func (s *Store) Replay(ctx context.Context, id int64) (bool, error) {
	return s.revive(ctx, id, "replayed", func(tx *Tx, event int64, j LaneJob) error { return tx.AddFor(event, j) })
}

// DiscardDead forgets a job that was given up, see Config.Discarded; false if there is no
// such job.
func (s *Store) DiscardDead(ctx context.Context, id int64) (bool, error) {
	return s.revive(ctx, id, "discarded", func(tx *Tx, _ int64, j LaneJob) error { return s.discarded(tx, j) })
}

func (s *Store) discarded(tx *Tx, j LaneJob) error {
	if s.cfg.Discarded == nil {
		return nil
	}
	return s.cfg.Discarded(tx, j)
}

// revive takes a job from the dead ones; of two who try only one gets it.
func (s *Store) revive(ctx context.Context, id int64, what string, do func(tx *Tx, event int64, j LaneJob) error) (ok bool, err error) {
	err = s.Do(ctx, func(tx *Tx) error {
		var j LaneJob
		var event int64
		ok = false
		found, err := tx.one(`SELECT lane, kind, event_id, args FROM dead_jobs WHERE id = ?`, []any{id}, &j.Lane, &j.Kind, &event, &j.Args)
		if err != nil || !found {
			return err
		}
		n, err := tx.exec(`DELETE FROM dead_jobs WHERE id = ?`, id)
		if ok = n > 0; err != nil || !ok {
			return err
		}
		note := Note{What: what, Detail: j.Kind}
		if event != 0 {
			note.Ref = EventRef(event)
		}
		if err := tx.Note(note); err != nil {
			return err
		}
		return do(tx, event, j)
	})
	return ok, err
}
