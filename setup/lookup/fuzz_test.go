package lookup

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// Whatever a server sends, reading it ends, and believes no more than the question asked.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"example.test. 60 IN TXT \"a\\\"b\" \"\\195\\164\\\\\"", "example.test. 60 IN CNAME example.test.", "example.test. 60 IN MX 0 .",
		"example.test. 60 IN CAA 128 issue \"ca.test; x=\\\"y\\\"\"", "EXAMPLE.test. 60 IN CNAME b.test.\nb.test. 60 IN CNAME example.test.",
	} {
		m := new(dns.Msg).SetQuestion("example.test.", dns.TypeTXT)
		m.Response, m.Authoritative = true, true
		for line := range strings.SplitSeq(text, "\n") {
			rr, err := dns.NewRR(line)
			if err != nil {
				f.Fatal(err)
			}
			m.Answer = append(m.Answer, rr)
		}
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(dns.Msg)
		if m.Unpack(b) != nil {
			return
		}
		for _, kind := range []uint16{dns.TypeTXT, dns.TypeMX, dns.TypeCNAME, dns.TypeCAA} {
			for _, recursive := range []bool{false, true} {
				a := Answer{}.read(m, "example.test", kind, recursive)
				if len(a.Aliases) > maxAliases || a.TTL < 0 || (a.Status == Found) != (len(a.Records) > 0) || a.Status == "" {
					t.Fatalf("%+v", a)
				}
				for _, r := range a.Records {
					if !recursive && r.Name != "example.test" || r.Type != dns.TypeToString[kind] {
						t.Fatalf("%+v", r)
					}
					readCAA(r.Value)
				}
			}
		}
		soaOf(m, "example.test")
	})
}
