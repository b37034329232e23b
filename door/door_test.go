package door

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/relay"
)

// rules know one word for leaving and one for a file.
type rules struct {
	muted  bool
	calls  []bool // Leave: out?
	err    error
	file   relay.LinkedFile
	opened int
	closed int
}

func (r *rules) Leaving(_ context.Context, word string) (relay.LeavePage, bool, error) {
	return relay.LeavePage{Participant: 7, Conversation: "Bikes <b>& more</b>", Muted: r.muted}, word == "good", r.err
}

func (r *rules) Leave(_ context.Context, p postern.ParticipantID, out bool) error {
	if p != 7 {
		return errors.New("somebody else")
	}
	r.calls, r.muted = append(r.calls, out), out
	return r.err
}

func (r *rules) OpenLink(_ context.Context, word string) (relay.LinkedFile, error) {
	if word != "good" {
		return relay.LinkedFile{}, postern.Errorf(postern.Permanent, "test", "no such link").Because(postern.CauseNotFound)
	}
	if r.err != nil {
		return relay.LinkedFile{}, r.err
	}
	r.opened++
	f := r.file
	f.Body = &closing{f.Body, r}
	return f, nil
}

type closing struct {
	io.ReadCloser
	r *rules
}

func (c *closing) Close() error { c.r.closed++; return c.ReadCloser.Close() }

func newDoor(t *testing.T) (*rules, http.Handler) {
	t.Helper()
	r := &rules{file: relay.LinkedFile{Name: "plan.pdf", Type: "text/html", Size: 5, Body: io.NopCloser(strings.NewReader("hello"))}}
	d, err := New(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	d.Register(mux)
	return r, mux
}

func ask(h http.Handler, method, path, kind, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	h.ServeHTTP(w, r)
	return w
}

// wantSecure holds the header of whatever strangers see.
func wantSecure(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"} {
		if got := w.Header().Get(name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %s", name, got, want)
		}
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "form-action 'self'") || strings.Contains(csp, "script") {
		t.Errorf("policy %q", csp)
	}
	if got := w.Header().Get("Set-Cookie"); got != "" {
		t.Errorf("a cookie: %q", got)
	}
}

const form = "application/x-www-form-urlencoded"

func TestLeave(t *testing.T) {
	tests := []struct {
		name, method, kind, body string
		muted                    bool
		calls                    []bool
		says                     string
	}{
		{"look", "GET", "", "", false, nil, "<button>No more e-mails</button>"},
		{"look again", "GET", "", "", true, nil, "<button>Send me e-mails again</button>"},
		{"a scanner looks", "HEAD", "", "", false, nil, ""},
		{"our own button", "POST", form, "", false, []bool{true}, "You get no more e-mails"},
		{"one click", "POST", form, "List-Unsubscribe=One-Click", false, []bool{true}, "You get no more e-mails"},
		{"one click, again", "POST", form, "List-Unsubscribe=One-Click", true, []bool{true}, "You get no more e-mails"},
		{"no body at all", "POST", "", "", false, []bool{true}, "You get no more e-mails"},
		{"undo", "POST", form, "again=yes", true, []bool{false}, "again."},
		{"something strange", "POST", "application/json", "{}", false, []bool{true}, "You get no more e-mails"},
		{"much", "POST", form, "again=" + strings.Repeat("x", 1<<20), false, []bool{true}, "You get no more e-mails"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, h := newDoor(t)
			r.muted = tt.muted
			w := ask(h, tt.method, "/u/good", tt.kind, tt.body)
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), tt.says) {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
			if len(r.calls) != len(tt.calls) || len(r.calls) == 1 && r.calls[0] != tt.calls[0] {
				t.Errorf("acted %v, want %v", r.calls, tt.calls)
			}
			if strings.Contains(w.Body.String(), "<b>&") {
				t.Error("the conversation's name is taken for HTML")
			}
			wantSecure(t, w)
		})
	}
}

// RFC 8058 allows the one-click body as multipart/form-data, too.
func TestOneClickMultipart(t *testing.T) {
	r, h := newDoor(t)
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	_ = m.WriteField("List-Unsubscribe", "One-Click")
	_ = m.Close()
	if w := ask(h, "POST", "/u/good", m.FormDataContentType(), b.String()); w.Code != http.StatusOK || len(r.calls) != 1 || !r.calls[0] {
		t.Errorf("status %d, acted %v", w.Code, r.calls)
	}
}

// What stands in the address never undoes: a link in a mail can have any.
func TestQueryDoesNothing(t *testing.T) {
	r, h := newDoor(t)
	ask(h, "POST", "/u/good?again=yes", form, "")
	ask(h, "GET", "/u/good?List-Unsubscribe=One-Click", "", "")
	if len(r.calls) != 1 || !r.calls[0] {
		t.Errorf("acted %v", r.calls)
	}
}

