package rfc2136_test

import (
	"fmt"
	"testing"

	"github.com/miekg/dns"
	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/dns/hosttest"
	"github.com/postern-chat/postern/dns/rfc2136"
	"github.com/postern-chat/postern/internal/dnstest"
	"github.com/postern-chat/postern/setup"
)

var _ setup.Host = (*rfc2136.Host)(nil)

const soa = "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n"

// server runs one server with many empty zones and gives its address.
func server(t *testing.T, zones ...dnstest.Zone) string {
	return dnstest.Knot(t, "127.0.0.1", dnstest.Port(t, "127.0.0.1"), zones...)
}

func open(t *testing.T, addr string) *rfc2136.Host {
	t.Helper()
	h, err := rfc2136.New(rfc2136.Config{Server: addr, KeyName: dnstest.KeyName, Secret: dnstest.KeySecret})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestConformance(t *testing.T) {
	var zones []dnstest.Zone
	for i := range 40 {
		zones = append(zones, dnstest.Zone{Name: fmt.Sprintf("z%d.test", i), Text: soa})
	}
	addr := server(t, zones...)
	next := 0
	hosttest.Run(t, func(t *testing.T) hosttest.Case {
		next++
		return hosttest.Case{Host: open(t, addr), Zone: zones[next-1].Name}
	})
}

func TestWildcardIsNotThere(t *testing.T) {
	addr := server(t, dnstest.Zone{Name: "wild.test", Text: soa + "* TXT \"v=spf1 -all\"\n"})
	h := open(t, addr)
	r := postern.DNSRecord{Name: "mg.wild.test", Type: "TXT", Value: "v=spf1 -all"}
	got, err := h.List(t.Context(), "wild.test", r.Name, "TXT")
	if err != nil || len(got) != 0 {
		t.Fatalf("%v, %v: what a wildcard lends counts as stored", got, err)
	}
	if err := h.Create(t.Context(), "wild.test", r); err != nil {
		t.Fatal(err)
	}
	if got, err = h.List(t.Context(), "wild.test", r.Name, "TXT"); err != nil || len(got) != 1 {
		t.Fatalf("%v, %v: want the one that was created", got, err)
	}
}

// A text that another hand split elsewhere is still that text.
func TestDeletesAnySplit(t *testing.T) {
	addr := server(t, dnstest.Zone{Name: "split.test", Text: soa + "@ TXT \"one \" \"two \" \"three\"\n@ TXT \"other\"\n"})
	h := open(t, addr)
	if err := h.Delete(t.Context(), "split.test", postern.DNSRecord{Name: "split.test", Type: "TXT", Value: "one two three"}); err != nil {
		t.Fatal(err)
	}
	got, err := h.List(t.Context(), "split.test", "split.test", "TXT")
	if err != nil || len(got) != 1 || got[0].Value != "other" {
		t.Errorf("%v, %v: want the other alone", got, err)
	}
}

func TestRefusals(t *testing.T) {
	addr := server(t, dnstest.Zone{Name: "mine.test", Text: soa})
	r := postern.DNSRecord{Name: "a.mine.test", Type: "TXT", Value: "text"}
	for _, test := range []struct {
		name  string
		cfg   rfc2136.Config
		zone  string
		kind  postern.Kind
		cause postern.Cause
	}{
		{"wrong secret", rfc2136.Config{Server: addr, KeyName: dnstest.KeyName, Secret: "d3JvbmcgYnV0IGxvbmcgZW5vdWdoIGZvciBhIGtleQ=="}, "mine.test", postern.Denied, 0},
		{"wrong name", rfc2136.Config{Server: addr, KeyName: "nobody", Secret: dnstest.KeySecret}, "mine.test", postern.Denied, 0},
		{"no key", rfc2136.Config{Server: addr}, "mine.test", postern.Denied, 0},
		{"nobody there", rfc2136.Config{Server: "127.0.0.1:1"}, "mine.test", postern.Temporary, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, err := rfc2136.New(test.cfg)
			if err != nil {
				t.Fatal(err)
			}
			err = h.Create(t.Context(), test.zone, r)
			if postern.KindOf(err) != test.kind || postern.CauseOf(err) != test.cause {
				t.Errorf("%v: want %v", err, test.kind)
			}
		})
	}
	h := open(t, addr)
	other := postern.DNSRecord{Name: "a.other.test", Type: "TXT", Value: "text"}
	if err := h.Create(t.Context(), "other.test", other); postern.KindOf(err) != postern.Denied && postern.CauseOf(err) != postern.CauseNotFound {
		t.Errorf("a zone that the server does not have: %v", err)
	}
	for _, value := range []string{"1.2.3.4 x", "", "not an address"} {
		bad := postern.DNSRecord{Name: "a.mine.test", Type: "A", Value: value}
		if err := h.Create(t.Context(), "mine.test", bad); postern.KindOf(err) != postern.Invalid {
			t.Errorf("A %q: %v, want Invalid", value, err)
		}
	}
	inject := postern.DNSRecord{Name: "a.mine.test", Type: "A", Value: "192.0.2.1\nb.mine.test. 60 IN TXT gotcha"}
	if err := h.Create(t.Context(), "mine.test", inject); postern.KindOf(err) != postern.Invalid {
		t.Errorf("two records in one value: %v", err)
	}
}

// Somebody else's value comes between: a CNAME is never replaced, as a bare update would.
func TestCNAMEStays(t *testing.T) {
	addr := server(t, dnstest.Zone{Name: "c.test", Text: soa + "email CNAME first.example.\n"})
	h := open(t, addr)
	err := h.Create(t.Context(), "c.test", postern.DNSRecord{Name: "email.c.test", Type: "CNAME", Value: "second.example"})
	if postern.KindOf(err) != postern.Permanent || postern.CauseOf(err) != postern.CauseChanged {
		t.Errorf("%v: want Permanent, changed", err)
	}
	m := new(dns.Msg)
	m.SetQuestion("email.c.test.", dns.TypeCNAME)
	reply, err := dns.Exchange(m, addr)
	if err != nil || len(reply.Answer) != 1 || reply.Answer[0].(*dns.CNAME).Target != "first.example." {
		t.Errorf("%v, %v", reply, err)
	}
}

func TestNew(t *testing.T) {
	for _, cfg := range []rfc2136.Config{
		{},
		{Server: "ns.example.com"},
		{Server: "127.0.0.1:53", KeyName: "k"},
		{Server: "127.0.0.1:53", KeyName: "k", Secret: "not base64!"},
		{Server: "127.0.0.1:53", KeyName: "k", Secret: dnstest.KeySecret, Algorithm: "hmac-md5"},
	} {
		if _, err := rfc2136.New(cfg); postern.KindOf(err) != postern.Invalid {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}
