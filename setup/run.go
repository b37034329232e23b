package setup

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern"
)

// Talk is how a run speaks with its operator.
type Talk interface {
	// Plan shows what is to be done.
	Plan(Plan)
	// Ask asks for consent to what was shown. It may block for ever; the context ends it.
	Ask(ctx context.Context, question string) (bool, error)
	// Progress shows what is waited for, in place of what it showed before; "" = nothing.
	Progress(line string)
	// Done tells of a change that was tried.
	Done(part string, c postern.Change, err error)
	// Say tells anything else, one or more lines.
	Say(text string)
}

// Config says what a run is about. A Part that is nil is left out of it.
type Config struct {
	Provider Part // its abilities RecordSource, Verifier and Stager are used
	DNS      Part
	Platform Part
	Journal  *Journal // not needed for planning alone
	Talk     Talk

	// Wait is how long a run waits for the DNS to show everywhere and for the provider to
	// be content, each; default 15 minutes.
	Wait time.Duration
	// Poll is the pause between two looks, default 5 s; it grows to six times that.
	Poll time.Duration
	// Again is the pause before a change that failed for the moment is tried again, if the
	// other side names none; default 1 s. It is tried three times.
	Again time.Duration
	Now   func() time.Time
}

// Runner carries plans out.
type Runner struct {
	cfg Config
}

