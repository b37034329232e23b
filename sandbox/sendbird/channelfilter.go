package sendbird

import "strings"

// channelFilter is what the lists of group channels can be narrowed to.
type channelFilter struct {
	types, urls              []string
	typeStart                string
	name, nameIn, nameStart  string
	distinct, public, super  string
	empty, frozen            bool
	exactly, including       []string
	any                      bool // query_type OR
	nickname, nicknameIn     string
	after, before            int64
	metaKey, metaStart       string
	metaValues               []string
	createdAfter, createdEnd bool
}

// readChannelFilter: channels without a message are left out unless show_empty says otherwise.
func readChannelFilter(q *args, empty bool) channelFilter {
	return channelFilter{
		types: q.list("custom_types"), urls: q.list("channel_urls"), typeStart: q.str("custom_type_startswith"),
		name: q.str("name"), nameIn: strings.ToLower(q.str("name_contains")), nameStart: strings.ToLower(q.str("name_startswith")),
		distinct: q.oneOf("distinct_mode", "all", "distinct", "nondistinct"),
		public:   q.oneOf("public_mode", "all", "public", "private"),
		super:    q.oneOf("super_mode", "all", "super", "nonsuper"),
		empty:    q.boolean("show_empty", empty), frozen: q.boolean("show_frozen", true),
		exactly: q.list("members_exactly_in"), including: q.list("members_include_in"),
		any:      q.oneOf("query_type", "AND", "OR") == "OR",
		nickname: q.str("members_nickname"), nicknameIn: strings.ToLower(q.str("members_nickname_contains")),
		after: q.integer("created_after", 0), before: q.integer("created_before", 0),
		createdAfter: q.has("created_after"), createdEnd: q.has("created_before"),
		metaKey: q.str("metadata_key"), metaStart: q.str("metadata_value_startswith"), metaValues: q.list("metadata_values"),
	}
}

func (f channelFilter) takes(ch *channel) bool {
	mode := func(want, yes string, is bool) bool { return want == "all" || is == (want == yes) }
	lower := strings.ToLower(ch.name)
	switch {
	case len(f.types) > 0 && !contains(f.types, ch.customType),
		len(f.urls) > 0 && !contains(f.urls, ch.url),
		!strings.HasPrefix(ch.customType, f.typeStart),
		f.name != "" && ch.name != f.name,
		!strings.Contains(lower, f.nameIn), !strings.HasPrefix(lower, f.nameStart),
		!mode(f.distinct, "distinct", ch.distinct), !mode(f.public, "public", ch.public), !mode(f.super, "super", ch.super),
		!f.empty && len(ch.messages) == 0, !f.frozen && ch.frozen,
		f.createdAfter && ch.created <= f.after, f.createdEnd && ch.created >= f.before:
		return false
	}
	return f.takesMembers(ch) && f.takesMetadata(ch)
}

func (f channelFilter) takesMembers(ch *channel) bool {
	in := func(ids []string) (n int) {
		for _, id := range ids {
			if ch.members[id] != nil {
				n++
			}
		}
		return n
	}
	if len(f.exactly) > 0 && (len(ch.members) != len(f.exactly) || in(f.exactly) != len(f.exactly)) {
		return false
	}
	if n := in(f.including); len(f.including) > 0 && n < len(f.including) && (!f.any || n == 0) {
		return false
	}
	if f.nickname == "" && f.nicknameIn == "" {
		return true
	}
	for _, m := range ch.members {
		if (f.nickname == "" || m.user.nickname == f.nickname) && strings.Contains(strings.ToLower(m.user.nickname), f.nicknameIn) {
			return true
		}
	}
	return false
}

func (f channelFilter) takesMetadata(ch *channel) bool {
	if f.metaKey == "" {
		return true
	}
	v, ok := ch.metadata[f.metaKey]
	return ok && (len(f.metaValues) == 0 || contains(f.metaValues, v)) && strings.HasPrefix(v, f.metaStart)
}
