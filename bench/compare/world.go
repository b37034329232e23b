//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/postern-chat/postern/bench/fake"
	"github.com/postern-chat/postern/bench/load"
)

const (
	domain     = "mg.example.com"
	signingKey = "bench-signing-key"
)

// world is what all rows share: the fake services, and a folder.
type world struct {
	opt    options
	self   string // this program, where other users may run it
	dir    string
	fake   string // base URL of the fakes
	ids    atomic.Uint64
	people int
	stops  []func()       // at the end
	ends   []func()       // at the end of a row
	pg     *postgres      // started when first asked for
	php    map[int]string // addresses, by the number of children
}

func newWorld(opt options) (*world, error) {
	dir, err := os.MkdirTemp(opt.dir, "postern-bench-")
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	w := &world{opt: opt, dir: dir, people: 20_000, php: map[int]string{}}
	w.stops = append(w.stops, func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		return w, err
	}
	w.ids.Store(uint64(time.Now().UnixMilli()) * 1000) // 16 digits
	self, err := os.Executable()
	if err != nil {
		return w, err
	}
	w.self = filepath.Join(dir, "compare")
	if err := copyFile(w.self, self); err != nil {
		return w, err
	}
	c, err := w.helper("fake")
	if err != nil {
		return w, err
	}
	w.stops, w.ends = append(w.stops, c.stop), nil
	w.fake = "http://" + c.addr
	return w, nil
}

func copyFile(to, from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}

// stopAll ends what a row began.
func (w *world) stopAll() {
	for i := len(w.ends) - 1; i >= 0; i-- {
		w.ends[i]()
	}
	w.ends = nil
}

func (w *world) close() {
	w.stopAll()
	for i := len(w.stops) - 1; i >= 0; i-- {
		w.stops[i]()
	}
}

// child is a process of ours that listens.
type child struct {
	cmd  *exec.Cmd
	addr string
}

func (c *child) stop() {
	if c.cmd.ProcessState != nil {
		return
	}
	_ = c.cmd.Process.Signal(os.Interrupt)
	late := time.AfterFunc(30*time.Second, func() { _ = c.cmd.Process.Kill() })
	_ = c.cmd.Wait()
	late.Stop()
}

// helper runs this program as one of the small servers beside; it says its address.
func (w *world) helper(args ...string) (*child, error) {
	cmd := exec.Command(w.self, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd}
	w.ends = append(w.ends, c.stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("%s does not start: %w", strings.Join(args, " "), err)
	}
	c.addr = strings.TrimSpace(line)
	return c, nil
}

// gateway is Postern as it is shipped, in a process of its own.
type gateway struct {
	child
	ready time.Duration // from start to /readyz
}

// setting is how a gateway is run.
type setting struct {
	name     string
	database string        // "" = SQLite in a file of its own
	delay    string        // notify.delay
	slow     time.Duration // added to each fsync
	people   int           // how many are known; 0 = those of the world, -1 = nobody is imported
	extra    []string
}

func (w *world) database(name string) string {
	return "sqlite:" + filepath.Join(w.dir, name, "postern.db")
}

