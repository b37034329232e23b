package mailgun

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-chat/postern"
)

// domainAnswer is GET /v4/domains/{name}.
type domainAnswer struct {
	Domain struct {
		Name       string `json:"name"`
		State      string `json:"state"`
		Type       string `json:"type"`
		SpamAction string `json:"spam_action"`
		IsDisabled bool   `json:"is_disabled"`
		WebScheme  string `json:"web_scheme"`
	} `json:"domain"`
	Receiving []recordAnswer `json:"receiving_dns_records"`
	Sending   []recordAnswer `json:"sending_dns_records"`
}

type recordAnswer struct {
	Type     string   `json:"record_type"`
	Name     string   `json:"name"` // missing for MX
	Value    string   `json:"value"`
	Priority priority `json:"priority"`
	Valid    string   `json:"valid"` // valid, unknown, invalid
}

// priority is a number that Mailgun writes as a string, "10".
type priority int

// UnmarshalJSON takes both.
func (p *priority) UnmarshalJSON(b []byte) error {
	n, _ := strconv.Atoi(strings.Trim(string(b), `" `))
	*p = priority(n)
	return nil
}

func (s *Setup) domain(ctx context.Context) (*domainAnswer, error) { return s.domainAt(ctx, s.c.base) }

func (s *Setup) domainAt(ctx context.Context, base string) (*domainAnswer, error) {
	d := new(domainAnswer)
	if err := s.doAt(ctx, base, "domain", http.MethodGet, s.domainPath("v4", ""), nil, d); err != nil {
		return nil, err
	}
	return d, nil
}

// domainChange is the domain's line, from what asking for it gave.
func (s *Setup) domainChange(ctx context.Context, d *domainAnswer, err error) (postern.Change, error) {
	c := postern.Change{Key: keyDomain, Sign: postern.Keep, Title: "domain " + s.c.cfg.Domain, Want: "in region " + s.c.cfg.Region}
	if d != nil {
		c.Is = d.Domain.State
		c.Want = c.Is
		if d.Domain.State == "disabled" {
			c.Sign, c.Want, c.Why = postern.Conflict, "active", "Mailgun has disabled the domain: its support can say why"
		}
		if d.Domain.Type != "" && d.Domain.Type != "custom" {
			c.Why = "a domain of Mailgun's own, for trying (" + d.Domain.Type + "): it sends to a few authorised recipients only"
		}
		return c, nil
	}
	kind := postern.KindOf(err)
	if kind != postern.Denied {
		return c, err
	}
	if s.other != "" {
		if _, e := s.domainAt(ctx, s.other); e == nil {
			other := otherRegion(s.c.cfg.Region)
			c.Sign, c.Is = postern.Conflict, "in region "+other
			c.Why = `the domain lives in the other region: set mailgun.region = "` + other + `"`
			return c, nil
		}
	}
	if !missing(err) {
		// A domain of somebody else answers as a bad key does; the account tells them apart.
		if e := s.do(ctx, "routes", http.MethodGet, "/v3/routes?limit=1", nil, nil); e != nil {
			return c, err
		}
		c.Sign, c.Is = postern.Conflict, "not ours"
		c.Why = "the key is good and Mailgun refuses the domain: it belongs to another account; remove it there, or use another name"
		return c, nil
	}
	c.Sign, c.Before = postern.Add, remember(nil, "created")
	c.Apply = s.createDomain
	return c, nil
}

func (s *Setup) createDomain(ctx context.Context) error {
	if _, err := s.domain(ctx); !missing(err) {
		return err // it is there by now, or cannot be asked for
	}
	err := s.do(ctx, "create-domain", http.MethodPost, "/v4/domains", &setupForm{multipart: true, values: url.Values{
		"name": {s.c.cfg.Domain}, "spam_action": {"tag"}, "dkim_key_size": {"2048"},
	}}, nil)
	if err != nil {
		if _, again := s.domain(ctx); again == nil {
			return nil // the answer was lost, or somebody was quicker
		}
		if postern.KindOf(err) == postern.Permanent {
			return postern.Errorf(postern.Denied, "mailgun.create-domain", "%w; if the name is taken: it belongs to another account or to the other region", err)
		}
		return err
	}
	return await(ctx, func() error { _, err := s.domain(ctx); return err })
}

