package relay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// listing is a chat platform that tells where something was written.
type listing struct{ *fakeChat }

func (c listing) Channels(_ context.Context, page string) (list []postern.Recent, next string, err error) {
	if o := c.call("channels"); o.err != nil {
		return nil, "", o.err
	}
	last := map[postern.ChannelID]postern.ChatMessage{}
	for _, m := range c.messages {
		if !m.Silent {
			last[m.Channel] = m
		}
	}
	for ch, m := range last {
		list = append(list, postern.Recent{Channel: postern.Channel{ID: ch, Name: c.name}, Last: m})
	}
	slices.SortFunc(list, func(a, b postern.Recent) int { return b.Last.CreatedAt.Compare(a.Last.CreatedAt) })
	if page == "" && len(list) > 100 {
		return list[:100], "rest", nil
	}
	if page != "" {
		list = list[min(100, len(list)):]
	}
	return list, "", nil
}

func (c listing) Messages(ctx context.Context, ch postern.ChannelID, since time.Time) ([]postern.ChatMessage, error) {
	list, err := c.fakeChat.Messages(ctx, ch, since)
	return slices.DeleteFunc(list, func(m postern.ChatMessage) bool { return m.Channel != ch }), err
}

// listens is a house that looks for what it was not told.
func listens(t *testing.T, set ...func(*Config)) *house {
	t.Helper()
	h := newHouse(t, append([]func(*Config){func(c *Config) {
		c.Platform = listing{c.Platform.(*fakeChat)}
		c.Reconcile = Reconcile{Window: 24 * time.Hour, Channels: true}
		c.Delay, c.UnprovenAfter = 10*time.Second, 72*time.Hour
	}}, set...)...)
	h.must(h.Begin(t.Context()))
	return h
}

// unlisted is a platform that does not tell where something was written.
func unlisted(c *Config) { c.Platform = c.Platform.(listing).fakeChat }

// lost has somebody write in the chat, and the webhook go astray.
func (h *house) lost(user postern.UserID, text string, set ...func(*postern.ChatMessage)) postern.ChatMessage {
	h.now = h.now.Add(time.Millisecond)
	m := postern.ChatMessage{ID: postern.MessageID(h.next()), Channel: channel, Sender: postern.User{ID: user, Name: "Ana"}, Text: text, CreatedAt: h.now}
	for _, f := range set {
		f(&m)
	}
	h.chat.messages = append(h.chat.messages, m)
	return m
}

// late brings the webhook of a message that was lost after all.
func (h *house) late(m postern.ChatMessage) {
	h.t.Helper()
	h.arrives(postern.ChatEvent{Kind: postern.MessageSent, Channel: postern.Channel{ID: m.Channel, Name: h.chat.name}, Message: m, Members: slices.Clone(h.chat.members), HasMembers: true})
	h.settle()
}

// ticks lets time pass as a running gateway does.
func (h *house) ticks(d time.Duration) {
	h.t.Helper()
	step := max(5*time.Second, min(d/30, time.Minute))
	for end := h.now.Add(d); h.now.Before(end); {
		h.must(h.Rounds(h.t.Context()))
		h.pass(min(step, end.Sub(h.now)))
	}
}

// restart is what a gateway does that was down for a while.
func (h *house) restart(down time.Duration) {
	h.t.Helper()
	h.now = h.now.Add(down)
	h.heard = newHeard()
	h.must(h.Begin(h.t.Context()))
}

// wantMailed checks which of these words were mailed, in which order, over all mails.
func (h *house) wantMailed(words ...string) {
	h.t.Helper()
	var got []string
	for _, s := range h.mail.sent {
		_, body, _ := strings.Cut(s.raw, "\r\n\r\n")
		text, _, _ := strings.Cut(body, "text/html")
		for _, f := range strings.Fields(text) {
			if strings.HasPrefix(f, "word-") {
				got = append(got, f)
			}
		}
	}
	if !slices.Equal(got, words) {
		h.t.Errorf("mailed %q, want %q; notes: %q %q", got, words, h.noted("not mailed"), h.noted("heard late"))
	}
}

