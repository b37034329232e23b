//go:build unix

package pgtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// warden runs the server. It holds the read end of a pipe whose write end only the
// test process has; when that process ends, by whatever means, the pipe closes and
// the warden stops the server and removes its folder. $1 is the folder of the
// programs, $2 our own, $3 the server's options.
const warden = `
trap '' INT TERM HUP
cd "$2" || exit 1
"$1/initdb" -D "$2/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$2/log" 2>&1 &&
"$1/pg_ctl" -D "$2/data" -l "$2/log" -o "$3" -w -t 60 start >>"$2/log" 2>&1 ||
	{ tail -n 15 "$2/log"; rm -rf "$2"; exit 1; }
echo ready
read -r _
"$1/pg_ctl" -D "$2/data" -m immediate -w stop >/dev/null 2>&1
rm -rf "$2"
`

// tries of starting: a free port may be taken by somebody else before we get there.
const tries = 3

// server is a running server.
type server struct {
	url string
	// pipe is what the warden waits on. It must stay reachable: a garbage collected
	// file is closed.
	pipe io.WriteCloser
}

func startServer(o options) (*server, error) {
	bin, err := findPrograms()
	if err != nil {
		return nil, err
	}
	cred, err := credential()
	if err != nil {
		return nil, err
	}
	for range tries {
		var s *server
		if s, err = startOnce(bin, cred, o); err == nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("pgtest: start PostgreSQL from %s: %w", bin, err)
}

func startOnce(bin string, cred *syscall.Credential, o options) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := makeDir(cred)
	if err != nil {
		return nil, err
	}
	settings := fmt.Sprintf("-h 127.0.0.1 -p %d -k %s -c max_connections=300 -c shared_buffers=64MB -c log_min_messages=fatal", port, dir)
	if o.noFsync {
		settings += " -c fsync=off -c full_page_writes=off"
	}
	cmd := exec.Command("/bin/sh", "-c", warden, "warden", bin, dir, settings)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
	cmd.Dir = "/"
	// A session of its own: Ctrl-C at the terminal is not for the server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: cred}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := awaitReady(bufio.NewReader(out)); err != nil {
		_ = pipe.Close() // the warden clears up
		return nil, err
	}
	return &server{
		url:  fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port),
		pipe: pipe,
	}, nil
}

// awaitReady reads the warden's word: "ready", or the end of the log of a failure.
func awaitReady(r *bufio.Reader) error {
	word := make(chan error, 1)
	go func() {
		var said strings.Builder
		for {
			line, err := r.ReadString('\n')
			if line == "ready\n" {
				word <- nil
				return
			}
			said.WriteString(line)
			if err != nil {
				word <- errors.New(strings.TrimSpace(said.String()))
				return
			}
		}
	}()
	select {
	case err := <-word:
		return err
	case <-time.After(startTimeout):
		return fmt.Errorf("not ready after %v", startTimeout)
	}
}

// findPrograms finds the folder with initdb, pg_ctl and postgres.
func findPrograms() (string, error) {
	var dirs []string
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	// Debian keeps them out of PATH, a folder for each version; the newest first.
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(debian, func(a, b string) int { return versionIn(b) - versionIn(a) })
	dirs = append(dirs, debian...)
	if path, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, dir := range dirs {
		if hasPrograms(dir) {
			return dir, nil
		}
	}
	return "", errNone
}

func versionIn(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	return n
}

func hasPrograms(dir string) bool {
	for _, name := range []string{"initdb", "pg_ctl", "postgres"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

// credential tells whom the server runs as: PostgreSQL refuses to be root. nil means
// ourselves.
func credential() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("pgtest: we are root, PostgreSQL must not be, and there is no user postgres or nobody")
}

// makeDir makes the server's folder. Its path is short, because a socket's may have
// 107 bytes, and for root below /tmp, because TMPDIR may be closed to others.
func makeDir(cred *syscall.Credential) (string, error) {
	base := ""
	if cred != nil {
		base = "/tmp"
	}
	dir, err := os.MkdirTemp(base, "pgtest-")
	if err != nil || cred == nil {
		return dir, err
	}
	return dir, os.Chown(dir, int(cred.Uid), int(cred.Gid))
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close() //nolint:errcheck // only to learn the port
	return l.Addr().(*net.TCPAddr).Port, nil
}
