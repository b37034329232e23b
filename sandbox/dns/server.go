package dns

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	wire "github.com/miekg/dns"
)

// Config is what New needs; all of it may be left out.
type Config struct {
	// Zones are there from the start, beside the few that every world has: the root,
	// Mailgun's and Google's.
	Zones []Zone
	// Host is the loopback address of the name servers; default 127.0.0.1.
	Host string
	// GoDaddyToken is a Personal Access Token with all scopes, GoDaddyKey and
	// GoDaddySecret the older credentials. Defaults begin with gd_pat_ and dev_.
	GoDaddyToken, GoDaddyKey, GoDaddySecret string
	// CloudflareToken may edit all zones.
	CloudflareToken string
	// TSIGName and TSIGKey (base64) sign RFC 2136 updates, by HMAC-SHA256 or SHA512.
	TSIGName, TSIGKey string
	// Seed makes ids repeatable.
	Seed uint64
	// Now is the clock; default time.Now. Advance adds to it.
	Now    func() time.Time
	Logger *slog.Logger
	// Switches are the things that are unknown or differ; nil means DefaultSwitches.
	Switches *Switches
	// BookSize is the number of entries kept in the book, default 10,000.
	BookSize int
	// Observe is told of every entry of the book; it must not block.
	Observe func(Entry)
}

// Server is the emulated DNS. It is safe for concurrent use.
type Server struct {
	cfg     Config
	book    *book
	routes  []endpoint
	servers []*wire.Server
	running sync.WaitGroup
	addrs   map[string]string
	done    chan struct{} // closed by Close

	mu sync.Mutex
	st *state
}

// state is all that Reset throws away. Server.mu guards it.
type state struct {
	zones    map[string]*zone
	order    []string
	keys     []*credential
	faults   []*Fault
	switches Switches
	windows  map[string]*window
	offset   time.Duration
	rand     *rand.Rand
	ids      int
}

func (st *state) put(z *zone) {
	if st.zones[z.Name] == nil {
		st.order = append(st.order, z.Name)
	}
	st.zones[z.Name] = z
}

// The servers, by the names under which faults and the book know them.
const (
	Resolver = "resolver" // asks the others; what a program without own wishes asks
	NS1      = "ns1"      // first name server of every zone
	NS2      = "ns2"      // second; it may lag
)

// New starts the name servers on ports of their own. Serve its Handler, and Close it.
func New(cfg Config) (*Server, error) {
	cfg.Host = cmp.Or(cfg.Host, "127.0.0.1")
	cfg.GoDaddyToken = cmp.Or(cfg.GoDaddyToken, "gd_pat_emulated0123456789")
	cfg.GoDaddyKey, cfg.GoDaddySecret = cmp.Or(cfg.GoDaddyKey, "dev_emulatedkey"), cmp.Or(cfg.GoDaddySecret, "emulatedsecret")
	cfg.CloudflareToken = cmp.Or(cfg.CloudflareToken, "emulated-cloudflare-token-0123456789abcd")
	cfg.TSIGName = canonical(cmp.Or(cfg.TSIGName, "postern"))
	cfg.TSIGKey = cmp.Or(cfg.TSIGKey, "ZW11bGF0ZWQga2V5LCAzMiBieXRlcyBpbiBsZW5ndGg=")
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.BookSize <= 0 {
		cfg.BookSize = 10_000
	}
	s := &Server{cfg: cfg, book: newBook(cfg.BookSize, cfg.Observe), addrs: map[string]string{}, done: make(chan struct{})}
	s.routes = s.endpoints()
	for _, z := range cfg.Zones {
		if !goodHost(z.Name) {
			return nil, fmt.Errorf("sandbox dns: %q is no name for a zone", z.Name)
		}
	}
	s.Reset()
	for _, name := range []string{Resolver, NS1, NS2} {
		if err := s.listen(name); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// listen serves one name server by UDP and TCP on the same port.
func (s *Server) listen(name string) error {
	var (
		udp net.PacketConn
		tcp net.Listener
		err error
	)
	for range 20 { // the port that UDP got may be taken for TCP
		if udp, err = net.ListenPacket("udp", net.JoinHostPort(s.cfg.Host, "0")); err != nil {
			return err
		}
		if tcp, err = net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			break
		}
		_ = udp.Close()
	}
	if err != nil {
		return err
	}
	s.addrs[name] = udp.LocalAddr().String()
	handler := wire.HandlerFunc(func(w wire.ResponseWriter, r *wire.Msg) { s.serveDNS(name, w, r) })
	// The secrets of TSIG do not change while it runs: keys are the configuration's.
	secrets := map[string]string{wire.Fqdn(s.cfg.TSIGName): s.cfg.TSIGKey}
	for _, srv := range []*wire.Server{
		{PacketConn: udp, Handler: handler, TsigSecret: secrets, MsgAcceptFunc: accept},
		{Listener: tcp, Handler: handler, TsigSecret: secrets, MsgAcceptFunc: accept},
	} {
		up := make(chan struct{})
		srv.NotifyStartedFunc = func() { close(up) }
		s.servers = append(s.servers, srv)
		s.running.Add(1)
		go func() {
			defer s.running.Done()
			if err := srv.ActivateAndServe(); err != nil {
				s.cfg.Logger.Debug("a name server ended", "error", err)
			}
		}()
		<-up // Shutdown before that is refused
	}
	return nil
}

// accept lets updates through, which the library would answer NOTIMP.
func accept(h wire.Header) wire.MsgAcceptAction {
	if opcode := int(h.Bits>>11) & 0xF; opcode == wire.OpcodeUpdate && h.Bits&(1<<15) == 0 {
		return wire.MsgAccept
	}
	return wire.DefaultMsgAcceptFunc(h)
}

// Close stops the name servers and waits for them.
func (s *Server) Close() error {
	close(s.done)
	var errs []error
	for _, srv := range s.servers {
		errs = append(errs, srv.Shutdown())
	}
	s.running.Wait()
	return errors.Join(errs...)
}

// Addr is where a server answers, by UDP and TCP: host:port.
func (s *Server) Addr(name string) string { return s.addrs[name] }

// GoDaddyToken is a Personal Access Token that may do everything; so may the others
// below.
func (s *Server) GoDaddyToken() string { return s.cfg.GoDaddyToken }

// GoDaddyKey is the older pair for v1.
func (s *Server) GoDaddyKey() (key, secret string) { return s.cfg.GoDaddyKey, s.cfg.GoDaddySecret }

// CloudflareToken is a bearer token for all zones.
func (s *Server) CloudflareToken() string { return s.cfg.CloudflareToken }

// TSIG is the name and key of RFC 2136 updates.
func (s *Server) TSIG() (name, key string) { return s.cfg.TSIGName, s.cfg.TSIGKey }

// Reset puts everything back to the start. The book is emptied, its numbers go on.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &state{zones: map[string]*zone{}, switches: DefaultSwitches(), windows: map[string]*window{}, rand: rand.New(rand.NewPCG(s.cfg.Seed, 0xd2))}
	if s.cfg.Switches != nil {
		st.switches = *s.cfg.Switches
	}
	st.keys = s.credentials()
	s.st = st
	for _, z := range append(world(s.cfg.Host), s.cfg.Zones...) {
		st.put(s.newZone(z))
	}
	s.book.clear()
}

