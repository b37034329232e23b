package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/postern-chat/postern/sandbox"
	"github.com/postern-chat/postern/sandbox/mailbox"
)

// ears hear what the emulators post.
type ears struct {
	mu    sync.Mutex
	heard []string
}

func (e *ears) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	said := r.URL.Path
	if r.URL.Path == "/chat" {
		var hook struct {
			Category string
			Payload  struct{ Message string }
		}
		_ = json.NewDecoder(r.Body).Decode(&hook)
		said += " " + hook.Category + " " + hook.Payload.Message
	} else if r.URL.Path == "/mail" {
		said += " " + r.FormValue("subject")
	} else {
		b, _ := io.ReadAll(r.Body)
		var hook struct {
			Event struct{ Event string } `json:"event-data"`
		}
		_ = json.Unmarshal(b, &hook)
		said += " " + hook.Event.Event
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, said)
}

func (e *ears) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard)
}

// TestHooks: without a gateway everything goes where the test says.
func TestHooks(t *testing.T) {
	e := &ears{}
	srv := httptest.NewServer(e)
	defer srv.Close()
	w := sandbox.Run(t, sandbox.Config{Domain: "mg.yours.example",
		Hooks: sandbox.Hooks{Sendbird: srv.URL + "/chat", Inbound: srv.URL + "/mail", Events: srv.URL + "/events"}})
	if w.Gateway != "" || w.Page != "" || w.Seed != 1 || w.Domain != "mg.yours.example" {
		t.Errorf("%+v", w.Addresses)
	}
	id, err := w.Say(t.Context(), "ana", w.Channel, "Hello")
	if err != nil || id == 0 {
		t.Fatal(id, err)
	}
	if _, err := w.People.Write(t.Context(), "bob@people.example", mailbox.Letter{To: []string{"desk@mg.yours.example"}, Subject: "Yours", Text: "x"}); err != nil {
		t.Fatal(err)
	}
	send(t, w, "carl@people.example")
	if _, err := w.Mails(t.Context(), "carl@people.example", 1); err != nil {
		t.Fatal(err)
	}
	if err := w.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"/chat group_channel:message_send Hello", "/mail Yours", "/events accepted", "/events delivered"} {
		if !slices.Contains(e.all(), want) {
			t.Errorf("not heard: %q in %q", want, e.all())
		}
	}
}

// TestReset: the page starts the story over by a reset; the chat must still be heard.
func TestReset(t *testing.T) {
	e := &ears{}
	srv := httptest.NewServer(e)
	defer srv.Close()
	w := sandbox.Run(t, sandbox.Config{Hooks: sandbox.Hooks{Sendbird: srv.URL + "/chat"}})
	w.Chat.Reset()
	if err := w.Chat.WaitWebhooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	was := len(e.all())
	post(t, w, "/users", `{"user_id": "eve", "nickname": "Eve", "profile_url": ""}`)
	post(t, w, "/group_channels", `{"user_ids": ["eve"]}`)
	if err := w.Chat.WaitWebhooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(e.all()) == was {
		t.Error("nothing is heard after a reset")
	}
}

func post(t *testing.T, w *sandbox.World, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.SendbirdAPI+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Api-Token", w.APIToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(path, resp.Status)
	}
}

func send(t *testing.T, w *sandbox.World, to string) {
	t.Helper()
	form := "from=a%40" + w.Domain + "&to=" + to + "&subject=Hi&text=Hi"
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.MailgunAPI+"/v3/"+w.Domain+"/messages", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("api", w.SendingKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
}

// TestNowhere: without hooks nothing is posted, and everything else works.
func TestNowhere(t *testing.T) {
	w := sandbox.Run(t, sandbox.Config{})
	if _, err := w.Say(t.Context(), "ana", w.Channel, "Hello"); err != nil {
		t.Fatal(err)
	}
	send(t, w, "bob@people.example")
	if _, err := w.Mails(t.Context(), "bob@people.example", 1); err != nil {
		t.Fatal(err)
	}
	if err := w.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if posts := w.Mail.Posts(); len(posts) > 0 {
		t.Errorf("posted: %+v", posts)
	}
	for _, entry := range w.Chat.Book(0, 1000) {
		if entry.Kind == "try" {
			t.Errorf("posted: %+v", entry)
		}
	}
}

// TestSame: the same seed, the same ids; another seed, others. Two worlds at once do
// not meet.
func TestSame(t *testing.T) {
	ids := func(seed int64) string {
		w := sandbox.Run(t, sandbox.Config{Seed: seed})
		return w.AppID + w.APIToken + w.Channel
	}
	one, again, two := ids(1), ids(0), ids(2)
	if one != again || one == two {
		t.Errorf("%s\n%s\n%s", one, again, two)
	}
}

// TestMailsInVain: waiting ends with its context and says how far it came.
func TestMailsInVain(t *testing.T) {
	w := sandbox.Run(t, sandbox.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := w.Mails(ctx, "bob@people.example", 1); err == nil || !strings.Contains(err.Error(), "0 of 1") || len(got) > 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestGone: a world that is closed leaves no port behind.
func TestGone(t *testing.T) {
	f := &fake{ctx: t.Context()}
	w := sandbox.Run(f, sandbox.Config{})
	for _, end := range f.ends {
		end()
	}
	if len(f.said) > 0 {
		t.Error(f.said)
	}
	for _, addr := range []string{w.SMTP, w.IMAP, strings.TrimPrefix(w.Mailgun, "http://"), strings.TrimPrefix(w.Sendbird, "http://"), strings.TrimPrefix(w.Mailboxes, "http://")} {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			t.Errorf("%s is still there", addr)
		}
	}
}

// TestTaken: what cannot start says so to the test.
func TestTaken(t *testing.T) {
	f := &fake{ctx: t.Context()}
	defer func() {
		if recover() == nil || len(f.said) != 1 || !strings.Contains(f.said[0], "192.0.2.1") {
			t.Errorf("said %q", f.said)
		}
	}()
	sandbox.Run(f, sandbox.Config{IMAPAddr: "192.0.2.1:1"})
}

// fake is a test that can fail without this one failing.
type fake struct {
	ctx  context.Context
	ends []func()
	said []string
}

func (f *fake) Helper()                  {}
func (f *fake) Context() context.Context { return f.ctx }
func (f *fake) Cleanup(end func())       { f.ends = append(f.ends, end) }
func (f *fake) Errorf(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}
func (f *fake) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	panic("ends the test")
}
