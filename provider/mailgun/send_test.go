package mailgun

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
)

func outgoing(body string) postern.Outgoing {
	return postern.Outgoing{
		Delivery: "d-17", Participant: 18446744073709551615, To: "bob+x@example.org", MessageID: "m1@mg.example.com",
		Size: int64(len(body)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil },
	}
}

// server answers with handler and gives a client of it.
func server(t *testing.T, handler http.HandlerFunc, change func(*Config)) *Client {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return newClient(t, func(cfg *Config) {
		cfg.APIURL = s.URL
		if change != nil {
			change(cfg)
		}
	})
}

func TestSend(t *testing.T) {
	for name, size := range map[string]int64{"size known": int64(len(rawMail)), "size unknown": 0} {
		t.Run(name, func(t *testing.T) {
			var observed []string
			c := server(t, func(w http.ResponseWriter, r *http.Request) {
				user, password, _ := r.BasicAuth()
				if r.Method != "POST" || r.URL.Path != "/v3/mg.example.com/messages.mime" || user != "api" || password != "sending" {
					t.Errorf("%s %s as %s:%s", r.Method, r.URL, user, password)
				}
				if known := r.ContentLength > 0; known != (size > 0) {
					t.Errorf("Content-Length %d", r.ContentLength)
				}
				checkForm(t, r)
				io.WriteString(w, `{"id":"<m1@mg.example.com>","message":"Queued. Thank you."}`)
			}, func(cfg *Config) {
				cfg.Observe = func(call, outcome string, _ time.Duration) { observed = append(observed, call+" "+outcome) }
			})
			m := outgoing(rawMail)
			m.Size = size
			id, err := c.Send(context.Background(), m)
			if err != nil || id != "m1@mg.example.com" {
				t.Errorf("id %q, error %v", id, err)
			}
			if len(observed) != 1 || observed[0] != "send ok" {
				t.Errorf("observed %q", observed)
			}
		})
	}
}

