package sendbird

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-chat/postern"
)

// fakeAPI starts a server that speaks for Sendbird, and a client for it.
func fakeAPI(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return newTestClient(t, func(cfg *Config) { cfg.APIURL = srv.URL + "/v3" })
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil { // a client's own request has none
			io.Copy(io.Discard, r.Body)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func refuse(status, code int) http.HandlerFunc {
	return answer(status, fmt.Sprintf(`{"message":"no","code":%d,"error":true}`, code))
}

var (
	textPost = postern.NewPost{ID: "p1", Mark: "mark.1", Channel: "ch", User: "dimitri", Text: "Yes"}
	bg       = context.Background()
)

func filePost(content string) postern.NewPost {
	return postern.NewPost{ID: "p2", Mark: "mark.2", Channel: "ch", User: "dimitri", File: &postern.Upload{
		Name: "plan.pdf", ContentType: "application/pdf", Size: int64(len(content)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
	}}
}

// wantError checks kind, cause and code of an error.
func wantError(t *testing.T, what string, err error, kind postern.Kind, cause postern.Cause, code string) {
	t.Helper()
	var e *postern.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: no postern.Error: %v", what, err)
		return
	}
	if e.Kind != kind || e.Cause != cause || e.Code != code {
		t.Errorf("%s: kind %v, cause %d, code %q (%v); want %v, %d, %q", what, e.Kind, e.Cause, e.Code, err, kind, cause, code)
	}
	if strings.Contains(err.Error(), testToken) {
		t.Errorf("%s: the token stands in the error: %v", what, err)
	}
}

func TestRefusalsAreClassedByCode(t *testing.T) {
	const (
		none = postern.CauseNone
		gone = postern.CauseNotFound
	)
	for _, c := range []struct {
		status, code   int
		post, get, put postern.Kind
		cause          postern.Cause
	}{
		{400, 400201, postern.Permanent, postern.Permanent, postern.Permanent, gone},
		{404, 400201, postern.Permanent, postern.Permanent, postern.Permanent, gone},
		{400, 400301, postern.Permanent, postern.Permanent, postern.Permanent, gone},
		{400, 900500, postern.Permanent, postern.Permanent, postern.Permanent, gone},
		{400, 400300, postern.Permanent, postern.Permanent, postern.Permanent, none},
		{400, 400105, postern.Permanent, postern.Permanent, postern.Permanent, none},
		{400, 400110, postern.Permanent, postern.Permanent, postern.Permanent, postern.CauseTooLong},
		{400, 400111, postern.Permanent, postern.Permanent, postern.Permanent, none},
		{400, 400700, postern.Permanent, postern.Permanent, postern.Permanent, none},
		{400, 900020, postern.Permanent, postern.Permanent, postern.Permanent, none},
		{400, 900041, postern.Permanent, postern.Permanent, postern.Permanent, none},
		{404, 900100, postern.Permanent, postern.Permanent, postern.Permanent, none},
		{400, 400108, postern.Permanent, postern.Denied, postern.Denied, none},
		{400, 400401, postern.Denied, postern.Denied, postern.Denied, none},
		{401, 400401, postern.Denied, postern.Denied, postern.Denied, none},
		{400, 400302, postern.Denied, postern.Denied, postern.Denied, none},
		{400, 400304, postern.Denied, postern.Denied, postern.Denied, none},
		{400, 400306, postern.Denied, postern.Denied, postern.Denied, none},
		{403, 403100, postern.Denied, postern.Denied, postern.Denied, none},
		{400, 400930, postern.Denied, postern.Denied, postern.Denied, none},
		{400, 400202, postern.Unsure, postern.Permanent, postern.Permanent, postern.CauseExists},
		{429, 500910, postern.Temporary, postern.Temporary, postern.Temporary, none},
		{429, 429, postern.Temporary, postern.Temporary, postern.Temporary, none},
		{400, 500910, postern.Temporary, postern.Temporary, postern.Temporary, none},
		{400, 900200, postern.Temporary, postern.Temporary, postern.Temporary, none},
		{500, 500901, postern.Unsure, postern.Temporary, postern.Temporary, none},
		{503, 500601, postern.Unsure, postern.Temporary, postern.Temporary, none},
		{413, 400110, postern.Permanent, postern.Permanent, postern.Permanent, postern.CauseTooLarge},
	} {
		api := fakeAPI(t, refuse(c.status, c.code))
		what, code := fmt.Sprintf("%d with %d", c.status, c.code), fmt.Sprint(c.code)
		_, err := api.Post(bg, textPost)
		wantError(t, what+" on post", err, c.post, c.cause, code)
		_, err = fakeAPI(t, refuse(c.status, c.code)).Members(bg, "ch")
		wantError(t, what+" on get", err, c.get, c.cause, code)
		err = fakeAPI(t, refuse(c.status, c.code)).MarkRead(bg, "ch", "dimitri")
		wantError(t, what+" on put", err, c.put, c.cause, code)
	}
}

func TestRefusalsWithoutCodeAreNotSendbirds(t *testing.T) {
	for _, c := range []struct {
		status    int
		post, get postern.Kind
		cause     postern.Cause
	}{
		{301, postern.Denied, postern.Denied, postern.CauseNone},
		{400, postern.Internal, postern.Internal, postern.CauseNone},
		{401, postern.Denied, postern.Denied, postern.CauseNone},
		{404, postern.Denied, postern.Denied, postern.CauseNone},
		{408, postern.Unsure, postern.Temporary, postern.CauseNone},
		{413, postern.Permanent, postern.Permanent, postern.CauseTooLarge},
		{429, postern.Temporary, postern.Temporary, postern.CauseNone},
		{500, postern.Unsure, postern.Temporary, postern.CauseNone},
		{502, postern.Unsure, postern.Temporary, postern.CauseNone},
	} {
		for _, body := range []string{"", "<html>no</html>", `{"message":"no","code":40`, `["code"]`, `{"code":null}`} {
			what, code := fmt.Sprintf("%d with %q", c.status, body), fmt.Sprint(c.status)
			_, err := fakeAPI(t, answer(c.status, body)).Post(bg, textPost)
			wantError(t, what+" on post", err, c.post, c.cause, code)
			_, err = fakeAPI(t, answer(c.status, body)).Channel(bg, "ch")
			wantError(t, what+" on get", err, c.get, c.cause, code)
		}
	}
}

func TestTooLongIsTooLargeWhereThereIsNoText(t *testing.T) {
	_, err := fakeAPI(t, refuse(400, 400110)).Post(bg, filePost("abc"))
	wantError(t, "file", err, postern.Permanent, postern.CauseTooLarge, "400110")
}

func TestUnreadableAnswers(t *testing.T) {
	for _, body := range []string{"", "ok", "{", `{"message_id":null}`, `{}`, `[]`, `{"message_id":7`} {
		api := fakeAPI(t, answer(200, body))
		_, err := api.Post(bg, textPost)
		wantError(t, "post "+body, err, postern.Unsure, 0, "")
		_, err = api.Members(bg, "ch")
		wantError(t, "members "+body, err, postern.Temporary, 0, "")
		_, err = api.Messages(bg, "ch", time.Time{})
		wantError(t, "messages "+body, err, postern.Temporary, 0, "")
		_, err = api.Message(bg, "ch", "1")
		wantError(t, "message "+body, err, postern.Temporary, 0, "")
		_, err = api.Channel(bg, "ch")
		wantError(t, "channel "+body, err, postern.Temporary, 0, "")
		if err := api.MarkDelivered(bg, "ch", "u"); err != nil {
			t.Errorf("a mark needs no answer: %v", err)
		}
	}
}

func TestAnEndlessAnswerIsGivenUp(t *testing.T) {
	api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		line := []byte(`{"x":"` + strings.Repeat("x", 1<<20))
		for {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	})
	_, err := api.Channel(bg, "ch")
	wantError(t, "get", err, postern.Temporary, 0, "")
	_, err = api.Post(bg, textPost)
	wantError(t, "post", err, postern.Unsure, 0, "")
}

// hangUp reads the request and breaks the connection off without an answer.
func hangUp(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

func TestAConnectionThatBreaksAfterTheRequest(t *testing.T) {
	api := fakeAPI(t, hangUp)
	_, err := api.Post(bg, textPost)
	wantError(t, "post", err, postern.Unsure, 0, "")
	_, err = api.Post(bg, filePost("abc"))
	wantError(t, "upload", err, postern.Unsure, 0, "")
	_, err = api.Channel(bg, "ch")
	wantError(t, "get", err, postern.Temporary, 0, "")
	wantError(t, "put", api.MarkRead(bg, "ch", "u"), postern.Temporary, 0, "")
}

// The caller gives up once the other side has the whole request.
func TestACallThatIsCalledOff(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-release
	}))
	defer srv.Close()
	defer close(release)
	api := newTestClient(t, func(cfg *Config) { cfg.APIURL = srv.URL })
	calledOff := func(call func(ctx context.Context) error) error {
		ctx, cancel := context.WithCancel(bg)
		go func() { <-arrived; cancel() }()
		return call(ctx)
	}
	err := calledOff(func(ctx context.Context) error { _, err := api.Post(ctx, textPost); return err })
	wantError(t, "post", err, postern.Unsure, 0, "")
	err = calledOff(func(ctx context.Context) error { _, err := api.Channel(ctx, "ch"); return err })
	wantError(t, "get", err, postern.Temporary, 0, "")

	ctx, cancel := context.WithCancel(bg)
	cancel()
	_, err = api.Post(ctx, textPost)
	wantError(t, "post that was called off before", err, postern.Temporary, 0, "")
}

