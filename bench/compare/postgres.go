//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

var errNoPostgres = errors.New("no PostgreSQL here (tools/packages)")

// postgres is a server of our own: durable, and otherwise as it comes.
type postgres struct {
	cmd *exec.Cmd
	url string // of its maintenance database
	n   int
}

// startPostgres runs a server. slow is added to each of its fsyncs.
func (w *world) startPostgres(name string, slow time.Duration) (*postgres, error) {
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if p, err := exec.LookPath("postgres"); err == nil {
		bins = append(bins, p)
	}
	if len(bins) == 0 {
		return nil, errNoPostgres
	}
	bin := filepath.Dir(bins[len(bins)-1])
	dir := filepath.Join(w.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 { // which PostgreSQL refuses to be
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, errNoPostgres
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			return nil, err
		}
	}
	run := func(argv ...string) *exec.Cmd {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
		cmd.SysProcAttr = attr
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := run(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	argv := []string{filepath.Join(bin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", port, "-k", "", "-c", "max_connections=100",
		"-c", "shared_buffers=256MB", "-c", "max_wal_size=4GB", "-c", "log_min_messages=fatal"}
	if slow > 0 {
		argv = append([]string{w.self, "slowly", slow.String()}, argv...)
	}
	p := &postgres{cmd: run(argv...), url: "postgres://postgres@127.0.0.1:" + port + "/postgres?sslmode=disable"}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	w.stops = append(w.stops, func() {
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // at once; the data is thrown away
		_ = p.cmd.Wait()
	})
	for range 400 {
		if err := p.exec("SELECT 1"); err == nil {
			return p, nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	return nil, errors.New("PostgreSQL does not start")
}

func (p *postgres) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, p.url)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, sql)
	return errors.Join(err, c.Close(ctx))
}

// fresh makes an empty database.
func (p *postgres) fresh() (string, error) {
	p.n++
	name := fmt.Sprintf("bench%d", p.n)
	return strings.Replace(p.url, "/postgres?", "/"+name+"?", 1), p.exec("CREATE DATABASE " + name)
}

// freshPostgres makes an empty database on the world's server.
func (w *world) freshPostgres() (string, error) {
	if w.pg == nil {
		var err error
		if w.pg, err = w.startPostgres("postgres", 0); err != nil {
			return "", err
		}
	}
	return w.pg.fresh()
}
