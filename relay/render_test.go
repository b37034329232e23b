package relay

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (-update accepts it):\n%s", file, got)
	}
}

func withFiles(m wanted, names ...string) wanted {
	for _, n := range names {
		m.Files = append(m.Files, postern.ChatFile{Name: n})
	}
	return m
}

func TestRender(t *testing.T) {
	line := wanted{postern.ChatMessage{Type: postern.AdminMessage, Text: "The chat closes at six."}, store.Job{}}
	tests := []struct {
		name string
		c    content
	}{
		{"one", content{messages: []wanted{from("ana", "Ana", "Is the bike still for sale?\nI could come on Saturday.")}}},
		{"one-in-a-row", content{messages: []wanted{from("ana", "Ana", "One"), from("ana", "Ana", "Two")}}},
		{"several", content{messages: []wanted{from("ana", "Ana", "One"), from("ana", "Ana", "Two"), from("bea", "Bea", "Three"), from("ana", "Ana", "Four")}}},
		{"admin-line", content{messages: []wanted{from("ana", "Ana", "Hello"), line, from("x@y.example", "", "Who am I?")}, where: "Support"}},
		{"admin-line-alone", content{messages: []wanted{line}, where: "Support"}},
		{"files", content{messages: []wanted{withFiles(from("ana", "Ana", "The papers"), "plan.pdf", "写.txt"), withFiles(from("ana", "Ana", ""), "only.png")}}},
		{"links", content{messages: []wanted{withFiles(from("ana", "Ana", "Large ones"), "film.mov")}, Links: []linked{
			{Name: "film.mov", URL: "https://files.example/film"},
			{Name: "elsewhere.zip", URL: "https://cloud.example/z?a=1&b=2", Foreign: true},
			{Name: "gone.txt"},
			{Name: "script", URL: "javascript:alert(1)", Foreign: true},
		}}},
		{"german", content{messages: []wanted{from("ana", "Ana", "Grüße")}, locale: "de-AT", Links: []linked{{Name: "weg.txt"}}}},
		{"japanese", content{messages: []wanted{from("ana", "安奈", "こんにちは")}, locale: "ja"}},
		{"unknown-language", content{messages: []wanted{from("ana", "Ana", "Ħello")}, locale: "mt"}},
		{"rtl", content{messages: []wanted{from("dana", "דנה", "שלום עולם"), from("ana", "Ana", "Hello")}}},
		{"html", content{messages: []wanted{from("<b>eve</b>", "<img src=x onerror=alert(1)>", "</div><script>alert('x')</script> & \"quotes\""), from("ana", "Ana", "a < b")}}},
		{"lines", content{messages: []wanted{from("ana", "Ana", "one\r\ntwo\rthree\n\nfour\x00\x1b[31m\tfive")}}},
		{"long-line", content{messages: []wanted{from("ana", "Ana", strings.Repeat("0123456789", 150))}}},
		{"empty", content{messages: []wanted{from("ana", "Ana", " \r\n ")}}},
		{"no-links-to-us", content{messages: []wanted{from("ana", "Ana", "Hello")}, Links: []linked{{Name: "film.mov", URL: "https://files.example/film"}}, Leave: "-"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &Rules{Config: Config{Keys: testKeys(t), PublicURL: "https://postern.example"}}
			c := tt.c
			c.Date = start()
			if c.Leave == "-" {
				r.PublicURL, c.Leave = "", ""
			} else {
				c.Leave = r.PublicURL + "/u/word"
			}
			c.render(r, "delivery")
			golden(t, tt.name, c.Text+"\n=======\n\n"+c.HTML)
		})
	}
}

