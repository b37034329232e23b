package dns_test

import (
	"strings"
	"testing"
	"time"

	wire "github.com/miekg/dns"

	"github.com/postern-chat/postern/sandbox/dns"
)

func TestServers(t *testing.T) {
	w := start(t, "godaddy")
	for _, tt := range []struct {
		server, name string
		kind         uint16
		rcode, n     int
		aa, ra       bool
		part         string
	}{
		{dns.NS1, "shop.example", wire.TypeMX, wire.RcodeSuccess, 1, true, false, "1 aspmx.l.google.com."},
		{dns.NS2, "SHOP.example", wire.TypeTXT, wire.RcodeSuccess, 2, true, false, "google-site-verification=abc"},
		{dns.Resolver, "www.shop.example", wire.TypeA, wire.RcodeSuccess, 2, false, true, "192.0.2.1"},
		{dns.NS1, "www.shop.example", wire.TypeTXT, wire.RcodeSuccess, 3, true, false, "v=spf1"},
		{dns.NS1, "shop.example", wire.TypeSOA, wire.RcodeSuccess, 1, true, false, "ns01.domaincontrol.com."},
		{dns.Resolver, "shop.example", wire.TypeNS, wire.RcodeSuccess, 2, false, true, "ns02.domaincontrol.com."},
		{dns.Resolver, "example", wire.TypeNS, wire.RcodeSuccess, 1, false, true, "iana"},
		{dns.Resolver, "mxa.mailgun.org", wire.TypeA, wire.RcodeSuccess, 1, false, true, "127.0.0.1"},
		{dns.NS1, "shop.example", wire.TypeAAAA, wire.RcodeSuccess, 0, true, false, ""},
		{dns.NS1, "nobody.shop.example", wire.TypeA, wire.RcodeNameError, 0, true, false, ""},
		{dns.NS1, "elsewhere.test", wire.TypeA, wire.RcodeRefused, 0, false, false, ""},
		{dns.Resolver, "elsewhere.test", wire.TypeA, wire.RcodeNameError, 0, false, true, ""},
	} {
		for _, network := range []string{"udp", "tcp"} {
			r := w.ask(tt.server, network, tt.name, tt.kind)
			if r.Rcode != tt.rcode || len(r.Answer) != tt.n || r.Authoritative != tt.aa || r.RecursionAvailable != tt.ra || !strings.Contains(r.String(), tt.part) {
				t.Errorf("%s %s: %v", tt.server, network, r)
			}
			if tt.n == 0 && tt.rcode != wire.RcodeRefused && (len(r.Ns) != 1 || r.Ns[0].Header().Rrtype != wire.TypeSOA) {
				t.Errorf("%s: no SOA beside nothing: %v", tt.name, r)
			}
		}
	}
}

// TestWildcards: RFC 4592, a wildcard stands for names that are not there, and not for
// the one below which others are.
func TestWildcards(t *testing.T) {
	w := start(t, "")
	for _, r := range []dns.Record{
		{Name: "*.shop.example", Type: "CNAME", Data: "parked.example"},
		{Name: "k1._domainkey.mg.shop.example", Type: "TXT", Data: "k=rsa"},
	} {
		if err := w.dns.Put(r); err != nil {
			t.Fatal(err)
		}
	}
	w.wantLookup("CNAME", "anything.at.shop.example", "parked.example")
	w.wantLookup("CNAME", "mg.shop.example")       // it is there, if empty
	w.wantLookup("CNAME", "email.mg.shop.example") // its closest encloser is mg
	w.wantLookup("TXT", "k1._domainkey.mg.shop.example", "k=rsa")
}

