package relay

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/blob"
	"github.com/postern-chat/postern/internal/seal"
	"github.com/postern-chat/postern/store"
)

// When says which messages are mailed.
type When string

// The values of notify.when.
const (
	WhenOffline When = "offline" // to members who are not online
	WhenUnread  When = "unread"  // to members who have not read it when the quiet window ends
	WhenNever   When = "never"
)

// ReadPolicy says what counts as reading.
type ReadPolicy string

// The values of receipts.read.
const (
	ReadHumanOpen ReadPolicy = "human-open"
	ReadAnyOpen   ReadPolicy = "any-open"
	ReadReply     ReadPolicy = "reply"
	ReadOff       ReadPolicy = "off"
)

// Strangers says what becomes of mail from somebody other than the participant.
type Strangers string

// The values of inbound.strangers.
const (
	StrangersHold   Strangers = "hold"
	StrangersRefuse Strangers = "refuse"
	StrangersGuest  Strangers = "guest" // posted as the application's line, with the name
)

// Config is what the rules need.
type Config struct {
	Store        *store.Store
	Blobs        blob.Store
	Keys         *seal.Keys
	Platform     Platform
	PlatformName string // "sendbird"; part of lanes and stored, so it never changes
	Provider     Provider

	Domain    string // of the reply addresses, and of our Message-IDs
	PublicURL string // without a slash at its end; "" = mails carry no links to us
	FromName  string // stands in From after the sender's name; "" = the channel's name

	When            When
	Delay           time.Duration // quiet window; 0 = at once
	DelayMax        time.Duration // the window's end however many messages come; 0 = five times Delay
	UserIDIsAddress bool          // a user id that is an address is the person's address
	AttachLimit     int64         // bytes of files attached to one mail; larger ones are linked
	Read            ReadPolicy
	HumanAfter      time.Duration // an open sooner than this after delivery is a machine's
	Strangers       Strangers
	UnsureAfter     time.Duration // how long an uncertain send stays unfound before it is repeated
	MaxText         int           // longest chat text, in characters, where the channel tells none

	Reconcile Reconcile
	// UnprovenAfter is how long a mail of which nobody knows whether it arrived holds the
	// marks of later ones; 0 = for good.
	UnprovenAfter time.Duration
	// Slots is how many lanes are worked at once; calls to one service hold at most 80 % of
	// them. 0 = unknown.
	Slots int

	// Now is the time by which what is written down is compared; nil = the store's. Machine is
	// the clock of this machine, which Platform and Provider go by; nil = Now, or if that is
	// the store's the system's.
	Now     func() time.Time
	Machine func() time.Time
	Logger  *slog.Logger
	// Observe counts decisions: what ("not mailed", "held" ...) and why, each one of few
	// words. It does not block. nil = nobody counts.
	Observe func(what, why string)
}

// Rules decide. What they know is in the store; in memory they keep, for a moment, only
// what the platform said of a channel.
type Rules struct {
	Config
	members  moments[[]postern.Member]
	messages moments[[]postern.ChatMessage]
	limits   moments[int] // of texts, by channel
	chat     *gate        // before the platform
	mail     *gate        // before the provider
	heard    heardLately
	watched  watched
	noSweep  atomic.Bool // the platform lists no channels, or not to us
	swept    atomic.Bool // it did list them
}

// New checks the configuration.
func New(cfg Config) (*Rules, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, string) {}
	}
	if cfg.DelayMax == 0 {
		cfg.DelayMax = 5 * cfg.Delay
	}
	if cfg.MaxText <= 0 {
		cfg.MaxText = 5000
	}
	if cfg.Store == nil || cfg.Blobs == nil || cfg.Keys == nil || cfg.Platform == nil || cfg.Provider == nil || cfg.Domain == "" {
		return nil, errors.New("relay: store, blobs, keys, platform, provider and domain are needed")
	}
	cfg.clocks()
	cfg.Domain = strings.ToLower(cfg.Domain)
	cfg.Reconcile.fill()
	r := &Rules{Config: cfg, heard: newHeard()}
	r.limits.life = limitLife
	r.chat = newGate("chat", cfg.Slots, cfg.Machine, cfg.Logger)
	r.mail = newGate("mail", cfg.Slots, cfg.Machine, cfg.Logger)
	r.mail.told = true
	r.Platform, r.Provider = gatedPlatform{cfg.Platform, r.chat}, gatedProvider{cfg.Provider, r.mail}
	return r, nil
}

