package mailgun

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// tracking are a domain's settings for opens, clicks and unsubscribing.
type tracking struct {
	Open, OpenTop          bool
	Click                  string // "", no, yes, htmlonly
	Unsubscribe            bool
	HTMLFooter, TextFooter string
}

func (t tracking) footers() (html, text string) {
	if !t.Unsubscribe {
		return "", ""
	}
	return t.HTMLFooter, t.TextFooter
}

func (t tracking) json(scheme string) map[string]any {
	// The OpenAPI file shows a boolean for clicks, htmlonly or not.
	click := t.Click == "yes" || t.Click == "htmlonly"
	return map[string]any{"open": map[string]any{"active": t.Open, "place_at_the_top": t.OpenTop}, "click": map[string]any{"active": click},
		"unsubscribe": map[string]any{"active": t.Unsubscribe, "html_footer": t.HTMLFooter, "text_footer": t.TextFooter}, "web_scheme": scheme}
}

func (s *Server) domainEndpoints() []endpoint {
	return []endpoint{
		{"GET", "/v4/domains", scopeAccount, func(c *call) { c.s.domainList(c) }},
		{"POST", "/v4/domains", scopeAccount, func(c *call) { c.s.domainCreate(c) }},
		{"GET", "/v4/domains/{domain}", scopeDomain, func(c *call) { c.s.domainGet(c) }},
		{"PUT", "/v4/domains/{domain}", scopeDomain, func(c *call) { c.s.domainUpdate(c) }},
		{"PUT", "/v4/domains/{domain}/verify", scopeDomain, func(c *call) { c.s.domainVerify(c) }},
		// The older version of the same, which some clients still call.
		{"GET", "/v3/domains", scopeAccount, func(c *call) { c.s.domainList(c) }},
		{"POST", "/v3/domains", scopeAccount, func(c *call) { c.s.domainCreate(c) }},
		{"GET", "/v3/domains/{domain}", scopeDomain, func(c *call) { c.s.domainGet(c) }},
		{"PUT", "/v3/domains/{domain}", scopeDomain, func(c *call) { c.s.domainUpdate(c) }},
		{"PUT", "/v3/domains/{domain}/verify", scopeDomain, func(c *call) { c.s.domainVerify(c) }},
		{"DELETE", "/v3/domains/{domain}", scopeDomain, func(c *call) { c.s.domainDelete(c) }},
		{"GET", "/v3/domains/{domain}/tracking", scopeDomain, func(c *call) { c.s.trackingGet(c) }},
		{"PUT", "/v3/domains/{domain}/tracking/{kind}", scopeDomain, func(c *call) { c.s.trackingPut(c) }},
		{"GET", "/v3/domains/{domain}/limits/tag", scopeDomain, func(c *call) { c.s.tagLimit(c) }},
		{"PUT", "/v3/domains/{domain}/dkim_selector", scopeDomain, func(c *call) { c.s.selectorPut(c) }},
		{"GET", "/v1/analytics/tags/limits", scopeAccount, func(c *call) { c.s.tagLimitAccount(c) }},
	}
}

func (d *domain) json() map[string]any {
	ttl, err := strconv.Atoi(d.Settings["message_ttl"]) // seconds; three days unless set
	if err != nil {
		ttl = 259200
	}
	is := func(k string) bool { return truths[strings.ToLower(d.Settings[k])] == "yes" }
	return map[string]any{"id": d.ID, "name": d.Name, "state": d.State, "type": d.Type, "created_at": httpDate(d.CreatedAt),
		"smtp_login": "postmaster@" + d.Name, "spam_action": d.Settings["spam_action"], "web_prefix": d.Settings["web_prefix"],
		"web_scheme": d.Settings["web_scheme"], "require_tls": is("require_tls"), "skip_verification": is("skip_verification"),
		"wildcard": is("wildcard"), "use_automatic_sender_security": is("use_automatic_sender_security"), "is_disabled": d.State == "disabled",
		"encrypt_incoming_message": is("encrypt_incoming_message"), "message_ttl": ttl, "disabled": nil}
}

func (d *domain) withRecords(message string) map[string]any {
	receiving, sending := d.records()
	out := map[string]any{"domain": d.json(), "receiving_dns_records": receiving, "sending_dns_records": sending}
	if message != "" {
		out["message"] = message
	}
	return out
}

func (s *Server) domainList(c *call) {
	q := c.r.URL.Query()
	s.mu.Lock()
	items := []map[string]any{}
	for _, name := range s.st.domainOrder {
		d := s.st.domains[name]
		if (q.Get("state") == "" || q.Get("state") == d.State) && strings.Contains(name, q.Get("search")) {
			items = append(items, d.json())
		}
	}
	s.mu.Unlock()
	if key, direction, _ := strings.Cut(q.Get("sort"), ":"); key == "name" {
		sort.SliceStable(items, func(i, j int) bool {
			return (items[i]["name"].(string) < items[j]["name"].(string)) == (direction != "desc")
		})
	}
	total := len(items)
	from := min(c.intParam("skip", 0), total)
	items = items[from:min(from+min(c.intParam("limit", 100), 1000), total)]
	c.answer(http.StatusOK, map[string]any{"total_count": total, "items": items})
}

