package dns

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Credential opens one host's API.
type Credential struct {
	// Kind is "pat" (GoDaddy, bearer), "sso-key" (GoDaddy, KEY:SECRET) or "cloudflare".
	Kind   string `json:"kind"`
	Secret string `json:"secret"` // of an sso-key KEY:SECRET
	// Scopes of a pat; none means all. Of a Cloudflare token: "read" or "edit".
	Scopes []string `json:"scopes"`
	// OTE: good for GoDaddy's test environment, and only there.
	OTE bool `json:"ote"`
	// Zones that it is good for; none means all.
	Zones []string `json:"zones"`
}

// The scopes of GoDaddy's tokens that concern records.
const (
	ScopeRead   = "domains.domain:read"
	ScopeUpdate = "domains.dns:update"
)

type credential struct{ Credential }

func (c *credential) may(scope string) bool {
	return len(c.Scopes) == 0 || slices.Contains(c.Scopes, scope)
}

func (c *credential) sees(zone string) bool {
	return len(c.Zones) == 0 || slices.Contains(c.Zones, zone)
}

// credentials are those of the configuration, and one of each for the test environment.
func (s *Server) credentials() []*credential {
	return []*credential{
		{Credential{Kind: "pat", Secret: s.cfg.GoDaddyToken}},
		{Credential{Kind: "sso-key", Secret: s.cfg.GoDaddyKey + ":" + s.cfg.GoDaddySecret}},
		{Credential{Kind: "pat", Secret: "gd_pat_ote_emulated0123456789", OTE: true}},
		{Credential{Kind: "sso-key", Secret: "ote_emulatedkey:emulatedsecret", OTE: true}},
		{Credential{Kind: "cloudflare", Secret: s.cfg.CloudflareToken}},
	}
}

// AddCredential makes one more credential.
func (s *Server) AddCredential(c Credential) error {
	if !slices.Contains([]string{"pat", "sso-key", "cloudflare"}, c.Kind) || c.Secret == "" {
		return fmt.Errorf("sandbox dns: a credential needs a kind (pat, sso-key, cloudflare) and a secret")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.keys = append(s.st.keys, &credential{c})
	return nil
}

// credential finds who asks by the Authorization header, nil if nobody known.
func (s *Server) credential(r *http.Request, kinds ...string) *credential {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.st.keys {
		want := "bearer"
		if k.Kind == "sso-key" {
			want = "sso-key"
		}
		if strings.EqualFold(scheme, want) && slices.Contains(kinds, k.Kind) && subtle.ConstantTimeCompare([]byte(secret), []byte(k.Secret)) == 1 {
			return k
		}
	}
	return nil
}

// window counts the calls of a credential in a span of time.
type window struct {
	start time.Time
	used  int
}

// limited counts a call; if it is one too many it tells after how many seconds there is
// room again.
func (s *Server) limited(secret string, most int, span time.Duration) (wait int, over bool) {
	if most <= 0 {
		return 0, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w, now := s.st.windows[secret], s.now()
	if w == nil || now.Sub(w.start) >= span {
		w = &window{start: now}
		s.st.windows[secret] = w
	}
	w.used++
	if w.used <= most {
		return 0, false
	}
	return max(1, int((span-now.Sub(w.start)+time.Second-1)/time.Second)), true
}

// itoa is short for a number in a text.
func itoa(n int) string { return strconv.Itoa(n) }
