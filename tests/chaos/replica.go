//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// replica is one process of the gateway. It is started again whenever it ends.
type replica struct {
	w      *world
	n      int
	url    string
	listen string
	binary string

	mu      sync.Mutex
	cmd     *exec.Cmd
	exited  chan struct{} // closed when cmd has ended
	killed  bool          // by us
	leaving bool          // we asked it to end
	stopped bool          // for good
	since   time.Time
}

func newReplica(w *world, n int, binary string) (*replica, error) {
	ln, err := listenApart()
	if err != nil {
		return nil, err
	}
	addr := ln.Addr().String()
	return &replica{w: w, n: n, listen: addr, url: "http://" + addr, binary: binary}, ln.Close()
}

// listenApart takes a port that no connection of anybody's gets by chance while the
// process is away: they get those from 32768 on.
func listenApart() (ln net.Listener, err error) {
	for range 100 {
		if ln, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 12_000+rand.IntN(20_000))); err == nil {
			break
		}
	}
	return ln, err
}

func (r *replica) environment() []string {
	w := r.w
	prefix := fmt.Sprintf("/r%d", r.n)
	secret := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("chaos!"), 6))
	return append(slices.Concat(os.Environ(), w.opt.stop.environment(w.dir), w.opt.env),
		"POSTERN_LISTEN="+r.listen, "POSTERN_PUBLIC_URL="+w.front.url, "POSTERN_DATABASE="+w.database.dsn(),
		"POSTERN_DATA_DIR="+w.database.dataDir(), "POSTERN_SECRET="+secret, "POSTERN_ADMIN_TOKEN="+adminToken,
		"POSTERN_SENDBIRD_APP_ID="+w.chat.AppID(), "POSTERN_SENDBIRD_API_URL="+w.chatURL+prefix+"/v3", "POSTERN_SENDBIRD_API_TOKEN="+w.chat.MasterToken(),
		"POSTERN_MAILGUN_DOMAIN="+domain, "POSTERN_MAILGUN_API_URL="+w.mailURL+prefix, "POSTERN_MAILGUN_SENDING_KEY=key-sending",
		"POSTERN_MAILGUN_ACCOUNT_KEY=key-account", "POSTERN_MAILGUN_SIGNING_KEYS=key-signing", "POSTERN_MAILGUN_UNSURE_AFTER="+w.opt.Unsure.String(),
		"POSTERN_NOTIFY_DELAY="+w.opt.Delay.String(), "POSTERN_RECEIPTS_HUMAN_AFTER=0s", "POSTERN_LOG_LEVEL=info", "GOMAXPROCS=2",
		"POSTERN_RECONCILE_EVERY=2s", "POSTERN_RECONCILE_PER_MINUTE=3000", clockEnv+"="+w.clocks.file(r.n))
}

func (r *replica) logFile() string { return filepath.Join(r.w.dir, fmt.Sprintf("postern-%d.log", r.n)) }

// start starts the process; whoever watches it starts it again.
func (r *replica) start() error {
	log, err := os.OpenFile(r.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil
	}
	cmd := exec.Command(r.binary, "serve") // whichever version it is by now
	cmd.Env, cmd.Stderr, cmd.Stdout, cmd.Dir = r.environment(), log, log, r.w.dir
	if err := cmd.Start(); err != nil {
		return err
	}
	r.cmd, r.exited, r.killed, r.since = cmd, make(chan struct{}), false, time.Now()
	go r.watch(cmd, r.exited)
	return nil
}

// watch waits for the end of a process that was not killed, and starts another.
func (r *replica) watch(cmd *exec.Cmd, exited chan struct{}) {
	err := cmd.Wait()
	r.mu.Lock()
	own := !r.killed && !r.stopped
	asked := r.leaving && err == nil
	r.cmd, r.leaving = nil, false
	r.mu.Unlock()
	close(exited)
	if !own {
		return
	}
	if diedAtPoint(err) && r.w.opt.stop != nil {
		r.w.kills.add(r.w.opt.stop.String(), 1)
		r.again(300 * time.Millisecond)
		return
	}
	if asked {
		r.again(0)
		return
	}
	why := "ended by itself"
	if time.Since(time.UnixMilli(r.w.infra.Load())) < infraTail {
		why = "ended by itself without its database or disk"
	}
	r.w.strikes.add(why, 1)
	r.w.logf("replica %d %s: %v", r.n, why, err)
	r.again(300 * time.Millisecond)
}

// infraTail is how long after a database came back a process may still end for it.
const infraTail = 20 * time.Second

// again starts the process after a pause.
func (r *replica) again(pause time.Duration) {
	select {
	case <-time.After(pause):
	case <-r.w.ctx.Done():
		return
	}
	if err := r.start(); err != nil {
		r.w.logf("replica %d cannot be started: %v", r.n, err)
	}
}

// frozen is longer than a lease: its lanes are another's when the process goes on.
const frozen = 13 * time.Second

// freeze stops the process for a while, unless it is killed meanwhile.
func (r *replica) freeze(ctx context.Context) {
	r.mu.Lock()
	cmd := r.cmd
	if cmd != nil && !r.killed {
		_ = cmd.Process.Signal(syscall.SIGSTOP) // if it ended just now, so be it
		r.w.strikes.add("frozen", 1)
	}
	r.mu.Unlock()
	sleep(ctx, frozen)
	r.mu.Lock()
	defer r.mu.Unlock()
	if cmd != nil && r.cmd == cmd {
		_ = cmd.Process.Signal(syscall.SIGCONT)
	}
}

func (r *replica) up() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cmd != nil && !r.killed
}

// kill ends the process with SIGKILL and waits until it is gone; it comes back after
// the pause. False if there was none.
func (r *replica) kill(pause time.Duration) bool {
	r.mu.Lock()
	if r.cmd == nil || r.killed {
		r.mu.Unlock()
		return false
	}
	r.killed = true
	_ = r.cmd.Process.Kill() // if it ended just now, so be it
	exited := r.exited
	r.mu.Unlock()
	<-exited
	r.w.wg.Go(func() { r.again(pause) })
	return true
}

// stop ends the process for good.
func (r *replica) stop() {
	r.mu.Lock()
	r.stopped = true
	exited := r.exited
	if r.cmd != nil {
		_ = r.cmd.Process.Kill()
	}
	r.mu.Unlock()
	if exited != nil {
		<-exited
	}
}

// ready waits until the process can take work.
func (r *replica) ready(ctx context.Context, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/readyz", nil)
		if err != nil {
			return err
		}
		if err = r.w.exchange(req, nil); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("replica %d does not become ready: %w; see %s", r.n, err, r.logFile())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// replace asks the process to end, as whoever upgrades does, and starts another binary.
func (r *replica) replace(ctx context.Context, binary, what string) {
	r.mu.Lock()
	r.binary = binary
	cmd, exited := r.cmd, r.exited
	if cmd == nil || r.killed { // it comes back with the new one
		r.mu.Unlock()
		r.w.strikes.add(what, 1)
		return
	}
	r.leaving = true
	_ = cmd.Process.Signal(syscall.SIGTERM) // if it ended just now, so be it
	r.mu.Unlock()
	select {
	case <-exited:
	case <-ctx.Done():
	case <-time.After(leaves):
		r.w.strikes.add("did not end when asked to", 1)
		_ = cmd.Process.Kill()
	}
	r.w.strikes.add(what, 1)
}

// leaves is how long a process may take to end when it is asked to.
const leaves = 40 * time.Second
