package fetch

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"code.dny.dev/ssrf"
	"github.com/postern-chat/postern"
)

const op = "fetch"

// Config says what may be fetched, and how much of it.
type Config struct {
	// AllowedHosts are the hosts that may be asked. Forms:
	//
	//	.example.com               every host below example.com: https, port 443, public address
	//	files.example.com          this host: https, port 443, public address
	//	*                          every host: https, port 443, public address
	//	10.0.0.7:8080              exactly this host and port: trusted, http or https, any address
	//	http://10.0.0.7:8080       the same, with this scheme only
	//
	// Trusted means that an operator wrote down that very address, so it may lie in a
	// private network. An empty list allows nothing.
	AllowedHosts []string

	// Header gives what is sent to one address beside the usual, e.g. a key. It is
	// asked anew for each hop of a redirect. nil: nothing.
	Header func(u *url.URL, trusted bool) http.Header

	MaxSize      int64         // largest file in bytes, default 25 MB
	MaxRedirects int           // default 3; negative: none
	DialTimeout  time.Duration // connection and TLS each, default 10s
	WaitTimeout  time.Duration // from the request to the answer's header, default 20s
	IdleTimeout  time.Duration // longest pause between two pieces of the body, default 30s
	TotalTimeout time.Duration // the whole fetch, until Close; default 15m

	Resolver  *net.Resolver // default: the system's
	UserAgent string        // default "postern"
}

// Client fetches files. It is safe for concurrent use.
type Client struct {
	cfg     Config
	rules   []rule
	guarded *http.Transport // refuses private addresses when dialling
	trusted *http.Transport // for hosts that are listed with their port
}

// Response is an answer whose header has come.
type Response struct {
	// Body gives at most MaxSize bytes; one more and it fails with Permanent and
	// CauseTooLarge. Broken off or stalled, it fails with Temporary. To be closed.
	Body        io.ReadCloser
	Size        int64 // as announced; -1 = unknown
	ContentType string
}

// New makes a client. It fails if an entry of AllowedHosts makes no sense.
func New(cfg Config) (*Client, error) {
	guard := ssrf.New(ssrf.WithPorts(443))
	return newClient(cfg, func(d *net.Dialer) { d.Control = guard.Safe })
}

// newClient lets this package's tests dial where the guard would not.
func newClient(cfg Config, guard func(*net.Dialer)) (*Client, error) {
	setDefault(&cfg.MaxSize, 25<<20)
	setDefault(&cfg.MaxRedirects, 3)
	setDefault(&cfg.DialTimeout, 10*time.Second)
	setDefault(&cfg.WaitTimeout, 20*time.Second)
	setDefault(&cfg.IdleTimeout, 30*time.Second)
	setDefault(&cfg.TotalTimeout, 15*time.Minute)
	setDefault(&cfg.UserAgent, "postern")
	c := &Client{cfg: cfg}
	for _, s := range cfg.AllowedHosts {
		r, err := parseRule(s)
		if err != nil {
			return nil, err
		}
		c.rules = append(c.rules, r)
	}
	c.guarded = transport(cfg, guard)
	c.trusted = transport(cfg, func(*net.Dialer) {})
	return c, nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// transport makes a transport without proxy (it would dial for us, past the guard) and
// without compression (sizes stay true). It is used bare: no cookies, no redirects.
func transport(cfg Config, guard func(*net.Dialer)) *http.Transport {
	d := &net.Dialer{Timeout: cfg.DialTimeout, Resolver: cfg.Resolver}
	guard(d)
	return &http.Transport{
		DialContext:            d.DialContext,
		TLSHandshakeTimeout:    cfg.DialTimeout,
		ResponseHeaderTimeout:  cfg.WaitTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
	}
}

// Get asks for a file and returns once the answer's header has come. It may block on
// the network. Errors: Permanent for an address that is not allowed, leads to a private
// network, does not exist (CauseNotFound) or announces more than MaxSize (CauseTooLarge);
// Temporary for what may go better later.
func (c *Client) Get(ctx context.Context, rawURL string) (*Response, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.TotalTimeout, errTotal)
	resp, err := c.follow(ctx, rawURL)
	if err != nil {
		cancel()
		return nil, err
	}
	out, err := c.accept(resp)
	if err != nil {
		resp.Body.Close()
		cancel()
		return nil, err
	}
	out.Body = newBody(ctx, cancel, resp.Body, c.cfg.IdleTimeout, c.cfg.MaxSize)
	return out, nil
}

// follow asks, and asks again where the answer points to; each address on the way
// must be allowed by itself.
func (c *Client) follow(ctx context.Context, rawURL string) (*http.Response, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, postern.Errorf(postern.Permanent, op, "not an address")
	}
	for hop := 0; ; hop++ {
		resp, err := c.ask(ctx, u)
		if err != nil {
			return nil, err
		}
		next, err := redirect(resp)
		if err != nil || next == nil {
			return resp, err
		}
		resp.Body.Close()
		if hop >= c.cfg.MaxRedirects {
			return nil, postern.Errorf(postern.Permanent, op, "%s: more than %d redirects", u.Host, max(c.cfg.MaxRedirects, 0))
		}
		u = next
	}
}

func (c *Client) ask(ctx context.Context, u *url.URL) (*http.Response, error) {
	trusted, err := c.check(u)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, postern.Errorf(postern.Permanent, op, "not an address")
	}
	if c.cfg.Header != nil {
		for k, v := range c.cfg.Header(u, trusted) {
			req.Header[k] = v
		}
	}
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	tr := c.guarded
	if trusted {
		tr = c.trusted
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return nil, dialError(u, err)
	}
	return resp, nil
}

// redirect tells where resp points to, nil if nowhere. It closes resp on error.
func redirect(resp *http.Response) (*url.URL, error) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	u, err := resp.Location()
	if err != nil {
		resp.Body.Close()
		return nil, postern.Errorf(postern.Permanent, op, "%s: redirects to nowhere", resp.Request.URL.Host)
	}
	return u, nil
}

// accept judges an answer by its header.
func (c *Client) accept(resp *http.Response) (*Response, error) {
	host, code := resp.Request.URL.Host, resp.StatusCode
	switch {
	case code == http.StatusOK:
	case code == http.StatusNotFound || code == http.StatusGone:
		return nil, postern.Errorf(postern.Permanent, op, "%s: no such file (%d)", host, code).Because(postern.CauseNotFound)
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return nil, postern.Errorf(postern.Temporary, op, "%s: answered %d", host, code)
	default:
		// Not Denied: one stranger's file must not look like a key that fails.
		return nil, postern.Errorf(postern.Permanent, op, "%s: answered %d", host, code)
	}
	if resp.ContentLength > c.cfg.MaxSize {
		return nil, tooLarge(host, c.cfg.MaxSize)
	}
	return &Response{Size: resp.ContentLength, ContentType: resp.Header.Get("Content-Type")}, nil
}

func tooLarge(host string, limit int64) *postern.Error {
	return postern.Errorf(postern.Permanent, op, "%s: larger than %d bytes", host, limit).Because(postern.CauseTooLarge)
}

// dialError classes an error of a request that got no answer. The address's path and
// query (it may hold a key) stay out of the text.
func dialError(u *url.URL, err error) error {
	kind := postern.Temporary
	for _, refused := range []error{ssrf.ErrProhibitedIP, ssrf.ErrProhibitedNetwork, ssrf.ErrProhibitedPort, ssrf.ErrInvalidHostPort} {
		if errors.Is(err, refused) {
			kind = postern.Permanent
		}
	}
	return postern.Errorf(kind, op, "%s: %w", u.Host, err)
}
