package mailgun

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"
)

// allowedIP is an address or network from which the API may be called. With none, from
// everywhere.
type allowedIP struct {
	Address     string `json:"ip_address"`
	Description string `json:"description"`
}

func (s *Server) allowlistEndpoints() []endpoint {
	const path = "/v2/ip_whitelist"
	return []endpoint{
		{"GET", path, scopeAccount, func(c *call) { c.s.allowlist(c, nil) }},
		{"POST", path, scopeAccount, func(c *call) { c.s.allowlistAdd(c) }},
		{"PUT", path, scopeAccount, func(c *call) { c.s.allowlistUpdate(c) }},
		{"DELETE", path, scopeAccount, func(c *call) { c.s.allowlistDelete(c) }},
	}
}

// allowlist answers the list after a change, which may refuse.
func (s *Server) allowlist(c *call, change func(list []allowedIP) ([]allowedIP, string)) {
	s.mu.Lock()
	why := ""
	if change != nil {
		var next []allowedIP
		if next, why = change(slices.Clone(s.st.allowed)); why == "" {
			s.st.allowed = next
		}
	}
	out := append([]allowedIP{}, s.st.allowed...)
	s.mu.Unlock()
	if why != "" {
		c.message(http.StatusBadRequest, "%s", why)
		return
	}
	c.answer(http.StatusOK, map[string]any{"addresses": out})
}

func (s *Server) allowlistAdd(c *call) {
	f, ok := c.form()
	if !ok {
		return
	}
	s.allowlist(c, func(list []allowedIP) ([]allowedIP, string) {
		if _, ok := network(f.Get("address")); !ok {
			return nil, "Invalid IP Address or CIDR"
		}
		return append(list, allowedIP{f.Get("address"), f.Get("description")}), ""
	})
}

func (s *Server) allowlistUpdate(c *call) {
	f, ok := c.form()
	if !ok {
		return
	}
	s.allowlist(c, func(list []allowedIP) ([]allowedIP, string) {
		i := slices.IndexFunc(list, func(a allowedIP) bool { return a.Address == f.Get("address") })
		if i < 0 {
			return nil, "IP not found"
		}
		list[i].Description = f.Get("description")
		return list, ""
	})
}

func (s *Server) allowlistDelete(c *call) {
	address := c.r.URL.Query().Get("address")
	s.allowlist(c, func(list []allowedIP) ([]allowedIP, string) {
		if address == "" {
			return nil, "IP address can not be blank"
		}
		next := slices.DeleteFunc(list, func(a allowedIP) bool { return a.Address == address })
		if len(next) == len(s.st.allowed) {
			return nil, "IP not found"
		}
		return next, ""
	})
}

func network(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// fromAllowed tells whether the caller's address may call, and answers if not.
func (c *call) fromAllowed() bool {
	c.s.mu.Lock()
	list := c.s.st.allowed
	c.s.mu.Unlock()
	if len(list) == 0 {
		return true
	}
	host, _, _ := net.SplitHostPort(c.r.RemoteAddr)
	if a, err := netip.ParseAddr(host); err == nil {
		for _, one := range list {
			if p, ok := network(one.Address); ok && p.Contains(a.Unmap()) {
				return true
			}
		}
	}
	c.message(http.StatusForbidden, "Forbidden")
	return false
}

// unverifiedLimit: a domain whose DNS is not verified sends few mails a day, or none. The
// texts are ours; the figure is the manual's.
func (s *Server) unverifiedLimit(c *call, m *message, most int) error {
	s.mu.Lock()
	d := s.st.domains[c.domain]
	free := d == nil || d.State != "unverified" || d.Type == "sandbox"
	s.mu.Unlock()
	if free {
		return nil
	}
	if most <= 0 {
		return refuse(http.StatusForbidden, "Domain %s is not allowed to send: The domain is unverified and requires DNS configuration.", c.domain)
	}
	if left, _ := s.use("unverified "+c.domain, len(m.to), most, 24*time.Hour); left < 0 {
		return refuse(http.StatusForbidden, "Domain %s is not allowed to send: daily limit of %d messages for unverified domains exceeded", c.domain, most)
	}
	return nil
}
