package sendbird

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestCreateGroupChannel(t *testing.T) {
	w := newWorld(t)
	w.user("ana", "bob", "cyd")
	ch := w.ok("POST", "/v3/group_channels", obj{"name": "Support", "user_ids": []string{"ana", "bob", "bob", "nobody"},
		"inviter_id": "ana", "operator_ids": []string{"ana"}, "data": "d", "custom_type": "c"})
	link := ch["channel_url"].(string)
	if !regexp.MustCompile(`^sendbird_group_channel_[0-9]{8}_[0-9a-f]{40}$`).MatchString(link) || len(link) != 72 {
		t.Errorf("channel_url %q", link)
	}
	for k, v := range (obj{"name": "Support", "created_at": 1_700_000_000, "member_count": 2, "joined_member_count": 2,
		"max_length_message": -1, "freeze": false, "is_super": false, "is_created": true, "last_message": nil}) {
		want(t, k, ch[k], v)
	}
	want(t, "legacy copy", dig(ch, "channel", "channel_url"), link)
	want(t, "inviter", dig(ch, "created_by", "user_id"), "ana")
	want(t, "members", len(ch["members"].([]any)), 2)
	want(t, "role", dig(ch, "members", 0, "role"), "operator")
	want(t, "role", dig(ch, "members", 1, "role"), "none")

	created := w.oneHook("group_channel:create")
	want(t, "keys of create", keys(created), "app_id category channel created_at inviter members")
	want(t, "whole seconds", num(created["created_at"])%1000, 0)
	joined := w.oneHook("group_channel:join")
	want(t, "who joined", len(joined["users"].([]any)), 2)
	want(t, "inviter", dig(joined, "users", 1, "inviter", "user_id"), "ana")
	want(t, "invites", len(w.hooks("group_channel:invite")), 0)

	w.ok("POST", "/v3/group_channels", obj{"channel_url": "own_url-1", "users": []obj{{"user_id": "ana"}}})
	w.refused("POST", "/v3/group_channels", obj{"channel_url": "own_url-1", "user_ids": []string{"ana"}}, 400, 400202)
	w.refused("POST", "/v3/group_channels", obj{"user_ids": []string{"ana"}, "inviter_id": "nobody"}, 400, 400201)
}

func TestDistinctChannel(t *testing.T) {
	w := newWorld(t)
	w.user("ana", "bob")
	a := w.ok("POST", "/v3/group_channels", obj{"user_ids": []string{"ana", "bob"}, "is_distinct": true})
	b := w.ok("POST", "/v3/group_channels", obj{"user_ids": []string{"bob", "ana"}, "is_distinct": true})
	want(t, "same members", b["channel_url"], a["channel_url"])
	want(t, "is_created", b["is_created"], false)
	c := w.ok("POST", "/v3/group_channels", obj{"user_ids": []string{"bob", "ana"}, "is_distinct": true, "custom_type": "x"})
	if c["channel_url"] == a["channel_url"] {
		t.Error("another type, the same channel")
	}
	want(t, "create events", len(w.hooks("group_channel:create")), 2)
}

func TestUpdateFreezeDelete(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	w.forget()
	got := w.ok("PUT", ch, obj{"name": "New", "data": "d"})
	want(t, "name", got["name"], "New")
	hook := w.oneHook("group_channel:changed")
	want(t, "changes", fmt.Sprint(hook["changes"]), "[map[key:name new:New old:Support] map[key:data new:d old:]]")
	w.ok("PUT", ch, obj{"name": "New"})
	want(t, "no change, no event", len(w.hooks("group_channel:changed")), 1)

	w.refused("PUT", ch+"/freeze", obj{}, 400, 400105)
	w.ok("PUT", ch+"/freeze", obj{"freeze": true})
	w.ok("PUT", ch+"/freeze", obj{"freeze": true})
	want(t, "frozen", w.ok("GET", ch, nil)["freeze"], true)
	want(t, "keys", keys(w.oneHook("group_channel:freeze_unfreeze")), "app_id category channel freeze members")

	want(t, "delete", string(w.do("DELETE", ch, nil).raw), "{}")
	want(t, "keys of remove", keys(w.oneHook("group_channel:remove")), "app_id category channel removed_at")
	w.refused("GET", ch, nil, 400, 400201)
}

