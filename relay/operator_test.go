package relay

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

func TestRelease(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Hello")
	h.answers(m.replyTo(), h.letterFrom("bob@work.example", "From my other address"))
	h.wantSaid()
	id := h.held()[0].ID
	for i, want := range []bool{true, false} {
		if ok, err := h.Release(t.Context(), id); ok != want || err != nil {
			t.Errorf("%d: %t, %v", i, ok, err)
		}
		h.settle()
	}
	h.wantSaid("bob: From my other address")
	if ok, err := h.Discard(t.Context(), id); ok || err != nil {
		t.Errorf("what was released is discarded: %t, %v", ok, err)
	}
}

func TestReleaseForNobody(t *testing.T) {
	h := newHouse(t)
	h.answers("nobody@"+domain, h.letterFrom(bobsAddress, "Hello?"))
	h.wantHeld("no such reply address")
	if _, err := h.Release(t.Context(), h.held()[0].ID); postern.KindOf(err) != postern.Permanent {
		t.Error(err)
	}
	if h.held()[0].State != store.HeldWaiting {
		t.Error("it waits no more")
	}
	if ok, err := h.Discard(t.Context(), h.held()[0].ID); !ok || err != nil {
		t.Errorf("%t, %v", ok, err)
	}
	if ok, err := h.Release(t.Context(), 999); ok || err != nil {
		t.Errorf("%t, %v", ok, err)
	}
	h.wantSaid()
}

// A mail whose job was given up and is thrown away fails, and the next one's marks move;
// one that the provider has meanwhile is left as it is.
func TestDiscardedSend(t *testing.T) {
	for _, tt := range []struct {
		name     string
		accepted bool
		want     store.DeliveryState
	}{{"not sent", false, store.Failed}, {"heard of since", true, store.Accepted}} {
		t.Run(tt.name, func(t *testing.T) {
			h := sends(t, failure(postern.Temporary))
			d := h.only()
			h.now = h.now.Add(time.Hour)
			leases, err := h.Store.Claim(t.Context(), 1)
			h.must(err)
			h.must(h.Store.Finish(t.Context(), leases[0], func(tx *store.Tx) error { return tx.Bury(leases[0].Jobs[0], "no use") }))
			if tt.accepted {
				h.must(h.Store.Do(t.Context(), func(tx *store.Tx) error { _, err := tx.Advance(d.Delivery, store.Accepted, h.now, ""); return err }))
			}
			dead, err := h.Store.DeadJobs(t.Context(), jobSend, 0, 2)
			h.must(err)
			if len(dead) != 1 {
				t.Fatalf("given up: %+v", dead)
			}
			if ok, err := h.Store.DiscardDead(t.Context(), dead[0].ID); !ok || err != nil {
				t.Fatal(ok, err)
			}
			h.settle()
			h.wantState(d, tt.want)
			m := h.mailed("The next")
			h.tells(postern.MailDelivered, m)
			if moved := len(h.chat.marks) > 0; moved == tt.accepted {
				t.Errorf("marks of the next mail: %v", h.chat.marks)
			}
		})
	}
}

func TestRaw(t *testing.T) {
	h := newHouse(t)
	raw := h.letterFrom(bobsAddress, "Hello?")
	id := h.answers("nobody@"+domain, raw)
	if b, ok, err := h.Raw(t.Context(), id); string(b) != raw || !ok || err != nil {
		t.Errorf("%q, %t, %v", b, ok, err)
	}
	h.mailed("an event that is no mail")
	for _, id := range []int64{id + 1, 999} {
		if _, ok, err := h.Raw(t.Context(), id); ok || err != nil {
			t.Errorf("%d: %t, %v", id, ok, err)
		}
	}
}

// Why a person is stopped: by the provider's word, and with its reason.
func TestStops(t *testing.T) {
	suppressed := func(r postern.StopReason) func(*postern.MailEvent) {
		return func(e *postern.MailEvent) { e.Suppressed = r }
	}
	for _, tt := range []struct {
		name string
		kind postern.MailEventKind
		set  func(*postern.MailEvent)
		want postern.StopReason
		line string
	}{
		{"bounced", postern.MailFailed, suppressed(""), postern.StopBounced, "could not be reached by e-mail"},
		{"not even tried: bounced before", postern.MailFailed, suppressed(postern.StopBounced), postern.StopBounced, "could not be reached by e-mail"},
		{"not even tried: complained", postern.MailFailed, suppressed(postern.StopComplained), postern.StopComplained, "as unwanted"},
		{"not even tried: unsubscribed", postern.MailFailed, suppressed(postern.StopUnsubscribed), postern.StopUnsubscribed, "unsubscribed from"},
		{"not even tried", postern.MailFailed, suppressed(postern.StopSuppressed), postern.StopSuppressed, "is blocked after an earlier failure"},
		{"complained", postern.MailComplained, suppressed(""), postern.StopComplained, "as unwanted"},
		{"unsubscribed", postern.MailUnsubscribed, suppressed(""), postern.StopUnsubscribed, "unsubscribed from"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t)
			m := h.mailed("Hello")
			h.tells(tt.kind, m, tt.set)
			h.tells(tt.kind, m, tt.set)
			if got := h.person("bob").Stopped; got != tt.want {
				t.Errorf("stopped: %q", got)
			}
			if got := h.chat.said(); len(got) != 1 || !strings.Contains(got[0], tt.line) || strings.Contains(got[0], "@") {
				t.Errorf("the chat was told %q", got)
			}
			h.says("ana", "Are you there?")
			h.settle()
			h.wantNoted("not mailed", "stopped: "+string(tt.want))
			if len(h.chat.posts) != 1 {
				t.Errorf("told again: %q", h.chat.said())
			}
			// Our own line is nobody's mail.
			line := h.chat.messages[1]
			if h.arrives(postern.ChatEvent{Kind: postern.MessageSent, Channel: postern.Channel{ID: channel}, Message: line, Members: h.chat.members, HasMembers: true}) {
				t.Error("our own line is to be mailed")
			}
		})
	}
}

