package letter

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

const inviteSample = `
From: Eva <eva@example.org>
To: desk@example.com
Subject: Invitation: Planning
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=m

--m
Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain; charset=utf-8

You are invited.
--a
Content-Type: text/html; charset=utf-8

<p>You are invited.</p>
--a
Content-Type: text/calendar; charset=utf-8; method=REQUEST

BEGIN:VCALENDAR
METHOD:REQUEST
VERSION:2.0
BEGIN:VTIMEZONE
TZID:Mitteleuropa
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:plan-1@example.org
SEQUENCE:2
DTSTART;TZID=Mitteleuropa:20260701T090000
DTEND;TZID=Mitteleuropa:20260701T103000
SUMMARY:Planning\, second
  round
LOCATION:Room 5\; ground floor
DESCRIPTION:Bring\nnotes
ORGANIZER;CN="Eva: Lead":mailto:eva@example.org
ATTENDEE;PARTSTAT=NEEDS-ACTION;CN=Desk:mailto:desk@example.com
STATUS:CONFIRMED
BEGIN:VALARM
DESCRIPTION:Reminder
END:VALARM
END:VEVENT
END:VCALENDAR
--a--
--m
Content-Type: application/ics; name="invite.ics"
Content-Disposition: attachment; filename="invite.ics"

BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VTIMEZONE
TZID:Mitteleuropa
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:plan-1@example.org
SEQUENCE:2
DTSTART;TZID=Mitteleuropa:20260701T090000
SUMMARY:Planning\, second
  round
END:VEVENT
END:VCALENDAR
--m--
`

const reactionSample = `
From: Ana <ana@gmail.example>
To: token@mail.example.com
Subject: Re: Your order
Message-ID: <r1@mail.gmail.example>
In-Reply-To: <m1.ours@mail.example.com>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain; charset="UTF-8"
Content-Transfer-Encoding: base64

8J+RjSBBbmEgcmVhY3RlZCB2aWEgR21haWw=
--a
Content-Type: text/vnd.google.email-reaction+json; charset="UTF-8"

{
  "version": 1,
  "emoji": "👍"
}
--a
Content-Type: text/html; charset="UTF-8"

<p>👍</p><p>Ana reacted via Gmail</p>
--a--
`

// tnefBytes writes a winmail.dat with a body, an HTML body and one file.
func tnefBytes() []byte {
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	attr := func(level byte, id uint32, data []byte) {
		b.WriteByte(level)
		put(id)
		put(uint32(len(data)))
		b.Write(data)
		put(uint16(0))
	}
	put(uint32(tnefSignature))
	put(uint16(1))
	attr(1, attOEMCodepage, []byte{0xe4, 0x04, 0, 0, 0, 0, 0, 0}) // 1252
	attr(1, attBody, []byte("Sch\xf6ne Gr\xfc\xdfe\x00"))
	attr(2, attRendData, make([]byte, 14))
	attr(2, attTitle, []byte("LONGNA~1.PDF\x00"))
	attr(2, attData, []byte("file content"))
	attr(2, attAttachment, mapiBytes(map[uint16]string{prAttachLong: "Übersicht lang.pdf", prAttachMIME: "application/pdf"}))
	return b.Bytes()
}

func mapiBytes(props map[uint16]string) []byte {
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	put(uint32(len(props) + 1))
	put(uint16(3)) // a long integer first
	put(uint16(0x0e21))
	put(uint32(7))
	for _, id := range []uint16{prAttachLong, prAttachMIME} {
		put(uint16(typeUnicode))
		put(id)
		put(uint32(1))
		units := append(utf16.Encode([]rune(props[id])), 0)
		put(uint32(2 * len(units)))
		put(units)
		for n := 2 * len(units); n%4 != 0; n++ {
			b.WriteByte(0)
		}
	}
	return b.Bytes()
}

