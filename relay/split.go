package relay

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// splitText cuts a text into parts of at most limit characters, at the best place
// near the end of each: between paragraphs, lines, sentences or words, and where there
// is none, between characters as a reader sees them. Nothing but white space at the
// cuts is lost.
func splitText(s string, limit int) []string {
	var parts []string
	limit = max(limit, 1)
	for s = strings.TrimSpace(s); s != ""; {
		end := byteLen(s, limit)
		if end == len(s) {
			return append(parts, s)
		}
		cut := cutPlace(s[:end], s[end:])
		parts = append(parts, strings.TrimRight(s[:cut], " \t\r\n"))
		s = strings.TrimLeft(s[cut:], " \t\r\n")
	}
	return parts
}

// byteLen is how many bytes the first n characters of s take.
func byteLen(s string, n int) int {
	if len(s) <= n {
		return len(s)
	}
	i := 0
	for ; n > 0 && i < len(s); n-- {
		_, w := utf8.DecodeRuneInString(s[i:])
		i += w
	}
	return i
}

// cutPlace finds where to end a part: rest follows it.
func cutPlace(s, rest string) int {
	least := len(s) / 2 // not so early that parts become crumbs
	for _, sep := range []string{"\n\n", "\n", ". ", "! ", "? ", "。", " "} {
		if strings.HasPrefix(rest, sep) || sep == "\n" && strings.HasPrefix(rest, "\r\n") {
			return len(s) // the part ends there as it is
		}
		if i := strings.LastIndex(s, sep); i+len(sep) > least && i > 0 {
			return i + len(sep)
		}
	}
	// No cut inside what a reader sees as one character (UAX #29), unless it is absurdly long.
	g := uniseg.NewGraphemes(s + rest[:byteLen(rest, 16)])
	last := 0
	for g.Next() {
		_, end := g.Positions()
		if end > len(s) {
			break
		}
		last = end
	}
	if last == 0 {
		return len(s)
	}
	return last
}
