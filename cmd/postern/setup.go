package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern/setup"
	"golang.org/x/term"
)

type setupCmd struct {
	Plan    bool          `help:"Only show what would be done; with --undo, what would be taken back."`
	Yes     bool          `short:"y" help:"Carry it out without asking."`
	JSON    bool          `name:"json" help:"Print one line of JSON instead of text."`
	Undo    bool          `help:"Take back what earlier runs changed, as far as it still is as they left it."`
	Only    []string      `placeholder:"PART,..." help:"Only these of mailgun, dns, sendbird."`
	Replace bool          `help:"Take the place of another receiver of Sendbird's webhooks, and of a Postern under an older address."`
	Wait    time.Duration `default:"15m" help:"How long to wait for the name servers, and for Mailgun to be content with them."`
}

// setupParts are the parts of a set-up by the names of --only.
var setupParts = [...]string{"mailgun", "dns", "sendbird"}

func (cmd *setupCmd) wants(part string) bool {
	return len(cmd.Only) == 0 || slices.Contains(cmd.Only, part)
}

// Run compares the world outside with what the gateway needs, and mends it.
func (cmd *setupCmd) Run(a *app) error {
	cfg, err := cmd.config(a)
	if err != nil {
		return err
	}
	talk, rec := cmd.talk(a)
	rc := setup.Config{Talk: talk, Wait: cmd.Wait}
	if err := cmd.parts(cfg, &rc); err != nil {
		return usageError{err}
	}
	if !cmd.Plan || cmd.Undo {
		j, err := setup.OpenJournal(setup.JournalPath(cfg.DataDir), nil)
		if err != nil {
			return fmt.Errorf("the snapshot in data_dir (POSTERN_DATA_DIR) %s cannot be used: %w", cfg.DataDir, err)
		}
		defer func() { _ = j.Close() }() // every line is on the disk already
		rc.Journal = j
	}
	r, err := setup.New(rc)
	if err != nil {
		return err
	}
	if cmd.Plan {
		return cmd.onlyPlan(a, r, talk, rec)
	}
	carry := r.Run
	if cmd.Undo {
		carry = r.Undo
	}
	o, err := carry(a.ctx)
	if rec != nil {
		if e := rec.Write(a.stdout, o); e != nil && err == nil {
			err = e
		}
	}
	return cmd.conclude(a, o, err)
}

// config reads the configuration, complete enough for the parts that are wanted.
func (cmd *setupCmd) config(a *app) (*Config, error) {
	for _, part := range cmd.Only {
		if !slices.Contains(setupParts[:], part) {
			return nil, usagef("--only %s: there are %s", part, strings.Join(setupParts[:], ", "))
		}
	}
	cfg, err := a.loadConfig("setup")
	if err != nil {
		return nil, err
	}
	// The records of the DNS come from the e-mail provider.
	if cmd.wants("mailgun") || cmd.wants("dns") {
		if err := cfg.require("setup/mailgun", a.configPath()); err != nil {
			return nil, usageError{err}
		}
	}
	if cmd.wants("sendbird") {
		if err := cfg.require("setup/sendbird", a.configPath()); err != nil {
			return nil, usageError{err}
		}
	}
	for _, w := range cfg.Warnings {
		_, _ = fmt.Fprintf(a.stderr, "postern: warning: %s\n", w)
	}
	return cfg, nil
}

// parts makes the parts of the run.
func (cmd *setupCmd) parts(cfg *Config, rc *setup.Config) error {
	if cmd.wants("mailgun") || cmd.wants("dns") {
		provider, err := providers()[0].setup(cfg, cmd.Replace)
		if err != nil {
			return err
		}
		if cmd.wants("mailgun") {
			rc.Provider = provider
		}
		if cmd.wants("dns") {
			if rc.DNS, err = newDNSPart(cfg, provider); err != nil {
				return err
			}
		}
	}
	if cmd.wants("sendbird") {
		platform, err := platforms()[0].setup(cfg, cmd.Replace)
		if err != nil {
			return err
		}
		rc.Platform = platform
	}
	return nil
}

