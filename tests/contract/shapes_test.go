package contract

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Every shape of a Sendbird webhook that the documents name, and then some.
func TestWebhookShapes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	n := 0
	fresh := func() (*channel, string) { n++; return w.pair(fmt.Sprintf("bob%d", n)) }
	text := func(s *sent) string { return s.envelope(t).Text }

	t.Run("members absent: asked for, all pages", func(t *testing.T) {
		c, addr := fresh()
		var ids []string
		for i := range 250 {
			ids = append(ids, fmt.Sprintf("extra%d", i))
		}
		big := w.sb.channel("chan_big", "Support", append(ids, "last")...)
		w.sb.change(func() { big.Super = true; w.sb.pageSize = 60; big.Members = append(big.Members, c.Members[0]) })
		w.gw.person("last", "last@example.org")
		w.gw.person("extra3", "extra3@example.org")
		w.say(big, "ana", "to all", unset("members"))
		w.mg.mail(t, "last@example.org", 1)
		w.mg.mail(t, "extra3@example.org", 1)
		w.say(c, "ana", "members null", set("members", nil))
		w.mg.mail(t, addr, 1)
		w.say(c, "ana", "members empty", set("members", []any{}))
		w.mg.mail(t, addr, 2)
	})
	t.Run("announcement without sender", func(t *testing.T) {
		for i, sender := range []any{nil, map[string]any{}, "absent", ""} {
			c, addr := fresh()
			mods := []mod{set("sender", sender)}
			if sender == "absent" {
				mods = []mod{unset("sender")}
			}
			p := w.sb.add(c, &post{Type: "ADMM", Text: "Office closed"})
			w.hook(w.messageHook("group_channel:message_send", c, p, mods...))
			if got := text(w.mg.mail(t, addr, 1)); !contains(got, "Office closed") {
				t.Errorf("%d: %q", i, got)
			}
		}
	})
	t.Run("silent", func(t *testing.T) {
		c, addr := fresh()
		w.say(c, "ana", "quiet please", set("silent", true))
		w.say(c, "ana", "loud", set("silent", "false"))
		if got := text(w.mg.mail(t, addr, 1)); contains(got, "quiet please") || !contains(got, "loud") {
			t.Errorf("%q", got)
		}
		w.say(c, "ana", "quiet again", set("silent", "true"))
		w.gw.idle()
		if got := len(w.mg.mails(addr)); got != 1 {
			t.Errorf("%d mails", got)
		}
	})
	t.Run("mixed booleans, strings and numbers", func(t *testing.T) {
		c, addr := fresh()
		w.say(c, "ana", "odd types", func(m map[string]any) {
			for _, x := range m["members"].([]any) {
				x := x.(map[string]any)
				x["push_trigger_option"], x["is_hidden"], x["do_not_disturb"] = true, false, "false"
				x["is_active"], x["is_online"], x["is_blocking_sender"] = "true", "false", 0
				x["metadata"], x["unread_message_count"] = nil, "7"
			}
			m["payload"].(map[string]any)["created_at"] = fmt.Sprint(m["payload"].(map[string]any)["created_at"])
			m["payload"].(map[string]any)["message_id"] = fmt.Sprint(m["payload"].(map[string]any)["message_id"])
			m["payload"].(map[string]any)["translations"] = []any{}
			m["payload"].(map[string]any)["data"] = nil
			m["mentioned_users"], m["custom_type"], m["sender_ip_addr"] = nil, nil, nil
			m["message_events"] = nil
			m["sender"].(map[string]any)["metadata"] = []any{}
		})
		w.mg.mail(t, addr, 1)
	})
	t.Run("a captured body of 2017 with blanks", func(t *testing.T) {
		c, addr := fresh()
		p := w.sb.add(c, &post{User: "ana", Text: "spaced, and: separated"})
		b, _ := json.MarshalIndent(w.messageHook("group_channel:message_send", c, p), "", " ")
		if code := w.hookRaw(string(b) + "\n"); code != 200 {
			t.Fatal(code)
		}
		w.mg.mail(t, addr, 1)
	})
	t.Run("channel of 2017: few fields", func(t *testing.T) {
		c, addr := fresh()
		w.say(c, "ana", "old", func(m map[string]any) {
			m["channel"] = map[string]any{"data": "", "name": "Support", "channel_url": c.URL, "custom_type": "", "is_distinct": false}
		})
		w.mg.mail(t, addr, 1)
	})
	t.Run("words beyond ASCII", func(t *testing.T) {
		c, addr := fresh()
		w.say(c, "ana", `Grüße 👩‍💻 مرحبا a/b <b>&amp; "q" \n`)
		e := w.mg.mail(t, addr, 1).envelope(t)
		for _, want := range []string{"Grüße", "👩‍💻", "مرحبا", `a/b <b>&amp; "q" \n`} {
			if !contains(e.Text, want) {
				t.Errorf("%q is not in the text %q", want, e.Text)
			}
		}
		if contains(e.HTML, "<b>") || !contains(e.HTML, "&lt;b&gt;") {
			t.Errorf("HTML of a stranger: %s", e.HTML)
		}
	})
	t.Run("a file", func(t *testing.T) {
		for name, put := range map[string]func(pl map[string]any, url string){
			"webhook": func(pl map[string]any, url string) {
				pl["url"], pl["filename"], pl["content_type"], pl["content_size"] = url, "plan.pdf", "application/pdf", 10
			},
			"resource": func(pl map[string]any, url string) {
				pl["file"] = map[string]any{"url": url, "name": "plan.pdf", "type": "application/pdf", "size": 10, "data": ""}
			},
			"several": func(pl map[string]any, url string) {
				pl["files"] = []any{map[string]any{"url": url, "file_name": "plan.pdf", "file_type": "application/pdf", "file_size": 10, "thumbnails": []any{}, "require_auth": false}}
			},
		} {
			c, addr := fresh()
			p := &post{Type: "FILE", User: "ana", FileName: "plan.pdf", Mime: "application/pdf", File: []byte("%PDF-1.7 x")}
			p.URL = w.sb.file(c.URL+".pdf", &file{body: p.File})
			p = w.sb.add(c, p)
			w.hook(w.messageHook("group_channel:message_send", c, p, func(m map[string]any) {
				pl := map[string]any{"message_id": p.ID, "created_at": p.At, "custom_type": "", "data": ""}
				put(pl, p.URL)
				m["payload"] = pl
			}))
			e := w.mg.mail(t, addr, 1).envelope(t)
			if len(e.Attachments) != 1 || e.Attachments[0].FileName != "plan.pdf" || string(e.Attachments[0].Content) != "%PDF-1.7 x" ||
				e.Attachments[0].ContentType != "application/pdf" {
				t.Errorf("%s: attachments %+v\n%s", name, e.Attachments, e.Text)
			}
		}
	})
	t.Run("a file without url: the message is asked for", func(t *testing.T) {
		c, addr := fresh()
		p := &post{Type: "FILE", User: "ana", FileName: "plan.txt", Mime: "text/plain", File: []byte("the plan")}
		p.URL = w.sb.file(c.URL+".txt", &file{body: p.File})
		p = w.sb.add(c, p)
		w.hook(w.messageHook("group_channel:message_send", c, p, func(m map[string]any) { delete(m["payload"].(map[string]any), "url") }))
		e := w.mg.mail(t, addr, 1).envelope(t)
		if len(e.Attachments) != 1 || string(e.Attachments[0].Content) != "the plan" {
			t.Errorf("attachments %+v\n%s", e.Attachments, e.Text)
		}
	})
	t.Run("other categories do no harm", func(t *testing.T) {
		c, addr := fresh()
		for _, cat := range []string{"open_channel:message_send", "group_channel:create", "group_channel:changed", "group_channel:invite", "group_channel:join",
			"group_channel:freeze_unfreeze", "group_channel:reaction_add", "user:block", "alert:user_message_rate_limit_exceeded",
			"profanity_filter:replace", "message:report", "announcement:send_messages", "group_channel:remove_unknown", "x", ""} {
			p := &post{ID: 5, At: 6, User: "ana", Text: "not to be mailed"}
			code := w.hookRaw(wire(w.messageHook(cat, c, p)))
			if code != 200 && !(cat == "" && code == 400) {
				t.Errorf("%q: %d", cat, code)
			}
		}
		w.gw.idle()
		if got := len(w.mg.mails(addr)); got != 0 {
			t.Errorf("%d mails", got)
		}
	})
	t.Run("known categories, wrong inside", func(t *testing.T) {
		for _, cat := range []string{"message_send", "message_update", "message_delete", "message_read", "leave", "changed", "join"} {
			for _, rest := range []string{``, `,"payload":null,"channel":null`, `,"payload":[],"channel":[]`, `,"payload":{"message_id":"x"},"channel":{"channel_url":7}`,
				`,"members":{},"sender":[],"read_updates":{}`, `,"payload":{"message_id":-1,"created_at":1e300},"channel":{"channel_url":""}`,
				`,"channel":{"channel_url":"` + strings.Repeat("c", 9000) + `"},"payload":{"message_id":1,"created_at":1,"message":"x"}`} {
				code := w.hookRaw(`{"category":"group_channel:` + cat + `"` + rest + `}`)
				if code != 200 && code != 400 {
					t.Errorf("%s %.80s: %d", cat, rest, code)
				}
			}
		}
		w.gw.idle()
		c, addr := fresh()
		w.say(c, "ana", "alive")
		w.mg.mail(t, addr, 1)
	})
}

