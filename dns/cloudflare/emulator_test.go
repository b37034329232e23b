package cloudflare_test

import (
	"net/http/httptest"
	"testing"

	"github.com/postern-chat/postern/dns/cloudflare"
	"github.com/postern-chat/postern/dns/hosttest"
	sandbox "github.com/postern-chat/postern/sandbox/dns"
)

func TestEmulator(t *testing.T) {
	for name, quoted := range map[string]bool{"shows texts in quotes": true, "shows texts bare": false} {
		t.Run(name, func(t *testing.T) {
			hosttest.Run(t, func(t *testing.T) hosttest.Case {
				s, err := sandbox.New(sandbox.Config{Zones: []sandbox.Zone{{Name: "example.test", Host: "cloudflare"}}})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				s.SetSwitches(func(w *sandbox.Switches) { w.QuoteTXT = quoted })
				web := httptest.NewServer(s.Handler())
				t.Cleanup(web.Close)
				h, err := cloudflare.New(cloudflare.Config{BaseURL: web.URL + "/client/v4", Token: s.CloudflareToken(), PerMinute: 1 << 20})
				if err != nil {
					t.Fatal(err)
				}
				return hosttest.Case{Host: h, Zone: "example.test"}
			})
		})
	}
}
