package relay

import (
	"bytes"
	"fmt"
	"io"
	"net/mail"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/jhillyerd/enmime/v2"
	"pgregory.net/rapid"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/letter"
	"github.com/postern-chat/postern/store"
)

// aMail is a delivery's content as it is stored.
func aMail() content {
	c := content{
		From: "Ana (Support)", Address: "aaaa@" + domain, To: "Bob", Subject: "Support", References: []string{"c.root@" + domain},
		Date: start(), Lang: "en", Said: []paragraph{{Lines: []string{"Hello, 世界 👋"}}}, Leave: "https://postern.example/u/word",
	}
	c.write()
	return c
}

// written makes the mail as it goes out, twice, and holds what is true of any mail.
func written(t fataler, r *Rules, c content) (string, *letter.Message) {
	b, err := c.stored()
	if err != nil {
		t.Fatal(err)
	}
	d := store.Delivery{ID: "d1", Participant: 7, MessageID: "d1@" + domain, Recipient: bobsAddress, Content: b}
	stored, err := restored(d.Content)
	if err != nil {
		t.Fatal(err)
	}
	var raw [3]string
	for i := range raw {
		of := stored // as at a later try
		if i == 0 {
			of = &c // as when it is sent at once
		}
		o, err := r.outgoing(d, of)
		if err != nil {
			t.Fatal(err)
		}
		body, err := o.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		if raw[i] = string(b); int64(len(b)) != o.Size {
			t.Fatalf("%d bytes, Size says %d", len(b), o.Size)
		}
		_ = body.Close()
	}
	if raw[0] != raw[1] || raw[1] != raw[2] {
		t.Fatal("a second try has other bytes")
	}
	wellFormed(t, raw[0])
	m, err := letter.ReadBytes([]byte(raw[0]), letter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Problems {
		t.Fatalf("letter finds a problem: %+v", p)
	}
	return raw[0], m
}

type fataler interface {
	Fatal(...any)
	Fatalf(string, ...any)
}

// wellFormed holds the form of RFC 5322 and 2045: lines, bare line ends, 7-bit, the header's fields.
func wellFormed(t fataler, raw string) {
	for _, line := range strings.SplitAfter(raw, "\r\n") {
		line = strings.TrimSuffix(line, "\r\n")
		if len(line) > 998 || strings.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("a line of %d bytes: %.60q", len(line), line)
		}
		for i := range len(line) {
			if line[i] >= 0x80 {
				t.Fatalf("8-bit: %.60q", line)
			}
		}
	}
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"From", "Reply-To", "To", "Subject", "Date", "Message-Id", "In-Reply-To", "References", "Auto-Submitted", "X-Auto-Response-Suppress", "X-Postern-Loop", "List-Unsubscribe", "List-Unsubscribe-Post", "Mime-Version", "Content-Type"}
	for _, name := range want {
		if n := len(m.Header[name]); n != 1 {
			t.Fatalf("%d fields %s", n, name)
		}
	}
	if len(m.Header) != len(want) {
		t.Fatalf("%d fields, want %d: %v", len(m.Header), len(want), m.Header)
	}
	for _, name := range []string{"From", "Reply-To", "To"} {
		if list, err := m.Header.AddressList(name); err != nil || len(list) != 1 {
			t.Fatalf("%s: %v, %v", name, list, err)
		}
	}
	if _, err := m.Header.Date(); err != nil {
		t.Fatal(err)
	}
	e, err := enmime.ReadEnvelope(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range e.Errors {
		if found.Name != enmime.ErrorCharsetDeclaration { // it guesses, and guesses wrong where there is little text
			t.Fatalf("enmime finds %v", found)
		}
	}
}

