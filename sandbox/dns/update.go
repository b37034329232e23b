package dns

import (
	"fmt"
	"slices"
	"strings"

	wire "github.com/miekg/dns"
)

// serveUpdate does an RFC 2136 update, if it may. The second server and the resolver
// do not take any.
func (s *Server) serveUpdate(server string, w wire.ResponseWriter, q *wire.Msg) {
	reply := new(wire.Msg).SetReply(q)
	name := ""
	if len(q.Question) == 1 {
		name = canonical(q.Question[0].Name)
	}
	e := Entry{Kind: "update", Server: server, Name: name}
	for _, rr := range q.Ns {
		e.Body += rr.String() + "\n"
	}
	fault := s.strikes(subject{on: "update", server: server, name: name})
	if fault != nil {
		e.Fault = fault.ID
	}
	if fault != nil && fault.Action == "timeout" {
		e.What, e.Failed = "update of "+name+" -> no answer", true
		s.note(e)
		return
	}
	reply.Rcode = s.mayUpdate(server, w, q)
	if fault != nil {
		strikeDNS(fault, reply)
	} else if reply.Rcode == wire.RcodeSuccess {
		reply.Rcode = s.update(name, q)
	}
	sign(w, q, reply)
	e.Rcode = wire.RcodeToString[reply.Rcode]
	e.Failed = reply.Rcode != wire.RcodeSuccess
	e.What = fmt.Sprintf("%s: update of %s -> %s", server, name, e.Rcode)
	s.note(e)
	_ = w.WriteMsg(reply)
}

// serveTransfer gives a whole zone (RFC 5936) to whoever signs with the key of updates.
func (s *Server) serveTransfer(server string, w wire.ResponseWriter, q *wire.Msg) {
	name := canonical(q.Question[0].Name)
	e := Entry{Kind: "query", Server: server, Name: name, Type: "AXFR", Method: w.RemoteAddr().Network()}
	defer func() {
		e.What = fmt.Sprintf("%s: %s AXFR -> %s", server, name, e.Rcode)
		e.Failed = e.Rcode != wire.RcodeToString[wire.RcodeSuccess]
		s.note(e)
	}()
	s.mu.Lock()
	z := s.hosted(name, "rfc2136")
	var all []wire.RR
	if z != nil {
		all = append(all, z.soa())
		for _, r := range z.records {
			if r.Type != "SOA" {
				all = append(all, z.wire(r, r.Name)...)
			}
		}
		all = append(all, z.soa())
	}
	s.mu.Unlock()
	reply := new(wire.Msg).SetReply(q)
	reply.Authoritative, reply.Answer = true, all
	if z == nil || server != NS1 || e.Method != "tcp" || q.IsTsig() == nil || w.TsigStatus() != nil {
		reply.Answer, reply.Rcode = nil, wire.RcodeRefused
	}
	e.Rcode = wire.RcodeToString[reply.Rcode]
	sign(w, q, reply)
	_ = w.WriteMsg(reply)
}

// mayUpdate checks who asks, before anything is looked at.
func (s *Server) mayUpdate(server string, w wire.ResponseWriter, q *wire.Msg) int {
	t := q.IsTsig()
	switch {
	case server != NS1, t == nil && s.switches().NeedTSIG:
		return wire.RcodeRefused
	case t != nil && w.TsigStatus() != nil:
		return wire.RcodeNotAuth
	case len(q.Question) != 1 || q.Question[0].Qtype != wire.TypeSOA || q.Question[0].Qclass != wire.ClassINET:
		return wire.RcodeFormatError
	}
	return wire.RcodeSuccess
}

// update checks the prerequisites and the updates, and then makes them all (RFC 2136
// section 3).
func (s *Server) update(name string, q *wire.Msg) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.hosted(name, "rfc2136")
	if z == nil {
		return wire.RcodeNotAuth
	}
	for _, section := range [][]wire.RR{q.Answer, q.Ns} {
		for _, rr := range section {
			if !within(canonical(rr.Header().Name), z.Name) {
				return wire.RcodeNotZone
			}
		}
	}
	if rcode := z.prerequisites(q.Answer); rcode != wire.RcodeSuccess {
		return rcode
	}
	for _, rr := range q.Ns {
		switch rr.Header().Class {
		case wire.ClassINET, wire.ClassANY, wire.ClassNONE:
		default:
			return wire.RcodeFormatError
		}
		if k := rr.Header().Rrtype; rr.Header().Class == wire.ClassINET && !slices.Contains(keeps(), wire.TypeToString[k]) {
			return wire.RcodeRefused
		}
	}
	for _, rr := range q.Ns {
		s.updateOne(z, rr)
	}
	return wire.RcodeSuccess
}

