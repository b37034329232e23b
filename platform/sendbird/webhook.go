package sendbird

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/http"

	"github.com/postern-chat/postern"
)

// Verify checks that a webhook was signed with the master token: the header
// x-sendbird-signature (older: x-signature) is the hexadecimal HMAC-SHA256 of the body's
// bytes as they came. It fails with Denied. No time is signed: who calls must
// recognise repeats by their content.
func (c *Client) Verify(h http.Header, body []byte) error {
	const op = "sendbird.verify"
	sig := h.Get("X-Sendbird-Signature")
	if sig == "" {
		sig = h.Get("X-Signature")
	}
	if sig == "" {
		return postern.Errorf(postern.Denied, op, "no signature")
	}
	var got, want [sha256.Size]byte
	if len(sig) != hex.EncodedLen(len(got)) {
		return postern.Errorf(postern.Denied, op, "signature of %d characters", len(sig))
	}
	if _, err := hex.Decode(got[:], []byte(sig)); err != nil {
		return postern.Errorf(postern.Denied, op, "signature is not hexadecimal")
	}
	mac, _ := c.macs.Get().(hash.Hash)
	defer c.macs.Put(mac)
	mac.Reset()
	mac.Write(body)
	if !hmac.Equal(got[:], mac.Sum(want[:0])) {
		return postern.Errorf(postern.Denied, op, "signature does not hold")
	}
	return nil
}

// kindOf knows the events that mean something to us. For delivery, presence and typing
// Sendbird has none at all.
func kindOf(category string) postern.ChatEventKind {
	switch category {
	case "group_channel:message_send":
		return postern.MessageSent
	case "group_channel:message_update":
		return postern.MessageEdited
	case "group_channel:message_delete":
		return postern.MessageDeleted
	case "group_channel:message_read":
		return postern.MessagesRead
	}
	return postern.ChatOther
}

// Decode reads the body of a webhook. Categories that mean nothing to us (open channels
// among them, which have no members) are ChatOther. It fails with Invalid if the body
// is not a JSON object, or is an event of ours without channel or message id. HasMembers
// is false where nobody is listed: even the sender would be.
func (c *Client) Decode(body []byte) (postern.ChatEvent, error) {
	d := event{reader: reader{b: body}}
	if d.peek() != '{' {
		return postern.ChatEvent{}, postern.Errorf(postern.Invalid, opDecode, "not a JSON object")
	}
	d.read()
	if err := d.end(); err != nil {
		return postern.ChatEvent{}, postern.Errorf(postern.Invalid, opDecode, "%w", err)
	}
	return d.finish()
}

const opDecode = "sendbird.decode"

// event gathers a webhook's parts; they come in any order.
type event struct {
	reader
	out     postern.ChatEvent
	msg     message
	edited  string // the new text, from changes
	changed bool
}

func (d *event) read() {
	d.object()
	for {
		key, ok := d.key()
		if !ok {
			return
		}
		switch string(key) {
		case "category":
			d.out.Category = d.str()
		case "channel":
			d.channel(&d.out.Channel)
		case "sender":
			d.msg.setSender(d.user())
		case "silent":
			d.msg.Silent = d.boolean(false)
		case "type":
			d.msg.setKind(d.str())
		case "payload":
			d.msg.object(&d.reader)
		case "members":
			d.out.Members = d.members()
		case "read_updates":
			d.out.Reads = d.reads()
		case "changes":
			d.changes()
		default:
			d.skip()
		}
	}
}

func (d *event) reads() []postern.ReadMark {
	if !d.array() {
		return nil
	}
	var list []postern.ReadMark
	for d.next() {
		if m := d.readMark(); m.User != "" && !m.At.IsZero() {
			list = append(list, m)
		}
	}
	return list
}

func (d *event) readMark() (m postern.ReadMark) {
	if !d.object() {
		return m
	}
	for {
		key, ok := d.key()
		if !ok {
			return m
		}
		switch string(key) {
		case "user_id":
			m.User = postern.UserID(d.str())
		case "read_ts":
			m.At = d.millis()
		default:
			d.skip()
		}
	}
}

// changes reads [{key, old, new}] and keeps the new text of the message.
func (d *event) changes() {
	if !d.array() {
		return
	}
	for d.next() {
		if what, value, ok := d.change(); ok && what == "message" {
			d.edited, d.changed = value, true
		}
	}
}

// change tells what was changed to which string; ok is false if not to a string.
func (d *event) change() (what, value string, ok bool) {
	if !d.object() {
		return "", "", false
	}
	for {
		key, more := d.key()
		if !more {
			return what, value, ok
		}
		switch string(key) {
		case "key":
			what = d.str()
		case "new":
			ok = d.peek() == '"'
			value = d.str()
		default:
			d.skip()
		}
	}
}

func (d *event) finish() (postern.ChatEvent, error) {
	e := d.out
	e.Kind = kindOf(e.Category)
	e.HasMembers = len(e.Members) > 0
	if e.Kind == postern.ChatOther {
		return e, nil
	}
	if e.Channel.ID == "" {
		return postern.ChatEvent{}, postern.Errorf(postern.Invalid, opDecode, "%s without channel", e.Category)
	}
	if e.Kind == postern.MessagesRead {
		return e, nil
	}
	if d.changed && e.Kind == postern.MessageEdited {
		d.msg.Text = d.edited
	}
	e.Message = d.msg.finish()
	e.Message.Channel = e.Channel.ID
	e.Message.Removed = e.Message.Removed || e.Kind == postern.MessageDeleted
	if e.Message.ID == "" {
		return postern.ChatEvent{}, postern.Errorf(postern.Invalid, opDecode, "%s without message id", e.Category)
	}
	return e, nil
}
