package dns

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Record is one value at one name.
type Record struct {
	ID   string `json:"id"`
	Name string `json:"name"` // fully qualified, lower case, without a dot at the end
	Type string `json:"type"`
	// Data is the value: hosts without a dot at the end, TXT as one string without
	// quotes. Of MX and SRV it is the host alone.
	Data     string `json:"data"`
	TTL      int    `json:"ttl"`
	Priority int    `json:"priority,omitempty"` // MX and SRV
	Weight   int    `json:"weight,omitempty"`   // SRV
	Port     int    `json:"port,omitempty"`     // SRV
	Flag     int    `json:"flag,omitempty"`     // CAA
	Tag      string `json:"tag,omitempty"`      // CAA
	// Proxied is Cloudflare's: the DNS shows addresses of Cloudflare's instead.
	Proxied bool `json:"proxied,omitempty"`
	// System records are the host's own: SOA and NS of the apex.
	System  bool      `json:"system,omitempty"`
	Comment string    `json:"comment,omitempty"`
	Created time.Time `json:"created,omitzero"`
}

// Zone is what Config and the control plane make zones from.
type Zone struct {
	Name string `json:"name"`
	// Host is whose customer the zone is: "godaddy", "cloudflare", "rfc2136", "none"
	// (nobody can change it), or "" for all of the three.
	Host string `json:"host"`
	// NS are the names of its servers; default by Host.
	NS []string `json:"ns"`
	// Delegated, if not empty, are the servers that the parent names instead of NS: the
	// zone is kept at the host, and nobody sees it.
	Delegated []string `json:"delegated,omitempty"`
	// Records need a name, a type and data; TTL 0 is an hour.
	Records []Record `json:"records"`
}

// zone is a Zone with its life.
type zone struct {
	Zone
	id      string
	serial  uint32
	records []Record
	past    []snapshot // oldest first; the last is how things are
	created time.Time
}

// snapshot is how a zone's records were from a time on.
type snapshot struct {
	at      time.Time
	records []Record
}

// maxPast bounds how many old versions of a zone are kept for servers that lag.
const maxPast = 200

// hostNS are the name servers that the hosts give a zone.
func hostNS(host, name string) []string {
	switch host {
	case "godaddy":
		return []string{"ns01.domaincontrol.com", "ns02.domaincontrol.com"}
	case "cloudflare":
		return []string{"ada.ns.cloudflare.com", "rob.ns.cloudflare.com"}
	}
	return []string{"ns1." + name, "ns2." + name}
}

func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// within tells whether name is zone or below it.
func within(name, zone string) bool {
	return zone == "" || name == zone || strings.HasSuffix(name, "."+zone)
}

// under is the full name of a relative one; @ is the zone itself.
func under(relative, zone string) string {
	if relative == "@" || relative == "" {
		return zone
	}
	return strings.ToLower(relative) + "." + zone
}

// relative is a full name as seen from its zone.
func relative(name, zone string) string {
	if name == zone {
		return "@"
	}
	return strings.TrimSuffix(name, "."+zone)
}

// isHost tells whether a type's data is a host name.
func isHost(kind string) bool {
	return slices.Contains([]string{"MX", "CNAME", "NS", "SRV", "PTR"}, kind)
}

// same tells whether two records say the same, whatever their TTL.
func (r Record) same(o Record) bool {
	data := r.Data == o.Data
	if isHost(r.Type) {
		data = strings.EqualFold(r.Data, o.Data)
	}
	return r.Name == o.Name && r.Type == o.Type && data && r.Priority == o.Priority && r.Weight == o.Weight &&
		r.Port == o.Port && r.Flag == o.Flag && r.Tag == o.Tag
}

func (r Record) String() string {
	if r.Type == "MX" || r.Type == "SRV" {
		return fmt.Sprintf("%s %s %d %s", r.Name, r.Type, r.Priority, r.Data)
	}
	return fmt.Sprintf("%s %s %q", r.Name, r.Type, r.Data)
}

// tidy brings a record into the form in which it is kept.
func (r *Record) tidy() {
	r.Name, r.Type = canonical(r.Name), strings.ToUpper(r.Type)
	if isHost(r.Type) {
		r.Data = strings.TrimSuffix(r.Data, ".")
	}
	r.TTL = cmp.Or(r.TTL, 3600)
}

// badData says what is wrong with a record's data; "" is nothing.
func (r Record) badData() string {
	switch r.Type {
	case "A", "AAAA":
		a, err := netip.ParseAddr(r.Data)
		if err != nil || a.Is4() != (r.Type == "A") {
			return "is not an address of type " + r.Type
		}
	case "CNAME", "MX", "NS", "SRV", "PTR":
		if !goodHost(r.Data) {
			return "is not a host name"
		}
	}
	return ""
}

func goodHost(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.ContainsAny(label, " /@\"\\") {
			return false
		}
	}
	return true
}

