package replytext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// footers finds, in each run of the author's lines, what the author did not
// write: device footers, signature blocks, legal text, list footers.
func (d *doc) footers() {
	d.first = 0
	for d.first < len(d.lines) && !d.lines[d.first].own() {
		d.first++
	}
	for i := 0; i < len(d.lines); {
		if !d.lines[i].own() {
			i++
			continue
		}
		j := i
		for j < len(d.lines) && d.lines[j].kind == "" {
			j++
		}
		d.segment(i, j)
		i = j
	}
}

// segment handles the author's lines from i up to j.
func (d *doc) segment(i, j int) {
	above := false // the author has words above
	for k := i; k < j; k++ {
		l := &d.lines[k]
		if l.kind != "" || l.blank() {
			continue
		}
		switch {
		case l.mark == markSignature:
			d.set(k, k+1, Signature, "client", .9)
		case isDevice(d.text(k), l.fold):
			d.device(k, j, above)
		case d.isListFooter(k):
			d.dropRuleAbove(i, k, ListFooter)
			d.set(k, d.listEnd(k, j), ListFooter, "list footer", .9)
		case isDisclaimer(l.fold):
			d.set(k, d.disclaimerEnd(k, j), Disclaimer, "legal text", .8)
		default:
			above = true
		}
	}
	d.signature(i, j)
	d.dashedName(i, j)
	d.trailingRules(i, j)
}

// signature cuts what stands under a delimiter, if it looks like a signature.
func (d *doc) signature(i, j int) {
	if i == d.first && i == d.nextText(0) {
		i++ // nothing above it can be signed
	}
	for k := i; k < j; k++ {
		l := &d.lines[k]
		if l.kind != "" || l.blank() {
			continue
		}
		switch delimiter := isDelimiter(d.text(k), l.fold); {
		case delimiter && d.likeSignature(k+1, j, 16):
			d.set(k, j, Signature, "delimiter", .9)
			return
		case !delimiter && (isRule(l.fold) || isDashes(l.fold)) && d.signatureRule(i, k, j):
			d.set(k, j, Signature, "rule", .7)
			return
		}
	}
}

// dashedName cuts a last line like "-Ann Lee", if dashes are not how the author
// makes lists.
func (d *doc) dashedName(i, j int) {
	k := j - 1
	for k > i && (d.lines[k].kind != "" || d.lines[k].blank()) {
		k--
	}
	if k <= i || !d.lines[k-1].blank() || !dashedName(d.text(k)) {
		return
	}
	for p := i; p < k; p++ {
		if strings.HasPrefix(d.lines[p].fold, "-") && !isRule(d.lines[p].fold) {
			return
		}
	}
	d.set(k, k+1, Signature, "name behind a dash", .7)
}

func dashedName(s string) bool {
	s = strings.TrimSpace(s)
	name := strings.TrimLeft(s, "-\u2013\u2014")
	if name == s || len(name) > 40 {
		return false
	}
	w := strings.Fields(name)
	if len(w) == 0 || len(w) > 3 {
		return false
	}
	for _, p := range w {
		r, _ := utf8.DecodeRuneInString(p)
		if !unicode.IsUpper(r) || strings.ContainsAny(p, ":;!?0123456789") {
			return false
		}
	}
	return true
}

// isDelimiter knows the delimiter of RFC 3676 section 4.3, also without its
// space, and the long dash that editors make of it.
func isDelimiter(text, f string) bool {
	return f == "--" || f == "-" && strings.TrimSpace(text) != "-"
}

// isDashes knows short rows of dashes, which end nothing by themselves.
func isDashes(f string) bool {
	return f == "--" || f == "---" || f == "-" || f == "__"
}

// signatureRule tells whether a drawn line begins a signature: a closing stands
// above it, or contact data below.
func (d *doc) signatureRule(i, k, j int) bool {
	if d.nextText(k+1) >= j {
		return true // nothing below
	}
	if d.byeAbove(i, k) {
		return d.likeSignature(k+1, j, 16)
	}
	if !d.likeSignature(k+1, j, 8) {
		return false
	}
	return d.contact(k+1, j)
}

// byeAbove tells whether a closing stands in the four lines of text above k.
func (d *doc) byeAbove(i, k int) bool {
	n := 0
	for p := k - 1; p >= i && n < 4; p-- {
		if l := &d.lines[p]; !l.blank() {
			n++
			if isBye(l.fold) {
				return true
			}
		}
	}
	return false
}

// likeSignature tells whether the lines from i up to j can be a signature: few
// and short ones, without a closing, which would make them a letter.
func (d *doc) likeSignature(i, j, most int) bool {
	n, long := 0, 0
	rule := i > 0 && isRule(d.lines[i-1].fold)
	for ; i < j && n <= most; i++ {
		l := &d.lines[i]
		if l.kind != "" || l.blank() {
			continue
		}
		n++
		if len(l.fold) > 110 || !rule && len(l.fold) > 50 && strings.IndexByte(".!?", l.fold[len(l.fold)-1]) >= 0 && !d.contact(i, i+1) {
			long++
		}
		if rule && isBye(l.fold) || isDashes(l.fold) && n > 1 || d.lines[i].quoted() {
			return false
		}
		if strings.HasPrefix(l.fold, "-- ") {
			return false // a list made with dashes
		}
	}
	return n <= most && long <= 1
}

// contact tells whether an address, a link or a telephone number stands in the
// lines from i up to j.
func (d *doc) contact(i, j int) bool {
	for ; i < j; i++ {
		f := d.lines[i].fold
		if len(f) > 300 {
			continue
		}
		if strings.Contains(f, "@") || strings.Contains(f, "www.") || strings.Contains(f, "http") || digits(f) >= 7 {
			return true
		}
	}
	return false
}

