package sendbird

import (
	"math/rand/v2"
	"strings"
)

// emit makes one webhook if the application is subscribed to it. ch may be nil; then there are no channel and no
// members in it. about is the user whose blocking relations the members carry (message_send only). Called under mu, so
// that events leave in the order of what caused them.
func (s *Server) emit(category string, ch *channel, about string, body obj) {
	if !s.subscribed(category) {
		return
	}
	body["category"] = category
	body["app_id"] = s.cfg.AppID
	if ch != nil {
		body["channel"] = hookChannel(ch)
		if s.withMembers(ch, category) {
			body["members"] = s.hookMembers(ch, category, about)
		}
	}
	s.post(category, ch, body)
}

// post encodes and queues; the order of keys depends on the seed and the event's number alone.
func (s *Server) post(category string, ch *channel, body obj) {
	id := s.nextEvent()
	h := &hook{id: id, category: category, url: s.st.hook.url}
	if ch != nil {
		h.channel = ch.url
	}
	h.body = encode(body, rand.New(rand.NewPCG(uint64(s.cfg.Seed), uint64(id)<<20)))
	s.courier.take(h)
}

func (s *Server) subscribed(category string) bool {
	h := s.st.hook
	return h.enabled && h.url != "" && (contains(h.events, "*") || contains(h.events, category))
}

// withMembers: only on request, only group channels, never supergroups (webhook/events/group-channel), and not in
// every category.
func (s *Server) withMembers(ch *channel, category string) bool {
	if !s.st.hook.includeMembers || ch.kind != groupChannels || ch.super {
		return false
	}
	switch category {
	case "group_channel:remove", "group_channel:reaction_add", "group_channel:reaction_delete", "group_channel:report":
		return false
	}
	return strings.HasPrefix(category, "group_channel:") || strings.HasPrefix(category, "profanity_filter:")
}

func hookChannel(ch *channel) obj {
	return obj{
		"name": ch.name, "channel_url": ch.url, "custom_type": ch.customType, "data": ch.data,
		"is_distinct": ch.distinct, "is_public": ch.public, "is_super": ch.super, "is_ephemeral": ch.ephemeral,
		"is_discoverable": ch.discoverable,
	}
}

// stub is a user as webhooks name him.
func stub(u *user) obj {
	return obj{"user_id": u.id, "nickname": u.nickname, "profile_url": u.profileURL, "metadata": copyMap(u.metadata)}
}

func (s *Server) stubOf(id string) obj {
	if u := s.st.users[id]; u != nil {
		return stub(u)
	}
	return obj{"user_id": id, "nickname": "", "profile_url": "", "metadata": obj{}}
}

func stubs(users []*user) []obj {
	out := make([]obj, 0, len(users))
	for _, u := range users {
		out = append(out, stub(u))
	}
	return out
}

func (s *Server) hookMembers(ch *channel, category, about string) []obj {
	out := []obj{}
	for _, m := range ch.sortedMembers() {
		out = append(out, s.hookMember(ch, m, category, about))
	}
	return out
}

func (s *Server) hookMember(ch *channel, m *member, category, about string) obj {
	u := m.user
	o := stub(u)
	o["is_active"] = u.active
	o["is_online"] = u.online
	o["is_hidden"] = m.hidden
	o["state"] = m.state()
	o["push_enabled"] = !u.pushOff
	o["push_trigger_option"] = u.pushTrigger
	if s.sw.PushTriggerAsBool {
		o["push_trigger_option"] = u.pushTrigger != "off"
	}
	o["do_not_disturb"] = u.dnd
	if s.st.hook.includeUnread {
		total, _ := s.st.totalUnread(u)
		o["unread_message_count"] = total // legacy name of the next
		o["total_unread_message_count"] = total
		o["channel_unread_message_count"] = ch.unread(m)
		o["channel_mention_count"] = ch.unreadMentions(m)
	}
	if category == "group_channel:message_send" {
		sender := s.st.users[about]
		o["is_blocking_sender"] = about != "" && u.blocks[about]
		o["is_blocked_by_sender"] = sender != nil && sender.blocks[u.id]
	}
	return o
}

