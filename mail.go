package postern

import (
	"io"
	"time"
)

// Outgoing is an e-mail to one recipient, complete, ready to be handed to a provider.
type Outgoing struct {
	Delivery    DeliveryID
	Participant ParticipantID
	To          string // the envelope's recipient
	MessageID   string // without angle brackets; stored before the call
	Size        int64  // of the message, in bytes; 0 = unknown
	// Open gives the RFC 5322 message. It may be called again for another try and
	// gives the same bytes every time.
	Open func() (io.ReadCloser, error)
}

// MailEventKind says what became of an e-mail.
type MailEventKind uint8

// What may become of an e-mail. Whatever else a provider tells is MailOther.
const (
	MailOther        MailEventKind = iota
	MailAccepted                   // the provider has it
	MailDelivered                  // the recipient's server has it
	MailOpened                     // its pictures were fetched, see Opener
	MailClicked                    // a link in it was followed
	MailDeferred                   // refused for now, the provider tries again
	MailFailed                     // refused for good
	MailComplained                 // marked as spam
	MailUnsubscribed               // unsubscribed at the provider
)

var mailEventNames = [...]string{"other", "accepted", "delivered", "opened", "clicked", "deferred", "failed", "complained", "unsubscribed"}

func (k MailEventKind) String() string {
	if int(k) < len(mailEventNames) {
		return mailEventNames[k]
	}
	return "other"
}

// Opener says who is likely to have opened an e-mail, as far as the provider can tell.
type Opener string

// Who may have opened an e-mail. A provider's "human" is a guess that the rules
// narrow further.
const (
	OpenedByPerson  Opener = ""
	OpenedByApple   Opener = "apple"   // Mail Privacy Protection prefetches everything
	OpenedByGmail   Opener = "gmail"   // prefetched before display
	OpenedByScanner Opener = "scanner" // a security product, or another robot
)

// MailEvent is a provider's webhook on an e-mail of ours, decoded.
type MailEvent struct {
	Kind        MailEventKind
	Key         string    // tells repeats apart; stable over the provider's retries
	At          time.Time // when it happened, the provider's clock
	Delivery    DeliveryID
	Participant ParticipantID // 0 = not told
	MessageID   string        // without angle brackets
	Recipient   string
	Opener      Opener        // MailOpened, MailClicked
	DeliveredAt time.Time     // MailOpened: when it had been delivered, if told
	Suppressed  StopReason    // MailFailed: the provider did not even try, because of this
	Code        string        // the other server's code, "550", "5.1.1"
	Detail      string        // its words, for the operator
	RetryAfter  time.Duration // MailDeferred
}

// Inbound is an e-mail that a provider handed to us. Its content is kept beside it
// as raw bytes.
type Inbound struct {
	Key       string  `json:"-"`                   // tells repeats apart: provider's token
	Digest    []byte  `json:"-"`                   // of the content, so that the same Key with other content is seen
	Recipient string  `json:"recipient"`           // the envelope's; the only thing to route on
	Sender    string  `json:"sender"`              // the envelope's; may be empty
	Stripped  string  `json:"stripped,omitempty"`  // the provider's own idea of the reply: a hint, never believed
	Verdicts  Verdict `json:"verdicts,omitzero"`   // what the provider thinks of the sender
	MessageID string  `json:"message_id,omitzero"` // if the provider named it beside the content
}

// Verdict is what a provider found out about the sender of a mail. Empty strings: it
// did not say.
type Verdict struct {
	SPF  string `json:"spf,omitempty"`  // pass, neutral, softfail, fail
	DKIM string `json:"dkim,omitempty"` // pass, fail
}
