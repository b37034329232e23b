package sendbird

// userIDs reads user_ids, or the older users: a list of ids or of objects with user_id.
func userIDs(a *args) []string {
	if !a.has("user_ids") && a.has("users") {
		if list, ok := a.value("users").([]any); ok && len(list) > 0 {
			if _, objects := list[0].(map[string]any); objects {
				var ids []string
				for _, o := range a.objects("users") {
					if id, ok := o["user_id"].(string); ok {
						ids = append(ids, id)
					}
				}
				return ids
			}
		}
		return a.list("users")
	}
	return a.list("user_ids")
}

// objectsIfGiven is objects where the key may as well hold plain strings.
func (a *args) objectsIfGiven(key string) []obj {
	if list, ok := a.value(key).([]any); ok && len(list) > 0 {
		if _, ok := list[0].(map[string]any); ok {
			return a.objects(key)
		}
	}
	return nil
}

// membersToBe finds users by id, once each. Unknown ones are skipped unless strict.
func (s *Server) membersToBe(ids []string, strict bool) ([]*user, error) {
	if len(ids) > maxIDsPerCall {
		return nil, fail(codeTooMany, "\"user_ids\" must have at most %d items.", maxIDsPerCall)
	}
	var out []*user
	seen := map[string]bool{}
	for _, id := range ids {
		u := s.st.users[id]
		switch {
		case u == nil && strict:
			return nil, fail(codeInvalid, "\"user_ids\" holds an unknown user.")
		case u == nil || seen[id]:
			continue
		}
		seen[id] = true
		out = append(out, u)
	}
	return out, nil
}

// addMembers adds who is not there yet. invitation overrules, per user, whether he joins at once.
func (s *Server) addMembers(ch *channel, users []*user, inviter string, invitation, hidden obj) (joined, invited []*user) {
	for _, u := range users {
		if ch.members[u.id] != nil {
			continue
		}
		m := &member{user: u, inviter: inviter, joined: s.tick(), joinOrder: s.nextSeq()}
		m.invited = !s.autoAccepts(u) && u.id != inviter && inviter != ""
		switch invitation[u.id] {
		case "joined":
			m.invited = false
		case "invited_by_friend":
			m.invited, m.friend = true, true
		case "invited_by_non_friend":
			m.invited = true
		}
		switch hidden[u.id] {
		case "hidden_allow_auto_unhide":
			m.hidden = 1
		case "hidden_prevent_auto_unhide":
			m.hidden = 2
		}
		ch.members[u.id] = m
		if m.invited {
			invited = append(invited, u)
		} else {
			joined = append(joined, u)
		}
	}
	return joined, invited
}

// joined tells of users who are members now. A user who was invited carries his inviter.
func (s *Server) joined(ch *channel, users []*user) {
	list := []obj{}
	for _, u := range users {
		o := stub(u)
		if m := ch.members[u.id]; m != nil && m.inviter != "" {
			o["inviter"] = s.stubOf(m.inviter)
		}
		list = append(list, o)
	}
	s.emit("group_channel:join", ch, "", obj{"users": list, "joined_at": secondsMS(s.tick())})
}

// removeMembers tells of users who left; the event's members are those who remain.
func (s *Server) removeMembers(ch *channel, users []*user) {
	list := []obj{}
	for _, u := range users {
		m := ch.members[u.id]
		if m == nil {
			continue
		}
		o := stub(u)
		o["channel_unread_message_count"] = ch.unread(m)
		list = append(list, o)
		delete(ch.members, u.id)
		delete(ch.typing, u.id)
	}
	if len(list) > 0 {
		s.emit("group_channel:leave", ch, "", obj{"users": list, "left_at": secondsMS(s.tick())})
	}
}

func inviteMembers(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	a := c.body
	ids, inviter := userIDs(a), a.str("inviter_id")
	if c.as != nil {
		inviter = c.as.id
	}
	invitation, hidden := a.object("invitation_status"), a.object("hidden_status")
	if a.err != nil {
		return nil, a.err
	}
	if len(ids) == 0 {
		return nil, missing("user_ids")
	}
	users, err := s.membersToBe(ids, false)
	if err != nil {
		return nil, err
	}
	if len(users) == 0 {
		return nil, notFound("User")
	}
	if err := s.mayEnter(ch, users); err != nil {
		return nil, err
	}
	joined, invited := s.addMembers(ch, users, inviter, invitation, hidden)
	if all := append(append([]*user{}, joined...), invited...); len(all) > 0 {
		body := obj{"invitees": stubs(all), "invited_at": secondsMS(s.tick())}
		if inviter != "" {
			body["inviter"] = s.stubOf(inviter)
		}
		s.emit("group_channel:invite", ch, "", body)
	}
	if len(joined) > 0 {
		s.joined(ch, joined)
	}
	return s.channelResource(ch, channelView{members: true, memberMode: "all"}), nil
}

// mayEnter refuses the banned, and more members than a channel holds.
func (s *Server) mayEnter(ch *channel, users []*user) error {
	n := len(ch.members)
	for _, u := range users {
		if s.sanctioned(ch.bans, u.id) {
			return fail(codeBannedEnter, "\"User\" is banned from the channel.")
		}
		if ch.members[u.id] == nil {
			n++
			if s.channelsOf(u) >= maxJoined {
				return fail(codeUnacceptable, "Maximum \"channel join\" count reached.")
			}
		}
	}
	limit := maxMembers
	if ch.super {
		limit = maxSuper
	}
	if n > limit {
		return fail(codeTooMany, "A channel must have at most %d members.", limit)
	}
	return nil
}

