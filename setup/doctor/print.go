package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/postern-chat/postern"
)

// reported is a finding as it is printed: with the table's words beside it.
type reported struct {
	postern.Finding
	Title string `json:"title"`
	Docs  string `json:"docs,omitempty"`
}

// report puts the table's words to a finding.
func report(f postern.Finding) reported {
	r := reported{Finding: f}
	r.Evidence, r.Remedy = tidy(r.Evidence), tidy(r.Remedy)
	s, p, problem := Entry(f.Code)
	switch {
	case problem:
		r.Title, r.Docs = p.Title, "docs/doctor.md#"+strings.ToLower(f.Code)
		if r.Remedy == "" {
			r.Remedy = p.Remedy
		}
	case s != nil:
		r.Title = s.Title
	default:
		r.Title = f.Code
	}
	return r
}

// tidy keeps what strangers' servers said to one line of bounded length, without
// control characters that a terminal would obey.
func tidy(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	}), " ")
	const most = 1500
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + " ..."
	}
	return s
}

// WriteJSON writes the report for programs.
func (r Report) WriteJSON(w io.Writer) error {
	out := struct {
		Verdict  postern.Health         `json:"verdict"`
		Status   int                    `json:"status"`
		Counts   map[postern.Health]int `json:"counts"`
		TookMS   int64                  `json:"took_ms"`
		Findings []reported             `json:"findings"`
	}{r.Worst(), r.Status(), r.Count(), r.Took.Milliseconds(), []reported{}}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, report(f))
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

var marks = map[postern.Health]string{postern.Fine: "ok", postern.Skipped: "skipped", postern.Warning: "WARNING", postern.Failure: "FAILURE"}

// WriteText writes the report for people: what is in order a line each, what is not
// with what was seen and what to do.
func (r Report) WriteText(w io.Writer) error {
	b := new(strings.Builder)
	group := ""
	for _, f := range r.Findings {
		x := report(f)
		if g := groupOf(f.Code); g != group {
			group = g
			fmt.Fprintf(b, "\n%s\n", g)
		}
		if f.Health == postern.Fine || f.Health == postern.Skipped {
			fmt.Fprintf(b, "  %-8s %s: %s\n", marks[f.Health], x.Title, x.Evidence)
			continue
		}
		fmt.Fprintf(b, "  %-8s %s: %s\n", marks[f.Health], f.Code, x.Title)
		for _, part := range [][2]string{{"seen", x.Evidence}, {"mend", x.Remedy}} {
			if part[1] != "" {
				writeWrapped(b, "           "+part[0]+"  ", part[1])
			}
		}
	}
	fmt.Fprintf(b, "\n%s\n", r.summary())
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

// writeWrapped writes a text that hangs from its head.
func writeWrapped(b *strings.Builder, head, text string) {
	const width = 100
	indent := strings.Repeat(" ", len(head))
	line := head
	for i, word := range strings.Fields(text) {
		if i > 0 && len(line)+1+len(word) > width && strings.TrimSpace(line) != "" {
			b.WriteString(line + "\n")
			line = indent
		}
		if len(line) > len(indent) {
			line += " "
		}
		line += word
	}
	b.WriteString(line + "\n")
}

func (r Report) summary() string {
	n := r.Count()
	var parts []string
	for _, k := range []struct {
		h           postern.Health
		one, plural string
	}{{postern.Failure, "failure", "failures"}, {postern.Warning, "warning", "warnings"}, {postern.Fine, "in order", "in order"}, {postern.Skipped, "skipped", "skipped"}} {
		switch {
		case n[k.h] == 1:
			parts = append(parts, "1 "+k.one)
		case n[k.h] > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n[k.h], k.plural))
		}
	}
	s := fmt.Sprintf("%s; asked in %v.", strings.Join(parts, ", "), r.Took.Round(100*time.Millisecond))
	if r.Worst() != postern.Fine {
		s += " What each code means: docs/doctor.md."
	}
	return s
}
