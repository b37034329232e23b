//go:build unix

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options say what is run.
type options struct {
	Seed     int64
	Kills    int           // at least this many, half of them at named points
	Database string        // sqlite, postgres, or the URL of a PostgreSQL database
	Replicas int           // on PostgreSQL
	For      time.Duration // load lasts at least this long
	Rate     float64       // chat messages a second
	Delay    time.Duration // notify.delay
	Unsure   time.Duration // mailgun.unsure_after
	Channels int
	Quiet    bool    // no faults, kills alone
	Infra    bool    // full disk, restarted database
	Freeze   bool    // stop processes for longer than a lease lasts
	Clock    bool    // set the machines' clocks; with replicas, one is off by minutes all the time
	Upgrade  bool    // go over to a next version and back, one process after the other
	Resend   bool    // have the chat repeat webhooks that it gave up, as an operator would
	Drop     float64 // of 1, so many chat messages' webhooks are never sent
	Slow     bool    // also faults that take a minute or more to get over
	Point    string  // only this kill point, such as "send unanswered"
	Keep     string  // where to leave logs and database; "" = a folder that is removed after success
	Binary   string  // of the gateway; "" = built here
	Next     string  // of its next version; "" = built here
	Build    string  // only build both, into this folder
	Points   string  // play the acts of a story, once for each point of them: see points.go
	Beside   int     // so many stories at a time
	List     bool    // with Points: kill nobody
	stop     *stop   // of a story: where it is interrupted
	env      []string
}

func main() {
	var o options
	o.flags()
	flag.Parse()
	// The gateways run in folders of their own.
	for _, file := range []*string{&o.Binary, &o.Next, &o.Build} {
		if abs, err := filepath.Abs(*file); err == nil && *file != "" {
			*file = abs
		}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if o.Build != "" {
		if err := buildBoth(ctx, o); err != nil {
			fmt.Fprintln(os.Stderr, "chaos:", err)
			os.Exit(2)
		}
		return
	}
	if o.Points != "" {
		broken, err := stopEverywhere(ctx, o, os.Stdout)
		cancel()
		if err != nil {
			fmt.Fprintln(os.Stderr, "chaos:", err)
			os.Exit(2)
		}
		if broken > 0 {
			os.Exit(1)
		}
		return
	}
	r, err := run(ctx, o, os.Stderr)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(2)
	}
	r.print(os.Stdout)
	if r.broken() {
		os.Exit(1)
	}
}

// flags are those of the command line.
func (o *options) flags() {
	flag.Int64Var(&o.Seed, "seed", 1, "repeats what is put in, the faults and the kills")
	flag.IntVar(&o.Kills, "kills", 20, "kill -9 so often")
	flag.StringVar(&o.Database, "database", "sqlite", "sqlite, postgres (a throw-away server) or postgres://...")
	flag.IntVar(&o.Replicas, "replicas", 0, "processes on PostgreSQL; 0 = 2")
	flag.DurationVar(&o.For, "for", time.Minute, "how long messages are put in")
	flag.Float64Var(&o.Rate, "rate", 4, "chat messages put in per second")
	flag.DurationVar(&o.Delay, "delay", 300*time.Millisecond, "the gateway's notify.delay")
	flag.DurationVar(&o.Unsure, "unsure", 6*time.Second, "the gateway's mailgun.unsure_after")
	flag.IntVar(&o.Channels, "channels", 6, "conversations")
	flag.BoolVar(&o.Quiet, "quiet", false, "no faults")
	flag.BoolVar(&o.Infra, "infra", true, "fill the disk, restart the database")
	flag.BoolVar(&o.Freeze, "freeze", false, "with replicas: stop processes for longer than their leases last, and let them go on; wants -unsure 30s")
	flag.BoolVar(&o.Clock, "clock", true, "set the machines' clocks by hours and back (a binary of -binary must know how)")
	flag.BoolVar(&o.Upgrade, "upgrade", false, "go over to a next version with one more migration, one process after the other, and back")
	flag.BoolVar(&o.Resend, "resend", false, "have the chat repeat webhooks that it gave up or dropped")
	flag.Float64Var(&o.Drop, "drop", 0.03, "of 1, so many chat messages' webhooks are never sent")
	flag.BoolVar(&o.Slow, "slow", true, "also faults that take a minute or more to get over, such as calls that hang")
	flag.StringVar(&o.Point, "point", "", "kill at this point only, such as \"send unanswered\"; with -points, at those that this regular expression matches")
	flag.StringVar(&o.Keep, "keep", "", "leave logs and data in this folder")
	flag.StringVar(&o.Binary, "binary", "", "the gateway; default: go build ./cmd/postern")
	flag.StringVar(&o.Next, "next", "", "the gateway's next version; default: the same with one more migration")
	flag.StringVar(&o.Build, "build", "", "only build the gateway and its next version into this folder, as postern and postern-next, for -binary and -next")
	flag.StringVar(&o.Points, "points", "", "instead of all that: play a story, and then play each act of it again for each write and call in it, killed just before and just after; all, or the names of acts, comma separated")
	flag.BoolVar(&o.List, "list", false, "with -points: play the acts as they are, and kill nobody")
	flag.IntVar(&o.Beside, "beside", 6, "with -points: play so many acts at a time")
}

func buildBoth(ctx context.Context, o options) error {
	err := buildVariant(ctx, filepath.Join(o.Build, "postern"), variant{clock: o.Clock})
	if err != nil {
		return err
	}
	return buildVariant(ctx, filepath.Join(o.Build, "postern-next"), variant{clock: o.Clock, next: true})
}

// run does everything and tells what came of it; progress is written to log.
func run(ctx context.Context, o options, log io.Writer) (*report, error) {
	w, err := newWorld(ctx, o, log)
	if err != nil {
		return nil, err
	}
	defer w.close()
	began := time.Now()
	if err := w.play(ctx); err != nil {
		return nil, err
	}
	r := w.judge(ctx)
	r.took = time.Since(began)
	w.keep = w.keep || r.broken()
	return r, nil
}

// play puts everything in, spoils and kills, and waits for rest.
func (w *world) play(ctx context.Context) error {
	spoil, endSpoil := context.WithCancel(ctx)
	defer endSpoil()
	load, endLoad := context.WithCancel(ctx)
	defer endLoad()
	w.wg.Go(func() { w.watchBook(w.ctx) })
	w.wg.Go(func() { w.readMail(w.ctx) })
	loaded := make(chan error, 1)
	go func() { loaded <- w.load(load) }()
	if !w.opt.Quiet {
		w.wg.Go(func() { w.spoil(spoil) })
	}
	if w.opt.Upgrade {
		w.wg.Go(func() { w.upgrade(spoil) })
	}
	killed := make(chan struct{})
	go func() { defer close(killed); w.killAll(spoil) }()
	select {
	case <-ctx.Done():
	case <-time.After(w.opt.For):
	}
	select {
	case <-ctx.Done():
	case <-killed:
	}
	endLoad()
	err := <-loaded
	endSpoil()
	<-killed
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	w.logf("everything is put in: %d messages, %d kills; waiting for rest", w.sent.Load(), w.kills.total())
	w.rest(ctx)
	return nil
}
