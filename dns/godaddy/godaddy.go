package godaddy

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/apicall"
)

const op = "godaddy"

// What GoDaddy takes (v3 OpenAPI, schema DnsRecord).
const (
	minTTL     = 600
	maxTTL     = 86400
	defaultTTL = 3600
	maxData    = 512
)

// Config says how GoDaddy is reached. Token or Key and Secret are needed; with both the
// token goes first.
type Config struct {
	Token string // personal access token, scopes domains.domain:read and domains.dns:update
	// Key and Secret are the classic credentials, which v3 does not take and GoDaddy ends
	// with 2026.
	Key, Secret string

	BaseURL   string       // default https://api.godaddy.com
	HTTP      *http.Client // default: 30s for a call
	UserAgent string       // default "postern"; calls without one are refused
	PerMinute int          // calls, default 60, which is GoDaddy's limit
	Now       func() time.Time
	Pause     func(context.Context, time.Duration) error // default: waits
}

// Host is an account at GoDaddy. It implements setup.Host and is safe for concurrent
// use. Errors: Denied if the account may not, or the domain is protected; Permanent with
// CauseNotFound if it does not have the zone, with CauseTooLong for values that GoDaddy
// does not take; Temporary with CauseChanged if somebody else changed the same records at
// the same moment.
type Host struct {
	cfg    Config
	call   *apicall.Caller
	all    []api // in the order in which they are tried
	v1Lock sync.Mutex

	mu     sync.Mutex
	chosen map[string]api // by zone: the first that took us
}

// api is one version with one credential. Names are relative to the zone, "@" for the
// zone's own; values are GoDaddy's.
type api interface {
	list(ctx context.Context, zone, kind, name string) ([]record, error)
	create(ctx context.Context, zone string, r record) error
	// remove takes away what drop picks of the records of one name and type.
	remove(ctx context.Context, zone, kind, name string, drop func(record) bool) error
}

// New makes a Host; it calls nobody.
func New(cfg Config) (*Host, error) {
	if cfg.Token == "" && (cfg.Key == "" || cfg.Secret == "") {
		return nil, postern.Errorf(postern.Invalid, op, "needs a personal access token, or a key and its secret")
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = "https://api.godaddy.com"
	}
	cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/")
	if cfg.PerMinute == 0 {
		cfg.PerMinute = 60
	}
	h := &Host{cfg: cfg, chosen: map[string]api{}}
	h.call = apicall.New(apicall.Config{
		Op: op, HTTP: cfg.HTTP, UserAgent: cfg.UserAgent, PerMinute: cfg.PerMinute, Now: cfg.Now, Pause: cfg.Pause,
	})
	if cfg.Token != "" {
		bearer := "Bearer " + cfg.Token
		h.all = append(h.all, &v3{h, bearer}, &v1{h, bearer})
	}
	if cfg.Key != "" && cfg.Secret != "" {
		h.all = append(h.all, &v1{h, "sso-key " + cfg.Key + ":" + cfg.Secret})
	}
	return h, nil
}

// List gives the values of one type at one name. The empty texts that GoDaddy leaves
// behind are not among them.
func (h *Host) List(ctx context.Context, zone, name, kind string) ([]postern.DNSRecord, error) {
	zone = lower(zone)
	rel, err := relative(zone, name)
	if err != nil {
		return nil, err
	}
	_, rs, err := h.read(ctx, zone, strings.ToUpper(kind), rel)
	if err != nil {
		return nil, err
	}
	var out []postern.DNSRecord
	for _, r := range rs {
		if !r.empty() {
			out = append(out, r.ours(zone))
		}
	}
	return out, nil
}

// Create adds one value and reads it back.
func (h *Host) Create(ctx context.Context, zone string, r postern.DNSRecord) error {
	zone = lower(zone)
	rel, err := relative(zone, r.Name)
	if err != nil {
		return err
	}
	theirs, err := toTheirs(rel, r)
	if err != nil {
		return err
	}
	a, before, err := h.read(ctx, zone, theirs.Type, rel)
	if err != nil || has(before, zone, r) {
		return err
	}
	if theirs.Type == "CNAME" && len(before) > 0 {
		return postern.Errorf(postern.Permanent, op, "another CNAME is at the name").Because(postern.CauseChanged)
	}
	failed := a.create(ctx, zone, theirs)
	overtaken := postern.CauseOf(failed) == postern.CauseChanged
	if failed != nil && !overtaken && !refusedAsIs(failed) {
		return failed
	}
	// Refused as it stands: it may be that the value is there already, from another hand.
	after, err := a.list(ctx, zone, theirs.Type, rel)
	switch {
	case err != nil:
		return err
	case has(after, zone, r) && !overtaken:
		return nil
	case countEmpty(after) > countEmpty(before):
		return protected(theirs.Type)
	case failed != nil:
		return failed
	}
	return postern.Errorf(postern.Temporary, op, "the new %s does not show yet", theirs.Type)
}

// Delete takes one value away and looks whether it is gone.
func (h *Host) Delete(ctx context.Context, zone string, r postern.DNSRecord) error {
	zone = lower(zone)
	rel, err := relative(zone, r.Name)
	if err != nil {
		return err
	}
	kind := strings.ToUpper(r.Type)
	a, rs, err := h.read(ctx, zone, kind, rel)
	if err != nil || !has(rs, zone, r) {
		return err
	}
	if err := a.remove(ctx, zone, kind, rel, func(x record) bool { return !x.empty() && x.ours(zone).Same(r) }); err != nil {
		return err
	}
	after, err := a.list(ctx, zone, kind, rel)
	switch {
	case err != nil:
		return err
	case !has(after, zone, r):
		return nil
	case countEmpty(after) > countEmpty(rs):
		return protected(kind)
	}
	return postern.Errorf(postern.Temporary, op, "the deleted %s still shows", kind)
}

// protected is what GoDaddy does instead of refusing.
func protected(kind string) error {
	return postern.Errorf(postern.Denied, op, "GoDaddy stored an empty %s instead of the change: the domain has Full Domain Protection; switch it off for the change, and delete the empty record", kind)
}

// read lists by the API that the zone was found with, or finds one: the first that does
// not refuse us. What they refuse differently from each other is told as the first did.
func (h *Host) read(ctx context.Context, zone, kind, name string) (api, []record, error) {
	h.mu.Lock()
	known := h.chosen[zone]
	h.mu.Unlock()
	if known != nil {
		rs, err := known.list(ctx, zone, kind, name)
		return known, rs, err
	}
	var first error
	for _, a := range h.all {
		rs, err := a.list(ctx, zone, kind, name)
		if err == nil {
			h.mu.Lock()
			h.chosen[zone] = a
			h.mu.Unlock()
			return a, rs, nil
		}
		if k := postern.KindOf(err); k != postern.Denied && k != postern.Permanent {
			return nil, nil, err
		}
		if first == nil {
			first = err
		}
	}
	return nil, nil, first
}

// refusedAsIs tells errors of a create behind which the value may be there: a duplicate
// (422), and whatever else was refused for what it says.
func refusedAsIs(err error) bool {
	return postern.KindOf(err) == postern.Permanent && postern.CauseOf(err) != postern.CauseNotFound
}

func has(rs []record, zone string, r postern.DNSRecord) bool {
	return slices.ContainsFunc(rs, func(x record) bool { return !x.empty() && x.ours(zone).Same(r) })
}

func countEmpty(rs []record) int {
	n := 0
	for _, r := range rs {
		if r.empty() {
			n++
		}
	}
	return n
}
