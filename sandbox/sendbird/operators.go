package sendbird

// setOperators makes exactly these users operators. Strangers to a group channel are skipped.
func (s *Server) setOperators(ch *channel, ids []string) {
	for _, m := range ch.members {
		m.operator = false
	}
	clear(ch.operators)
	for _, id := range ids {
		s.makeOperator(ch, id)
	}
}

func (s *Server) makeOperator(ch *channel, id string) bool {
	switch {
	case s.isOperator(ch, id):
		return false
	case ch.kind == openChannels && s.st.users[id] != nil:
		ch.operators[id] = true
	case ch.members[id] != nil:
		ch.members[id].operator = true
	default:
		return false
	}
	return true
}

func (s *Server) isOperator(ch *channel, id string) bool {
	return ch.operators[id] || ch.members[id] != nil && ch.members[id].operator
}

func (s *Server) operatorUsers(ch *channel) []*user {
	var out []*user
	for _, u := range s.st.sortedUsers() {
		if s.isOperator(ch, u.id) {
			out = append(out, u)
		}
	}
	return out
}

func (s *Server) operatorList(ch *channel) []obj {
	out := []obj{}
	for _, u := range s.operatorUsers(ch) {
		out = append(out, snapshot(u, true))
	}
	return out
}

func listOperators(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	return pageOf(c.query, "operators", s.operatorUsers(ch), func(u *user) string { return seqKey(u.seq) },
		func(u *user) obj { return snapshot(u, true) })
}

func addOperators(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	ids := c.body.list("operator_ids")
	switch {
	case c.body.err != nil:
		return nil, c.body.err
	case len(ids) == 0:
		return nil, missing("operator_ids")
	}
	var made []*user
	for _, id := range ids {
		if s.makeOperator(ch, id) {
			made = append(made, s.st.users[id])
		}
	}
	if len(made) > 0 {
		s.emit("operators:register_by_operator", ch, "", obj{"operators": stubs(made)})
	}
	return obj{}, nil
}

func removeOperators(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	ids, all := c.query.list("operator_ids"), c.query.boolean("delete_all", false)
	switch {
	case c.query.err != nil:
		return nil, c.query.err
	case len(ids) == 0 && !all:
		return nil, missing("operator_ids")
	}
	var gone []*user
	for _, u := range s.operatorUsers(ch) {
		if all || contains(ids, u.id) {
			gone = append(gone, u)
			delete(ch.operators, u.id)
			if m := ch.members[u.id]; m != nil {
				m.operator = false
			}
		}
	}
	if len(gone) > 0 {
		s.emit("operators:unregister_by_operator", ch, "", obj{"operators": stubs(gone)})
	}
	return obj{}, nil
}
