package dns

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What the endpoints ask of a credential: an API, and there a scope.
const (
	v3Read          = "v3 " + ScopeRead
	v3Update        = "v3 " + ScopeUpdate
	v1Read          = "v1 " + ScopeRead
	v1Update        = "v1 " + ScopeUpdate
	cloudflareRead  = "cloudflare read"
	cloudflareWrite = "cloudflare edit"
)

// allowed checks who asks, and answers if he may not.
func (c *call) allowed(scope string) bool {
	api, scope, _ := strings.Cut(scope, " ")
	if api == "cloudflare" {
		return c.cloudflareAllowed(scope)
	}
	sw := c.s.switches()
	if sw.NeedUserAgent && c.r.UserAgent() == "" {
		c.bareForbidden()
		return false
	}
	kinds := []string{"pat"}
	if api == "v1" {
		kinds = append(kinds, "sso-key") // not good for v3
	}
	c.key = c.s.credential(c.r, kinds...)
	if c.key == nil || c.key.OTE != c.ote {
		c.unauthenticated(api)
		return false
	}
	if wait, over := c.s.limited(c.key.Secret, sw.RateLimit, time.Minute); over {
		c.tooMany(api, wait, sw.RetryAfter)
		return false
	}
	byName := c.params["name"] != "" || c.r.URL.Query().Get("name") != "" || c.r.Method == http.MethodPost || c.params["recordId"] != ""
	if sw.Access == "denied" || !c.key.may(scope) || sw.Access == "by-name" && !byName {
		c.godaddyError(api, http.StatusForbidden, "ACCESS_DENIED", "Authenticated user is not allowed access")
		return false
	}
	return true
}

// bareForbidden is the answer of what stands before the API.
func (c *call) bareForbidden() {
	c.w.Header().Set("Content-Type", "text/html")
	c.w.WriteHeader(http.StatusForbidden)
	_, _ = c.w.Write([]byte("<html><body><h1>Access Denied</h1></body></html>"))
}

// unauthenticated: a credential of the other environment is refused without a word of
// which environment it is for.
func (c *call) unauthenticated(api string) {
	if other := c.s.credential(c.r, "pat", "sso-key"); other != nil && other.OTE != c.ote {
		c.w.Header().Set("Content-Type", "text/plain")
		c.w.WriteHeader(http.StatusUnauthorized)
		_, _ = c.w.Write([]byte("Unauthorized"))
		return
	}
	c.godaddyError(api, http.StatusUnauthorized, "UNABLE_TO_AUTHENTICATE", "Unauthorized : Could not authenticate API key/secret")
}

func (c *call) tooMany(api string, wait int, where string) {
	if where != "body" {
		c.w.Header().Set("Retry-After", strconv.Itoa(wait))
	}
	body := c.errorBody(api, "TOO_MANY_REQUESTS", "Too many requests received within interval", nil)
	if where != "header" {
		body["retryAfterSec"] = wait
	}
	c.answer(http.StatusTooManyRequests, body)
}

// field is what is wrong with one field of a body: v1's fields, v3's details.
type field struct{ path, code, message string }

func (c *call) godaddyError(api string, status int, code, message string, fields ...field) {
	c.answer(status, c.errorBody(api, code, message, fields))
}

// errorBody has a form of its own in each version.
func (c *call) errorBody(api, code, message string, fields []field) map[string]any {
	if api == "v1" {
		out := map[string]any{"code": code, "message": message}
		if len(fields) > 0 {
			list := []any{}
			for _, f := range fields {
				list = append(list, map[string]any{"code": f.code, "message": f.message, "path": f.path})
			}
			out["fields"] = list
		}
		return out
	}
	c.s.mu.Lock()
	id := c.s.hex(32)
	c.s.mu.Unlock()
	out := map[string]any{"name": code, "correlationId": id, "message": message, "details": []any{}}
	list := []any{}
	for _, f := range fields {
		list = append(list, map[string]any{"field": f.path, "issue": f.code, "description": f.message})
	}
	out["details"] = list
	return out
}

// unknown answers a path that nobody serves.
func (c *call) unknown() {
	switch p := c.r.URL.Path; {
	case strings.HasPrefix(p, "/client/v4/"):
		c.cloudflareError(http.StatusNotFound, 7003, "Could not route to "+strings.TrimPrefix(p, "/client/v4")+", perhaps your object identifier is invalid?")
	case strings.Contains(p, "/v3/"):
		c.godaddyError("v3", http.StatusNotFound, "NOT_FOUND", "Resource not found")
	default:
		c.godaddyError("v1", http.StatusNotFound, "NOT_FOUND", "Resource not found")
	}
}

// wanted is a record as GoDaddy's callers write it; pointers tell what is missing.
type wanted struct {
	Name     *string `json:"name"`
	Type     *string `json:"type"`
	Data     *string `json:"data"`
	TTL      *int    `json:"ttl"`
	Priority *int    `json:"priority"`
	Weight   *int    `json:"weight"`
	Port     *int    `json:"port"`
	Service  *string `json:"service"`
	Protocol *string `json:"protocol"`
	Flag     *int    `json:"flag"`
	Tag      *string `json:"tag"`
	RecordID *string `json:"recordId"`
}

func readWanted(raw json.RawMessage) (wanted, error) {
	var w wanted
	err := json.Unmarshal(raw, &w)
	return w, err
}

// record is what is wanted, in the zone. What is missing must have been refused before.
func (w wanted) record(zone string) Record {
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	number := func(p *int) int {
		if p == nil {
			return 0
		}
		return *p
	}
	name := text(w.Name)
	if strings.EqualFold(text(w.Type), "SRV") && w.Service != nil && w.Protocol != nil {
		prefix := text(w.Service) + "." + text(w.Protocol)
		if name == "@" || name == "" {
			name = prefix
		} else {
			name = prefix + "." + name
		}
	}
	r := Record{Name: under(name, zone), Type: text(w.Type), Data: text(w.Data), TTL: number(w.TTL), Priority: number(w.Priority),
		Weight: number(w.Weight), Port: number(w.Port), Flag: number(w.Flag), Tag: text(w.Tag)}
	r.tidy()
	if r.Data == "@" && isHost(r.Type) {
		r.Data = zone
	}
	return r
}

// protect does what Domain Protection does to a TXT.
func protect(sw Switches, r *Record) {
	if sw.Protected && r.Type == "TXT" {
		r.Data = ""
	}
}

// leavePlaceholders puts a space where TXT records were. Needs Server.mu.
func (s *Server) leavePlaceholders(z *zone, gone []Record) {
	if !s.st.switches.Placeholder {
		return
	}
	for _, r := range gone {
		if r.Type == "TXT" && r.Data != " " {
			s.add(z, Record{Name: r.Name, Type: "TXT", Data: " ", TTL: r.TTL})
			return
		}
	}
}
