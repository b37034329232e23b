package dns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	wire "github.com/miekg/dns"
)

// maxChase is how many CNAMEs are followed.
const maxChase = 8

// serveDNS answers one message as one of the servers.
func (s *Server) serveDNS(server string, w wire.ResponseWriter, q *wire.Msg) {
	if q.Opcode == wire.OpcodeUpdate {
		s.serveUpdate(server, w, q)
		return
	}
	reply := new(wire.Msg).SetReply(q)
	if q.Opcode != wire.OpcodeQuery || len(q.Question) != 1 || q.Question[0].Qclass != wire.ClassINET {
		reply.Rcode = wire.RcodeNotImplemented
		_ = w.WriteMsg(reply)
		return
	}
	if q.Question[0].Qtype == wire.TypeAXFR {
		s.serveTransfer(server, w, q)
		return
	}
	name, kind := canonical(q.Question[0].Name), wire.TypeToString[q.Question[0].Qtype]
	e := Entry{Kind: "query", Server: server, Name: name, Type: kind, Method: w.RemoteAddr().Network()}
	fault := s.strikes(subject{on: "dns", server: server, name: name, kind: kind})
	if fault != nil {
		e.Fault, e.Failed = fault.ID, true
	}
	if fault != nil && fault.Action == "timeout" {
		e.What = fmt.Sprintf("%s: %s %s -> no answer", server, name, kind)
		s.note(e)
		return
	}
	if q.IsTsig() != nil && w.TsigStatus() != nil {
		reply.Rcode = wire.RcodeNotAuth
	} else {
		s.answer(server, q, reply)
	}
	strikeDNS(fault, reply)
	if opt := q.IsEdns0(); opt != nil {
		reply.SetEdns0(1232, opt.Do())
	}
	if e.Method == "udp" {
		if s.switches().Truncate {
			reply.Answer, reply.Ns, reply.Truncated = nil, nil, true
		}
		size := wire.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = max(size, min(int(opt.UDPSize()), 1232))
		}
		reply.Truncate(size)
	}
	e.Rcode = wire.RcodeToString[reply.Rcode]
	e.What = fmt.Sprintf("%s: %s %s -> %s, %d answers", server, name, kind, e.Rcode, len(reply.Answer))
	for _, rr := range reply.Answer {
		e.Answer += rr.String() + "\n"
	}
	s.note(e)
	sign(w, q, reply)
	_ = w.WriteMsg(reply)
}

// sign signs the answer to whatever was signed well, as the last thing that is done to
// it.
func sign(w wire.ResponseWriter, q, reply *wire.Msg) {
	if t := q.IsTsig(); t != nil && w.TsigStatus() == nil {
		reply.SetTsig(t.Hdr.Name, t.Algorithm, 300, time.Now().Unix()) // the real time: the library checks by it
	}
}

// strikeDNS does to an answer what a fault asks for; f may be nil.
func strikeDNS(f *Fault, reply *wire.Msg) {
	if f == nil {
		return
	}
	bare := func(rcode int) {
		reply.Answer, reply.Ns, reply.Extra, reply.Rcode, reply.Authoritative = nil, nil, nil, rcode, false
	}
	switch f.Action {
	case "servfail":
		bare(wire.RcodeServerFailure)
	case "refused":
		bare(wire.RcodeRefused)
	case "nxdomain":
		bare(wire.RcodeNameError)
	case "lame":
		bare(wire.RcodeSuccess)
	case "truncate":
		bare(wire.RcodeSuccess)
		reply.Truncated = true
	case "answer":
		rr := make([]wire.RR, 0, len(f.Answer))
		for _, a := range f.Answer {
			if r, err := parseRR(a); err == nil {
				rr = append(rr, r)
			}
		}
		reply.Answer, reply.Ns, reply.Rcode = rr, nil, wire.RcodeSuccess
	}
}

func parseRR(text string) (wire.RR, error) {
	rr, err := wire.NewRR(text)
	if err == nil && rr == nil {
		err = fmt.Errorf("%q is no record", text)
	}
	return rr, err
}

