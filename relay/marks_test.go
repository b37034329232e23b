package relay

import (
	"flag"
	"strconv"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"pgregory.net/rapid"
)

// toy is what is true of the messages for Bob, kept apart from the rules.
type toy struct {
	h         *house
	mails     []sent
	delivered map[int]bool
	opened    map[int]bool
	failed    map[int]bool
	later     int // messages at the platform that no webhook told of
}

// A mark claims everything before it. So whenever one is moved, every message from
// others has been mailed and delivered (or has failed, which the chat was told), and for
// the read mark the newest mail has been opened by a person.
func TestMarksNeverClaimTooMuch(t *testing.T) {
	checks(t, 25)
	h := newHouse(t)
	rapid.Check(t, func(rt *rapid.T) {
		h.fresh()
		m := &toy{h: h, delivered: map[int]bool{}, opened: map[int]bool{}, failed: map[int]bool{}}
		for range rapid.IntRange(4, 14).Draw(rt, "steps") {
			before := len(m.h.chat.marks)
			m.step(rt)
			for _, mark := range m.h.chat.marks[before:] {
				m.check(rt, mark)
			}
		}
		m.finish(rt)
	})
}

// checks makes rapid try fewer times than it does by itself, where each costs much: other
// runs try others.
func checks(t *testing.T, n int) {
	t.Helper()
	f := flag.Lookup("rapid.checks")
	before := f.Value.String()
	if before != f.DefValue {
		return // asked for on the command line
	}
	if err := f.Value.Set(strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(before) })
}

func (m *toy) step(rt *rapid.T) {
	h := m.h
	h.now = h.now.Add(time.Minute)
	mail := func() int { return rapid.IntRange(0, len(m.mails)-1).Draw(rt, "mail") }
	what := rapid.SampledFrom([]string{"say", "say", "deliver", "deliver", "open", "fail", "unseen", "seen", "again"}).Draw(rt, "what")
	if len(m.mails) == 0 {
		what = "say"
	}
	switch what {
	case "say":
		if h.person("bob").Stopped != "" {
			if _, err := h.Lift(h.t.Context(), "bob"); err != nil {
				rt.Fatal(err)
			}
		}
		n := len(h.mail.sent)
		h.says("ana", "text")
		h.settle()
		if len(h.mail.sent) != n+1 {
			rt.Fatalf("%d mails, not %d; %q", len(h.mail.sent), n+1, h.noted("not mailed"))
		}
		m.mails = append(m.mails, h.mail.sent[n])
	case "deliver":
		i := mail()
		m.delivered[i] = true
		h.tells(postern.MailDelivered, m.mails[i])
	case "open":
		i := mail()
		m.opened[i] = m.opened[i] || m.delivered[i] // sooner it is nobody's
		if m.delivered[i] {
			h.tells(postern.MailOpened, m.mails[i])
		}
	case "fail":
		i := mail()
		m.failed[i] = true
		h.tells(postern.MailFailed, m.mails[i])
	case "unseen":
		m.later++
		h.chat.messages = append(h.chat.messages, postern.ChatMessage{ID: postern.MessageID(h.next()), Sender: postern.User{ID: "ana"}, CreatedAt: h.now})
	case "seen": // it was taken back
		m.later = 0
		for i, c := range h.chat.messages {
			if c.Text == "" && c.Type != postern.AdminMessage {
				h.chat.messages[i].Removed = true
			}
		}
	case "again":
		h.tells(postern.MailAccepted, m.mails[mail()])
	}
}

func (m *toy) check(rt *rapid.T, mark string) {
	newest := -1
	for i := range m.mails {
		if m.failed[i] {
			continue
		}
		if !m.delivered[i] {
			rt.Fatalf("%s: mail %d is not delivered", mark, i)
		}
		newest = i
	}
	if newest < 0 {
		rt.Fatalf("%s: no mail arrived", mark)
	}
	for i := newest + 1; i < len(m.mails); i++ {
		rt.Fatalf("%s: the later mail %d has failed", mark, i)
	}
	if mark == "read bob" && !m.opened[newest] {
		rt.Fatalf("read, but the newest mail %d was not opened", newest)
	}
	if m.later > 0 && m.unseenAfter(newest) {
		rt.Fatalf("%s: a later message was never mailed", mark)
	}
}

func (m *toy) unseenAfter(mail int) bool {
	at := m.h.delivery(m.mails[mail]).NewestAt
	for _, c := range m.h.chat.messages {
		if c.Text == "" && c.Type != postern.AdminMessage && !c.Removed && c.CreatedAt.UnixMilli() > at {
			return true
		}
	}
	return false
}

// finish holds that marks are not merely never moved: when all is well they are.
func (m *toy) finish(rt *rapid.T) {
	m.later = 0
	h := m.h
	for i, c := range h.chat.messages {
		if c.Text == "" && c.Type != postern.AdminMessage {
			h.chat.messages[i].Removed = true
		}
	}
	if h.person("bob").Stopped != "" {
		if _, err := h.Lift(h.t.Context(), "bob"); err != nil {
			rt.Fatal(err)
		}
	}
	last := h.mailed("the last")
	m.mails = append(m.mails, last)
	h.chat.marks = nil
	for i, s := range m.mails {
		m.delivered[i] = true
		h.tells(postern.MailDelivered, s)
	}
	h.now = h.now.Add(time.Hour)
	h.tells(postern.MailOpened, last)
	h.wantMarks("delivered bob", "read bob")
	if h.t.Failed() {
		rt.FailNow()
	}
}
