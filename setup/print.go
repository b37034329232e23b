package setup

import (
	"context"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/postern-chat/postern"
)

// Screen is a Talk in plain text.
type Screen struct {
	Out io.Writer // the plan and what was done
	// Notes takes what is waited for; on a terminal, Live, a line replaces the one before.
	Notes io.Writer
	Live  bool
	// Consent answers questions: the operator, or a yes given beforehand.
	Consent func(ctx context.Context, question string) (bool, error)

	last  string // progress shown
	shown bool
	begun bool // something was printed
}

// Plan shows a plan, a group for each service, and what it comes to.
func (s *Screen) Plan(p Plan) {
	if s.begun {
		_, _ = io.WriteString(s.Out, "\n")
	}
	s.begun = true
	_, _ = io.WriteString(s.Out, p.Text())
}

// Ask asks for consent.
func (s *Screen) Ask(ctx context.Context, question string) (bool, error) {
	return s.Consent(ctx, question)
}

// Progress shows what is waited for. Where lines cannot be replaced only new ones are
// shown, and short steps are not.
func (s *Screen) Progress(line string) {
	line = clip(line, 110)
	switch {
	case s.Live && line == "" && s.shown:
		_, _ = io.WriteString(s.Notes, "\r\x1b[K")
		s.shown = false
	case s.Live && line != "":
		_, _ = io.WriteString(s.Notes, "\r\x1b[K"+line+" ...")
		s.shown = true
	case !s.Live && line != s.last && strings.Contains(line, waitMark):
		_, _ = fmt.Fprintln(s.Notes, "waiting: "+line)
		s.last = line
	}
}

// waitMark is in every line on something that is waited for.
const waitMark = " yet: "

// Done tells of a change that was tried.
func (s *Screen) Done(part string, c postern.Change, err error) {
	if err != nil {
		_, _ = fmt.Fprintf(s.Out, "failed  %s %s: %s: %s\n", c.Sign, part, c.Title, clean(explain(err)))
		return
	}
	_, _ = fmt.Fprintf(s.Out, "done    %s %s: %s\n", c.Sign, part, c.Title)
}

// Say tells anything else.
func (s *Screen) Say(text string) { _, _ = fmt.Fprintf(s.Out, "\n%s\n\n", text) }

// explain puts an error into the operator's words.
func explain(err error) string {
	if postern.CauseOf(err) == postern.CauseChanged {
		return err.Error() + "; it is left as it is"
	}
	return err.Error()
}

// Text is the plan as an operator reads it.
func (p Plan) Text() string {
	var b strings.Builder
	for i, g := range p {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(g.Part + "\n")
		g.text(&b)
	}
	if len(p) > 0 {
		b.WriteString("\n" + p.Sum() + "\n")
	}
	return b.String()
}

// Sum says in a line what the plan comes to.
func (p Plan) Sum() string {
	s := fmt.Sprintf("Plan: %d to add, %d to change, %d to remove, %d as they should be", p.Count(postern.Add), p.Count(postern.Alter),
		p.Count(postern.Remove), p.Count(postern.Keep))
	if n := p.Count(postern.Conflict); n > 0 {
		s += fmt.Sprintf(", %d for you to decide", n)
	}
	return s + "."
}

const (
	widestTitle = 44
	widestValue = 170
	widestPair  = 70
)

func (g Group) text(b *strings.Builder) {
	if g.Err != nil {
		fmt.Fprintf(b, "  ! cannot be read: %s\n", clean(g.Err.Error()))
		return
	}
	if g.Note != "" {
		fmt.Fprintf(b, "  ? %s\n", g.Note)
	}
	width := 0
	for _, c := range g.Changes {
		if n := utf8.RuneCountInString(c.Title); n > width && n <= widestTitle {
			width = n
		}
	}
	for _, c := range g.Changes {
		c.Title, c.Is, c.Want = clean(c.Title), clip(clean(c.Is), widestValue), clip(clean(c.Want), widestValue)
		margin := strings.Repeat(" ", width+6)
		fmt.Fprintf(b, "  %s %-*s  %s\n", c.Sign, width, c.Title, values(c, margin))
		if c.Why != "" {
			for _, line := range wrapped(clean(c.Why), 88) {
				b.WriteString("      " + line + "\n")
			}
		}
	}
}

// values shows how a thing is and how it should be.
func values(c postern.Change, margin string) string {
	switch {
	case c.Sign == postern.Keep, c.Sign == postern.Remove, c.Want == "":
		return c.Is
	case c.Is == "":
		return c.Want
	case len(c.Is)+len(c.Want) <= widestPair:
		return c.Is + " -> " + c.Want
	}
	return c.Is + "\n" + margin[:max(0, len(margin)-3)] + "-> " + c.Want
}

// clean takes out what could play tricks on a terminal: values are strangers' words.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '?'
		}
		return r
	}, s)
}

// clip shortens a text to n characters.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-3]) + "..."
}

func wrapped(s string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
