// Package keep tidies up: what is past its time goes, and blobs that nobody needs.
//
// What lives here: when that is done, and by whom; and the search for orphaned blobs.
// What may not: which row may go, that is store's.
package keep

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/postern-chat/postern/blob"
	"github.com/postern-chat/postern/store"
)

// Config says what is tidied.
type Config struct {
	Store  *store.Store
	Blobs  blob.Store
	Keep   store.Keep
	Now    func() time.Time // nil = time.Now
	Logger *slog.Logger     // nil = silence
}

const (
	purgeEvery = time.Hour
	sweepEvery = 24 * time.Hour
	// look is how often a process asks whether it is its turn.
	look = 10 * time.Minute
	// lease is after how long somebody else goes on where a process died.
	lease = 5 * time.Minute
	// orphanAge is how old a blob is at least that is taken for an orphan. A blob is
	// written before the row that refers to it; minutes are the most that can lie between.
	orphanAge = 24 * time.Hour
	// sweepPause lies between portions of blobs.
	sweepPause = 100 * time.Millisecond
)

// Keeper tidies up. Every process has one; one of all works at a time.
type Keeper struct{ cfg Config }

// New checks the configuration.
func New(cfg Config) (*Keeper, error) {
	if cfg.Store == nil || cfg.Blobs == nil {
		return nil, errors.New("keep: store and blobs are needed")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Keeper{cfg}, nil
}

// Run tidies up from time to time until ctx ends. It fails with nothing: what does not
// succeed is logged, and tried again.
func (k *Keeper) Run(ctx context.Context) {
	for {
		k.Once(ctx)
		if !rest(ctx, look) {
			return
		}
	}
}

// Once does what is due, if it is this process's turn.
func (k *Keeper) Once(ctx context.Context) {
	k.duty(ctx, "purge", purgeEvery, k.purge)
	k.duty(ctx, "blobs", sweepEvery, k.sweep)
}

func (k *Keeper) duty(ctx context.Context, name string, every time.Duration, do func(context.Context) error) {
	if _, err := k.cfg.Store.Duty(ctx, name, every, lease, do); err != nil && ctx.Err() == nil {
		k.cfg.Logger.Warn("tidying up failed and is tried again", "what", name, "error", err)
	}
}

func (k *Keeper) purge(ctx context.Context) error {
	purged, err := k.cfg.Store.Purge(ctx, k.cfg.Keep)
	if len(purged) > 0 {
		var of []any
		for table, n := range purged {
			of = append(of, slog.Int64(table, n))
		}
		k.cfg.Logger.Info("what was past its time is removed", of...)
	}
	return err
}

// sweep removes blobs that no row refers to: their rows are gone, or never came to be.
func (k *Keeper) sweep(ctx context.Context) error {
	house, err := k.cfg.Store.ID(ctx)
	if err != nil {
		return err
	}
	owner, err := k.cfg.Blobs.Owner(ctx, house)
	if err != nil {
		return err
	}
	if owner != house {
		// With an empty or another's database every blob looks like an orphan.
		k.cfg.Logger.Error("the blobs belong to another database; none is removed", "owner", owner, "database", house)
		return nil
	}
	n := 0
	err = k.cfg.Blobs.Old(ctx, k.cfg.Now().Add(-orphanAge), func(refs []string) error {
		used, err := k.cfg.Store.UsedBlobs(ctx, refs)
		if err != nil {
			return err
		}
		for _, ref := range refs {
			if used[ref] {
				continue
			}
			if err := errors.Join(ctx.Err(), k.cfg.Blobs.Delete(ref)); err != nil {
				return err
			}
			n++
		}
		if !rest(ctx, sweepPause) {
			return ctx.Err()
		}
		return nil
	})
	if n > 0 {
		k.cfg.Logger.Info("blobs that nothing refers to are removed", "blobs", n)
	}
	return err
}

func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