func TestLongTXT(t *testing.T) {
	w := start(t, "")
	long := `k=rsa; p="\` + strings.Repeat("A", 600)
	if err := w.dns.Put(dns.Record{Name: "k1._domainkey.shop.example", Type: "TXT", Data: long}); err != nil {
		t.Fatal(err)
	}
	if r := w.ask(dns.NS1, "udp", "k1._domainkey.shop.example", wire.TypeTXT); !r.Truncated || len(r.Answer) != 0 {
		t.Errorf("by UDP: %v", r)
	}
	r := w.ask(dns.NS1, "tcp", "k1._domainkey.shop.example", wire.TypeTXT)
	if r.Truncated || len(r.Answer) != 1 || len(r.Answer[0].(*wire.TXT).Txt) != 3 {
		t.Errorf("by TCP: %v", r)
	}
	w.wantLookup("TXT", "k1._domainkey.shop.example", long)
}

// TestLag: the second server and the resolver see a change later than the first.
func TestLag(t *testing.T) {
	w := start(t, "")
	w.dns.SetSwitches(func(sw *dns.Switches) { sw.SecondLagSeconds, sw.ResolverLagSeconds = 60, 120 })
	if err := w.dns.Put(dns.Record{Name: "new.shop.example", Type: "A", Data: "192.0.2.9"}); err != nil {
		t.Fatal(err)
	}
	want := func(n1, n2, n3 int) {
		t.Helper()
		for i, server := range []string{dns.NS1, dns.NS2, dns.Resolver} {
			if r := w.ask(server, "udp", "new.shop.example", wire.TypeA); len(r.Answer) != []int{n1, n2, n3}[i] {
				t.Errorf("%s: %v", server, r)
			}
		}
	}
	want(1, 0, 0)
	w.dns.Advance(61 * time.Second)
	want(1, 1, 0)
	w.dns.Advance(61 * time.Second)
	want(1, 1, 1)
}

func TestDelegatedElsewhere(t *testing.T) {
	w := start(t, "godaddy")
	w.want(w.call("PUT", "/_emulator/zones/shop.example", "", `{"host":"godaddy","delegated":["ns1.elsewhere.example"],"records":[{"name":"shop.example","type":"A","data":"192.0.2.1"}]}`), 200)
	w.wantLookup("NS", "shop.example", "ns1.elsewhere.example")
	w.wantLookup("A", "shop.example")
	if r := w.ask(dns.NS1, "udp", "shop.example", wire.TypeA); len(r.Answer) != 1 {
		t.Errorf("the host's own server: %v", r)
	}
	w.want(w.call("GET", "/v1/domains/shop.example/records/A/@", w.pat(), ""), 200, "192.0.2.1")
}

func TestFaults(t *testing.T) {
	w := start(t, "")
	for _, tt := range []struct {
		fault string
		rcode int
		n     int
		part  string
	}{
		{`{"on":"dns","action":"servfail","times":1}`, wire.RcodeServerFailure, 0, ""},
		{`{"on":"dns","action":"refused","server":"ns2","times":1}`, wire.RcodeRefused, 0, ""},
		{`{"on":"dns","action":"nxdomain","name":"shop.example","times":1}`, wire.RcodeNameError, 0, ""},
		{`{"on":"dns","action":"lame","type":"a","times":1}`, wire.RcodeSuccess, 0, ""},
		{`{"on":"dns","action":"truncate","times":1}`, wire.RcodeSuccess, 0, "tc"},
		{`{"on":"dns","action":"answer","answer":["shop.example. 60 IN A 192.0.2.77"],"times":1}`, wire.RcodeSuccess, 1, "192.0.2.77"},
	} {
		w.want(w.call("POST", "/_emulator/faults", "", tt.fault), 200)
		if r := w.ask(dns.NS2, "udp", "shop.example", wire.TypeA); r.Rcode != tt.rcode || len(r.Answer) != tt.n || !strings.Contains(r.String(), tt.part) {
			t.Errorf("%s: %v", tt.fault, r)
		}
		if r := w.ask(dns.NS2, "udp", "shop.example", wire.TypeA); r.Rcode != wire.RcodeSuccess || len(r.Answer) != 1 || !r.Authoritative {
			t.Errorf("after %s: %v", tt.fault, r)
		}
	}
	if _, err := w.dns.AddFault(dns.Fault{On: "dns", Action: "timeout", Times: 1}); err != nil {
		t.Fatal(err)
	}
	c := &wire.Client{Timeout: 50 * time.Millisecond}
	if r, _, err := c.Exchange(new(wire.Msg).SetQuestion("shop.example.", wire.TypeA), w.dns.Addr(dns.NS1)); err == nil {
		t.Errorf("an answer in spite of the fault: %v", r)
	}
	w.want(w.call("POST", "/_emulator/faults", "", `{"on":"dns","action":"bounce"}`), 400, "no action")
	w.want(w.call("POST", "/_emulator/faults", "", `{"on":"dns","action":"answer","answer":["nonsense here"]}`), 400)
}

func TestUpdates(t *testing.T) {
	w := start(t, "rfc2136")
	name, key := w.dns.TSIG()
	update := func(signed bool, build func(m *wire.Msg)) int {
		t.Helper()
		m := new(wire.Msg).SetUpdate("shop.example.")
		build(m)
		c := &wire.Client{Net: "tcp", TsigSecret: map[string]string{wire.Fqdn(name): key}}
		if signed {
			m.SetTsig(wire.Fqdn(name), wire.HmacSHA256, 300, time.Now().Unix())
		}
		r, _, err := c.Exchange(m, w.dns.Addr(dns.NS1))
		if err != nil {
			t.Fatal(err)
		}
		if signed && r.IsTsig() == nil {
			t.Error("the answer is not signed")
		}
		return r.Rcode
	}
	rr := func(text string) []wire.RR {
		r, err := wire.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		return []wire.RR{r}
	}
	add := func(text string) func(m *wire.Msg) { return func(m *wire.Msg) { m.Insert(rr(text)) } }
	if r := update(false, add("a.shop.example. 60 A 192.0.2.2")); r != wire.RcodeRefused {
		t.Errorf("unsigned: %s", wire.RcodeToString[r])
	}
	for _, text := range []string{`mg.shop.example. 600 MX 10 mxa.mailgun.org.`, `mg.shop.example. 600 MX 10 mxb.mailgun.org.`, `mg.shop.example. 600 TXT "v=spf1 " "include:mailgun.org ~all"`} {
		for range 2 { // the same again is success and changes nothing
			if r := update(true, add(text)); r != wire.RcodeSuccess {
				t.Errorf("%s: %s", text, wire.RcodeToString[r])
			}
		}
	}
	w.wantLookup("MX", "mg.shop.example", "10 mxa.mailgun.org", "10 mxb.mailgun.org")
	w.wantLookup("TXT", "mg.shop.example", "v=spf1 include:mailgun.org ~all")

	// A CNAME beside others is passed over in silence, RFC 2136 section 3.4.2.2.
	if r := update(true, add("mg.shop.example. 600 CNAME mailgun.org.")); r != wire.RcodeSuccess || w.has("mg.shop.example CNAME") {
		t.Errorf("CNAME: %s, %q", wire.RcodeToString[r], w.zone())
	}
	if r := update(true, func(m *wire.Msg) { m.Remove(rr("mg.shop.example. 0 MX 10 mxa.mailgun.org.")) }); r != wire.RcodeSuccess {
		t.Errorf("remove: %s", wire.RcodeToString[r])
	}
	w.wantLookup("MX", "mg.shop.example", "10 mxb.mailgun.org")
	for want, build := range map[int]func(m *wire.Msg){
		wire.RcodeNXRrset: func(m *wire.Msg) {
			m.RRsetUsed(rr("x.shop.example. 0 A 192.0.2.1"))
			m.Insert(rr("x.shop.example. 60 A 192.0.2.3"))
		},
		wire.RcodeYXRrset: func(m *wire.Msg) {
			m.RRsetNotUsed(rr("mg.shop.example. 0 MX 1 a."))
			m.Insert(rr("x.shop.example. 60 A 192.0.2.3"))
		},
		wire.RcodeYXDomain: func(m *wire.Msg) { m.NameNotUsed(rr("mg.shop.example. 0 A 192.0.2.1")) },
		wire.RcodeNotZone:  add("elsewhere.example. 60 A 192.0.2.3"),
	} {
		if r := update(true, build); r != want {
			t.Errorf("%s, want %s", wire.RcodeToString[r], wire.RcodeToString[want])
		}
	}
	if r := update(true, func(m *wire.Msg) {
		m.Used(rr("mg.shop.example. 0 MX 10 mxb.mailgun.org."))
		m.RemoveRRset(rr("mg.shop.example. 0 MX 0 ."))
		m.RemoveName(rr("shop.example. 0 A 192.0.2.1"))
	}); r != wire.RcodeSuccess || w.has("mg.shop.example MX") || w.has("google") {
		t.Errorf("%s, %q", wire.RcodeToString[r], w.zone())
	}
	w.wantLookup("NS", "shop.example", "ns1.shop.example", "ns2.shop.example") // the apex keeps its own
	// A signed question has a signed answer, which the client here checks.
	m := new(wire.Msg).SetQuestion("shop.example.", wire.TypeSOA).SetEdns0(1232, false).SetTsig(wire.Fqdn(name), wire.HmacSHA256, 300, time.Now().Unix())
	c := &wire.Client{TsigSecret: map[string]string{wire.Fqdn(name): key}}
	if r, _, err := c.Exchange(m, w.dns.Addr(dns.NS1)); err != nil || r.IsTsig() == nil || len(r.Answer) != 1 {
		t.Errorf("a signed question: %v %v", r, err)
	}
	// The whole zone, for whoever has the key, and for nobody else.
	if r := w.ask(dns.NS1, "tcp", "shop.example", wire.TypeAXFR); r.Rcode != wire.RcodeRefused || len(r.Answer) != 0 {
		t.Errorf("an unsigned transfer: %v", r)
	}
	for _, m := range []*wire.Msg{new(wire.Msg).SetUpdate("shop.example."), new(wire.Msg).SetAxfr("shop.example."), new(wire.Msg).SetQuestion("shop.example.", wire.TypeSOA)} {
		m.SetTsig("stranger.", wire.HmacSHA256, 300, time.Now().Unix())
		c := &wire.Client{Net: "tcp", TsigSecret: map[string]string{"stranger.": "c3RyYW5nZXIncyBrZXk="}}
		if r, _, _ := c.Exchange(m, w.dns.Addr(dns.NS1)); r == nil || r.Rcode != wire.RcodeNotAuth && r.Rcode != wire.RcodeRefused || len(r.Answer) != 0 {
			t.Errorf("a stranger's key: %v", r)
		}
	}
}

func TestBookAndReset(t *testing.T) {
	w := start(t, "godaddy")
	w.ask(dns.Resolver, "udp", "shop.example", wire.TypeMX)
	w.call("GET", "/v1/domains/shop.example/records/A/@", w.sso(), "")
	r := w.want(w.call("GET", "/_emulator/book", "", ""), 200, `resolver: shop.example MX -> NOERROR`, `/v1/domains/shop.example/records/A/@ -> 200`)
	if _, secret := w.dns.GoDaddyKey(); strings.Contains(r.text, secret) || strings.Contains(r.text, "Authorization") {
		t.Errorf("a key is in the book: %s", r.text)
	}
	if r := w.want(w.call("GET", "/_emulator/book?after=1&kind=request", "", ""), 200); len(r.json["entries"].([]any)) != 1 {
		t.Errorf("cursor: %s", r.text)
	}
	before := w.zone()
	w.want(w.call("POST", "/_emulator/zones/shop.example/records", "", `{"name":"x.shop.example","type":"A","data":"192.0.2.5"}`), 200)
	w.want(w.call("PUT", "/_emulator/switches", "", `{"unknown_zone":400}`), 200, `"rate_limit":60`)
	w.want(w.call("GET", "/_emulator/lookup/A/x.shop.example", "", ""), 200, "192.0.2.5")
	w.want(w.call("DELETE", "/_emulator/records/www.shop.example?type=CNAME", "", ""), 200, `"dropped":1`)
	w.want(w.call("GET", "/_emulator/zones/shop.example", "", ""), 200, "192.0.2.5")
	w.want(w.call("POST", "/_emulator/reset", "", ""), 200)
	if have := w.zone(); strings.Join(have, "\n") != strings.Join(before, "\n") {
		t.Errorf("after a reset: %q", have)
	}
	w.want(w.call("GET", "/_emulator/switches", "", ""), 200, `"unknown_zone":404`)
	if es := w.dns.Book(0, 0); len(es) != 0 {
		t.Errorf("%d entries are left", len(es))
	}
}
