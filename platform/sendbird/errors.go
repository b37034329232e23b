package sendbird

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/peerclock"
)

// noAnswer classes a call that ended without an answer one could read. Only a POST is
// not harmless to repeat; and it did happen, perhaps, once all of it was handed over.
func noAnswer(k *call, err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // the rest of it is the address
	}
	kind := postern.Temporary
	if k.body != nil {
		complete, own := k.body.abandon()
		if own != nil && !complete {
			return openError(k, own)
		}
		if complete && k.method == http.MethodPost {
			kind = postern.Unsure
		}
	}
	return postern.Errorf(kind, k.op(), "%w", err)
}

// openError is for a file of ours that could not be read: nothing was sent in full.
func openError(k *call, err error) error {
	var e *postern.Error
	if errors.As(err, &e) {
		return &postern.Error{Kind: e.Kind, Cause: e.Cause, Op: k.op(), Code: e.Code, After: e.After, Err: err}
	}
	return postern.Errorf(postern.Internal, k.op(), "reading our file: %w", err)
}

// refusal is the body of an error answer.
type refusal struct {
	code    string
	message string
}

func readRefusal(body []byte) refusal {
	r := reader{b: body}
	var f refusal
	if r.peek() != '{' || !r.object() {
		return f
	}
	for {
		key, ok := r.key()
		if !ok {
			break
		}
		switch string(key) {
		case "code":
			f.code = r.id()
		case "message":
			f.message = r.str()
		default:
			r.skip()
		}
	}
	if r.end() != nil {
		return refusal{}
	}
	return f
}

// refused classes an answer that is not 2xx: by its code, because nearly everything is
// a 400; by the status only where there is no code, which means that the answer is of
// somebody else on the way.
func (c *Client) refused(k *call, resp *http.Response, body []byte) *postern.Error {
	f := readRefusal(body)
	e := &postern.Error{Op: k.op(), Code: f.code}
	status := resp.StatusCode
	switch {
	case status == http.StatusTooManyRequests || slowDown(f.code):
		e.Kind, e.After = postern.Temporary, c.retryAfter(resp.Header)
	case status >= 500 || f.code == "500901":
		e.Kind = k.maybe()
	case status == http.StatusRequestEntityTooLarge:
		e.Kind, e.Cause = postern.Permanent, postern.CauseTooLarge
	case f.code != "":
		e.Kind, e.Cause = classify(f.code, k)
	default:
		e.Kind = uncoded(status, k)
	}
	if e.Code == "" {
		e.Code = strconv.Itoa(status)
	}
	e.Err, e.Said = errors.New("answered "+strconv.Itoa(status)), shorten(f.message)
	return e
}

// maybe is the kind of a call that failed over there: it may have happened if it is
// a POST and all of it was handed over.
func (k *call) maybe() postern.Kind {
	if k.method != http.MethodPost || k.body == nil {
		return postern.Temporary
	}
	if complete, _ := k.body.abandon(); !complete {
		return postern.Temporary
	}
	return postern.Unsure
}

// slowDown knows the codes of too many requests: the socket's, the API's, and the bare
// status, which some pages list.
func slowDown(code string) bool {
	return code == "500910" || code == "900200" || code == "429"
}

// classify judges by the code (sendbird.com/docs/chat/platform-api/v3/error-codes).
func classify(code string, k *call) (postern.Kind, postern.Cause) {
	post := k.name == callPost
	switch code {
	case "400401", "400302", "400303", "400304", "400306", "400307", "403100", // token, application, quota, domain
		"400404", "400920", "400930": // address, read-only application, no such call
		return postern.Denied, postern.CauseNone
	case "400108":
		// Where we post it is the sender who may not; elsewhere it is us, or our plan.
		if !post {
			return postern.Denied, postern.CauseNone
		}
	case "400201", "400301", "900300", "900500":
		return postern.Permanent, postern.CauseNotFound
	case "400110":
		if k.body != nil && k.body.file != nil {
			return postern.Permanent, postern.CauseTooLarge // there is no text to split
		}
		return postern.Permanent, postern.CauseTooLong
	case "400202":
		// What a repeated dedup_id gives is undocumented: it may be this.
		if post {
			return postern.Unsure, postern.CauseExists
		}
		return postern.Permanent, postern.CauseExists
	case "500601", "500602", "400500", "400501":
		return postern.Temporary, postern.CauseNone
	}
	return postern.Permanent, postern.CauseNone
}

// uncoded judges an answer that is not Sendbird's: of a proxy, or of a wrong address.
func uncoded(status int, k *call) postern.Kind {
	switch {
	case status == http.StatusRequestTimeout:
		return k.maybe()
	case status/100 == 3, status == 401, status == 403, status == 404, status == 405, status == 407:
		return postern.Denied
	}
	return postern.Internal
}

// Limits of what is believed of a rate limit's headers.
const (
	defaultRetry = time.Second
	maxRetry     = 5 * time.Minute
)

// retryAfter tells how long to wait after a 429. The headers' unit is not documented:
// X-RateLimit-RetryAfter may be seconds or milliseconds, X-RateLimit-Reset also a time.
func (c *Client) retryAfter(h http.Header) time.Duration {
	now := peerclock.Time(h, c.cfg.Now())
	for _, name := range []string{"X-Ratelimit-Retryafter", "Retry-After", "X-Ratelimit-Reset"} {
		v, err := strconv.ParseFloat(strings.TrimSpace(h.Get(name)), 64)
		if err != nil || !(v > 0 && v < 1e14) {
			continue
		}
		var d time.Duration
		switch {
		case v > 1e11: // Unix milliseconds
			d = time.UnixMilli(int64(v)).Sub(now)
		case v > 1e9: // Unix seconds
			d = time.Unix(int64(v), 0).Sub(now)
		case v > maxRetry.Seconds(): // no such wait in seconds
			d = time.Duration(v * float64(time.Millisecond))
		default:
			d = time.Duration(v * float64(time.Second))
		}
		if d > 0 {
			return min(max(d, 100*time.Millisecond), maxRetry)
		}
	}
	return defaultRetry
}

// Ahead tells how far Sendbird's clock was ahead of ours at its last answer; 0 where they
// agree within two seconds, and before the first.
func (c *Client) Ahead() time.Duration { return c.clock.Ahead() }

// shorten keeps the other side's words to a line's length.
func shorten(s string) string {
	const most = 200
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
