package mailgun

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/postern-chat/postern"
	emulator "github.com/postern-chat/postern/sandbox/mailgun"
)

const (
	sampleLocal = "abcdefghijklmnopqrstuvwxyz234567abcdefg"
	publicURL   = "https://postern.example.net"
)

// account is an emulated account and a Setup for one of its domains.
type account struct {
	*emulator.Server
	t   *testing.T
	s   *Setup
	url string
	cfg Config
}

func newAccount(t *testing.T, domain string, change func(*Config, *SetupConfig)) *account {
	t.Helper()
	a := &account{t: t}
	var err error
	if a.Server, err = emulator.New(emulator.Config{
		Domains: []string{"other.example.com"}, AccountKey: "account", SendingKey: "sending", SigningKey: testKey, Manual: true, TempDir: t.TempDir(),
	}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(a.Handler())
	t.Cleanup(func() {
		srv.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	a.url = srv.URL
	a.cfg = Config{Domain: domain, APIURL: srv.URL, AccountKey: "account", SigningKeys: []string{testKey}}
	sc := SetupConfig{PublicURL: publicURL, Local: "[A-Za-z2-7]{39}", Sample: sampleLocal}
	if change != nil {
		change(&a.cfg, &sc)
	}
	a.s = newSetup(t, a.cfg, sc)
	return a
}

func newSetup(t *testing.T, cfg Config, sc SetupConfig) *Setup {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSetup(c, sc)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (a *account) call(method, path string, form url.Values) (int, string) {
	a.t.Helper()
	req, err := http.NewRequest(method, a.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		a.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.SetBasicAuth("api", "account")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// everything is all that a set-up could touch, as text.
func (a *account) everything() string {
	all := ""
	for _, path := range []string{"/v4/domains?sort=name", "/v3/routes", "/v3/domains/other.example.com/webhooks", "/v3/domains/other.example.com/tracking",
		"/v4/domains/other.example.com", "/v3/domains/mg.example.com/webhooks", "/v3/domains/mg.example.com/tracking", "/v1/webhooks"} {
		status, body := a.call("GET", path, nil)
		all += fmt.Sprintf("%s %d %s\n", path, status, body)
	}
	return all
}

func signs(changes []postern.Change) string {
	var all []string
	for _, c := range changes {
		all = append(all, string(c.Sign)+" "+c.Key)
	}
	return strings.Join(all, "\n")
}

func (a *account) plan() []postern.Change {
	a.t.Helper()
	all, err := a.s.Plan(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	return all
}

func findChange(t *testing.T, all []postern.Change, key string) postern.Change {
	t.Helper()
	i := slices.IndexFunc(all, func(c postern.Change) bool { return c.Key == key })
	if i < 0 {
		t.Fatalf("no %s in\n%s", key, signs(all))
	}
	return all[i]
}

func carry(t *testing.T, all []postern.Change) {
	t.Helper()
	for _, c := range all {
		if c.Apply != nil {
			if err := c.Apply(t.Context()); err != nil {
				t.Fatalf("%s: %v", c.Key, err)
			}
		}
	}
}

// TestSetupFromNothing: a new domain, carried out twice in a row, and taken back.
func TestSetupFromNothing(t *testing.T) {
	a := newAccount(t, "mg.example.com", nil)
	before := a.everything()
	if _, err := a.s.Records(t.Context()); postern.CauseOf(err) != postern.CauseNotFound {
		t.Errorf("records before the domain: %v", err)
	}
	changes := a.plan()
	want := `+ mailgun/domain
+ mailgun/tracking/open
+ mailgun/tracking/click
= mailgun/signing-key
+ mailgun/route
+ mailgun/webhook/delivered
+ mailgun/webhook/opened
+ mailgun/webhook/permanent_fail
+ mailgun/webhook/temporary_fail
+ mailgun/webhook/complained
+ mailgun/webhook/unsubscribed`
	if have := signs(changes); have != want {
		t.Errorf("plan:\n%s\nwant:\n%s", have, want)
	}
	if a.everything() != before {
		t.Error("planning changed something")
	}
	carry(t, changes)
	after := a.everything()
	carry(t, changes) // each may be repeated
	if a.everything() != after {
		t.Error("repeating changed something")
	}
	for _, c := range a.plan() {
		if c.Sign != postern.Keep || c.Apply != nil {
			t.Errorf("second plan: %s %s", c.Sign, c.Key)
		}
	}
	if _, body := a.call("GET", "/v3/routes/match?address="+sampleLocal+"@mg.example.com", nil); !strings.Contains(body, "hooks/mailgun/inbound/mime") {
		t.Errorf("an answer goes to %s", body)
	}
	if status, body := a.call("GET", "/v3/routes/match?address=ana@mg.example.com", nil); status != 404 {
		t.Errorf("another address is taken too: %s", body)
	}
	slices.Reverse(changes)
	for range 2 { // twice: repeating is harmless
		for _, c := range changes {
			if c.Apply != nil {
				if err := a.s.Restore(t.Context(), c.Key, c.Before); err != nil {
					t.Errorf("restore %s: %v", c.Key, err)
				}
			}
		}
		if have := a.everything(); have != before {
			t.Errorf("after undoing:\n%s\nbefore:\n%s", have, before)
		}
	}
}

// TestSetupTakesOver: a domain that is there, with settings, routes and webhooks of others.
func TestSetupTakesOver(t *testing.T) {
	for _, v3only := range []bool{false, true} {
		t.Run(fmt.Sprintf("v3 only %t", v3only), func(t *testing.T) {
			a := newAccount(t, "mg.example.com", func(c *Config, _ *SetupConfig) {
				if v3only {
					c.HTTPClient = &http.Client{Transport: lacking{"/webhooks", "/v4/"}}
				}
			})
			a.call("POST", "/v4/domains", url.Values{"name": {"mg.example.com"}})
			a.call("PUT", "/v3/domains/mg.example.com/tracking/click", url.Values{"active": {"yes"}})
			a.AddWebhook("mg.example.com", "https://a.example/hook", "delivered", "clicked")
			a.AddWebhook("mg.example.com", "https://b.example/hook", "delivered")
			if _, err := a.AddRoute(5, `match_recipient(".*@mg.example.com")`, `forward("https://old.example/inbound")`, "stop()"); err != nil {
				t.Fatal(err)
			}
			if _, err := a.AddRoute(0, `match_recipient("support@mg.example.com")`, `forward("ana@example.org")`, "stop()"); err != nil {
				t.Fatal(err)
			}
			if _, err := a.AddRoute(0, `match_header("X-Mailgun-Sflag", "Yes")`, "stop()"); err != nil {
				t.Fatal(err)
			}
			before := a.everything()
			changes := a.plan()
			for key, sign := range map[string]postern.Sign{keyDomain: "=", keySpam: "~", keyOpens: "~", keyClicks: "~", keyRoute: "+", keyHook + "delivered": "+", keyLists: "="} {
				if c := findChange(t, changes, key); c.Sign != sign {
					t.Errorf("%s %s, want %s", c.Sign, key, sign)
				}
			}
			carry(t, changes)
			_, hooks := a.call("GET", "/v3/domains/mg.example.com/webhooks", nil)
			if want := `"delivered":{"urls":["https://a.example/hook","https://b.example/hook","https://postern.example.net/hooks/mailgun/events"]}`; !strings.Contains(hooks, want) {
				t.Errorf("webhooks %s", hooks)
			}
			if strings.Contains(signs(a.plan()), "~ ") || strings.Contains(signs(a.plan()), "+ ") {
				t.Errorf("second plan:\n%s", signs(a.plan()))
			}
			slices.Reverse(changes)
			for _, c := range changes {
				if c.Apply != nil {
					if err := a.s.Restore(t.Context(), c.Key, c.Before); err != nil {
						t.Errorf("restore %s: %v", c.Key, err)
					}
				}
			}
			if have := a.everything(); have != before {
				t.Errorf("after undoing:\n%s\nbefore:\n%s", have, before)
			}
		})
	}
}

// without is a Mailgun that does not know some paths.
type lacking struct{ part, version string }

func (w lacking) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, w.part) && strings.HasPrefix(r.URL.Path, w.version) {
		return &http.Response{StatusCode: 404, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("404 page not found")), Request: r}, nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestSetupConflicts: what an operator has to decide, and what is then not touched.
func TestSetupConflicts(t *testing.T) {
	inbound := `forward("` + publicURL + `/hooks/mailgun/inbound/mime")`
	mark := url.Values{"priority": {"0"}, "description": {"Postern: answers to mg.example.com"}, "expression": {`match_recipient(".*@mg.example.com")`},
		"action": {`forward("https://old.example.net/hooks/mailgun/inbound/mime")`, "stop()"}}
	tests := []struct {
		name  string
		world func(a *account)
		setup func(*Config, *SetupConfig)
		key   string
		sign  postern.Sign
		why   string // part of Why
	}{
		{"catch-all before us", func(a *account) { a.AddRoute(0, `catch_all()`, `forward("https://x.example/")`, "stop()") }, nil, keyRoute, "!", "would take our mail first"},
		{"wide route before us", func(a *account) { a.AddRoute(-1, `match_recipient(".*@mg.example.com")`, "stop()") }, nil, keyRoute, "!", "a priority number above 0"},
		{"wide route that goes on", func(a *account) {
			a.AddRoute(0, `match_recipient(".*@mg.example.com")`, `forward("https://x.example/")`)
		}, nil, keyRoute, "+", ""},
		{"two conditions, one of the header", func(a *account) {
			a.AddRoute(0, `match_recipient(".*") and match_header("subject", "x")`, "stop()")
		}, nil, keyRoute, "+", ""},
		{"a wide route of ours", func(a *account) { a.AddRoute(0, `match_recipient(".*@mg.example.com")`, inbound, "stop()") }, nil, keyRoute, "~", ""},
		{"an old address of ours", func(a *account) { a.call("POST", "/v3/routes", mark) }, nil, keyRoute, "!", "--replace"},
		{"an old address of ours, replaced", func(a *account) { a.call("POST", "/v3/routes", mark) }, func(_ *Config, s *SetupConfig) { s.Replace = true }, keyRoute, "~", ""},
		{"three webhooks", func(a *account) {
			for i := range 3 {
				a.AddWebhook("mg.example.com", fmt.Sprintf("https://%d.example/", i), "opened")
			}
		}, nil, keyHook + "opened", "!", "all are taken"},
		{"webhook of the account", func(a *account) {
			a.call("POST", "/v1/webhooks", url.Values{"url": {publicURL + "/hooks/mailgun/events"}, "event_types": {"opened"}})
		}, nil, keyHook + "opened", "=", ""},
		{"another signing key", func(a *account) { a.RotateSigningKey() }, nil, keySign, "!", "mailgun.signing_keys"},
		{"the second signing key", nil, func(c *Config, _ *SetupConfig) { c.SigningKeys = []string{"newer", testKey} }, keySign, "=", ""},
		{"no signing key", nil, func(c *Config, _ *SetupConfig) { c.SigningKeys = nil }, keySign, "!", "mailgun.signing_keys"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAccount(t, "mg.example.com", tt.setup)
			a.call("POST", "/v4/domains", url.Values{"name": {"mg.example.com"}})
			if tt.world != nil {
				tt.world(a)
			}
			c := findChange(t, a.plan(), tt.key)
			if c.Sign != tt.sign || !strings.Contains(c.Why, tt.why) || (c.Apply == nil) != (tt.sign == "!" || tt.sign == "=") {
				t.Errorf("%s %s: %s; want %s: %s", c.Sign, c.Key, c.Why, tt.sign, tt.why)
			}
			if text := fmt.Sprint(c.Is, c.Want, c.Why); strings.Contains(text, testKey) || strings.Contains(text, "key-") {
				t.Errorf("tells a secret: %s", text)
			}
		})
	}
}

// TestSetupDuplicateRoutes: a second route to us goes, and comes back.
func TestSetupDuplicateRoutes(t *testing.T) {
	a := newAccount(t, "mg.example.com", nil)
	a.call("POST", "/v4/domains", url.Values{"name": {"mg.example.com"}})
	carry(t, a.plan())
	if _, err := a.AddRoute(9, `match_recipient(".*@mg.example.com")`, `forward("`+publicURL+`/hooks/mailgun/inbound")`); err != nil {
		t.Fatal(err)
	}
	changes := a.plan()
	i := slices.IndexFunc(changes, func(c postern.Change) bool { return c.Sign == postern.Remove })
	if i < 0 || !a.s.Late(changes[i].Key) {
		t.Fatalf("plan:\n%s", signs(changes))
	}
	carry(t, changes)
	if _, body := a.call("GET", "/v3/routes", nil); !strings.Contains(body, `"total_count":1`) {
		t.Errorf("routes: %s", body)
	}
	if err := a.s.Restore(t.Context(), changes[i].Key, changes[i].Before); err != nil {
		t.Error(err)
	}
	if _, body := a.call("GET", "/v3/routes", nil); !strings.Contains(body, `"priority":9`) {
		t.Errorf("routes: %s", body)
	}
}

// TestSetupRegions: a domain of the other region, of somebody else, and a bad key.
func TestSetupRegions(t *testing.T) {
	other := newAccount(t, "other.example.com", nil)
	a := newAccount(t, "mg.example.com", func(c *Config, s *SetupConfig) { s.OtherURL = other.url })
	other.call("POST", "/v4/domains", url.Values{"name": {"mg.example.com"}})
	all := a.plan()
	if len(all) != 1 || all[0].Sign != postern.Conflict || !strings.Contains(all[0].Why, `mailgun.region = "eu"`) {
		t.Errorf("other region: %+v", all)
	}

	a = newAccount(t, "mg.example.com", func(c *Config, _ *SetupConfig) {
		c.HTTPClient = &http.Client{Transport: forbid{"/domains/mg.example.com"}}
	})
	if all = a.plan(); len(all) != 1 || all[0].Sign != postern.Conflict || !strings.Contains(all[0].Why, "another account") {
		t.Errorf("somebody else's: %+v", all)
	}

	a = newAccount(t, "mg.example.com", func(c *Config, _ *SetupConfig) { c.AccountKey = "sending" })
	if _, err := a.s.Plan(t.Context()); postern.KindOf(err) != postern.Denied || !strings.Contains(err.Error(), "region") {
		t.Errorf("bad key: %v", err)
	}
}

// forbid is a Mailgun where one domain is somebody else's.
type forbid struct{ part string }

func (f forbid) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, f.part) {
		return &http.Response{StatusCode: 401, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("Forbidden")), Request: r}, nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestSetupChanged: what somebody else changed since is neither changed nor taken back.
func TestSetupChanged(t *testing.T) {
	a := newAccount(t, "mg.example.com", nil)
	a.call("POST", "/v4/domains", url.Values{"name": {"mg.example.com"}})
	id, err := a.AddRoute(3, `match_recipient(".*@mg.example.com")`, `forward("`+publicURL+`/hooks/mailgun/inbound")`)
	if err != nil {
		t.Fatal(err)
	}
	changes := a.plan()
	route := findChange(t, changes, keyRoute)
	a.call("PUT", "/v3/routes/"+id, url.Values{"priority": {"7"}})
	if err := route.Apply(t.Context()); postern.CauseOf(err) != postern.CauseChanged {
		t.Errorf("apply: %v", err)
	}
	if err := a.s.Restore(t.Context(), keyRoute, route.Before); postern.CauseOf(err) != postern.CauseChanged {
		t.Errorf("restore: %v", err)
	}
	// A domain that has been used is not deleted.
	b := newAccount(t, "mg.example.com", nil)
	first := b.plan()[0]
	carry(t, b.plan())
	if err := b.s.Restore(t.Context(), keyDomain, first.Before); postern.CauseOf(err) != postern.CauseChanged {
		t.Errorf("domain in use: %v", err)
	}
}

func TestSetupRecords(t *testing.T) {
	a := newAccount(t, "mg.example.com", nil)
	a.call("POST", "/v4/domains", url.Values{"name": {"mg.example.com"}})
	records, err := a.s.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, r := range records {
		have = append(have, fmt.Sprintf("%s %s %d %.20s", r.Type, r.Name, r.Priority, r.Value))
		if (r.Type == "TXT" && strings.Contains(r.Name, "_domainkey") || r.Type != "TXT") && !a.s.Owns(r) {
			t.Errorf("does not know its own %s %s", r.Type, r.Name)
		}
	}
	want := []string{"MX mg.example.com 10 mxa.mailgun.org", "MX mg.example.com 10 mxb.mailgun.org", "TXT mg.example.com 0 v=spf1 include:mailg",
		"TXT k1._domainkey.mg.example.com 0 k=rsa; p=MIGfMA0"}
	for i, w := range want {
		if !strings.HasPrefix(have[i], w) {
			t.Errorf("record %d is %s, want %s", i, have[i], w)
		}
	}
	for _, r := range []postern.DNSRecord{
		{Type: "CNAME", Name: "k1._domainkey.mg.example.com", Value: "dkim.mcsv.net"}, {Type: "MX", Name: "mg.example.com", Value: "aspmx.l.google.com"},
		{Type: "TXT", Name: "k1._domainkey.mg.example.com", Value: "v=DKIM1; k=rsa; p=MIGf"}, {Type: "CNAME", Name: "email.mg.example.com", Value: "notmailgun.org"},
	} {
		if a.s.Owns(r) {
			t.Errorf("claims %s %s", r.Type, r.Value)
		}
	}
	missing, err := a.s.Verify(t.Context())
	if err != nil || !reflect.DeepEqual(missing[:2], []string{"MX mg.example.com mxa.mailgun.org", "MX mg.example.com mxb.mailgun.org"}) {
		t.Errorf("missing %q, %v", missing, err)
	}
	a.VerifyDNS("mg.example.com")
	if missing, err = a.s.Verify(t.Context()); err != nil || len(missing) > 0 {
		t.Errorf("still missing %q, %v", missing, err)
	}
}

func TestSetupNeeds(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		sc   SetupConfig
	}{
		{"key", Config{Domain: "d.example"}, SetupConfig{PublicURL: "https://x.example", Local: "a", Sample: "a"}},
		{"url", Config{Domain: "d.example", AccountKey: "k"}, SetupConfig{Local: "a", Sample: "a"}},
		{"sample", Config{Domain: "d.example", AccountKey: "k"}, SetupConfig{PublicURL: "https://x.example", Local: "a", Sample: "b"}},
		{"pattern", Config{Domain: "d.example", AccountKey: "k"}, SetupConfig{PublicURL: "https://x.example", Local: "(", Sample: "b"}},
	} {
		c, err := New(tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewSetup(c, tt.sc); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
}

// TestSetupUndoRefusesNonsense: a snapshot that is none changes nothing.
func TestSetupUndoRefusesNonsense(t *testing.T) {
	a := newAccount(t, "mg.example.com", nil)
	for key, before := range map[string]string{"mailgun/else": `{}`, keyRoute: `[`, keySpam: `{"was":1,"made":2}`} {
		if err := a.s.Restore(context.Background(), key, json.RawMessage(before)); postern.KindOf(err) != postern.Invalid {
			t.Errorf("%s: %v", key, err)
		}
	}
}
