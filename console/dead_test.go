package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postern-chat/postern/store"
)

// gaveUp gives jobs up, of these kinds.
func (h *house) gaveUp(kinds ...string) {
	h.t.Helper()
	for _, kind := range kinds {
		if _, _, err := h.store.Record(h.t.Context(), store.Arrival{Source: "test", Body: []byte("hush"), Jobs: []store.LaneJob{{Lane: "lane/" + kind, Kind: kind, Args: []byte("hush")}}}); err != nil {
			h.t.Fatal(err)
		}
	}
	leases, err := h.store.Claim(h.t.Context(), 100)
	if err != nil || len(leases) != len(kinds) {
		h.t.Fatal(len(leases), err)
	}
	for _, l := range leases {
		if err := h.store.Finish(h.t.Context(), l, func(tx *store.Tx) error { return tx.Bury(l.Jobs[0], "<b>no use</b>") }); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *house) api(method, path string) (int, string) {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.mux.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func (h *house) open() int64 {
	h.t.Helper()
	b, err := h.store.Backlog(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return b.Jobs
}

func TestDeadJobs(t *testing.T) {
	h := newHouse(t, token)
	if status, body := h.api("GET", "/api/v1/dead"); status != http.StatusOK || strings.TrimSpace(body) != `{"dead":[]}` {
		t.Errorf("%d: %s", status, body)
	}
	h.gaveUp("inbound", "post", "send")
	var out struct{ Dead []store.DeadJob }
	list := func(query string, want ...string) {
		t.Helper()
		status, body := h.api("GET", "/api/v1/dead"+query)
		if err := json.Unmarshal([]byte(body), &out); err != nil || status != http.StatusOK {
			t.Fatalf("%d, %v: %s", status, err, body)
		}
		var got []string
		for _, d := range out.Dead {
			got = append(got, d.Kind)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || strings.Contains(body, "hush") {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	list("", "inbound", "post", "send")
	first := out.Dead[0].ID
	list("?kind=post", "post")
	list(fmt.Sprint("?limit=1&after=", first), "post")
	for _, query := range []string{"?limit=0", "?after=x"} {
		if status, _ := h.api("GET", "/api/v1/dead"+query); status != http.StatusBadRequest {
			t.Errorf("%s: %d", query, status)
		}
	}
	for _, step := range []struct {
		path   string
		status int
		open   int64
	}{
		{fmt.Sprintf("%d/replay", first), 200, 1}, {fmt.Sprintf("%d/replay", first), 404, 1}, {fmt.Sprintf("%d/discard", first), 404, 1},
		{fmt.Sprintf("%d/discard", first+1), 200, 1}, {"x/replay", 404, 1}, {"99/discard", 404, 1},
	} {
		if status, body := h.api("POST", "/api/v1/dead/"+step.path); status != step.status || h.open() != step.open {
			t.Errorf("%s: %d, %d open jobs: %s", step.path, status, h.open(), body)
		}
	}
	list("", "send")
}

func TestDeadPage(t *testing.T) {
	h := newHouse(t, token)
	session := h.logIn()
	if body := h.visit("GET", "/console/", nil, session, "none").Body.String(); strings.Contains(body, "Given up") {
		t.Error("a section about nothing")
	}
	h.gaveUp("inbound", "post", "send", "tell")
	body := h.visit("GET", "/console/", nil, session, "none").Body.String()
	for _, want := range []string{"Given up", "Replay all 4", "&lt;b&gt;no use", "/console/dead/1/replay", "event-1"} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(body, "hush") {
		t.Error("the words of a message are shown")
	}
	for _, step := range []struct {
		path, site string
		session    *http.Cookie
		status     int
		open       int64
	}{
		{"1/replay", "same-origin", nil, http.StatusUnauthorized, 0},
		{"1/replay", "cross-site", session, http.StatusForbidden, 0},
		{"1/replay", "same-origin", session, http.StatusSeeOther, 1},
		{"2/discard", "same-origin", session, http.StatusSeeOther, 1},
		{"replay", "cross-site", session, http.StatusForbidden, 1},
		{"replay", "same-origin", session, http.StatusSeeOther, 3},
	} {
		if w := h.visit("POST", "/console/dead/"+step.path, nil, step.session, step.site); w.Code != step.status || h.open() != step.open {
			t.Errorf("%s from %s: %d, %d open jobs", step.path, step.site, w.Code, h.open())
		}
	}
}
