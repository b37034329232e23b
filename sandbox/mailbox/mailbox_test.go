package mailbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	netsmtp "net/smtp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/postern-chat/postern/sandbox/mailbox"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// exchange hosts gate.example and keeps what it receives.
type exchange struct {
	mu         sync.Mutex
	got        []received
	complaints []string
	refuse     error
}

type received struct {
	from string
	to   []string
	raw  string
}

func (x *exchange) Hosts(address string) bool { return strings.HasSuffix(address, "@gate.example") }

func (x *exchange) Receive(_ context.Context, from string, to []string, raw io.Reader) error {
	b, err := io.ReadAll(raw)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.refuse != nil {
		return x.refuse
	}
	x.got = append(x.got, received{from, to, string(b)})
	return err
}

func (x *exchange) Complain(recipient, id string) error {
	x.complaints = append(x.complaints, recipient+" "+id)
	return nil
}

func (x *exchange) all() []received {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.got)
}

func start(t *testing.T) (*mailbox.Server, *exchange, string) {
	t.Helper()
	x := &exchange{}
	s, err := mailbox.New(mailbox.Config{Exchange: x, TempDir: t.TempDir(), Now: func() time.Time { return time.Date(2026, 11, 2, 9, 5, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		srv.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return s, x, srv.URL
}

const hello = "From: \"Ana (Support)\" <t.abc@gate.example>\r\nReply-To: t.abc@gate.example\r\nTo: bob@example.org\r\nSubject: Help\r\nDate: Mon, 02 Nov 2026 09:00:00 +0000\r\n" +
	"Message-ID: <m1@gate.example>\r\nReferences: <root@gate.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHow are you?\r\nAna\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>How are you?<br>Ana</p>\r\n--b--\r\n"

func deliver(t *testing.T, s *mailbox.Server, to, raw string) mailbox.Message {
	t.Helper()
	if err := s.Deliver(t.Context(), "t.abc@gate.example", to, strings.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	list := s.Messages(to)
	m, _ := s.Message(to, list[len(list)-1].ID)
	return m
}

// TestReplyPrograms: each program answers to Reply-To, keeps the thread, and
// quotes in its own way; the new words stand where it puts them.
func TestReplyPrograms(t *testing.T) {
	for _, c := range []struct {
		program     mailbox.Program
		subject     string
		before      []string // in the text, in this order
		html        string
		answerFirst bool
	}{
		{mailbox.Gmail, "Re: Help", []string{"Fine, grüße!", "On Mon, Nov 2, 2026 at 9:00\u202fAM \"Ana (Support)\" <t.abc@gate.example> wrote:", "> How are you?"}, `class="gmail_quote`, true},
		{mailbox.Outlook, "RE: Help", []string{"Fine, grüße!", "________________________________", "From: \"Ana (Support)\" <t.abc@gate.example>", "Sent: Monday, November 2, 2026 9:00 AM", "To: bob@example.org", "Subject: Help", "How are you?"}, `id="divRplyFwdMsg"`, true},
		{mailbox.AppleMail, "Re: Help", []string{"Fine, grüße!", "> On Nov 2, 2026, at 9:00\u202fAM,", "> How are you?"}, `blockquote type="cite"`, true},
		{mailbox.Thunderbird, "Re: Help", []string{"On 11/2/26 09:00,", "> How are you?", "Fine, grüße!"}, `class="moz-cite-prefix"`, false},
		{mailbox.Plain, "Re: Help", []string{"Fine, grüße!", "wrote:", "> How are you?"}, "", true},
	} {
		t.Run(string(c.program), func(t *testing.T) {
			s, x, _ := start(t)
			s.Open("bob@example.org", "Bob Müller")
			m := deliver(t, s, "bob@example.org", hello)
			id, err := s.Reply(t.Context(), "bob@example.org", m.ID, mailbox.Answer{Program: c.program, Text: "Fine, grüße!", Signature: "Bob",
				Attachments: []mailbox.Attachment{{Filename: "über.txt", Data: []byte("file")}, {Filename: "p.png", ContentID: "p@x", Data: bytes.Repeat([]byte("x"), 200)}}})
			if err != nil {
				t.Fatal(err)
			}
			got := x.all()
			if len(got) != 1 || got[0].from != "bob@example.org" || !slices.Equal(got[0].to, []string{"t.abc@gate.example"}) {
				t.Fatalf("sent %+v", got)
			}
			// The copy in Bob's own mailbox is the mail, taken apart.
			list := s.Messages("bob@example.org")
			r, _ := s.Message("bob@example.org", list[len(list)-1].ID)
			if r.MessageID != id || !r.Sent || r.Subject != c.subject || !strings.Contains(r.From, "Bob Müller") {
				t.Errorf("reply is %+v", r)
			}
			head := map[string]string{}
			for _, h := range r.Header {
				head[h[0]] = h[1]
			}
			if head["In-Reply-To"] != "<m1@gate.example>" || head["References"] != "<root@gate.example> <m1@gate.example>" {
				t.Errorf("thread is %v", head)
			}
			text := strings.ReplaceAll(r.Text, "\r\n", "\n")
			at := 0
			for _, want := range c.before {
				i := strings.Index(text[at:], want)
				if i < 0 {
					t.Fatalf("%q is missing, or out of order, in\n%s", want, text)
				}
				at += i
			}
			if (c.html == "") != (r.HTML == "") || !strings.Contains(r.HTML, c.html) || c.html != "" && !strings.Contains(r.HTML, "grüße!") {
				t.Errorf("html is %s", r.HTML)
			}
			if len(r.Files) != 2 || r.Files[0].Filename != "über.txt" || r.Files[0].Size != 4 || r.Files[1].Size != 200 || r.Files[1].ContentID != "p@x" {
				t.Errorf("files are %+v", r.Files)
			}
		})
	}
}

func TestReplyVariants(t *testing.T) {
	s, x, _ := start(t)
	m := deliver(t, s, "bob@example.org", strings.Replace(hello, "Subject: Help", "Cc: carl@example.org\r\nSubject: RE: Help", 1))
	if _, err := s.Reply(t.Context(), "bob@example.org", m.ID, mailbox.Answer{Text: "only this", NoQuote: true, All: true, From: "Mallory <m@evil.example>"}); err != nil {
		t.Fatal(err)
	}
	raw := x.all()[0].raw
	for _, want := range []string{"From: Mallory <m@evil.example>\r\n", "Subject: RE: Help\r\n", "Cc: <carl@example.org>\r\n"} {
		if !strings.Contains(raw, want) {
			t.Errorf("%q is missing in\n%s", want, raw)
		}
	}
	if strings.Contains(raw, "How are you") || len(s.Messages("carl@example.org")) != 1 {
		t.Errorf("quoted, or Carl got nothing")
	}
	if _, err := s.Reply(t.Context(), "bob@example.org", "m999", mailbox.Answer{}); err == nil {
		t.Error("answered a mail that is not there")
	}
}

func serve(t *testing.T, s *mailbox.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.ServeSMTP(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// TestServeAfterClose: whoever comes too late does not stay, and nothing is listened to.
func TestServeAfterClose(t *testing.T) {
	s, err := mailbox.New(mailbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, serve := range map[string]func(net.Listener) error{"SMTP": s.ServeSMTP, "IMAP": s.ServeIMAP} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := serve(l); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
			_ = c.Close()
			t.Errorf("%s still listens", name)
		}
	}
}

func sendMail(t *testing.T, addr, from string, to []string, r io.Reader) error {
	t.Helper()
	c, err := smtp.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.SendMail(from, to, r)
}

// TestSMTP: two client libraries send; hosted addresses go to the exchange, all
// others to mailboxes.
func TestSMTP(t *testing.T) {
	s, x, _ := start(t)
	addr := serve(t, s)
	mail := strings.ReplaceAll(hello, "How are you?", "..dots\r\n.\r\nend")
	mail = strings.Replace(mail, "\r\n.\r\n", "\r\n. \r\n", 1)
	if err := sendMail(t, addr, "bob@example.org", []string{"t.abc@gate.example", "t.def@gate.example", "carl@example.org"}, strings.NewReader(mail)); err != nil {
		t.Fatal(err)
	}
	if err := netsmtp.SendMail(addr, nil, "", []string{"dora@example.org"}, []byte(hello)); err != nil {
		t.Fatal(err)
	}
	got := x.all()
	if len(got) != 1 || !slices.Equal(got[0].to, []string{"t.abc@gate.example", "t.def@gate.example"}) || got[0].raw != mail {
		t.Errorf("exchange got %+v", got)
	}
	if n := len(s.Messages("carl@example.org")); n != 1 {
		t.Errorf("carl has %d mails", n)
	}
	if m, _ := s.Message("dora@example.org", s.Messages("dora@example.org")[0].ID); m.Envelope != "" || m.Subject != "Help" {
		t.Errorf("dora has %+v", m)
	}
}

type refusal struct{}

func (refusal) Error() string           { return "refused" }
func (refusal) SMTPCode() (int, string) { return 550, "5.7.1 Relaying denied" }

// TestSMTPRefusals: the exchange's answer is the client's answer.
func TestSMTPRefusals(t *testing.T) {
	s, x, _ := start(t)
	addr := serve(t, s)
	for _, c := range []struct {
		err  error
		code int
	}{{refusal{}, 550}, {errors.New("broken"), 451}} {
		x.refuse = c.err
		err := sendMail(t, addr, "bob@example.org", []string{"x@gate.example"}, strings.NewReader(hello))
		var se *smtp.SMTPError
		if !errors.As(err, &se) || se.Code != c.code {
			t.Errorf("%v gives %v", c.err, err)
		}
	}
}

func TestSMTPTooLarge(t *testing.T) {
	s, err := mailbox.New(mailbox.Config{TempDir: t.TempDir(), MaxBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, s)
	err = sendMail(t, addr, "bob@example.org", []string{"x@example.org"}, strings.NewReader(hello+strings.Repeat("x\r\n", 1000)))
	var se *smtp.SMTPError
	if !errors.As(err, &se) || se.Code != 552 {
		t.Errorf("gives %v", err)
	}
}

// TestHabits: what a mailbox does by itself when mail comes.
func TestHabits(t *testing.T) {
	for habit, want := range map[string]string{
		"out-of-office": "Auto-Submitted: auto-replied",
		"vacation":      "Subject: Out of office: Help",
		"auto-reply":    "Thank you",
		"challenge":     "Please confirm: Help",
		"mailer-loop":   "Message-ID: <m1@gate.example>",
	} {
		t.Run(habit, func(t *testing.T) {
			s, x, _ := start(t)
			deliver(t, s, habit+"+1@example.org", hello)
			s.Wait()
			got := x.all()
			if len(got) != 1 {
				t.Fatalf("%d mails", len(got))
			}
			if !strings.Contains(got[0].raw, want) || got[0].to[0] != "t.abc@gate.example" {
				t.Errorf("%+v", got[0])
			}
			if null := got[0].from == ""; null != (habit == "challenge") {
				t.Errorf("envelope sender is %q", got[0].from)
			}
		})
	}
}

func TestClientHabits(t *testing.T) {
	agents := make(chan string, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		agents <- r.Method + " " + r.URL.Path + " " + r.UserAgent()
	}))
	defer srv.Close()
	page := "From: t.abc@gate.example\r\nContent-Type: text/html\r\n\r\n<img src=\"" + srv.URL + "/pixel\"><img src=\"http://192.0.2.1/never\"><a href=\"" + srv.URL + "/link\">x</a>\r\n"
	for habit, want := range map[string][]string{
		"apple": {"GET /pixel Mozilla/5.0"}, "reader": {"GET /pixel Mozilla/5.0 (X11"}, "gmail-prefetch": {"GET /pixel Mozilla/5.0 (Windows"},
		"scanner": {"GET /pixel", "HEAD /link", "GET /link"},
	} {
		s, _, _ := start(t)
		deliver(t, s, habit+"@example.org", page)
		for _, w := range want {
			if got := <-agents; !strings.HasPrefix(got, w) {
				t.Errorf("%s: %s, want %s", habit, got, w)
			}
		}
	}
}

// do makes a JSON call.
func do(t *testing.T, method, url, body string, out any) (int, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	if s, ok := out.(*string); ok {
		*s = string(b)
	} else if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			t.Fatalf("%s %s: %v in %s", method, url, err, b)
		}
	}
	return resp.StatusCode, resp.Header
}

func TestHTTP(t *testing.T) {
	s, x, url := start(t)
	do(t, "PUT", url+"/mailboxes/Bob@example.org", `{"name":"Bob"}`, nil)
	page := "From: t.abc@gate.example\r\nMessage-ID: <h@gate.example>\r\nContent-Type: multipart/related; boundary=r\r\n\r\n--r\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script><img src=\"cid:pic@x\"><img src=\"https://example.net/p.gif\">\r\n" +
		"--r\r\nContent-Type: image/png\r\nContent-ID: <pic@x>\r\nContent-Disposition: inline; filename=p.png\r\n\r\nPNG\r\n--r\r\nContent-Type: text/html\r\nContent-Disposition: attachment; filename=evil.html\r\n\r\n<script>\r\n--r--\r\n"
	m := deliver(t, s, "bob@example.org", page)
	var boxes struct{ Mailboxes []mailbox.Box }
	do(t, "GET", url+"/mailboxes", "", &boxes)
	if len(boxes.Mailboxes) != 1 || boxes.Mailboxes[0] != (mailbox.Box{Address: "bob@example.org", Name: "Bob", Count: 1, Unseen: 1}) {
		t.Errorf("%+v", boxes)
	}
	one := url + "/mailboxes/bob@example.org/messages/" + m.ID
	var list struct{ Messages []mailbox.Message }
	do(t, "GET", url+"/mailboxes/bob@example.org/messages", "", &list)
	if len(list.Messages) != 1 || len(list.Messages[0].Files) != 2 || list.Messages[0].HTML != "" {
		t.Errorf("%+v", list)
	}
	var full mailbox.Message
	do(t, "GET", one, "", &full)
	if !slices.Equal(full.Pictures, []string{"https://example.net/p.gif"}) || full.MessageID != "h@gate.example" {
		t.Errorf("%+v", full)
	}
	var raw, frame, file string
	if do(t, "GET", one+"/raw", "", &raw); raw != page {
		t.Errorf("raw is %q", raw)
	}
	_, h := do(t, "GET", one+"/html", "", &frame)
	if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "sandbox") || strings.Contains(csp, "allow-scripts") || strings.Contains(csp, "https:") || !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("frame's policy is %s", csp)
	}
	if !strings.Contains(frame, `src="files/0"`) {
		t.Errorf("frame is %s", frame)
	}
	if _, h = do(t, "GET", one+"/html?images=1", "", nil); !strings.Contains(h.Get("Content-Security-Policy"), "img-src 'self' data: http: https:") {
		t.Errorf("policy with pictures is %s", h.Get("Content-Security-Policy"))
	}
	if _, h = do(t, "GET", one+"/files/0", "", &file); file != "PNG" || h.Get("Content-Type") != "image/png" || !strings.HasPrefix(h.Get("Content-Disposition"), "inline") {
		t.Errorf("picture is %q %v", file, h)
	}
	if _, h = do(t, "GET", one+"/files/1", "", nil); !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") {
		t.Errorf("an HTML file would be shown: %v", h)
	}
	for _, path := range []string{"/files/2", "/files/x"} {
		if status, _ := do(t, "GET", one+path, "", nil); status != 404 {
			t.Errorf("%s is %d", path, status)
		}
	}
	var fetched struct{ Fetched []mailbox.Fetched }
	do(t, "POST", one+"/open", `{"client":"apple"}`, &fetched)
	if len(fetched.Fetched) != 1 || !strings.Contains(fetched.Fetched[0].Error, "outside of the sandbox") {
		t.Errorf("%+v", fetched)
	}
	for body, status := range map[string]int{`{"client":"nobody"}`: 400, `{"klient":"human"}`: 400, `{}`: 200} {
		if got, _ := do(t, "POST", one+"/open", body, nil); got != status {
			t.Errorf("open %s is %d", body, got)
		}
	}
	do(t, "POST", one+"/reply", `{"program":"gmail","text":"ok","attachments":[{"filename":"a.txt","data":"aGk="}]}`, nil)
	do(t, "POST", url+"/mailboxes/bob@example.org/send", `{"to":["x@gate.example"],"subject":"New","text":"new"}`, nil)
	do(t, "POST", url+"/mailboxes/bob@example.org/upload", "To: y@gate.example\r\nSubject: up\r\n\r\nloaded\r\n", nil)
	do(t, "POST", url+"/mailboxes/bob@example.org/upload?to=z@gate.example", "To: y@gate.example\r\nSubject: up\r\n\r\nloaded\r\n", nil)
	var to []string
	for _, g := range x.all() {
		to = append(to, g.to...)
	}
	if want := []string{"t.abc@gate.example", "x@gate.example", "y@gate.example", "z@gate.example"}; !slices.Equal(to, want) {
		t.Errorf("sent to %v, want %v", to, want)
	}
	do(t, "POST", one+"/spam", "", nil)
	if !slices.Equal(x.complaints, []string{"bob@example.org h@gate.example"}) {
		t.Errorf("complaints are %v", x.complaints)
	}
	var log struct {
		Happenings []mailbox.Happening
		After      int64
	}
	do(t, "GET", url+"/happenings?after=1", "", &log)
	if len(log.Happenings) == 0 || log.Happenings[0].Seq != 2 {
		t.Errorf("%+v", log)
	}
	do(t, "POST", url+"/reset", "", nil)
	if do(t, "GET", url+"/mailboxes", "", &boxes); len(boxes.Mailboxes) != 0 {
		t.Errorf("after the reset: %+v", boxes)
	}
	if status, _ := do(t, "GET", one, "", nil); status != 404 {
		t.Errorf("after the reset the mail is %d", status)
	}
}