// start runs a gateway. Its people are known to it.
func (w *world) start(s setting) (*gateway, error) {
	dir := filepath.Join(w.dir, s.name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if s.database == "" {
		s.database = w.database(s.name)
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	binary, err := filepath.Abs(w.opt.binary)
	if err != nil {
		return nil, err
	}
	env := append([]string{
		"POSTERN_LISTEN=" + addr, "POSTERN_PUBLIC_URL=http://" + addr, "POSTERN_SECRET=" + strings.Repeat("A", 43) + "=",
		"POSTERN_DATABASE=" + s.database, "POSTERN_DATA_DIR=" + filepath.Join(dir, "data"),
		"POSTERN_SENDBIRD_APP_ID=A", "POSTERN_SENDBIRD_API_URL=" + w.fake + "/sendbird/v3", "POSTERN_SENDBIRD_API_TOKEN=" + load.Token,
		"POSTERN_MAILGUN_DOMAIN=" + domain, "POSTERN_MAILGUN_API_URL=" + w.fake, "POSTERN_MAILGUN_SENDING_KEY=k",
		"POSTERN_MAILGUN_SIGNING_KEYS=" + signingKey, "POSTERN_NOTIFY_DELAY=" + s.delay, "POSTERN_LOG_LEVEL=" + w.opt.log,
	}, s.extra...)
	if s.people >= 0 {
		if s.people == 0 {
			s.people = w.people
		}
		if err := importPeople(binary, dir, env, s.people); err != nil {
			return nil, err
		}
	}
	argv := []string{binary, "serve"}
	if s.slow > 0 {
		argv = append([]string{w.self, "slowly", s.slow.String()}, argv...)
	}
	g := &gateway{child: child{cmd: exec.Command(argv[0], argv[1:]...), addr: addr}}
	g.cmd.Env, g.cmd.Dir, g.cmd.Stderr = env, dir, os.Stderr
	begun := time.Now()
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	w.ends = append(w.ends, g.stop)
	for time.Since(begun) < time.Minute {
		if resp, err := http.Get("http://" + addr + "/readyz"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				g.ready = time.Since(begun)
				return g, nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	return nil, errors.New("the gateway does not become ready")
}

// importPeople makes users u00000000 ... known.
func importPeople(binary, dir string, env []string, n int) error {
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	_ = out.Write([]string{"user_id", "email", "name"})
	for i := range n {
		_ = out.Write([]string{fmt.Sprintf("u%08d", i), fmt.Sprintf("u%08d@people.example", i), "Name"})
	}
	out.Flush()
	cmd := exec.Command(binary, "people", "import", "-")
	cmd.Env, cmd.Dir, cmd.Stdin = env, dir, &b
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("people import: %w: %s", err, said)
	}
	return nil
}

func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String(), nil
}

// memory is a line of /proc/PID/status, in MB of 10^6 bytes.
func (g *gateway) memory(what string) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, what+":"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb * 1024 / 1e6, err
		}
	}
	return 0, errors.New("no " + what)
}

// written is how many bytes the gateway had written to disk, as the kernel counts them.
func (g *gateway) written() (n float64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", g.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	if _, rest, ok := strings.Cut(string(b), "\nwrite_bytes: "); ok {
		_, _ = fmt.Sscan(rest, &n)
	}
	return n
}

// cpu is how much processor time the gateway used so far.
func (g *gateway) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", g.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	u, _ := strconv.Atoi(f[11])
	s, _ := strconv.Atoi(f[12])
	return time.Duration(u+s) * 10 * time.Millisecond // USER_HZ is 100 everywhere
}

func (w *world) ask(path string) ([]byte, error) {
	resp, err := http.Get(w.fake + "/_bench/" + path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(resp.Body)
	return b, errors.Join(err, resp.Body.Close())
}

func (w *world) reset(delay time.Duration) error {
	_, err := w.ask("reset?delay=" + delay.String())
	return err
}

func (w *world) stats() (s fake.Stats, err error) {
	b, err := w.ask("stats")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(b, &s)
}

// counts are messages mailed, posts made, and mails taken since the last reset.
type counts struct{ messages, posts, mails int64 }

func (w *world) counts() (c counts) {
	b, err := w.ask("count")
	if err == nil {
		_, _ = fmt.Sscan(string(b), &c.messages, &c.posts, &c.mails)
	}
	return c
}

// await waits until so many of what count tells have come, as long as some still do.
func await(ctx context.Context, want int64, count func() int64) error {
	have, since := int64(-1), time.Now()
	for ctx.Err() == nil {
		n := count()
		if n >= want {
			return nil
		}
		if n > have {
			have, since = n, time.Now()
		}
		if time.Since(since) > 20*time.Second {
			return fmt.Errorf("%d of %d came, and then none for 20 s", n, want)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return ctx.Err()
}

// signals that end a run tidily.
var signals = []os.Signal{os.Interrupt, syscall.SIGTERM}
