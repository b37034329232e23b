package mailgun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox/spool"
)

// Config is what New needs. Domains or SendingDomain is required.
type Config struct {
	// Domains are the sending domains of the account at the start. They are active.
	Domains []string
	// SendingDomain is the one that SendingKey may send from, once it is there; default
	// the first of Domains.
	SendingDomain string
	// Region is "us" (default) or "eu": it decides about the hosts in the DNS records.
	Region string
	// Lookup asks the world's DNS when a domain is verified: the values of one type at
	// one name, an MX as priority, space and host, hosts without a dot at their end. It
	// may block. Nil: VerifyDNS says what the DNS has.
	Lookup func(ctx context.Context, kind, name string) ([]string, error)
	// Publish puts a record of Mailgun's own into the world's DNS, maybe again: the keys
	// of automatic sender security. May be nil.
	Publish func(DNSRecord)
	// AccountKey may do everything, SendingKey only send. Defaults:
	// "key-sandbox-account" and "key-sandbox-sending".
	AccountKey, SendingKey string
	// SigningKey signs webhooks; default "key-sandbox-signing".
	SigningKey string
	// Seed makes ids, tokens and faults by chance repeatable.
	Seed uint64
	// Now is the clock; default time.Now. Its time plus what was advanced by
	// hand is the emulator's time.
	Now func() time.Time
	// Manual stops time: nothing happens but inside Advance.
	Manual bool
	// PublicURL is where the emulator is reached (tracking links, storage and
	// paging URLs), without a slash at its end. Default: the host that the
	// causing request named.
	PublicURL string
	// HTTPClient posts webhooks and inbound mail. Redirects are not followed.
	// Default: a client that gives up after PostTimeout.
	HTTPClient *http.Client
	// PostTimeout is how long a receiver may take; default 30 s (Mailgun does
	// not say).
	PostTimeout time.Duration
	// Deliver hands a finished mail to its recipient's mailbox. It may block.
	// An error fails the delivery: a *DeliveryError says how, any other error
	// is temporary. Nil drops mails as if delivered.
	Deliver func(ctx context.Context, from, to string, raw io.Reader) error
	// Logger takes what an operator of the sandbox should see; default: none.
	Logger *slog.Logger
	// TempDir is where mails above 32 KB are kept; default the system's.
	TempDir string
	// Timing is how long things take; the zero value means at once, with
	// Mailgun's documented retry schedules.
	Timing Timing
	// Switches are the things that are unknown or differ between accounts; nil
	// means DefaultSwitches.
	Switches *Switches
	// BookSize is the number of entries kept in the book, default 10,000, and
	// BookBody the bytes kept of a body, default 64 KB.
	BookSize, BookBody int
	// Observe is told of every entry of the book; it must not block.
	Observe func(Entry)
}

// Timing is how long things take, in the emulator's time.
type Timing struct {
	AcceptAfter  time.Duration // from the send call to the accepted event
	DeliverAfter time.Duration // from accepted to the first delivery attempt
	PostAfter    time.Duration // from an event to its webhook
	// EventRetries and RouteRetries are the pauses before each further try of a
	// post; nil means the documented ones.
	EventRetries, RouteRetries []time.Duration
	// DeliveryRetries are the pauses after temporary failures.
	DeliveryRetries []time.Duration
	// Compress divides every pause of the three schedules and of slow@; 0 is 1.
	Compress float64
}

// Server is one emulated Mailgun account. It is safe for concurrent use.
type Server struct {
	cfg    Config
	client *http.Client
	spool  *spool.Spool
	sched  *scheduler
	book   *book
	routes []endpoint
	log    *slog.Logger

	locals map[string][]Fault // by local part

	mu   sync.Mutex
	st   *state
	ids  idMaker
	host string // the host of the last API call, for when no PublicURL is given
}

