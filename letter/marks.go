package letter

import "strings"

// MarkedText returns Text with marks where inline attachments stood between the texts (Apple Mail sends text, image, text
// without any HTML). mark is called for each in order and returns what to show for it, for instance "[photo.jpg]"; a mark
// stands on its own line, "" leaves none. Images within HTML need no marks: their cid: links say where they stand.
func (m *Message) MarkedText(mark func(*Attachment) string) string {
	var b strings.Builder
	from := 0
	for _, a := range m.Attachments {
		if a.Place < from || a.Place > len(m.Text) {
			continue
		}
		word := mark(a)
		if word == "" {
			continue
		}
		b.WriteString(m.Text[from:a.Place])
		from = a.Place
		sep(&b)
		b.WriteString(word)
		if !strings.HasPrefix(m.Text[from:], "\n") && from < len(m.Text) {
			b.WriteByte('\n')
		}
	}
	b.WriteString(m.Text[from:])
	return b.String()
}
