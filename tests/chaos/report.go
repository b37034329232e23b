//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

type jsonNumber = json.Number

// violation is a broken promise.
type violation struct {
	ref, kind, text string
	notes           []note
}

// report is what came of a run.
type report struct {
	w          *world
	took       time.Duration
	status     status
	violations []violation

	messages, expected, mails                 int // in the chat; message and person; mails taken
	replies, parts                            int
	lost, twice, disorder                     int
	marks, wrong, unmarked                    int
	edited, deleted, stale                    int // changed within the quiet window; mailed all the same
	raced, unknown, late                      int
	webhooksLost, webhooksDropped, unaccepted int
}

func (r *report) violate(ref, kind, text string) {
	r.violations = append(r.violations, violation{ref: ref, kind: kind, text: text})
}

func (r *report) broken() bool { return len(r.violations) > 0 }

const shown = 40

func (r *report) print(out io.Writer) {
	w := r.w
	for i, v := range r.violations {
		if i == shown {
			fmt.Fprintf(out, "... and %d more\n", len(r.violations)-shown)
			break
		}
		fmt.Fprintf(out, "%s: %s [%s]\n", v.kind, v.text, v.ref)
		for _, n := range v.notes {
			fmt.Fprintf(out, "    %s\n", n)
		}
	}
	row := func(what string, format string, args ...any) {
		fmt.Fprintf(out, "%-34s %s\n", what, fmt.Sprintf(format, args...))
	}
	row("database, replicas, seed", "%s, %d, %d", w.opt.Database, len(w.replicas), w.opt.Seed)
	row("duration", "%s", r.took.Round(time.Second))
	row("chat messages put in", "%d", w.sent.Load())
	row("answers by mail put in, parts", "%d, %d", r.replies, r.parts)
	row("messages in the chat", "%d", r.messages)
	row("message and person to be mailed", "%d in %d mails", r.expected, r.mails)
	row("lost", "%d", r.lost)
	row("twice", "%d", r.twice)
	row("out of order", "%d", r.disorder)
	row("edited, deleted in time; mailed as before", "%d, %d; %d", r.edited, r.deleted, r.stale)
	row("calls that move marks", "%d", r.marks)
	row("wrong marks, marks missing", "%d, %d", r.wrong, r.unmarked)
	row("marks over unheard messages", "%d", r.unknown)
	row("dead jobs", "%d", r.status.Dead)
	row("kill -9", "%d", w.kills.total())
	row("  where", "%s", &w.kills)
	row("faults struck", "%d", w.strikes.total())
	row("  which", "%s", &w.strikes)
	row("apart: webhooks given up, dropped", "%d, %d (sent again later: %v; never accepted: %d)", r.webhooksLost, r.webhooksDropped, w.opt.Resend, r.unaccepted)
	row("apart: mailed late, not accepted in order", "%d", r.late)
	row("apart: marks a message overtook", "%d", r.raced)
	row("violations", "%d", len(r.violations))
}
