//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

// An act is a part of the story in which everything the house does is done once. Each
// has a world and a channel of its own, and waits for what it is there for, so that what
// is not done in the end has been lost on the way.
type act struct {
	name   string
	play   func(*scene) error
	unsure time.Duration // mailgun.unsure_after; 0 = unsureTime
	env    []string      // of the gateway
	own    []string      // writes that begin like this are points of it, whoever else has them
}

// unsureTime is long for the emulated provider, but for calls that it takes long over.
const unsureTime = 3 * time.Second

func acts() []act {
	return []act{
		{name: "mail", play: (*scene).mail},
		{name: "answers", play: (*scene).answers},
		{name: "stops", play: (*scene).stops},
		{name: "dead", play: (*scene).dead},
		{name: "doubts", play: (*scene).doubts},
		{name: "refusals", play: (*scene).refusals},
		{name: "slow", play: (*scene).slow, unsure: 4 * unsureTime},
		{name: "retention", play: (*scene).retention},
		{name: "lost", play: (*scene).lost},
		{name: "asked", play: (*scene).asked},
		{name: "revoked", play: (*scene).revoked, own: []string{"relay.(*Rules).setAside."}},
		{name: "narrow", play: (*scene).narrow, own: []string{"relay.(*poster).replace."}},
		{name: "guests", play: (*scene).guests, env: []string{"POSTERN_INBOUND_STRANGERS=guest"}, own: []string{"relay.(*Rules).toPosts.", "relay.(*poster)."}},
		{name: "bounces", play: (*scene).bounces, unsure: 5 * unsureTime, own: []string{"relay.(*Rules).setAside."}},
		{name: "forgotten", play: (*scene).forgotten, own: []string{"store.(*purge)."}},
		{name: "clock", play: (*scene).clock, unsure: 4 * unsureTime},
	}
}

// stepTime is how long one step of an act may take: nothing in it takes longer than an
// uncertain call and a lease together, but for what is looked for after a minute.
const stepTime = 100 * time.Second

// scene is an act that is being played.
type scene struct {
	*world
	ctx context.Context
	c   *channel
	n   int // messages written
}

// until waits for something to be so.
func (s *scene) until(what string, is func() bool) error {
	for end := time.Now().Add(stepTime); time.Now().Before(end); {
		if is() {
			return nil
		}
		if !sleep(s.ctx, 60*time.Millisecond) {
			return s.ctx.Err()
		}
	}
	return fmt.Errorf("waited in vain until %s", what)
}

func (s *scene) token() string {
	s.n++
	return fmt.Sprintf("m-%02d-%05d", s.c.n, s.n)
}

// say writes a message in the chat.
func (s *scene) say() (tok, id string, err error) {
	tok = s.token()
	var made struct {
		ID jsonNumber `json:"message_id"`
	}
	err = s.api(s.ctx, http.MethodPost, s.actsAs("wim", s.c), map[string]any{"message": "This is " + tok + ", as promised."}, &made)
	return tok, made.ID.String(), err
}

// mailOf is the mail in which a message came to somebody.
func (s *scene) mailOf(user, tok string) (m mailbox.Message, ok bool) {
	for _, short := range s.people.Messages(address(user)) {
		if m, ok = s.people.Message(address(user), short.ID); !ok || m.Sent {
			continue
		}
		for _, t := range tokensOf(m) {
			if t == tok {
				return m, true
			}
		}
	}
	return m, false
}

// mailed waits until people have a message.
func (s *scene) mailed(tok string, users ...string) error {
	for _, u := range users {
		err := s.until(tok+" is mailed to "+u, func() bool { _, ok := s.mailOf(u, tok); return ok })
		if err != nil {
			return err
		}
	}
	return nil
}

// told says something, and waits until all who are to have it do.
func (s *scene) told(users ...string) (string, error) {
	tok, _, err := s.say()
	if err == nil {
		err = s.mailed(tok, users...)
	}
	return tok, err
}

