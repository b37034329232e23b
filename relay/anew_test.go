package relay

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
)

// A mail that was put off says what is true when it goes out at last.
func TestPutOffIsWrittenAnew(t *testing.T) {
	edit := func(h *house, m postern.ChatMessage, text string) {
		m.Text, m.UpdatedAt = text, h.now
		h.arrives(postern.ChatEvent{Kind: postern.MessageEdited, Channel: postern.Channel{ID: channel}, Message: m})
	}
	inChat := func(h *house, id postern.MessageID, f func(*postern.ChatMessage)) {
		for i := range h.chat.messages {
			if h.chat.messages[i].ID == id {
				f(&h.chat.messages[i])
			}
		}
	}
	tests := []struct {
		name  string
		do    func(h *house, first, second postern.ChatMessage)
		words []string
		anew  []string
	}{
		{"nothing changed", func(*house, postern.ChatMessage, postern.ChatMessage) {}, []string{"word-1", "word-2"}, nil},
		{"edited", func(h *house, a, _ postern.ChatMessage) { edit(h, a, "word-1b") }, []string{"word-1b", "word-2"}, []string{"edited"}},
		{"edited, and the webhook lost", func(h *house, _, b postern.ChatMessage) {
			inChat(h, b.ID, func(m *postern.ChatMessage) { m.Text, m.UpdatedAt = "word-2b", h.now })
		}, []string{"word-1", "word-2b"}, []string{"edited"}},
		{"one deleted", func(h *house, a, _ postern.ChatMessage) {
			h.arrives(postern.ChatEvent{Kind: postern.MessageDeleted, Channel: postern.Channel{ID: channel}, Message: a})
		}, []string{"word-2"}, []string{"partly deleted"}},
		{"both deleted, and the webhooks lost", func(h *house, a, b postern.ChatMessage) {
			inChat(h, a.ID, func(m *postern.ChatMessage) { m.Removed = true })
			inChat(h, b.ID, func(m *postern.ChatMessage) { m.Removed = true })
		}, nil, []string{"partly deleted"}},
		{"one read", func(h *house, a, _ postern.ChatMessage) {
			h.arrives(postern.ChatEvent{Kind: postern.MessagesRead, Channel: postern.Channel{ID: channel}, Reads: []postern.ReadMark{{User: "bob", At: a.CreatedAt}}})
		}, []string{"word-2"}, []string{"partly read"}},
		{"all read", func(h *house, _, b postern.ChatMessage) {
			h.arrives(postern.ChatEvent{Kind: postern.MessagesRead, Channel: postern.Channel{ID: channel}, Reads: []postern.ReadMark{{User: "bob", At: b.CreatedAt}}})
		}, nil, nil},
		{"another came", func(h *house, _, _ postern.ChatMessage) { h.says("ana", "word-3") }, []string{"word-1", "word-2", "word-3"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := listens(t)
			h.mail.calls["send"] = repeat(failure(postern.Temporary), 3)
			a, b := h.says("ana", "word-1"), h.says("ana", "word-2")
			h.pass(11 * time.Second)
			if len(h.mail.tries) == 0 || len(h.mail.sent) != 0 {
				t.Fatalf("%d tries, %d sent", len(h.mail.tries), len(h.mail.sent))
			}
			tt.do(h, a, b)
			h.ticks(5 * time.Minute)
			h.wantMailed(tt.words...)
			h.wantNoted("written anew", tt.anew...)
			ids := slices.Compact(slices.Clone(h.mail.tries))
			if want := 1 + len(tt.anew); len(tt.words) > 0 && tt.name != "another came" && len(ids) != want {
				t.Errorf("%d different Message-IDs, want %d", len(ids), want)
			}
		})
	}
}

// An uncertain mail may have been taken: it is repeated as it is.
func TestUnsureIsNotWrittenAnew(t *testing.T) {
	h := listens(t)
	h.mail.calls["send"] = []outcome{failure(postern.Unsure)}
	m := h.says("ana", "word-1")
	h.pass(11 * time.Second)
	m.Text, m.UpdatedAt = "word-2", h.now
	h.arrives(postern.ChatEvent{Kind: postern.MessageEdited, Channel: postern.Channel{ID: channel}, Message: m})
	h.ticks(time.Hour)
	h.wantMailed("word-1")
	if len(slices.Compact(slices.Clone(h.mail.tries))) != 1 || strings.Contains(h.mail.sent[0].raw, "word-2") {
		t.Errorf("tries %q", h.mail.tries)
	}
}