func (m *member) state() string {
	if m.invited {
		return "invited"
	}
	return "joined"
}

// hookCategory puts the channel's kind before an event's name.
func hookCategory(ch *channel, name string) string {
	return strings.TrimSuffix(ch.kind, "s") + ":" + name
}

func (s *Server) messageSent(m *message) {
	body := s.messageHook(m)
	body["silent"] = m.silent
	body["sender_ip_addr"] = m.ip
	body["mention_type"] = m.mention
	mentioned := []obj{}
	for _, id := range m.mentioned {
		mentioned = append(mentioned, s.stubOf(id))
	}
	body["mentioned_users"] = mentioned
	body["message_events"] = messageEvents(m)
	if m.parent != 0 {
		body["parent_message_id"] = m.parent
	}
	s.emit(hookCategory(m.channel, "message_send"), m.channel, m.senderID, body)
}

// messageHook is what message_send, message_update and message_delete share.
func (s *Server) messageHook(m *message) obj {
	body := obj{"custom_type": m.customType, "type": m.kind, "payload": s.hookPayload(m), "sdk": m.sdk}
	switch {
	case m.kind != "ADMM":
		sender := obj{}
		for _, k := range []string{"user_id", "nickname", "profile_url", "metadata"} {
			sender[k] = m.sender[k]
		}
		body["sender"] = sender
	case s.sw.AdminSender == "null":
		body["sender"] = nil
	case s.sw.AdminSender == "empty":
		body["sender"] = obj{}
	}
	return body
}

// hookPayload names a file's properties in its third vocabulary: not as the resource, not as the request.
func (s *Server) hookPayload(m *message) obj {
	p := obj{"message_id": m.id, "custom_type": m.customType, "created_at": m.created, "data": m.data}
	switch {
	case m.kind != "FILE":
		p["message"] = m.text
		p["translations"] = obj{}
	case m.multi && s.sw.MultiFileHook == "no-url":
	case m.multi:
		p["files"] = fileList(m)
	default:
		f := m.files[0]
		p["url"], p["filename"], p["content_type"], p["content_size"] = f.url, f.name, f.kind, f.size
	}
	return p
}

func (s *Server) messageUpdated(m *message, changes []obj, sdk string) {
	body := s.messageHook(m)
	body["changes"] = changes
	body["sdk"] = sdk
	s.emit(hookCategory(m.channel, "message_update"), m.channel, m.senderID, body)
}

func (s *Server) messageDeleted(m *message) {
	body := s.messageHook(m)
	delete(body, "sdk")
	s.emit(hookCategory(m.channel, "message_delete"), m.channel, m.senderID, body)
}

// changed is one entry of a changes list, or nothing.
func changed(list []obj, key string, before, after any) []obj {
	if before == after {
		return list
	}
	return append(list, obj{"key": key, "old": before, "new": after})
}

func copyMap[V any](m map[string]V) map[string]V {
	out := make(map[string]V, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// allCategories lists what an application may subscribe to.
func allCategories() []string {
	var out []string
	for _, g := range []struct{ kind, names string }{
		{"open_channel", "create remove enter exit message_send message_update message_delete report"},
		{"group_channel", "create changed remove invite decline_invite join leave message_send message_read message_update " +
			"message_delete freeze_unfreeze reaction_add reaction_delete report"},
		{"user", "block unblock push_preference push_channel_preference device_token_register device_token_unregister report"},
		{"operators", "register_by_operator unregister_by_operator"},
		{"message", "report"},
		{"alert", "user_message_rate_limit_exceeded"},
		{"profanity_filter", "replace block moderate"},
		{"image_moderation", "block"},
		{"announcement", "create_channels send_messages"},
	} {
		for name := range strings.FieldsSeq(g.names) {
			out = append(out, g.kind+":"+name)
		}
	}
	return out
}
