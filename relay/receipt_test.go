package relay

import (
	"slices"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// deliveredAt is an open that tells when the mail had been delivered.
func deliveredAt(at time.Time) func(*postern.MailEvent) {
	return func(e *postern.MailEvent) { e.DeliveredAt = at }
}

func opener(o postern.Opener) func(*postern.MailEvent) {
	return func(e *postern.MailEvent) { e.Opener = o }
}

func (h *house) wantMarks(want ...string) {
	h.t.Helper()
	if !slices.Equal(h.chat.marks, want) {
		h.t.Errorf("marks moved: %q, want %q", h.chat.marks, want)
	}
}

func TestMarks(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Hello")
	h.tells(postern.MailAccepted, m)
	h.wantMarks()
	h.tells(postern.MailDelivered, m)
	h.wantMarks("delivered bob")
	h.now = h.now.Add(time.Minute)
	h.tells(postern.MailOpened, m)
	h.wantMarks("delivered bob", "read bob")
	for range 3 { // repeats, late ones, another open
		h.tells(postern.MailDelivered, m)
		h.tells(postern.MailOpened, m)
		h.tells(postern.MailAccepted, m)
	}
	h.wantMarks("delivered bob", "read bob")
}

// Which opens are a person's reading.
func TestReadPolicy(t *testing.T) {
	tests := []struct {
		name   string
		policy ReadPolicy
		after  time.Duration // of the open after the delivery
		opener postern.Opener
		answer bool
		read   bool
	}{
		{"a person, later", ReadHumanOpen, 20 * time.Second, "", false, true},
		{"a person, at once", ReadHumanOpen, 19 * time.Second, "", false, false},
		{"a machine", ReadHumanOpen, time.Hour, postern.OpenedByApple, false, false},
		{"a scanner", ReadHumanOpen, time.Hour, postern.OpenedByScanner, false, false},
		{"any: a machine", ReadAnyOpen, 0, postern.OpenedByGmail, false, true},
		{"reply: an open", ReadReply, time.Hour, "", false, false},
		{"reply: an answer", ReadReply, 0, postern.OpenedByApple, true, true},
		{"an answer without an open", ReadHumanOpen, 0, postern.OpenedByApple, true, true},
		{"off", ReadOff, time.Hour, "", true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, func(c *Config) { c.Read = tt.policy })
			m := h.mailed("Hello")
			h.tells(postern.MailDelivered, m)
			h.now = h.now.Add(tt.after)
			h.tells(postern.MailOpened, m, opener(tt.opener))
			if tt.answer {
				h.answers(m.replyTo(), h.letterFrom(bobsAddress, "Yes", "In-Reply-To: <"+m.MessageID+">"))
			}
			if got := slices.Contains(h.chat.marks, "read bob"); got != tt.read {
				t.Errorf("read: %t, want %t; marks %q", got, tt.read, h.chat.marks)
			}
			if !slices.Contains(h.chat.marks, "delivered bob") {
				t.Errorf("not delivered: %q", h.chat.marks)
			}
		})
	}
}

// Events come in any order and lose their way.
func TestEventOrder(t *testing.T) {
	t.Run("opened before delivered", func(t *testing.T) {
		h := newHouse(t)
		m, at := h.mailed("Hello"), h.now
		h.now = h.now.Add(time.Hour)
		h.tells(postern.MailOpened, m)
		h.wantMarks()
		h.tells(postern.MailDelivered, m, func(e *postern.MailEvent) { e.At = at })
		h.wantMarks("delivered bob", "read bob")
	})
	t.Run("the open tells of the delivery", func(t *testing.T) {
		h := newHouse(t)
		m, at := h.mailed("Hello"), h.now
		h.now = h.now.Add(time.Hour)
		h.tells(postern.MailOpened, m, deliveredAt(at))
		h.wantMarks("delivered bob", "read bob")
	})
	t.Run("failed, then delivered", func(t *testing.T) {
		h := newHouse(t)
		m := h.mailed("Hello")
		h.tells(postern.MailFailed, m)
		h.tells(postern.MailDelivered, m)
		h.wantState(m, store.Failed)
		h.wantMarks()
	})
	t.Run("delivered, then failed", func(t *testing.T) {
		h := newHouse(t)
		m := h.mailed("Hello")
		h.tells(postern.MailDelivered, m)
		h.tells(postern.MailFailed, m)
		h.wantState(m, store.Failed)
		if h.person("bob").Stopped != postern.StopBounced {
			t.Error("not stopped")
		}
	})
	t.Run("before the call's answer was written down", func(t *testing.T) {
		h := newHouse(t)
		h.mail.calls["send"] = []outcome{lost()}
		h.says("ana", "Hello")
		h.settle()
		h.tells(postern.MailDelivered, h.only())
		h.wantState(h.only(), store.Delivered)
		h.wantMarks("delivered bob")
	})
	t.Run("of no delivery of ours", func(t *testing.T) {
		h := newHouse(t)
		h.tells(postern.MailDelivered, sent{Outgoing: postern.Outgoing{MessageID: "x@elsewhere"}})
		h.wantNoted("event ignored", "no such delivery")
	})
	t.Run("by its Message-ID alone", func(t *testing.T) {
		h := newHouse(t)
		m := h.mailed("Hello")
		m.Delivery, m.Participant = "", 0
		h.tells(postern.MailDelivered, m)
		h.wantMarks("delivered bob")
	})
}

