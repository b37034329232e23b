package doctor

import (
	"fmt"
	"io"
	"strings"

	"github.com/postern-chat/postern"
)

// Subject is one thing that is asked about. Under its code stands that it is in order, or
// that it could not be asked; what can be wrong with it has codes of its own.
type Subject struct {
	Code  string
	Title string
	// ByHand is how somebody sees it without us.
	ByHand   string
	Problems []Problem
}

// Problem is one way in which a subject is not in order. Codes are stable: alerts and
// other people's pages name them.
type Problem struct {
	Code   string
	Health postern.Health
	Title  string
	Means  string // what it is
	Harm   string // what users notice
	Remedy string // in general; a finding may know better
	// Setup: `postern setup` mends it, or does where nobody else's things stand in the way.
	Setup bool
}

// Catalogue is the table of everything that the doctor can say. docs/doctor.md is made
// from it.
func Catalogue() []Group {
	return []Group{
		{"Configuration", configSubjects()},
		{"This machine", machineSubjects()},
		{"Public address", publicSubjects()},
		{"Mailgun", mailgunSubjects()},
		{"Sendbird", sendbirdSubjects()},
		{"DNS", append(zoneSubjects(), mailSubjects()...)},
		{"Round trip", tripSubjects()},
	}
}

// Group is a part of the report.
type Group struct {
	Title    string
	Subjects []Subject
}

// Entry finds what a code stands for: a subject alone, or a problem and its subject.
func Entry(code string) (*Subject, *Problem, bool) {
	for _, g := range Catalogue() {
		for _, s := range g.Subjects {
			if s.Code == code {
				return &s, nil, false
			}
			for _, p := range s.Problems {
				if p.Code == code {
					return &s, &p, true
				}
			}
		}
	}
	return nil, nil, false
}

func groupOf(code string) string {
	for _, g := range Catalogue() {
		for _, s := range g.Subjects {
			if s.Code == code {
				return g.Title
			}
			for _, p := range s.Problems {
				if p.Code == code {
					return g.Title
				}
			}
		}
	}
	return "Other"
}

// WriteDoc writes docs/doctor.md.
func WriteDoc(w io.Writer) error {
	b := new(strings.Builder)
	b.WriteString(docHead)
	for _, g := range Catalogue() {
		fmt.Fprintf(b, "\n## %s\n", g.Title)
		for _, s := range g.Subjects {
			fmt.Fprintf(b, "\n### %s: %s\n\nBy hand: %s\n", s.Code, s.Title, s.ByHand)
			for _, p := range s.Problems {
				setup := ""
				if p.Setup {
					setup = "; `postern setup` mends it"
				}
				fmt.Fprintf(b, "\n#### %s\n\n*%s%s.* **%s.** %s\n\n- Harm: %s\n- Remedy: %s\n", p.Code, p.Health, setup, p.Title, p.Means, p.Harm, p.Remedy)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const docHead = `# The doctor

<!-- Made by "make generate" from the table in setup/doctor; do not edit. -->

` + "`postern doctor`" + ` looks at a set-up and says what is wrong with it. It changes nothing, shows no secret, and takes less than ten
seconds (` + "`--round-trip`" + ` takes as long as the mail does). Run it where the gateway runs, with the same configuration, while the gateway
runs. ` + "`--json`" + ` is for programs.

Exit status, as monitoring plug-ins have it: 0 nothing is wrong; 1 warnings; 2 failures. A configuration that cannot be read, and a
wrong command line, are 2 as well. What could not be asked is shown as skipped and does not count; so an outage of a service
while the doctor asks is not a failure of yours.

A failure is something that loses or refuses mail or messages now. A warning works, or seems to, and will hurt.
`
