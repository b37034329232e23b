package doctor

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/postern-chat/postern"
)

// Database is the check of the database.
type Database struct {
	Name string // without a password
	// Look looks at it without touching it.
	Look func(ctx context.Context) (DatabaseSeen, error)
	// Ready is where the running gateway tells whether it can take work, on this machine.
	Ready string
}

// DatabaseSeen is what was seen.
type DatabaseSeen struct {
	Exists          bool // false: a file that the first start will make
	Version, Latest int64
	Commit          time.Duration // 0: not tried
}

const slowCommit = 100 * time.Millisecond

// Check gives the check of the database.
func (d Database) Check() Check { return Check{Subject: "DB", Ask: d.ask} }

func (d Database) ask(ctx context.Context) []postern.Finding {
	s, err := d.Look(ctx)
	if err != nil {
		return []postern.Finding{Found("DB-OPEN", "%s: %v", d.Name, err)}
	}
	var out []postern.Finding
	running := d.running(ctx)
	switch {
	case running == http.StatusServiceUnavailable:
		out = append(out, Found("DB-STUCK", "%s answers 503", d.Ready))
	case s.Exists && s.Version > 0 && s.Version < s.Latest:
		out = append(out, Found("DB-OLD", "tables %d, program %d", s.Version, s.Latest))
	case s.Version > s.Latest:
		out = append(out, Found("DB-NEW", "tables %d, program %d", s.Version, s.Latest))
	}
	if s.Commit > slowCommit {
		out = append(out, Found("DB-SLOW", "a commit took %v", s.Commit.Round(time.Millisecond)))
	}
	if len(out) > 0 {
		return out
	}
	what := fmt.Sprintf("its tables are of version %d", s.Version)
	switch {
	case !s.Exists:
		what = "is not there yet: the first start makes it"
	case s.Version == 0:
		what = "has no tables yet: the first start makes them"
	}
	if s.Commit > 0 {
		what += ", a commit takes " + s.Commit.Round(100*time.Microsecond).String()
	}
	if running == http.StatusOK {
		what += "; the gateway is running and ready"
	}
	return []postern.Finding{OK("DB", "%s: %s", d.Name, what)}
}

// running is what the gateway on this machine answers, 0 if nobody does.
func (d Database) running(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Ready, nil)
	if err != nil {
		return 0
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