func (c *Config) clocks() {
	if c.Machine == nil {
		if c.Machine = c.Now; c.Now == nil {
			c.Machine = time.Now
		}
	}
	if c.Now == nil {
		c.Now = c.Store.Now
	}
}

// ahead tells how far the platform's clock is ahead of Now; 0 if nothing is known.
func (r *Rules) ahead() time.Duration {
	c, ok := able[Clocked](r.Platform)
	if !ok {
		return 0
	}
	d := c.Ahead() + r.Machine().Sub(r.Now())
	if d.Abs() <= 2*time.Second { // as near as it is told
		return 0
	}
	return d
}

// theirs is what the platform's clock tells at a moment of Now: by that messages are dated.
func (r *Rules) theirs(t time.Time) time.Time { return t.Add(r.ahead()) }

// The kinds of jobs. They are stored: a name, once used, keeps its meaning.
const (
	jobMessage = "message" // mail lane: a chat message for one member
	jobSend    = "send"    // mail lane: a delivery that is written down
	jobFanout  = "fanout"  // chat lane: a message whose channel's members are to be asked for
	jobChange  = "change"  // chat lane: an edit, a deletion, a reading
	jobInbound = "inbound" // post lane: an e-mail that arrived
	jobPost    = "post"    // post lane: posts that are written down
	jobTell    = "tell"    // post lane: a line of our own, written down
	jobEvent   = "event"   // receipt lane: what became of an e-mail
	jobReceipt = "receipt" // receipt lane: marks to be moved

	jobSweep     = "sweep"     // sweep lane: channels in which something was written lately
	jobReconcile = "reconcile" // chat lane: messages of one channel that were never heard
	jobWake      = "wake"      // chat or wake lane: marks waited for what stood before it
	jobAsk       = "ask"       // ask lane: what became of an e-mail, asked of the provider
)

// args is what a job carries beside its event. Stored as JSON.
type args struct {
	Channel  postern.ChannelID     `json:"c,omitempty"`
	User     postern.UserID        `json:"u,omitempty"`
	Delivery postern.DeliveryID    `json:"d,omitempty"`
	Batch    string                `json:"b,omitempty"`
	For      postern.ParticipantID `json:"p,omitempty"`
	Released bool                  `json:"r,omitempty"` // an operator let a held mail through
	Page     string                `json:"t,omitempty"` // where a sweep goes on
	Since    int64                 `json:"s,omitempty"` // when it began, ms
}

// Handle works the first jobs of a lane. It is the store.Handler of the house.
func (r *Rules) Handle(ctx context.Context, l *store.Lease) (final func(*store.Tx) error, err error) {
	head := l.Jobs[0]
	if wait := r.waits(head); wait != nil {
		return wait, nil
	}
	switch head.Kind {
	case jobMessage:
		return r.mailBurst(ctx, l)
	case jobSend:
		return r.resume(ctx, l, head)
	case jobFanout:
		return r.fanout(ctx, head)
	case jobChange:
		return r.change(head)
	case jobInbound:
		return r.inbound(ctx, l, head)
	case jobPost, jobTell:
		return r.post(ctx, l, head)
	case jobEvent:
		return r.mailEvent(ctx, head)
	case jobReceipt:
		return r.receipt(ctx, l, head)
	case jobSweep:
		return r.sweep(ctx, head)
	case jobReconcile:
		return r.reconcile(ctx, head)
	case jobWake:
		return r.wake(head)
	case jobAsk:
		return r.ask(ctx, head)
	}
	return nil, postern.Errorf(postern.Permanent, "relay.handle", "no rule for jobs of kind %q", head.Kind)
}
