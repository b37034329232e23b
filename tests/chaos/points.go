//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stop is where the gateway is killed in an act of the story, once: before or after the
// COMMIT of a write (store/killpoints.go), or at a call or webhook (pointNames). With
// neither, the points are only written down.
type stop struct {
	act  string
	line string // of a write: its name, a tab, before or after
	nth  int    // when it is reached for that time
	call string // of a call: its name and moment
}

func (s *stop) String() string {
	if s.call != "" {
		return s.call
	}
	return fmt.Sprintf("%s (%d)", strings.ReplaceAll(s.line, "\t", " "), s.nth)
}

func (s *stop) environment(dir string) []string {
	if s == nil {
		return nil
	}
	return []string{"POSTERN_KILLPOINTS=" + dir, fmt.Sprintf("POSTERN_KILLPOINT=%s\t%d", s.line, s.nth)}
}

// diedAtPoint tells whether a process that nobody here killed was killed.
func diedAtPoint(err error) bool {
	var e *exec.ExitError
	if !errors.As(err, &e) {
		return false
	}
	st, ok := e.Sys().(syscall.WaitStatus)
	return ok && st.Signaled() && st.Signal() == syscall.SIGKILL
}

// outcome is what came of one act.
type outcome struct {
	stop   *stop
	hit    bool
	report *report
	err    error
	log    bytes.Buffer
	writes map[string]int // reached, by line
	calls  map[string]int
	took   time.Duration
}

func (o *outcome) broken() bool { return o.err != nil || o.report.broken() }

// playAct plays one act in a world of its own.
func playAct(ctx context.Context, opt options, s *stop) *outcome {
	out := &outcome{stop: s}
	began := time.Now()
	opt.stop, opt.Quiet, opt.Infra, opt.Kills, opt.Drop = s, true, false, 0, 0
	opt.Clock, opt.Upgrade, opt.Freeze, opt.Channels = false, false, false, 1
	opt.Delay, opt.Unsure = 400*time.Millisecond, unsureTime
	i := slices.IndexFunc(acts(), func(a act) bool { return a.name == s.act })
	if i < 0 {
		out.err = fmt.Errorf("there is no act %q", s.act)
		return out
	}
	a := acts()[i]
	if opt.env = a.env; a.unsure > 0 {
		opt.Unsure = a.unsure
	}
	w, err := newWorld(ctx, opt, &out.log)
	if err != nil {
		out.err = err
		return out
	}
	defer w.close()
	w.wg.Go(func() { w.watchBook(w.ctx) })
	var p *point
	if i := strings.LastIndexByte(s.call, ' '); i > 0 {
		p = &point{call: s.call[:i], moment: s.call[i+1:], after: time.Millisecond, pause: 300 * time.Millisecond, hit: make(chan struct{})}
		w.points.arm(p)
	}
	out.err = a.play(&scene{world: w, ctx: ctx, c: w.channels[0]})
	w.rest(ctx)
	out.report = w.judge(ctx)
	w.judgeSpared(out.report)
	out.writes, out.err = w.reached(out.err)
	w.calls.mu.Lock()
	out.calls = maps.Clone(w.calls.n)
	w.calls.mu.Unlock()
	out.hit = w.kills.total() > 0
	out.took = time.Since(began)
	w.keep = w.keep || out.broken()
	return out
}

// reached reads how often points of writes were reached by one process at most: whoever is
// to die counts for himself.
func (w *world) reached(before error) (map[string]int, error) {
	files, err := filepath.Glob(filepath.Join(w.dir, "reached.*"))
	if err == nil && len(files) == 0 {
		err = errors.New("no points were written down: is this a binary that has any?")
	}
	out := map[string]int{}
	for _, file := range files {
		b, failed := os.ReadFile(file)
		err = errors.Join(err, failed)
		own := map[string]int{}
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSuffix(line, "\n")
			own[line]++
			out[line] = max(out[line], own[line])
		}
	}
	return out, errors.Join(before, err)
}

// judgeSpared: nobody has what was not to reach him.
func (w *world) judgeSpared(r *report) {
	again := &report{w: w} // is in r already
	boxes := w.inboxes(again, w.takenOrder(again))
	for key := range w.books.spared {
		tok, user, _ := strings.Cut(key, " ")
		for _, box := range boxes[user] {
			if len(box.byToken[tok]) > 0 {
				r.violate("", "unwanted", tok+" was mailed to "+user+", who does not get it")
			}
		}
	}
}

// retries bound how often an act is played again that did not come by its point: some
// points it reaches only when two things meet.
const retries = 4

// nths are the times a point is reached at which it kills, as far as it is reached so often.
var nths = []int{1, 2}