func TestMemberPages(t *testing.T) {
	w := newWorld(t)
	var ids []string
	for i := range 60 {
		ids = append(ids, fmt.Sprintf("u%02d", i))
	}
	ch := w.channel("room1", ids...)
	var got []string
	token := ""
	for pages := 0; ; pages++ {
		if pages > 10 {
			t.Fatal("no end")
		}
		p := w.ok("GET", ch+"/members?limit=25&show_read_receipt=true&show_delivery_receipt=true&token="+url.QueryEscape(token), nil)
		for _, m := range p["members"].([]any) {
			got = append(got, dig(m, "user_id").(string))
			want(t, "state", dig(m, "state"), "joined")
		}
		if token = p["next"].(string); token == "" {
			break
		}
		if pages == 0 { // someone leaves between pages: nobody is skipped
			w.ok("PUT", ch+"/leave", obj{"user_ids": []string{"u03"}})
		}
	}
	want(t, "all", strings.Join(got, " "), strings.Join(ids, " "))
	want(t, "default page", len(w.ok("GET", ch+"/members", nil)["members"].([]any)), 10)
}

func TestMemberFilters(t *testing.T) {
	w := newWorld(t)
	w.user("ana", "bob", "cyd", "dan")
	w.ok("POST", "/v3/group_channels", obj{"channel_url": "room1", "user_ids": []string{"dan", "cyd", "bob", "ana"}, "operator_ids": []string{"dan"},
		"invitation_status": obj{"bob": "invited_by_friend", "cyd": "invited_by_non_friend"}})
	ch := "/v3/group_channels/room1"
	w.ok("POST", ch+"/mute", obj{"user_id": "ana", "seconds": 60, "description": "loud"})
	for query, found := range map[string]string{
		"":                                      "ana bob cyd dan",
		"member_state_filter=joined_only":       "ana dan",
		"member_state_filter=invited_only":      "bob cyd",
		"member_state_filter=invited_by_friend": "bob",
		"member_state_filter=invited_by_non_friend": "cyd",
		"operator_filter=operator":                  "dan",
		"operator_filter=nonoperator":               "ana bob cyd",
		"order=operator_then_member_alphabetical":   "dan ana bob cyd",
		"muted_member_filter=muted":                 "ana",
		"muted_member_filter=unmuted":               "bob cyd dan",
		"nickname_startswith=c":                     "cyd",
	} {
		var got []string
		for _, m := range w.ok("GET", ch+"/members?limit=100&"+query, nil)["members"].([]any) {
			got = append(got, dig(m, "user_id").(string))
		}
		want(t, query, strings.Join(got, " "), found)
	}
	muted := dig(w.ok("GET", ch+"/members?muted_member_filter=muted&show_member_is_muted=true&include_push_preference=true", nil), "members", 0)
	want(t, "description", dig(muted, "muted_description"), "loud")
	want(t, "push", dig(muted, "push_trigger_option"), "default")
	want(t, "is_member of invited", w.ok("GET", ch+"/members/bob", nil)["is_member"], false)
	want(t, "state of invited", w.ok("GET", ch+"/members/bob", nil)["state"], "invited")
}