func checkForm(t *testing.T, r *http.Request) {
	t.Helper()
	if err := r.ParseMultipartForm(1 << 20); err != nil {
		t.Error(err)
		return
	}
	want := map[string]string{
		"to": "bob+x@example.org", "o:tag": "postern", "o:tracking-opens": "yes", "o:tracking-clicks": "no",
		"o:suppress-headers": "X-Mailgun-Variables", "v:postern_delivery": "d-17", "v:postern_participant": "18446744073709551615",
	}
	for name, values := range r.MultipartForm.Value {
		if len(values) != 1 || values[0] != want[name] {
			t.Errorf("%s = %q, want %q", name, values, want[name])
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	files := r.MultipartForm.File["message"]
	if len(files) != 1 || files[0].Filename != "message.mime" || files[0].Header.Get("Content-Type") != "message/rfc822" {
		t.Fatalf("file parts %v", files)
	}
	f, err := files[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(f); string(b) != rawMail {
		t.Errorf("message is %q", b)
	}
}

func TestSendAnswers(t *testing.T) {
	ms := func(d time.Duration) string { return strconv.FormatInt(now().Add(d).UnixMilli(), 10) }
	date := func(d time.Duration) string { return now().Add(d).UTC().Format(http.TimeFormat) }
	limited := `{"message":"Domain mg.example.com is not allowed to send: limit exceeded, try again after 120 seconds"}`
	tests := []struct {
		name   string
		status int
		header map[string]string
		body   string
		kind   postern.Kind
		cause  postern.Cause
		after  time.Duration
		says   string
	}{
		{"200 of a wrong path", 200, nil, "Mailgun Magnificent API", postern.Denied, 0, 0, "is not Mailgun's API"},
		{"200 without id", 200, nil, `{"message":"Queued"}`, postern.Unsure, 0, 0, ""},
		{"200 with an array", 200, nil, `[]`, postern.Unsure, 0, 0, ""},
		{"200 cut", 200, map[string]string{"Content-Length": "100"}, `{"id":`, postern.Unsure, 0, 0, ""},
		{"202", 202, nil, `{"id":"<x@y>"}`, postern.Unsure, 0, 0, ""},
		{"redirect", 307, map[string]string{"Location": "/elsewhere"}, "", postern.Denied, 0, 0, "redirect"},
		{"400", 400, nil, `{"message":"to parameter is not a valid address"}`, postern.Permanent, 0, 0, "not a valid address"},
		{"401", 401, nil, "Forbidden", postern.Denied, 0, 0, "wrong key, wrong domain (mg.example.com) or wrong region (us)"},
		{"402", 402, nil, `{"message":"unpaid"}`, postern.Denied, 0, 0, "unpaid"},
		{"403", 403, nil, `{"message":"Free accounts are for test purposes only."}`, postern.Denied, 0, 0, "test purposes"},
		{"404", 404, nil, `{"message":"Domain not found: mg.example.com"}`, postern.Denied, postern.CauseNotFound, 0, "unknown in region us"},
		{"408", 408, nil, "", postern.Temporary, 0, 0, ""},
		{"413", 413, nil, "", postern.Permanent, postern.CauseTooLarge, 0, ""},
		{"429 bare", 429, nil, `{"message":"slow down"}`, postern.Temporary, 0, 0, ""},
		{"429 Retry-After first", 429, map[string]string{"Retry-After": "7", "X-Ratelimit-Reset": ms(time.Minute)}, limited, postern.Temporary, 0, 7 * time.Second, ""},
		{"429 Retry-After a date", 429, map[string]string{"Retry-After": now().Add(30 * time.Second).UTC().Format(http.TimeFormat)}, "", postern.Temporary, 0, 30 * time.Second, ""},
		{"429 Retry-After past", 429, map[string]string{"Retry-After": now().Add(-time.Hour).UTC().Format(http.TimeFormat)}, "", postern.Temporary, 0, 0, ""},
		{"429 Retry-After absurd", 429, map[string]string{"Retry-After": "99999999"}, "", postern.Temporary, 0, time.Hour, ""},
		{"429 in words", 429, map[string]string{"X-Ratelimit-Reset": ms(time.Minute)}, limited, postern.Temporary, 0, 120 * time.Second, ""},
		{"429 words without a number", 429, nil, `{"message":"try again after some seconds"}`, postern.Temporary, 0, 0, ""},
		{"429 reset in ms", 429, map[string]string{"X-Ratelimit-Reset": ms(10 * time.Second), "X-Recipient-Limit-Reset": ms(12 * time.Second)}, "", postern.Temporary, 0, 12 * time.Second, ""},
		{"429 reset in seconds is none", 429, map[string]string{"X-Request-Reset": strconv.FormatInt(now().Unix()+10, 10)}, "", postern.Temporary, 0, 0, ""},
		{"429 reset in microseconds is none", 429, map[string]string{"X-Request-Reset": strconv.FormatInt(now().UnixMicro(), 10)}, "", postern.Temporary, 0, 0, ""},
		{"429 retry-seconds", 429, map[string]string{"X-Request-Reset": ms(time.Minute)}, `{"retry-seconds":60}`, postern.Temporary, 0, 60 * time.Second, ""},
		{"429 odd retry-seconds", 429, nil, `{"retry-seconds":-1}`, postern.Temporary, 0, 0, ""},
		{"429 family of sending", 429, map[string]string{"X-Ratelimit-Limit": "300", "X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": ms(9 * time.Second)}, "", postern.Temporary, 0, 9 * time.Second, ""},
		{"429 family of recipients", 429, map[string]string{"X-Recipient-Limit": "1000", "X-Recipient-Remaining": "0", "X-Recipient-Reset": ms(10 * time.Second)}, "", postern.Temporary, 0, 10 * time.Second, ""},
		{"429 family of requests", 429, map[string]string{"X-Request-Limit": "2500", "X-Request-Remaining": "0", "X-Request-Reset": ms(15 * time.Second)}, "", postern.Temporary, 0, 15 * time.Second, ""},
		{"429 resets past and far", 429, map[string]string{"X-Request-Reset": ms(-time.Second), "X-Ratelimit-Reset": ms(48 * time.Hour)}, "", postern.Temporary, 0, 0, ""},
		{"429 their clock is ahead", 429, map[string]string{"Date": date(5 * time.Minute), "X-Ratelimit-Reset": ms(5*time.Minute + 10*time.Second)}, "", postern.Temporary, 0, 10 * time.Second, ""},
		{"429 their clock is behind", 429, map[string]string{"Date": date(-9 * time.Hour), "X-Ratelimit-Reset": ms(-9*time.Hour + 10*time.Second)}, "", postern.Temporary, 0, 10 * time.Second, ""},
		{"429 a date by their clock", 429, map[string]string{"Date": date(time.Hour), "Retry-After": date(time.Hour + 30*time.Second)}, "", postern.Temporary, 0, 30 * time.Second, ""},
		{"500", 500, nil, `{"message":"Internal Server Error"}`, postern.Unsure, 0, 0, "Internal Server Error"},
		{"503", 503, nil, "<html>\x00gateway</html>", postern.Unsure, 0, 0, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			calls := 0
			c := server(t, func(w http.ResponseWriter, r *http.Request) {
				calls++
				io.Copy(io.Discard, r.Body)
				w.Header().Set("Date", now().UTC().Format(http.TimeFormat))
				for k, v := range test.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
			}, nil)
			_, err := c.Send(context.Background(), outgoing(rawMail))
			wantKind(t, err, test.kind, test.cause)
			if got := postern.RetryAfter(err); got != test.after {
				t.Errorf("after %v, want %v", got, test.after)
			}
			if all := err.Error() + postern.SaidOf(err); !strings.Contains(all, test.says) || strings.ContainsAny(all, "\x00\n") {
				t.Errorf("error %q does not say %q", err, test.says)
			}
			if calls != 1 {
				t.Errorf("%d calls", calls)
			}
		})
	}
}

func TestSendNoAnswer(t *testing.T) {
	t.Run("nobody there", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		c := newClient(t, func(cfg *Config) { cfg.APIURL = "http://" + l.Addr().String() })
		_, err = c.Send(context.Background(), outgoing(rawMail))
		wantKind(t, err, postern.Temporary, 0)
	})
	t.Run("cancelled before", func(t *testing.T) {
		c := server(t, func(http.ResponseWriter, *http.Request) { t.Error("called") }, nil)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := c.Send(ctx, outgoing(rawMail))
		wantKind(t, err, postern.Temporary, 0)
	})
	t.Run("cancelled while waiting", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		c := server(t, func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			cancel()
			<-r.Context().Done()
		}, nil)
		_, err := c.Send(ctx, outgoing(rawMail))
		wantKind(t, err, postern.Unsure, 0)
	})
	t.Run("time-out", func(t *testing.T) {
		c := server(t, func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, func(cfg *Config) {
			// It runs from when the request is written.
			cfg.HTTPClient = &http.Client{Transport: &http.Transport{ResponseHeaderTimeout: 20 * time.Millisecond}}
		})
		_, err := c.Send(context.Background(), outgoing(rawMail))
		wantKind(t, err, postern.Unsure, 0)
	})
	t.Run("reset", func(t *testing.T) {
		c := server(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}, nil)
		_, err := c.Send(context.Background(), outgoing(rawMail))
		wantKind(t, err, postern.Unsure, 0)
	})
}

