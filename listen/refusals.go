package listen

import (
	"net/netip"
	"sync"
	"time"
)

// How many wrong keys one address may try in a minute, and how many addresses are
// remembered.
const (
	maxRefused   = 20
	maxAddresses = 10_000
)

// refusals counts wrong keys by address, a minute at a time.
type refusals struct {
	now   func() time.Time
	mu    sync.Mutex
	since time.Time
	count map[netip.Addr]int
}

func (r *refusals) add(a netip.Addr) {
	a = network(a)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn()
	if _, ok := r.count[a]; !ok && len(r.count) >= maxAddresses {
		return // so many at once are not stopped by address
	}
	r.count[a]++
}

func (r *refusals) tooMany(a netip.Addr) bool {
	a = network(a)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn()
	return r.count[a] >= maxRefused
}

// turn forgets everything once a minute.
func (r *refusals) turn() {
	if now := r.now(); r.count == nil || now.Sub(r.since).Abs() >= time.Minute {
		r.since, r.count = now, map[netip.Addr]int{}
	}
}

// network is the part of an address that one subscriber has: of IPv6 the first 64 bits.
func network(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return a
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}
