package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/blob"
	"github.com/postern-chat/postern/store"
)

// secretText must never show in an answer or in a log.
const secretText = "the words of the message"

// house is the hooks with all around them made up.
type house struct {
	hooks *Hooks
	chat  chatHook
	mail  mailHook
	dir   string
	log   bytes.Buffer

	mu       sync.Mutex
	observed []string
	arrivals []store.Arrival
	notes    []store.Note

	plan      store.Plan // what the Sorter says
	sortErr   error      // what it says of mail
	recordErr error
	duplicate bool
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{dir: filepath.Join(t.TempDir(), "blobs")}
	blobs, err := blob.NewDir(h.dir)
	if err != nil {
		t.Fatal(err)
	}
	h.plan = store.Plan{Dedup: "key", Jobs: []store.LaneJob{{Lane: "lane", Kind: "kind"}}}
	h.mail.in = postern.Inbound{Key: "token", Digest: []byte("digest"), Recipient: "r@mg.example", Sender: "bob@example.org"}
	h.hooks, err = New(Config{
		Store: h, Blobs: blobs, Sorter: h, Logger: slog.New(slog.NewTextHandler(&h.log, nil)),
		Observe: func(source, outcome string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.observed = append(h.observed, source+" "+outcome)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) SortChat(postern.ChatEvent) store.Plan                 { return h.plan }
func (h *house) SortMailEvent(postern.MailEvent) store.Plan            { return h.plan }
func (h *house) SortInbound(postern.Inbound) (p store.Plan, err error) { return h.plan, h.sortErr }

func (h *house) Record(_ context.Context, a store.Arrival) (int64, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.recordErr != nil {
		return 0, false, h.recordErr
	}
	h.arrivals = append(h.arrivals, a)
	return 1, h.duplicate, nil
}

func (h *house) NoteSoon(n store.Note) { h.notes = append(h.notes, n) }

type chatHook struct{ verify, decode error }

func (c *chatHook) Verify(http.Header, []byte) error               { return c.verify }
func (c *chatHook) Decode([]byte) (e postern.ChatEvent, err error) { return e, c.decode }

type mailHook struct {
	in   postern.Inbound
	err  error
	read func(*http.Request, io.Writer) error // nil: the body is the mail
}

func (m *mailHook) InboundMIME(_ context.Context, r *http.Request, w io.Writer) (postern.Inbound, error) {
	if m.read != nil {
		return m.in, m.read(r, w)
	}
	if _, err := io.Copy(w, r.Body); err != nil {
		return m.in, &postern.Error{Kind: postern.Temporary, Op: "test", Err: err}
	}
	return m.in, m.err
}

func (m *mailHook) InboundForm(ctx context.Context, r *http.Request, w io.Writer) (postern.Inbound, error) {
	if _, err := io.WriteString(w, "rebuilt:"); err != nil {
		return m.in, err
	}
	return m.InboundMIME(ctx, r, w)
}

func (m *mailHook) Event([]byte) (e postern.MailEvent, token string, digest []byte, err error) {
	return e, "token", []byte("digest"), m.err
}

// The ways in.
const (
	wayChat   = "chat"
	wayEvents = "events"
	wayMIME   = "mime"
	wayForm   = "form"
)

var ways = []string{wayChat, wayEvents, wayMIME, wayForm}

func (h *house) handler(way string) http.Handler {
	switch way {
	case wayChat:
		return h.hooks.Chat("sendbird", &h.chat)
	case wayEvents:
		return h.hooks.MailEvents("mailgun", &h.mail)
	}
	return h.hooks.Inbound("mailgun", &h.mail, way == wayMIME)
}

func sourceOf(way string) string {
	return map[string]string{wayChat: "sendbird", wayEvents: "mailgun.events", wayMIME: "mailgun.inbound", wayForm: "mailgun.inbound"}[way]
}

func (h *house) post(t *testing.T, way, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.handler(way).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
	return w
}

// fail makes the hook of a way fail as verification or decoding does.
func (h *house) fail(err error) { h.chat.verify, h.mail.err = err, err }

// files counts what stands on the disk.
func (h *house) files(t *testing.T) (n int) {
	t.Helper()
	err := filepath.WalkDir(h.dir, func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func problem(k postern.Kind, c postern.Cause) error {
	return postern.Errorf(k, "test", "%s", secretText).Because(c)
}

// What each outcome is answered with.
func TestStatus(t *testing.T) {
	tests := []struct {
		name       string
		set        func(h *house)
		chat, mail int // status at the chat's and at the provider's paths
		outcome    string
		recorded   bool
	}{
		{"recorded", func(*house) {}, 200, 200, "recorded", true},
		{"duplicate", func(h *house) { h.duplicate = true }, 200, 200, "duplicate", true},
		{"nothing to do", func(h *house) { h.plan = store.Plan{Skip: "silent"} }, 200, 200, "skipped: silent", false},
		{"signature", func(h *house) { h.fail(problem(postern.Denied, 0)) }, 401, 401, "refused: signature does not hold", false},
		{"stale", func(h *house) { h.fail(problem(postern.Denied, postern.CauseStale)) }, 401, 401, "refused: signature outside its time", false},
		{"malformed", func(h *house) { h.fail(problem(postern.Invalid, 0)) }, 400, 406, "refused: malformed", false},
		{"too large", func(h *house) { h.fail(problem(postern.Invalid, postern.CauseTooLarge)) }, 400, 406, "refused: too large", false},
		{"broke off", func(h *house) { h.fail(problem(postern.Temporary, 0)) }, 503, 503, "refused: not stored", false},
		{"replayed", func(h *house) { h.recordErr = problem(postern.Denied, postern.CauseReplayed) }, 401, 401, "refused: signature used again with another content", false},
		{"full", func(h *house) { h.recordErr = problem(postern.Temporary, postern.CauseBusy) }, 503, 503, "refused: too busy", false},
		{"store broken", func(h *house) { h.recordErr = problem(postern.Temporary, 0) }, 503, 503, "refused: not stored", false},
		{"own defect", func(h *house) { h.recordErr = errors.New(secretText) }, 503, 503, "refused: not stored", false},
		{"too long a key", func(h *house) { h.recordErr = problem(postern.Invalid, 0) }, 400, 406, "refused: malformed", false},
	}
	for _, tt := range tests {
		for _, way := range ways {
			t.Run(tt.name+"/"+way, func(t *testing.T) {
				h := newHouse(t)
				tt.set(h)
				w := h.post(t, way, strings.Repeat(secretText, 5000))
				want := tt.mail
				if way == wayChat {
					want = tt.chat
				}
				if w.Code != want {
					t.Errorf("status %d, want %d", w.Code, want)
				}
				if strings.Contains(w.Body.String(), "words") || want == 200 && w.Body.Len() > 0 {
					t.Errorf("the answer says %q", w.Body)
				}
				if wanted := []string{sourceOf(way) + " " + tt.outcome}; !slices.Equal(h.observed, wanted) {
					t.Errorf("observed %q, want %q", h.observed, wanted)
				}
				// Of an event that is not used its token is kept, no more.
				if got := len(h.arrivals) > 0 && h.arrivals[0].Body != nil; got != tt.recorded {
					t.Errorf("recorded: %t", got)
				}
				if (want != 200) != strings.Contains(h.log.String(), "a webhook was refused") {
					t.Errorf("the log says %q", &h.log)
				}
				h.checkBlobs(t, way, tt.name)
			})
		}
	}
}

// checkBlobs holds that nothing of a refused mail is kept. Where the store's answer was
// lost the bytes stay: the row may have been written.
func (h *house) checkBlobs(t *testing.T, way, outcome string) {
	t.Helper()
	want := 0
	if mail := way == wayMIME || way == wayForm; mail && (outcome == "recorded" || outcome == "full" || outcome == "store broken") {
		want = 1
	}
	if n := h.files(t); n != want {
		t.Errorf("%d files on the disk, want %d", n, want)
	}
}

func TestSorterRefusesMail(t *testing.T) {
	h := newHouse(t)
	h.sortErr = problem(postern.Invalid, 0)
	if w := h.post(t, wayMIME, strings.Repeat("x", 100_000)); w.Code != http.StatusNotAcceptable || h.files(t) != 0 || len(h.arrivals) != 0 {
		t.Errorf("status %d, %d files, %d arrivals", w.Code, h.files(t), len(h.arrivals))
	}
}

func TestDecodeFails(t *testing.T) {
	h := newHouse(t)
	h.chat.decode = problem(postern.Invalid, 0)
	if w := h.post(t, wayChat, "{"); w.Code != http.StatusBadRequest || len(h.arrivals) != 0 {
		t.Errorf("status %d, %d arrivals", w.Code, len(h.arrivals))
	}
}

func TestRecorded(t *testing.T) {
	small, large := "Subject: x\r\n\r\nhello", strings.Repeat("0123456789abcdef", 4096)
	tests := []struct{ way, body, wantBody, wantContent, wantDedup string }{
		{wayChat, large, large, "", "key"},
		{wayEvents, large, large, "", "mailgun.events:token"},
		{wayMIME, small, "", small, "mailgun.inbound:token"},
		{wayForm, small, "", "rebuilt:" + small, "mailgun.inbound:token"},
		{wayMIME, large, "", large, "mailgun.inbound:token"},
	}
	for _, tt := range tests {
		h := newHouse(t)
		h.post(t, tt.way, tt.body)
		if len(h.arrivals) != 1 {
			t.Fatalf("%d arrivals", len(h.arrivals))
		}
		a := h.arrivals[0]
		if a.Source != sourceOf(tt.way) || a.Dedup != tt.wantDedup || len(a.Jobs) != 1 {
			t.Errorf("%s: source %q, key %q, %d jobs", tt.way, a.Source, a.Dedup, len(a.Jobs))
		}
		if tt.way != wayChat && string(a.Digest) != "digest" {
			t.Errorf("%s: digest %q", tt.way, a.Digest)
		}
		if tt.wantBody != "" {
			if string(a.Body) != tt.wantBody {
				t.Errorf("%s: the body is not the one that came", tt.way)
			}
			continue
		}
		var in postern.Inbound
		if err := json.Unmarshal(a.Body, &in); err != nil || in.Recipient != h.mail.in.Recipient || in.Sender != h.mail.in.Sender {
			t.Errorf("%s: envelope %s, %v", tt.way, a.Body, err)
		}
		if got := h.content(t, a); got != tt.wantContent || (a.Ref != "") != (len(tt.wantContent) > inMemory) {
			t.Errorf("%s: %d bytes kept, blob %q, want %d bytes", tt.way, len(got), a.Ref, len(tt.wantContent))
		}
	}
}

func (h *house) content(t *testing.T, a store.Arrival) string {
	t.Helper()
	if a.Ref == "" {
		return string(a.Content)
	}
	f, err := h.hooks.cfg.Blobs.Open(a.Ref)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What is skipped costs no transaction; somebody who asks why is told.
func TestSkipNotes(t *testing.T) {
	h := newHouse(t)
	h.plan = store.Plan{Skip: "silent", Note: store.Note{What: "not mailed", Why: "silent"}}
	h.post(t, wayChat, "{}")
	h.plan = store.Plan{Skip: "event not used"}
	h.post(t, wayChat, "{}")
	if len(h.notes) != 1 || h.notes[0].Why != "silent" || len(h.arrivals) != 0 {
		t.Errorf("notes %v, %d arrivals", h.notes, len(h.arrivals))
	}
}

// The token of a signature is used up by an event that is not used, too: somebody who has
// seen it could else sign another event with it.
func TestSkippedEventUsesUpItsToken(t *testing.T) {
	h := newHouse(t)
	h.plan = store.Plan{Skip: "event not used"}
	h.post(t, wayEvents, "{}")
	if len(h.arrivals) != 1 || h.arrivals[0].Dedup == "" || h.arrivals[0].Digest == nil || h.arrivals[0].Body != nil || len(h.arrivals[0].Jobs) != 0 {
		t.Fatalf("%+v", h.arrivals)
	}
	h.recordErr = postern.Errorf(postern.Denied, "store.record", "another content").Because(postern.CauseReplayed)
	if w := h.post(t, wayEvents, "{}"); w.Code != http.StatusUnauthorized {
		t.Errorf("status %d", w.Code)
	}
}

func TestNewNeeds(t *testing.T) {
	h := newHouse(t)
	for name, cfg := range map[string]Config{
		"store": {Blobs: h.hooks.cfg.Blobs, Sorter: h}, "blobs": {Store: h, Sorter: h}, "sorter": {Store: h, Blobs: h.hooks.cfg.Blobs},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("without %s: no error", name)
		}
	}
	quiet, err := New(Config{Store: h, Blobs: h.hooks.cfg.Blobs, Sorter: h})
	if err != nil {
		t.Fatal(err)
	}
	h.hooks = quiet
	h.fail(problem(postern.Denied, 0))
	if w := h.post(t, wayChat, "{}"); w.Code != http.StatusUnauthorized {
		t.Errorf("without logger and counter: status %d", w.Code)
	}
}
