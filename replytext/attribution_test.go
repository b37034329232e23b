package replytext

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// attributions reads the table of attributions, with a name and an address in
// them. weak are those that only a quote mark below proves.
func attributions(t testing.TB, name, address string) (all []string, weak map[string]bool) {
	t.Helper()
	f, err := os.Open("testdata/attributions.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	weak = map[string]bool{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		l := sc.Text()
		if l == "" || l[0] == '#' {
			continue
		}
		l, isWeak := strings.CutPrefix(l, "?")
		l = strings.NewReplacer("NAME", name, "MAIL", address).Replace(l)
		weak[l] = isWeak
		all = append(all, l)
	}
	return all, weak
}

// wrapAt wraps words at width n, as mail programs do with attributions too.
func wrapAt(s string, n int) string {
	var b strings.Builder
	width := 0
	for _, w := range strings.Fields(s) {
		if width > 0 && width+1+len(w) > n {
			b.WriteByte('\n')
			width = 0
		} else if width > 0 {
			b.WriteByte(' ')
			width++
		}
		b.WriteString(w)
		width += len(w)
	}
	return b.String()
}

func TestAttributions(t *testing.T) {
	const own = "Thanks, that suits me.\n\nSee you there at eight, with the papers."
	names := []struct{ name, address string }{
		{"Ann Lee", "ann@example.org"},
		{"Dr. Maria-Luise van der Berg (Support)", "reply+0a1b2c3d4e5f60718293a4b5c6d7e8f9@mail.gateway.example"},
	}
	quotes := map[string]string{
		"marked":     "\n\n> Shall we meet on Friday at 7:30?\n>\n> Ann\n",
		"marked now": "\n> Shall we meet on Friday at 7:30?\n>\n> Ann\n",
		"unmarked":   "\n\nShall we meet on Friday at 7:30?\n\nAnn\n",
	}
	bad := 0
	for _, n := range names {
		all, weak := attributions(t, n.name, n.address)
		for _, a := range all {
			for form, q := range quotes {
				if weak[a] && form == "unmarked" {
					continue
				}
				for _, width := range []int{1000, 76} {
					text := own + "\n\n" + wrapAt(a, width) + q
					if r := Extract(Input{Text: text}); r.Text != own {
						if bad++; bad < 60 {
							t.Errorf("%s, %d: %s\n got %q", form, width, a, r.Text)
						}
					}
				}
			}
		}
	}
	t.Logf("%d wrong", bad)
}
