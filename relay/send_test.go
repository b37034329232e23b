package relay

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// sends has one message go out with these outcomes of the call.
func sends(t *testing.T, outcomes ...outcome) *house {
	t.Helper()
	h := newHouse(t)
	h.mail.calls["send"] = outcomes
	h.says("ana", "Hello")
	h.settle()
	return h
}

func unsure() outcome { return failure(postern.Unsure) }

// only is the delivery of the one mail that was tried.
func (h *house) only() sent {
	h.t.Helper()
	if len(h.mail.tries) == 0 {
		h.t.Fatal("nothing was tried")
	}
	d, ok, err := h.Store.DeliveryByMessageID(h.t.Context(), h.mail.tries[0])
	if err != nil || !ok {
		h.t.Fatal(ok, err)
	}
	return sent{Outgoing: postern.Outgoing{Delivery: d.ID, Participant: d.Participant, MessageID: d.MessageID}}
}

func TestNextLook(t *testing.T) {
	r := &Rules{Config: Config{UnsureAfter: 35 * time.Minute}}
	var at []time.Duration
	for since := time.Duration(0); len(at) < 6; {
		since += r.nextLook(since)
		at = append(at, since.Round(time.Second))
	}
	m := time.Minute
	if want := []time.Duration{1 * m, 5 * m, 15 * m, 35 * m, 36 * m, 37 * m}; !slices.Equal(at, want) {
		t.Errorf("looks at %v, want %v", at, want)
	}
	if d := (&Rules{Config: Config{UnsureAfter: 7 * time.Second}}).nextLook(time.Hour); d != time.Second {
		t.Errorf("a look every %v", d)
	}
	if d := (&Rules{}).nextLook(0); d != time.Second {
		t.Errorf("with no time at all: %v", d)
	}
}

func TestUnsureFound(t *testing.T) {
	h := sends(t, lost())
	h.wantState(h.only(), store.Unsure)
	h.pass(59 * time.Second)
	if h.mail.asked != 0 {
		t.Error("the books were looked at too early")
	}
	h.pass(2 * time.Second)
	h.wantState(h.only(), store.Accepted)
	h.pass(2 * time.Hour)
	if len(h.mail.tries) != 1 || h.mail.asked != 1 {
		t.Errorf("%d calls, %d looks", len(h.mail.tries), h.mail.asked)
	}
	h.wantNoted("unsure", "the call's outcome is not known")
	h.wantNoted("mailed", "found in the provider's books")
}

// The provider's books are searched by the machine's clock, which it compares with its own,
// though the store's, by which the call was written down, is hours ahead or behind.
func TestUnsureByMachinesClock(t *testing.T) {
	for _, off := range []time.Duration{-9 * time.Hour, 9 * time.Hour} {
		h := newHouse(t)
		h.Machine = func() time.Time { return h.now.Add(off) }
		h.mail.calls["send"] = []outcome{lost()}
		h.says("ana", "Hello")
		h.settle()
		called := h.Machine()
		h.pass(2 * time.Minute)
		if before := called.Sub(h.mail.since); h.mail.asked == 0 || before < 0 || before > 5*time.Minute {
			t.Errorf("searched from %v before the call on, %d times", before, h.mail.asked)
		}
	}
}

// The books may tell of the first call only after the second: they are searched from the
// first on.
func TestUnsureSearchedFromTheFirstCall(t *testing.T) {
	h := sends(t, lost(), unsure())
	first := h.now
	h.mail.lag = true
	h.pass(36 * time.Minute)
	if len(h.mail.tries) != 2 {
		t.Fatalf("calls %v", h.mail.tries)
	}
	h.mail.lag = false
	h.pass(time.Hour)
	if before := first.Sub(h.mail.since); before < 0 || before > 5*time.Minute || len(h.mail.tries) != 2 {
		t.Errorf("searched from %v before the first call on; calls %v", before, h.mail.tries)
	}
	h.wantState(h.only(), store.Accepted)
}

// The clock was set back by hours after a rule read when the call began: the next look is
// not put off by that.
func TestUnsureWhileTheClockIsSet(t *testing.T) {
	h := sends(t, unsure())
	l := h.claimAfter(time.Minute)
	d := h.delivery(h.only())
	d.AttemptedAt = d.AttemptedAt.Add(5 * time.Hour)
	final, err := h.resolve(t.Context(), l, l.Jobs[0], d)
	h.must(err)
	h.must(h.Store.Finish(t.Context(), l, final))
	if due, _, err := h.Store.NextDue(t.Context()); err != nil || due.After(h.now.Add(time.Minute)) {
		t.Errorf("put off by %v, %v", due.Sub(h.now), err)
	}
}

