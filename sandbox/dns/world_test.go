package dns_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	wire "github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/postern-chat/postern/sandbox/dns"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an emulator with one zone that has something in it already.
type world struct {
	t   *testing.T
	dns *dns.Server
	url string

	mu  sync.Mutex
	now time.Time
}

func start(t *testing.T, host string) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	s, err := dns.New(dns.Config{Seed: 1, Now: w.clock, Zones: []dns.Zone{{Name: "shop.example", Host: host, Records: []dns.Record{
		{Name: "shop.example", Type: "TXT", Data: "google-site-verification=abc"},
		{Name: "shop.example", Type: "TXT", Data: "v=spf1 include:_spf.google.com ~all"},
		{Name: "shop.example", Type: "MX", Data: "aspmx.l.google.com", Priority: 1},
		{Name: "www.shop.example", Type: "CNAME", Data: "shop.example"},
		{Name: "shop.example", Type: "A", Data: "192.0.2.1"},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		srv.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	w.dns, w.url = s, srv.URL
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// reply is an API's answer.
type reply struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

// call asks an API; auth is the whole Authorization header.
func (w *world) call(method, path, auth, body string, headers ...string) reply {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("User-Agent", "test/1")
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	out := reply{status: resp.StatusCode, header: resp.Header, text: string(b)}
	_ = json.Unmarshal(b, &out.json) // lists and texts are looked at as they are
	return out
}

func (w *world) want(r reply, status int, parts ...string) reply {
	w.t.Helper()
	if r.status != status {
		w.t.Fatalf("status %d, want %d: %s", r.status, status, r.text)
	}
	for _, p := range parts {
		if !strings.Contains(r.text, p) {
			w.t.Errorf("no %q in %s", p, r.text)
		}
	}
	return r
}

func (w *world) pat() string { return "Bearer " + w.dns.GoDaddyToken() }

func (w *world) sso() string {
	key, secret := w.dns.GoDaddyKey()
	return "sso-key " + key + ":" + secret
}

func (w *world) cloud() string { return "Bearer " + w.dns.CloudflareToken() }

// ask asks one of the servers by the wire.
func (w *world) ask(server, network, name string, kind uint16) *wire.Msg {
	w.t.Helper()
	m := new(wire.Msg).SetQuestion(wire.Fqdn(name), kind)
	c := &wire.Client{Net: network, Timeout: 5 * time.Second}
	r, _, err := c.ExchangeContext(w.t.Context(), m, w.dns.Addr(server))
	if err != nil {
		w.t.Fatalf("%s %s: %v", name, wire.TypeToString[kind], err)
	}
	return r
}

// zone are the records of the zone as text, the host's own left out, sorted.
func (w *world) zone() []string {
	var out []string
	for _, r := range w.dns.Records("shop.example") {
		if !r.System {
			out = append(out, r.String())
		}
	}
	slices.Sort(out)
	return out
}

func (w *world) has(part string) bool {
	return slices.ContainsFunc(w.zone(), func(r string) bool { return strings.Contains(r, part) })
}

func (w *world) wantLookup(kind, name string, want ...string) {
	w.t.Helper()
	have, err := w.dns.Lookup(w.t.Context(), kind, name)
	slices.Sort(have)
	if err != nil || !slices.Equal(have, want) {
		w.t.Errorf("%s %s is %q (%v), want %q", kind, name, have, err, want)
	}
}
