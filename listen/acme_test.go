package listen

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A certificate is obtained from a real ACME server (Let's Encrypt's Pebble), by either
// challenge, while we serve; after a restart it is there without asking again.
func TestACME(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs Pebble")
	}
	ca := newPebble(t)
	for _, challenge := range []string{"http", "tls"} {
		t.Run(challenge, func(t *testing.T) {
			httpPort, tlsPort := freePort(t), freePort(t)
			directory := ca.start(t, httpPort, tlsPort)
			cfg := Config{
				Mode: ModeACME, Names: []string{challenge + ".postern.test"}, CA: directory, CARoots: ca.root, Storage: t.TempDir(),
				Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
			}
			if challenge == "http" {
				cfg.HTTPListen = fmt.Sprintf("127.0.0.1:%d", httpPort)
			}
			address := fmt.Sprintf("127.0.0.1:%d", tlsPort)
			first := ca.serial(t, cfg, address)
			if again := ca.serial(t, cfg, address); again != first {
				t.Errorf("certificate %s after a restart, want the kept one, %s", again, first)
			}
		})
	}
}

func TestRedirect(t *testing.T) {
	for _, tt := range []struct {
		method string
		status int
	}{{http.MethodGet, http.StatusPermanentRedirect}, {http.MethodPost, http.StatusForbidden}} {
		w := httptest.NewRecorder()
		r, _ := http.NewRequest(tt.method, "http://postern.test:8080/u/abc?x=1", nil)
		redirect(w, r)
		if w.Code != tt.status {
			t.Errorf("%s: %d, want %d", tt.method, w.Code, tt.status)
		}
		if want := "https://postern.test/u/abc?x=1"; tt.method == http.MethodGet && w.Header().Get("Location") != want {
			t.Errorf("to %q, want %q", w.Header().Get("Location"), want)
		}
	}
}

// pebble is an ACME server and the name server that it asks.
type pebble struct{ binary, dir, root, names string }

func newPebble(t *testing.T) *pebble {
	dir := t.TempDir()
	p := &pebble{binary: filepath.Join(dir, "pebble"), dir: dir, root: filepath.Join(dir, "cert.pem")}
	build := exec.Command("go", "build", "-modfile=../tools/go.mod", "-o", p.binary, "github.com/letsencrypt/pebble/v2/cmd/pebble")
	if out, err := build.CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("pebble: %v\n%s", err, out)
		}
		t.Skipf("pebble cannot be built here: %v", err)
	}
	writePair(t, p.root, filepath.Join(dir, "key.pem"), 1)
	p.names = nameServer(t)
	return p
}

// start runs Pebble, which looks for challenges at these ports, and gives its directory.
func (p *pebble) start(t *testing.T, httpPort, tlsPort int) string {
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": address, "managementListenAddress": "", "certificate": p.root, "privateKey": filepath.Join(p.dir, "key.pem"),
		"httpPort": httpPort, "tlsPort": tlsPort, "retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles": map[string]any{"default": map[string]any{"description": "default", "validityPeriod": 7776000}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pebble.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, p.binary, "-config", file, "-dnsserver", p.names)
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = cmd.Wait() })
	waitFor(t, address)
	return "https://localhost:" + address[len("127.0.0.1:"):] + "/dir"
}

// serial serves with this configuration until there is a certificate, and tells its number.
func (p *pebble) serial(t *testing.T, cfg Config, address string) string {
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ln, err := f.Listen(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 2)
	go func() { done <- f.Run(ctx) }()
	go func() {
		done <- serveUntil(ctx, &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })}, ln)
	}()
	defer func() {
		stop()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}()
	deadline := time.Now().Add(time.Minute)
	for {
		conn, err := (&tls.Dialer{Config: &tls.Config{ServerName: cfg.Names[0], InsecureSkipVerify: true}}).DialContext(ctx, "tcp", address)
		if err == nil {
			state := conn.(*tls.Conn).ConnectionState()
			_ = conn.Close()
			if err := state.PeerCertificates[0].VerifyHostname(cfg.Names[0]); err != nil {
				t.Error(err)
			}
			return state.PeerCertificates[0].SerialNumber.String()
		}
		if time.Now().After(deadline) {
			t.Fatalf("no certificate: %v", err)
		}
		time.Sleep(50 * time.Millisecond) // asks again; what is waited for is another process
	}
}

// nameServer says of every name that it is here.
func nameServer(t *testing.T) string {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	srv := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(127, 0, 0, 1)})
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = srv.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = srv.Shutdown() })
	return pc.LocalAddr().String()
}

func freePort(t *testing.T) int {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().(*net.TCPAddr).Port
}

func waitFor(t *testing.T, address string) {
	deadline := time.Now().Add(20 * time.Second)
	for {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // another process starts
	}
}