func tnefSample() []byte {
	return []byte("From: a@b.example\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: application/ms-tnef; name=\"winmail.dat\"\r\n" +
		"Content-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(tnefBytes()) + "\r\n")
}

// der writes one ASN.1 value.
func der(tag byte, content ...[]byte) []byte {
	body := bytes.Join(content, nil)
	n := len(body)
	head := []byte{tag, byte(n)}
	switch {
	case n > 255:
		head = []byte{tag, 0x82, byte(n >> 8), byte(n)}
	case n > 127:
		head = []byte{tag, 0x81, byte(n)}
	}
	return append(head, body...)
}

// cms wraps content as signed data without any signer: enough to be opened, nothing to be verified.
func cms(content string) []byte {
	data := der(0x06, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"))
	signed := der(0x30, der(0x02, []byte{1}), der(0x31), der(0x30, data, der(0xa0, der(0x04, []byte(content)))), der(0x31))
	return der(0x30, der(0x06, []byte(oidSigned)), der(0xa0, signed))
}

func smimeSample(content string) []byte {
	return []byte("From: a@b.example\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: application/pkcs7-mime; smime-type=signed-data; name=\"smime.p7m\"\r\n" +
		"Content-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(cms(content)) + "\r\n")
}

// nastyMail is a malformed or odd mail with the words that must be found, and the charset trouble it has.
type nastyMail struct {
	name, raw string
	text      string // must stand in Text
	html      string // must stand in HTML
}

func nasty() []nastyMail {
	h := "From: a@b.example\r\nTo: c@d.example\r\nSubject: s\r\nMIME-Version: 1.0\r\n"
	return []nastyMail{
		{"bom and blank lines", "\xef\xbb\xbf\r\n\r\n" + h + "\r\nthe words", "the words", ""},
		{"mbox line", "From a@b.example Sun Nov 22 10:11:12 2026\n" + strings.ReplaceAll(h, "\r", "") + "\nthe words", "the words", ""},
		{"lone CR", strings.ReplaceAll(h, "\r\n", "\r") + "\rthe words\rmore", "the words\nmore", ""},
		{"CR CR LF", strings.ReplaceAll(h, "\r\n", "\r\r\n") + "\r\r\nthe words\r\r\nmore", "the words\nmore", ""},
		{"no blank line", h + "The words begin here\r\nand go on", "The words begin here\nand go on", ""},
		{"no header", "the words\r\nwithout: header", "the words", ""},
		{"header line without colon", "From: a@b.example\r\nSubject: one\r\ntwo\r\nContent-Type: text/html\r\n\r\n<p>the words</p>", "", "the words"},
		{"part without header", h + "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nthe words\r\n--x--\r\n", "the words", ""},
		{"part without blank line", h + "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nthe words\r\n--x--\r\n", "the words", ""},
		{"part beginning like a header", h + "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nNote: the words\r\n\r\nrest\r\n--x--\r\n", "Note: the words", ""},
		{"multipart without boundary", h + "Content-Type: multipart/mixed\r\n\r\nthe words", "the words", ""},
		{"boundary guessed", h + "Content-Type: multipart/alternative\r\n\r\n--zzz\r\nContent-Type: text/plain\r\n\r\nthe words\r\n--zzz\r\nContent-Type: text/html\r\n\r\n<b>the words</b>\r\n--zzz--", "the words", "<b>the words</b>"},
		{"boundary wrong", h + "Content-Type: multipart/mixed; boundary=right\r\n\r\n--wrong\r\nContent-Type: text/plain\r\n\r\nthe words\r\n--wrong--", "the words", ""},
		{"boundary in quotes and blanks", h + "Content-Type: multipart/mixed; boundary=\"x y \"\r\n\r\n--x y\r\n\r\nthe words\r\n--x y--", "the words", ""},
		{"not closed", h + "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nthe words", "the words", ""},
		{"inner not closed", h + "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n--y\r\n\r\nthe words\r\n--x\r\n\r\nlast words\r\n--x--", "the words\nlast words", ""},
		{"parts after the end", h + "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nthe words\r\n--x--\r\n--x\r\n\r\nlast words\r\n--x--", "last words", ""},
		{"same boundary inside", h + "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nthe words\r\n--x\r\nContent-Type: text/html\r\n\r\n<b>the words</b>\r\n--x--\r\n", "the words", "<b>the words</b>"},
		{"text only after the parts", h + "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x--\r\nthe words\r\n", "the words", ""},
		{"text only before the parts", h + "Content-Type: multipart/mixed; boundary=x\r\n\r\nthe words\r\n--x--\r\n", "the words", ""},
		{"malformed type", h + "Content-Type: text\r\n\r\nthe words", "the words", ""},
		{"type html only", h + "Content-Type: html; charset=utf-8\r\n\r\n<p>the words</p>", "", "the words"},
		{"type with junk", h + "Content-Type: text/plain charset=utf-8\r\n\r\nthe w\xc3\xb6rds", "the wörds", ""},
		{"unknown encoding", h + "Content-Transfer-Encoding: rot13\r\n\r\nthe words", "the words", ""},
		{"base64 with footer", h + "Content-Transfer-Encoding: base64\r\n\r\ndGhlIHdvcmRz\r\n\r\n-- \r\nlist footer here", "the words\n", ""},
		{"base64 is plain", h + "Content-Transfer-Encoding: base64\r\n\r\nHello, these are the words.", "these are the words.", ""},
		{"base64 cut off", h + "Content-Transfer-Encoding: base64\r\n\r\ndGhlIHdvcmRzI", "the words", ""},
		{"base64 on one line with blanks", h + "Content-Transfer-Encoding: base64\r\n\r\n dGhl\r\n IHdv\r\n cmRz", "the words", ""},
		{"two base64 texts", h + "Content-Transfer-Encoding: base64\r\n\r\ndGhlIA==\r\nd29yZHM=\r\n", "the words", ""},
		{"broken escapes", h + "Content-Transfer-Encoding: quoted-printable\r\n\r\nthe=20w=C3=B6rds =ZZ = end =\r\ngo on=", "the wörds =ZZ = end go on", ""},
		{"encoding in upper case and comment", h + "Content-Transfer-Encoding: Quoted-Printable (x)\r\n\r\nthe=20words", "the words", ""},
		{"uuencoded", h + "Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 t\r\n)=&AE('=O<F1S\r\n`\r\nend\r\n", "the words", ""},
		{"nul bytes", h + "\r\nthe\x00 words", "the words", ""},
		{"empty plain beside html", h + "Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\n\r\n \r\n--x\r\nContent-Type: text/html\r\n\r\n<p>the words</p>\r\n--x--", "", "the words"},
		{"html first", h + "Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>the words</p>\r\n--x\r\nContent-Type: text/plain\r\n\r\nthe words\r\n--x--", "the words", "<p>the words</p>"},
		{"two plain alternatives", h + "Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\n\r\nfirst half\r\n--x\r\n\r\nother thing entirely\r\n--x--", "first half\nother thing entirely", ""},
		{"mixed plain then html", h + "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nthe very same words here\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>the very same words here</p>\r\n--x--", "the very same words here", "<p>the very same words here</p>"},
		{"utf-16", h + "Content-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n//50AGgAZQAgAHcA9gByAGQAcwA=", "the wörds", ""},
		{"raw iso-2022-jp", h + "\r\n\x1b$BF|K\\8l\x1b(B", "日本語", ""},
		{"named only body", h + "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; name=\"text_0.txt\"\r\nContent-Disposition: inline\r\n\r\nthe words\r\n--x--", "the words", ""},
		{"digest", h + "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nthe words\r\n--x\r\nContent-Type: multipart/digest; boundary=y\r\n\r\n--y\r\n\r\nSubject: inner\r\n\r\nnot these\r\n--y--\r\n--x--", "the words", ""},
		{"apple mixed html", h + "Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nfirst words last words\r\n--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\nContent-Type: text/html\r\n\r\n<p>first words</p>\r\n--y\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Disposition: inline; filename=a.pdf\r\n\r\nPDF\r\n--y\r\nContent-Type: text/html\r\n\r\n<p>last words</p>\r\n--y--\r\n--x--", "first words last words", "<p>last words</p>"},
		{"flowed", h + "Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\nthe  \r\nwords \r\n  in one\r\n> quoted \r\n> line\r\n-- \r\nsig", "the words in one\n> quotedline\n-- \nsig", ""},
		{"clearsigned", h + "\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256\r\n\r\nthe words\r\n- -- dashed\r\n-----BEGIN PGP SIGNATURE-----\r\n\r\niQEz\r\n-----END PGP SIGNATURE-----\r\nfooter", "the words\n-- dashed\nfooter", ""},
	}
}
