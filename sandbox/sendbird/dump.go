package sendbird

import (
	"net/http"
	"time"
)

// ctlState shows everything as a page would draw it: ?channel_url= narrows it, ?messages= (default 200) bounds each
// channel to its newest.
func (s *Server) ctlState(r *http.Request) (any, error) {
	q := textArgs(r.URL.Query())
	limit, only := q.between("messages", 200, 0, 10_000), q.str("channel_url")
	if q.err != nil {
		return nil, q.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	users, channels := []obj{}, []obj{}
	for _, u := range s.st.sortedUsers() {
		o := userResource(u)
		o["unread_message_count"], o["unread_channel_count"] = s.st.totalUnread(u)
		users = append(users, o)
	}
	for _, ch := range s.st.sortedChannels("") {
		if only == "" || ch.url == only {
			channels = append(channels, s.dumpChannel(ch, int(limit)))
		}
	}
	return obj{"app_id": s.cfg.AppID, "now": s.now(), "webhook": s.webhookAnswer(false)["webhook"], "users": users,
		"channels": channels}, nil
}

func (s *Server) dumpChannel(ch *channel, limit int) obj {
	members := []obj{}
	for _, m := range ch.sortedMembers() {
		members = append(members, obj{
			"user_id": m.user.id, "nickname": m.user.nickname, "profile_url": m.user.profileURL, "state": m.state(),
			"role": m.role(), "is_online": m.user.online, "is_active": m.user.active, "is_muted": s.sanctioned(ch.mutes, m.user.id),
			"is_typing": ch.typing[m.user.id], "read_ts": m.read, "delivered_ts": m.delivered, "unread_message_count": ch.unread(m),
		})
	}
	messages := []obj{}
	for _, m := range ch.messages[max(0, len(ch.messages)-limit):] {
		o := s.messageResource(m, messageView{arrays: true, reactions: true, thread: true})
		o["sdk"] = m.sdk
		o["delivered_to"], o["read_by"] = markedBy(m)
		messages = append(messages, o)
	}
	return obj{"channel_url": ch.url, "channel_type": ch.kind, "name": ch.name, "custom_type": ch.customType, "data": ch.data,
		"is_distinct": ch.distinct, "is_super": ch.super, "is_public": ch.public, "freeze": ch.frozen, "created_at": ch.created / 1000,
		"members": members, "messages": messages}
}

// markedBy tells as clients do: by marks not older than the message; joined members but the sender; never for admin
// messages nor in supergroups.
func markedBy(m *message) (delivered, read []string) {
	delivered, read = []string{}, []string{}
	ch := m.channel
	if m.kind == "ADMM" || ch.super || ch.kind != groupChannels {
		return delivered, read
	}
	for _, o := range ch.sortedMembers() {
		if o.invited || o.user.id == m.senderID {
			continue
		}
		if o.delivered >= m.created {
			delivered = append(delivered, o.user.id)
		}
		if o.read >= m.created {
			read = append(read, o.user.id)
		}
	}
	return delivered, read
}

// show is a webhook as the control plane lists it.
func (h *hook) show() obj {
	tries := make([]try, len(h.tries))
	copy(tries, h.tries)
	return obj{"id": h.id, "category": h.category, "channel_url": h.channel, "url": h.url, "state": h.state,
		"body": string(h.body), "tries": tries}
}

func (c *courier) list() []obj {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []obj{}
	for _, id := range c.order {
		out = append(out, c.hooks[id].show())
	}
	return out
}

func (c *courier) one(id int64) obj {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.hooks[id]; h != nil {
		return h.show()
	}
	return nil
}

// Now is the application's clock.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.UnixMilli(s.now())
}
