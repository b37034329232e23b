package setup

import (
	"context"
	"slices"

	"github.com/postern-chat/postern"
)

// opposite is what undoing does to a thing.
func opposite(s postern.Sign) postern.Sign {
	switch s {
	case postern.Add:
		return postern.Remove
	case postern.Remove:
		return postern.Add
	}
	return s
}

// UndoPlan shows what Undo would do, the newest change first.
func (r *Runner) UndoPlan() Plan {
	var p Plan
	entries := r.cfg.Journal.Standing()
	slices.Reverse(entries)
	for _, e := range entries {
		if r.part(e.Part) == nil {
			continue
		}
		c := postern.Change{Key: e.Key, Sign: opposite(e.Sign), Title: e.Title, Is: e.Want, Want: e.Is}
		if !r.cfg.Journal.Worked(e.Seq) {
			c.Why = "it is not known whether this came to pass"
		}
		if g := p.group(e.Part); g != nil {
			g.Changes = append(g.Changes, c)
		} else {
			p = append(p, Group{Part: e.Part, Changes: []postern.Change{c}})
		}
	}
	return p
}

func (r *Runner) part(name string) Part {
	for _, p := range r.parts() {
		if p.Name() == name {
			return p
		}
	}
	return nil
}

// Undo takes back what earlier runs changed, the newest first, after asking. What is no
// longer as we left it stays. It can be cut off anywhere and be repeated.
func (r *Runner) Undo(ctx context.Context) (*Outcome, error) {
	o := &Outcome{Plan: r.UndoPlan()}
	r.cfg.Talk.Plan(o.Plan)
	if !o.Plan.Work() {
		return o, nil
	}
	yes, err := r.cfg.Talk.Ask(ctx, "Take this back?")
	if err != nil || !yes {
		o.Refused = true
		return o, err
	}
	entries := r.cfg.Journal.Standing()
	slices.Reverse(entries)
	for _, e := range entries {
		p := r.part(e.Part)
		if p == nil {
			continue
		}
		c := postern.Change{Key: e.Key, Sign: opposite(e.Sign), Title: e.Title, Is: e.Want, Want: e.Is}
		r.cfg.Talk.Progress(string(c.Sign) + " " + e.Part + ": " + e.Title)
		fault := r.patiently(ctx, func() error { return p.Restore(ctx, e.Key, e.Before) })
		r.cfg.Talk.Progress("")
		if ctx.Err() != nil {
			return o, ctx.Err()
		}
		r.cfg.Talk.Done(e.Part, c, fault)
		switch {
		case fault == nil:
			o.Done++
			if err := r.cfg.Journal.Undone(e.Seq); err != nil {
				return o, err
			}
		case postern.CauseOf(fault) == postern.CauseChanged:
			o.Conflicts = true
		default:
			o.Failed++
		}
	}
	return o, nil
}