// posted waits until something stands in the chat.
func (s *scene) posted(toks ...string) error {
	for _, tok := range toks {
		if err := s.until(tok+" is posted", func() bool { return s.stands(tok) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *scene) stands(tok string) bool {
	ms, _, err := s.channelState(s.ctx, s.c)
	return err == nil && slices.ContainsFunc(ms, func(m *said) bool { return m.tok == tok })
}

func (s *scene) marked(user string, what func(member) bool) error {
	return s.until("the mark of "+user+" is moved", func() bool {
		_, members, err := s.channelState(s.ctx, s.c)
		return err == nil && what(members[user])
	})
}

// reply answers a mail; what it becomes in the chat is to stand there once.
func (s *scene) reply(user, to string, a mailbox.Answer, files ...[]byte) (string, error) {
	return s.replyAs(user, user, to, a, files...)
}

// replyAs is reply where the words will stand in the chat as somebody else's; "" = nobody's.
// Then its files are named in them only.
func (s *scene) replyAs(as, user, to string, a mailbox.Answer, files ...[]byte) (string, error) {
	m, ok := s.mailOf(user, to)
	if !ok {
		return "", fmt.Errorf("%s has no mail with %s", user, to)
	}
	tok := "r" + to[1:] + "-" + user
	a.Text += s.sentence(user, to) + " " + tok + "."
	for i, data := range files {
		a.Attachments = append(a.Attachments, mailbox.Attachment{Filename: fmt.Sprintf("%s-f%d.txt", tok, i), ContentType: "text/plain", Data: data})
	}
	var posted []int
	if as == user { // whoever answers has read
		s.books.open(address(user), m.MessageID)
		posted = sizes(a.Attachments)
	}
	id, err := s.people.Reply(s.ctx, address(user), m.ID, a)
	if err == nil {
		s.books.answered(tok, as, id, posted...)
	}
	return tok, err
}

func text(n int) []byte { return bytes.Repeat([]byte("A line of a file.\n"), n) }

// mail: a message, one with a file, a burst of which one is edited and one deleted within
// its quiet window, delivered and opened.
func (s *scene) mail() error {
	first, err := s.told(s.c.away...)
	if err != nil {
		return err
	}
	file := s.token()
	if err := s.upload(s.ctx, s.c, "xia", file); err != nil {
		return err
	}
	plain, _, err := s.say()
	if err != nil {
		return err
	}
	edited, id, err := s.say()
	if err != nil {
		return err
	}
	s.change(s.c, "wim", edited, id, change{}, 0)
	gone, id, err := s.say()
	if err != nil {
		return err
	}
	s.change(s.c, "wim", gone, id, change{deleted: true}, 0)
	for _, tok := range []string{file, plain, edited} {
		if err := s.mailed(tok, s.c.away...); err != nil {
			return err
		}
	}
	u := s.c.away[0]
	for _, tok := range []string{first, edited} {
		m, _ := s.mailOf(u, tok)
		s.books.open(address(u), m.MessageID)
		if _, err := s.people.View(s.ctx, address(u), m.ID, mailbox.Human); err != nil {
			return err
		}
	}
	return s.marked(u, func(m member) bool { return m.Read > 0 })
}

// answers: one with two files, a plain one, one from another address that an operator
// lets through, and one that he does not.
func (s *scene) answers() error {
	tok, err := s.told(s.c.away...)
	if err != nil {
		return err
	}
	one, err := s.reply(s.c.away[0], tok, mailbox.Answer{Program: mailbox.Gmail}, text(20), text(40_000))
	if err != nil {
		return err
	}
	two, err := s.reply(s.c.away[1], tok, mailbox.Answer{Program: mailbox.Outlook})
	if err != nil {
		return err
	}
	if err := s.posted(one, one+"-f0", one+"-f1", two); err != nil {
		return err
	}
	strange := mailbox.Answer{Program: mailbox.Plain, From: "Somebody <somebody@else.example>"}
	three, err := s.reply(s.c.away[2], tok, strange)
	if err != nil {
		return err
	}
	if err := s.held("release"); err != nil {
		return err
	}
	if err := s.posted(three); err != nil {
		return err
	}
	m, _ := s.mailOf(s.c.away[2], tok)
	strange.Text = "Nothing that anybody would want to read, r-00-99999-bad." // the judge looks for it
	if _, err := s.people.Reply(s.ctx, address(s.c.away[2]), m.ID, strange); err != nil {
		return err
	}
	return s.held("discard")
}

// doubts: calls of which nobody knows whether they had their effect.
func (s *scene) doubts() error {
	// Its events come late, so that it is found in the provider's books.
	if _, err := s.world.mail.AddFault(mailgun.Fault{On: "post", Action: "delay", Seconds: 8, Times: 6}); err != nil {
		return err
	}
	var tok string
	for _, f := range []mailgun.Fault{
		{On: "send", Action: "status-after-accept", Status: 500, Times: 1},
		{On: "send", Action: "status", Status: 500, Times: 1},
	} {
		if _, err := s.world.mail.AddFault(f); err != nil {
			return err
		}
		var err error
		if tok, err = s.told(s.c.away...); err != nil {
			return err
		}
	}
	post := sendbird.Fault{Method: http.MethodPost, Path: messagesPath, Count: 1}
	for i, f := range []sendbird.Fault{{Accept: true, Status: 500}, {Status: 500}} {
		post.Accept, post.Status = f.Accept, f.Status
		s.chat.AddFault(post)
		r, err := s.reply(s.c.away[i], tok, mailbox.Answer{Program: mailbox.Plain}, text(10))
		if err != nil {
			return err
		}
		if err := s.posted(r, r+"-f0"); err != nil {
			return err
		}
	}
	return nil
}

// refusals: calls that certainly had none, and are made again.
func (s *scene) refusals() error {
	if _, err := s.world.mail.AddFault(mailgun.Fault{On: "send", Action: "status", Status: 429, Times: 1}); err != nil {
		return err
	}
	tok, err := s.told(s.c.away...)
	if err != nil {
		return err
	}
	// An edit while the mail waits: it is written anew.
	if _, err := s.world.mail.AddFault(mailgun.Fault{On: "send", Action: "status", Status: 429, Times: 2}); err != nil {
		return err
	}
	again, id, err := s.say()
	if err != nil {
		return err
	}
	s.change(s.c, "wim", again, id, change{}, 2*s.opt.Delay)
	if err := s.mailed(again, s.c.away...); err != nil {
		return err
	}
	for i, f := range []sendbird.Fault{{Status: 429}, {Status: 413}} {
		f.Method, f.Path, f.Count = http.MethodPost, messagesPath, 1
		if f.Status == 413 {
			f.Skip = 1 // the text passes, its file does not
		}
		id := s.chat.AddFault(f)
		r, err := s.reply(s.c.away[i], tok, mailbox.Answer{Program: mailbox.Plain}, text(10))
		if err != nil {
			return err
		}
		if err := s.posted(r, r+"-f0"); err != nil {
			return err
		}
		if ms, _, _ := s.channelState(s.ctx, s.c); f.Status == 413 && slices.ContainsFunc(ms, func(m *said) bool { return m.tok == r+"-f0" && m.Type != "FILE" }) {
			s.books.refused(r) // unless who is killed tries again when the chat takes it
		}
		s.chat.RemoveFault(id)
	}
	s.chat.AddFault(sendbird.Fault{Path: "/v3/group_channels/*/messages/mark_as_delivered", Status: 503, Count: 1})
	tok, err = s.told(s.c.away...)
	if err != nil {
		return err
	}
	// Refused for good: an operator has it, and lets it through when the chat does again.
	refuses := s.chat.AddFault(sendbird.Fault{Method: http.MethodPost, Path: messagesPath, Status: 400, Code: 400108})
	r, err := s.reply(s.c.away[2], tok, mailbox.Answer{Program: mailbox.Plain}, text(10))
	if err != nil {
		return err
	}
	if err := s.until("it is held", func() bool { n, err := s.waiting(); return err == nil && n > 0 }); err != nil {
		return err
	}
	s.chat.RemoveFault(refuses)
	if err := s.held("release"); err != nil {
		return err
	}
	return s.posted(r, r+"-f0")
}

// slow: calls that take longer than a lease's heartbeat.
func (s *scene) slow() error {
	if _, err := s.world.mail.AddFault(mailgun.Fault{On: "send", Action: "slow", Seconds: 6, Times: 2}); err != nil {
		return err
	}
	_, err := s.told(s.c.away...)
	return err
}

// lost: a message whose webhook is never sent.
func (s *scene) lost() error {
	if _, err := s.chat.AddHookFault(sendbird.HookFault{Do: "drop", Category: "group_channel:message_send", Count: 1}); err != nil {
		return err
	}
	tok, _, err := s.say()
	if err != nil {
		return err
	}
	return s.mailed(tok, s.c.away...)
}

// asked: mails of whose delivery no event tells.
func (s *scene) asked() error {
	if _, err := s.world.mail.AddFault(mailgun.Fault{On: "post", Action: "drop", Event: "delivered", Times: len(s.c.away)}); err != nil {
		return err
	}
	if _, err := s.told(s.c.away...); err != nil {
		return err
	}
	for _, u := range s.c.away {
		if err := s.marked(u, func(m member) bool { return m.Delivered > 0 }); err != nil {
			return err
		}
	}
	return nil
}
