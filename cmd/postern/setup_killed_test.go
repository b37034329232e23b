package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/dns/cloudflare"
	"github.com/postern-chat/postern/dns/godaddy"
	"github.com/postern-chat/postern/platform/sendbird"
	"github.com/postern-chat/postern/provider/mailgun"
	"github.com/postern-chat/postern/sandbox/dns"
	"github.com/postern-chat/postern/setup"
	"github.com/postern-chat/postern/setup/lookup"
	"pgregory.net/rapid"
)

// killer is a transport that ends the process, so to say, at the nth call that changes
// something: before it leaves or after it came to pass. Nothing works from then on.
type killer struct {
	mu    sync.Mutex
	left  int // calls until then; 0 = never
	after bool
	dead  bool
	calls int
	stop  context.CancelFunc
}

var errKilled = errors.New("killed")

func (k *killer) RoundTrip(r *http.Request) (*http.Response, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dead {
		return nil, errKilled
	}
	if r.Method == http.MethodGet {
		return http.DefaultTransport.RoundTrip(r)
	}
	k.calls++
	if k.left == 0 || k.calls < k.left {
		return http.DefaultTransport.RoundTrip(r)
	}
	k.dead = true
	if k.after {
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		_ = res.Body.Close()
	}
	k.stop()
	return nil, errKilled
}

// quiet is an operator who says yes to everything and reads nothing.
type quiet struct{ plan setup.Plan }

func (q *quiet) Plan(p setup.Plan)                         { q.plan = append(q.plan, p...) }
func (*quiet) Ask(context.Context, string) (bool, error)   { return true, nil }
func (*quiet) Progress(string)                             {}
func (*quiet) Done(part string, c postern.Change, e error) {}
func (*quiet) Say(string)                                  {}

