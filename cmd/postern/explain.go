package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/postern-chat/postern/store"
)

type explainCmd struct {
	ID string `arg:"" help:"A chat message's, delivery's, post's or event's id (event-N)."`
}

// Run tells what happened to one thing.
func (cmd *explainCmd) Run(a *app) error {
	return a.withMemory(func(s memory) error {
		notes, err := s.Explain(a.ctx, cmd.ID)
		if err != nil {
			return err
		}
		if len(notes) == 0 {
			return fmt.Errorf("nothing is noted about %s", cmd.ID)
		}
		for _, n := range notes {
			if _, err := fmt.Fprintln(a.stdout, noteLine(n)); err != nil {
				return err
			}
		}
		return nil
	})
}

// noteLine writes a note as one readable line.
func noteLine(n store.Note) string {
	var b strings.Builder
	b.WriteString(n.At.UTC().Format(time.RFC3339Nano) + "  " + n.What)
	if n.Why != "" {
		b.WriteString(": " + n.Why)
	}
	for _, f := range [][2]string{{"channel", string(n.Channel)}, {"user", string(n.User)}, {"of", n.Ref}, {"as", n.Ref2}, {"detail", n.Detail}} {
		if f[1] != "" {
			fmt.Fprintf(&b, "  %s=%s", f[0], f[1])
		}
	}
	return b.String()
}
