//go:build unix

package main

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // drivers by which a store is made old
	_ "modernc.org/sqlite"

	"github.com/postern-chat/postern/sandbox/mailbox"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

// The acts in which somebody decides: a person, an operator, or time.

// held waits for a held mail and does something with it, until it waits no more.
func (s *scene) held(what string) error {
	seen := false
	return s.until("a held mail can be "+what+"d", func() bool {
		id, err := s.waiting()
		if err != nil || id == 0 {
			return seen && err == nil
		}
		seen = true
		// Who is killed may have done it: the list tells.
		_ = s.api(s.ctx, http.MethodPost, fmt.Sprintf("%s/api/v1/held/%d/%s", s.replicas[s.anybody()].url, id, what), nil, nil)
		return false
	})
}

// waiting is the id of a held mail that waits; 0 if none does.
func (s *scene) waiting() (int64, error) {
	var list struct {
		Held []struct {
			ID    int64
			State string
		}
	}
	err := s.operate(s.ctx, http.MethodGet, "/api/v1/held", nil, &list)
	for _, h := range list.Held {
		if h.State == "held" {
			return h.ID, err
		}
	}
	return 0, err
}

// stops: a bounce, an unsubscription from one conversation, a complaint; what an operator
// does about it; and people who come and go.
func (s *scene) stops() error {
	bounced, leaves, cross := s.c.away[0], s.c.away[1], s.c.away[2]
	if _, err := s.world.mail.AddFault(mailgun.Fault{On: "delivery", Action: "bounce", Recipient: address(bounced), Times: 1}); err != nil {
		return err
	}
	for range 2 { // the first bounces, the second is not even sent
		if _, err := s.toldOnly(leaves, cross); err != nil {
			return err
		}
		if err := s.becomesStopped(bounced); err != nil {
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
	if _, err := s.toldOnly(bounced, leaves); err != nil {
		return err
	}
	if err := s.becomesStopped(cross); err != nil {
		return err
	}
	s.endMailFault("send 400", refuses)
	if err := s.lift(cross); err != nil {
		return err
	}
	if err := s.leaves(leaves, cross); err != nil {
		return err
	}
	if _, err := s.toldOnly(bounced, cross); err != nil {
		return err
	}
	return s.comesAndGoes()
}

// leaves: one leaves the conversation, another complains of it.
func (s *scene) leaves(one, other string) error {
	tok, err := s.told(s.c.away...)
	if err != nil {
		return err
	}
	m, _ := s.mailOf(one, tok)
	if err := s.until(one+" has left", func() bool {
		f, err := s.people.Unsubscribe(s.ctx, address(one), m.ID)
		return err == nil && f.Status == http.StatusOK
	}); err != nil {
		return err
	}
	if tok, err = s.toldOnly(s.c.away[0], other); err != nil {
		return err
	}
	m, _ = s.mailOf(other, tok)
	if err := s.people.Spam(address(other), m.ID); err != nil {
		return err
	}
	if err := s.becomesStopped(other); err != nil {
		return err
	}
	return s.lift(other)
}

// comesAndGoes: somebody is entered twice, and removed.
func (s *scene) comesAndGoes() error {
	for range 2 {
		if err := s.operate(s.ctx, http.MethodPut, "/api/v1/people/zed", map[string]string{"email": "zed@people.example", "name": "Zed"}, nil); err != nil {
			return err
		}
	}
	return s.until("zed is removed", func() bool {
		// Who is killed may have removed him: the list tells.
		_ = s.api(s.ctx, http.MethodDelete, s.replicas[s.anybody()].url+"/api/v1/people/zed", nil, nil)
		type person struct {
			User string `json:"user_id"`
		}
		var list struct{ People []person }
		err := s.operate(s.ctx, http.MethodGet, "/api/v1/people", nil, &list)
		return err == nil && !slices.ContainsFunc(list.People, func(p person) bool { return p.User == "zed" })
	})
}

// toldOnly is told where nobody else of the channel is to have it.
func (s *scene) toldOnly(users ...string) (string, error) {
	for _, u := range s.c.away {
		if !slices.Contains(users, u) {
			s.books.spare(fmt.Sprintf("m-%02d-%05d", s.c.n, s.n+1), u)
		}
	}
	return s.told(users...)
}

func (s *scene) becomesStopped(user string) error {
	return s.until(user+" is stopped", func() bool { return s.stopped(user) })
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
	if err := s.aDead(); err != nil {
		return err
	}
	s.chat.RemoveFault(id)
	if err := s.noneDead("replay"); err != nil {
		return err
	}
	return s.mailed(tok, s.c.away...)
}

// given are the jobs that were given up.
func (s *scene) given() (ids []int64, err error) {
	var out struct{ Dead []struct{ ID int64 } }
	err = s.operate(s.ctx, http.MethodGet, "/api/v1/dead", nil, &out)
	for _, d := range out.Dead {
		ids = append(ids, d.ID)
	}
	return ids, err
}

func (s *scene) aDead() error {
	return s.until("a job is given up", func() bool { ids, err := s.given(); return err == nil && len(ids) > 0 })
}

// noneDead does something with all jobs that were given up, until there are none.
func (s *scene) noneDead(what string) error {
	return s.until("no job is given up any more: "+what, func() bool {
		ids, err := s.given()
		for _, d := range ids {
			// Who is killed may have done it: the list tells.
			_ = s.api(s.ctx, http.MethodPost, fmt.Sprintf("%s/api/v1/dead/%d/%s", s.replicas[s.anybody()].url, d, what), nil, nil)
		}
		return err == nil && len(ids) == 0
	})
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
	if err := s.outlived(); err != nil {
		return err
	}
	return s.goesOn(tok)
}

// outlived makes everything old, and waits until it is removed. Whoever is killed at it
// holds the round for minutes: then it is made old once more.
func (s *scene) outlived() error {
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
				return nil
			}
			if !sleep(s.ctx, 100*time.Millisecond) {
				return s.ctx.Err()
			}
		}
		if s.kills.total() == 0 {
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
			`UPDATE posts SET created_at = created_at ` + by, `UPDATE held SET held_at = held_at ` + by, `UPDATE dead_jobs SET died_at = died_at ` + by,
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
	for _, of := range []string{"events WHERE received_at", "notes WHERE at", "deliveries WHERE created_at", "posts WHERE created_at", "held WHERE held_at", "dead_jobs WHERE died_at"} {
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
