package lookup

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// Authoritative asks every server of the name's zone, without recursion, and compares.
// What a CNAME leads to is asked at its own zone's servers; see Answers.Target.
func (c *Client) Authoritative(ctx context.Context, name, kind string) (*Answers, error) {
	k, name, err := parse(kind, name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	first, err := c.everywhere(ctx, name, k)
	if err != nil {
		return nil, err
	}
	seen := []string{name}
	for last := first; last.Alias != "" && len(seen) <= maxAliases; last = last.Target {
		if slices.Contains(seen, last.Alias) {
			last.Loop = true
			first.Loop = true
			break
		}
		seen = append(seen, last.Alias)
		if last.Target, err = c.everywhere(ctx, last.Alias, k); err != nil {
			return nil, err
		}
	}
	return first, nil
}

func parse(kind, name string) (uint16, string, error) {
	k, err := kindOf(kind)
	if err != nil {
		return 0, "", err
	}
	name, err = fold(name)
	return k, name, err
}

// everywhere asks every server of a name's zone.
func (c *Client) everywhere(ctx context.Context, name string, kind uint16) (*Answers, error) {
	z, err := c.zone(ctx, name)
	if err != nil {
		return nil, err
	}
	a := &Answers{Zone: z, Name: name, Type: dns.TypeToString[kind], Servers: make([]Answer, len(z.Servers)), Agreed: true}
	errs := make([]error, len(z.Servers))
	var wg sync.WaitGroup
	for i, s := range z.Servers {
		wg.Go(func() { a.Servers[i], errs[i] = c.askServer(ctx, s, name, kind) })
	}
	wg.Wait()
	var first *Answer
	for i := range a.Servers {
		if errs[i] != nil {
			return nil, errs[i]
		}
		s := &a.Servers[i]
		if !s.Status.Known() {
			continue
		}
		if first == nil {
			first = s
			if len(s.Aliases) > 0 {
				a.Alias = s.Aliases[0]
			}
		}
		a.Agreed = a.Agreed && first.same(*s)
	}
	return a, nil
}

// Recursive asks the resolver, which follows aliases by itself; where it does not it is
// asked on, eight times at most.
func (c *Client) Recursive(ctx context.Context, name, kind string) (Answer, error) {
	k, name, err := parse(kind, name)
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	a, err := c.recursive(ctx, name, k)
	seen := []string{name}
	for err == nil && a.Status == NoData && len(a.Aliases) > 0 && len(a.Aliases) <= maxAliases {
		last := a.Aliases[len(a.Aliases)-1]
		if slices.Contains(seen, last) {
			break
		}
		seen = append(seen, last)
		var further Answer
		if further, err = c.recursive(ctx, last, k); err != nil {
			break
		}
		aliases := a.Aliases
		for _, n := range further.Aliases {
			if slices.Contains(aliases, n) {
				further.Status, further.Reason = ServFail, "the aliases go round in a circle"
			}
		}
		further.Aliases = append(slices.Clone(aliases), further.Aliases...)
		a = further
	}
	return a, err
}

func (c *Client) recursive(ctx context.Context, name string, kind uint16) (Answer, error) {
	a := Answer{Server: "resolver", Address: c.resolver}
	q := question{server: c.resolver, name: name, kind: kind, recurse: true}
	m, at, err := c.ask(ctx, q)
	a.At = at
	if err != nil {
		if ours(err) {
			return a, err
		}
		return failed(a, err), nil
	}
	if a = a.read(m, name, kind, true); a.Status != ServFail {
		return a, nil
	}
	q.unchecked = true
	m, _, err = c.ask(ctx, q)
	if err != nil && ours(err) {
		return a, err
	}
	a.Broken = err == nil && (m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError)
	return a, nil
}

// Wildcard asks the zone's servers for a random name beside the one given; below it if
// the name is the zone's own. If they have records, or an alias, names that do not exist
// are answered here, and what was never entered seems to be there.
func (c *Client) Wildcard(ctx context.Context, name, kind string) (*Answers, error) {
	k, name, err := parse(kind, name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	z, err := c.zone(ctx, name)
	if err != nil {
		return nil, err
	}
	base := name
	if name != z.Name {
		base = above(name)
	}
	beside := strings.TrimSuffix(c.label+"."+base, ".")
	return c.everywhere(ctx, beside, k)
}

// Secure tells how the zone of a name is signed, and whether that holds.
func (c *Client) Secure(ctx context.Context, name string) (DNSSEC, error) {
	name, err := fold(name)
	if err != nil {
		return DNSSEC{}, err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	z, err := c.zone(ctx, name)
	if err != nil {
		return DNSSEC{}, err
	}
	d := DNSSEC{Zone: z.Name}
	ds := c.dsOf(ctx, z.Name)
	for _, x := range ds {
		d.DS = append(d.DS, strings.TrimPrefix(x.String(), x.Hdr.String()))
	}
	keys, known := c.keysOf(ctx, z)
	d.Keys = len(keys)
	a, err := c.recursive(ctx, z.Name, dns.TypeSOA)
	if err != nil {
		return d, err
	}
	d.Status, d.Valid = a.Status, a.AD
	d.Broken = a.Broken || known && len(ds) > 0 && !anyMatches(ds, keys)
	return d, nil
}

// dsOf gives the DS records that a zone's parent publishes.
func (c *Client) dsOf(ctx context.Context, zone string) []*dns.DS {
	var m *dns.Msg
	if zone != "" {
		if soa, _, err := c.climb(ctx, above(zone)); err == nil {
			m = c.askParent(ctx, apex(soa.Hdr.Name), zone, dns.TypeDS)
		}
	}
	if m == nil || !m.Authoritative {
		m, _, _ = c.ask(ctx, question{server: c.resolver, name: zone, kind: dns.TypeDS, recurse: true, unchecked: true})
	}
	if m == nil {
		return nil
	}
	var ds []*dns.DS
	for _, rr := range m.Answer {
		if d, ok := rr.(*dns.DS); ok && apex(d.Hdr.Name) == zone {
			ds = append(ds, d)
		}
	}
	return ds
}

// keysOf gives the DNSKEYs of the first server that says what it has.
func (c *Client) keysOf(ctx context.Context, z Zone) (keys []*dns.DNSKEY, known bool) {
	for _, s := range z.Servers {
		for _, addr := range s.asks {
			m, _, err := c.ask(ctx, question{server: addr, name: z.Name, kind: dns.TypeDNSKEY})
			if err != nil || m.Rcode != dns.RcodeSuccess || !m.Authoritative {
				continue
			}
			for _, rr := range m.Answer {
				if k, ok := rr.(*dns.DNSKEY); ok {
					keys = append(keys, k)
				}
			}
			return keys, true
		}
	}
	return nil, false
}

// anyMatches tells whether any DS is that of any key. A digest that we cannot make
// counts as a match: it is for validators to judge.
func anyMatches(ds []*dns.DS, keys []*dns.DNSKEY) bool {
	for _, d := range ds {
		for _, k := range keys {
			made := k.ToDS(d.DigestType)
			if made == nil || made.KeyTag == d.KeyTag && strings.EqualFold(made.Digest, d.Digest) {
				return true
			}
		}
	}
	return false
}

// CAA climbs from a name to the first that has CAA records (RFC 8659 section 3), at the
// resolver.
func (c *Client) CAA(ctx context.Context, name string) (CAA, error) {
	name, err := fold(strings.TrimPrefix(name, "*."))
	if err != nil {
		return CAA{}, err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	for at := name; at != ""; at = above(at) {
		a, err := c.recursive(ctx, at, dns.TypeCAA)
		if err != nil {
			return CAA{}, err
		}
		switch {
		case !a.Status.Known():
			return CAA{}, unknown(a, at)
		case a.Status == Found:
			found := CAA{At: at}
			for _, r := range a.Records {
				found.Records = append(found.Records, readCAA(r.Value))
			}
			return found, nil
		}
	}
	return CAA{}, nil
}

// readCAA reads the presentation form: 0 issue "letsencrypt.org".
func readCAA(text string) CAARecord {
	flag, rest, _ := strings.Cut(text, " ")
	tag, value, _ := strings.Cut(rest, " ")
	n, _ := strconv.Atoi(flag)
	if s, err := strconv.Unquote(value); err == nil {
		value = s
	}
	return CAARecord{Critical: n&128 != 0, Tag: strings.ToLower(tag), Value: value}
}
