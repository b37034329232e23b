package replytext

import (
	"fmt"
	"strings"
	"testing"
)

// shortMail is what most answers look like: two lines over a quoted message.
const shortMail = "Yes, the office is fine, third floor please.\n\nThanks\nOmar\n\n" +
	"On Mon, Jan 5, 2026 at 10:15 AM Ana (Support) <k3v9x2m7q4t8w1z6@chat.gateway.example> wrote:\n\n" +
	"> Hi Omar, your order left our warehouse this morning.\n>\n" +
	"> Would you like it delivered to the office or to your home address? The\n> carrier needs to know by tomorrow noon.\n>\n" +
	"> You get this mail because you were away from the chat.\n"

// BenchmarkShort gives mails per second on one core, for text and HTML bodies,
// with and without the knowledge of what was sent.
func BenchmarkShort(b *testing.B) {
	paras := append([]string{}, sentMails[0]...)
	sent := []Sent{{From: []string{ourAddress}, Name: ourName, Text: wrapAll(paras, 78)}}
	page := clients[0].write([]string{"Yes, the office is fine, third floor please.", "Thanks", "Omar"},
		"On Mon, Jan 5, 2026 at 10:15 AM Ana (Support) <k3v9x2m7q4t8w1z6@chat.gateway.example> wrote:", "<p>"+strings.Join(paras, "</p><p>")+"</p>")
	for _, c := range []struct {
		name string
		in   Input
	}{
		{"text", Input{Text: shortMail}},
		{"text/sent", Input{Text: shortMail, Sent: sent}},
		{"html", Input{HTML: page}},
		{"html/sent", Input{HTML: page, Sent: sent}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r := Extract(c.in); r.Text == "" {
					b.Fatal("nothing")
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
		})
	}
}

// hostile are inputs that make careless parsers slow.
func hostile(n int) map[string]Input {
	fill := func(s string) string { return strings.Repeat(s, n/len(s)+1)[:n] }
	return map[string]Input{
		"marks":        {Text: fill(">")},
		"dashes":       {Text: fill("-")},
		"blank":        {Text: fill("\n")},
		"endless":      {Text: fill("word ")},
		"one word":     {Text: fill("a")},
		"openers":      {Text: fill("On 5 May 2024, ")},
		"open lines":   {Text: fill("On 5 May 2024,\n")},
		"labels":       {Text: fill("From: a@b\n")},
		"colons":       {Text: fill("to:")},
		"titles":       {Text: fill("---- x ----\n")},
		"mark lines":   {Text: fill("> a\nb\n")},
		"split":        {Text: fill("x On 1.1.2024 10:00, a@b.c wrote: y\n> q\n")},
		"devices":      {Text: fill("Sent from my phone\n\n")},
		"delimiters":   {Text: fill("a\n--\n")},
		"legal":        {Text: fill("this e-mail is confidential\n\n")},
		"names":        {Text: fill("Ann Lee\n<a@b.c>\n")},
		"brackets":     {Text: fill("<\n")},
		"at":           {Text: fill("a@")},
		"accents":      {Text: fill("é\u0301ß\u200f")},
		"CJK":          {Text: fill("のメッセージ")},
		"divs":         {HTML: fill("<div>")},
		"div text":     {HTML: fill("<div>a")},
		"quotes":       {HTML: fill("<blockquote>a")},
		"links":        {HTML: fill("<a href=x:y>")},
		"bold":         {HTML: fill("<b>a"), Markdown: true},
		"closed":       {HTML: fill("</div>")},
		"tables":       {HTML: fill("<table><tr><td>")},
		"lists":        {HTML: fill("<ul><li>")},
		"attributes":   {HTML: "<div " + fill("a=1 ") + ">x"},
		"open tag":     {HTML: fill("<")},
		"open comment": {HTML: fill("<!--")},
		"paragraphs":   {HTML: fill("<p>")},
		"sent":         {Text: fill("one two three four five\n"), Sent: []Sent{{Text: fill("one two three four five\n")}}},
	}
}

// BenchmarkLinear shows the time for a byte, which must not grow with the input.
func BenchmarkLinear(b *testing.B) {
	for name := range hostile(1) {
		for _, n := range []int{1 << 10, 1 << 15, 1 << 20} {
			in := hostile(n)[name]
			b.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(name, " ", "-"), n), func(b *testing.B) {
				for b.Loop() {
					Extract(in)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/byte")
			})
		}
	}
}