func TestMembership(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana")
	w.user("bob", "cyd")
	w.forget()

	w.ok("POST", ch+"/invite", obj{"user_ids": []string{"bob"}, "inviter_id": "ana"})
	invited := w.oneHook("group_channel:invite")
	want(t, "invitee", dig(invited, "invitees", 0, "user_id"), "bob")
	want(t, "inviter", dig(invited, "inviter", "user_id"), "ana")
	want(t, "joined at once", dig(w.oneHook("group_channel:join"), "users", 0, "user_id"), "bob")
	w.ok("POST", ch+"/invite", obj{"user_ids": []string{"bob"}})
	want(t, "again, no event", len(w.hooks("group_channel:invite")), 1)
	w.refused("POST", ch+"/invite", obj{}, 400, 400105)
	w.refused("POST", ch+"/invite", obj{"user_ids": []string{"nobody"}}, 400, 400201)

	w.ok("PUT", "/_emulator/switches", obj{"invite_by_acceptance": true})
	w.ok("POST", ch+"/invite", obj{"user_ids": []string{"cyd"}, "inviter_id": "ana"})
	want(t, "waits", w.ok("GET", ch+"/members/cyd", nil)["state"], "invited")
	w.refused("POST", ch+"/messages", obj{"message_type": "MESG", "user_id": "cyd", "message": "x"}, 400, 400108)
	w.ok("PUT", ch+"/decline", obj{"user_id": "cyd"})
	want(t, "declined", dig(w.oneHook("group_channel:decline_invite"), "users", 0, "user_id"), "cyd")
	w.ok("POST", ch+"/invite", obj{"user_ids": []string{"cyd"}, "inviter_id": "ana"})
	w.ok("PUT", ch+"/accept", obj{"user_id": "cyd"})
	want(t, "accepted", w.ok("GET", ch+"/members/cyd", nil)["state"], "joined")

	w.say(ch, "ana", "one")
	w.forget()
	w.ok("PUT", ch+"/leave", obj{"user_ids": []string{"bob"}})
	left := w.oneHook("group_channel:leave")
	want(t, "who left", dig(left, "users", 0, "user_id"), "bob")
	want(t, "his unread", dig(left, "users", 0, "channel_unread_message_count"), 1)
	want(t, "who remains", len(left["members"].([]any)), 2)
	w.refused("PUT", ch+"/leave", obj{}, 400, 400105)
	w.ok("PUT", ch+"/leave", obj{"should_leave_all": true})
	want(t, "nobody left", w.ok("GET", ch, nil)["member_count"], 0)

	w.refused("PUT", ch+"/join", obj{"user_id": "bob"}, 400, 400108)
	w.ok("PUT", ch, obj{"is_public": true, "access_code": "s3"})
	w.refused("PUT", ch+"/join", obj{"user_id": "bob"}, 400, 400111)
	w.ok("PUT", ch+"/join", obj{"user_id": "bob", "access_code": "s3"})
	want(t, "joined", w.ok("GET", ch+"/members/bob", nil)["is_member"], true)
}

func TestMemberLimit(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Webhook = Webhook{} })
	var ids []string
	for i := range 101 {
		ids = append(ids, fmt.Sprintf("u%03d", i))
	}
	w.user(ids...)
	w.ok("POST", "/v3/group_channels", obj{"channel_url": "full", "user_ids": ids[:100]})
	w.refused("POST", "/v3/group_channels/full/invite", obj{"user_ids": ids[100:]}, 400, 400203)
	w.ok("POST", "/v3/group_channels", obj{"channel_url": "superb", "user_ids": ids[:100], "is_super": true})
	w.ok("POST", "/v3/group_channels/superb/invite", obj{"user_ids": ids[100:]})
	want(t, "inline members", len(w.ok("GET", "/v3/group_channels/superb?show_member=true", nil)["members"].([]any)), 100)
	want(t, "count", w.ok("GET", "/v3/group_channels/superb", nil)["member_count"], 101)
}

