//go:build unix

package main

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/mail"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

// The acts of what happens seldom.

// revoked: a reply address that an operator took back posts nothing by itself any more.
func (s *scene) revoked() error {
	tok, err := s.told(s.c.away...)
	if err != nil {
		return err
	}
	m, _ := s.mailOf(s.c.away[0], tok)
	address, err := mail.ParseAddress(m.From)
	if err != nil {
		return err
	}
	// Once is enough, and more changes nothing: whoever got no answer asks again.
	if err := s.operate(s.ctx, http.MethodPost, "/api/v1/addresses/"+address.Address+"/revoke", nil, nil); err != nil {
		return err
	}
	other, err := s.reply(s.c.away[1], tok, mailbox.Answer{Program: mailbox.Plain})
	if err != nil {
		return err
	}
	his, err := s.reply(s.c.away[0], tok, mailbox.Answer{Program: mailbox.Plain}, text(10))
	if err != nil {
		return err
	}
	if err := s.posted(other); err != nil {
		return err
	}
	if err := s.until("his answer waits", func() bool { n, err := s.waiting(); return err == nil && n > 0 }); err != nil {
		return err
	}
	if s.stands(his) {
		return errors.New("an answer to a revoked address was posted")
	}
	if err := s.held("release"); err != nil {
		return err
	}
	if err := s.posted(his, his+"-f0"); err != nil {
		return err
	}
	_, err = s.told(s.c.away...) // mail goes on
	return err
}

// narrow: the channel takes shorter texts only than it said: once it only claims that, and
// then it is so.
func (s *scene) narrow() error {
	tok, err := s.told(s.c.away...)
	if err != nil {
		return err
	}
	first, err := s.reply(s.c.away[0], tok, mailbox.Answer{Program: mailbox.Plain}) // the channel is asked
	if err != nil {
		return err
	}
	if err := s.posted(first); err != nil {
		return err
	}
	s.books.wordless = true
	s.chat.AddFault(sendbird.Fault{Method: http.MethodPost, Path: messagesPath, Status: 400, Code: 400110, Count: 2})
	if err := s.replyInParts(s.c.away[1], tok); err != nil {
		return err
	}
	if err := s.api(s.ctx, http.MethodPut, s.chatURL+"/_emulator/channels/"+s.c.url, map[string]int{"max_length_message": 60}, nil); err != nil {
		return err
	}
	return s.replyInParts(s.c.away[2], tok)
}

// replyInParts is a long answer of which every word is to be posted, in order, and then its
// files.
func (s *scene) replyInParts(user, tok string) error {
	var long strings.Builder
	for i := range 5 {
		long.WriteString(s.sentence(user, fmt.Sprint(tok, i)) + " ")
	}
	r, err := s.reply(user, tok, mailbox.Answer{Program: mailbox.Plain, Text: long.String()}, text(10), text(20))
	if err != nil {
		return err
	}
	if err := s.posted(r, r+"-f0", r+"-f1"); err != nil {
		return err
	}
	ms, _, err := s.everything(s.ctx, s.c)
	if err != nil {
		return err
	}
	var got []string
	for _, m := range ms {
		if m.User.ID == user {
			got = append(got, strings.Fields(m.Message)...)
		}
	}
	want := strings.Fields(long.String() + s.sentence(user, tok) + " " + r + ".")
	if !slices.Equal(got, want) {
		return fmt.Errorf("posted in parts: %q, want %q", got, want)
	}
	return nil
}

// guests: somebody to whom a mail was forwarded is let into the chat by his own name.
func (s *scene) guests() error {
	tok, err := s.told(s.c.away...)
	if err != nil {
		return err
	}
	mine, err := s.reply(s.c.away[0], tok, mailbox.Answer{Program: mailbox.Plain})
	if err != nil {
		return err
	}
	guest, err := s.replyAs("", s.c.away[1], tok, mailbox.Answer{Program: mailbox.Plain, From: "Somebody <somebody@else.example>"}, text(10))
	if err != nil {
		return err
	}
	if err := s.posted(mine, guest); err != nil {
		return err
	}
	_, err = s.told(s.c.away...)
	return err
}

// bounces: a bounce that comes as a mail stops whom the mail did not reach, and nobody
// whom it did.
func (s *scene) bounces() error {
	gone := s.c.away[0]
	tok, err := s.told(s.c.away...)
	if err != nil {
		return err
	}
	m, _ := s.mailOf(gone, tok)
	if err := s.marked(gone, func(m member) bool { return m.Delivered > 0 }); err != nil { // it is known to be there
		return err
	}
	if err := s.bounce(gone, m.From, m.MessageID); err != nil {
		return err
	}
	for _, f := range []mailgun.Fault{
		{On: "delivery", Action: "bounce", Recipient: address(gone), Times: 1},
		{On: "post", Action: "drop", Event: "failed"},
	} {
		if _, err := s.world.mail.AddFault(f); err != nil {
			return err
		}
	}
	if _, err := s.toldOnly(s.c.away[1], s.c.away[2]); err != nil {
		return err
	}
	id := ""
	if err := s.until("it has bounced", func() bool {
		for _, sent := range s.world.mail.Messages() {
			if to := sent.Recipients; len(to) == 1 && to[0].Address == address(gone) && to[0].State == "failed" {
				id = strings.Trim(sent.MessageID, "<>")
			}
		}
		return id != ""
	}); err != nil {
		return err
	}
	if s.stopped(gone) {
		return errors.New("a bounce of a mail that was delivered was believed")
	}
	if err := s.bounce(gone, m.From, id); err != nil {
		return err
	}
	if err := s.becomesStopped(gone); err != nil {
		return err
	}
	if err := s.lift(gone); err != nil {
		return err
	}
	_, err = s.told(s.c.away...)
	return err
}

