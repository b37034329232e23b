package sendbird

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestUserLifecycle(t *testing.T) {
	w := newWorld(t)
	made := w.ok("POST", "/v3/users", obj{"user_id": "ana", "nickname": "Ana", "profile_url": "", "metadata": obj{"team": "blue"},
		"issue_access_token": true, "discovery_keys": []string{"k"}})
	want(t, "keys", keys(made), "access_token created_at discovery_keys has_ever_logged_in is_active is_created "+
		"is_hide_me_from_friends is_online is_shadow_blocked last_seen_at locale metadata nickname phone_number "+
		"preferred_languages profile_url require_auth_for_profile_image session_tokens user_id")
	for k, v := range (obj{"is_created": true, "is_online": false, "is_active": true, "last_seen_at": -1, "has_ever_logged_in": false}) {
		want(t, k, made[k], v)
	}
	want(t, "token", len(made["access_token"].(string)), 40)
	want(t, "created_at in seconds", made["created_at"], 1_700_000_000)

	got := w.ok("GET", "/v3/users/ana", nil)
	if _, there := got["is_created"]; there {
		t.Error("is_created is shown again")
	}
	got = w.ok("PUT", "/v3/users/ana", obj{"nickname": "Anna", "profile_url": "https://x.example/p", "preferred_languages": []string{"de"}})
	want(t, "nickname", got["nickname"], "Anna")
	want(t, "languages", got["preferred_languages"], "[de]")
	w.ok("DELETE", "/v3/users/ana", nil)
	w.refused("GET", "/v3/users/ana", nil, 400, 400201)
}

// TestAwkwardIDs: user ids hold anything, percent-encoded in paths, on the control plane too.
func TestAwkwardIDs(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"name@host.example", "a b", "a/b", "ü%", "x+y", "."} {
		w.ok("POST", "/v3/users", obj{"user_id": id, "nickname": "N", "profile_url": ""})
		esc := url.PathEscape(id)
		if id == "." {
			esc = "%2E"
		}
		want(t, id, w.ok("GET", "/v3/users/"+esc, nil)["user_id"], id)
		if id != "." {
			w.ok("PUT", "/_emulator/users/"+esc+"/presence", obj{"online": true})
		}
	}
}

func TestPresence(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	w.say(ch, "ana", "one")
	w.ok("PUT", "/v3/users/bob", obj{"nickname": "B"})
	w.ok("PUT", ch+"/messages/mark_as_read", obj{"user_id": "bob"})
	u := w.ok("GET", "/v3/users/bob", nil)
	want(t, "online by API calls", u["is_online"], false)
	want(t, "ever logged in", u["has_ever_logged_in"], false)

	w.ok("PUT", "/_emulator/users/bob/presence", obj{"online": true})
	u = w.ok("GET", "/v3/users/bob", nil)
	want(t, "online", u["is_online"], true)
	want(t, "seen while online", u["last_seen_at"], 0)
	want(t, "ever logged in", u["has_ever_logged_in"], true)
	second := w.say(ch, "ana", "two")
	got := w.ok("GET", ch+"?show_delivery_receipt=true", nil)
	want(t, "delivered at once", dig(got, "delivery_receipt", "bob"), second["created_at"])

	w.ok("PUT", "/_emulator/users/bob/presence", obj{"online": false})
	u = w.ok("GET", "/v3/users/bob", nil)
	if num(u["last_seen_at"]) < 1_700_000_000_123 {
		t.Errorf("last_seen_at %v", u["last_seen_at"])
	}
	w.refused("PUT", "/_emulator/users/nobody/presence", obj{"online": true}, 400, 400201)
}

func TestUserLists(t *testing.T) {
	w := newWorld(t)
	var ids []string
	for i := range 25 {
		id := fmt.Sprintf("u%02d", i)
		ids = append(ids, id)
		w.user(id)
	}
	first := w.ok("GET", "/v3/users", nil)
	want(t, "default page", len(first["users"].([]any)), 10)
	var all []string
	token := ""
	for range 5 {
		page := w.ok("GET", "/v3/users?limit=7&token="+url.QueryEscape(token), nil)
		for _, u := range page["users"].([]any) {
			all = append(all, dig(u, "user_id").(string))
		}
		if token = page["next"].(string); token == "" {
			break
		}
	}
	want(t, "paged", strings.Join(all, " "), strings.Join(ids, " "))

	w.ok("PUT", "/v3/users/u03", obj{"is_active": false})
	w.ok("POST", "/v3/users/u04/metadata", obj{"metadata": obj{"team": "blue"}})
	for query, found := range map[string]string{
		"user_ids=u01,u02,none":                   "u01 u02",
		"user_ids=u03":                            "",
		"user_ids=u03&active_mode=deactivated":    "u03",
		"user_ids=u03&active_mode=all":            "u03",
		"nickname=U07":                            "u07",
		"nickname_startswith=u2":                  "u20 u21 u22 u23 u24",
		"metadatakey=team":                        "u04",
		"metadatakey=team&metadatavalues_in=red":  "",
		"metadatakey=team&metadatavalues_in=blue": "u04",
	} {
		var got []string
		for _, u := range w.ok("GET", "/v3/users?"+query, nil)["users"].([]any) {
			got = append(got, dig(u, "user_id").(string))
		}
		want(t, query, strings.Join(got, " "), found)
	}
}

