package sendbird

import "sort"

func reactionList(m *message) []obj {
	out := []obj{}
	for _, key := range reactionKeys(m) {
		r := m.reactions[key]
		out = append(out, obj{"key": key, "user_ids": append([]string{}, r.users...), "updated_at": r.updated})
	}
	return out
}

func reactionKeys(m *message) []string {
	keys := make([]string, 0, len(m.reactions))
	for k := range m.reactions {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func addReaction(s *Server, c *call) (any, error) {
	ch, m, err := c.message(s)
	if err != nil {
		return nil, err
	}
	key := c.body.need("reaction")
	if c.body.err != nil {
		return nil, c.body.err
	}
	u, err := c.bodyUser(s)
	if err != nil {
		return nil, err
	}
	r := m.reactions[key]
	if r == nil {
		r = &reaction{}
		m.reactions[key] = r
	}
	if contains(r.users, u.id) {
		return nil, fail(codeExists, "\"reaction\" already exists.")
	}
	r.users, r.updated = append(r.users, u.id), s.tick()
	s.reacted(ch, m, u, key, "reaction_add", r.updated)
	return reactionAnswer(m, u, key, "add", r.updated), nil
}

// removeReaction takes its parameters from the query, as documented, or from the body.
func removeReaction(s *Server, c *call) (any, error) {
	ch, m, err := c.message(s)
	if err != nil {
		return nil, err
	}
	a := c.query
	if !a.has("reaction") {
		a = c.body
	}
	key, id := a.need("reaction"), a.str("user_id")
	if a.err != nil {
		return nil, a.err
	}
	if c.as != nil {
		id = c.as.id
	}
	u, err := s.st.user(id)
	if err != nil {
		return nil, err
	}
	r := m.reactions[key]
	if r == nil || !contains(r.users, u.id) {
		return nil, notFound("Reaction")
	}
	r.users = without(r.users, func(v string) bool { return v == u.id })
	r.updated = s.tick()
	if len(r.users) == 0 {
		delete(m.reactions, key)
	}
	s.reacted(ch, m, u, key, "reaction_delete", r.updated)
	return reactionAnswer(m, u, key, "delete", r.updated), nil
}

func reactionAnswer(m *message, u *user, key, operation string, ts int64) obj {
	return obj{"user_id": u.id, "reaction": key, "operation": operation, "updated_at": ts, "success": true, "msg_id": m.id}
}

func (s *Server) reacted(ch *channel, m *message, u *user, key, event string, ts int64) {
	if ch.kind != groupChannels {
		return
	}
	s.emit("group_channel:"+event, ch, "", obj{
		"reaction": key, "ts": ts, "user": obj{"user_id": u.id, "nickname": u.nickname, "profile_url": u.profileURL},
		"message": obj{"message_id": m.id, "sender_id": m.senderID},
	})
}

func listReactions(s *Server, c *call) (any, error) {
	_, m, err := c.message(s)
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for key, r := range m.reactions {
		out[key] = append([]string{}, r.users...)
	}
	return out, nil
}

func addArrays(s *Server, c *call) (any, error) {
	_, m, err := c.message(s)
	if err != nil {
		return nil, err
	}
	add := readArrays(c.body)
	switch {
	case c.body.err != nil:
		return nil, c.body.err
	case !c.body.has("sorted_metaarray"):
		return nil, missing("sorted_metaarray")
	}
	for _, a := range add {
		if m.array(a.key) == nil {
			m.arrays = append(m.arrays, metaArray{key: a.key})
		}
		have := m.array(a.key)
		have.value = union(have.value, a.value)
	}
	return obj{"sorted_metaarray": arrayList(m.arrays)}, nil
}

// updateArrays adds or removes values; upsert makes keys that are not there.
func updateArrays(s *Server, c *call) (any, error) {
	_, m, err := c.message(s)
	if err != nil {
		return nil, err
	}
	change, mode := readArrays(c.body), c.body.oneOf("mode", "add", "remove")
	upsert := c.body.boolean("upsert", false)
	if c.body.err != nil {
		return nil, c.body.err
	}
	for _, a := range change {
		have := m.array(a.key)
		if have == nil {
			if !upsert || mode == "remove" {
				return nil, notFound("sorted_metaarray")
			}
			m.arrays = append(m.arrays, metaArray{key: a.key})
			have = m.array(a.key)
		}
		if mode == "remove" {
			have.value = without(have.value, func(v string) bool { return contains(a.value, v) })
		} else {
			have.value = union(have.value, a.value)
		}
	}
	return obj{"sorted_metaarray": arrayList(m.arrays)}, nil
}

func deleteArrays(s *Server, c *call) (any, error) {
	_, m, err := c.message(s)
	if err != nil {
		return nil, err
	}
	keys := c.query.list("keys")
	if len(keys) == 0 {
		keys = c.body.list("keys")
	}
	switch {
	case c.body.err != nil:
		return nil, c.body.err
	case len(keys) == 0:
		return nil, missing("keys")
	}
	m.arrays = without(m.arrays, func(a metaArray) bool { return contains(keys, a.key) })
	return obj{}, nil
}

func (m *message) array(key string) *metaArray {
	for i := range m.arrays {
		if m.arrays[i].key == key {
			return &m.arrays[i]
		}
	}
	return nil
}

// union keeps the order of the first and adds what is new in the second.
func union(a, b []string) []string {
	out := append([]string{}, a...)
	for _, v := range b {
		if !contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}