func TestMessage(t *testing.T) {
	h := newHouse(t)
	raw, m := written(t, h.Rules, aMail())
	if m.From[0].Name != "Ana (Support)" || m.From[0].Address != "aaaa@"+domain || m.To[0].Address != bobsAddress || m.Subject != "Support" {
		t.Errorf("from %+v, to %+v, subject %q", m.From, m.To, m.Subject)
	}
	if m.Text != strings.TrimSpace(aMail().Text) || strings.TrimSpace(m.HTML) != strings.TrimSpace(aMail().HTML) || m.MessageID != "d1@"+domain {
		t.Errorf("text %q, HTML %q, id %q", m.Text, m.HTML, m.MessageID)
	}
	for _, want := range []string{
		"List-Unsubscribe: <https://postern.example/u/word>\r\n", "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
		"Auto-Submitted: auto-generated\r\n", "X-Auto-Response-Suppress: OOF, AutoReply\r\n", "References: <c.root@" + domain + ">\r\n", "In-Reply-To: <c.root@" + domain + ">\r\n",
	} {
		if !strings.Contains(raw, want) {
			t.Errorf("%q is missing", want)
		}
	}
	own, err := letter.ReadBytes([]byte(raw), letter.Options{LoopHeader: headerLoop, LoopValue: h.loopWord()})
	if err != nil || own.Auto == nil || own.Auto.Class != letter.ClassOwn {
		t.Errorf("does not know its own mail: %+v, %v", own.Auto, err)
	}
}

// Whatever people call themselves, their channels and their files stays where it belongs.
func TestMessageOfAnyWords(t *testing.T) {
	h := newHouse(t)
	nasty := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"x\r\nBcc: eve@example.org", "=?utf-8?q?=0D=0ABcc:_eve?=", "\"; x=\"", "a > <b", "?= =?", strings.Repeat("長", 400), strings.Repeat("a", 2000),
		strings.Repeat("\"\\", 200), "<script>", ")(", "\u202e\u0000\u2028", "Ana, \"Bea\" <eve@example.org>;", "é", "\\é", strings.Repeat("👨‍👩‍👧", 60), "\xff\xfe", "",
	}))
	rapid.Check(t, func(rt *rapid.T) {
		c := aMail()
		name, place, file, kind := nasty.Draw(rt, "name"), nasty.Draw(rt, "channel"), nasty.Draw(rt, "file"), nasty.Draw(rt, "type")
		to := &letterTo{channel: postern.Channel{ID: channel, Name: place}, messages: []wanted{from("ana", name, ""), from("bea", place, ""), from("cid", file, "")}}
		c.From, c.To, c.Subject = h.displayName(to), nasty.Draw(rt, "to"), h.conversation(to).Subject
		c.Said = paragraphs([]wanted{from("ana", "Ana", "Hello\n"+nasty.Draw(rt, "text")), from("bea", name, strings.Repeat("x", 1200))}, place)
		c.write()
		c.To = strings.ToValidUTF8(c.To, "\uFFFD") // as compose does
		content := rapid.SliceOf(rapid.Byte()).Draw(rt, "content")
		if rapid.Bool().Draw(rt, "with a file") {
			a, err := h.fetch(io.NopCloser(bytes.NewReader(content)), postern.ChatFile{Name: file, ContentType: kind}, 1<<20)
			if err != nil {
				rt.Fatal(err)
			}
			c.Files = []attachment{a, a}
		}
		_, m := written(rt, h.Rules, c)
		if got, want := shown(m.Subject), shown(c.Subject); got != want {
			rt.Fatalf("subject %q, want %q", got, want)
		}
		if got := m.From[0].Address; got != c.Address {
			rt.Fatalf("from %q", got)
		}
		for i, a := range m.Attachments {
			if shown(a.Name) != shown(c.Files[i].Name) {
				rt.Fatalf("file %q, want %q", a.Name, c.Files[i].Name)
			}
			body, err := a.Open()
			if err != nil {
				rt.Fatal(err)
			}
			got, err := io.ReadAll(body)
			if err != nil || !bytes.Equal(got, content) {
				rt.Fatalf("%d bytes of %d, %v", len(got), len(content), err)
			}
		}
		if len(m.Attachments) != len(c.Files) {
			rt.Fatalf("%d files, want %d", len(m.Attachments), len(c.Files))
		}
	})
}

// shown is a text without characters that show nothing: readers drop some of them.
func shown(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.Is(unicode.Cf, c) || unicode.IsSpace(c) {
			return -1
		}
		return c
	}, s)
}

