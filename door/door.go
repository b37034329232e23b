// Package door holds the pages that stand behind signed links in our mails: leaving a
// conversation's mail, and files that did not go with it.
//
// What lives here: pages for people who have no account with us. What may not: the
// operator's pages (console), and any change on a GET: link scanners follow links.
package door

import (
	"context"
	"errors"
	"html/template"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/relay"
)

// Rules is what the pages need of relay.
type Rules interface {
	// Leaving reads the word of an unsubscribe link; false if it does not hold.
	Leaving(ctx context.Context, word string) (relay.LeavePage, bool, error)
	// Leave lets a participant out of a conversation's mail, or in again.
	Leave(ctx context.Context, p postern.ParticipantID, out bool) error
	// OpenLink opens the file behind a link. Permanent: no such link.
	OpenLink(ctx context.Context, word string) (relay.LinkedFile, error)
}

// Door answers signed links.
type Door struct {
	rules Rules
	log   *slog.Logger
}

// New makes a door; log may be nil.
func New(rules Rules, log *slog.Logger) (*Door, error) {
	if rules == nil {
		return nil, errors.New("door: rules are needed")
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Door{rules, log}, nil
}

// Register adds the pages to a mux.
func (d *Door) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /u/{word}", d.showLeave)
	mux.HandleFunc("POST /u/{word}", d.leave)
	mux.HandleFunc("GET /f/{word}", d.file)
}

// showLeave shows what a POST would do, and does nothing.
func (d *Door) showLeave(w http.ResponseWriter, r *http.Request) {
	if p, ok := d.find(w, r); ok {
		d.page(w, http.StatusOK, view{Conversation: p.Conversation, Muted: p.Muted, Ask: true})
	}
}

// leave acts: for the button of our page, and for a mail program's own button, which
// sends "List-Unsubscribe=One-Click" without cookies and wants no redirect (RFC 8058).
func (d *Door) leave(w http.ResponseWriter, r *http.Request) {
	p, ok := d.find(w, r)
	if !ok {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	back := r.PostFormValue("again") == "yes"
	if err := d.rules.Leave(r.Context(), p.Participant, !back); err != nil {
		d.fail(w, err)
		return
	}
	d.page(w, http.StatusOK, view{Conversation: p.Conversation, Muted: !back})
}

func (d *Door) find(w http.ResponseWriter, r *http.Request) (relay.LeavePage, bool) {
	p, ok, err := d.rules.Leaving(r.Context(), r.PathValue("word"))
	if err != nil {
		d.fail(w, err)
		return p, false
	}
	if !ok {
		d.page(w, http.StatusNotFound, view{Unknown: true})
	}
	return p, ok
}

func (d *Door) fail(w http.ResponseWriter, err error) {
	d.log.Warn("a signed link could not be answered", "error", err)
	secure(w.Header())
	http.Error(w, "Please try again later.", http.StatusServiceUnavailable)
}

// file streams a file of a chat message. It is never shown in place: whatever it is,
// it is saved, and it runs in nobody's name.
func (d *Door) file(w http.ResponseWriter, r *http.Request) {
	f, err := d.rules.OpenLink(r.Context(), r.PathValue("word"))
	switch {
	case postern.KindOf(err) == postern.Permanent:
		d.page(w, http.StatusNotFound, view{Unknown: true})
		return
	case err != nil:
		d.fail(w, err)
		return
	}
	defer func() { _ = f.Body.Close() }()
	h := w.Header()
	secure(h)
	h.Set("Content-Type", "application/octet-stream")
	if cd := mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}); cd != "" {
		h.Set("Content-Disposition", cd)
	}
	if f.Size >= 0 {
		h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	}
	if r.Method == http.MethodHead {
		return
	}
	// The server's own limit is for pages; not every ResponseWriter can do this.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * time.Minute))
	if _, err := io.Copy(w, f.Body); err != nil {
		// Half a file must not look like a whole one.
		panic(http.ErrAbortHandler)
	}
}

func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex")
}

type view struct {
	Conversation        string
	Muted, Ask, Unknown bool
}

func (d *Door) page(w http.ResponseWriter, status int, v view) {
	secure(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := leavePage.Execute(w, v); err != nil {
		d.log.Debug("a page was not sent whole", "error", err)
	}
}

var leavePage = template.Must(template.New("leave").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>E-mails from a conversation</title>
<style>
:root{color-scheme:light dark}
body{font:17px/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1.2rem}
button{font:inherit;padding:.6em 1.2em;border-radius:.5em;border:1px solid #8888;cursor:pointer}
</style></head><body><main>
{{if .Unknown}}<h1>This link is not valid</h1><p>It may have expired, or a part of it is missing.</p>
{{else if .Ask}}{{if .Muted}}<h1>You get no e-mails from this conversation</h1><p>“{{.Conversation}}”</p>
<form method="post"><input type="hidden" name="again" value="yes"><button>Send me e-mails again</button></form>
{{else}}<h1>No more e-mails from this conversation?</h1><p>“{{.Conversation}}”</p>
<form method="post"><button>No more e-mails</button></form>{{end}}
{{else if .Muted}}<h1>Done</h1><p>You get no more e-mails from “{{.Conversation}}”.</p>
<form method="post"><input type="hidden" name="again" value="yes"><button>Undo</button></form>
{{else}}<h1>Done</h1><p>You get e-mails from “{{.Conversation}}” again.</p>{{end}}
</main></body></html>
`))
