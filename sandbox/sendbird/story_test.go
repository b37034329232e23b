package sendbird

import (
	"testing"
)

// TestStory walks the gateway's three flows once.
func TestStory(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("support_1", "ana", "bob")
	w.hooks("")
	w.forget()

	// A client's message arrives as a webhook, with members.
	sent := w.ok("POST", "/_emulator/users/ana/channels/support_1/messages", obj{"message": "Grüße / hello 🙂"})
	hook := w.oneHook("group_channel:message_send")
	want(t, "sdk", hook["sdk"], "JavaScript")
	want(t, "text", dig(hook, "payload", "message"), "Grüße / hello 🙂")
	want(t, "id", dig(hook, "payload", "message_id"), sent["message_id"])
	want(t, "members", len(hook["members"].([]any)), 2)
	want(t, "bob's unread", dig(hook, "members", 1, "channel_unread_message_count"), 1)

	// It is delivered, then read.
	if ts := w.ok("PUT", ch+"/messages/mark_as_delivered", obj{"user_id": "bob"}); num(ts["ts"]) < num(sent["created_at"]) {
		t.Errorf("ts %v is before the message %v", ts["ts"], sent["created_at"])
	}
	w.ok("PUT", ch+"/messages/mark_as_read", obj{"user_id": "bob"})
	read := w.oneHook("group_channel:message_read")
	want(t, "reader", dig(read, "read_updates", 0, "user_id"), "bob")

	// Bob's answer through the API comes back as a webhook too.
	w.say(ch, "bob", "Thanks")
	echo := w.hooks("group_channel:message_send")[1]
	want(t, "sdk of the echo", echo["sdk"], "API")

	state := w.ok("GET", "/_emulator/state", nil)
	want(t, "read by", dig(state, "channels", 0, "messages", 0, "read_by"), "[bob]")
	want(t, "delivered to", dig(state, "channels", 0, "messages", 0, "delivered_to"), "[bob]")
	want(t, "ana's unread", dig(state, "channels", 0, "members", 0, "unread_message_count"), 1)
}
