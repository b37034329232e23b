package webhook

import (
	"context"
	"io"
	"net/http"

	"github.com/postern-chat/postern"
)

// ChatHook is the way in for a chat platform.
type ChatHook interface {
	// Verify checks the request's signature over the body's bytes as received. It
	// fails with Denied. It does not block.
	Verify(h http.Header, body []byte) error
	// Decode reads a verified body. It fails with Invalid. It does not block.
	Decode(body []byte) (postern.ChatEvent, error)
}

// MailHook is the way in for an e-mail provider.
type MailHook interface {
	// InboundMIME reads a request that carries a raw message, InboundForm one that
	// carries it taken apart; both write an RFC 5322 message to w as they read,
	// verify the provider's signature, and tell the envelope. On any error the
	// caller throws away what was written. Denied: the signature does not hold;
	// Invalid: the request can never be accepted.
	InboundMIME(ctx context.Context, r *http.Request, w io.Writer) (postern.Inbound, error)
	InboundForm(ctx context.Context, r *http.Request, w io.Writer) (postern.Inbound, error)
	// Event verifies and reads the body of an event webhook. digest is of the
	// content, so that a signature used again with another content is seen.
	Event(body []byte) (e postern.MailEvent, token string, digest []byte, err error)
}