// claimAfter takes the one lane that is due then.
func (h *house) claimAfter(d time.Duration) *store.Lease {
	h.t.Helper()
	h.now = h.now.Add(d)
	leases, err := h.Store.Claim(h.t.Context(), 2)
	if err != nil || len(leases) != 1 {
		h.t.Fatal(len(leases), err)
	}
	return leases[0]
}

// The books lag: they are looked at again, and only a miss at the last counts.
func TestUnsureFoundLate(t *testing.T) {
	h := sends(t, lost())
	h.mail.lag = true
	h.pass(20 * time.Minute)
	h.mail.lag = false
	if h.mail.asked != 3 || len(h.mail.tries) != 1 {
		t.Fatalf("%d looks, %d calls in 20 minutes", h.mail.asked, len(h.mail.tries))
	}
	h.pass(20 * time.Minute)
	h.wantState(h.only(), store.Accepted)
	if len(h.mail.sent) != 1 {
		t.Errorf("%d mails", len(h.mail.sent))
	}
}

// A clean miss: the same mail again, byte for byte, with the same Message-ID.
func TestUnsureMissed(t *testing.T) {
	h := sends(t, unsure())
	h.pass(34 * time.Minute)
	if len(h.mail.tries) != 1 || h.mail.asked != 3 {
		t.Fatalf("%d calls, %d looks before the time is up", len(h.mail.tries), h.mail.asked)
	}
	h.pass(2 * time.Minute)
	if len(h.mail.tries) != 2 || h.mail.tries[0] != h.mail.tries[1] || len(h.mail.sent) != 1 {
		t.Errorf("calls %v, %d mails", h.mail.tries, len(h.mail.sent))
	}
	h.wantState(h.only(), store.Accepted)
	h.wantNoted("repeated", "not found in the provider's books")
}

// An event proves the mail while the books, which lag, are asked: it is not sent again.
func TestUnsureProvenWhileAsked(t *testing.T) {
	h := sends(t, lost())
	h.mail.lag = true
	h.pass(34 * time.Minute)
	h.mail.found = func() { h.tells(postern.MailDelivered, h.only()) }
	h.pass(2 * time.Minute)
	if h.mail.found != nil || len(h.mail.tries) != 1 {
		t.Errorf("calls %v", h.mail.tries)
	}
	h.wantState(h.only(), store.Delivered)
	h.wantNoted("repeated")
	h.wantNoted("mailed", "an event proved it")
	h.wantMarks("delivered bob")
}

// An event proves a mail that waits for another call, while the chat is asked whether it
// still says what is true: it is not written anew.
func TestPutOffProvenWhileAsked(t *testing.T) {
	h := sends(t, failure(postern.Temporary))
	h.chat.messages[0].Text, h.chat.messages[0].UpdatedAt = "Hello again", h.now.Add(time.Second)
	h.chat.listed = func() { h.tells(postern.MailDelivered, h.only()) }
	h.pass(time.Hour)
	if h.chat.listed != nil || len(h.mail.tries) != 1 {
		t.Errorf("calls %v", h.mail.tries)
	}
	h.wantState(h.only(), store.Delivered)
}

// The clock was set forward by days while a mail waited. Its job's time moved along, that
// of its writing did not: it is no older for that.
func TestPutOffWhileTheClockIsSet(t *testing.T) {
	h := sends(t, failure(postern.Temporary))
	l := h.claimAfter(100 * time.Hour)
	l.Jobs[0].AddedAt = h.now.Add(-time.Minute)
	h.mail.calls["send"] = []outcome{failure(postern.Temporary)}
	h.work(l)
	h.pass(time.Hour)
	h.wantState(h.only(), store.Accepted)
}

func TestUnsureAgainAndAgain(t *testing.T) {
	h := sends(t, unsure(), unsure(), lost())
	h.pass(3 * time.Hour)
	if len(h.mail.tries) != 3 || len(h.mail.sent) != 1 {
		t.Errorf("%d calls, %d mails", len(h.mail.tries), len(h.mail.sent))
	}
	h.wantState(h.only(), store.Accepted)
}

