package sendbird

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postern-chat/postern"
	emulator "github.com/postern-chat/postern/sandbox/sendbird"
)

const hookURL = "https://postern.example.net/hooks/sendbird"

// newApplication is an emulated application and a Setup for it.
func newApplication(t *testing.T, hook emulator.Webhook, replace bool) (*Setup, *emulator.Server) {
	t.Helper()
	em, err := emulator.New(emulator.Config{Seed: 1, Webhook: hook, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(em.Handler())
	t.Cleanup(func() {
		srv.Close()
		if err := em.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := New(Config{APIURL: srv.URL + "/v3", APIToken: em.MasterToken()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSetup(c, SetupConfig{PublicURL: "https://postern.example.net/", Replace: replace})
	if err != nil {
		t.Fatal(err)
	}
	return s, em
}

func TestSetup(t *testing.T) {
	read := []string{"group_channel:message_read"}
	tests := []struct {
		name    string
		hook    emulator.Webhook
		replace bool
		sign    postern.Sign
		events  string // of the result
		why     string
	}{
		{"nothing there", emulator.Webhook{Events: []string{}}, false, "+", "send update delete read", ""},
		{"right", emulator.Webhook{URL: hookURL, IncludeMembers: true, Events: SetupEvents()}, false, "=", "", ""},
		{"all events", emulator.Webhook{URL: hookURL, IncludeMembers: true, Events: []string{"*"}}, false, "=", "", ""},
		{"without members", emulator.Webhook{URL: hookURL, Events: SetupEvents()}, false, "~", "send update delete read", ""},
		{"fewer events, another one", emulator.Webhook{URL: hookURL, IncludeMembers: true, Events: append([]string{"user:block"}, read...)}, false, "~", "user:block read send update delete", ""},
		{"somebody else's", emulator.Webhook{URL: "https://crm.example/hook", Events: read}, false, "!", "", "--replace"},
		{"somebody else's, replaced", emulator.Webhook{URL: "https://crm.example/hook", Events: read}, true, "~", "read send update delete", "nothing any more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newApplication(t, tt.hook, tt.replace)
			before, err := s.settings(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			all, err := s.Plan(t.Context())
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			c := all[0]
			if c.Sign != tt.sign || !strings.Contains(c.Why, tt.why) || (c.Apply == nil) != (tt.sign == "=" || tt.sign == "!") {
				t.Fatalf("%s %s %s", c.Sign, c.Is, c.Why)
			}
			if now, _ := s.settings(t.Context()); !now.same(before) {
				t.Errorf("planning changed it to %s", now)
			}
			if c.Apply == nil {
				return
			}
			for range 2 {
				if err := c.Apply(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			now, err := s.settings(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			events := strings.ReplaceAll(strings.Join(now.Events, " "), "group_channel:message_", "")
			if !now.Enabled || now.URL != hookURL || !now.Members || events != tt.events {
				t.Errorf("now %s", now)
			}
			if again, _ := s.Plan(t.Context()); again[0].Sign != postern.Keep {
				t.Errorf("second plan: %s %s", again[0].Sign, again[0].Is)
			}
			for range 2 {
				if err := s.Restore(t.Context(), c.Key, c.Before); err != nil {
					t.Fatal(err)
				}
				if back, _ := s.settings(t.Context()); !back.same(before) {
					t.Errorf("back to %+v, was %+v", back, before)
				}
			}
		})
	}
}

// TestSetupChanged: what the operator changed since stays.
func TestSetupChanged(t *testing.T) {
	s, em := newApplication(t, emulator.Webhook{Events: []string{}}, false)
	all, err := s.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	em.SetWebhook(emulator.Webhook{URL: "https://crm.example/hook"})
	if err := all[0].Apply(t.Context()); postern.CauseOf(err) != postern.CauseChanged {
		t.Errorf("apply: %v", err)
	}
	if err := s.Restore(t.Context(), all[0].Key, all[0].Before); postern.CauseOf(err) != postern.CauseChanged {
		t.Errorf("restore: %v", err)
	}
	if err := s.Restore(t.Context(), "sendbird/else", all[0].Before); postern.KindOf(err) != postern.Invalid {
		t.Errorf("another key: %v", err)
	}
	if now, _ := s.settings(t.Context()); now.URL != "https://crm.example/hook" {
		t.Errorf("now %s", now)
	}
}

func TestSetupNeeds(t *testing.T) {
	if _, err := NewSetup(nil, SetupConfig{}); err == nil {
		t.Error("no public URL and no error")
	}
}
