package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-chat/postern"
	"golang.org/x/net/dns/dnsmessage"
)

var bg = context.Background()

func client(t *testing.T, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// server starts a server on loopback and tells its host and port.
func server(t *testing.T, h http.HandlerFunc) (base, host string) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL, strings.TrimPrefix(srv.URL, "http://")
}

func wantError(t *testing.T, what string, err error, kind postern.Kind, cause postern.Cause) {
	t.Helper()
	if err == nil || postern.KindOf(err) != kind || postern.CauseOf(err) != cause {
		t.Errorf("%s: kind %v, cause %d: %v", what, postern.KindOf(err), postern.CauseOf(err), err)
	}
}

func TestCheck(t *testing.T) {
	c := client(t, Config{AllowedHosts: []string{".files.example", "Cdn.Example", "10.0.0.7:8080", "https://api.example", "http://[::1]:9000"}})
	for at, want := range map[string]string{
		"https://a.files.example/x":             "allowed",
		"https://A.FILES.EXAMPLE:443/x":         "allowed",
		"https://a.b.files.example/x?auth=1":    "allowed",
		"https://cdn.example/":                  "allowed",
		"http://10.0.0.7:8080/x":                "trusted",
		"https://10.0.0.7:8080/x":               "trusted",
		"https://api.example/x":                 "trusted",
		"https://api.example:443/x":             "trusted",
		"http://[::1]:9000/x":                   "trusted",
		"https://files.example/":                "",
		"https://evilfiles.example/":            "",
		"https://a.files.example.evil.example/": "",
		"https://a.files.example./":             "",
		"http://a.files.example/":               "",
		"https://a.files.example:8443/":         "",
		"http://a.files.example:443/":           "",
		"https://sub.cdn.example/":              "",
		"http://cdn.example/":                   "",
		"http://10.0.0.7/":                      "",
		"http://10.0.0.7:8081/":                 "",
		"http://api.example:443/x":              "",
		"http://api.example/x":                  "",
		"https://[::1]:9000/x":                  "",
		"https://127.0.0.1/":                    "",
		"https://2130706433/":                   "",
		"https://user@cdn.example/":             "",
		"https://cdn.example@evil.example/":     "",
		"https://evil.example#@cdn.example/":    "",
		"https://evil.example\\@cdn.example/":   "",
		"ftp://cdn.example/":                    "",
		"file:///etc/passwd":                    "",
		"//cdn.example/":                        "",
		"cdn.example/x":                         "",
		"https:///x":                            "",
		"https:cdn.example":                     "",
		"https://cdn.example:99999/":            "",
		"https://a.0x7f/":                       "",
		"":                                      "",
	} {
		u, err := url.Parse(at)
		got := ""
		if err == nil {
			var trusted bool
			if trusted, err = c.check(u); trusted {
				got = "trusted"
			} else if err == nil {
				got = "allowed"
			}
		}
		if got != want {
			t.Errorf("%s: got %q, want %q (%v)", at, got, want, err)
		}
		if want == "" {
			_, err := c.Get(bg, at)
			wantError(t, at, err, postern.Permanent, 0)
		}
	}
}

func TestAllowedHostsThatMakeNoSense(t *testing.T) {
	for _, s := range []string{"", " ", ".", "a/b", "https://a/b", "https://", "ftp://a", "https://.a", "https://*", "*.a", ".a:443", "a b", "https://a?b", "u@a", ":443", "a:"} {
		if _, err := New(Config{AllowedHosts: []string{s}}); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

func TestNothingIsAllowedByDefault(t *testing.T) {
	_, err := client(t, Config{}).Get(bg, "https://example.com/")
	wantError(t, "default", err, postern.Permanent, 0)
}

// Names that lead to a private network, however they are written. "*" lets every host
// pass, so that only the guard stands between the address and the dial.
func TestPrivateAddressesAreNotDialled(t *testing.T) {
	c := client(t, Config{AllowedHosts: []string{"*"}, Resolver: &net.Resolver{PreferGo: true, Dial: dnsServer(t, func(string, int) string { return "127.0.0.1" })}})
	for _, host := range []string{
		"127.0.0.1", "127.1.2.3", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255",
		"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:10.0.0.1]", "[fe80::1]", "[fc00::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[ff02::1]",
		"2130706433", "0x7f000001", "017700000001", "127.1", "0177.0.0.1", "localtest.example",
	} {
		_, err := c.Get(bg, "https://"+host+"/secret")
		wantError(t, host, err, postern.Permanent, 0)
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the address stands in the error: %v", host, err)
		}
	}
}

// A name that is public when looked up first and private afterwards gains nothing:
// the address that is dialled is the one that is checked.
func TestANameThatChangesItsMind(t *testing.T) {
	var asked atomic.Int32
	resolver := &net.Resolver{PreferGo: true, Dial: dnsServer(t, func(_ string, n int) string {
		asked.Store(int32(n))
		if n == 1 {
			return "93.184.216.34"
		}
		return "127.0.0.1"
	})}
	if ips, err := resolver.LookupHost(bg, "rebind.example"); err != nil || len(ips) != 1 || ips[0] != "93.184.216.34" {
		t.Fatalf("%v, %v", ips, err)
	}
	c := client(t, Config{AllowedHosts: []string{".example"}, Resolver: resolver})
	_, err := c.Get(bg, "https://rebind.example/")
	wantError(t, "second look-up", err, postern.Permanent, 0)
	if asked.Load() < 2 {
		t.Error("the name was not looked up again")
	}
}

// dnsServer answers A questions with what ip says to the nth of them, and AAAA with nothing.
func dnsServer(t *testing.T, ip func(name string, n int) string) func(context.Context, string, string) (net.Conn, error) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		buf := make([]byte, 1500)
		for n := 0; ; {
			size, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:size]) != nil {
				continue
			}
			q := m.Questions[0]
			m.Response, m.Additionals = true, nil
			if q.Type == dnsmessage.TypeA {
				n++
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
					Body:   &dnsmessage.AResource{A: netip.MustParseAddr(ip(q.Name.String(), n)).As4()},
				}}
			}
			if out, err := m.Pack(); err == nil {
				pc.WriteTo(out, from)
			}
		}
	}()
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", pc.LocalAddr().String())
	}
}

