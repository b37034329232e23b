package postern

import (
	"context"
	"encoding/json"
	"strings"
)

// Sign says what is to become of one thing outside when the gateway is set up.
type Sign string

// The signs of a plan.
const (
	Keep     Sign = "="
	Add      Sign = "+"
	Alter    Sign = "~"
	Remove   Sign = "-"
	Conflict Sign = "!" // an operator has to decide; nothing is done
)

// Change is one line of a plan: how one thing outside is, how it should be, and what
// makes it so.
type Change struct {
	// Key names the thing, the same on every run: "mailgun/route", "dns/TXT/mail.example.com".
	// It is what undo goes by.
	Key  string
	Sign Sign
	// Title says what it is, in a few words for the operator.
	Title string
	// Is and Want are shown beside each other; "" = nothing is there, nothing is wanted.
	// Neither holds a secret.
	Is, Want string
	// Why explains what is not obvious; with Conflict: what the operator can do.
	Why string
	// Before is what Restore needs to bring back what was there; nil = nothing was.
	Before json.RawMessage
	// Apply makes it so; nil with Keep and Conflict, and where only the operator can do it.
	// It looks again before it changes anything, so repeating it is harmless, also after it
	// was cut off in the middle. If what is there is no longer what the plan saw it fails
	// with CauseChanged.
	Apply func(ctx context.Context) error
}

// DNSRecord is one value at one name. A name with two MX hosts has two.
type DNSRecord struct {
	Name string `json:"name"` // fully qualified, lower case, without a dot at the end
	Type string `json:"type"` // "A", "MX", "TXT", "CNAME" ...
	// Value is in presentation form, hosts without a dot at the end. TXT is one string
	// without quotes, however long it is. MX is the host alone.
	Value    string `json:"value"`
	Priority int    `json:"priority,omitempty"` // of MX
	TTL      int    `json:"ttl,omitempty"`      // seconds; 0 = the host's own default
}

// Same tells whether two records say the same, whatever their TTL.
func (r DNSRecord) Same(o DNSRecord) bool {
	if !strings.EqualFold(r.Type, o.Type) || !sameHost(r.Name, o.Name) || r.Priority != o.Priority {
		return false
	}
	if strings.EqualFold(r.Type, "TXT") {
		return r.Value == o.Value
	}
	return sameHost(r.Value, o.Value)
}

// sameHost compares as RFC 4343 wants it, the root's dot aside.
func sameHost(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// Health is the outcome of one check of the doctor.
type Health string

// The values of Health, from good to bad.
const (
	Fine    Health = "ok"
	Skipped Health = "skipped" // could not be asked; the evidence says why
	Warning Health = "warning" // works, or seems to; will hurt
	Failure Health = "failure"
)

// Finding is what one check of the doctor came to.
type Finding struct {
	// Code is stable, upper case, "DNS-SPF-TWO". What it means and how it is mended in
	// general stands in the doctor's table under this code.
	Code     string `json:"code"`
	Health   Health `json:"health"`
	Evidence string `json:"evidence,omitempty"` // what was seen, without secrets
	// Remedy is the exact next step here and now, where there is one; "" = the table's.
	Remedy string `json:"remedy,omitempty"`
}
