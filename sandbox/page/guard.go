package page

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// ownMark is a header that no form and no simple cross-origin request can carry: a
// browser asks first, and is not answered.
const ownMark = "X-Postern-Page"

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// guarded lets in what comes from this machine's own names, and changes only from the
// page itself.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		switch {
		case !loopbackName(r.Host):
			refuse(w, http.StatusForbidden, "the page answers at localhost only")
		case strangers(r):
			refuse(w, http.StatusForbidden, "only the page itself may ask this")
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			next.ServeHTTP(w, r)
		}
	})
}

// maxBody is the largest upload; what a mailbox takes at most.
const maxBody = 64 << 20

// loopbackName tells whether a Host field names this machine by a name that nobody
// else's DNS can give away.
func loopbackName(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && a.IsLoopback()
}

// strangers tells whether a request may come from somebody else's page. Browsers of
// today say so in Sec-Fetch-Site; all of them say Origin on changes; a change needs the
// page's own mark in any case.
func strangers(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		// A link to the page is fine, a look into its data is not.
		return strings.HasPrefix(r.URL.Path, "/api/") && site != "" && site != "same-origin" && site != "none"
	}
	if site != "" && site != "same-origin" || r.Header.Get(ownMark) == "" {
		return true
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		return err != nil || u.Host != r.Host
	}
	return false
}
