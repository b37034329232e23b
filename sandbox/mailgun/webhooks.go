package mailgun

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// hookTypes are the event types that webhooks exist for.
var hookTypes = []string{"accepted", "delivered", "opened", "clicked", "unsubscribed", "complained", "temporary_fail", "permanent_fail"}

// maxURLs per event type.
const maxURLs = 3

// accountHook is one entry of /v1/webhooks.
type accountHook struct {
	ID, Description, URL string
	Types                []string
	created, active      time.Time
}

func (s *Server) webhookEndpoints() []endpoint {
	return []endpoint{
		{"GET", "/v3/domains/{domain}/webhooks", scopeDomain, func(c *call) { c.s.hooks3List(c) }},
		{"POST", "/v3/domains/{domain}/webhooks", scopeDomain, func(c *call) { c.s.hooks3Create(c) }},
		{"GET", "/v3/domains/{domain}/webhooks/{type}", scopeDomain, func(c *call) { c.s.hooks3Get(c) }},
		{"PUT", "/v3/domains/{domain}/webhooks/{type}", scopeDomain, func(c *call) { c.s.hooks3Update(c) }},
		{"DELETE", "/v3/domains/{domain}/webhooks/{type}", scopeDomain, func(c *call) { c.s.hooks3Delete(c) }},
		{"POST", "/v4/domains/{domain}/webhooks", scopeDomain, func(c *call) { c.s.hooks4Write(c, false) }},
		{"PUT", "/v4/domains/{domain}/webhooks", scopeDomain, func(c *call) { c.s.hooks4Write(c, true) }},
		{"DELETE", "/v4/domains/{domain}/webhooks", scopeDomain, func(c *call) { c.s.hooks4Delete(c) }},
		{"GET", "/v1/webhooks", scopeAccount, func(c *call) { c.s.hooks1List(c) }},
		{"POST", "/v1/webhooks", scopeAccount, func(c *call) { c.s.hooks1Create(c) }},
		{"DELETE", "/v1/webhooks", scopeAccount, func(c *call) { c.s.hooks1DeleteMany(c) }},
		{"GET", "/v1/webhooks/{id}", scopeAccount, func(c *call) { c.s.hooks1One(c) }},
		{"PUT", "/v1/webhooks/{id}", scopeAccount, func(c *call) { c.s.hooks1One(c) }},
		{"DELETE", "/v1/webhooks/{id}", scopeAccount, func(c *call) { c.s.hooks1One(c) }},
	}
}

// urlsFor are the URLs that an event goes to: the same URL in the account's and
// the domain's list counts once. Needs Server.mu.
func (st *state) urlsFor(domain, hook string, now time.Time) []string {
	var urls []string
	if d := st.domains[domain]; d != nil {
		urls = append(urls, d.hooks[hook]...)
	}
	for _, h := range st.hooks {
		if !h.active.After(now) && slices.Contains(h.Types, hook) && !slices.Contains(urls, h.URL) {
			urls = append(urls, h.URL)
		}
	}
	return urls
}

// AddWebhook registers a URL for event types (none: all) of a domain, without
// the API's checks: for setting up a sandbox.
func (s *Server) AddWebhook(domain, target string, types ...string) {
	if len(types) == 0 {
		types = hookTypes
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.st.domains[strings.ToLower(domain)]; d != nil {
		for _, t := range types {
			if !slices.Contains(d.hooks[t], target) {
				d.hooks[t] = append(d.hooks[t], target)
			}
		}
	}
}

// badURL is the reason why a webhook URL is refused, or "".
func badURL(raw string, resolve bool) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https"):
		return raw + " is not a valid url: invalid URL scheme"
	case u.Hostname() == "":
		return raw + " is not a valid url: host not found"
	}
	host := strings.ToLower(u.Hostname())
	unknown := host == "localhost" || !strings.Contains(host, ".") || strings.HasSuffix(host, ".invalid") ||
		strings.HasSuffix(host, ".local") || strings.HasPrefix(host, "127.")
	if resolve && unknown {
		return raw + " is not a valid url: host not found"
	}
	return ""
}

func (c *call) reason(text string) {
	c.answer(http.StatusBadRequest, map[string]string{"Reason": text})
}

// checkURLs answers and says false if one of the URLs does not do.
func (c *call) checkURLs(urls []string) bool {
	resolve := c.s.switches().ResolveHooks
	if len(urls) == 0 {
		c.reason("url is required")
		return false
	}
	for _, u := range urls {
		if why := badURL(u, resolve); why != "" {
			c.reason(why)
			return false
		}
	}
	if len(urls) > maxURLs {
		c.reason("no more than 3 URLs are allowed for one event type")
		return false
	}
	return true
}