// A large file is streamed: its size is known beforehand, its bytes come from the disk.
func TestMessageStreams(t *testing.T) {
	h := newHouse(t)
	for _, n := range []int{0, 1, 56, 57, 58, 57 * 512, 57*512 + 1, 300_000} {
		c := aMail()
		a, err := h.fetch(io.NopCloser(strings.NewReader(strings.Repeat("y", n))), postern.ChatFile{Name: "a.bin"}, 1<<20)
		h.must(err)
		c.Files = []attachment{a}
		written(t, h.Rules, c)
	}
}

// A reader that stops early ends the writer, and a file that is gone is an error.
func TestMessageBreaksOff(t *testing.T) {
	h := newHouse(t)
	a, err := h.fetch(io.NopCloser(strings.NewReader("bytes")), postern.ChatFile{Name: "a.bin"}, 1<<20)
	h.must(err)
	c := aMail()
	c.Files = []attachment{a}
	o, err := h.outgoing(store.Delivery{ID: "d", MessageID: "d@x", Recipient: bobsAddress}, &c)
	h.must(err)
	body, err := o.Open()
	h.must(err)
	_, _ = io.ReadFull(body, make([]byte, 10))
	h.must(body.Close())
	h.must(h.Blobs.Delete(a.Blob))
	if body, err = o.Open(); err == nil {
		_, err = io.ReadAll(body)
	}
	if postern.CauseOf(err) != postern.CauseNotFound {
		t.Errorf("a mail without its file: %v", err)
	}
	if _, err := restored([]byte("{")); postern.KindOf(err) != postern.Permanent {
		t.Errorf("broken content: %v", err)
	}
}

// Files of chat messages: attached, linked, waited for.
func TestFiles(t *testing.T) {
	const url = "https://files.example/f"
	tests := []struct {
		name     string
		told     int64
		content  string
		outcomes []outcome
		want     string // in the mail: "attached", "linked", "shown", "named"
		after    time.Duration
	}{
		{"fits", 5, "hello", nil, "attached", 0},
		{"of no bytes", 0, "", nil, "attached", 0},
		{"size not told", 0, "hello", nil, "attached", 0},
		{"told too large", 1 << 30, "hello", nil, "linked", 0},
		{"is too large", 0, strings.Repeat("x", 2000), nil, "linked", 0},
		{"told small, is large", 5, strings.Repeat("x", 2000), nil, "linked", 0},
		{"gone", 5, "-", []outcome{failure(postern.Permanent, postern.CauseNotFound)}, "linked", 0},
		{"a host we do not fetch from", 5, "-", []outcome{failure(postern.Permanent)}, "shown", 0},
		{"down for a moment", 5, "hello", []outcome{failure(postern.Temporary), failure(postern.Temporary)}, "attached", time.Minute},
		{"down for long", 5, "hello", repeat(failure(postern.Temporary), 50), "linked", time.Hour},
		{"always breaks off", 5, "hello", repeat(outcome{err: fmt.Errorf("cut"), happens: true}, 50), "linked", time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, func(c *Config) { c.AttachLimit = 1000 })
			h.chat.files[url], h.chat.calls["file"] = tt.content, tt.outcomes
			h.says("ana", "See this", func(e *postern.ChatEvent) {
				e.Message.Files = []postern.ChatFile{{URL: url, Name: "f.txt", ContentType: "text/plain", Size: tt.told}}
			})
			h.pass(tt.after)
			if len(h.mail.sent) != 1 {
				t.Fatalf("%d mails; %v", len(h.mail.sent), h.buried)
			}
			raw, err := letter.ReadBytes([]byte(h.mail.sent[0].raw), letter.Options{})
			h.must(err)
			got := "named"
			switch {
			case len(raw.Attachments) == 1:
				got = "attached"
			case strings.Contains(raw.Text, "https://postern.example/f/"):
				got = "linked"
			case strings.Contains(raw.Text, url):
				got = "shown"
			}
			if got != tt.want {
				t.Errorf("%s, want %s: %q", got, tt.want, raw.Text)
			}
		})
	}
}

func repeat(o outcome, n int) (os []outcome) {
	for range n {
		os = append(os, o)
	}
	return os
}