func TestLostWebhook(t *testing.T) {
	t.Run("comes to light with the next mail, and stands before it", func(t *testing.T) {
		h := listens(t)
		h.says("ana", "word-1")
		h.ticks(time.Minute)
		m := h.lost("ana", "word-2")
		h.ticks(time.Minute)
		h.says("ana", "word-3")
		h.ticks(time.Minute)
		h.wantMailed("word-1", "word-2", "word-3")
		if n := len(h.mail.sent); n != 2 {
			t.Errorf("%d mails, want 2", n)
		}
		h.late(m)
		h.ticks(time.Minute)
		h.wantMailed("word-1", "word-2", "word-3")
	})
	t.Run("the first of its conversation", func(t *testing.T) {
		h := listens(t)
		h.now = h.now.Add(time.Hour)
		h.lost("ana", "word-1")
		h.ticks(6 * time.Minute)
		h.wantMailed("word-1")
	})
	t.Run("the only one of a conversation, while we were down", func(t *testing.T) {
		h := listens(t)
		h.ticks(time.Minute)
		m := h.lost("ana", "word-1")
		h.restart(3 * time.Hour)
		h.ticks(time.Minute)
		h.wantMailed("word-1")
		h.late(m)
		h.ticks(time.Hour)
		h.wantMailed("word-1")
		h.wantNoted("heard late", "its webhook never came")
	})
	t.Run("several while we were down, the last one heard", func(t *testing.T) {
		h := listens(t)
		h.ticks(time.Minute)
		h.lost("ana", "word-1")
		h.lost("ana", "word-2")
		h.restart(time.Hour)
		h.says("ana", "word-3")
		h.ticks(time.Minute)
		h.wantMailed("word-1", "word-2", "word-3")
	})
	t.Run("without a quiet window", func(t *testing.T) {
		h := listens(t, func(c *Config) { c.Delay = 0 })
		h.says("ana", "word-1")
		h.lost("ana", "word-2")
		h.says("ana", "word-3")
		h.ticks(5 * time.Minute)
		h.wantMailed("word-1", "word-3", "word-2")
	})
	t.Run("older than is looked for", func(t *testing.T) {
		h := listens(t)
		h.ticks(time.Minute)
		h.lost("ana", "word-1")
		h.restart(25 * time.Hour)
		h.lost("ana", "word-2")
		h.ticks(10 * time.Minute)
		h.wantMailed("word-2")
	})
	t.Run("from before we were there", func(t *testing.T) {
		h := listens(t)
		m := h.lost("ana", "word-0", func(m *postern.ChatMessage) { m.CreatedAt = h.now.Add(-time.Minute) })
		h.ticks(10 * time.Minute)
		h.says("ana", "word-1")
		h.ticks(10 * time.Minute)
		h.wantMailed("word-1")
		_ = m
	})
	t.Run("switched off", func(t *testing.T) {
		h := listens(t, func(c *Config) { c.Reconcile.Window = 0 })
		h.lost("ana", "word-1")
		h.ticks(10 * time.Minute)
		h.says("ana", "word-2")
		h.ticks(10 * time.Minute)
		h.wantMailed("word-2")
	})
}

// Messages are dated by the platform's clock, which may be hours from ours.
func TestLostWebhookByAnotherClock(t *testing.T) {
	for _, off := range []time.Duration{-3 * time.Hour, 0, 3 * time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			h := listens(t)
			h.chat.off = off
			theirs := func(m *postern.ChatMessage) { m.CreatedAt = m.CreatedAt.Add(off) }
			h.ticks(time.Minute)
			h.lost("ana", "word-0", func(m *postern.ChatMessage) { m.CreatedAt = start().Add(off - time.Minute) }) // before we were there
			h.lost("ana", "word-1", theirs)
			h.ticks(7 * time.Minute)
			h.wantMailed("word-1")
			h.ticks(20 * time.Minute)
			h.lost("ana", "word-2", theirs)
			h.ticks(7 * time.Minute)
			h.wantMailed("word-1", "word-2")
		})
	}
}

// Our clock was set back by hours since the last sweep.
func TestLostWebhookWhileTheClockIsSet(t *testing.T) {
	h := listens(t)
	h.ticks(10 * time.Minute)
	h.must(h.Store.Do(t.Context(), func(tx *store.Tx) error { return tx.RoundDone(h.sweepRound(), h.now.Add(5*time.Hour).UnixMilli()) }))
	h.lost("ana", "word-1")
	h.ticks(7 * time.Minute)
	h.wantMailed("word-1")
}

