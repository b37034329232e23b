package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postern-chat/postern/sandbox"
)

// TestPageAndReset: the page tells where the story is, and a new start gives a new
// channel and empty mailboxes, so that nothing of the old story is taken for new.
func TestPageAndReset(t *testing.T) {
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"notes":[],"ok":true}`)
	}))
	t.Cleanup(gateway.Close)
	w, err := sandbox.Start(t.Context(), sandbox.Config{GatewayURL: gateway.URL, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	w.AdminToken = "secret-of-the-gateway"
	if err := w.ServePage(); err != nil {
		t.Fatal(err)
	}
	channel := func() (url string) {
		body := ask(t, "GET", w.Page+"api/world")
		var out struct{ Channel string }
		if err := json.Unmarshal([]byte(body), &out); err != nil || strings.Contains(body, w.AdminToken) || strings.Contains(body, w.APIToken) {
			t.Fatalf("%v: %s", err, body)
		}
		return out.Channel
	}
	first := channel()
	if first == "" || first != w.Channel {
		t.Errorf("the page names %q, the world %q", first, w.Channel)
	}
	if err := w.People.Deliver(t.Context(), "x@y.example", "bob@people.example", strings.NewReader("Subject: s\r\n\r\nhello\r\n")); err != nil {
		t.Fatal(err)
	}
	old := w.People.Messages("bob@people.example")[0].ID
	ask(t, "POST", w.Page+"api/reset")
	if second := channel(); second == "" || second == first {
		t.Errorf("after a new start the channel is %q as before", second)
	}
	if left := w.People.Messages("bob@people.example"); len(left) != 0 {
		t.Errorf("%d mails are left", len(left))
	}
	if err := w.People.Deliver(t.Context(), "x@y.example", "bob@people.example", strings.NewReader("Subject: s\r\n\r\nhello\r\n")); err != nil {
		t.Fatal(err)
	}
	if again := w.People.Messages("bob@people.example")[0].ID; again == old {
		t.Errorf("the id %s comes twice", again)
	}
	if state := ask(t, "GET", w.Page+"api/chat/state"); strings.Count(state, `"is_online":true`) != 2 { // Ana, as a user and as a member
		t.Errorf("after a new start: %s", state)
	}
}

func ask(t *testing.T, method, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Postern-Page", "1")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %v: %s", method, url, resp.Status, err, body)
	}
	return string(body)
}
