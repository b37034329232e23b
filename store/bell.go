package store

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// notifyEvery bounds how often other replicas are told that lanes are due. NOTIFY
	// takes an instance-wide lock at commit, so it never stands in an accepting
	// transaction and is sent for many at once.
	notifyEvery = 15 * time.Millisecond
	notifyName  = "postern_lanes"
)

// bell tells other replicas that lanes are due, and hears them.
type bell struct {
	own    string // payload of our own notifications, which need not wake us
	ring   chan struct{}
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func (s *Store) startBell(cfg *pgx.ConnConfig) {
	ctx, cancel := context.WithCancel(context.Background())
	b := &bell{own: rand.Text(), ring: make(chan struct{}, 1), cancel: cancel}
	s.bell = b
	b.wg.Add(2)
	go func() { defer b.wg.Done(); s.notify(ctx) }()
	go func() { defer b.wg.Done(); s.listen(ctx, cfg) }()
	s.close = append(s.close, func() error { cancel(); b.wg.Wait(); return nil })
}

func (s *Store) notify(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.bell.ring:
		}
		// Lost notifications cost a poll's delay, nothing more: no need to wait for the disk.
		if _, err := s.db.ExecContext(ctx, `SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)`, notifyName, s.bell.own); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Debug("other replicas could not be told of due lanes", "error", err)
		}
		if !sleep(ctx, notifyEvery) {
			return
		}
	}
}

func (s *Store) listen(ctx context.Context, cfg *pgx.ConnConfig) {
	for ctx.Err() == nil {
		if err := s.hear(ctx, cfg); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Debug("the connection that listens for due lanes broke", "error", err)
		}
		sleep(ctx, time.Second)
	}
}

func (s *Store) hear(ctx context.Context, cfg *pgx.ConnConfig) error {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+notifyName); err != nil {
		return err
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if n.Payload != s.bell.own {
			s.signal()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
