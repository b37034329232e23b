package page

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
)

func (w *world) askChat(method, path string) string {
	rec := httptest.NewRecorder()
	w.chat.ServeHTTP(rec, httptest.NewRequest(method, path, nil))
	return rec.Body.String()
}

// TestMailInFrame: a mail's HTML can neither run nor fetch anything.
func TestMailInFrame(t *testing.T) {
	w := newWorld(t)
	must(t, w.cfg.Boxes.Deliver(t.Context(), "x@y.example", "bob@people.example", strings.NewReader("From: x@y.example\r\nSubject: s\r\n"+
		"Content-Type: text/html\r\n\r\n<p>Hi<img src=\"http://127.0.0.1:1/o/x\"><script>alert(1)</script>\r\n")))
	for _, path := range []string{"/api/mailboxes/bob@people.example/messages/m1/html", "/api/mailboxes/bob@people.example/messages/m1/html?images=1"} {
		got := w.ask("GET", path, "")
		csp := got.Header().Get("Content-Security-Policy")
		if got.Code != 200 || !strings.Contains(got.Body.String(), "<p>Hi") {
			t.Fatalf("%s is %d %s", path, got.Code, got.Body)
		}
		for _, rule := range []string{"sandbox ", "default-src 'none'", "script-src 'none'", "form-action 'none'", "img-src 'self' data:;"} {
			if !strings.Contains(csp, rule) {
				t.Errorf("%s lacks %q: %s", path, rule, csp)
			}
		}
		if strings.Contains(csp, "allow-scripts") || strings.Contains(csp, "http:") || len(got.Header()["Content-Security-Policy"]) != 1 {
			t.Errorf("%s has the policy %v", path, got.Header()["Content-Security-Policy"])
		}
	}
	if got := w.ask("GET", "/api/mailboxes/bob@people.example/messages/m9/html", ""); got.Code != 404 {
		t.Errorf("no such mail is %d", got.Code)
	}
}

// TestFiles: a file of the chat is shown in place only if it is a plain picture.
func TestFiles(t *testing.T) {
	w := newWorld(t)
	for kind, shown := range map[string]bool{"image/png": true, "text/html": false, "image/svg+xml": false, "application/pdf": false} {
		var form bytes.Buffer
		m := multipart.NewWriter(&form)
		part, err := m.CreatePart(map[string][]string{"Content-Disposition": {`form-data; name="file"; filename="a.bin"`}, "Content-Type": {kind}})
		must(t, err)
		_, err = part.Write([]byte("<script>alert(1)</script>"))
		must(t, err)
		must(t, m.Close())
		sent := w.ask("POST", "/api/chat/users/ana/channels/support/messages", form.String(), "Content-Type", m.FormDataContentType())
		var out struct{ File struct{ URL string } }
		must(t, json.Unmarshal(sent.Body.Bytes(), &out))
		got := w.ask("GET", "/api/files/"+path.Base(out.File.URL), "")
		h := got.Header()
		if got.Code != 200 || h.Get("Content-Type") != kind || (h.Get("Content-Disposition") == "") != shown {
			t.Errorf("%s: %d %s %s", kind, got.Code, h.Get("Content-Type"), h.Get("Content-Disposition"))
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox;") {
			t.Errorf("%s: %v", kind, h)
		}
	}
}
