package sendbird

import (
	"strings"
)

// draft is a message being sent, as asked for.
type draft struct {
	kind, userID, text, customType, data, mention, reqID, dedup string
	mentioned                                                   []string
	silent, markRead, push, auth, toChannel                     bool
	created, parent                                             int64
	arrays                                                      []metaArray
	file                                                        *upload
	files                                                       []fileRef
	multi                                                       bool
	boxes                                                       []thumbBox
}

func readDraft(c *call) (draft, error) {
	a := c.body
	d := draft{
		kind: a.need("message_type"), customType: a.max("custom_type", maxCustomType), data: a.str("data"),
		mention: a.oneOf("mention_type", "users", "channel"), mentioned: a.list("mentioned_user_ids"),
		silent: a.boolean("is_silent", false), markRead: a.boolean("mark_as_read", true),
		created: a.integer("created_at", 0), dedup: a.str("dedup_id"), reqID: a.str("req_id"),
		parent: a.integer("parent_message_id", 0), toChannel: a.boolean("reply_to_channel", false),
		auth: a.boolean("require_auth", false),
	}
	d.push = a.boolean("send_push", d.kind != "ADMM")
	d.arrays = readArrays(a)
	if a.err != nil {
		return d, a.err
	}
	if len(d.mentioned) > 10 {
		return d, fail(codeTooMany, "\"mentioned_user_ids\" must have at most 10 items.")
	}
	return d, d.content(c)
}

// content reads what the type of message demands.
func (d *draft) content(c *call) error {
	a := c.body
	if d.kind != "ADMM" {
		if c.as != nil {
			d.userID = c.as.id
		} else {
			d.userID = a.need("user_id")
		}
	}
	switch d.kind {
	case "MESG", "ADMM":
		d.text = a.need("message")
		if a.err == nil && d.kind == "ADMM" && d.parent != 0 {
			return fail(codeInvalid, "An admin message cannot be a reply.")
		}
		return a.err
	case "FILE":
		return d.readFiles(c)
	}
	return fail(codeInvalid, "\"message_type\" must be one of MESG, FILE, ADMM.")
}

// readFiles takes the upload, the flat JSON form, or the files list, in this order.
func (d *draft) readFiles(c *call) error {
	a := c.body
	if a.err != nil {
		return a.err
	}
	if d.file = c.file("file"); d.file != nil {
		for _, key := range []string{"thumbnail1", "thumbnail2", "thumbnail3"} {
			if box, ok := parseBox(a.str(key)); ok {
				d.boxes = append(d.boxes, box)
			}
		}
		return a.err
	}
	if a.has("file") {
		return fail(codeInvalid, "\"file\" must be a multipart upload.") // base64 is refused
	}
	list := a.objects("files")
	if a.err != nil {
		return a.err
	}
	if len(list) > 30 {
		return fail(codeTooMany, "\"files\" must have at most 30 items.")
	}
	if len(list) == 0 {
		if !a.has("url") {
			return missing("file or url")
		}
		list = []obj{a.m}
	}
	for _, o := range list {
		f, err := readFileRef(&args{m: o, text: a.text})
		if err != nil {
			return err
		}
		d.files = append(d.files, f)
	}
	d.multi = len(d.files) > 1
	return nil
}

func readFileRef(a *args) (fileRef, error) {
	f := fileRef{url: a.need("url"), name: a.str("file_name"), kind: a.str("file_type"), size: a.integer("file_size", 0)}
	if a.err != nil {
		return f, a.err
	}
	if !strings.HasPrefix(f.url, "http://") && !strings.HasPrefix(f.url, "https://") {
		return f, fail(codeBadURL, "\"url\" is not a valid URL.")
	}
	if f.name == "" {
		f.name = f.url[strings.LastIndex(f.url, "/")+1:]
	}
	if list, ok := a.value("thumbnails").([]any); ok {
		for _, t := range list {
			if u, ok := t.(string); ok {
				f.thumbnails = append(f.thumbnails, obj{"url": u, "plain_url": u, "width": 0, "height": 0, "real_width": 0, "real_height": 0})
			}
		}
	}
	return f, nil
}