// New starts an emulator. Serve its Handler, and Close it.
func New(cfg Config) (*Server, error) {
	if len(cfg.Domains) > 0 && cfg.SendingDomain == "" {
		cfg.SendingDomain = cfg.Domains[0]
	}
	if cfg.SendingDomain == "" {
		return nil, errors.New("sandbox mailgun: Config.Domains and SendingDomain are empty")
	}
	cfg.defaults()
	sp, err := spool.New(cfg.TempDir)
	if err != nil {
		return nil, fmt.Errorf("sandbox mailgun: %w", err)
	}
	s := &Server{cfg: cfg, spool: sp, sched: newScheduler(cfg.Now, cfg.Manual), book: newBook(cfg.BookSize, cfg.Observe),
		log: cfg.Logger, ids: idMaker{seed: cfg.Seed}}
	client := *cfg.HTTPClient
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.client = &client
	s.locals = map[string][]Fault{}
	for _, l := range localFaults() {
		s.locals[l.local] = append(s.locals[l.local], l.fault)
	}
	s.st = s.newState()
	s.routes = s.endpoints()
	return s, nil
}

func (c *Config) defaults() {
	orString := func(p *string, d string) {
		if *p == "" {
			*p = d
		}
	}
	orString(&c.AccountKey, "key-sandbox-account")
	orString(&c.SendingKey, "key-sandbox-sending")
	orString(&c.SigningKey, "key-sandbox-signing")
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.PostTimeout == 0 {
		c.PostTimeout = 30 * time.Second
	}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{Timeout: c.PostTimeout}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.BookSize <= 0 {
		c.BookSize = 10_000
	}
	if c.BookBody <= 0 {
		c.BookBody = 64 << 10
	}
	c.Timing.defaults()
}

func (t *Timing) defaults() {
	m := time.Minute
	if t.EventRetries == nil { // Mailgun's page "webhook retries", 2026
		t.EventRetries = []time.Duration{5 * m, 10 * m, 15 * m, 60 * m, 120 * m, 240 * m}
	}
	if t.RouteRetries == nil { // Mailgun's page "receive by HTTP", 2026
		t.RouteRetries = []time.Duration{10 * m, 15 * m, 30 * m, 60 * m, 120 * m, 240 * m}
	}
	if t.DeliveryRetries == nil {
		t.DeliveryRetries = []time.Duration{10 * m, 10 * m, 15 * m, 30 * m, 60 * m, 120 * m, 240 * m}
	}
	if t.Compress <= 0 {
		t.Compress = 1
	}
}

func (t Timing) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / t.Compress)
}

// Close stops everything that runs and removes the kept mails.
func (s *Server) Close() error {
	s.sched.Close()
	s.client.CloseIdleConnections()
	return s.spool.Close()
}

// Now is the emulator's time.
func (s *Server) Now() time.Time { return s.sched.Now() }

// Advance moves the emulator's time. With Config.Manual it runs, one after
// another, all that becomes due, and returns when that is done.
func (s *Server) Advance(d time.Duration) { s.sched.Advance(d) }

// Drain waits until nothing is due and nothing runs. What waits for a later
// time is not waited for.
func (s *Server) Drain(ctx context.Context) error { return s.sched.Drain(ctx) }

// Book is what happened after entry number seq, oldest first, at most limit
// entries (0: all).
func (s *Server) Book(seq int64, limit int) []Entry {
	es, _ := s.book.after(seq, limit)
	return es
}

// Hosts says whether mail for the address or domain belongs to the account.
func (s *Server) Hosts(address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.domains[domainOf(address)] != nil
}

// Reset puts everything back to the start and forgets what was waiting. The
// book is emptied, its numbers go on.
func (s *Server) Reset() {
	s.sched.Clear()
	s.mu.Lock()
	old := s.st
	s.ids = idMaker{seed: s.cfg.Seed}
	s.st = s.newState()
	old.remove()
	s.mu.Unlock()
	s.book.clear()
}

// base is where the emulator is reached, without a slash at its end.
func (s *Server) base() string {
	if s.cfg.PublicURL != "" {
		return s.cfg.PublicURL
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return "http://" + s.host
}

func (s *Server) note(e Entry) {
	if e.Time.IsZero() {
		e.Time = s.Now()
	}
	if len(e.Body) > s.cfg.BookBody {
		e.Body = e.Body[:s.cfg.BookBody]
	}
	if len(e.Answer) > s.cfg.BookBody {
		e.Answer = e.Answer[:s.cfg.BookBody]
	}
	s.book.add(e)
}

func domainOf(address string) string {
	return strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
}

func localOf(address string) string {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		return address[:i]
	}
	return address
}