// Marks wait for what came later, and go on when that has arrived.
func TestMarkWaits(t *testing.T) {
	t.Run("for a later message on its way", func(t *testing.T) {
		h := newHouse(t)
		first, second := h.mailed("One"), h.mailed("Two")
		h.tells(postern.MailDelivered, first)
		h.wantMarks()
		h.tells(postern.MailDelivered, second)
		h.wantMarks("delivered bob")
	})
	t.Run("for a message in the quiet window", func(t *testing.T) {
		h := newHouse(t, func(c *Config) { c.Delay = 10 * time.Second })
		h.says("ana", "One")
		h.pass(time.Minute)
		h.says("ana", "Two")
		h.tells(postern.MailDelivered, h.mail.sent[0])
		h.wantMarks()
		h.chat.members[1].ReadAt = h.now // he reads it in the chat: nothing is to be mailed
		h.arrives(postern.ChatEvent{Kind: postern.MessagesRead, Channel: postern.Channel{ID: channel}, Reads: []postern.ReadMark{{User: "bob", At: h.now}}})
		h.pass(time.Minute)
		h.wantMarks("delivered bob")
	})
	t.Run("for a message that only the platform knows", func(t *testing.T) {
		h := newHouse(t)
		m := h.mailed("One")
		h.chat.messages = append(h.chat.messages, postern.ChatMessage{ID: "x", Sender: postern.User{ID: "ana"}, CreatedAt: h.now.Add(time.Second)})
		h.tells(postern.MailDelivered, m)
		h.wantMarks()
		h.wantNoted("mark held", "a later message is not mailed or not delivered")
		h.chat.messages[1].Removed = true
		h.tells(postern.MailDelivered, m)
		h.wantMarks("delivered bob")
	})
	t.Run("for a message that comes and is mailed while the platform is asked", func(t *testing.T) {
		h := newHouse(t)
		m := h.mailed("One")
		h.chat.listed = func() {
			h.says("ana", "Two")
			h.settle()
		}
		h.tells(postern.MailDelivered, m)
		if len(h.mail.sent) != 2 {
			t.Fatalf("%d mails", len(h.mail.sent))
		}
		h.wantMarks()
		h.tells(postern.MailDelivered, h.mail.sent[1])
		h.wantMarks("delivered bob")
	})
	t.Run("not for what needs no mark", func(t *testing.T) {
		h := newHouse(t)
		m := h.mailed("One")
		later := h.now.Add(time.Second)
		h.chat.messages = append(h.chat.messages,
			postern.ChatMessage{ID: "own", Sender: postern.User{ID: "bob"}, CreatedAt: later},
			postern.ChatMessage{ID: "line", Type: postern.AdminMessage, CreatedAt: later},
			postern.ChatMessage{ID: "gone", Sender: postern.User{ID: "ana"}, CreatedAt: later, Removed: true})
		h.tells(postern.MailDelivered, m)
		h.wantMarks("delivered bob")
	})
	t.Run("not where the platform does not list", func(t *testing.T) {
		h := newHouse(t)
		m := h.mailed("One")
		h.chat.calls["messages"] = []outcome{failure(postern.Denied)}
		h.tells(postern.MailDelivered, m)
		h.wantMarks("delivered bob")
	})
	t.Run("while the platform is down", func(t *testing.T) {
		h := newHouse(t)
		m := h.mailed("One")
		h.chat.calls["messages"] = []outcome{failure(postern.Temporary)}
		h.tells(postern.MailDelivered, m)
		h.wantMarks()
		h.pass(time.Minute)
		h.wantMarks("delivered bob")
	})
}

