package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jhillyerd/enmime/v2"
)

// mailgun is a small, strict e-mail provider, written from Mailgun's documents.
type mailgun struct {
	t   testing.TB
	srv *httptest.Server

	mu     sync.Mutex
	sent   []*sent
	wrong  []string
	looked int                                         // questions whether a mail is known
	hide   map[string]bool                             // message ids that the events do not show yet
	lifted []string                                    // addresses taken from a suppression list
	before func(w http.ResponseWriter, to string) bool // before a mail is taken; true: answered
	after  func(w http.ResponseWriter, s *sent) bool   // after it was taken; true: answered
}

// sent is one accepted mail.
type sent struct {
	To   string
	Form map[string][]string
	Raw  []byte
	At   time.Time
	ID   string // Message-ID, without brackets
}

func newMailgun(t testing.TB) *mailgun {
	m := &mailgun{t: t, hide: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v3/"+domain+"/messages.mime", m.send)
	mux.HandleFunc("GET /v3/"+domain+"/events", m.events)
	mux.HandleFunc("POST /v1/analytics/logs", m.logs)
	mux.HandleFunc("DELETE /v3/"+domain+"/{list}/{address}", m.lift)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		m.bad("%s %s", r.Method, r.URL.Path)
		w.WriteHeader(404)
	})
	m.srv = httptest.NewServer(mux)
	t.Cleanup(func() {
		m.srv.CloseClientConnections()
		m.srv.Close()
		for _, c := range m.wrong {
			t.Errorf("Mailgun: a call that no document allows: %s", c)
		}
	})
	return m
}

func (m *mailgun) bad(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wrong = append(m.wrong, fmt.Sprintf(format, args...))
}

func (m *mailgun) auth(w http.ResponseWriter, r *http.Request, keys ...string) bool {
	user, pass, ok := r.BasicAuth()
	for _, k := range keys {
		if ok && user == "api" && pass == k {
			return true
		}
	}
	m.bad("wrong key at %s", r.URL.Path)
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(401)
	_, _ = io.WriteString(w, "Forbidden")
	return false
}

func mgJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (m *mailgun) send(w http.ResponseWriter, r *http.Request) {
	if !m.auth(w, r, sendingKey) {
		return
	}
	s, err := readSend(r)
	if err != nil {
		m.bad("send: %v", err)
		mgJSON(w, 400, map[string]string{"message": err.Error()})
		return
	}
	m.mu.Lock()
	before := m.before
	m.mu.Unlock()
	if before != nil && before(w, s.To) {
		return
	}
	m.mu.Lock()
	m.sent = append(m.sent, s)
	after := m.after
	m.mu.Unlock()
	if after != nil && after(w, s) {
		return
	}
	mgJSON(w, 200, map[string]string{"id": "<" + s.ID + ">", "message": "Queued. Thank you."})
}

func readSend(r *http.Request) (*sent, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return nil, fmt.Errorf("content type %q: %v", kind, err)
	}
	s := &sent{Form: map[string][]string{}, At: time.Now()}
	mr := multipart.NewReader(r.Body, params["boundary"])
	options := 0
	for {
		part, err := mr.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		switch name := part.FormName(); {
		case name == "message" && part.FileName() != "" && s.Raw == nil:
			s.Raw = b
		case name == "to", strings.HasPrefix(name, "o:"), strings.HasPrefix(name, "v:"), strings.HasPrefix(name, "h:"):
			s.Form[name] = append(s.Form[name], string(b))
			options += len(name) + len(b)
		default:
			return nil, fmt.Errorf("field %q (file %q)", name, part.FileName())
		}
	}
	if len(s.Form["to"]) != 1 || strings.ContainsAny(s.Form["to"][0], ",\r\n") {
		return nil, fmt.Errorf("to: %q, one recipient wanted", s.Form["to"])
	}
	addr, err := mail.ParseAddress(s.Form["to"][0])
	if err != nil {
		return nil, fmt.Errorf("to parameter is not a valid address. please check documentation")
	}
	s.To = strings.ToLower(addr.Address)
	if s.Raw == nil || len(s.Raw) > 25<<20 || options > 16<<10 {
		return nil, fmt.Errorf("message of %d bytes, options of %d", len(s.Raw), options)
	}
	msg, err := mail.ReadMessage(bytes.NewReader(s.Raw))
	if err != nil {
		return nil, fmt.Errorf("message: %v", err)
	}
	s.ID = strings.Trim(msg.Header.Get("Message-Id"), "<> ")
	if s.ID == "" {
		return nil, fmt.Errorf("no Message-ID of ours")
	}
	return s, nil
}

