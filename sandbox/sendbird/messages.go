package sendbird

import (
	"net/url"
	"sort"
	"strconv"
)

// messageView says what a message resource shows on request only.
type messageView struct {
	arrays, reactions, thread, parent bool
}

func readMessageView(q *args) messageView {
	return messageView{arrays: q.boolean("with_sorted_meta_array", false), reactions: q.boolean("include_reactions", false),
		thread: q.boolean("include_thread_info", false), parent: q.boolean("include_parent_message_info", false)}
}

// snapshot is the sender as he was when he sent.
func snapshot(u *user, operator bool) obj {
	role := ""
	if operator {
		role = "operator"
	}
	return obj{"user_id": u.id, "nickname": u.nickname, "profile_url": u.profileURL, "require_auth_for_profile_image": false,
		"metadata": copyMap(u.metadata), "role": role, "is_active": u.active}
}

func messageEvents(m *message) obj {
	push := "receivers"
	if !m.push || m.silent {
		push = "none"
	}
	return obj{"send_push_notification": push, "update_unread_count": !m.silent, "update_mention_count": !m.silent,
		"update_last_message": !m.silent}
}

func (s *Server) messageResource(m *message, v messageView) obj {
	mentioned := []obj{}
	for _, id := range m.mentioned {
		mentioned = append(mentioned, s.stubOf(id))
	}
	o := obj{
		"message_id": m.id, "type": m.kind, "custom_type": m.customType, "channel_url": m.channel.url,
		"channel_type": m.channel.kind, "user": nil, "mention_type": m.mention, "mentioned_users": mentioned,
		"is_removed": m.removed, "message": m.text, "translations": obj{}, "data": m.data, "file": obj{},
		"message_events": messageEvents(m), "message_survival_seconds": -1, "silent": m.silent, "is_op_msg": m.operator,
		"is_apple_critical_alert": false, "req_id": m.reqID, "created_at": m.created, "updated_at": m.updated,
	}
	if m.sender != nil {
		o["user"] = copyMap(m.sender)
	}
	s.fileProperties(o, m)
	if v.arrays {
		o["sorted_metaarray"] = arrayList(m.arrays)
	}
	if v.reactions {
		o["reactions"] = reactionList(m)
	}
	if m.parent != 0 {
		o["parent_message_id"], o["is_reply_to_channel"] = m.parent, m.toChannel
		if p := m.channel.byID[m.parent]; v.parent && p != nil {
			o["parent_message_info"] = parentInfo(p)
		}
	}
	if v.thread {
		o["thread_info"] = s.threadInfo(m)
	}
	return o
}

func (s *Server) fileProperties(o obj, m *message) {
	switch {
	case m.kind != "FILE":
		return
	case m.multi:
		o["files"] = fileList(m)
	default:
		f := m.files[0]
		o["file"] = obj{"url": f.url, "name": f.name, "type": f.kind, "size": f.size, "data": m.data}
		o["thumbnails"] = append([]obj{}, f.thumbnails...)
	}
	o["require_auth"] = m.auth
}

func fileList(m *message) []obj {
	out := []obj{}
	for _, f := range m.files {
		out = append(out, obj{"url": f.url, "file_name": f.name, "file_type": f.kind, "file_size": f.size,
			"thumbnails": append([]obj{}, f.thumbnails...), "require_auth": m.auth})
	}
	return out
}

func arrayList(arrays []metaArray) []obj {
	out := []obj{}
	for _, a := range arrays {
		out = append(out, obj{"key": a.key, "value": append([]string{}, a.value...)})
	}
	return out
}

func parentInfo(p *message) obj {
	info := obj{"type": p.kind, "ts": p.created, "user": nil, "custom_type": p.customType, "message": p.text}
	if p.sender != nil {
		info["user"] = copyMap(p.sender)
	}
	if p.kind == "FILE" && len(p.files) > 0 {
		f := p.files[0]
		info["file"] = obj{"url": f.url, "name": f.name, "type": f.kind, "size": f.size}
	}
	return info
}

