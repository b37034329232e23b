package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/replytext"
	"github.com/postern-chat/postern/store"
)

const token = "the operator's token"

// rules answer what a test says and keep what they are asked.
type rules struct {
	ok    bool
	err   error
	raw   []byte
	asked []string
}

func (r *rules) ask(what string, arg any) (bool, error) {
	r.asked = append(r.asked, fmt.Sprint(what, " ", arg))
	return r.ok, r.err
}

func (r *rules) Revoke(_ context.Context, address string) (bool, error) {
	return r.ask("revoke", address)
}
func (r *rules) Lift(_ context.Context, u postern.UserID) (bool, error) { return r.ask("lift", u) }
func (r *rules) Release(_ context.Context, id int64) (bool, error)      { return r.ask("release", id) }
func (r *rules) Discard(_ context.Context, id int64) (bool, error)      { return r.ask("discard", id) }
func (r *rules) Raw(_ context.Context, id int64) ([]byte, bool, error) {
	ok, err := r.ask("raw", id)
	return r.raw, ok, err
}

func (r *rules) Extracted(_ context.Context, id int64) (replytext.Result, bool, error) {
	ok, err := r.ask("extracted", id)
	return replytext.Result{Text: "<b>new</b> words", Full: "<b>new</b> words\n> old"}, ok, err
}

type house struct {
	t     *testing.T
	store *store.Store
	rules *rules
	mux   *http.ServeMux
	log   bytes.Buffer
}

