package doctor

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/setup/lookup"
	"github.com/postern-chat/postern/setup/policy"
)

// DNS are the checks of the records that mail needs, on every server of the zone.
type DNS struct {
	Lookup Names
	// Domain is the one that mail is sent from and answers come to: that of From, of the
	// envelope and of reply addresses.
	Domain string
	// Wanted gives the records that the provider wants; on an error only what needs none of
	// them is judged.
	Wanted func(ctx context.Context) ([]postern.DNSRecord, error)
	// Secured tells whether tracking links are https; nil = no.
	Secured func(ctx context.Context) bool
	// Host is who is configured to keep the zone, by lookup's ID; "" = by hand.
	Host string
	// PublicHost is the host of public_url; CA the authority that makes our certificate,
	// "letsencrypt.org"; "" = somebody else's business.
	PublicHost, CA string
	// Net is how certificates are asked for: Dial, Roots and Now of it are used.
	Net Public
}

// Checks gives the checks of the DNS.
func (d DNS) Checks() []Check {
	x := &zoneExam{DNS: d}
	x.wanted = sync.OnceValues(func() ([]postern.DNSRecord, error) {
		// Not any one check's context: all share the answer.
		ctx, cancel := context.WithTimeout(context.Background(), defaultLimit)
		defer cancel()
		return d.Wanted(ctx)
	})
	return []Check{
		{Subject: "DNS-DELEGATION", Ask: x.delegation},
		{Subject: "DNS-SERVERS", Ask: x.servers},
		{Subject: "DNS-DNSSEC", Ask: x.dnssec},
		{Subject: "DNS-CNAME", Ask: x.aliases},
		{Subject: "DNS-WILDCARD", Ask: x.wildcard},
		{Subject: "DNS-MX", Ask: x.mx},
		{Subject: "DNS-SPF", Ask: x.spf},
		{Subject: "DNS-DKIM", Ask: x.dkim},
		{Subject: "DNS-DMARC", Ask: x.dmarc},
		{Subject: "DNS-TRACK", Ask: x.track},
		{Subject: "DNS-CACHE", Ask: x.cache},
		{Subject: "DNS-CAA", Ask: x.caa},
	}
}

type zoneExam struct {
	DNS
	wanted func() ([]postern.DNSRecord, error)
}

func (x *zoneExam) view() policy.Resolver { return x.Lookup.View(x.Domain) }

// of gives the wanted records that fit.
func (x *zoneExam) of(fits func(postern.DNSRecord) bool) ([]postern.DNSRecord, error) {
	all, err := x.wanted()
	if err != nil {
		return nil, err
	}
	var out []postern.DNSRecord
	for _, r := range all {
		if fits(r) {
			out = append(out, r)
		}
	}
	return out, nil
}

func isMX(r postern.DNSRecord) bool   { return r.Type == "MX" }
func isDKIM(r postern.DNSRecord) bool { return strings.Contains(r.Name, "._domainkey.") }
func isSPF(r postern.DNSRecord) bool  { return r.Type == "TXT" && policy.IsSPF(r.Value) }
func isTrack(r postern.DNSRecord) bool {
	return r.Type == "CNAME" && !isDKIM(r)
}

// line writes a record as the operator has to make it, with the name that the zone's
// host wants to be given.
func (x *zoneExam) line(ctx context.Context, r postern.DNSRecord) string {
	name := r.Name
	if z, err := x.Lookup.Zone(ctx, r.Name); err == nil && z.Name != "" {
		short := strings.TrimSuffix(strings.TrimSuffix(r.Name, z.Name), ".")
		name = fmt.Sprintf("%s (in zone %s: %s)", r.Name, z.Name, or(short, "@"))
	}
	value := r.Value
	if r.Type == "MX" {
		value = fmt.Sprintf("%d %s", r.Priority, r.Value)
	}
	return r.Type + " " + name + " -> " + value
}

func (x *zoneExam) lines(ctx context.Context, records []postern.DNSRecord) string {
	all := make([]string, len(records))
	for i, r := range records {
		all[i] = x.line(ctx, r)
	}
	return strings.Join(all, "; ")
}

const bySetup = "Run postern setup, or make by hand: %s"