// talk makes what speaks with the operator: text, or, with --json, one line at the end.
func (cmd *setupCmd) talk(a *app) (setup.Talk, *setup.Recorder) {
	s := &setup.Screen{Out: a.stdout, Notes: a.stderr, Live: isTerminal(a.stderr), Consent: func(ctx context.Context, q string) (bool, error) {
		return cmd.consent(ctx, a, q)
	}}
	if !cmd.JSON {
		return s, nil
	}
	s.Out = a.stderr
	rec := &setup.Recorder{Talk: s}
	return rec, rec
}

// consent is a yes given beforehand, or the operator's at the terminal.
func (cmd *setupCmd) consent(ctx context.Context, a *app, question string) (bool, error) {
	if cmd.Yes {
		return true, nil
	}
	if cmd.JSON || !isTerminal(a.stdin) {
		return false, usagef("nothing was changed: there is nobody to ask, as standard input is no terminal or --json was given; --yes carries the plan out, --plan only shows it")
	}
	_, _ = fmt.Fprintf(a.stderr, "\n%s [y/N] ", question)
	line, err := readLine(ctx, a.stdin)
	if err != nil {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}

// readLine reads one line of a terminal, byte by byte, so that what follows is left for
// the next question. The context ends it; then a reader is left behind.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	got := make(chan result, 1)
	go func() {
		line, err := bufio.NewReaderSize(oneByte{in}, 16).ReadString('\n')
		got <- result{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-got:
		if errors.Is(r.err, io.EOF) {
			r.err = nil
		}
		return r.line, r.err
	}
}

// oneByte reads no further than it has to.
type oneByte struct{ io.Reader }

func (r oneByte) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(1, len(p))]) }

func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// onlyPlan shows the plan and changes nothing.
func (cmd *setupCmd) onlyPlan(a *app, r *setup.Runner, talk setup.Talk, rec *setup.Recorder) error {
	var p setup.Plan
	if cmd.Undo {
		p = r.UndoPlan()
	} else {
		p = r.Plan(a.ctx)
	}
	if err := a.ctx.Err(); err != nil {
		return err
	}
	talk.Plan(p)
	if rec != nil {
		if err := rec.Write(a.stdout, nil); err != nil {
			return err
		}
	} else if cmd.Undo && len(p) == 0 {
		_, _ = fmt.Fprintln(a.stdout, "There is nothing to take back.")
	}
	if p.Trouble() {
		return errors.New("not all of it can be done; see the lines with !")
	}
	return nil
}

// conclude says what the run came to. The exit status is 0 only if all is as it should be.
func (cmd *setupCmd) conclude(a *app, o *setup.Outcome, err error) error {
	say := func(text string) {
		if !cmd.JSON {
			_, _ = fmt.Fprintln(a.stdout, text)
		}
	}
	again := "run `postern setup` again to go on, `postern setup --undo` to go back"
	switch {
	case a.ctx.Err() != nil:
		return fmt.Errorf("stopped after %d changes; %s", o.Done, again)
	case err != nil:
		return err
	case o.Refused && o.Done == 0:
		return errors.New("nothing was changed")
	case o.Refused:
		return fmt.Errorf("stopped after %d changes; %s", o.Done, again)
	case cmd.Undo && !o.Complete():
		return errors.New("not everything could be taken back; see above")
	case cmd.Undo && o.Done == 0:
		say("There is nothing to take back.")
		return nil
	case cmd.Undo:
		say("Taken back.")
		return nil
	case o.Complete():
		say("Everything is as it should be.")
		return nil
	}
	var left []string
	if o.Failed > 0 {
		left = append(left, "something failed, see above")
	}
	if o.Conflicts {
		left = append(left, "something is for you to decide, see the lines with !")
	}
	if len(o.Waiting) > 0 {
		left = append(left, "not seen yet: "+strings.Join(o.Waiting, "; "))
	}
	if len(o.Held) > 0 {
		left = append(left, "waiting for the DNS to be right: "+strings.Join(o.Held, "; "))
	}
	return errors.New("the set-up is not complete\n" + strings.Join(left, "\n") + "\nrun `postern setup` again when that is mended")
}
