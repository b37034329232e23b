package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// visit asks for a page as a browser of the same site does, with a cookie or without.
func (h *house) visit(method, path string, form url.Values, session *http.Cookie, site string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if session != nil {
		r.AddCookie(session)
	}
	r.Header.Set("Sec-Fetch-Site", site)
	w := httptest.NewRecorder()
	h.mux.ServeHTTP(w, r)
	return w
}

func (h *house) logIn() *http.Cookie {
	h.t.Helper()
	w := h.visit("POST", "/console/login", url.Values{"token": {token}}, nil, "same-origin")
	cookies := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || len(cookies) != 1 {
		h.t.Fatalf("login: status %d, cookies %v", w.Code, cookies)
	}
	if c := cookies[0]; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/console/" || strings.Contains(c.Value, token) {
		h.t.Errorf("the session's cookie is %v", c)
	}
	return cookies[0]
}

// holds keeps a stranger's mail back.
func (h *house) holds() {
	h.t.Helper()
	err := h.store.Do(h.t.Context(), func(tx *store.Tx) error {
		return tx.Hold(store.Held{Event: 7, Participant: 3, Reason: "from somebody else", Sender: "eve@people.example", Subject: "<script>alert(1)</script>", State: store.HeldWaiting})
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// Without a login there is nothing but the login, and nothing happens.
func TestPagesAreClosed(t *testing.T) {
	h := newHouse(t, token)
	h.holds()
	old := newSessionOf(t, time.Now().Add(-sessionFor-time.Minute))
	forged := &http.Cookie{Name: sessionCookie, Value: "zzzzzzz." + strings.Repeat("0", 64)}
	for _, c := range []*http.Cookie{nil, old, forged, {Name: sessionCookie, Value: "x"}} {
		for _, path := range []string{"/console/", "/console/people", "/console/held/1", "/console/explain?id=x"} {
			w := h.visit("GET", path, nil, c, "none")
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Admin token") || strings.Contains(w.Body.String(), "eve@") {
				t.Errorf("%s: status %d: %s", path, w.Code, w.Body)
			}
		}
		for _, path := range []string{"/console/held/1/release", "/console/held/1/discard", "/console/people/lift"} {
			if w := h.visit("POST", path, nil, c, "same-origin"); w.Code != http.StatusUnauthorized {
				t.Errorf("%s: status %d", path, w.Code)
			}
		}
	}
	if w := h.visit("POST", "/console/login", url.Values{"token": {token + "x"}}, nil, "same-origin"); w.Code != http.StatusUnauthorized || len(w.Result().Cookies()) != 0 {
		t.Errorf("wrong token: status %d, cookies %v", w.Code, w.Result().Cookies())
	}
	if len(h.rules.asked) != 0 {
		t.Errorf("something was done: %v", h.rules.asked)
	}
}

// newSessionOf is a session that somebody with the token began at a time.
func newSessionOf(t *testing.T, began time.Time) *http.Cookie {
	t.Helper()
	a, err := New(Config{Store: &store.Store{}, Rules: &rules{}, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return a.newSession(began)
}

// Without a token in the configuration the pages are closed to everybody.
func TestPagesWithoutToken(t *testing.T) {
	h := newHouse(t, "")
	if w := h.visit("POST", "/console/login", url.Values{"token": {""}}, nil, "same-origin"); w.Code != http.StatusUnauthorized {
		t.Errorf("an empty token: status %d", w.Code)
	}
	if w := h.visit("GET", "/console/", nil, nil, "none"); !strings.Contains(w.Body.String(), "POSTERN_ADMIN_TOKEN") {
		t.Errorf("the page does not say what to do: %s", w.Body)
	}
}

// The operator sees what is held, as text, and decides; another site cannot for him.
func TestHeldPages(t *testing.T) {
	h := newHouse(t, token)
	h.holds()
	session := h.logIn()
	for _, path := range []string{"/console/", "/console/held/1"} {
		w := h.visit("GET", path, nil, session, "none")
		body := w.Body.String()
		if w.Code != http.StatusOK || !strings.Contains(body, "eve@people.example") || strings.Contains(body, "<script>") || strings.Contains(body, "<b>new") {
			t.Errorf("%s: status %d: %s", path, w.Code, body)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: header %v", path, w.Header())
		}
	}
	if w := h.visit("POST", "/console/held/1/release", nil, session, "cross-site"); w.Code != http.StatusForbidden || contains(h.rules.asked, "release") {
		t.Errorf("from another site: status %d, asked %v", w.Code, h.rules.asked)
	}
	for _, do := range []string{"release", "discard"} {
		if w := h.visit("POST", "/console/held/1/"+do, nil, session, "same-origin"); w.Code != http.StatusSeeOther || !contains(h.rules.asked, do+" 1") {
			t.Errorf("%s: status %d, asked %v", do, w.Code, h.rules.asked)
		}
	}
	for _, path := range []string{"/console/held/2", "/console/held/x", "/console/nothing"} {
		if w := h.visit("GET", path, nil, session, "none"); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
}

func TestPeoplePage(t *testing.T) {
	h := newHouse(t, token)
	if err := h.store.PutPeople(t.Context(), postern.Person{UserID: "bob", Email: "bob@people.example", Name: "Bob"}); err != nil {
		t.Fatal(err)
	}
	session := h.logIn()
	if w := h.visit("GET", "/console/people", nil, session, "none"); !strings.Contains(w.Body.String(), "bob@people.example") {
		t.Errorf("Bob is not listed: %s", w.Body)
	}
	if w := h.visit("POST", "/console/people/lift", url.Values{"user_id": {"bob"}}, session, "same-origin"); w.Code != http.StatusSeeOther || !contains(h.rules.asked, "lift bob") {
		t.Errorf("lift: status %d, asked %v", w.Code, h.rules.asked)
	}
	if w := h.visit("POST", "/console/logout", nil, session, "same-origin"); w.Result().Cookies()[0].MaxAge >= 0 {
		t.Errorf("logging out leaves %v", w.Result().Cookies())
	}
}

func contains(asked []string, what string) bool {
	return strings.Contains(strings.Join(asked, "\n"), what)
}
