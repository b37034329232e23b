package console

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/mail"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/replytext"
	"github.com/postern-chat/postern/store"
)

// Rules is what the API needs of relay.
type Rules interface {
	// Lift lets mail go out to a person again, here and at the provider; false if he
	// was not stopped.
	Lift(ctx context.Context, user postern.UserID) (bool, error)
	// Revoke makes a reply address worthless for good: what is sent to it is held. False if
	// it is none of ours.
	Revoke(ctx context.Context, address string) (bool, error)
	// Release lets a held mail into the chat; false if it does not wait.
	Release(ctx context.Context, held int64) (bool, error)
	// Discard ends the waiting of a held mail; false if it does not wait.
	Discard(ctx context.Context, held int64) (bool, error)
	// Extracted gives a recorded mail's new words, and what was cut from it and why;
	// false if there is no such mail.
	Extracted(ctx context.Context, event int64) (replytext.Result, bool, error)
	// Raw gives a recorded mail's bytes.
	Raw(ctx context.Context, event int64) ([]byte, bool, error)
}

// Config is what the API needs.
type Config struct {
	Store  *store.Store
	Rules  Rules
	Token  string // of the operator; "" closes the API and the pages
	Secure bool   // the world reaches us by HTTPS: the login's cookie goes nowhere else
	Logger *slog.Logger
}

// API answers operators.
type API struct {
	cfg   Config
	token [32]byte
}

// New checks the configuration.
func New(cfg Config) (*API, error) {
	if cfg.Store == nil || cfg.Rules == nil {
		return nil, errors.New("console: store and rules are needed")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &API{cfg: cfg, token: sha256.Sum256([]byte(cfg.Token))}, nil
}

// Register adds the API to a mux.
func (a *API) Register(mux *http.ServeMux) {
	for pattern, h := range map[string]handler{
		"GET /api/v1/people":                      a.listPeople,
		"GET /api/v1/people/{user_id}":            a.getPerson,
		"PUT /api/v1/people/{user_id}":            a.putPerson,
		"DELETE /api/v1/people/{user_id}":         a.deletePerson,
		"POST /api/v1/people/{user_id}/lift":      a.lift,
		"GET /api/v1/held":                        a.listHeld,
		"POST /api/v1/held/{id}/release":          a.release,
		"POST /api/v1/held/{id}/discard":          a.discard,
		"GET /api/v1/explain/{id}":                a.explain,
		"GET /api/v1/activity":                    a.activity,
		"POST /api/v1/addresses/{address}/revoke": a.revoke,
		"GET /api/v1/status":                      a.status,
		"GET /api/v1/events/{id}/reply":           a.extracted,
	} {
		mux.Handle(pattern, a.guard(h))
	}
	a.registerDead(mux)
	mux.Handle("GET /api/v1/events/{id}/raw", a.guarded(a.raw))
	mux.Handle("/api/v1/", a.guarded(func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "no such call") }))
}

// handler answers with a value to be encoded, or an error.
type handler func(r *http.Request) (any, error)

// problem is an error with a status and a text for the operator.
type problem struct {
	status int
	text   string
}

func (p problem) Error() string { return p.text }

var errAbsent = problem{http.StatusNotFound, "not found"}

// guarded lets nobody in without the token; the comparison tells nothing by its time.
func (a *API) guarded(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, word, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || !a.isToken(word) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, "admin token needed")
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		next(w, r)
	})
}

func (a *API) guard(h handler) http.Handler {
	return a.guarded(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		v, err := h(r)
		var p problem
		var e *postern.Error
		switch kind := postern.KindOf(err); {
		case errors.As(err, &p):
			refuse(w, p.status, p.text)
		case (kind == postern.Permanent || kind == postern.Invalid) && errors.As(err, &e) && e.Err != nil:
			refuse(w, http.StatusConflict, e.Err.Error()) // trying again later is of no use
		case err != nil:
			a.cfg.Logger.Warn("an API call failed", "path", r.Pattern, "error", err)
			refuse(w, http.StatusServiceUnavailable, "try again later; the log says more")
		default:
			answer(w, http.StatusOK, v)
		}
	})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // whoever stops reading has stopped reading
}

func refuse(w http.ResponseWriter, status int, text string) {
	answer(w, status, map[string]string{"error": text})
}

func (a *API) listPeople(r *http.Request) (any, error) {
	limit, err := number(r, "limit", 100, 1, 1000)
	if err != nil {
		return nil, err
	}
	people, err := a.cfg.Store.People(r.Context(), postern.UserID(r.FormValue("after")), limit)
	return map[string]any{"people": orEmpty(people)}, err
}

func (a *API) getPerson(r *http.Request) (any, error) {
	p, ok, err := a.cfg.Store.Person(r.Context(), postern.UserID(r.PathValue("user_id")))
	if err == nil && !ok {
		err = errAbsent
	}
	return p, err
}

