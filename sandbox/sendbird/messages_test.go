package sendbird

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const messageKeys = "channel_type channel_url created_at custom_type data file is_apple_critical_alert is_op_msg is_removed " +
	"mention_type mentioned_users message message_events message_id message_survival_seconds req_id silent sorted_metaarray " +
	"translations type updated_at user"

func TestSendText(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	m := w.ok("POST", ch+"/messages", obj{"message_type": "MESG", "user_id": "ana", "message": "Hi", "custom_type": "c", "data": "{}",
		"mentioned_user_ids": []string{"bob", "nobody"}, "req_id": "r1", "sorted_metaarray": []obj{{"key": "k", "value": []string{"b", "a"}}}})
	want(t, "keys", keys(m), messageKeys)
	for k, v := range (obj{"type": "MESG", "message": "Hi", "custom_type": "c", "data": "{}", "req_id": "r1", "updated_at": 0,
		"channel_type": "group_channels", "channel_url": "room1", "silent": false, "is_removed": false, "file": "map[]"}) {
		want(t, k, m[k], v)
	}
	want(t, "user", keys(m["user"].(map[string]any)), "is_active metadata nickname profile_url require_auth_for_profile_image role user_id")
	want(t, "mentioned", dig(m, "mentioned_users", 0, "user_id"), "bob")
	want(t, "arrays", fmt.Sprint(m["sorted_metaarray"]), "[map[key:k value:[b a]]]")
	want(t, "events", fmt.Sprint(m["message_events"]),
		"map[send_push_notification:receivers update_last_message:true update_mention_count:true update_unread_count:true]")
	if n := num(m["created_at"]); n < 1_700_000_000_123 || n > 1_700_000_001_000 {
		t.Errorf("created_at %d", n)
	}
	next := w.say(ch, "bob", "Ho")
	if num(next["message_id"]) <= num(m["message_id"]) || num(next["created_at"]) <= num(m["created_at"]) {
		t.Errorf("%v %v come not after %v %v", next["message_id"], next["created_at"], m["message_id"], m["created_at"])
	}
	// The sender stays as he was.
	w.ok("PUT", "/v3/users/ana", obj{"nickname": "Other"})
	one := fmt.Sprint(ch, "/messages/", m["message_id"])
	got := w.ok("GET", one, nil)
	want(t, "nickname", dig(got, "user", "nickname"), "Ana")
	if _, there := got["sorted_metaarray"]; there {
		t.Error("sorted_metaarray is given without being asked for")
	}
	want(t, "arrays", len(w.ok("GET", one+"?with_sorted_meta_array=true", nil)["sorted_metaarray"].([]any)), 1)
}

func TestSendRefused(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	w.user("cyd")
	w.ok("PUT", "/_emulator/channels/room1", obj{"max_length_message": 5})
	text := func(more obj) obj {
		o := obj{"message_type": "MESG", "user_id": "ana", "message": "Hi"}
		for k, v := range more {
			o[k] = v
		}
		return o
	}
	long := strings.Repeat("x", 129)
	for name, c := range map[string]struct {
		body any
		code int
	}{
		"no type":          {obj{"user_id": "ana", "message": "x"}, 400105},
		"unknown type":     {text(obj{"message_type": "TEXT"}), 400111},
		"no sender":        {text(obj{"user_id": nil}), 400105},
		"no text":          {text(obj{"message": nil}), 400105},
		"empty text":       {text(obj{"message": ""}), 400151},
		"unknown sender":   {text(obj{"user_id": "nobody"}), 400201},
		"stranger":         {text(obj{"user_id": "cyd"}), 400108},
		"too long":         {text(obj{"message": "sechs!"}), 400110},
		"long custom type": {text(obj{"custom_type": long}), 400110},
		"long array key":   {text(obj{"sorted_metaarray": []obj{{"key": strings.Repeat("k", 81), "value": []string{}}}}), 400110},
		"long array value": {text(obj{"sorted_metaarray": []obj{{"key": "k", "value": []string{long}}}}), 400110},
		"array as string":  {text(obj{"sorted_metaarray": []obj{{"key": "k", "value": "v"}}}), 400102},
		"many mentions":    {text(obj{"mentioned_user_ids": strings.Split("abcdefghijk", "")}), 400203},
		"data no string":   {text(obj{"data": obj{"a": 1}}), 400100},
		"silent no bool":   {text(obj{"is_silent": "true"}), 400104},
		"parent unknown":   {text(obj{"parent_message_id": 1}), 400201},
		"file of nothing":  {obj{"message_type": "FILE", "user_id": "ana"}, 400105},
		"file in base64":   {obj{"message_type": "FILE", "user_id": "ana", "file": "aGk="}, 400111},
		"file URL":         {obj{"message_type": "FILE", "user_id": "ana", "url": "ftp://x"}, 400114},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, s: w.s, url: w.url, http: w.http}
			w.refused("POST", ch+"/messages", c.body, 400, c.code)
		})
	}
	want(t, "nothing was kept", w.ok("GET", ch+"/messages/total_count", nil)["total"], 0)
	want(t, "five letters pass", w.say(ch, "ana", "ééééé")["message"], "ééééé")
	w.ok("PUT", "/_emulator/switches", obj{"not_member_code": 400201, "max_message_length": 10})
	w.refused("POST", ch+"/messages", text(obj{"user_id": "cyd"}), 400, 400201)
	w.ok("POST", "/v3/group_channels", obj{"channel_url": "room2", "user_ids": []string{"ana"}})
	want(t, "limit of new channels", w.ok("GET", "/v3/group_channels/room2", nil)["max_length_message"], 10)
}

