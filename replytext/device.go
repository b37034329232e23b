package replytext

import (
	"strings"
	"unicode/utf8"
)

// device cuts a device footer. Telephones that quote without any mark put the
// quoted mail below it: what stands there, behind a blank line, is history if
// the author's words stand above.
func (d *doc) device(k, j int, above bool) {
	d.set(k, k+1, DeviceFooter, "device", .9)
	if !above || k+1 >= j || !d.lines[k+1].blank() {
		return
	}
	if n := d.nextText(k + 1); n < j && !isDashes(d.lines[n].fold) && !isDevice(d.text(n), d.lines[n].fold) {
		d.set(n, j, Quote, "below device footer", .55)
	}
}

// isDevice tells whether a line is a telephone's or a mail program's footer:
// known words of its language, a product, and little else.
func isDevice(text, f string) bool {
	if len(f) > 240 || len(f) < 6 {
		return false
	}
	f = strings.Trim(withoutLinks(f), " .*_-<>()[]|!\"'")
	if f == "" || utf8.RuneCountInString(f) > 90 {
		return false
	}
	opener := deviceOpener(f)
	if opener == "" {
		return false
	}
	rest := strings.Replace(f, opener, " ", 1)
	known := 0
	for _, p := range products {
		if hasProduct(rest, p) {
			rest = strings.Replace(rest, p, " ", 1)
			known++
		}
	}
	if known > 0 {
		return len(strings.Fields(rest)) <= 6 && (known > 1 || !strings.ContainsAny(rest, ",;:"))
	}
	return strings.HasPrefix(f, opener) && likeProduct(text, len(strings.Fields(opener)))
}

// deviceOpener finds the longest words that such a footer has, at its beginning
// or, as some languages have it, at its end.
func deviceOpener(f string) string {
	lx := words()
	best := ""
	try := func(list []string, fits func(string) bool) {
		for _, o := range list {
			if len(o) > len(best) && fits(o) && containsWord(f, o) {
				best = o
			}
		}
	}
	try(lx.deviceFirst[firstWord(f)], func(o string) bool { return strings.HasPrefix(f, o) })
	try(lx.deviceLast[lastWord(f)], func(o string) bool { return strings.HasSuffix(f, o) })
	if best == "" && !ascii(f) {
		try(lx.deviceCJK, func(o string) bool { return strings.Contains(f, o) })
	}
	return best
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// hasProduct tells whether s names a product, as a word or as the beginning of
// one where the language declines it ("iPhonesta").
func hasProduct(s, p string) bool {
	i := strings.Index(s, p)
	if i < 0 {
		return false
	}
	end := i + len(p)
	if p[0] >= 0x80 {
		return true
	}
	if i > 0 && isLetter(s[i-1]) && s[i-1] < 0x80 {
		return false
	}
	return end == len(s) || !isLetter(s[end]) || s[end] >= 0xE0 || len(p) >= 6 && p != "mobile" || p == "ipad" || p == "iphon"
}

// likeProduct tells whether the words behind an opener and a "my" are a name
// that is not known here: a few words in capitals or with digits.
func likeProduct(text string, skip int) bool {
	w := strings.Fields(text)
	if len(w) <= skip+1 || len(w) > skip+7 {
		return false
	}
	possessive := fold(w[skip])
	if !possessives[possessive] {
		return false
	}
	for _, s := range w[skip+1:] {
		c := s[0]
		if !(c >= 'A' && c <= 'Z' || isDigit(c)) || strings.ContainsAny(s, ",.;:!?") {
			return false
		}
	}
	return true
}

// containsWord is strings.Contains for whole words, where the script has words.
func containsWord(f, w string) bool {
	for at := 0; ; {
		i := strings.Index(f[at:], w)
		if i < 0 {
			return false
		}
		i += at
		end := i + len(w)
		before := i == 0 || !isLetter(f[i-1]) || f[i] >= 0xE0
		after := end == len(f) || !isLetter(f[end]) || f[end-1] >= 0x80
		if before && after {
			return true
		}
		at = i + 1
	}
}

// withoutLinks removes <https://...> and (https://...) from a folded line.
func withoutLinks(f string) string {
	for {
		i := strings.Index(f, "http")
		if i < 0 {
			return f
		}
		e := i
		for e < len(f) && f[e] != ' ' && f[e] != '>' && f[e] != ')' && f[e] != ']' {
			e++
		}
		f = strings.TrimRight(f[:i], "<([ ") + " " + strings.TrimLeft(f[e:], ">)]")
	}
}
