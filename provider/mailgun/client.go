package mailgun

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/peerclock"
)

// Config says which Mailgun domain is ours and how to reach it. Only Domain is
// always needed; a key is needed by the calls that use it, and they say so.
type Config struct {
	// Domain is the sending domain as Mailgun knows it.
	Domain string
	// Region is "us" (default) or "eu". Domains, suppressions and routes of one
	// region do not exist in the other.
	Region string
	// APIURL replaces the region's address. It carries no version.
	APIURL string
	// SendingKey sends and can do nothing else; AccountKey reads events and lifts
	// suppressions. Each stands in for the other when it is missing.
	SendingKey, AccountKey string
	// SigningKeys verify webhooks: any of them will do, so that a key can be changed
	// while posts signed with the old one are still being repeated.
	SigningKeys []string
	// Tag is the one constant tag on all mail, default "postern".
	Tag string
	// SignatureWindow is the greatest age of a signature, default 24 h. Mailgun
	// repeats a post for 8 h with the signature of its first try.
	SignatureWindow time.Duration
	// MaxInbound is the greatest mail taken, in decoded bytes; default 36 MiB.
	MaxInbound int64
	// MaxText is how much is kept of Mailgun's own idea of the reply's text, in
	// bytes; default 256 KiB. Longer is cut.
	MaxText int64
	// TempDir takes the attachments of a parsed post until all of it has arrived;
	// default is the system's.
	TempDir string
	// Limiter paces sending together with other processes; nil = nobody does.
	Limiter Limiter
	// HTTPClient makes the calls; default one with time-outs. Redirects are never
	// followed, whatever it says.
	HTTPClient *http.Client
	// Now is the clock, default time.Now.
	Now func() time.Time
	// Observe, if set, is told of every call: its name ("send", "find", "lift"), "ok"
	// or the kind of its error, and how long it took.
	Observe func(call, outcome string, took time.Duration)
}

const (
	defaultTag     = "postern"
	defaultWindow  = 24 * time.Hour
	defaultInbound = 36 << 20
	defaultText    = 256 << 10
	maxAnswer      = 8 << 20 // of the other side's answers: 300 events of a few KB
)

// Client talks to Mailgun and reads its webhooks. It is safe for concurrent use.
type Client struct {
	cfg  Config
	http *http.Client
	base string // without a slash at its end
	// boundary of the forms we send: random, and never told to who could write it into a mail.
	formBoundary string
	clock        peerclock.Clock // Mailgun's
	copies       sync.Pool       // of *[copySize]byte
}

// New makes a Client. It makes no call.
func New(cfg Config) (*Client, error) {
	if cfg.Domain == "" {
		return nil, errors.New("mailgun: no domain")
	}
	switch cfg.Region {
	case "":
		cfg.Region = "us"
	case "us", "eu":
	default:
		return nil, fmt.Errorf("mailgun: region %q is neither us nor eu", cfg.Region)
	}
	base, err := apiBase(cfg.APIURL, cfg.Region)
	if err != nil {
		return nil, err
	}
	cfg.SigningKeys = trimmed(cfg.SigningKeys)
	setDefault(&cfg.Tag, defaultTag)
	setDefault(&cfg.SignatureWindow, defaultWindow)
	setDefault(&cfg.MaxInbound, defaultInbound)
	setDefault(&cfg.MaxText, defaultText)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, string, time.Duration) {}
	}
	return &Client{cfg: cfg, http: httpClient(cfg.HTTPClient), base: base, formBoundary: rand.Text() + rand.Text()}, nil
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func trimmed(keys []string) []string {
	var out []string
	for _, k := range keys {
		if k = strings.TrimSpace(k); k != "" {
			out = append(out, k)
		}
	}
	return out
}

func apiBase(given, region string) (string, error) {
	if given == "" {
		if region == "eu" {
			return "https://api.eu.mailgun.net", nil
		}
		return "https://api.mailgun.net", nil
	}
	u, err := url.Parse(given)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", fmt.Errorf("mailgun: api_url %q is not an http or https URL", given)
	}
	base := strings.TrimRight(given, "/")
	for _, v := range []string{"/v1", "/v2", "/v3", "/v4", "/v5"} {
		if strings.HasSuffix(base, v) {
			return "", fmt.Errorf("mailgun: api_url %q must not end in a version: calls use several", given)
		}
	}
	return base, nil
}

// httpClient copies the given client so that redirects can be forbidden: a redirect
// would carry a mail, or a key, to an address nobody configured.
func httpClient(given *http.Client) *http.Client {
	if given == nil {
		given = &http.Client{
			Timeout: 5 * time.Minute, // a mail of 25 MB over a slow line
			Transport: &http.Transport{
				Proxy:                 http.ProxyFromEnvironment,
				DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
				ForceAttemptHTTP2:     true,
				MaxIdleConns:          1024,
				MaxIdleConnsPerHost:   1024,
				WriteBufferSize:       16 << 10, // most mails leave in one piece then
				IdleConnTimeout:       60 * time.Second,
				TLSHandshakeTimeout:   10 * time.Second,
				ResponseHeaderTimeout: 60 * time.Second,
			},
		}
	}
	c := *given
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// answer is what Mailgun said, read wholly.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// perform makes one request with Basic authentication and reads the answer. The error
// of a failed exchange is the transport's, unclassed. An answer that broke off comes
// with its status and an error.
func (c *Client) perform(req *http.Request, key string) (*answer, error) {
	req.SetBasicAuth("api", key)
	req.Header.Set("User-Agent", "postern")
	res, err := c.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL: it may hold somebody's address
		}
		return nil, err
	}
	defer res.Body.Close()
	c.clock.Heard(res.Header, c.cfg.Now())
	a := &answer{status: res.StatusCode, header: res.Header}
	a.body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return a, err
}

