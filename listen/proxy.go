package listen

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// prefixes reads addresses ("10.0.0.7") and ranges ("10.0.0.0/8").
func prefixes(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, err := netip.ParseAddr(s)
			if err != nil {
				return nil, fmt.Errorf("listen: %q is neither an address nor a range such as 10.0.0.0/8", s)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

type clientKey struct{}

// Client tells who a request comes from, as far as trusted proxies vouch for it. The
// zero address: it is not known.
func Client(r *http.Request) netip.Addr {
	a, _ := r.Context().Value(clientKey{}).(netip.Addr)
	return a
}

// client finds the caller's address: the connection's, or, where that is a trusted
// proxy's, the last address in X-Forwarded-For that is none. What stands before it was
// written by the caller himself and proves nothing.
func (f *Front) client(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	at := peer.Addr().Unmap()
	if !f.trusted(at) {
		return at
	}
	var chain []string
	for _, v := range r.Header.Values("X-Forwarded-For") {
		chain = append(chain, strings.Split(v, ",")...)
	}
	for i := len(chain) - 1; i >= 0 && len(chain)-i <= 10; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(chain[i]))
		if err != nil {
			break
		}
		if at = a.Unmap(); !f.trusted(at) {
			break
		}
	}
	return at
}

func (f *Front) trusted(a netip.Addr) bool {
	for _, p := range f.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Handler tells the handlers inside who calls, and slows down whoever tries keys: after
// too many 401 from one address on these paths it is told to wait. Paths of webhooks
// are not among them: Sendbird and Mailgun call from few addresses, which they share.
func (f *Front) Handler(next http.Handler, guarded ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := f.client(r)
		r = r.WithContext(context.WithValue(r.Context(), clientKey{}, who))
		if !under(r.URL.Path, guarded) {
			next.ServeHTTP(w, r)
			return
		}
		if f.refused.tooMany(who) {
			w.Header().Set("Retry-After", "60")
			http.Error(w, "too many wrong keys; come back in a minute", http.StatusTooManyRequests)
			return
		}
		seen := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(seen, r)
		if seen.status == http.StatusUnauthorized {
			f.refused.add(who)
		}
	})
}

func under(path string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController through.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
