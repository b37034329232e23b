package manual_test

import (
	"context"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/dns/manual"
	"github.com/postern-chat/postern/setup"
	"github.com/postern-chat/postern/setup/lookup"
)

var _ setup.Host = (*manual.Host)(nil)

const zone = "example.test"

var (
	mx   = postern.DNSRecord{Name: "mg." + zone, Type: "MX", Value: "mxa.provider.test", Priority: 10}
	spf  = postern.DNSRecord{Name: zone, Type: "TXT", Value: "v=spf1 include:provider.test ~all"}
	dkim = postern.DNSRecord{Name: "k1._domainkey.mg." + zone, Type: "TXT", Value: "k=rsa; p=" + strings.Repeat("Ab", 200) + `"\`, TTL: 300}
	web  = postern.DNSRecord{Name: "email.mg." + zone, Type: "CNAME", Value: "provider.test"}
)

func TestChangesNothing(t *testing.T) {
	var there []postern.DNSRecord
	h, err := manual.New(manual.Config{
		Page: manual.PageOf("godaddy"),
		Look: func(context.Context, string, string) ([]postern.DNSRecord, error) { return there, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	err = h.Create(t.Context(), "Example.Test.", mx)
	i := manual.Of(err)
	if postern.KindOf(err) != postern.Denied || i == nil || i.Action != manual.Create || i.Record != mx || i.Zone != zone || i.Page.ID != "godaddy" {
		t.Fatalf("%v, %+v", err, i)
	}
	if !strings.Contains(err.Error(), "MX mg mxa.provider.test, priority 10") {
		t.Errorf("%v", err)
	}
	if err := h.Delete(t.Context(), zone, mx); err != nil {
		t.Errorf("what is not there need not be deleted: %v", err)
	}
	there = []postern.DNSRecord{mx}
	if err := h.Create(t.Context(), zone, mx); err != nil {
		t.Errorf("what is there need not be created: %v", err)
	}
	if i := manual.Of(h.Delete(t.Context(), zone, mx)); i == nil || i.Action != manual.Delete {
		t.Errorf("%+v", i)
	}
	if got, err := h.List(t.Context(), zone, mx.Name, "MX"); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	blind, _ := manual.New(manual.Config{})
	if i := manual.Of(blind.Delete(t.Context(), zone, mx)); i == nil {
		t.Error("without a look nothing is known to be gone")
	}
	if err := blind.Create(t.Context(), "other.test", mx); postern.KindOf(err) != postern.Invalid {
		t.Errorf("%v", err)
	}
	if manual.Of(nil) != nil {
		t.Error("no error carries an instruction")
	}
}

func TestTable(t *testing.T) {
	for id, want := range map[string]string{
		"godaddy": `TYPE   NAME      PRIORITY  TTL  VALUE
MX     mg        10        -    mxa.provider.test
TXT    @         -         -    v=spf1 include:provider.test ~all
CNAME  email.mg  -         -    provider.test
`,
		"hetzner": `TYPE   NAME      PRIORITY  TTL  VALUE
MX     mg        -         -    10 mxa.provider.test.
TXT    @         -         -    "v=spf1 include:provider.test ~all"
CNAME  email.mg  -         -    provider.test.
`,
		"route53": `TYPE   NAME      PRIORITY  TTL  VALUE
MX     mg        -         -    10 mxa.provider.test
TXT    -         -         -    "v=spf1 include:provider.test ~all"
CNAME  email.mg  -         -    provider.test
`,
	} {
		if got := manual.PageOf(id).Table(zone, []postern.DNSRecord{mx, spf, web}); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", id, got, want)
		}
	}
	e := manual.PageOf("godaddy").Entry(zone, dkim)
	if e.Name != "k1._domainkey.mg" || e.LeaveOut != "."+zone || e.TTL != "600" || e.Value != dkim.Value {
		t.Errorf("%+v", e)
	}
	if e := (manual.Page{Names: manual.FullDot}).Entry(zone, mx); e.Name != "mg."+zone+"." || e.LeaveOut != "" {
		t.Errorf("%+v", e)
	}
	evil := postern.DNSRecord{Name: "x." + zone, Type: "TXT", Value: "a\n\x1b[2Jb"}
	if got := manual.PageOf("").Table(zone, []postern.DNSRecord{evil}); strings.Contains(got, "\x1b") || strings.Count(got, "\n") != 2 {
		t.Errorf("%q", got)
	}
}

// The lines are read by another program's reader of zone files.
func TestBIND(t *testing.T) {
	odd := postern.DNSRecord{Name: "odd." + zone, Type: "TXT", Value: "é; \"q\" \\ \x01"}
	all := []postern.DNSRecord{mx, spf, dkim, web, odd, {Name: zone, Type: "A", Value: "192.0.2.1"}}
	p := dns.NewZoneParser(strings.NewReader(manual.BIND(all)), "elsewhere.test.", "")
	n := 0
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		want := all[n]
		n++
		if rr.Header().Name != want.Name+"." || dns.TypeToString[rr.Header().Rrtype] != want.Type {
			t.Errorf("%v, want %+v", rr, want)
		}
		switch rr := rr.(type) {
		case *dns.TXT:
			for _, s := range rr.Txt {
				if len(s) > 255+10 {
					t.Errorf("a string of %d", len(s))
				}
			}
			buf := make([]byte, 2000)
			end, err := dns.PackRR(rr, buf, 0, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			if got := wireText(buf[:end], int(rr.Header().Rdlength), rr); got != want.Value {
				t.Errorf("%q, want %q", got, want.Value)
			}
		case *dns.MX:
			if rr.Mx != "mxa.provider.test." || rr.Preference != 10 {
				t.Errorf("%v", rr)
			}
		case *dns.CNAME:
			if rr.Target != "provider.test." {
				t.Errorf("%v", rr)
			}
		}
	}
	if p.Err() != nil || n != len(all) {
		t.Errorf("%d of %d, %v", n, len(all), p.Err())
	}
}

// wireText reads the strings of a packed TXT: the bytes themselves, without escapes.
func wireText(packed []byte, _ int, rr *dns.TXT) string {
	data := packed[len(rr.Hdr.Name)+1+10:]
	var b strings.Builder
	for len(data) > 0 {
		n := int(data[0])
		b.Write(data[1 : 1+n])
		data = data[1+n:]
	}
	return b.String()
}

// Every page is of a host that is recognised by its name servers.
func TestPages(t *testing.T) {
	known := map[string]bool{}
	for _, h := range lookup.Hosts() {
		known[h.ID] = true
	}
	for _, p := range manual.Pages() {
		if !known[p.ID] || p.Title == "" {
			t.Errorf("%+v", p)
		}
	}
}
