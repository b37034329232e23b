package lookup

import (
	"context"
	"errors"
	"net/netip"

	"github.com/postern-chat/postern"
)

// View sees some names as their authoritative servers have them, all others as the
// resolver does. It is what setup/policy asks.
type View struct {
	c   *Client
	own []string
}

// View makes a view. Everything at and below each of own is asked at its own servers;
// names that are none are ignored.
func (c *Client) View(own ...string) *View {
	v := &View{c: c}
	for _, name := range own {
		if name, err := fold(name); err == nil {
			v.own = append(v.own, name)
		}
	}
	return v
}

// records gives the records of a type that somebody who asks for the name gets. Of servers
// that disagree the first that knows counts: together they would seem to have two SPF
// records where each has one. That they disagree is told by Authoritative.
func (v *View) records(ctx context.Context, name, kind string) ([]postern.DNSRecord, Status, error) {
	at, err := fold(name)
	if err != nil {
		return nil, NoName, nil // a name that cannot be does not exist
	}
	for _, own := range v.own {
		if !within(at, own) {
			continue
		}
		a, err := v.c.Authoritative(ctx, at, kind)
		if err != nil {
			return nil, "", err
		}
		last := a.Final()
		if s := last.Status(); !s.Known() {
			return nil, s, postern.Errorf(postern.Temporary, op, "%s %s: no server of %s says (%s)", last.Name, kind, last.Zone.Name, s)
		}
		for _, s := range last.Servers {
			if s.Status.Known() {
				return s.Records, s.Status, nil
			}
		}
	}
	a, err := v.c.Recursive(ctx, at, kind)
	if err != nil {
		return nil, "", err
	}
	if !a.Status.Known() {
		return nil, a.Status, unknown(a, at)
	}
	return a.Records, a.Status, nil
}

func unknown(a Answer, name string) error {
	return postern.Errorf(postern.Temporary, op, "%s: %s (%s)", name, a.Status, a.Server)
}

// ours tells errors of this package, which end a call, from those of one question.
func ours(err error) bool {
	var e *postern.Error
	return errors.As(err, &e)
}

// TXT gives the texts at a name, following aliases. None is no error.
func (v *View) TXT(ctx context.Context, name string) ([]string, error) {
	rs, _, err := v.records(ctx, name, "TXT")
	return values(rs), err
}

// MX gives the hosts that take mail for a name, by priority.
func (v *View) MX(ctx context.Context, name string) ([]string, error) {
	rs, _, err := v.records(ctx, name, "MX")
	return values(rs), err
}

// Addresses gives the IPv4 and IPv6 addresses of a name.
func (v *View) Addresses(ctx context.Context, name string) ([]netip.Addr, error) {
	var addrs []netip.Addr
	for _, kind := range []string{"A", "AAAA"} {
		rs, _, err := v.records(ctx, name, kind)
		if err != nil {
			return nil, err
		}
		for _, r := range rs {
			if a, err := netip.ParseAddr(r.Value); err == nil {
				addrs = append(addrs, a)
			}
		}
	}
	return addrs, nil
}

// Exists tells whether a name exists, with whatever records (RFC 8020).
func (v *View) Exists(ctx context.Context, name string) (bool, error) {
	_, status, err := v.records(ctx, name, "A")
	return err == nil && status != NoName, err
}

func values(rs []postern.DNSRecord) []string {
	v := make([]string, 0, len(rs))
	for _, r := range rs {
		v = append(v, r.Value)
	}
	return v
}