// delegation compares the zone's servers with the host that is configured, and with what
// the zone says itself.
func (x *zoneExam) delegation(ctx context.Context) []postern.Finding {
	z, err := x.Lookup.Zone(ctx, x.Domain)
	if err != nil {
		return []postern.Finding{Skip("DNS-DELEGATION", "the zone of %s cannot be found: %v", x.Domain, err)}
	}
	if z.Name == "" || len(z.Servers) == 0 {
		return []postern.Finding{Found("DNS-DELEGATION-NONE", "no zone that %s is in is delegated to any server", x.Domain)}
	}
	servers := z.ServerNames()
	if z.Pinned {
		servers = z.Own // what it is asked at says nothing about whose it is
	}
	host, known := lookup.HostOf(servers)
	var out []postern.Finding
	if x.Host != "" && known && host.ID != x.Host {
		out = append(out, Found("DNS-DELEGATION-HOST", "dns.host is %s, but %s is kept by %s (%s)", x.Host, z.Name, host.Title, strings.Join(servers, ", ")))
	}
	if z.Delegated && len(z.Own) > 0 && !slices.Equal(z.Own, servers) {
		out = append(out, Found("DNS-DELEGATION-NS", "%s is delegated to %s, but lists %s itself", z.Name, strings.Join(servers, ", "), strings.Join(z.Own, ", ")))
	}
	if len(out) == 0 {
		who := ""
		if known {
			who = ", kept by " + host.Title
		}
		out = append(out, OK("DNS-DELEGATION", "%s is in zone %s, served by %s%s", x.Domain, z.Name, strings.Join(servers, ", "), who))
	}
	return out
}

// questions are the names and types that all servers are asked for.
func (x *zoneExam) questions() [][2]string {
	q := [][2]string{{x.Domain, "MX"}, {x.Domain, "TXT"}, {"_dmarc." + x.Domain, "TXT"}}
	all, _ := x.wanted() // without them fewer questions are asked
	for _, r := range all {
		if k := [2]string{r.Name, r.Type}; !slices.Contains(q, k) {
			q = append(q, k)
		}
	}
	return q
}

// servers looks for servers that are silent, or that say something else than the others.
func (x *zoneExam) servers(ctx context.Context) []postern.Finding {
	silent, differ := map[string]string{}, []string{}
	count := 0
	for _, q := range x.questions() {
		a, err := x.Lookup.Authoritative(ctx, q[0], q[1])
		if err != nil {
			return []postern.Finding{Skip("DNS-SERVERS", "%v", err)}
		}
		count = max(count, len(a.Servers))
		for _, s := range a.Silent() {
			why := string(s.Status)
			if s.Reason != "" {
				why += ": " + s.Reason
			}
			silent[s.Server] = why
		}
		if !a.Agreed {
			differ = append(differ, q[1]+" "+q[0]+": "+disagreement(a))
		}
	}
	var out []postern.Finding
	for _, name := range sorted(silent) {
		out = append(out, Found("DNS-SERVERS-SILENT", "%s does not answer for %s (%s)", name, x.Domain, silent[name]))
	}
	if len(differ) > 0 {
		out = append(out, Found("DNS-SERVERS-DIFFER", "%s", strings.Join(differ, "; ")))
	}
	if len(out) == 0 {
		out = append(out, OK("DNS-SERVERS", "all %d servers say the same", count))
	}
	return out
}

