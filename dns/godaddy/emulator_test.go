package godaddy_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/dns/godaddy"
	"github.com/postern-chat/postern/dns/hosttest"
	sandbox "github.com/postern-chat/postern/sandbox/dns"
)

const zone = "example.test"

// emulated runs GoDaddy as the sandbox has it, with one empty zone, and records what it
// is asked.
func emulated(t *testing.T, key bool, change func(*sandbox.Switches)) (*sandbox.Server, *godaddy.Host) {
	t.Helper()
	s, err := sandbox.New(sandbox.Config{Zones: []sandbox.Zone{{Name: zone, Host: "godaddy"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.SetSwitches(func(w *sandbox.Switches) {
		w.RateLimit = 0
		if change != nil {
			change(w)
		}
	})
	recorded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch parts := strings.Count(r.URL.EscapedPath(), "/"); {
		case strings.HasPrefix(r.URL.Path, "/v3/") && (r.Method == "PUT" || r.Method == "PATCH"),
			strings.HasPrefix(r.URL.Path, "/v1/") && (r.Method == "PUT" || r.Method == "DELETE") && parts != 6:
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		s.Handler().ServeHTTP(w, r)
	})
	web := httptest.NewServer(recorded)
	t.Cleanup(web.Close)
	cfg := godaddy.Config{BaseURL: web.URL, PerMinute: 1 << 20, Token: s.GoDaddyToken()}
	if key {
		cfg.Token = ""
		cfg.Key, cfg.Secret = s.GoDaddyKey()
	}
	h, err := godaddy.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s, h
}

func TestEmulator(t *testing.T) {
	for _, test := range []struct {
		name   string
		key    bool
		change func(*sandbox.Switches)
	}{
		{"v3", false, nil},
		{"v3 that leaves placeholders and wants dots", false, func(s *sandbox.Switches) { s.Placeholder, s.NeedDot = true, true }},
		{"v1", true, nil},
		{"v1 that leaves placeholders, by name only", true, func(s *sandbox.Switches) { s.Placeholder, s.Access = true, "by-name" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			hosttest.Run(t, func(t *testing.T) hosttest.Case {
				_, h := emulated(t, test.key, test.change)
				return hosttest.Case{Host: h, Zone: zone, MinTTL: 600, LongText: 512}
			})
		})
	}
}

func TestEmulatorRefuses(t *testing.T) {
	r := postern.DNSRecord{Name: "mg." + zone, Type: "TXT", Value: "text"}
	for _, test := range []struct {
		name   string
		change func(*sandbox.Switches)
		zone   string
		kind   postern.Kind
		cause  postern.Cause
	}{
		{"denied", func(s *sandbox.Switches) { s.Access = "denied" }, zone, postern.Denied, 0},
		{"protected", func(s *sandbox.Switches) { s.Protected = true }, zone, postern.Denied, 0},
		{"ineligible", func(s *sandbox.Switches) { s.Ineligible = true }, zone, postern.Denied, 0},
		{"unknown, 404", nil, "foreign.test", postern.Permanent, postern.CauseNotFound},
		{"unknown, 400", func(s *sandbox.Switches) { s.UnknownZone = 400 }, "foreign.test", postern.Permanent, postern.CauseNotFound},
	} {
		for _, key := range []bool{false, true} {
			t.Run(test.name, func(t *testing.T) {
				_, h := emulated(t, key, test.change)
				x := r
				x.Name = "mg." + test.zone
				err := h.Create(t.Context(), test.zone, x)
				if postern.KindOf(err) != test.kind || postern.CauseOf(err) != test.cause {
					t.Errorf("key %v: %v, cause %v", key, err, postern.CauseOf(err))
				}
			})
		}
	}
}
