package lookup

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
	"github.com/postern-chat/postern"
)

// What one zone may cost at most: more servers than any zone needs, and more addresses
// than are ever tried.
const (
	maxServers   = 16
	maxAddresses = 4
	maxLabels    = 40
)

// Zone finds the zone that a name is in, the servers that the zone's parent delegates it
// to, and their addresses. It fails with Temporary if no zone can be found.
func (c *Client) Zone(ctx context.Context, name string) (Zone, error) {
	name, err := fold(name)
	if err != nil {
		return Zone{}, err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	return c.zone(ctx, name)
}

func (c *Client) zone(ctx context.Context, name string) (Zone, error) {
	z, err := c.findZone(ctx, name)
	if ctx.Err() != nil {
		return Zone{}, timeUp(ctx)
	}
	if over := c.overBudget(); over != nil {
		return Zone{}, over // what was found with questions left out is not the whole
	}
	if err != nil {
		return Zone{}, err
	}
	z.Seen = c.seen(ctx, z.Name)
	return z, nil
}

// seen lists the names of a zone's servers as the resolver has them.
func (c *Client) seen(ctx context.Context, zone string) []string {
	m, _, err := c.ask(ctx, question{server: c.resolver, name: zone, kind: dns.TypeNS, recurse: true, unchecked: true})
	if err != nil {
		return nil
	}
	return nsNames(m.Answer, zone)
}

func (c *Client) findZone(ctx context.Context, name string) (Zone, error) {
	if z, ok, err := c.pinned(ctx, name); ok || err != nil {
		return z, err
	}
	soa, trouble, err := c.climb(ctx, name)
	if err != nil {
		return Zone{}, err
	}
	z := Zone{Name: apex(soa.Hdr.Name), Serial: soa.Serial}
	if trouble != "" {
		// The resolver could not speak of a name below this zone. If it is delegated, that
		// delegation leads to no server that answers: a zone, and a broken one.
		if deeper, ok := c.referral(ctx, z.Name, trouble); ok {
			return deeper, nil
		}
	}
	if err := c.delegation(ctx, &z); err != nil {
		return Zone{}, err
	}
	z.Own, err = c.ownServers(ctx, z)
	return z, err
}

// pinned asks the configured servers whether they have the name's zone.
func (c *Client) pinned(ctx context.Context, name string) (Zone, bool, error) {
	if len(c.cfg.Servers) == 0 {
		return Zone{}, false, nil
	}
	z := Zone{Pinned: true}
	for _, s := range c.cfg.Servers {
		host, _, _ := net.SplitHostPort(s)
		server := Server{Name: s, asks: []string{s}}
		if a, err := netip.ParseAddr(host); err == nil {
			server.Addrs = []netip.Addr{a}
		}
		z.Servers = append(z.Servers, server)
	}
	for at := name; ; at = above(at) {
		for _, s := range c.cfg.Servers {
			m, _, err := c.ask(ctx, question{server: s, name: at, kind: dns.TypeSOA})
			if err != nil {
				if ours(err) {
					return Zone{}, false, err
				}
				continue
			}
			if soa := soaOf(m, at); m.Authoritative && soa != nil {
				z.Name, z.Serial = apex(soa.Hdr.Name), soa.Serial
				z.Own, err = c.ownServers(ctx, z)
				return z, true, err
			}
		}
		if at == "" {
			return Zone{}, false, nil
		}
	}
}

// climb finds the SOA of the zone that a name is in, by the resolver and without
// validation (a zone with broken DNSSEC is still a zone). trouble is the highest name that
// was asked for of which the resolver could not speak.
func (c *Client) climb(ctx context.Context, name string) (soa *dns.SOA, trouble string, err error) {
	at := name
	for range maxLabels {
		m, _, err := c.ask(ctx, question{server: c.resolver, name: at, kind: dns.TypeSOA, recurse: true, unchecked: true})
		switch {
		case err != nil && ours(err):
			return nil, "", err
		case err != nil || m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
			trouble = at
		default:
			if soa := soaOf(m, at); soa != nil {
				return soa, trouble, nil
			}
		}
		switch labels := strings.Split(at, "."); {
		case at == "":
			return nil, "", c.noZone(name)
		case trouble != "" && len(labels) > 2:
			// Each more name in a zone that does not answer would cost two time-outs.
			at = strings.Join(labels[len(labels)-2:], ".")
		default:
			at = above(at)
		}
	}
	return nil, "", c.noZone(name)
}

func (c *Client) noZone(name string) error {
	return postern.Errorf(postern.Temporary, op, "the resolver %s finds no zone for %s", c.resolver, name)
}

// delegation sets the servers of a zone: as its parent's servers have them, or where they
// cannot be asked as the resolver does.
func (c *Client) delegation(ctx context.Context, z *Zone) error {
	if z.Name != "" {
		soa, _, err := c.climb(ctx, above(z.Name))
		if err == nil {
			if servers, ok := c.fromParent(ctx, apex(soa.Hdr.Name), z.Name); ok {
				z.Servers, z.Delegated = servers, true
				return nil
			}
		}
	}
	z.Servers = c.serversByResolver(ctx, z.Name)
	if len(z.Servers) == 0 {
		return postern.Errorf(postern.Temporary, op, "no name servers found for %s", z.Name)
	}
	return nil
}

// serversByResolver lists the servers of a zone as the resolver has them.
func (c *Client) serversByResolver(ctx context.Context, zone string) []Server {
	m, _, err := c.ask(ctx, question{server: c.resolver, name: zone, kind: dns.TypeNS, recurse: true, unchecked: true})
	if err != nil {
		return nil
	}
	return c.addresses(ctx, nsNames(m.Answer, zone), m.Extra)
}

// fromParent asks the parent zone's servers to whom they delegate.
func (c *Client) fromParent(ctx context.Context, parent, zone string) ([]Server, bool) {
	m := c.askParent(ctx, parent, zone, dns.TypeNS)
	if m == nil {
		return nil, false
	}
	names := nsNames(m.Ns, zone)
	if len(names) == 0 {
		names = nsNames(m.Answer, zone) // it has the child as well
	}
	return c.addresses(ctx, names, m.Extra), len(names) > 0
}

// askParent asks the parent zone's servers until one answers; nil if none does.
func (c *Client) askParent(ctx context.Context, parent, name string, kind uint16) *dns.Msg {
	tried := 0
	for _, s := range c.serversByResolver(ctx, parent) {
		for _, addr := range s.asks[:min(1, len(s.asks))] {
			if tried++; tried > 4 {
				return nil
			}
			m, _, err := c.ask(ctx, question{server: addr, name: name, kind: kind})
			if err == nil && m.Rcode == dns.RcodeSuccess {
				return m
			}
		}
	}
	return nil
}

// referral looks whether a zone's servers delegate name, or something above it, further.
func (c *Client) referral(ctx context.Context, parent, name string) (Zone, bool) {
	m := c.askParent(ctx, parent, name, dns.TypeSOA)
	if m == nil || m.Authoritative {
		return Zone{}, false
	}
	for _, rr := range m.Ns {
		at := apex(rr.Header().Name)
		if rr.Header().Rrtype == dns.TypeNS && at != parent && within(at, parent) && within(name, at) {
			return Zone{Name: at, Servers: c.addresses(ctx, nsNames(m.Ns, at), m.Extra), Delegated: true}, true
		}
	}
	return Zone{}, false
}

func nsNames(rrs []dns.RR, zone string) []string {
	var names []string
	for _, rr := range rrs {
		if ns, ok := rr.(*dns.NS); ok && apex(ns.Hdr.Name) == zone {
			names = append(names, plain(ns.Ns))
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), maxServers)]
}

