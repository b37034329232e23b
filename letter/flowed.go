package letter

import "strings"

// joinFlowed undoes format=flowed (RFC 3676 section 4.4): a line that ends with a blank flows into the next of the same
// quote depth; delSp takes the blank away. Quoted paragraphs come out as one line with their marks.
func joinFlowed(text string, delSp bool) string {
	var b strings.Builder
	b.Grow(len(text))
	flowing, depth := false, 0
	for len(text) > 0 {
		line := text
		if i := strings.IndexByte(text, '\n'); i >= 0 {
			line, text = text[:i], text[i+1:]
		} else {
			text = ""
		}
		d := 0
		for d < len(line) && line[d] == '>' {
			d++
		}
		marks, rest := line[:d], line[d:]
		rest = strings.TrimPrefix(rest, " ") // space-stuffing
		signature := rest == "-- "
		if flowing && (d != depth || signature) {
			b.WriteByte('\n')
			flowing = false
		}
		if !flowing && d > 0 {
			b.WriteString(marks)
			b.WriteByte(' ')
		}
		depth = d
		flowing = !signature && strings.HasSuffix(rest, " ")
		if flowing && delSp {
			rest = rest[:len(rest)-1]
		}
		b.WriteString(rest)
		if !flowing {
			b.WriteByte('\n')
		}
	}
	return b.String()
}