func digits(f string) int {
	n := 0
	for i := 0; i < len(f); i++ {
		if isDigit(f[i]) {
			n++
		}
	}
	return n
}

// trailingRules takes away drawn lines that now end the author's words.
func (d *doc) trailingRules(i, j int) {
	for k := j - 1; k >= i; k-- {
		l := &d.lines[k]
		if l.kind != "" || l.blank() {
			continue
		}
		if !isRule(l.fold) && !isDashes(l.fold) || k == i {
			return
		}
		d.set(k, k+1, Signature, "rule", .7)
	}
}

// isBye tells whether a folded line is the closing of a letter: a known one,
// alone or before a name.
func isBye(f string) bool {
	if len(f) > 60 || f == "" {
		return false
	}
	lx := words()
	f = strings.Trim(f, " ,.!;:*_-)(")
	if lx.bye[f] {
		return true
	}
	if c := strings.IndexAny(f, ",!.;"); c > 0 && lx.bye[strings.TrimSpace(f[:c])] {
		return strings.Count(f[c:], " ") <= 4
	}
	// "Best regards Ann Lee": closing and name in one line.
	for cut, n := strings.LastIndexByte(f, ' '), 0; cut > 0 && n < 3; cut, n = strings.LastIndexByte(f[:cut], ' '), n+1 {
		if lx.bye[f[:cut]] && strings.Contains(f[:cut], " ") {
			return true
		}
	}
	return false
}

// banners takes warnings that a mail system put above the text.
func (d *doc) banners() {
	for n, i := 0, d.nextText(0); n < 4 && i < len(d.lines); n++ {
		end := i
		for end < len(d.lines) && !d.lines[end].blank() && end-i < 6 {
			end++
		}
		switch {
		case isBanner(d.fold(i, end)):
			d.set(i, end, Banner, "banner", .8)
		case isBanner(d.lines[i].fold):
			d.set(i, i+1, Banner, "banner", .8)
			end = i + 1
		case !isRule(d.lines[i].fold):
			return
		default:
			end = i + 1
		}
		i = d.nextText(end)
	}
}

// fold joins the folded lines from i up to j.
func (d *doc) fold(i, j int) string {
	var b strings.Builder
	for ; i < j && b.Len() < 2000; i++ {
		b.WriteString(d.lines[i].fold)
		b.WriteByte(' ')
	}
	return b.String()
}

// isBanner tells whether folded text warns of a sender from outside.
func isBanner(f string) bool {
	if len(f) > 900 {
		return false
	}
	f = strings.Trim(f, " *_[({|<!#~-=])}>:.")
	for _, b := range bannerAlone {
		if f == b {
			return true
		}
	}
	if !hasAny(f, bannerOutside) {
		return false
	}
	return hasAny(f, bannerPhrases) || hasAnyPrefix(f, bannerOpeners) && count(f, bannerAdvice) >= 2
}

// isDisclaimer tells whether a folded line is, or begins, legal text.
func isDisclaimer(f string) bool {
	t := strings.Trim(f, " *_-:=#.[]")
	for _, title := range disclaimerTitles {
		if t == title {
			return true
		}
	}
	if hasAnyPrefix(t, disclaimerOpeners) {
		return len(t) > 60 || count(t, legalWords) >= 1
	}
	return len(t) > 120 && count(t, legalWords) >= 3
}

// disclaimerEnd includes the paragraphs behind a disclaimer that are legal text
// too, and, under a title, the paragraph below.
func (d *doc) disclaimerEnd(k, j int) int {
	end := d.paragraphEnd(k, j)
	if len(d.lines[k].fold) < 60 {
		if n := d.nextText(end); n < j {
			end = d.paragraphEnd(n, j)
		}
	}
	for {
		n := d.nextText(end)
		if n >= j || !isDisclaimer(d.lines[n].fold) && count(d.lines[n].fold, legalWords) < 2 && !hasAnyPrefix(d.lines[n].fold, noticeOpeners) {
			return end
		}
		end = d.paragraphEnd(n, j)
	}
}

func (d *doc) paragraphEnd(k, j int) int {
	for k < j && !d.lines[k].blank() {
		k++
	}
	return k
}

// isListFooter tells whether line k begins a mailing list's or group's footer.
func (d *doc) isListFooter(k int) bool {
	f := strings.Trim(d.lines[k].fold, " *_-")
	return hasAnyPrefix(f, listOpeners) || len(f) < 80 && (strings.HasSuffix(f, "mailing list") || strings.HasSuffix(f, "mailinglist"))
}

// listEnd includes what stands below a list footer's first line: links and
// addresses, until a line of words.
func (d *doc) listEnd(k, j int) int {
	end := k + 1
	for n := k + 1; n < j; n++ {
		f := d.lines[n].fold
		switch {
		case f == "":
		case strings.Contains(f, "http"), strings.Contains(f, "@"), isRule(f), isDashes(f), hasAny(f, listWords):
			end = n + 1
		default:
			return end
		}
	}
	return end
}

// dropRuleAbove takes a drawn line over a footer with it.
func (d *doc) dropRuleAbove(i, k int, kind Kind) {
	if p := d.prevText(k); p >= i && (isRule(d.lines[p].fold) || isDashes(d.lines[p].fold)) {
		d.set(p, p+1, kind, "rule", .9)
	}
}

func hasAny(s string, list []string) bool {
	for _, w := range list {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

func hasAnyPrefix(s string, list []string) bool {
	for _, w := range list {
		if strings.HasPrefix(s, w) {
			return true
		}
	}
	return false
}

func count(s string, list []string) int {
	n := 0
	for _, w := range list {
		if strings.Contains(s, w) {
			n++
		}
	}
	return n
}