// Every language has all its words.
func TestWordings(t *testing.T) {
	if len(wordings) != len(languages) {
		t.Fatalf("%d wordings for %d languages", len(wordings), len(languages))
	}
	seen := map[string]bool{}
	for i, w := range wordings {
		for _, s := range []string{w.Reply, w.Leave, w.Files, w.Chat} {
			if s == "" || strings.TrimSpace(s) != s {
				t.Errorf("%v: %q", languages[i], s)
			}
		}
		if seen[w.Reply] {
			t.Errorf("%v has another language's words", languages[i])
		}
		seen[w.Reply] = true
	}
	for locale, want := range map[string]string{"": "en", "xx": "en", "not a tag!": "en", "de": "de", "de-CH": "de", "pt-BR": "pt", "zh": "en", "ko-KR": "ko", "en-GB": "en"} {
		if got := languageOf(locale); got != want {
			t.Errorf("%q: %s, want %s", locale, got, want)
		}
	}
}

// The words that link to a file hold for a time, and only as they are.
func TestOpenLink(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.AttachLimit = 3 })
	h.chat.files["https://files.example/film"] = "the film"
	h.says("ana", "See this", func(e *postern.ChatEvent) {
		e.Message.Type = postern.FileMessage
		e.Message.Files = []postern.ChatFile{{URL: "https://files.example/film", Name: "film.mov", ContentType: "video/quicktime"}}
	})
	h.settle()
	d := h.mail.sent[0].Delivery
	date := h.delivery(h.mail.sent[0]).CreatedAt
	word := h.fileWord(d, 0, date.Add(linkFor))
	f, err := h.OpenLink(t.Context(), word)
	if err != nil || f.Name != "film.mov" || f.Type != "video/quicktime" || f.Size != 8 {
		t.Fatalf("%+v, %v", f, err)
	}
	bad := map[string]string{
		"another file":        h.fileWord(d, 1, date.Add(linkFor)),
		"a negative one":      h.fileWord(d, -1, date.Add(linkFor)),
		"another mail":        h.fileWord("nowhere", 0, date.Add(linkFor)),
		"expired":             h.fileWord(d, 0, h.now.Add(-time.Second)),
		"changed":             word[:len(word)-1] + "a" + "b",
		"empty":               "",
		"sealed for a mark":   h.Keys.Text(purposeMark, string(d)+"-0-zzzzzz"),
		"sealed, but no such": h.Keys.Text(purposeFile, "x-y"),
		"sealed, no numbers":  h.Keys.Text(purposeFile, string(d)+"-x-y"),
	}
	for name, w := range bad {
		if _, err := h.OpenLink(t.Context(), w); postern.KindOf(err) != postern.Permanent || postern.CauseOf(err) != postern.CauseNotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.now = date.Add(linkFor + 2*time.Second)
	if _, err := h.OpenLink(t.Context(), word); postern.KindOf(err) != postern.Permanent {
		t.Errorf("after its time: %v", err)
	}
}

func TestLeaving(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Hello")
	_, word, ok := strings.Cut(m.raw, "List-Unsubscribe: <https://postern.example/u/")
	if !ok {
		t.Fatal(m.raw)
	}
	word, _, _ = strings.Cut(word, ">")
	for _, w := range []string{word, strings.ToUpper(word)} {
		p, ok, err := h.Leaving(t.Context(), w)
		if err != nil || !ok || p.Participant != m.Participant || p.Conversation != "Support" || p.Muted {
			t.Fatalf("%+v, %t, %v", p, ok, err)
		}
	}
	address, _, _ := strings.Cut(m.replyTo(), "@")
	for _, w := range []string{"", "x", address, word[1:], h.Keys.ID(purposeLeave, 77)} {
		if _, ok, err := h.Leaving(t.Context(), w); ok || err != nil {
			t.Errorf("%q: %t, %v", w, ok, err)
		}
	}
	for _, out := range []bool{true, true, false} {
		h.must(h.Leave(t.Context(), m.Participant, out))
		if p, _, _ := h.Leaving(t.Context(), word); p.Muted != out {
			t.Errorf("muted: %t", p.Muted)
		}
	}
}