// answer fills in what the server knows.
func (s *Server) answer(server string, q, reply *wire.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	then, resolver := s.now(), server == Resolver
	switch server {
	case NS2:
		then = then.Add(-seconds(s.st.switches.SecondLagSeconds))
	case Resolver:
		then = then.Add(-seconds(s.st.switches.ResolverLagSeconds))
	}
	name, kind := canonical(q.Question[0].Name), q.Question[0].Qtype
	first := s.zoneOf(name)
	if !resolver && (first == nil || first.Host == "none" && first.Name == "") {
		reply.Rcode = wire.RcodeRefused
		return
	}
	reply.Authoritative, reply.RecursionAvailable = !resolver, resolver
	for range maxChase {
		z := s.zoneOf(name)
		if z == nil || (!resolver && z != first) {
			return // somebody else's: whoever asked has to go on himself
		}
		answer, next, rcode := z.look(name, kind, then, resolver)
		reply.Answer = append(reply.Answer, answer...)
		if next != "" {
			name = next
			continue
		}
		reply.Rcode = rcode
		if len(answer) == 0 {
			reply.Ns = append(reply.Ns, z.soa())
		}
		return
	}
	reply.Rcode = wire.RcodeServerFailure // a loop of CNAMEs
}

// look finds what a zone says at a name; next is where a CNAME points.
func (z *zone) look(name string, kind uint16, then time.Time, resolver bool) (answer []wire.RR, next string, rcode int) {
	records := z.visible(then, resolver)
	owner := name
	exists := func(n string) bool {
		return slices.ContainsFunc(records, func(r Record) bool { return within(r.Name, n) })
	}
	if name != z.Name && !exists(name) {
		// RFC 4592: the wildcard at the closest encloser, and nothing further up.
		encloser := name
		for encloser != z.Name && !exists(encloser) {
			_, encloser, _ = strings.Cut(encloser, ".")
		}
		wild := "*"
		if encloser != "" {
			wild += "." + encloser
		}
		if !exists(wild) {
			return nil, "", wire.RcodeNameError
		}
		owner = wild
	}
	var alias *Record
	for _, r := range records {
		if r.Name != owner {
			continue
		}
		for _, rr := range z.wire(r, name) {
			if t := rr.Header().Rrtype; t == kind || kind == wire.TypeANY {
				answer = append(answer, rr)
			} else if t == wire.TypeCNAME {
				alias = &r
			}
		}
	}
	if len(answer) > 0 || alias == nil {
		return answer, "", wire.RcodeSuccess
	}
	return z.wire(*alias, name), canonical(alias.Data), wire.RcodeSuccess
}

// visible are the records that are to be seen in the world. A resolver asks the servers
// that the parent names, and finds nothing of what is kept elsewhere.
func (z *zone) visible(then time.Time, resolver bool) []Record {
	records := z.at(then)
	if !resolver || len(z.Delegated) == 0 {
		return records
	}
	out := []Record{{Name: z.Name, Type: "SOA", TTL: 3600}}
	for _, ns := range z.Delegated {
		out = append(out, Record{Name: z.Name, Type: "NS", Data: canonical(ns), TTL: 3600})
	}
	return out
}

func (z *zone) soa() wire.RR {
	ns := z.NS
	if len(z.Delegated) > 0 {
		ns = z.Delegated
	}
	return &wire.SOA{Hdr: header(z.Name, wire.TypeSOA, 3600), Ns: wire.Fqdn(ns[0]), Mbox: wire.Fqdn("hostmaster." + z.Name),
		Serial: z.serial, Refresh: 28800, Retry: 7200, Expire: 604800, Minttl: 600}
}

func header(name string, kind uint16, ttl int) wire.RR_Header {
	return wire.RR_Header{Name: wire.Fqdn(name), Rrtype: kind, Class: wire.ClassINET, Ttl: uint32(ttl)}
}

// Addresses that the DNS shows of a record that Cloudflare proxies.
const (
	proxy4 = "104.16.0.1"
	proxy6 = "2606:4700::1"
)