// A failure of an address that is no longer his stops nobody.
func TestOldAddressFails(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Hello")
	h.put(postern.Person{UserID: "bob", Email: "new@people.example"})
	h.tells(postern.MailFailed, m)
	if p := h.person("bob"); p.Stopped != "" {
		t.Errorf("stopped: %q", p.Stopped)
	}
}

// Somebody whom an operator has had forgotten does not come back by a late failure.
func TestForgottenStaysForgotten(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Hello")
	_, err := h.Store.DeletePerson(t.Context(), "bob")
	h.must(err)
	h.tells(postern.MailFailed, m)
	if _, ok, err := h.Store.Person(t.Context(), "bob"); ok || err != nil {
		t.Errorf("known again: %t, %v", ok, err)
	}
}

// Where the user id is the address, the stop is kept all the same.
func TestStopOfUserIDAddress(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.UserIDIsAddress = true })
	h.chat.members = append(h.chat.members, postern.Member{User: postern.User{ID: "cid@people.example"}, Active: true, Joined: true})
	h.chat.members[1].Online = true
	h.says("ana", "Hello")
	h.settle()
	if len(h.mail.sent) != 1 || h.mail.sent[0].To != "cid@people.example" {
		t.Fatalf("%d mails", len(h.mail.sent))
	}
	h.tells(postern.MailFailed, h.mail.sent[0])
	if p := h.person("cid@people.example"); p.Stopped != postern.StopBounced {
		t.Errorf("stopped: %q", p.Stopped)
	}
	if got := h.chat.said(); !slices.Equal(got, []string{": A member of this chat could not be reached by e-mail: the message was not delivered."}) {
		t.Errorf("the chat was told %q", got)
	}
}

// Another conversation is told when its first message is not mailed.
func TestStoppedElsewhere(t *testing.T) {
	h := newHouse(t)
	h.tells(postern.MailFailed, h.mailed("Hello"))
	other := func(e *postern.ChatEvent) {
		e.Channel = postern.Channel{ID: "sales", Name: "Sales"}
		e.Message.Channel = "sales"
	}
	h.says("ana", "Hello from sales", other)
	h.settle()
	h.says("ana", "And again", other)
	h.settle()
	if n := len(h.chat.posts); n != 2 || h.chat.posts[1].Channel != "sales" {
		t.Errorf("%d lines: %q", n, h.chat.said())
	}
}

// What is sent to an address that was taken back is held.
func TestRevoke(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Hello")
	local, _, _ := cutAddress(m.replyTo())
	for address, want := range map[string]bool{
		strings.ToUpper(local) + "@" + strings.ToUpper(domain): true, m.replyTo(): true, // again changes nothing
		local + "@elsewhere.example": false, local: false, "": false, "bob@" + domain: false,
		h.replyAddress(12345): false, // well made, and nobody's
	} {
		if ok, err := h.Revoke(t.Context(), address); ok != want || err != nil {
			t.Errorf("%q: %t, %v", address, ok, err)
		}
	}
	h.answers(m.replyTo(), h.letterFrom(bobsAddress, "Yes"))
	h.wantSaid()
	if held := h.held(); len(held) != 1 || held[0].State != store.HeldWaiting {
		t.Errorf("held: %+v", held)
	}
}

func TestLift(t *testing.T) {
	h := newHouse(t)
	if ok, err := h.Lift(t.Context(), "bob"); ok || err != nil {
		t.Errorf("not stopped: %t, %v", ok, err)
	}
	if ok, err := h.Lift(t.Context(), "nobody"); ok || err != nil {
		t.Errorf("not known: %t, %v", ok, err)
	}
	for _, tt := range []struct {
		provider outcome
		ok       bool
	}{{outcome{}, true}, {failure(postern.Denied), true}, {failure(postern.Temporary), false}} {
		h.must(h.Store.Do(t.Context(), func(tx *store.Tx) error {
			_, err := tx.StopPerson("bob", bobsAddress, postern.StopBounced, "")
			return err
		}))
		h.mail.calls["lift"] = []outcome{tt.provider}
		ok, err := h.Lift(t.Context(), "bob")
		if ok != tt.ok || (err == nil) != tt.ok || (h.person("bob").Stopped == "") != tt.ok {
			t.Errorf("%v: %t, %v", tt.provider.err, ok, err)
		}
	}
	if !slices.Equal(h.mail.lifted, []string{bobsAddress, bobsAddress, bobsAddress}) {
		t.Errorf("lifted at the provider: %v", h.mail.lifted)
	}
	if ok, err := h.Lift(t.Context(), "bob"); !ok || err != nil {
		t.Errorf("%t, %v", ok, err)
	}
	h.mailed("Hello again")
}
