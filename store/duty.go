package store

import (
	"context"
	"crypto/rand"
	"time"
)

// Duty is a round that takes longer than a transaction: it runs do if nobody else is at
// it, and every has passed since it was last done. It tells whether do ran and succeeded.
// A process that dies at it is replaced when its lease has run out; one that lost its
// lease is told by do's context.
func (s *Store) Duty(ctx context.Context, name string, every, lease time.Duration, do func(context.Context) error) (bool, error) {
	owner, mine := rand.Text(), false
	err := s.Do(ctx, func(tx *Tx) error {
		n, err := tx.exec(`INSERT INTO rounds (name, due_at, owner) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, due_at = excluded.due_at WHERE rounds.due_at <= ?`,
			name, tx.now+lease.Milliseconds(), owner, tx.now)
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
	if err != nil {
		every = 0 // at once, by whoever looks next
	}
	ended := s.Do(end, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE rounds SET due_at = ?, owner = '' WHERE name = ? AND owner = ?`, tx.now+every.Milliseconds(), name, owner)
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
		n, err := tx.exec(`UPDATE rounds SET due_at = ? WHERE name = ? AND owner = ?`, tx.now+lease.Milliseconds(), name, owner)
		held = n > 0
		return err
	})
	return held || err != nil
}