func (a *API) putPerson(r *http.Request) (any, error) {
	var in struct {
		Email    string `json:"email"`
		Name     string `json:"name"`
		Locale   string `json:"locale"`
		TimeZone string `json:"time_zone"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(&in)
	if err == nil && d.Decode(&struct{}{}) != io.EOF {
		err = errors.New("something follows it")
	}
	if err != nil {
		return nil, problem{http.StatusBadRequest, "the body is not the JSON of a person: " + err.Error()}
	}
	p := postern.Person{UserID: postern.UserID(r.PathValue("user_id")), Email: strings.TrimSpace(in.Email), Name: in.Name, Locale: in.Locale, TimeZone: in.TimeZone}
	if err := CheckPerson(p); err != nil {
		return nil, problem{http.StatusBadRequest, err.Error()}
	}
	if err := a.cfg.Store.PutPeople(r.Context(), p); err != nil {
		return nil, err
	}
	return a.getPerson(r)
}

// CheckPerson says what is wrong with a person's data; its text is for whoever gave them.
func CheckPerson(p postern.Person) error {
	addr, err := mail.ParseAddress(p.Email)
	switch {
	case p.UserID == "" || len(p.UserID) > 320:
		return errors.New("user_id: 1 to 320 bytes are needed")
	case err != nil || addr.Address != p.Email || len(p.Email) > 254:
		return errors.New("email: not an address such as bob@example.org")
	case len(p.Name) > 400 || strings.ContainsAny(p.Name, "\r\n"):
		return errors.New("name: one line of at most 400 bytes")
	case !utf8.ValidString(string(p.UserID) + p.Email + p.Name + p.Locale + p.TimeZone):
		return errors.New("not UTF-8")
	case len(p.Locale) > 35:
		return errors.New("locale: a BCP 47 tag such as pt-BR")
	}
	if p.TimeZone != "" {
		if _, err := time.LoadLocation(p.TimeZone); err != nil || p.TimeZone == "Local" {
			return errors.New("time_zone: an IANA name such as Europe/Berlin")
		}
	}
	return nil
}

func (a *API) deletePerson(r *http.Request) (any, error) {
	ok, err := a.cfg.Store.DeletePerson(r.Context(), postern.UserID(r.PathValue("user_id")))
	return done(ok, err)
}

func (a *API) lift(r *http.Request) (any, error) {
	ok, err := a.cfg.Rules.Lift(r.Context(), postern.UserID(r.PathValue("user_id")))
	return done(ok, err)
}

func (a *API) listHeld(r *http.Request) (any, error) {
	after, err := number(r, "after", 0, 0, 1<<62)
	if err != nil {
		return nil, err
	}
	held, err := a.cfg.Store.HeldMail(r.Context(), int64(after), 100)
	return map[string]any{"held": orEmpty(held)}, err
}

func (a *API) release(r *http.Request) (any, error) { return a.settle(r, a.cfg.Rules.Release) }
func (a *API) discard(r *http.Request) (any, error) { return a.settle(r, a.cfg.Rules.Discard) }

func (a *API) settle(r *http.Request, how func(context.Context, int64) (bool, error)) (any, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, errAbsent
	}
	ok, err := how(r.Context(), id)
	return done(ok, err)
}

func (a *API) explain(r *http.Request) (any, error) {
	notes, err := a.cfg.Store.Explain(r.Context(), r.PathValue("id"))
	if err == nil && len(notes) == 0 {
		err = errAbsent
	}
	return map[string]any{"notes": notes}, err
}

// activity pages through what was noted. What events and deliveries say of themselves has
// no place in that order: the newest of it comes with every page.
func (a *API) activity(r *http.Request) (any, error) {
	after, err := number(r, "after", 0, 0, 1<<62)
	if err != nil {
		return nil, err
	}
	limit, err := number(r, "limit", 100, 1, 1000)
	if err != nil {
		return nil, err
	}
	notes, err := a.cfg.Store.Notes(r.Context(), int64(after), limit)
	if err != nil {
		return nil, err
	}
	lately, err := a.cfg.Store.Lately(r.Context(), min(limit, 100))
	return map[string]any{"notes": orEmpty(notes), "lately": orEmpty(lately)}, err
}

func (a *API) revoke(r *http.Request) (any, error) {
	return done(a.cfg.Rules.Revoke(r.Context(), r.PathValue("address")))
}

func (a *API) status(r *http.Request) (any, error) {
	b, err := a.cfg.Store.Backlog(r.Context())
	if err != nil {
		return nil, err
	}
	d, err := a.cfg.Store.DeliveryCounts(r.Context())
	v := map[string]any{"jobs": b.Jobs, "lanes": b.Lanes, "dead": b.Dead, "deliveries": d}
	if !b.Oldest.IsZero() {
		v["oldest"] = b.Oldest
	}
	return v, err
}

// extracted shows an operator what was trimmed from a mail.
func (a *API) extracted(r *http.Request) (any, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, errAbsent
	}
	e, ok, err := a.cfg.Rules.Extracted(r.Context(), id)
	if err == nil && !ok {
		err = errAbsent
	}
	return e, err
}

// raw gives a recorded mail as it came, to be saved, never shown in place.
func (a *API) raw(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		refuse(w, http.StatusNotFound, "not found")
		return
	}
	b, ok, err := a.cfg.Rules.Raw(r.Context(), id)
	switch {
	case !ok && err == nil, postern.CauseOf(err) == postern.CauseNotFound:
		refuse(w, http.StatusNotFound, "not found")
	case err != nil:
		a.cfg.Logger.Warn("an API call failed", "path", r.Pattern, "error", err)
		refuse(w, http.StatusServiceUnavailable, "try again later; the log says more")
	default:
		w.Header().Set("Content-Type", "message/rfc822")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Disposition", `attachment; filename="mail.eml"`)
		_, _ = w.Write(b) // whoever stops reading has stopped reading
	}
}

func done(ok bool, err error) (any, error) {
	if err == nil && !ok {
		err = errAbsent
	}
	return map[string]bool{"ok": ok}, err
}

// orEmpty keeps an empty list from being encoded as null.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func number(r *http.Request, name string, otherwise, least, most int) (int, error) {
	s := r.FormValue(name)
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, problem{http.StatusBadRequest, name + ": a number from " + strconv.Itoa(least) + " to " + strconv.Itoa(most)}
	}
	return n, nil
}
