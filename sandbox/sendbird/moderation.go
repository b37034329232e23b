package sendbird

// forever is what seconds of -1 mean: ten years.
const forever = 10 * 365 * 24 * 3600

func (s *Server) sanctioned(list map[string]*sanction, id string) bool {
	x := list[id]
	return x != nil && x.end > s.now()
}

func (s *Server) newSanction(c *call) (*channel, *sanction, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, nil, err
	}
	u, err := c.bodyUser(s)
	if err != nil {
		return nil, nil, err
	}
	seconds, text := c.body.integer("seconds", -1), c.body.max("description", 250)
	if c.body.err != nil {
		return nil, nil, c.body.err
	}
	if seconds < 0 {
		seconds = forever
	}
	now := s.tick()
	return ch, &sanction{start: now, end: now + seconds*1000, description: text, user: u}, nil
}

func muteUser(s *Server, c *call) (any, error) {
	ch, x, err := s.newSanction(c)
	if err != nil {
		return nil, err
	}
	ch.mutes[x.user.id] = x
	return s.channelResource(ch, channelView{members: true, memberMode: "all"}), nil
}

func getMute(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	if _, err := s.st.user(c.path["user_id"]); err != nil {
		return nil, err
	}
	x := ch.mutes[c.path["user_id"]]
	if x == nil || x.end <= s.now() {
		return obj{"is_muted": false}, nil
	}
	return obj{"is_muted": true, "remaining_duration": x.end - s.now(), "start_at": x.start, "end_at": x.end,
		"description": x.description}, nil
}

func (s *Server) banResource(x *sanction) obj {
	return obj{"user": stub(x.user), "start_at": x.start, "end_at": x.end, "description": x.description}
}

// banUser also removes him from the channel.
func banUser(s *Server, c *call) (any, error) {
	ch, x, err := s.newSanction(c)
	if err != nil {
		return nil, err
	}
	ch.bans[x.user.id] = x
	if ch.kind == groupChannels {
		s.removeMembers(ch, []*user{x.user})
	} else {
		delete(ch.members, x.user.id)
	}
	return s.banResource(x), nil
}

func getBan(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	if !s.sanctioned(ch.bans, c.path["user_id"]) {
		return nil, notFound("Banned user")
	}
	return s.banResource(ch.bans[c.path["user_id"]]), nil
}

// updateBan changes how long and why.
func updateBan(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	x := ch.bans[c.path["user_id"]]
	if x == nil || x.end <= s.now() {
		return nil, notFound("Banned user")
	}
	seconds, text := c.body.integer("seconds", (x.end-x.start)/1000), c.body.max("description", 250)
	if c.body.err != nil {
		return nil, c.body.err
	}
	if seconds < 0 {
		seconds = forever
	}
	x.end = x.start + seconds*1000
	if c.body.has("description") {
		x.description = text
	}
	return s.banResource(x), nil
}

// lists and liftings of mutes and bans differ in the list alone.
type sanctions func(*channel) map[string]*sanction

func mutesOf(ch *channel) map[string]*sanction { return ch.mutes }
func bansOf(ch *channel) map[string]*sanction  { return ch.bans }

func lift(of sanctions) handle {
	return func(s *Server, c *call) (any, error) {
		ch, err := c.channel(s)
		if err != nil {
			return nil, err
		}
		if !s.sanctioned(of(ch), c.path["user_id"]) {
			return nil, notFound("User")
		}
		delete(of(ch), c.path["user_id"])
		return obj{}, nil
	}
}

func listMuted(s *Server, c *call) (any, error) {
	return listSanctions(s, c, "muted_list", mutesOf, func(x *sanction) obj {
		o := stub(x.user)
		o["muted_end_at"], o["muted_description"] = x.end, x.description
		return o
	})
}

func listBanned(s *Server, c *call) (any, error) {
	return listSanctions(s, c, "banned_list", bansOf, s.banResource)
}

func listSanctions(s *Server, c *call, name string, of sanctions, show func(*sanction) obj) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	var found []*sanction
	for _, u := range s.st.sortedUsers() {
		if s.sanctioned(of(ch), u.id) {
			found = append(found, of(ch)[u.id])
		}
	}
	return pageOf(c.query, name, found, func(x *sanction) string { return seqKey(x.user.seq) }, show)
}

func blockUser(s *Server, c *call) (any, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	ids := c.body.list("user_ids")
	if id := c.body.str("target_id"); id != "" {
		ids = union(ids, []string{id})
	}
	switch {
	case c.body.err != nil:
		return nil, c.body.err
	case len(ids) == 0:
		return nil, missing("target_id")
	}
	var targets []*user
	for _, id := range ids {
		t, err := s.st.user(id)
		if err != nil {
			return nil, err
		}
		if t == u {
			return nil, fail(codeIncompatible, "\"target_id\" must differ from \"user_id\".")
		}
		targets = append(targets, t)
	}
	list := []obj{}
	for _, t := range targets {
		list = append(list, userResource(t))
		if !u.blocks[t.id] {
			u.blocks[t.id] = true
			s.emit("user:block", nil, "", obj{"blocker": stub(u), "blockee": stub(t)})
		}
	}
	if len(list) == 1 && c.body.has("target_id") {
		return list[0], nil
	}
	return obj{"users": list}, nil
}

func unblockUser(s *Server, c *call) (any, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	id := c.path["target_id"]
	if !u.blocks[id] {
		return nil, notFound("User")
	}
	delete(u.blocks, id)
	s.emit("user:unblock", nil, "", obj{"unblocker": stub(u), "unblockee": s.stubOf(id)})
	return obj{}, nil
}

func listBlocked(s *Server, c *call) (any, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	mode, ids := c.query.oneOf("list", "blocked_users", "blocked_by_users"), c.query.list("user_ids")
	var found []*user
	for _, o := range s.st.sortedUsers() {
		if (mode == "blocked_users" && u.blocks[o.id] || mode != "blocked_users" && o.blocks[u.id]) &&
			(len(ids) == 0 || contains(ids, o.id)) {
			found = append(found, o)
		}
	}
	return pageOf(c.query, "users", found, func(u *user) string { return seqKey(u.seq) }, userResource)
}
