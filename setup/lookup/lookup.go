package lookup

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
	"github.com/postern-chat/postern"
)

const op = "lookup"

// Config says whom to ask.
type Config struct {
	// Resolver is the recursive server that is asked, host:port. "" takes the first of
	// /etc/resolv.conf.
	Resolver string

	// Servers, host:port, are asked instead of those that the delegation names: the
	// inner half of a split horizon, a zone that is not delegated yet, an emulator. Names
	// that none of them serves are asked the usual way.
	Servers []string

	Timeout time.Duration // of one question, default 3s; it is asked twice at most
	Total   time.Duration // of one call of this package, default 30s
	Port    int           // where delegated servers listen, default 53
	Now     func() time.Time

	// MaxQuestions is how many questions one Client sends in its life, default 2000; more
	// fail with CauseBusy. It keeps a strange zone from costing without end.
	MaxQuestions int
}

// Client asks and remembers what it was told: one Client sees one moment. All methods
// may block on the network, are bounded in time and number, and are safe for concurrent
// use. Names may be given in any case, with or without the last dot.
//
// A question that gets no usable answer is no error: it is an Answer whose Status says
// so. Errors are Temporary (time is up, no server found), Denied with CauseBusy (too many
// questions) or Invalid (not a name).
type Client struct {
	cfg      Config
	resolver string
	label    string // a name that nobody has, for finding wildcards
	ip6      bool

	gate  chan struct{} // questions under way
	mu    sync.Mutex
	asked int
	known map[question]*pending
	dead  sync.Map // addresses of authoritative servers that do not answer
}

// New makes a client. It fails with Invalid for addresses that are none.
func New(cfg Config) (*Client, error) {
	setDefault(&cfg.Timeout, 3*time.Second)
	setDefault(&cfg.Total, 30*time.Second)
	setDefault(&cfg.Port, 53)
	setDefault(&cfg.MaxQuestions, 2000)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	for _, s := range cfg.Servers {
		if _, _, err := net.SplitHostPort(s); err != nil {
			return nil, postern.Errorf(postern.Invalid, op, "server %q: want host:port", s)
		}
	}
	resolver := cfg.Resolver
	if resolver == "" {
		resolver = systemResolver()
	} else if _, _, err := net.SplitHostPort(resolver); err != nil {
		return nil, postern.Errorf(postern.Invalid, op, "resolver %q: want host:port", resolver)
	}
	var b [10]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, postern.Errorf(postern.Internal, op, "no randomness: %w", err)
	}
	return &Client{
		cfg: cfg, resolver: resolver, label: "x" + hex.EncodeToString(b[:]), ip6: hasIPv6(),
		gate:  make(chan struct{}, 16),
		known: map[question]*pending{},
	}, nil
}

// Fresh gives a client that asks the same servers and remembers nothing: for looking
// again.
func (c *Client) Fresh() *Client {
	n, err := New(c.cfg)
	if err != nil { // only the randomness can have gone
		n = &Client{cfg: c.cfg, resolver: c.resolver, label: c.label, gate: make(chan struct{}, 16), known: map[question]*pending{}}
	}
	n.resolver, n.ip6 = c.resolver, c.ip6
	return n
}

// ResolverAddress tells who is asked by Recursive, host:port.
func (c *Client) ResolverAddress() string { return c.resolver }

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// systemResolver is what resolv.conf(5) says, which without any line means this machine.
func systemResolver() string {
	conf, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil || len(conf.Servers) == 0 {
		return "127.0.0.1:53"
	}
	return net.JoinHostPort(conf.Servers[0], conf.Port)
}

// hasIPv6 tells whether this machine has a way to the world by IPv6. Nothing is sent.
func hasIPv6() bool {
	conn, err := net.Dial("udp6", "[2001:db8::1]:53")
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// fold is the form in which names are compared and given out (RFC 4343).
func fold(name string) (string, error) {
	name = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
	if _, ok := dns.IsDomainName(name); !ok || len(name) > 253 {
		return "", postern.Errorf(postern.Invalid, op, "not a domain name")
	}
	return name, nil
}

// bounded gives one call its time.
func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.cfg.Total)
}

func hostPort(a netip.Addr, port int) string {
	return net.JoinHostPort(a.String(), strconv.Itoa(port))
}