// Any event on the mail is a proof; the lane goes on at once.
func TestUnsureProven(t *testing.T) {
	for _, kind := range []postern.MailEventKind{postern.MailAccepted, postern.MailDelivered, postern.MailOpened, postern.MailFailed, postern.MailComplained, postern.MailUnsubscribed} {
		t.Run(kind.String(), func(t *testing.T) {
			h := sends(t, lost())
			h.mail.lag = true
			h.tells(kind, h.only())
			if n, err := h.Store.Pending(t.Context(), messageJobFor(h, "bob").Lane); err != nil || n != 0 {
				t.Errorf("%d jobs wait, %v", n, err)
			}
			h.pass(2 * time.Hour)
			if len(h.mail.tries) != 1 || h.mail.asked != 0 {
				t.Errorf("%d calls, %d looks", len(h.mail.tries), h.mail.asked)
			}
		})
	}
}

// So is an answer to it.
func TestUnsureAnswered(t *testing.T) {
	h := sends(t, lost())
	h.mail.lag = true
	m := h.mail.sent[0]
	h.answers(m.replyTo(), h.letterFrom(bobsAddress, "Yes", "In-Reply-To: <"+m.MessageID+">"))
	h.wantSaid("bob: Yes")
	if n, err := h.Store.Pending(t.Context(), messageJobFor(h, "bob").Lane); err != nil || n != 0 {
		t.Errorf("%d jobs wait, %v", n, err)
	}
	h.wantState(m, store.Delivered)
}

// While the provider cannot be asked nothing is repeated.
func TestUnsureProviderDown(t *testing.T) {
	h := sends(t, lost())
	for range 6 {
		h.mail.calls["find"] = append(h.mail.calls["find"], failure(postern.Temporary))
	}
	h.pass(37 * time.Minute)
	if len(h.mail.tries) != 1 {
		t.Fatalf("%d calls without a look at the books", len(h.mail.tries))
	}
	h.pass(5 * time.Minute)
	h.wantState(h.only(), store.Accepted)
	if len(h.mail.tries) != 1 {
		t.Errorf("%d calls", len(h.mail.tries))
	}
}

// If it never may be asked, time alone tells.
func TestUnsureMayNotAsk(t *testing.T) {
	for name, set := range map[string]func(*house){
		"denied": func(h *house) {
			for range 4 {
				h.mail.calls["find"] = append(h.mail.calls["find"], failure(postern.Denied))
			}
		},
		"no such ability": func(h *house) { h.Provider = mute{h.mail} },
	} {
		t.Run(name, func(t *testing.T) {
			h := sends(t, unsure())
			set(h)
			h.pass(34 * time.Minute)
			if len(h.mail.tries) != 1 {
				t.Fatalf("%d calls before the time is up", len(h.mail.tries))
			}
			h.pass(2 * time.Minute)
			if len(h.mail.tries) != 2 {
				t.Errorf("%d calls", len(h.mail.tries))
			}
		})
	}
}

// mute is a provider that can do no more than it must.
type mute struct{ m *fakeMail }

func (m mute) Send(ctx context.Context, o postern.Outgoing) (string, error) { return m.m.Send(ctx, o) }
func (m mute) DecodeEvent(b []byte) (postern.MailEvent, error)              { return m.m.DecodeEvent(b) }

// A process that died between writing down and the answer: the call may have been made.
func TestDiedWhileSending(t *testing.T) {
	h := newHouse(t)
	h.says("ana", "Hello")
	leases, err := h.Store.Claim(t.Context(), 1)
	h.must(err)
	if _, err := h.Handle(t.Context(), leases[0]); err != nil { // and what it says is never written
		t.Fatal(err)
	}
	h.now = h.now.Add(time.Minute) // the lease runs out
	h.settle()
	h.pass(2 * time.Hour)
	if len(h.mail.sent) != 1 {
		t.Errorf("%d mails", len(h.mail.sent))
	}
	h.wantState(h.mail.sent[0], store.Accepted)
}

func TestPutOff(t *testing.T) {
	for _, kind := range []postern.Kind{postern.Temporary, postern.Denied, postern.Internal} {
		t.Run(kind.String(), func(t *testing.T) {
			h := sends(t, failure(kind), failure(kind))
			h.wantState(h.only(), store.Queued)
			h.pass(time.Minute)
			if len(h.mail.tries) != 3 || len(h.mail.sent) != 1 {
				t.Errorf("%d calls, %d mails", len(h.mail.tries), len(h.mail.sent))
			}
			h.wantNoted("put off", kind.String(), kind.String())
			if h.mail.asked != 0 {
				t.Error("asked about a mail that was certainly not taken")
			}
		})
	}
}

