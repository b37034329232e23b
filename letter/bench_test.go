package letter

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/jhillyerd/enmime/v2"
)

// benchMails are made here, so that figures can be had without any corpus.
func benchMails() map[string][]byte {
	head := "Received: from mx.example.net (mx.example.net [192.0.2.7])\r\n\tby in.example.com with ESMTPS id abc123\r\n\tfor <desk@example.com>; Sun, 22 Nov 2026 10:11:14 +0000\r\n" +
		"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=sel;\r\n\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; h=from:to:subject;\r\n\tb=" + strings.Repeat("QUJD", 80) + "\r\n" +
		"From: =?utf-8?Q?Ana_L=C3=B3pez?= <ana@example.net>\r\nTo: Desk <desk@example.com>\r\nSubject: =?UTF-8?B?UmU6IEdyw7zDn2UgYXVzIEvDtmxu?=\r\n" +
		"Message-ID: <CAF0a1b2c3@mail.example.net>\r\nIn-Reply-To: <q1@example.com>\r\nReferences: <root@example.com> <q1@example.com>\r\nDate: Sun, 22 Nov 2026 10:11:12 +0100\r\nMIME-Version: 1.0\r\n"
	text := strings.Repeat("Thanks, that works for me =E2=80=93 see you on Thursday at the station.=\r\n And a second line.\r\n", 12)
	html := strings.Repeat("<div class=3D\"gmail_quote\">Thanks, that works for me =E2=80=93 see you =\r\non Thursday<br></div>\r\n", 30)
	alternative := "Content-Type: multipart/alternative; boundary=\"alt\"\r\n\r\n--alt\r\nContent-Type: text/plain; charset=\"UTF-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + text +
		"\r\n--alt\r\nContent-Type: text/html; charset=\"UTF-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + html + "\r\n--alt--\r\n"
	return map[string][]byte{
		"plain":       []byte(head + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + text),
		"alternative": []byte(head + alternative),
		"attach300k":  withAttachment(head, alternative, 300<<10),
		"attach5M":    withAttachment(head, alternative, 5<<20),
	}
}

