package letter

import (
	"strings"
	"testing"
)

// TestNasty: whatever is wrong with a mail, its words are found.
func TestNasty(t *testing.T) {
	for _, c := range nasty() {
		t.Run(c.name, func(t *testing.T) {
			m := mustRead(t, []byte(c.raw))
			if !strings.Contains(m.Text, c.text) || c.text == "" && m.Text != "" {
				t.Errorf("text %q, want %q (%v)", m.Text, c.text, m.Problems)
			}
			if !strings.Contains(m.HTML, c.html) || c.html == "" && m.HTML != "" {
				t.Errorf("html %q, want %q (%v)", m.HTML, c.html, m.Problems)
			}
			checkMessage(t, m, []byte(c.raw), Limits{}.withDefaults())
		})
	}
}
