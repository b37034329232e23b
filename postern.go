// Package postern holds the words of the house: what a chat platform, an e-mail
// provider, the rules between them and the store have to say to one another.
//
// It imports the standard library only and does nothing by itself: no HTTP, no
// SQL, no clock. Every other package may import it; it imports none of them.
//
// The words:
//
//   - Conversation: a chat channel and the mail threads that mirror it.
//   - Participant: one chat user in one conversation, as reached by mail.
//   - ChatMessage: what somebody wrote, on the chat side.
//   - Event: something that arrived from outside, as it was recorded.
//   - Lane: events that are handled one after another.
//   - Delivery: one e-mail to one participant, carrying one or more messages.
//   - Post: one chat message that we write for a participant who answered by mail.
//   - Error: a failure with a Kind that says what to do about it.
package postern

import "time"

// Identifiers that must not be mixed up have types of their own. Those of a chat
// platform or an e-mail provider are opaque: they are stored and handed back, never
// taken apart.
type (
	// ChannelID names a channel at the chat platform (Sendbird: channel_url).
	ChannelID string
	// UserID names a user at the chat platform (Sendbird: user_id).
	UserID string
	// MessageID names a chat message within its channel (Sendbird: message_id).
	MessageID string
	// ConversationID is ours: one channel of one platform.
	ConversationID int64
	// ParticipantID is ours: one user in one conversation. It stands inside the
	// reply address, so it says nothing and cannot be guessed.
	ParticipantID uint64
	// DeliveryID is ours: one e-mail to one participant. It travels to the
	// provider and back in its events.
	DeliveryID string
	// PostID is ours: one chat message that we write. It travels to the platform
	// inside our mark and back in its webhooks.
	PostID string
)

// Person is a chat user whose e-mail address is known.
type Person struct {
	UserID   UserID `json:"user_id"`
	Email    string `json:"email"`
	Name     string `json:"name,omitempty"`
	Locale   string `json:"locale,omitempty"`    // BCP 47, "" = unknown
	TimeZone string `json:"time_zone,omitempty"` // IANA name, "" = unknown
	// Stopped says why nothing is mailed to this person any more; "" = mail goes out.
	Stopped StopReason `json:"stopped,omitempty"`
	// StoppedDetail is the provider's word on it, for the operator only.
	StoppedDetail string    `json:"stopped_detail,omitempty"`
	StoppedAt     time.Time `json:"stopped_at,omitzero"`
}

// StopReason says why a person is not written to until an operator lifts it.
type StopReason string

// The reasons for which a person is not written to.
const (
	StopBounced      StopReason = "bounced"      // the mailbox refused for good
	StopSuppressed   StopReason = "suppressed"   // the provider refuses to send to the address
	StopComplained   StopReason = "complained"   // marked as spam
	StopUnsubscribed StopReason = "unsubscribed" // asked for no more mail
)