func TestMetadata(t *testing.T) {
	for name, base := range map[string]string{"user": "/v3/users/ana/metadata", "channel": "/v3/group_channels/room1/metadata"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.channel("room1", "ana")
			want(t, "bare map", string(w.do("POST", base, obj{"metadata": obj{"a": "1"}}).raw), `{"a":"1"}`)
			w.refused("POST", base, obj{"metadata": obj{"a": "2"}}, 400, 400202)
			want(t, "no upsert", string(w.do("PUT", base, obj{"metadata": obj{"b": "2"}}).raw), `{}`)
			want(t, "upsert", string(w.do("PUT", base, obj{"metadata": obj{"b": "2", "a": "3"}, "upsert": true}).raw), `{"a":"3","b":"2"}`)
			want(t, "all", string(w.do("GET", base, nil).raw), `{"a":"3","b":"2"}`)
			want(t, "some", string(w.do("GET", base+"?keys=b,c", nil).raw), `{"b":"2"}`)
			want(t, "one", string(w.do("GET", base+"/b", nil).raw), `{"b":"2"}`)
			w.refused("PUT", base+"/c", obj{"value": "x"}, 400, 400201)
			want(t, "one upserted", string(w.do("PUT", base+"/c", obj{"value": "x", "upsert": true}).raw), `{"c":"x"}`)
			w.ok("DELETE", base+"/c", nil)
			w.refused("GET", base+"/c", nil, 400, 400201)
			w.refused("DELETE", base+"/c", nil, 400, 400201)
			w.refused("POST", base, obj{"metadata": obj{"a,b": "x"}}, 400, 400151)
			w.refused("POST", base, obj{"metadata": obj{strings.Repeat("k", 129): "x"}}, 400, 400110)
			w.refused("POST", base, obj{"metadata": obj{"k": strings.Repeat("v", 191)}}, 400, 400110)
			w.refused("POST", base, obj{"metadata": obj{"k": 5}}, 400, 400100)
			w.refused("POST", base, obj{"metadata": obj{"c": "", "d": "", "e": "", "f": ""}}, 400, 400203)
			w.refused("POST", base, obj{}, 400, 400105)
			want(t, "cleared", string(w.do("DELETE", base, nil).raw), `{}`)
			want(t, "empty", string(w.do("GET", base, nil).raw), `{}`)
		})
	}
}

func TestDeactivation(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob", "cyd")
	w.ok("PUT", "/v3/users/bob", obj{"is_active": false, "leave_all_when_deactivated": false})
	w.refused("POST", ch+"/messages", obj{"message_type": "MESG", "user_id": "bob", "message": "x"}, 400, 400300)
	w.refused("PUT", ch+"/messages/mark_as_read", obj{"user_id": "bob"}, 400, 400300)
	want(t, "still a member", w.ok("GET", ch+"/members/bob", nil)["is_member"], true)
	want(t, "not listed", len(w.ok("GET", ch+"/members", nil)["members"].([]any)), 2)
	want(t, "listed on demand", len(w.ok("GET", ch+"/members?member_active_mode_filter=all", nil)["members"].([]any)), 3)
	want(t, "inline", len(w.ok("GET", ch+"?show_member=true", nil)["members"].([]any)), 3)
	want(t, "inline activated", len(w.ok("GET", ch+"?show_member=true&member_active_mode=activated", nil)["members"].([]any)), 2)

	w.ok("PUT", "/v3/users/cyd", obj{"is_active": false})
	want(t, "left", w.ok("GET", ch+"/members/cyd", nil)["state"], "none")
	want(t, "who left", dig(w.oneHook("group_channel:leave"), "users", 0, "user_id"), "cyd")
}

func TestBlocking(t *testing.T) {
	w := newWorld(t)
	w.channel("room1", "ana", "bob", "cyd")
	w.forget()
	w.ok("POST", "/v3/users/bob/block", obj{"target_id": "ana"})
	hook := w.oneHook("user:block")
	want(t, "blocker", dig(hook, "blocker", "user_id"), "bob")
	want(t, "blockee", dig(hook, "blockee", "user_id"), "ana")
	want(t, "list", dig(w.ok("GET", "/v3/users/bob/block", nil), "users", 0, "user_id"), "ana")
	want(t, "blocked by", dig(w.ok("GET", "/v3/users/ana/block?list=blocked_by_users", nil), "users", 0, "user_id"), "bob")

	w.say("/v3/group_channels/room1", "ana", "hi")
	sent := w.oneHook("group_channel:message_send")
	want(t, "bob blocks the sender", dig(sent, "members", 1, "is_blocking_sender"), true)
	want(t, "cyd does not", dig(sent, "members", 2, "is_blocking_sender"), false)
	m := w.ok("GET", "/v3/group_channels/room1/members?user_id=ana&limit=100", nil)
	want(t, "bob in ana's eyes", dig(m, "members", 1, "is_blocking_me"), true)

	w.ok("DELETE", "/v3/users/bob/block/ana", nil)
	want(t, "unblocker", dig(w.oneHook("user:unblock"), "unblocker", "user_id"), "bob")
	w.refused("DELETE", "/v3/users/bob/block/ana", nil, 400, 400201)
	w.refused("POST", "/v3/users/bob/block", obj{}, 400, 400105)
	w.refused("POST", "/v3/users/bob/block", obj{"target_id": "nobody"}, 400, 400201)

	w.channel("pair1", "ana", "bob")
	w.ok("POST", "/v3/users/bob/block", obj{"target_id": "ana"})
	w.ok("PUT", "/_emulator/switches", obj{"blocked_code": 400700})
	w.refused("POST", "/v3/group_channels/pair1/messages", obj{"message_type": "MESG", "user_id": "ana", "message": "x"}, 400, 400700)
}
