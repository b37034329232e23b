package dns

// Switches are the things that the facts leave open, that differ between accounts, or
// that a test wants otherwise. All can be changed while running (PUT
// /_emulator/switches).
type Switches struct {
	// RateLimit is the number of GoDaddy calls a minute per credential; 0: no limit.
	RateLimit int `json:"rate_limit"`
	// RetryAfter says where a 429 tells how long to wait: "header", "body"
	// (retryAfterSec) or "both".
	RetryAfter string `json:"retry_after"`
	// CloudflareLimit is the number of Cloudflare calls in five minutes.
	CloudflareLimit int `json:"cloudflare_limit"`
	// UnknownZone is v3's status for a zone that is not the account's: 404 or 400.
	UnknownZone int `json:"unknown_zone"`
	// NeedUserAgent: a GoDaddy call without the header is answered 403.
	NeedUserAgent bool `json:"need_user_agent"`
	// Access is what GoDaddy lets the account do: "full", "denied" (403 for every
	// call), or "by-name" (whole types and zones are 403, one name of one type is not).
	Access string `json:"access"`
	// Protected is GoDaddy's Domain Protection: changes of TXT records are answered as
	// if they were made, and empty records appear.
	Protected bool `json:"protected"`
	// Ineligible: changes are answered 409, the domain may not have its records changed.
	Ineligible bool `json:"ineligible"`
	// Placeholder: a deleted TXT leaves one behind with a space in it.
	Placeholder bool `json:"placeholder"`
	// PutRepaired: v3's PUT changes the one record, instead of wiping the zone.
	PutRepaired bool `json:"put_repaired"`
	// NeedDot: v3 refuses host names without a dot at the end.
	NeedDot bool `json:"need_dot"`
	// QuoteTXT: Cloudflare shows the data of a TXT in quotes.
	QuoteTXT bool `json:"quote_txt"`
	// NeedTSIG: an update without a signature is answered REFUSED.
	NeedTSIG bool `json:"need_tsig"`
	// SecondLagSeconds is how late the second name server sees changes, and
	// ResolverLagSeconds how late the resolver does.
	SecondLagSeconds   float64 `json:"second_lag_seconds"`
	ResolverLagSeconds float64 `json:"resolver_lag_seconds"`
	// Truncate: whatever is asked by UDP is answered truncated, as if it were too long.
	Truncate bool `json:"truncate"`
}

// DefaultSwitches are the settings that the facts suggest.
func DefaultSwitches() Switches {
	return Switches{RateLimit: 60, RetryAfter: "header", CloudflareLimit: 1200, UnknownZone: 404, NeedUserAgent: true, Access: "full", NeedTSIG: true}
}

func (s *Server) switches() Switches {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.switches
}

// SetSwitches changes the switches.
func (s *Server) SetSwitches(change func(*Switches)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.st.switches)
}
