package setup

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/setup/lookup"
)

func newTestDNS(t *testing.T, z *fakeZone, change func(*DNSConfig)) *DNS {
	t.Helper()
	p := &fakeProvider{records: wantedRecords()}
	cfg := DNSConfig{Domain: "MG.example.com.", Source: p, Owner: p, Host: z, HostID: "godaddy", Again: time.Microsecond, Ask: func() Names { return z }}
	if change != nil {
		change(&cfg)
	}
	d, err := NewDNS(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func planDNS(t *testing.T, d *DNS) []postern.Change {
	t.Helper()
	all, err := d.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDNSTable: what is there, and what is to become of it; each case is carried out,
// repeated, and taken back.
func TestDNSTable(t *testing.T) {
	const (
		keyMX    = "dns/MX/mg.example.com"
		keySPF   = "dns/TXT/mg.example.com/spf"
		keyDKIM  = "dns/TXT/k1._domainkey.mg.example.com"
		keyTrack = "dns/CNAME/email.mg.example.com"
		keyDMARC = "dns/TXT/_dmarc.mg.example.com/dmarc"
		wanted   = "k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDnew"
	)
	mx := func(v string, prio int) postern.DNSRecord {
		return postern.DNSRecord{Name: "mg.example.com", Type: "MX", Value: v, Priority: prio}
	}
	at := func(kind, name, v string) postern.DNSRecord {
		return postern.DNSRecord{Name: name, Type: kind, Value: v}
	}
	const k1, email, dmarc = "k1._domainkey.mg.example.com", "email.mg.example.com", "_dmarc.mg.example.com"
	tests := []struct {
		name string
		zone []postern.DNSRecord
		key  string
		sign postern.Sign
		want string // after carrying out, a record that is there; or, with a conflict, part of Why
	}{
		{"no MX", nil, keyMX, "+", "MX mg.example.com 10 b.provider.test"},
		{"one MX", []postern.DNSRecord{mx("a.provider.test", 10)}, keyMX, "~", "MX mg.example.com 10 b.provider.test"},
		{"right MX", []postern.DNSRecord{mx("A.provider.test.", 10), mx("b.provider.test", 10)}, keyMX, "=", ""},
		{"MX of another region", []postern.DNSRecord{mx("a.eu.provider.test", 10)}, keyMX, "~", "MX mg.example.com 10 a.provider.test"},
		{"foreign MX", []postern.DNSRecord{mx("aspmx.l.google.com", 1)}, keyMX, "!", "Google (aspmx.l.google.com)"},
		{"foreign MX beside ours", []postern.DNSRecord{mx("a.provider.test", 10), mx("x.mail.protection.outlook.com", 0)}, keyMX, "!", "use a subdomain"},
		{"null MX", []postern.DNSRecord{mx(".", 0)}, keyMX, "!", "null MX"},
		{"alias at the domain", []postern.DNSRecord{at("CNAME", "mg.example.com", "x.example")}, keyMX, "!", "alias of x.example"},

		{"no SPF", []postern.DNSRecord{at("TXT", "mg.example.com", "verification=1")}, keySPF, "+", "TXT mg.example.com v=spf1 include:spf.provider.test ~all"},
		{"SPF of others", []postern.DNSRecord{at("TXT", "mg.example.com", "v=spf1 ip4:192.0.2.9 -all")}, keySPF, "~", "TXT mg.example.com v=spf1 ip4:192.0.2.9 include:spf.provider.test -all"},
		{"SPF with ours", []postern.DNSRecord{at("TXT", "mg.example.com", "v=spf1 include:spf.provider.test -all")}, keySPF, "=", ""},
		{"two SPF", []postern.DNSRecord{at("TXT", "mg.example.com", "v=spf1 -all"), at("TXT", "mg.example.com", "v=spf1 a ~all")}, keySPF, "!", "several SPF records"},
		{"two SPF that we left", []postern.DNSRecord{at("TXT", "mg.example.com", "v=spf1 a -all"), at("TXT", "mg.example.com", "v=spf1 a include:spf.provider.test -all")},
			keySPF, "~", "TXT mg.example.com v=spf1 a include:spf.provider.test -all"},
		{"SPF with ten look-ups", []postern.DNSRecord{at("TXT", "mg.example.com", "v=spf1 "+strings.Repeat("a ", 10)+"-all")}, keySPF, "!", "cannot take it"},
		{"broken SPF", []postern.DNSRecord{at("TXT", "mg.example.com", "v=spf1 ip4:nonsense -all")}, keySPF, "!", "cannot take it"},

		{"no DKIM", nil, keyDKIM, "+", "TXT " + k1 + " " + wanted},
		{"right DKIM, otherwise written", []postern.DNSRecord{at("TXT", k1, "v=DKIM1; k=rsa;p=MIGfMA0GCSqG SIb3DQEBAQUAA4GNADCBiQKBgQDnew")}, keyDKIM, "=", ""},
		{"stale DKIM", []postern.DNSRecord{at("TXT", k1, "k=rsa; p=MIGfMA0old")}, keyDKIM, "~", "TXT " + k1 + " " + wanted},
		{"stale DKIM beside the right one", []postern.DNSRecord{at("TXT", k1, "k=rsa; p=MIGfMA0old"), at("TXT", k1, wanted)}, keyDKIM, "~", "TXT " + k1 + " " + wanted},
		{"stale DKIM alias", []postern.DNSRecord{at("CNAME", k1, "k1.dkim.provider.test")}, keyDKIM, "~", "TXT " + k1 + " " + wanted},
		{"DKIM of somebody else", []postern.DNSRecord{at("TXT", k1, "v=DKIM1; k=rsa; p=AAAA")}, keyDKIM, "!", "key of somebody else"},
		{"DKIM alias of somebody else", []postern.DNSRecord{at("CNAME", k1, "dkim.mcsv.example")}, keyDKIM, "!", "key of somebody else"},

		{"no tracking", nil, keyTrack, "+", "CNAME " + email + " provider.test"},
		{"stale tracking", []postern.DNSRecord{at("CNAME", email, "eu.provider.test")}, keyTrack, "~", "CNAME " + email + " provider.test"},
		{"tracking elsewhere", []postern.DNSRecord{at("CNAME", email, "sendgrid.example")}, keyTrack, "!", "leads elsewhere"},
		{"addresses where tracking should be", []postern.DNSRecord{at("A", email, "192.0.2.1")}, keyTrack, "!", "a CNAME must stand alone"},

		{"no DMARC", []postern.DNSRecord{at("TXT", dmarc, "else")}, keyDMARC, "+", "TXT " + dmarc + " v=DMARC1; p=none"},
		{"DMARC", []postern.DNSRecord{at("TXT", dmarc, "v=DMARC1; p=reject")}, keyDMARC, "=", ""},
		{"DMARC of the organisation", []postern.DNSRecord{at("TXT", "_dmarc.example.com", "v=DMARC1; p=reject")}, keyDMARC, "=", ""},
		{"two DMARC", []postern.DNSRecord{at("TXT", dmarc, "v=DMARC1; p=reject"), at("TXT", dmarc, "v=DMARC1; p=none")}, keyDMARC, "!", "of which none counts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z := newFakeZone()
			z.records = append([]postern.DNSRecord{}, tt.zone...)
			z.records = append(z.records, at("TXT", "mg.example.com", "other=1"), at("TXT", "example.com", "v=spf1 -all"))
			before := z.text()
			d := newTestDNS(t, z, nil)
			var c postern.Change
			for _, x := range planDNS(t, d) {
				if x.Key == tt.key {
					c = x
				}
			}
			if c.Sign != tt.sign || (c.Apply == nil) != (tt.sign == "=" || tt.sign == "!") || (len(c.Before) == 0) != (c.Apply == nil) {
				t.Fatalf("%s %s: is %q, want %q, why %q", c.Sign, c.Key, c.Is, c.Want, c.Why)
			}
			if c.Sign == postern.Conflict && !strings.Contains(c.Why, tt.want) {
				t.Errorf("why: %s", c.Why)
			}
			if c.Apply == nil {
				return
			}
			for range 2 {
				if err := c.Apply(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if after := "\n" + z.text() + "\n"; !strings.Contains(after, "\n"+tt.want+"\n") || !strings.Contains(after, "other=1") {
				t.Errorf("no %q in%s", tt.want, after)
			}
			for _, x := range planDNS(t, d) {
				if x.Key == tt.key && x.Sign != postern.Keep {
					t.Errorf("second plan: %s %s", x.Sign, x.Why)
				}
			}
			for range 2 {
				if err := d.Restore(t.Context(), c.Key, c.Before); err != nil {
					t.Fatal(err)
				}
				if have := z.text(); have != before {
					t.Errorf("after undoing:\n%s\nbefore:\n%s", have, before)
				}
			}
		})
	}
}

// TestDNSOrder: the new SPF record is there before the old one goes; an alias cannot be.
func TestDNSOrder(t *testing.T) {
	z := newFakeZone()
	z.records = []postern.DNSRecord{{Name: "mg.example.com", Type: "TXT", Value: "v=spf1 -all"}, {Name: "email.mg.example.com", Type: "CNAME", Value: "old.provider.test"}}
	for _, c := range planDNS(t, newTestDNS(t, z, nil)) {
		if c.Sign == postern.Alter {
			if err := c.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := "create TXT v=spf1 include:spf.provider.test -all|delete TXT v=spf1 -all|delete CNAME old.provider.test|create CNAME provider.test"
	if have := strings.Join(z.calls, "|"); have != want {
		t.Errorf("have %s\nwant %s", have, want)
	}
}

// TestDNSChanged: what somebody else changed since the plan, or since we changed it, stays.
func TestDNSChanged(t *testing.T) {
	z := newFakeZone()
	z.records = []postern.DNSRecord{{Name: "mg.example.com", Type: "TXT", Value: "v=spf1 -all"}}
	d := newTestDNS(t, z, nil)
	c := planDNS(t, d)[2]
	z.records[0].Value = "v=spf1 a -all"
	if err := c.Apply(t.Context()); postern.CauseOf(err) != postern.CauseChanged || len(z.calls) > 0 {
		t.Errorf("%v, calls %q", err, z.calls)
	}
	z.records[0].Value = "v=spf1 -all"
	if err := c.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	z.records[0].Value = "v=spf1 include:spf.provider.test a -all"
	z.calls = nil
	if err := d.Restore(t.Context(), c.Key, c.Before); postern.CauseOf(err) != postern.CauseChanged || len(z.calls) > 0 {
		t.Errorf("%v, calls %q", err, z.calls)
	}
	if err := d.Restore(t.Context(), "dns/TXT/elsewhere", c.Before); postern.KindOf(err) != postern.Invalid {
		t.Errorf("another key: %v", err)
	}
}

// TestDNSProtected: a host that makes empty records is found out at the first.
func TestDNSProtected(t *testing.T) {
	z := newFakeZone()
	z.protected = true
	c := planDNS(t, newTestDNS(t, z, nil))[2]
	if err := c.Apply(t.Context()); postern.KindOf(err) != postern.Denied || !strings.Contains(err.Error(), "Domain Protection") {
		t.Errorf("%v", err)
	}
}

// TestDNSZone: where we would write has to be where the world looks.
func TestDNSZone(t *testing.T) {
	tests := []struct {
		name   string
		ns     string
		change func(*DNSConfig)
		sign   postern.Sign
		text   string
	}{
		{"ours", "ns1.domaincontrol.com", nil, "=", "example.com at GoDaddy"},
		{"elsewhere", "a.ns.cloudflare.com", nil, "!", "set dns.host to where the zone is kept"},
		{"unknown servers", "ns1.vanity.example", nil, "=", "if what is written does not show"},
		{"any server", "ns1.vanity.example", func(c *DNSConfig) { c.HostID = "" }, "=", "example.com at ns1.vanity.example"},
		{"another zone", "ns1.domaincontrol.com", func(c *DNSConfig) { c.Zone = "mg.example.com" }, "!", "is in another zone"},
		{"by hand", "a.ns.cloudflare.com", func(c *DNSConfig) { c.Host, c.HostID = nil, "" }, "=", "at Cloudflare, by hand"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z := newFakeZone()
			z.ns = []string{tt.ns}
			all := planDNS(t, newTestDNS(t, z, tt.change))
			if c := all[0]; c.Sign != tt.sign || !strings.Contains(c.Is+c.Why, tt.text) {
				t.Errorf("%s %s %s", c.Sign, c.Is, c.Why)
			}
			if all[0].Sign == postern.Conflict && len(all) > 1 {
				t.Error("plans on in spite of that")
			}
		})
	}
	z := newFakeZone()
	z.name = "example.net"
	for _, c := range planDNS(t, newTestDNS(t, z, nil))[1:] {
		if c.Sign != postern.Conflict || c.Apply != nil {
			t.Errorf("outside of the zone: %s %s", c.Sign, c.Key)
		}
	}
}

// TestDNSByHand: what is to be entered is told, nothing is written, and what the servers
// show decides.
func TestDNSByHand(t *testing.T) {
	z := newFakeZone()
	z.records = []postern.DNSRecord{{Name: "mg.example.com", Type: "TXT", Value: "v=spf1 -all"}}
	var removed, added []postern.DNSRecord
	d := newTestDNS(t, z, func(c *DNSConfig) {
		c.Host, c.HostID = nil, ""
		c.Page = func(keeper lookup.Host, zone string, remove, add []postern.DNSRecord) string {
			removed, added = remove, add
			return "at " + keeper.ID + " in " + zone
		}
	})
	for _, c := range planDNS(t, d) {
		if c.Apply != nil || c.Before != nil {
			t.Errorf("would write %s", c.Key)
		}
	}
	if text := d.Instructions(); text != "at godaddy in example.com" || len(removed) != 1 || len(added) != 6 {
		t.Errorf("%q, remove %v, add %v", text, removed, added)
	}
	missing, err := d.Unsettled(t.Context())
	if err != nil || len(missing) != 6 {
		t.Errorf("%q %v", missing, err)
	}
	z.stale, z.lagging = z.records, true
	z.records = added
	if missing, err = d.Unsettled(t.Context()); err != nil || len(missing) != 6 || missing[0] != "MX mg.example.com at ns2.domaincontrol.com" ||
		missing[2] != "TXT mg.example.com (the old value) at ns2.domaincontrol.com" {
		t.Errorf("%q %v", missing, err)
	}
	z.lagging = false
	if missing, err = d.Unsettled(t.Context()); err != nil || len(missing) > 0 {
		t.Errorf("%q %v", missing, err)
	}
	if err := d.Restore(t.Context(), "dns/MX/x", []byte(`{"kind":"MX","name":"x"}`)); postern.KindOf(err) != postern.Denied {
		t.Errorf("restore by hand: %v", err)
	}
	z.silent = true
	if _, err := d.Plan(t.Context()); err == nil {
		t.Error("plans without having seen the zone")
	}
}

func TestDNSNeeds(t *testing.T) {
	if _, err := NewDNS(DNSConfig{}); err == nil {
		t.Error("no error")
	}
	z := newFakeZone()
	if all := planDNS(t, newTestDNS(t, z, func(c *DNSConfig) { c.Reports = "d@example.com" })); !strings.HasSuffix(all[len(all)-1].Want, "rua=mailto:d@example.com") {
		t.Error(fmt.Sprint(all[len(all)-1]))
	}
}
