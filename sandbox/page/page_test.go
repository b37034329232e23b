package page

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/postern-chat/postern/sandbox/mailbox"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "admin-token-of-the-test"

// gatewayDouble is the gateway's API as far as the page asks it.
type gatewayDouble struct {
	*httptest.Server
	mu    sync.Mutex
	notes []map[string]any
	// lately is told every time, without numbers.
	lately []map[string]any
	asked  []string // method, path and Authorization
	down   bool
}

func (g *gatewayDouble) setDown(down bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = down
}

func newGateway(t *testing.T) *gatewayDouble {
	g := &gatewayDouble{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.asked = append(g.asked, r.Method+" "+r.URL.EscapedPath()+" "+r.Header.Get("Authorization"))
		switch {
		case g.down:
			w.WriteHeader(http.StatusBadGateway)
		case r.Header.Get("Authorization") != "Bearer "+secret:
			refuse(w, http.StatusUnauthorized, "admin token needed")
		case r.URL.Path == "/api/v1/activity":
			var out []map[string]any
			for _, n := range g.notes {
				if int64(n["id"].(int)) > atoi(r.FormValue("after")) {
					out = append(out, n)
				}
			}
			answer(w, http.StatusOK, map[string]any{"notes": out, "lately": g.lately})
		default:
			answer(w, http.StatusOK, map[string]any{"held": []string{}, "path": r.URL.Path})
		}
	}))
	t.Cleanup(g.Close)
	return g
}

func atoi(s string) (n int64) {
	_ = json.Unmarshal([]byte(s), &n)
	return n
}

func (g *gatewayDouble) note(at int64, what, why, user string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.notes = append(g.notes, map[string]any{"id": len(g.notes) + 1, "at": atTime(at), "what": what, "why": why, "user": user})
}

type world struct {
	*Page
	t       *testing.T
	gateway *gatewayDouble
	clock   *clock // of all three emulators
	resets  int
}

// newWorld is a page over real emulators, with Ana and Bob in one channel. Webhooks go
// nowhere.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, gateway: newGateway(t), clock: &clock{at: 1_795_000_000_000}}
	now := w.clock.now
	chat, err := sendbird.New(sendbird.Config{Seed: 1, Now: now})
	must(t, err)
	t.Cleanup(func() { must(t, chat.Close()) })
	var boxes *mailbox.Server
	mg, err := mailgun.New(mailgun.Config{Domains: []string{"mg.test.example"}, Seed: 1, Now: now,
		Deliver: func(ctx context.Context, from, to string, raw io.Reader) error {
			return boxes.Deliver(ctx, from, to, raw)
		}})
	must(t, err)
	t.Cleanup(func() { must(t, mg.Close()) })
	boxes, err = mailbox.New(mailbox.Config{Exchange: mg, Seed: 1, Now: now})
	must(t, err)
	t.Cleanup(func() { must(t, boxes.Close()) })
	boxes.Open("bob@people.example", "Bob")
	people := []Person{{"ana", "Ana", "ana@people.example"}, {"bob", "Bob", "bob@people.example"}}
	for _, p := range people {
		api(t, chat, "POST", "/v3/users", `{"user_id":"`+p.ID+`","nickname":"`+p.Name+`","profile_url":""}`)
	}
	api(t, chat, "POST", "/v3/group_channels", `{"channel_url":"support","name":"Support","user_ids":["ana","bob"]}`)
	w.Page, err = New(Config{Chat: chat, Mail: mg, Boxes: boxes, Gateway: w.gateway.URL, AdminToken: secret,
		Facts: func() Facts {
			return Facts{People: people, Channel: "support", Domain: "mg.test.example", QuietMillis: 2000}
		},
		Reset: func(context.Context) error { w.resets++; return nil }})
	must(t, err)
	t.Cleanup(func() { must(t, w.Close()) })
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func api(t *testing.T, chat *sendbird.Server, method, path, body string) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Api-Token", chat.MasterToken())
	w := httptest.NewRecorder()
	chat.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
}

// ask asks the page as its own script would; header lines change or add to that.
func (w *world) ask(method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:8025"
	if method != http.MethodGet {
		r.Header.Set("Origin", "http://127.0.0.1:8025")
		r.Header.Set(ownMark, "1")
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(header); i += 2 {
		switch {
		case header[i] == "Host":
			r.Host = header[i+1]
		case header[i+1] == "":
			r.Header.Del(header[i])
		default:
			r.Header.Set(header[i], header[i+1])
		}
	}
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, r)
	return rec
}

