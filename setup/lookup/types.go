package lookup

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern"
)

// Status is how one question to one server ended.
type Status string

// The values of Status.
const (
	Found       Status = "found"       // records of the type that was asked for
	NoData      Status = "no-data"     // the name exists, without such records
	NoName      Status = "no-name"     // the name does not exist (NXDOMAIN), nor anything below it
	ServFail    Status = "servfail"    // the server tried and could not; see Answer.Broken
	Refused     Status = "refused"     // the server does not answer us, or not for this zone
	Lame        Status = "lame"        // it answers, but not with authority: it does not have the zone
	Unreachable Status = "unreachable" // no answer in time
	Garbled     Status = "garbled"     // what came is no answer to the question
)

// Empty tells whether the server is sure that there are no such records.
func (s Status) Empty() bool { return s == NoData || s == NoName }

// Known tells whether the server said what there is, be it nothing.
func (s Status) Known() bool { return s == Found || s.Empty() }

// Server is one authoritative server of a zone.
type Server struct {
	Name  string       // "ns1.example.net"; the address if only that is known
	Addrs []netip.Addr // those that are asked, IPv4 first; empty: the name leads nowhere
	asks  []string     // host:port
}

// Zone is the zone that a name is in.
type Zone struct {
	Name    string   // "example.com"
	Servers []Server // that the parent delegates to; by name
	// Own are the server names that the zone itself lists, sorted; it should be the same
	// as the parent's list.
	Own []string
	// Seen are the server names that the resolver gives, sorted: those that the world asks.
	// They differ from Own where the zone is kept at one host and delegated to another.
	Seen []string
	// Delegated is false if the parent could not be asked: Servers then are what the
	// resolver says; or what Config.Servers says.
	Delegated bool
	// Pinned is true if Servers are those of Config.Servers.
	Pinned bool
	Serial uint32 // as the resolver, or the first pinned server, sees it
}

// ServerNames lists the names of the zone's servers, sorted.
func (z Zone) ServerNames() []string {
	names := make([]string, 0, len(z.Servers))
	for _, s := range z.Servers {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

// Answer is what one server says to one question.
type Answer struct {
	Server  string // its name, or "resolver"
	Address string // host:port that answered, or that was tried last
	Status  Status
	// Records of the type that was asked for. Values as postern.DNSRecord has them: TXT
	// joined without anything between (RFC 7208 section 3.3); TTLs as the server said, which
	// with a resolver is what remains. Sorted.
	Records []postern.DNSRecord
	// Aliases are the names that a chain of CNAMEs led to, in order. Of an authoritative
	// answer only the first, the target of a CNAME at the very name, whoever serves that.
	Aliases []string
	// TTL is how long the answer stays true at a resolver: the least of the records', or for
	// NoData and NoName the negative time to live (RFC 2308 section 5).
	TTL time.Duration
	// At is when the answer came.
	At time.Time

	AD     bool // resolver: it validated the answer (RFC 4035)
	Broken bool // resolver: ServFail, but answered when told not to validate: DNSSEC of the zone is broken

	Reason string // for Status Unreachable and Garbled: what went wrong, for the operator
}

// Values lists the values of the records, sorted.
func (a Answer) Values() []string {
	v := make([]string, 0, len(a.Records))
	for _, r := range a.Records {
		v = append(v, r.Value)
	}
	return v
}

// same tells whether two answers say the same, TTLs aside.
func (a Answer) same(o Answer) bool {
	if a.Status.Empty() && o.Status.Empty() {
		return a.Status == o.Status && slices.Equal(a.Aliases, o.Aliases)
	}
	return a.Status == o.Status && slices.Equal(a.Aliases, o.Aliases) &&
		slices.EqualFunc(a.Records, o.Records, func(x, y postern.DNSRecord) bool {
			return x.Priority == y.Priority && (x.Value == y.Value || x.Type != "TXT" && strings.EqualFold(x.Value, y.Value))
		})
}

// Answers is what all servers of a zone say to one question.
type Answers struct {
	Zone       Zone
	Name, Type string
	Servers    []Answer // one per server, in the order of Zone.Servers
	// Agreed: all that know say the same. Servers that did not answer do not count; see
	// Silent.
	Agreed bool
	// Alias is where a CNAME at the name leads, as the first server that knows has it; ""
	// if there is none.
	Alias string
	// Target is what the servers of the alias' zone say; nil without an alias, after eight
	// of them, or in a loop.
	Target *Answers
	Loop   bool // the chain of aliases does not end
}

// Silent lists the servers that did not say what there is.
func (a *Answers) Silent() []Answer {
	var s []Answer
	for _, x := range a.Servers {
		if !x.Status.Known() {
			s = append(s, x)
		}
	}
	return s
}

// Records gives the records that any of the servers has at the very name, once each.
func (a *Answers) Records() []postern.DNSRecord {
	var all []postern.DNSRecord
	for _, s := range a.Servers {
		for _, r := range s.Records {
			if !slices.ContainsFunc(all, r.Same) {
				all = append(all, r)
			}
		}
	}
	return all
}

// Has tells whether every server that answers has the record, and at least one does.
func (a *Answers) Has(r postern.DNSRecord) bool {
	known := 0
	for _, s := range a.Servers {
		if !s.Status.Known() {
			continue
		}
		known++
		if !slices.ContainsFunc(s.Records, r.Same) {
			return false
		}
	}
	return known > 0
}

// Status sums up: Found if any server has records, else the first that knows, else the
// first.
func (a *Answers) Status() Status {
	sum := Unreachable
	for i, s := range a.Servers {
		switch {
		case s.Status == Found:
			return Found
		case i == 0 || !sum.Known() && s.Status.Known():
			sum = s.Status
		}
	}
	return sum
}

// Final is the end of the chain of aliases: a itself if there is none. Its records are
// what somebody who asks for the name gets.
func (a *Answers) Final() *Answers {
	for a.Target != nil {
		a = a.Target
	}
	return a
}

// DNSSEC is how a zone is signed.
type DNSSEC struct {
	Zone   string
	DS     []string // that the parent publishes; none: the zone counts as unsigned
	Keys   int      // DNSKEYs that the zone's servers have
	Status Status   // of the zone's SOA at the resolver
	Valid  bool     // the resolver validates it
	// Broken: the resolver fails, and answers when told not to validate; or the parent
	// publishes a DS and the zone has no keys. Validating resolvers lose the whole zone.
	Broken bool
}

// CAA is what a zone says on who may make certificates (RFC 8659).
type CAA struct {
	At      string // the name that has the records; "" = nobody says anything: everybody may
	Records []CAARecord
}

// CAARecord is one property.
type CAARecord struct {
	Critical bool
	Tag      string // "issue", "issuewild", "iodef"
	Value    string
}

// Allows tells whether an authority, "letsencrypt.org", may make a certificate for the
// name; wildcard asks for one that begins with "*.".
func (c CAA) Allows(authority string, wildcard bool) bool {
	tag := "issue"
	if wildcard && slices.ContainsFunc(c.Records, func(r CAARecord) bool { return r.Tag == "issuewild" }) {
		tag = "issuewild"
	}
	restricted := false
	for _, r := range c.Records {
		switch {
		case r.Tag == tag:
			restricted = true
			domain, _, _ := strings.Cut(r.Value, ";")
			if strings.EqualFold(strings.TrimSpace(domain), authority) {
				return true
			}
		case r.Critical && r.Tag != "issue" && r.Tag != "issuewild" && r.Tag != "iodef":
			return false // an authority has to refuse what it does not understand (section 4.5)
		}
	}
	return !restricted
}
