package letter

import (
	"strings"
	"testing"
	"time"
)

func TestDecodeHeader(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain", "plain"},
		{"=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab"},
		{"=?utf-8?Q?a?=\r\n =?iso-8859-1?Q?=E4?=", "aä"},
		{"=?utf-8?Q?a?= b =?utf-8?Q?c?=", "a b c"},
		{"=?utf-8?B?w6?= =?utf-8?B?Q=?=", "ä"},   // base64 cut between words
		{"=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=", "ä"}, // character cut between words
		{"=?UTF-8?q?K=C3=B6ln?=", "Köln"},        // lower-case encoding
		{"=?utf-8?Q?with blanks inside?=", "with blanks inside"},
		{"=?utf-8?Q?cut off", "cut off"},
		{"=?utf-8*de?Q?K=C3=B6ln?=", "Köln"}, // RFC 2231 language
		{"=?utf-8?Q?really=3F?=", "really?"},
		{"=?utf-8?Q?a?=20b?=", "a? b"},
		{"x=?utf-8?Q?=C3=A4?=y", "xäy"}, // no blanks around
		{"\"=?utf-8?Q?=C3=A4?=\"", "\"ä\""},
		{"=?gb2312?B?xPq6ww==?=", "您好"},
		{"=?x-unknown?Q?K=F6ln am Rhein?=", "Köln am Rhein"},
		{"=?iso-2022-jp?B?GyRCRnxLXDhsGyhC?=", "日本語"},
		{"\x1b$BF|K\\8l\x1b(B", "日本語"},        // undeclared
		{"K\xf6ln am Rhein", "Köln am Rhein"}, // bare latin1
		{"K\xc3\xb6ln", "Köln"},               // bare UTF-8
		{"=?utf-8?Z?x?=", "=?utf-8?Z?x?="},    // no such encoding
		{"=?", "=?"},
		{"a=?=b", "a=?=b"},
		{"folded\r\n\tline", "folded line"},
		{"=?utf-8?Q?evil=0D=0AHeader:_x?=", "evil  Header: x"},
	} {
		if got := decodeHeader(c.in); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestParseAddresses(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a@b.example", "|a@b.example"},
		{"Ana <a@b.example>", "Ana|a@b.example"},
		{`"Doe, John" <j@b.example>, x@y.example`, "Doe, John|j@b.example;|x@y.example"},
		{"Doe, John <j@b.example>", "Doe, John|j@b.example"},
		{"=?utf-8?Q?L=C3=B3pez,_Ana?= <a@b.example>", "López, Ana|a@b.example"},
		{"Team: a@b.example, Bob <c@d.example>;", "|a@b.example;Bob|c@d.example"},
		{"undisclosed-recipients:;", ""},
		{"a@b.example; c@d.example", "|a@b.example;|c@d.example"},
		{"a@b.example (Ana)", "Ana|a@b.example"},
		{"Ana a@b.example", "Ana|a@b.example"},
		{"<a@b.example", "|a@b.example"},
		{"'Ana' <a@b.example>", "Ana|a@b.example"},
		{`"Ana \"the\" Lead" <a@b.example>`, `Ana "the" Lead|a@b.example`},
		{"Ana <mailto:a@b.example>", "Ana|a@b.example"},
		{"<@relay.example:a@b.example>", "|a@b.example"},
		{"\"a@b.example\" <a@b.example>", "a@b.example|a@b.example"},
		{"J\xf6rg M\xfcller <j@b.example>", "Jörg Müller|j@b.example"},
		{"Ana <>", ""},
		{"<>", ""},
		{"", ""},
		{",,;", ""},
		{"Ana", "Ana|"},
	} {
		var got []string
		for _, a := range ParseAddresses(c.in) {
			got = append(got, a.Name+"|"+a.Address)
		}
		if s := strings.Join(got, ";"); s != c.want {
			t.Errorf("%q: %q, want %q", c.in, s, c.want)
		}
	}
}