// attempt runs setup, or undo, killed at the nth change. It tells how many changing calls
// there were.
func (w *outside) attempt(t testing.TB, sc scenario, dir string, undo bool, at int, after bool) (o *setup.Outcome, calls int, err error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	k := &killer{left: at, after: after, stop: stop}
	j, err := setup.OpenJournal(filepath.Join(dir, "setup", "snapshot.jsonl"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	rc := setup.Config{Journal: j, Talk: &quiet{}, Wait: 20 * time.Second, Poll: time.Millisecond, Again: time.Millisecond}
	w.parts(t, sc, &http.Client{Transport: k}, &rc)
	r, err := setup.New(rc)
	if err != nil {
		t.Fatal(err)
	}
	if undo {
		o, err = r.Undo(ctx)
	} else {
		o, err = r.Run(ctx)
	}
	return o, k.calls, err
}

func (w *outside) parts(t testing.TB, sc scenario, hc *http.Client, rc *setup.Config) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	mg, err := mailgun.New(mailgun.Config{Domain: "mg.example.com", APIURL: w.mailURL, AccountKey: "key-sandbox-account", SigningKeys: []string{"key-sandbox-signing"}, HTTPClient: hc})
	must(err)
	provider, err := mailgun.NewSetup(mg, mailgun.SetupConfig{PublicURL: "https://postern.example.net", Local: replyPattern, Sample: replySample, Replace: sc.replace})
	must(err)
	sb, err := sendbird.New(sendbird.Config{APIURL: w.chatURL + "/v3", APIToken: w.chat.MasterToken(), HTTPClient: hc})
	must(err)
	platform, err := sendbird.NewSetup(sb, sendbird.SetupConfig{PublicURL: "https://postern.example.net", Replace: sc.replace})
	must(err)
	var host setup.Host
	if sc.godaddy {
		w.dns.SetSwitches(func(s *dns.Switches) { s.RateLimit = 0 })
		host, err = godaddy.New(godaddy.Config{Token: w.dns.GoDaddyToken(), BaseURL: w.dnsURL, HTTP: hc, PerMinute: 1 << 20})
	} else {
		host, err = cloudflare.New(cloudflare.Config{Token: w.dns.CloudflareToken(), BaseURL: w.dnsURL + "/client/v4", HTTP: hc, PerMinute: 1 << 20})
		w.dns.SetSwitches(func(s *dns.Switches) { s.CloudflareLimit = 0 })
	}
	must(err)
	look, err := lookup.New(lookup.Config{Resolver: w.dns.Addr(dns.Resolver), Servers: []string{w.dns.Addr(dns.NS1), w.dns.Addr(dns.NS2)}})
	must(err)
	part, err := setup.NewDNS(setup.DNSConfig{Domain: "mg.example.com", Source: provider, Owner: provider, Host: host, Again: time.Millisecond,
		Ask: func() setup.Names { return setup.Lookup{Client: look.Fresh()} }})
	must(err)
	rc.Provider, rc.DNS, rc.Platform = provider, part, platform
}

// scenario is how the world was before.
type scenario struct {
	name    string
	replace bool
	godaddy bool
	before  func(t testing.TB, w *outside)
}

var scenarios = []scenario{
	{name: "nothing", before: func(testing.TB, *outside) {}},
	{name: "in use by others", replace: true, godaddy: true, before: inUse},
}

// inUse is a world in which much is there already, and much is somebody else's.
func inUse(t testing.TB, w *outside) {
	for _, c := range []struct {
		method, path string
		form         url.Values
	}{
		{"POST", "/v4/domains", url.Values{"name": {"mg.example.com"}}},
		{"PUT", "/v3/domains/mg.example.com/tracking/click", url.Values{"active": {"yes"}}},
		{"POST", "/v3/domains/mg.example.com/webhooks", url.Values{"id": {"delivered"}, "url": {"https://crm.example/a", "https://crm.example/b"}}},
		{"POST", "/v3/domains/mg.example.com/webhooks", url.Values{"id": {"clicked"}, "url": {"https://crm.example/a"}}},
		{"POST", "/v3/routes", url.Values{"priority": {"0"}, "expression": {`match_recipient("support@mg.example.com")`}, "action": {`forward("ana@example.org")`, "stop()"}}},
		{"POST", "/v3/routes", url.Values{"priority": {"9"}, "expression": {"catch_all()"}, "action": {`forward("https://crm.example/in")`}}},
		{"POST", "/v3/routes", url.Values{"priority": {"3"}, "expression": {`match_recipient(".*@mg.example.com")`}, "action": {`forward("https://postern.example.net/hooks/mailgun/inbound")`}}},
		{"POST", "/v3/routes", url.Values{"priority": {"4"}, "expression": {`match_recipient(".*@mg.example.com")`}, "action": {`forward("https://postern.example.net/hooks/mailgun/inbound/mime")`}}},
	} {
		if body, err := w.call(c.method, c.path, c.form); err != nil || !strings.HasPrefix(body, "200 ") {
			t.Fatalf("%s %s: %s %v", c.method, c.path, body, err)
		}
	}
	for _, r := range []dns.Record{
		{Name: "mg.example.com", Type: "TXT", Data: "v=spf1 ip4:192.0.2.7 -all"},
		{Name: "mg.example.com", Type: "TXT", Data: "some-verification=1"},
		{Name: "mg.example.com", Type: "MX", Data: "mxa.eu.mailgun.org", Priority: 10},
		{Name: "k1._domainkey.mg.example.com", Type: "TXT", Data: "k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC7staleIDAQAB"},
		{Name: "email.mg.example.com", Type: "CNAME", Data: "eu.mailgun.org"},
		{Name: "_dmarc.example.com", Type: "TXT", Data: "v=DMARC1; p=quarantine"},
	} {
		if err := w.dns.Put(r); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequest(http.MethodPut, w.chatURL+"/v3/applications/settings/webhook",
		strings.NewReader(`{"enabled":true,"url":"https://crm.example/chat","include_members":false,"enabled_events":["user:block","group_channel:message_send"]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Api-Token", w.chat.MasterToken())
	req.Header.Set("Content-Type", "application/json")
	if body, err := answerOf(req); err != nil || !strings.HasPrefix(body, "200 ") {
		t.Fatal(body, err)
	}
}

var volatile = regexp.MustCompile(`"(id|created_at|state)":"[^"]*"`)

// look is the state without ids and times, as a route that is made anew has others, and
// without Mailgun's view of the DNS, which it takes at a time of its own.
func (w *outside) look(t testing.TB) string {
	t.Helper()
	s, err := w.account()
	if err != nil {
		t.Fatal(err)
	}
	return w.zone() + volatile.ReplaceAllString(s, `"$1":"..."`)
}

func newScene(t testing.TB, sc scenario) (w *outside, dir, before string) {
	t.Helper()
	dir = t.TempDir()
	w, err := newOutside(dir)
	if err != nil {
		t.Fatal(err)
	}
	sc.before(t, w)
	return w, dir, w.look(t)
}

// TestSetupKilled: wherever a run is cut off, before a change leaves or after it came to
// pass, the next run comes to the same end, nothing of others is touched, and undo brings
// back exactly what was there; cut off as well.
func TestSetupKilled(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			w, dir, before := newScene(t, sc)
			defer w.Close()
			o, calls, err := w.attempt(t, sc, dir, false, 0, false)
			if err != nil || !o.Complete() {
				t.Fatalf("%+v %v", o, err)
			}
			final := w.look(t)
			o, undoCalls, err := w.attempt(t, sc, dir, true, 0, false)
			if err != nil || !o.Complete() || w.look(t) != before {
				t.Fatalf("undo: %+v %v\n%s\nbefore:\n%s", o, err, w.look(t), before)
			}
			if calls < 12 || undoCalls < 10 {
				t.Fatalf("only %d and %d calls change anything", calls, undoCalls)
			}
			t.Logf("%d changing calls to carry it out, %d to take it back", calls, undoCalls)
			for at := 1; at <= calls; at++ {
				for _, after := range []bool{false, true} {
					killedAt(t, sc, before, final, []cut{{at, after}}, []cut{{at * undoCalls / calls, after}})
				}
			}
		})
	}
}

// cut is where an attempt ends: at which changing call, before it or after it.
type cut struct {
	at    int
	after bool
}

// killedAt cuts off several runs and then several undos.
func killedAt(t *testing.T, sc scenario, before, final string, runs, undos []cut) {
	t.Helper()
	w, dir, was := newScene(t, sc)
	defer w.Close()
	if was != before {
		t.Fatalf("the world is not the same:\n%s", was)
	}
	for _, c := range runs {
		if _, _, err := w.attempt(t, sc, dir, false, c.at, c.after); err == nil && c.at > 0 && len(runs) == 1 {
			t.Errorf("cut %+v did not end the run", c)
		}
	}
	o, _, err := w.attempt(t, sc, dir, false, 0, false)
	if err != nil || !o.Complete() || w.look(t) != final {
		t.Fatalf("after %+v: %+v %v\n%s\nwant:\n%s", runs, o, err, w.look(t), final)
	}
	for _, c := range undos {
		_, _, _ = w.attempt(t, sc, dir, true, c.at, c.after)
	}
	o, _, err = w.attempt(t, sc, dir, true, 0, false)
	if err != nil || !o.Complete() || w.look(t) != before {
		t.Fatalf("after %+v, undo %+v: %+v %v\n%s\nwant:\n%s", runs, undos, o, err, w.look(t), before)
	}
}

// TestSetupKilledOften: the same with several cuts in a row.
func TestSetupKilledOften(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			w, dir, before := newScene(t, sc)
			if o, _, err := w.attempt(t, sc, dir, false, 0, false); err != nil || !o.Complete() {
				t.Fatalf("%+v %v", o, err)
			}
			final := w.look(t)
			w.Close()
			cuts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) cut {
				return cut{rapid.IntRange(1, 25).Draw(t, "at"), rapid.Bool().Draw(t, "after")}
			}), 2, 4)
			seed := rapid.Custom(func(t *rapid.T) [2][]cut { return [2][]cut{cuts.Draw(t, "runs"), cuts.Draw(t, "undos")} })
			for i := range 10 {
				c := seed.Example(i)
				killedAt(t, sc, before, final, c[0], c[1])
			}
		})
	}
}
