package sendbird

import (
	"bytes"
	"strconv"
	"time"

	"github.com/postern-chat/postern"
)

// The shapes that webhooks and REST answers share. Fields are known by all the names
// that Sendbird gives them; what is absent or of another type is zero.

// message gathers a message from wherever its parts stand: a webhook keeps some beside
// the payload, REST has all in one object.
type message struct {
	postern.ChatMessage
	kind string // MESG, FILE, ADMM
	data string
	file postern.ChatFile
}

// object reads a message object: a webhook's payload or REST's message resource.
func (m *message) object(r *reader) {
	if !r.object() {
		return
	}
	for {
		key, ok := r.key()
		if !ok {
			return
		}
		switch string(key) {
		case "message_id":
			m.ID = postern.MessageID(r.id())
		case "message":
			m.Text = r.str()
		case "type":
			m.setKind(r.str())
		case "channel_url":
			m.Channel = postern.ChannelID(r.str())
		case "user", "sender":
			m.setSender(r.user())
		case "data":
			m.data = r.text()
		case "created_at":
			m.CreatedAt = r.millis()
		case "updated_at":
			m.UpdatedAt = r.millis()
		case "silent":
			m.Silent = r.boolean(false)
		case "is_removed":
			m.Removed = r.boolean(false)
		case "files":
			m.Files = r.files()
		case "file":
			m.file = r.file()
		case "url":
			m.file.URL = r.str()
		case "filename", "file_name":
			m.file.Name = r.str()
		case "content_type", "file_type":
			m.file.ContentType = r.str()
		case "content_size", "file_size":
			m.file.Size = r.integer()
		default:
			r.skip()
		}
	}
}

// setKind and setSender keep what is known: a payload may repeat a field of the webhook
// around it, and repeat it empty.
func (m *message) setKind(kind string) {
	if kind == "MESG" || kind == "FILE" || kind == "ADMM" {
		m.kind = kind
	}
}

func (m *message) setSender(u postern.User) {
	if u.ID != "" {
		m.Sender = u
	}
}

// finish makes one message of what was gathered.
func (m *message) finish() postern.ChatMessage {
	out := m.ChatMessage
	if len(out.Files) == 0 && m.file.URL != "" {
		out.Files = []postern.ChatFile{m.file}
	}
	switch {
	case m.kind == "ADMM":
		out.Type = postern.AdminMessage
		out.Sender = postern.User{} // some shapes carry an object without meaning
	case m.kind == "FILE" || len(out.Files) > 0:
		out.Type = postern.FileMessage
	}
	out.Mark = markOf(m.data)
	return out
}

// id reads an id, which may come as a number or as a string.
func (r *reader) id() string {
	s := r.str()
	if _, err := strconv.ParseInt(s, 10, 64); err == nil || s == "" {
		return s
	}
	// A number written as 2.5e8 by some JSON library on the way.
	if f, err := strconv.ParseFloat(s, 64); err == nil && f > 0 && f < 1<<53 {
		return strconv.FormatInt(int64(f), 10)
	}
	return s
}

// lastMilli ends the year 9999: later times cannot be written down as RFC 3339.
const lastMilli = 253402300799999

// millis reads a time in Unix milliseconds; zero if there is none.
func (r *reader) millis() time.Time {
	ms := r.integer()
	if ms <= 0 || ms > lastMilli {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// text reads a string, or the text of a value that ought to be one.
func (r *reader) text() string {
	switch r.peek() {
	case '{', '[':
		return string(r.raw())
	}
	return r.str()
}

func (r *reader) user() (u postern.User) {
	if !r.object() {
		return u
	}
	for {
		key, ok := r.key()
		if !ok {
			return u
		}
		switch string(key) {
		case "user_id":
			u.ID = postern.UserID(r.str())
		case "nickname":
			u.Name = r.str()
		default:
			r.skip()
		}
	}
}

// members reads a list of members; those without an id are left out.
func (r *reader) members() []postern.Member {
	if !r.array() {
		return nil
	}
	var list []postern.Member
	for r.next() {
		m := r.member()
		if m.ID == "" {
			continue
		}
		if list == nil {
			list = make([]postern.Member, 0, 8)
		}
		list = append(list, m)
	}
	return list
}

// member reads one. Who is not said to be deactivated or merely invited is neither:
// older webhooks have no such fields.
func (r *reader) member() postern.Member {
	m := postern.Member{Active: true, Joined: true}
	if !r.object() {
		return m
	}
	for {
		key, ok := r.key()
		if !ok {
			return m
		}
		switch string(key) {
		case "user_id":
			m.ID = postern.UserID(r.str())
		case "nickname":
			m.Name = r.str()
		case "is_online":
			m.Online = r.boolean(false)
		case "is_active":
			m.Active = r.boolean(true)
		case "state":
			m.Joined = joined(r.raw())
		case "is_blocking_sender":
			m.BlockingSender = r.boolean(false)
		case "read_ts":
			m.ReadAt = r.millis()
		case "delivered_ts":
			m.DeliveredAt = r.millis()
		default:
			r.skip()
		}
	}
}

// joined judges a member's state: joined, invited, none; absent or null means joined.
func joined(raw []byte) bool {
	s := string(bytes.Trim(raw, `"`))
	return s == "joined" || s == "" || s == "null"
}

func (r *reader) channel(c *postern.Channel) {
	if !r.object() {
		return
	}
	for {
		key, ok := r.key()
		if !ok {
			return
		}
		switch string(key) {
		case "channel_url":
			c.ID = postern.ChannelID(r.str())
		case "name":
			c.Name = r.str()
		case "custom_type":
			c.CustomType = r.str()
		case "is_super":
			c.Large = r.boolean(false)
		case "max_length_message":
			c.MaxMessageLength = int(r.integer())
		default:
			r.skip()
		}
	}
}

// files reads the list of a multiple-file message; those without address are left out.
func (r *reader) files() []postern.ChatFile {
	if !r.array() {
		return nil
	}
	var list []postern.ChatFile
	for r.next() {
		if f := r.file(); f.URL != "" {
			list = append(list, f)
		}
	}
	return list
}

// file reads a file object in any of the three vocabularies.
func (r *reader) file() (f postern.ChatFile) {
	if !r.object() {
		return f
	}
	for {
		key, ok := r.key()
		if !ok {
			return f
		}
		switch string(key) {
		case "url":
			f.URL = r.str()
		case "name", "filename", "file_name":
			f.Name = r.str()
		case "type", "content_type", "file_type":
			f.ContentType = r.str()
		case "size", "content_size", "file_size":
			f.Size = r.integer()
		default:
			r.skip()
		}
	}
}

// Limits of what is looked at to find our mark.
const (
	maxData = 4 << 10
	maxMark = 200
)

// markName is the key of our mark inside a message's data. It is bound to what is
// already written in channels and never changes.
const markName = "postern"

// markOf finds our mark in a message's data, which is anybody's string: "" if there is none.
func markOf(data string) string {
	if len(data) < len(`{"postern":""}`) || len(data) > maxData {
		return ""
	}
	r := reader{b: []byte(data)}
	mark := ""
	if !r.object() {
		return ""
	}
	for {
		key, ok := r.key()
		if !ok {
			break
		}
		if string(key) != markName || r.peek() != '"' {
			r.skip()
			continue
		}
		mark = r.str()
	}
	if r.end() != nil || len(mark) > maxMark {
		return ""
	}
	return mark
}
