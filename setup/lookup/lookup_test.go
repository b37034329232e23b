package lookup_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/setup/lookup"
	"github.com/postern-chat/postern/setup/policy"
)

var _ policy.Resolver = (*lookup.View)(nil)

// TestWorld asks real servers; they are started once.
func TestWorld(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, world)
	}{
		{"zones", zones}, {"lame zone", lameZone}, {"pinned", pinned},
		{"agreement", agreement}, {"silent server", silentServer}, {"values", answerValues}, {"truncated", truncated},
		{"aliases", aliases}, {"recursive", recursive}, {"wildcards", wildcards},
		{"dnssec", dnssec}, {"caa", caa}, {"view", view}, {"budget", budget}, {"at the same time", sameTime}, {"bad questions", badQuestions},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, w) })
	}
}

func authoritative(t *testing.T, c *lookup.Client, name, kind string) *lookup.Answers {
	t.Helper()
	a, err := c.Authoritative(t.Context(), name, kind)
	if err != nil {
		t.Fatalf("%s %s: %v", name, kind, err)
	}
	return a
}

func zones(t *testing.T, w world) {
	c := w.client(t)
	for _, name := range []string{"example.test", "mg.example.test", "NoBody.Below.MG.Example.Test.", "email.example.test", "x.ring1.example.test"} {
		z, err := c.Zone(t.Context(), name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := []string{"ns1.example.test", "ns2.example.test"}
		if z.Name != "example.test" || !z.Delegated || z.Pinned || z.Serial != 7 || !slices.Equal(z.ServerNames(), want) || !slices.Equal(z.Own, want) || !slices.Equal(z.Seen, want) {
			t.Errorf("%s: %+v", name, z)
		}
		if len(z.Servers) == 2 && (len(z.Servers[0].Addrs) != 1 || z.Servers[0].Addrs[0].String() != ns1IP) {
			t.Errorf("%s: ns1 is at %v", name, z.Servers[0].Addrs)
		}
	}
	z, err := c.Zone(t.Context(), "notdelegated.test")
	if err != nil || z.Name != "test" {
		t.Errorf("a name of the parent: %+v, %v", z, err)
	}
}

// A zone whose servers do not have it: the delegation is found all the same.
func lameZone(t *testing.T, w world) {
	c := w.client(t)
	a := authoritative(t, c, "mg.lame.test", "MX")
	if a.Zone.Name != "lame.test" || !a.Zone.Delegated || len(a.Servers) != 2 || len(a.Silent()) != 2 {
		t.Errorf("%+v", a)
	}
	if s := a.Servers[0].Status; s != lookup.Refused && s != lookup.Lame {
		t.Errorf("the server that does not have the zone: %s", s)
	}
	r, err := c.Recursive(t.Context(), "mg.lame.test", "MX")
	if err != nil || r.Status != lookup.ServFail || r.Broken {
		t.Errorf("resolver: %+v, %v", r, err)
	}
	if _, err := c.View("lame.test").MX(t.Context(), "mg.lame.test"); postern.KindOf(err) != postern.Temporary {
		t.Errorf("view: %v, want Temporary", err)
	}
}

func pinned(t *testing.T, w world) {
	c := w.client(t, func(cfg *lookup.Config) { cfg.Servers = []string{w.ns1, w.ns2}; cfg.Port = 1 })
	a := authoritative(t, c, "split.example.test", "TXT")
	if !a.Zone.Pinned || a.Zone.Name != "example.test" || a.Agreed || a.Status() != lookup.Found || len(a.Servers) != 2 {
		t.Errorf("%+v", a)
	}
	// What the pinned servers do not have is asked the usual way.
	z, err := c.Zone(t.Context(), "notdelegated.test")
	if err != nil || z.Pinned || z.Name != "test" {
		t.Errorf("%+v, %v", z, err)
	}
}

func agreement(t *testing.T, w world) {
	c := w.client(t)
	for _, test := range []struct {
		name, kind string
		agreed     bool
		status     lookup.Status
	}{
		{"example.test", "TXT", true, lookup.Found},
		{"same.example.test", "A", true, lookup.Found},
		{"split.example.test", "TXT", false, lookup.Found},
		{"only1.example.test", "TXT", false, lookup.Found},
		{"nobody.example.test", "TXT", true, lookup.NoName},
		{"mg.example.test", "MX", true, lookup.NoData},
		{"er.example.test", "TXT", true, lookup.NoData}, // an empty name between
	} {
		a := authoritative(t, c, test.name, test.kind)
		if a.Agreed != test.agreed || a.Status() != test.status || len(a.Silent()) != 0 {
			t.Errorf("%s %s: agreed %v, %s, silent %v", test.name, test.kind, a.Agreed, a.Status(), a.Silent())
		}
	}
	a := authoritative(t, c, "split.example.test", "TXT")
	if len(a.Records()) != 2 || a.Has(postern.DNSRecord{Name: "split.example.test", Type: "TXT", Value: "old"}) {
		t.Errorf("%+v: has what only one server has", a.Records())
	}
	if !authoritative(t, c, "EXAMPLE.test.", "mx").Has(postern.DNSRecord{Name: "example.test", Type: "MX", Value: "mxa.provider.test", Priority: 10}) {
		t.Error("has not what both servers have")
	}
}

func silentServer(t *testing.T, w world) {
	a := authoritative(t, w.client(t), "a.half.test", "TXT")
	if silent := a.Silent(); len(silent) != 1 || silent[0].Status != lookup.Unreachable || silent[0].Reason == "" {
		t.Errorf("silent: %+v", silent)
	}
	if !a.Agreed || a.Status() != lookup.Found {
		t.Errorf("%+v: the one that answers decides", a)
	}
}

func answerValues(t *testing.T, w world) {
	c := w.client(t)
	got := authoritative(t, c, "example.test", "TXT").Servers[0].Values()
	if want := []string{`site-verification=A"b\cä`, "v=spf1 include:_spf.office.test -all"}; !slices.Equal(got, want) {
		t.Errorf("TXT %q, want %q", got, want)
	}
	mx := authoritative(t, c, "example.test", "MX").Servers[0].Records
	if len(mx) != 2 || mx[0].Value != "mxa.provider.test" || mx[0].Priority != 10 || mx[0].TTL != 300 || mx[0].Name != "example.test" {
		t.Errorf("MX %+v", mx)
	}
	null := authoritative(t, c, "null.example.test", "MX").Servers[0].Records
	if len(null) != 1 || null[0].Value != "." || null[0].Priority != 0 {
		t.Errorf("null MX %+v", null)
	}
	if n := len(authoritative(t, c, "mg.example.test", "TXT").Records()); n != 2 {
		t.Errorf("%d texts, want 2", n)
	}
}

// An answer that does not fit one packet is asked for again by TCP.
func truncated(t *testing.T, w world) {
	c := w.client(t)
	if n := len(authoritative(t, c, "many.example.test", "TXT").Servers[1].Records); n != 12 {
		t.Errorf("%d texts of 12", n)
	}
	if r, err := c.Recursive(t.Context(), "many.example.test", "TXT"); err != nil || len(r.Records) != 12 {
		t.Errorf("resolver: %d texts of 12, %v", len(r.Records), err)
	}
}

func aliases(t *testing.T, w world) {
	c := w.client(t)
	a := authoritative(t, c, "alias2.example.test", "TXT")
	if a.Alias != "email.example.test" || a.Status() != lookup.NoData || len(a.Records()) != 0 {
		t.Errorf("%+v", a)
	}
	if f := a.Final(); f.Name != "tracking.other.test" || f.Zone.Name != "other.test" || len(f.Records()) != 1 || a.Loop {
		t.Errorf("%+v", f)
	}
	if r := authoritative(t, c, "email.example.test", "CNAME").Records(); len(r) != 1 || r[0].Value != "tracking.other.test" {
		t.Errorf("CNAME itself: %+v", r)
	}
	if a := authoritative(t, c, "ring1.example.test", "TXT"); !a.Loop {
		t.Errorf("%+v: no loop seen", a)
	}
	r, err := c.Recursive(t.Context(), "alias2.example.test", "TXT")
	if err != nil || r.Status != lookup.Found || !slices.Equal(r.Aliases, []string{"email.example.test", "tracking.other.test"}) {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := c.Recursive(t.Context(), "ring1.example.test", "TXT"); err != nil || r.Status == lookup.Found {
		t.Errorf("%+v, %v", r, err)
	}
}

func recursive(t *testing.T, w world) {
	c := w.client(t)
	for _, test := range []struct {
		name, kind string
		status     lookup.Status
		most       time.Duration
	}{
		{"example.test", "TXT", lookup.Found, 300 * time.Second},
		{"nobody.example.test", "TXT", lookup.NoName, 60 * time.Second}, // the SOA's last field, RFC 2308
		{"mg.example.test", "MX", lookup.NoData, 60 * time.Second},
	} {
		r, err := c.Recursive(t.Context(), test.name, test.kind)
		if err != nil || r.Status != test.status || r.TTL <= 0 || r.TTL > test.most || r.At.IsZero() {
			t.Errorf("%s %s: %+v, %v", test.name, test.kind, r, err)
		}
	}
	r, err := w.client(t, func(cfg *lookup.Config) { cfg.Resolver = "127.0.0.1:1"; cfg.Timeout = 100 * time.Millisecond }).Recursive(t.Context(), "example.test", "A")
	if err != nil || r.Status != lookup.Unreachable {
		t.Errorf("nobody there: %+v, %v", r, err)
	}
}

func wildcards(t *testing.T, w world) {
	c := w.client(t)
	for name, want := range map[string]bool{"x.wild.example.test": true, "a.wild.example.test": true, "mg.example.test": false, "example.test": false} {
		a, err := c.Wildcard(t.Context(), name, "TXT")
		if err != nil || (a.Status() == lookup.Found) != want {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

func dnssec(t *testing.T, w world) {
	c := w.client(t)
	for _, test := range []struct {
		name          string
		ds            int
		valid, broken bool
	}{
		{"a.signed.test", 1, true, false},
		{"a.bogus.test", 1, false, true},
		{"nokeys.test", 1, false, true},
		{"example.test", 0, false, false},
	} {
		d, err := c.Secure(t.Context(), test.name)
		if err != nil || len(d.DS) != test.ds || d.Valid != test.valid || d.Broken != test.broken {
			t.Errorf("%s: %+v, %v", test.name, d, err)
		}
	}
	r, err := c.Recursive(t.Context(), "a.bogus.test", "TXT")
	if err != nil || r.Status != lookup.ServFail || !r.Broken {
		t.Errorf("a name in a broken zone: %+v, %v", r, err)
	}
	if a := authoritative(t, c, "a.bogus.test", "TXT"); a.Status() != lookup.Found || a.Zone.Name != "bogus.test" {
		t.Errorf("its own servers: %+v", a)
	}
}

func caa(t *testing.T, w world) {
	c := w.client(t)
	got, err := c.CAA(t.Context(), "hooks.mg.example.test")
	if err != nil || got.At != "example.test" || len(got.Records) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if !got.Allows("letsencrypt.org", false) || got.Allows("sectigo.com", false) || got.Allows("letsencrypt.org", true) {
		t.Errorf("%+v", got)
	}
	none, err := c.CAA(t.Context(), "other.test")
	if err != nil || none.At != "" || !none.Allows("anybody", true) {
		t.Errorf("%+v, %v", none, err)
	}
}

func view(t *testing.T, w world) {
	v := w.client(t).View("example.test")
	texts, err := v.TXT(t.Context(), "Split.Example.Test")
	if err != nil || !slices.Equal(texts, []string{"old"}) {
		t.Errorf("own: %v, %v: want what the first server says", texts, err)
	}
	if texts, err = v.TXT(t.Context(), "email.example.test"); err != nil || !slices.Equal(texts, []string{"the end"}) {
		t.Errorf("behind an alias: %v, %v", texts, err)
	}
	if texts, err = v.TXT(t.Context(), "a.signed.test"); err != nil || !slices.Equal(texts, []string{"signed"}) {
		t.Errorf("others: %v, %v", texts, err)
	}
	if addrs, err := v.Addresses(t.Context(), "tracking.other.test"); err != nil || len(addrs) != 2 {
		t.Errorf("addresses: %v, %v", addrs, err)
	}
	if hosts, err := v.MX(t.Context(), "example.test"); err != nil || !slices.Equal(hosts, []string{"mxa.provider.test", "mxb.provider.test"}) {
		t.Errorf("MX: %v, %v", hosts, err)
	}
	for name, want := range map[string]bool{"mg.example.test": true, "er.example.test": true, "nobody.example.test": false, "nobody.other.test": false} {
		if got, err := v.Exists(t.Context(), name); err != nil || got != want {
			t.Errorf("%s exists: %v, %v", name, got, err)
		}
	}
	if texts, err := v.TXT(t.Context(), strings.Repeat("a", 70)+".example.test"); err != nil || len(texts) != 0 {
		t.Errorf("a name that cannot be: %v, %v", texts, err)
	}
	if _, err := v.TXT(t.Context(), "a.bogus.test"); postern.KindOf(err) != postern.Temporary {
		t.Errorf("what the resolver does not say: %v", err)
	}
}

func budget(t *testing.T, w world) {
	c := w.client(t, func(cfg *lookup.Config) { cfg.MaxQuestions = 3 })
	_, err := c.Authoritative(t.Context(), "example.test", "TXT")
	if postern.KindOf(err) != postern.Denied || postern.CauseOf(err) != postern.CauseBusy {
		t.Errorf("%v: want Denied, busy", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c = w.client(t)
	if _, err := c.Recursive(ctx, "example.test", "TXT"); postern.KindOf(err) != postern.Temporary {
		t.Errorf("cancelled: %v, want Temporary", err)
	}
	if r, err := c.Recursive(t.Context(), "example.test", "TXT"); err != nil || r.Status != lookup.Found {
		t.Errorf("after that: %+v, %v: what was cancelled is remembered", r, err)
	}
}

// The same question from many is sent once, and a fresh client asks again.
func sameTime(t *testing.T, w world) {
	c := w.client(t, func(cfg *lookup.Config) { cfg.MaxQuestions = 1 })
	for _, c := range []*lookup.Client{c, c.Fresh()} {
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if r, err := c.Recursive(t.Context(), "Same.example.test.", "A"); err != nil || r.Status != lookup.Found {
					t.Errorf("%+v, %v", r, err)
				}
			})
		}
		wg.Wait()
	}
}

func badQuestions(t *testing.T, w world) {
	c := w.client(t)
	for _, q := range [][2]string{{"example.test", "ANY"}, {"example.test", "AXFR"}, {"example.test", "NOPE"}, {strings.Repeat("a.", 200), "A"}, {"a..b", "A"}} {
		if _, err := c.Authoritative(t.Context(), q[0], q[1]); postern.KindOf(err) != postern.Invalid {
			t.Errorf("%v: %v, want Invalid", q, err)
		}
	}
	if _, err := c.Zone(t.Context(), "."); err == nil {
		t.Error("the root was found, in a world that has none")
	}
}