func TestAdminMessage(t *testing.T) {
	for mode, has := range map[string]string{"": "absent", "null": "<nil>", "empty": "map[]"} {
		w := newWorld(t)
		ch := w.channel("room1", "ana", "bob")
		w.ok("PUT", "/_emulator/switches", obj{"admin_sender": mode})
		m := w.ok("POST", ch+"/messages", obj{"message_type": "ADMM", "message": "Closed today", "user_id": "ana"})
		want(t, "user", m["user"], nil)
		want(t, "push", dig(m, "message_events", "send_push_notification"), "none")
		hook := w.oneHook("group_channel:message_send")
		got := "absent"
		if v, there := hook["sender"]; there {
			got = fmt.Sprint(v)
		}
		want(t, "sender with "+mode, got, has)
		want(t, "type", hook["type"], "ADMM")
		w.refused("POST", ch+"/messages", obj{"message_type": "MESG", "user_id": "ana", "message": "x", "parent_message_id": m["message_id"]}, 400, 400111)
		w.ok("PUT", ch+"/messages/mark_as_read", obj{"user_id": "bob"})
		want(t, "no marks on it", dig(w.ok("GET", "/_emulator/state", nil), "channels", 0, "messages", 0, "read_by"), "[]")
	}
}

func TestSilentAndUnread(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	w.say(ch, "ana", "one")
	w.ok("POST", ch+"/messages", obj{"message_type": "MESG", "user_id": "ana", "message": "psst", "is_silent": true})
	gone := w.say(ch, "ana", "three")
	unread := func() string {
		return fmt.Sprint(w.ok("GET", ch+"/messages/unread_count?user_ids=ana,bob", nil)["unread"])
	}
	want(t, "silent does not count", unread(), "map[ana:0 bob:2]")
	w.ok("DELETE", fmt.Sprint(ch, "/messages/", gone["message_id"]), nil)
	want(t, "nor deleted", unread(), "map[ana:0 bob:1]")
	want(t, "last message", dig(w.ok("GET", ch, nil), "last_message", "message"), "one")
	want(t, "silent flag", w.hooks("group_channel:message_send")[1]["silent"], true)

	w.user("cyd")
	w.ok("POST", ch+"/invite", obj{"user_ids": []string{"cyd"}})
	want(t, "what was before", w.ok("GET", "/v3/users/cyd/unread_message_count", nil)["unread_count"], 0)
	w.channel("room2", "ana", "bob")
	w.say("/v3/group_channels/room2", "ana", "x")
	want(t, "total", w.ok("GET", "/v3/users/bob/unread_message_count", nil)["unread_count"], 2)
	want(t, "channels", w.ok("GET", "/v3/users/bob/unread_channel_count", nil)["unread_count"], 2)
	u := w.ok("GET", "/v3/users/bob?include_unread_count=true", nil)
	want(t, "in the user", fmt.Sprint(u["unread_message_count"], "/", u["unread_channel_count"]), "2/2")

	// Sending reads, unless told not to.
	w.ok("POST", ch+"/messages", obj{"message_type": "MESG", "user_id": "bob", "message": "x", "mark_as_read": false})
	want(t, "still unread", dig(w.ok("GET", ch+"/messages/unread_count", nil), "unread", "bob"), 1)
	w.say(ch, "bob", "y")
	want(t, "read by sending", dig(w.ok("GET", ch+"/messages/unread_count", nil), "unread", "bob"), 0)
}