func newHouse(t *testing.T, token string) *house {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Database: "sqlite:" + filepath.Join(t.TempDir(), "house.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	h := &house{t: t, store: s, rules: &rules{ok: true}, mux: http.NewServeMux()}
	a, err := New(Config{Store: s, Rules: h.rules, Token: token, Logger: slog.New(slog.NewTextHandler(&h.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	a.Register(h.mux)
	a.RegisterPages(h.mux)
	return h
}

// raw asks with any Authorization.
func (h *house) raw(method, path, authorization, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	h.mux.ServeHTTP(w, r)
	return w
}

// call asks as the operator, wants a status, and gives the JSON.
func (h *house) call(method, path, body string, status int) (v map[string]any) {
	h.t.Helper()
	w := h.raw(method, path, "Bearer "+token, body)
	if w.Code != status {
		h.t.Errorf("%s %s: status %d, want %d: %s", method, path, w.Code, status, w.Body)
	}
	if method == http.MethodHead {
		return nil
	}
	if kind := w.Header().Get("Content-Type"); kind != "application/json" || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		h.t.Errorf("%s %s: type %q, header %v", method, path, kind, w.Header())
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		h.t.Errorf("%s %s: %v: %s", method, path, err, w.Body)
	}
	if text, _ := v["error"].(string); (status >= 400) != (text != "") {
		h.t.Errorf("%s %s: error %q with status %d", method, path, text, status)
	}
	return v
}

var calls = []string{
	"GET /api/v1/people", "GET /api/v1/people/bob", "PUT /api/v1/people/bob", "DELETE /api/v1/people/bob", "POST /api/v1/people/bob/lift",
	"GET /api/v1/held", "POST /api/v1/held/1/release", "POST /api/v1/held/1/discard", "GET /api/v1/explain/x", "GET /api/v1/activity",
	"POST /api/v1/addresses/b7x@mg.example/revoke", "GET /api/v1/status", "GET /api/v1/events/1/reply", "GET /api/v1/events/1/raw", "GET /api/v1/", "GET /api/v1/nothing", "PATCH /api/v1/people/bob",
}

// Nobody is let in without the token, to whatever call, and learns which calls there are.
func TestToken(t *testing.T) {
	h := newHouse(t, token)
	for _, c := range calls {
		method, path, _ := strings.Cut(c, " ")
		for _, auth := range []string{"", "Bearer", "Bearer ", "Bearer " + token + "x", "Bearer  " + token, "Bearer " + token[1:], "Basic " + token, token, "bearer" + token, "Bearer " + strings.ToUpper(token)} {
			w := h.raw(method, path, auth, `{"email":"bob@people.example"}`)
			if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != "Bearer" || !strings.Contains(w.Body.String(), `"error"`) {
				t.Errorf("%s with %q: status %d: %s", c, auth, w.Code, w.Body)
			}
		}
	}
	if people, err := h.store.People(t.Context(), "", 10); err != nil || len(people) != 0 || len(h.rules.asked) != 0 {
		t.Errorf("something was done: %v, %v, %v", people, h.rules.asked, err)
	}
	for _, auth := range []string{"Bearer " + token, "bearer " + token, "BEARER " + token} {
		if w := h.raw("GET", "/api/v1/people", auth, ""); w.Code != http.StatusOK {
			t.Errorf("%q: status %d", auth, w.Code)
		}
	}
}

// Without a token in the configuration the API is closed to everybody.
func TestNoToken(t *testing.T) {
	h := newHouse(t, "")
	for _, auth := range []string{"", "Bearer", "Bearer "} {
		if w := h.raw("GET", "/api/v1/people", auth, ""); w.Code != http.StatusUnauthorized {
			t.Errorf("%q: status %d", auth, w.Code)
		}
	}
}

func TestPeople(t *testing.T) {
	h := newHouse(t, token)
	if got := h.call("GET", "/api/v1/people", "", 200)["people"]; len(got.([]any)) != 0 {
		t.Errorf("people %v", got)
	}
	h.call("GET", "/api/v1/people/bob", "", 404)
	h.call("DELETE", "/api/v1/people/bob", "", 404)
	got := h.call("PUT", "/api/v1/people/bob", `{"email":" bob@people.example ","name":"Bob","locale":"pt-BR","time_zone":"Europe/Berlin"}`, 200)
	want := map[string]any{"user_id": "bob", "email": "bob@people.example", "name": "Bob", "locale": "pt-BR", "time_zone": "Europe/Berlin"}
	for _, v := range []map[string]any{got, h.call("GET", "/api/v1/people/bob", "", 200)} {
		if fmt.Sprint(v) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", v, want)
		}
	}
	h.call("PUT", "/api/v1/people/a%2Fb%20c", `{"email":"ab@people.example"}`, 200)
	if v := h.call("GET", "/api/v1/people/a%2Fb%20c", "", 200); v["user_id"] != "a/b c" {
		t.Errorf("%v", v)
	}
	if got := h.call("GET", "/api/v1/people?limit=1", "", 200)["people"].([]any); len(got) != 1 || got[0].(map[string]any)["user_id"] != "a/b c" {
		t.Errorf("first page %v", got)
	}
	if got := h.call("GET", "/api/v1/people?after=a%2Fb%20c&limit=1000", "", 200)["people"].([]any); len(got) != 1 || got[0].(map[string]any)["user_id"] != "bob" {
		t.Errorf("second page %v", got)
	}
	h.call("DELETE", "/api/v1/people/bob", "", 200)
	h.call("GET", "/api/v1/people/bob", "", 404)
	h.call("HEAD", "/api/v1/people", "", 200)
}

func TestPutPersonRefuses(t *testing.T) {
	h := newHouse(t, token)
	for name, body := range map[string]string{
		"nothing": "", "no JSON": "{", "a list": "[]", "null": "null", "no address": "{}", "a bad one": `{"email":"bob"}`,
		"an unknown member": `{"email":"bob@people.example","admin":true}`, "something behind it": `{"email":"bob@people.example"}{}`,
		"a number": `{"email":1}`, "too large": `{"email":"bob@people.example","name":"` + strings.Repeat("x", 2<<20) + `"}`,
	} {
		if v := h.call("PUT", "/api/v1/people/bob", body, 400); len(fmt.Sprint(v)) > 400 {
			t.Errorf("%s: a long answer", name)
		}
	}
	h.call("GET", "/api/v1/people/bob", "", 404)
}

func TestCheckPerson(t *testing.T) {
	long := strings.Repeat("x", 500)
	for _, tt := range []struct {
		name string
		set  func(*postern.Person)
		want string // "" = good
	}{
		{"plain", func(*postern.Person) {}, ""},
		{"all", func(p *postern.Person) { p.Name, p.Locale, p.TimeZone = "Bob", "de", "America/Sao_Paulo" }, ""},
		{"a tag", func(p *postern.Person) { p.Email = "bob+shop@people.example" }, ""},
		{"UTC", func(p *postern.Person) { p.TimeZone = "UTC" }, ""},
		{"no id", func(p *postern.Person) { p.UserID = "" }, "user_id"},
		{"a long id", func(p *postern.Person) { p.UserID = postern.UserID(long) }, "user_id"},
		{"an id that is not UTF-8", func(p *postern.Person) { p.UserID = "\xff" }, "UTF-8"},
		{"no address", func(p *postern.Person) { p.Email = "" }, "email"},
		{"a word", func(p *postern.Person) { p.Email = "bob" }, "email"},
		{"a name with it", func(p *postern.Person) { p.Email = "Bob <bob@people.example>" }, "email"},
		{"angle brackets", func(p *postern.Person) { p.Email = "<bob@people.example>" }, "email"},
		{"two", func(p *postern.Person) { p.Email = "bob@people.example,eve@people.example" }, "email"},
		{"a second line", func(p *postern.Person) { p.Email = "bob@people.example\r\nBcc: eve@people.example" }, "email"},
		{"a comment", func(p *postern.Person) { p.Email = "bob@people.example (Bob)" }, "email"},
		{"too long", func(p *postern.Person) { p.Email = "bob@" + long + ".example" }, "email"},
		{"lines in the name", func(p *postern.Person) { p.Name = "Bob\nBcc: x" }, "name"},
		{"a long name", func(p *postern.Person) { p.Name = long }, "name"},
		{"a name that is not UTF-8", func(p *postern.Person) { p.Name = "\xff" }, "UTF-8"},
		{"a long locale", func(p *postern.Person) { p.Locale = long }, "locale"},
		{"no such zone", func(p *postern.Person) { p.TimeZone = "Mars/Olympus" }, "time_zone"},
		{"a path", func(p *postern.Person) { p.TimeZone = "../../etc/passwd" }, "time_zone"},
		{"the server's own", func(p *postern.Person) { p.TimeZone = "Local" }, "time_zone"},
	} {
		p := postern.Person{UserID: "bob", Email: "bob@people.example"}
		tt.set(&p)
		err := CheckPerson(p)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// Calls that the rules carry out.
func TestRulesCalls(t *testing.T) {
	paths := map[string]string{
		"/api/v1/people/a%2Fb/lift": "lift a/b", "/api/v1/addresses/b7x@mg.example/revoke": "revoke b7x@mg.example",
		"/api/v1/held/12/release": "release 12", "/api/v1/held/12/discard": "discard 12",
	}
	h := newHouse(t, token)
	for path, asked := range paths {
		for _, tt := range []struct {
			ok     bool
			err    error
			status int
		}{
			{true, nil, 200}, {false, nil, 404},
			{false, postern.Errorf(postern.Temporary, "op", "secret"), 503}, {false, errors.New("secret"), 503},
			{false, postern.Errorf(postern.Permanent, "op", "the mail was for no participant"), 409},
		} {
			h.log.Reset()
			*h.rules = rules{ok: tt.ok, err: tt.err}
			v := h.call("POST", path, "", tt.status)
			if !slices.Equal(h.rules.asked, []string{asked}) {
				t.Errorf("%s: asked %q", path, h.rules.asked)
			}
			text := fmt.Sprint(v["error"])
			if strings.Contains(text, "secret") || tt.status == 409 && text != "the mail was for no participant" || tt.status == 503 != strings.Contains(h.log.String(), "secret") {
				t.Errorf("%s: says %q, logs %q", path, text, &h.log)
			}
		}
	}
	*h.rules = rules{ok: true}
	for _, path := range []string{"/api/v1/held/x/release", "/api/v1/held/99999999999999999999/discard"} {
		h.call("POST", path, "", 404)
	}
	if len(h.rules.asked) != 0 {
		t.Errorf("asked %q", h.rules.asked)
	}
	h.call("GET", "/api/v1/people/bob/lift", "", 404) // nothing changes on a GET
}

func TestRaw(t *testing.T) {
	h := newHouse(t, token)
	for _, tt := range []struct {
		name   string
		ok     bool
		err    error
		path   string
		status int
	}{
		{"there", true, nil, "7", 200},
		{"not there", false, nil, "7", 404},
		{"no number", true, nil, "x", 404},
		{"its blob is gone", false, postern.Errorf(postern.Permanent, "op", "gone").Because(postern.CauseNotFound), "7", 404},
		{"store down", false, postern.Errorf(postern.Temporary, "op", "down"), "7", 503},
	} {
		h.rules.ok, h.rules.err, h.rules.raw = tt.ok, tt.err, []byte("Subject: <script>\r\n\r\n")
		w := h.raw("GET", "/api/v1/events/"+tt.path+"/raw", "Bearer "+token, "")
		if w.Code != tt.status {
			t.Errorf("%s: status %d", tt.name, w.Code)
		}
		if tt.status == 200 && (w.Body.String() != string(h.rules.raw) || w.Header().Get("Content-Type") != "message/rfc822" ||
			!strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") || w.Header().Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%s: %v: %s", tt.name, w.Header(), w.Body)
		}
	}
}
