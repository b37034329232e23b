package sendbird

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
)

// scopedLimit is what one channel, user or application may do in a second on a "rate-limited API".
const scopedLimit = 5

// limiter counts calls in whole seconds of the application's clock.
type limiter struct {
	mu     sync.Mutex
	second int64
	counts map[string]int
}

func newLimiter() *limiter { return &limiter{counts: map[string]int{}} }

func (l *limiter) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.counts)
}

// take counts one call under key in the given second and gives what is left, below zero when it was one too many.
func (l *limiter) take(key string, second int64, limit int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if second != l.second {
		clear(l.counts)
		l.second = second
	}
	if l.counts[key] >= limit {
		return -1
	}
	l.counts[key]++
	return limit - l.counts[key]
}

// planLimit is the plan's calls per second of one HTTP method over all endpoints.
func planLimit(plan, method string) int {
	get := map[string]int{"free": 10, "5k": 60, "10k": 100, "25k": 200, "50k": 400, "100k": 600}
	other := map[string]int{"free": 5, "5k": 10, "10k": 20, "25k": 40, "50k": 100, "100k": 200}
	if method == http.MethodGet {
		return get[plan]
	}
	return other[plan]
}

// limit applies the plan: a listed call is counted against its object first, then every call against the method.
func (s *Server) limit(w http.ResponseWriter, c *call, rt *route) bool {
	s.mu.Lock()
	plan, now := s.sw.RateLimits, s.now()
	s.mu.Unlock()
	if plan == "" {
		return true
	}
	second := now / 1000
	if key := scopeKey(c, rt); key != "" {
		if left := s.limits.take(key, second, scopedLimit); left < 0 {
			limitHeaders(w, scopedLimit, left, now)
			return false
		}
	}
	limit := planLimit(plan, c.r.Method)
	left := s.limits.take(c.r.Method, second, limit)
	limitHeaders(w, limit, left, now)
	return left >= 0
}

func scopeKey(c *call, rt *route) string {
	head := c.r.Method + " " + fmt.Sprint(rt.segments) + " "
	switch rt.scope {
	case perApp:
		return head
	case perChannel:
		return head + c.path["channel_url"]
	case perUser:
		return head + c.path["user_id"]
	}
	return ""
}

func limitHeaders(w http.ResponseWriter, limit, left int, now int64) {
	h := w.Header()
	h["X-RateLimit-Limit"] = []string{fmt.Sprintf("%d;w=1", limit)}
	h["X-RateLimit-Remaining"] = []string{strconv.Itoa(max(left, 0))}
	h["X-RateLimit-Reset"] = []string{strconv.FormatInt(now/1000+1, 10)}
	if left < 0 {
		h["X-RateLimit-RetryAfter"] = []string{"1"}
	}
}