func (s *Server) domainCreate(c *call) {
	f, ok := c.form()
	if !ok {
		return
	}
	name := strings.ToLower(strings.TrimSpace(f.Get("name")))
	if !strings.Contains(name, ".") || strings.ContainsAny(name, " /@") {
		c.message(http.StatusBadRequest, "Domain name format is incorrect")
		return
	}
	if size := f.Get("dkim_key_size"); size != "" && size != "1024" && size != "2048" {
		c.message(http.StatusBadRequest, "Invalid dkim_key_size: must be 1024 or 2048")
		return
	}
	now := s.Now()
	s.mu.Lock()
	taken := s.st.domains[name] != nil
	var out map[string]any
	if !taken {
		d := newDomain(&s.ids, name, now, "unverified")
		d.region = s.cfg.Region
		d.set(f)
		s.st.setDKIMHost(d)
		s.st.addDomain(d)
		out = d.withRecords("Domain DNS records have been created")
	}
	s.mu.Unlock()
	s.publish(name)
	if taken {
		c.message(http.StatusBadRequest, "This domain name is already taken")
		return
	}
	c.answer(http.StatusOK, out)
}

// set takes over the settings that the API knows.
func (d *domain) set(f url.Values) {
	for _, k := range []string{"spam_action", "wildcard", "dkim_key_size", "dkim_selector", "dkim_host_name", "web_scheme", "web_prefix", "require_tls",
		"skip_verification", "use_automatic_sender_security", "encrypt_incoming_message", "archive_to", "message_ttl", "force_dkim_authority"} {
		if f.Has(k) {
			d.Settings[k] = f.Get(k)
		}
	}
}

// withDomain runs f on the path's domain under the lock and answers its result.
func (s *Server) withDomain(c *call, f func(d *domain) any) {
	s.mu.Lock()
	d := s.st.domains[c.domain]
	var out any
	if d != nil {
		out = f(d)
	}
	s.mu.Unlock()
	if d == nil {
		c.message(http.StatusNotFound, "Domain not found")
		return
	}
	c.answer(http.StatusOK, out)
}

func (s *Server) domainGet(c *call) {
	s.withDomain(c, func(d *domain) any { return d.withRecords("") })
}

func (s *Server) domainUpdate(c *call) {
	f, ok := c.form()
	if !ok {
		return
	}
	if a := f.Get("spam_action"); a != "" && !slices.Contains([]string{"disabled", "block", "tag"}, a) {
		c.message(http.StatusBadRequest, "Invalid spam_action: %s", a)
		return
	}
	s.withDomain(c, func(d *domain) any {
		d.set(f)
		s.st.setDKIMHost(d)
		return d.withRecords("Domain has been updated")
	})
	s.publish(c.domain)
}

func (s *Server) domainDelete(c *call) {
	s.mu.Lock()
	delete(s.st.domains, c.domain)
	s.st.domainOrder = slices.DeleteFunc(s.st.domainOrder, func(n string) bool { return n == c.domain })
	s.mu.Unlock()
	c.message(http.StatusOK, "Domain will be deleted in the background")
}

// selectorPut names the DKIM key anew; left out, nothing changes.
func (s *Server) selectorPut(c *call) {
	f, ok := c.form()
	if !ok {
		return
	}
	s.withDomain(c, func(d *domain) any {
		d.Settings["dkim_selector"] = orText(f.Get("dkim_selector"), d.Settings["dkim_selector"])
		return map[string]string{"message": "DKIM selector changed"}
	})
}

func (s *Server) trackingGet(c *call) {
	s.withDomain(c, func(d *domain) any { return map[string]any{"tracking": d.Tracking.json(d.Settings["web_scheme"])} })
}

func (s *Server) trackingPut(c *call) {
	f, ok := c.form()
	if !ok {
		return
	}
	kind, active := c.params["kind"], truths[strings.ToLower(f.Get("active"))]
	if !slices.Contains([]string{"open", "click", "unsubscribe"}, kind) || (f.Has("active") && active == "") || (active == "htmlonly" && kind != "click") {
		c.message(http.StatusBadRequest, "Invalid value for parameter active")
		return
	}
	s.withDomain(c, func(d *domain) any {
		t := &d.Tracking
		switch kind {
		case "open":
			t.Open = active == "yes" || (t.Open && active == "")
			if f.Has("place_at_the_top") {
				t.OpenTop = truths[strings.ToLower(f.Get("place_at_the_top"))] == "yes"
			}
		case "click":
			t.Click = orText(active, t.Click)
		case "unsubscribe":
			t.Unsubscribe = active == "yes" || (t.Unsubscribe && active == "")
			t.HTMLFooter, t.TextFooter = orText(f.Get("html_footer"), t.HTMLFooter), orText(f.Get("text_footer"), t.TextFooter)
		}
		out := map[string]any{"message": "Domain tracking settings have been updated"}
		maps.Copy(out, map[string]any{kind: t.json("")[kind]})
		return out
	})
}

func (s *Server) tagLimit(c *call) {
	limit := s.switches().TagLimit
	s.withDomain(c, func(d *domain) any {
		return map[string]any{"id": d.Name, "limit": limit, "count": len(d.tags)}
	})
}

func (s *Server) tagLimitAccount(c *call) {
	s.mu.Lock()
	n := 0
	for _, d := range s.st.domains {
		n += len(d.tags)
	}
	s.mu.Unlock()
	c.answer(http.StatusOK, map[string]any{"limit": 100_000, "count": n, "limit_reached": n >= 100_000})
}