func readArrays(a *args) []metaArray {
	var out []metaArray
	for _, o := range a.objects("sorted_metaarray") {
		in := &args{m: o}
		m := metaArray{key: in.need("key"), value: in.list("value")}
		switch {
		case in.err != nil:
			a.err = in.err
		case len(m.key) > 80:
			a.fail(codeTooLong, "Key of \"sorted_metaarray\" must be at most 80 bytes.")
		}
		for _, v := range m.value {
			if len(v) > 128 {
				a.fail(codeTooLong, "Value of \"sorted_metaarray\" must be at most 128 bytes.")
			}
		}
		out = append(out, m)
	}
	return out
}

func sendMessage(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	d, err := readDraft(c)
	if err != nil {
		return nil, err
	}
	if err := s.checkDraft(c, ch, &d); err != nil {
		return nil, err
	}
	if d.dedup != "" {
		if id, ok := ch.dedup[d.dedup]; ok && s.sw.Dedup != "ignore" {
			if s.sw.Dedup == "error-400202" {
				return nil, fail(codeExists, "\"dedup_id\" violates unique constraint.")
			}
			return s.messageResource(ch.byID[id], messageView{arrays: true}), nil
		}
	}
	if err := s.censor(ch, c, &d); err != nil {
		return nil, err
	}
	m, err := s.store(c, ch, &d)
	if err != nil {
		return nil, err
	}
	o := s.messageResource(m, messageView{arrays: true})
	s.sent(ch, m, &d)
	return o, nil
}

// checkDraft holds the draft against the channel: who may send what.
func (s *Server) checkDraft(c *call, ch *channel, d *draft) error {
	if ch.maxLength >= 0 && len([]rune(d.text)) > ch.maxLength {
		return fail(codeTooLong, "\"message\" must be at most %d characters.", ch.maxLength)
	}
	if d.parent != 0 {
		p := ch.byID[d.parent]
		switch {
		case p == nil || p.removed:
			return notFound("Parent message")
		case p.parent != 0:
			return fail(codeInvalid, "\"parent_message_id\" is a reply itself.")
		case p.kind == "ADMM":
			return fail(codeInvalid, "\"parent_message_id\" is an admin message.")
		}
	}
	if d.multi && ch.kind == openChannels {
		return fail(codeInvalid, "Several files go to group channels only.")
	}
	if d.kind == "ADMM" {
		return nil
	}
	u, err := s.st.activeUser(d.userID)
	if err != nil {
		return err
	}
	return s.maySend(c, ch, u)
}

// maySend: the service refuses an app's client; whether it refuses the API is undocumented, hence the switches.
func (s *Server) maySend(c *call, ch *channel, u *user) error {
	code := func(client, api int) int {
		if c.as != nil {
			return client
		}
		return api
	}
	m := ch.members[u.id]
	operator := m != nil && m.operator || ch.operators[u.id]
	if s.sanctioned(ch.bans, u.id) {
		if n := code(codeBanned, s.sw.BannedCode); n != 0 {
			return fail(n, "\"User\" is banned.")
		}
	}
	if ch.kind == groupChannels && (m == nil || m.invited) {
		if c.as != nil {
			return fail(codeNotMember, "\"User\" is not a member.")
		}
		return s.stranger()
	}
	if s.sanctioned(ch.mutes, u.id) {
		if n := code(codeMuted, s.sw.MutedCode); n != 0 {
			return fail(n, "\"User\" is muted.")
		}
	}
	if ch.frozen && !operator {
		if n := code(codeFrozen, s.sw.FrozenCode); n != 0 {
			return fail(n, "Channel is frozen.")
		}
	}
	if s.sw.BlockedCode != 0 && ch.kind == groupChannels && len(ch.members) == 2 {
		for _, other := range ch.members {
			if other.user.blocks[u.id] {
				return fail(s.sw.BlockedCode, "\"User\" is blocked.")
			}
		}
	}
	return s.pace(c, u)
}

// stranger is what a user who is no member gets through the API.
func (s *Server) stranger() error {
	code := s.sw.NotMemberCode
	if code == 0 {
		code = codeUnauthorized
	}
	return fail(code, "Not authorized. \"User\" is not a member of the channel.")
}