// restoreDomain deletes the domain that we made, unless it has been used.
func (s *Setup) restoreDomain(ctx context.Context) error {
	const op = "mailgun.delete-domain"
	if _, err := s.domain(ctx); err != nil {
		if missing(err) {
			return nil
		}
		return err
	}
	hooks, err := s.hooks(ctx)
	if err != nil {
		return err
	}
	counts, err := s.suppressions(ctx)
	if err != nil {
		return err
	}
	if len(hooks) > 0 || slices.Max(counts) > 0 {
		return postern.Errorf(postern.Permanent, op, "the domain is in use: it has webhooks or suppressions").Because(postern.CauseChanged)
	}
	err = s.do(ctx, "delete-domain", http.MethodDelete, s.domainPath("v3", ""), nil, nil)
	if missing(err) {
		return nil
	}
	return err
}

// spamChange has Mailgun write into inbound mail what it found: without the tag mode its
// verdicts on SPF and DKIM do not come with the mail. Mode "block" is left alone.
func (s *Setup) spamChange(_ context.Context, d *domainAnswer) ([]postern.Change, error) {
	if d == nil || d.Domain.SpamAction != "disabled" {
		return nil, nil // a domain that we make is made so
	}
	return []postern.Change{{
		Key: keySpam, Sign: postern.Alter, Title: "verdicts on inbound mail", Is: "disabled", Want: "tag",
		Why:    "headers are added, nothing is refused; the gateway reads SPF and DKIM from them",
		Before: remember("disabled", "tag"),
		Apply:  func(ctx context.Context) error { return s.putSpam(ctx, "disabled", "tag") },
	}}, nil
}

func (s *Setup) putSpam(ctx context.Context, from, to string) error {
	d, err := s.domain(ctx)
	switch {
	case err != nil:
		return err
	case d.Domain.SpamAction == to:
		return nil
	case d.Domain.SpamAction != from:
		return changed("mailgun.spam", "the spam setting")
	}
	return s.do(ctx, "spam", http.MethodPut, s.domainPath("v4", ""), &setupForm{multipart: true, values: url.Values{"spam_action": {to}}}, nil)
}

func (s *Setup) restoreSpam(ctx context.Context, m memo) error {
	var was, made string
	if err := m.read(&was, &made); err != nil {
		return err
	}
	if err := s.putSpam(ctx, made, was); !missing(err) {
		return err
	}
	return nil
}

// Records asks Mailgun which DNS records the domain needs.
func (s *Setup) Records(ctx context.Context) ([]postern.DNSRecord, error) {
	d, err := s.domain(ctx)
	if err != nil {
		return nil, err
	}
	var all []postern.DNSRecord
	for _, r := range slices.Concat(d.Receiving, d.Sending) {
		if rec, ok := d.record(r); ok && !slices.ContainsFunc(all, rec.Same) {
			all = append(all, rec)
		}
	}
	return all, nil
}

// Owns tells whether a record is one that Mailgun has us publish, be it an old one: a
// host of Mailgun's, or a DKIM key in the form in which Mailgun writes them. One of
// another sender is none.
func (*Setup) Owns(r postern.DNSRecord) bool {
	switch r.Type {
	case "MX", "CNAME":
		v := "." + plainName(r.Value)
		return strings.HasSuffix(v, ".mailgun.org") || strings.HasSuffix(v, ".mailgun.com") || strings.HasSuffix(v, ".mailgun.net")
	case "TXT":
		v := strings.ReplaceAll(r.Value, " ", "")
		return strings.Contains(r.Name, "._domainkey.") && strings.HasPrefix(v, "k=rsa;p=")
	}
	return false
}

