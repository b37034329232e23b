package postern

import (
	"io"
	"time"
)

// Channel is what a platform tells about a channel. Fields it did not tell are zero.
type Channel struct {
	ID         ChannelID
	Name       string
	CustomType string
	Large      bool // members are never listed in webhooks (Sendbird: Supergroup)
	// MaxMessageLength is the longest text the channel takes, in characters; 0 = not told,
	// negative = no limit.
	MaxMessageLength int
}

// User is somebody as the platform names him.
type User struct {
	ID   UserID
	Name string
}

// Member is a user in a channel, at the moment the platform spoke of him.
type Member struct {
	User
	Online         bool      // has a live connection
	Active         bool      // the account is not deactivated
	Joined         bool      // not merely invited
	BlockingSender bool      // has blocked the sender of the message at hand
	ReadAt         time.Time // read mark: everything up to here is read; zero = unknown
	DeliveredAt    time.Time // delivered mark; zero = unknown
}

// MessageType says what a chat message is made of.
type MessageType uint8

// The types of chat messages.
const (
	TextMessage  MessageType = iota
	FileMessage              // one or more files, perhaps with a text
	AdminMessage             // written by the application; has no sender
)

// ChatMessage is a message of the chat side.
type ChatMessage struct {
	ID        MessageID
	Channel   ChannelID
	Type      MessageType
	Sender    User // zero for AdminMessage
	Text      string
	Files     []ChatFile
	CreatedAt time.Time // the platform's clock, milliseconds
	UpdatedAt time.Time // zero = never edited
	Silent    bool      // must not raise a notification
	Removed   bool
	// Mark is the mark that we put on our own messages, "" on everybody else's.
	// It is what the platform carried, not yet verified.
	Mark string
}

// ChatFile is a file of a chat message.
type ChatFile struct {
	URL         string
	Name        string
	ContentType string
	Size        int64 // as told; 0 = not told
}

// ChatEventKind says what a chat webhook tells.
type ChatEventKind uint8

// What a chat webhook may tell. Whatever else there is, is ChatOther.
const (
	ChatOther ChatEventKind = iota
	MessageSent
	MessageEdited
	MessageDeleted
	MessagesRead
)

// ChatEvent is a webhook of a chat platform, decoded.
type ChatEvent struct {
	Kind       ChatEventKind
	Category   string // the platform's own name for it
	Channel    Channel
	Message    ChatMessage // MessageSent, MessageEdited, MessageDeleted
	Members    []Member
	HasMembers bool       // false: the platform must be asked who is there
	Reads      []ReadMark // MessagesRead
}

// ReadMark says up to when a user has read a channel.
type ReadMark struct {
	User UserID
	At   time.Time
}

// Recent is a channel and the newest message in it.
type Recent struct {
	Channel Channel
	Last    ChatMessage
}

// NewPost is a chat message to be written for a participant, or, with no User,
// as the application's own line.
type NewPost struct {
	ID      PostID
	Mark    string // put on the message, so that it is known again
	Channel ChannelID
	User    UserID // "" = an admin message
	Text    string // a text message
	File    *Upload
}

// Upload is a file to be uploaded with a NewPost.
type Upload struct {
	Name        string
	ContentType string
	Size        int64                         // exact, in bytes
	Open        func() (io.ReadCloser, error) // may be called again for another try
}