func sorted(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func disagreement(a *lookup.Answers) string {
	var all []string
	for _, s := range a.Servers {
		if s.Status.Known() {
			all = append(all, fmt.Sprintf("%s says %s", s.Server, said(s)))
		}
	}
	return strings.Join(all, ", ")
}

// said is an answer's values, shortened.
func said(a lookup.Answer) string {
	switch {
	case len(a.Aliases) > 0:
		return "CNAME " + a.Aliases[0]
	case len(a.Records) == 0:
		return "nothing"
	}
	return brief(a.Values())
}

func brief(values []string) string {
	out := make([]string, len(values))
	const most = 90
	for i, v := range values {
		if len(v) > most {
			v = v[:most] + "..."
		}
		out[i] = `"` + v + `"`
	}
	return strings.Join(out, " and ")
}

// dnssec asks whether validating resolvers lose the zone.
func (x *zoneExam) dnssec(ctx context.Context) []postern.Finding {
	s, err := x.Lookup.Secure(ctx, x.Domain)
	switch {
	case err != nil:
		return []postern.Finding{Skip("DNS-DNSSEC", "%v", err)}
	case s.Broken:
		return []postern.Finding{Found("DNS-DNSSEC-BROKEN", "the parent publishes %d DS for %s, its servers have %d keys, and validation fails (%s)", len(s.DS), s.Zone, s.Keys, s.Status)}
	case len(s.DS) == 0:
		return []postern.Finding{OK("DNS-DNSSEC", "%s is not signed, and nobody expects it", s.Zone)}
	}
	return []postern.Finding{OK("DNS-DNSSEC", "%s is signed with %d keys, and not broken", s.Zone, s.Keys)}
}

// aliases looks for a CNAME where other records have to be (RFC 1034 section 3.6.2).
func (x *zoneExam) aliases(ctx context.Context) []postern.Finding {
	var out []postern.Finding
	for _, name := range []string{x.Domain, "_dmarc." + x.Domain} {
		a, err := x.Lookup.Authoritative(ctx, name, "MX")
		if err != nil {
			return []postern.Finding{Skip("DNS-CNAME", "%v", err)}
		}
		// A policy may well be kept elsewhere; at the domain itself it hides MX and SPF.
		if a.Alias != "" && name == x.Domain {
			out = append(out, Found("DNS-CNAME-BESIDE", "%s is a CNAME for %s", name, a.Alias))
		}
		if a.Loop {
			out = append(out, Found("DNS-CNAME-LOOP", "the CNAMEs from %s lead in a circle", name))
		}
	}
	if len(out) == 0 {
		out = append(out, OK("DNS-CNAME", "%s is no CNAME", x.Domain))
	}
	return out
}

// wildcard asks for names that nobody has, beside those that we need.
func (x *zoneExam) wildcard(ctx context.Context) []postern.Finding {
	names := []string{x.Domain}
	if track, err := x.of(isTrack); err == nil && len(track) > 0 {
		names = append(names, track[0].Name)
	}
	for _, name := range names {
		_, above, _ := strings.Cut(name, ".")
		for _, kind := range []string{"CNAME", "TXT", "MX"} {
			a, err := x.Lookup.Wildcard(ctx, name, kind)
			if err != nil {
				return []postern.Finding{Skip("DNS-WILDCARD", "%v", err)}
			}
			if a.Alias != "" || a.Status() == lookup.Found {
				return []postern.Finding{Found("DNS-WILDCARD-ANY", "*.%s answers for every name: %s", above, said(a.Servers[0]))}
			}
		}
	}
	return []postern.Finding{OK("DNS-WILDCARD", "names that do not exist are not answered")}
}

// cache asks whether the resolver still has what was there before.
func (x *zoneExam) cache(ctx context.Context) []postern.Finding {
	var old []string
	for _, q := range x.questions() {
		a, err := x.Lookup.Authoritative(ctx, q[0], q[1])
		if err != nil || !a.Agreed || !a.Status().Known() {
			continue // other checks tell
		}
		r, err := x.Lookup.Recursive(ctx, q[0], q[1])
		if err != nil || !r.Status.Known() {
			continue
		}
		final := a.Final()
		if !final.Status().Known() || sameRecords(final.Records(), r.Records) {
			continue
		}
		old = append(old, fmt.Sprintf("%s %s: the resolver still says %s, for %d s", q[1], q[0], said(lookup.Answer{Records: r.Records}), int(r.TTL.Seconds())))
	}
	if len(old) > 0 {
		return []postern.Finding{Found("DNS-CACHE-OLD", "%s", strings.Join(old, "; "))}
	}
	host, _, _ := net.SplitHostPort(x.Lookup.ResolverAddress())
	return []postern.Finding{OK("DNS-CACHE", "the resolver %s says what the zone's servers say", host)}
}

func sameRecords(a, b []postern.DNSRecord) bool {
	same := func(x, y postern.DNSRecord) bool { x.Name = y.Name; return x.Same(y) } // an alias renames
	for _, r := range a {
		if !slices.ContainsFunc(b, func(o postern.DNSRecord) bool { return same(r, o) }) {
			return false
		}
	}
	return len(a) == len(b)
}

// caa asks whether the authority that makes our certificate is allowed to.
func (x *zoneExam) caa(ctx context.Context) []postern.Finding {
	if x.PublicHost == "" || isLocal(x.PublicHost) {
		return []postern.Finding{Skip("DNS-CAA", "public_url has no name of the DNS")}
	}
	c, err := x.Lookup.CAA(ctx, x.PublicHost)
	switch {
	case err != nil:
		return []postern.Finding{Skip("DNS-CAA", "%v", err)}
	case c.At == "":
		return []postern.Finding{OK("DNS-CAA", "any authority may make a certificate for %s", x.PublicHost)}
	case x.CA != "" && !c.Allows(x.CA, false):
		return []postern.Finding{mend(Found("DNS-CAA-DENIES", "the CAA records at %s do not let %s make a certificate for %s", c.At, x.CA, x.PublicHost), "Add at %s: CAA 0 issue \"%s\"", c.At, x.CA)}
	case x.CA == "":
		return []postern.Finding{OK("DNS-CAA", "%s has %d CAA records; who makes the certificate is the proxy's business", c.At, len(c.Records))}
	}
	return []postern.Finding{OK("DNS-CAA", "%s may make a certificate for %s", x.CA, x.PublicHost)}
}