func TestUpdateAndDelete(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	m := w.say(ch, "ana", "Helo")
	one := fmt.Sprint(ch, "/messages/", m["message_id"])
	w.refused("PUT", one, obj{"message": "x"}, 400, 400105)
	w.refused("PUT", one, obj{"message_type": "FILE"}, 400, 400111)
	got := w.ok("PUT", one, obj{"message_type": "MESG", "message": "Hello"})
	want(t, "text", got["message"], "Hello")
	if num(got["updated_at"]) <= num(m["created_at"]) {
		t.Errorf("updated_at %v", got["updated_at"])
	}
	hook := w.oneHook("group_channel:message_update")
	want(t, "keys", keys(hook), "app_id category changes channel custom_type members payload sdk sender type")
	want(t, "changes", fmt.Sprint(hook["changes"]), "[map[key:message new:Hello old:Helo]]")
	want(t, "payload", dig(hook, "payload", "message"), "Hello")

	w.refused("PUT", "/_emulator/users/bob/channels/room1/messages/"+fmt.Sprint(m["message_id"]), obj{"message": "x"}, 400, 400108)
	w.refused("DELETE", "/_emulator/users/bob/channels/room1/messages/"+fmt.Sprint(m["message_id"]), nil, 400, 400108)
	want(t, "delete", string(w.do("DELETE", one, nil).raw), "{}")
	del := w.oneHook("group_channel:message_delete")
	want(t, "keys", keys(del), "app_id category channel custom_type members payload sender type")
	want(t, "payload", dig(del, "payload", "message_id"), m["message_id"])
	w.refused("GET", one, nil, 400, 400201)
	w.refused("DELETE", one, nil, 400, 400201)
	w.refused("GET", ch+"/messages/abc", nil, 400, 400101)
	want(t, "total", w.ok("GET", ch+"/messages/total_count", nil)["total"], 0)
}

func TestDedup(t *testing.T) {
	for mode, expect := range map[string]string{"": "same", "return-existing": "same", "ignore": "another", "error-400202": "refused"} {
		w := newWorld(t, func(c *Config) { c.Switches.Dedup = mode })
		ch := w.channel("room1", "ana")
		body := obj{"message_type": "MESG", "user_id": "ana", "message": "x", "dedup_id": "d1"}
		first := w.ok("POST", ch+"/messages", body)
		got := "refused"
		if a := w.do("POST", ch+"/messages", body); a.status == 200 {
			got = map[bool]string{true: "same", false: "another"}[fmt.Sprint(a.obj["message_id"]) == fmt.Sprint(first["message_id"])]
		} else {
			want(t, "code", a.obj["code"], 400202)
		}
		want(t, mode, got, expect)
		events := map[string]int{"same": 1, "another": 2, "refused": 1}[expect]
		want(t, "events with "+mode, len(w.hooks("group_channel:message_send")), events)
	}
}

