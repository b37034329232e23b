package replytext

import (
	"html"
	"os"
	"strings"
	"testing"
)

// Nothing may be cut from a mail that has no history, however much some of its
// lines look like a mail program's.
func TestOwnWordsStay(t *testing.T) {
	b, err := os.ReadFile("testdata/own.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, cases, _ := strings.Cut(string(b), "\n")
	for _, own := range strings.Split(cases, "\n=====\n") {
		squash := func(s string) string { return strings.Join(strings.Fields(s), " ") }
		r := Extract(Input{Text: own})
		if squash(r.Text) != squash(own) {
			t.Errorf("text:\n%s\n--- got\n%s\n--- cuts %v", own, r.Text, r.Cuts)
		}
		// The same above history, which must not draw it in.
		r = Extract(Input{Text: own + "\n\nOn Mon, Jan 5, 2026 at 10:15 AM Ann Lee <ann@example.org> wrote:\n\n> Hello\n"})
		if squash(r.Text) != squash(own) {
			t.Errorf("above history:\n%s\n--- got\n%s\n--- cuts %v", own, r.Text, r.Cuts)
		}
		if strings.Contains(own, "    ") || strings.Contains(own, ">") {
			continue
		}
		page := "<div>" + strings.ReplaceAll(html.EscapeString(own), "\n", "<br>\n") + "</div>"
		r = Extract(Input{HTML: page})
		if squash(r.Text) != squash(own) {
			t.Errorf("html:\n%s\n--- got\n%s\n--- cuts %v", own, r.Text, r.Cuts)
		}
	}
}

// An attribution must not draw in the author's line right above it.
func TestNoBlankLineAbove(t *testing.T) {
	for _, own := range []string{
		"See you at 10:15", "On Monday we meet at 10:15", "Am Montag um 10:15 komme ich", "5 pieces, please", "Yes: both",
		"Thanks Ann", "Call me at 030 5550123", "- one\n- two", "Omar\n+49 30 5550123",
	} {
		for _, attr := range []string{
			"Ann Lee <ann@example.org> wrote:", "On Mon, Jan 5, 2026 at 10:15 AM Ann Lee <ann@example.org> wrote:",
			"Ann Lee <ann@example.org> schrieb am Mo., 5. Jan. 2026, 10:15:", "Le lun. 5 janv. 2026 à 10:15, Ann Lee <ann@example.org> a écrit :",
			"05.01.2026, 10:15, \"Ann Lee\" <ann@example.org>:", "在 2026-01-05 10:15:00，\"Ann Lee\" <ann@example.org> 写道：",
		} {
			if r := Extract(Input{Text: own + "\n" + attr + "\n> Hello\n"}); r.Text != own {
				t.Errorf("%q above %q: got %q", own, attr, r.Text)
			}
		}
	}
}
