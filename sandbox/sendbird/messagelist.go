package sendbird

import (
	"slices"
	"sort"
)

// listMessages walks from a point in time, or from a message, both ways (list-messages).
func listMessages(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	q := c.query
	prev, next := q.between("prev_limit", 15, 0, 200), q.between("next_limit", 15, 0, 200)
	include, reverse := q.boolean("include", true), q.boolean("reverse", false)
	ts, id := q.integer("message_ts", 0), q.integer("message_id", 0)
	takes, v := messageFilter(s, ch, q), readMessageView(q)
	if q.err != nil {
		return nil, q.err
	}
	var before, at, behind []*message
	switch {
	case q.has("message_ts"):
		before, at, behind = split(ch.messages, func(m *message) int { return compare(m.created, ts) })
	case q.has("message_id"):
		pivot := ch.byID[id]
		if pivot == nil {
			return nil, notFound("Message")
		}
		before, at, behind = split(ch.messages, func(m *message) int {
			if d := compare(m.created, pivot.created); d != 0 {
				return d
			}
			return compare(m.id, pivot.id)
		})
	default:
		return nil, missing("message_ts or message_id")
	}
	found := lastOf(before, int(prev), takes)
	if include {
		found = append(found, firstOf(at, len(at), takes)...)
	}
	found = append(found, firstOf(behind, int(next), takes)...)
	if reverse {
		slices.Reverse(found)
	}
	out := []obj{}
	for _, m := range found {
		out = append(out, s.messageResource(m, v))
	}
	return obj{"messages": out}, nil
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// split cuts an ordered list into what is below, at and above a point.
func split(list []*message, cmp func(*message) int) (below, at, above []*message) {
	i := sort.Search(len(list), func(i int) bool { return cmp(list[i]) >= 0 })
	j := sort.Search(len(list), func(i int) bool { return cmp(list[i]) > 0 })
	return list[:i], list[i:j], list[j:]
}

func firstOf(list []*message, n int, takes func(*message) bool) []*message {
	var out []*message
	for _, m := range list {
		if len(out) >= n {
			break
		}
		if takes(m) {
			out = append(out, m)
		}
	}
	return out
}

func lastOf(list []*message, n int, takes func(*message) bool) []*message {
	var out []*message
	for i := len(list) - 1; i >= 0 && len(out) < n; i-- {
		if takes(list[i]) {
			out = append(out, list[i])
		}
	}
	slices.Reverse(out)
	return out
}

// messageFilter: replies in threads and removed messages are left out unless asked for.
func messageFilter(s *Server, ch *channel, q *args) func(*message) bool {
	senders := q.list("sender_ids")
	if id := q.str("sender_id"); id != "" {
		senders = append(senders, id)
	}
	types, filtered := q.list("custom_types"), q.has("custom_types")
	kind, removed := q.oneOf("message_type", "", "MESG", "FILE", "ADMM"), q.boolean("including_removed", false)
	operator := q.oneOf("operator_filter", "all", "operator", "nonoperator")
	replies := q.oneOf("include_reply_type", "NONE", "ALL", "ONLY_REPLY_TO_CHANNEL")
	parent := q.integer("parent_message_id", 0)
	viewer := s.st.users[q.str("user_id")]
	return func(m *message) bool {
		switch {
		case m.removed && !removed,
			len(senders) > 0 && !contains(senders, m.senderID),
			kind != "" && m.kind != kind,
			operator != "all" && m.operator != (operator == "operator"),
			parent != 0 && m.parent != parent && m.id != parent,
			parent == 0 && m.parent != 0 && (replies == "NONE" || replies == "ONLY_REPLY_TO_CHANNEL" && !m.toChannel),
			viewer != nil && viewer.blocks[m.senderID]:
			return false
		}
		if !filtered || contains(types, "*") {
			return true
		}
		if len(types) == 0 {
			return m.customType == "" // given and empty: only messages without a type
		}
		return contains(types, m.customType)
	}
}