func TestModeration(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob", "cyd")
	mute := w.ok("POST", ch+"/mute", obj{"user_id": "bob", "seconds": 60})
	want(t, "answer is the channel", mute["channel_url"], "room1")
	got := w.ok("GET", ch+"/mute/bob", nil)
	want(t, "muted", got["is_muted"], true)
	if d := num(got["remaining_duration"]); d <= 0 || d > 60_000 {
		t.Errorf("remaining_duration %d", d)
	}
	want(t, "list", dig(w.ok("GET", ch+"/mute", nil), "muted_list", 0, "user_id"), "bob")
	w.say(ch, "bob", "the API is let through")
	w.refused("POST", "/_emulator/users/bob/channels/room1/messages", obj{"message": "x"}, 400, 900041)
	w.ok("PUT", "/_emulator/switches", obj{"muted_code": 900041})
	w.refused("POST", ch+"/messages", obj{"message_type": "MESG", "user_id": "bob", "message": "x"}, 400, 900041)
	w.ok("PUT", "/_emulator/clock", obj{"advance_ms": 61_000})
	w.say(ch, "bob", "over")
	w.ok("POST", ch+"/mute", obj{"user_id": "bob"})
	w.ok("DELETE", ch+"/mute/bob", nil)
	want(t, "lifted", w.ok("GET", ch+"/mute/bob", nil)["is_muted"], false)
	w.refused("POST", ch+"/mute", obj{"user_id": "bob", "description": strings.Repeat("x", 251)}, 400, 400110)

	ban := w.ok("POST", ch+"/ban", obj{"user_id": "bob", "seconds": -1, "description": "bad"})
	want(t, "ten years", num(ban["end_at"])-num(ban["start_at"]), int64(10*365*24*3600*1000))
	want(t, "keys", keys(ban), "description end_at start_at user")
	want(t, "gone", w.ok("GET", ch+"/members/bob", nil)["state"], "none")
	w.refused("POST", ch+"/invite", obj{"user_ids": []string{"bob"}}, 400, 400750)
	want(t, "list", dig(w.ok("GET", ch+"/ban", nil), "banned_list", 0, "user", "user_id"), "bob")
	w.refused("POST", ch+"/messages", obj{"message_type": "MESG", "user_id": "bob", "message": "x"}, 400, 400108)
	w.refused("POST", "/_emulator/users/bob/channels/room1/messages", obj{"message": "x"}, 400, 900100)
	w.ok("DELETE", ch+"/ban/bob", nil)
	w.refused("GET", ch+"/ban/bob", nil, 400, 400201)
	w.refused("DELETE", ch+"/ban/bob", nil, 400, 400201)

	w.ok("PUT", ch+"/freeze", obj{"freeze": true})
	w.say(ch, "ana", "the API is let through")
	w.refused("POST", "/_emulator/users/ana/channels/room1/messages", obj{"message": "x"}, 400, 900050)
	w.ok("POST", ch+"/operators", obj{"operator_ids": []string{"ana"}})
	want(t, "registered", dig(w.oneHook("operators:register_by_operator"), "operators", 0, "user_id"), "ana")
	w.ok("POST", "/_emulator/users/ana/channels/room1/messages", obj{"message": "operators may"})
	want(t, "operators", dig(w.ok("GET", ch+"/operators", nil), "operators", 0, "user_id"), "ana")
	w.ok("DELETE", ch+"/operators?operator_ids=ana", nil)
	want(t, "unregistered", len(w.hooks("operators:unregister_by_operator")), 1)
}

func TestChannelLists(t *testing.T) {
	w := newWorld(t)
	w.channel("room1", "ana", "bob")
	w.channel("room2", "ana")
	w.ok("PUT", "/v3/group_channels/room2", obj{"name": "Billing", "custom_type": "money"})
	w.ok("POST", "/v3/group_channels", obj{"channel_url": "big1", "user_ids": []string{"ana"}, "is_super": true, "name": "Big"})
	w.say("/v3/group_channels/room1", "ana", "hi")
	for query, found := range map[string]string{
		"":                "room1",
		"show_empty=true": "big1 room2 room1",
		"show_empty=true&order=channel_name_alphabetical":          "big1 room2 room1",
		"show_empty=true&order=latest_last_message":                "room1 big1 room2",
		"show_empty=true&custom_types=money":                       "room2",
		"show_empty=true&super_mode=super":                         "big1",
		"show_empty=true&super_mode=nonsuper":                      "room2 room1",
		"show_empty=true&name_contains=ILL":                        "room2",
		"show_empty=true&name=Big":                                 "big1",
		"show_empty=true&members_exactly_in=ana,bob":               "room1",
		"show_empty=true&members_include_in=ana,bob":               "room1",
		"show_empty=true&members_include_in=ana,bob&query_type=OR": "big1 room2 room1",
		"show_empty=true&members_nickname=Bob":                     "room1",
		"show_empty=true&channel_urls=room2,big1":                  "big1 room2",
		"show_empty=true&public_mode=public":                       "",
		"show_empty=true&distinct_mode=distinct":                   "",
	} {
		var got []string
		for _, ch := range w.ok("GET", "/v3/group_channels?"+query, nil)["channels"].([]any) {
			got = append(got, dig(ch, "channel_url").(string))
		}
		want(t, query, strings.Join(got, " "), found)
	}
	page := w.ok("GET", "/v3/group_channels?show_empty=true&limit=2", nil)
	rest := w.ok("GET", "/v3/group_channels?show_empty=true&limit=2&token="+page["next"].(string), nil)
	want(t, "second page", dig(rest, "channels", 0, "channel_url"), "room1")
	want(t, "end", rest["next"], "")

	mine := w.ok("GET", "/v3/users/bob/my_group_channels?unread_filter=unread_message&show_member=true", nil)
	want(t, "bob's", dig(mine, "channels", 0, "unread_message_count"), 1)
	want(t, "count", w.ok("GET", "/v3/users/ana/group_channel_count", nil)["group_channel_count"], 3)
	w.ok("PUT", "/v3/users/ana/my_group_channels/leave", obj{"custom_type": "money"})
	want(t, "count", w.ok("GET", "/v3/users/ana/group_channel_count", nil)["group_channel_count"], 2)
}

