//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/postern-chat/postern/bench/load"
	"github.com/postern-chat/postern/bench/php"
)

const (
	providerDelay = 5 * time.Millisecond
	slowProvider  = 200 * time.Millisecond
)

// flow is a contender whose chat messages all become mails: as many are on their way as
// window says, so that what is told can go on for ever. Mails a second are counted,
// from the first webhook to the last mail, and the webhooks' own times.
func (w *world) flow(name string, t load.Target, delay time.Duration, window int64, g *gateway) *contender {
	return &contender{name: name, run: func() (sample, error) {
		if err := w.reset(delay); err != nil {
			return sample{}, err
		}
		var sent, mailed atomic.Int64
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() {
			for ctx.Err() == nil {
				mailed.Store(w.counts().messages)
				time.Sleep(5 * time.Millisecond)
			}
		}()
		away := int64(t.Kind.Away)
		until := time.Now().Add(w.opt.each)
		t := t
		t.Gate = func() bool {
			for sent.Load()-mailed.Load() >= window*away {
				if time.Now().After(until) {
					return false
				}
				time.Sleep(time.Millisecond)
			}
			sent.Add(away)
			return true
		}
		var used time.Duration
		if g != nil {
			used = g.cpu()
		}
		begun := time.Now()
		r, err := load.Closed(t, w.opt.each)
		if err != nil {
			return sample{}, err
		}
		want := int64(r.N) * away
		if err := await(ctx, want, func() int64 { return w.counts().messages }); err != nil {
			return sample{}, err
		}
		s, err := w.stats()
		if err != nil {
			return sample{}, err
		}
		if s.Messages != want {
			return sample{}, fmt.Errorf("%d messages were mailed, %d were to be", s.Messages, want)
		}
		out := sample{rate: float64(s.Messages) / s.Last.Sub(begun).Seconds(), p50: r.P50, p99: r.P99, mail50: s.P50, mail99: s.P99}
		if g != nil {
			out.cpu = (g.cpu() - used) / time.Duration(want)
		}
		return out, nil
	}}
}

// phpAt gives the address of the tutorial's way with so many children.
func (w *world) phpAt(children int) (string, error) {
	if addr := w.php[children]; addr != "" {
		return addr, nil
	}
	s, err := php.Start(w.dir, children, w.fake)
	if err != nil {
		return "", err
	}
	w.stops = append(w.stops, s.Stop)
	w.php[children] = s.Addr
	return s.Addr, nil
}

// synchronous is PHP: the answer comes when the mails are out.
func (w *world) synchronous(name string, children, away int, delay time.Duration) (*contender, error) {
	addr, err := w.phpAt(children)
	if err != nil {
		return nil, err
	}
	t := w.target(addr, away)
	t.Kind.Path = "/webhook"
	return w.flow(name, t, delay, 1<<40, nil), nil
}

// rowFlow: chat message to mail, beside PHP.
func rowFlow(ctx context.Context, w *world) ([]line, error) {
	g, err := w.start(setting{name: "flow-sqlite", delay: "0s"})
	if err != nil {
		return nil, err
	}
	var cs []*contender
	pg, pgErr := w.freshPostgres()
	var gpg *gateway
	if pgErr == nil {
		if gpg, pgErr = w.start(setting{name: "flow-postgres", database: pg, delay: "0s"}); pgErr != nil {
			return nil, pgErr
		}
	}
	var phpErr error
	for _, away := range []int{1, 3} {
		cs = append(cs, w.flow(fmt.Sprintf("SQLite %d", away), w.target(g.addr, away), providerDelay, 1000, g))
		if gpg != nil {
			cs = append(cs, w.flow(fmt.Sprintf("PostgreSQL %d", away), w.target(gpg.addr, away), providerDelay, 1000, gpg))
		}
		for _, children := range []int{5, 50} {
			c, err := w.synchronous(fmt.Sprintf("PHP-%d %d", children, away), children, away, providerDelay)
			if err != nil {
				if phpErr = err; !errors.Is(err, php.ErrNone) {
					return nil, err
				}
				continue
			}
			cs = append(cs, c)
		}
	}
	m, err := w.contest(ctx, cs...)
	if err != nil {
		return nil, err
	}
	return flowLines(m, phpErr), nil
}