// The other side takes the whole request and says nothing: one Timeout later it is over.
// A large file gets the time that it needs.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newTestClient(t, func(cfg *Config) {
			cfg.Timeout = 10 * time.Second
			cfg.HTTPClient = transport(func(r *http.Request) (*http.Response, error) {
				if r.Body != nil {
					io.Copy(io.Discard, r.Body)
				}
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
		})
		start := time.Now()
		took := func() time.Duration { defer func() { start = time.Now() }(); return time.Since(start) }
		_, err := api.Post(bg, textPost)
		wantError(t, "post", err, postern.Unsure, 0, "")
		if d := took(); d != 10*time.Second {
			t.Errorf("post took %v", d)
		}
		_, err = api.Channel(bg, "ch")
		wantError(t, "get", err, postern.Temporary, 0, "")
		if d := took(); d != 10*time.Second {
			t.Errorf("get took %v", d)
		}
		_, err = api.Post(bg, filePost(strings.Repeat("x", 60*slowest)))
		wantError(t, "upload", err, postern.Unsure, 0, "")
		if d := took(); d != 70*time.Second {
			t.Errorf("upload took %v", d)
		}
	})
}

func TestARequestThatNeverLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for name, at := range map[string]string{"nobody listens": "http://" + l.Addr().String(), "no such name": "http://host.invalid"} {
		api := newTestClient(t, func(cfg *Config) { cfg.APIURL = at })
		_, err = api.Post(bg, textPost)
		wantError(t, name+": post", err, postern.Temporary, 0, "")
		_, err = api.Post(bg, filePost("abc"))
		wantError(t, name+": upload", err, postern.Temporary, 0, "")
		_, err = api.Channel(bg, "ch")
		wantError(t, name+": get", err, postern.Temporary, 0, "")
	}
}