// TestUnsubscribe: one-click as RFC 8058 wants it, else by mail, else not.
func TestUnsubscribe(t *testing.T) {
	bodies := make(chan string, 5)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies <- r.Method + " " + string(b)
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer srv.Close()
	s, x, _ := start(t)
	with := func(header string) (mailbox.Fetched, error) {
		m := deliver(t, s, "bob@example.org", header+hello)
		return s.Unsubscribe(t.Context(), "bob@example.org", m.ID)
	}
	got, err := with("List-Unsubscribe: <mailto:u@gate.example?subject=stop>, <" + srv.URL + "/u/1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
	if err != nil || got.URL == "" {
		t.Fatalf("%+v %v", got, err)
	}
	if n := len(x.all()); n != 0 || <-bodies != "POST List-Unsubscribe=One-Click" {
		t.Errorf("%d mails although one click would do", n)
	}
	got, err = with("List-Unsubscribe: <" + srv.URL + "/u/1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
	if err != nil || got.Status != 302 || <-bodies != "POST List-Unsubscribe=One-Click" || len(bodies) != 0 {
		t.Errorf("%+v %v", got, err)
	}
	if _, err = with("List-Unsubscribe: <" + srv.URL + "/u/1>\r\n"); err == nil || len(bodies) != 0 {
		t.Errorf("without the Post header: %v", err)
	}
	before := len(x.all())
	if _, err = with("List-Unsubscribe: <mailto:u@gate.example?subject=stop>\r\n"); err != nil || len(x.all()) != before+1 || !strings.Contains(x.all()[before].raw, "Subject: stop") {
		t.Errorf("by mail: %v", err)
	}
}

func TestStream(t *testing.T) {
	s, _, url := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", url+"/happenings/stream", nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	deliver(t, s, "bob@example.org", hello)
	buf := make([]byte, 4096)
	n, err := resp.Body.Read(buf)
	if err != nil || !strings.HasPrefix(string(buf[:n]), "id: 1\ndata: {") || !strings.Contains(string(buf[:n]), `"what":"received"`) {
		t.Errorf("%s %v", buf[:n], err)
	}
}

// TestMany delivers and looks at once, for the race detector.
func TestMany(t *testing.T) {
	s, _, _ := start(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			to := fmt.Sprintf("u%d@example.org", i%3)
			if err := s.Deliver(t.Context(), "a@b.c", to, strings.NewReader(hello)); err != nil {
				t.Error(err)
			}
			for _, m := range s.Messages(to) {
				if _, err := s.View(t.Context(), to, m.ID, mailbox.Human); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	if n := len(s.Boxes()); n != 3 {
		t.Errorf("%d mailboxes", n)
	}
}
