package sendbird

import (
	"regexp"
	"sort"
	"strings"
)

const (
	maxChannelName = 191
	maxCustomType  = 128
	maxMembers     = 100
	maxSuper       = 2000
	maxIDsPerCall  = 100
	maxJoined      = 2000 // channels of one user
)

var channelURL = regexp.MustCompile(`^[A-Za-z0-9_-]{4,100}$`)

// channel finds the channel of the path.
func (c *call) channel(s *Server) (*channel, error) {
	kind := c.path["channel_type"]
	if kind == "" {
		kind = groupChannels
		if strings.HasPrefix(c.r.URL.Path, "/v3/"+openChannels+"/") {
			kind = openChannels
		}
	}
	return s.st.channel(kind, c.path["channel_url"])
}

// channelArgs are the properties that creating and updating share.
type channelArgs struct {
	name, customType, data, cover, access string
	operators                             []string
	coverFile                             *upload
}

func readChannelArgs(c *call) channelArgs {
	a := c.body
	p := channelArgs{
		name: a.max("name", maxChannelName), customType: a.max("custom_type", maxCustomType), data: a.str("data"),
		cover: a.max("cover_url", maxProfileURL), access: a.str("access_code"), operators: a.list("operator_ids"),
		coverFile: c.file("cover_file"),
	}
	for _, o := range a.objectsIfGiven("operators") {
		if id, ok := o["user_id"].(string); ok {
			p.operators = append(p.operators, id)
		}
	}
	return p
}

func createGroupChannel(s *Server, c *call) (any, error) {
	a := c.body
	p := readChannelArgs(c)
	ids, strict := userIDs(a), a.boolean("strict", false)
	inviter, url := a.str("inviter_id"), a.str("channel_url")
	ch := newChannel(groupChannels, p)
	ch.distinct, ch.public = a.boolean("is_distinct", false), a.boolean("is_public", false)
	ch.super, ch.ephemeral = a.boolean("is_super", false), a.boolean("is_ephemeral", false)
	ch.discoverable = a.boolean("is_discoverable", ch.public)
	invitation, hidden := a.object("invitation_status"), a.object("hidden_status")
	if a.err != nil {
		return nil, a.err
	}
	members, err := s.membersToBe(ids, strict)
	switch {
	case !a.has("user_ids") && !a.has("users"):
		return nil, missing("user_ids")
	case err != nil:
		return nil, err
	case ch.distinct && (ch.super || ch.public):
		return nil, fail(codeInvalid, "\"is_distinct\" cannot go with \"is_super\" or \"is_public\".")
	case inviter != "" && s.st.users[inviter] == nil:
		return nil, notFound("User")
	}
	if ch.distinct {
		if old := s.sameMembers(members, ch.customType); old != nil {
			return s.createdAnswer(old, false), nil
		}
	}
	if err := s.register(ch, url, c, p); err != nil {
		return nil, err
	}
	ch.createdBy = inviter
	s.addMembers(ch, members, inviter, invitation, hidden)
	s.setOperators(ch, p.operators)
	s.channelCreated(ch, inviter)
	return s.createdAnswer(ch, true), nil
}

func (s *Server) createdAnswer(ch *channel, created bool) obj {
	o := s.channelResource(ch, channelView{members: true, memberMode: "all"})
	o["is_created"] = created
	return o
}

func newChannel(kind string, p channelArgs) *channel {
	return &channel{
		kind: kind, name: p.name, customType: p.customType, data: p.data, coverURL: p.cover, accessCode: p.access,
		members: map[string]*member{}, operators: map[string]bool{}, byID: map[int64]*message{}, dedup: map[string]int64{},
		metadata: map[string]string{}, counters: map[string]int64{}, bans: map[string]*sanction{},
		mutes: map[string]*sanction{}, typing: map[string]bool{},
	}
}

// register gives the channel its URL and place. Without a wish the URL has the service's own form of 72 characters.
func (s *Server) register(ch *channel, url string, c *call, p channelArgs) error {
	switch {
	case url == "":
		kind := map[string]string{groupChannels: "group", openChannels: "open"}[ch.kind]
		url = "sendbird_" + kind + "_channel_" + s.digits(8) + "_" + s.hex(40)
	case !channelURL.MatchString(url):
		return fail(codeBadCharacter, "\"channel_url\" must be 4 to 100 of letters, digits, _ and -.")
	case s.st.channels[channelKey(groupChannels, url)] != nil || s.st.channels[channelKey(openChannels, url)] != nil:
		return fail(codeExists, "\"channel_url\" violates unique constraint.")
	}
	if p.coverFile != nil {
		cover, err := s.storeFile(p.coverFile, c.base, nil)
		if err != nil {
			return err
		}
		ch.coverURL = cover
	}
	ch.url, ch.seq, ch.created, ch.maxLength = url, s.nextSeq(), s.tick(), -1
	if s.sw.MaxMessageLength > 0 {
		ch.maxLength = s.sw.MaxMessageLength
	}
	s.st.channels[channelKey(ch.kind, url)] = ch
	return nil
}

