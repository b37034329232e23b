package cloudflare

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/apicall"
)

const op = "cloudflare"

// What Cloudflare takes: TTLs in seconds, 1 = automatic.
const (
	minTTL   = 60
	maxTTL   = 86400
	autoTTL  = 1
	pageSize = 100
	maxPages = 50
)

// The codes of errors that mean the record, or one with the same value, is there already.
const (
	codeExists    = 81057
	codeIdentical = 81058
)

// The codes of errors that are about the token although the status is 400.
const (
	codeHeaders = 6003
	codeToken   = 6111
	codeAuth    = 10000
)

// Config says how Cloudflare is reached.
type Config struct {
	Token string // API token with Zone:Read and DNS:Edit for the zone

	BaseURL   string       // default https://api.cloudflare.com/client/v4
	HTTP      *http.Client // default: 30s for a call
	UserAgent string       // default "postern"
	PerMinute int          // calls, default 240: Cloudflare's limit is 1,200 in five minutes
	Now       func() time.Time
	Pause     func(context.Context, time.Duration) error // default: waits
}

// Host is an account at Cloudflare. It implements setup.Host and is safe for concurrent
// use. Errors: Denied if the token may not; Permanent with CauseNotFound if it does not
// see the zone; Permanent for what Cloudflare refuses, such as a record beside a CNAME.
type Host struct {
	cfg  Config
	call *apicall.Caller

	mu    sync.Mutex
	zones map[string]string // name to id
}

// New makes a Host; it calls nobody.
func New(cfg Config) (*Host, error) {
	if cfg.Token == "" {
		return nil, postern.Errorf(postern.Invalid, op, "needs an API token")
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = "https://api.cloudflare.com/client/v4"
	}
	cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/")
	if cfg.PerMinute == 0 {
		cfg.PerMinute = 240
	}
	return &Host{
		cfg: cfg, zones: map[string]string{},
		call: apicall.New(apicall.Config{
			Op: op, HTTP: cfg.HTTP, UserAgent: cfg.UserAgent, PerMinute: cfg.PerMinute, Now: cfg.Now, Pause: cfg.Pause,
		}),
	}, nil
}

// record is Cloudflare's form.
type record struct {
	ID       string `json:"id,omitempty"`
	Type     string `json:"type"`
	Name     string `json:"name"` // fully qualified
	Content  string `json:"content"`
	TTL      int    `json:"ttl"`
	Priority *int   `json:"priority,omitempty"` // a pointer: 0 is a priority
	Proxied  bool   `json:"proxied"`
}

func (r record) ours() postern.DNSRecord {
	o := postern.DNSRecord{Name: lower(r.Name), Type: strings.ToUpper(r.Type), Value: r.Content}
	if r.TTL != autoTTL {
		o.TTL = r.TTL
	}
	switch o.Type {
	case "TXT":
		o.Value = unquote(r.Content)
	case "MX", "CNAME", "NS":
		if o.Value != "." {
			o.Value = strings.TrimSuffix(o.Value, ".")
		}
	}
	if r.Priority != nil && o.Type == "MX" {
		o.Priority = *r.Priority
	}
	return o
}

