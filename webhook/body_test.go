package webhook

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/postern-chat/postern"
)

// The limits of each way, to the byte.
func TestTooLarge(t *testing.T) {
	for way, most := range map[string]int64{wayChat: maxChatBody, wayEvents: maxEventBody, wayMIME: maxInboundBody} {
		for _, tt := range []struct {
			over   int64
			length bool // is it announced?
			status int
		}{{0, true, 200}, {0, false, 200}, {1, true, 0}, {1, false, 0}} {
			h := newHouse(t)
			h.mail.read = func(r *http.Request, _ io.Writer) error {
				_, err := io.Copy(io.Discard, r.Body)
				return err
			}
			r := httptest.NewRequest(http.MethodPost, "/", io.LimitReader(zeros{}, most+tt.over))
			r.ContentLength = -1
			if tt.length {
				r.ContentLength = most + tt.over
			}
			w := httptest.NewRecorder()
			h.handler(way).ServeHTTP(w, r)
			want, outcome := tt.status, "recorded"
			if want == 0 {
				outcome = "refused: too large"
				if want = http.StatusNotAcceptable; way == wayChat {
					want = http.StatusBadRequest
				}
			}
			if w.Code != want || !slices.Equal(h.observed, []string{sourceOf(way) + " " + outcome}) {
				t.Errorf("%s, %d over, announced %t: status %d, %q; want %d, %s", way, tt.over, tt.length, w.Code, h.observed, want, outcome)
			}
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A Content-Length alone reserves next to nothing.
func TestLengthIsNotBelieved(t *testing.T) {
	h := newHouse(t)
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
	r.ContentLength = maxChatBody
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h.handler(wayChat).ServeHTTP(httptest.NewRecorder(), r)
	runtime.ReadMemStats(&after)
	if least := after.TotalAlloc - before.TotalAlloc; least > maxChatBody/8 {
		t.Errorf("%d bytes set aside for a body of 2", least)
	}
}

func TestReadAllInSteps(t *testing.T) {
	for _, n := range []int{0, 1, 4096, 4097, onWord, onWord + 1, 200_000} {
		body := strings.Repeat("x", n)
		for _, length := range []int64{-1, 0, int64(n), maxChatBody} {
			r := httptest.NewRequest(http.MethodPost, "/", iotest.HalfReader(strings.NewReader(body)))
			r.ContentLength = length
			got, err := readAll(httptest.NewRecorder(), r, maxChatBody)
			if err != nil || string(got) != body {
				t.Errorf("%d bytes, announced as %d: %d bytes, %v", n, length, len(got), err)
			}
		}
	}
}

// raw sends bytes as they are and tells the status that comes back.
func raw(t *testing.T, srv *httptest.Server, request string, hangUp bool) string {
	t.Helper()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	if hangUp {
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.Status[:3]
}

// Bodies as they come over a real connection. What broke off may come again: never a
// status after which the other side gives the event up.
func TestBrokenBodies(t *testing.T) {
	tests := []struct {
		name, request string
		hangUp        bool
		status        string
	}{
		{"shorter than announced", "Content-Length: 100\r\n\r\n{}", true, "503"},
		{"slow", "Content-Length: 100\r\n\r\n{}", false, "503"},
		{"broken chunks", "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}", true, "503"},
		{"longer than announced", "Content-Length: 2\r\n\r\n{}{}{}", true, "200"},
		{"none", "Content-Length: 0\r\n\r\n", true, "200"},
	}
	for _, tt := range tests {
		for _, way := range []string{wayChat, wayEvents} {
			t.Run(tt.name+"/"+way, func(t *testing.T) {
				t.Parallel()
				h := newHouse(t)
				srv := httptest.NewUnstartedServer(h.handler(way))
				srv.Config.ReadTimeout = 200 * time.Millisecond
				srv.Start()
				defer srv.Close()
				status := raw(t, srv, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+tt.request, tt.hangUp)
				if status != tt.status {
					t.Errorf("status %s, want %s", status, tt.status)
				}
				if h.mu.Lock(); (len(h.arrivals) > 0) != (tt.status == "200") {
					t.Errorf("recorded: %d", len(h.arrivals))
				}
				h.mu.Unlock()
			})
		}
	}
}

// A mail that comes slower than the server's limits for small bodies allow is still
// taken, and answered.
func TestSlowMail(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	late := make(chan struct{})
	h.mail.read = func(r *http.Request, w io.Writer) error {
		<-late
		_, err := io.Copy(w, r.Body)
		return err
	}
	srv := httptest.NewUnstartedServer(h.handler(wayMIME))
	srv.Config.ReadTimeout, srv.Config.WriteTimeout = 20*time.Millisecond, 20*time.Millisecond
	srv.Start()
	defer srv.Close()
	body, feed := io.Pipe()
	go func() {
		_, _ = io.WriteString(feed, "half")
		time.AfterFunc(100*time.Millisecond, func() { // beyond both limits
			close(late)
			_, _ = io.WriteString(feed, " and half")
			_ = feed.Close()
		})
	}()
	resp, err := http.Post(srv.URL, "message/rfc822", body)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || len(h.arrivals) != 1 || string(h.arrivals[0].Content) != "half and half" {
		t.Errorf("status %d, arrivals %v", resp.StatusCode, h.arrivals)
	}
}

// Large bodies are read a few at a time; whoever comes beyond that is asked to come again.
func TestInboundsAtOnce(t *testing.T) {
	h := newHouse(t)
	begun, finish := make(chan struct{}), make(chan struct{})
	h.mail.read = func(*http.Request, io.Writer) error {
		begun <- struct{}{}
		<-finish
		return problem(postern.Denied, 0)
	}
	handler := h.handler(wayMIME)
	ended := make(chan int)
	for range maxInbounds {
		go func() {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("x")))
			ended <- w.Code
		}()
		<-begun
	}
	if w := h.post(t, wayForm, "x"); w.Code != http.StatusServiceUnavailable || !slices.Contains(h.observed, "mailgun.inbound refused: too busy") {
		t.Errorf("one more: status %d, %q", w.Code, h.observed)
	}
	if w := h.post(t, wayChat, "{}"); w.Code != http.StatusOK {
		t.Errorf("chat is held up by mail: status %d", w.Code)
	}
	close(finish)
	for range maxInbounds {
		if code := <-ended; code != http.StatusUnauthorized {
			t.Errorf("status %d", code)
		}
	}
	h.mail.read = nil
	if w := h.post(t, wayMIME, "x"); w.Code != http.StatusOK {
		t.Errorf("the places are not free again: status %d", w.Code)
	}
}

// A reader that fails half way leaves nothing on the disk.
func TestHalfAMail(t *testing.T) {
	for _, err := range []error{problem(postern.Denied, 0), problem(postern.Invalid, 0), problem(postern.Temporary, 0), io.ErrUnexpectedEOF} {
		h := newHouse(t)
		h.mail.read = func(_ *http.Request, w io.Writer) error {
			_, _ = fmt.Fprint(w, strings.Repeat("x", 1<<20))
			return err
		}
		if w := h.post(t, wayMIME, ""); w.Code == http.StatusOK || h.files(t) != 0 || len(h.arrivals) != 0 {
			t.Errorf("%v: status %d, %d files, %d arrivals", err, w.Code, h.files(t), len(h.arrivals))
		}
	}
}
