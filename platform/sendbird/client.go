package sendbird

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/fetch"
	"github.com/postern-chat/postern/internal/peerclock"
)

// Config says which application to speak for, and how.
type Config struct {
	AppID       string // as the dashboard shows it
	APIURL      string // default https://api-{AppID}.sendbird.com/v3
	APIToken    string // for calls; master or secondary
	MasterToken string // signs webhooks, always; default APIToken

	// MarkKey is the custom_type of our own messages, default "postern".
	MarkKey string

	// FileHosts are the hosts that files of messages are fetched from, in the forms of
	// fetch.Config.AllowedHosts; default ".sendbird.com". APIURL's own host and port
	// are always allowed. A host listed with its port is trusted as much as the API
	// itself: it is sent the token. List hosts of others without port.
	FileHosts   []string
	MaxFileSize int64 // in bytes, both ways; default 25 MB, Sendbird's own

	Rates Rates
	// Limiter paces the calls of a method together with other processes, beside Rates;
	// nil = there are none.
	Limiter Limiter
	Timeout time.Duration // of one call; uploads get more by their size; default 30s

	// HTTPClient makes the calls, default one of our own. Redirects are never followed.
	HTTPClient *http.Client
	Now        func() time.Time // default time.Now

	// Observe is told of each call when it is over: its name ("post", "members"...), "ok"
	// or the kind of the error, and how long it took without waiting for its turn.
	Observe func(call, outcome string, took time.Duration)
}

// Client speaks with one Sendbird application. It is safe for concurrent use.
type Client struct {
	cfg   Config
	base  string    // without final slash
	macs  sync.Pool // of hash.Hash, HMAC-SHA256 keyed with the master token
	http  *http.Client
	files *fetch.Client
	pace  *pacer
	clock peerclock.Clock
}

// New makes a client; it makes no call.
func New(cfg Config) (*Client, error) {
	if cfg.APIURL == "" {
		if cfg.AppID == "" {
			return nil, errors.New("sendbird: neither app id nor API URL is set")
		}
		cfg.APIURL = "https://api-" + cfg.AppID + ".sendbird.com/v3"
	}
	api, err := url.Parse(cfg.APIURL)
	if err != nil || api.Hostname() == "" || api.Scheme != "https" && api.Scheme != "http" || api.RawQuery != "" || api.User != nil {
		return nil, errors.New("sendbird: API URL must be like https://api-APP_ID.sendbird.com/v3")
	}
	if cfg.APIToken == "" {
		return nil, errors.New("sendbird: API token is not set")
	}
	setDefault(&cfg.MasterToken, cfg.APIToken)
	setDefault(&cfg.MarkKey, "postern")
	setDefault(&cfg.MaxFileSize, 25<<20)
	setDefault(&cfg.Timeout, 30*time.Second)
	if cfg.FileHosts == nil {
		cfg.FileHosts = []string{".sendbird.com"}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Client{
		cfg:  cfg,
		base: strings.TrimRight(api.String(), "/"),
		http: httpClient(cfg.HTTPClient),
		pace: newPacer(cfg.Rates),
	}
	key := []byte(cfg.MasterToken)
	c.macs.New = func() any { return hmac.New(sha256.New, key) }
	if c.files, err = newFiles(cfg, api); err != nil {
		return nil, err
	}
	return c, nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// httpClient gives a client that follows no redirect: net/http would hand the Api-Token
// on to another host, as it knows only the usual headers to be secret.
func httpClient(given *http.Client) *http.Client {
	hc := http.Client{Transport: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    1024, // as many as there are workers: a connection costs more than a call
		IdleConnTimeout:        60 * time.Second,
	}}
	if given != nil {
		hc = *given
	}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &hc
}

// maxAnswer bounds an answer: 200 messages with long data, and room.
const maxAnswer = 16 << 20

// call is one call of the API.
type call struct {
	name   string // "post"; the Op of its errors is "sendbird.post"
	method string
	path   []string // segments, not yet encoded
	query  url.Values
	body   *payload // nil = none
	paced  []bucket // beside the method's
}

func (k *call) op() string { return "sendbird." + k.name }

// do makes a call and gives the answer's body. It waits for its turn first.
func (c *Client) do(ctx context.Context, k call) ([]byte, error) {
	k.paced = append(k.paced, bucket{'m', k.method})
	if err := c.pace.wait(ctx, k.op(), k.paced); err != nil {
		return nil, err
	}
	if c.cfg.Limiter != nil {
		if err := c.cfg.Limiter.Wait(ctx, k.method); err != nil {
			return nil, err
		}
	}
	start := time.Now()
	answer, err := c.exchange(ctx, &k)
	if c.cfg.Observe != nil {
		outcome := "ok"
		if err != nil {
			outcome = postern.KindOf(err).String()
		}
		c.cfg.Observe(k.name, outcome, time.Since(start))
	}
	return answer, err
}

func (c *Client) exchange(ctx context.Context, k *call) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout+k.body.extraTime())
	defer cancel()
	req, err := c.request(ctx, k)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, noAnswer(k, err)
	}
	defer resp.Body.Close()
	c.clock.Heard(resp.Header, c.cfg.Now())
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if resp.StatusCode/100 == 2 {
		if err == nil && len(answer) > maxAnswer {
			err = errors.New("answer is too long")
		}
		if err != nil {
			return nil, noAnswer(k, err)
		}
		return answer, nil
	}
	// Whatever could be read of a refusal is enough; its status stands.
	e := c.refused(k, resp, answer)
	if e.Kind == postern.Temporary && e.After > 0 {
		c.pace.hold(k.paced, e.After)
		if c.cfg.Limiter != nil { // if it fails the others will be told as we were
			_ = c.cfg.Limiter.Hold(ctx, k.method, c.cfg.Now().Add(min(e.After, maxHold)))
		}
	}
	return nil, e
}

func (c *Client) request(ctx context.Context, k *call) (*http.Request, error) {
	var at strings.Builder
	at.WriteString(c.base)
	for _, s := range k.path {
		if strings.Trim(s, ".") == "" {
			// An empty or dotted segment would name another resource.
			return nil, postern.Errorf(postern.Permanent, k.op(), "no such name: %q", s).Because(postern.CauseNotFound)
		}
		at.WriteByte('/')
		at.WriteString(escape(s))
	}
	if len(k.query) > 0 {
		at.WriteByte('?')
		at.WriteString(k.query.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, k.method, at.String(), nil)
	if err != nil {
		return nil, postern.Errorf(postern.Internal, k.op(), "%w", err)
	}
	req.Header.Set("Api-Token", c.cfg.APIToken)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "postern")
	if k.body != nil {
		if err := k.body.attach(req); err != nil {
			return nil, openError(k, err)
		}
	}
	return req, nil
}

// escape percent-encodes a path segment; only RFC 3986's unreserved characters stay.
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}