func urlsJSON(urls []string) map[string]any {
	return map[string]any{"urls": append([]string{}, urls...)}
}

// hooksJSON holds only the types that are set (recording of 2023).
func (d *domain) hooksJSON() map[string]any {
	out := map[string]any{}
	for t, urls := range d.hooks {
		if len(urls) > 0 {
			out[t] = urlsJSON(urls)
		}
	}
	return map[string]any{"webhooks": out}
}

func (s *Server) hooks3List(c *call) {
	s.mu.Lock()
	out := s.st.domains[c.domain].hooksJSON()
	s.mu.Unlock()
	c.answer(http.StatusOK, out)
}

func (s *Server) hooks3Create(c *call) {
	f, ok := c.form()
	if !ok {
		return
	}
	kind := f.Get("id")
	if !slices.Contains(hookTypes, kind) {
		c.reason("invalid webhook id: " + kind)
		return
	}
	if !c.checkURLs(f["url"]) {
		return
	}
	s.mu.Lock()
	d := s.st.domains[c.domain]
	exists := len(d.hooks[kind]) > 0
	if !exists {
		d.hooks[kind] = slices.Clone(f["url"])
	}
	s.mu.Unlock()
	if exists {
		c.reason("Webhook already exists")
		return
	}
	c.answer(http.StatusOK, map[string]any{"message": "Webhook has been created", "webhook": urlsJSON(f["url"])})
}

func (s *Server) hooks3Get(c *call) {
	s.mu.Lock()
	urls := s.st.domains[c.domain].hooks[c.params["type"]]
	s.mu.Unlock()
	if len(urls) == 0 {
		c.message(http.StatusNotFound, "Webhook not found")
		return
	}
	c.answer(http.StatusOK, map[string]any{"webhook": urlsJSON(urls)})
}

func (s *Server) hooks3Update(c *call) {
	f, ok := c.form()
	if !ok || !c.checkURLs(f["url"]) {
		return
	}
	s.hooks3Set(c, f["url"], "Webhook has been updated")
}

func (s *Server) hooks3Delete(c *call) { s.hooks3Set(c, nil, "Webhook has been deleted") }

func (s *Server) hooks3Set(c *call, urls []string, said string) {
	kind := c.params["type"]
	s.mu.Lock()
	d := s.st.domains[c.domain]
	old := d.hooks[kind]
	if len(old) > 0 {
		d.hooks[kind] = slices.Clone(urls)
	}
	s.mu.Unlock()
	if len(old) == 0 {
		c.message(http.StatusNotFound, "Webhook not found")
		return
	}
	if urls == nil {
		urls = old
	}
	c.answer(http.StatusOK, map[string]any{"message": said, "webhook": urlsJSON(urls)})
}

// eventTypes reads event_types, repeated or as a comma list.
func (c *call) eventTypes(f url.Values) ([]string, bool) {
	var types []string
	for _, v := range f["event_types"] {
		for _, t := range strings.Split(v, ",") {
			t = strings.TrimSpace(t)
			if !slices.Contains(hookTypes, t) {
				c.reason("invalid parameters: " + t + " is not a valid event type")
				return nil, false
			}
			types = append(types, t)
		}
	}
	if len(types) == 0 {
		c.reason("invalid parameters: event_types is required")
		return nil, false
	}
	return types, true
}

func (s *Server) hooks4Write(c *call, replace bool) {
	f, ok := c.form()
	if !ok {
		return
	}
	target := f.Get("url")
	if why := badURL(target, s.switches().ResolveHooks); why != "" {
		c.reason("invalid parameters: " + why)
		return
	}
	types, ok := c.eventTypes(f)
	if !ok {
		return
	}
	s.mu.Lock()
	d := s.st.domains[c.domain]
	why, found := d.hooks4(target, types, replace)
	out := d.hooksJSON()
	s.mu.Unlock()
	switch {
	case !found:
		c.answer(http.StatusNotFound, map[string]string{"Description": "Webhook not found"})
	case why != "":
		c.reason(why)
	default:
		c.answer(http.StatusOK, out)
	}
}

// hooks4 ties a URL to event types; replace unties it from all others first.
func (d *domain) hooks4(target string, types []string, replace bool) (why string, found bool) {
	next := map[string][]string{}
	for t, urls := range d.hooks {
		kept := slices.Clone(urls)
		if i := slices.Index(kept, target); i >= 0 && replace {
			kept, found = slices.Delete(kept, i, i+1), true
		}
		next[t] = kept
	}
	if replace && !found {
		return "", false
	}
	for _, t := range types {
		if slices.Contains(next[t], target) {
			return "Webhook for event type '" + t + "' with URL '" + target + "' already exists", true
		}
		if len(next[t]) >= maxURLs {
			return "no more than 3 URLs are allowed for event type '" + t + "'", true
		}
		next[t] = append(next[t], target)
	}
	d.hooks = next
	return "", true
}