// addresses finds where servers are: by the glue beside the delegation, else by the
// resolver.
func (c *Client) addresses(ctx context.Context, names []string, glue []dns.RR) []Server {
	servers := make([]Server, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		servers[i].Name = name
		for _, rr := range glue {
			if plain(rr.Header().Name) == name {
				servers[i].add(rr)
			}
		}
		if len(servers[i].Addrs) > 0 {
			continue
		}
		wg.Go(func() {
			for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
				m, _, err := c.ask(ctx, question{server: c.resolver, name: name, kind: kind, recurse: true, unchecked: true})
				if err == nil {
					for _, rr := range m.Answer {
						servers[i].add(rr)
					}
				}
			}
		})
	}
	wg.Wait()
	for i := range servers {
		servers[i].settle(c.ip6, c.cfg.Port)
	}
	return servers
}

func (s *Server) add(rr dns.RR) {
	var addr netip.Addr
	var ok bool
	switch rr := rr.(type) {
	case *dns.A:
		addr, ok = netip.AddrFromSlice(rr.A.To4())
	case *dns.AAAA:
		addr, ok = netip.AddrFromSlice(rr.AAAA)
	}
	if ok && !slices.Contains(s.Addrs, addr.Unmap()) {
		s.Addrs = append(s.Addrs, addr.Unmap())
	}
}

// settle puts the addresses in the order in which they are tried.
func (s *Server) settle(ip6 bool, port int) {
	slices.SortStableFunc(s.Addrs, func(a, b netip.Addr) int {
		return cmp.Or(cmp.Compare(a.BitLen(), b.BitLen()), a.Compare(b))
	})
	s.Addrs = s.Addrs[:min(len(s.Addrs), maxAddresses)]
	for _, a := range s.Addrs {
		if a.Is4() || ip6 || a.IsLoopback() {
			s.asks = append(s.asks, hostPort(a, port))
		}
	}
}

// ownServers asks the zone's servers, one after another, for its NS records.
func (c *Client) ownServers(ctx context.Context, z Zone) ([]string, error) {
	for _, s := range z.Servers {
		a, err := c.askServer(ctx, s, z.Name, dns.TypeNS)
		if err != nil {
			return nil, err
		}
		if a.Status == Found {
			names := a.Values()
			slices.Sort(names)
			return names, nil
		}
	}
	return nil, nil
}

// isDead tells whether an authoritative server's address was tried twice in vain. It is
// not tried again in this client's life: a zone with a dead server would cost a time-out
// for each question.
func (c *Client) isDead(addr string) bool {
	_, dead := c.dead.Load(addr)
	return dead
}

// askServer asks one authoritative server at the first of its addresses that answers.
func (c *Client) askServer(ctx context.Context, s Server, name string, kind uint16) (Answer, error) {
	a := Answer{Server: s.Name, Status: Unreachable, Reason: "its name has no address that can be reached"}
	if len(s.Addrs) == 0 && len(s.asks) == 0 {
		a.Reason = "its name has no address"
	}
	for _, addr := range s.asks {
		a.Address = addr
		if c.isDead(addr) {
			a.Reason = "did not answer before"
			continue
		}
		m, at, err := c.ask(ctx, question{server: addr, name: name, kind: kind})
		if err != nil {
			if ours(err) {
				return a, err
			}
			if a = failed(a, err); a.Status == Unreachable {
				c.dead.Store(addr, true)
			}
			continue
		}
		a.At, a.Reason = at, ""
		return a.read(m, name, kind, false), nil
	}
	return a, nil
}