// A platform that refuses one mark may still take the other (Sendbird sells them apart).
func TestMarkRefused(t *testing.T) {
	h := newHouse(t)
	h.chat.calls["mark delivered"] = []outcome{failure(postern.Denied), failure(postern.Permanent)}
	m := h.mailed("Hello")
	h.tells(postern.MailDelivered, m)
	h.now = h.now.Add(time.Minute)
	h.tells(postern.MailOpened, m)
	h.wantMarks("read bob")
	h.wantNoted("not marked delivered", "the chat refused it", "the chat refused it")
}

func TestMarkTriedAgain(t *testing.T) {
	h := newHouse(t)
	h.chat.calls["mark delivered"] = []outcome{failure(postern.Temporary)}
	m := h.mailed("Hello")
	h.tells(postern.MailDelivered, m)
	h.wantMarks()
	h.pass(time.Minute)
	h.wantMarks("delivered bob")
}

// Our own mark comes back as a webhook; it proves nothing of what it was not meant for. So
// too where the platform's clock is almost three seconds ahead, which whole seconds do not
// tell from two.
func TestOwnEcho(t *testing.T) {
	for _, after := range []time.Duration{500 * time.Millisecond, 2900 * time.Millisecond} {
		h := newHouse(t)
		m := h.mailed("One")
		h.tells(postern.MailDelivered, m)
		h.now = h.now.Add(time.Minute)
		missed := h.now.Add(-time.Millisecond) // written just before our mark, seen after it
		h.tells(postern.MailOpened, m)
		h.wantMarks("delivered bob", "read bob")
		h.arrives(postern.ChatEvent{Kind: postern.MessagesRead, Channel: postern.Channel{ID: channel}, Reads: []postern.ReadMark{{User: "bob", At: h.now.Add(after)}}})
		h.settle()
		h.says("ana", "Two", func(e *postern.ChatEvent) { e.Message.CreatedAt = missed })
		h.settle()
		if len(h.mail.sent) != 2 {
			t.Errorf("after %v: %d mails; not mailed: %q", after, len(h.mail.sent), h.noted("not mailed"))
		}
	}
}

// The platform's clock is hours from ours: our own mark is still known for our own, and
// his own for his.
func TestOwnEchoByTheirClock(t *testing.T) {
	for _, off := range []time.Duration{-9 * time.Hour, -5 * time.Second, 5 * time.Second, 9 * time.Hour} {
		h := newHouse(t)
		h.chat.off, h.chat.told = off, true
		at := func(e *postern.ChatEvent) { e.Message.CreatedAt = h.now.Add(off) }
		h.says("ana", "One", at)
		h.settle()
		h.tells(postern.MailDelivered, h.mail.sent[0])
		h.now = h.now.Add(time.Minute)
		missed := h.now.Add(off - time.Millisecond)
		h.tells(postern.MailOpened, h.mail.sent[0])
		h.wantMarks("delivered bob", "read bob")
		reads := func(after time.Duration) {
			h.arrives(postern.ChatEvent{Kind: postern.MessagesRead, Channel: postern.Channel{ID: channel}, Reads: []postern.ReadMark{{User: "bob", At: h.now.Add(off + after)}}})
			h.settle()
		}
		reads(500 * time.Millisecond)
		h.says("ana", "Two", func(e *postern.ChatEvent) { e.Message.CreatedAt = missed })
		h.settle()
		if len(h.mail.sent) != 2 {
			t.Errorf("off by %v: %d mails; not mailed: %q", off, len(h.mail.sent), h.noted("not mailed"))
		}
		reads(10 * time.Second)
		h.says("ana", "Three", at)
		h.settle()
		h.wantNoted("not mailed", "read")
	}
}

