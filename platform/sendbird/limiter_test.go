package sendbird

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/postern-chat/postern"
)

// rates note what they are asked.
type rates struct {
	asked []string
	err   error
}

func (r *rates) Wait(_ context.Context, method string) error {
	r.asked = append(r.asked, "wait "+method)
	return r.err
}

func (r *rates) Hold(_ context.Context, method string, until time.Time) error {
	r.asked = append(r.asked, "hold "+method+" "+until.UTC().Format(time.TimeOnly))
	return r.err
}

// Other processes are asked before each call, and told when it is too much.
func TestLimiter(t *testing.T) {
	shared := &rates{}
	after := "7"
	calls := 0
	api := newTestClient(t, func(cfg *Config) {
		cfg.Limiter = shared
		cfg.Now = func() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }
		cfg.HTTPClient = transport(func(r *http.Request) (*http.Response, error) {
			calls++
			rec := httptest.NewRecorder()
			if r.Method == http.MethodPost {
				rec.Header().Set("X-RateLimit-RetryAfter", after)
				refuse(429, 500910)(rec, r)
			} else {
				answer(200, `{"members":[]}`)(rec, r)
			}
			return rec.Result(), nil
		})
	})
	if _, err := api.Members(bg, "ch"); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Post(bg, textPost); postern.KindOf(err) != postern.Temporary {
		t.Error(err)
	}
	if want := []string{"wait GET", "wait POST", "hold POST 12:00:07"}; !slices.Equal(shared.asked, want) {
		t.Errorf("asked %q, want %q", shared.asked, want)
	}
	shared.err = postern.Errorf(postern.Temporary, "limit", "no turn")
	if _, err := api.Members(bg, "ch"); postern.KindOf(err) != postern.Temporary || calls != 2 {
		t.Errorf("%v, %d calls: called without a turn", err, calls)
	}
}
