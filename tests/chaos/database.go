//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-chat/postern/internal/pgtest"
)

// database is where the gateway keeps its memory.
type database interface {
	dsn() string
	dataDir() string
	shared() bool // several processes may use it
	// trouble takes it away for a moment.
	trouble(ctx context.Context)
	close()
}

func newDatabase(w *world) (database, error) {
	switch {
	case w.opt.Database == "sqlite":
		return newDisk(w)
	case w.opt.Database == "postgres":
		return newServer(w)
	case strings.HasPrefix(w.opt.Database, "postgres"):
		return &server{w: w, url: w.opt.Database}, nil
	}
	return nil, fmt.Errorf("database %q is neither sqlite nor postgres nor a URL of PostgreSQL", w.opt.Database)
}

// disk is SQLite in a folder, if possible on a small disk of its own, which can be
// filled up.
type disk struct {
	w       *world
	dir     string
	mounted bool
}

const diskSize = "192m"

func newDisk(w *world) (*disk, error) {
	d := &disk{w: w, dir: filepath.Join(w.dir, "data")}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return nil, err
	}
	if w.opt.Infra && w.opt.Keep == "" {
		if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+diskSize, "chaos", d.dir).CombinedOutput(); err != nil {
			w.logf("no small disk can be mounted, so none will be full: %s", strings.TrimSpace(string(out)))
		} else {
			d.mounted = true
		}
	}
	return d, nil
}

func (d *disk) dsn() string     { return "sqlite:" + filepath.Join(d.dir, "postern.db") }
func (d *disk) dataDir() string { return filepath.Join(d.dir, "blobs") }
func (d *disk) shared() bool    { return false }

// trouble fills the disk up for a moment.
func (d *disk) trouble(ctx context.Context) {
	if !d.mounted {
		return
	}
	name := filepath.Join(d.dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		d.w.logf("the disk cannot be filled: %v", err)
		return
	}
	d.w.infra.Store(time.Now().UnixMilli())
	until := time.Now().Add(1500 * time.Millisecond)
	chunk := make([]byte, 1<<20)
	for time.Now().Before(until) { // what becomes free meanwhile is taken, too
		if _, err := f.Write(chunk); err != nil {
			if len(chunk) > 4096 {
				chunk = chunk[:4096]
			} else if !sleep(ctx, 5*time.Millisecond) {
				break
			}
		}
	}
	_ = f.Close()
	if err := os.Remove(name); err != nil {
		d.w.logf("the disk stays full: %v", err)
	}
	d.w.infra.Store(time.Now().UnixMilli())
	d.w.strikes.add("disk full", 1)
}

func (d *disk) close() {
	if !d.mounted {
		return
	}
	if d.w.keep {
		if out, err := exec.Command("cp", "-a", d.dir, d.dir+".kept").CombinedOutput(); err != nil {
			d.w.logf("the data is not kept: %s", out)
		}
	}
	if out, err := exec.Command("umount", d.dir).CombinedOutput(); err != nil {
		d.w.logf("umount: %s", out)
	}
}

// server is PostgreSQL.
type server struct {
	w       *world
	url     string
	folder  string // of the server's data, if it is ours
	cleanup []func()
}

// host lets pgtest work outside of a test.
type host struct {
	testing.TB
	s   *server
	err error
}

type failed struct{}

func (h *host) Helper()                   {}
func (h *host) Cleanup(f func())          { h.s.cleanup = append(h.s.cleanup, f) }
func (h *host) Errorf(f string, a ...any) { h.s.w.logf(f, a...) }
func (h *host) Fatal(a ...any)            { h.err = errors.New(fmt.Sprint(a...)); panic(failed{}) }
func (h *host) Fatalf(f string, a ...any) { h.err = fmt.Errorf(f, a...); panic(failed{}) }
func (h *host) Skip(a ...any)             { h.Fatal(a...) }

func newServer(w *world) (s *server, err error) {
	s = &server{w: w}
	h := &host{s: s}
	defer func() {
		if _, ours := recover().(failed); ours {
			err = h.err
		}
	}()
	s.url = pgtest.Start(h)
	conn, err := pgx.Connect(w.ctx, s.url)
	if err != nil {
		return s, err
	}
	defer func() { _ = conn.Close(w.ctx) }()
	if os.Getenv(pgtest.EnvURL) == "" {
		err = conn.QueryRow(w.ctx, "SHOW data_directory").Scan(&s.folder)
	}
	return s, err
}

func (s *server) dsn() string     { return s.url }
func (s *server) dataDir() string { return filepath.Join(s.w.dir, "blobs") }
func (s *server) shared() bool    { return true }

// trouble restarts the server as if it had crashed.
func (s *server) trouble(context.Context) {
	if s.folder == "" {
		return
	}
	opts, err := os.ReadFile(filepath.Join(s.folder, "postmaster.opts"))
	if err != nil {
		s.w.logf("the database cannot be restarted: %v", err)
		return
	}
	info, err := os.Stat(s.folder)
	if err != nil {
		s.w.logf("the database cannot be restarted: %v", err)
		return
	}
	bin, _, _ := strings.Cut(string(opts), " ")
	s.w.infra.Store(time.Now().UnixMilli())
	what := "database restarted"
	if s.w.troubled++; s.w.troubled%2 == 0 && s.murder() {
		what = "database killed"
	}
	cmd := exec.Command(filepath.Join(filepath.Dir(strings.Trim(bin, `"`)), "pg_ctl"), "-D", s.folder, "-m", "immediate", "-w", "-t", "60", "-l", filepath.Join(filepath.Dir(s.folder), "log"), "restart")
	cmd.Dir = "/"
	if st, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{Uid: st.Uid, Gid: st.Gid}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		s.w.logf("the database was not restarted: %v: %s", err, out)
	}
	s.w.infra.Store(time.Now().UnixMilli())
	s.w.strikes.add(what, 1)
}

// murder kills the server's first process with SIGKILL; the others end when they see it.
// The restart that follows waits for them.
func (s *server) murder() bool {
	b, err := os.ReadFile(filepath.Join(s.folder, "postmaster.pid"))
	if err != nil {
		return false
	}
	line, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid <= 1 || syscall.Kill(pid, syscall.SIGKILL) != nil {
		return false
	}
	for range 100 { // its shared memory is free when the last of them is gone
		time.Sleep(50 * time.Millisecond)
		if syscall.Kill(pid, 0) != nil {
			break
		}
	}
	return true
}

func (s *server) close() {
	for i := len(s.cleanup) - 1; i >= 0; i-- {
		s.cleanup[i]()
	}
}
