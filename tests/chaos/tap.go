//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// tap stands between the gateway and an emulator. It notes what a verdict needs, and
// kills the process that calls when a kill point is armed for that call. Each replica
// calls below a prefix of its own, /r0, /r1 ..., so that it is known who calls.
type tap struct {
	w    *world
	next http.Handler
	kind func(r *http.Request) string
}

var replicaPath = regexp.MustCompile(`^/r(\d+)/`)

// chatCall names a call of the chat's API; "" if it is none of the gateway's.
func chatCall(r *http.Request) string {
	p := r.URL.Path
	switch {
	case strings.HasPrefix(p, "/files/"):
		return "file"
	case p == "/v3/group_channels" && r.Method == http.MethodGet:
		return "channels"
	case !strings.HasPrefix(p, "/v3/group_channels/"):
		return ""
	case strings.HasSuffix(p, "/mark_as_read"):
		return "mark read"
	case strings.HasSuffix(p, "/mark_as_delivered"):
		return "mark delivered"
	case strings.HasSuffix(p, "/members"):
		return "members"
	case strings.HasSuffix(p, "/messages") && r.Method == http.MethodGet:
		return "messages"
	case strings.HasSuffix(p, "/messages") && strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/"):
		return "upload"
	case strings.HasSuffix(p, "/messages"):
		return "post"
	case r.Method != http.MethodGet:
	case strings.Count(p, "/") == 3:
		return "channel"
	case strings.Count(p, "/") == 5 && strings.Contains(p, "/messages/"):
		return "message"
	}
	return ""
}

// mailCall names a call of the e-mail provider's API.
func mailCall(r *http.Request) string {
	switch p := r.URL.Path; {
	case strings.HasSuffix(p, "/messages.mime"):
		return "send"
	case strings.HasSuffix(p, "/events") && strings.HasPrefix(p, "/v3/"), strings.HasSuffix(p, "/analytics/logs"):
		return "find"
	}
	return ""
}

// ServeHTTP passes a call on.
func (t *tap) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	from := -1
	if m := replicaPath.FindStringSubmatch(r.URL.Path); m != nil {
		from, _ = strconv.Atoi(m[1])
		r.URL.Path = r.URL.Path[len(m[0])-1:]
		r.RequestURI = r.URL.RequestURI()
	}
	kind := t.kind(r)
	if kind == "" {
		t.next.ServeHTTP(rw, r)
		return
	}
	if from < 0 {
		from = t.w.anybody()
	}
	if n := t.w.storm.Load(); n > 0 {
		t.w.strikes.add("429 storm", 1)
		storm(rw, t.w.storm.Add(1), kind)
		return
	}
	t.note(kind, from, r)
	t.w.calls.add(kind, 1)
	p := t.w.points.take(kind)
	if p == nil {
		t.next.ServeHTTP(rw, r)
		return
	}
	defer p.over() // also if a fault breaks the call off
	if p.moment == "before" {
		t.w.kill(from, p)
		panic(http.ErrAbortHandler)
	}
	// The call is carried out whatever happens to the caller.
	answer := httptest.NewRecorder()
	own, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), hangs)
	defer cancel() // a fault may have it hang
	t.next.ServeHTTP(answer, r.WithContext(own))
	if p.moment == "unanswered" {
		t.w.kill(from, p)
		panic(http.ErrAbortHandler)
	}
	maps.Copy(rw.Header(), answer.Header())
	rw.WriteHeader(answer.Code)
	_, _ = rw.Write(answer.Body.Bytes()) // whoever is dead does not read
	_ = http.NewResponseController(rw).Flush()
	t.w.kill(from, p)
}

// hangs is how long a call may hang after which its caller is to be killed.
const hangs = 5 * time.Second

// storm answers that it is too much, in each of the ways in which that is said: by three
// families of headers, in seconds, milliseconds and as a moment, by the text, or not at all.
func storm(rw http.ResponseWriter, n int64, kind string) {
	h, said := rw.Header(), ""
	h.Set("Content-Type", "application/json")
	switch n % 7 {
	case 0:
		h.Set("X-RateLimit-RetryAfter", "400")
	case 1:
		h.Set("X-RateLimit-RetryAfter", "1")
	case 2:
		h.Set("Retry-After", "1")
	case 3:
		h.Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Unix()+1, 10))
	case 4:
		h.Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().UnixMilli()+700, 10))
	case 5:
		said = ", try again after 1 seconds"
	}
	status := http.StatusTooManyRequests
	body := `{"message":"account-requests-per-sec limit exceeded` + said + `"}`
	if kind != "send" && kind != "find" {
		body = `{"error":true,"code":500910,"message":"Too many requests` + said + `."}`
		if n%2 == 0 { // the code says it, whatever the status
			status = http.StatusBadRequest
		}
	}
	rw.WriteHeader(status)
	_, _ = io.WriteString(rw, body)
}

// books are what passed by.
type books struct {
	mu      sync.Mutex
	lists   []listing
	marks   []marking
	opened  map[string]map[string]time.Time // address -> Message-ID -> when a person opened or answered it
	acks    map[string]*ack                 // hook and message -> when it was accepted
	replies []reply
	changes map[string]change // by the message's token
	lost    map[int64]bool    // webhooks that ended without having been accepted
	gaveUp  map[int64]string  // those of messages that ever did: lost or dropped
	spared  map[string]bool   // message and person: it is not to reach him, and why is known

	wordless bool // some messages of the chat have no token

	faultNames  sync.Map // of the chat's faults
	mailLooked  time.Time
	mailAgain   map[string]int
	mailWaiting atomic.Int64 // posts of the e-mail provider that are not accepted yet
}

// listing is a look at a channel's messages.
type listing struct {
	channel string
	since   int64
	began   time.Time
	from    int // the process
}

// marking is a call that sets a mark.
type marking struct {
	channel, user string
	read          bool
	began         time.Time
	from          int // the process
}

// ack tells when a webhook first came and when it was first accepted.
type ack struct{ came, taken time.Time }

func (b *books) init() {
	b.opened, b.acks = map[string]map[string]time.Time{}, map[string]*ack{}
	b.changes, b.lost, b.gaveUp, b.mailAgain = map[string]change{}, map[int64]bool{}, map[int64]string{}, map[string]int{}
	b.spared = map[string]bool{}
}

// note writes down what a verdict needs of a call, whatever comes of it.
func (t *tap) note(kind string, from int, r *http.Request) {
	b := &t.w.books
	began := time.Now()
	switch kind {
	case "messages":
		since, _ := strconv.ParseInt(r.URL.Query().Get("message_ts"), 10, 64)
		b.mu.Lock()
		b.lists = append(b.lists, listing{channelOf(r), since, began, from})
		b.mu.Unlock()
	case "mark read", "mark delivered":
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var in struct {
			User string `json:"user_id"`
		}
		_ = json.Unmarshal(body, &in) // a call that broke off says nothing, and does nothing
		b.mu.Lock()
		b.marks = append(b.marks, marking{channelOf(r), in.User, kind == "mark read", began, from})
		b.mu.Unlock()
	}
}

func channelOf(r *http.Request) string {
	parts := strings.Split(r.URL.Path, "/")
	if len(parts) > 3 {
		return parts[3]
	}
	return ""
}
