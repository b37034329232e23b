package sendbird

// deliver moves a member's delivery mark, where the application has the feature, and tells whether it moved.
func (s *Server) deliver(m *member, ts int64) bool {
	if s.sw.NoDeliveryReceipts || ts <= m.delivered {
		return false
	}
	m.delivered = ts
	return true
}

// read moves a member's read mark; what is read was delivered. The webhook tells only that nothing unread is left.
func (s *Server) read(ch *channel, m *member, ts int64, sdk string) {
	before := ch.unread(m)
	m.read = max(m.read, ts)
	s.deliver(m, ts)
	if before > 0 && ch.unread(m) == 0 && !(sdk == "API" && s.sw.NoReadEcho) {
		s.emitRead(ch, m)
	}
}

func (s *Server) emitRead(ch *channel, m *member) {
	total, _ := s.st.totalUnread(m.user)
	s.emit("group_channel:message_read", ch, "", obj{"read_updates": []obj{{
		"user_id": m.user.id, "read_ts": m.read, "channel_unread_message_count": ch.unread(m), "total_unread_message_count": total,
	}}})
}

// marker finds the channel and the member whose mark is to move.
func (c *call) marker(s *Server) (*channel, *member, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, nil, err
	}
	u, err := c.bodyUser(s)
	if err != nil {
		return nil, nil, err
	}
	m := ch.members[u.id]
	if m == nil || m.invited {
		return nil, nil, s.stranger()
	}
	return ch, m, nil
}

func markAsRead(s *Server, c *call) (any, error) {
	ch, m, err := c.marker(s)
	if err != nil {
		return nil, err
	}
	ts := c.body.integer("timestamp", 0) // deprecated, still taken
	if c.body.err != nil {
		return nil, c.body.err
	}
	if now := s.tick(); ts <= 0 || ts > now {
		ts = now
	}
	s.read(ch, m, ts, c.sdk)
	return obj{}, nil
}

// markAsDelivered answers with ts only if the mark moved.
func markAsDelivered(s *Server, c *call) (any, error) {
	_, m, err := c.marker(s)
	if err != nil {
		return nil, err
	}
	ts := c.body.integer("ts", 0)
	if c.body.err != nil {
		return nil, c.body.err
	}
	if now := s.tick(); ts <= 0 || ts > now {
		ts = now
	}
	if !s.deliver(m, ts) {
		return obj{}, nil
	}
	return obj{"ts": m.delivered}, nil
}

func markAllRead(s *Server, c *call) (any, error) {
	u, err := s.st.activeUser(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	urls := c.body.list("channel_urls")
	if c.body.err != nil {
		return nil, c.body.err
	}
	for _, ch := range s.st.sortedChannels(groupChannels) {
		if m := ch.members[u.id]; m != nil && !m.invited && (!c.body.has("channel_urls") || contains(urls, ch.url)) {
			s.read(ch, m, s.tick(), c.sdk)
		}
	}
	return obj{}, nil
}

func unreadCounts(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	ids, given := c.query.list("user_ids"), c.query.has("user_ids")
	out := map[string]int{}
	for id, m := range ch.members {
		if !m.invited && (!given || contains(ids, id)) {
			out[id] = ch.unread(m)
		}
	}
	return obj{"unread": out}, nil
}
