//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/postern-chat/postern/bench/load"
)

// sample is what one round of one contender gave.
type sample struct {
	rate     float64 // webhooks, mails or posts a second
	p50, p99 time.Duration
	mail99   time.Duration // p99 from the planned event to the provider's hearing of it
	mail50   time.Duration
	cpu      time.Duration // of the gateway, for each
}

// contender is somebody who is measured.
type contender struct {
	name    string
	run     func() (sample, error)
	samples []sample
}

// contest measures all in turn, round by round, and tells the medians by name.
func (w *world) contest(ctx context.Context, cs ...*contender) (map[string]sample, error) {
	for range w.opt.rounds {
		for _, c := range cs {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if !strings.Contains(c.name, w.opt.only) {
				continue
			}
			s, err := c.run()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			fmt.Fprintf(os.Stderr, "  %s: %.0f/s p50 %s p99 %s, to the provider %s %s, cpu %v\n", c.name, s.rate, ms(s.p50), ms(s.p99), ms(s.mail50), ms(s.mail99), s.cpu.Round(time.Microsecond))
			c.samples = append(c.samples, s)
		}
	}
	out := map[string]sample{}
	for _, c := range cs {
		d := func(of func(sample) time.Duration) time.Duration {
			return time.Duration(c.median(func(s sample) float64 { return float64(of(s)) }))
		}
		out[c.name] = sample{
			rate: c.median(func(s sample) float64 { return s.rate }),
			p50:  d(func(s sample) time.Duration { return s.p50 }), p99: d(func(s sample) time.Duration { return s.p99 }),
			mail50: d(func(s sample) time.Duration { return s.mail50 }), mail99: d(func(s sample) time.Duration { return s.mail99 }),
			cpu: d(func(s sample) time.Duration { return s.cpu }),
		}
	}
	return out, nil
}

func (c *contender) median(of func(sample) float64) float64 {
	var vs []float64
	for _, s := range c.samples {
		vs = append(vs, of(s))
	}
	return median(vs)
}

const hookPath = "/hooks/sendbird"

// channels that flows go to; each has a participant of its own.
const channels = 20_000

func (w *world) target(addr string, away int) load.Target {
	return load.Target{Addr: addr, IDs: &w.ids, Kind: load.Kind{Path: hookPath, Away: away, Channels: channels, People: w.people}}
}

// posts is a contender whose answers are counted, and nothing behind them.
func (w *world) posts(name string, t load.Target, g *gateway) *contender {
	return &contender{name: name, run: func() (sample, error) {
		var before time.Duration
		if g != nil {
			before = g.cpu()
		}
		r, err := load.Closed(t, w.opt.each)
		s := sample{rate: r.PerSecond(), p50: r.P50, p99: r.P99}
		if g != nil && r.N > 0 {
			s.cpu = (g.cpu() - before) / time.Duration(r.N)
		}
		return s, err
	}}
}

// rateAnd99 tells throughput, the slowest of a hundred answers, and what each cost the
// gateway's process, which depends least on who else is at work on the machine.
func rateAnd99(s sample) string {
	out := fmt.Sprintf("%.0f/s, 99 %% in %s", s.rate, ms(s.p99))
	if s.cpu > 0 {
		out += fmt.Sprintf(", %v of processor each", s.cpu.Round(time.Microsecond))
	}
	return out
}

func ratioLine(what string, ours, beside sample, besideWhat, bar string, least float64) line {
	r := ours.rate / beside.rate
	met := r >= least
	return line{what, rateAnd99(ours), besideWhat + " " + rateAnd99(beside), fmt.Sprintf("%.2f", r), bar, &met}
}

// rowNoMail: everybody is online.
func rowNoMail(ctx context.Context, w *world) ([]line, error) {
	g, err := w.start(setting{name: "nomail", delay: "0s"})
	if err != nil {
		return nil, err
	}
	a, err := w.helper("verify")
	if err != nil {
		return nil, err
	}
	m, err := w.contest(ctx, w.posts("verify", w.target(a.addr, 0), nil), w.posts("postern", w.target(g.addr, 0), g))
	if err != nil {
		return nil, err
	}
	return []line{ratioLine("webhook that needs no mail", m["postern"], m["verify"], "handler that only verifies:", "0.5, aim 0.7", 0.5)}, nil
}

