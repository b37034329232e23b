package relay

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

func TestOneLine(t *testing.T) {
	for _, tt := range []struct {
		in   string
		most int
		want string
	}{
		{"plain", 10, "plain"},
		{"  many   spaces\t", 20, "many spaces"},
		{"a\r\nBcc: eve@example.org", 40, "a Bcc: eve@example.org"},
		{"a\x00b\x7fc\u0085d\u009be\u2028f", 40, "a b c d e f"},
		{"safe\u202egnp.exe", 40, "safe gnp.exe"},
		{"\u2066x\u2069", 10, "x"},
		{"=?utf-8?q?hidden?=", 40, "= ?utf-8?q?hidden?="},
		{"\xff\xfe", 10, "\uFFFD"},
		{"äöüäöü", 4, "äöü…"},
		{"", 5, ""},
	} {
		if got := oneLine(tt.in, tt.most); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestFileName(t *testing.T) {
	long := strings.Repeat("写", 300)
	for _, tt := range []struct{ in, want string }{
		{"a.pdf", "a.pdf"},
		{"", "file"}, {".", "file"}, {"..", "file"}, {"x/..", "file"}, {"/", "file"},
		{"/etc/passwd", "passwd"}, {`C:\Users\Ana\plan.doc`, "plan.doc"}, {"../../up.txt", "up.txt"},
		{"a\r\nContent-Type: text/html", "html"},
		{"in\u202egnp.exe", "in gnp.exe"},
		{long + ".pdf", strings.Repeat("写", 65) + ".pdf"},
		{long, strings.Repeat("写", 66)},
		{"x." + strings.Repeat("e", 500), "x." + strings.Repeat("e", 198)},
	} {
		if got := fileName(postern.ChatFile{Name: tt.in}); got != tt.want {
			t.Errorf("%.40q: %q, want %q", tt.in, got, tt.want)
		}
	}
	if got := fileName(postern.ChatFile{Name: "é" + strings.Repeat("写", 300)}); !utf8.ValidString(got) || len(got) > maxFileName {
		t.Errorf("%d bytes, %q", len(got), got)
	}
}

func TestMediaType(t *testing.T) {
	const other = "application/octet-stream"
	for in, want := range map[string]string{
		"":                          other,
		"image/png":                 "image/png",
		"IMAGE/PNG":                 "image/png",
		"text/plain; charset=utf-8": "text/plain; charset=utf-8",
		"text/plain; charset=utf-8; name=\"x\r\ny\"": other,
		"text/html; evil=1":                          "text/html",
		"multipart/mixed; boundary=x":                other,
		"message/rfc822":                             other,
		"Message/Partial; id=1":                      other,
		"text":                                       other,
		"text/":                                      other,
		"text/plain\r\nBcc: eve@example.org":         other,
		"a/" + strings.Repeat("x", 1000):             other,
		"text/plain; charset=\"" + strings.Repeat("x", 1000) + "\"": "text/plain",
		"text/plain; charset=\"a b\"":                               "text/plain; charset=\"a b\"",
	} {
		if got := mediaType(in); got != want {
			t.Errorf("%.60q: %q, want %q", in, got, want)
		}
	}
}

func from(id, name, text string) wanted {
	return wanted{postern.ChatMessage{Sender: postern.User{ID: postern.UserID(id), Name: name}, Text: text}, store.Job{}}
}

func TestDisplayName(t *testing.T) {
	line := wanted{postern.ChatMessage{Type: postern.AdminMessage, Text: "maintenance"}, store.Job{}}
	ana, bea, cid, dan := from("ana", "Ana", ""), from("bea", "Bea", ""), from("cid", "Cid", ""), from("dan", "Dan", "")
	for _, tt := range []struct {
		name, fromName, channel string
		messages                []wanted
		want                    string
	}{
		{"one", "", "Support", []wanted{ana}, "Ana (Support)"},
		{"one, twice", "", "Support", []wanted{ana, ana}, "Ana (Support)"},
		{"configured", "Acme", "Support", []wanted{ana}, "Ana (Acme)"},
		{"channel without a name", "", "", []wanted{ana}, "Ana"},
		{"the channel is called as he is", "", "Ana", []wanted{ana}, "Ana"},
		{"three", "", "Support", []wanted{ana, bea, cid}, "Ana, Bea, Cid (Support)"},
		{"four", "", "Support", []wanted{ana, bea, cid, dan}, "Ana, Bea +2 (Support)"},
		{"the application", "", "Support", []wanted{line}, "Support"},
		{"the application, nameless", "", "", []wanted{line}, "Chat"},
		{"no nickname", "", "Support", []wanted{from("user-7", "", "")}, "user-7 (Support)"},
		{"no nickname, and the id is an address", "", "Support", []wanted{from("ana@people.example", "", "")}, "Support"},
		{"lines in a name", "", "Sup\r\nport", []wanted{from("a", "Ana\r\nBcc: x@y", "")}, "Ana Bcc: x@y (Sup port)"},
	} {
		r := &Rules{Config: Config{FromName: tt.fromName}}
		if got := r.displayName(&letterTo{channel: postern.Channel{Name: tt.channel}, messages: tt.messages}); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestConversation(t *testing.T) {
	r := &Rules{Config: Config{PlatformName: "fake", Domain: domain}}
	for _, tt := range []struct {
		name, channel string
		m             []wanted
		want          string
	}{
		{"named", "Support", nil, "Support"},
		{"nameless", " ", []wanted{from("ana", "Ana", "")}, "Your conversation with Ana"},
		{"nameless, of nobody", "", nil, "Your conversation"},
		{"the id is an address", "", []wanted{from("a@b.example", "", "")}, "Your conversation"},
	} {
		c := r.conversation(&letterTo{channel: postern.Channel{ID: "x", Name: tt.channel}, messages: tt.m})
		if c.Subject != tt.want || !strings.HasSuffix(c.RootID, "@"+domain) {
			t.Errorf("%s: subject %q, root %q", tt.name, c.Subject, c.RootID)
		}
	}
}
