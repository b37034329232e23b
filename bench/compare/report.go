//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/postern-chat/postern/bench/load"
)

const (
	beginMark = "<!-- Made by \"make bench\"; do not edit from here -->"
	endMark   = "<!-- to here -->"
)

// machine is what the figures were taken on.
type machine struct {
	cpu, kernel, commit, date string
	cores                     int
	ram                       float64 // GB
	fsync, slow               string
	before, after             string // load averages
	opt                       options
}

func describe(w *world) (*machine, error) {
	m := &machine{cores: runtime.NumCPU(), before: loadAverage(), date: time.Now().UTC().Format("2006-01-02 15:04 UTC"), opt: w.opt, cpu: "unknown", kernel: "unknown"}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "model name") {
				_, name, _ := strings.Cut(line, ":")
				m.cpu = strings.TrimSpace(name)
				break
			}
		}
	}
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kb float64
		_, _ = fmt.Sscanf(string(b), "MemTotal: %f kB", &kb)
		m.ram = kb * 1024 / 1e9
	}
	if out, err := exec.Command("uname", "-sr").Output(); err == nil {
		m.kernel = strings.TrimSpace(string(out))
	}
	if out, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
		m.commit = strings.TrimSpace(string(out))
	}
	p50, p99, err := probe(w.dir)
	if err != nil {
		return m, err
	}
	m.fsync = fmt.Sprintf("%s (99 %%: %s)", ms(p50), ms(p99))
	if out, err := exec.Command(w.self, "slowly", slowBy.String(), w.self, "probe", w.dir).Output(); err == nil {
		m.slow = strings.TrimSpace(string(out))
	}
	return m, nil
}

func (m *machine) lines() []string {
	out := []string{
		fmt.Sprintf("Taken %s at commit %s, by `make bench` with %d rounds of %v.", m.date, m.commit, m.opt.rounds, m.opt.each),
		fmt.Sprintf("Machine: %d cores (%s), %.0f GB of memory, %s, Go %s. Load generator, fake services, database and gateway share it.", m.cores, m.cpu, m.ram, m.kernel, strings.TrimPrefix(runtime.Version(), "go")),
		fmt.Sprintf("Disk: a write of 4 kB with fsync takes %s; on the slowed disk %s.", m.fsync, m.slow),
	}
	load := "Load average (1, 5, 15 minutes) before: " + m.before
	if m.after != "" {
		load += "; after: " + m.after
	}
	return append(out, load+".")
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}

// probe tells how long an appended 4 kB and its fsync take.
func probe(dir string) (p50, p99 time.Duration, err error) {
	f, err := os.CreateTemp(dir, "probe-")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	var times []time.Duration
	for range 200 {
		begun := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return 0, 0, err
		}
		if err := syscall.Fsync(int(f.Fd())); err != nil {
			return 0, 0, err
		}
		times = append(times, time.Since(begun))
	}
	p50, p99 = load.Quantiles(times)
	return p50, p99, nil
}

func printProbe(dir string) error {
	p50, p99, err := probe(dir)
	fmt.Printf("%s (99 %%: %s)\n", ms(p50), ms(p99))
	return err
}

func ms(d time.Duration) string {
	switch v := float64(d) / float64(time.Millisecond); {
	case v < 10:
		return fmt.Sprintf("%.2f ms", v)
	case v < 100:
		return fmt.Sprintf("%.1f ms", v)
	default:
		return fmt.Sprintf("%.0f ms", v)
	}
}

func (l line) cells() []string {
	met := ""
	if l.met != nil {
		met = map[bool]string{true: "yes", false: "**no**"}[*l.met]
	}
	return []string{l.what, l.ours, l.beside, l.ratio, l.bar, met}
}

func (l line) text() string { return strings.Join(l.cells(), " | ") }

// writeTable puts the table between the marks of the document.
func writeTable(opt options, m *machine, table []line) error {
	doc, err := os.ReadFile(opt.out)
	if err != nil {
		return err
	}
	begin, end := bytes.Index(doc, []byte(beginMark)), bytes.Index(doc, []byte(endMark))
	if begin < 0 || end < begin {
		return fmt.Errorf("%s has not the marks between which the table goes", opt.out)
	}
	var b bytes.Buffer
	b.Write(doc[:begin])
	b.WriteString(beginMark + "\n\n")
	for _, l := range m.lines() {
		b.WriteString("- " + l + "\n")
	}
	b.WriteString("\n| what | Postern | beside it | ratio | bar | met |\n|---|---|---|---|---|---|\n")
	for _, l := range table {
		b.WriteString("| " + strings.Join(l.cells(), " | ") + " |\n")
	}
	b.WriteString("\n")
	b.Write(doc[end:])
	name := opt.out + ".new"
	if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(name, filepath.Clean(opt.out))
}

func median(vs []float64) float64 {
	if len(vs) == 0 {
		return 0
	}
	vs = slices.Sorted(slices.Values(vs))
	return (vs[(len(vs)-1)/2] + vs[len(vs)/2]) / 2
}