func TestCounters(t *testing.T) {
	w := newWorld(t)
	base := w.channel("room1", "ana") + "/metacounter"
	want(t, "made", string(w.do("POST", base, obj{"metacounter": obj{"likes": 3}}).raw), `{"likes":3}`)
	w.refused("POST", base, obj{"metacounter": obj{"likes": 3}}, 400, 400202)
	w.refused("POST", base, obj{"metacounter": obj{"x": "3"}}, 400, 400101)
	want(t, "up", string(w.do("PUT", base, obj{"metacounter": obj{"likes": 2}, "mode": "increase"}).raw), `{"likes":5}`)
	want(t, "down", string(w.do("PUT", base+"/likes", obj{"value": 1, "mode": "decrease"}).raw), `{"likes":4}`)
	want(t, "set", string(w.do("PUT", base, obj{"metacounter": obj{"n": 2}, "upsert": true}).raw), `{"n":2}`)
	want(t, "all", string(w.do("GET", base, nil).raw), `{"likes":4,"n":2}`)
	want(t, "one", string(w.do("GET", base+"/n", nil).raw), `{"n":2}`)
	w.ok("DELETE", base+"/n", nil)
	w.refused("GET", base+"/n", nil, 400, 400201)
	w.ok("DELETE", base, nil)
	want(t, "none", string(w.do("GET", base, nil).raw), `{}`)
}

func TestTypingAndHiding(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	w.forget()
	w.ok("POST", ch+"/typing", obj{"user_ids": []string{"ana"}})
	want(t, "typing", dig(w.ok("GET", "/_emulator/state", nil), "channels", 0, "members", 0, "is_typing"), true)
	w.ok("DELETE", ch+"/typing", obj{"user_ids": []string{"ana"}})
	want(t, "no event", len(w.hooks("")), 0)

	w.ok("PUT", ch+"/hide", obj{"user_id": "bob", "allow_auto_unhide": false})
	for mode, shown := range map[string]int{"": 0, "unhidden_only": 0, "hidden_only": 1, "hidden_allow_auto_unhide": 0, "hidden_prevent_auto_unhide": 1, "all": 1} {
		path := "/v3/users/bob/my_group_channels"
		if mode != "" {
			path += "?hidden_mode=" + mode
		}
		want(t, "channels in hidden_mode "+mode, len(w.ok("GET", path, nil)["channels"].([]any)), shown)
	}
	w.say(ch, "ana", "one")
	want(t, "stays hidden", dig(w.oneHook("group_channel:message_send"), "members", 1, "is_hidden"), 2)
	w.ok("PUT", ch+"/hide", obj{"user_id": "bob"})
	w.ok("POST", ch+"/messages", obj{"message_type": "MESG", "user_id": "ana", "message": "s", "is_silent": true})
	want(t, "silence hides on", dig(w.hooks("group_channel:message_send")[1], "members", 1, "is_hidden"), 1)
	w.say(ch, "ana", "two")
	want(t, "shown again", dig(w.hooks("group_channel:message_send")[2], "members", 1, "is_hidden"), 0)
	w.ok("PUT", ch+"/hide", obj{"user_id": "bob"})
	w.ok("DELETE", ch+"/hide?user_id=bob", nil)
}
