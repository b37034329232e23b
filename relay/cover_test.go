package relay

import (
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// A mark covers everything in the channel: what was never heard of is mailed first.
func TestMarkWaitsForTheUnheard(t *testing.T) {
	at0 := func(c *Config) { c.Delay = 0 } // no look at the list on the way out
	t.Run("before the mail", func(t *testing.T) {
		h := listens(t, at0)
		first := h.mailed("word-1")
		h.tells(postern.MailDelivered, first)
		h.wantMarks("delivered bob")
		h.lost("ana", "word-2")
		h.now = h.now.Add(time.Minute)
		third := h.mailed("word-3")
		h.tells(postern.MailDelivered, third)
		h.pass(time.Minute)
		h.wantMailed("word-1", "word-3", "word-2")
		h.wantMarks("delivered bob")
		h.tells(postern.MailDelivered, h.mail.sent[2])
		h.wantMarks("delivered bob", "delivered bob")
		h.now = h.now.Add(time.Minute)
		h.tells(postern.MailOpened, third)
		h.wantMarks("delivered bob", "delivered bob", "read bob")
	})
	t.Run("before the first mark there was", func(t *testing.T) {
		h := listens(t, at0)
		h.lost("ana", "word-0", func(m *postern.ChatMessage) { m.CreatedAt = start().Add(-time.Hour) }) // before we were there
		h.now = h.now.Add(time.Minute)
		first := h.mailed("word-1")
		h.lost("ana", "word-2")
		h.now = h.now.Add(time.Minute)
		h.tells(postern.MailDelivered, first)
		h.wantMarks()
		h.pass(time.Minute)
		h.wantMailed("word-1", "word-2")
		h.tells(postern.MailDelivered, h.mail.sent[1])
		h.wantMarks("delivered bob")
	})
	t.Run("its webhook is on its way", func(t *testing.T) {
		h := listens(t, at0)
		first := h.mailed("word-1")
		m := h.lost("ana", "word-2")
		h.tells(postern.MailDelivered, first)
		h.wantMarks()
		h.wantNoted("heard late")
		h.late(m)
		h.wantMailed("word-1", "word-2")
		h.tells(postern.MailDelivered, h.mail.sent[1])
		h.pass(time.Minute)
		h.wantNoted("heard late")
		h.wantMarks("delivered bob")
	})
	t.Run("the webhook of a guest's line is on its way", func(t *testing.T) {
		h := listens(t, at0, func(c *Config) { c.Strangers = StrangersGuest })
		first := h.mailed("word-1")
		h.answers(first.replyTo(), h.letterFrom("Eve <eve@else.example>", "word-2"))
		line := h.chat.messages[1]
		h.tells(postern.MailDelivered, first)
		h.wantMarks()
		h.late(line)
		h.wantMailed("word-1", "word-2")
		h.tells(postern.MailDelivered, h.mail.sent[1])
		h.wantMarks("delivered bob")
	})
	t.Run("its webhook is on its way, and brings nothing for him", func(t *testing.T) {
		h := listens(t, at0)
		first := h.mailed("word-1")
		m := h.lost("bob", "word-2")
		m2 := h.lost("ana", "word-3")
		h.tells(postern.MailDelivered, first)
		h.wantMarks()
		h.chat.members[1].ReadAt = m2.CreatedAt // he reads it in the chat
		h.arrives(postern.ChatEvent{Kind: postern.MessagesRead, Channel: postern.Channel{ID: channel}, Reads: []postern.ReadMark{{User: "bob", At: m2.CreatedAt}}})
		h.late(m)
		h.late(m2)
		h.pass(time.Minute) // nobody sends another event: the marks come back by themselves
		h.wantMailed("word-1")
		h.wantMarks("delivered bob")
	})
	t.Run("never heard, and not for him", func(t *testing.T) {
		h := listens(t, at0)
		first := h.mailed("word-1")
		h.lost("ana", "word-2")
		h.now = h.now.Add(time.Minute)
		h.chat.members[1].ReadAt = h.now // the webhook on his reading was lost too
		h.tells(postern.MailDelivered, first)
		h.pass(time.Minute)
		h.wantMailed("word-1")
		if len(h.noted("heard late")) != 1 {
			t.Error("not heard")
		}
	})
	t.Run("who gets it is not known yet", func(t *testing.T) {
		h := listens(t, at0)
		first := h.mailed("word-1")
		h.chat.calls["members"] = repeat(failure(postern.Temporary), 3)
		h.says("ana", "word-2", func(e *postern.ChatEvent) { e.Members, e.HasMembers = nil, false })
		h.chat.messages = h.chat.messages[:1] // the list lags
		h.tells(postern.MailDelivered, first)
		h.wantMarks()
		h.pass(time.Minute)
		h.wantMailed("word-1", "word-2")
		h.wantMarks()
		h.tells(postern.MailDelivered, h.mail.sent[1])
		h.wantMarks("delivered bob")
	})
}

// An event that is lost is found in the provider's books.
func TestLostMailEvent(t *testing.T) {
	book := func(h *house, m sent, kinds ...postern.MailEventKind) {
		if h.mail.books == nil {
			h.mail.books = map[string][]postern.MailEvent{}
		}
		for _, k := range kinds {
			h.mail.books[m.MessageID] = append(h.mail.books[m.MessageID], postern.MailEvent{Kind: k, At: h.now, MessageID: m.MessageID, Code: "550"})
		}
	}
	t.Run("delivered", func(t *testing.T) {
		h := listens(t, func(c *Config) { c.Delay = 0 })
		m := h.mailed("word-1")
		book(h, m, postern.MailAccepted, postern.MailDelivered)
		h.ticks(30 * time.Minute)
		h.wantMarks()
		h.ticks(10 * time.Minute)
		h.wantMarks("delivered bob")
		h.wantState(m, store.Delivered)
		h.pass(100 * time.Hour)
		h.ticks(time.Minute)
		if h.mail.traced != 1 {
			t.Errorf("asked %d times", h.mail.traced)
		}
	})
	t.Run("failed", func(t *testing.T) {
		h := listens(t, func(c *Config) { c.Delay = 0 })
		m := h.mailed("word-1")
		book(h, m, postern.MailAccepted, postern.MailFailed)
		h.ticks(40 * time.Minute)
		h.wantState(m, store.Failed)
		if h.person("bob").Stopped != postern.StopBounced {
			t.Error("not stopped")
		}
	})
	t.Run("it came: nobody asks", func(t *testing.T) {
		h := listens(t, func(c *Config) { c.Delay = 0 })
		h.tells(postern.MailDelivered, h.mailed("word-1"))
		h.ticks(40 * time.Minute)
		if h.mail.traced != 0 {
			t.Errorf("asked %d times", h.mail.traced)
		}
	})
	for name, set := range map[string]struct {
		after time.Duration
		moves bool
	}{"nobody ever tells": {72 * time.Hour, true}, "nobody ever tells, and marks wait for good": {0, false}} {
		t.Run(name, func(t *testing.T) {
			h := listens(t, func(c *Config) { c.Delay, c.UnprovenAfter = 0, set.after })
			h.mail.calls["trace"] = []outcome{failure(postern.Temporary), {}, failure(postern.Denied)}
			first := h.mailed("word-1")
			h.now = h.now.Add(time.Minute)
			second := h.mailed("word-2")
			book(h, second, postern.MailDelivered)
			h.tells(postern.MailDelivered, second)
			for range 80 {
				h.wantMarks()
				if h.now = h.now.Add(time.Hour); h.now.Sub(start()) > 71*time.Hour {
					break
				}
				h.must(h.Rounds(t.Context()))
				h.settle()
			}
			h.ticks(2 * time.Hour)
			h.wantState(first, store.Accepted) // nobody claims that it was delivered
			if set.moves {
				h.wantMarks("delivered bob")
			} else {
				h.wantMarks()
			}
			h.wantNoted("unproven", "nobody tells whether it arrived")
			if h.mail.traced < 3 || h.mail.traced > 8 {
				t.Errorf("asked %d times", h.mail.traced)
			}
		})
	}
	t.Run("he read it in the chat", func(t *testing.T) {
		h := listens(t, func(c *Config) { c.Delay, c.UnprovenAfter = 0, 0 })
		h.mailed("word-1")
		h.now = h.now.Add(time.Minute)
		h.arrives(postern.ChatEvent{Kind: postern.MessagesRead, Channel: postern.Channel{ID: channel}, Reads: []postern.ReadMark{{User: "bob", At: h.now}}})
		h.settle()
		h.now = h.now.Add(time.Minute)
		second := h.mailed("word-2")
		h.tells(postern.MailDelivered, second)
		h.wantMarks("delivered bob")
		h.now = h.now.Add(time.Minute)
		h.tells(postern.MailOpened, second)
		h.wantMarks("delivered bob", "read bob")
	})
}
