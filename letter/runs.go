package letter

import (
	"strings"
)

// join makes Text and HTML out of the runs.
func (rd *reader) join(c content) {
	m := rd.msg
	anyT, anyH := c.has()
	complete, images := true, 0
	var text, html strings.Builder
	for _, r := range c.runs {
		if r.image != nil {
			images++
			rd.placeImage(r.image, &text, &html, anyH && images < 200 && !c.refers(r.image.ContentID))
			continue
		}
		blankH := strings.TrimSpace(r.html) == ""
		if r.hasH && !blankH && !r.hasT {
			complete = false
		}
		if r.hasT {
			sep(&text)
			text.WriteString(strings.TrimRight(r.text, "\n"))
		}
		switch {
		case !blankH:
			sep(&html)
			html.WriteString(r.html)
		case anyH && strings.TrimSpace(r.text) != "":
			sep(&html)
			html.WriteString(escapeHTML(r.text))
		}
	}
	m.HTML = html.String()
	if strings.TrimSpace(text.String()) != "" {
		m.Text = text.String()
	}
	if anyT && anyH && !complete {
		m.problem(ProblemIncomplete, nil, "some parts are HTML only, the plain text of the others was left out")
		m.Text = ""
	}
	if !anyH {
		m.HTML = ""
	}
	if m.Text == "" {
		for _, a := range m.Attachments {
			a.Place = -1
		}
	}
}

// placeImage keeps the place of an image between texts: by an offset in Text, by an <img> in HTML.
func (rd *reader) placeImage(a *Attachment, text, html *strings.Builder, showHTML bool) {
	if a.Role != RoleInline {
		return
	}
	a.Place = text.Len()
	if !showHTML {
		return
	}
	if tag := a.imgTag(); tag != "" {
		sep(html)
		html.WriteString(tag)
	}
}

// imgTag shows an inline image; one without a Content-ID gets one.
func (a *Attachment) imgTag() string {
	if a.Role != RoleInline || !strings.HasPrefix(a.ContentType, "image/") {
		return ""
	}
	if a.ContentID == "" {
		a.ContentID = "part" + a.part.path + "@letter.invalid"
	}
	return `<img src="cid:` + escapeHTML(a.ContentID) + `" alt="` + escapeHTML(a.Name) + `">`
}

func sep(b *strings.Builder) {
	if s := b.String(); s != "" && !strings.HasSuffix(s, "\n") {
		b.WriteByte('\n')
	}
}

func joinText(a, b string) string {
	return strings.TrimRight(a, "\n") + "\n" + b
}

func flatten(runs []run) (text, html string) {
	for _, r := range runs {
		if r.hasT {
			if text != "" {
				text = joinText(text, r.text)
			} else {
				text = r.text
			}
		}
	}
	any := false
	for _, r := range runs {
		any = any || r.hasH
	}
	if !any {
		return text, ""
	}
	var b strings.Builder
	for i, r := range runs {
		piece := r.html
		switch {
		case r.hasH:
		case r.hasT:
			piece = escapeHTML(r.text)
		case r.image != nil && i < 200 && !(content{runs}).refers(r.image.ContentID):
			piece = r.image.imgTag()
		}
		if piece != "" {
			sep(&b)
			b.WriteString(piece)
		}
	}
	return text, b.String()
}

var htmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "<br>\n")

func escapeHTML(s string) string { return htmlEscaper.Replace(strings.TrimRight(s, "\n")) }

// undeclaredAlternatives joins a plain part and an HTML part with the same words, sent as mixed by simple scripts.
func undeclaredAlternatives(runs []run) []run {
	var bodies []int
	for i, r := range runs {
		if r.hasT || r.hasH {
			bodies = append(bodies, i)
		}
	}
	if len(bodies) != 2 {
		return runs
	}
	a, b := &runs[bodies[0]], &runs[bodies[1]]
	if a.hasT && !a.hasH && b.hasH && !b.hasT && sameWords(a.text, b.html) {
		b.text, b.hasT = a.text, true
		return append(runs[:bodies[0]:bodies[0]], runs[bodies[0]+1:]...)
	}
	return runs
}

// sameWords tells whether most words of text stand in other, which may be HTML. Both are looked at up to 64 kB.
func sameWords(text, other string) bool {
	total, found := countWords(text, other)
	return found*10 >= total*8
}

// contains tells whether all words of old stand in text.
func contains(text, old string) bool {
	total, found := countWords(old, text)
	return found == total
}

func countWords(text, other string) (total, found int) {
	words := map[string]bool{}
	for w := range wordsOf(clip(other, 64<<10)) {
		words[w] = true
	}
	for w := range wordsOf(clip(text, 64<<10)) {
		total++
		if words[w] {
			found++
		}
	}
	return total, found
}
