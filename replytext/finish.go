package replytext

import "strings"

// extract classes the lines and puts the result together.
func (d *doc) extract(ours *evidence) Result {
	d.ours = ours
	ours.cover(d)
	d.scan()
	d.topHeaders()
	d.footers()
	d.settle()
	pairs := d.pairs()
	r := Result{Full: d.full, Source: d.source, Confidence: 1, Certain: true, Pairs: pairs}
	r.Forward = d.forward()
	d.guard(&r)
	r.Cuts = d.cuts()
	if r.Certain {
		r.Text = d.render(func(l *line) bool { return l.kind == "" || l.shown })
	} else {
		r.Text = tidy(d.full)
	}
	if r.Forward != nil {
		r.Forward.Comment = d.render(func(l *line) bool { return l.kind == "" })
		if r.Text == "" {
			r.Text = tidy(d.full) // nobody wrote a comment: the forward is the message
		}
	}
	return r
}

// guard keeps Extract from cutting on weak grounds, and from cutting everything
// unless it is known that everything is ours.
func (d *doc) guard(r *Result) {
	d.echoed()
	own, ours := false, d.us
	for i := range d.lines {
		l := &d.lines[i]
		own = own || l.own()
		if l.kind == Quote && !l.quoted() && l.words > 0 {
			ours = false // unmarked words that we did not send may be the answer
		}
		if (l.kind == Quote || l.kind == Attribution) && l.strength < r.Confidence {
			r.Confidence = l.strength
		}
	}
	if !own && r.Forward == nil && strings.TrimSpace(d.full) != "" && !ours {
		r.Confidence = min(r.Confidence, .4)
	}
	r.Certain = r.Confidence >= Sure
}

// echo is how many words of ours an author may repeat as his whole answer.
const echo = 12

// echoed gives a mail's only words back to its author when they are few, unmarked, and
// happen to be ours: he repeated them ("see you on Saturday at ten"). A quotation
// brings more along.
func (d *doc) echoed() {
	words := 0
	for i := range d.lines {
		l := &d.lines[i]
		if l.own() {
			return
		}
		if l.mark == markSent && l.depth == 0 {
			words += l.words
		}
	}
	if words == 0 || words > echo {
		return
	}
	for i := range d.lines {
		if l := &d.lines[i]; l.mark == markSent && l.depth == 0 && l.words > 0 {
			l.kind, l.mark = "", markNone
		}
	}
}

// render joins the lines that keep says, without more than one blank line
// between two of them.
func (d *doc) render(keep func(*line) bool) string {
	var b strings.Builder
	prev, gap := -1, false
	for i := range d.lines {
		l := &d.lines[i]
		if l.kind != "" && !keep(l) {
			gap = true
			continue
		}
		text := strings.TrimRight(d.full[l.start:l.end], " \t\u00a0")
		if l.blank() || !keep(l) {
			gap = true
			continue
		}
		if prev >= 0 {
			if d.lines[prev].end == l.start { // two parts of one line
				b.WriteByte(' ')
			} else {
				b.WriteByte('\n')
				if gap {
					b.WriteByte('\n')
				}
			}
		}
		if l.shown && l.kind == Quote && l.depth == 0 {
			b.WriteString("> ")
		}
		b.WriteString(text)
		prev, gap = i, false
	}
	return b.String()
}

// tidy is render for a text that stays as it is.
func tidy(s string) string {
	d := &doc{full: s}
	for at := 0; at <= len(s); {
		end := len(s)
		if i := strings.IndexByte(s[at:], '\n'); i >= 0 {
			end = at + i
		}
		l := line{start: at, end: end, body: at, fold: strings.TrimSpace(s[at:end])}
		d.lines = append(d.lines, l)
		at = end + 1
	}
	return d.render(func(*line) bool { return true })
}

// cuts joins neighbouring lines of one kind and reason to spans.
func (d *doc) cuts() []Cut {
	var out []Cut
	var open *Cut // the span that the line above belongs to
	for i := range d.lines {
		l := &d.lines[i]
		switch {
		case l.kind == "" || l.shown:
			open = nil
		case open != nil && open.Kind == l.kind && open.Reason == l.reason:
			open.End = l.end
			open.Strength = min(open.Strength, l.strength)
		case l.start < l.end:
			out = append(out, Cut{Start: l.start, End: l.end, Kind: l.kind, Reason: l.reason, Strength: l.strength})
			open = &out[len(out)-1]
		default:
			open = nil
		}
	}
	return out
}

// compare sets a provider's text beside ours, line by line, white space aside.
func compare(ours, provider string) *Disagreement {
	if strings.TrimSpace(provider) == "" {
		return nil
	}
	a, b := lineSet(ours), lineSet(provider)
	dis := &Disagreement{Missing: lacking(ours, b), Extra: lacking(provider, a)}
	if len(dis.Missing)+len(dis.Extra) == 0 {
		return nil
	}
	return dis
}

func lineSet(s string) map[string]bool {
	set := map[string]bool{}
	for _, l := range strings.Split(s, "\n") {
		set[strings.Join(strings.Fields(fold(l)), " ")] = true
	}
	return set
}

func lacking(s string, in map[string]bool) []string {
	var out []string
	for _, l := range strings.Split(s, "\n") {
		if k := strings.Join(strings.Fields(fold(l)), " "); k != "" && !in[k] {
			out = append(out, strings.TrimSpace(l))
		}
	}
	return out
}