// newZone needs Server.mu.
func (s *Server) newZone(in Zone) *zone {
	in.Name = canonical(in.Name)
	if len(in.NS) == 0 {
		in.NS = hostNS(in.Host, in.Name)
	}
	z := &zone{Zone: in, id: s.hex(32), serial: 2026010100, created: s.now()}
	records := z.Records
	z.Zone.Records = nil
	primary := in.NS[0]
	z.records = append(z.records, Record{ID: s.newID(), Name: in.Name, Type: "SOA", System: true, TTL: 3600,
		Data: primary + " hostmaster." + in.Name, Created: z.created})
	for _, ns := range in.NS {
		z.records = append(z.records, Record{ID: s.newID(), Name: in.Name, Type: "NS", Data: canonical(ns), System: true, TTL: 3600, Created: z.created})
	}
	for _, r := range records {
		r.tidy()
		r.ID, r.Created = s.newID(), z.created
		z.records = append(z.records, r)
	}
	z.past = []snapshot{{records: slices.Clone(z.records)}}
	return z
}

// changed remembers the new version. Needs Server.mu.
func (s *Server) changed(z *zone) {
	z.serial++
	z.past = append(z.past, snapshot{s.now(), slices.Clone(z.records)})
	if len(z.past) > maxPast {
		z.past = append(z.past[:0:0], z.past[len(z.past)-maxPast:]...)
		z.past[0].at = time.Time{}
	}
}

// at are the records as they were then.
func (z *zone) at(then time.Time) []Record {
	for i := len(z.past) - 1; i >= 0; i-- {
		if !z.past[i].at.After(then) {
			return z.past[i].records
		}
	}
	return nil // there was no such zone yet
}

// zoneOf is the closest zone around a name, nil if there is none. Needs Server.mu.
func (s *Server) zoneOf(name string) *zone {
	for {
		if z := s.st.zones[name]; z != nil {
			return z
		}
		_, rest, ok := strings.Cut(name, ".")
		if !ok {
			return s.st.zones[""]
		}
		name = rest
	}
}

// hosted is a zone by its exact name if a host keeps it. Needs Server.mu.
func (s *Server) hosted(name, host string) *zone {
	z := s.st.zones[canonical(name)]
	if z == nil || (z.Host != host && z.Host != "") {
		return nil
	}
	return z
}

// add puts a record in. Needs Server.mu.
func (s *Server) add(z *zone, r Record) Record {
	r.tidy()
	r.ID, r.Created = s.newID(), s.now()
	z.records = append(z.records, r)
	s.changed(z)
	return r
}

// remove takes out what fits, and says what that was. Needs Server.mu.
func (s *Server) remove(z *zone, fits func(Record) bool) (gone []Record) {
	z.records = slices.DeleteFunc(slices.Clone(z.records), func(r Record) bool {
		if !fits(r) {
			return false
		}
		gone = append(gone, r)
		return true
	})
	if len(gone) > 0 {
		s.changed(z)
	}
	return gone
}

func (z *zone) find(fits func(Record) bool) *Record {
	if i := slices.IndexFunc(z.records, fits); i >= 0 {
		return &z.records[i]
	}
	return nil
}

// clash is a record beside which r cannot stand: a CNAME is alone at its name (RFC 1034
// section 3.6.2).
func (z *zone) clash(r Record) *Record {
	return z.find(func(o Record) bool {
		return o.ID != r.ID && o.Name == r.Name && (o.Type == "CNAME") != (r.Type == "CNAME")
	})
}

func (z *zone) twin(r Record) *Record {
	return z.find(func(o Record) bool { return o.ID != r.ID && o.same(r) })
}

// AddZone makes a zone, in place of one of the same name.
func (s *Server) AddZone(z Zone) error {
	if z.Name != "" && z.Name != "." && !goodHost(z.Name) {
		return fmt.Errorf("sandbox dns: %q is no name for a zone", z.Name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.put(s.newZone(z))
	return nil
}

// Put adds a record to the zone around its name, as somebody with the host's web page
// would: whatever is there stays, and nothing is refused.
func (s *Server) Put(r Record) error {
	r.tidy()
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zoneOf(r.Name)
	if z == nil {
		return fmt.Errorf("sandbox dns: no zone around %q", r.Name)
	}
	s.add(z, r)
	return nil
}

// Drop removes what is at a name, of one type ("": any), but for system records.
func (s *Server) Drop(name, kind string) (n int) {
	name = canonical(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if z := s.zoneOf(name); z != nil {
		n = len(s.remove(z, func(r Record) bool {
			return r.Name == name && !r.System && (kind == "" || strings.EqualFold(r.Type, kind))
		}))
	}
	return n
}

// Records are all records of a zone, as they are now; nil if there is no such zone.
func (s *Server) Records(zone string) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	if z := s.st.zones[canonical(zone)]; z != nil {
		return slices.Clone(z.records)
	}
	return nil
}

// newID needs Server.mu.
func (s *Server) newID() string { return s.hex(8) + "-" + strconv.Itoa(s.count()) }