// Verify has Mailgun look at the DNS, and says what it does not find.
func (s *Setup) Verify(ctx context.Context) ([]string, error) {
	d := new(domainAnswer)
	if err := s.do(ctx, "verify", http.MethodPut, s.domainPath("v4", "/verify"), &setupForm{multipart: true}, d); err != nil {
		return nil, err
	}
	var lacking []string
	for _, r := range slices.Concat(d.Receiving, d.Sending) {
		if rec, ok := d.record(r); ok && r.Valid != "valid" {
			what := rec.Type + " " + rec.Name
			if rec.Type == "MX" {
				what += " " + rec.Value
			}
			lacking = append(lacking, what)
		}
	}
	if lacking == nil && d.Domain.State != "active" {
		lacking = []string{"the domain is " + d.Domain.State}
	}
	return lacking, nil
}

// trackingAnswer is GET /v3/domains/{name}/tracking.
type trackingAnswer struct {
	Tracking struct {
		Open  struct{ Active flexible } `json:"open"`
		Click struct{ Active flexible } `json:"click"`
	} `json:"tracking"`
}

// flexible is a setting that comes as true or as "htmlonly".
type flexible string

// UnmarshalJSON gives "yes", "no" or "htmlonly".
func (f *flexible) UnmarshalJSON(b []byte) error {
	switch v := strings.Trim(string(b), `"`); v {
	case "true":
		*f = "yes"
	case "false", "null", "":
		*f = "no"
	default:
		*f = flexible(v)
	}
	return nil
}

func (s *Setup) tracking(ctx context.Context) (opens, clicks string, err error) {
	var t trackingAnswer
	if err := s.do(ctx, "tracking", http.MethodGet, s.domainPath("v3", "/tracking"), nil, &t); err != nil {
		return "", "", err
	}
	opens, clicks = string(t.Tracking.Open.Active), string(t.Tracking.Click.Active)
	if opens == "" {
		opens = "no"
	}
	if clicks == "" {
		clicks = "no"
	}
	return opens, clicks, nil
}

func (s *Setup) trackingChanges(ctx context.Context, d *domainAnswer) ([]postern.Change, error) {
	var opens, clicks string
	if d != nil {
		var err error
		if opens, clicks, err = s.tracking(ctx); err != nil {
			return nil, err
		}
	}
	all := []postern.Change{
		s.trackingChange(keyOpens, "opens are tracked", opens, "yes", "what tells the chat that a mail was read"),
		s.trackingChange(keyClicks, "clicks are tracked", clicks, "no", "it would rewrite every link in people's messages"),
	}
	return all, nil
}

func (s *Setup) trackingChange(key, title, is, want, why string) postern.Change {
	c := postern.Change{Key: key, Sign: postern.Keep, Title: title, Is: is, Want: want}
	if is == want {
		return c
	}
	c.Sign, c.Why = postern.Alter, why
	if is == "" {
		c.Sign = postern.Add
	}
	c.Before = remember(is, want)
	c.Apply = func(ctx context.Context) error { return s.putTracking(ctx, key, is, want) }
	return c
}

// putTracking sets one kind; from "" means whatever a new domain has.
func (s *Setup) putTracking(ctx context.Context, key, from, to string) error {
	var opens, clicks string
	err := await(ctx, func() (err error) { opens, clicks, err = s.tracking(ctx); return err })
	if err != nil {
		return err
	}
	now := opens
	if key == keyClicks {
		now = clicks
	}
	switch {
	case now == to:
		return nil
	case from != "" && now != from:
		return changed("mailgun.tracking", "tracking")
	}
	kind := strings.TrimPrefix(key, "mailgun/tracking/")
	return s.do(ctx, "tracking", http.MethodPut, s.domainPath("v3", "/tracking/"+kind), &setupForm{multipart: true, values: url.Values{"active": {to}}}, nil)
}

func (s *Setup) restoreTracking(ctx context.Context, key string, m memo) error {
	var was, made string
	if err := m.read(&was, &made); err != nil {
		return err
	}
	if was == "" {
		return nil // the domain was new: it goes as a whole
	}
	if _, _, err := s.tracking(ctx); missing(err) {
		return nil
	}
	return s.putTracking(ctx, key, made, was)
}
