package route53

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/apicall"
)

const (
	op         = "route53"
	version    = "/2013-04-01"
	namespace  = "https://route53.amazonaws.com/doc/2013-04-01/"
	defaultTTL = 300
	attempts   = 5 // of a change that others keep overtaking
	maxPages   = 50
)

// Config says how Route 53 is reached: with a key that may list hosted zones and record
// sets, and change record sets.
type Config struct {
	AccessKey, SecretKey string
	SessionToken         string // of temporary credentials
	ZoneID               string // "" = found by the zone's name; public zones only

	BaseURL   string       // default https://route53.amazonaws.com
	Region    string       // of the signature, default us-east-1, where Route 53 is
	HTTP      *http.Client // default: 30s for a call
	UserAgent string       // default "postern"
	PerMinute int          // calls, default 240: Route 53 takes five a second
	Now       func() time.Time
	Pause     func(context.Context, time.Duration) error // default: waits
}

// Host is an account at Amazon. It implements setup.Host and is safe for concurrent use.
// Errors: Denied if the key may not; Permanent with CauseNotFound without such a public
// zone; Temporary with CauseChanged if others change the same records all the time.
type Host struct {
	cfg  Config
	call *apicall.Caller
	lock sync.Mutex // our own changes one after another: they would only overtake each other

	mu    sync.Mutex
	zones map[string]string // name to id
}

