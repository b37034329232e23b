package contract

import (
	"fmt"
	"testing"
	"time"
)

// The quiet window gathers, and at its end the mail says what is true then.
func TestQuietWindow(t *testing.T) {
	t.Parallel()
	const window = 3 * time.Second
	w := newWorld(t, vars{"POSTERN_NOTIFY_DELAY": window.String()})
	update := func(c *channel, p *post, text string) {
		w.sb.change(func() { p.Text = text })
		w.hook(w.messageHook("group_channel:message_update", c, p, set("changes", []any{map[string]any{"key": "message", "old": "x", "new": text}})))
	}
	remove := func(c *channel, p *post) {
		w.hook(w.messageHook("group_channel:message_delete", c, p))
		w.sb.change(func() {
			for i := range c.Posts {
				if c.Posts[i] == p {
					c.Posts = append(c.Posts[:i:i], c.Posts[i+1:]...)
					return
				}
			}
		})
	}
	read := func(c *channel, id string) {
		now := time.Now().UnixMilli() + 1
		w.sb.change(func() { c.member(id).Read = now })
		m := map[string]any{"category": "group_channel:message_read", "app_id": "x", "members": memberStubs(c), "channel": channelStub(c),
			"read_updates": []any{map[string]any{"user_id": "somebody", "read_ts": 1, "channel_unread_message_count": 0},
				map[string]any{"user_id": id, "read_ts": now, "channel_unread_message_count": 0, "total_unread_message_count": 0}}}
		w.hook(m)
	}
	type got struct{ has, hasNot []string }
	cases := map[string]struct {
		do   func(c *channel, id string)
		want *got // nil: no mail
	}{
		"burst": {func(c *channel, id string) {
			for i := range 4 {
				w.say(c, "ana", fmt.Sprintf("part %d of it", i))
			}
		}, &got{has: []string{"part 0 of it", "part 1 of it", "part 2 of it", "part 3 of it"}}},
		"edited": {func(c *channel, id string) {
			p := w.say(c, "ana", "wrogn words")
			update(c, p, "right words")
		}, &got{has: []string{"right words"}, hasNot: []string{"wrogn"}}},
		"edited twice, told out of order": {func(c *channel, id string) {
			p := w.say(c, "ana", "first words")
			update(c, p, "second words")
			w.hook(w.messageHook("group_channel:message_send", c, &post{ID: p.ID, At: p.At, Type: "MESG", User: "ana", Text: "first words"}))
		}, &got{has: []string{"second words"}, hasNot: []string{"first words"}}},
		"update before its send": {func(c *channel, id string) {
			p := w.sb.add(c, &post{User: "ana", Text: "early words"})
			old := w.messageHook("group_channel:message_send", c, p)
			update(c, p, "late words")
			w.hook(old)
		}, &got{has: []string{"late words"}, hasNot: []string{"early words"}}},
		"delete before its send": {func(c *channel, id string) {
			p := w.sb.add(c, &post{User: "ana", Text: "gone words"})
			old := w.messageHook("group_channel:message_send", c, p)
			remove(c, p)
			w.hook(old)
			w.say(c, "ana", "staying words")
		}, &got{has: []string{"staying words"}, hasNot: []string{"gone words"}}},
		"one deleted": {func(c *channel, id string) {
			w.say(c, "ana", "keep this")
			p := w.say(c, "ana", "lose this")
			remove(c, p)
		}, &got{has: []string{"keep this"}, hasNot: []string{"lose this"}}},
		"all deleted":     {func(c *channel, id string) { remove(c, w.say(c, "ana", "lose this")) }, nil},
		"read":            {func(c *channel, id string) { w.say(c, "ana", "seen"); read(c, id) }, nil},
		"read by another": {func(c *channel, id string) { w.say(c, "ana", "unseen by him"); read(c, "ana") }, &got{has: []string{"unseen by him"}}},
		"read, then more": {func(c *channel, id string) {
			w.say(c, "ana", "seen words")
			read(c, id)
			time.Sleep(20 * time.Millisecond) // a later millisecond, as Sendbird counts
			w.say(c, "ana", "fresh words")
		}, &got{has: []string{"fresh words"}, hasNot: []string{"seen words"}}},
		"came online": {func(c *channel, id string) {
			w.say(c, "ana", "there?")
			w.sb.change(func() { c.member(id).Online = true })
		}, nil},
		"left": {func(c *channel, id string) {
			w.say(c, "ana", "there?")
			u := stub(c.member(id).user)
			w.sb.change(func() { c.Members = c.Members[:1] })
			w.hook(map[string]any{"category": "group_channel:leave", "left_at": time.Now().UnixMilli(), "users": []any{u},
				"members": memberStubs(c), "channel": channelStub(c), "app_id": "x"})
		}, nil},
		"left, and nobody told us": {func(c *channel, id string) {
			w.say(c, "ana", "there?")
			w.sb.change(func() { c.Members = c.Members[:1] })
		}, nil},
		"address taken away": {func(c *channel, id string) {
			w.say(c, "ana", "there?")
			if code, b := w.gw.api("DELETE", "/api/v1/people/"+id, ""); code/100 != 2 {
				t.Errorf("DELETE: %d %s", code, b)
			}
		}, nil},
		"address changed": {func(c *channel, id string) {
			w.say(c, "ana", "moved")
			w.gw.person(id, id+"-new@example.org")
		}, nil}, // to the old address
		"own answer in the window": {func(c *channel, id string) {
			w.say(c, "ana", "question")
			w.say(c, id, "answered in the chat")
		}, nil},
	}
	i := 0
	type run struct {
		name, addr string
		want       *got
	}
	var runs []run
	for name, tc := range cases {
		i++
		id := fmt.Sprintf("user%d", i)
		c, addr := w.pair(id)
		tc.do(c, id)
		runs = append(runs, run{name, addr, tc.want})
	}
	w.gw.idle()
	for _, r := range runs {
		mails := w.mg.mails(r.addr)
		if r.want == nil {
			for _, m := range mails {
				t.Errorf("%s: mailed all the same: %q", r.name, m.envelope(t).Text)
			}
			continue
		}
		if len(mails) != 1 {
			t.Errorf("%s: %d mails", r.name, len(mails))
			continue
		}
		e := mails[0].envelope(t)
		for _, s := range r.want.has {
			if !contains(e.Text, s) || !contains(e.HTML, s) {
				t.Errorf("%s: %q is missing in %q", r.name, s, e.Text)
			}
		}
		for _, s := range r.want.hasNot {
			if contains(e.Text, s) || contains(e.HTML, s) {
				t.Errorf("%s: %q is in %q", r.name, s, e.Text)
			}
		}
	}
}
