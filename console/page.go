package console

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

//go:embed page.html
var pageFile embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"when": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
}).ParseFS(pageFile, "page.html"))

// RegisterPages adds the operator's pages to a mux. They need no script; what changes
// something is a POST, and one from another site is refused.
func (a *API) RegisterPages(mux *http.ServeMux) {
	own := http.NewCrossOriginProtection()
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /console/{$}":                a.inside(a.overview),
		"GET /console/explain":            a.inside(a.explainPage),
		"GET /console/people":             a.inside(a.peoplePage),
		"GET /console/held/{id}":          a.inside(a.heldPage),
		"POST /console/held/{id}/release": a.inside(a.act(func(ctx context.Context, r *http.Request) error { return a.settleForm(ctx, r, a.cfg.Rules.Release) })),
		"POST /console/held/{id}/discard": a.inside(a.act(func(ctx context.Context, r *http.Request) error { return a.settleForm(ctx, r, a.cfg.Rules.Discard) })),
		"POST /console/people/lift":       a.inside(a.act(a.liftForm)),
		"POST /console/login":             a.login,
		"POST /console/logout":            a.logout,
	} {
		mux.Handle(pattern, own.Handler(h))
	}
	for pattern, h := range a.deadForms() {
		mux.Handle(pattern, own.Handler(h))
	}
	mux.Handle("GET /console", http.RedirectHandler("/console/", http.StatusMovedPermanently))
}

// inside shows the login to whoever did not give the token yet.
func (a *API) inside(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !a.loggedIn(r, time.Now()) {
			status := http.StatusOK
			if r.Method != http.MethodGet {
				status = http.StatusUnauthorized
			}
			a.show(w, status, "login", map[string]any{"Closed": a.cfg.Token == ""})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		next(w, r)
	}
}

func (a *API) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	if !a.isToken(r.PostFormValue("token")) {
		a.cfg.Logger.Warn("a login to the console was refused")
		a.show(w, http.StatusUnauthorized, "login", map[string]any{"Wrong": true})
		return
	}
	http.SetCookie(w, a.newSession(time.Now()))
	http.Redirect(w, r, "/console/", http.StatusSeeOther)
}

func (a *API) logout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, a.cookie("", -1))
	http.Redirect(w, r, "/console/", http.StatusSeeOther)
}

func (a *API) show(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		a.cfg.Logger.Error("a page could not be made", "page", name, "error", err)
		http.Error(w, "this page could not be made; the log says more", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // whoever stops reading has stopped reading
}

func (a *API) failed(w http.ResponseWriter, err error) {
	a.cfg.Logger.Warn("a page of the console failed", "error", err)
	http.Error(w, "try again later; the log says more", http.StatusServiceUnavailable)
}

// waitingPerPage is how many held mails, the longest held first, are shown at once.
const waitingPerPage = 100

// overview shows what waits for the operator, and what happened last.
func (a *API) overview(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	backlog, err := a.cfg.Store.Backlog(ctx)
	if err != nil {
		a.failed(w, err)
		return
	}
	waiting, err := a.cfg.Store.WaitingMail(ctx, 0, waitingPerPage)
	if err != nil {
		a.failed(w, err)
		return
	}
	notes, err := a.cfg.Store.LastNotes(ctx, 60)
	if err != nil {
		a.failed(w, err)
		return
	}
	dead, err := a.cfg.Store.DeadJobs(ctx, "", 0, deadPerPage)
	if err != nil {
		a.failed(w, err)
		return
	}
	a.show(w, http.StatusOK, "overview", map[string]any{"Backlog": backlog, "Held": waiting, "Dead": dead, "Notes": notes})
}

func (a *API) explainPage(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimSpace(r.FormValue("id"))
	notes, err := a.cfg.Store.Explain(r.Context(), id)
	if err != nil {
		a.failed(w, err)
		return
	}
	a.show(w, http.StatusOK, "explain", map[string]any{"ID": id, "Notes": notes})
}

func (a *API) peoplePage(w http.ResponseWriter, r *http.Request) {
	const perPage = 100
	people, err := a.cfg.Store.People(r.Context(), postern.UserID(r.FormValue("after")), perPage)
	if err != nil {
		a.failed(w, err)
		return
	}
	data := map[string]any{"People": people}
	if len(people) == perPage {
		data["Next"] = people[perPage-1].UserID
	}
	a.show(w, http.StatusOK, "people", data)
}

// heldPage shows a held mail as text: its HTML is a stranger's.
func (a *API) heldPage(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	page, err := a.cfg.Store.HeldMail(r.Context(), id-1, 1)
	switch {
	case err != nil:
		a.failed(w, err)
		return
	case len(page) == 0 || page[0].ID != id:
		http.NotFound(w, r)
		return
	}
	mail, ok, err := a.cfg.Rules.Extracted(r.Context(), page[0].Event)
	if err != nil {
		a.cfg.Logger.Info("a held mail cannot be read", "event", page[0].Event, "error", err)
	}
	a.show(w, http.StatusOK, "held", map[string]any{"Held": page[0], "Waiting": page[0].State == store.HeldWaiting, "Mail": mail, "Readable": ok, "ForNobody": page[0].Participant == 0})
}

// act does what a form asks for and shows the page it came from again.
func (a *API) act(do func(context.Context, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := do(r.Context(), r); err != nil {
			a.failed(w, err)
			return
		}
		back := "/console/"
		if strings.HasPrefix(r.URL.Path, "/console/people/") {
			back = "/console/people"
		}
		http.Redirect(w, r, back, http.StatusSeeOther)
	}
}

func (a *API) settleForm(ctx context.Context, r *http.Request, how func(context.Context, int64) (bool, error)) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil // nothing of that name waits
	}
	_, err = how(ctx, id)
	return err
}

func (a *API) liftForm(ctx context.Context, r *http.Request) error {
	_, err := a.cfg.Rules.Lift(ctx, postern.UserID(r.PostFormValue("user_id")))
	return err
}