// wire is a record as it is answered, at the name that was asked for.
func (z *zone) wire(r Record, name string) []wire.RR {
	h := func(kind uint16) wire.RR_Header { return header(name, kind, r.TTL) }
	if r.Proxied {
		switch r.Type {
		case "A":
			return []wire.RR{address(name, proxy4, 300)}
		case "AAAA":
			return []wire.RR{address(name, proxy6, 300)}
		}
		return []wire.RR{address(name, proxy4, 300), address(name, proxy6, 300)}
	}
	target := wire.Fqdn(r.Data)
	switch r.Type {
	case "SOA":
		return []wire.RR{z.soa()}
	case "A", "AAAA":
		return []wire.RR{address(name, r.Data, r.TTL)}
	case "NS":
		return []wire.RR{&wire.NS{Hdr: h(wire.TypeNS), Ns: target}}
	case "CNAME":
		return []wire.RR{&wire.CNAME{Hdr: h(wire.TypeCNAME), Target: target}}
	case "MX":
		return []wire.RR{&wire.MX{Hdr: h(wire.TypeMX), Preference: uint16(r.Priority), Mx: target}}
	case "TXT":
		return []wire.RR{&wire.TXT{Hdr: h(wire.TypeTXT), Txt: chunks(r.Data)}}
	case "SRV":
		return []wire.RR{&wire.SRV{Hdr: h(wire.TypeSRV), Priority: uint16(r.Priority), Weight: uint16(r.Weight), Port: uint16(r.Port), Target: target}}
	case "CAA":
		return []wire.RR{&wire.CAA{Hdr: h(wire.TypeCAA), Flag: uint8(r.Flag), Tag: r.Tag, Value: r.Data}}
	}
	if rr, err := wire.NewRR(fmt.Sprintf("%s %d IN %s %s", wire.Fqdn(name), r.TTL, r.Type, r.Data)); err == nil && rr != nil {
		return []wire.RR{rr}
	}
	return nil
}

func address(name, text string, ttl int) wire.RR {
	a, err := netip.ParseAddr(text)
	if err == nil && a.Is6() {
		return &wire.AAAA{Hdr: header(name, wire.TypeAAAA, ttl), AAAA: a.AsSlice()}
	}
	return &wire.A{Hdr: header(name, wire.TypeA, ttl), A: a.AsSlice()}
}

// chunks cuts a text into the strings of a TXT, 255 bytes at most, written as the library
// wants them.
func chunks(text string) []string {
	if text == "" {
		return []string{""}
	}
	var out []string
	for b := []byte(text); len(b) > 0; {
		n := min(len(b), 255)
		var one strings.Builder
		for _, c := range b[:n] {
			switch {
			case c == '"' || c == '\\':
				one.WriteByte('\\')
				one.WriteByte(c)
			case c < ' ' || c > '~':
				fmt.Fprintf(&one, `\%03d`, c)
			default:
				one.WriteByte(c)
			}
		}
		out, b = append(out, one.String()), b[n:]
	}
	return out
}

// joined is the opposite of chunks.
func joined(txt []string) string {
	var out strings.Builder
	for _, t := range txt {
		for i := 0; i < len(t); i++ {
			if t[i] != '\\' || i+1 == len(t) {
				out.WriteByte(t[i])
				continue
			}
			i++
			if i+3 <= len(t) {
				if n, err := strconv.ParseUint(t[i:i+3], 10, 8); err == nil {
					out.WriteByte(byte(n))
					i += 2
					continue
				}
			}
			out.WriteByte(t[i])
		}
	}
	return out.String()
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// Lookup asks the resolver, without a socket: the values of one type at one name. Hosts
// have no dot at their end, a TXT is one string, an MX is its priority, a space and its
// host. CNAMEs on the way are followed. No values is no error; a server that fails is.
func (s *Server) Lookup(_ context.Context, kind, name string) ([]string, error) {
	q := new(wire.Msg).SetQuestion(wire.Fqdn(name), wire.StringToType[strings.ToUpper(kind)])
	reply := new(wire.Msg).SetReply(q)
	fault := s.strikes(subject{on: "dns", server: Resolver, name: canonical(name), kind: kind})
	if fault != nil && fault.Action == "timeout" {
		return nil, fmt.Errorf("sandbox dns: %s %s: no answer", kind, name)
	}
	s.answer(Resolver, q, reply)
	strikeDNS(fault, reply)
	if reply.Rcode != wire.RcodeSuccess && reply.Rcode != wire.RcodeNameError {
		return nil, fmt.Errorf("sandbox dns: %s %s: %s", kind, name, wire.RcodeToString[reply.Rcode])
	}
	var out []string
	for _, rr := range reply.Answer {
		if rr.Header().Rrtype == q.Question[0].Qtype {
			out = append(out, value(rr))
		}
	}
	return out, nil
}

func value(rr wire.RR) string {
	switch rr := rr.(type) {
	case *wire.TXT:
		return joined(rr.Txt)
	case *wire.MX:
		return fmt.Sprintf("%d %s", rr.Preference, canonical(rr.Mx))
	case *wire.CNAME:
		return canonical(rr.Target)
	case *wire.NS:
		return canonical(rr.Ns)
	}
	return strings.TrimPrefix(rr.String(), rr.Header().String())
}
