package relay

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// Reconcile says how messages are looked for whose webhook never came: a platform gives
// up on a webhook soon (Sendbird after three tries of 5 s) and forgets it.
type Reconcile struct {
	// Window is how far back is looked, and how long a conversation counts as active; 0 =
	// nothing is looked for.
	Window time.Duration
	// Every is how long after one look at the list of channels the next one comes; 0 = 5 min.
	Every time.Duration
	// PerMinute bounds the calls for it, over all replicas; 0 = 300.
	PerMinute int
	// Channels lets the platform be asked where something was written. Without it only
	// conversations are looked through that were mailed before.
	Channels bool
}

func (c *Reconcile) fill() {
	if c.Every <= 0 {
		c.Every = 5 * time.Minute
	}
	if c.PerMinute <= 0 {
		c.PerMinute = 300
	}
}

// grace is how long a webhook may be on its way: three tries of 5 s, and some.
const grace = 20 * time.Second

const (
	listPage  = 200                    // messages that Platform.Messages lists at once
	listPages = 20                     // of one channel at one look
	roundTime = 10 * time.Second       // how often channels are taken that are to be looked through
	lookBack  = 10 * time.Minute       // where nothing is known yet of a channel
	againIn   = grace + 10*time.Second // where a webhook may be on its way
	refusedIn = 6 * time.Hour          // a look that the platform refused is tried again
)

func (r *Rules) chatLane(ch postern.ChannelID) string {
	return "chat/" + r.PlatformName + "/" + string(ch)
}

func (r *Rules) sweepRound() string { return "sweep/" + r.PlatformName }

// The rounds. They are stored.
const (
	checkRound = "checks"
	askRound   = "asks"
)

// watched gathers what happened in channels, to be written now and then: it is not worth
// a write for every mail, and one writer in one order has no deadlocks.
type watched struct {
	mu   sync.Mutex
	news map[postern.ChannelID]store.Watch
}

// watch keeps in mind that something happened in a channel, that all was heard up to a
// moment (zero = not known), and that it is to be looked through by a moment (zero = no).
func (r *Rules) watch(ch postern.ChannelID, upto, check time.Time) {
	if r.Reconcile.Window <= 0 || ch == "" {
		return
	}
	now := r.Now()
	if check.IsZero() && (r.periodic() || !r.swept.Load()) { // or perhaps so
		check = now.Add(lookBack)
	}
	r.watched.mu.Lock()
	defer r.watched.mu.Unlock()
	w := r.watched.news[ch]
	w.Platform, w.Channel, w.ActiveAt = r.PlatformName, ch, now
	if !upto.IsZero() {
		w.Upto = max(w.Upto, upto.UnixMilli())
	}
	if !check.IsZero() && (w.CheckAt.IsZero() || check.Before(w.CheckAt)) {
		w.CheckAt = check
	}
	if r.watched.news == nil {
		r.watched.news = map[postern.ChannelID]store.Watch{}
	}
	r.watched.news[ch] = w
}

// periodic: conversations are looked through by time, because nobody tells where
// something was written.
func (r *Rules) periodic() bool {
	_, can := able[Lister](r.Platform)
	return !can || !r.Reconcile.Channels || r.noSweep.Load()
}

// Remember writes which conversations were active since the last time. Rounds does it
// too; call it before the end.
func (r *Rules) Remember(ctx context.Context) error {
	r.watched.mu.Lock()
	news := r.watched.news
	r.watched.news = nil
	r.watched.mu.Unlock()
	list := slices.Collect(maps.Values(news))
	slices.SortFunc(list, func(a, b store.Watch) int { return cmp.Compare(a.Channel, b.Channel) })
	for part := range slices.Chunk(list, 500) {
		if err := r.Store.Do(ctx, func(tx *store.Tx) error { return tx.PutWatches(part) }); err != nil {
			return err // at worst a conversation is not looked through by time
		}
	}
	return nil
}

// Rounds does once what is due by the clock: it puts jobs into lanes, no more. Call it
// every few seconds, in each replica; whoever is first does it for all.
func (r *Rules) Rounds(ctx context.Context) error {
	if err := r.Remember(ctx); err != nil {
		return err
	}
	if err := r.roundOfAsks(ctx); err != nil {
		return err
	}
	if r.Reconcile.Window <= 0 {
		return nil
	}
	if err := r.roundOfSweeps(ctx); err != nil {
		return err
	}
	return r.roundOfChecks(ctx)
}