// An upload that breaks off half way cannot have become a message.
func TestAConnectionThatBreaksInsideTheUpload(t *testing.T) {
	api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		io.CopyN(io.Discard, r.Body, 1000)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	})
	_, err := api.Post(bg, filePost(strings.Repeat("x", 20<<20)))
	wantError(t, "upload", err, postern.Temporary, 0, "")
}

func TestOurOwnFileFails(t *testing.T) {
	broken := errors.New("disk")
	api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			t.Error("the body came whole")
		}
	})
	for _, c := range []struct {
		name string
		open func() (io.ReadCloser, error)
		kind postern.Kind
	}{
		{"cannot be opened", func() (io.ReadCloser, error) { return nil, broken }, postern.Internal},
		{"a kind is kept", func() (io.ReadCloser, error) { return nil, postern.Errorf(postern.Permanent, "blob", "gone") }, postern.Permanent},
		{"breaks off", func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("abc"), errReader{broken})), nil
		}, postern.Internal},
		{"shorter", func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("abc")), nil }, postern.Internal},
		{"longer", func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("abcdefgh")), nil }, postern.Internal},
	} {
		p := filePost("abcdef")
		p.File.Open = c.open
		_, err := api.Post(bg, p)
		wantError(t, c.name, err, c.kind, 0, "")
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestRetryAfter(t *testing.T) {
	now := time.Unix(1_750_000_000, 0)
	c := newTestClient(t, func(cfg *Config) { cfg.Now = func() time.Time { return now } })
	for _, tc := range []struct {
		name, value string
		want        time.Duration
	}{
		{"", "", time.Second},
		{"X-RateLimit-RetryAfter", "2", 2 * time.Second},
		{"X-RateLimit-RetryAfter", " 0.5 ", 500 * time.Millisecond},
		{"X-RateLimit-RetryAfter", "1500", 1500 * time.Millisecond},
		{"X-RateLimit-RetryAfter", "0.001", 100 * time.Millisecond},
		{"X-RateLimit-RetryAfter", "86400000", 5 * time.Minute},
		{"X-RateLimit-RetryAfter", "-3", time.Second},
		{"X-RateLimit-RetryAfter", "0", time.Second},
		{"X-RateLimit-RetryAfter", "NaN", time.Second},
		{"X-RateLimit-RetryAfter", "1e300", time.Second},
		{"X-RateLimit-RetryAfter", "soon", time.Second},
		{"X-RateLimit-Reset", "3", 3 * time.Second},
		{"X-RateLimit-Reset", "1750000004", 4 * time.Second},
		{"X-RateLimit-Reset", "1750000004500", 4500 * time.Millisecond},
		{"X-RateLimit-Reset", "1749999990", time.Second},
		{"X-RateLimit-Reset", "1950000000", 5 * time.Minute},
		{"Retry-After", "7", 7 * time.Second},
	} {
		h := http.Header{}
		if tc.name != "" {
			h.Set(tc.name, tc.value)
		}
		if got := c.retryAfter(h); got != tc.want {
			t.Errorf("%s: %q: got %v, want %v", tc.name, tc.value, got, tc.want)
		}
	}
}

// A moment is by the clock of who names it: one of ours that is minutes off makes a wait
// neither long nor none.
func TestRetryAfterByTheirClock(t *testing.T) {
	theirs := time.Unix(1_750_000_000, 0)
	for _, off := range []time.Duration{0, -5 * time.Minute, 5 * time.Minute, -9 * time.Hour, 9 * time.Hour} {
		c := newTestClient(t, func(cfg *Config) { cfg.Now = func() time.Time { return theirs.Add(off) } })
		for _, reset := range []string{"1750000004", "1750000004000"} {
			h := http.Header{}
			h.Set("Date", theirs.UTC().Format(http.TimeFormat))
			h.Set("X-RateLimit-Reset", reset)
			if got := c.retryAfter(h); got != 4*time.Second {
				t.Errorf("our clock off by %v, %s: got %v", off, reset, got)
			}
		}
	}
}

func TestRateLimitTellsWhen(t *testing.T) {
	api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-RateLimit-RetryAfter", "3")
		refuse(429, 500910)(w, r)
	})
	_, err := api.Post(bg, textPost)
	wantError(t, "post", err, postern.Temporary, 0, "500910")
	if got := postern.RetryAfter(err); got != 3*time.Second {
		t.Errorf("after %v", got)
	}
}

