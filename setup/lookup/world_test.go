package lookup_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/postern-chat/postern/internal/dnstest"
	"github.com/postern-chat/postern/setup/lookup"
)

// The servers of the world: the parent's, two that have its children, and one that is
// never there.
const (
	parentIP = "127.0.0.2"
	ns1IP    = "127.0.0.3"
	ns2IP    = "127.0.0.4"
	goneIP   = "127.0.0.9"
)

const head = `@ SOA ns1 hostmaster 7 3600 600 86400 60
@ NS ns1
@ NS ns2
ns1 A ` + ns1IP + `
ns2 A ` + ns2IP + "\n"

var example = head + `
@ TXT "v=spf1 include:_spf.office.test " "-all"
@ TXT "site-verification=A\"b\\c\195\164"
@ MX 10 mxb.provider.test.
@ MX 10 MXA.provider.test.
@ CAA 0 issue "letsencrypt.org; validationmethods=dns-01"
@ CAA 128 issuewild ";"
mg TXT "v=spf1 ~all"
mg TXT "v=spf1 -all"
null MX 0 .
*.wild TXT "anything"
email CNAME tracking.other.test.
alias2 CNAME email
ring1 CNAME ring2
ring2 CNAME ring1
deep.er TXT "down here"
` + manyTexts

var manyTexts = func() string {
	var b strings.Builder
	for i := range 12 {
		fmt.Fprintf(&b, "many TXT \"%03d%s\"\n", i, strings.Repeat("x", 240))
	}
	return b.String()
}()

// world is a small internet.
type world struct {
	resolver, ns1, ns2 string
	port               int
}

func newWorld(t *testing.T) world {
	t.Helper()
	port := dnstest.Port(t, parentIP, ns1IP, ns2IP, goneIP)
	w := world{port: port}
	signed := dnstest.Zone{Name: "signed.test", Text: head + "a TXT \"signed\"\n", Signed: true}
	bogus := dnstest.Zone{Name: "bogus.test", Text: head + "a TXT \"bogus\"\n", Signed: true}
	half := dnstest.Zone{Name: "half.test", Text: strings.ReplaceAll(head, ns2IP, goneIP) + "a TXT \"half\"\n"}
	other := dnstest.Zone{Name: "other.test", Text: head + "tracking TXT \"the end\"\ntracking A 192.0.2.7\ntracking AAAA 2001:db8::7\n"}
	nokeys := dnstest.Zone{Name: "nokeys.test", Text: head}
	w.ns1 = dnstest.Knot(t, ns1IP, port,
		dnstest.Zone{Name: "example.test", Text: example + "split TXT \"old\"\nsame A 192.0.2.1\nonly1 TXT \"here\"\n"},
		signed, bogus, half, other, nokeys)
	w.ns2 = dnstest.Knot(t, ns2IP, port,
		dnstest.Zone{Name: "example.test", Text: example + "split TXT \"new\"\nsame A 192.0.2.1\n"},
		other, nokeys)

	good := dsOf(t, w.ns1, "signed.test.")
	const nobody = " DS 12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"
	parent := "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A " + parentIP + "\n"
	for _, zone := range []string{"example", "signed", "bogus", "half", "other", "nokeys", "lame"} {
		second := ns2IP
		if zone == "half" {
			second = goneIP
		}
		parent += fmt.Sprintf("%s NS ns1.%s\n%s NS ns2.%s\nns1.%s A %s\nns2.%s A %s\n", zone, zone, zone, zone, zone, ns1IP, zone, second)
	}
	parent += "signed " + good + "\nbogus" + nobody + "\nnokeys" + nobody + "\n"
	parentAddr := dnstest.Knot(t, parentIP, port, dnstest.Zone{Name: "test", Text: parent})

	both := []string{w.ns1, w.ns2}
	w.resolver = dnstest.Unbound(t, "127.0.0.1", dnstest.Port(t, "127.0.0.1"), map[string][]string{
		"test": {parentAddr}, "example.test": both, "signed.test": {w.ns1}, "bogus.test": {w.ns1},
		"half.test": {w.ns1}, "lame.test": both, "other.test": both, "nokeys.test": both,
	}, "signed.test. "+good, "bogus.test."+nobody)
	return w
}

// dsOf makes the DS record of a signed zone from the key that it shows.
func dsOf(t *testing.T, addr, zone string) string {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(zone, dns.TypeDNSKEY)
	for range 200 { // keys are made while it already answers
		reply, err := dns.Exchange(m, addr)
		if err != nil {
			t.Fatal(err)
		}
		for _, rr := range reply.Answer {
			if k, ok := rr.(*dns.DNSKEY); ok && k.Flags&dns.SEP != 0 {
				ds := k.ToDS(dns.SHA256)
				return fmt.Sprintf("DS %d %d %d %s", ds.KeyTag, ds.Algorithm, ds.DigestType, ds.Digest)
			}
		}
	}
	t.Fatal("the zone shows no key")
	return ""
}

func (w world) client(t *testing.T, change ...func(*lookup.Config)) *lookup.Client {
	t.Helper()
	cfg := lookup.Config{Resolver: w.resolver, Port: w.port, Timeout: time.Second}
	for _, c := range change {
		c(&cfg)
	}
	c, err := lookup.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
