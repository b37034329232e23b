package relay

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/letter"
	"github.com/postern-chat/postern/store"
)

func TestMailed(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Is the bike still for sale?")
	l, err := letter.ReadBytes([]byte(m.raw), letter.Options{})
	h.must(err)
	if m.To != bobsAddress || l.From[0].Name != "Ana (Support)" || l.Subject != "Support" || !strings.HasPrefix(l.Text, "Is the bike still for sale?\n") {
		t.Errorf("to %s, from %q, subject %q, text %q", m.To, l.From[0].Name, l.Subject, l.Text)
	}
	h.wantNoted("to be mailed", "")
	h.wantNoted("mailed", "")
	// The same webhook again, and the same message by another way.
	h.arrives(postern.ChatEvent{Kind: postern.MessageSent, Channel: postern.Channel{ID: channel}, Message: h.chat.messages[0], Members: h.chat.members, HasMembers: true})
	h.settle()
	if len(h.mail.sent) != 1 {
		t.Errorf("%d mails of one message", len(h.mail.sent))
	}
}

// A message comes once into one lane even if it is recorded twice.
func TestMailedOnce(t *testing.T) {
	h := newHouse(t)
	h.mailed("Hello")
	e := postern.ChatEvent{Kind: postern.MessageSent, Channel: postern.Channel{ID: channel, Large: true}, Message: h.chat.messages[0]}
	plan := h.SortChat(e)
	plan.Dedup += "again"
	h.recordPlan(e, plan.Dedup)
	h.settle()
	if len(h.mail.sent) != 1 || !slices.Contains(h.noted("not mailed"), "mailed before") {
		t.Errorf("%d mails; not mailed: %q", len(h.mail.sent), h.noted("not mailed"))
	}
}

// What changed between a message and its mail, and what comes of it.
func TestDropped(t *testing.T) {
	bob := func(h *house) *postern.Member { return &h.chat.members[1] }
	tests := []struct {
		name, why string
		then      func(h *house, m postern.ChatMessage)
	}{
		{"online", "online", func(h *house, _ postern.ChatMessage) { bob(h).Online = true }},
		{"read at the platform", "read", func(h *house, m postern.ChatMessage) { bob(h).ReadAt = m.CreatedAt }},
		{"left", "left the channel", func(h *house, _ postern.ChatMessage) { h.chat.members = h.chat.members[:1] }},
		{"deactivated", "deactivated", func(h *house, _ postern.ChatMessage) { bob(h).Active = false }},
		{"removed at the platform", "deleted", func(h *house, _ postern.ChatMessage) { h.chat.messages[len(h.chat.messages)-1].Removed = true }},
		{"deleted", "deleted", func(h *house, m postern.ChatMessage) {
			h.arrives(postern.ChatEvent{Kind: postern.MessageDeleted, Channel: postern.Channel{ID: channel}, Message: m})
		}},
		{"no address", "no address known", func(h *house, _ postern.ChatMessage) {
			_, err := h.Store.DeletePerson(h.t.Context(), "bob")
			h.must(err)
		}},
		{"unsubscribed from the conversation", "unsubscribed from this conversation", func(h *house, _ postern.ChatMessage) {
			h.must(h.Leave(h.t.Context(), h.mail.sent[0].Participant, true))
		}},
		{"read by webhook", "read", func(h *house, m postern.ChatMessage) {
			h.arrives(postern.ChatEvent{Kind: postern.MessagesRead, Channel: postern.Channel{ID: channel}, Reads: []postern.ReadMark{{User: "bob", At: m.CreatedAt}}})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, func(c *Config) { c.Delay = 10 * time.Second })
			h.says("ana", "the first makes him a participant")
			h.pass(time.Minute)
			m := h.says("ana", "Are you there?")
			tt.then(h, m)
			h.pass(time.Minute)
			if len(h.mail.sent) != 1 || !slices.Equal(h.noted("not mailed"), []string{tt.why}) {
				t.Errorf("%d mails, not mailed %q, want %q", len(h.mail.sent), h.noted("not mailed"), tt.why)
			}
		})
	}
}

