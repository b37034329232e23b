package replytext

import "strings"

// maxSplits bounds how many lines are split where a mail program's words follow
// the author's in one line: each split moves the lines below it.
const maxSplits = 64

// scan gives each line its kind. It goes once over the lines: what stands above
// an introduction is the author's, what it introduces is history, and marked
// lines are history or the author's own quotation, whatever the rest says.
func (d *doc) scan() {
	d.banners()
	splits := 0
	for i := 0; i < len(d.lines); {
		l := &d.lines[i]
		switch {
		case l.kind != "" || l.blank():
			i++
			continue
		case l.mark == markFrom:
			i = d.fromHere(i)
			continue
		}
		in, ok := d.introductionAt(i)
		if !ok {
			if l.mark == markForward {
				i = d.forwardedElement(i)
				continue
			}
			if l.quoted() {
				i = d.quotedRun(i)
				continue
			}
			d.seen = true
			i++
			continue
		}
		if in.start > l.body && strings.TrimSpace(d.full[l.body:in.start]) != "" {
			if splits++; splits > maxSplits {
				i++
				continue
			}
			d.splitAt(i, in.start)
			d.seen = d.seen || !d.lines[i].blank()
			i++
			in.last++
			if in.last > i && in.start >= d.lines[i].end {
				in.last = i
			}
		}
		if end := d.lines[in.last].end; in.end < end && strings.TrimSpace(d.full[in.end:end]) != "" && splits < maxSplits {
			splits++
			d.splitAt(in.last, in.end)
		}
		i = d.take(i, in)
	}
}

// introductionAt looks for whatever may introduce a quoted mail in line i.
func (d *doc) introductionAt(i int) (introduction, bool) {
	if in, ok := d.titleAt(i); ok {
		return in, true
	}
	if in, ok := d.headerAt(i); ok {
		return in, true
	}
	return d.attributionAt(i)
}

// take takes in and what it introduces out of the author's words, and
// returns the line to go on with.
func (d *doc) take(i int, in introduction) int {
	top := !d.seen
	after := in.last + 1
	if d.passedOn && in.reason == "header block" && !d.us {
		in.kind = Forwarded
	}
	if in.reason == "title" {
		// A header block under a title belongs to it.
		if j := d.nextText(after); j < len(d.lines) {
			if b, ok := d.headerOnly(j); ok {
				after = b.last + 1
			}
		}
	}
	d.absorbRule(i)
	d.set(i, after, in.kind, in.reason, in.strength)
	j := d.nextText(after)
	switch {
	case j >= len(d.lines):
		return j
	case in.kind == Forwarded:
		end := d.forwardEnd(i, j)
		d.set(after, end, Forwarded, in.reason, in.strength)
		return end
	case d.lines[j].mark == markSent && d.lines[j].depth == d.lines[i].depth:
		return d.history(after, d.unmarkedEnd(j), in)
	case d.deeper(i, j):
		return d.history(after, d.runEnd(j), in)
	case d.lines[i].quoted():
		return d.history(after, d.runEnd(i), in)
	case top && in.reason == "header block":
		// The mail's own headers above its text, or a forward without a comment.
		return after
	}
	return d.history(after, len(d.lines), in)
}

// deeper tells whether line j is quoted when seen from line i.
func (d *doc) deeper(i, j int) bool {
	a, b := &d.lines[i], &d.lines[j]
	return b.depth > a.depth || b.mark == markSent || b.mark == markQuote && a.mark != markQuote
}

// unmarkedEnd is the end of our words, quoted without marks from line j on.
// Below them stands older history, unless the author wrote nothing above, or
// has answers between our words.
func (d *doc) unmarkedEnd(j int) int {
	end := d.runEnd(j)
	if d.final > end || !d.seen {
		return end
	}
	return len(d.lines)
}

// history marks what an introduction introduces.
func (d *doc) history(from, to int, in introduction) int {
	d.set(from, to, Quote, in.reason, in.strength)
	return to
}

// forwardedElement takes the lines of an element that holds a forwarded mail,
// whatever its title says.
func (d *doc) forwardedElement(i int) int {
	end := i
	for end < len(d.lines) && (d.lines[end].mark == markForward || d.lines[end].blank() || d.lines[end].quoted()) {
		end++
	}
	d.set(i, end, Forwarded, "client", .95)
	return end
}

// forwardEnd is where a forwarded mail ends: at the end, unless it is marked as
// a quote and the author's words follow.
func (d *doc) forwardEnd(title, j int) int {
	if d.lines[j].depth > d.lines[title].depth || d.lines[title].quoted() {
		return d.runEnd(j)
	}
	return len(d.lines)
}

// absorbRule takes drawn lines above an introduction with it.
func (d *doc) absorbRule(i int) {
	for p := d.prevText(i); p >= 0; p = d.prevText(p) {
		l := &d.lines[p]
		if l.kind != "" || !(isRule(l.fold) || l.fold == "-" || l.fold == "--") {
			return
		}
		d.set(p, p+1, Attribution, "rule", .9)
	}
}