// world are the zones of others that a mail set-up looks at.
func world(host string) []Zone {
	at := func(names ...string) (out []Record) {
		for _, n := range names {
			out = append(out, Record{Name: n, Type: "A", Data: host})
		}
		return out
	}
	txt := func(name, data string) Record { return Record{Name: name, Type: "TXT", Data: data} }
	return []Zone{
		{Name: "", Host: "none", NS: []string{"a.root-servers.net"}},
		{Name: "com", Host: "none", NS: []string{"a.gtld-servers.net"}},
		{Name: "example", Host: "none", NS: []string{"a.iana-servers.net"}},
		{Name: "domaincontrol.com", Host: "none", Records: at("ns01.domaincontrol.com", "ns02.domaincontrol.com", "ns1.domaincontrol.com", "ns2.domaincontrol.com")},
		{Name: "cloudflare.com", Host: "none", Records: at("ada.ns.cloudflare.com", "rob.ns.cloudflare.com", "ns1.cloudflare.com", "ns2.cloudflare.com")},
		{Name: "mailgun.org", Host: "none", Records: append(at("mailgun.org", "mxa.mailgun.org", "mxb.mailgun.org", "eu.mailgun.org", "mxa.eu.mailgun.org", "mxb.eu.mailgun.org"),
			txt("mailgun.org", "v=spf1 include:_spf.mailgun.org ~all"), txt("_spf.mailgun.org", "v=spf1 ip4:198.51.100.0/25 ~all"))},
		{Name: "mailgun.com", Host: "none"},
		{Name: "google.com", Host: "none", Records: append(at("aspmx.l.google.com", "alt1.aspmx.l.google.com"),
			txt("_spf.google.com", "v=spf1 include:_netblocks.google.com ~all"), txt("_netblocks.google.com", "v=spf1 ip4:203.0.113.0/24 ~all"))},
	}
}

// Now is the emulator's time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// now needs Server.mu.
func (s *Server) now() time.Time { return s.cfg.Now().Add(s.st.offset) }

// Advance moves the emulator's time: rate limits pass, servers that lag catch up.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.offset += d
}

// hex needs Server.mu.
func (s *Server) hex(n int) string {
	const digits = "0123456789abcdef"
	b := make([]byte, n)
	for i := range b {
		b[i] = digits[s.st.rand.IntN(16)]
	}
	return string(b)
}

func (s *Server) count() int {
	s.st.ids++
	return s.st.ids
}

// Book is what happened after entry number seq, oldest first, at most limit entries
// (0: all).
func (s *Server) Book(seq int64, limit int) []Entry {
	es, _ := s.book.after(seq, limit)
	return es
}

func (s *Server) note(e Entry) {
	if e.Time.IsZero() {
		e.Time = s.Now()
	}
	s.book.add(e)
}

// Handler serves the hosts' APIs and the control plane /_emulator/.
func (s *Server) Handler() http.Handler {
	control := s.control()
	api := s.recorded(http.HandlerFunc(s.serveAPI))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/_emulator") {
			control.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}