// The platform's silence drops nothing.
func TestLookAgainInVain(t *testing.T) {
	for _, tt := range []struct {
		name  string
		calls map[string][]outcome
		note  []string
	}{
		{"may not list members", map[string][]outcome{"members": {failure(postern.Denied)}}, []string{"denied"}},
		{"may not list messages", map[string][]outcome{"messages": {failure(postern.Permanent)}}, nil},
		{"down for a while", map[string][]outcome{"members": {failure(postern.Temporary), failure(postern.Temporary)}, "messages": {failure(postern.Temporary)}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, func(c *Config) { c.Delay = time.Second })
			h.chat.calls = tt.calls
			h.says("ana", "Hello")
			h.pass(time.Minute)
			if len(h.mail.sent) != 1 {
				t.Errorf("%d mails", len(h.mail.sent))
			}
			h.wantNoted("looked again in vain", tt.note...)
		})
	}
}

// A file may take minutes. What is heard in them counts.
func TestDroppedWhileAFileIsFetched(t *testing.T) {
	in := postern.Channel{ID: channel}
	for name, tt := range map[string]struct {
		heard func(*house, postern.ChatMessage)
		why   string
	}{
		"deleted": {func(h *house, m postern.ChatMessage) {
			h.arrives(postern.ChatEvent{Kind: postern.MessageDeleted, Channel: in, Message: m})
		}, "deleted"},
		"read": {func(h *house, m postern.ChatMessage) {
			h.arrives(postern.ChatEvent{Kind: postern.MessagesRead, Channel: in, Reads: []postern.ReadMark{{User: "bob", At: m.CreatedAt}}})
		}, "read"},
		"stopped": {func(h *house, _ postern.ChatMessage) {
			h.must(h.Store.Do(t.Context(), func(tx *store.Tx) error {
				_, err := tx.StopPerson("bob", bobsAddress, postern.StopComplained, "")
				return err
			}))
		}, "stopped: complained"},
		"nothing": {func(*house, postern.ChatMessage) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.chat.files["https://files.example/f"] = "words"
			m := h.says("ana", "See this", func(e *postern.ChatEvent) {
				e.Message.Files = []postern.ChatFile{{URL: "https://files.example/f", Name: "f.txt", ContentType: "text/plain"}}
			})
			h.chat.opened = func() {
				tt.heard(h, m)
				h.settle()
			}
			h.settle()
			if tt.why == "" {
				if len(h.mail.sent) != 1 {
					t.Errorf("%d mails", len(h.mail.sent))
				}
				return
			}
			h.wantNoted("not mailed", tt.why)
			if len(h.mail.sent) != 0 || h.chat.opened != nil {
				t.Errorf("%d mails", len(h.mail.sent))
			}
		})
	}
}

func TestBurst(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Delay = 10 * time.Second })
	h.says("ana", "One")
	edited := h.says("ana", "Tow")
	h.says("ana", "Three")
	edited.Text, edited.UpdatedAt = "Two", h.now
	h.arrives(postern.ChatEvent{Kind: postern.MessageEdited, Channel: postern.Channel{ID: channel}, Message: edited})
	h.pass(9 * time.Second)
	if len(h.mail.sent) != 0 {
		t.Fatal("mailed before the quiet window ended")
	}
	h.pass(time.Minute)
	if len(h.mail.sent) != 1 {
		t.Fatalf("%d mails", len(h.mail.sent))
	}
	l, err := letter.ReadBytes([]byte(h.mail.sent[0].raw), letter.Options{})
	h.must(err)
	if !strings.HasPrefix(l.Text, "One\n\nTwo\n\nThree\n") {
		t.Errorf("the mail says %q", l.Text)
	}
}

// Messages that never fall silent are mailed all the same.
func TestDelayMax(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Delay, c.DelayMax = 10*time.Second, 30*time.Second })
	for range 8 {
		h.says("ana", "and another thing")
		h.pass(5 * time.Second)
	}
	if n := len(h.mail.sent); n != 1 {
		t.Errorf("%d mails after 40 seconds of talk, want 1", n)
	}
}

