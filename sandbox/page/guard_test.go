package page

import (
	"net/http"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	w := newWorld(t)
	const online = "/api/chat/users/bob/presence"
	for _, tt := range []struct {
		name, method, path string
		header             []string
		status             int
	}{
		{"the page", "GET", "/", nil, 200},
		{"the page by a link from elsewhere", "GET", "/", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		{"by name", "GET", "/api/world", []string{"Host", "localhost:8025"}, 200},
		{"by name, in capitals", "GET", "/api/world", []string{"Host", "LocalHost"}, 200},
		{"by IPv6", "GET", "/api/world", []string{"Host", "[::1]:8025"}, 200},
		{"by IPv6 without a port", "GET", "/api/world", []string{"Host", "[::1]"}, 200},
		{"another loopback address", "GET", "/api/world", []string{"Host", "127.8.9.1:80"}, 200},
		{"typed by hand", "GET", "/api/world", []string{"Sec-Fetch-Site", "none"}, 200},
		{"a program", "GET", "/api/world", []string{"Sec-Fetch-Site", ""}, 200},
		{"a rebound name", "GET", "/", []string{"Host", "evil.example:8025"}, 403},
		{"a rebound name asks for data", "GET", "/api/world", []string{"Host", "evil.example"}, 403},
		{"a name that begins well", "GET", "/api/world", []string{"Host", "127.0.0.1.evil.example"}, 403},
		{"a name that ends well", "GET", "/api/world", []string{"Host", "evil-localhost"}, 403},
		{"an address of the network", "GET", "/api/world", []string{"Host", "192.168.1.2:8025"}, 403},
		{"no name", "GET", "/api/world", []string{"Host", ""}, 403},
		{"data for a page elsewhere", "GET", "/api/world", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"data for another port", "GET", "/api/stream", []string{"Sec-Fetch-Site", "same-site"}, 403},

		{"a change", "PUT", online, nil, 200},
		{"a change by an old browser", "PUT", online, []string{"Sec-Fetch-Site", ""}, 200},
		{"a change by a program", "PUT", online, []string{"Sec-Fetch-Site", "", "Origin", ""}, 200},
		{"a change without the mark", "PUT", online, []string{ownMark, ""}, 403},
		{"a program's without the mark", "PUT", online, []string{ownMark, "", "Sec-Fetch-Site", "", "Origin", ""}, 403},
		{"a change from elsewhere", "PUT", online, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a change from another port", "PUT", online, []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"a change out of nowhere", "PUT", online, []string{"Sec-Fetch-Site", "none"}, 403},
		{"another origin", "PUT", online, []string{"Sec-Fetch-Site", "", "Origin", "http://127.0.0.1:9999"}, 403},
		{"an opaque origin", "PUT", online, []string{"Sec-Fetch-Site", "", "Origin", "null"}, 403},
		{"a form", "POST", "/api/reset", []string{ownMark, "", "Content-Type", "text/plain"}, 403},
		{"a question before", "OPTIONS", online, []string{ownMark, "", "Sec-Fetch-Site", "cross-site", "Access-Control-Request-Headers", ownMark}, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.path == "/api/stream" && tt.status == 200 {
				t.Fatal("would not end")
			}
			got := w.ask(tt.method, tt.path, `{"online":true}`, tt.header...)
			if got.Code != tt.status {
				t.Errorf("status is %d, want %d: %s", got.Code, tt.status, got.Body)
			}
			if got.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Error("it lets others read")
			}
		})
	}
	if w.resets != 0 {
		t.Error("a stranger's form started the story over")
	}
}

func TestLongBodyIsCut(t *testing.T) {
	w := newWorld(t)
	got := w.ask("POST", "/api/mailboxes/bob@people.example/upload?to=x@mg.test.example", strings.Repeat("a", maxBody+1))
	if got.Code < 400 {
		t.Errorf("status is %d", got.Code)
	}
}

// TestDoors: the page reaches what it needs, and nothing else of what lies behind.
func TestDoors(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/api/chat/state", "", 200},
		{"POST", "/api/chat/users/ana/channels", `{"name":"Two","user_ids":["bob"]}`, 200},
		{"GET", "/api/mailboxes", "", 200},
		{"GET", "/api/mailboxes/bob@people.example/messages", "", 200},
		{"GET", "/api/mailboxes/bob%40people.example/messages", "", 200},
		{"POST", "/api/mailboxes/bob@people.example/send", `{"to":["ana@people.example"],"subject":"x","text":"y"}`, 200},
		{"GET", "/api/held", "", 200},
		{"POST", "/api/held/1/release", "", 200},
		{"GET", "/api/explain/event-1", "", 200},

		{"GET", "/api/chat/", "", 404},
		{"GET", "/api/chat/book", "", 404},
		{"PUT", "/api/chat/switches", `{}`, 404},
		{"POST", "/api/chat/reset", "", 404},
		{"PUT", "/api/chat/available", `{"available":false}`, 404},
		{"POST", "/api/chat/users/ana/file_key", "", 404},
		{"GET", "/api/chat/v3/users", "", 404},
		{"POST", "/api/mailgun/reset", "", 404},
		{"GET", "/api/mailgun/posts", "", 404},
		{"POST", "/api/mailboxes/reset", "", 404},
		{"PUT", "/api/mailboxes/new@people.example", `{"name":"x"}`, 404},
		{"PUT", "/api/people/ana", `{"email":"x@y.example"}`, 404},
		{"DELETE", "/api/people/ana", "", 404},
		{"GET", "/api/v1/activity", "", 404},
		{"GET", "/_emulator/", "", 404},
		{"GET", "/api/files/..%2f..%2fstate", "", 404},
	} {
		got := w.ask(tt.method, tt.path, tt.body)
		if got.Code != tt.status && !(tt.status == 404 && got.Code == http.StatusMethodNotAllowed) {
			t.Errorf("%s %s: status is %d, want %d: %s", tt.method, tt.path, got.Code, tt.status, got.Body)
		}
		if strings.Contains(got.Body.String(), secret) || strings.Contains(got.Body.String(), w.cfg.Chat.MasterToken()) {
			t.Errorf("%s %s: gives a token away", tt.method, tt.path)
		}
	}
}

// TestClimbing: encoded dots and slashes do not lead to another call.
func TestClimbing(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{
		"/api/held/..%2F..%2Fpeople%2Fbob%2Flift%3F/release", "/api/held/1%2F..%2F..%2Fstatus/release", "/api/held/%2e%2e/release", "/api/people/%2e%2e%2fheld/lift",
	} {
		w.ask("POST", path, "")
	}
	w.gateway.mu.Lock()
	defer w.gateway.mu.Unlock()
	for _, asked := range w.gateway.asked {
		path := strings.Split(asked, " ")[1]
		if !strings.HasPrefix(path, "/api/v1/activity") && strings.Count(path, "/") != 5 {
			t.Errorf("the gateway was asked for %s", path)
		}
	}
}

func TestTokenIsAdded(t *testing.T) {
	w := newWorld(t)
	w.ask("GET", "/api/held", "", "Authorization", "Bearer of the browser", "Cookie", "a=b")
	w.gateway.mu.Lock()
	defer w.gateway.mu.Unlock()
	if last := w.gateway.asked[len(w.gateway.asked)-1]; last != "GET /api/v1/held Bearer "+secret {
		t.Errorf("the gateway was asked %q", last)
	}
}
