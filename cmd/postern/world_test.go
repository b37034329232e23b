package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox"
	"github.com/postern-chat/postern/sandbox/mailbox"
)

// world is the emulated outside with the gateway in it, over real HTTP.
type world struct {
	*sandbox.World
	t    *testing.T
	g    *gateway
	stop func()
	cfg  *Config
	addr string
}

// newWorld starts a world and a gateway whose configuration is the sandbox's with env
// on top of it. Both end with the test.
func newWorld(t *testing.T, env ...string) *world {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out, err := sandbox.Start(t.Context(), sandbox.Config{GatewayURL: "http://" + ln.Addr().String(), Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{World: out, t: t, addr: ln.Addr().String()}
	a := &app{ctx: t.Context(), environ: append([]string{"POSTERN_NOTIFY_DELAY=0s", "POSTERN_RECEIPTS_HUMAN_AFTER=0s"}, env...)}
	if w.cfg, _, err = a.sandboxConfig(out, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	w.start(ln)
	t.Cleanup(func() {
		w.stop()
		if err := out.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := out.Introduce(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// start runs the gateway on a listener.
func (w *world) start(ln net.Listener) {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(testWriter{w.t}, nil))
	g, err := newGateway(context.Background(), w.cfg, log)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, ln) }()
	w.g = g
	w.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
		g.Close()
	}
}

// restart stops the gateway and starts another on the same memory and address.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	ln, err := net.Listen("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.start(ln)
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("gateway: %s", bytes.TrimSpace(p))
	return len(p), nil
}

// do calls an address with a JSON body and reads a JSON answer into out.
func (w *world) do(method, to string, in, out any) int {
	w.t.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			w.t.Fatal(err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, to, body)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+w.AdminToken)
	req.Header.Set("Api-Token", w.APIToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if out != nil && resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(b, out); err != nil {
			w.t.Fatalf("%s %s: %v: %s", method, to, err, b)
		}
	}
	return resp.StatusCode
}

// text gets a page.
func (w *world) text(from string) string {
	w.t.Helper()
	resp, err := http.Get(from)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

func (w *world) must(method, to string, in, out any) {
	w.t.Helper()
	if status := w.do(method, to, in, out); status != http.StatusOK {
		w.t.Fatalf("%s %s: status %d", method, to, status)
	}
}

// waitFor asks again and again until ok; the test fails if that takes too long.
func (w *world) waitFor(what string, ok func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			for _, n := range w.notes() {
				w.t.Logf("%s: %s user=%s ref=%s ref2=%s %s", n.What, n.Why, n.User, n.Ref, n.Ref2, n.Detail)
			}
			w.t.Fatalf("waited in vain for: %s", what)
		case <-tick.C:
		}
	}
}

// idle waits until every webhook is delivered and no lane has anything due.
func (w *world) idle() {
	w.t.Helper()
	w.waitFor("everything at rest", func() bool {
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		if w.Chat.WaitWebhooks(ctx) != nil || w.Mail.Drain(ctx) != nil {
			return false
		}
		b, err := w.g.store.Backlog(ctx)
		return err == nil && b.Jobs == 0
	})
}

type note struct {
	What, Why, User, Ref, Ref2, Detail string
}

func (w *world) notes() []note {
	w.t.Helper()
	var out struct{ Notes, Lately []note }
	w.must("GET", w.Gateway+"/api/v1/activity?limit=1000", nil, &out)
	return append(out.Lately, out.Notes...)
}

// noted tells whether something was noted with this reason.
func (w *world) noted(what, why string) bool {
	return slices.ContainsFunc(w.notes(), func(n note) bool { return n.What == what && strings.Contains(n.Why, why) })
}

// says writes into the story's channel as a person does in the app, and gives the
// message's id.
func (w *world) says(user, text string) string {
	w.t.Helper()
	return w.message(user, map[string]any{"message": text})
}

func (w *world) message(user string, body map[string]any) string {
	w.t.Helper()
	var m struct {
		ID json.Number `json:"message_id"`
	}
	w.must("POST", w.Sendbird+"/_emulator/users/"+user+"/channels/"+w.Channel+"/messages", body, &m)
	return m.ID.String()
}

// uploads sends a file as a person does in the app.
func (w *world) uploads(user, name, content string) {
	w.t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile("file", name)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := io.WriteString(part, content); err != nil {
		w.t.Fatal(err)
	}
	if err := errors.Join(form.WriteField("message_type", "FILE"), form.Close()); err != nil {
		w.t.Fatal(err)
	}
	to := w.Sendbird + "/_emulator/users/" + user + "/channels/" + w.Channel + "/messages"
	resp, err := http.Post(to, form.FormDataContentType(), &b)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("upload: %s", resp.Status)
	}
}

func (w *world) online(user string, is bool) {
	w.t.Helper()
	w.must("PUT", w.Sendbird+"/_emulator/users/"+user+"/presence", map[string]any{"online": is}, nil)
}

// chatMessage is a message of the story's channel as the emulator holds it.
type chatMessage struct {
	ID      json.Number `json:"message_id"`
	Type    string
	Message string
	Data    string
	User    struct {
		ID string `json:"user_id"`
	}
	File struct {
		Name, Type, URL string
		Size            int64
	}
	DeliveredTo []string `json:"delivered_to"`
	ReadBy      []string `json:"read_by"`
}

func (w *world) chat() []chatMessage {
	w.t.Helper()
	var state struct {
		Channels []struct {
			URL      string `json:"channel_url"`
			Messages []chatMessage
		}
	}
	w.must("GET", w.Sendbird+"/_emulator/state?channel_url="+url.QueryEscape(w.Channel), nil, &state)
	for _, c := range state.Channels {
		if c.URL == w.Channel {
			return c.Messages
		}
	}
	return nil
}

// chatID finds a message of the channel by its id.
func (w *world) chatID(id string) chatMessage {
	w.t.Helper()
	for _, m := range w.chat() {
		if m.ID.String() == id {
			return m
		}
	}
	w.t.Fatalf("no message %s in the channel", id)
	return chatMessage{}
}

const bobsAddress = "bob@people.example"

// mails are what lies in somebody's mailbox and was not written by himself.
func (w *world) mails(address string) []mailbox.Message {
	var in []mailbox.Message
	for _, m := range w.People.Messages(address) {
		if !m.Sent {
			full, _ := w.People.Message(address, m.ID)
			in = append(in, full)
		}
	}
	return in
}

// mail waits for the n-th mail of a mailbox.
func (w *world) mail(address string, n int) mailbox.Message {
	w.t.Helper()
	w.waitFor(fmt.Sprintf("mail %d to %s", n, address), func() bool { return len(w.mails(address)) >= n })
	return w.mails(address)[n-1]
}

func (w *world) replies(m mailbox.Message, a mailbox.Answer) {
	w.t.Helper()
	if _, err := w.People.Reply(w.t.Context(), bobsAddress, m.ID, a); err != nil {
		w.t.Fatal(err)
	}
}

// said waits until somebody's message of this text stands in the channel.
func (w *world) said(user, text string) chatMessage {
	w.t.Helper()
	var found chatMessage
	w.waitFor(fmt.Sprintf("%q of %s in the chat", text, user), func() bool {
		for _, m := range w.chat() {
			if m.User.ID == user && m.Message == text {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// sharedFolder is a folder of test data that stands beside the project where it is worked on.
func (w *world) sharedFolder(parts ...string) string {
	return filepath.Join(append([]string{"..", "..", "..", "shared"}, parts...)...)
}
