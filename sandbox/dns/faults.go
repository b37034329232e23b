package dns

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Fault is a failure on demand. It strikes what all of its non-empty fields fit.
type Fault struct {
	ID string `json:"id"`
	// On is where it strikes: "dns" (a question to a name server), "update" (RFC 2136) or
	// "api" (a call of a host's API).
	On string `json:"on"`
	// Action, by On:
	//   dns, update: servfail, refused, nxdomain, timeout (no answer at all), truncate,
	//     lame (an answer without authority that knows nothing), answer (Answer instead
	//     of the truth)
	//   api: status, slow, hang, reset, status-after (done, then answered so)
	Action string `json:"action"`
	Server string `json:"server,omitempty"` // resolver, ns1 or ns2
	Name   string `json:"name,omitempty"`   // asked for; a shell pattern
	Type   string `json:"type,omitempty"`
	Path   string `json:"path,omitempty"` // of the API; a shell pattern, "/v3/**" is all below
	Method string `json:"method,omitempty"`

	Answer  []string `json:"answer,omitempty"` // records in presentation form
	Status  int      `json:"status,omitempty"`
	Body    string   `json:"body,omitempty"`
	Seconds float64  `json:"seconds,omitempty"`
	Times   int      `json:"times,omitempty"` // strikes so often, then no more; 0: always
	Struck  int      `json:"struck"`
}

func faultActions() map[string][]string {
	dns := []string{"servfail", "refused", "nxdomain", "timeout", "truncate", "lame", "answer"}
	return map[string][]string{"dns": dns, "update": dns[:4], "api": {"status", "slow", "hang", "reset", "status-after"}}
}

// AddFault adds a fault; it strikes from now on.
func (s *Server) AddFault(f Fault) (id string, err error) {
	if !slices.Contains(faultActions()[f.On], f.Action) {
		return "", fmt.Errorf("sandbox dns: no action %q on %q", f.Action, f.On)
	}
	for _, a := range f.Answer {
		if _, err := parseRR(a); err != nil {
			return "", fmt.Errorf("sandbox dns: answer: %w", err)
		}
	}
	if strings.HasPrefix(f.Action, "status") && f.Status == 0 {
		f.Status = 500
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Struck, f.Name = 0, canonical(f.Name)
	f.ID = "fault-" + s.newID()
	s.st.faults = append(s.st.faults, &f)
	return f.ID, nil
}

// RemoveFault takes a fault back; with no id, all.
func (s *Server) RemoveFault(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.faults = slices.DeleteFunc(slices.Clone(s.st.faults), func(f *Fault) bool { return id == "" || f.ID == id })
}

// subject is what a fault may strike.
type subject struct{ on, server, name, kind, path, method string }

// strikes finds the first fault that strikes, and counts it.
func (s *Server) strikes(x subject) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.st.faults {
		if f.fits(x) && (f.Times == 0 || f.Struck < f.Times) {
			f.Struck++
			struck := *f
			return &struck
		}
	}
	return nil
}

func (f *Fault) fits(x subject) bool {
	return f.On == x.on && (f.Server == "" || f.Server == x.server) && (f.Type == "" || strings.EqualFold(f.Type, x.kind)) &&
		(f.Method == "" || f.Method == x.method) && fitsPattern(f.Name, x.name) && fitsPattern(f.Path, x.path)
}

func fitsPattern(pattern, value string) bool {
	if prefix, all := strings.CutSuffix(pattern, "**"); all {
		return strings.HasPrefix(value, prefix)
	}
	ok, err := path.Match(pattern, value)
	return pattern == "" || (err == nil && ok)
}
