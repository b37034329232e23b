package conformance

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
)

// Exchange is one call of a client and its answer.
type Exchange struct {
	Client, Service string
	Endpoint        string // of the service's Endpoints; "" if it has none that fits
	Method, Path    string // the path is escaped as it came
	Query           string
	Header          http.Header
	Body            []byte
	Status          int
	AnswerHeader    http.Header
	Answer          []byte
}

// Recorder stands between clients and an emulator and keeps every call to its API.
type Recorder struct {
	mu  sync.Mutex
	all []Exchange
}

// Serve serves an emulator to one client: a server of its own for each, so that it is known who asked.
func (rec *Recorder) Serve(client, service string, endpoints []string, emulator http.Handler) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/_emulator") {
			emulator.ServeHTTP(w, r)
			return
		}
		x := Exchange{Client: client, Service: service, Endpoint: Find(endpoints, r.Method, r.URL.EscapedPath()),
			Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Header: r.Header.Clone()}
		var err error
		if x.Body, err = io.ReadAll(r.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(x.Body))
		kept := &keeper{ResponseWriter: w, status: http.StatusOK}
		emulator.ServeHTTP(kept, r)
		x.Status, x.AnswerHeader, x.Answer = kept.status, w.Header().Clone(), kept.body.Bytes()
		rec.mu.Lock()
		rec.all = append(rec.all, x)
		rec.mu.Unlock()
	}))
}

// Exchanges are all calls so far.
func (rec *Recorder) Exchanges() []Exchange {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return slices.Clone(rec.all)
}

// Asked says which clients had an endpoint of a service answered with success, sorted.
func (rec *Recorder) Asked(service, endpoint string) []string {
	var out []string
	for _, x := range rec.Exchanges() {
		if x.Service == service && x.Endpoint == endpoint && x.Status < 300 && !slices.Contains(out, x.Client) {
			out = append(out, x.Client)
		}
	}
	slices.Sort(out)
	return out
}

type keeper struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (k *keeper) WriteHeader(status int) {
	k.status = status
	k.ResponseWriter.WriteHeader(status)
}

func (k *keeper) Write(p []byte) (int, error) {
	k.body.Write(p)
	return k.ResponseWriter.Write(p)
}

func (k *keeper) Unwrap() http.ResponseWriter { return k.ResponseWriter }

// Find gives the first endpoint ("METHOD /path/{name}") that fits a call, or "".
func Find(endpoints []string, method, path string) string {
	segments := strings.Split(strings.TrimSuffix(path, "/"), "/")
	for _, e := range endpoints {
		m, pattern, _ := strings.Cut(e, " ")
		if m == method && fits(strings.Split(pattern, "/"), segments) {
			return e
		}
	}
	return ""
}

func fits(pattern, segments []string) bool {
	if len(pattern) != len(segments) {
		return false
	}
	for i, p := range pattern {
		switch {
		case p == "{channel_type}":
			if segments[i] != "group_channels" && segments[i] != "open_channels" {
				return false
			}
		case strings.HasPrefix(p, "{"):
			if segments[i] == "" {
				return false
			}
		case p != segments[i]:
			return false
		}
	}
	return true
}
