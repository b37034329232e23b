package mailgun_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	domain     = "mg.example.com"
	accountKey = "key-account"
	sendingKey = "key-sending"
	signingKey = "key-signing"
)

// world is an emulator with mailboxes behind it and a receiver of its posts, in
// manual time.
type world struct {
	t     *testing.T
	mg    *mailgun.Server
	boxes *mailbox.Server
	url   string
	hooks *receiver
}

func start(t *testing.T, change ...func(*mailgun.Config)) *world {
	t.Helper()
	w := &world{t: t}
	srv := httptest.NewUnstartedServer(nil)
	w.url = "http://" + srv.Listener.Addr().String()
	clock := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	now := func() time.Time { return clock }
	cfg := mailgun.Config{
		Domains: []string{domain, "other.example.com"}, AccountKey: accountKey, SendingKey: sendingKey, SigningKey: signingKey,
		Now: now, Manual: true, PublicURL: w.url, TempDir: t.TempDir(),
		Deliver: func(ctx context.Context, from, to string, raw io.Reader) error {
			return w.boxes.Deliver(ctx, from, to, raw)
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if w.mg, err = mailgun.New(cfg); err != nil {
		t.Fatal(err)
	}
	if w.boxes, err = mailbox.New(mailbox.Config{Exchange: w.mg, Now: w.mg.Now, TempDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	srv.Config.Handler = w.mg.Handler()
	srv.Start()
	w.hooks = receive(t)
	t.Cleanup(func() {
		if err := w.boxes.Close(); err != nil {
			t.Error(err)
		}
		if err := w.mg.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return w
}

// got is one post that the receiver was sent.
type got struct {
	path        string
	contentType string
	body        []byte
	answered    int
}

// receiver stands for a gateway's webhooks; it answers 200 unless told.
type receiver struct {
	url string
	srv *httptest.Server

	mu     sync.Mutex
	posts  []got
	answer func(path string, n int) int // status for the nth post, counted from 0
}

func receive(t *testing.T) *receiver {
	r := &receiver{}
	r.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		status := http.StatusOK
		if r.answer != nil {
			status = r.answer(req.URL.Path, len(r.posts))
		}
		r.posts = append(r.posts, got{req.URL.Path, req.Header.Get("Content-Type"), b, status})
		r.mu.Unlock()
		w.WriteHeader(status)
	}))
	r.url = r.srv.URL
	t.Cleanup(r.srv.Close)
	return r
}

func (r *receiver) all() []got {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.posts)
}

func (r *receiver) answering(f func(path string, n int) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

func (r *receiver) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.posts = nil
}

// hookBody is an event webhook.
type hookBody struct {
	Signature map[string]any `json:"signature"`
	Data      map[string]any `json:"event-data"`
}

// events are the event webhooks so far; each signature is checked.
func (w *world) events() []map[string]any {
	w.t.Helper()
	var out []map[string]any
	for _, p := range w.hooks.all() {
		if p.contentType != "application/json" {
			continue
		}
		var b hookBody
		if err := json.Unmarshal(p.body, &b); err != nil {
			w.t.Fatalf("webhook body: %v", err)
		}
		ts, _ := b.Signature["timestamp"].(string)
		token, _ := b.Signature["token"].(string)
		if len(token) != 50 || b.Signature["signature"] != mailgun.Sign(signingKey, ts, token) {
			w.t.Fatalf("bad signature %v", b.Signature)
		}
		out = append(out, b.Data)
	}
	return out
}

func (w *world) names() []string {
	w.t.Helper()
	var out []string
	for _, e := range w.events() {
		name := e["event"].(string)
		if sev, ok := e["severity"].(string); ok {
			name += "/" + sev
		}
		out = append(out, name)
	}
	return out
}

func (w *world) wantNames(want ...string) {
	w.t.Helper()
	if got := w.names(); !slices.Equal(got, want) {
		w.t.Fatalf("webhooks are %v, want %v", got, want)
	}
}

// call makes an API call with the account key and returns status and body.
func (w *world) call(method, path string, form url.Values) (int, map[string]any) {
	w.t.Helper()
	status, body, _ := w.callAs(accountKey, method, path, form)
	var out map[string]any
	_ = json.Unmarshal([]byte(body), &out)
	return status, out
}

func (w *world) callAs(key, method, path string, form url.Values) (int, string, http.Header) {
	w.t.Helper()
	req, err := http.NewRequest(method, w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if key != "" {
		req.SetBasicAuth("api", key)
	}
	return w.do(req)
}

func (w *world) do(req *http.Request) (int, string, http.Header) {
	w.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

const simpleMail = "From: Ana <t.abc@mg.example.com>\r\nTo: Bob <bob@example.org>\r\nSubject: Hello\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/alternative; boundary=b1\r\n\r\n--b1\r\nContent-Type: text/plain\r\n\r\nHi Bob\r\n--b1\r\n" +
	"Content-Type: text/html\r\n\r\n<html><body><p>Hi Bob <a href=\"https://example.net/x\">link</a></p></body></html>\r\n--b1--\r\n"

// mimeRequest is a messages.mime call as a multipart upload.
func (w *world) mimeRequest(key, mail string, fields url.Values) *http.Request {
	w.t.Helper()
	var b bytes.Buffer
	mw := multipart.NewWriter(&b)
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		for _, v := range fields[k] {
			if err := mw.WriteField(k, v); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	if mail != "" {
		fw, err := mw.CreateFormFile("message", "message.eml")
		if err != nil {
			w.t.Fatal(err)
		}
		_, _ = io.WriteString(fw, mail)
	}
	_ = mw.Close()
	req, err := http.NewRequest(http.MethodPost, w.url+"/v3/"+domain+"/messages.mime", &b)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", mw.FormDataContentType())
	req.SetBasicAuth("api", key)
	return req
}

// send sends a mail by messages.mime and returns its Message-Id.
func (w *world) send(to, mail string, fields url.Values) string {
	w.t.Helper()
	all := url.Values{"to": {to}}
	maps.Copy(all, fields)
	status, body, _ := w.do(w.mimeRequest(sendingKey, mail, all))
	var out struct{ ID, Message string }
	if status != 200 || json.Unmarshal([]byte(body), &out) != nil || out.Message != "Queued. Thank you." {
		w.t.Fatalf("send: %d %s", status, body)
	}
	return strings.Trim(out.ID, "<>")
}

func (w *world) raw(address string, i int) string {
	w.t.Helper()
	list := w.boxes.Messages(address)
	if i >= len(list) {
		w.t.Fatalf("%s has %d mails", address, len(list))
	}
	r, err := w.boxes.Raw(address, list[i].ID)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

func (w *world) fault(f mailgun.Fault) {
	w.t.Helper()
	if _, err := w.mg.AddFault(f); err != nil {
		w.t.Fatal(err)
	}
}

func get(m map[string]any, path string) any {
	var v any = m
	for _, k := range strings.Split(path, "/") {
		x, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = x[k]
	}
	return v
}

func (w *world) want(m map[string]any, path string, want any) {
	w.t.Helper()
	if got := get(m, path); fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("%s is %v, want %v", path, got, want)
	}
}

// try sends by messages.mime and gives status and body; 0 is a connection that
// broke.
func (w *world) try(to string) (int, string) {
	req := w.mimeRequest(sendingKey, simpleMail, url.Values{"to": {to}})
	// A transport of its own does not repeat the call by itself.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// control calls the control plane.
func (w *world) control(method, path, body string) (int, map[string]any) {
	w.t.Helper()
	req, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	status, text, _ := w.do(req)
	var out map[string]any
	_ = json.Unmarshal([]byte(text), &out)
	return status, out
}

func (w *world) pending() int {
	_, body := w.control("GET", "/_emulator/clock", "")
	n, _ := body["pending"].(float64)
	return int(n)
}

func newJSON(t *testing.T, w *world, method, path, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth("api", accountKey)
	return req
}