// pace holds a sender to his messages per second; the excess is neither delivered nor kept, and an alert tells of it.
func (s *Server) pace(c *call, u *user) error {
	limit := s.sw.UserMessagesPerSecond
	if limit == 0 || c.as == nil && !s.sw.UserMessageLimitOnAPI {
		return nil
	}
	now, recent := s.now(), []int64{}
	for _, t := range s.st.burst[u.id] {
		if t > now-1000 {
			recent = append(recent, t)
		}
	}
	if len(recent) >= limit {
		s.st.burst[u.id] = recent
		s.emit("alert:user_message_rate_limit_exceeded", nil, "", obj{"user": stub(u)})
		return fail(codeTooManyMessages, "Too many messages.")
	}
	s.st.burst[u.id] = append(recent, now)
	return nil
}

// store makes the message and puts it into the channel.
func (s *Server) store(c *call, ch *channel, d *draft) (*message, error) {
	m := &message{
		channel: ch, kind: d.kind, senderID: d.userID, text: d.text, customType: d.customType, data: d.data, silent: d.silent,
		mention: d.mention, arrays: d.arrays, files: d.files, multi: d.multi, auth: d.auth, parent: d.parent,
		toChannel: d.toChannel, reqID: d.reqID, push: d.push, reactions: map[string]*reaction{}, sdk: c.sdk, ip: c.ip,
	}
	if d.mention == "users" {
		for _, id := range d.mentioned {
			if s.st.users[id] != nil {
				m.mentioned = append(m.mentioned, id)
			}
		}
	}
	if d.file != nil {
		f, err := s.storeMessageFile(d, c.base, ch)
		if err != nil {
			return nil, err
		}
		m.files = []fileRef{f}
		m.auth = s.sw.FileEncryption // the application decides, not the request (staff)
	}
	if u := s.st.users[d.userID]; u != nil {
		m.operator = ch.members[u.id] != nil && ch.members[u.id].operator || ch.operators[u.id]
		m.sender = snapshot(u, m.operator)
	}
	s.st.lastID++
	m.id, m.created = s.st.lastID, s.tick()
	if d.created > 0 {
		m.created = d.created
	}
	ch.insert(m)
	if d.dedup != "" {
		ch.dedup[d.dedup] = m.id
	}
	return m, nil
}

// sent moves the marks that a new message moves, and tells of it.
func (s *Server) sent(ch *channel, m *message, d *draft) {
	if ch.kind == groupChannels {
		if own := ch.members[m.senderID]; own != nil {
			s.deliver(own, m.created)
		}
		for _, o := range ch.sortedMembers() {
			if o.hidden == 1 && !m.silent {
				o.hidden = 0
			}
			if o.user.online && !o.invited {
				s.deliver(o, m.created)
			}
		}
	}
	own := ch.members[m.senderID]
	var before int
	if own != nil && d.markRead {
		before = ch.unread(own)
		own.read = max(own.read, m.created)
	}
	s.messageSent(m)
	if own != nil && before > 0 && ch.unread(own) == 0 && !s.sw.NoReadOnSend {
		s.emitRead(ch, own)
	}
}

// censor is the profanity filter, when the switches give it words.
func (s *Server) censor(ch *channel, c *call, d *draft) error {
	clean := d.text
	for _, w := range s.sw.Profanity {
		if w != "" {
			clean = strings.ReplaceAll(clean, w, strings.Repeat("*", len([]rune(w))))
		}
	}
	if clean == d.text || d.kind != "MESG" {
		return nil
	}
	category := "profanity_filter:replace"
	if s.sw.ProfanityMode == "block" {
		category = "profanity_filter:block"
	}
	body := obj{"sender": s.stubOf(d.userID), "custom_type": d.customType, "type": d.kind, "sdk": c.sdk,
		"payload": obj{"message": d.text, "custom_type": d.customType, "data": d.data, "created_at": s.now(), "translations": obj{}}}
	if s.sw.ProfanityMode != "block" {
		body["replaced_text"] = clean
		d.text = clean
	}
	s.emit(category, ch, d.userID, body)
	if s.sw.ProfanityMode == "block" {
		return fail(codeProfanity, "The message is blocked by the profanity filter.")
	}
	return nil
}
