package fetch

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/postern-chat/postern"
)

// rule is one entry of Config.AllowedHosts.
type rule struct {
	scheme string // "" = any; only with port
	host   string // lower case; "" = every host
	suffix bool   // host and everything below it, host starts with a dot
	port   string // "" = 443 and not trusted
}

func parseRule(s string) (rule, error) {
	wrong := fmt.Errorf("fetch: allowed host %q: want .example.com, example.com, example.com:443, https://example.com:443 or *", s)
	r := rule{}
	rest := strings.ToLower(strings.TrimSpace(s))
	if scheme, after, ok := strings.Cut(rest, "://"); ok {
		if scheme != "http" && scheme != "https" {
			return r, wrong
		}
		r.scheme, rest = scheme, strings.TrimSuffix(after, "/")
		u, err := url.Parse("//" + rest)
		if err != nil || u.Hostname() == "" || u.Host != rest || strings.HasPrefix(rest, ".") || strings.Contains(rest, "*") {
			return r, wrong
		}
		if u.Port() == "" {
			rest = net.JoinHostPort(u.Hostname(), defaultPort(scheme))
		}
	}
	switch {
	case rest == "*":
		return r, nil
	case rest == "" || rest == "." || strings.ContainsAny(rest, "/?#@* \t"):
		return r, wrong
	case strings.HasPrefix(rest, "."):
		if strings.Contains(rest, ":") {
			return r, wrong
		}
		r.host, r.suffix = rest, true
		return r, nil
	}
	if host, port, err := net.SplitHostPort(rest); err == nil {
		if host == "" || port == "" {
			return r, wrong
		}
		r.host, r.port = host, port
		return r, nil
	}
	r.host = strings.Trim(rest, "[]")
	return r, nil
}

func defaultPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

// check tells whether u may be asked, and whether its very host and port are listed.
func (c *Client) check(u *url.URL) (trusted bool, err error) {
	refuse := func(why string) (bool, error) {
		return false, postern.Errorf(postern.Permanent, op, "%.253s: %s", u.Hostname(), why)
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return refuse("not a web address")
	case host == "":
		return refuse("no host")
	case numeric(host):
		return refuse("neither a name nor a proper address")
	case u.User != nil:
		return refuse("a user name in the address")
	}
	if port == "" {
		port = defaultPort(u.Scheme)
	}
	listed := false
	for _, r := range c.rules {
		switch {
		case r.port != "":
			if r.host == host && r.port == port && (r.scheme == "" || r.scheme == u.Scheme) {
				return true, nil
			}
		case r.suffix:
			listed = listed || strings.HasSuffix(host, r.host)
		default:
			listed = listed || r.host == "" || r.host == host
		}
	}
	switch {
	case !listed:
		return refuse("host is not allowed")
	case u.Scheme != "https":
		return refuse("only https is allowed")
	case port != "443":
		return refuse("only port 443 is allowed")
	}
	return false, nil
}

// numeric tells hosts that some resolvers take for an address although Go does not:
// 2130706433, 0x7f.1, 0177.0.0.1 (URL Standard, "ends in a number").
func numeric(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}