func (m *mailgun) known(id string) *sent {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looked++
	for _, s := range m.sent {
		if s.ID == id && !m.hide[id] {
			return s
		}
	}
	return nil
}

func (m *mailgun) events(w http.ResponseWriter, r *http.Request) {
	if !m.auth(w, r, accountKey) {
		return
	}
	id := r.URL.Query().Get("message-id")
	if strings.ContainsAny(id, "<>") || id == "" {
		m.bad("events: message-id %q", id)
	}
	items := []any{}
	if s := m.known(id); s != nil {
		items = append(items, map[string]any{"event": "accepted", "id": "e1", "timestamp": float64(s.At.UnixMilli()) / 1000,
			"recipient": s.To, "user-variables": map[string]string{}, "message": map[string]any{"headers": map[string]string{"message-id": id}}})
	}
	next := m.srv.URL + "/v3/" + domain + "/events?message-id=" + id + "&page=2"
	mgJSON(w, 200, map[string]any{"items": items, "paging": map[string]string{"next": next, "previous": next, "first": next, "last": next}})
}

func (m *mailgun) logs(w http.ResponseWriter, r *http.Request) {
	if !m.auth(w, r, accountKey) {
		return
	}
	b, _ := io.ReadAll(r.Body)
	items := []any{}
	m.mu.Lock()
	m.looked++
	for _, s := range m.sent {
		if !m.hide[s.ID] && (bytes.Contains(b, []byte(s.ID)) || bytes.Contains(b, []byte(s.To))) {
			items = append(items, map[string]any{"event": "accepted", "id": "e1", "@timestamp": s.At.UTC().Format(time.RFC3339Nano),
				"recipient": s.To, "user-variables": "{}", "message": map[string]any{"headers": map[string]string{"message-id": s.ID}}})
		}
	}
	m.mu.Unlock()
	mgJSON(w, 200, map[string]any{"items": items, "pagination": map[string]any{"next": "", "total": len(items)}})
}

func (m *mailgun) lift(w http.ResponseWriter, r *http.Request) {
	if !m.auth(w, r, accountKey) {
		return
	}
	m.mu.Lock()
	m.lifted = append(m.lifted, r.PathValue("list")+" "+r.PathValue("address"))
	m.mu.Unlock()
	mgJSON(w, 200, map[string]string{"message": "Bounced address has been removed", "address": r.PathValue("address")})
}

// mails are those sent to an address.
func (m *mailgun) mails(to string) []*sent {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*sent
	for _, s := range m.sent {
		if to == "" || s.To == strings.ToLower(to) {
			out = append(out, s)
		}
	}
	return out
}

// mail waits for the n-th mail to an address, from 1.
func (m *mailgun) mail(t testing.TB, to string, n int) *sent {
	t.Helper()
	var got *sent
	poll(t, fmt.Sprintf("mail %d to %s", n, to), func() error {
		all := m.mails(to)
		if len(all) < n {
			return fmt.Errorf("%d there", len(all))
		}
		got = all[n-1]
		return nil
	})
	return got
}

// header gives the header as net/mail reads it.
func (s *sent) header(t testing.TB) mail.Header {
	t.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(s.Raw))
	if err != nil {
		t.Fatal(err)
	}
	return msg.Header
}

// envelope gives the mail as enmime reads it; what enmime complains about fails the test.
func (s *sent) envelope(t testing.TB) *enmime.Envelope {
	t.Helper()
	env, err := enmime.ReadEnvelope(bytes.NewReader(s.Raw))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range env.Errors {
		if e.Name != enmime.ErrorCharsetDeclaration { // a guess, wrong for short texts
			t.Errorf("enmime: %v", e)
		}
	}
	return env
}

// replyTo is the address that an answer goes to.
func (s *sent) replyTo(t testing.TB) string {
	t.Helper()
	a, err := mail.ParseAddress(s.header(t).Get("Reply-To"))
	if err != nil {
		t.Fatalf("Reply-To: %v", err)
	}
	return a.Address
}
