//go:build killpoints

package store

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// This build is for tests/chaos. It has points.go's place.
//
// POSTERN_KILLPOINTS names a folder. Each point that is reached is a line of the process's
// file "reached.PID": the write's name, a tab, and before or after. POSTERN_KILLPOINT, such a
// line with a tab and a number behind it, is the point that kills the process when it is
// reached for that time; only the first process that makes the file "killed" dies.
const (
	pointsFolder = "POSTERN_KILLPOINTS"
	pointToKill  = "POSTERN_KILLPOINT"
)

// A write's name is that of the function that was handed to Do, Work or Finish, without
// the module's path; where that is one of the store's own, with those who called it.
// Arrivals are named by their source.
type origin struct{ callers []string }

// begin looks at who is calling.
func (o *origin) begin() {
	var pcs [24]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if name := ours(f.Function); name != "" && !passing[name] {
			o.callers = append(o.callers, name)
		}
		if !more {
			return
		}
	}
}

// passing are those through whom every write goes.
var passing = map[string]bool{
	"store.(*writer).submit": true, "store.(*writer).do": true, "store.(*Store).Do": true, "store.(*Store).Work": true,
	"store.(*Store).Finish": true, "store.byKey[...]": true,
}

// ours is a function's name without the module's path; "" if it is not of this module.
func ours(function string) string {
	name, found := strings.CutPrefix(function, "github.com/postern-chat/postern/")
	if !found {
		return ""
	}
	return name
}

func (o *op) name() string {
	switch {
	case o.arrival != nil:
		return "arrival " + o.arrival.Source
	case o.fn == nil:
		return "store.(*Store).Finish"
	}
	name := ours(runtime.FuncForPC(reflect.ValueOf(o.fn).Pointer()).Name())
	if !strings.HasPrefix(name, "store.") {
		return name
	}
	by := o.callers
	if len(by) > 0 && strings.HasPrefix(name, by[0]+".") { // it is made there
		by = by[1:]
	}
	return strings.Join(append([]string{name}, by[:min(len(by), 2)]...), " < ")
}

// points are what this process does at points.
type points struct {
	mu    sync.Mutex
	log   *os.File
	kill  string // name, tab, moment
	nth   int
	seen  map[string]int
	mark  string // the file that says that somebody died
	fails error
}

var thePoints = sync.OnceValue(func() *points {
	dir := os.Getenv(pointsFolder)
	if dir == "" {
		return nil
	}
	p := &points{seen: map[string]int{}, mark: filepath.Join(dir, "killed")}
	p.log, p.fails = os.OpenFile(filepath.Join(dir, fmt.Sprint("reached.", os.Getpid())), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	kill := os.Getenv(pointToKill)
	if i := strings.LastIndexByte(kill, '\t'); i > 0 {
		p.kill = kill[:i]
		p.nth, _ = strconv.Atoi(kill[i+1:]) // 0 kills nobody
	}
	return p
})

// point is called before and after each COMMIT with what is in it.
func (w *writer) point(group []*op, moment string) {
	p := thePoints()
	if p == nil {
		return
	}
	if p.fails != nil {
		panic(p.fails)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range group {
		if o.err != nil {
			continue // it failed alone, and is not in it
		}
		line := o.name() + "\t" + moment
		fmt.Fprintln(p.log, line)
		if p.seen[line]++; line == p.kill && p.seen[line] == p.nth {
			p.die()
		}
	}
}

// die kills this process, unless another died before.
func (p *points) die() {
	f, err := os.OpenFile(p.mark, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_ = f.Close()
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