// A mark of ours lies over a message that we had not heard of; it was not read for that.
// So too when the mark's answer was lost, or we were killed before it came.
func TestOwnMarkOverUnheard(t *testing.T) {
	for name, call := range map[string]outcome{"answered": {happens: true}, "answer lost": lost()} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.chat.calls["mark read"] = []outcome{call}
			before := h.now.Add(-time.Millisecond) // its webhook comes late
			m := h.mailed("One")
			h.tells(postern.MailDelivered, m)
			h.now = h.now.Add(time.Minute)
			during := h.now.Add(time.Second)
			h.tells(postern.MailOpened, m)
			h.wantMarks("delivered bob", "read bob")
			h.now = h.now.Add(5 * time.Second)
			echo := postern.ReadMark{User: "bob", At: during.Add(time.Millisecond)}
			if call.err == nil {
				echo.At = h.now.Add(-5 * time.Second)
			}
			h.arrives(postern.ChatEvent{Kind: postern.MessagesRead, Channel: postern.Channel{ID: channel}, Reads: []postern.ReadMark{echo}})
			h.says("ana", "Before it", func(e *postern.ChatEvent) { e.Message.CreatedAt = before })
			h.settle()
			if call.err != nil {
				h.says("ana", "Meanwhile", func(e *postern.ChatEvent) { e.Message.CreatedAt = during })
				h.settle()
			}
			if why := h.noted("not mailed"); len(why) != 0 {
				t.Errorf("not mailed: %q", why)
			}
		})
	}
}

// The read mark waits for a mail below the delivered mark: its message was heard of late.
func TestReadMarkWaitsForLateMail(t *testing.T) {
	h := newHouse(t)
	before := h.now.Add(-time.Minute)
	m := h.mailed("One")
	h.tells(postern.MailDelivered, m)
	h.wantMarks("delivered bob")
	h.says("ana", "Before it", func(e *postern.ChatEvent) { e.Message.CreatedAt = before })
	h.settle()
	if len(h.mail.sent) != 2 {
		t.Fatalf("%d mails", len(h.mail.sent))
	}
	h.now = h.now.Add(time.Minute)
	h.tells(postern.MailOpened, m)
	h.wantMarks("delivered bob")
	h.tells(postern.MailDelivered, h.mail.sent[1])
	h.wantMarks("delivered bob", "read bob")
}

func TestHasRead(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	for _, tt := range []struct {
		name          string
		mark, created int64
		ownAt, upto   int64 // seconds
		want          bool
	}{
		{"no mark", 0, 10, 0, 0, false},
		{"before it", 9, 10, 0, 0, false},
		{"at it", 10, 10, 0, 0, true},
		{"after it", 11, 10, 0, 0, true},
		{"our own, covered", 100, 10, 100, 10, false},
		{"our own, not covered", 100, 50, 100, 10, false},
		{"near our own", 104, 50, 100, 10, false},
		{"near our own, before", 98, 50, 100, 10, false},
		{"his own, later", 105, 50, 100, 10, true},
		{"earlier than our own: perhaps that before it", 97, 50, 100, 10, false},
	} {
		p := store.Participant{OwnReadAt: tt.ownAt * 1000, OwnReadUpto: tt.upto * 1000}
		if got := (&Rules{}).hasRead(p, at(tt.mark), at(tt.created)); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

// Somebody whose pictures never load has many mails delivered and none read.
func TestManyUnread(t *testing.T) {
	h := newHouse(t)
	first := h.mailed("One")
	p := first.Participant
	h.must(h.Store.Do(t.Context(), func(tx *store.Tx) error {
		for i := range deliveriesAtOnce + 20 {
			id := postern.DeliveryID("d" + h.next())
			err := tx.AddDelivery(store.Delivery{ID: id, Participant: p, State: store.Delivered, MessageID: string(id) + "@x", Recipient: bobsAddress, NewestAt: h.now.UnixMilli() + int64(i/2), Content: []byte("{}")}, nil)
			if err != nil {
				return err
			}
		}
		return nil
	}))
	h.now = h.now.Add(time.Minute)
	last := h.mailed("Last")
	h.tells(postern.MailDelivered, first)
	h.wantMarks()
	h.tells(postern.MailDelivered, last)
	h.wantMarks("delivered bob")
	h.now = h.now.Add(time.Minute)
	h.tells(postern.MailOpened, last)
	h.wantMarks("delivered bob", "read bob")
}
