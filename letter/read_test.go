package letter

import (
	"io"
	"strings"
	"testing"
)

// crlf makes a message out of lines written with "\n".
func crlf(s string) []byte {
	return []byte(strings.ReplaceAll(strings.TrimPrefix(s, "\n"), "\n", "\r\n"))
}

func mustRead(t *testing.T, raw []byte) *Message {
	t.Helper()
	m, err := ReadBytes(raw, Options{})
	if err != nil {
		t.Fatalf("ReadBytes: %v", err)
	}
	return m
}

func content1(t *testing.T, a *Attachment) string {
	t.Helper()
	r, err := a.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestReadWholeMail(t *testing.T) {
	m := mustRead(t, crlf(`
From: =?UTF-8?Q?Ana_L=C3=B3pez?= <ana@example.org>
To: "Desk, Help" <desk@example.com>, bob@example.net
Subject: =?utf-8?B?R3LDvMOfZQ==?= aus
 =?iso-8859-1?Q?K=F6ln?=
Message-ID: <1@example.org>
In-Reply-To: <0@example.com>
References: <a@example.com>
 <0@example.com>
Date: Sun, 22 Nov 2026 10:11:12 +0100
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="outer"

preamble
--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Sch=C3=B6ne Gr=
=C3=BC=C3=9Fe
--inner
Content-Type: text/html; charset=utf-8

<p>Schöne Grüße <img src="cid:logo@x"></p>
--inner--

--outer
Content-Type: image/png; name=logo.png
Content-ID: <logo@x>
Content-Transfer-Encoding: base64

aGVs
bG8=
--outer
Content-Type: application/pdf
Content-Disposition: attachment; filename*=UTF-8''%E2%82%AC%20rates.pdf

PDF
--outer--
`))
	check := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s = %q, want %q", what, got, want)
		}
	}
	check("From", m.From[0], Address{"Ana López", "ana@example.org"})
	check("To", m.To[0], Address{"Desk, Help", "desk@example.com"})
	check("Subject", m.Subject, "Grüße aus Köln")
	check("MessageID", m.MessageID, "1@example.org")
	check("References", strings.Join(m.References, " "), "a@example.com 0@example.com")
	check("Date", m.Date.UTC().Format("2006-01-02 15:04:05"), "2026-11-22 09:11:12")
	check("Text", m.Text, "Schöne Grüße")
	check("HTML", m.HTML, `<p>Schöne Grüße <img src="cid:logo@x"></p>`)
	if len(m.Attachments) != 2 {
		t.Fatalf("attachments: %d", len(m.Attachments))
	}
	img, pdf := m.Attachments[0], m.Attachments[1]
	check("cid", img.ContentID, "logo@x")
	check("inline", img.Inline, true)
	check("size", img.Size, int64(5))
	check("content", content1(t, img), "hello")
	check("pdf", pdf.Name, "€ rates.pdf")
	check("pdf inline", pdf.Inline, false)
	check("pdf content", content1(t, pdf), "PDF")
	if len(m.Problems) != 0 {
		t.Errorf("problems: %v", m.Problems)
	}
}
