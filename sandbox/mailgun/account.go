package mailgun

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxSandboxRecipients a sandbox domain may write to.
const maxSandboxRecipients = 5

type sandboxRecipient struct {
	Email     string `json:"email"`
	Activated bool   `json:"activated"`
}

func (s *Server) accountEndpoints() []endpoint {
	return []endpoint{
		{"GET", "/v5/accounts/http_signing_key", scopeAccount, func(c *call) { c.s.signingKeyGet(c) }},
		{"POST", "/v5/accounts/http_signing_key", scopeAccount, func(c *call) { c.s.signingKeyNew(c) }},
		{"GET", "/v5/sandbox/auth_recipients", scopeAccount, func(c *call) { c.s.sandboxList(c) }},
		{"POST", "/v5/sandbox/auth_recipients", scopeAccount, func(c *call) { c.s.sandboxAdd(c) }},
		{"DELETE", "/v5/sandbox/auth_recipients/{email}", scopeAccount, func(c *call) { c.s.sandboxRemove(c) }},
		{"GET", "/v1/keys", scopeAccount, func(c *call) { c.s.keyList(c) }},
		{"POST", "/v1/keys", scopeAccount, func(c *call) { c.s.keyCreate(c) }},
		{"DELETE", "/v1/keys/{id}", scopeAccount, func(c *call) { c.s.keyDelete(c) }},
	}
}

func (s *Server) signingKeyGet(c *call) {
	s.mu.Lock()
	key := s.st.signingKey
	s.mu.Unlock()
	c.answer(http.StatusOK, map[string]string{"http_signing_key": key})
}

// signingKeyNew takes effect at once; posts that wait keep their old signature.
func (s *Server) signingKeyNew(c *call) {
	c.answer(http.StatusOK, map[string]string{"message": "regenerated HTTP signing key for account", "http_signing_key": s.RotateSigningKey()})
}

// RotateSigningKey makes a new signing key, as POST /v5/accounts/http_signing_key.
func (s *Server) RotateSigningKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.signingKey = "key-" + s.ids.hex(32)
	return s.st.signingKey
}

// authorised needs Server.mu.
func (st *state) authorised(address string) bool {
	return slices.ContainsFunc(st.sandboxTo, func(r sandboxRecipient) bool { return r.Activated && strings.EqualFold(r.Email, address) })
}

func (s *Server) sandboxList(c *call) {
	s.mu.Lock()
	out := append([]sandboxRecipient{}, s.st.sandboxTo...)
	s.mu.Unlock()
	c.answer(http.StatusOK, map[string]any{"recipients": out})
}

// sandboxAdd authorises at once; really a person has to follow a link first.
func (s *Server) sandboxAdd(c *call) {
	email := c.r.URL.Query().Get("email")
	if f, ok := c.form(); ok && email == "" {
		email = f.Get("email")
	}
	if list, ok := strictAddresses(email); !ok || len(list) != 1 {
		c.message(http.StatusBadRequest, "Invalid email address.")
		return
	}
	s.mu.Lock()
	full := len(s.st.sandboxTo) >= maxSandboxRecipients
	if !full {
		s.st.sandboxTo = append(s.st.sandboxTo, sandboxRecipient{email, true})
	}
	s.mu.Unlock()
	if full {
		c.message(http.StatusBadRequest, "Only 5 sandbox recipients are allowed")
		return
	}
	c.answer(http.StatusOK, map[string]any{"recipient": sandboxRecipient{email, false}})
}

func (s *Server) sandboxRemove(c *call) {
	s.mu.Lock()
	n := len(s.st.sandboxTo)
	s.st.sandboxTo = slices.DeleteFunc(s.st.sandboxTo, func(r sandboxRecipient) bool { return strings.EqualFold(r.Email, c.params["email"]) })
	gone := len(s.st.sandboxTo) < n
	s.mu.Unlock()
	if !gone {
		c.message(http.StatusBadRequest, "Invalid email address.")
		return
	}
	c.message(http.StatusOK, "Sandbox recipient deleted.")
}

func (k *apiKey) json(secret bool) map[string]any {
	at := k.CreatedAt.UTC().Format("2006-01-02T15:04:05")
	out := map[string]any{"id": k.ID, "description": k.Description, "kind": k.Kind, "role": k.Role, "created_at": at, "updated_at": at,
		"is_disabled": k.Disabled, "requestor": nil, "user_name": nil, "domain_name": nil}
	if k.Domain != "" {
		out["domain_name"] = k.Domain
	}
	if secret {
		out["secret"] = k.Secret
	}
	return out
}

func (s *Server) keyList(c *call) {
	q := c.r.URL.Query()
	if kind := q.Get("kind"); kind != "" && !slices.Contains([]string{"domain", "user", "web"}, kind) {
		c.message(http.StatusBadRequest, "expected `kind` param to be one of [domain user web] or absent")
		return
	}
	s.mu.Lock()
	items := []any{}
	for _, k := range s.st.keys {
		if (q.Get("kind") == "" || q.Get("kind") == k.Kind) && (q.Get("domain_name") == "" || q.Get("domain_name") == k.Domain) {
			items = append(items, k.json(false))
		}
	}
	s.mu.Unlock()
	c.answer(http.StatusOK, map[string]any{"total_count": len(items), "items": items})
}

func (s *Server) keyCreate(c *call) {
	f, ok := c.form()
	if !ok {
		return
	}
	k := &apiKey{Description: f.Get("description"), Kind: orText(f.Get("kind"), "user"), Role: f.Get("role"),
		Domain: strings.ToLower(f.Get("domain_name")), CreatedAt: s.Now()}
	if k.Role == "" {
		c.message(http.StatusBadRequest, "role is required")
		return
	}
	s.mu.Lock()
	known := k.Kind != "domain" || s.st.domains[k.Domain] != nil
	if known {
		k.ID, k.Secret = s.ids.hex(8)+"-"+s.ids.hex(8), s.ids.hex(32)+"-"+s.ids.hex(8)
		s.st.keys = append(s.st.keys, k)
	}
	s.mu.Unlock()
	if !known {
		c.message(http.StatusNotFound, "Domain not found")
		return
	}
	c.answer(http.StatusOK, map[string]any{"message": "great success", "key": k.json(true)})
}

func (s *Server) keyDelete(c *call) {
	s.mu.Lock()
	n := len(s.st.keys)
	s.st.keys = slices.DeleteFunc(slices.Clone(s.st.keys), func(k *apiKey) bool { return k.ID == c.params["id"] })
	gone := len(s.st.keys) < n
	s.mu.Unlock()
	if !gone {
		c.message(http.StatusNotFound, "no key matching id")
		return
	}
	c.message(http.StatusOK, "key deleted")
}

// window counts calls in a span of time.
type window struct {
	start time.Time
	used  int
}
