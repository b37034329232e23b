package relay

import (
	"context"
	"io"
	"time"

	"github.com/postern-chat/postern"
)

// Platform is a chat platform, as the rules need it. All calls may block on the
// network; all are safe for concurrent use; all errors carry a kind.
type Platform interface {
	// Decode reads the body of a webhook whose signature was verified on arrival.
	// It does not block. Unknown events are ChatOther, not an error.
	Decode(body []byte) (postern.ChatEvent, error)

	// Channel tells name and limits of a channel.
	Channel(ctx context.Context, id postern.ChannelID) (postern.Channel, error)

	// Members lists everybody in a channel, joined or invited, through all pages,
	// with presence and receipts as they are now.
	Members(ctx context.Context, id postern.ChannelID) ([]postern.Member, error)

	// Messages lists a channel's messages created at or after since, oldest first,
	// thread replies and removed ones included. It may stop after a page of 200.
	Messages(ctx context.Context, id postern.ChannelID, since time.Time) ([]postern.ChatMessage, error)

	// Post writes one message and tells its id. It paces itself below the platform's
	// limits. Repeating it after an Unsure error may write the message twice: look
	// for the mark with Messages first. The platform is given the post's id, and where it
	// tells a repeat by it, that fails with Unsure and CauseExists. A text that is too long fails with
	// CauseTooLong, a file with CauseTooLarge.
	Post(ctx context.Context, p postern.NewPost) (postern.MessageID, error)

	// MarkDelivered and MarkRead move the user's mark in the channel to now, over
	// all messages there are. Repeating them is harmless only while no new message came.
	MarkDelivered(ctx context.Context, id postern.ChannelID, user postern.UserID) error
	MarkRead(ctx context.Context, id postern.ChannelID, user postern.UserID) error

	// OpenFile streams a file of a chat message. It refuses hosts that are not
	// allowed and private addresses with a Permanent error. size is -1 if unknown.
	OpenFile(ctx context.Context, f postern.ChatFile) (body io.ReadCloser, size int64, err error)
}

// Clocked is an ability of a Platform: it knows how far its clock is from this machine's.
type Clocked interface {
	// Ahead tells how far the platform's clock was ahead of the machine's when it last
	// answered; 0 where they agree within seconds, or while nothing is known. It does not block.
	Ahead() time.Duration
}

// Provider is an e-mail provider, as the rules need it. All calls are safe for
// concurrent use; all errors carry a kind.
type Provider interface {
	// Send hands one message over and tells the provider's id for it. Unsure means
	// that it may have been sent: see Finder.
	Send(ctx context.Context, m postern.Outgoing) (providerID string, err error)

	// DecodeEvent reads the body of an event webhook, verified on arrival. It does
	// not block. Unknown events are MailOther, not an error.
	DecodeEvent(body []byte) (postern.MailEvent, error)
}

// Finder is an ability of a Provider: it can be asked whether it has a message.
type Finder interface {
	// Find tells whether a message with this Message-ID was taken since then. False
	// proves nothing while the provider's books lag.
	Find(ctx context.Context, messageID string, since time.Time) (bool, error)
}

// Lifter is an ability of a Provider: it can take an address off its own list of
// those it refuses to send to.
type Lifter interface {
	Lift(ctx context.Context, address string) error
}

// Tracer is an ability of a Provider: it can be asked what became of a message.
type Tracer interface {
	// Trace lists what the provider's books tell of a message since then, in the order
	// in which it happened; nothing while the books lag, or if they were thrown away.
	Trace(ctx context.Context, messageID string, since time.Time) ([]postern.MailEvent, error)
}

// Lister is an ability of a Platform: it can tell where something was written lately.
type Lister interface {
	// Channels lists channels in which something was ever written, with the newest message
	// that counts there, the newest first; page is "" first, then what the call before told
	// as next, until that is "". It may list a channel twice while people write.
	Channels(ctx context.Context, page string) (list []postern.Recent, next string, err error)
}