// bounce sends what a mail server says that could not deliver a mail (RFC 3464).
func (s *scene) bounce(user, to, id string) error {
	s.n++
	raw := strings.NewReplacer("USER", address(user), "TO", to, "ORIGINAL", id, "NUMBER", fmt.Sprint(s.n), "\n", "\r\n").Replace(`From: Mail Delivery System <MAILER-DAEMON@people.example>
To: TO
Subject: Undelivered Mail Returned to Sender
Message-ID: <bounce-NUMBER@people.example>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

The mail could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.people.example

Final-Recipient: rfc822; USER
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--b
Content-Type: text/rfc822-headers

Message-ID: <ORIGINAL>
To: USER

--b--
`)
	_, addr, ok := strings.Cut(strings.TrimSuffix(to, ">"), "<")
	if !ok {
		addr = to
	}
	return s.people.Submit(s.ctx, "", []string{addr}, strings.NewReader(raw))
}

// forgotten: jobs that were given up, of which an operator discards one and time another;
// and so much that is old that it takes more than one write to remove it.
func (s *scene) forgotten() error {
	tok, err := s.told(s.c.away...)
	if err != nil {
		return err
	}
	if err := s.giveUp(); err != nil {
		return err
	}
	if err := s.noneDead("discard"); err != nil {
		return err
	}
	if err := s.giveUp(); err != nil {
		return err
	}
	s.world.rest(s.ctx)
	if err := s.crowd(); err != nil {
		return err
	}
	if err := s.outlived(); err != nil {
		return err
	}
	return s.goesOn(tok)
}

// giveUp writes a message that goes to the dead letters: who is there cannot be found out.
func (s *scene) giveUp() error {
	s.chat.SetWebhook(sendbird.Webhook{URL: s.front.url + "/hooks/sendbird"}) // it names no members
	id := s.chat.AddFault(sendbird.Fault{Path: "/v3/group_channels/" + s.c.url + "/members", Status: 400, Code: 400201})
	defer s.chat.RemoveFault(id)
	tok, _, err := s.say()
	if err != nil {
		return err
	}
	for _, u := range s.c.away {
		s.books.spare(tok, u)
	}
	return s.aDead()
}

// crowd adds rows of which one write of the purge removes only some.
func (s *scene) crowd() error {
	const rows = 1100
	return s.inStore(func(db *sql.DB) error {
		for _, q := range []string{
			`INSERT INTO notes (at, what) SELECT $1, 'old' FROM n`,
			`INSERT INTO held (event_id, reason, state, held_at) SELECT 1000000 + i, 'old', 'discarded', $1 FROM n`,
			`INSERT INTO posts (id, batch, seq, conversation_id, user_id, state, created_at) SELECT 'old-' || i, 'old-' || i, 0, 0, '', 2, $1 FROM n`,
		} {
			q = fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) `, rows) + q
			if _, err := db.ExecContext(s.ctx, q, time.Now().UnixMilli()); err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
		}
		return nil
	})
}

// clock: on SQLite the machine's clock counts. It is set back while a mail is uncertain and
// another message waits, and forward again.
func (s *scene) clock() error {
	if _, err := s.told(s.c.away...); err != nil {
		return err
	}
	// What the provider has shows in its books later than anybody asks who thinks that
	// minutes have passed.
	for _, f := range []mailgun.Fault{
		{On: "post", Action: "delay", Seconds: 10, Times: 9},
		{On: "send", Action: "status-after-accept", Status: 500, Times: len(s.c.away)},
	} {
		if _, err := s.world.mail.AddFault(f); err != nil {
			return err
		}
	}
	before := len(s.world.mail.Messages())
	unsure, _, err := s.say()
	if err != nil {
		return err
	}
	if err := s.until("the mails are uncertain", func() bool { return len(s.world.mail.Messages()) >= before+len(s.c.away) }); err != nil {
		return err
	}
	const by = 8 * 60 // what the provider signed is taken still
	if err := s.setClocks(-by); err != nil {
		return err
	}
	if err := s.mailed(unsure, s.c.away...); err != nil {
		return err
	}
	s.world.rest(s.ctx)
	if _, err := s.told(s.c.away...); err != nil {
		return err
	}
	if err := s.setClocks(by); err != nil {
		return err
	}
	_, err = s.told(s.c.away...)
	return err
}

// setClocks moves all processes' clocks, and waits until it was noticed where that matters.
func (s *scene) setClocks(by int) error {
	seen := s.noticed()
	for n := range s.replicas {
		s.clocks.write(n, s.clocks.move(n, by))
	}
	if s.database.shared() { // the database's clock counts
		return nil
	}
	return s.until("the step is noticed", func() bool { return s.noticed() > seen || by > 0 && s.kills.total() > 0 })
}

// noticed counts how often a process said that its clock was set.
func (s *scene) noticed() int {
	b, _ := os.ReadFile(s.replicas[0].logFile()) // one that is not there says nothing
	return strings.Count(string(b), "the machine's clock was set")
}
