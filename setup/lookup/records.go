package lookup

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/zonetext"
)

// maxAliases is the longest chain of CNAMEs that is followed.
const maxAliases = 8

// toRecord puts a resource record into our words.
func toRecord(rr dns.RR) postern.DNSRecord {
	h := rr.Header()
	r := postern.DNSRecord{Name: plain(h.Name), Type: dns.TypeToString[h.Rrtype], TTL: int(h.Ttl)}
	switch rr := rr.(type) {
	case *dns.A:
		r.Value = rr.A.String()
	case *dns.AAAA:
		r.Value = rr.AAAA.String()
	case *dns.MX:
		r.Value, r.Priority = plain(rr.Mx), int(rr.Preference)
	case *dns.CNAME:
		r.Value = plain(rr.Target)
	case *dns.NS:
		r.Value = plain(rr.Ns)
	case *dns.PTR:
		r.Value = plain(rr.Ptr)
	case *dns.TXT:
		r.Value = zonetext.Join(rr.Txt)
	case *dns.SPF:
		r.Value = zonetext.Join(rr.Txt)
	default:
		r.Value = strings.TrimPrefix(rr.String(), h.String())
	}
	return r
}

// plain is a name without the last dot, in lower case; the root stays a dot (RFC 7505).
func plain(name string) string {
	if name == "." {
		return name
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// read turns a reply into an Answer. An authoritative server is believed about the name
// itself only; a resolver about all that the aliases lead to.
func (a Answer) read(m *dns.Msg, name string, kind uint16, recursive bool) Answer {
	a.AD = recursive && m.AuthenticatedData
	switch m.Rcode {
	case dns.RcodeSuccess, dns.RcodeNameError:
	case dns.RcodeServerFailure:
		a.Status = ServFail
		return a
	case dns.RcodeRefused, dns.RcodeNotAuth:
		a.Status = Refused
		return a
	default:
		a.Status, a.Reason = Garbled, "answered "+dns.RcodeToString[m.Rcode]
		return a
	}
	if !recursive && !m.Authoritative {
		a.Status = Lame
		return a
	}
	at := name
	ttl := uint32(1<<31 - 1)
	for range maxAliases {
		target, t := alias(m.Answer, at)
		if target == "" || kind == dns.TypeCNAME || slices.Contains(a.Aliases, target) || target == name {
			break
		}
		a.Aliases, ttl, at = append(a.Aliases, target), min(ttl, t), target
		if !recursive {
			a.Status, a.TTL = NoData, time.Duration(ttl)*time.Second
			return a
		}
	}
	for _, rr := range m.Answer {
		if rr.Header().Rrtype == kind && plain(rr.Header().Name) == at {
			a.Records = append(a.Records, toRecord(rr))
			ttl = min(ttl, rr.Header().Ttl)
		}
	}
	slices.SortFunc(a.Records, func(x, y postern.DNSRecord) int {
		return cmp.Or(cmp.Compare(x.Priority, y.Priority), strings.Compare(x.Value, y.Value))
	})
	switch {
	case len(a.Records) > 0:
		a.Status = Found
	case m.Rcode == dns.RcodeNameError:
		a.Status, ttl = NoName, negative(m, ttl)
	default:
		a.Status, ttl = NoData, negative(m, ttl)
	}
	a.TTL = time.Duration(ttl) * time.Second
	return a
}

// alias gives the target of a CNAME at a name, and its TTL.
func alias(rrs []dns.RR, name string) (string, uint32) {
	for _, rr := range rrs {
		if c, ok := rr.(*dns.CNAME); ok && plain(c.Hdr.Name) == name {
			return plain(c.Target), c.Hdr.Ttl
		}
	}
	return "", 0
}

// negative is how long "nothing" is remembered: the lesser of the SOA's own TTL, which
// with a resolver counts down, and its last field (RFC 2308 section 5). Without an SOA it
// is not to be remembered.
func negative(m *dns.Msg, aliases uint32) uint32 {
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return min(aliases, soa.Hdr.Ttl, soa.Minttl)
		}
	}
	return 0
}

// soaOf gives the SOA record of a reply that belongs to name or something above it.
func soaOf(m *dns.Msg, name string) *dns.SOA {
	for _, rr := range append(slices.Clone(m.Answer), m.Ns...) {
		if soa, ok := rr.(*dns.SOA); ok && within(name, apex(soa.Hdr.Name)) {
			return soa
		}
	}
	return nil
}

// apex is the name of a zone in our form: the root is "".
func apex(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// within tells whether a name is a zone's, or below it.
func within(name, zone string) bool {
	return zone == "" || name == zone || strings.HasSuffix(name, "."+zone)
}

// above strips the first label.
func above(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return rest
}
