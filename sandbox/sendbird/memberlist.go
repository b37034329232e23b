package sendbird

import (
	"sort"
	"strings"
)

// memberView says what a member resource shows besides the user.
type memberView struct {
	read, delivered, muted, push bool
	me                           *user // adds is_blocking_me and is_blocked_by_me
}

func (s *Server) memberResource(ch *channel, m *member, v memberView) obj {
	u := m.user
	o := obj{
		"user_id": u.id, "nickname": u.nickname, "profile_url": u.profileURL, "require_auth_for_profile_image": false,
		"metadata": copyMap(u.metadata), "is_active": u.active, "is_online": u.online, "last_seen_at": u.lastSeen,
		"state": m.state(), "role": m.role(), "is_muted": s.sanctioned(ch.mutes, u.id),
		"friend_discovery_key": nil, "friend_name": nil,
	}
	if v.read && !ch.super {
		o["read_ts"] = m.read
	}
	if v.delivered && !ch.super && m.delivered > 0 {
		o["delivered_ts"] = m.delivered
	}
	if mute := ch.mutes[u.id]; v.muted && mute != nil {
		o["muted_end_at"], o["muted_description"] = mute.end, mute.description
	}
	if v.push {
		o["push_enabled"], o["push_trigger_option"], o["do_not_disturb"] = !u.pushOff, u.pushTrigger, u.dnd
	}
	if v.me != nil {
		o["is_blocking_me"], o["is_blocked_by_me"] = u.blocks[v.me.id], v.me.blocks[u.id]
	}
	return o
}

func (m *member) role() string {
	if m.operator {
		return "operator"
	}
	return "none"
}

func listMembers(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	q := c.query
	v := memberView{read: q.boolean("show_read_receipt", false), delivered: q.boolean("show_delivery_receipt", false),
		muted: q.boolean("show_member_is_muted", false), push: q.boolean("include_push_preference", false)}
	if id := q.str("user_id"); id != "" {
		if v.me, err = s.st.user(id); err != nil {
			return nil, err
		}
	}
	takes := memberFilter(s, ch, q)
	operatorsFirst := q.oneOf("order", "member_nickname_alphabetical", "operator_then_member_alphabetical") != "member_nickname_alphabetical"
	if q.err != nil {
		return nil, q.err
	}
	key := func(m *member) string {
		k := strings.ToLower(m.user.nickname) + "\x00" + m.user.id
		if operatorsFirst && !m.operator {
			return "1" + k
		}
		return "0" + k
	}
	var found []*member
	for _, m := range ch.members {
		if takes(m) {
			found = append(found, m)
		}
	}
	sort.Slice(found, func(i, j int) bool { return key(found[i]) < key(found[j]) })
	return pageOf(q, "members", found, key, func(m *member) obj { return s.memberResource(ch, m, v) })
}

// memberFilter: deactivated members are not listed unless asked for.
func memberFilter(s *Server, ch *channel, q *args) func(*member) bool {
	state := q.oneOf("member_state_filter", "all", "joined_only", "invited_only", "invited_by_friend", "invited_by_non_friend")
	operator := q.oneOf("operator_filter", "all", "operator", "nonoperator")
	muted := q.oneOf("muted_member_filter", "all", "muted", "unmuted")
	active := q.oneOf("member_active_mode_filter", "activated", "deactivated", "all")
	start := strings.ToLower(q.str("nickname_startswith"))
	return func(m *member) bool {
		switch {
		case state == "joined_only" && m.invited, state == "invited_only" && !m.invited,
			state == "invited_by_friend" && !(m.invited && m.friend), state == "invited_by_non_friend" && (!m.invited || m.friend),
			operator != "all" && m.operator != (operator == "operator"),
			muted != "all" && s.sanctioned(ch.mutes, m.user.id) != (muted == "muted"),
			active != "all" && m.user.active != (active == "activated"),
			!strings.HasPrefix(strings.ToLower(m.user.nickname), start):
			return false
		}
		return true
	}
}

func getMember(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	if m := ch.members[u.id]; m != nil {
		return obj{"is_member": !m.invited, "state": m.state()}, nil
	}
	return obj{"is_member": false, "state": "none"}, nil
}
