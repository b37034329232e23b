package relay

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// answered has Bob answer with the post's calls ending in these ways.
func answered(t *testing.T, text string, outcomes ...outcome) *house {
	t.Helper()
	h := newHouse(t)
	m := h.mailed("Hello")
	h.chat.calls["post"] = outcomes
	h.answers(m.replyTo(), h.letterFrom(bobsAddress, text))
	return h
}

// An answer that was lost: the message is looked for by its mark, not written again.
func TestUnsurePostFound(t *testing.T) {
	h := answered(t, "Yes", lost())
	h.wantNoted("posted")
	h.pass(time.Minute)
	h.wantSaid("bob: Yes")
	h.wantNoted("posted", "")
}

// So too where the platform's clock is hours behind, which only its answer tells.
func TestUnsurePostFoundByTheirClock(t *testing.T) {
	for _, off := range []time.Duration{-9 * time.Hour, 9 * time.Hour} {
		h := answered(t, "Yes", lost())
		h.chat.off, h.chat.told = off, false
		mine := &h.chat.messages[len(h.chat.messages)-1]
		mine.CreatedAt = mine.CreatedAt.Add(off)
		h.pass(time.Minute)
		h.wantSaid("bob: Yes")
		h.wantNoted("posted", "")
	}
}

// The clock was set back by hours after the batch was read: the post is not put off by that.
func TestUnsurePostWhileTheClockIsSet(t *testing.T) {
	h := answered(t, "Yes", unsure())
	l := h.claimAfter(settleTime)
	p := h.post1(t)
	p.AttemptedAt = p.AttemptedAt.Add(5 * time.Hour)
	b := &poster{r: h.Rules, l: l, j: l.Jobs[0], channel: channel}
	final, _, err := b.one(t.Context(), p)
	h.must(err)
	h.must(h.Store.Finish(t.Context(), l, final))
	if due, _, err := h.Store.NextDue(t.Context()); err != nil || due.After(h.now.Add(settleTime)) {
		t.Errorf("put off by %v, %v", due.Sub(h.now), err)
	}
}

// What never took effect is written once more, after the time in which it still might.
func TestUnsurePostMissed(t *testing.T) {
	h := answered(t, "Yes", unsure())
	h.pass(settleTime - time.Second)
	h.wantSaid()
	h.pass(time.Minute)
	h.wantSaid("bob: Yes")
	if n := countOf(h.chat.asked, "post"); n != 2 {
		t.Errorf("%d calls", n)
	}
}

func countOf(list []string, s string) (n int) {
	for _, l := range list {
		if l == s {
			n++
		}
	}
	return n
}

// A call that takes effect late is found when it does.
func TestUnsurePostLate(t *testing.T) {
	h := answered(t, "Yes", unsure())
	post := h.post1(t)
	h.chat.messages = append(h.chat.messages, postern.ChatMessage{ID: "late", Channel: channel, Sender: postern.User{ID: "bob"}, Mark: h.mark(post), CreatedAt: h.now.Add(-2 * time.Minute)})
	h.pass(time.Minute)
	if n := countOf(h.chat.asked, "post"); n != 1 {
		t.Errorf("%d calls", n)
	}
	if p := h.post1(t); p.State != store.Posted || p.ChatID != "late" {
		t.Errorf("%+v", p)
	}
}

// post1 is the first post of the last mail.
func (h *house) post1(t *testing.T) store.Post {
	t.Helper()
	notes, err := h.Store.Notes(t.Context(), 0, 1000)
	h.must(err)
	for _, n := range slices.Backward(notes) {
		if n.What == "to be posted" {
			ps, err := h.Store.Posts(t.Context(), n.Ref2)
			if err != nil || len(ps) == 0 {
				t.Fatal(len(ps), err)
			}
			return ps[0]
		}
	}
	t.Fatal("no post was planned")
	return store.Post{}
}

