package relay

import (
	"context"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// sweep asks in which channels something was written since the last sweep, and has those
// looked through whose newest message was never heard. So a conversation is found of
// which nothing was ever heard, and a quiet one costs nothing.
func (r *Rules) sweep(ctx context.Context, j store.Job) (func(*store.Tx) error, error) {
	a, err := decode(j)
	if err != nil {
		return nil, err
	}
	lister, can := able[Lister](r.Platform)
	done := func(tx *store.Tx) error { return tx.Done(j) }
	if !can {
		return done, nil
	}
	if a.Since == 0 {
		a.Since = r.Now().UnixMilli()
	}
	round, _, err := r.Store.FindRound(ctx, r.sweepRound())
	if err != nil {
		return nil, err
	}
	down := time.UnixMilli(a.Since).Sub(time.UnixMilli(round.Upto)) > r.Reconcile.Every+time.Minute
	for range max(1, r.Reconcile.PerMinute) {
		page, err := through(ctx, r.chat, func(ctx context.Context) (p pageOfChannels, err error) {
			p.list, p.next, err = lister.Channels(ctx, a.Page)
			return p, err
		})
		if err != nil {
			return r.sweepFailed(j, err), nil
		}
		older, err := r.sweepPage(ctx, page.list, r.sweepFloor(round), down)
		if err != nil {
			return nil, err
		}
		r.swept.Store(true)
		if a.Page = page.next; older || page.next == "" {
			return func(tx *store.Tx) error {
				if err := tx.RoundDone(r.sweepRound(), a.Since); err != nil {
					return err
				}
				return tx.Done(j)
			}, nil
		}
	}
	// More than may be asked in a minute: it goes on in the next one.
	return func(tx *store.Tx) error {
		if err := tx.Done(j); err != nil {
			return err
		}
		return tx.Add(store.LaneJob{Lane: r.sweepRound(), Kind: jobSweep, Args: encode(a), Delay: time.Minute, Cap: time.Minute})
	}, nil
}

// sweepFloor is from when on a sweep looks, by the platform's clock. That is known of after
// a page at the latest.
func (r *Rules) sweepFloor(round store.Round) time.Time {
	floor := r.theirs(r.Now()).Add(-r.Reconcile.Window)
	if upto := r.sweptTo(round); upto.After(floor) {
		return upto
	}
	return floor
}

// sweptTo is up to when, by the platform's clock, the last good sweep certainly saw all;
// zero if that is not known.
func (r *Rules) sweptTo(round store.Round) time.Time {
	upto := time.UnixMilli(round.Upto)
	if upto.After(r.Now()) { // our clock was set back since
		return time.Time{}
	}
	return r.theirs(upto).Add(-clockSkew)
}

type pageOfChannels struct {
	list []postern.Recent
	next string
}

// sweepFailed ends a sweep; the next one begins where the last good one did.
func (r *Rules) sweepFailed(j store.Job, err error) func(*store.Tx) error {
	k := postern.KindOf(err)
	if k == postern.Denied || postern.CauseOf(err) == postern.CauseNotFound {
		if !r.noSweep.Swap(true) {
			r.Logger.Warn("the chat does not list its channels: conversations are looked through one by one, new ones are not found", "code", codeOf(err))
		}
	} else {
		r.Logger.Warn("the chat's channels could not be listed", "error", err)
	}
	return func(tx *store.Tx) error {
		if r.noSweep.Load() {
			if err := tx.HurryWatches(r.PlatformName); err != nil {
				return err
			}
		}
		return tx.Done(j)
	}
}

// sweepPage has channels looked through in which the newest message was never heard; if
// we were down, all: one that was heard since may stand above others that were not. older:
// the rest of the list was written to before floor.
func (r *Rules) sweepPage(ctx context.Context, page []postern.Recent, floor time.Time, down bool) (older bool, err error) {
	now := r.theirs(r.Now())
	var found []postern.Recent
	for _, c := range page {
		if c.Last.CreatedAt.IsZero() {
			continue // it was created, and nothing was written
		}
		if c.Last.CreatedAt.Before(floor) {
			older = true
			break
		}
		if c.Last.CreatedAt.After(now.Add(-grace)) && !down {
			continue // its webhook may be on its way; the next sweep sees it again
		}
		look, err := r.toLookThrough(ctx, c, down)
		if err != nil {
			return false, err
		}
		if !look {
			continue
		}
		found = append(found, c)
	}
	if len(found) == 0 {
		return older, nil
	}
	return older, r.Store.Do(ctx, func(tx *store.Tx) error {
		for _, c := range found {
			if err := tx.Suspect(r.PlatformName, c.Channel.ID, floor.UnixMilli(), c.Last.CreatedAt); err != nil {
				return err
			}
		}
		return nil
	})
}

// toLookThrough tells whether a channel's newest message shows that webhooks were lost,
// or hides it: a line of our own, or a silent one, says nothing about those before it.
func (r *Rules) toLookThrough(ctx context.Context, c postern.Recent, down bool) (bool, error) {
	if down || c.Last.Silent || c.Last.Removed || r.ownLine(c.Last) {
		w, ok, err := r.Store.FindWatch(ctx, r.PlatformName, c.Channel.ID)
		return !ok || w.Upto < c.Last.CreatedAt.UnixMilli(), err
	}
	missed, err := r.unheard(ctx, c.Channel.ID, []postern.ChatMessage{c.Last})
	return len(missed) > 0, err
}
