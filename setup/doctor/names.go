package doctor

import (
	"context"

	"github.com/postern-chat/postern/setup/lookup"
	"github.com/postern-chat/postern/setup/policy"
)

// Names answers questions to the DNS; Lookup is one. The methods are lookup.Client's.
type Names interface {
	Zone(ctx context.Context, name string) (lookup.Zone, error)
	Authoritative(ctx context.Context, name, kind string) (*lookup.Answers, error)
	Recursive(ctx context.Context, name, kind string) (lookup.Answer, error)
	Wildcard(ctx context.Context, name, kind string) (*lookup.Answers, error)
	Secure(ctx context.Context, name string) (lookup.DNSSEC, error)
	CAA(ctx context.Context, name string) (lookup.CAA, error)
	// View sees the names at and below own as their own servers have them.
	View(own ...string) policy.Resolver
	ResolverAddress() string
}

// Lookup makes Names of a lookup.Client.
type Lookup struct{ *lookup.Client }

// View sees the names at and below own as their own servers have them.
func (l Lookup) View(own ...string) policy.Resolver { return l.Client.View(own...) }