// TestListMessages: five texts ten seconds apart, "b" edited in nothing, "c" deleted, "d" typed, "e" a file.
func TestListMessages(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	at := map[string]string{}
	ids := map[string]string{}
	for i, c := range []obj{
		{"user_id": "ana", "message": "a"}, {"user_id": "bob", "message": "b"}, {"user_id": "ana", "message": "c"},
		{"user_id": "bob", "message": "d", "custom_type": "mail"}, {"message": "e", "message_type": "ADMM"},
		{"user_id": "ana", "message": "f", "message_type": "FILE", "url": "https://x.example/f.txt"},
	} {
		if c["message_type"] == nil {
			c["message_type"] = "MESG"
		}
		w.advance(10 * time.Second)
		m := w.ok("POST", ch+"/messages", c)
		name := string(rune('a' + i))
		at[name], ids[name] = fmt.Sprint(m["created_at"]), fmt.Sprint(m["message_id"])
	}
	w.ok("DELETE", ch+"/messages/"+ids["c"], nil)
	names := map[string]string{}
	for n, id := range ids {
		names[id] = n
	}
	for query, found := range map[string]string{
		"message_ts=0":                                                                "a b d e f",
		"message_ts=" + at["b"]:                                                       "a b d e f",
		"message_ts=" + at["b"] + "&include=false":                                    "a d e f",
		"message_ts=" + at["d"] + "&prev_limit=1&next_limit=1":                        "b d e",
		"message_ts=" + at["d"] + "&prev_limit=0&next_limit=0":                        "d",
		"message_ts=" + at["d"] + "&prev_limit=0&next_limit=200&include=false":        "e f",
		"message_ts=" + at["d"] + "&prev_limit=1&next_limit=1&reverse=true":           "e d b",
		"message_ts=" + at["d"] + "&prev_limit=2&next_limit=0&including_removed=true": "b c d",
		"message_id=" + ids["b"] + "&prev_limit=0":                                    "b d e f",
		"message_id=" + ids["c"] + "&prev_limit=1&next_limit=1":                       "b d",
		"message_ts=0&sender_id=bob":                                                  "b d",
		"message_ts=0&sender_ids=bob,ana":                                             "a b d f",
		"message_ts=0&custom_types=mail":                                              "d",
		"message_ts=0&custom_types=":                                                  "a b e f",
		"message_ts=0&custom_types=*":                                                 "a b d e f",
		"message_ts=0&message_type=FILE":                                              "f",
		"message_ts=0&message_type=ADMM":                                              "e",
		"message_ts=0&operator_filter=nonoperator":                                    "a b d e f",
		"message_ts=0&operator_filter=operator":                                       "",
	} {
		var got []string
		for _, m := range w.ok("GET", ch+"/messages?"+query, nil)["messages"].([]any) {
			got = append(got, names[fmt.Sprint(dig(m, "message_id"))])
		}
		want(t, query, strings.Join(got, " "), found)
	}
	removed := dig(w.ok("GET", ch+"/messages?including_removed=true&prev_limit=0&next_limit=0&message_ts="+at["c"], nil), "messages", 0)
	want(t, "is_removed", dig(removed, "is_removed"), true)
	a := w.do("GET", ch+"/messages?message_ts=0", nil)
	want(t, "no next", keys(a.obj), "messages")
	w.refused("GET", ch+"/messages", nil, 400, 400105)
	w.refused("GET", ch+"/messages?message_ts=0&next_limit=201", nil, 400, 400113)
	w.refused("GET", ch+"/messages?message_id=1", nil, 400, 400201)
	for range 20 {
		w.say(ch, "ana", "more")
	}
	want(t, "default limit", len(w.ok("GET", ch+"/messages?message_ts=0", nil)["messages"].([]any)), 15)
}

// TestBackdatedAndEqualTimes: migrated messages find their place, and share a millisecond if told so.
func TestBackdatedAndEqualTimes(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana")
	send := func(text string, ts int64) {
		w.ok("POST", ch+"/messages", obj{"message_type": "MESG", "user_id": "ana", "message": text, "created_at": ts})
	}
	send("late", 3000)
	send("x1", 2000)
	send("x2", 2000)
	send("early", 1000)
	var got []string
	for _, m := range w.ok("GET", ch+"/messages?message_ts=2000&prev_limit=5&next_limit=5", nil)["messages"].([]any) {
		got = append(got, dig(m, "message").(string))
	}
	want(t, "order", strings.Join(got, " "), "early x1 x2 late")

	w.ok("PUT", "/_emulator/switches", obj{"shared_milliseconds": true})
	a, b := w.say(ch, "ana", "1"), w.say(ch, "ana", "2")
	want(t, "same time", a["created_at"], b["created_at"])
}