func TestATrustedHostMayBePrivate(t *testing.T) {
	base, host := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "hello")
	})
	for _, entry := range []string{host, base} {
		resp, err := client(t, Config{AllowedHosts: []string{entry}}).Get(bg, base+"/a")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if string(got) != "hello" || err != nil || resp.Size != 5 || resp.ContentType != "text/plain" {
			t.Errorf("%q, %v, %+v", got, err, resp)
		}
		resp.Body.Close()
	}
}

// tlsServer stands for a public host: the guard is replaced by one that dials it
// whatever the name.
func tlsServer(t *testing.T, cfg Config, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	c, err := newClient(cfg, func(*net.Dialer) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range []*http.Transport{c.guarded, c.trusted} {
		tr.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		tr.TLSClientConfig.ServerName = "example.com" // the name on httptest's certificate
		tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, srv.Listener.Addr().String())
		}
	}
	return c
}

func TestHeadersGoWhereTheyShould(t *testing.T) {
	var mu sync.Mutex
	var got []string
	h := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		got = append(got, r.Host+r.URL.Path+" "+r.Header.Get("Key")+r.Header.Get("Referer")+r.Header.Get("Cookie"))
		mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: "c", Value: "v"})
		switch r.URL.Path {
		case "/1":
			http.Redirect(w, r, "/2", http.StatusFound)
		case "/2":
			http.Redirect(w, r, "https://other.example/3", http.StatusTemporaryRedirect)
		case "/3":
			http.Redirect(w, r, "https://a.files.example/4", http.StatusMovedPermanently)
		default:
			io.WriteString(w, "ok")
		}
	}
	c := tlsServer(t, Config{
		AllowedHosts: []string{".files.example", "other.example"},
		Header: func(u *url.URL, trusted bool) http.Header {
			if trusted {
				t.Errorf("%s is trusted", u)
			}
			if strings.HasSuffix(u.Hostname(), ".files.example") {
				return http.Header{"Key": {"secret"}}
			}
			return nil
		},
	}, h)
	resp, err := c.Get(bg, "https://a.files.example/1")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	want := "[a.files.example/1 secret a.files.example/2 secret other.example/3  a.files.example/4 secret]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v", got)
	}
}

func TestRedirectsAreChecked(t *testing.T) {
	inner, innerHost := server(t, func(w http.ResponseWriter, r *http.Request) { t.Error("the private host was asked") })
	for to, cfg := range map[string]Config{
		inner + "/":                       {},
		"https://" + innerHost + "/":      {AllowedHosts: []string{"*"}},
		"https://127.0.0.1/":              {AllowedHosts: []string{"*"}},
		"http://a.files.example/":         {AllowedHosts: []string{".files.example"}},
		"file:///etc/passwd":              {AllowedHosts: []string{"*"}},
		"https://user:pw@a.files.example": {AllowedHosts: []string{".files.example"}},
		"":                                {AllowedHosts: []string{"*"}},
		"https://%zz/":                    {AllowedHosts: []string{"*"}},
	} {
		base, host := server(t, func(w http.ResponseWriter, r *http.Request) {
			if to != "" {
				w.Header().Set("Location", to)
			}
			w.WriteHeader(http.StatusFound)
		})
		cfg.AllowedHosts = append(cfg.AllowedHosts, host)
		_, err := client(t, cfg).Get(bg, base)
		wantError(t, "to "+to, err, postern.Permanent, 0)
	}
}

func TestRedirectsEnd(t *testing.T) {
	var asked int
	base, host := server(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, fmt.Sprintf("/%d", asked), http.StatusFound)
	})
	for limit, want := range map[int]int{0: 4, 1: 2, -1: 1} {
		asked = 0
		_, err := client(t, Config{AllowedHosts: []string{host}, MaxRedirects: limit}).Get(bg, base)
		wantError(t, "for ever", err, postern.Permanent, 0)
		if asked != want {
			t.Errorf("limit %d: asked %d times, want %d", limit, asked, want)
		}
	}
}

