package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/postern-chat/postern/store"
)

type replayCmd struct {
	IDs     []int64 `arg:"" optional:"" name:"id" help:"Jobs to try again, by the ids that the list shows. Without any: list what was given up."`
	All     bool    `help:"Try all again."`
	Kind    string  `placeholder:"KIND" help:"List, or with --all try again, only jobs of this kind, such as send, inbound or post."`
	Discard bool    `help:"Forget these jobs instead of trying them again."`
}

// Run lists, replays or discards. A replayed job goes to the end of its lane: what came
// after it and was done stays before it, what waits now too.
func (cmd *replayCmd) Run(a *app) error {
	switch {
	case cmd.All && len(cmd.IDs) > 0:
		return usagef("either --all or ids")
	case cmd.Kind != "" && len(cmd.IDs) > 0:
		return usagef("either --kind or ids")
	case cmd.Discard && !cmd.All && len(cmd.IDs) == 0:
		return usagef("--discard needs ids or --all")
	}
	return a.withMemory(func(m memory) error {
		if len(cmd.IDs) > 0 {
			return cmd.settle(a, m, cmd.IDs)
		}
		// All of them first: one that is given up again meanwhile is left for the next time.
		dead, err := deadJobs(a.ctx, m, cmd.Kind)
		if err != nil {
			return err
		}
		if !cmd.All {
			return listDead(a, dead)
		}
		ids := make([]int64, len(dead))
		for i, d := range dead {
			ids[i] = d.ID
		}
		return cmd.settle(a, m, ids)
	})
}

func deadJobs(ctx context.Context, m memory, kind string) (all []store.DeadJob, err error) {
	for after := int64(0); ; {
		page, err := m.DeadJobs(ctx, kind, after, 500)
		if err != nil || len(page) == 0 {
			return all, err
		}
		all, after = append(all, page...), page[len(page)-1].ID
	}
}

// listDead prints a line for each job. What it carries is not shown: it may be a message.
func listDead(a *app, dead []store.DeadJob) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for i, d := range dead {
		if i == 0 {
			_, _ = fmt.Fprintln(w, "ID\tGIVEN UP\tKIND\tTRIES\tEVENT\tREASON") // Flush tells of errors
		}
		event := "-"
		if d.Event != 0 {
			event = store.EventRef(d.Event)
		}
		_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\t%s\n", d.ID, d.DiedAt.UTC().Format(time.RFC3339), d.Kind, d.Attempts, event, strings.Join(strings.Fields(d.Reason), " "))
	}
	return w.Flush()
}

func (cmd *replayCmd) settle(a *app, m memory, ids []int64) error {
	do, done := m.Replay, "replayed"
	if cmd.Discard {
		do, done = m.DiscardDead, "discarded"
	}
	n := 0
	var errs []error
	for _, id := range ids {
		ok, err := do(a.ctx, id)
		if err != nil {
			errs = append(errs, err)
			break
		}
		if !ok {
			errs = append(errs, fmt.Errorf("job %d was not given up, or was dealt with", id))
			continue
		}
		n++
	}
	_, err := fmt.Fprintf(a.stdout, "%d %s\n", n, done)
	return errors.Join(append(errs, err)...)
}