// A message that cannot be read (any more) takes no other with it.
func TestUnreadable(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Delay = time.Second })
	h.says("ana", "before")
	h.recordRaw("{", messageJobFor(h, "bob"))
	h.says("ana", "after")
	h.pass(time.Minute)
	var text string
	for _, m := range h.mail.sent {
		text += m.raw
	}
	if !strings.Contains(text, "before") || !strings.Contains(text, "after") || len(h.buried) != 1 {
		t.Errorf("%d mails, %d buried: %q", len(h.mail.sent), len(h.buried), text)
	}
}

// A lane's name may be read two ways; a mail has one reader.
func TestTwoMembersInOneLane(t *testing.T) {
	h := newHouse(t)
	e := postern.ChatEvent{Kind: postern.MessageSent, Channel: postern.Channel{ID: channel}, Message: postern.ChatMessage{ID: "1", Sender: postern.User{ID: "ana"}, Text: "for Bob", CreatedAt: h.now}}
	h.put(postern.Person{UserID: "eve", Email: "eve@people.example"})
	h.chat.members = append(h.chat.members, postern.Member{User: postern.User{ID: "eve"}, Active: true, Joined: true})
	forBob, forEve := messageJobFor(h, "bob"), messageJobFor(h, "eve")
	forEve.Lane = forBob.Lane
	h.recordJobs(e, "1", forBob)
	e.Message.ID, e.Message.Text = "2", "for Eve"
	h.recordJobs(e, "2", forEve)
	h.settle()
	for _, m := range h.mail.sent {
		if strings.Contains(m.raw, "for Bob") != (m.To == bobsAddress) {
			t.Errorf("%s gets %q", m.To, m.raw)
		}
	}
	if len(h.mail.sent) != 2 {
		t.Errorf("%d mails, want 2", len(h.mail.sent))
	}
}

// Where nobody was listed the platform is asked, and each member gets his own job.
func TestFanout(t *testing.T) {
	h := newHouse(t)
	h.put(postern.Person{UserID: "eve", Email: "eve@people.example"})
	h.chat.members = append(h.chat.members, postern.Member{User: postern.User{ID: "eve"}, Active: true, Joined: true}, postern.Member{User: postern.User{ID: "ina"}, Active: true})
	h.chat.calls["members"] = []outcome{failure(postern.Temporary)}
	h.says("ana", "Hello all", func(e *postern.ChatEvent) { e.Members, e.HasMembers = nil, false })
	h.pass(time.Minute)
	var to []string
	for _, m := range h.mail.sent {
		to = append(to, m.To)
	}
	slices.Sort(to)
	if !slices.Equal(to, []string{bobsAddress, "eve@people.example"}) {
		t.Errorf("mailed to %v", to)
	}
	h.wantNoted("not mailed", "not to these members")
}

// A line of ours is known by its remembered id even where the platform lost its mark;
// somebody else's line without a mark is mailed.
func TestOwnLineWithoutMark(t *testing.T) {
	h := newHouse(t)
	d := h.mailed("the first makes him a participant")
	p, _, err := h.Store.Participant(t.Context(), d.Participant)
	h.must(err)
	h.must(h.Store.Do(t.Context(), func(tx *store.Tx) error {
		if err := tx.PlanPosts([]store.Post{{ID: "line", Batch: stopPrefix + "x", Conversation: p.Conversation.ID, Text: "Bob could not be reached"}}); err != nil {
			return err
		}
		return tx.PostEnds("line", store.Posted, "777", "")
	}))
	line := func(id postern.MessageID) func(*postern.ChatEvent) {
		return func(e *postern.ChatEvent) { e.Message.ID, e.Message.Type = id, postern.AdminMessage }
	}
	h.says("", "Bob could not be reached", line("777"))
	h.settle()
	if why := h.noted("not mailed"); len(h.mail.sent) != 1 || !slices.Contains(why, "our own line") {
		t.Errorf("%d mails, not mailed %q", len(h.mail.sent), why)
	}
	h.says("", "The shop closes at six", line("778"))
	h.settle()
	if len(h.mail.sent) != 2 {
		t.Errorf("%d mails, want the first and the shop's line", len(h.mail.sent))
	}
}
