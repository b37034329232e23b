package letter

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// Mails of our own making, in the formats that servers and programs write.

type bounceSample struct {
	name, raw               string
	format                  string
	address, status         string
	code                    int
	outcome                 Outcome
	class                   Class
	ours                    string
	diagnosticHas, original string
}

const ourID = "m1.ours@mail.example.com"

func bounceSamples() []bounceSample {
	return []bounceSample{
		{name: "postfix", format: "rfc3464", address: "nobody@dest.example", status: "5.1.1", code: 550, outcome: OutcomeFailed, class: ClassBounce, ours: ourID, diagnosticHas: "User unknown", raw: `
Return-Path: <>
From: MAILER-DAEMON@mx.sender.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: token@mail.example.com
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
	boundary="A1B2.123/mx.sender.example"

This is a MIME-encapsulated message.

--A1B2.123/mx.sender.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.sender.example.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients.

<nobody@dest.example>: host mx.dest.example[192.0.2.9] said: 550 5.1.1
    <nobody@dest.example>: User unknown (in reply to RCPT TO command)

--A1B2.123/mx.sender.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.sender.example
X-Postfix-Queue-ID: A1B2
Arrival-Date: Sun, 22 Nov 2026 10:11:12 +0000 (UTC)

Final-Recipient: rfc822; nobody@dest.example
Original-Recipient: rfc822;nobody@dest.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.dest.example
Diagnostic-Code: smtp; 550 5.1.1 <nobody@dest.example>:
    User unknown

--A1B2.123/mx.sender.example
Content-Description: Undelivered Message
Content-Type: message/rfc822

Return-Path: <token@mail.example.com>
From: "Ana (Desk)" <token@mail.example.com>
To: nobody@dest.example
Subject: Your order
Message-ID: <m1.ours@mail.example.com>
Content-Type: text/plain

Hello
--A1B2.123/mx.sender.example--
`},
		{name: "postfix delayed", format: "rfc3464", address: "slow@dest.example", status: "4.4.1", outcome: OutcomeDelayed, class: ClassBounce, ours: ourID, diagnosticHas: "Connection timed out", raw: `
Return-Path: <>
From: MAILER-DAEMON@mx.sender.example (Mail Delivery System)
Subject: Delayed Mail (still being retried)
To: token@mail.example.com
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

This is the mail system at host mx.sender.example.
THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.sender.example

Final-Recipient: rfc822; slow@dest.example
Action: delayed
Status: 4.4.1
Diagnostic-Code: X-Postfix; connect to mx.dest.example[192.0.2.9]:25:
    Connection timed out
Will-Retry-Until: Fri, 27 Nov 2026 10:11:12 +0000 (UTC)

--b
Content-Type: text/rfc822-headers

Message-ID: <m1.ours@mail.example.com>
Subject: Your order

--b--
`},
		{name: "exim", format: "exim", address: "nobody@dest.example", status: "5.1.1", code: 550, outcome: OutcomeFailed, class: ClassBounce, ours: ourID, diagnosticHas: "no such mailbox", original: "Your order", raw: `
Return-path: <>
From: Mail Delivery System <Mailer-Daemon@mx.sender.example>
To: token@mail.example.com
X-Failed-Recipients: nobody@dest.example
Auto-Submitted: auto-replied
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  nobody@dest.example
    host mx.dest.example [192.0.2.9]
    SMTP error from remote mail server after RCPT TO:<nobody@dest.example>:
    550 5.1.1 no such mailbox here

------ This is a copy of the message, including all the headers. ------

Return-path: <token@mail.example.com>
From: "Ana (Desk)" <token@mail.example.com>
To: nobody@dest.example
Subject: Your order
Message-Id: <m1.ours@mail.example.com>

Hello
`},
		{name: "exim warning", format: "exim", address: "slow@dest.example", outcome: OutcomeDelayed, class: ClassBounce, raw: `
Return-path: <>
From: Mail Delivery System <Mailer-Daemon@mx.sender.example>
To: token@mail.example.com
Auto-Submitted: auto-replied
Subject: Warning: message 1abcDE-000123-AB delayed 24 hours

This message was created automatically by mail delivery software.
A message that you sent has not yet been delivered to one or more of its
recipients after more than 24 hours on the queue on mx.sender.example.

The address to which the message has not yet been delivered is:

  slow@dest.example

No action is required on your part. Delivery attempts will continue for
some time.
`},
		{name: "m365", format: "rfc3464", address: "nobody@dest.example", status: "5.1.10", code: 550, outcome: OutcomeFailed, class: ClassBounce, ours: ourID, diagnosticHas: "RESOLVER.ADR.RecipientNotFound", raw: `
From: <postmaster@dest.example>
To: <token@mail.example.com>
Subject: Undeliverable: Your order
Content-Type: multipart/report; report-type=delivery-status; boundary="_x_"
MIME-Version: 1.0
In-Reply-To: <m1.ours@mail.example.com>
References: <m1.ours@mail.example.com>
Auto-Submitted: auto-replied

--_x_
Content-Type: multipart/alternative; boundary="_y_"

--_y_
Content-Type: text/plain; charset="us-ascii"

Your message to nobody@dest.example couldn't be delivered.
nobody wasn't found at dest.example.

--_y_
Content-Type: text/html; charset="us-ascii"

<p>Your message to <b>nobody@dest.example</b> couldn't be delivered.</p>

--_y_--

--_x_
Content-Type: message/delivery-status

Reporting-MTA: dns;AB1PR01MB0001.eurprd01.prod.outlook.example
Received-From-MTA: dns;mail.example.com

Final-Recipient: rfc822;nobody@dest.example
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient nobody@dest.example not found by SMTP address lookup

--_x_
Content-Type: message/rfc822

Message-ID: <m1.ours@mail.example.com>
Subject: Your order

Hello
--_x_--
`},
		{name: "exchange text", format: "exchange", address: "nobody@dest.example", status: "5.1.1", code: 550, outcome: OutcomeFailed, class: ClassBounce, diagnosticHas: "550 5.1.1", raw: `
From: System Administrator <postmaster@dest.example>
To: token@mail.example.com
Subject: Undeliverable: Your order

Your message did not reach some or all of the intended recipients.

      Subject:  Your order
      Sent:     11/22/2026 10:11 AM

The following recipient(s) could not be reached:

      nobody@dest.example on 11/22/2026 10:12 AM
            The e-mail account does not exist at the organization this message was sent to.
            <mx.dest.example #550 5.1.1 RESOLVER.ADR.RecipNotFound; not found>
`},
		{name: "gmail", format: "rfc3464", address: "nobody@gmail.example", status: "5.1.1", code: 550, outcome: OutcomeFailed, class: ClassBounce, ours: ourID, diagnosticHas: "does not exist", raw: `
Return-Path: <>
From: Mail Delivery Subsystem <mailer-daemon@googlemail.example>
To: token@mail.example.com
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
References: <m1.ours@mail.example.com>
In-Reply-To: <m1.ours@mail.example.com>
X-Failed-Recipients: nobody@gmail.example
Content-Type: multipart/report; boundary="00000000000012ab"; report-type=delivery-status

--00000000000012ab
Content-Type: multipart/related; boundary="00000000000034cd"

--00000000000034cd
Content-Type: multipart/alternative; boundary="00000000000056ef"

--00000000000056ef
Content-Type: text/plain; charset="UTF-8"

** Address not found **

Your message wasn't delivered to nobody@gmail.example because the address couldn't be found.

--00000000000056ef
Content-Type: text/html; charset="UTF-8"

<html><body><h1>Address not found</h1></body></html>
--00000000000056ef--
--00000000000034cd
Content-Type: image/png; name="icon.png"
Content-Disposition: attachment; filename="icon.png"
Content-Transfer-Encoding: base64
Content-ID: <icon.png>

iVBORw0KGgo=
--00000000000034cd--
--00000000000012ab
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.example
Arrival-Date: Sun, 22 Nov 2026 02:11:12 -0800 (PST)
X-Original-Message-ID: <m1.ours@mail.example.com>

Final-Recipient: rfc822; nobody@gmail.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; gmail-smtp-in.l.google.example. (192.0.2.26, the server for
 the domain gmail.example.)
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try
 550 5.1.1 double-checking the address
Last-Attempt-Date: Sun, 22 Nov 2026 02:11:13 -0800 (PST)

--00000000000012ab
Content-Type: message/rfc822

Subject: Your order

Hello
--00000000000012ab--
`},
		{name: "gmail old", format: "gmail", address: "nobody@dest.example", status: "5.2.1", code: 550, outcome: OutcomeFailed, class: ClassBounce, ours: ourID, diagnosticHas: "5.2.1", raw: `
From: Mail Delivery Subsystem <mailer-daemon@googlemail.example>
To: token@mail.example.com
Subject: Delivery Status Notification (Failure)
Content-Type: text/plain; charset=UTF-8

Delivery to the following recipient failed permanently:

     nobody@dest.example

Technical details of permanent failure:
The error that the other server returned was:
550 5.2.1 The account is disabled

----- Original message -----

From: token@mail.example.com
Message-ID: <m1.ours@mail.example.com>
Subject: Your order
`},
		{name: "qmail", format: "qmail", address: "nobody@dest.example", status: "5.1.1", code: 0, outcome: OutcomeFailed, class: ClassBounce, ours: ourID, diagnosticHas: "#5.1.1", raw: `
Return-Path: <>
From: MAILER-DAEMON@mx.sender.example
To: token@mail.example.com
Subject: failure notice

Hi. This is the qmail-send program at mx.sender.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<nobody@dest.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <token@mail.example.com>
Received: (qmail 1234 invoked by uid 89); 22 Nov 2026 10:11:12 -0000
From: token@mail.example.com
To: nobody@dest.example
Subject: Your order
Message-ID: <m1.ours@mail.example.com>

Hello
`},
		{name: "sendmail", format: "sendmail", address: "nobody@dest.example", status: "5.1.1", code: 550, outcome: OutcomeFailed, class: ClassBounce, ours: ourID, diagnosticHas: "User unknown", raw: `
From: Mail Delivery Subsystem <MAILER-DAEMON@mx.sender.example>
To: <token@mail.example.com>
Subject: Returned mail: see transcript for details

The original message was received at Sun, 22 Nov 2026 10:11:12 GMT
from localhost [127.0.0.1]

   ----- The following addresses had permanent fatal errors -----
<nobody@dest.example>
    (reason: 550 5.1.1 <nobody@dest.example>... User unknown)

   ----- Transcript of session follows -----
... while talking to mx.dest.example.:
>>> RCPT To:<nobody@dest.example>
<<< 550 5.1.1 <nobody@dest.example>... User unknown

   ----- Message header follows -----
From: token@mail.example.com
Message-ID: <m1.ours@mail.example.com>
Subject: Your order
`},
		{name: "sendmail transient", format: "sendmail", address: "slow@dest.example", outcome: OutcomeDelayed, class: ClassBounce, raw: `
From: Mail Delivery Subsystem <MAILER-DAEMON@mx.sender.example>
To: <token@mail.example.com>
Subject: Warning: could not send message for past 4 hours

    **********************************************
    **      THIS IS A WARNING MESSAGE ONLY      **
    **********************************************

   ----- The following addresses had transient non-fatal errors -----
<slow@dest.example>

   ----- Transcript of session follows -----
<slow@dest.example>... Deferred: Connection refused by mx.dest.example.
Warning: message still undelivered after 4 hours
`},
		{name: "yahoo", format: "yahoo", address: "nobody@yahoo.example", status: "", code: 554, outcome: OutcomeFailed, class: ClassBounce, ours: ourID, diagnosticHas: "554", raw: `
From: MAILER-DAEMON@yahoo.example
To: token@mail.example.com
Subject: Failure Notice

Sorry, we were unable to deliver your message to the following address.

<nobody@yahoo.example>:
554: delivery error: dd This user doesn't have a yahoo.example account (nobody@yahoo.example) [0] - mta1.mail.yahoo.example

--- Below this line is a copy of the message.

From: token@mail.example.com
Message-ID: <m1.ours@mail.example.com>
Subject: Your order
`},
		{name: "mailbox full, 4xx", format: "rfc3464", address: "full@dest.example", status: "4.2.2", code: 452, outcome: OutcomeTemporary, class: ClassBounce, diagnosticHas: "over quota", raw: `
From: MAILER-DAEMON@mx.sender.example
To: token@mail.example.com
Subject: Undelivered
Content-Type: multipart/report; report-type="delivery-status"; boundary=b

--b
Content-Type: text/plain

Nope.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.sender.example
Final-Recipient: rfc822; full@dest.example
Action: failed
Status: 4.0.0
Diagnostic-Code: smtp; 452-4.2.2 The mailbox is over quota
--b--
`},
		{name: "delivered", format: "rfc3464", address: "ok@dest.example", status: "2.0.0", outcome: OutcomeDelivered, class: ClassDelivered, raw: `
Return-Path: <>
From: MAILER-DAEMON@mx.sender.example
To: token@mail.example.com
Subject: Successful Mail Delivery Report
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

Your message was successfully delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.sender.example

Final-Recipient: rfc822; ok@dest.example
Action: delivered
Status: 2.0.0
--b--
`},
	}
}

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
