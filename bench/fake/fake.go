// Package fake is a Sendbird and a Mailgun that do nothing but answer after a while,
// and count. They are small, because they share the cores with what is measured; the
// emulators of the sandbox know far more and cost far more.
package fake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-chat/postern/bench/load"
)

// World counts what reaches the outside world.
type World struct {
	delay    atomic.Int64 // of the mail provider's answer, ns
	mails    atomic.Int64
	messages atomic.Int64 // chat messages in these mails
	posts    atomic.Int64
	replies  atomic.Bool // reply addresses are wanted
	buffers  sync.Pool

	mu        sync.Mutex
	times     []time.Duration // planned time of a message to its arrival at the mail provider
	last      time.Time
	addresses map[string]string // recipient: address to answer to
	posters   map[string]int    // posts by user
}

// Stats is what World counted since the last reset.
type Stats struct {
	Mails, Messages, Posts int64
	P50, P99               time.Duration
	Last                   time.Time // when the last mail, post or read mark came
}

// New makes a world that answers at once.
func New() *World {
	return &World{addresses: map[string]string{}, posters: map[string]int{}, buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
}

// ServeHTTP is both services, and below /_bench/ what the bench asks.
func (w *World) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	switch p := r.URL.Path; {
	case strings.HasSuffix(p, "/messages.mime"), strings.HasPrefix(p, "/v3/") && strings.HasSuffix(p, "/messages") && !strings.Contains(p, "group_channels"):
		w.mail(rw, r)
	case strings.HasPrefix(p, "/sendbird/"):
		w.chat(rw, r)
	case strings.HasSuffix(p, "/events"), strings.HasSuffix(p, "/logs"): // nothing is known of any mail
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, `{"items":[],"paging":{},"pagination":{}}`)
	case strings.HasPrefix(p, "/file/"):
		file(rw, strings.TrimPrefix(p, "/file/"))
	default:
		w.bench(rw, r)
	}
}

// mail is Mailgun taking a mail, raw or as a form.
func (w *World) mail(rw http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	if r.ContentLength > 1<<20 { // an attachment is not looked at
		_, _ = io.Copy(io.Discard, r.Body)
		w.mails.Add(1)
		w.messages.Add(1)
	} else if !w.read(r, arrived) {
		http.Error(rw, "broken", http.StatusBadRequest)
		return
	}
	if d := time.Duration(w.delay.Load()); d > 0 {
		time.Sleep(d)
	}
	rw.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(rw, `{"id":"<%d.bench@mg.example>","message":"Queued. Thank you."}`, w.mails.Load())
}

