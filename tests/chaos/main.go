//go:build unix

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
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
	Quiet    bool   // no faults, kills alone
	Infra    bool   // full disk, restarted database
	Freeze   bool   // stop processes for longer than a lease lasts
	Point    string // only this kill point, such as "send unanswered"
	Keep     string // where to leave logs and database; "" = a folder that is removed after success
	Binary   string // of the gateway; "" = built here
}

func main() {
	var o options
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
	flag.StringVar(&o.Point, "point", "", "kill at this point only, such as \"send unanswered\"")
	flag.StringVar(&o.Keep, "keep", "", "leave logs and data in this folder")
	flag.StringVar(&o.Binary, "binary", "", "the gateway; default: go build ./cmd/postern")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
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