func TestNamesThatWouldLeadElsewhere(t *testing.T) {
	api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL) })
	for _, id := range []postern.ChannelID{"", ".", "..", "..."} {
		_, err := api.Channel(bg, id)
		wantError(t, string(id), err, postern.Permanent, postern.CauseNotFound, "")
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the token went to another host: %q", r.Header.Get("Api-Token"))
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 307, 308} {
		srv := httptest.NewServer(http.RedirectHandler(other.URL, status))
		api := newTestClient(t, func(cfg *Config) { cfg.APIURL, cfg.HTTPClient = srv.URL, srv.Client() })
		_, err := api.Channel(bg, "ch")
		wantError(t, "get", err, postern.Denied, 0, fmt.Sprint(status))
		_, err = api.Post(bg, textPost)
		wantError(t, "post", err, postern.Denied, 0, fmt.Sprint(status))
		srv.Close()
	}
}

func TestObserve(t *testing.T) {
	var mu sync.Mutex
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PUT" {
			io.WriteString(w, `{}`)
			return
		}
		refuse(500, 500901)(w, r)
	}))
	defer srv.Close()
	api := newTestClient(t, func(cfg *Config) {
		cfg.APIURL = srv.URL
		cfg.Observe = func(call, outcome string, _ time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, call+" "+outcome)
		}
	})
	_ = api.MarkRead(bg, "ch", "u")
	_, _ = api.Post(bg, textPost)
	_, _ = api.Members(bg, "ch")
	_, _, _ = api.OpenFile(bg, postern.ChatFile{URL: "https://evil.example/"})
	if want := []string{"mark_read ok", "post unsure", "members temporary", "file permanent"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for name, cfg := range map[string]Config{
		"nothing":       {},
		"no token":      {AppID: "A"},
		"no app":        {APIToken: "t"},
		"no scheme":     {APIURL: "api.example/v3", APIToken: "t"},
		"odd scheme":    {APIURL: "ftp://api.example/v3", APIToken: "t"},
		"query":         {APIURL: "https://api.example/v3?x=1", APIToken: "t"},
		"odd file host": {AppID: "A", APIToken: "t", FileHosts: []string{"https://a.example/path"}},
	} {
		if c, err := New(cfg); err == nil || c != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := newTestClient(t, nil)
	if c.base != "https://api-APP-ID.sendbird.com/v3" {
		t.Errorf("base is %s", c.base)
	}
}