func TestPageIsServed(t *testing.T) {
	w := newWorld(t)
	for path, kind := range map[string]string{"/": "text/html", "/app.js": "text/javascript", "/columns.css": "text/css", "/icon.svg": "image/svg+xml"} {
		got := w.ask("GET", path, "")
		if got.Code != http.StatusOK || !strings.HasPrefix(got.Header().Get("Content-Type"), kind) {
			t.Errorf("%s is %d %s", path, got.Code, got.Header().Get("Content-Type"))
		}
		csp := got.Header().Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
			t.Errorf("%s has the policy %q", path, csp)
		}
	}
	if got := w.ask("POST", "/", ""); got.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST / is %d", got.Code)
	}
	if got := w.ask("GET", "/nothing.js", ""); got.Code != http.StatusNotFound {
		t.Errorf("an unknown file is %d", got.Code)
	}
}

// TestNothingFromElsewhere: what is embedded names no host that a browser would ask.
func TestNothingFromElsewhere(t *testing.T) {
	entries, err := static.ReadDir("static")
	must(t, err)
	for _, e := range entries {
		b, err := static.ReadFile("static/" + e.Name())
		must(t, err)
		text := strings.ReplaceAll(string(b), "http://www.w3.org/", "") // names of SVG, never fetched
		if strings.Contains(text, "http://") || strings.Contains(text, "https://") {
			t.Errorf("%s names an address", e.Name())
		}
	}
}

// events reads server-sent events of a stream.
type events struct {
	t *testing.T
	s *bufio.Scanner
}

// next gives the next event of a name; others are passed over.
func (e events) next(name string, v any) {
	e.t.Helper()
	for e.s.Scan() {
		if e.s.Text() != "event: "+name {
			continue
		}
		if !e.s.Scan() {
			break
		}
		must(e.t, json.Unmarshal([]byte(strings.TrimPrefix(e.s.Text(), "data: ")), v))
		return
	}
	e.t.Fatal("the stream ended: ", errors.Join(e.s.Err(), e.t.Context().Err()))
}

func (w *world) stream() events {
	srv := httptest.NewServer(w.Handler())
	ctx, cancel := context.WithCancel(w.t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", srv.URL+"/api/stream", nil)
	must(w.t, err)
	resp, err := http.DefaultClient.Do(req)
	must(w.t, err)
	w.t.Cleanup(func() { cancel(); _ = resp.Body.Close(); srv.Close() })
	s := bufio.NewScanner(resp.Body)
	s.Buffer(nil, 1<<20)
	return events{w.t, s}
}

func TestStream(t *testing.T) {
	w := newWorld(t)
	s := w.stream()
	var hello struct{ Boot string }
	s.next("hello", &hello)
	if hello.Boot == "" || !strings.Contains(w.ask("GET", "/api/world", "").Body.String(), `"boot":"`+hello.Boot+`"`) {
		t.Errorf("boot is %q", hello.Boot)
	}
	var first, second struct{ Chat, Mail, Held int64 }
	s.next("look", &first)
	w.ask("POST", "/api/chat/users/ana/channels/support/messages", `{"message":"Hello Bob"}`)
	var lines []Line
	s.next("lines", &lines)
	if len(lines) != 1 || lines[0].Text != "Ana wrote “Hello Bob”" || lines[0].Who != "chat" {
		t.Errorf("lines are %+v", lines)
	}
	w.gateway.note(w.clock.ms(), "held", "from somebody else than the participant", "bob")
	s.next("look", &second)
	for second.Held == first.Held {
		s.next("look", &second)
	}
	if second.Chat <= first.Chat {
		t.Errorf("the chat's version went from %d to %d", first.Chat, second.Chat)
	}
	// Whoever comes later is told the same; after a new start, nothing of before.
	var again []Line
	w.stream().next("lines", &again)
	if len(again) != 2 || again[0] != lines[0] || again[1].Tone != held {
		t.Errorf("a second reader gets %+v", again)
	}
	if got := w.ask("POST", "/api/reset", ""); got.Code != http.StatusOK || w.resets != 1 {
		t.Errorf("reset is %d, done %d times", got.Code, w.resets)
	}
	s.next("cleared", &struct{}{})
	w.ask("POST", "/api/chat/users/bob/channels/support/messages", `{"message":"New"}`)
	w.stream().next("lines", &again)
	if len(again) != 1 || again[0].Text != "Bob wrote “New”" {
		t.Errorf("after a new start a reader gets %+v", again)
	}
}
