package sendbird

import (
	"net"
	"net/url"
)

func getWebhook(s *Server, c *call) (any, error) {
	all := c.query.boolean("display_all_webhook_categories", false)
	if c.query.err != nil {
		return nil, c.query.err
	}
	return s.webhookAnswer(all), nil
}

func (s *Server) webhookAnswer(all bool) obj {
	h := s.st.hook
	o := obj{"enabled": h.enabled, "url": h.url, "include_members": h.includeMembers, "include_unread_count": h.includeUnread,
		"enabled_events": append([]string{}, h.events...)}
	if all {
		o["all_webhook_categories"] = allCategories()
	}
	return obj{"webhook": o}
}

// putWebhook changes what is given. No events at all turn webhooks off (managing-subscribed-events).
func putWebhook(s *Server, c *call) (any, error) {
	a, h := c.body, s.st.hook
	enabled, link := a.boolean("enabled", h.enabled), a.str("url")
	members, unread := a.boolean("include_members", h.includeMembers), a.boolean("include_unread_count", h.includeUnread)
	events := a.list("enabled_events")
	if a.err != nil {
		return nil, a.err
	}
	if link != "" {
		if u, err := url.Parse(link); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fail(codeBadURL, "\"url\" is not a valid URL.")
		}
	}
	known := append(allCategories(), "*")
	for _, e := range events {
		if !contains(known, e) {
			return nil, fail(codeInvalid, "\"enabled_events\" holds an unknown category.")
		}
	}
	h.enabled, h.includeMembers, h.includeUnread = enabled, members, unread
	if a.has("url") {
		h.url = link
	}
	if a.has("enabled_events") {
		h.events = events
		if len(events) == 0 {
			h.enabled = false
		}
	}
	if h.enabled && h.url == "" {
		return nil, missing("url")
	}
	s.st.hook = h
	return s.webhookAnswer(a.boolean("display_all_webhook_categories", false)), nil
}

// masterOnly: secondary tokens are made with the master token alone.
func (s *Server) masterOnly(c *call) error {
	if c.r.Header.Get("Api-Token") != s.cfg.MasterToken {
		return fail(codeUnauthorized, "Not authorized. Only the master API token may do this.")
	}
	return nil
}

func createToken(s *Server, c *call) (any, error) {
	if err := s.masterOnly(c); err != nil {
		return nil, err
	}
	t := apiToken{token: s.hex(40), created: s.tick()}
	s.st.tokens = append(s.st.tokens, t)
	return t.resource(), nil
}

func (t apiToken) resource() obj { return obj{"token": t.token, "created_at": t.created} }

func listTokens(s *Server, c *call) (any, error) {
	if err := s.masterOnly(c); err != nil {
		return nil, err
	}
	out := []obj{}
	for _, t := range s.st.tokens {
		out = append(out, t.resource())
	}
	return obj{"api_tokens": out}, nil
}

func oneToken(remove bool) handle {
	return func(s *Server, c *call) (any, error) {
		if err := s.masterOnly(c); err != nil {
			return nil, err
		}
		for i, t := range s.st.tokens {
			if t.token == c.path["api_token"] {
				if remove {
					s.st.tokens = append(s.st.tokens[:i], s.st.tokens[i+1:]...)
				}
				return t.resource(), nil
			}
		}
		return nil, notFound("API token")
	}
}

func getAllowed(s *Server, c *call) (any, error) {
	return obj{"ip_whitelist_addresses": append([]string{}, s.st.allowed...)}, nil
}

func addAllowed(s *Server, c *call) (any, error) {
	list := c.body.list("ip_whitelist_addresses")
	switch {
	case c.body.err != nil:
		return nil, c.body.err
	case !c.body.has("ip_whitelist_addresses"):
		return nil, missing("ip_whitelist_addresses")
	}
	for _, a := range list {
		if _, _, err := net.ParseCIDR(a); err != nil && net.ParseIP(a) == nil {
			return nil, fail(codeInvalid, "\"ip_whitelist_addresses\" holds no address.")
		}
	}
	s.st.allowed = union(s.st.allowed, list)
	return getAllowed(s, c)
}

func removeAllowed(s *Server, c *call) (any, error) {
	list := append(c.query.list("ip_whitelist_addresses"), c.body.list("ip_whitelist_addresses")...)
	if c.body.err != nil {
		return nil, c.body.err
	}
	s.st.allowed = without(s.st.allowed, func(a string) bool { return contains(list, a) })
	return getAllowed(s, c)
}
