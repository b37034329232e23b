package relay

import (
	"strconv"
	"strings"
	"testing"
)

// numbered is a text of so many lines of a hundred characters.
func numbered(lines int) string {
	var b strings.Builder
	for i := range lines {
		b.WriteString("line " + strconv.Itoa(i) + " " + strings.Repeat("x", 90) + "\n")
	}
	return strings.TrimSpace(b.String())
}

// A text that would fill the channel becomes its beginning and a file; nothing is lost.
func TestLongText(t *testing.T) {
	const limit = 500
	for _, lines := range []int{4 * maxTextPosts, 40 * maxTextPosts} {
		text := numbered(lines)
		h := newHouse(t, func(c *Config) { c.MaxText = limit })
		m := h.mailed("Hello")
		h.answers(m.replyTo(), h.letterFrom(bobsAddress, text))
		h.settle()
		said := h.chat.said()
		if lines == 4*maxTextPosts {
			if got := strings.ReplaceAll(strings.Join(said, "\n"), "bob: ", ""); got != text || len(said) > maxTextPosts || len(said) < 2 {
				t.Errorf("%d posts of %d bytes", len(said), len(got))
			}
			continue
		}
		if len(said) != maxTextPosts+1 {
			t.Fatalf("%d posts", len(said))
		}
		begin := strings.ReplaceAll(strings.Join(said[:maxTextPosts-1], "\n"), "bob: ", "")
		if !strings.HasPrefix(text, begin) {
			t.Errorf("not its beginning: %.300q", begin)
		}
		if got := said[maxTextPosts-1]; got != "bob: […] (all of it follows as message.txt)" {
			t.Errorf("%q", got)
		}
		if got := said[maxTextPosts]; got != "bob: message.txt="+text {
			t.Errorf("the file has %d bytes of %d", len(got), len(text))
		}
		if f := h.chat.posts[maxTextPosts].File; f.ContentType != "text/plain; charset=utf-8" || h.chat.posts[maxTextPosts].Text != "" {
			t.Errorf("%+v", f)
		}
	}
}

// A guest has no user who could post a file.
func TestLongTextOfAGuest(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.MaxText, c.Strangers = 500, StrangersGuest })
	m := h.mailed("Hello")
	h.answers(m.replyTo(), h.letterFrom("eve@elsewhere.example", numbered(40*maxTextPosts)))
	h.settle()
	said := h.chat.said()
	if len(said) != maxTextPosts || !strings.HasSuffix(said[len(said)-1], "[…] (the rest is not posted)") {
		t.Errorf("%d posts, the last %q", len(said), said[len(said)-1:])
	}
}

// How long a text may be is asked once, not with each mail.
func TestChannelLimitIsRemembered(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Hello")
	for i := range 3 {
		h.answers(m.replyTo(), h.letterFrom(bobsAddress, "Answer "+strconv.Itoa(i)+" "+strings.Repeat("of many words ", 10)))
		h.settle()
	}
	if n := countOf(h.chat.asked, "channel"); n != 1 || len(h.chat.posts) != 3 {
		t.Errorf("asked %d times for %d posts", n, len(h.chat.posts))
	}
	h.pass(limitLife)
	h.answers(m.replyTo(), h.letterFrom(bobsAddress, "Later "+strings.Repeat("and later ", 10)))
	h.settle()
	if n := countOf(h.chat.asked, "channel"); n != 2 {
		t.Errorf("asked %d times", n)
	}
}
