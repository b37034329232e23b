package contract

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Secrets that must never be seen where they do not belong.
const (
	apiToken    = "aaaa11112222333344445555666677778888aaaa"
	masterToken = "bbbb11112222333344445555666677778888bbbb"
	sendingKey  = "key-sending-5f0c"
	accountKey  = "key-account-77aa"
	signingKey  = "key-signing-31d2"
	adminToken  = "admin-token-9c41"
	domain      = "mg.example.com"
)

const patience = 25 * time.Second // the machine may be busy; nothing is measured by it

// gateway is one running `postern serve`.
type gateway struct {
	t    testing.TB
	dir  string
	addr string
	env  map[string]string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of the process, after done
	log  *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// newGateway prepares one; start runs it.
func newGateway(t testing.TB, sendbirdURL, mailgunURL string, env map[string]string) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir(), addr: freeAddr(t), log: &logBuffer{}}
	secret := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("s3"), 20))
	g.env = map[string]string{
		"POSTERN_LISTEN": g.addr, "POSTERN_PUBLIC_URL": "http://" + g.addr,
		"POSTERN_DATABASE": "sqlite:" + g.dir + "/postern.db", "POSTERN_DATA_DIR": g.dir + "/data",
		"POSTERN_SECRET": secret, "POSTERN_ADMIN_TOKEN": adminToken,
		"POSTERN_SENDBIRD_APP_ID":  "0A1B2C3D-0000-4000-8000-000000000000",
		"POSTERN_SENDBIRD_API_URL": sendbirdURL + "/v3", "POSTERN_SENDBIRD_API_TOKEN": apiToken,
		"POSTERN_SENDBIRD_MASTER_TOKEN": masterToken,
		"POSTERN_MAILGUN_DOMAIN":        domain, "POSTERN_MAILGUN_API_URL": mailgunURL,
		"POSTERN_MAILGUN_SENDING_KEY": sendingKey, "POSTERN_MAILGUN_ACCOUNT_KEY": accountKey,
		"POSTERN_MAILGUN_SIGNING_KEYS": signingKey, "POSTERN_NOTIFY_DELAY": "0s",
	}
	maps.Copy(g.env, env)
	t.Cleanup(func() { g.kill() })
	return g
}

func (g *gateway) environ() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + g.dir}
	for k, v := range g.env {
		env = append(env, k+"="+v)
	}
	return env
}

// start runs the program and waits until it is ready.
func (g *gateway) start() {
	g.t.Helper()
	g.launch()
	poll(g.t, "the gateway to be ready", func() error {
		select {
		case <-g.done:
			g.t.Fatalf("the gateway ended: %v\n%s", g.err, g.log)
		default:
		}
		res, err := http.Get(g.url("/readyz"))
		if err != nil {
			return err
		}
		res.Body.Close()
		if res.StatusCode != 200 {
			return fmt.Errorf("readyz: %s", res.Status)
		}
		return nil
	})
}

func (g *gateway) launch() {
	g.t.Helper()
	cmd := exec.Command(binary, "serve")
	cmd.Dir, cmd.Env, cmd.Stderr, cmd.Stdout = g.dir, g.environ(), g.log, g.log
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	done := make(chan struct{})
	g.cmd, g.done = cmd, done
	go func() {
		g.err = cmd.Wait()
		close(done)
	}()
}

// kill ends it as a power cut would.
func (g *gateway) kill() {
	if g.cmd == nil {
		return
	}
	_ = g.cmd.Process.Kill()
	<-g.done
	g.cmd = nil
}

// stop ends it as an operator would, and gives the exit code.
func (g *gateway) stop() int {
	g.t.Helper()
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		g.t.Fatal(err)
	}
	select {
	case <-g.done:
	case <-time.After(patience + 20*time.Second):
		g.t.Fatalf("still running long after SIGTERM\n%s", g.log)
	}
	code := g.cmd.ProcessState.ExitCode()
	g.cmd = nil
	return code
}

func (g *gateway) url(path string) string { return "http://" + g.addr + path }

// run runs another command of the program with the gateway's environment.
func (g *gateway) run(stdin string, args ...string) (stdout, stderr string, code int) {
	g.t.Helper()
	cmd := exec.Command(binary, args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = g.dir, g.environ(), strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		g.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// get reads a path of the gateway.
func (g *gateway) get(path string) (int, string) {
	g.t.Helper()
	res, err := http.Get(g.url(path))
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// api calls the operator's API.
func (g *gateway) api(method, path, body string) (int, string) {
	g.t.Helper()
	req, err := http.NewRequest(method, g.url(path), strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b)
}

// person makes an address known.
func (g *gateway) person(userID, email string) {
	g.t.Helper()
	code, body := g.api("PUT", "/api/v1/people/"+userID, fmt.Sprintf(`{"email":%q,"name":%q}`, email, userID))
	if code != 200 {
		g.t.Fatalf("PUT person: %d %s", code, body)
	}
}

var metricLine = regexp.MustCompile(`(?m)^([a-z_]+)(\{[^}]*\})? ([0-9.e+-]+)$`)

// metric sums the samples of a name whose labels contain all of has.
func (g *gateway) metric(name string, has ...string) float64 {
	g.t.Helper()
	code, body := g.get("/metrics")
	if code != 200 {
		g.t.Fatalf("/metrics: %d", code)
	}
	sum := 0.0
next:
	for _, m := range metricLine.FindAllStringSubmatch(body, -1) {
		if m[1] != name {
			continue
		}
		for _, h := range has {
			if !strings.Contains(m[2], h) {
				continue next
			}
		}
		v, _ := strconv.ParseFloat(m[3], 64)
		sum += v
	}
	return sum
}

// idle waits until no work is open.
func (g *gateway) idle() {
	g.t.Helper()
	poll(g.t, "all work to be done", func() error {
		if n := g.metric("postern_jobs"); n != 0 {
			return fmt.Errorf("%v jobs open", n)
		}
		return nil
	})
}

// poll asks until ok says nil, or fails the test.
func poll(t testing.TB, what string, ok func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(15 * time.Millisecond) {
		if err = ok(); err == nil {
			return
		}
	}
	t.Fatalf("waited in vain for %s: %v", what, err)
}