// fromHere handles an element behind which everything is history.
func (d *doc) fromHere(i int) int {
	j := i
	if d.lines[i].fold == "" {
		j = d.nextText(i)
	}
	if j >= len(d.lines) {
		d.lines[i].mark = markNone
		return i + 1
	}
	if in, ok := d.introductionAt(j); ok && in.kind == Forwarded {
		d.lines[i].mark = markNone
		return i
	}
	d.absorbRule(i)
	if b, ok := d.headerOnly(j); ok {
		if !d.passedOn || d.us {
			d.set(i, b.last+1, Attribution, "client", .97)
			i = b.last + 1
		}
	}
	end := len(d.lines)
	if j = d.nextText(i); j < end && d.lines[j].mark == markSent {
		end = d.unmarkedEnd(j)
	}
	if d.passedOn && !d.us {
		d.set(i, end, Forwarded, "client", .97)
		return end
	}
	d.set(i, end, Quote, "client", .97)
	return end
}

// runEnd is the end of a run of quoted lines that begins in line i: blank lines
// between them belong to it, and the rests of lines that were wrapped after
// they had been marked.
func (d *doc) runEnd(i int) int {
	end, wrapped := i+1, false
	for j := i + 1; j < len(d.lines); j++ {
		l := &d.lines[j]
		switch {
		case l.quoted():
			end = j + 1
		case l.blank():
		case d.remnant(j, wrapped):
			wrapped = true
			end = j + 1
		default:
			return end
		}
	}
	return end
}

// remnant tells whether line j is the unmarked rest of the quoted line above it:
// directly between two marked lines, and either a link's end or in the middle
// of a sentence that filled the line above. seen says that the run has such rests.
func (d *doc) remnant(j int, seen bool) bool {
	if j == 0 || j+1 >= len(d.lines) || !d.lines[j-1].quoted() || !d.lines[j+1].quoted() {
		return false
	}
	f, above := d.lines[j].fold, d.lines[j-1].fold
	if f[0] == '(' || f[0] == '<' || !strings.Contains(f, " ") && strings.ContainsAny(f, ")=/>") {
		return true
	}
	if above == "" || len(above) < 60 || len(f) > 60 {
		return false
	}
	c := d.full[d.lines[j].body]
	return seen || strings.IndexByte(".!?:", above[len(above)-1]) < 0 && (c >= 'a' && c <= 'z' || c >= 0x80)
}

// quotedRun takes a run of marked lines without an introduction above it. It is
// left open ("") here; settle decides when all of the mail is known.
func (d *doc) quotedRun(i int) int {
	end := d.runEnd(i)
	for i > 0 && d.lines[i-1].kind == "" && d.lines[i-1].blank() && d.lines[i-1].depth > 0 {
		i-- // empty marked lines above
	}
	strength, reason := 0.0, ""
	switch m := d.lines[i].mark; {
	case m == markSent:
		strength, reason = .97, "our words"
	case m == markQuote:
		strength, reason = .95, "client"
	case m == markCite:
		strength, reason = .8, "cite"
	}
	// An attribution inside the marks says that the marks are a mail program's.
	seen := 0
	for j := i; j < end && seen < 4 && strength < .9; j++ {
		if d.lines[j].blank() {
			continue
		}
		seen++
		if in, ok := d.introductionAt(j); ok && j > i {
			if in.kind == Forwarded && seen == 1 {
				d.set(i, end, Forwarded, in.reason, in.strength)
				return end
			}
			strength, reason = .9, "attribution inside"
		}
	}
	if strength > 0 {
		d.set(i, end, Quote, reason, strength)
		return end
	}
	d.set(i, end, undecided, "quote marks", .6)
	return end
}

// undecided is the kind of marked lines that nothing introduces.
const undecided Kind = "undecided"

// settle decides about marked lines that nothing introduces. Before or after
// all of the author's words they are what he answers; between his words they
// are his own quotation, unless the mail is interleaved.
func (d *doc) settle() {
	own, history := false, false
	below := d.below()
	for i := 0; i < len(d.lines); {
		l := &d.lines[i]
		if l.kind != undecided {
			own = own || l.own()
			history = history || l.kind == Quote || l.kind == Attribution
			i++
			continue
		}
		end := i
		for end < len(d.lines) && d.lines[end].kind == undecided {
			end++
		}
		next := below[end]
		switch {
		case history:
			d.set(i, end, Quote, "quote marks below history", .7)
		case l.mark == markButton, own && next != nothing:
			d.set(i, end, "", "", 0)
			own = true
		case own != (next == ownBelow):
			d.set(i, end, Quote, "quote marks", .6)
		default:
			d.set(i, end, Quote, "quote marks", .3)
		}
		i = end
	}
}

// What comes first at or below a line.
const (
	nothing = iota
	ownBelow
	historyBelow
)

// below says for each line what comes first from there on.
func (d *doc) below() []uint8 {
	out := make([]uint8, len(d.lines)+1)
	for i := len(d.lines) - 1; i >= 0; i-- {
		out[i] = out[i+1]
		switch l := &d.lines[i]; {
		case l.own():
			out[i] = ownBelow
		case l.kind == Quote || l.kind == Attribution:
			out[i] = historyBelow
		}
	}
	return out
}