// Where the platform does not tell where something was written, conversations are looked
// through by time, at their bounded rate.
func TestLostWebhookWithoutChannels(t *testing.T) {
	refused := func(h *house) { h.chat.calls["channels"] = []outcome{failure(postern.Denied)} }
	for name, set := range map[string]func(*Config){"no such ability": unlisted, "switched off": func(c *Config) { c.Reconcile.Channels = false }, "refused": func(*Config) {}} {
		t.Run(name, func(t *testing.T) {
			h := listens(t, set)
			if name == "refused" {
				refused(h)
			}
			h.ticks(time.Minute)
			h.says("ana", "word-1")
			h.ticks(time.Minute)
			h.lost("ana", "word-2")
			h.ticks(30 * time.Minute)
			h.wantMailed("word-1", "word-2")
			h.lost("ana", "word-3")
			h.now = h.now.Add(2 * time.Hour) // down; at the start all active ones are hurried
			if name == "refused" {
				refused(h)
			}
			h.must(h.Begin(t.Context()))
			h.ticks(time.Minute)
			h.wantMailed("word-1", "word-2", "word-3")
			asked := len(h.chat.asked)
			h.pass(26 * time.Hour)
			h.ticks(time.Hour) // quiet for longer than the window: it costs nothing any more
			if n := slices.Index(h.chat.asked[asked:], "messages"); name != "refused" && n >= 0 && slices.Contains(h.chat.asked[asked+n+1:], "messages") {
				t.Errorf("a quiet conversation is asked for: %q", h.chat.asked[asked:])
			}
		})
	}
}

// What the rules would not have mailed by a webhook is not mailed by a list.
func TestListedIsJudged(t *testing.T) {
	bobIs := func(h *house, f func(*postern.Member)) {
		for i := range h.chat.members {
			if h.chat.members[i].ID == "bob" {
				f(&h.chat.members[i])
			}
		}
	}
	tests := []struct {
		name string
		do   func(h *house)
	}{
		{"silent", func(h *house) { h.lost("ana", "word-1", func(m *postern.ChatMessage) { m.Silent = true }) }},
		{"deleted", func(h *house) { h.lost("ana", "word-1", func(m *postern.ChatMessage) { m.Removed = true }) }},
		{"his own", func(h *house) { h.lost("bob", "word-1") }},
		{"read meanwhile", func(h *house) {
			h.lost("ana", "word-1")
			bobIs(h, func(m *postern.Member) { m.ReadAt = h.now.Add(time.Second) })
		}},
		{"online by now", func(h *house) { h.lost("ana", "word-1"); bobIs(h, func(m *postern.Member) { m.Online = true }) }},
		{"left meanwhile", func(h *house) { h.lost("ana", "word-1"); h.chat.members = h.chat.members[:1] }},
		{"our own line", func(h *house) {
			h.lost("", "word-1", func(m *postern.ChatMessage) {
				m.Type, m.Sender, m.Mark = postern.AdminMessage, postern.User{}, h.Keys.Text(purposeMark, lineMark+"x")
			})
		}},
		{"heard while he was there", func(h *house) {
			bobIs(h, func(m *postern.Member) { m.Online = true })
			h.says("ana", "word-1")
			bobIs(h, func(m *postern.Member) { m.Online = false })
		}},
	}
	for _, delay := range []time.Duration{0, 10 * time.Second} {
		for _, tt := range tests {
			t.Run(fmt.Sprint(tt.name, " ", delay), func(t *testing.T) {
				h := listens(t, func(c *Config) { c.Delay = delay })
				h.says("ana", "Hello")
				h.ticks(time.Minute)
				tt.do(h)
				h.ticks(20 * time.Minute)
				h.wantMailed()
				if n := len(h.mail.sent); n != 1 {
					t.Errorf("%d mails, want 1", n)
				}
			})
		}
	}
}