// rowIntake: one member is away and his quiet window is long, so that nothing but the
// acceptance is measured.
func rowIntake(ctx context.Context, w *world) ([]line, error) {
	var cs []*contender
	add := func(name, ours, theirs string) error {
		g, err := w.start(setting{name: "intake-" + name, database: ours, delay: "1h"})
		if err != nil {
			return err
		}
		a, err := w.helper("commit", theirs)
		if err != nil {
			return err
		}
		cs = append(cs, w.posts("bare "+name, w.target(a.addr, 1), nil), w.posts("postern "+name, w.target(g.addr, 1), g))
		return nil
	}
	if err := add("SQLite", "", "sqlite:"+w.dir+"/bare.db"); err != nil {
		return nil, err
	}
	var missing error
	ours, err := w.freshPostgres()
	if err == nil {
		var theirs string
		if theirs, err = w.freshPostgres(); err == nil {
			err = add("PostgreSQL", ours, theirs)
		}
	}
	if missing = err; err != nil && !errors.Is(err, errNoPostgres) {
		return nil, err
	}
	m, err := w.contest(ctx, cs...)
	if err != nil {
		return nil, err
	}
	var out []line
	for _, db := range []string{"SQLite", "PostgreSQL"} {
		what := "webhook accepted durably, " + db
		if db == "PostgreSQL" && missing != nil {
			out = append(out, line{what: what, ours: "not measured: " + missing.Error()})
			continue
		}
		out = append(out, ratioLine(what, m["postern "+db], m["bare "+db], "bare handler that commits the same row:", "0.8", 0.8))
	}
	return out, nil
}

// slowBy is what the slowed disk's fsync takes longer.
const slowBy = 4 * time.Millisecond

// rowSlowDisk: durable intake on a disk whose fsync takes longer, beside the plain disk
// and beside the bare handler on the same slow disk.
func rowSlowDisk(ctx context.Context, w *world) ([]line, error) {
	var cs []*contender
	for _, s := range []setting{{name: "plain SQLite"}, {name: "slow SQLite", slow: slowBy}} {
		c, err := w.onDisk(s)
		if err != nil {
			return nil, err
		}
		cs = append(cs, c)
	}
	bare, err := w.helper("slowly", slowBy.String(), w.self, "commit", "sqlite:"+w.dir+"/bare-slow.db")
	if err != nil {
		return nil, err
	}
	cs = append(cs, w.posts("bare slow SQLite", w.target(bare.addr, 1), nil))
	for _, s := range []setting{{name: "plain PostgreSQL"}, {name: "slow PostgreSQL", slow: slowBy}} {
		p, err := w.startPostgres(s.name, s.slow)
		if errors.Is(err, errNoPostgres) {
			break
		}
		if err != nil {
			return nil, err
		}
		if s.database, err = p.fresh(); err != nil {
			return nil, err
		}
		if s.slow > 0 {
			dsn, err := p.fresh()
			if err != nil {
				return nil, err
			}
			if bare, err = w.helper("commit", dsn); err != nil {
				return nil, err
			}
			cs = append(cs, w.posts("bare slow PostgreSQL", w.target(bare.addr, 1), nil))
		}
		s.slow = 0 // the server has the disk
		c, err := w.onDisk(s)
		if err != nil {
			return nil, err
		}
		cs = append(cs, c)
	}
	m, err := w.contest(ctx, cs...)
	if err != nil {
		return nil, err
	}
	var out []line
	for _, db := range []string{"SQLite", "PostgreSQL"} {
		if _, ok := m["slow "+db]; !ok {
			continue
		}
		l := ratioLine("durable intake, fsync "+slowBy.String()+" slower, "+db, m["slow "+db], m["plain "+db], "plain disk:", "0.3", 0.3)
		l.beside += "; bare handler on the slow disk: " + rateAnd99(m["bare slow "+db])
		if db != "SQLite" {
			l.bar, l.met = "", nil
		}
		out = append(out, l)
	}
	return out, nil
}

func (w *world) onDisk(s setting) (*contender, error) {
	s.delay = "1h"
	g, err := w.start(s)
	if err != nil {
		return nil, err
	}
	return w.posts(s.name, w.target(g.addr, 1), g), nil
}

// rowIdle: what it costs to have the program around.
func rowIdle(_ context.Context, w *world) ([]line, error) {
	var first, ready, resident []float64
	for i := range 5 {
		s := setting{name: fmt.Sprintf("idle-%d", i), delay: "0s", people: -1}
		g, err := w.start(s)
		if err != nil {
			return nil, err
		}
		first = append(first, float64(g.ready))
		g.stop()
		if g, err = w.start(s); err != nil {
			return nil, err
		}
		ready = append(ready, float64(g.ready))
		time.Sleep(2 * time.Second) // as it is when nothing happens
		rss, err := g.memory("VmRSS")
		if err != nil {
			return nil, err
		}
		resident = append(resident, rss)
		g.stop()
	}
	mem, start := median(resident), time.Duration(median(ready))
	lean, quick := mem < 30, start < 150*time.Millisecond
	return []line{
		{"idle: resident memory", fmt.Sprintf("%.1f MB", mem), "", "", "below 30 MB", &lean},
		{"idle: start to ready", ms(start), "first start, which makes the tables: " + ms(time.Duration(median(first))), "", "below 150 ms", &quick},
	}, nil
}