func withAttachment(head, body string, size int) []byte {
	var b bytes.Buffer
	b.WriteString(head + "Content-Type: multipart/mixed; boundary=\"mix\"\r\n\r\n--mix\r\n" + body +
		"\r\n--mix\r\nContent-Type: application/pdf; name=\"plan.pdf\"\r\nContent-Disposition: attachment; filename=\"plan.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	enc := base64.StdEncoding.EncodeToString(data)
	for len(enc) > 76 {
		b.WriteString(enc[:76] + "\r\n")
		enc = enc[76:]
	}
	b.WriteString(enc + "\r\n--mix--\r\n")
	return b.Bytes()
}

var benchOrder = []string{"plain", "alternative", "attach300k", "attach5M"}

func BenchmarkRead(b *testing.B) {
	mails := benchMails()
	for _, name := range benchOrder {
		raw := mails[name]
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				m, err := ReadBytes(raw, Options{})
				if err != nil || m.Text == "" {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReadAt reads through io.ReaderAt, as from a file.
func BenchmarkReadAt(b *testing.B) {
	mails := benchMails()
	for _, name := range benchOrder {
		raw := mails[name]
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Read(bytes.NewReader(raw), int64(len(raw)), Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEnmime is the yardstick.
func BenchmarkEnmime(b *testing.B) {
	mails := benchMails()
	for _, name := range benchOrder {
		raw := mails[name]
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				env, err := enmime.ReadEnvelope(bytes.NewReader(raw))
				if err != nil || env.Text == "" {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHostile shows time per byte over shapes that make careless parsers quadratic.
func BenchmarkHostile(b *testing.B) {
	for _, size := range []int{64 << 10, 1 << 20} {
		for name, raw := range hostile(size) {
			b.Run(fmt.Sprintf("%s/%dk", name, size>>10), func(b *testing.B) {
				b.SetBytes(int64(len(raw)))
				for b.Loop() {
					_, _ = ReadBytes(raw, Options{Limits: Limits{HeaderBytes: 8 << 20, HeaderFields: 1 << 20}})
				}
			})
		}
	}
}

// hostile makes mails of about size bytes out of one repeated piece.
func hostile(size int) map[string][]byte {
	rep := func(s string) string { return strings.Repeat(s, size/len(s)) }
	mime := func(body string) []byte {
		return []byte("From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" + body)
	}
	return map[string][]byte{
		"dashes":      mime(rep("-")),
		"dashlines":   mime(rep("--\r\n")),
		"parts":       mime(rep("--x\r\n\r\n")),
		"nested":      []byte(rep("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n")),
		"noboundary":  []byte(rep("Content-Type: multipart/mixed\r\n\r\n--y\r\n")),
		"comments":    []byte("To: " + rep("(") + "\r\n\r\n"),
		"quotes":      []byte("To: " + rep(`"\`) + "\r\n\r\n"),
		"angles":      []byte("To: " + rep("<,") + "\r\n\r\n"),
		"words":       []byte("Subject: " + rep("=?a?q?x ") + "\r\n\r\n"),
		"wordstarts":  []byte("Subject: " + rep("=?") + "\r\n\r\n"),
		"b64words":    []byte("Subject: " + rep("=?utf-8?B?YWJj?= ") + "\r\n\r\n"),
		"unknown":     []byte("Subject: " + rep("=?x-no?Q?=E4=F6?= ") + "\r\n\r\n"),
		"alternate":   []byte("Subject: " + rep("=?x-1?Q?=E4?= =?x-2?Q?=E4?= ") + "\r\n\r\n"),
		"manyparams":  []byte("Content-Type: multipart/mixed; boundary=x\r\n\r\n" + rep("--x\r\nContent-Type: text/plain"+strings.Repeat("; name*=%E4; a\xe4=\xe4", 20)+"\r\n\r\n")),
		"addresses":   []byte(rep("To: \xe4 <a@b>, \xe4 <a@b>\r\n") + "\r\n"),
		"cyrillic":    []byte("From: a@b.example\r\n\r\n" + rep("\xcf\xf0\xe8\xe2\xe5\xf2 ")),
		"badlines":    []byte("From: a@b.example\r\n" + rep("no colon here\r\n")),
		"folded":      []byte("Subject: x\r\n" + rep(" \r\n") + "\r\n"),
		"params":      []byte("Content-Type: text/plain; " + rep(`a*0*="x;`) + "\r\n\r\n"),
		"references":  []byte("References: " + rep("<a@b> ") + "\r\n\r\n"),
		"equals":      []byte("Content-Transfer-Encoding: quoted-printable\r\n\r\n" + rep("=")),
		"softbreaks":  []byte("Content-Transfer-Encoding: quoted-printable\r\n\r\n" + rep("= ")),
		"escapes":     []byte("From: a@b.example\r\n\r\n" + rep("\x1b$B")),
		"plus":        []byte("Content-Type: text/plain; charset=utf-7\r\n\r\n" + rep("+A")),
		"pgp":         []byte("From: a@b.example\r\n\r\n" + rep(armourSigned+"\n\n")),
		"quotemarks":  []byte("Content-Type: text/plain; format=flowed\r\n\r\n" + rep("> ")),
		"calendar":    []byte("Content-Type: text/calendar\r\n\r\n" + rep("BEGIN:VEVENT\r\n")),
		"bounceaddrs": []byte("From: mailer-daemon@x.example\r\nSubject: failure notice\r\n\r\n" + rep("<a@b.example>: 550 no\r\n")),
		"html":        []byte("From: mailer-daemon@x.example\r\nSubject: failure notice\r\nContent-Type: text/html\r\n\r\n" + rep("<p")),
	}
}