// round runs fn in a transaction if a round is due and nobody else took it.
func (r *Rules) round(ctx context.Context, name string, every time.Duration, first int64, fn func(*store.Tx) error) error {
	known, ok, err := r.Store.FindRound(ctx, name)
	if err != nil || ok && known.DueAt.After(r.Store.Now()) {
		return err
	}
	return r.Store.Do(ctx, func(tx *store.Tx) error {
		if !ok {
			if err := tx.BeginRound(name, tx.Now(), first); err != nil {
				return err
			}
		}
		mine, err := tx.TakeRound(name, tx.Now().Add(every))
		if err != nil || !mine {
			return err
		}
		return fn(tx)
	})
}

func (r *Rules) perRound() int { return max(1, r.Reconcile.PerMinute*int(roundTime/time.Second)/60) }

func (r *Rules) roundOfSweeps(ctx context.Context) error {
	lane := r.sweepRound()
	return r.round(ctx, lane, r.Reconcile.Every, r.Now().UnixMilli(), func(tx *store.Tx) error {
		if r.periodic() {
			return nil
		}
		if busy, err := tx.HasKind(lane, jobSweep); err != nil || busy {
			return err
		}
		return tx.Add(store.LaneJob{Lane: lane, Kind: jobSweep})
	})
}

func (r *Rules) roundOfChecks(ctx context.Context) error {
	if due, ok, err := r.Store.WatchDue(ctx); err != nil || !ok || due.After(r.Store.Now()) {
		return err
	}
	return r.round(ctx, checkRound, roundTime, 0, func(tx *store.Tx) error {
		channels, err := tx.DueWatches(r.PlatformName, r.perRound(), tx.Now().Add(r.Reconcile.Every))
		for _, ch := range channels {
			if err == nil {
				err = tx.Add(store.LaneJob{Lane: r.chatLane(ch), Kind: jobReconcile, Args: encode(args{Channel: ch})})
			}
		}
		return err
	})
}

// Hurry is for the start: where nobody can tell in which channels something was written
// while we were down, all active ones are looked through, at their bounded rate.
func (r *Rules) Hurry(ctx context.Context) error {
	if r.Reconcile.Window <= 0 || !r.periodic() {
		return nil
	}
	return r.Store.Do(ctx, func(tx *store.Tx) error { return tx.HurryWatches(r.PlatformName) })
}

// heardFrom is the moment from which a channel's list is compared with what was heard.
func (r *Rules) heardFrom(ctx context.Context, ch postern.ChannelID, first time.Time) (time.Time, error) {
	w, ok, err := r.Store.FindWatch(ctx, r.PlatformName, ch)
	if err != nil {
		return first, err
	}
	from := first.Add(-lookBack)
	switch {
	case ok && w.Upto > 0:
		from = time.UnixMilli(w.Upto)
	case !r.periodic(): // as far as the last sweep could not see
		swept, ok, err := r.Store.FindRound(ctx, r.sweepRound())
		if at := r.sweptTo(swept); ok && at.Before(from) {
			from = at
		}
		if err != nil {
			return first, err
		}
	}
	begun, ok, err := r.Store.FindRound(ctx, r.begunRound())
	if err != nil {
		return first, err
	}
	if oldest := r.theirs(r.Now()).Add(-r.Reconcile.Window); from.Before(oldest) {
		from = oldest
	}
	if began := r.theirs(time.UnixMilli(begun.Upto)); !ok || from.Before(began) {
		from = began // what was written before we were there is nobody's mail
		if !ok {
			from = first
		}
	}
	if from.After(first) {
		from = first
	}
	return from, nil
}

// begunRound keeps when this platform was spoken with for the first time.
func (r *Rules) begunRound() string { return "begun/" + r.PlatformName }

// Begin is called once at every start, before anything else. The first time it keeps the
// moment: what was written before is never looked for.
func (r *Rules) Begin(ctx context.Context) error {
	err := r.Store.Do(ctx, func(tx *store.Tx) error {
		if err := tx.BeginRound(r.begunRound(), tx.Now(), tx.Now().UnixMilli()); err != nil {
			return err
		}
		// There is nothing to find yet.
		return tx.BeginRound(r.sweepRound(), tx.Now().Add(r.Reconcile.Every), tx.Now().UnixMilli())
	})
	if err != nil {
		return err
	}
	return r.Hurry(ctx)
}

// heeded is what came of comparing a list of a channel's messages with what was heard.
type heeded struct {
	upto    time.Time // up to here all is heard now; zero = not known
	pending time.Time // creation of the first message that may still be heard; zero = none
}