// call makes a call that may be repeated at will, so that no error of it is Unsure.
func (c *Client) call(ctx context.Context, op, method, target string, body []byte) (*answer, error) {
	key := c.cfg.AccountKey
	if key == "" {
		key = c.cfg.SendingKey
	}
	if key == "" {
		return nil, postern.Errorf(postern.Denied, op, "no key: mailgun.account_key is needed")
	}
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(string(body)))
	if err != nil {
		return nil, &postern.Error{Kind: postern.Permanent, Op: op, Err: err}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	a, err := c.perform(req, key)
	if err != nil {
		return nil, &postern.Error{Kind: postern.Temporary, Op: op, Err: err}
	}
	if a.status == http.StatusOK {
		return a, nil
	}
	e := c.refusal(op, a)
	if e.Kind == postern.Unsure {
		e.Kind = postern.Temporary
	}
	if e.Kind == postern.Denied && c.cfg.AccountKey == "" {
		e.Err = fmt.Errorf("%w; a domain sending key cannot do this: set mailgun.account_key", e.Err)
	}
	return a, e
}

// refusal classes an answer that is not a success, as for a call that may not be
// repeated blindly.
func (c *Client) refusal(op string, a *answer) *postern.Error {
	e := &postern.Error{Op: op, Code: strconv.Itoa(a.status), Err: errors.New("refused"), Said: a.message()}
	switch s := a.status; {
	case s == http.StatusTooManyRequests:
		e.Kind, e.After = postern.Temporary, a.wait(c.cfg.Now())
	case s == http.StatusUnauthorized, s == http.StatusPaymentRequired, s == http.StatusForbidden:
		// A foreign domain was recorded as 401 "Forbidden" like a bad key.
		e.Kind = postern.Denied
		e.Err = fmt.Errorf("refused: wrong key, wrong domain (%s) or wrong region (%s): %s", c.cfg.Domain, c.cfg.Region, a.anonymous())
	case s == http.StatusNotFound:
		e.Kind, e.Cause = postern.Denied, postern.CauseNotFound
		e.Err = fmt.Errorf("not found: domain %s is unknown in region %s, or the API URL is wrong", c.cfg.Domain, c.cfg.Region)
	case s == http.StatusRequestEntityTooLarge:
		e.Kind, e.Cause = postern.Permanent, postern.CauseTooLarge
	case s == http.StatusRequestTimeout:
		e.Kind = postern.Temporary // the server says that it did not get all of it
	case s >= 500:
		// Reported: 5xx although the mail was accepted and sent.
		e.Kind = postern.Unsure
	case s >= 400:
		e.Kind = postern.Permanent
	case s >= 300:
		e.Kind = postern.Denied
		e.Err = fmt.Errorf("redirected: the API URL %s is wrong", c.base)
	default:
		e.Kind = postern.Unsure
		e.Err = errors.New("neither success nor failure")
	}
	return e
}

// message is Mailgun's word, for logs: the message of a JSON answer, else its text.
func (a *answer) message() string {
	var m struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(a.body, &m) == nil && m.Message != "" {
		return clean(m.Message, 300)
	}
	return clean(string(a.body), 100)
}

// anonymous is message without what may be an address: what is wrong with the account
// is for the operator's eye in any log.
func (a *answer) anonymous() string {
	words := strings.Fields(a.message())
	for i, w := range words {
		if strings.Contains(w, "@") {
			words[i] = "***"
		}
	}
	return strings.Join(words, " ")
}

const maxWait = time.Hour

// wait tells how long a 429 asks us to stay away: Retry-After, else the number in its
// text or its retry-seconds (Mailgun names them nowhere else), else the greatest sane X-...-Reset, which is
// Unix time in milliseconds. 0 = it did not say.
func (a *answer) wait(now time.Time) time.Duration {
	now = peerclock.Time(a.header, now)
	if v := a.header.Get("Retry-After"); v != "" {
		if n, err := strconv.ParseInt(v, 10, 32); err == nil && n >= 0 {
			return min(time.Duration(n)*time.Second, maxWait)
		}
		if t, err := http.ParseTime(v); err == nil {
			return max(0, min(t.Sub(now), maxWait))
		}
	}
	if _, rest, ok := strings.Cut(a.message(), "try again after "); ok {
		digits, unit, _ := strings.Cut(rest, " ")
		if n, err := strconv.ParseUint(digits, 10, 31); err == nil && strings.HasPrefix(unit, "second") {
			return min(time.Duration(n)*time.Second, maxWait)
		}
	}
	var told struct {
		Seconds uint32 `json:"retry-seconds"`
	}
	if json.Unmarshal(a.body, &told) == nil && told.Seconds > 0 {
		return min(time.Duration(told.Seconds)*time.Second, maxWait)
	}
	var longest time.Duration
	for _, name := range []string{"X-Ratelimit-Reset", "X-Recipient-Limit-Reset", "X-Recipient-Reset", "X-Request-Reset", "X-Request-Limit-Reset"} {
		ms, err := strconv.ParseInt(a.header.Get(name), 10, 64)
		if err != nil {
			continue
		}
		if d := time.UnixMilli(ms).Sub(now); d > longest && d <= maxWait {
			longest = d
		}
	}
	return longest
}

// observe reports a call's end; use it deferred.
func (c *Client) observe(call string, begin time.Time, err *error) {
	outcome := "ok"
	if *err != nil {
		outcome = postern.KindOf(*err).String()
	}
	c.cfg.Observe(call, outcome, c.cfg.Now().Sub(begin))
}