// New makes a Host; it calls nobody.
func New(cfg Config) (*Host, error) {
	if cfg.AccessKey == "" || cfg.SecretKey == "" {
		return nil, postern.Errorf(postern.Invalid, op, "needs an access key and its secret")
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = "https://route53.amazonaws.com"
	}
	cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/")
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.PerMinute == 0 {
		cfg.PerMinute = 240
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Host{
		cfg: cfg, zones: map[string]string{},
		call: apicall.New(apicall.Config{
			Op: op, HTTP: cfg.HTTP, UserAgent: cfg.UserAgent, PerMinute: cfg.PerMinute, Now: cfg.Now, Pause: cfg.Pause,
		}),
	}, nil
}

// List gives the values of one type at one name.
func (h *Host) List(ctx context.Context, zone, name, kind string) ([]postern.DNSRecord, error) {
	id, err := h.zone(ctx, zone, name)
	if err != nil {
		return nil, err
	}
	set, err := h.set(ctx, id, name, kind)
	if err != nil || set == nil {
		return nil, err
	}
	return set.ours()
}

// Create adds one value to the set.
func (h *Host) Create(ctx context.Context, zone string, r postern.DNSRecord) error {
	value, err := toTheirs(r)
	if err != nil {
		return err
	}
	return h.change(ctx, zone, r, func(old *recordSet, at int) (next *recordSet) {
		if at >= 0 {
			return old
		}
		if old == nil {
			next = &recordSet{Name: dotted(r.Name), Type: strings.ToUpper(r.Type), TTL: defaultTTL}
			if r.TTL > 0 {
				next.TTL = int64(r.TTL)
			}
		} else {
			next = old.copied()
		}
		next.Records = append(next.Records, resource{value})
		return next
	})
}

// Delete takes one value out of the set, and the set away with its last.
func (h *Host) Delete(ctx context.Context, zone string, r postern.DNSRecord) error {
	return h.change(ctx, zone, r, func(old *recordSet, at int) *recordSet {
		if at < 0 {
			return old
		}
		next := old.copied()
		if next.Records = slices.Delete(next.Records, at, at+1); len(next.Records) == 0 {
			return nil
		}
		return next
	})
}

// change reads the set, lets edit make the next from it, and swaps them. at is where r is
// among the values, -1 if nowhere. Overtaken by somebody else it begins again.
func (h *Host) change(ctx context.Context, zone string, r postern.DNSRecord, edit func(old *recordSet, at int) *recordSet) error {
	h.lock.Lock()
	defer h.lock.Unlock()
	id, err := h.zone(ctx, zone, r.Name)
	if err != nil {
		return err
	}
	var overtaken error
	for range attempts {
		old, err := h.set(ctx, id, r.Name, r.Type)
		if err != nil {
			return err
		}
		at, err := old.find(r)
		if err != nil {
			return err
		}
		next := edit(old, at)
		if next == old {
			return nil
		}
		err = h.swap(ctx, id, old, next)
		if err == nil || postern.CauseOf(err) != postern.CauseChanged {
			return err
		}
		now, lookErr := h.set(ctx, id, r.Name, r.Type)
		if lookErr != nil {
			return lookErr
		}
		if now.equal(old) {
			return refused(err) // nobody was faster: the batch is refused for what it says
		}
		overtaken = err
	}
	return overtaken
}

// swap sends one batch: away with the old set as it was read, in with the new.
func (h *Host) swap(ctx context.Context, id string, old, next *recordSet) error {
	req := changeRequest{XMLNS: namespace}
	if old != nil {
		req.Changes = append(req.Changes, change{"DELETE", *old})
	}
	if next != nil {
		req.Changes = append(req.Changes, change{"CREATE", *next})
	}
	body, err := xml.Marshal(req)
	if err != nil {
		return postern.Errorf(postern.Internal, op, "%w", err)
	}
	return h.do(ctx, http.MethodPost, "/hostedzone/"+url.PathEscape(id)+"/rrset", nil, append([]byte(xml.Header), body...), nil)
}

// set reads the record set of a type at a name, nil if there is none. Sets that are
// answered by weight, place or health are several of the same name, and an alias has no
// values: both are Permanent, for their owner to decide.
func (h *Host) set(ctx context.Context, id, name, kind string) (*recordSet, error) {
	name, kind = lower(name), strings.ToUpper(kind)
	q := url.Values{"name": {dotted(name)}, "type": {kind}, "maxitems": {"10"}}
	var answer struct {
		Sets []recordSet `xml:"ResourceRecordSets>ResourceRecordSet"`
	}
	if err := h.do(ctx, http.MethodGet, "/hostedzone/"+url.PathEscape(id)+"/rrset", q, nil, &answer); err != nil {
		return nil, err
	}
	// The list begins at the name and type, and goes on with whatever follows.
	for i := range answer.Sets {
		s := &answer.Sets[i]
		if lower(unescape(s.Name)) != name || s.Type != kind {
			continue
		}
		if s.SetIdentifier != "" || len(s.Records) == 0 {
			return nil, postern.Errorf(postern.Permanent, op, "the %s at %s is an alias or answered by a routing policy; change it by hand", kind, name)
		}
		return s, nil
	}
	return nil, nil
}

// zone finds the id of a public hosted zone, and checks that the name is in it.
func (h *Host) zone(ctx context.Context, zone, name string) (string, error) {
	zone, name = lower(zone), lower(name)
	if zone == "" || name != zone && !strings.HasSuffix(name, "."+zone) {
		return "", postern.Errorf(postern.Invalid, op, "%s is not in the zone %s", name, zone)
	}
	if h.cfg.ZoneID != "" {
		return h.cfg.ZoneID, nil
	}
	h.mu.Lock()
	id := h.zones[zone]
	h.mu.Unlock()
	if id != "" {
		return id, nil
	}
	var answer struct {
		Zones []struct {
			ID      string `xml:"Id"`
			Name    string
			Private bool `xml:"Config>PrivateZone"`
		} `xml:"HostedZones>HostedZone"`
	}
	if err := h.do(ctx, http.MethodGet, "/hostedzonesbyname", url.Values{"dnsname": {dotted(zone)}, "maxitems": {"100"}}, nil, &answer); err != nil {
		return "", err
	}
	var ids []string
	for _, z := range answer.Zones {
		if lower(unescape(z.Name)) == zone && !z.Private {
			ids = append(ids, strings.TrimPrefix(z.ID, "/hostedzone/"))
		}
	}
	switch len(ids) {
	case 1:
		h.mu.Lock()
		h.zones[zone] = ids[0]
		h.mu.Unlock()
		return ids[0], nil
	case 0:
		return "", postern.Errorf(postern.Permanent, op, "the account has no public zone %s", zone).Because(postern.CauseNotFound)
	}
	return "", postern.Errorf(postern.Denied, op, "the account has %d public zones %s; say which by its id", len(ids), zone)
}
