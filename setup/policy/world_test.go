package policy_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
)

// world is a small DNS: by name, TXT, MX and addresses.
type world struct {
	txt   map[string][]string
	mx    map[string][]string
	addr  map[string][]string
	fail  map[string]bool // names that nobody answers for
	asked []string
}

var errSilent = errors.New("no answer")

func (w *world) ask(name string) (string, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	w.asked = append(w.asked, name)
	if w.fail[name] {
		return name, errSilent
	}
	return name, nil
}

func (w *world) TXT(_ context.Context, name string) ([]string, error) {
	name, err := w.ask(name)
	return w.txt[name], err
}

func (w *world) MX(_ context.Context, name string) ([]string, error) {
	name, err := w.ask(name)
	return w.mx[name], err
}

func (w *world) Addresses(_ context.Context, name string) ([]netip.Addr, error) {
	name, err := w.ask(name)
	var as []netip.Addr
	for _, a := range w.addr[name] {
		as = append(as, netip.MustParseAddr(a))
	}
	return as, err
}

func (w *world) Exists(_ context.Context, name string) (bool, error) {
	name, err := w.ask(name)
	for n := range w.txt {
		if n == name || strings.HasSuffix(n, "."+name) {
			return true, err
		}
	}
	return w.addr[name] != nil, err
}

// referee answers blitiri.com.ar/go/spf from the same world.
type referee struct{ w *world }

func notFound(name string) error {
	return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (r referee) LookupTXT(ctx context.Context, name string) ([]string, error) {
	if t, _ := r.w.TXT(ctx, name); len(t) > 0 {
		return t, nil
	}
	return nil, notFound(name)
}

func (r referee) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	hosts, _ := r.w.MX(ctx, name)
	var out []*net.MX
	for _, h := range hosts {
		out = append(out, &net.MX{Host: h, Pref: 10})
	}
	if out == nil {
		return nil, notFound(name)
	}
	return out, nil
}

func (r referee) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	addrs, _ := r.w.Addresses(ctx, name)
	var out []net.IPAddr
	for _, a := range addrs {
		out = append(out, net.IPAddr{IP: a.AsSlice()})
	}
	if out == nil {
		return nil, notFound(name)
	}
	return out, nil
}

func (r referee) LookupAddr(_ context.Context, addr string) ([]string, error) {
	return nil, notFound(addr)
}

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }
