package letter_test

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/postern-chat/postern/letter"
)

const mail = `From: =?utf-8?Q?Ana_L=C3=B3pez?= <ana@example.org>
To: desk@example.com
Subject: Re: Order 7
Message-ID: <1@example.org>
In-Reply-To: <0@example.com>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

It arrived, thank you =F0=9F=99=82
--x
Content-Type: text/csv; name=list.csv
Content-Transfer-Encoding: base64

YSxiCjEsMgo=
--x--
`

func ExampleRead() {
	src := strings.NewReader(mail) // an *os.File serves as well
	m, err := letter.Read(src, src.Size(), letter.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.From[0].Name, "answers", m.InReplyTo[0])
	fmt.Println(m.Subject)
	fmt.Println(m.Text)
	fmt.Println("by a person:", m.Auto == nil)
	// Output:
	// Ana López answers 0@example.com
	// Re: Order 7
	// It arrived, thank you 🙂
	// by a person: true
}

func ExampleAttachment_Open() {
	m, err := letter.ReadBytes([]byte(mail), letter.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range m.Attachments {
		fmt.Println(a.Name, a.ContentType, a.Size)
		r, err := a.Open()
		if err != nil {
			fmt.Println(err)
			return
		}
		_, err = io.Copy(os.Stdout, r)
		if err = firstError(err, r.Close()); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// list.csv text/csv 8
	// a,b
	// 1,2
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func ExampleMessage_bounce() {
	const report = `From: MAILER-DAEMON@mx.example.net
To: desk@example.com
Subject: failure notice

Hi. This is the qmail-send program at mx.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.

<ana@example.org>:
192.0.2.1 does not like recipient. Remote host said: 550 5.1.1 no such user

--- Below this line is a copy of the message.

Message-ID: <0@example.com>
Subject: Order 7
`
	sent := map[string]bool{"0@example.com": true}
	m, err := letter.ReadBytes([]byte(report), letter.Options{OurIDs: func(id string) bool { return sent[id] }})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := m.Bounce.Recipients[0]
	fmt.Println(r.Address, r.Status, r.Outcome, m.Bounce.OurIDs)
	// Output:
	// ana@example.org 5.1.1 failed [0@example.com]
}

func ExampleMessage_MarkedText() {
	const apple = `Content-Type: multipart/mixed; boundary=x

--x
Content-Type: text/plain

Look at this:
--x
Content-Type: image/png
Content-Disposition: inline; filename=crack.png

...
--x
Content-Type: text/plain

It was not there yesterday.
--x--
`
	m, err := letter.ReadBytes([]byte(apple), letter.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.MarkedText(func(a *letter.Attachment) string { return "[" + a.Name + "]" }))
	// Output:
	// Look at this:
	// [crack.png]
	// It was not there yesterday.
}

func ExampleMessage_Authentication() {
	m, err := letter.ReadBytes([]byte("Authentication-Results: mx.example.com; spf=pass smtp.mailfrom=a@example.org; dmarc=fail header.from=example.org\n\nhello"), letter.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	a := m.Authentication()
	fmt.Println(a.Host, a.Result("spf"), a.Result("dmarc"))
	// Output:
	// mx.example.com pass fail
}

func ExampleParseAddresses() {
	for _, a := range letter.ParseAddresses(`"Doe, John" <john@example.org>, =?utf-8?Q?J=C3=B6rg?= <j@example.net>; undisclosed-recipients:;`) {
		fmt.Printf("%s, %s\n", a.Name, a.Address)
	}
	// Output:
	// Doe, John, john@example.org
	// Jörg, j@example.net
}
