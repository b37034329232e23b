package store

import (
	"strings"

	"github.com/postern-chat/postern"
)

// ChatKey is the Dedup of an event about a chat message: what happened to which message.
// The message's id comes first: ids grow, so that new keys stand together in the index
// (with the channel first each would touch a page of its own), and a message's events are
// a range of it, which Explain reads. This file alone knows how a key is put together.
type ChatKey struct {
	Message  postern.MessageID // without a colon, as the platform's name
	Platform string
	Channel  postern.ChannelID
	What     string // ChatSent, or what else happened
}

// ChatSent is the What of the event that brought the message itself.
const ChatSent = "sent"

// String is the key.
func (k ChatKey) String() string {
	return string(k.Message) + ":" + k.Platform + ":" + string(k.Channel) + ":" + k.What
}

// chatKeys bounds the keys of a message's events: from <= key < to. The column's order is
// that of the bytes, in which the semicolon follows the colon.
func chatKeys(message string) (from, to string) { return message + ":", message + ";" }

// sentKey takes the key of the event apart that brought a message; false if it is none. A
// channel may have colons in its id.
func sentKey(key string) (k ChatKey, ok bool) {
	rest, ok := strings.CutSuffix(key, ":"+ChatSent)
	if !ok {
		return k, false
	}
	message, rest, _ := strings.Cut(rest, ":")
	platform, channel, ok := strings.Cut(rest, ":")
	return ChatKey{postern.MessageID(message), platform, postern.ChannelID(channel), ChatSent}, ok
}