func TestAnswersAreClassed(t *testing.T) {
	for status, want := range map[int]struct {
		kind  postern.Kind
		cause postern.Cause
	}{
		204: {postern.Permanent, 0}, 206: {postern.Permanent, 0}, 304: {postern.Permanent, 0},
		400: {postern.Permanent, 0}, 401: {postern.Permanent, 0}, 403: {postern.Permanent, 0},
		404: {postern.Permanent, postern.CauseNotFound}, 410: {postern.Permanent, postern.CauseNotFound},
		408: {postern.Temporary, 0}, 429: {postern.Temporary, 0}, 500: {postern.Temporary, 0}, 503: {postern.Temporary, 0},
	} {
		base, host := server(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) })
		_, err := client(t, Config{AllowedHosts: []string{host}}).Get(bg, base)
		wantError(t, fmt.Sprint(status), err, want.kind, want.cause)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, err = client(t, Config{AllowedHosts: []string{l.Addr().String()}}).Get(bg, "http://"+l.Addr().String()+"/x?auth=secret")
	wantError(t, "closed port", err, postern.Temporary, 0)
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the key stands in the error: %v", err)
	}
}

func TestSizeLimit(t *testing.T) {
	for _, c := range []struct {
		size    int
		told    bool
		atOnce  bool // refused before anything is read
		tooMuch bool
	}{
		{10, true, false, false}, {10, false, false, false},
		{11, true, true, true}, {11, false, false, true}, {1 << 20, false, false, true}, {0, false, false, false},
	} {
		base, host := server(t, func(w http.ResponseWriter, r *http.Request) {
			if !c.told {
				w.(http.Flusher).Flush() // chunked, without length
			}
			io.WriteString(w, strings.Repeat("x", c.size))
		})
		what := fmt.Sprintf("%+v", c)
		resp, err := client(t, Config{AllowedHosts: []string{host}, MaxSize: 10}).Get(bg, base)
		if c.atOnce {
			wantError(t, what, err, postern.Permanent, postern.CauseTooLarge)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int64{true: int64(c.size), false: -1}[c.told]; resp.Size != want {
			t.Errorf("%s: size %d", what, resp.Size)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if c.tooMuch {
			wantError(t, what, err, postern.Permanent, postern.CauseTooLarge)
		} else if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if len(got) != min(c.size, 10) {
			t.Errorf("%s: %d bytes", what, len(got))
		}
	}
}

func TestAFileThatBreaksOff(t *testing.T) {
	base, host := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	resp, err := client(t, Config{AllowedHosts: []string{host}}).Get(bg, base)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	wantError(t, "broken off", err, postern.Temporary, 0)
	if string(got) != "half" {
		t.Errorf("%q", got)
	}
}

func TestAStalledFileIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	base, host := server(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "x")
		w.(http.Flusher).Flush()
		<-release
	})
	defer close(release)
	resp, err := client(t, Config{AllowedHosts: []string{host}, IdleTimeout: 30 * time.Millisecond}).Get(bg, base)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	wantError(t, "stalled", err, postern.Temporary, 0)
	if !errors.Is(err, errIdle) {
		t.Error(err)
	}
}

// drip gives a byte every second until its context ends.
type drip struct{ ctx context.Context }

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		return copy(p, "x"), nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

func TestAFileThatDripsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(bg, 100*time.Second, errTotal)
		b := newBody(ctx, cancel, io.NopCloser(drip{ctx}), 2*time.Second, 1<<20)
		got, err := io.ReadAll(b)
		wantError(t, "dripping", err, postern.Temporary, 0)
		if !errors.Is(err, errTotal) || len(got) < 98 || len(got) > 100 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		b.Close()
	})
}

func TestAHeaderThatDoesNotCome(t *testing.T) {
	release := make(chan struct{})
	base, host := server(t, func(w http.ResponseWriter, r *http.Request) { <-release })
	defer close(release)
	_, err := client(t, Config{AllowedHosts: []string{host}, WaitTimeout: 30 * time.Millisecond}).Get(bg, base)
	wantError(t, "no header", err, postern.Temporary, 0)
}

// A reader that takes its time is not a sender that stalls.
func TestASlowReaderIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(bg)
		b := newBody(ctx, cancel, io.NopCloser(strings.NewReader("abcd")), time.Second, 10)
		for range 4 {
			if n, err := b.Read(make([]byte, 1)); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			time.Sleep(time.Hour)
			if ctx.Err() != nil {
				t.Fatal("cut off")
			}
		}
		if n, err := b.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("%d, %v", n, err)
		}
		if err := b.Close(); err != nil || ctx.Err() == nil {
			t.Errorf("%v, %v", err, ctx.Err())
		}
	})
}

func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	const size = 25 << 20
	base, host := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		piece := make([]byte, 32<<10)
		for range size / len(piece) {
			w.Write(piece)
		}
	})
	c := client(t, Config{AllowedHosts: []string{host}})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	resp, err := c.Get(bg, base)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	runtime.ReadMemStats(&after)
	if n != size || err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d bytes allocated for a file of %d", used, size)
	}
}