func TestUnknown(t *testing.T) {
	r, h := newDoor(t)
	for _, word := range []string{"bad", "good%00", strings.Repeat("a", 4000), strings.Repeat("%0A", 39), "%3Cscript%3Ealert(1)%3C%2Fscript%3E"} {
		for _, path := range []string{"/u/", "/f/"} {
			for _, method := range []string{"GET", "HEAD", "POST"} {
				if path == "/f/" && method == "POST" {
					continue
				}
				w := ask(h, method, path+word, form, "")
				if w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "alert") {
					t.Errorf("%s %s%.20s: status %d: %s", method, path, word, w.Code, w.Body)
				}
				if wantSecure(t, w); t.Failed() {
					t.Fatalf("%s %s%.40s", method, path, word)
				}
			}
		}
	}
	if len(r.calls) != 0 {
		t.Errorf("acted %v", r.calls)
	}
}

func TestOtherMethods(t *testing.T) {
	_, h := newDoor(t)
	for _, tt := range []struct{ method, path string }{{"PUT", "/u/good"}, {"DELETE", "/u/good"}, {"POST", "/f/good"}, {"OPTIONS", "/u/good"}} {
		if w := ask(h, tt.method, tt.path, "", ""); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: status %d", tt.method, tt.path, w.Code)
		}
	}
	for _, path := range []string{"/u/", "/f/", "/u/a/b", "/"} {
		if w := ask(h, "GET", path, "", ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
}

// Trouble says nothing of itself to strangers, and something to the operator.
func TestTrouble(t *testing.T) {
	var log bytes.Buffer
	r := &rules{err: postern.Errorf(postern.Temporary, "test", "the secret of the house")}
	d, err := New(r, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	d.Register(mux)
	for _, tt := range []struct{ method, path string }{{"GET", "/u/good"}, {"POST", "/u/good"}, {"GET", "/f/good"}} {
		w := ask(mux, tt.method, tt.path, form, "")
		if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s %s: status %d: %s", tt.method, tt.path, w.Code, w.Body)
		}
		wantSecure(t, w)
	}
	if n := strings.Count(log.String(), "the secret of the house"); n != 3 {
		t.Errorf("the operator was told %d times", n)
	}
	if strings.Contains(log.String(), "good") {
		t.Error("the log holds the link's word")
	}
}

func TestNewNeedsRules(t *testing.T) {
	if _, err := New(nil, nil); err == nil {
		t.Error("no error")
	}
}

func TestFile(t *testing.T) {
	r, h := newDoor(t)
	w := ask(h, "GET", "/f/good", "", "")
	if w.Code != http.StatusOK || w.Body.String() != "hello" {
		t.Errorf("status %d: %q", w.Code, w.Body)
	}
	for name, want := range map[string]string{"Content-Type": "application/octet-stream", "Content-Disposition": "attachment; filename=plan.pdf", "Content-Length": "5"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	wantSecure(t, w)
	if r.closed != 1 {
		t.Errorf("closed %d times", r.closed)
	}
}

func TestFileNames(t *testing.T) {
	for name, want := range map[string]string{
		"写.txt":                "attachment; filename*=utf-8''" + url.PathEscape("写.txt"),
		"a\"b.txt":             `attachment; filename="a\"b.txt"`,
		"x\r\nSet-Cookie: a=b": "attachment; filename*=utf-8''x%0D%0ASet-Cookie%3A%20a%3Db",
		"":                     `attachment; filename=""`,
	} {
		r, h := newDoor(t)
		r.file.Name = name
		w := ask(h, "GET", "/f/good", "", "")
		if got := w.Header().Get("Content-Disposition"); got != want || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// A HEAD tells of the file and fetches nothing of it.
func TestFileHead(t *testing.T) {
	r, h := newDoor(t)
	read := 0
	r.file.Body = io.NopCloser(readFunc(func(p []byte) (int, error) { read++; return 0, io.EOF }))
	w := ask(h, "HEAD", "/f/good", "", "")
	if w.Code != http.StatusOK || read != 0 || w.Header().Get("Content-Length") != "5" || r.closed != 1 {
		t.Errorf("status %d, read %d times, closed %d times", w.Code, read, r.closed)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// Half a file never looks like a whole one, whether its size is known or not.
func TestFileBreaksOff(t *testing.T) {
	for _, size := range []int64{-1, 100} {
		r, h := newDoor(t)
		r.file.Size = size
		r.file.Body = io.NopCloser(io.MultiReader(strings.NewReader("half"), readFunc(func([]byte) (int, error) { return 0, errors.New("cut") })))
		srv := httptest.NewServer(h)
		resp, err := http.Get(srv.URL + "/f/good")
		if err == nil { // else it broke off before anything was sent
			if b, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("size %d: %q without an error", size, b)
			}
			_ = resp.Body.Close()
		}
		srv.Close()
		if r.closed != 1 {
			t.Errorf("closed %d times", r.closed)
		}
	}
}
