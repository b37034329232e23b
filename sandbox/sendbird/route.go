package sendbird

import (
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A call is one request to the Platform API, read and authenticated.
type call struct {
	r     *http.Request
	path  map[string]string // {channel_url} and so on
	body  *args
	query *args
	files []*upload
	base  string // scheme and host that the caller used
	as    *user  // set when a client acts and not the API
	sdk   string // what webhooks say sent it
	ip    string
}

// handle answers a call. It runs under Server.mu, must not block, and gives an obj (or a list, or a map) built afresh.
type handle func(*Server, *call) (any, error)

// scope is the object whose calls a "rate-limited API" counts, five a second each.
type scope int

const (
	noScope scope = iota
	perApp
	perChannel
	perUser
)

type route struct {
	method   string
	segments []string // below /v3; {name} takes any
	scope    scope
	do       handle
}

type router struct{ routes []route }

func (rt *router) add(pattern string, sc scope, do handle) {
	method, path, _ := strings.Cut(pattern, " ")
	rt.routes = append(rt.routes, route{method, strings.Split(strings.Trim(path, "/"), "/"), sc, do})
}

// find matches on the escaped path, so that a user id may hold an escaped slash. Earlier routes win.
func (rt *router) find(method, escaped string) (*route, map[string]string) {
	rest, ok := strings.CutPrefix(escaped, "/v3/")
	if !ok {
		return nil, nil
	}
	segments := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	for i := range rt.routes {
		if r := &rt.routes[i]; r.method == method {
			if p, ok := r.match(segments); ok {
				return r, p
			}
		}
	}
	return nil, nil
}

func (r *route) match(segments []string) (map[string]string, bool) {
	if len(segments) != len(r.segments) {
		return nil, false
	}
	path := map[string]string{}
	for i, want := range r.segments {
		got, err := url.PathUnescape(segments[i])
		if err != nil || got == "" {
			return nil, false
		}
		name, isParam := strings.CutPrefix(want, "{")
		switch {
		case isParam:
			path[strings.TrimSuffix(name, "}")] = got
		case want != got:
			return nil, false
		}
	}
	if kind, ok := path["channel_type"]; ok && kind != groupChannels && kind != openChannels {
		return nil, false
	}
	return path, true
}

// serveAPI takes one call from its bytes to its answer, and writes both into the book.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	e := Entry{Kind: "call", Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery}
	defer func() {
		e.Millis = time.Since(begun).Milliseconds()
		s.book.add(e)
	}()
	s.mu.Lock()
	limit := s.sw.maxFile()
	s.mu.Unlock()
	body, files, raw, err := s.readBody(r, limit)
	defer func() { dropUploads(files) }()
	e.setRequest(raw)
	if errors.Is(err, errBodyCut) {
		e.Error = "request body cut off"
		panic(http.ErrAbortHandler)
	}
	c := &call{r: r, body: body, query: textArgs(r.URL.Query()), files: files, base: baseOf(r), sdk: "API", ip: hostOf(r.RemoteAddr)}
	status, answer, fault := s.answer(w, c, err)
	if fault != nil {
		e.Fault = fault.String()
	}
	e.Status = status
	e.setAnswer(answer)
	if fault != nil && fault.Reset {
		e.Status, e.Error = 0, "connection reset"
		e.Answer = ""
		resetConnection(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(answer); err != nil {
		e.Error = "caller gone"
	}
}

// answer finds, checks and runs the call. A fault may take its place or spoil its answer.
func (s *Server) answer(w http.ResponseWriter, c *call, bad error) (int, []byte, *Fault) {
	rt, path := s.routes.find(c.r.Method, c.r.URL.EscapedPath())
	c.path = path
	if err := s.admit(c, rt); err != nil {
		return s.render(nil, err)
	}
	if ok := s.limit(w, c, rt); !ok {
		return s.render(nil, fail(codeRateLimit, "Too many requests."))
	}
	fault := s.faults.call(c, s.namesOf(c))
	if fault != nil {
		sleep(c.r.Context(), s.ctx, fault.delay())
		if fault.fails() && !fault.Accept {
			return s.spoil(w, c, fault)
		}
	}
	if bad != nil {
		return s.render(nil, bad)
	}
	v, err := s.run(c, rt)
	if fault != nil && fault.fails() {
		return s.spoil(w, c, fault)
	}
	status, b, _ := s.render(v, err)
	return status, b, fault
}

func (s *Server) run(c *call, rt *route) (v any, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return rt.do(s, c)
}

func (s *Server) render(v any, err error) (int, []byte, *Fault) {
	if err == nil {
		return http.StatusOK, encode(v, nil), nil
	}
	var e *apiError
	if !errors.As(err, &e) {
		e = fail(codeInternal, "Internal error.")
	}
	return e.status, encode(e.body(), nil), nil
}

// admit checks who calls and what.
func (s *Server) admit(c *call, rt *route) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := c.r.Header.Get("Api-Token")
	switch {
	case s.st.down:
		return fail(codeNotAvailable, "Application is not available.")
	case token == "":
		return fail(codeInvalidToken, "Not valid Api-Token. Api-Token is missing.")
	case !s.validToken(token):
		return fail(codeInvalidToken, "Not valid Api-Token.")
	case !s.callerAllowed(c.ip):
		return fail(codeUnauthorized, "Not authorized. The address of the caller is not allowed.")
	case rt == nil:
		return fail(codeInvalidEndpoint, "Invalid endpoint.")
	}
	return nil
}

// validToken is called under mu.
func (s *Server) validToken(token string) bool {
	ok := subtle.ConstantTimeCompare([]byte(token), []byte(s.cfg.MasterToken)) == 1
	for _, t := range s.st.tokens {
		ok = subtle.ConstantTimeCompare([]byte(token), []byte(t.token)) == 1 || ok
	}
	return ok
}

func (s *Server) callerAllowed(ip string) bool {
	if len(s.st.allowed) == 0 {
		return true
	}
	addr := net.ParseIP(ip)
	for _, a := range s.st.allowed {
		if a == ip {
			return true
		}
		if _, n, err := net.ParseCIDR(a); err == nil && n.Contains(addr) {
			return true
		}
	}
	return false
}

func baseOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func hostOf(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return addr
}

// resetConnection ends the connection with a TCP reset where it can, else without an answer.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
