package sendbird

import (
	"fmt"
	"testing"
)

func TestPreferences(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana")
	w.user("bob", "cyd")
	const app = "/v3/applications/default_channel_invitation_preference"
	want(t, "default", w.ok("GET", app, nil)["auto_accept"], true)
	w.ok("PUT", app, obj{"auto_accept": false})
	w.ok("PUT", "/v3/users/cyd/channel_invitation_preference", obj{"auto_accept": true})
	want(t, "bob's", w.ok("GET", "/v3/users/bob/channel_invitation_preference", nil)["auto_accept"], false)
	w.refused("PUT", app, obj{}, 400, 400105)
	w.ok("POST", ch+"/invite", obj{"user_ids": []string{"bob", "cyd"}, "inviter_id": "ana"})
	want(t, "bob waits", w.ok("GET", ch+"/members/bob", nil)["state"], "invited")
	want(t, "cyd is in", w.ok("GET", ch+"/members/cyd", nil)["state"], "joined")

	w.forget()
	got := w.ok("PUT", "/v3/users/bob/push_preference", obj{"push_trigger_option": "mention_only", "do_not_disturb": true, "start_hour": 22, "timezone": "Europe/Oslo"})
	want(t, "hour", got["start_hour"], 22)
	want(t, "kept", w.ok("GET", "/v3/users/bob/push_preference", nil)["timezone"], "Europe/Oslo")
	want(t, "event", w.oneHook("user:push_preference")["push_trigger_option"], "mention_only")
	w.say(ch, "ana", "x")
	want(t, "in members", dig(w.oneHook("group_channel:message_send"), "members", 1, "do_not_disturb"), true)
	w.refused("PUT", "/v3/users/bob/push_preference", obj{"start_hour": 24}, 400, 400113)
	w.refused("PUT", "/v3/users/bob/push_preference", obj{"push_trigger_option": "never"}, 400, 400111)
}

func TestSmallReads(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	m := w.ok("POST", ch+"/messages", obj{"message_type": "FILE", "user_id": "ana", "url": "https://x.example/a.txt"})
	one := fmt.Sprint(ch, "/messages/", m["message_id"])
	w.ok("POST", one+"/reactions", obj{"user_id": "bob", "reaction": "heart"})
	want(t, "reactions", string(w.do("GET", one+"/reactions", nil).raw), `{"heart":["bob"]}`)
	r := w.ok("POST", ch+"/messages", obj{"message_type": "MESG", "user_id": "bob", "message": "re", "parent_message_id": m["message_id"]})
	got := w.ok("GET", fmt.Sprint(ch, "/messages/", r["message_id"], "?include_parent_message_info=true"), nil)
	want(t, "parent's file", dig(got, "parent_message_info", "file", "name"), "a.txt")
	want(t, "user token", len(w.ok("POST", "/v3/users/ana/token", nil)["token"].(string)), 40)
	w.ok("POST", "/v3/report/users/ana", obj{"report_category": "spam"})
	w.refused("POST", "/v3/report/users/ana", obj{}, 400, 400105)
	want(t, "reports", dig(w.ok("GET", "/v3/report", nil), "report_logs", 0, "offending_user", "user_id"), "ana")
	w.ok("POST", ch+"/ban", obj{"user_id": "bob", "seconds": 10})
	ban := w.ok("PUT", ch+"/ban/bob", obj{"seconds": 20, "description": "longer"})
	want(t, "longer", num(ban["end_at"])-num(ban["start_at"]), 20_000)
	w.refused("PUT", ch+"/ban/ana", obj{}, 400, 400201)

	w.ok("POST", ch+"/metadata", obj{"metadata": obj{"team": "blue"}})
	want(t, "by metadata", len(w.ok("GET", "/v3/group_channels?metadata_key=team&metadata_values=blue&show_metadata=true", nil)["channels"].([]any)), 1)
	want(t, "by another", len(w.ok("GET", "/v3/group_channels?metadata_key=team&metadata_values=red", nil)["channels"].([]any)), 0)
}

// TestInProcess: what a Go test may set without HTTP.
func TestInProcess(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Webhook = Webhook{} })
	w.s.SetFilesURL("https://files.test/")
	w.s.SetWebhook(Webhook{URL: w.recv.srv.URL, Events: []string{"user:block"}})
	ch := w.channel("room1", "ana", "bob")
	a := w.form(ch+"/messages", map[string]string{"message_type": "FILE", "user_id": "ana"}, "a.txt", "text/plain", []byte("x"))
	want(t, "host", dig(a.obj, "file", "url").(string)[:24], "https://files.test/files")
	w.ok("POST", "/v3/users/ana/block", obj{"target_id": "bob"})
	want(t, "subscribed to one", len(w.hooks("")), 1)
	if err := w.s.SetPresence("nobody", true); err == nil {
		t.Error("nobody is online")
	}
}