// A note remembers over a restart what brought nothing to do.
func TestHeardIsRemembered(t *testing.T) {
	h := listens(t)
	h.now = h.now.Add(time.Hour)
	for i := range h.chat.members {
		h.chat.members[i].Online = true
	}
	m := h.lost("ana", "word-1")
	plan := h.SortChat(postern.ChatEvent{Kind: postern.MessageSent, Channel: postern.Channel{ID: channel}, Message: m, Members: h.chat.members, HasMembers: true})
	if plan.Skip == "" {
		t.Fatal("not skipped")
	}
	h.must(h.Store.Do(t.Context(), func(tx *store.Tx) error { return tx.Note(plan.Note) }))
	for i := range h.chat.members {
		h.chat.members[i].Online = h.chat.members[i].ID == "ana"
	}
	h.restart(time.Minute)
	h.ticks(time.Hour)
	h.wantMailed()
}

// The calls for it are bounded, and what the platform cannot answer holds nothing up.
func TestReconcileIsBounded(t *testing.T) {
	h := listens(t, func(c *Config) { c.Reconcile.PerMinute = 12 })
	h.ticks(time.Minute)
	for i := range 150 {
		h.lost("ana", fmt.Sprintf("word-%d", i), func(m *postern.ChatMessage) { m.Channel = postern.ChannelID(fmt.Sprintf("c%d", i)) })
	}
	h.chat.asked = nil
	h.restart(time.Hour)
	h.now = h.now.Add(time.Second)
	h.must(h.Rounds(t.Context()))
	h.settle()
	for range 6 { // a minute
		h.must(h.Rounds(t.Context()))
		h.settle()
		h.now = h.now.Add(10 * time.Second)
	}
	n, pages := 0, 0
	for _, a := range h.chat.asked {
		switch a {
		case "channel": // each look that finds something
			n++
		case "channels":
			pages++
		}
	}
	if n == 0 || n > 12 || pages != 2 {
		t.Errorf("%d channels looked through in a minute, %d pages of the list", n, pages)
	}
}

func TestListingRefused(t *testing.T) {
	for name, o := range map[string]outcome{"for good": failure(postern.Denied), "for now": failure(postern.Temporary)} {
		t.Run(name, func(t *testing.T) {
			h := listens(t)
			h.chat.calls["messages"] = slices.Repeat([]outcome{o}, 60)
			h.says("ana", "word-1")
			h.ticks(5 * time.Minute)
			h.wantMailed("word-1")
			h.lost("ana", "word-2")
			h.ticks(time.Hour)
			asked := 0
			for _, a := range h.chat.asked {
				if a == "messages" {
					asked++
				}
			}
			if asked > 40 {
				t.Errorf("asked %d times in vain", asked)
			}
			if len(h.chat.calls["messages"]) == 0 {
				t.Fatal("the platform was asked too often to tell")
			}
			h.chat.calls["messages"] = nil
			h.ticks(8 * time.Hour)
			h.wantMailed("word-1", "word-2")
		})
	}
}

// Whatever becomes of the webhooks (lost, late, twice) and of the gateway (down), every
// message is mailed once, and those of one mail in order.
func TestEveryMessageOnce(t *testing.T) {
	for seed := range uint64(4) {
		h := listens(t)
		rnd := rand.New(rand.NewPCG(seed, 1))
		var want []string
		var astray []postern.ChatMessage
		for i := range 25 {
			word := fmt.Sprintf("word-%d-%d", seed, i)
			want = append(want, word)
			switch rnd.IntN(4) {
			case 0:
				h.lost("ana", word)
			case 1:
				astray = append(astray, h.lost("ana", word))
			default:
				h.says("ana", word)
			}
			switch rnd.IntN(6) {
			case 0:
				h.restart(time.Duration(rnd.IntN(90)) * time.Minute)
			case 1, 2:
				h.ticks(time.Duration(rnd.IntN(120)) * time.Second)
			case 3:
				for _, m := range astray {
					h.late(m)
				}
			}
		}
		h.ticks(15 * time.Minute)
		var got []string
		for _, s := range h.mail.sent {
			_, body, _ := strings.Cut(s.raw, "\r\n\r\n")
			text, _, _ := strings.Cut(body, "text/html")
			last := -1
			for _, f := range strings.Fields(text) {
				if n := slices.Index(want, f); n >= 0 {
					if got = append(got, f); n < last {
						t.Errorf("seed %d: %s stands behind a later one", seed, f)
					}
					last = n
				}
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("seed %d: mailed %q, want each of %q once", seed, got, want)
		}
	}
}
