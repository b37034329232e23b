package main

import (
	"bytes"
	"net/mail"
	"net/smtp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wantCorpus is how many of the twelve answers must come out as they were meant.
const wantCorpus = 10

// TestRealMails sends real answers of real mail programs by SMTP into the sandbox, and
// looks for what they say in the chat.
func TestRealMails(t *testing.T) {
	w := newWorld(t)
	files, err := filepath.Glob(w.sharedFolder("corpus", "replies", "talon-eml", "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("no ../shared/corpus/replies/talon-eml beside the repository: real mails are not tried")
	}
	w.says("ana", "Hi")
	to, err := mail.ParseAddress(w.mail(bobsAddress, 1).From) // Reply-To is the same
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		before := len(w.chat())
		if err := smtp.SendMail(w.SMTP, nil, bobsAddress, []string{to.Address}, readdressed(raw, bobsAddress, to.Address)); err != nil {
			t.Fatal(err)
		}
		w.idle()
		var said []string
		for _, m := range w.chat()[before:] {
			if m.User.ID == "bob" && m.Message != "" {
				said = append(said, m.Message)
			}
		}
		if accepted := expected(t, file); slices.Contains(accepted, squeeze(strings.Join(said, "\n"))) {
			right++
		} else {
			t.Logf("%s: the chat says %q, meant was %q", filepath.Base(file), said, accepted)
		}
	}
	t.Logf("%d of %d answers are as they were meant", right, len(files))
	if right < min(wantCorpus, len(files)) {
		t.Errorf("%d of %d; at least %d are wanted", right, len(files), wantCorpus)
	}
}

// expected are the texts that count as the answer, without their white space.
func expected(t *testing.T, file string) (texts []string) {
	t.Helper()
	names, err := filepath.Glob(strings.TrimSuffix(file, ".eml") + ".expected*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: no expected text (%v)", file, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, squeeze(string(b)))
	}
	return texts
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// readdressed gives a mail another writer and reader: only the participant's own word
// is posted.
func readdressed(raw []byte, from, to string) []byte {
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	head, body, _ := bytes.Cut(raw, []byte("\n\n"))
	out := []byte("From: " + from + "\r\nTo: " + to + "\r\n")
	skip := false
	for line := range bytes.SplitSeq(head, []byte("\n")) {
		if folded := len(line) > 0 && (line[0] == ' ' || line[0] == '\t'); !folded {
			name, _, _ := bytes.Cut(line, []byte(":"))
			skip = slices.Contains([]string{"from", "to", "cc", "sender", "reply-to", "return-path", "delivered-to"}, strings.ToLower(string(name)))
		}
		if !skip {
			out = append(append(out, line...), '\r', '\n')
		}
	}
	out = append(out, '\r', '\n')
	return append(out, bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n"))...)
}