func (s *Server) hooks4Delete(c *call) {
	targets := c.r.URL.Query().Get("url")
	if targets == "" {
		c.answer(http.StatusBadRequest, map[string]string{"Field": "url"})
		return
	}
	s.mu.Lock()
	d := s.st.domains[c.domain]
	found := false
	for _, target := range strings.Split(targets, ",") {
		for t, urls := range d.hooks {
			if i := slices.Index(urls, strings.TrimSpace(target)); i >= 0 {
				d.hooks[t], found = slices.Delete(slices.Clone(urls), i, i+1), true
			}
		}
	}
	out := d.hooksJSON()
	s.mu.Unlock()
	if !found {
		c.answer(http.StatusNotFound, map[string]string{"Description": "Webhook not found"})
		return
	}
	c.answer(http.StatusOK, out)
}

func (h *accountHook) json() map[string]any {
	return map[string]any{"webhook_id": h.ID, "description": h.Description, "url": h.URL, "event_types": h.Types,
		"created_at": httpDate(h.created)}
}

func (s *Server) hooks1List(c *call) {
	s.mu.Lock()
	out := []any{}
	for _, h := range s.st.hooks {
		out = append(out, h.json())
	}
	s.mu.Unlock()
	c.answer(http.StatusOK, map[string]any{"webhooks": out})
}

func (s *Server) hooks1Create(c *call) {
	f, ok := c.form()
	if !ok {
		return
	}
	types, ok := c.eventTypes(f)
	if !ok {
		return
	}
	if why := badURL(f.Get("url"), s.switches().ResolveHooks); why != "" {
		c.reason("invalid parameters: " + why)
		return
	}
	now := s.Now()
	h := &accountHook{Description: f.Get("description"), URL: f.Get("url"), Types: types, created: now}
	s.mu.Lock()
	h.ID = "wh_" + s.ids.hex(24)
	h.active = now.Add(seconds(s.st.switches.HookLagSeconds))
	full := ""
	for _, t := range types {
		n := 0
		for _, other := range s.st.hooks {
			if slices.Contains(other.Types, t) {
				n++
			}
		}
		if n >= maxURLs {
			full = t
		}
	}
	if full == "" {
		s.st.hooks = append(s.st.hooks, h)
	}
	s.mu.Unlock()
	if full != "" {
		c.reason("no more than 3 URLs are allowed for event type '" + full + "'")
		return
	}
	c.answer(http.StatusOK, map[string]any{"webhook_id": h.ID})
}

// hooks1One answers GET, PUT and DELETE of one account-level webhook.
func (s *Server) hooks1One(c *call) {
	var f url.Values
	var types []string
	if c.r.Method == http.MethodPut {
		var ok bool
		if f, ok = c.form(); !ok {
			return
		}
		if types, ok = c.eventTypes(f); !ok {
			return
		}
		if why := badURL(f.Get("url"), s.switches().ResolveHooks); why != "" {
			c.reason("invalid parameters: " + why)
			return
		}
	}
	now := s.Now()
	s.mu.Lock()
	i := slices.IndexFunc(s.st.hooks, func(h *accountHook) bool { return h.ID == c.params["id"] })
	var out map[string]any
	if i >= 0 {
		h := *s.st.hooks[i]
		out = h.json()
		switch c.r.Method {
		case http.MethodDelete:
			s.st.hooks = slices.Delete(slices.Clone(s.st.hooks), i, i+1)
		case http.MethodPut:
			h.URL, h.Types, h.Description = f.Get("url"), types, orText(f.Get("description"), h.Description)
			h.active = now.Add(seconds(s.st.switches.HookLagSeconds))
			s.st.hooks[i] = &h
		}
	}
	s.mu.Unlock()
	switch {
	case out == nil:
		c.message(http.StatusNotFound, "Webhook not found")
	case c.r.Method == http.MethodGet:
		c.answer(http.StatusOK, out)
	default:
		c.w.WriteHeader(http.StatusNoContent)
	}
}

func (s *Server) hooks1DeleteMany(c *call) {
	ids := strings.Split(c.r.URL.Query().Get("webhook_ids"), ",")
	all := c.r.URL.Query().Get("all") == "true"
	s.mu.Lock()
	s.st.hooks = slices.DeleteFunc(slices.Clone(s.st.hooks), func(h *accountHook) bool { return all || slices.Contains(ids, h.ID) })
	s.mu.Unlock()
	c.w.WriteHeader(http.StatusNoContent)
}
