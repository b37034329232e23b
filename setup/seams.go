package setup

import (
	"context"
	"encoding/json"

	"github.com/postern-chat/postern"
)

// Part is one side of a set-up: an e-mail provider's account, a chat application. All
// calls may block on the network; errors carry a kind.
type Part interface {
	// Name is what the operator calls it: "Mailgun", "Sendbird", "DNS".
	Name() string

	// Plan reads how things are and says, line by line and in the order in which they
	// are to be done, how they should be. It changes nothing.
	Plan(ctx context.Context) ([]postern.Change, error)

	// Restore brings the thing named by a change's Key back to what it was: Before, or
	// away if Before is nil. Repeating it is harmless. It takes back only what is as we
	// left it; what somebody else changed since is an error with CauseChanged.
	Restore(ctx context.Context, key string, before json.RawMessage) error
}

// RecordSource is an ability of an e-mail provider's Part: it knows which DNS records
// its domain needs. It is asked after the Part's changes are made, as the domain may
// have to be created first; before that, with the domain absent, it fails with
// CauseNotFound and the DNS part of the plan says "known after the domain is created".
type RecordSource interface {
	Records(ctx context.Context) ([]postern.DNSRecord, error)
}

// Verifier is an ability of an e-mail provider's Part: it looks at the DNS itself and
// says what is still missing; empty = it is content.
type Verifier interface {
	Verify(ctx context.Context) (missing []string, err error)
}

// Host is where a zone is kept: the only way we change a zone is value by value. All
// calls may block; all are safe for concurrent use.
type Host interface {
	// List gives the values of one type at one name (fully qualified). None is no error.
	List(ctx context.Context, zone, name, kind string) ([]postern.DNSRecord, error)

	// Create adds one value beside whatever is there. If it is there already that is
	// success. It never touches another value.
	Create(ctx context.Context, zone string, r postern.DNSRecord) error

	// Delete takes one value away and leaves the others at the name. If it is gone
	// already that is success.
	Delete(ctx context.Context, zone string, r postern.DNSRecord) error
}

// Examiner is an ability of platforms, providers and hosts: they say what is wrong on
// their side. It changes nothing.
type Examiner interface {
	Examine(ctx context.Context) []postern.Finding
}

// Stager is an ability of an e-mail provider's Part: some of its changes wait until the
// domain's DNS is right.
type Stager interface {
	Late(key string) bool
}

// Owner is an ability of an e-mail provider's Part: it knows its own records, so that an
// old one of its own is replaced and one of somebody else is not. It makes no call.
type Owner interface {
	Owns(r postern.DNSRecord) bool
}

// Settler is an ability of the DNS Part: after its changes are made it says on which
// servers they do not show yet; empty = on all that answer.
type Settler interface {
	Unsettled(ctx context.Context) (missing []string, err error)
}

// Handwork is an ability of the DNS Part: what the operator has to enter elsewhere, as a
// text to show; "" = nothing. The changes concerned have no Apply.
type Handwork interface {
	Instructions() string
}