// sameMembers finds the distinct channel with exactly these members and this type.
func (s *Server) sameMembers(members []*user, customType string) *channel {
	for _, ch := range s.st.sortedChannels(groupChannels) {
		if !ch.distinct || ch.customType != customType || len(ch.members) != len(members) {
			continue
		}
		same := true
		for _, u := range members {
			same = same && ch.members[u.id] != nil
		}
		if same {
			return ch
		}
	}
	return nil
}

func (s *Server) channelCreated(ch *channel, inviter string) {
	body := obj{"created_at": secondsMS(ch.created)}
	if inviter != "" {
		body["inviter"] = s.stubOf(inviter)
	}
	s.emit("group_channel:create", ch, "", body)
	var joined []*user
	for _, m := range ch.sortedMembers() {
		if !m.invited {
			joined = append(joined, m.user)
		}
	}
	if len(joined) > 0 {
		s.joined(ch, joined) // initial members get join, not invite
	}
}

// secondsMS is ms cut to a whole second: webhooks show channel times so.
func secondsMS(ms int64) int64 { return ms / 1000 * 1000 }

func getChannel(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	v := readView(c.query)
	if c.query.err != nil {
		return nil, c.query.err
	}
	return s.channelResource(ch, v), nil
}

func updateChannel(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	a, p := c.body, readChannelArgs(c)
	distinct, public := a.boolean("is_distinct", ch.distinct), a.boolean("is_public", ch.public)
	if a.err != nil {
		return nil, a.err
	}
	if p.coverFile != nil {
		if p.cover, err = s.storeFile(p.coverFile, c.base, nil); err != nil {
			return nil, err
		}
		a.m["cover_url"] = p.cover
	}
	var changes []obj
	set := func(key string, field *string, to string) {
		if a.has(key) {
			changes = changed(changes, key, *field, to)
			*field = to
		}
	}
	set("name", &ch.name, p.name)
	set("cover_url", &ch.coverURL, p.cover)
	set("custom_type", &ch.customType, p.customType)
	set("data", &ch.data, p.data)
	set("access_code", &ch.accessCode, p.access)
	if public != ch.public {
		names := map[bool]string{true: "public", false: "private"}
		changes = changed(changes, "channel_type", names[ch.public], names[public])
	}
	ch.distinct, ch.public = distinct, public
	if a.has("operator_ids") || a.has("operators") {
		s.setOperators(ch, p.operators)
	}
	if len(changes) > 0 && ch.kind == groupChannels {
		s.emit("group_channel:changed", ch, "", obj{"changes": changes, "changed_at": s.tick()})
	}
	return s.channelResource(ch, channelView{members: true, memberMode: "all"}), nil
}

func deleteChannel(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	delete(s.st.channels, channelKey(ch.kind, ch.url))
	s.emit(hookCategory(ch, "remove"), ch, "", obj{"removed_at": s.tick()})
	return obj{}, nil
}

func freezeChannel(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	freeze := c.body.boolean("freeze", false)
	if c.body.err != nil {
		return nil, c.body.err
	}
	if !c.body.has("freeze") {
		return nil, missing("freeze")
	}
	if freeze != ch.frozen {
		ch.frozen = freeze
		if ch.kind == groupChannels {
			s.emit("group_channel:freeze_unfreeze", ch, "", obj{"freeze": freeze})
		}
	}
	return s.channelResource(ch, channelView{members: true, memberMode: "all"}), nil
}

// channelView says what a channel resource shows besides itself.
type channelView struct {
	members, read, delivered, metadata bool
	memberMode                         string // all, activated, deactivated
	of                                 string // user whose counters are added
}

func readView(q *args) channelView {
	return channelView{
		members: q.boolean("show_member", false), read: q.boolean("show_read_receipt", false),
		delivered: q.boolean("show_delivery_receipt", false), metadata: q.boolean("show_metadata", false),
		memberMode: q.oneOf("member_active_mode", "all", "activated", "deactivated"), of: q.str("user_id"),
	}
}

func (s *Server) channelResource(ch *channel, v channelView) obj {
	o := obj{
		"name": ch.name, "channel_url": ch.url, "cover_url": ch.coverURL, "custom_type": ch.customType, "data": ch.data,
		"created_at": ch.created / 1000, "freeze": ch.frozen, "is_ephemeral": ch.ephemeral, "max_length_message": ch.maxLength,
		"ignore_profanity_filter": false, "created_by": nil,
	}
	if ch.createdBy != "" {
		by := s.stubOf(ch.createdBy)
		delete(by, "metadata")
		by["require_auth_for_profile_image"] = false
		o["created_by"] = by
	}
	// The nested copy is a legacy of the first API.
	o["channel"] = obj{"name": ch.name, "channel_url": ch.url, "cover_url": ch.coverURL, "custom_type": ch.customType,
		"data": ch.data, "created_at": ch.created / 1000, "max_length_message": ch.maxLength, "member_count": len(ch.members)}
	if v.metadata {
		o["metadata"] = copyMap(ch.metadata)
	}
	if ch.kind == openChannels {
		o["participant_count"] = len(ch.members)
		o["is_dynamic_partitioned"] = false
		o["operators"] = s.operatorList(ch)
		return o
	}
	s.groupOnly(o, ch, v)
	return o
}