func TestSendOurOwnTrouble(t *testing.T) {
	whole := 0
	c := server(t, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1 << 20); err == nil {
			whole++
		}
		w.WriteHeader(400)
	}, nil)
	send := func(change func(*postern.Outgoing)) error {
		m := outgoing(rawMail)
		change(&m)
		_, err := c.Send(context.Background(), m)
		return err
	}
	gone := &postern.Error{Kind: postern.Permanent, Cause: postern.CauseNotFound, Op: "blob"}
	wantKind(t, send(func(m *postern.Outgoing) { m.Open = func() (io.ReadCloser, error) { return nil, gone } }), postern.Permanent, postern.CauseNotFound)
	wantKind(t, send(func(m *postern.Outgoing) {
		m.Open = func() (io.ReadCloser, error) { return nil, errors.New("busy") }
	}), postern.Temporary, 0)
	wantKind(t, send(func(m *postern.Outgoing) {
		m.Open = func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("From: x"), broken{errors.New("disk")})), nil
		}
	}), postern.Temporary, 0)
	wantKind(t, send(func(m *postern.Outgoing) { m.Size += 5 }), postern.Temporary, 0)
	wantKind(t, send(func(m *postern.Outgoing) { m.Size -= 5 }), postern.Temporary, 0)
	if whole != 0 {
		t.Errorf("%d forms were closed over a broken mail", whole)
	}
	for _, to := range []string{"", "a@b,c@d", "Bob <a@b>", "a@b\r\nBcc: c@d", "a@b; c@d", "<a@b>, <c@d>"} {
		wantKind(t, send(func(m *postern.Outgoing) { m.To = to }), postern.Permanent, 0)
	}
	c = newClient(t, func(cfg *Config) { cfg.SendingKey, cfg.AccountKey = "", "" })
	wantKind(t, send(func(*postern.Outgoing) {}), postern.Denied, 0)
}

