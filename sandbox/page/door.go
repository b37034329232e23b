package page

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// doors are the calls to the emulators that the page makes, and no others.
func (p *Page) doors(mux *http.ServeMux) {
	const ch = "/users/{user}/channels/{channel}"
	p.chatDoors(mux, map[string]bool{ // pattern below /api/chat -> it changes something
		"GET /state":                           false,
		"GET /webhooks/{id}":                   false,
		"POST /webhooks/{id}/resend":           true,
		"PUT /users/{user}/presence":           true,
		"POST /users/{user}/channels":          true,
		"POST " + ch + "/messages":             true,
		"PUT " + ch + "/messages/{message}":    true,
		"DELETE " + ch + "/messages/{message}": true,
		"PUT " + ch + "/read":                  true,
		"POST " + ch + "/invite":               true,
		"PUT " + ch + "/leave":                 true,
	})
	mux.HandleFunc("POST /api/mailgun/posts/{id}/resend", func(w http.ResponseWriter, r *http.Request) {
		p.pass(w, r, p.mail, "/_emulator/posts/"+url.PathEscape(r.PathValue("id"))+"/resend")
	})
	mux.HandleFunc("GET /api/files/{name}", p.getFile)
	const one = "/{address}/messages/{id}"
	for pattern, changes := range map[string]bool{
		"GET ":                         false,
		"GET /{address}/messages":      false,
		"GET " + one:                   false,
		"GET " + one + "/raw":          false,
		"GET " + one + "/files/{n}":    false,
		"POST /{address}/send":         true,
		"POST /{address}/upload":       true,
		"POST " + one + "/open":        true,
		"POST " + one + "/click":       true,
		"POST " + one + "/reply":       true,
		"POST " + one + "/spam":        true,
		"POST " + one + "/unsubscribe": true,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /api/mailboxes"+path, func(w http.ResponseWriter, r *http.Request) {
			p.pass(w, r, p.boxes, strings.TrimPrefix(r.URL.EscapedPath(), "/api"))
			if changes {
				p.touch(func(s *story) { s.mailVersion++ })
			}
		})
	}
	mux.HandleFunc("GET /api/mailboxes"+one+"/html", p.getHTML)
}

func (p *Page) chatDoors(mux *http.ServeMux, patterns map[string]bool) {
	for pattern, changes := range patterns {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /api/chat"+path, func(w http.ResponseWriter, r *http.Request) {
			p.pass(w, r, p.chat, "/_emulator"+strings.TrimPrefix(r.URL.EscapedPath(), "/api/chat"))
			if changes {
				p.touch(func(s *story) { s.chatVersion++ })
			}
		})
	}
}

// pass hands a request on to an emulator in this process, under another path.
func (p *Page) pass(w http.ResponseWriter, r *http.Request, to http.Handler, escaped string) {
	path, err := url.PathUnescape(escaped)
	if err != nil {
		refuse(w, http.StatusBadRequest, "the path is not well escaped")
		return
	}
	in := r.Clone(r.Context())
	in.URL.Path, in.URL.RawPath = path, escaped
	in.RequestURI = ""
	in.Header.Del("Cookie")
	in.Header.Del("Authorization")
	w.Header().Set("Cache-Control", "no-store")
	to.ServeHTTP(w, in)
}

// framePolicy lets a mail's HTML show itself and what it brought along, and nothing
// else: no scripts, no forms, nothing from the network. It keeps its origin so that the
// page can measure its height.
const framePolicy = "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox; default-src 'none'; script-src 'none'; " +
	"style-src 'unsafe-inline'; img-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"

// getHTML is a mail for a frame. Pictures from elsewhere are never fetched by the
// browser: "show pictures" lets the person's mail program fetch them.
func (p *Page) getHTML(w http.ResponseWriter, r *http.Request) {
	own := func(h http.Header) { h.Set("Content-Security-Policy", framePolicy) }
	r.URL.RawQuery = ""
	p.pass(&headed{ResponseWriter: w, head: own}, r, p.boxes, strings.TrimPrefix(r.URL.EscapedPath(), "/api"))
}

// headed sets headers over those of whoever answers, at the last moment.
type headed struct {
	http.ResponseWriter
	head  func(http.Header)
	begun bool
}

func (w *headed) begin() {
	if !w.begun {
		w.begun = true
		w.head(w.Header())
	}
}

func (w *headed) WriteHeader(status int) {
	w.begin()
	w.ResponseWriter.WriteHeader(status)
}

func (w *headed) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// getFile gives a file of the chat; only plain pictures are shown in place.
func (p *Page) getFile(w http.ResponseWriter, r *http.Request) {
	own := func(h http.Header) {
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		switch kind, _, _ := mime.ParseMediaType(h.Get("Content-Type")); kind {
		case "image/png", "image/jpeg", "image/gif", "image/webp":
		default:
			h.Set("Content-Disposition", "attachment")
		}
	}
	p.pass(&headed{ResponseWriter: w, head: own}, r, p.chat, "/files/"+url.PathEscape(r.PathValue("name")))
}

// gateway passes a call on to the gateway's API with the token; path names values of
// the page's own pattern in braces.
func (p *Page) gateway(path string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		to := strings.ReplaceAll(path, "{id}", url.PathEscape(r.PathValue("id")))
		req, err := http.NewRequestWithContext(r.Context(), r.Method, p.cfg.Gateway+to, nil)
		if err != nil {
			refuse(w, http.StatusBadRequest, "no such id")
			return
		}
		req.Header.Set("Authorization", "Bearer "+p.cfg.AdminToken)
		resp, err := p.cfg.Client.Do(req)
		if err != nil {
			refuse(w, http.StatusBadGateway, "the gateway does not answer")
			return
		}
		defer func() { _ = resp.Body.Close() }()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, io.LimitReader(resp.Body, 8<<20)) // whoever stops reading has stopped reading
		if r.Method != http.MethodGet {
			p.touch(func(s *story) { s.heldVersion++ })
		}
	}
}
