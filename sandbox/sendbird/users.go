package sendbird

import (
	"encoding/base64"
	"fmt"
	"sort"
	"strings"
)

const (
	maxUserID     = 80
	maxNickname   = 80
	maxProfileURL = 2048
)

func createUser(s *Server, c *call) (any, error) {
	a := c.body
	id, nickname := a.need("user_id"), a.max("nickname", maxNickname)
	profile := a.max("profile_url", maxProfileURL)
	meta, discovery := a.stringMap("metadata"), a.list("discovery_keys")
	token := a.boolean("issue_access_token", false)
	if a.err != nil {
		return nil, a.err
	}
	picture := c.file("profile_file")
	switch {
	case !a.has("nickname"):
		return nil, missing("nickname")
	case !a.has("profile_url") && picture == nil:
		return nil, missing("profile_url")
	case len([]rune(id)) > maxUserID:
		return nil, fail(codeUserIDTooLong, "\"user_id\" must be at most %d characters.", maxUserID)
	case s.st.users[id] != nil:
		return nil, fail(codeExists, "\"user_id\" violates unique constraint.")
	}
	if err := checkMetadata(meta, nil); err != nil {
		return nil, err
	}
	u := &user{seq: s.nextSeq(), id: id, nickname: nickname, profileURL: profile, metadata: meta, active: true, lastSeen: -1,
		created: s.tick(), discovery: discovery, blocks: map[string]bool{}, pushTrigger: "default"}
	if u.metadata == nil {
		u.metadata = map[string]string{}
	}
	if token {
		u.accessToken = s.hex(40)
	}
	if picture != nil {
		url, err := s.storeFile(picture, c.base, nil)
		if err != nil {
			return nil, err
		}
		u.profileURL = url
	}
	s.st.users[id] = u
	o := userResource(u)
	o["is_created"] = true
	o["phone_number"] = ""
	return o, nil
}

func userResource(u *user) obj {
	return obj{
		"user_id": u.id, "nickname": u.nickname, "profile_url": u.profileURL, "require_auth_for_profile_image": false,
		"metadata": copyMap(u.metadata), "access_token": u.accessToken, "is_online": u.online, "is_active": u.active,
		"last_seen_at": u.lastSeen, "has_ever_logged_in": u.everOnline, "discovery_keys": append([]string{}, u.discovery...),
		"preferred_languages": append([]string{}, u.languages...), "locale": "", "created_at": u.created / 1000,
		"is_hide_me_from_friends": false, "is_shadow_blocked": false, "session_tokens": []string{},
	}
}

func getUser(s *Server, c *call) (any, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	unread := c.query.boolean("include_unread_count", false)
	if c.query.err != nil {
		return nil, c.query.err
	}
	o := userResource(u)
	if unread {
		o["unread_message_count"], o["unread_channel_count"] = s.st.totalUnread(u)
	}
	return o, nil
}

func listUsers(s *Server, c *call) (any, error) {
	q := c.query
	mode := q.oneOf("active_mode", "activated", "deactivated", "all")
	ids, nick, start := q.list("user_ids"), q.str("nickname"), strings.ToLower(q.str("nickname_startswith"))
	key, values := q.str("metadatakey"), q.list("metadatavalues_in")
	if q.err != nil {
		return nil, q.err
	}
	var found []*user
	for _, u := range s.st.sortedUsers() {
		value, tagged := u.metadata[key]
		if mode != "all" && u.active != (mode == "activated") || len(ids) > 0 && !contains(ids, u.id) ||
			nick != "" && u.nickname != nick || !strings.HasPrefix(strings.ToLower(u.nickname), start) ||
			key != "" && (!tagged || len(values) > 0 && !contains(values, value)) {
			continue
		}
		found = append(found, u)
	}
	return pageOf(q, "users", found, func(u *user) string { return seqKey(u.seq) }, userResource)
}

func updateUser(s *Server, c *call) (any, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	a := c.body
	nickname, profile := a.max("nickname", maxNickname), a.max("profile_url", maxProfileURL)
	active, leave := a.boolean("is_active", u.active), a.boolean("leave_all_when_deactivated", true)
	languages, discovery := a.list("preferred_languages"), a.list("discovery_keys")
	seen, token := a.integer("last_seen_at", u.lastSeen), a.boolean("issue_access_token", false)
	if a.err == nil && len(languages) > 4 {
		a.fail(codeTooMany, "\"preferred_languages\" must be at most 4.")
	}
	if a.err != nil {
		return nil, a.err
	}
	if a.has("nickname") {
		u.nickname = nickname
	}
	if a.has("profile_url") {
		u.profileURL = profile
	}
	if a.has("preferred_languages") {
		u.languages = languages
	}
	if a.has("discovery_keys") {
		u.discovery = discovery
	}
	if token {
		u.accessToken = s.hex(40)
	}
	if !u.online {
		u.lastSeen = seen
	}
	if u.active && !active {
		s.setOnline(u, false)
		if leave {
			s.leaveAll(u)
		}
	}
	u.active = active
	return userResource(u), nil
}

func deleteUser(s *Server, c *call) (any, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	s.leaveAll(u)
	delete(s.st.users, u.id)
	return obj{}, nil
}

func (s *Server) leaveAll(u *user) {
	for _, ch := range s.st.sortedChannels(groupChannels) {
		if ch.members[u.id] != nil {
			s.removeMembers(ch, []*user{u})
		}
	}
}

// setOnline opens or closes the user's connection. What waits for him counts as delivered once he is there.
func (s *Server) setOnline(u *user, online bool) {
	switch {
	case online == u.online:
		return
	case !online:
		u.online, u.lastSeen = false, s.tick()
		return
	}
	u.online, u.everOnline, u.lastSeen = true, true, 0
	s.fileKey(u)
	for _, ch := range s.st.channels {
		if m := ch.members[u.id]; m != nil && !m.invited {
			s.deliver(m, s.tick())
		}
	}
}

func unreadMessageCount(s *Server, c *call) (any, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	n, _ := s.st.totalUnread(u)
	return obj{"unread_count": n}, nil
}

func unreadChannelCount(s *Server, c *call) (any, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	_, n := s.st.totalUnread(u)
	return obj{"unread_count": n}, nil
}

// pageOf gives one page of list under name, and next. key must be unique and ascend with the list; a token is the last
// key given, so that pages hold while the list changes.
func pageOf[T any](q *args, name string, list []T, key func(T) string, show func(T) obj) (any, error) {
	limit, token := q.between("limit", 10, 1, 100), q.str("token")
	if q.err != nil {
		return nil, q.err
	}
	from := 0
	if token != "" {
		last, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return nil, fail(codeInvalid, "\"token\" is invalid.")
		}
		from = sort.Search(len(list), func(i int) bool { return key(list[i]) > string(last) })
	}
	to := min(from+int(limit), len(list))
	out, next := []obj{}, ""
	for _, v := range list[from:to] {
		out = append(out, show(v))
	}
	if to < len(list) {
		next = base64.RawURLEncoding.EncodeToString([]byte(key(list[to-1])))
	}
	return obj{name: out, "next": next}, nil
}

func seqKey(n int64) string { return fmt.Sprintf("%016x", n) }

// createUserToken gives a session token; expires_at defaults to seven days from now.
func createUserToken(s *Server, c *call) (any, error) {
	if _, err := s.st.activeUser(c.path["user_id"]); err != nil {
		return nil, err
	}
	end := c.body.integer("expires_at", s.now()+7*24*3600*1000)
	if c.body.err != nil {
		return nil, c.body.err
	}
	return obj{"token": s.hex(40), "expires_at": end}, nil
}
