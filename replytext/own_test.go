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