// heed compares a list of a channel's messages with what was heard, and takes what was
// not. named gives the channel with its name, and is called only if something was missed.
func (r *Rules) heed(ctx context.Context, list []postern.ChatMessage, id postern.ChannelID, named func(context.Context) (postern.Channel, error)) (out heeded, err error) {
	missed, err := r.unheard(ctx, id, list)
	if err != nil {
		return out, err
	}
	old, young := r.byAge(missed)
	if len(old) > 0 {
		ch, err := named(ctx)
		if err != nil {
			return out, err
		}
		if err := r.hear(ctx, ch, old); err != nil {
			return out, err
		}
	}
	for _, m := range list {
		if len(young) > 0 && m.ID == young[0].ID {
			out.pending = m.CreatedAt
			break
		}
		out.upto = m.CreatedAt
	}
	return out, nil
}

// byAge parts messages, oldest first, into those whose webhook is not coming any more and
// those whose webhook may be on its way.
func (r *Rules) byAge(list []postern.ChatMessage) (old, young []postern.ChatMessage) {
	by := r.theirs(r.Now()).Add(-grace)
	for i, m := range list {
		if m.CreatedAt.After(by) {
			return list[:i], list[i:]
		}
	}
	return list, nil
}

// channelNow gives a channel's name from the platform; where it will not say, the channel
// has none.
func (r *Rules) channelNow(id postern.ChannelID) func(context.Context) (postern.Channel, error) {
	return func(ctx context.Context) (postern.Channel, error) {
		ch, err := r.Platform.Channel(ctx, id)
		if settled(err) {
			return postern.Channel{ID: id}, nil
		}
		ch.ID = id
		return ch, err
	}
}

// reconcile looks through one channel from where all was heard.
func (r *Rules) reconcile(ctx context.Context, j store.Job) (func(*store.Tx) error, error) {
	a, err := decode(j)
	if err != nil {
		return nil, err
	}
	w, _, err := r.Store.FindWatch(ctx, r.PlatformName, a.Channel)
	if err != nil {
		return nil, err
	}
	now := r.Now()
	from, err := r.heardFrom(ctx, a.Channel, r.theirs(now))
	if err != nil {
		return nil, err
	}
	got, err := r.lookThrough(ctx, a.Channel, from)
	w = store.Watch{Platform: r.PlatformName, Channel: a.Channel, ActiveAt: w.ActiveAt}
	if !got.upto.IsZero() {
		w.Upto = got.upto.UnixMilli()
	}
	age := now.Sub(w.ActiveAt)
	switch {
	case settled(err):
		w.CheckAt = now.Add(refusedIn)
		r.Logger.Warn("the chat does not let messages be listed: lost webhooks are not found", "code", codeOf(err))
	case err != nil:
		// The lane is not held up: what stands behind it may not need the platform.
		w.CheckAt = now.Add(max(r.Reconcile.Every, postern.RetryAfter(err)))
	case !got.pending.IsZero():
		w.CheckAt = now.Add(againIn)
	case r.periodic() && age < r.Reconcile.Window:
		w.CheckAt = now.Add(max(lookBack, age)) // twice as long each time
	}
	return func(tx *store.Tx) error {
		if err := tx.PutWatch(w, true); err != nil {
			return err
		}
		return tx.Done(j)
	}, nil
}

// lookThrough lists a channel's messages page by page and takes those never heard. It
// tells how far it came, with an error too.
func (r *Rules) lookThrough(ctx context.Context, ch postern.ChannelID, from time.Time) (out heeded, err error) {
	for range listPages {
		list, err := r.Platform.Messages(ctx, ch, from)
		if err != nil {
			return out, err
		}
		got, err := r.heed(ctx, list, ch, r.channelNow(ch))
		if err != nil {
			return out, err
		}
		if got.upto.After(out.upto) {
			out.upto = got.upto
		}
		next, more := nextPage(list, from)
		if out.pending = got.pending; !more || !out.pending.IsZero() {
			return out, nil
		}
		from = next
	}
	return out, postern.Errorf(postern.Temporary, "relay.reconcile", "more than %d messages to look through", listPage*listPages)
}

// nextPage tells from where a list goes on: several messages may be of one moment.
func nextPage(list []postern.ChatMessage, from time.Time) (next time.Time, more bool) {
	if len(list) < listPage {
		return from, false
	}
	next = list[len(list)-1].CreatedAt
	if !next.After(from) {
		next = from.Add(time.Millisecond) // a whole page of one moment
	}
	return next, true
}

// wake has a participant's marks looked at again.
func (r *Rules) wake(j store.Job) (func(*store.Tx) error, error) {
	a, err := decode(j)
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx) error {
		if err := tx.Add(receiptJob(a.For)); err != nil {
			return err
		}
		return tx.Done(j)
	}, nil
}