// Somebody else's message with the like of our mark is not taken for ours.
func TestUnsurePostForeignMark(t *testing.T) {
	h := answered(t, "Yes", unsure())
	for _, mark := range []string{"", string(h.post1(t).ID), h.mark(store.Post{ID: "other"})} {
		h.chat.messages = append(h.chat.messages, postern.ChatMessage{ID: postern.MessageID("x" + mark), Mark: mark, CreatedAt: h.now})
	}
	h.pass(time.Minute)
	h.wantSaid("bob: Yes")
}

// In a busy channel the mark may stand many pages further on.
func TestUnsurePostManyPages(t *testing.T) {
	h := answered(t, "Yes", lost())
	mine := h.chat.messages[len(h.chat.messages)-1]
	h.chat.messages = h.chat.messages[:len(h.chat.messages)-1]
	for i := range 950 {
		h.chat.messages = append(h.chat.messages, postern.ChatMessage{ID: postern.MessageID(h.next()), CreatedAt: h.now.Add(time.Duration(i) * time.Millisecond)})
	}
	mine.CreatedAt = h.now.Add(time.Second)
	h.chat.messages = append(h.chat.messages, mine)
	h.pass(time.Minute)
	h.wantSaid("bob: Yes")
}

func TestPostPutOff(t *testing.T) {
	for _, kind := range []postern.Kind{postern.Temporary, postern.Denied, postern.Internal} {
		h := answered(t, "Yes", failure(kind), failure(kind))
		h.pass(time.Minute)
		h.wantSaid("bob: Yes")
		if countOf(h.chat.asked, "post") != 3 {
			t.Errorf("%v: calls %v", kind, h.chat.asked)
		}
	}
}

// Parts go out in order, whatever happens to one of them.
func TestPostOrder(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.MaxText = 60 })
	m := h.mailed("Hello")
	h.chat.calls["post"] = []outcome{{happens: true}, failure(postern.Temporary), lost(), unsure()}
	text := "The first sentence is this one, of some length. The second is this. And the third comes last of all, as it should be."
	h.answers(m.replyTo(), h.letterFrom(bobsAddress, text))
	h.pass(time.Hour)
	var got []string
	for _, p := range h.chat.posts {
		got = append(got, p.Text)
	}
	if len(got) != 3 || strings.Join(got, " ") != text {
		t.Errorf("the chat says %q", got)
	}
}

// A text that the platform finds too long is halved until it fits.
func TestReshape(t *testing.T) {
	long := failure(postern.Permanent, postern.CauseTooLong)
	h := newHouse(t)
	m := h.mailed("Hello")
	h.chat.calls["post"] = []outcome{long, long, {happens: true}}
	text := strings.TrimSpace(strings.Repeat("0123456789 ", 20))
	h.answers(m.replyTo(), h.letterFrom(bobsAddress, text+"\n-- \nBob", "MIME-Version: 1.0", "Content-Type: text/plain"))
	var got []string
	for _, p := range h.chat.posts {
		got = append(got, p.Text)
	}
	if strings.Join(got, " ") != text || len(got) < 3 {
		t.Errorf("%d posts: %q", len(got), got)
	}
	marks := map[string]bool{}
	for _, p := range h.chat.posts {
		marks[p.Mark] = true
	}
	if len(marks) != len(h.chat.posts) {
		t.Error("two posts have the same mark")
	}
}

// Even fifty characters too long: it is given up, and an operator has it.
func TestNeverShortEnough(t *testing.T) {
	h := answered(t, strings.Repeat("0123456789 ", 20), repeat(failure(postern.Permanent, postern.CauseTooLong), 100)...)
	h.wantSaid()
	h.wantHeld("the chat refused it")
}

// A file that is too large leaves a line in its place; what comes after it follows.
func TestReplaceFile(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Hello")
	h.chat.calls["post"] = []outcome{{happens: true}, failure(postern.Permanent, postern.CauseTooLarge)}
	h.answers(m.replyTo(), h.withTwoFiles())
	h.wantSaid("bob: The papers", "bob: 📎 a.pdf (too large for the chat)", "bob: b.csv=1,2")
}