// stopEverywhere plays all acts, and then each once more for each point that it reaches
// and no act before it. It tells how many were not as they should be.
func stopEverywhere(ctx context.Context, opt options, out io.Writer) (broken int, err error) {
	which, err := regexp.Compile(opt.Point)
	if err != nil {
		return 0, err
	}
	if opt.Binary == "" {
		dir, err := os.MkdirTemp("", "chaos-points-")
		if err != nil {
			return 0, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		opt.Binary = filepath.Join(dir, "postern")
		if err := buildVariant(ctx, opt.Binary, variant{kills: true, clock: opt.Clock}); err != nil {
			return 0, err
		}
	}
	var points []*stop
	seen := map[string]bool{}
	first := actsOf(opt)
	for _, o := range playAll(ctx, opt, first, out) {
		if o.broken() {
			broken++
			continue
		}
		points = append(points, pointsOf(o, seen)...)
	}
	points = slices.DeleteFunc(points, func(p *stop) bool { return !which.MatchString(p.String()) })
	if opt.List {
		for _, p := range points {
			fmt.Fprintf(out, "%-10s %s\n", p.act, p)
		}
		return broken, ctx.Err()
	}
	bad, missed := killAt(ctx, opt, points, out)
	broken += bad
	writes := 0
	for _, p := range points {
		if p.line != "" {
			writes++
		}
	}
	fmt.Fprintf(out, "%s: %d acts; killed at %d points of writes and %d of calls, not reached again %d; not as it should be %d\n",
		opt.Database, len(first), writes, len(points)-writes, missed, broken)
	return broken, ctx.Err()
}

// actsOf are the acts that are to be played.
func actsOf(opt options) (out []*stop) {
	if opt.Points != "all" {
		for name := range strings.SplitSeq(opt.Points, ",") {
			out = append(out, &stop{act: name})
		}
		return out
	}
	for _, a := range acts() {
		if opt.Clock || a.name != "clock" {
			out = append(out, &stop{act: a.name})
		}
	}
	return out
}

// killAt plays acts, each killed at a point.
func killAt(ctx context.Context, opt options, points []*stop, out io.Writer) (broken, missed int) {
	for _, o := range playAll(ctx, opt, points, out) {
		for range retries {
			if o.hit || o.broken() || ctx.Err() != nil {
				break
			}
			o = playAct(ctx, opt, o.stop)
			tell(out, o)
		}
		if o.broken() {
			broken++
		}
		if !o.hit {
			missed++
		}
	}
	return broken, missed
}

// pointsOf are those points of an act that were not seen before, or are its own, in order
// of name.
func pointsOf(o *outcome, seen map[string]bool) (out []*stop) {
	var own []string
	if i := slices.IndexFunc(acts(), func(a act) bool { return a.name == o.stop.act }); i >= 0 {
		own = acts()[i].own
	}
	for _, line := range slices.Sorted(maps.Keys(o.writes)) {
		name := ""
		if slices.ContainsFunc(own, func(prefix string) bool { return strings.HasPrefix(line, prefix) }) {
			name = o.stop.act + " "
		}
		for _, nth := range nths {
			p := &stop{act: o.stop.act, line: line, nth: nth}
			if o.writes[line] >= nth && !seen[name+p.String()] {
				seen[name+p.String()] = true
				out = append(out, p)
			}
		}
	}
	for _, name := range pointNames() {
		call := name[:strings.LastIndexByte(name, ' ')]
		if o.calls[call] > 0 && !seen[name] {
			seen[name] = true
			out = append(out, &stop{act: o.stop.act, call: name})
		}
	}
	return out
}

// playAll plays acts, some at a time, and gives their outcomes in order; each is told
// when it is there.
func playAll(ctx context.Context, opt options, stops []*stop, to io.Writer) []*outcome {
	out := make([]*outcome, len(stops))
	slots := make(chan struct{}, max(opt.Beside, 1))
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i, s := range stops {
		slots <- struct{}{}
		if ctx.Err() != nil {
			out[i] = &outcome{stop: s, err: ctx.Err()}
			<-slots
			continue
		}
		wg.Go(func() {
			defer func() { <-slots }()
			out[i] = playAct(ctx, opt, s)
			mu.Lock()
			defer mu.Unlock()
			tell(to, out[i])
		})
	}
	wg.Wait()
	return out
}

func tell(out io.Writer, o *outcome) {
	what, at := "well", o.stop.String()
	switch {
	case o.stop.call == "" && o.stop.line == "":
		at = fmt.Sprintf("as it is: %d writes by %d names, %d calls by %d", sum(o.writes), len(o.writes)/2, sum(o.calls), len(o.calls))
	case !o.hit:
		what = "not reached"
	}
	if o.broken() {
		what = "BROKEN"
	}
	fmt.Fprintf(out, "%-11s %4.0fs %-10s %s\n", what, o.took.Seconds(), o.stop.act, at)
	if !o.broken() {
		return
	}
	if o.err != nil {
		fmt.Fprintf(out, "    %v\n", o.err)
	}
	if o.report != nil {
		o.report.print(out)
	}
	_, _ = out.Write(o.log.Bytes())
}

func sum(n map[string]int) (all int) {
	for _, v := range n {
		all += v
	}
	return all
}
