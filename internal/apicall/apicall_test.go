package apicall

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-chat/postern"
)

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func quick(_ context.Context, _ time.Duration) error { return nil }

func TestTries(t *testing.T) {
	for _, test := range []struct {
		method string
		status int
		calls  int64
	}{{"GET", 503, attempts}, {"POST", 503, 1}, {"POST", 429, attempts}, {"DELETE", 429, attempts}, {"GET", 404, 1}, {"GET", 200, 1}} {
		var n atomic.Int64
		url := serve(t, func(w http.ResponseWriter, r *http.Request) { n.Add(1); w.WriteHeader(test.status) })
		a, err := New(Config{Op: "x", Pause: quick}).Do(t.Context(), test.method, url, nil, nil, nil)
		if err != nil || a.Status != test.status || n.Load() != test.calls {
			t.Errorf("%+v: %d calls, %v", test, n.Load(), err)
		}
	}
}

// A key does not go where a redirect points.
func TestNoRedirect(t *testing.T) {
	var stolen atomic.Bool
	thief := serve(t, func(w http.ResponseWriter, r *http.Request) { stolen.Store(true) })
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief, http.StatusFound) })
	a, err := New(Config{Op: "x"}).Do(t.Context(), "GET", url, http.Header{"Authorization": {"secret"}}, nil, nil)
	if err != nil || a.Status != http.StatusFound || stolen.Load() {
		t.Errorf("%+v, %v, followed: %v", a, err, stolen.Load())
	}
}

func TestBounds(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(strings.Repeat("x", 100))) })
	if _, err := New(Config{Op: "x", MaxBody: 99}).Do(t.Context(), "GET", url, nil, nil, nil); postern.KindOf(err) != postern.Permanent {
		t.Errorf("a long answer: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(Config{Op: "x"}).Do(ctx, "GET", url, nil, nil, nil); postern.KindOf(err) != postern.Temporary {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := New(Config{Op: "x", Pause: quick}).Do(t.Context(), "GET", "http://127.0.0.1:1/", nil, nil, nil); postern.KindOf(err) != postern.Temporary {
		t.Errorf("nobody there: %v", err)
	}
}

// What may go at once and what is added in a minute stay within the limit together.
func TestRate(t *testing.T) {
	for _, perMinute := range []int{1, 5, 60, 240} {
		c := New(Config{PerMinute: perMinute})
		now := time.Now()
		sent := 0
		for at := now; at.Before(now.Add(time.Minute)); at = at.Add(10 * time.Millisecond) {
			for c.limit.AllowN(at, 1) {
				sent++
			}
		}
		if sent > max(perMinute, 2) || sent < perMinute*9/10 {
			t.Errorf("%d a minute: %d were let go in one", perMinute, sent)
		}
	}
}

func TestRetryAfterDate(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	c := New(Config{Now: func() time.Time { return now }})
	if d := c.after(http.Header{"Retry-After": {now.Add(90 * time.Second).Format(http.TimeFormat)}}, nil); d != 90*time.Second {
		t.Errorf("%v", d)
	}
	for _, odd := range []string{"-1", "soon", "", "99999999999999999999"} {
		if d := c.after(http.Header{"Retry-After": {odd}}, []byte(`[]`)); d != 0 {
			t.Errorf("%q: %v", odd, d)
		}
	}
}