func TestThreads(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	root := w.say(ch, "ana", "root")
	reply := func(id any, more obj) answer {
		body := obj{"message_type": "MESG", "user_id": "bob", "message": "re", "parent_message_id": id}
		for k, v := range more {
			body[k] = v
		}
		return w.do("POST", ch+"/messages", body)
	}
	r := reply(root["message_id"], nil).obj
	want(t, "parent", r["parent_message_id"], root["message_id"])
	want(t, "in the channel too", reply(root["message_id"], obj{"reply_to_channel": true}).obj["is_reply_to_channel"], true)
	want(t, "reply to a reply", reply(r["message_id"], nil).obj["code"], 400111)
	want(t, "admin reply", reply(root["message_id"], obj{"message_type": "ADMM"}).obj["code"], 400111)
	for mode, n := range map[string]int{"": 1, "NONE": 1, "ONLY_REPLY_TO_CHANNEL": 2, "ALL": 3} {
		got := w.ok("GET", ch+"/messages?message_ts=0&include_reply_type="+mode, nil)["messages"].([]any)
		want(t, "listed with "+mode, len(got), n)
	}
	info := w.ok("GET", fmt.Sprint(ch, "/messages/", root["message_id"], "?include_thread_info=true"), nil)["thread_info"]
	want(t, "replies", dig(info, "reply_count"), 2)
	want(t, "who", dig(info, "most_replies", 0, "user_id"), "bob")
	got := w.ok("GET", fmt.Sprint(ch, "/messages/", r["message_id"], "?include_parent_message_info=true"), nil)
	want(t, "parent's text", dig(got, "parent_message_info", "message"), "root")
	want(t, "in the webhook", w.hooks("group_channel:message_send")[1]["parent_message_id"], root["message_id"])
}

func TestReactionsAndArrays(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	m := w.say(ch, "ana", "hi")
	one := fmt.Sprint(ch, "/messages/", m["message_id"])
	added := w.ok("POST", one+"/reactions", obj{"user_id": "bob", "reaction": "heart"})
	want(t, "keys", keys(added), "msg_id operation reaction success updated_at user_id")
	hook := w.oneHook("group_channel:reaction_add")
	want(t, "keys of the event", keys(hook), "app_id category channel message reaction ts user")
	want(t, "whose message", dig(hook, "message", "sender_id"), "ana")
	want(t, "user", keys(hook["user"].(map[string]any)), "nickname profile_url user_id")
	want(t, "list", fmt.Sprint(w.ok("GET", one+"?include_reactions=true", nil)["reactions"].([]any)[0].(map[string]any)["user_ids"]), "[bob]")
	w.refused("POST", one+"/reactions", obj{"user_id": "bob", "reaction": "heart"}, 400, 400202)
	w.ok("DELETE", one+"/reactions?user_id=bob&reaction=heart", nil)
	want(t, "removed", w.oneHook("group_channel:reaction_delete")["reaction"], "heart")
	w.refused("DELETE", one+"/reactions?user_id=bob&reaction=heart", nil, 400, 400201)

	base := one + "/sorted_metaarray"
	w.ok("POST", base, obj{"sorted_metaarray": []obj{{"key": "z", "value": []string{"2", "1"}}, {"key": "a", "value": []string{}}}})
	got := w.ok("PUT", base, obj{"sorted_metaarray": []obj{{"key": "z", "value": []string{"1", "3"}}}, "mode": "add"})
	want(t, "added", fmt.Sprint(got["sorted_metaarray"]), "[map[key:z value:[2 1 3]] map[key:a value:[]]]")
	got = w.ok("PUT", base, obj{"sorted_metaarray": []obj{{"key": "z", "value": []string{"2"}}}, "mode": "remove"})
	want(t, "taken", fmt.Sprint(dig(got, "sorted_metaarray", 0, "value")), "[1 3]")
	w.refused("PUT", base, obj{"sorted_metaarray": []obj{{"key": "n", "value": []string{"2"}}}}, 400, 400201)
	w.ok("PUT", base, obj{"sorted_metaarray": []obj{{"key": "n", "value": []string{"2"}}}, "upsert": true})
	w.ok("DELETE", base+"?keys=z,n", nil)
	want(t, "left", len(w.ok("GET", one+"?with_sorted_meta_array=true", nil)["sorted_metaarray"].([]any)), 1)
}