// keeps are the types that an update may add.
func keeps() []string { return []string{"A", "AAAA", "CNAME", "MX", "NS", "TXT", "SRV", "CAA"} }

func (s *Server) updateOne(z *zone, rr wire.RR) {
	name, kind := canonical(rr.Header().Name), wire.TypeToString[rr.Header().Rrtype]
	switch rr.Header().Class {
	case wire.ClassANY: // an RRset, or all at the name
		s.remove(z, func(r Record) bool {
			return r.Name == name && !r.System && (rr.Header().Rrtype == wire.TypeANY || r.Type == kind)
		})
	case wire.ClassNONE:
		gone := record(rr)
		s.remove(z, func(r Record) bool { return !r.System && r.same(gone) })
	default:
		r := record(rr)
		if old := z.twin(r); old != nil {
			if old.TTL != r.TTL {
				old.TTL = r.TTL
				s.changed(z)
			}
			return
		}
		if r.Type == "CNAME" { // one CNAME replaces another
			s.remove(z, func(o Record) bool { return o.Name == r.Name && o.Type == "CNAME" })
		}
		if z.clash(r) == nil { // else it is passed over in silence, section 3.4.2.2
			s.add(z, r)
		}
	}
}

// record reads what keeps lists.
func record(rr wire.RR) Record {
	h := rr.Header()
	r := Record{Name: canonical(h.Name), Type: wire.TypeToString[h.Rrtype], TTL: int(h.Ttl)}
	switch rr := rr.(type) {
	case *wire.A:
		r.Data = rr.A.String()
	case *wire.AAAA:
		r.Data = rr.AAAA.String()
	case *wire.CNAME:
		r.Data = rr.Target
	case *wire.NS:
		r.Data = rr.Ns
	case *wire.MX:
		r.Data, r.Priority = rr.Mx, int(rr.Preference)
	case *wire.TXT:
		r.Data = joined(rr.Txt)
	case *wire.SRV:
		r.Data, r.Priority, r.Weight, r.Port = rr.Target, int(rr.Priority), int(rr.Weight), int(rr.Port)
	case *wire.CAA:
		r.Data, r.Flag, r.Tag = rr.Value, int(rr.Flag), rr.Tag
	}
	if isHost(r.Type) {
		r.Data = strings.TrimSuffix(r.Data, ".")
	}
	return r
}

// prerequisites are RFC 2136 section 2.4.
func (z *zone) prerequisites(rrs []wire.RR) int {
	sets := map[string][]Record{} // value dependent ones are compared as whole sets
	for _, rr := range rrs {
		h := rr.Header()
		name, kind := canonical(h.Name), wire.TypeToString[h.Rrtype]
		there := z.find(func(r Record) bool { return r.Name == name && (h.Rrtype == wire.TypeANY || r.Type == kind) }) != nil
		every := h.Rrtype == wire.TypeANY
		switch {
		case h.Class == wire.ClassANY && every && !there:
			return wire.RcodeNameError
		case h.Class == wire.ClassANY && !there:
			return wire.RcodeNXRrset
		case h.Class == wire.ClassNONE && every && there:
			return wire.RcodeYXDomain
		case h.Class == wire.ClassNONE && there:
			return wire.RcodeYXRrset
		case h.Class == wire.ClassINET:
			sets[name+" "+kind] = append(sets[name+" "+kind], record(rr))
		}
	}
	for key, want := range sets {
		name, kind, _ := strings.Cut(key, " ")
		n := 0
		for _, r := range z.records {
			if r.Name == name && r.Type == kind {
				n++
				if !slices.ContainsFunc(want, r.same) {
					return wire.RcodeNXRrset
				}
			}
		}
		if n != len(want) {
			return wire.RcodeNXRrset
		}
	}
	return wire.RcodeSuccess
}
