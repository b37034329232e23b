//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The gateway is built from its own source, untouched. Where a run wants more than that,
// the compiler is given other files in place of some (go build -overlay): a machine whose
// clock can be set, or the migration of a next version.

const gatewayPackage = "github.com/postern-chat/postern/cmd/postern"

// variant says what a binary is to be beside what it is.
type variant struct {
	clock bool // its wall clock is off by what the file of clockEnv says
	next  bool // it is the next version: it has one more migration
	kills bool // it can be killed at its writes (store/killpoints.go)
}

// build builds the gateway as it is.
func build(ctx context.Context, binary string) error { return buildVariant(ctx, binary, variant{}) }

func buildVariant(ctx context.Context, binary string, v variant) error {
	args := []string{"build", "-o", binary}
	if v.kills {
		// Not inlined, functions keep their names.
		args = append(args, "-tags", "killpoints", "-gcflags=github.com/postern-chat/postern/...=-l")
	}
	if v.clock || v.next {
		dir, err := os.MkdirTemp("", "chaos-overlay-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		overlay, err := overlayOf(ctx, dir, v)
		if err != nil {
			return err
		}
		args = append(args, "-overlay", overlay)
	}
	_, err := goTool(ctx, append(args, gatewayPackage)...)
	return err
}

func goTool(ctx context.Context, args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", args[0], err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}

// overlayOf writes the files that are put in place of others, and the list of them.
func overlayOf(ctx context.Context, dir string, v variant) (string, error) {
	replace := map[string]string{}
	put := func(place, content string) error {
		name := filepath.Join(dir, fmt.Sprintf("%d-%s", len(replace), filepath.Base(place)))
		replace[place] = name
		return os.WriteFile(name, []byte(content), 0o600)
	}
	var errs []error
	if v.clock {
		root, err := goTool(ctx, "env", "GOROOT")
		if err != nil {
			return "", err
		}
		name := filepath.Join(root, "src", "time", "time.go")
		source, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		if strings.Count(string(source), clockBefore) != 1 {
			return "", errors.New("this Go's time.Now is not the one that we know how to change; run with -clock=false")
		}
		errs = append(errs, put(name, strings.Replace(string(source), clockBefore, clockAfter, 1)),
			put(filepath.Join(filepath.Dir(name), "chaos.go"), clockSource))
	}
	if v.next {
		root, err := goTool(ctx, "list", "-f", "{{.Dir}}", "github.com/postern-chat/postern/store")
		if err != nil {
			return "", err
		}
		for _, db := range []string{"sqlite", "postgres"} {
			errs = append(errs, put(filepath.Join(root, "migrations", db, "99999_next.sql"), nextMigration))
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	name := filepath.Join(dir, "overlay.json")
	return name, errors.Join(append(errs, err, os.WriteFile(name, list, 0o600))...)
}

// nextMigration is one that a next version may have: it expands, so that the version
// before goes on beside it.
const nextMigration = `-- +goose Up
CREATE TABLE next_things (id BIGINT PRIMARY KEY, note TEXT NOT NULL DEFAULT '');
ALTER TABLE lanes ADD COLUMN next_hint TEXT;
ALTER TABLE jobs ADD COLUMN next_hint TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN next_hint TEXT;
ALTER TABLE deliveries ADD COLUMN next_hint TEXT NOT NULL DEFAULT 'x';
CREATE INDEX next_deliveries ON deliveries (next_hint) WHERE next_hint <> 'x';

-- +goose Down
DROP TABLE next_things;
`

// clockEnv names the file that says by how many seconds the machine's clock is off. Only
// what a clock tells changes by it: as on a real machine, what is measured by it (Since,
// timers) goes on evenly.
const clockEnv = "CHAOS_CLOCK"

const (
	clockBefore = "	sec, nsec, mono := runtimeNow()\n	if mono == 0 {"
	clockAfter  = "	sec, nsec, mono := runtimeNow()\n	sec += chaosOff.Load()\n	if mono == 0 {"
	// Time is told in the scheduler too, where nothing may be read: a goroutine reads.
	clockSource = `package time

import (
	"sync/atomic"
	"syscall"
)

var chaosOff atomic.Int64

func init() {
	name, _ := syscall.Getenv("` + clockEnv + `")
	if name == "" {
		return
	}
	chaosRead(name)
	go func() {
		for {
			Sleep(20 * Millisecond)
			chaosRead(name)
		}
	}()
}

func chaosRead(name string) {
	fd, err := open(name)
	if err != nil {
		return
	}
	var b [24]byte
	n, _ := read(fd, b[:])
	closefd(fd)
	if v, err := atoi(string(b[:max(n, 0)])); err == nil {
		chaosOff.Store(int64(v))
	}
}
`
)
