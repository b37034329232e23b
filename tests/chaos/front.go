//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

// front is the proxy before the replicas: round robin, and it repeats nothing.
type front struct {
	w      *world
	url    string
	next   atomic.Int64
	lose   atomic.Int64 // of 100 answers, so many never reach the other side
	client *http.Client
}

func newFront(w *world, url string) *front {
	// A connection of its own for each request: net/http repeats by itself what a kept
	// connection did not take.
	return &front{w: w, url: url, client: &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// hookOf names a webhook.
func hookOf(path string) string {
	switch {
	case strings.HasSuffix(path, "/hooks/sendbird"):
		return "hook chat"
	case strings.HasSuffix(path, "/inbound/mime"):
		return "hook inbound"
	case strings.HasSuffix(path, "/events"):
		return "hook event"
	}
	return ""
}

func (f *front) pick() *replica {
	for range f.w.replicas {
		r := f.w.replicas[int(f.next.Add(1))%len(f.w.replicas)]
		if r.up() {
			return r
		}
	}
	return nil
}

// ServeHTTP passes a request to the next replica.
func (f *front) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	hook := hookOf(r.URL.Path)
	key := ""
	if hook != "" {
		key = messageKey(hook, r.Header.Get("Content-Type"), body)
		f.w.books.came(key)
	}
	to := f.pick()
	if to == nil {
		http.Error(rw, "nobody is there", http.StatusBadGateway)
		return
	}
	var p *point
	if hook != "" {
		f.w.calls.add(hook, 1)
		p = f.w.points.take(hook)
	}
	if p != nil {
		killed := f.strike(to, p)
		defer func() {
			<-killed
			p.over()
		}()
	}
	resp, answer, err := f.pass(to, r, body)
	if err != nil {
		http.Error(rw, "no answer", http.StatusBadGateway)
		return
	}
	if resp.StatusCode == http.StatusOK && hook != "" {
		f.w.books.taken(key)
		if p != nil && p.moment == "answered" {
			f.w.kill(to.n, p)
		}
		if lose := f.lose.Load(); lose > 0 && int64(len(body)*7+int(f.next.Load()))%100 < lose {
			f.w.strikes.add("answer lost", 1)
			panic(http.ErrAbortHandler)
		}
	}
	maps.Copy(rw.Header(), resp.Header)
	rw.WriteHeader(resp.StatusCode)
	_, _ = rw.Write(answer)
}

// strike kills before a request is passed on, or somewhere between its arrival and its
// answer; it tells when that is done.
func (f *front) strike(to *replica, p *point) (done chan struct{}) {
	done = make(chan struct{})
	switch p.moment {
	case "before":
		f.w.kill(to.n, p)
	case "unanswered":
		go func() {
			defer close(done)
			time.Sleep(p.after)
			f.w.kill(to.n, p)
		}()
		return done
	}
	close(done)
	return done
}

func (f *front) pass(to *replica, r *http.Request, body []byte) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, to.url+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(req.Header, r.Header)
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	return resp, answer, err
}

// messageKey names what a webhook tells of: "chat" and the message's id, or "mail" and
// the Message-ID. "" for anything else.
func messageKey(hook, contentType string, body []byte) string {
	switch hook {
	case "hook chat":
		var e struct {
			Category string
			Payload  struct {
				ID json.Number `json:"message_id"`
			}
		}
		if json.Unmarshal(body, &e) != nil {
			return ""
		}
		switch _, what, _ := strings.Cut(e.Category, ":"); what {
		case "message_send":
			return "chat " + e.Payload.ID.String()
		case "message_update":
			return "edit " + e.Payload.ID.String()
		case "message_delete":
			return "delete " + e.Payload.ID.String()
		}
	case "hook inbound":
		if m := mailID.FindStringSubmatch(rawMail(contentType, body)); m != nil {
			return "mail " + m[1]
		}
	}
	return ""
}

var mailID = regexp.MustCompile(`(?im)^message-id:\s*<([^>]+)>`)

// rawMail finds the mail in a form of either kind.
func rawMail(contentType string, body []byte) string {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	if kind != "multipart/form-data" {
		v, _ := url.ParseQuery(string(body)) // what could be read is looked at
		return v.Get("body-mime")
	}
	form, err := multipart.NewReader(bytes.NewReader(body), params["boundary"]).ReadForm(64 << 20)
	if err != nil {
		return ""
	}
	defer func() { _ = form.RemoveAll() }()
	if v := form.Value["body-mime"]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (b *books) came(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.acks[key] == nil {
		b.acks[key] = &ack{came: time.Now()}
	}
}

func (b *books) taken(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.acks[key]; a != nil && a.taken.IsZero() {
		a.taken = time.Now()
	}
}
