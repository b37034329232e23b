//go:build unix

package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // drivers by which a store is made old
	_ "modernc.org/sqlite"

	"github.com/postern-chat/postern/sandbox/mailbox"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

// An act is a part of the story in which everything the house does is done once. Each
// has a world and a channel of its own, and waits for what it is there for, so that what
// is not done in the end has been lost on the way.
type act struct {
	name string
	play func(*scene) error
}

func acts() []act {
	return []act{
		{"mail", (*scene).mail},
		{"answers", (*scene).answers},
		{"stops", (*scene).stops},
		{"dead", (*scene).dead},
		{"doubts", (*scene).doubts},
		{"refusals", (*scene).refusals},
		{"slow", (*scene).slow},
		{"retention", (*scene).retention},
		{"lost", (*scene).lost},
		{"asked", (*scene).asked},
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
		err := s.until(tok+" is posted", func() bool {
			ms, _, err := s.channelState(s.ctx, s.c)
			for _, m := range ms {
				if err == nil && m.tok == tok {
					return true
				}
			}
			return false
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *scene) marked(user string, what func(member) bool) error {
	return s.until("the mark of "+user+" is moved", func() bool {
		_, members, err := s.channelState(s.ctx, s.c)
		return err == nil && what(members[user])
	})
}

// reply answers a mail; what it becomes in the chat is to stand there once.
func (s *scene) reply(user, to string, a mailbox.Answer, files ...[]byte) (string, error) {
	m, ok := s.mailOf(user, to)
	if !ok {
		return "", fmt.Errorf("%s has no mail with %s", user, to)
	}
	tok := "r" + to[1:] + "-" + user
	a.Text = s.sentence(user, to) + " " + tok + "."
	for i, data := range files {
		a.Attachments = append(a.Attachments, mailbox.Attachment{Filename: fmt.Sprintf("%s-f%d.txt", tok, i), ContentType: "text/plain", Data: data})
	}
	s.books.open(address(user), m.MessageID) // whoever answers has read
	id, err := s.people.Reply(s.ctx, address(user), m.ID, a)
	if err == nil {
		s.books.answered(tok, user, id, len(files))
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
	strange.Text = "Nothing that anybody would want to read."
	if _, err := s.people.Reply(s.ctx, address(s.c.away[2]), m.ID, strange); err != nil {
		return err
	}
	return s.held("discard")
}

// held waits for a held mail and does something with it, until it waits no more.
func (s *scene) held(what string) error {
	seen := false
	return s.until("a held mail can be "+what+"d", func() bool {
		var list struct {
			Held []struct {
				ID    int64
				State string
			}
		}
		if s.operate(s.ctx, http.MethodGet, "/api/v1/held", nil, &list) != nil {
			return false
		}
		for _, h := range list.Held {
			if h.State == "held" {
				seen = true
				// Who is killed may have done it: the list tells.
				_ = s.api(s.ctx, http.MethodPost, fmt.Sprintf("%s/api/v1/held/%d/%s", s.replicas[s.anybody()].url, h.ID, what), nil, nil)
				return false
			}
		}
		return seen
	})
}

// stops: a bounce, an unsubscription from one conversation, a complaint; what an operator
// does about it; and people who come and go.
func (s *scene) stops() error {
	bounced, leaves, cross := s.c.away[0], s.c.away[1], s.c.away[2]
	if _, err := s.world.mail.AddFault(mailgun.Fault{On: "delivery", Action: "bounce", Recipient: address(bounced), Times: 1}); err != nil {
		return err
	}
	for range 2 { // the first bounces, the second is not even sent
		tok := fmt.Sprintf("m-%02d-%05d", s.c.n, s.n+1)
		s.books.spare(tok, bounced)
		if _, err := s.told(leaves, cross); err != nil {
			return err
		}
		if err := s.until(bounced+" is stopped", func() bool { return s.stopped(bounced) }); err != nil {
			return err
		}
	}
	if err := s.lift(bounced); err != nil {
		return err
	}
	refuses, err := s.world.mail.AddFault(mailgun.Fault{On: "send", Action: "status", Status: 400, Recipient: address(cross)})
	if err != nil {
		return err
	}
	s.books.spare(fmt.Sprintf("m-%02d-%05d", s.c.n, s.n+1), cross)
	if _, err := s.told(bounced, leaves); err != nil {
		return err
	}
	if err := s.until(cross+" is stopped", func() bool { return s.stopped(cross) }); err != nil {
		return err
	}
	s.endMailFault("send 400", refuses)
	if err := s.lift(cross); err != nil {
		return err
	}
	tok, err := s.told(s.c.away...)
	if err != nil {
		return err
	}
	m, _ := s.mailOf(leaves, tok)
	if err := s.until(leaves+" has left", func() bool {
		f, err := s.people.Unsubscribe(s.ctx, address(leaves), m.ID)
		return err == nil && f.Status == http.StatusOK
	}); err != nil {
		return err
	}
	s.books.spare(fmt.Sprintf("m-%02d-%05d", s.c.n, s.n+1), leaves)
	if tok, err = s.told(bounced, cross); err != nil {
		return err
	}
	m, _ = s.mailOf(cross, tok)
	if err := s.people.Spam(address(cross), m.ID); err != nil {
		return err
	}
	if err := s.until(cross+" is stopped", func() bool { return s.stopped(cross) }); err != nil {
		return err
	}
	if err := s.lift(cross); err != nil {
		return err
	}
	s.books.spare(fmt.Sprintf("m-%02d-%05d", s.c.n, s.n+1), leaves)
	if _, err := s.told(bounced, cross); err != nil {
		return err
	}
	for _, step := range []string{http.MethodPut, http.MethodPut, http.MethodDelete} {
		var body any
		if step == http.MethodPut {
			body = map[string]string{"email": "zed@people.example", "name": "Zed"}
		}
		if err := s.operate(s.ctx, step, "/api/v1/people/zed", body, nil); err != nil && step == http.MethodPut {
			return err // who is killed may have deleted him
		}
	}
	return nil
}

func (s *scene) stopped(user string) bool {
	var p struct{ Stopped string }
	err := s.operate(s.ctx, http.MethodGet, "/api/v1/people/"+user, nil, &p)
	return err == nil && p.Stopped != ""
}

func (s *scene) lift(user string) error {
	return s.until(user+" gets mail again", func() bool {
		_ = s.api(s.ctx, http.MethodPost, s.replicas[s.anybody()].url+"/api/v1/people/"+user+"/lift", nil, nil) // it is looked what came of it
		return !s.stopped(user)
	})
}

// dead: who is in a channel cannot be found out, its message goes to the dead letters, and
// an operator replays it.
func (s *scene) dead() error {
	hook := sendbird.Webhook{URL: s.front.url + "/hooks/sendbird"}
	s.chat.SetWebhook(hook)
	id := s.chat.AddFault(sendbird.Fault{Path: "/v3/group_channels/" + s.c.url + "/members", Status: 400, Code: 400201})
	tok, _, err := s.say()
	if err != nil {
		return err
	}
	list := func() (ids []int64) {
		var out struct{ Dead []struct{ ID int64 } }
		_ = s.operate(s.ctx, http.MethodGet, "/api/v1/dead", nil, &out) // none, then
		for _, d := range out.Dead {
			ids = append(ids, d.ID)
		}
		return ids
	}
	if err := s.until("a job is given up", func() bool { return len(list()) > 0 }); err != nil {
		return err
	}
	s.chat.RemoveFault(id)
	if err := s.until("it is replayed", func() bool {
		for _, d := range list() {
			_ = s.api(s.ctx, http.MethodPost, fmt.Sprintf("%s/api/v1/dead/%d/replay", s.replicas[s.anybody()].url, d), nil, nil) // the list tells
		}
		return len(list()) == 0
	}); err != nil {
		return err
	}
	return s.mailed(tok, s.c.away...)
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
		s.chat.RemoveFault(id)
	}
	s.chat.AddFault(sendbird.Fault{Path: "/v3/group_channels/*/messages/mark_as_delivered", Status: 503, Count: 1})
	tok, err = s.told(s.c.away...)
	if err != nil {
		return err
	}
	// Refused for good: an operator has it, and lets it through when the chat does again.
	s.chat.AddFault(sendbird.Fault{Method: http.MethodPost, Path: messagesPath, Count: 1, Status: 400, Code: 400108})
	r, err := s.reply(s.c.away[2], tok, mailbox.Answer{Program: mailbox.Plain}, text(10))
	if err != nil {
		return err
	}
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

// retention: what happened long ago is removed, and everything goes on.
func (s *scene) retention() error {
	tok, err := s.told(s.c.away...)
	if err != nil {
		return err
	}
	r, err := s.reply(s.c.away[0], tok, mailbox.Answer{Program: mailbox.Plain}, text(10))
	if err != nil {
		return err
	}
	if err := s.posted(r, r+"-f0"); err != nil {
		return err
	}
	if _, err := s.people.Reply(s.ctx, address(s.c.away[1]), s.anyMail(s.c.away[1]), mailbox.Answer{Text: "Nothing.", From: "x@else.example"}); err != nil {
		return err
	}
	if err := s.held("discard"); err != nil {
		return err
	}
	s.world.rest(s.ctx)
	for {
		for _, r := range s.replicas {
			r.kill(time.Second)
		}
		if err := s.age(); err != nil {
			return err
		}
		end := time.Now().Add(stepTime / 5)
		for time.Now().Before(end) {
			n, err := s.old()
			if err != nil {
				return err
			}
			if n == 0 {
				return s.goesOn(tok)
			}
			if !sleep(s.ctx, 100*time.Millisecond) {
				return s.ctx.Err()
			}
		}
		if s.opt.stop.line == "" {
			return errors.New("what is old is not removed")
		}
	}
}

func (s *scene) anyMail(user string) string {
	for _, m := range s.people.Messages(address(user)) {
		if !m.Sent {
			return m.ID
		}
	}
	return ""
}

// goesOn: a new message is mailed, and an answer to a mail that was forgotten is posted.
func (s *scene) goesOn(old string) error {
	if _, err := s.told(s.c.away...); err != nil {
		return err
	}
	r, err := s.reply(s.c.away[2], old, mailbox.Answer{Program: mailbox.Plain})
	if err != nil {
		return err
	}
	return s.posted(r)
}

// age lets what is in the store have happened a hundred days earlier, but for what chat
// messages were heard: the chat says that they are new.
func (s *scene) age() error {
	const by = "- 8640000000"
	return s.inStore(func(db *sql.DB) error {
		for _, q := range []string{
			`UPDATE events SET received_at = received_at ` + by + ` WHERE source LIKE 'mailgun%'`,
			`UPDATE notes SET at = at ` + by, `UPDATE deliveries SET created_at = created_at ` + by,
			`UPDATE posts SET created_at = created_at ` + by, `UPDATE held SET held_at = held_at ` + by,
			`DELETE FROM rounds WHERE name IN ('purge', 'blobs')`,
		} {
			if _, err := db.ExecContext(s.ctx, q); err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
		}
		return nil
	})
}

// old counts what age has made old, and the round that is not done yet.
func (s *scene) old() (n int, err error) {
	at := time.Now().Add(-95 * 24 * time.Hour).UnixMilli()
	query := `SELECT (SELECT COUNT(*) FROM rounds WHERE name = 'purge' AND owner <> '')`
	for _, of := range []string{"events WHERE received_at", "notes WHERE at", "deliveries WHERE created_at", "posts WHERE created_at", "held WHERE held_at"} {
		query += fmt.Sprintf(" + (SELECT COUNT(*) FROM %s < %d)", of, at)
	}
	return n, s.inStore(func(db *sql.DB) error { return db.QueryRowContext(s.ctx, query).Scan(&n) })
}

func (s *scene) inStore(do func(*sql.DB) error) error {
	driver, dsn := "pgx", s.database.dsn()
	if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, dsn = "sqlite", "file:"+file+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return do(db)
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
