package mailgun

import (
	"context"
	"io"
	"net/http"
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

func (r *rates) Wait(_ context.Context, call string) error {
	r.asked = append(r.asked, "wait "+call)
	return r.err
}

func (r *rates) Hold(_ context.Context, call string, until time.Time) error {
	r.asked = append(r.asked, "hold "+call+" "+until.UTC().Format(time.TimeOnly))
	return nil
}

// Other processes are asked before a mail goes out, and told when it is too much.
func TestLimiter(t *testing.T) {
	shared := &rates{}
	status, wait, calls := http.StatusOK, "", 0
	c := server(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		_, _ = io.Copy(io.Discard, r.Body)
		if wait != "" {
			w.Header().Set("Retry-After", wait)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"id":"<m1@mg.example.com>","message":"-"}`)
	}, func(cfg *Config) {
		cfg.Limiter = shared
		cfg.Now = func() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }
	})
	for _, step := range []struct {
		status int
		wait   string
		want   []string
	}{
		{200, "", []string{"wait send"}},
		{429, "30", []string{"wait send", "hold send 12:00:30"}},
		{429, "", []string{"wait send", "hold send 12:00:01"}},
		{503, "30", []string{"wait send"}},
		{401, "", []string{"wait send"}},
	} {
		status, wait, shared.asked = step.status, step.wait, nil
		if _, err := c.Send(context.Background(), outgoing(rawMail)); (err == nil) != (status == 200) {
			t.Error(status, err)
		}
		if !slices.Equal(shared.asked, step.want) {
			t.Errorf("%d: asked %q, want %q", status, shared.asked, step.want)
		}
	}
	// Without a turn nothing leaves, so that nobody has to ask whether it did.
	before := calls
	shared.err = postern.Errorf(postern.Temporary, "limit", "no turn")
	if _, err := c.Send(context.Background(), outgoing(rawMail)); postern.KindOf(err) != postern.Temporary || calls != before {
		t.Errorf("%v, %d calls", err, calls-before)
	}
}
