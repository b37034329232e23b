package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/postern-chat/postern"
)

// Check asks about one subject or a few that belong together.
type Check struct {
	// Subject is the code under which it is reported that there was no answer in time.
	Subject string
	// Limit bounds the asking; 0 = 8 s.
	Limit time.Duration
	// Ask may block until its context ends. Each subject that was looked at and is in
	// order has a finding of its own too.
	Ask func(ctx context.Context) []postern.Finding
}

const defaultLimit = 8 * time.Second

// Progress is told after each check how far the examination is, and which subjects are
// still waited for. It is called from one goroutine.
type Progress func(done, all int, waiting []string)

// Report is the outcome of an examination.
type Report struct {
	Findings []postern.Finding
	Took     time.Duration
}

// Examine makes all checks at once and waits for each until its limit. Findings stand in
// the order of the checks.
func Examine(ctx context.Context, checks []Check, told Progress) Report {
	type answer struct {
		n        int
		findings []postern.Finding
	}
	start := time.Now()
	answers := make(chan answer, len(checks))
	waiting := make([]string, 0, len(checks))
	for n, c := range checks {
		waiting = append(waiting, c.Subject)
		go func() { answers <- answer{n, c.inTime(ctx)} }()
	}
	all := make([][]postern.Finding, len(checks))
	for done := range checks {
		a := <-answers
		all[a.n] = a.findings
		i := slices.Index(waiting, checks[a.n].Subject)
		waiting = slices.Delete(waiting, i, i+1)
		if told != nil {
			told(done+1, len(checks), waiting)
		}
	}
	return Report{Findings: slices.Concat(all...), Took: time.Since(start)}
}

// inTime asks, and does not wait for one who forgets his context.
func (c Check) inTime(ctx context.Context) []postern.Finding {
	limit := c.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answered := make(chan []postern.Finding, 1)
	go func() { answered <- c.Ask(ctx) }()
	// Whoever keeps to his context has a moment to tell what he saw until then.
	late := time.AfterFunc(limit+limit/8, func() {
		answered <- []postern.Finding{Skip(c.Subject, "no answer within %v", limit)}
	})
	defer late.Stop()
	return <-answered
}

// Worst is the worst health of all findings. What was skipped counts as fine: it says
// nothing.
func (r Report) Worst() postern.Health {
	worst := postern.Fine
	for _, f := range r.Findings {
		if rank(f.Health) > rank(worst) {
			worst = f.Health
		}
	}
	return worst
}

func rank(h postern.Health) int {
	switch h {
	case postern.Failure:
		return 2
	case postern.Warning:
		return 1
	}
	return 0
}

// Status is the exit status for monitoring, as its plug-ins have it: 0 in order, 1
// warnings, 2 failures.
func (r Report) Status() int { return rank(r.Worst()) }

// Count tells how many findings are of each health.
func (r Report) Count() map[postern.Health]int {
	n := map[postern.Health]int{}
	for _, f := range r.Findings {
		n[f.Health]++
	}
	return n
}

// OK says that a subject is in order, and what was seen.
func OK(code, format string, args ...any) postern.Finding {
	return postern.Finding{Code: code, Health: postern.Fine, Evidence: fmt.Sprintf(format, args...)}
}

// Skip says why a subject could not be asked about.
func Skip(code, format string, args ...any) postern.Finding {
	return postern.Finding{Code: code, Health: postern.Skipped, Evidence: fmt.Sprintf(format, args...)}
}

// Found makes a finding of the table, with the table's health.
func Found(code, format string, args ...any) postern.Finding {
	f := postern.Finding{Code: code, Health: postern.Failure, Evidence: fmt.Sprintf(format, args...)}
	if _, p, ok := Entry(code); ok {
		f.Health = p.Health
	}
	return f
}

// mend gives a finding its exact remedy.
func mend(f postern.Finding, format string, args ...any) postern.Finding {
	f.Remedy = fmt.Sprintf(format, args...)
	return f
}
