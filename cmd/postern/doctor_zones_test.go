package main

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/postern-chat/postern/sandbox/dns"
	"github.com/postern-chat/postern/setup/doctor"
	"github.com/postern-chat/postern/setup/lookup"
)

// twisted answers some questions otherwise than the world does: what the emulated name
// servers cannot be.
type twisted struct {
	doctor.Names
	zone   func(*lookup.Zone)
	secure func(*lookup.DNSSEC)
}

func (n twisted) Zone(ctx context.Context, name string) (lookup.Zone, error) {
	z, err := n.Names.Zone(ctx, name)
	if n.zone != nil {
		n.zone(&z)
	}
	return z, err
}

func (n twisted) Secure(ctx context.Context, name string) (lookup.DNSSEC, error) {
	s, err := n.Names.Secure(ctx, name)
	if n.secure != nil {
		n.secure(&s)
	}
	return s, err
}

func (c *clinic) twist(n twisted) {
	c.seams.names = func(real doctor.Names) doctor.Names { n.Names = real; return n }
}

func (c *clinic) fault(f dns.Fault) {
	if _, err := c.dns.AddFault(f); err != nil {
		c.t.Fatal(err)
	}
}

func brokenZones() []broken {
	return []broken{
		{name: "no zone", codes: codes("DNS-DELEGATION-NONE"), make: func(c *clinic) { c.twist(twisted{zone: func(z *lookup.Zone) { *z = lookup.Zone{} }}) }},
		{name: "a zone that is kept elsewhere", codes: codes("DNS-DELEGATION-HOST"), make: func(c *clinic) {
			c.twist(twisted{zone: func(z *lookup.Zone) { z.Own = []string{"ns01.domaincontrol.com", "ns02.domaincontrol.com"} }})
		}},
		{name: "two lists of servers", codes: codes("DNS-DELEGATION-NS"), make: func(c *clinic) {
			c.twist(twisted{zone: func(z *lookup.Zone) {
				z.Pinned, z.Delegated, z.Own = false, true, []string{"ns1.example.com", "ns7.example.com"}
			}})
		}},
		{name: "a server that refuses", codes: codes("DNS-SERVERS-SILENT"), make: func(c *clinic) { c.fault(dns.Fault{On: "dns", Action: "refused", Server: dns.NS2}) }},
		{name: "a server that does not know the zone", codes: codes("DNS-SERVERS-SILENT"), make: func(c *clinic) { c.fault(dns.Fault{On: "dns", Action: "lame", Server: dns.NS2}) }},
		{name: "a server that lags", codes: codes("DNS-SERVERS-DIFFER"), make: func(c *clinic) {
			c.dns.SetSwitches(func(s *dns.Switches) { s.SecondLagSeconds = 3600 })
			c.dns.Advance(4000 * time.Second)
			c.put("TXT", clinicDomain, "some-verification=1")
		}},
		{name: "a resolver that remembers", codes: codes("DNS-CACHE-OLD"), make: func(c *clinic) {
			c.dns.SetSwitches(func(s *dns.Switches) { s.ResolverLagSeconds = 3600 })
			c.dns.Advance(4000 * time.Second)
			c.put("TXT", clinicDomain, "some-verification=1")
		}},
		{name: "signatures that do not hold", codes: codes("DNS-DNSSEC-BROKEN"), make: func(c *clinic) {
			c.twist(twisted{secure: func(s *lookup.DNSSEC) { s.DS, s.Broken, s.Status = []string{"12345 13 2 AB"}, true, lookup.ServFail }})
		}},
		{name: "the domain is a CNAME", codes: codes("DNS-CNAME-BESIDE", "DNS-SPF-NONE"), make: func(c *clinic) {
			c.dns.Drop(clinicDomain, "")
			c.put("CNAME", clinicDomain, "www.example.com")
			c.put("A", "www.example.com", "203.0.113.20")
		}},
		{name: "a policy that leads in a circle", codes: codes("DNS-CNAME-LOOP", "DNS-DMARC-NONE"), make: func(c *clinic) {
			for _, pair := range [][2]string{{"_dmarc.", "x."}, {"x.", "_dmarc."}} {
				from, to := pair[0]+clinicDomain, pair[1]+clinicDomain
				c.fault(dns.Fault{On: "dns", Action: "answer", Name: from, Answer: []string{from + ". 300 IN CNAME " + to + "."}})
			}
		}},
		{name: "a wildcard", codes: codes("DNS-WILDCARD-ANY"), make: func(c *clinic) { c.put("CNAME", "*.mg.example.com", "parking.example.com") }},
		{name: "CAA for somebody else", codes: codes("DNS-CAA-DENIES"), make: func(c *clinic) {
			c.env["POSTERN_TLS_MODE"] = "acme"
			c.caa("example.com", "digicert.com")
		}},
	}
}

