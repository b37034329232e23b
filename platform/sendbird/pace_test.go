package sendbird

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-chat/postern"
)

// inBubble runs work at several callers at once under a clock of its own, and tells when
// each call was let through, since the start.
func inBubble(t *testing.T, rates Rates, calls [][]bucket) []time.Duration {
	t.Helper()
	var passed []time.Duration
	synctest.Test(t, func(t *testing.T) {
		p, start := newPacer(rates), time.Now()
		var mu sync.Mutex
		var wg sync.WaitGroup
		for _, bs := range calls {
			wg.Go(func() {
				if err := p.wait(context.Background(), "test", bs); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				passed = append(passed, time.Since(start))
			})
		}
		wg.Wait()
	})
	return passed
}

func times(n int, bs []bucket) [][]bucket {
	out := make([][]bucket, n)
	for i := range out {
		out[i] = bs
	}
	return out
}

// mostInASecond counts the calls of the fullest second.
func mostInASecond(passed []time.Duration) (most int) {
	for i, from := range passed {
		n := 0
		for _, at := range passed[i:] {
			if at < from+time.Second {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func TestPaceStaysBelowFiveASecond(t *testing.T) {
	elsewhere := func(n int) (all [][]bucket) {
		for i := range n {
			all = append(all, paced(postern.ChannelID(fmt.Sprint("ch", i)), "ana"))
		}
		return all
	}
	others := func(n int) (all [][]bucket) {
		for i := range n {
			all = append(all, paced("ch", postern.UserID(fmt.Sprint("u", i))))
		}
		return all
	}
	for name, calls := range map[string][][]bucket{
		"one user in one channel": times(21, paced("ch", "ana")),
		"one user in many":        elsewhere(21),
		"many users in one":       others(21),
		"lines of the house":      times(21, paced("ch", "")),
	} {
		passed := inBubble(t, Rates{}, calls)
		if got := mostInASecond(passed); got > 4 {
			t.Errorf("%s: %d in a second: %v", name, got, passed)
		}
		if last := passed[len(passed)-1]; last != 5*time.Second {
			t.Errorf("%s: 21 calls at 4/s took %v", name, last)
		}
	}
}

func TestPaceDoesNotHoldUpOthers(t *testing.T) {
	var calls [][]bucket
	for i := range 50 {
		id := fmt.Sprint(i)
		calls = append(calls, paced(postern.ChannelID(id), postern.UserID(id)))
	}
	for _, at := range inBubble(t, Rates{}, calls) {
		if at != 0 {
			t.Errorf("waited %v", at)
		}
	}
}

func TestPaceByMethod(t *testing.T) {
	get, put := []bucket{{'m', "GET"}}, []bucket{{'m', "PUT"}}
	passed := inBubble(t, Rates{Get: 10}, append(times(11, get), times(100, put)...))
	if last := passed[len(passed)-1]; last != time.Second {
		t.Errorf("11 calls at 10/s took %v", last)
	}
	if passed[100] != 0 {
		t.Errorf("methods without rate waited %v", passed[100])
	}
}

func TestPaceOff(t *testing.T) {
	passed := inBubble(t, Rates{Channel: -1, User: -1}, times(100, paced("ch", "ana")))
	if passed[99] != 0 {
		t.Errorf("waited %v", passed[99])
	}
}

func TestPaceObeysTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, bs, start := newPacer(Rates{}), paced("ch", "ana"), time.Now()
		p.hold(bs, 10*time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := p.wait(ctx, "sendbird.post", bs)
		if postern.KindOf(err) != postern.Temporary || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		// Who gave up took nothing.
		if err := p.wait(context.Background(), "", bs); err != nil || time.Since(start) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, start := newPacer(Rates{}), time.Now()
		ch, other := paced("ch", ""), paced("other", "")
		p.hold(ch, 3*time.Second)
		p.hold(ch, time.Second) // a shorter one does not lift it
		if d := p.take(other); d != 0 {
			t.Errorf("another channel waits %v", d)
		}
		if d := p.take(ch); d != 3*time.Second {
			t.Errorf("held for %v", d)
		}
		p.hold(ch, 24*time.Hour)
		if err := p.wait(context.Background(), "", ch); err != nil || time.Since(start) != maxHold {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// A 429 stops the next call of the same kind for as long as it says.
func TestARateLimitIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		limited := true
		api := newTestClient(t, func(cfg *Config) {
			cfg.HTTPClient = transport(func(r *http.Request) (*http.Response, error) {
				at = append(at, time.Since(start))
				rec := httptest.NewRecorder()
				if limited {
					rec.Header().Set("X-RateLimit-RetryAfter", "7")
					refuse(429, 500910)(rec, r)
				} else {
					answer(200, `{"message_id":1,"members":[]}`)(rec, r)
				}
				limited = false
				return rec.Result(), nil
			})
		})
		if _, err := api.Post(bg, textPost); postern.RetryAfter(err) != 7*time.Second {
			t.Error(err)
		}
		if _, err := api.Members(bg, "ch"); err != nil { // another method goes on
			t.Error(err)
		}
		if _, err := api.Post(bg, textPost); err != nil {
			t.Error(err)
		}
		if want := []time.Duration{0, 0, 7 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("called at %v", at)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// transport answers without a network, whose waiting a bubble cannot see through.
func transport(f roundTrip) *http.Client { return &http.Client{Transport: f} }

func TestPaceForgetsWhatIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(Rates{})
		for i := range 10 * maxIdleKeys {
			p.take([]bucket{{'c', fmt.Sprint(i)}})
			time.Sleep(time.Millisecond)
		}
		if len(p.next) > maxIdleKeys {
			t.Errorf("%d buckets are kept", len(p.next))
		}
	})
}
