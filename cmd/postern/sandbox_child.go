package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"
)

// child runs the sandbox's gateway as a process of its own, so that it can be killed in
// earnest, and starts it again afterwards.
type child struct {
	url     string
	environ []string
	stderr  io.Writer
	ready   chan struct{} // closed when it answers for the first time

	mu     sync.Mutex
	child  *exec.Cmd
	killed bool
}

const (
	// downFor is how long a killed gateway stays away: less than Sendbird's tries last,
	// long enough to write something meanwhile.
	downFor = 2 * time.Second
	// startsWithin is how long it may take until it answers, stopsWithin how long until it
	// has finished what runs.
	startsWithin = 30 * time.Second
	stopsWithin  = 15 * time.Second
)

func newChild(addr string, environ []string, stderr io.Writer) *child {
	return &child{url: "http://" + addr, environ: environ, stderr: stderr, ready: make(chan struct{})}
}

// run keeps the gateway running until ctx ends. It fails if the gateway ends by itself.
func (k *child) run(ctx context.Context) error {
	for first := true; ; first = false {
		err := k.once(ctx, first)
		if err != nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(downFor):
		}
	}
}

// once runs it once. No error: it was killed, or asked to stop.
func (k *child) once(ctx context.Context, first bool) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	child := &exec.Cmd{Path: exe, Args: []string{"postern", "sandbox-gateway"}, Env: k.environ, Stderr: k.stderr, WaitDelay: time.Second}
	lead, err := child.StdinPipe() // it ends when this does, also if we are killed
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return fmt.Errorf("the gateway cannot be started: %w", err)
	}
	k.mu.Lock()
	k.child, k.killed = child, false
	k.mu.Unlock()
	exited := make(chan error, 1)
	go func() { exited <- child.Wait() }()
	if first {
		err = k.awaitReady(ctx, exited)
	}
	if err == nil {
		select {
		case err = <-exited:
			return k.verdict(ctx, err)
		case <-ctx.Done():
		}
	}
	_ = lead.Close() // closed already if it has exited
	select {
	case <-exited:
	case <-time.After(stopsWithin):
		_ = child.Process.Kill()
		<-exited
	}
	return err
}

// verdict says whether an end of the gateway is one that somebody wanted.
func (k *child) verdict(ctx context.Context, err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.killed || ctx.Err() != nil { // Ctrl-C reaches it as well as us
		return nil
	}
	if err == nil {
		err = errors.New("status 0")
	}
	return fmt.Errorf("the gateway ended by itself: %w", err)
}

// awaitReady returns when the gateway answers. If it exits before, that is put back.
func (k *child) awaitReady(ctx context.Context, exited chan error) error {
	ctx, cancel := context.WithTimeout(ctx, startsWithin)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url+"/readyz", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				close(k.ready)
				return nil
			}
		}
		select {
		case err := <-exited:
			exited <- err
			return nil
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("the gateway does not answer at %s", k.url)
			}
			return nil
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// kill is kill -9. The gateway is started again after a while.
func (k *child) kill() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.child == nil || k.killed {
		return errors.New("the gateway is down already")
	}
	k.killed = true
	return k.child.Process.Kill()
}

// sandboxGatewayCmd is the gateway that the sandbox keeps: serve, configured by the
// environment alone, until its standard input ends.
type sandboxGatewayCmd struct{}

// Run is what `postern serve` is.
func (sandboxGatewayCmd) Run(a *app) error {
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, a.stdin)
		cancel()
	}()
	cfg, err := loadConfig("", a.environ)
	if err != nil {
		return usageError{err}
	}
	return serve(ctx, a, cfg)
}
