package mailgun

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern"
)

// SetupConfig says how the account and the domain should be.
type SetupConfig struct {
	// PublicURL is where Mailgun reaches us, without a slash at its end.
	PublicURL string
	// Local is a regular expression for the local parts of our reply addresses, without
	// anchors, good for Python as well as for Go; Sample is one of them.
	Local, Sample string
	// Events are the event webhooks that we use; default SetupEvents.
	Events []string
	// Replace takes over what bears our mark and points elsewhere: an installation of
	// ours under another address.
	Replace bool
	// OtherURL is the API of the region that is not ours, asked when the domain is not
	// found in ours. Default: Mailgun's own, unless Config.APIURL is somewhere else.
	OtherURL string
}

// SetupEvents are the event webhooks that the gateway reads.
func SetupEvents() []string {
	return []string{"delivered", "opened", "permanent_fail", "temporary_fail", "complained", "unsubscribed"}
}

// Setup is Mailgun's side of a set-up: the domain, its tracking, the route of inbound
// mail and the event webhooks. It is a setup.Part, and knows which DNS records the
// domain needs.
type Setup struct {
	c      *Client
	cfg    SetupConfig
	other  string // API of the other region, "" = none
	sample string // a whole reply address
}

// NewSetup makes a Setup. It makes no call. It needs the account key.
func NewSetup(c *Client, cfg SetupConfig) (*Setup, error) {
	if c.cfg.AccountKey == "" {
		return nil, errors.New("mailgun: the set-up needs the account key")
	}
	if cfg.PublicURL == "" {
		return nil, errors.New("mailgun: no public URL")
	}
	re, err := regexp.Compile("^(?:" + cfg.Local + ")$")
	if err != nil || !re.MatchString(cfg.Sample) {
		return nil, fmt.Errorf("mailgun: %q is no local part as %q has them", cfg.Sample, cfg.Local)
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	if cfg.Events == nil {
		cfg.Events = SetupEvents()
	}
	s := &Setup{c: c, cfg: cfg, other: strings.TrimRight(cfg.OtherURL, "/"), sample: cfg.Sample + "@" + c.cfg.Domain}
	if own, _ := apiBase("", c.cfg.Region); s.other == "" && c.base == own {
		s.other, _ = apiBase("", otherRegion(c.cfg.Region))
	}
	return s, nil
}

func otherRegion(r string) string {
	if r == "eu" {
		return "us"
	}
	return "eu"
}

// Name is what the operator calls it.
func (*Setup) Name() string { return "Mailgun" }

// Keys of changes.
const (
	keyDomain = "mailgun/domain"
	keySpam   = "mailgun/spam"
	keyOpens  = "mailgun/tracking/open"
	keyClicks = "mailgun/tracking/click"
	keyRoute  = "mailgun/route"
	keyExtra  = "mailgun/route/" // and the id
	keyHook   = "mailgun/webhook/"
	keySign   = "mailgun/signing-key"
	keyLists  = "mailgun/suppressions"
)

// Late tells whether a change waits until the domain's DNS is right: mail is let in, and
// reported on, only when it can be answered.
func (*Setup) Late(key string) bool {
	return key == keyRoute || strings.HasPrefix(key, keyExtra) || strings.HasPrefix(key, keyHook)
}

// Plan reads the account and says how it should be.
func (s *Setup) Plan(ctx context.Context) ([]postern.Change, error) {
	d, err := s.domain(ctx)
	first, err := s.domainChange(ctx, d, err)
	if err != nil {
		return nil, err
	}
	all := []postern.Change{first}
	if first.Sign == postern.Conflict {
		return all, nil
	}
	for _, plan := range []func(context.Context, *domainAnswer) ([]postern.Change, error){
		s.spamChange, s.trackingChanges, s.signingChange, s.suppressionChange, s.routeChanges, s.hookChanges,
	} {
		more, err := plan(ctx, d)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// Restore brings one thing back. before is what Plan put into Change.Before.
func (s *Setup) Restore(ctx context.Context, key string, before json.RawMessage) error {
	const op = "mailgun.restore"
	var m memo
	if err := json.Unmarshal(before, &m); err != nil {
		return postern.Errorf(postern.Invalid, op, "not a snapshot of ours: %w", err)
	}
	switch {
	case key == keyDomain:
		return s.restoreDomain(ctx)
	case key == keySpam:
		return s.restoreSpam(ctx, m)
	case key == keyOpens, key == keyClicks:
		return s.restoreTracking(ctx, key, m)
	case key == keyRoute, strings.HasPrefix(key, keyExtra):
		return s.restoreRoute(ctx, m)
	case strings.HasPrefix(key, keyHook):
		return s.restoreHook(ctx, strings.TrimPrefix(key, keyHook), m)
	}
	return postern.Errorf(postern.Invalid, op, "unknown thing %q", key)
}

// memo is what Restore needs: what was there, null for nothing, and what we made of it,
// by which it is known whether somebody else has changed it since.
type memo struct {
	Was  json.RawMessage `json:"was"`
	Made json.RawMessage `json:"made"`
}

func remember(was, made any) json.RawMessage {
	w, _ := json.Marshal(was) // our own plain types: never fails
	m, _ := json.Marshal(made)
	b, _ := json.Marshal(memo{w, m})
	return b
}

// had tells whether there was something.
func (m memo) had() bool { return len(m.Was) > 0 && !bytes.Equal(m.Was, []byte("null")) }

func (m memo) read(was, made any) error {
	err := json.Unmarshal(m.Made, made)
	if m.had() {
		err = errors.Join(err, json.Unmarshal(m.Was, was))
	}
	if err != nil {
		return postern.Errorf(postern.Invalid, "mailgun.restore", "not a snapshot of ours: %w", err)
	}
	return nil
}

// changed is the error of a thing that is no longer what it was when it was looked at.
func changed(op, what string) error {
	return postern.Errorf(postern.Permanent, op, "%s has changed meanwhile", what).Because(postern.CauseChanged)
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// await repeats f until it is no longer told that a thing does not exist: at Mailgun new
// objects become visible after a while (documentation, "eventual consistency").
func await(ctx context.Context, f func() error) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := f()
		if postern.CauseOf(err) != postern.CauseNotFound || pause > time.Second {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}