func (w *World) read(r *http.Request, arrived time.Time) bool {
	b := w.buffers.Get().(*bytes.Buffer)
	defer w.buffers.Put(b)
	b.Reset()
	if _, err := b.ReadFrom(r.Body); err != nil {
		return false
	}
	all := b.Bytes()
	w.mu.Lock()
	defer w.mu.Unlock()
	n, seen := 0, [8]string{}
	for rest := all; ; n++ {
		i := bytes.Index(rest, []byte(load.StampMark))
		if i < 0 {
			break
		}
		rest = rest[i+len(load.StampMark):]
		at, ok := load.StampIn(rest)
		if !ok || contains(seen[:], string(rest[:19])) { // text and HTML both have it
			n--
			continue
		}
		seen[n%len(seen)] = string(rest[:19])
		w.times = append(w.times, arrived.Sub(at))
	}
	w.mails.Add(1)
	w.messages.Add(int64(n))
	w.last = arrived
	if w.replies.Load() {
		to, from := headerIn(all, "\r\nTo: "), headerIn(all, "From: ")
		if to != "" && from != "" {
			w.addresses[to] = from
		}
	}
	return true
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// headerIn reads the address of a header field.
func headerIn(mail []byte, name string) string {
	i := bytes.Index(mail, []byte(name))
	if i < 0 {
		return ""
	}
	rest := mail[i+len(name):]
	for { // a field may go on in the next line
		end := bytes.Index(rest, []byte("\r\n"))
		if end < 0 {
			return ""
		}
		if end+2 < len(rest) && (rest[end+2] == ' ' || rest[end+2] == '\t') {
			rest = append(append([]byte{}, rest[:end]...), rest[end+2:]...)
			continue
		}
		rest = rest[:end]
		break
	}
	s := string(rest)
	if _, after, ok := strings.Cut(s, "<"); ok {
		s, _, _ = strings.Cut(after, ">")
	}
	return strings.TrimSpace(s)
}

// chat is Sendbird.
func (w *World) chat(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "application/json")
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/messages"):
		head, _ := io.ReadAll(io.LimitReader(r.Body, 4096))
		_, _ = io.Copy(io.Discard, r.Body)
		n := w.posts.Add(1)
		w.mu.Lock()
		w.last = time.Now()
		if _, rest, ok := bytes.Cut(head, []byte(`"user_id":"`)); ok {
			user, _, _ := bytes.Cut(rest, []byte(`"`))
			w.posters[string(user)]++
		}
		w.mu.Unlock()
		_, _ = fmt.Fprintf(rw, `{"message_id":%d,"type":"MESG","created_at":%d}`, 1<<40+n, time.Now().UnixMilli())
	case strings.HasSuffix(r.URL.Path, "/members"):
		_, _ = io.WriteString(rw, `{"members":[],"next":""}`)
	case strings.HasSuffix(r.URL.Path, "/messages"):
		_, _ = io.WriteString(rw, `{"messages":[]}`)
	case strings.HasSuffix(r.URL.Path, "/group_channels"):
		_, _ = io.WriteString(rw, `{"channels":[],"next":""}`)
	case strings.HasSuffix(r.URL.Path, "/mark_as_read"): // the last of what a mail brings about
		w.mu.Lock()
		w.last = time.Now()
		w.mu.Unlock()
		_, _ = io.WriteString(rw, `{}`)
	case r.Method == http.MethodGet:
		_, channel, _ := strings.Cut(r.URL.Path, "/group_channels/")
		_, _ = fmt.Fprintf(rw, `{"channel_url":%q,"name":"Support","is_super":false,"max_length_message":5000}`, channel)
	default:
		_, _ = io.WriteString(rw, `{}`)
	}
}

// file gives a file of so many bytes.
func file(rw http.ResponseWriter, size string) {
	n, err := strconv.ParseInt(size, 10, 32)
	if err != nil {
		http.NotFound(rw, nil)
		return
	}
	rw.Header().Set("Content-Type", "application/octet-stream")
	rw.Header().Set("Content-Length", size)
	chunk := bytes.Repeat([]byte{0xa5}, 64<<10)
	for n > 0 {
		m := min(n, int64(len(chunk)))
		if _, err := rw.Write(chunk[:m]); err != nil {
			return
		}
		n -= m
	}
}

// bench answers the bench itself.
func (w *World) bench(rw http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/_bench/reset": // delay=5ms replies=true
		d, _ := time.ParseDuration(r.FormValue("delay"))
		w.delay.Store(int64(d))
		w.replies.Store(r.FormValue("replies") == "true")
		w.mu.Lock()
		w.times, w.addresses, w.posters = nil, map[string]string{}, map[string]int{}
		w.mu.Unlock()
		w.mails.Store(0)
		w.messages.Store(0)
		w.posts.Store(0)
	case "/_bench/count":
		_, _ = fmt.Fprintf(rw, "%d %d %d", w.messages.Load(), w.posts.Load(), w.mails.Load())
	case "/_bench/stats":
		s := Stats{Mails: w.mails.Load(), Messages: w.messages.Load(), Posts: w.posts.Load()}
		w.mu.Lock()
		s.P50, s.P99 = load.Quantiles(w.times)
		s.Last = w.last
		w.mu.Unlock()
		_ = json.NewEncoder(rw).Encode(s)
	case "/_bench/addresses":
		w.mu.Lock()
		defer w.mu.Unlock()
		_ = json.NewEncoder(rw).Encode(w.addresses)
	case "/_bench/posters":
		w.mu.Lock()
		defer w.mu.Unlock()
		_ = json.NewEncoder(rw).Encode(w.posters)
	default:
		http.NotFound(rw, r)
	}
}