// The other side's own word on when to come again is obeyed.
func TestRetryAfter(t *testing.T) {
	slow := failure(postern.Temporary)
	slow.err.(*postern.Error).After = time.Hour
	h := sends(t, slow)
	h.pass(59 * time.Minute)
	if len(h.mail.tries) != 1 {
		t.Fatalf("%d calls within the hour", len(h.mail.tries))
	}
	h.pass(2 * time.Minute)
	if len(h.mail.sent) != 1 {
		t.Errorf("%d mails after it", len(h.mail.sent))
	}
}

// What waited is looked at again before it goes out.
func TestWithdrawn(t *testing.T) {
	for _, tt := range []struct {
		why  string
		then func(h *house)
	}{
		{"unsubscribed from this conversation", func(h *house) { h.must(h.Leave(h.t.Context(), h.only().Participant, true)) }},
		{"unsubscribed from this conversation", func(h *house) {
			h.put(postern.Person{UserID: "bob", Email: "new@people.example"})
			h.must(h.Leave(h.t.Context(), h.only().Participant, true))
		}},
		{"read", func(h *house) {
			h.arrives(postern.ChatEvent{Kind: postern.MessagesRead, Channel: postern.Channel{ID: channel}, Reads: []postern.ReadMark{{User: "bob", At: h.now}}})
		}},
		{"no address known", func(h *house) {
			_, err := h.Store.DeletePerson(h.t.Context(), "bob")
			h.must(err)
		}},
	} {
		h := sends(t, failure(postern.Temporary))
		tt.then(h)
		h.pass(time.Hour)
		if len(h.mail.sent) != 0 || !slices.Contains(h.noted("not mailed"), tt.why) {
			t.Errorf("%s: %d mails, not mailed %q", tt.why, len(h.mail.sent), h.noted("not mailed"))
		}
		h.wantState(h.only(), store.Failed)
	}
}

// A refusal of this very mail stops the person and tells the chat, without the address.
func TestRefusedForGood(t *testing.T) {
	h := sends(t, failure(postern.Permanent))
	h.settle()
	h.wantState(h.only(), store.Failed)
	if p := h.person("bob"); p.Stopped != postern.StopBounced {
		t.Errorf("stopped: %q", p.Stopped)
	}
	if got := h.chat.said(); !slices.Equal(got, []string{": Bob could not be reached by e-mail: the message was not delivered."}) {
		t.Errorf("the chat was told %q", got)
	}
	h.says("ana", "And again")
	h.settle()
	if len(h.mail.tries) != 1 || len(h.chat.posts) != 1 {
		t.Errorf("%d calls, %d lines", len(h.mail.tries), len(h.chat.posts))
	}
}

// What is not the recipient's fault stops nobody. The chat is told all the same.
func TestGivenUp(t *testing.T) {
	days := func(k postern.Kind) (os []outcome) { // that many tries in three days
		for range 5 {
			o := failure(k)
			o.err.(*postern.Error).After = 20 * time.Hour
			os = append(os, o)
		}
		return os
	}
	for _, tt := range []struct {
		name     string
		outcomes []outcome
		most     int // calls
	}{
		{"too large", []outcome{failure(postern.Permanent, postern.CauseTooLarge)}, 1},
		{"down for days", days(postern.Temporary), 5},
		{"key refused for days", days(postern.Denied), 5},
		{"nobody knows why", slices.Repeat([]outcome{{err: errors.New("strange")}}, 20), maxSendDefects + 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := sends(t, tt.outcomes...)
			h.pass(90 * time.Hour)
			h.wantState(h.only(), store.Failed)
			if p := h.person("bob"); p.Stopped != "" {
				t.Errorf("stopped: %q", p.Stopped)
			}
			if len(h.mail.tries) > tt.most {
				t.Errorf("%d calls", len(h.mail.tries))
			}
			if got := h.chat.said(); len(got) != 1 || !strings.Contains(got[0], "Bob could not be reached") {
				t.Errorf("the chat was told %q", got)
			}
			h.mail.calls = map[string][]outcome{}
			h.mailed("The next goes out")
		})
	}
}

// A delivery of ours that is broken fails, and nobody is stopped for it.
func TestBrokenDelivery(t *testing.T) {
	h := sends(t, failure(postern.Temporary))
	d := h.delivery(h.only())
	d.Content = []byte("{")
	lease := &store.Lease{Jobs: []store.Job{{Kind: jobSend}}}
	final, err := h.sendStored(t.Context(), lease.Jobs[0], d)
	h.must(err)
	h.must(h.Store.Do(t.Context(), final))
	h.wantState(h.only(), store.Failed)
	if p := h.person("bob"); p.Stopped != "" {
		t.Errorf("stopped: %q", p.Stopped)
	}
}