func TestParseDate(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Sun, 22 Nov 2026 10:11:12 +0100", "2026-11-22T09:11:12Z"},
		{"22 Nov 26 10:11 GMT", "2026-11-22T10:11:00Z"},
		{"Sun, 22 Nov 2026 10:11:12 -0800 (PST)", "2026-11-22T18:11:12Z"},
		{"Sun Nov 22 10:11:12 2026", "2026-11-22T10:11:12Z"},
		{"Sun, 22 Nov 2026 10:11:12 EST", "2026-11-22T15:11:12Z"},
		{"22-Nov-2026 10:11:12", "2026-11-22T10:11:12Z"},
		{"Sun, 22 Nov 2026 10:11:12PM +0000", "2026-11-22T22:11:12Z"},
		{"2026-11-22T10:11:12Z", "2026-11-22T10:11:12Z"},
		{"Sun, 2 Nov 99 10:11:12 +0000", "1999-11-02T10:11:12Z"},
		{"22 November 2026 10:11:12 +01:00", "2026-11-22T09:11:12Z"},
		{"yesterday", ""}, {"", ""}, {"99 Nov 2026", ""}, {"22 Nov 2026 99:99:99", ""},
	} {
		got := ""
		if d := parseDate(c.in); !d.IsZero() {
			got = d.UTC().Format(time.RFC3339)
		}
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.in, got, c.want)
		}
	}
}

func TestParameters(t *testing.T) {
	for _, c := range []struct{ in, name, want string }{
		{`attachment; filename="a b.pdf"`, "filename", "a b.pdf"},
		{`attachment; filename=a b.pdf`, "filename", "a b.pdf"},
		{`attachment; filename=a.pdf; size=3`, "filename", "a.pdf"},
		{`attachment; filename*=UTF-8''%e2%82%ac.pdf`, "filename", "€.pdf"},
		{`attachment; filename*=iso-8859-1'de'K%F6ln.pdf; filename="Koln.pdf"`, "filename", "Köln.pdf"},
		{`attachment; filename*0="part one "; filename*1="two.pdf"`, "filename", "part one two.pdf"},
		{`attachment; filename*1*=%A4.pdf; filename*0*=UTF-8''%C3`, "filename", "ä.pdf"},
		{`attachment; filename="=?utf-8?Q?K=C3=B6ln.pdf?="`, "filename", "Köln.pdf"},
		{"attachment; filename=\"K\xf6ln am Rhein.pdf\"", "filename", "Köln am Rhein.pdf"},
		{`attachment; filename="say \"hi\".pdf"`, "filename", `say "hi".pdf`},
		{`attachment; filename="C:\temp\x.pdf"`, "filename", `C:\temp\x.pdf`},
		{`attachment; filename="never closed.pdf`, "filename", "never closed.pdf"},
		{`text/plain; charset="utf-8" format=flowed`, "format", "flowed"},
		{`text/plain;; charset = utf-8`, "charset", "utf-8"},
	} {
		_, p := parseParams(c.in)
		if p.get(c.name) != c.want {
			t.Errorf("%s: %q, want %q", c.in, p.get(c.name), c.want)
		}
	}
}

func TestFileNames(t *testing.T) {
	for in, want := range map[string]string{
		"../../etc/passwd": "passwd", `C:\x\y.txt`: "y.txt", "a\r\nb": "ab", "..": "", "": "", "inv\u202egpj.exe": "invgpj.exe",
		strings.Repeat("ü", 300) + ".pdf": strings.Repeat("ü", 98) + ".pdf",
	} {
		if got := safeName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	m := mustRead(t, crlf("Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: application/pdf\nContent-Disposition: report final.pdf\n\nP\n--x\nContent-Type: image/jpeg\nContent-Disposition: attachment\n\nJ\n--x\nContent-Type: application/x-made-up\nContent-Disposition: attachment\n\nJ\n--x--\n"))
	var names []string
	for _, a := range m.Attachments {
		names = append(names, a.Name)
	}
	if got := strings.Join(names, "|"); got != "report final.pdf|image-2.jpg|attachment-3.bin" {
		t.Errorf("names %s", got)
	}
}

func TestHeaderGetters(t *testing.T) {
	m := mustRead(t, crlf("Received: one\nReceived: two\nX-Text: =?utf-8?Q?=C3=A4?=\nFrom : a@b.example\nEmpty:\nReferences: <a@b> <c\n d@e>\nIn-Reply-To: \"x\" <q@r>; from y\nMessage-Id: bare@id\n\n"))
	if got := strings.Join(m.Header.Values("received"), ","); got != "one,two" {
		t.Errorf("received %s", got)
	}
	if m.Header.Get("x-text") != "ä" || m.Header.Raw("X-TEXT") != "=?utf-8?Q?=C3=A4?=" || !m.Header.Has("empty") || m.Header.Has("absent") {
		t.Errorf("%q", m.Header)
	}
	if len(m.From) != 1 || m.Header[3].Name != "From" {
		t.Errorf("obsolete blank before the colon: %+v %+v", m.From, m.Header)
	}
	if strings.Join(m.References, ",") != "a@b,cd@e" || m.InReplyTo[0] != "q@r" || m.MessageID != "bare@id" {
		t.Errorf("%v %v %q", m.References, m.InReplyTo, m.MessageID)
	}
}
