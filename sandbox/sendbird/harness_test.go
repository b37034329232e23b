package sendbird

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an emulator on a port, a receiver for its webhooks, and a clock that stands still.
type world struct {
	t    *testing.T
	s    *Server
	url  string
	recv *receiver
	http *http.Client

	mu  sync.Mutex
	now time.Time
}

const testToken = "0123456789abcdef0123456789abcdef01234567"

func newWorld(t *testing.T, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, now: time.UnixMilli(1_700_000_000_123)}
	tr := &http.Transport{}
	w.http = &http.Client{Transport: tr}
	w.recv = newReceiver(t)
	cfg := Config{
		AppID: "0A1B2C3D-0000-4000-8000-000000000000", MasterToken: testToken, Seed: 7, TempDir: t.TempDir(),
		Now:      func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now },
		Webhook:  Webhook{URL: w.recv.srv.URL + "/hook", IncludeMembers: true},
		Delivery: DeliveryTimes{Pauses: []time.Duration{time.Millisecond, time.Millisecond}},
	}
	for _, f := range change {
		f(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler())
	w.s, w.url = s, srv.URL
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
		tr.CloseIdleConnections()
	})
	return w
}

// advance moves the clock.
func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

type answer struct {
	status int
	head   http.Header
	raw    []byte
	obj    map[string]any
}

// do sends v as JSON (a string as it is) with the master token.
func (w *world) do(method, path string, v any) answer {
	w.t.Helper()
	var body io.Reader
	switch v := v.(type) {
	case nil:
	case string:
		body = strings.NewReader(v)
	default:
		b, err := json.Marshal(v)
		if err != nil {
			w.t.Fatal(err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, w.url+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Api-Token", testToken)
	req.Header.Set("Content-Type", "application/json, charset=utf8")
	return w.send(req)
}

func (w *world) send(req *http.Request) answer {
	w.t.Helper()
	a, err := w.try(req)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) try(req *http.Request) (answer, error) {
	resp, err := w.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, head: resp.Header, raw: raw}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := decodeJSON(raw, &a.obj); err != nil {
			return a, fmt.Errorf("answer %q: %w", raw, err)
		}
	}
	return a, nil
}

// ok is do that must give 200.
func (w *world) ok(method, path string, v any) map[string]any {
	w.t.Helper()
	a := w.do(method, path, v)
	if a.status != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s", method, path, a.status, a.raw)
	}
	return a.obj
}

// refused is do that must give this status and code.
func (w *world) refused(method, path string, v any, status, code int) answer {
	w.t.Helper()
	a := w.do(method, path, v)
	if a.status != status || num(a.obj["code"]) != int64(code) || a.obj["error"] != true {
		w.t.Errorf("%s %s %v: got %d %s, want %d with code %d", method, path, v, a.status, a.raw, status, code)
	}
	return a
}

// form posts a multipart form with one file.
func (w *world) form(path string, fields map[string]string, name, kind string, content []byte) answer {
	w.t.Helper()
	var b bytes.Buffer
	mw := multipart.NewWriter(&b)
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", `form-data; name="file"; filename="`+name+`"`)
	h.Set("Content-Type", kind)
	p, err := mw.CreatePart(h)
	if err != nil {
		w.t.Fatal(err)
	}
	_, _ = p.Write(content)
	for k, v := range fields {
		_ = mw.WriteField(k, v)
	}
	_ = mw.Close()
	req, _ := http.NewRequest(http.MethodPost, w.url+path, &b)
	req.Header.Set("Api-Token", testToken)
	req.Header.Set("Content-Type", mw.FormDataContentType())
	return w.send(req)
}

func (w *world) user(ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		w.ok("POST", "/v3/users", obj{"user_id": id, "nickname": strings.ToUpper(id[:1]) + id[1:], "profile_url": ""})
	}
}

// channel makes users and a channel of them, named url.
func (w *world) channel(url string, ids ...string) string {
	w.t.Helper()
	for _, id := range ids {
		if a := w.do("GET", "/v3/users/"+id, nil); a.status != 200 {
			w.user(id)
		}
	}
	w.ok("POST", "/v3/group_channels", obj{"channel_url": url, "name": "Support", "user_ids": ids})
	return "/v3/group_channels/" + url
}

// say posts a text as user and gives the message.
func (w *world) say(ch, id, text string) map[string]any {
	w.t.Helper()
	return w.ok("POST", ch+"/messages", obj{"message_type": "MESG", "user_id": id, "message": text})
}

// settle waits until all webhooks have come to an end.
func (w *world) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := w.s.WaitWebhooks(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// hooks settles and gives what came of a category, all if "".
func (w *world) hooks(category string) []map[string]any {
	w.t.Helper()
	w.settle()
	var out []map[string]any
	for _, p := range w.recv.all() {
		if category == "" || p.body["category"] == category {
			out = append(out, p.body)
		}
	}
	return out
}

func (w *world) oneHook(category string) map[string]any {
	w.t.Helper()
	list := w.hooks(category)
	if len(list) != 1 {
		w.t.Fatalf("%d webhooks of %s, want 1", len(list), category)
	}
	return list[0]
}

// receiver takes webhooks and holds each against its signature, over the bytes as they came.
type receiver struct {
	t   *testing.T
	srv *httptest.Server

	mu     sync.Mutex
	posts  []post
	answer func(http.ResponseWriter, *http.Request) // default 200
}

type post struct {
	head http.Header
	raw  []byte
	body map[string]any
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t}
	r.srv = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.srv.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, req *http.Request) {
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		r.t.Errorf("webhook body: %v", err)
	}
	mac := hmac.New(sha256.New, []byte(testToken))
	mac.Write(raw)
	want := hex.EncodeToString(mac.Sum(nil))
	for _, name := range []string{"x-sendbird-signature", "x-signature"} {
		if got := req.Header.Get(name); got != want {
			r.t.Errorf("webhook %s = %q, want %q", name, got, want)
		}
	}
	p := post{head: req.Header.Clone(), raw: raw}
	if err := decodeJSON(raw, &p.body); err != nil {
		r.t.Errorf("webhook is no JSON: %v", err)
	}
	r.mu.Lock()
	r.posts = append(r.posts, p)
	do := r.answer
	r.mu.Unlock()
	if do != nil {
		do(w, req)
	}
}

func (r *receiver) all() []post {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]post(nil), r.posts...)
}

func (r *receiver) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.posts = nil
}

func (r *receiver) answers(do func(http.ResponseWriter, *http.Request)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = do
}

func num(v any) int64 {
	n, ok := v.(json.Number)
	if !ok {
		return -1 << 62
	}
	i, err := n.Int64()
	if err != nil {
		return -1 << 62
	}
	return i
}

// dig walks into objects (by name) and lists (by index).
func dig(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if n, ok := got.(json.Number); ok {
		got = n.String()
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func keys(m map[string]any) string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return sorted(out)
}

func sorted(list []string) string {
	out := append([]string(nil), list...)
	for i := range out {
		for j := i; j > 0 && out[j] < out[j-1]; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return strings.Join(out, " ")
}

// forget settles and throws away what came so far.
func (w *world) forget() {
	w.t.Helper()
	w.settle()
	w.recv.forget()
}