func TestMarks(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob", "cyd")
	m := w.say(ch, "ana", "one")
	receipts := func() map[string]any {
		return w.ok("GET", ch+"?show_read_receipt=true&show_delivery_receipt=true", nil)
	}
	got := receipts()
	want(t, "only the sender has delivery", keys(got["delivery_receipt"].(map[string]any)), "ana")
	want(t, "everybody has read", keys(got["read_receipt"].(map[string]any)), "ana bob cyd")
	if _, there := w.ok("GET", ch, nil)["read_receipt"]; there {
		t.Error("receipts without being asked for")
	}

	first := w.ok("PUT", ch+"/messages/mark_as_delivered", obj{"user_id": "bob"})
	if num(first["ts"]) < num(m["created_at"]) {
		t.Errorf("ts %v", first["ts"])
	}
	want(t, "not moved", string(w.do("PUT", ch+"/messages/mark_as_delivered", obj{"user_id": "bob", "ts": m["created_at"]}).raw), "{}")
	want(t, "delivered", dig(receipts(), "delivery_receipt", "bob"), first["ts"])
	members := w.ok("GET", ch+"/members?show_read_receipt=true&show_delivery_receipt=true", nil)
	want(t, "in the list", dig(members, "members", 1, "delivered_ts"), first["ts"])
	want(t, "unread in the list", dig(members, "members", 1, "read_ts"), 0)

	two := w.say(ch, "ana", "two")
	w.ok("PUT", ch+"/messages/mark_as_read", obj{"user_id": "cyd", "timestamp": m["created_at"]})
	want(t, "no event with one unread", len(w.hooks("group_channel:message_read")), 0)
	want(t, "deprecated timestamp", dig(receipts(), "read_receipt", "cyd"), m["created_at"])
	want(t, "answer", string(w.do("PUT", ch+"/messages/mark_as_read", obj{"user_id": "cyd"}).raw), "{}")
	hook := w.oneHook("group_channel:message_read")
	want(t, "keys", keys(hook), "app_id category channel members read_updates")
	want(t, "update", keys(dig(hook, "read_updates", 0).(map[string]any)), "channel_unread_message_count read_ts total_unread_message_count user_id")
	want(t, "who", dig(hook, "read_updates", 0, "user_id"), "cyd")
	w.ok("PUT", ch+"/messages/mark_as_read", obj{"user_id": "cyd"})
	want(t, "nothing was unread", len(w.hooks("group_channel:message_read")), 1)
	if ts := num(dig(receipts(), "delivery_receipt", "cyd")); ts < num(two["created_at"]) {
		t.Error("what is read is not delivered")
	}

	w.user("dan")
	w.refused("PUT", ch+"/messages/mark_as_read", obj{"user_id": "dan"}, 400, 400108)
	w.refused("PUT", ch+"/messages/mark_as_delivered", obj{}, 400, 400105)

	w.ok("PUT", "/v3/users/bob/mark_as_read_all", obj{"channel_urls": []string{"other"}})
	want(t, "another channel", dig(w.ok("GET", ch+"/messages/unread_count", nil), "unread", "bob"), 2)
	want(t, "answer", string(w.do("PUT", "/v3/users/bob/mark_as_read_all", nil).raw), "{}")
	want(t, "all read", dig(w.ok("GET", ch+"/messages/unread_count", nil), "unread", "bob"), 0)
	want(t, "event", len(w.hooks("group_channel:message_read")), 2)
}

// TestMarkCoversNothingLater: a mark made before a message never covers it, even within one millisecond.
func TestMarkCoversNothingLater(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	w.say(ch, "ana", "one")
	w.ok("PUT", ch+"/messages/mark_as_read", obj{"user_id": "bob"})
	w.say(ch, "ana", "two")
	want(t, "unread", dig(w.ok("GET", ch+"/messages/unread_count", nil), "unread", "bob"), 1)
}

func TestDeliveryFeatureOff(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Switches.NoDeliveryReceipts = true })
	ch := w.channel("room1", "ana", "bob")
	w.say(ch, "ana", "one")
	want(t, "answer", string(w.do("PUT", ch+"/messages/mark_as_delivered", obj{"user_id": "bob"}).raw), "{}")
	want(t, "no marks", len(w.ok("GET", ch+"?show_delivery_receipt=true", nil)["delivery_receipt"].(map[string]any)), 0)
}

func TestSupergroup(t *testing.T) {
	w := newWorld(t)
	w.user("ana", "bob")
	w.ok("POST", "/v3/group_channels", obj{"channel_url": "big1", "user_ids": []string{"ana", "bob"}, "is_super": true})
	w.say("/v3/group_channels/big1", "ana", "hi")
	for _, h := range w.hooks("") {
		if _, there := h["members"]; there {
			t.Errorf("%v carries members", h["category"])
		}
	}
	got := w.ok("GET", "/v3/group_channels/big1?show_read_receipt=true&show_delivery_receipt=true", nil)
	if got["read_receipt"] != nil || got["delivery_receipt"] != nil {
		t.Error("a supergroup shows receipts")
	}
}