// What the chat refuses waits for an operator, who can let it go on where it stopped.
func TestRefusedPost(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Hello")
	h.chat.calls["post"] = []outcome{{happens: true}, failure(postern.Permanent)}
	h.answers(m.replyTo(), h.withTwoFiles())
	h.wantSaid("bob: The papers")
	h.wantHeld("the chat refused it")
	h.wantNoted("not posted", "the chat refused it")
	if ok, err := h.Release(t.Context(), h.held()[0].ID); !ok || err != nil {
		t.Fatal(ok, err)
	}
	h.settle()
	h.wantSaid("bob: The papers", "bob: a.pdf=%PDF", "bob: b.csv=1,2")
}

// A text refused as too large is no file to be replaced.
func TestTextTooLarge(t *testing.T) {
	h := answered(t, "Yes", failure(postern.Permanent, postern.CauseTooLarge))
	h.wantHeld("the chat refused it")
	if len(h.buried) != 0 {
		t.Errorf("buried: %q", h.buried)
	}
}

// A platform that does not list messages: nobody can look, so the post is made again
// after a longer while, under the same id, and a note says so.
func TestUnsurePostMayNotList(t *testing.T) {
	t.Run("it was not made", func(t *testing.T) {
		h := answered(t, "Yes", unsure())
		h.chat.calls["messages"] = repeat(failure(postern.Denied), 50)
		h.pass(50 * time.Second)
		h.wantSaid()
		h.pass(20 * time.Second)
		h.wantSaid("bob: Yes")
		h.wantNoted("repeated", "the chat does not let messages be listed: it tells repeats by their id alone")
	})
	t.Run("the platform knows it by its id", func(t *testing.T) {
		h := answered(t, "Yes", lost(), failure(postern.Unsure, postern.CauseExists))
		h.chat.calls["messages"] = repeat(failure(postern.Denied), 50)
		h.pass(time.Hour)
		h.wantSaid("bob: Yes")
		if n := countOf(h.chat.asked, "post"); n != 2 {
			t.Errorf("%d calls, want 2", n)
		}
		if p := h.post1(t); p.State != store.Posted {
			t.Errorf("%+v", p)
		}
	})
	t.Run("it was deleted before anybody could look", func(t *testing.T) {
		h := answered(t, "Yes", lost(), failure(postern.Unsure, postern.CauseExists))
		h.chat.messages = nil
		h.pass(time.Hour)
		if n := countOf(h.chat.asked, "post"); n != 2 {
			t.Errorf("%d calls, want 2", n)
		}
	})
	t.Run("a first call proves nothing", func(t *testing.T) {
		h := answered(t, "Yes", failure(postern.Unsure, postern.CauseExists))
		h.pass(time.Minute)
		h.wantSaid("bob: Yes")
	})
}

// A failure in the last of many files repeats none of those before it.
func TestEachFileIsAStep(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Hello")
	h.chat.calls["post"] = append(repeat(outcome{happens: true}, 7), failure(postern.Temporary), failure(postern.Temporary), lost())
	var parts, want []string
	for i := range 7 {
		name := string(rune('a'+i)) + ".csv"
		parts = append(parts, "--b\r\nContent-Type: text/csv; name="+name+"\r\nContent-Disposition: attachment; filename="+name+"\r\n\r\n"+name+"\r\n")
		want = append(want, "bob: "+name+"="+name)
	}
	raw := "From: " + bobsAddress + "\r\nTo: x@" + domain + "\r\nMessage-ID: <seven@people.example>\r\nDate: " + h.now.Format(time.RFC1123Z) +
		"\r\nSubject: Re: Support\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSeven files\r\n" +
		strings.Join(parts, "") + "--b--\r\n"
	h.answers(m.replyTo(), raw)
	h.pass(time.Hour)
	h.wantSaid(append([]string{"bob: Seven files"}, want...)...)
	if n := countOf(h.chat.asked, "post"); n != 10 {
		t.Errorf("%d calls, want 10: eight that were made, two that failed", n)
	}
}
