package letter

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// seeds are small mails of every kind the package knows, made here.
func seeds() [][]byte {
	out := [][]byte{
		nil, []byte("\n"), []byte("no header at all"), []byte("\xef\xbb\xbfSubject: x\n\ny"), []byte("a\rb: c\r\rd"),
		[]byte("\xff\xfeS\x00u\x00"), []byte("Subject: =?utf-8?B?w7/Dvw=?=\n =?utf-8?Q?=C3?= =?utf-8?q?=A9?=\n\n"),
		[]byte("To: \"a, <b@c>, d: e@f;, (x(y)) <g\n\n"),
		tnefSample(), smimeSample("Content-Type: text/plain\r\n\r\nsigned words\r\n"),
	}
	for _, s := range bounceSamples() {
		out = append(out, crlf(s.raw))
	}
	for _, s := range nasty() {
		out = append(out, []byte(s.raw))
	}
	for _, raw := range hostile(300) {
		out = append(out, raw)
	}
	out = append(out, crlf(inviteSample), crlf(reactionSample))
	mails := benchMails()
	return append(out, mails["plain"], mails["alternative"])
}

func FuzzRead(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	lim := Limits{Size: 1 << 20, HeaderBytes: 20000, HeaderFields: 200, Parts: 50, Depth: 8, Text: 10000, Unpacked: 50000}
	f.Fuzz(func(t *testing.T, raw []byte) {
		calls := 0
		opt := Options{Limits: lim, OurIDs: func(id string) bool { calls++; return strings.Contains(id, "ours") }}
		m, err := read(memorySource(raw), opt) // not ReadBytes, which hides panics
		var limit *LimitError
		if err != nil && !errors.As(err, &limit) {
			t.Fatalf("error without I/O: %v", err)
		}
		checkMessage(t, m, raw, lim)
		if calls > 2*maxCandidates {
			t.Errorf("OurIDs called %d times", calls)
		}
		if len(raw) == 0 || longLine(raw, 4096) {
			return
		}
		// The window must not be seen in the result.
		n, err2 := read(&source{at: bytes.NewReader(raw), size: int64(len(raw)), win: 4096}, opt)
		if (err == nil) != (err2 == nil) || n.Text != m.Text || n.HTML != m.HTML || n.Subject != m.Subject || len(n.Attachments) != len(m.Attachments) {
			t.Errorf("through a window: %q %q, in memory: %q %q", n.Text, n.HTML, m.Text, m.HTML)
		}
	})
}

func longLine(raw []byte, n int) bool {
	for len(raw) > 0 {
		line := firstLine(raw, '\n')
		if len(line) >= n {
			return true
		}
		raw = raw[len(line):]
	}
	return false
}

// checkMessage holds what is true of every Message.
func checkMessage(t *testing.T, m *Message, raw []byte, lim Limits) {
	t.Helper()
	if len(m.Header) > lim.HeaderFields+1 {
		t.Errorf("%d header fields", len(m.Header))
	}
	if len(m.Attachments) > lim.Parts*(maxContainers+1)+maxTNEFFiles*maxContainers {
		t.Errorf("%d attachments", len(m.Attachments))
	}
	if n := len(m.Text) + len(m.HTML); n > 40*len(raw)+4096 {
		t.Errorf("%d bytes of text out of %d", n, len(raw))
	}
	for _, s := range []string{m.Text, m.HTML, m.Subject, m.MessageID} {
		if !utf8.ValidString(s) {
			t.Errorf("not UTF-8: %q", s)
		}
	}
	for _, a := range m.Attachments {
		if a.Name == "" || !utf8.ValidString(a.Name) || strings.ContainsAny(a.Name, "/\\\x00\r\n") {
			t.Errorf("attachment name %q", a.Name)
		}
		if a.Place > len(m.Text) {
			t.Errorf("place %d of %d", a.Place, len(m.Text))
		}
		r, err := a.Open()
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		n, err := io.Copy(io.Discard, r)
		if err != nil || n > int64(2*len(raw)+1<<20) {
			t.Errorf("attachment of %d bytes, %v", n, err)
		}
	}
	_ = m.Authentication()
	_ = m.MarkedText(func(*Attachment) string { return "x" })
}
