package apicall

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/postern-chat/postern"
	"golang.org/x/time/rate"
)

// Config says how calls are made.
type Config struct {
	Op        string       // "godaddy", for errors
	HTTP      *http.Client // default: a client with 30s for a call
	UserAgent string       // default "postern"
	// PerMinute calls at the most in any minute; up to a sixth of them at once. 0 = no limit.
	PerMinute int
	Now       func() time.Time
	// Pause waits, or until ctx ends; default does just that.
	Pause func(ctx context.Context, d time.Duration) error
	// MaxPause is the longest that is waited for the other side before one call is given
	// up as Temporary; default 90s.
	MaxPause time.Duration
	MaxBody  int64 // of an answer, default 4 MB
}

// Caller makes calls. It is safe for concurrent use.
type Caller struct {
	cfg   Config
	http  *http.Client
	limit *rate.Limiter
}

// Answer is what came back, whatever its status.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// After is how long the other side wants us to wait, 0 if it does not say.
	After time.Duration
}

const attempts = 4

// New makes a Caller.
func New(cfg Config) *Caller {
	if cfg.UserAgent == "" {
		cfg.UserAgent = "postern"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Pause == nil {
		cfg.Pause = pause
	}
	if cfg.MaxPause == 0 {
		cfg.MaxPause = 90 * time.Second
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 4 << 20
	}
	c := &Caller{cfg: cfg, limit: rate.NewLimiter(rate.Inf, 1)}
	if n := cfg.PerMinute; n > 0 {
		// What may go at once and what is added in a minute together are the limit.
		burst := max(1, n/6)
		c.limit = rate.NewLimiter(rate.Limit(float64(max(1, n-burst))/60), burst)
	}
	client := http.Client{Timeout: 30 * time.Second}
	if cfg.HTTP != nil {
		client = *cfg.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &client
	return c
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Do makes a call. 429 is waited for and tried again; so are 5xx and broken connections if
// the method changes nothing (GET). Sign, if given, is called for every attempt. The
// error is Temporary if no answer came; statuses are no errors.
func (c *Caller) Do(ctx context.Context, method, url string, header http.Header, body []byte, sign func(*http.Request)) (Answer, error) {
	harmless := method == http.MethodGet
	var waited time.Duration
	for try := 1; ; try++ {
		if err := c.limit.Wait(ctx); err != nil {
			return Answer{}, postern.Errorf(postern.Temporary, c.cfg.Op, "no time left to wait for our own rate limit: %w", err)
		}
		a, err := c.once(ctx, method, url, header, body, sign)
		again := err == nil && a.Status == http.StatusTooManyRequests ||
			harmless && (err != nil && postern.KindOf(err) == postern.Temporary || a.Status >= 500)
		if !again || try == attempts || ctx.Err() != nil {
			return a, err
		}
		d := a.After
		if d <= 0 {
			d = time.Second << (try - 1)
		}
		if waited += d; waited > c.cfg.MaxPause {
			return a, err
		}
		if c.cfg.Pause(ctx, d) != nil {
			return a, err
		}
	}
}

func (c *Caller) once(ctx context.Context, method, url string, header http.Header, body []byte, sign func(*http.Request)) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, postern.Errorf(postern.Invalid, c.cfg.Op, "not an address to call")
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	if sign != nil {
		sign(req)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, postern.Errorf(postern.Temporary, c.cfg.Op, "%s: %w", method, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, c.cfg.MaxBody+1))
	if err != nil {
		return Answer{}, postern.Errorf(postern.Temporary, c.cfg.Op, "answer broke off: %w", err)
	}
	if int64(len(b)) > c.cfg.MaxBody {
		return Answer{}, postern.Errorf(postern.Permanent, c.cfg.Op, "answer of more than %d bytes", c.cfg.MaxBody)
	}
	a := Answer{Status: resp.StatusCode, Header: resp.Header, Body: b}
	a.After = c.after(resp.Header, b)
	return a, nil
}

// after reads how long to wait: the header in seconds or as a date (RFC 9110 section
// 10.2.3), or GoDaddy's retryAfterSec.
func (c *Caller) after(h http.Header, body []byte) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil && n > 0 {
		return time.Duration(min(n, 86400)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil && t.After(c.cfg.Now()) {
		return t.Sub(c.cfg.Now())
	}
	var inBody struct {
		RetryAfterSec float64 `json:"retryAfterSec"`
	}
	if json.Unmarshal(body, &inBody) == nil && inBody.RetryAfterSec > 0 {
		return time.Duration(min(inBody.RetryAfterSec, 86400) * float64(time.Second))
	}
	return 0
}

// Kind is the usual reading of a status that is not a success.
func Kind(status int) (postern.Kind, postern.Cause) {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return postern.Denied, postern.CauseNone
	case status == http.StatusNotFound || status == http.StatusGone:
		return postern.Permanent, postern.CauseNotFound
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500:
		return postern.Temporary, postern.CauseNone
	}
	return postern.Permanent, postern.CauseNone
}
