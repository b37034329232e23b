package listen

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestClient(t *testing.T) {
	tests := []struct {
		name, remote, want string
		forwarded          []string
	}{
		{"direct", "203.0.113.9:4711", "203.0.113.9", nil},
		{"direct with a header of his own making", "203.0.113.9:4711", "203.0.113.9", []string{"198.51.100.1"}},
		{"one proxy", "10.0.0.7:1", "198.51.100.1", []string{"198.51.100.1"}},
		{"mapped", "[::ffff:10.0.0.7]:1", "198.51.100.1", []string{"198.51.100.1"}},
		{"two proxies", "10.0.0.7:1", "198.51.100.1", []string{"198.51.100.1, 10.9.9.9"}},
		{"two headers", "10.0.0.7:1", "198.51.100.1", []string{"1.2.3.4", "198.51.100.1"}},
		{"a lie before the truth", "10.0.0.7:1", "198.51.100.1", []string{"127.0.0.1, 198.51.100.1"}},
		{"rubbish", "10.0.0.7:1", "10.0.0.7", []string{"unknown"}},
		{"IPv6", "[2001:db8::1]:9", "2001:db8::1", nil},
		{"nothing", "@", "invalid IP", nil},
	}
	f, err := New(Config{TrustedProxies: []string{"10.0.0.0/8"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = tt.remote
			for _, v := range tt.forwarded {
				r.Header.Add("X-Forwarded-For", v)
			}
			var got string
			f.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = Client(r).String() })).ServeHTTP(httptest.NewRecorder(), r)
			if got != tt.want {
				t.Errorf("client %s, want %s", got, tt.want)
			}
		})
	}
}

func TestWrongProxies(t *testing.T) {
	if _, err := New(Config{TrustedProxies: []string{"proxy.example.com"}}); err == nil {
		t.Error("a host name was taken for an address")
	}
}

// Whoever tries keys is told to wait, others are not, and after a minute he may again.
func TestWrongKeys(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	f, err := New(Config{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	h := f.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer right" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}), "/api/")
	ask := func(from, path, key string) int {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.RemoteAddr = from + ":1"
		r.Header.Set("Authorization", "Bearer "+key)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	want := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	for range maxRefused {
		want("a wrong key", ask("203.0.113.9", "/api/v1/people", "wrong"), 401)
	}
	want("one too many", ask("203.0.113.9", "/api/v1/people", "wrong"), 429)
	want("the right key, too late", ask("203.0.113.9", "/api/v1/people", "right"), 429)
	want("a webhook from there", ask("203.0.113.9", "/hooks/sendbird", "wrong"), 401)
	want("somebody else", ask("203.0.113.10", "/api/v1/people", "right"), 200)
	now = now.Add(time.Minute)
	want("a minute later", ask("203.0.113.9", "/api/v1/people", "right"), 200)

	for i := range maxRefused {
		want("one subscriber's many addresses", ask("[2001:db8::"+string(rune('a'+i%6))+"]", "/api/v1/people", "wrong"), 401)
	}
	want("his next one", ask("[2001:db8::9999]", "/api/v1/people", "wrong"), 429)
}