func (s *Server) channelsOf(u *user) int {
	n := 0
	for _, ch := range s.st.channels {
		if ch.members[u.id] != nil {
			n++
		}
	}
	return n
}

// bodyUser finds the user that user_id of the body names.
func (c *call) bodyUser(s *Server) (*user, error) {
	if c.as != nil {
		return c.as, nil
	}
	id := c.body.need("user_id")
	if c.body.err != nil {
		return nil, c.body.err
	}
	return s.st.activeUser(id)
}

func joinChannel(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	u, err := c.bodyUser(s)
	if err != nil {
		return nil, err
	}
	code := c.body.str("access_code")
	switch {
	case c.body.err != nil:
		return nil, c.body.err
	case !ch.public:
		return nil, fail(codeUnauthorized, "Not authorized. The channel is not public.")
	case ch.accessCode != "" && code != ch.accessCode:
		return nil, fail(codeInvalid, "\"access_code\" is wrong.")
	}
	if err := s.mayEnter(ch, []*user{u}); err != nil {
		return nil, err
	}
	if ch.members[u.id] == nil {
		ch.members[u.id] = &member{user: u, joined: s.tick(), joinOrder: s.nextSeq()}
		s.joined(ch, []*user{u})
	}
	return s.channelResource(ch, channelView{members: true, memberMode: "all"}), nil
}

func acceptInvitation(s *Server, c *call) (any, error) {
	ch, m, err := c.invitee(s)
	if err != nil {
		return nil, err
	}
	if m.invited {
		m.invited, m.joined = false, s.tick()
		s.joined(ch, []*user{m.user})
	}
	return s.channelResource(ch, channelView{members: true, memberMode: "all"}), nil
}

func declineInvitation(s *Server, c *call) (any, error) {
	ch, m, err := c.invitee(s)
	if err != nil {
		return nil, err
	}
	if !m.invited {
		return nil, fail(codeUnacceptable, "\"User\" has joined already.")
	}
	delete(ch.members, m.user.id)
	o := stub(m.user)
	if m.inviter != "" {
		o["inviter"] = s.stubOf(m.inviter)
	}
	s.emit("group_channel:decline_invite", ch, "", obj{"users": []obj{o}, "declined_invite_at": secondsMS(s.tick())})
	return obj{}, nil
}

func (c *call) invitee(s *Server) (*channel, *member, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, nil, err
	}
	u, err := c.bodyUser(s)
	if err != nil {
		return nil, nil, err
	}
	m := ch.members[u.id]
	if m == nil {
		return nil, nil, s.stranger()
	}
	return ch, m, nil
}

func leaveChannel(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	a := c.body
	ids, all := userIDs(a), a.boolean("should_leave_all", false)
	if c.as != nil {
		ids = []string{c.as.id}
	}
	if a.err != nil {
		return nil, a.err
	}
	if len(ids) == 0 && !all {
		return nil, missing("user_ids")
	}
	var leaving []*user
	for _, m := range ch.sortedMembers() {
		if all || contains(ids, m.user.id) {
			leaving = append(leaving, m.user)
		}
	}
	s.removeMembers(ch, leaving)
	return obj{}, nil
}

func hideChannel(s *Server, c *call) (any, error) {
	ch, m, err := c.invitee(s)
	if err != nil {
		return nil, err
	}
	auto := c.body.boolean("allow_auto_unhide", true)
	previous := c.body.boolean("hide_previous_messages", false)
	if c.body.err != nil {
		return nil, c.body.err
	}
	m.hidden = 2
	if auto {
		m.hidden = 1
	}
	if previous {
		s.read(ch, m, s.tick(), "")
	}
	return obj{}, nil
}

func unhideChannel(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	id, all := c.query.str("user_id"), c.query.boolean("should_unhide_all", false)
	if c.query.err != nil {
		return nil, c.query.err
	}
	for _, m := range ch.members {
		if all || m.user.id == id {
			m.hidden = 0
		}
	}
	return obj{}, nil
}

func leaveMyChannels(s *Server, c *call) (any, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	custom := c.body.str("custom_type")
	if c.body.err != nil {
		return nil, c.body.err
	}
	for _, ch := range s.st.sortedChannels(groupChannels) {
		if ch.members[u.id] != nil && (!c.body.has("custom_type") || ch.customType == custom) {
			s.removeMembers(ch, []*user{u})
		}
	}
	return obj{}, nil
}

func groupChannelCount(s *Server, c *call) (any, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	state := c.query.oneOf("state", "all", "joined", "invited")
	if c.query.err != nil {
		return nil, c.query.err
	}
	n := 0
	for _, ch := range s.st.sortedChannels(groupChannels) {
		if m := ch.members[u.id]; m != nil && (state == "all" || state == m.state()) {
			n++
		}
	}
	return obj{"group_channel_count": n}, nil
}

// setTyping: no webhook tells of it; the control plane's state does.
func setTyping(typing bool) handle {
	return func(s *Server, c *call) (any, error) {
		ch, err := c.channel(s)
		if err != nil {
			return nil, err
		}
		ids := c.body.list("user_ids")
		switch {
		case c.body.err != nil:
			return nil, c.body.err
		case len(ids) == 0:
			return nil, missing("user_ids")
		}
		for _, id := range ids {
			if ch.members[id] != nil && typing {
				ch.typing[id] = true
			} else {
				delete(ch.typing, id)
			}
		}
		return obj{}, nil
	}
}