func lower(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

// List gives the values of one type at one name.
func (h *Host) List(ctx context.Context, zone, name, kind string) ([]postern.DNSRecord, error) {
	_, rs, err := h.list(ctx, zone, name, kind)
	var out []postern.DNSRecord
	for _, r := range rs {
		out = append(out, r.ours())
	}
	return out, err
}

// list gives them as they are, and the path of the zone's records.
func (h *Host) list(ctx context.Context, zone, name, kind string) (path string, all []record, err error) {
	zone, name, kind = lower(zone), lower(name), strings.ToUpper(kind)
	if name != zone && !strings.HasSuffix(name, "."+zone) || zone == "" {
		return "", nil, postern.Errorf(postern.Invalid, op, "%s is not in the zone %s", name, zone)
	}
	id, err := h.zone(ctx, zone)
	if err != nil {
		return "", nil, err
	}
	path = "/zones/" + url.PathEscape(id) + "/dns_records"
	for page := 1; page <= maxPages; page++ {
		q := url.Values{"type": {kind}, "name": {name}, "page": {strconv.Itoa(page)}, "per_page": {strconv.Itoa(pageSize)}}
		var rs []record
		pages, err := h.do(ctx, http.MethodGet, path+"?"+q.Encode(), nil, &rs)
		if err != nil {
			return path, nil, err
		}
		for _, r := range rs {
			if lower(r.Name) == name && strings.ToUpper(r.Type) == kind {
				all = append(all, r)
			}
		}
		if page >= pages || len(rs) == 0 {
			return path, all, nil
		}
	}
	return path, nil, postern.Errorf(postern.Permanent, op, "more than %d pages of %s records", maxPages, kind)
}

// zone finds a zone's id.
func (h *Host) zone(ctx context.Context, name string) (string, error) {
	h.mu.Lock()
	id := h.zones[name]
	h.mu.Unlock()
	if id != "" {
		return id, nil
	}
	var found []struct{ ID, Name string }
	if _, err := h.do(ctx, http.MethodGet, "/zones?"+url.Values{"name": {name}}.Encode(), nil, &found); err != nil {
		return "", err
	}
	for _, z := range found {
		if lower(z.Name) == name && z.ID != "" {
			h.mu.Lock()
			h.zones[name] = z.ID
			h.mu.Unlock()
			return z.ID, nil
		}
	}
	return "", postern.Errorf(postern.Permanent, op, "the token sees no zone %s", name).Because(postern.CauseNotFound)
}

// Create adds one value.
func (h *Host) Create(ctx context.Context, zone string, r postern.DNSRecord) error {
	if strings.TrimSpace(r.Value) == "" {
		return postern.Errorf(postern.Invalid, op, "a %s without a value", r.Type)
	}
	path, rs, err := h.list(ctx, zone, r.Name, r.Type)
	if err != nil || has(rs, r) {
		return err
	}
	body, err := json.Marshal(toTheirs(r))
	if err != nil {
		return postern.Errorf(postern.Internal, op, "%w", err)
	}
	_, failed := h.do(ctx, http.MethodPost, path, body, nil)
	if code := codeOf(failed); code != codeExists && code != codeIdentical {
		return failed
	}
	// Somebody was faster, or something else of the name stands in the way: look.
	_, rs, err = h.list(ctx, zone, r.Name, r.Type)
	if err != nil || has(rs, r) {
		return err
	}
	return failed
}

func toTheirs(r postern.DNSRecord) record {
	t := record{Type: strings.ToUpper(r.Type), Name: lower(r.Name), Content: r.Value, TTL: autoTTL}
	if r.TTL != 0 {
		t.TTL = min(max(r.TTL, minTTL), maxTTL)
	}
	switch t.Type {
	case "TXT":
		t.Content = quote(r.Value)
	case "MX":
		p := r.Priority
		t.Priority = &p
	}
	return t
}

func has(rs []record, r postern.DNSRecord) bool {
	return slices.ContainsFunc(rs, func(x record) bool { return x.ours().Same(r) })
}

// Delete takes one value away, by its id.
func (h *Host) Delete(ctx context.Context, zone string, r postern.DNSRecord) error {
	path, rs, err := h.list(ctx, zone, r.Name, r.Type)
	if err != nil {
		return err
	}
	for _, x := range rs {
		if !x.ours().Same(r) {
			continue
		}
		if x.ID == "" {
			return postern.Errorf(postern.Permanent, op, "a %s record without an id", r.Type)
		}
		_, err := h.do(ctx, http.MethodDelete, path+"/"+url.PathEscape(x.ID), nil, nil)
		if err != nil && postern.CauseOf(err) != postern.CauseNotFound {
			return err
		}
	}
	return nil
}
