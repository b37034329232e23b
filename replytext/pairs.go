package replytext

import "strings"

// pairs finds the answers under quoted passages. With two or more of them the
// mail is interleaved, and the quoted lines above the last answer stay in the
// text: "yes" and "no" say nothing without them.
func (d *doc) pairs() []Pair {
	var out []Pair
	last := 0
	for i := 0; i < len(d.lines); {
		if !d.quotedHistory(i) {
			i++
			continue
		}
		j := i
		for j < len(d.lines) && (d.quotedHistory(j) || d.lines[j].blank()) {
			j++
		}
		k := j
		for k < len(d.lines) && (d.lines[k].kind == "" || d.lines[k].blank()) {
			k++
		}
		answer := tidy(d.full[d.start(j):d.start(k)])
		if answer != "" && !d.onlyBye(j, k) {
			quoted := d.unquote(i, j)
			out = append(out, Pair{Quoted: quoted, Answer: answer, Sent: d.ours.which(quoted)})
			last = j
		}
		i = max(k, i+1)
	}
	if len(out) > 1 {
		for i := 0; i < last; i++ {
			l := &d.lines[i]
			l.shown = l.kind == Quote || l.kind == Attribution && l.reason == "attribution"
		}
	}
	return out
}

// quotedHistory tells whether line i is a quoted line of an earlier mail.
func (d *doc) quotedHistory(i int) bool {
	l := &d.lines[i]
	return l.quoted() && (l.kind == Quote || l.kind == Attribution)
}

// start is where line i begins.
func (d *doc) start(i int) int {
	if i < len(d.lines) {
		return d.lines[i].start
	}
	return len(d.full)
}

// onlyBye tells whether the lines from i up to j are a closing and a name.
func (d *doc) onlyBye(i, j int) bool {
	n := 0
	bye := false
	for ; i < j; i++ {
		if l := &d.lines[i]; !l.blank() {
			n++
			bye = bye || isBye(l.fold)
			if len(l.fold) > 60 {
				return false
			}
		}
	}
	return bye && n <= 4
}

// unquote returns the lines from i up to j without their quote marks.
func (d *doc) unquote(i, j int) string {
	var b strings.Builder
	for ; i < j; i++ {
		b.WriteString(strings.TrimRight(d.text(i), " \t"))
		b.WriteByte('\n')
	}
	return tidy(strings.TrimSpace(b.String()))
}