// New makes a Runner. It makes no call.
func New(cfg Config) (*Runner, error) {
	if cfg.Talk == nil {
		return nil, errors.New("setup: nobody to talk to")
	}
	if cfg.Wait == 0 {
		cfg.Wait = 15 * time.Minute
	}
	if cfg.Poll == 0 {
		cfg.Poll = 5 * time.Second
	}
	if cfg.Again == 0 {
		cfg.Again = time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Runner{cfg: cfg}, nil
}

// parts are those of this run, in the order of the plan.
func (r *Runner) parts() []Part {
	var all []Part
	for _, p := range []Part{r.cfg.Provider, r.cfg.DNS, r.cfg.Platform} {
		if p != nil {
			all = append(all, p)
		}
	}
	return all
}

// Plan asks all Parts. It changes nothing.
func (r *Runner) Plan(ctx context.Context) Plan {
	var all Plan
	for _, p := range r.parts() {
		r.cfg.Talk.Progress("reading " + p.Name())
		all = append(all, r.ask(ctx, p))
	}
	r.cfg.Talk.Progress("")
	return all
}

func (r *Runner) ask(ctx context.Context, p Part) Group {
	g := Group{Part: p.Name()}
	g.Changes, g.Err = p.Plan(ctx)
	if p == r.cfg.DNS && r.cfg.Provider != nil && postern.CauseOf(g.Err) == postern.CauseNotFound {
		g.Err, g.Note = nil, "known after the domain is created"
	}
	if g.Err != nil {
		g.Changes = nil
	}
	return g
}

// Outcome is what a run came to.
type Outcome struct {
	Plan      Plan     `json:"-"`
	Done      int      // changes carried out
	Failed    int      // changes that did not work
	Refused   bool     // the operator said no
	Waiting   []string // what the DNS or the provider still lacks
	Held      []string // Parts, or steps, that wait for that
	Conflicts bool     // an operator has to decide something
}

// Complete tells whether everything is as it should be.
func (o *Outcome) Complete() bool {
	return o.Failed == 0 && !o.Refused && len(o.Waiting) == 0 && len(o.Held) == 0 && !o.Conflicts
}

// run is one run under way.
type run struct {
	*Runner
	out     *Outcome
	stopped map[string]bool // Parts in which something failed
}

// Run shows the plan, asks, and carries it out: the provider's domain, the DNS, the
// provider's verification, then the provider's remaining steps and the platform. What is
// in conflict is left alone. It can be cut off anywhere, by the context too, and be
// repeated. The error is the context's, the journal's or the operator's terminal's.
func (r *Runner) Run(ctx context.Context) (*Outcome, error) {
	o := &Outcome{Plan: r.Plan(ctx)}
	if err := ctx.Err(); err != nil {
		return o, err
	}
	r.cfg.Talk.Plan(o.Plan)
	o.Conflicts = o.Plan.Trouble()
	if o.Plan.Work() {
		yes, err := r.cfg.Talk.Ask(ctx, "Carry this out?")
		if err != nil || !yes {
			o.Refused = true
			return o, err
		}
	}
	x := &run{Runner: r, out: o, stopped: map[string]bool{}}
	err := x.stages(ctx)
	r.cfg.Talk.Progress("")
	return o, err
}

func (x *run) stages(ctx context.Context) error {
	if err := x.carry(ctx, x.cfg.Provider, x.early); err != nil {
		return err
	}
	right, err := x.dns(ctx)
	if err != nil || x.out.Refused {
		return err
	}
	if x.cfg.DNS != nil && !right {
		x.hold()
		return nil
	}
	if err := x.carry(ctx, x.cfg.Provider, func(key string) bool { return !x.early(key) }); err != nil {
		return err
	}
	return x.carry(ctx, x.cfg.Platform, func(string) bool { return true })
}

// early tells whether a change of the provider comes before the DNS.
func (x *run) early(key string) bool {
	s, ok := x.cfg.Provider.(Stager)
	return !ok || !s.Late(key)
}

// hold notes what is left for the next run.
func (x *run) hold() {
	for _, g := range x.out.Plan {
		if x.cfg.DNS != nil && g.Part == x.cfg.DNS.Name() {
			continue
		}
		for _, c := range g.Changes {
			if c.Apply != nil && (x.cfg.Provider == nil || g.Part != x.cfg.Provider.Name() || !x.early(c.Key)) {
				x.out.Held = append(x.out.Held, g.Part+": "+c.Title)
			}
		}
	}
}

// carry carries out a Part's changes that are chosen, in order, until one fails.
func (x *run) carry(ctx context.Context, p Part, chosen func(key string) bool) error {
	if p == nil {
		return nil
	}
	g := x.out.Plan.group(p.Name())
	if g == nil || x.stopped[g.Part] {
		return nil
	}
	for _, c := range g.Changes {
		if c.Apply == nil || !chosen(c.Key) {
			continue
		}
		x.cfg.Talk.Progress(string(c.Sign) + " " + g.Part + ": " + c.Title)
		fault, err := x.change(ctx, g.Part, c)
		if err != nil {
			return err
		}
		x.cfg.Talk.Progress("")
		x.cfg.Talk.Done(g.Part, c, fault)
		if fault != nil {
			x.out.Failed++
			x.stopped[g.Part] = true
			return nil
		}
		x.out.Done++
	}
	return nil
}

// change carries one change out. fault is what went wrong with it; err ends the run.
func (x *run) change(ctx context.Context, part string, c postern.Change) (fault, err error) {
	seq, err := x.cfg.Journal.Will(part, c)
	if err != nil {
		return nil, postern.Errorf(postern.Denied, "setup", "the snapshot cannot be written, so nothing is changed: %w", err)
	}
	if fault = x.patiently(ctx, func() error { return c.Apply(ctx) }); fault != nil {
		return fault, ctx.Err()
	}
	return nil, x.cfg.Journal.Did(seq)
}

// patiently tries three times what fails for the moment.
func (r *Runner) patiently(ctx context.Context, f func() error) error {
	for try := 1; ; try++ {
		err := f()
		if err == nil || try == 3 || postern.KindOf(err) != postern.Temporary || ctx.Err() != nil {
			return err
		}
		if !sleep(ctx, max(r.cfg.Again, postern.RetryAfter(err))) {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// dns makes the DNS right and has the provider look at it. It tells whether all of it is
// as the provider wants it.
func (x *run) dns(ctx context.Context) (right bool, err error) {
	if x.cfg.DNS == nil {
		return true, x.lookOnce(ctx)
	}
	g := x.out.Plan.group(x.cfg.DNS.Name())
	if g.Note != "" && !x.provided() {
		return false, nil
	}
	if g.Note != "" {
		if ok, err := x.planAgain(ctx, g); err != nil || !ok {
			return false, err
		}
	}
	byHand := ""
	if h, ok := x.cfg.DNS.(Handwork); ok && g.Err == nil {
		if byHand = h.Instructions(); byHand != "" {
			x.cfg.Talk.Say(byHand)
		}
	}
	done := x.out.Done
	if err := x.carry(ctx, x.cfg.DNS, func(string) bool { return true }); err != nil {
		return false, err
	}
	if g.Err != nil || x.stopped[g.Part] || (Plan{*g}).Trouble() {
		return false, x.lookOnce(ctx) // what is in conflict does not come by waiting
	}
	if s, ok := x.cfg.DNS.(Settler); ok && (byHand != "" || x.out.Done > done) {
		if ok, err := x.until(ctx, "the name servers do not have yet", s.Unsettled); err != nil || !ok {
			return false, err
		}
	}
	v, ok := x.cfg.Provider.(Verifier)
	if !ok || !x.provided() {
		return !x.stopped[x.providerName()], nil
	}
	return x.until(ctx, x.cfg.Provider.Name()+" does not see yet", v.Verify)
}

func (x *run) providerName() string {
	if x.cfg.Provider == nil {
		return ""
	}
	return x.cfg.Provider.Name()
}

// provided tells whether the provider's part went well so far.
func (x *run) provided() bool {
	name := x.providerName()
	g := x.out.Plan.group(name)
	return g != nil && g.Err == nil && !x.stopped[name]
}

// planAgain plans the DNS after the domain was created, and asks again.
func (x *run) planAgain(ctx context.Context, g *Group) (bool, error) {
	x.cfg.Talk.Progress("reading " + g.Part)
	err := x.patiently(ctx, func() error {
		*g = Group{Part: g.Part}
		g.Changes, g.Err = x.cfg.DNS.Plan(ctx)
		if postern.CauseOf(g.Err) == postern.CauseNotFound {
			return postern.Errorf(postern.Temporary, "setup", "%w", g.Err)
		}
		return nil
	})
	x.cfg.Talk.Progress("")
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		g.Err = err
	}
	now := Plan{*g}
	x.cfg.Talk.Plan(now)
	x.out.Conflicts = x.out.Conflicts || now.Trouble()
	if !slices.ContainsFunc(g.Changes, func(c postern.Change) bool { return c.Apply != nil }) {
		return true, nil // nothing to do, or by hand only
	}
	yes, err := x.cfg.Talk.Ask(ctx, "Carry this out, too?")
	x.out.Refused = err != nil || !yes
	return yes, err
}

// lookOnce has the provider look at the DNS without waiting for it.
func (x *run) lookOnce(ctx context.Context) error {
	v, ok := x.cfg.Provider.(Verifier)
	if !ok || !x.provided() {
		return nil
	}
	missing, err := v.Verify(ctx)
	if err != nil {
		return ctx.Err() // it was for information
	}
	if x.cfg.DNS != nil {
		x.out.Waiting = missing
	} else if len(missing) > 0 {
		x.cfg.Talk.Say(x.cfg.Provider.Name() + " does not see yet: " + strings.Join(missing, "; "))
	}
	return nil
}

// until repeats a look until nothing is missing or the time is up. What fails for the
// moment is looked at again.
func (x *run) until(ctx context.Context, what string, look func(context.Context) ([]string, error)) (bool, error) {
	end := x.cfg.Now().Add(x.cfg.Wait)
	for pause := x.cfg.Poll; ; pause = min(pause*5/4, 6*x.cfg.Poll) {
		missing, err := look(ctx)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		switch {
		case err != nil && postern.KindOf(err) != postern.Temporary && postern.CauseOf(err) != postern.CauseNotFound:
			x.cfg.Talk.Progress("")
			x.cfg.Talk.Say(what + ": cannot be asked: " + err.Error())
			x.out.Failed++
			return false, nil
		case err != nil:
			missing = []string{err.Error()}
		case len(missing) == 0:
			x.cfg.Talk.Progress("")
			return true, nil
		}
		x.cfg.Talk.Progress(what + ": " + strings.Join(missing, "; "))
		left := end.Sub(x.cfg.Now())
		if left <= 0 {
			x.cfg.Talk.Progress("")
			x.out.Waiting = missing
			return false, nil
		}
		if !sleep(ctx, min(left, max(pause, postern.RetryAfter(err)))) {
			return false, ctx.Err()
		}
	}
}
