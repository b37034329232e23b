package mailgun

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// endpoint is one line of the API's table. The first that fits is taken, so
// literal paths stand before those with parameters.
type endpoint struct {
	method, pattern string
	scope           scope
	run             func(c *call)
}

// call is one request on its way through an endpoint.
type call struct {
	s      *Server
	w      http.ResponseWriter
	r      *http.Request
	params map[string]string
	key    *apiKey
	domain string // the {domain} parameter
}

func (s *Server) endpoints() []endpoint {
	var all []endpoint
	for _, group := range [][]endpoint{
		s.sendEndpoints(), s.eventEndpoints(), s.webhookEndpoints(), s.routeEndpoints(), s.domainEndpoints(),
		s.suppressionEndpoints(), s.accountEndpoints(), s.allowlistEndpoints(),
	} {
		all = append(all, group...)
	}
	return all
}

// Handler serves the API, the tracking paths /o/, /c/ and /u/, and the control
// plane /_emulator/.
func (s *Server) Handler() http.Handler {
	api := s.recorded(http.HandlerFunc(s.serveAPI))
	track := s.recorded(http.HandlerFunc(s.serveTracking))
	control := s.control()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p := r.URL.Path; {
		case strings.HasPrefix(p, "/_emulator"):
			control.ServeHTTP(w, r)
		case strings.HasPrefix(p, "/o/"), strings.HasPrefix(p, "/c/"), strings.HasPrefix(p, "/u/"):
			track.ServeHTTP(w, r)
		default:
			api.ServeHTTP(w, r)
		}
	})
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	c := &call{s: s, w: w, r: r}
	s.mu.Lock()
	s.host = r.Host
	s.mu.Unlock()
	known := false
	for _, e := range s.routes {
		params, ok := match(e.pattern, r.URL.EscapedPath())
		if !ok {
			continue
		}
		known = true
		if e.method != r.Method {
			continue
		}
		c.params, c.domain = params, strings.ToLower(params["domain"])
		if s.strike(c, "api", "", "") || !c.fromAllowed() || !c.allowed(e.scope) {
			return
		}
		c.w.Header().Set("X-Mailgun-Key-Id", c.key.ID)
		c.w.Header().Set("Cache-Control", "no-store")
		if e.scope != scopeSend && !c.requestLimit() {
			return
		}
		e.run(c)
		return
	}
	if known {
		c.answer(http.StatusMethodNotAllowed, map[string]string{"message": "Method Not Allowed"})
		return
	}
	// A wrong path can answer 200 with this text (django-anymail's notes).
	if s.switches().Magnificent {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "Mailgun Magnificent API")
		return
	}
	http.Error(w, "404 page not found", http.StatusNotFound)
}

// match compares an escaped path with a pattern such as /v3/{domain}/events.
// {rest...} takes all that is left.
func match(pattern, path string) (map[string]string, bool) {
	ps, xs := strings.Split(pattern, "/"), strings.Split(path, "/")
	params := map[string]string{}
	for i, p := range ps {
		if strings.HasSuffix(p, "...}") && i < len(xs) {
			v, err := url.PathUnescape(strings.Join(xs[i:], "/"))
			params[p[1:len(p)-4]] = v
			return params, err == nil
		}
		if i >= len(xs) {
			return nil, false
		}
		if strings.HasPrefix(p, "{") {
			v, err := url.PathUnescape(xs[i])
			if err != nil || v == "" {
				return nil, false
			}
			params[p[1:len(p)-1]] = v
		} else if p != xs[i] {
			return nil, false
		}
	}
	return params, len(ps) == len(xs)
}

// answer writes v as JSON.
func (c *call) answer(status int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // an id shows its angle brackets, as recorded
	if err := enc.Encode(v); err != nil {
		status = http.StatusInternalServerError
		b.Reset()
		b.WriteString(`{"message":"Internal Server Error"}`)
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(b.Bytes())
}

// message answers with Mailgun's usual one-field object.
func (c *call) message(status int, format string, args ...any) {
	c.answer(status, map[string]string{"message": fmt.Sprintf(format, args...)})
}

// base is where the emulator is reached, as far as this caller is concerned.
func (c *call) base() string {
	if c.s.cfg.PublicURL != "" {
		return c.s.cfg.PublicURL
	}
	return "http://" + c.r.Host
}

func (c *call) intParam(name string, def int) int {
	if n, err := strconv.Atoi(c.r.URL.Query().Get(name)); err == nil && n >= 0 {
		return n
	}
	return def
}

// form reads a small urlencoded or multipart form.
func (c *call) form() (url.Values, bool) {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, 4<<20)
	err := c.r.ParseMultipartForm(1 << 20)
	if errors.Is(err, http.ErrNotMultipart) {
		err = nil
	}
	if err != nil {
		c.message(http.StatusBadRequest, "invalid form")
		return nil, false
	}
	return c.r.Form, true
}

// recorded notes each request and its answer in the book.
func (s *Server) recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.Now()
		rec := &recorder{ResponseWriter: w, max: s.cfg.BookBody}
		body := &sample{rc: r.Body, max: s.cfg.BookBody}
		r.Body = body
		header := r.Header.Clone()
		header.Del("Authorization")
		e := Entry{Kind: "request", Method: r.Method, URL: r.URL.RequestURI(), Header: header}
		r = r.WithContext(context.WithValue(r.Context(), entryKey{}, &e))
		defer func() {
			aborted := recover()
			e.Status, e.Answer, e.Body = rec.status, rec.body.String(), body.String()
			e.Millis = s.Now().Sub(began).Milliseconds()
			if e.Status == 0 && aborted == nil {
				e.Status = http.StatusOK
			}
			e.What = strings.TrimSpace(fmt.Sprintf("%s %s -> %d %s", r.Method, r.URL.Path, e.Status, e.What))
			e.Failed = e.Status >= 400 || aborted != nil
			if aborted != nil {
				e.Error = "connection closed without an answer"
			}
			s.note(e)
			if aborted != nil {
				panic(aborted)
			}
		}()
		next.ServeHTTP(rec, r)
	})
}

type entryKey struct{}

// entry is the request's line in the book, to add to; never nil.
func entryOf(r *http.Request) *Entry {
	if e, ok := r.Context().Value(entryKey{}).(*Entry); ok {
		return e
	}
	return &Entry{}
}

type recorder struct {
	http.ResponseWriter
	status int
	max    int
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
	if room := r.max - r.body.Len(); room > 0 {
		r.body.Write(p[:min(room, len(p))])
	}
	return r.ResponseWriter.Write(p)
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// sample keeps the first bytes of a body that somebody else reads.
type sample struct {
	rc  io.ReadCloser
	max int
	buf bytes.Buffer
}

func (t *sample) Read(p []byte) (int, error) {
	n, err := t.rc.Read(p)
	if room := t.max - t.buf.Len(); room > 0 {
		t.buf.Write(p[:min(room, n)])
	}
	return n, err
}

func (t *sample) Close() error { return t.rc.Close() }

func (t *sample) String() string { return strings.ToValidUTF8(t.buf.String(), "\uFFFD") }

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

// wait lets d of the emulator's time pass, or returns early with false when the
// caller goes away or the emulator closes.
func (s *Server) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	over := make(chan struct{})
	s.sched.After(d, "", func(context.Context) { close(over) })
	select {
	case <-over:
		return true
	case <-ctx.Done():
		return false
	case <-s.sched.ctx.Done():
		return false
	}
}
