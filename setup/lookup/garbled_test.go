package lookup_test

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/setup/lookup"
)

// strange serves whatever answer makes of a question, by UDP.
func strange(t *testing.T, answer func(w dns.ResponseWriter, m *dns.Msg)) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	up := make(chan struct{})
	s := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(answer), NotifyStartedFunc: func() { close(up) }}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.ActivateAndServe() }()
	<-up
	t.Cleanup(func() { _ = s.Shutdown(); <-done })
	return conn.LocalAddr().String()
}

func TestStrangeServers(t *testing.T) {
	txt := func(name, text string) dns.RR {
		return &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}, Txt: []string{text}}
	}
	var asked atomic.Int64
	for _, test := range []struct {
		name   string
		answer func(dns.ResponseWriter, *dns.Msg)
		want   lookup.Status
	}{
		{"not DNS", func(w dns.ResponseWriter, m *dns.Msg) { _, _ = w.Write([]byte("hello")) }, lookup.Garbled},
		{"another question", func(w dns.ResponseWriter, m *dns.Msg) {
			r := new(dns.Msg).SetReply(m)
			r.Question[0].Name = "other.test."
			r.Answer = []dns.RR{txt("other.test.", "gotcha")}
			_ = w.WriteMsg(r)
		}, lookup.Garbled},
		{"records of another name", func(w dns.ResponseWriter, m *dns.Msg) {
			r := new(dns.Msg).SetReply(m)
			r.Answer = []dns.RR{txt("other.test.", "gotcha")}
			_ = w.WriteMsg(r)
		}, lookup.NoData},
		{"a chain without end", func(w dns.ResponseWriter, m *dns.Msg) {
			r := new(dns.Msg).SetReply(m)
			name := m.Question[0].Name
			for range 12 {
				r.Answer = append(r.Answer, &dns.CNAME{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 60}, Target: "x." + name})
				name = "x." + name
			}
			_ = w.WriteMsg(r)
		}, lookup.NoData},
		{"only plain questions", func(w dns.ResponseWriter, m *dns.Msg) {
			r := new(dns.Msg).SetReply(m)
			if m.IsEdns0() != nil {
				r.Rcode = dns.RcodeFormatError
			} else {
				r.Answer = []dns.RR{txt(m.Question[0].Name, "plain")}
			}
			_ = w.WriteMsg(r)
		}, lookup.Found},
		{"the first is lost", func(w dns.ResponseWriter, m *dns.Msg) {
			if asked.Add(1) == 1 {
				return
			}
			r := new(dns.Msg).SetReply(m)
			r.Answer = []dns.RR{txt(m.Question[0].Name, "late")}
			_ = w.WriteMsg(r)
		}, lookup.Found},
		{"refuses", func(w dns.ResponseWriter, m *dns.Msg) { _ = w.WriteMsg(new(dns.Msg).SetRcode(m, dns.RcodeRefused)) }, lookup.Refused},
		{"not implemented", func(w dns.ResponseWriter, m *dns.Msg) {
			_ = w.WriteMsg(new(dns.Msg).SetRcode(m, dns.RcodeNotImplemented))
		}, lookup.Garbled},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := lookup.New(lookup.Config{Resolver: strange(t, test.answer), Timeout: 200 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			a, err := c.Recursive(t.Context(), "example.test", "TXT")
			if err != nil || a.Status != test.want {
				t.Errorf("%+v, %v: want %s", a, err, test.want)
			}
		})
	}
}

func TestNew(t *testing.T) {
	for _, cfg := range []lookup.Config{{Resolver: "127.0.0.1"}, {Servers: []string{"ns1.example.com"}}} {
		if _, err := lookup.New(cfg); postern.KindOf(err) != postern.Invalid {
			t.Errorf("%+v: %v, want Invalid", cfg, err)
		}
	}
}

func TestHostOf(t *testing.T) {
	for _, test := range []struct {
		servers []string
		id      string
	}{
		{[]string{"NS07.domaincontrol.com.", "ns08.domaincontrol.com"}, "godaddy"},
		{[]string{"ada.ns.cloudflare.com", "bob.ns.cloudflare.com"}, "cloudflare"},
		{[]string{"ns-1.awsdns-00.com", "ns-2.awsdns-12.co.uk", "ns-3.awsdns-40.org"}, "route53"},
		{[]string{"ns1-01.azure-dns.com", "ns2-01.azure-dns.net"}, "azure"},
		{[]string{"ns07.domaincontrol.com", "ada.ns.cloudflare.com"}, ""}, // two at once: nobody's
		{[]string{"ns1.notdomaincontrol.com"}, ""},
		{[]string{"ns1.example.com"}, ""},
		{nil, ""},
	} {
		if h, ok := lookup.HostOf(test.servers); h.ID != test.id || ok != (test.id != "") {
			t.Errorf("%v: %+v, %v", test.servers, h, ok)
		}
	}
	seen := map[string]bool{}
	for _, h := range lookup.Hosts() {
		if seen[h.ID] || h.ID == "" || h.Title == "" {
			t.Errorf("%+v stands twice, or is empty", h)
		}
		seen[h.ID] = true
	}
}

// A resolver that is silent on a zone is not asked label by label: each costs a time-out.
func TestSilentZoneIsCheap(t *testing.T) {
	var silent, asked atomic.Int64
	resolver := strange(t, func(w dns.ResponseWriter, m *dns.Msg) {
		asked.Add(1)
		if name := m.Question[0].Name; strings.HasSuffix(name, "lame.test.") {
			silent.Add(1)
			return
		}
		r := new(dns.Msg).SetReply(m)
		soa := &dns.SOA{Hdr: dns.RR_Header{Name: "test.", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}, Ns: "ns.test.", Mbox: "h.test.", Minttl: 60}
		switch m.Question[0].Qtype {
		case dns.TypeSOA:
			r.Answer = []dns.RR{soa}
		case dns.TypeNS:
			r.Answer = []dns.RR{&dns.NS{Hdr: dns.RR_Header{Name: "test.", Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 60}, Ns: "ns.test."}}
		default:
			r.Ns = []dns.RR{soa}
		}
		_ = w.WriteMsg(r)
	})
	c, err := lookup.New(lookup.Config{Resolver: resolver, Timeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	z, err := c.Zone(t.Context(), "a.b.c.d.e.f.g.lame.test")
	if err != nil || z.Name != "test" || z.Delegated {
		t.Errorf("%+v, %v", z, err)
	}
	if silent.Load() > 4 {
		t.Errorf("%d questions of %d in vain", silent.Load(), asked.Load())
	}
}
