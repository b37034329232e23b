package lookup

import (
	"context"
	"net/netip"

	"github.com/postern-chat/postern"
)

type question struct{ x string }
type pending struct{}
type pendingZone struct{}

// Zone finds the zone that a name is in, the servers that the zone's parent delegates it
// to, and their addresses.
func (c *Client) Zone(ctx context.Context, name string) (Zone, error) { return Zone{}, notYet() }

// Authoritative asks every server of the name's zone, without recursion, and compares.
// What a CNAME leads to is asked at its own zone's servers; see Answers.Target.
func (c *Client) Authoritative(ctx context.Context, name, kind string) (*Answers, error) {
	return nil, notYet()
}

// Recursive asks the resolver, which follows aliases by itself.
func (c *Client) Recursive(ctx context.Context, name, kind string) (Answer, error) {
	return Answer{}, notYet()
}

// Wildcard asks the zone's servers for a random name beside the one given. If they have
// records, or an alias, names that do not exist are answered here.
func (c *Client) Wildcard(ctx context.Context, name, kind string) (*Answers, error) {
	return nil, notYet()
}

// Secure tells how the zone of a name is signed, and whether that holds.
func (c *Client) Secure(ctx context.Context, name string) (DNSSEC, error) {
	return DNSSEC{}, notYet()
}

// CAA climbs from a name to the first that has CAA records (RFC 8659 section 3), at the
// resolver.
func (c *Client) CAA(ctx context.Context, name string) (CAA, error) { return CAA{}, notYet() }

// View sees names in Own zones as their authoritative servers have them, all others as
// the resolver does. It is what setup/policy asks.
type View struct {
	c   *Client
	own []string
}

// View makes a view. own are names; everything at and below each is asked at its own
// servers.
func (c *Client) View(own ...string) *View { return &View{c, own} }

// TXT gives the texts at a name, following aliases. None is no error.
func (v *View) TXT(ctx context.Context, name string) ([]string, error) { return nil, notYet() }

// MX gives the hosts that take mail for a name, by priority.
func (v *View) MX(ctx context.Context, name string) ([]string, error) { return nil, notYet() }

// Addresses gives the IPv4 and IPv6 addresses of a name.
func (v *View) Addresses(ctx context.Context, name string) ([]netip.Addr, error) {
	return nil, notYet()
}

// Exists tells whether a name exists, with whatever records (RFC 8020).
func (v *View) Exists(ctx context.Context, name string) (bool, error) { return false, notYet() }

func notYet() error { return postern.Errorf(postern.Internal, op, "not built yet") }
