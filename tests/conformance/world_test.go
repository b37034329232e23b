package conformance

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

const (
	domain     = "mg.example.com"
	accountKey = "key-account"
	sendingKey = "key-sending"
	signingKey = "key-signing"
	bob        = "bob@example.org"
)

// mail is an emulated Mailgun as one client sees it, with mailboxes behind it and a receiver of its posts.
type mail struct {
	t     *testing.T
	mg    *mailgun.Server
	boxes *mailbox.Server
	url   string
	hooks *receiver
}

func startMail(t *testing.T, rec *Recorder, client string) *mail {
	t.Helper()
	w := &mail{t: t}
	var err error
	w.mg, err = mailgun.New(mailgun.Config{
		Domains: []string{domain}, AccountKey: accountKey, SendingKey: sendingKey, SigningKey: signingKey, Seed: 1, TempDir: t.TempDir(),
		Deliver: func(ctx context.Context, from, to string, raw io.Reader) error {
			return w.boxes.Deliver(ctx, from, to, raw)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.boxes, err = mailbox.New(mailbox.Config{Exchange: w.mg, TempDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	srv := rec.Serve(client, Mailgun, mailgun.Endpoints(), w.mg.Handler())
	w.url = srv.URL
	w.hooks = startReceiver(t)
	t.Cleanup(func() {
		if err := w.boxes.Close(); err != nil {
			t.Error(err)
		}
		if err := w.mg.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	return w
}

// settle waits until all that is due has happened.
func (w *mail) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := w.mg.Drain(ctx); err != nil {
		w.t.Fatal(err)
	}
	w.boxes.Wait()
	if err := w.mg.Drain(ctx); err != nil {
		w.t.Fatal(err)
	}
}

func startChat(t *testing.T, rec *Recorder, client string) (*sendbird.Server, string) {
	t.Helper()
	s, err := sendbird.New(sendbird.Config{Seed: 1, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	srv := rec.Serve(client, Sendbird, sendbird.Endpoints(), s.Handler())
	t.Cleanup(func() {
		srv.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, srv.URL
}

// posted is one request that an emulator made.
type posted struct {
	path   string
	header http.Header
	body   []byte
}

// receiver stands for somebody's webhooks; it answers 200.
type receiver struct {
	url string

	mu    sync.Mutex
	posts []posted
}

func startReceiver(t *testing.T) *receiver {
	r := &receiver{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		r.posts = append(r.posts, posted{req.URL.Path, req.Header.Clone(), b})
		r.mu.Unlock()
	}))
	r.url = srv.URL
	t.Cleanup(srv.Close)
	return r
}

func (r *receiver) at(path string) []posted {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.posts), func(p posted) bool { return p.path != path })
}

func (r *receiver) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.posts = nil
}

func must[T any](v T, err error) func(t *testing.T, what string) T {
	return func(t *testing.T, what string) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return v
	}
}

func ok(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}
