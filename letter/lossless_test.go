package letter

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestNothingLost puts words between random pieces of MIME, mostly in places where they do not belong, and finds every
// one of them in the header, the texts or the attachments. Only what stands before the first part of a multipart may be
// missing: that is where mailers say "This is a multi-part message in MIME format".
func TestNothingLost(t *testing.T) {
	pieces := []string{
		"\n", "\n", "--x\n", "--x--\n", "--y\n", "--y--\n", "--z\n", "--x-- junk\n", "-- \n", "WORD\n", "WORD\n", "WORD and WORD\n", "> WORD\n",
		"Content-Type: multipart/mixed; boundary=x\n", "Content-Type: multipart/alternative; boundary=\"y\"\n", "Content-Type: multipart/related\n",
		"Content-Type: text/plain; charset=utf-8\n", "Content-Type: text/html\n", "Content-Type: text/x-odd; name=a\n", "Content-Type: message/rfc822\n", "Content-Type: image/png\n",
		"Content-Transfer-Encoding: quoted-printable\n", "Content-Disposition: attachment; filename=f\n", "Content-ID: <c@d>\n", "Subject: WORD\n", " WORD\n", "X-Odd: WORD\n", "From: a@b.example\n",
		"=\n", "WORD=\n", "=ZZ WORD\n",
	}
	rapid.Check(t, func(t *rapid.T) {
		n := 0
		var b strings.Builder
		for range rapid.IntRange(1, 40).Draw(t, "pieces") {
			piece := rapid.SampledFrom(pieces).Draw(t, "piece")
			for strings.Contains(piece, "WORD") {
				n++
				piece = strings.Replace(piece, "WORD", fmt.Sprintf("word%03d", n), 1)
			}
			b.WriteString(piece)
		}
		raw := b.String()
		m, err := read(memorySource([]byte(raw)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		found := everything(t, m)
		preambles := unseen(m, raw)
		for i := 1; i <= n; i++ {
			word := fmt.Sprintf("word%03d", i)
			if !strings.Contains(found, word) && !strings.Contains(preambles, word) {
				t.Fatalf("%s is lost of\n%s\ntext %q html %q problems %v", word, raw, m.Text, m.HTML, m.Problems)
			}
		}
	})
}

func everything(t *rapid.T, m *Message) string {
	var b strings.Builder
	for _, f := range m.Header {
		b.WriteString(f.Raw + "\n")
	}
	b.WriteString(m.Text + "\n" + m.HTML + "\n")
	for _, a := range m.Attachments {
		for _, f := range a.Header {
			b.WriteString(f.Raw + "\n")
		}
		r, err := a.Open()
		if err != nil {
			t.Fatal(err)
		}
		var c strings.Builder
		buf := make([]byte, 512)
		for {
			n, err := r.Read(buf)
			c.Write(buf[:n])
			if err != nil {
				break
			}
		}
		b.WriteString(c.String() + "\n")
	}
	return b.String()
}

// unseen collects what a mail may hide: preambles, and the headers of parts that became body text.
func unseen(_ *Message, raw string) string {
	msg := &Message{}
	root, err := scan(memorySource([]byte(raw)), msg, Limits{}.withDefaults())
	if err != nil {
		return ""
	}
	var b strings.Builder
	var walk func(p *part)
	walk = func(p *part) {
		if len(p.children) > 0 {
			b.WriteString(raw[p.preamble.start:p.preamble.end] + "\n")
		}
		for _, f := range p.header {
			b.WriteString(f.Raw + "\n")
		}
		for _, c := range p.children {
			walk(c)
		}
	}
	walk(root)
	return b.String()
}
