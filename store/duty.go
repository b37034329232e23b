package store

import (
	"context"
	"crypto/rand"
	"time"
)

// Duty runs do if it is this process's turn: when nobody else is at it, and every has
// passed since it was last done. It tells whether do ran and succeeded. A process that
// dies at it is replaced when its lease has run out; one that lost its lease is told by
// do's context.
func (s *Store) Duty(ctx context.Context, name string, every, lease time.Duration, do func(context.Context) error) (bool, error) {
	owner, mine := rand.Text(), false
	err := s.Do(ctx, func(tx *Tx) error {
		n, err := tx.exec(`INSERT INTO duties (name, owner, until) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until WHERE duties.until <= ? AND duties.done_at <= ?`,
			name, owner, tx.now+lease.Milliseconds(), tx.now, tx.now-every.Milliseconds())
		mine = n > 0
		return err
	})
	if err != nil || !mine {
		return false, err
	}
	work, cancel := context.WithCancel(ctx)
	beat := make(chan struct{})
	go func() {
		defer close(beat)
		for sleep(work, lease/3) {
			if !s.onDuty(work, name, owner, lease) {
				cancel()
			}
		}
	}()
	err = do(work)
	cancel()
	<-beat
	// Also when we are being stopped: nobody should have to wait for the lease's end.
	end, stop := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer stop()
	failed := err != nil
	ended := s.Do(end, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE duties SET until = 0, done_at = CASE WHEN ? THEN done_at ELSE ? END WHERE name = ? AND owner = ?`, failed, tx.now, name, owner)
		return err
	})
	if err == nil {
		err = ended
	}
	return err == nil, err
}

// onDuty makes the lease last longer; false if it is another's by now.
func (s *Store) onDuty(ctx context.Context, name, owner string, lease time.Duration) bool {
	held := true
	err := s.Do(ctx, func(tx *Tx) error {
		n, err := tx.exec(`UPDATE duties SET until = ? WHERE name = ? AND owner = ?`, tx.now+lease.Milliseconds(), name, owner)
		held = n > 0
		return err
	})
	return held || err != nil
}
