package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
)

func check(subject string, f ...postern.Finding) Check {
	return Check{Subject: subject, Ask: func(context.Context) []postern.Finding { return f }}
}

// TestExamine: findings stand in the order of the checks, whoever answers first, and
// each check is told of once.
func TestExamine(t *testing.T) {
	gate := make(chan struct{})
	slow := Check{Subject: "A", Ask: func(context.Context) []postern.Finding { <-gate; return []postern.Finding{OK("A", "late")} }}
	var told [][]string
	r := Examine(t.Context(), []Check{slow, check("B", OK("B", "1"), Skip("B", "2")), check("C")}, func(done, all int, waiting []string) {
		told = append(told, slices.Clone(waiting))
		if done == 2 {
			close(gate)
		}
		if all != 3 {
			t.Errorf("%d of %d", done, all)
		}
	})
	var order []string
	for _, f := range r.Findings {
		order = append(order, f.Code+f.Evidence)
	}
	if want := []string{"Alate", "B1", "B2"}; !slices.Equal(order, want) || len(told) != 3 || len(told[2]) != 0 || !slices.Equal(told[1], []string{"A"}) {
		t.Errorf("%q, told %q", order, told)
	}
}

// TestExamineWithoutAnswer: who forgets his context does not hold up the report.
func TestExamineWithoutAnswer(t *testing.T) {
	forever := make(chan struct{})
	defer close(forever)
	deaf := Check{Subject: "URL", Limit: 10 * time.Millisecond, Ask: func(context.Context) []postern.Finding { <-forever; return nil }}
	polite := Check{Subject: "DB", Limit: 10 * time.Millisecond, Ask: func(ctx context.Context) []postern.Finding {
		<-ctx.Done()
		return []postern.Finding{Skip("DB", "what was seen until then")}
	}}
	r := Examine(t.Context(), []Check{deaf, polite}, nil)
	if len(r.Findings) != 2 || r.Findings[0].Code != "URL" || r.Findings[0].Health != postern.Skipped || r.Findings[1].Evidence != "what was seen until then" {
		t.Errorf("%+v", r.Findings)
	}
}

func TestStatus(t *testing.T) {
	for want, list := range map[int][]postern.Finding{
		0: {OK("DB", ""), Skip("URL", "")},
		1: {OK("DB", ""), Found("DB-OLD", ""), Skip("URL", "")},
		2: {Found("DB-OPEN", ""), Found("DB-OLD", "")},
	} {
		if r := (Report{Findings: list}); r.Status() != want {
			t.Errorf("%+v: %d, want %d", list, r.Status(), want)
		}
	}
}

// TestText: a stranger's answer moves no cursor and fills no screen.
func TestText(t *testing.T) {
	r := Report{Findings: []postern.Finding{
		OK("DISK", "x"), Found("DNS-MX-OTHER", "mail goes to \x1b[31mevil\x07\u202e.example%s", strings.Repeat(" word", 1000)), Skip("CLOCK", "y"),
	}, Took: 1234 * time.Millisecond}
	var b bytes.Buffer
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if strings.ContainsAny(text, "\x1b\x07\u202e") || len(text) > 4000 {
		t.Errorf("%d bytes: %q", len(text), text[:200])
	}
	for _, want := range []string{"\nDNS\n  FAILURE  DNS-MX-OTHER: mail goes to somebody else\n           seen  mail goes to", "           mend  Give the gateway", "\n1 failure, 1 in order, 1 skipped; asked in 1.2s."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if len(line) > 110 {
			t.Errorf("long line: %q", line)
		}
	}
	b.Reset()
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var v struct {
		Status   int
		Findings []struct{ Code, Health, Remedy, Docs string }
	}
	if err := json.Unmarshal(b.Bytes(), &v); err != nil || v.Status != 2 || len(v.Findings) != 3 || v.Findings[1].Remedy == "" || v.Findings[1].Docs != "docs/doctor.md#dns-mx-other" {
		t.Errorf("%v: %s", err, &b)
	}
}

// TestCatalogue: a problem's code stands once, and names where it belongs.
func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range Catalogue() {
		for _, s := range g.Subjects {
			for _, code := range append([]string{s.Code}, problemCodes(s)...) {
				if seen[code] || code != strings.ToUpper(code) {
					t.Errorf("%s stands twice, or is no code", code)
				}
				seen[code] = true
				if groupOf(code) != g.Title {
					t.Errorf("%s is not found", code)
				}
			}
			for _, p := range s.Problems {
				if p.Health != postern.Warning && p.Health != postern.Failure {
					t.Errorf("%s is %q", p.Code, p.Health)
				}
			}
		}
	}
	if groupOf("NO-SUCH") != "Other" {
		t.Error("an unknown code has a group")
	}
}

func problemCodes(s Subject) []string {
	var out []string
	for _, p := range s.Problems {
		out = append(out, p.Code)
	}
	return out
}
