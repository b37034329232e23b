package letter

import ()

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
