package sendbird

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Fault is a rule that spoils calls to the Platform API. Of several that match a call, the oldest acts.
type Fault struct {
	ID int64 `json:"id"`
	// What it matches; empty fields match all. Path is a pattern of the whole path: * stands for one segment, a last **
	// for any rest, as in /v3/group_channels/*/messages.
	Method  string `json:"method,omitempty"`
	Path    string `json:"path,omitempty"`
	UserID  string `json:"user_id,omitempty"` // in the path or the body
	Channel string `json:"channel,omitempty"` // name or URL
	// Skip lets that many matching calls pass first; Count is how many it then spoils (0 = all); Probability is the
	// chance of each, drawn from the seed (0 = always).
	Skip        int     `json:"skip,omitempty"`
	Count       int     `json:"count,omitempty"`
	Probability float64 `json:"probability,omitempty"`
	// What it does: wait, then answer Status (with Code and Message as an error body, or Body as it is), or reset the
	// connection, or never answer. With none of the three the call goes on after the wait. Accept carries the call
	// out before it is spoiled.
	DelayMS int               `json:"delay_ms,omitempty"`
	Accept  bool              `json:"accept,omitempty"`
	Status  int               `json:"status,omitempty"`
	Code    int               `json:"code,omitempty"`
	Message string            `json:"message,omitempty"`
	Body    string            `json:"body,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Reset   bool              `json:"reset,omitempty"`
	Hang    bool              `json:"hang,omitempty"`
	Name    string            `json:"name,omitempty"` // of a fault by name

	seen, done int
}

// A HookFault is a rule that spoils webhooks. Do is "duplicate" (Copies in all, default 2), "delay" (by DelayMS),
// "reorder" (held until the channel's next event has gone out, at most DelayMS, default 1000) or "drop".
type HookFault struct {
	ID          int64   `json:"id"`
	Do          string  `json:"do"`
	Category    string  `json:"category,omitempty"`
	ChannelURL  string  `json:"channel_url,omitempty"`
	Skip        int     `json:"skip,omitempty"`
	Count       int     `json:"count,omitempty"`
	Probability float64 `json:"probability,omitempty"`
	DelayMS     int     `json:"delay_ms,omitempty"`
	Copies      int     `json:"copies,omitempty"`

	seen, done int
}

func (f *Fault) delay() time.Duration { return time.Duration(f.DelayMS) * time.Millisecond }

// fails tells whether the caller is denied the true answer.
func (f *Fault) fails() bool { return f.Reset || f.Hang || f.Status != 0 }

func (f *Fault) String() string {
	if f.Name != "" {
		return f.Name
	}
	return "fault " + strconv.FormatInt(f.ID, 10)
}

type faults struct {
	seed   int64
	slowBy time.Duration

	mu    sync.Mutex
	next  int64
	draws uint64
	calls []*Fault
	hooks []*HookFault
	named map[string]int // how often a counted name has acted
}

func newFaults(seed int64, slowBy time.Duration) *faults {
	return &faults{seed: seed, slowBy: slowBy, named: map[string]int{}}
}

func (fs *faults) clear() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.calls, fs.hooks, fs.draws = nil, nil, 0
	clear(fs.named)
}

func (fs *faults) remove(id int64) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	before := len(fs.calls) + len(fs.hooks)
	fs.calls = without(fs.calls, func(f *Fault) bool { return f.ID == id })
	fs.hooks = without(fs.hooks, func(f *HookFault) bool { return f.ID == id })
	return len(fs.calls)+len(fs.hooks) < before
}

func without[T any](list []T, gone func(T) bool) []T {
	var out []T
	for _, v := range list {
		if !gone(v) {
			out = append(out, v)
		}
	}
	return out
}

// AddFault sets a rule for calls and gives its id.
func (s *Server) AddFault(f Fault) int64 {
	fs := s.faults
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.next++
	f.ID = fs.next
	fs.calls = append(fs.calls, &f)
	return f.ID
}

// AddHookFault sets a rule for webhooks and gives its id.
func (s *Server) AddHookFault(f HookFault) (int64, error) {
	if !contains([]string{"duplicate", "delay", "reorder", "drop"}, f.Do) {
		return 0, fmt.Errorf("sendbird: webhook fault %q is none of duplicate, delay, reorder, drop", f.Do)
	}
	fs := s.faults
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.next++
	f.ID = fs.next
	fs.hooks = append(fs.hooks, &f)
	return f.ID, nil
}

// RemoveFault takes back a rule of either kind.
func (s *Server) RemoveFault(id int64) bool { return s.faults.remove(id) }

// due counts a match and tells whether the rule acts on it.
func (fs *faults) due(seen, done *int, skip, count int, probability float64, salt string) bool {
	*seen++
	if *seen <= skip || count > 0 && *done >= count {
		return false
	}
	if probability > 0 && fs.draw(salt) >= probability {
		return false
	}
	*done++
	return true
}

// draw gives a number in [0,1) that depends on the seed, the salt and how many were drawn before.
func (fs *faults) draw(salt string) float64 {
	fs.draws++
	h := fnv.New64a()
	_, _ = h.Write([]byte(salt))
	return rand.New(rand.NewPCG(uint64(fs.seed)^h.Sum64(), fs.draws)).Float64()
}

// target is whom a call concerns: names that may carry a fault.
type target struct {
	users    []string
	channels []string // name and URL
	byName   bool     // faults by name apply
}

func (fs *faults) call(c *call, t target) *Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.calls {
		if !f.matches(c.r, t) {
			continue
		}
		if fs.due(&f.seen, &f.done, f.Skip, f.Count, f.Probability, "call") {
			hit := *f
			return &hit
		}
	}
	if !t.byName {
		return nil
	}
	for _, name := range append(append([]string{}, t.users...), t.channels...) {
		if f := fs.byName(name); f != nil {
			return f
		}
	}
	return nil
}

func (f *Fault) matches(r *http.Request, t target) bool {
	return (f.Method == "" || strings.EqualFold(f.Method, r.Method)) &&
		(f.Path == "" || pathMatches(f.Path, r.URL.EscapedPath())) &&
		(f.UserID == "" || contains(t.users, f.UserID)) &&
		(f.Channel == "" || contains(t.channels, f.Channel))
}

func pathMatches(pattern, path string) bool {
	want := strings.Split(strings.Trim(pattern, "/"), "/")
	got := strings.Split(strings.Trim(path, "/"), "/")
	for i, w := range want {
		switch {
		case w == "**" && i == len(want)-1:
			return true
		case i >= len(got) || w != "*" && w != got[i]:
			return false
		}
	}
	return len(want) == len(got)
}

var namedFault = regexp.MustCompile(`^(4\d\d|5\d\d|reset|hang|slow)(-but-sent)?(?:-(\d+m?s))?(?:x(\d+))?$`)

// byName reads a fault out of a user id (its part before @) or a channel's name or URL.
func (fs *faults) byName(name string) *Fault {
	local, _, _ := strings.Cut(name, "@")
	m := namedFault.FindStringSubmatch(local)
	if m == nil {
		return nil
	}
	if m[4] != "" {
		if n, _ := strconv.Atoi(m[4]); fs.named[name] >= n {
			return nil
		}
		fs.named[name]++
	}
	f := &Fault{Name: local, Accept: m[2] != ""}
	switch m[1] {
	case "reset":
		f.Reset = true
	case "hang":
		f.Hang = true
	case "slow":
		f.DelayMS = int(fs.slowBy / time.Millisecond)
	default:
		f.Status, _ = strconv.Atoi(m[1])
	}
	if d, err := time.ParseDuration(m[3]); err == nil {
		f.DelayMS = int(d / time.Millisecond)
	}
	return f
}

// hook gives the first webhook fault due for an event, or nil.
func (fs *faults) hook(category, channelURL string) *HookFault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.hooks {
		if f.Category != "" && f.Category != category || f.ChannelURL != "" && f.ChannelURL != channelURL {
			continue
		}
		if fs.due(&f.seen, &f.done, f.Skip, f.Count, f.Probability, "hook") {
			hit := *f
			return &hit
		}
	}
	return nil
}

// list copies the rules, for the control plane.
func (fs *faults) list() ([]Fault, []HookFault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	calls, hooks := []Fault{}, []HookFault{}
	for _, f := range fs.calls {
		calls = append(calls, *f)
	}
	for _, f := range fs.hooks {
		hooks = append(hooks, *f)
	}
	return calls, hooks
}

// spoil makes the false answer.
func (s *Server) spoil(w http.ResponseWriter, c *call, f *Fault) (int, []byte, *Fault) {
	if f.Hang {
		untilDone(c.r.Context(), s.ctx)
		f.Reset = true
	}
	if f.Reset {
		return 0, nil, f
	}
	if f.Status == http.StatusTooManyRequests {
		s.mu.Lock()
		now := s.now()
		s.mu.Unlock()
		limitHeaders(w, scopedLimit, -1, now)
	}
	for k, v := range f.Headers {
		w.Header().Set(k, v)
	}
	if f.Body != "" {
		return f.Status, []byte(f.Body), f
	}
	e := faultError(f)
	return f.Status, encode(e.body(), nil), f
}

// faultError fills in the code and words that go with the status.
func faultError(f *Fault) *apiError {
	e := &apiError{f.Status, f.Code, f.Message}
	if e.code == 0 {
		switch {
		case f.Status == http.StatusTooManyRequests:
			e.code = codeRateLimit
		case f.Status == http.StatusForbidden:
			e.code = codeNotAvailable
		case f.Status >= 500:
			e.code = codeInternal
		default:
			e.code = codeInvalid
		}
	}
	if e.message == "" {
		e.message = http.StatusText(f.Status) + "."
	}
	return e
}

// namesOf finds whom a call concerns. Faults by name leave alone what sets the scene: making users and channels,
// inviting, settings.
func (s *Server) namesOf(c *call) target {
	s.mu.Lock()
	defer s.mu.Unlock()
	var t target
	for _, id := range []any{c.path["user_id"], c.body.m["user_id"], c.query.m["user_id"]} {
		if id, ok := id.(string); ok && id != "" {
			t.users = append(t.users, id)
		}
	}
	if url := c.path["channel_url"]; url != "" {
		t.channels = append(t.channels, url)
		for _, kind := range []string{groupChannels, openChannels} {
			if ch := s.st.channels[channelKey(kind, url)]; ch != nil && ch.name != "" {
				t.channels = append(t.channels, ch.name)
			}
		}
	}
	path := c.r.URL.Path
	t.byName = strings.Contains(path, "/messages") || c.r.Method == http.MethodGet || strings.Contains(path, "/mark_as_read_all")
	return t
}
