package dns

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// endpoint is one line of the APIs' table. The first that fits is taken.
type endpoint struct {
	method, pattern string
	scope           string
	run             func(c *call)
}

// call is one request on its way through an endpoint.
type call struct {
	s      *Server
	w      http.ResponseWriter
	r      *http.Request
	params map[string]string
	key    *credential
	ote    bool
	body   []byte
}

func (s *Server) endpoints() []endpoint {
	all := s.v3Endpoints()
	all = append(all, s.v1Endpoints()...)
	return append(all, s.cloudflareEndpoints()...)
}

// Endpoints lists what is emulated of the hosts' APIs: method and path, parameters in
// braces.
func Endpoints() []string {
	all := (&Server{}).endpoints()
	out := make([]string, 0, len(all))
	for _, e := range all {
		out = append(out, e.method+" "+e.pattern)
	}
	return out
}

// maxBody is the largest request that an API reads.
const maxBody = 1 << 20

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	c := &call{s: s, w: w, r: r}
	path := r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(path, "/ote/"); ok {
		c.ote, path = true, "/"+rest
	}
	var err error
	if c.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		http.Error(w, "request entity too large", http.StatusRequestEntityTooLarge)
		return
	}
	if f := s.strikes(subject{on: "api", path: r.URL.Path, method: r.Method}); f != nil && s.strikeAPI(c, f) {
		return
	}
	known := false
	for _, e := range s.routes {
		params, ok := match(e.pattern, path)
		if !ok {
			continue
		}
		known = true
		if e.method != r.Method {
			continue
		}
		c.params = params
		if c.allowed(e.scope) {
			e.run(c)
		}
		return
	}
	if known {
		http.Error(c.w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	c.unknown()
}

// strikeAPI does what a fault asks for; true: that was the answer.
func (s *Server) strikeAPI(c *call, f *Fault) (answered bool) {
	sleep := func(d time.Duration) bool {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return true
		case <-c.r.Context().Done():
		case <-s.done:
		}
		return false
	}
	switch f.Action {
	case "slow":
		return !sleep(seconds(f.Seconds))
	case "hang":
		sleep(time.Hour)
		abort(c.w)
	case "reset":
		abort(c.w)
	case "status":
		c.w.WriteHeader(f.Status)
		_, _ = io.WriteString(c.w, f.Body)
		return true
	case "status-after":
		c.w = &swallowed{ResponseWriter: c.w, status: f.Status, body: f.Body, header: http.Header{}}
	}
	return false
}

// swallowed answers something else than it is told.
type swallowed struct {
	http.ResponseWriter
	status int
	body   string
	header http.Header
	begun  bool
}

func (w *swallowed) Header() http.Header { return w.header }

func (w *swallowed) WriteHeader(int) {
	if !w.begun {
		w.begun = true
		w.ResponseWriter.WriteHeader(w.status)
		_, _ = io.WriteString(w.ResponseWriter, w.body)
	}
}

func (w *swallowed) Write(b []byte) (int, error) {
	w.WriteHeader(0)
	return len(b), nil
}

// abort closes the caller's connection with a reset instead of an answer.
func abort(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// match compares an escaped path with a pattern such as /v1/domains/{domain}/records.
func match(pattern, path string) (map[string]string, bool) {
	ps, xs := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(ps) != len(xs) {
		return nil, false
	}
	params := map[string]string{}
	for i, p := range ps {
		if !strings.HasPrefix(p, "{") {
			if p != xs[i] {
				return nil, false
			}
			continue
		}
		v, err := url.PathUnescape(xs[i])
		if err != nil || v == "" {
			return nil, false
		}
		params[p[1:len(p)-1]] = v
	}
	return params, true
}

// answer writes v as JSON.
func (c *call) answer(status int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		http.Error(c.w, err.Error(), http.StatusInternalServerError)
		return
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(b.Bytes())
}

// recorded notes each call and its answer in the book, without its credentials.
func (s *Server) recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w}
		var body bytes.Buffer
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(io.LimitReader(r.Body, maxBody+1), &body), r.Body}
		header := r.Header.Clone()
		header.Del("Authorization")
		e := Entry{Kind: "request", Method: r.Method, URL: r.URL.RequestURI(), Header: header}
		defer func() {
			aborted := recover()
			e.Status, e.Answer, e.Body = rec.status, rec.body.String(), strings.ToValidUTF8(body.String(), "\uFFFD")
			e.Failed = e.Status >= 400 || aborted != nil
			e.What = r.Method + " " + r.URL.Path + " -> " + itoa(e.Status)
			if aborted != nil {
				e.What = r.Method + " " + r.URL.Path + " -> connection closed without an answer"
			}
			s.note(e)
			if aborted != nil {
				panic(aborted)
			}
		}()
		next.ServeHTTP(rec, r)
	})
}

type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.body.Len() < 64<<10 {
		r.body.Write(p)
	}
	return r.ResponseWriter.Write(p)
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// object reads the call's body as one JSON object of fields whose presence counts.
func (c *call) object() (map[string]json.RawMessage, error) {
	var out map[string]json.RawMessage
	if err := json.Unmarshal(c.body, &out); err != nil {
		return nil, errors.New("is not an object")
	}
	if out == nil {
		return nil, errors.New("is not an object")
	}
	return out, nil
}
