package mailgun

import (
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// visitor is who fetched a pixel or followed a link.
type visitor struct{ ip, agent string }

// somebody is a person at a desk, where nobody says who it was.
func somebody() visitor {
	return visitor{ip: "203.0.113.9", agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
}

// pixelGIF is a transparent GIF of one by one pixel.
const pixelGIF = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"

// serveTracking is the tracking host: /o/{token} is the pixel, /c/{token}?u= a
// link, /u/{token} unsubscribing.
func (s *Server) serveTracking(w http.ResponseWriter, r *http.Request) {
	kind, token := r.URL.Path[1:2], strings.SplitN(r.URL.Path[3:], "/", 2)[0]
	s.mu.Lock()
	d := s.st.tokens[token]
	s.mu.Unlock()
	if d == nil {
		http.NotFound(w, r)
		return
	}
	e := entryOf(r)
	e.MessageID, e.Recipient = d.msg.id, d.to
	v := visitorOf(r)
	switch {
	case kind == "o" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		w.Header().Set("Content-Type", "image/gif")
		w.Header().Set("Cache-Control", "no-cache, no-store")
		if r.Method == http.MethodGet {
			s.open(d, v)
			b, _ := base64.StdEncoding.DecodeString(pixelGIF)
			_, _ = w.Write(b)
		}
	case kind == "c" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		target := r.URL.Query().Get("u")
		if !strings.HasPrefix(target, "http://") && !strings.HasPrefix(target, "https://") {
			http.NotFound(w, r)
			return
		}
		if r.Method == http.MethodGet {
			s.clicked(d, v, target)
		}
		http.Redirect(w, r, target, http.StatusFound)
	case kind == "u":
		s.unsubscribe(d, v, "*")
		_, _ = io.WriteString(w, "You have been unsubscribed.")
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func visitorOf(r *http.Request) visitor {
	v := visitor{agent: r.UserAgent()}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err == nil {
		v.ip = host
	}
	// The mailboxes of the sandbox all live on loopback; they say from where
	// their person's program would come.
	if a, err := netip.ParseAddr(r.Header.Get("X-Forwarded-For")); err == nil {
		v.ip = a.String()
	}
	return v
}

func (s *Server) open(d *delivery, v visitor) {
	s.mu.Lock()
	d.opened++
	s.mu.Unlock()
	s.later(0, "to:"+d.token, func(context.Context) { s.emit(d, "opened", "opened", s.engagementData(d, v)) })
}

func (s *Server) clicked(d *delivery, v visitor, target string) {
	s.later(0, "to:"+d.token, func(context.Context) {
		data := s.engagementData(d, v)
		data["url"] = target
		s.emit(d, "clicked", "clicked", data)
	})
}

// unsubscribe puts the recipient on the list; tag "*" means the whole domain.
func (s *Server) unsubscribe(d *delivery, v visitor, tag string) {
	s.suppress(d.msg.domain, "unsubscribes", d.to, "", "", []string{tag})
	s.later(0, "to:"+d.token, func(context.Context) {
		data := s.engagementData(d, v)
		data["storage"] = []any{} // really an empty array here
		data["tags"] = []any{tag}
		s.emit(d, "unsubscribed", "unsubscribed", data)
	})
}

// info is client-info as Mailgun would see this visitor. A scanner with a
// person's user agent stays unseen, as with Mailgun.
func (v visitor) info() map[string]any {
	a := v.agent
	has := func(s string) bool { return strings.Contains(a, s) }
	out := map[string]any{"client-type": "browser", "client-os": "Windows", "client-name": "Chrome", "device-type": "desktop",
		"user-agent": a, "bot": ""}
	switch {
	case a == "Mozilla/5.0":
		out["bot"], out["client-name"], out["client-os"], out["client-type"], out["device-type"] = "apple", "unknown", "unknown", "unknown", "unknown"
	case has("Edge/12.246"):
		out["bot"], out["client-name"] = "gmail", "Edge"
	case has("GoogleImageProxy"):
		out["client-name"], out["client-type"], out["client-os"] = "Firefox", "browser", "Windows"
	case a == "" || has("bot") || has("Bot") || has("curl/") || has("Go-http-client") || has("python-"):
		out["bot"], out["client-type"], out["client-name"], out["client-os"], out["device-type"] = "generic", "robot", "unknown", "unknown", "other"
	case has("iPhone"):
		out["client-type"], out["client-os"], out["client-name"], out["device-type"] = "mobile browser", "iOS", "Mobile Safari", "mobile"
	case has("Thunderbird"):
		out["client-type"], out["client-os"], out["client-name"] = "email client", "Linux", "Thunderbird"
	case has("Firefox/"):
		out["client-os"], out["client-name"] = desktopOS(a), "Firefox"
	case has("Chrome/"):
		out["client-os"] = desktopOS(a)
	case has("Macintosh"):
		out["client-os"], out["client-name"] = "OS X", "Safari"
	}
	return out
}

func desktopOS(agent string) string {
	switch {
	case strings.Contains(agent, "Macintosh"):
		return "OS X"
	case strings.Contains(agent, "Linux"):
		return "Linux"
	}
	return "Windows"
}
