package relay

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"pgregory.net/rapid"
)

func TestSplitText(t *testing.T) {
	tests := []struct {
		name, text string
		limit      int
		want       []string
	}{
		{"empty", " \n\t ", 10, nil},
		{"fits", "  hello  ", 5, []string{"hello"}},
		{"characters, not bytes", "äöüäö", 5, []string{"äöüäö"}},
		{"paragraphs first", "one two\n\nthree four", 16, []string{"one two", "three four"}},
		{"then lines", "one two\nthree four", 15, []string{"one two", "three four"}},
		{"then sentences", "One two. Three four", 16, []string{"One two.", "Three four"}},
		{"then words", "one two three four", 16, []string{"one two three", "four"}},
		{"not so early that crumbs are left", "a\n\nbcdefghij klmnopqrs", 16, []string{"a\n\nbcdefghij", "klmnopqrs"}},
		{"at a word's very end", "one two three", 7, []string{"one two", "three"}},
		{"no place at all", "abcdefghij", 4, []string{"abcd", "efgh", "ij"}},
		{"sentences without spaces", "これは文です。これも文です。", 8, []string{"これは文です。", "これも文です。"}},
		{"lines of mail", "one\r\ntwo\r\nthree", 8, []string{"one\r\ntwo", "three"}},
		{"a flag stays whole", "xx🇩🇪🇫🇷", 3, []string{"xx", "🇩🇪", "🇫🇷"}},
		{"a family stays whole", "abc👨‍👩‍👧", 5, []string{"abc", "👨‍👩‍👧"}},
		{"an accent stays on its letter", "abcde\u0301f", 5, []string{"abcd", "e\u0301f"}},
		{"absurdly stacked", "e" + strings.Repeat("\u0301", 40), 10, nil},
		{"one at a time", "ab c", 1, []string{"a", "b", "c"}},
		{"no limit is the least", "ab", 0, []string{"a", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := splitText(tt.text, tt.limit)
			if tt.want == nil && len(got) > 1 { // only that it ends, and holds the limit
				for _, p := range got {
					if utf8.RuneCountInString(p) > tt.limit {
						t.Errorf("%d characters", utf8.RuneCountInString(p))
					}
				}
				return
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func visible(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) {
			return -1
		}
		return c
	}, s)
}

func graphemes(s string) (out []string) {
	for g := uniseg.NewGraphemes(s); g.Next(); {
		out = append(out, g.Str())
	}
	return out
}

func TestSplitTextKeepsAll(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "word", " ", "  ", "\n", "\n\n", "\r\n", ". ", "! ", "。", "\t", "é", "e\u0301", "🇩🇪", "🇫🇷", "👨‍👩‍👧", "👍🏽", "한국", "각", "נ", "ก็", "नि", "longerwordthanmost"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 0, 60).Draw(t, "text"), "")
		limit := rapid.IntRange(6, 40).Draw(t, "limit") // no piece has more characters
		parts := splitText(text, limit)
		if got, want := visible(strings.Join(parts, "")), visible(text); got != want {
			t.Fatalf("kept %q of %q", got, want)
		}
		var pieces []string
		for _, p := range parts {
			if n := utf8.RuneCountInString(p); n > limit || n == 0 || strings.TrimSpace(p) != p {
				t.Fatalf("a part of %d characters, at most %d: %q", n, limit, p)
			}
			pieces = append(pieces, graphemes(p)...)
		}
		drop := func(gs []string) []string {
			return slices.DeleteFunc(gs, func(g string) bool { return strings.TrimSpace(g) == "" })
		}
		if got, want := drop(pieces), drop(graphemes(text)); !slices.Equal(got, want) {
			t.Fatalf("cut inside a character:\n%q\n%q", got, want)
		}
	})
}

// Any text at all is split in time, loses nothing and holds the limit.
func FuzzSplitText(f *testing.F) {
	f.Add("one two three", 5)
	f.Add(strings.Repeat("\u0301", 100), 3)
	f.Add("\xff\xfe \x00", 1)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if len(text) > 5000 {
			return // many parts of one character each: slow, and nothing new
		}
		limit = max(1, min(limit, 1000))
		parts := splitText(text, limit)
		for _, p := range parts {
			if utf8.RuneCountInString(p) > limit {
				t.Errorf("%d characters, limit %d", utf8.RuneCountInString(p), limit)
			}
		}
		if utf8.ValidString(text) && visible(strings.Join(parts, "")) != visible(text) {
			t.Errorf("%q of %q", parts, text)
		}
	})
}
