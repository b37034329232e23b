package mailgun

import (
	"crypto/subtle"
	"net/http"
	"strings"
	"time"
)

// scope is what a key must be good for.
type scope int

const (
	scopeSend    scope = iota // messages and messages.mime of the path's domain
	scopeDomain               // account key; the path's domain must exist
	scopeAccount              // account key
)

type apiKey struct {
	ID          string    `json:"id"`
	Description string    `json:"description"`
	Kind        string    `json:"kind"`
	Role        string    `json:"role"`
	CreatedAt   time.Time `json:"-"`
	Domain      string    `json:"-"`
	Disabled    bool      `json:"is_disabled"`
	Secret      string    `json:"-"`
}

// allowed checks the caller's key, and answers if it does not do.
//
// On the sending endpoints a wrong key, and a good key over somebody else's
// domain, are the same bare text (recordings of 2021 and 2025).
func (c *call) allowed(sc scope) bool {
	user, pass, ok := c.r.BasicAuth()
	c.s.mu.Lock()
	var key *apiKey
	if ok && user == "api" {
		key = c.s.st.findKey(pass)
	}
	var known bool
	if c.domain != "" {
		known = c.s.st.domains[c.domain] != nil
	}
	c.s.mu.Unlock()
	c.key = key
	if sc == scopeSend {
		if key == nil || !known || (key.Domain != "" && key.Domain != c.domain) {
			forbidden(c.w)
			return false
		}
		return true
	}
	if key == nil || key.Kind == "domain" {
		c.w.Header().Set("Www-Authenticate", `Basic realm="MG API"`)
		c.message(http.StatusUnauthorized, "Invalid private key")
		return false
	}
	if sc == scopeDomain && !known {
		c.message(http.StatusNotFound, "Domain not found")
		return false
	}
	return true
}

func forbidden(w http.ResponseWriter) {
	w.Header().Set("Www-Authenticate", `Basic realm="MG API"`)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte("Forbidden"))
}

func (st *state) findKey(secret string) *apiKey {
	for _, k := range st.keys {
		if !k.Disabled && subtle.ConstantTimeCompare([]byte(strings.TrimSpace(secret)), []byte(k.Secret)) == 1 {
			return k
		}
	}
	return nil
}
