package sendbird

// Open channels: enough for their messages and webhooks. Participants come and go by the control plane only.

func createOpenChannel(s *Server, c *call) (any, error) {
	p, url := readChannelArgs(c), c.body.str("channel_url")
	ch := newChannel(openChannels, p)
	ch.ephemeral = c.body.boolean("is_ephemeral", false)
	if c.body.err != nil {
		return nil, c.body.err
	}
	if err := s.register(ch, url, c, p); err != nil {
		return nil, err
	}
	s.setOperators(ch, p.operators)
	s.emit("open_channel:create", ch, "", obj{"created_at": secondsMS(ch.created), "operators": stubs(s.operatorUsers(ch))})
	return s.channelResource(ch, channelView{}), nil
}

func listOpenChannels(s *Server, c *call) (any, error) {
	f := readChannelFilter(c.query, true)
	if c.query.err != nil {
		return nil, c.query.err
	}
	var found []*channel
	for _, ch := range s.st.sortedChannels(openChannels) {
		if f.takes(ch) {
			found = append(found, ch)
		}
	}
	return pageOf(c.query, "channels", found, func(ch *channel) string { return seqKey(ch.seq) },
		func(ch *channel) obj { return s.channelResource(ch, channelView{}) })
}

func listParticipants(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	return pageOf(c.query, "participants", ch.sortedMembers(), func(m *member) string { return seqKey(m.joinOrder) },
		func(m *member) obj { return userResource(m.user) })
}

func enterChannel(s *Server, c *call) (any, error) {
	ch, err := c.openChannel(s)
	if err != nil {
		return nil, err
	}
	if s.sanctioned(ch.bans, c.as.id) {
		return nil, fail(codeBannedEnter, "\"User\" is banned from the channel.")
	}
	if ch.members[c.as.id] == nil {
		ch.members[c.as.id] = &member{user: c.as, joined: s.tick(), joinOrder: s.nextSeq()}
		s.emit("open_channel:enter", ch, "", obj{"user": stub(c.as), "entered_at": s.now()})
	}
	return obj{}, nil
}

func exitChannel(s *Server, c *call) (any, error) {
	ch, err := c.openChannel(s)
	if err != nil {
		return nil, err
	}
	if ch.members[c.as.id] != nil {
		delete(ch.members, c.as.id)
		s.emit("open_channel:exit", ch, "", obj{"user": stub(c.as), "exited_at": s.now()})
	}
	return obj{}, nil
}

func (c *call) openChannel(s *Server) (*channel, error) {
	return s.st.channel(openChannels, c.path["channel_url"])
}