// Who gets a mail, and who does not.
func TestWhoIsMailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, vars{"POSTERN_PEOPLE_USER_ID_IS_ADDRESS": "true"})
	ids := []string{"joined", "invited", "inactive", "blocking", "online", "unknown", "Eve.X+y@example.org", "author"}
	c := w.sb.channel("chan_who", "Support", ids...)
	for _, id := range ids[:5] {
		w.gw.person(id, id+"@example.org")
	}
	w.gw.person("author", "author@example.org")
	w.sb.change(func() {
		c.member("invited").State = "invited"
		c.member("inactive").Inactive = true
		c.member("blocking").Blocking = true
		c.member("online").Online = true
	})
	for i, mods := range [][]mod{nil, {unset("members")}} {
		w.say(c, "author", fmt.Sprintf("message %d", i), mods...)
		w.mg.mail(t, "joined@example.org", i+1)
		w.mg.mail(t, "eve.x+y@example.org", i+1)
		w.gw.idle()
		for _, id := range []string{"invited", "inactive", "online", "author"} {
			if n := len(w.mg.mails(id + "@example.org")); n != 0 {
				t.Errorf("message %d: %s got %d mails", i, id, n)
			}
		}
	}
	// Blocking is told by the webhook only.
	if n := len(w.mg.mails("blocking@example.org")); n > 1 {
		t.Errorf("blocking got %d mails", n)
	}
	if got := w.mg.mails("eve.x+y@example.org")[0].Form["to"][0]; !contains(got, "Eve.X+y@example.org") {
		t.Errorf("address as %q", got)
	}
	if n := len(w.mg.mails("")); n > 5 {
		t.Errorf("%d mails", n)
	}
}

func TestUserIDIsNotAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.sb.channel("chan_x", "Support", "ana", "eve@example.org", "bob")
	w.gw.person("bob", "bob@example.org")
	p := w.say(c, "ana", "hello")
	w.mg.mail(t, "bob@example.org", 1)
	w.gw.idle()
	if n := len(w.mg.mails("")); n != 1 {
		t.Errorf("%d mails", n)
	}
	out, errs, code := w.gw.run("", "explain", fmt.Sprint(p.ID))
	if code != 0 || !contains(out, "eve@example.org") || !contains(strings.ToLower(out), "address") {
		t.Errorf("explain does not tell why eve got nothing: %d\n%s%s", code, out, errs)
	}
}

func TestNotifyWhen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, vars{"POSTERN_NOTIFY_WHEN": "never"})
	c, _ := w.pair("bob")
	w.say(c, "ana", "hello")
	w.gw.idle()
	if n := len(w.mg.mails("")); n != 0 {
		t.Errorf("never: %d mails", n)
	}
	w.gw.stop()
	w.gw.env["POSTERN_NOTIFY_WHEN"] = "unread"
	w.gw.env["POSTERN_NOTIFY_DELAY"] = "1s"
	w.gw.start()
	w.sb.change(func() { c.member("bob").Online = true })
	w.say(c, "ana", "online, but not read")
	m := w.mg.mail(t, "bob@example.org", 1)
	if got := m.envelope(t).Text; !contains(got, "not read") || contains(got, "hello") {
		t.Errorf("unread: %q", got)
	}
}
