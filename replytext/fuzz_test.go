package replytext

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// sound reports what Extract promises for every input.
func sound(t *testing.T, in Input) {
	t.Helper()
	r := Extract(in)
	if !utf8.ValidString(r.Full) || !utf8.ValidString(r.Text) {
		t.Fatal("not UTF-8")
	}
	at := 0
	for _, c := range r.Cuts {
		if c.Start < at || c.End <= c.Start || c.End > len(r.Full) {
			t.Fatalf("cut %+v after %d in %d bytes", c, at, len(r.Full))
		}
		if c.Strength <= 0 || c.Strength > 1 || c.Reason == "" || c.Kind == "" || c.Kind == undecided {
			t.Fatalf("cut %+v", c)
		}
		if !utf8.ValidString(r.Full[c.Start:c.End]) {
			t.Fatalf("cut %+v parts a letter", c)
		}
		at = c.End
	}
	if r.Confidence < 0 || r.Confidence > 1 || r.Certain != (r.Confidence >= Sure) {
		t.Fatalf("confidence %v, certain %v", r.Confidence, r.Certain)
	}
	if len(in.Sent) == 0 && r.Text == "" && strings.TrimSpace(r.Full) != "" && !onlyFooters(r) {
		t.Fatalf("nothing left of %q; cuts %+v", r.Full, r.Cuts)
	}
	// Every word is either in the text or in a cut: nothing gets lost between.
	if len(r.Pairs) < 2 && r.Certain && r.Forward == nil {
		rest, at := "", 0
		for _, c := range r.Cuts {
			rest += r.Full[at:c.Start] + "\n"
			at = c.End
		}
		rest += r.Full[at:]
		if squash(rest) != squash(r.Text) {
			t.Fatalf("words lost or made:\nuncut %q\ntext  %q", rest, r.Text)
		}
	}
}

// onlyFooters tells whether all cuts are things that no author writes.
func onlyFooters(r Result) bool {
	for _, c := range r.Cuts {
		if c.Kind == Quote || c.Kind == Attribution {
			return false
		}
	}
	return true
}

// squash takes off white space, what nobody sees, and quote marks.
func squash(s string) string {
	return strings.Join(strings.FieldsFunc(fold(s), func(r rune) bool { return r == '>' || unicode.IsSpace(r) }), "")
}

func FuzzExtract(f *testing.F) {
	all, _ := attributions(f, "Ann Lee", "ann@example.org")
	for _, a := range all {
		f.Add("Yes.\n\n"+a+"\n\n> Hello there, how are you today?\n", "", "", false)
	}
	for i := range clients {
		f.Add("", clients[i].write([]string{"Yes."}, all[i], "<p>Hello there, how are you today?</p>"), "Hello there, how are you today?", true)
	}
	own, err := os.ReadFile("testdata/own.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range strings.Split(string(own), "\n=====\n") {
		f.Add(s, "", "", false)
	}
	for _, s := range corpus(f) {
		f.Add(s, s, "", false)
	}
	f.Fuzz(func(t *testing.T, text, page, sent string, markdown bool) {
		if len(text)+len(page) > 1<<16 {
			return
		}
		in := Input{Text: text, HTML: page, Markdown: markdown, ProviderText: text}
		if sent != "" {
			in.Sent = []Sent{{From: []string{"ann@example.org"}, Name: "Ann Lee", Text: sent, HTML: sent}}
		}
		sound(t, in)
		in.HTML = ""
		sound(t, in)
	})
}

// corpus reads the shared replies, if they are there.
func corpus(t testing.TB) []string {
	files, _ := filepath.Glob(filepath.Join(sharedDir(t), "corpus/replies/*/*"))
	var out []string
	for _, name := range files {
		ext := filepath.Ext(name)
		if strings.Contains(name, ".expected") || ext != ".txt" && ext != ".html" {
			continue
		}
		if b, err := os.ReadFile(name); err == nil {
			out = append(out, string(b))
		}
	}
	return out
}

// sharedDir is ../shared beside the repository, which need not be there.
func sharedDir(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(filepath.Dir(dir), "shared")
		}
	}
	return ""
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

// TestSoundOnCorpus holds every shared reply against what Extract promises.
func TestSoundOnCorpus(t *testing.T) {
	all := corpus(t)
	if len(all) == 0 {
		t.Skip("../shared/corpus/replies is not there")
	}
	for _, s := range all {
		sound(t, Input{Text: s})
		sound(t, Input{HTML: s, Markdown: true})
	}
	for name, in := range hostile(1 << 12) {
		t.Log(name)
		sound(t, in)
	}
}