func (s *Server) groupOnly(o obj, ch *channel, v channelView) {
	for k, x := range (obj{
		"is_distinct": ch.distinct, "is_public": ch.public, "is_super": ch.super, "is_discoverable": ch.discoverable,
		"is_broadcast": false, "is_exclusive": false, "is_access_code_required": ch.accessCode != "",
		"member_count": len(ch.members), "joined_member_count": ch.joinedCount(), "message_survival_seconds": -1,
		"unread_message_count": 0, "unread_mention_count": 0, "last_message": nil, "has_bot": false, "has_ai_bot": false,
		"sms_fallback": obj{"wait_seconds": -1, "exclude_user_ids": []string{}},
	}) {
		o[k] = x
	}
	if last := ch.last(); last != nil {
		o["last_message"] = s.messageResource(last, messageView{})
	}
	if m := ch.members[v.of]; m != nil {
		o["unread_message_count"], o["unread_mention_count"] = ch.unread(m), ch.unreadMentions(m)
		o["member_state"], o["user_last_read"] = m.state(), m.read
	}
	if v.members {
		list := []obj{}
		for _, m := range ch.sortedMembers() {
			if v.memberMode == "all" || m.user.active == (v.memberMode == "activated") {
				list = append(list, s.memberResource(ch, m, memberView{read: v.read, delivered: v.delivered}))
			}
			if len(list) == maxMembers {
				break
			}
		}
		o["members"] = list
	}
	if ch.super {
		return // no marks in supergroups
	}
	if v.read {
		o["read_receipt"] = marks(ch, func(m *member) (int64, bool) { return m.read, true })
	}
	if v.delivered {
		o["delivery_receipt"] = marks(ch, func(m *member) (int64, bool) { return m.delivered, m.delivered > 0 })
	}
}

func marks(ch *channel, of func(*member) (int64, bool)) map[string]int64 {
	out := map[string]int64{}
	for id, m := range ch.members {
		if ts, ok := of(m); ok && !m.invited {
			out[id] = ts
		}
	}
	return out
}

func listGroupChannels(s *Server, c *call) (any, error) {
	return s.pageOfChannels(c.query, s.st.sortedChannels(groupChannels), false)
}

func myGroupChannels(s *Server, c *call) (any, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	state := c.query.oneOf("member_state_filter", "all", "joined_only", "invited_only")
	unread := c.query.oneOf("unread_filter", "all", "unread_message")
	hidden := c.query.oneOf("hidden_mode", "unhidden_only", "hidden_only", "hidden_allow_auto_unhide", "hidden_prevent_auto_unhide", "all")
	var mine []*channel
	for _, ch := range s.st.sortedChannels(groupChannels) {
		m := ch.members[u.id]
		if m == nil || state == "joined_only" && m.invited || state == "invited_only" && !m.invited ||
			unread == "unread_message" && ch.unread(m) == 0 || !m.shownIn(hidden) {
			continue
		}
		mine = append(mine, ch)
	}
	c.query.m["user_id"] = u.id
	return s.pageOfChannels(c.query, mine, true)
}

// shownIn says whether a hidden_mode lists the member's channel.
func (m *member) shownIn(mode string) bool {
	switch mode {
	case "unhidden_only":
		return m.hidden == 0
	case "hidden_only":
		return m.hidden != 0
	case "hidden_allow_auto_unhide":
		return m.hidden == 1
	case "hidden_prevent_auto_unhide":
		return m.hidden == 2
	}
	return true
}

func (s *Server) pageOfChannels(q *args, all []*channel, empty bool) (any, error) {
	f := readChannelFilter(q, empty)
	v := readView(q)
	order := q.oneOf("order", "chronological", "latest_last_message", "channel_name_alphabetical")
	if q.err != nil {
		return nil, q.err
	}
	var found []*channel
	for _, ch := range all {
		if f.takes(ch) {
			found = append(found, ch)
		}
	}
	key := channelOrder(order)
	sort.Slice(found, func(i, j int) bool { return key(found[i]) < key(found[j]) })
	return pageOf(q, "channels", found, key, func(ch *channel) obj { return s.channelResource(ch, v) })
}

// channelOrder gives ascending keys; the newest comes first except by name.
func channelOrder(order string) func(*channel) string {
	const top = int64(1) << 60
	return func(ch *channel) string {
		switch order {
		case "channel_name_alphabetical":
			return ch.name + "\x00" + seqKey(ch.seq)
		case "latest_last_message":
			at := ch.created
			if m := ch.last(); m != nil {
				at = m.created
			}
			return seqKey(top-at) + seqKey(top-ch.seq)
		}
		return seqKey(top - ch.seq)
	}
}