func flowLines(m map[string]sample, phpErr error) (out []line) {
	for _, db := range []string{"SQLite", "PostgreSQL"} {
		for _, away := range []int{1, 3} {
			what := map[int]string{1: "one recipient", 3: "three recipients"}[away]
			ours, ok := m[fmt.Sprintf("%s %d", db, away)]
			if !ok {
				out = append(out, line{what: "chat to mail, " + what + ", " + db, ours: "not measured: " + errNoPostgres.Error()})
				continue
			}
			mails := fmt.Sprintf("%.0f mails/s, %v of processor each", ours.rate, ours.cpu.Round(time.Microsecond))
			if phpErr != nil {
				out = append(out, line{what: "chat to mail, " + what + ", " + db, ours: mails, beside: "no PHP: " + phpErr.Error()})
				continue
			}
			for _, p := range []struct {
				children int
				bar      float64
			}{{5, 8}, {50, 1.5}} {
				theirs := m[fmt.Sprintf("PHP-%d %d", p.children, away)]
				r := ours.rate / theirs.rate
				l := line{fmt.Sprintf("chat to mail, %s, %s", what, db), mails, fmt.Sprintf("PHP, %d children: %.0f mails/s", p.children, theirs.rate), fmt.Sprintf("%.2f", r), "", nil}
				// The bars are for the default database; PostgreSQL is told beside.
				met := r >= p.bar
				l.bar, l.met = fmt.Sprintf("%g", p.bar), &met
				q := float64(ours.p99) / float64(theirs.p99)
				ok := q <= 1.0/3
				out = append(out, l, line{"  the webhook's own p99", ms(ours.p99), fmt.Sprintf("PHP, %d children: %s", p.children, ms(theirs.p99)), fmt.Sprintf("%.2f", q), "0.33", &ok})
			}
		}
	}
	return out
}

// rowSlowProvider: the e-mail provider takes its time.
func rowSlowProvider(ctx context.Context, w *world) ([]line, error) {
	g, err := w.start(setting{name: "slow-provider", delay: "0s"})
	if err != nil {
		return nil, err
	}
	cs := []*contender{w.flow("postern", w.target(g.addr, 1), slowProvider, 2000, g)}
	c, phpErr := w.synchronous("PHP", 50, 1, slowProvider)
	if phpErr == nil {
		cs = append(cs, c)
	} else if !errors.Is(phpErr, php.ErrNone) {
		return nil, phpErr
	}
	m, err := w.contest(ctx, cs...)
	if err != nil {
		return nil, err
	}
	what, mails := "chat to mail, provider answers in 200 ms, 1,000 send slots, SQLite", fmt.Sprintf("%.0f mails/s", m["postern"].rate)
	if phpErr != nil {
		return []line{{what: what, ours: mails, beside: "no PHP: " + phpErr.Error()}}, nil
	}
	r := m["postern"].rate / m["PHP"].rate
	met := r >= 15
	return []line{{what, mails, fmt.Sprintf("PHP, 50 children: %.0f mails/s", m["PHP"].rate), fmt.Sprintf("%.1f", r), "15", &met}}, nil
}

// rowLatency: from the event to the provider's hearing of it, at half of what the same
// gateway carries.
func rowLatency(ctx context.Context, w *world) ([]line, error) {
	settings := []setting{{name: "SQLite", delay: "0s"}}
	if dsn, err := w.freshPostgres(); err == nil {
		settings = append(settings, setting{name: "PostgreSQL", delay: "0s", database: dsn})
	}
	var out []line
	for _, s := range settings {
		name := s.name
		s.name = "latency-" + name
		g, err := w.start(s)
		if err != nil {
			return out, err
		}
		full, err := w.contest(ctx, w.flow(name+" full", w.target(g.addr, 1), providerDelay, 1000, g))
		if err != nil {
			return out, err
		}
		half := full[name+" full"].rate / 2
		m, err := w.contest(ctx, w.timed(name+" half", w.target(g.addr, 1), half, g))
		if err != nil {
			return out, err
		}
		g.stop()
		got := m[name+" half"]
		l := line{what: fmt.Sprintf("event to provider call at %.0f/s (half load), quiet window 0, %s", half, name),
			ours: fmt.Sprintf("half of them in %s, 99 %% in %s", ms(got.mail50), ms(got.mail99))}
		if name == "SQLite" {
			met := got.mail99 < 30*time.Millisecond
			l.bar, l.met = "99 % below 30 ms", &met
		}
		out = append(out, l)
	}
	return out, nil
}

// timed is a contender in an open loop.
func (w *world) timed(name string, t load.Target, rate float64, g *gateway) *contender {
	return &contender{name: name, run: func() (sample, error) {
		if err := w.reset(providerDelay); err != nil {
			return sample{}, err
		}
		used := g.cpu()
		r, err := load.Open(t, rate, w.opt.each)
		if err != nil {
			return sample{}, err
		}
		if err := await(context.Background(), int64(r.N), func() int64 { return w.counts().messages }); err != nil {
			return sample{}, err
		}
		s, err := w.stats()
		return sample{rate: r.PerSecond(), p50: r.P50, p99: r.P99, mail50: s.P50, mail99: s.P99, cpu: (g.cpu() - used) / time.Duration(max(r.N, 1))}, err
	}}
}