// zeros is a mail of any size that is never in memory.
type zeros struct{ left int64 }

func (z *zeros) Close() error { return nil }
func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	for i := range p[:n] {
		p[i] = 'A' + byte((z.left-int64(i))%26)
	}
	z.left -= n
	return int(n), nil
}

const large = 25 << 20

// allocated tells how many bytes f allocates in total.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestSendStreams(t *testing.T) {
	for _, size := range []int64{large, 0} {
		var got int64
		c := server(t, func(w http.ResponseWriter, r *http.Request) {
			got, _ = io.Copy(io.Discard, r.Body)
			io.WriteString(w, `{"id":"<x@y>"}`)
		}, nil)
		n := allocated(func() {
			m := outgoing("")
			m.Size, m.Open = size, func() (io.ReadCloser, error) { return &zeros{large}, nil }
			if _, err := c.Send(context.Background(), m); err != nil {
				t.Fatal(err)
			}
		})
		if got < large {
			t.Fatalf("%d bytes arrived", got)
		}
		t.Logf("size %d: %d KiB allocated in all", size, n>>10)
		if n > 2<<20 {
			t.Errorf("size %d: %d bytes allocated", size, n)
		}
	}
}

// A kept connection that the server has closed in the meantime must not make a send fail,
// nor happen twice.
func TestSendReusesConnections(t *testing.T) {
	var bodies [][]byte
	c := server(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies = append(bodies, b)
		io.WriteString(w, `{"id":"<x@y>"}`)
	}, nil)
	for range 3 {
		if _, err := c.Send(context.Background(), outgoing(rawMail)); err != nil {
			t.Fatal(err)
		}
	}
	if len(bodies) != 3 || !bytes.Contains(bodies[2], []byte(rawMail)) {
		t.Errorf("%d bodies", len(bodies))
	}
}

// The transport closes a body that it found a dead connection for, perhaps while it is
// read, and takes another one. If no answer comes to that, the mail may have been taken.
func TestSendSecondBody(t *testing.T) {
	c := newClient(t, func(*Config) {})
	m := postern.Outgoing{To: "bob@example.org", Size: 4}
	m.Open = func() (io.ReadCloser, error) {
		r, w := io.Pipe()
		go func() { _, err := io.WriteString(w, "mail"); w.CloseWithError(err) }()
		return r, nil
	}
	u, err := c.upload(m)
	if err != nil {
		t.Fatal(err)
	}
	req, err := u.request(t.Context(), "http://127.0.0.1/")
	if err != nil {
		t.Fatal(err)
	}
	req.Body.Close()
	if _, err := io.ReadAll(req.Body); err == nil {
		t.Fatal("a closed body is read")
	}
	if err := u.failure(io.ErrUnexpectedEOF); postern.KindOf(err) != postern.Temporary {
		t.Errorf("the first: %v", err)
	}
	again, err := req.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(again); err != nil {
		t.Fatal(err)
	}
	if err := u.failure(io.ErrUnexpectedEOF); postern.KindOf(err) != postern.Unsure {
		t.Errorf("the second: %v", err)
	}
}