func (c *clinic) caa(name, authority string) {
	if err := c.dns.Put(dns.Record{Name: name, Type: "CAA", Tag: "issue", Data: authority}); err != nil {
		c.t.Fatal(err)
	}
}

func spf(text string) func(*clinic) {
	return func(c *clinic) { c.swap("TXT", clinicDomain, text) }
}

func brokenRecords() []broken {
	key := func(change func(value string) string) func(*clinic) {
		return func(c *clinic) {
			name, value := c.wanted("TXT", "._domainkey.")
			c.swap("TXT", name, change(value))
		}
	}
	dmarc := func(text string) func(*clinic) {
		return func(c *clinic) { c.swap("TXT", "_dmarc."+clinicDomain, text) }
	}
	return []broken{
		{name: "no MX", codes: codes("DNS-MX-NONE"), mends: true, make: func(c *clinic) { c.dns.Drop(clinicDomain, "MX") }},
		{name: "one MX", codes: codes("DNS-MX-PART"), mends: true, make: func(c *clinic) {
			c.dns.Drop(clinicDomain, "MX")
			c.put("MX", clinicDomain, "mxa.mailgun.org", 10)
		}},
		{name: "a null MX", codes: codes("DNS-MX-NULL"), make: func(c *clinic) {
			c.dns.Drop(clinicDomain, "MX")
			c.fault(dns.Fault{On: "dns", Action: "answer", Name: clinicDomain, Type: "MX", Answer: []string{clinicDomain + ". 300 IN MX 0 ."}})
		}},
		{name: "Google's MX", codes: codes("DNS-MX-OTHER"), make: func(c *clinic) {
			c.dns.Drop(clinicDomain, "MX")
			c.put("MX", clinicDomain, "aspmx.l.google.com", 1)
		}},
		{name: "Google's MX beside ours", codes: codes("DNS-MX-MIXED"), make: func(c *clinic) { c.put("MX", clinicDomain, "aspmx.l.google.com", 1) }},
		{name: "an MX that is a CNAME", codes: codes("DNS-MX-CNAME", "DNS-MX-MIXED"), make: func(c *clinic) {
			c.put("MX", clinicDomain, "mail.example.com", 20)
			c.put("CNAME", "mail.example.com", "aspmx.l.google.com")
		}},
		{name: "an MX that is not there", codes: codes("DNS-MX-DEAD", "DNS-MX-MIXED"), make: func(c *clinic) { c.put("MX", clinicDomain, "gone.example.com", 20) }},

		{name: "no SPF", codes: codes("DNS-SPF-NONE"), mends: true, make: func(c *clinic) { c.swap("TXT", clinicDomain, "some-verification=1") }},
		{name: "two SPF", codes: codes("DNS-SPF-TWO"), make: func(c *clinic) { c.put("TXT", clinicDomain, "v=spf1 include:_spf.google.com -all") }},
		{name: "SPF of others", codes: codes("DNS-SPF-PROVIDER"), mends: true, make: spf("v=spf1 include:_spf.google.com ~all")},
		{name: "SPF by a record between", codes: codes("DNS-TRACK-NONE"), mends: true, left: codes("MAILGUN-RECORDS"), make: func(c *clinic) { // that is in order, though the emulated Mailgun looks for the word only; something else has to be wrong
			c.swap("TXT", clinicDomain, "v=spf1 include:dc-1._spfm.mg.example.com ~all")
			c.put("TXT", "dc-1._spfm.mg.example.com", "v=spf1 include:mailgun.org ~all")
			name, _ := c.wanted("CNAME", "email.")
			c.dns.Drop(name, "CNAME")
		}},
		{name: "SPF with a typing error", codes: codes("DNS-SPF-SYNTAX"), make: spf("v=spf1 include:mailgun.org ipv4:1.2.3.4 ~all")},
		{name: "SPF with too many look-ups", codes: codes("DNS-SPF-LOOKUPS"), make: func(c *clinic) {
			text := "v=spf1 include:mailgun.org"
			for _, n := range strings.Split("abcdefghij", "") {
				text += " include:" + n + ".example.com"
				c.put("TXT", n+".example.com", "v=spf1 ip4:198.51.100.7 -all")
			}
			c.swap("TXT", clinicDomain, text+" ~all")
		}},
		{name: "SPF near the limit", codes: codes("DNS-SPF-NEAR"), make: func(c *clinic) {
			text := "v=spf1 include:mailgun.org" // costs two
			for _, n := range strings.Split("abcdefgh", "") {
				text += " include:" + n + ".example.com"
				c.put("TXT", n+".example.com", "v=spf1 ip4:198.51.100.7 -all")
			}
			c.swap("TXT", clinicDomain, text+" ~all")
		}},
		{name: "SPF that asks for nothing", codes: codes("DNS-SPF-VOID"), make: spf("v=spf1 include:mailgun.org a:x1.example.com a:x2.example.com a:x3.example.com ~all")},
		{name: "SPF in a circle", codes: codes("DNS-SPF-LOOP"), make: func(c *clinic) {
			c.swap("TXT", clinicDomain, "v=spf1 include:mailgun.org include:loop.example.com ~all")
			c.put("TXT", "loop.example.com", "v=spf1 include:mg.example.com ~all")
		}},
		{name: "SPF includes nothing", codes: codes("DNS-SPF-INCLUDE"), make: spf("v=spf1 include:mailgun.org include:gone.example.com ~all")},
		{name: "SPF lets all send", codes: codes("DNS-SPF-ALL"), make: spf("v=spf1 include:mailgun.org +all")},
		{name: "SPF without an end", codes: codes("DNS-SPF-OPEN"), make: spf("v=spf1 include:mailgun.org")},
		{name: "SPF that does not care", codes: codes("DNS-SPF-OPEN"), make: spf("v=spf1 include:mailgun.org ?all")},
		{name: "SPF with terms behind all", codes: codes("DNS-SPF-IGNORED"), make: spf("v=spf1 include:mailgun.org ~all ip4:192.0.2.1")},
		{name: "SPF with ptr", codes: codes("DNS-SPF-PTR"), make: spf("v=spf1 include:mailgun.org ptr ~all")},
		{name: "SPF without end", codes: codes("DNS-SPF-LONG"), make: spf("v=spf1 include:mailgun.org" + strings.Repeat(" ip4:198.51.100.100", 30) + " ~all")},

		{name: "no key", codes: codes("DNS-DKIM-NONE"), mends: true, make: func(c *clinic) {
			name, _ := c.wanted("TXT", "._domainkey.")
			c.dns.Drop(name, "TXT")
		}},
		{name: "two keys", codes: codes("DNS-DKIM-TWO"), make: func(c *clinic) {
			name, value := c.wanted("TXT", "._domainkey.")
			c.put("TXT", name, strings.Replace(value, "A", "B", 1))
		}},
		{name: "no key, but something", codes: codes("DNS-DKIM-SYNTAX"), make: key(func(v string) string { return strings.Replace(v, "p=", "p=%%", 1) })},
		{name: "a revoked key", codes: codes("DNS-DKIM-REVOKED"), make: key(func(string) string { return "v=DKIM1; k=rsa; p=" })},
		{name: "another key", codes: codes("DNS-DKIM-OTHER"), make: key(func(string) string { return "v=DKIM1; k=rsa; p=" + someKey })},
		{name: "a key for testing", codes: codes("DNS-DKIM-TESTING"), make: key(func(v string) string { return "t=y; " + v })},
		{name: "a key of 1024 bits", codes: codes("DNS-DKIM-1024"), make: func(c *clinic) {
			c.mg("PUT", "/v4/domains/"+clinicDomain, url.Values{"dkim_key_size": {"1024"}})
			name, value := c.wanted("TXT", "._domainkey.")
			c.swap("TXT", name, value)
		}},
		{name: "a key of 512 bits", codes: codes("DNS-DKIM-SHORT"), make: func(c *clinic) {
			c.mg("PUT", "/v4/domains/"+clinicDomain, url.Values{"dkim_key_size": {"512"}})
			name, value := c.wanted("TXT", "._domainkey.")
			c.swap("TXT", name, value)
		}},
		{name: "keys that Mailgun keeps are not there", codes: codes("DNS-DKIM-NONE"), mends: true, make: func(c *clinic) {
			c.mg("PUT", "/v4/domains/"+clinicDomain, url.Values{"use_automatic_sender_security": {"yes"}})
		}},
		{name: "a CNAME for keys that are gone", codes: codes("DNS-DKIM-DEAD"), make: func(c *clinic) {
			c.mg("PUT", "/v4/domains/"+clinicDomain, url.Values{"use_automatic_sender_security": {"yes"}})
			for _, r := range c.mail.DNSRecords(clinicDomain) {
				if strings.HasPrefix(r.Name, "pdk") {
					c.put(r.Type, r.Name, r.Value)
					c.dns.Drop(r.Value, "TXT")
				}
			}
		}},

		{name: "no policy", codes: codes("DNS-DMARC-NONE"), mends: true, make: func(c *clinic) { c.dns.Drop("_dmarc."+clinicDomain, "") }},
		{name: "two policies", codes: codes("DNS-DMARC-TWO"), make: func(c *clinic) { c.put("TXT", "_dmarc."+clinicDomain, "v=DMARC1; p=reject") }},
		{name: "a policy with tags of old", codes: codes("DNS-DMARC-TAGS"), make: dmarc("v=DMARC1; p=none; pct=50; ri=3600")},
		{name: "a policy that is none", codes: codes("DNS-DMARC-SYNTAX"), make: dmarc("v=DMARC1; p=rejekt; rua=mailto:dmarc@mg.example.com")},
		{name: "reports to strangers", codes: codes("DNS-DMARC-REPORTS"), make: dmarc("v=DMARC1; p=none; rua=mailto:dmarc@google.com")},
		{name: "a strict policy and a key of the parent", codes: codes("DNS-DMARC-ALIGN"), make: func(c *clinic) {
			c.swap("TXT", "_dmarc."+clinicDomain, "v=DMARC1; p=reject; adkim=s")
			parent := func(v map[string]any) {
				for _, r := range v["sending_dns_records"].([]any) {
					r := r.(map[string]any)
					r["name"] = strings.Replace(r["name"].(string), "._domainkey.mg.", "._domainkey.", 1)
				}
			}
			c.says("/v4/domains/"+clinicDomain, parent)
			_, value := c.wanted("TXT", "._domainkey.")
			c.put("TXT", "k1._domainkey.example.com", value)
		}},

		{name: "no tracking name", codes: codes("DNS-TRACK-NONE"), mends: true, make: func(c *clinic) { c.dns.Drop("email."+clinicDomain, "CNAME") }},
		{name: "the tracking name is taken", codes: codes("DNS-TRACK-OTHER"), make: func(c *clinic) { c.swap("CNAME", "email."+clinicDomain, "webmail.example.org") }},
		{name: "tracking with somebody else's certificate", codes: codes("DNS-TRACK-CERT"), make: func(c *clinic) {
			c.mg("PUT", "/v4/domains/"+clinicDomain, url.Values{"web_scheme": {"https"}})
		}},
		{name: "tracking without leave for a certificate", codes: codes("DNS-TRACK-CAA"), make: func(c *clinic) {
			c.mg("PUT", "/v4/domains/"+clinicDomain, url.Values{"web_scheme": {"https"}})
			c.caa("example.com", "digicert.com")
		}},
	}
}

// someKey is an RSA key of 2048 bits that nobody uses.
const someKey = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0/IzW7yWR7QkrmBL7jTKEn5u+qKhbwKfBstIs+bMY2Zkp18gnTxKLxoS2tFczGkPLPgizskuemMghRniWaoLcyehkd3qqGElvW/VDL5AaWTg0nLVkjRo9z+40RQzuVaE8AkAFmxZzow3x+VJYKdjykkJ0iT9wCS0DRTXu269V264Vf/3jvredZiKRkgwlL9xNAwxXFg0x/XFw005UWVRIkdgcKWTjpBP2dPwVZ4WWC+9aGVd+Gyn1o0CLelf4rEjGoXbAAEgAqeGUxrcIlbjXfbcmwIDAQAB"
