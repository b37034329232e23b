//go:build unix

// Command compare measures the gateway beside anchors, in one run, and writes the table
// of docs/performance.md. The gateway is the real binary in a process of its own; the
// chat platform and the e-mail provider are one small fake process; all share the
// machine. Rounds are interleaved and medians are told.
//
//	go run ./bench/compare -binary bin/postern [-rows intake,flow] [-out docs/performance.md]
//
// Without -out nothing is written. It also is its own helpers: the fake services, the
// anchors, and the slow disk are this program with other arguments.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern/bench/slowsync"
)

type options struct {
	binary, dir, rows, only, out, corpus, generate, grown, log string
	rounds                                                     int
	each                                                       time.Duration
	messages, conversations                                    int
}

func main() {
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func start() error {
	if len(os.Args) > 1 {
		switch args := os.Args[1:]; args[0] {
		case "fake", "verify", "commit":
			return serveHelper(args)
		case "slowly":
			delay, err := time.ParseDuration(args[1])
			if err != nil {
				return err
			}
			return slowsync.Exec(delay, []string{"supervise"}, args[2:])
		case "supervise":
			signal.Ignore(os.Interrupt)
			return slowsync.Supervise(context.Background(), args[1])
		case "probe":
			return printProbe(args[1])
		}
	}
	var opt options
	flag.StringVar(&opt.binary, "binary", "bin/postern", "the gateway, as it is shipped")
	flag.StringVar(&opt.dir, "dir", "", "where databases are made and thrown away; \"\" = the folder for temporary files")
	flag.StringVar(&opt.rows, "rows", "", "comma separated names of rows; \"\" = all: "+strings.Join(rowNames(), ","))
	flag.StringVar(&opt.only, "only", "", "only contenders whose names contain this, for profiles: ratios mean nothing then, and no table is written")
	flag.StringVar(&opt.out, "out", "", "the document whose table is rewritten")
	flag.StringVar(&opt.corpus, "corpus", "../shared/corpus/replies", "real replies; rows that need them are left out where they are absent")
	flag.StringVar(&opt.generate, "generate", "", "only fill this database (sqlite:FILE or postgres://...) with -messages and -conversations")
	flag.StringVar(&opt.grown, "grown", "", "a database that -generate filled with -messages and -conversations, for the growth row; it is written to")
	flag.StringVar(&opt.log, "log", "error", "what the gateway logs")
	flag.IntVar(&opt.rounds, "rounds", 3, "interleaved rounds")
	flag.DurationVar(&opt.each, "each", 3*time.Second, "of one contender in one round")
	flag.IntVar(&opt.messages, "messages", 200_000, "messages in the store of the growth row")
	flag.IntVar(&opt.conversations, "conversations", 20_000, "conversations in it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	if opt.generate != "" {
		return generate(ctx, opt)
	}
	return compare(ctx, opt)
}

// rows of the table, in its order.
func allRows() []rowMaker {
	return []rowMaker{
		{"nomail", rowNoMail},
		{"intake", rowIntake},
		{"flow", rowFlow},
		{"latency", rowLatency},
		{"size", rowSize},
		{"inbound", rowInbound},
		{"memory", rowMemory},
		{"growth", rowGrowth},
		{"slowprovider", rowSlowProvider},
		{"slowdisk", rowSlowDisk},
		{"idle", rowIdle},
	}
}

type rowMaker struct {
	name string
	make func(context.Context, *world) ([]line, error)
}

func rowNames() (names []string) {
	for _, r := range allRows() {
		names = append(names, r.name)
	}
	return names
}

// line is one line of the table.
type line struct {
	what, ours, beside, ratio, bar string
	met                            *bool // nil: nothing to meet, or not measured
}

func compare(ctx context.Context, opt options) error {
	wanted := strings.Split(opt.rows, ",")
	for _, name := range wanted {
		if opt.rows != "" && !slices.Contains(rowNames(), name) {
			return fmt.Errorf("no row %q; there are %s", name, strings.Join(rowNames(), ", "))
		}
	}
	w, err := newWorld(opt)
	if err != nil {
		return err
	}
	defer w.close()
	m, err := describe(w)
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(m.lines(), "\n"))
	var table []line
	for _, r := range allRows() {
		if opt.rows != "" && !slices.Contains(wanted, r.name) {
			continue
		}
		begun := time.Now()
		lines, err := r.make(ctx, w)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			lines = append(lines, line{what: r.name, ours: "not measured: " + err.Error()})
		}
		for _, l := range lines {
			fmt.Println(l.text())
		}
		fmt.Fprintf(os.Stderr, "%s took %v, load %s\n", r.name, time.Since(begun).Round(time.Second), loadAverage())
		table = append(table, lines...)
		w.stopAll()
	}
	m.after = loadAverage()
	if opt.out == "" || opt.only != "" {
		return nil
	}
	return writeTable(opt, m, table)
}
