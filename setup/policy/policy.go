package policy

import (
	"context"
	"net/netip"
)

const op = "policy"

// Resolver answers questions to the DNS; lookup.View is one. All methods may block and
// are asked one at a time. What does not exist is an empty answer, not an error; an error
// means that it could not be found out.
type Resolver interface {
	// TXT gives the texts at a name, following aliases, each with its pieces joined.
	TXT(ctx context.Context, name string) ([]string, error)
	// MX gives the hosts that take mail for a name, by priority.
	MX(ctx context.Context, name string) ([]string, error)
	// Addresses gives the IPv4 and IPv6 addresses of a name.
	Addresses(ctx context.Context, name string) ([]netip.Addr, error)
	// Exists tells whether a name exists, with whatever records (RFC 8020).
	Exists(ctx context.Context, name string) (bool, error)
}

// Remark is something about a record that works and should not stay so, or works and is
// worth knowing.
type Remark struct {
	Code   RemarkCode
	Detail string // the term or tag it is about, and where; for operators
}

// RemarkCode is stable.
type RemarkCode string

// Of SPF.
const (
	SPFAllPass        RemarkCode = "spf-all-pass"         // +all: everybody may send
	SPFAllNeutral     RemarkCode = "spf-all-neutral"      // ?all: says nothing
	SPFNoAll          RemarkCode = "spf-no-all"           // ends without all or redirect: neutral
	SPFAllRedirect    RemarkCode = "spf-all-redirect"     // redirect beside all is never used
	SPFAfterAll       RemarkCode = "spf-after-all"        // terms behind all are never used
	SPFPtr            RemarkCode = "spf-ptr"              // ptr should not be used (RFC 7208 section 5.5)
	SPFMacro          RemarkCode = "spf-macro"            // depends on the mail: counted, not followed
	SPFUnknown        RemarkCode = "spf-unknown-modifier" // ignored by everybody
	SPFLong           RemarkCode = "spf-long"             // over 255 bytes: has to be split into strings
	SPFTooLong        RemarkCode = "spf-too-long"         // over 512 bytes: answers do not fit, hosts refuse it
	SPFNearLimit      RemarkCode = "spf-near-limit"       // nine or ten of ten look-ups
	SPFIncludeNotPass RemarkCode = "spf-include-not-pass" // -include or ?include: does not let anybody send
)

// Of DMARC.
const (
	DMARCNoPolicy    RemarkCode = "dmarc-no-p"         // counts as p=none
	DMARCBadPolicy   RemarkCode = "dmarc-bad-p"        // not a policy; counts as p=none
	DMARCRemovedTag  RemarkCode = "dmarc-removed-tag"  // pct, rf, ri: RFC 9989 took them away
	DMARCUnknownTag  RemarkCode = "dmarc-unknown-tag"  // ignored
	DMARCBadTag      RemarkCode = "dmarc-bad-tag"      // a value that is none: ignored
	DMARCTesting     RemarkCode = "dmarc-testing"      // t=y: the policy counts one step lower
	DMARCBadReport   RemarkCode = "dmarc-bad-rua"      // not a mailto address: ignored
	DMARCNoReports   RemarkCode = "dmarc-no-rua"       // nobody is told
	DMARCNonExistent RemarkCode = "dmarc-non-existent" // the domain itself does not exist
)
