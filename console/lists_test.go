package console

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/postern-chat/postern/store"
)

func (h *house) do(fn func(*store.Tx) error) {
	h.t.Helper()
	if err := h.store.Do(h.t.Context(), fn); err != nil {
		h.t.Fatal(err)
	}
}

func TestLists(t *testing.T) {
	h := newHouse(t, token)
	for path, member := range map[string]string{"/api/v1/held": "held", "/api/v1/activity": "notes"} {
		if got, ok := h.call("GET", path, "", 200)[member].([]any); !ok || len(got) != 0 {
			t.Errorf("%s: %v, want an empty list", path, got)
		}
	}
	h.do(func(tx *store.Tx) error {
		for i := range int64(3) {
			if err := tx.Hold(store.Held{Event: i + 1, Reason: "forged", Sender: "eve@people.example", State: store.HeldWaiting}); err != nil {
				return err
			}
			if err := tx.Note(store.Note{What: "held", Why: "forged", Ref: store.EventRef(i + 1)}); err != nil {
				return err
			}
		}
		return nil
	})
	held := h.call("GET", "/api/v1/held?after=1", "", 200)["held"].([]any)
	if len(held) != 2 || held[0].(map[string]any)["reason"] != "forged" {
		t.Errorf("held %v", held)
	}
	notes := h.call("GET", "/api/v1/activity?after=1&limit=1", "", 200)["notes"].([]any)
	if len(notes) != 1 || notes[0].(map[string]any)["ref"] != "event-2" {
		t.Errorf("notes %v", notes)
	}
	if notes := h.call("GET", "/api/v1/explain/event-3", "", 200)["notes"].([]any); len(notes) != 1 {
		t.Errorf("notes %v", notes)
	}
	h.call("GET", "/api/v1/explain/event-9", "", 404)
	// What was told on arrival has no number, and comes with every page.
	key := store.ChatKey{Message: "77", Platform: "sendbird", Channel: "room", What: store.ChatSent}
	if _, _, err := h.store.Record(t.Context(), store.Arrival{Source: "sendbird", Dedup: key.String(), Notes: []store.Note{{What: "not mailed", Why: "online", Channel: "room", Ref: "77"}}}); err != nil {
		t.Fatal(err)
	}
	page := h.call("GET", "/api/v1/activity?after=3", "", 200)
	if lately := page["lately"].([]any); len(page["notes"].([]any)) != 0 || len(lately) != 1 || lately[0].(map[string]any)["why"] != "online" || lately[0].(map[string]any)["id"] != nil {
		t.Errorf("%v", page)
	}
	if notes := h.call("GET", "/api/v1/explain/77", "", 200)["notes"].([]any); len(notes) != 1 || notes[0].(map[string]any)["channel"] != "room" {
		t.Errorf("notes %v", notes)
	}
}

func TestLimits(t *testing.T) {
	h := newHouse(t, token)
	for _, q := range []string{"people?limit=0", "people?limit=1001", "people?limit=x", "people?limit=-1", "people?limit=1e3", "held?after=-1", "held?after=x", "activity?after=99999999999999999999", "activity?limit=1001"} {
		h.call("GET", "/api/v1/"+q, "", 400)
	}
	for _, q := range []string{"people?limit=1", "people?limit=1000", "people?limit=", "held?after=0", "activity?after=4611686018427387904"} {
		h.call("GET", "/api/v1/"+q, "", 200)
	}
}

func TestStatus(t *testing.T) {
	h := newHouse(t, token)
	v := h.call("GET", "/api/v1/status", "", 200)
	if fmt.Sprint(v["jobs"], v["lanes"], v["dead"]) != "0 0 0" || v["oldest"] != nil {
		t.Errorf("of an empty house: %v", v)
	}
	_, _, err := h.store.Record(t.Context(), store.Arrival{Source: "test", Body: []byte("x"), Jobs: []store.LaneJob{{Lane: "a", Kind: "x"}, {Lane: "b", Kind: "y"}}})
	if err != nil {
		t.Fatal(err)
	}
	v = h.call("GET", "/api/v1/status", "", 200)
	if fmt.Sprint(v["jobs"], v["lanes"], v["dead"]) != "2 2 0" || v["oldest"] == nil {
		t.Errorf("%v", v)
	}
}

// A store that is broken says so, and no more.
func TestStoreDown(t *testing.T) {
	h := newHouse(t, token)
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{"GET /api/v1/people", "GET /api/v1/people/bob", "DELETE /api/v1/people/bob", "GET /api/v1/held", "GET /api/v1/explain/x", "GET /api/v1/activity", "GET /api/v1/status"} {
		var method, path string
		_, _ = fmt.Sscan(c, &method, &path)
		if v := h.call(method, path, "", http.StatusServiceUnavailable); v["error"] != "try again later; the log says more" {
			t.Errorf("%s: %v", c, v)
		}
	}
	h.call("PUT", "/api/v1/people/bob", `{"email":"bob@people.example"}`, http.StatusServiceUnavailable)
}

func TestNewNeeds(t *testing.T) {
	h := newHouse(t, token)
	if _, err := New(Config{Store: h.store}); err == nil {
		t.Error("no rules, no error")
	}
	if _, err := New(Config{Rules: h.rules}); err == nil {
		t.Error("no store, no error")
	}
}