// threadInfo: the three who replied most come first.
func (s *Server) threadInfo(m *message) obj {
	count, last := map[string]int{}, int64(0)
	n := 0
	for _, r := range m.channel.messages {
		if r.parent == m.id && !r.removed {
			n++
			count[r.senderID]++
			last = max(last, r.created)
		}
	}
	ids := make([]string, 0, len(count))
	for id := range count {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool {
		return count[ids[i]] > count[ids[j]] || count[ids[i]] == count[ids[j]] && ids[i] < ids[j]
	})
	most := []obj{}
	for _, id := range ids[:min(len(ids), 5)] {
		most = append(most, s.stubOf(id))
	}
	info := obj{"reply_count": n, "most_replies": most}
	if n > 0 {
		info["last_replied_at"], info["updated_at"] = last, last
	}
	return info
}

// message finds the message of the path. Removed ones are gone for everything but the list.
func (c *call) message(s *Server) (*channel, *message, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, nil, err
	}
	id, err := strconv.ParseInt(c.path["message_id"], 10, 64)
	if err != nil {
		return nil, nil, fail(codeNotNumber, "\"message_id\" must be a number.")
	}
	if m := ch.byID[id]; m != nil && !m.removed {
		return ch, m, nil
	}
	return nil, nil, notFound("Message")
}

func getMessage(s *Server, c *call) (any, error) {
	_, m, err := c.message(s)
	if err != nil {
		return nil, err
	}
	v := readMessageView(c.query)
	if c.query.err != nil {
		return nil, c.query.err
	}
	return s.messageResource(m, v), nil
}

func updateMessage(s *Server, c *call) (any, error) {
	ch, m, err := c.message(s)
	if err != nil {
		return nil, err
	}
	a := c.body
	kind, text, data := a.need("message_type"), a.str("message"), a.str("data")
	custom, mention := a.max("custom_type", maxCustomType), a.oneOf("mention_type", "users", "channel")
	mentioned, link := a.list("mentioned_user_ids"), a.str("url")
	switch {
	case a.err != nil:
		return nil, a.err
	case kind != m.kind:
		return nil, fail(codeInvalid, "\"message_type\" is not that of the message.")
	case c.as != nil && c.as.id != m.senderID:
		return nil, fail(codeUnauthorized, "Not authorized. The message is another user's.")
	case ch.maxLength >= 0 && len([]rune(text)) > ch.maxLength:
		return nil, fail(codeTooLong, "\"message\" must be at most %d characters.", ch.maxLength)
	}
	if link != "" {
		if u, err := url.Parse(link); err != nil || u.Host == "" {
			return nil, fail(codeBadURL, "\"url\" is not a valid URL.")
		}
	}
	var changes []obj
	set := func(key string, field *string, to string) {
		if a.has(key) {
			changes = changed(changes, key, *field, to)
			*field = to
		}
	}
	if m.kind != "FILE" {
		set("message", &m.text, text)
	}
	set("custom_type", &m.customType, custom)
	set("data", &m.data, data)
	set("mention_type", &m.mention, mention)
	if a.has("mentioned_user_ids") {
		m.mentioned = mentioned
	}
	if link != "" && m.kind == "FILE" && !m.multi {
		set("url", &m.files[0].url, link)
	}
	m.updated = s.tick()
	s.messageUpdated(m, append([]obj{}, changes...), c.sdk)
	return s.messageResource(m, messageView{arrays: true}), nil
}

func deleteMessage(s *Server, c *call) (any, error) {
	ch, m, err := c.message(s)
	if err != nil {
		return nil, err
	}
	if c.as != nil && c.as.id != m.senderID && !(ch.members[c.as.id] != nil && ch.members[c.as.id].operator) {
		return nil, fail(codeUnauthorized, "Not authorized. The message is another user's.")
	}
	m.removed = true
	m.updated = s.tick()
	s.messageDeleted(m)
	return obj{}, nil
}

func totalCount(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, m := range ch.messages {
		if !m.removed {
			n++
		}
	}
	return obj{"total": n}, nil
}
