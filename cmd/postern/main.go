package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // people's time zones, also where the system has none, as in an image from scratch

	"github.com/alecthomas/kong"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // it was tried and did not work
	exitUsage  = 2 // the command line or the configuration is wrong
)

func main() {
	os.Exit(mainStatus())
}

// mainStatus connects run to the process.
func mainStatus() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends us at once
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ())
}

// cli is the command line.
type cli struct {
	Config string `placeholder:"FILE" help:"Configuration file; default: $$POSTERN_CONFIG, else ${config_file} if it is there."`

	Sandbox sandboxCmd `cmd:"" help:"Run the whole conversation on this machine: chat, mailbox and gateway, no account needed."`
	Serve   serveCmd   `cmd:"" help:"Run the gateway."`
	Init    initCmd    `cmd:"" help:"Write a commented configuration with fresh secrets."`
	Setup   setupCmd   `cmd:"" help:"Show what Mailgun, Sendbird and the DNS lack, and put it right."`
	Reply   replyCmd   `cmd:"" help:"Print the new words of a reply; the raw mail is read from standard input."`
	People  peopleCmd  `cmd:"" help:"Import, list and lift people: chat users and their addresses."`
	Explain explainCmd `cmd:"" help:"Tell what happened to an event, a message or a delivery, and why."`
	Replay  replayCmd  `cmd:"" help:"List jobs that were given up; try them again, or forget them."`
	Doctor  doctorCmd  `cmd:"" help:"Find what is wrong with the set-up, and say how to mend it. Exit status: 0 in order, 1 warnings, 2 failures."`
	Version versionCmd `cmd:"" help:"Print the version."`

	SandboxGateway sandboxGatewayCmd `cmd:"" hidden:""`
}

// app is what a command gets from the world. Commands touch no process globals.
type app struct {
	ctx     context.Context // ends at SIGINT and SIGTERM
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	environ []string
	config  string // --config, "" = not given
}

// usageError is a mistake of the caller: exit status 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run is the whole program. It tells the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	a := &app{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr, environ: environ}
	call, err := parse(a, args)
	if err == nil && call != nil {
		err = call()
	}
	if err == nil {
		return exitOK
	}
	if s, ok := errors.AsType[exitStatus](err); ok {
		return int(s)
	}
	for line := range strings.Lines(err.Error()) {
		_, _ = fmt.Fprintf(stderr, "postern: %s\n", strings.TrimRight(line, "\n"))
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// parse reads the command line. No error and no call: help was asked for and printed.
func parse(a *app, args []string) (call func() error, err error) {
	var (
		c      cli
		exited bool
	)
	k, err := kong.New(&c,
		kong.Name("postern"),
		kong.Description("Gateway between Sendbird Chat and e-mail."),
		kong.Vars{"config_file": defaultConfigFile},
		kong.Writers(a.stdout, a.stderr),
		// kong ends the process after --help; here it only makes a note.
		kong.Exit(func(int) { exited = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Bind(a),
	)
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := k.Parse(args)
	switch {
	case exited:
		return nil, nil
	case err != nil:
		return nil, usagef("%w (postern --help tells more)", err)
	}
	a.config = c.Config
	return func() error { return kctx.Run() }, nil
}

// configPath tells which file holds the configuration, "" if there is none.
func (a *app) configPath() string {
	if a.config != "" {
		return a.config
	}
	if p := newEnvironment(a.environ)["POSTERN_CONFIG"]; p != "" {
		return p
	}
	if _, err := os.Stat(defaultConfigFile); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return defaultConfigFile
}

// loadConfig reads the configuration, complete enough for a command ("" = any).
func (a *app) loadConfig(command string) (*Config, error) {
	path := a.configPath()
	c, err := loadConfig(path, a.environ)
	if err != nil {
		return nil, usageError{err}
	}
	if command != "" {
		if err := c.require(command, path); err != nil {
			return nil, usageError{err}
		}
	}
	return c, nil
}
