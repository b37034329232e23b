package policy

import "context"

// Disposition is what a domain asks to be done with mail that fails.
type Disposition string

// The values of Disposition, from mild to strict.
const (
	None       Disposition = "none"
	Quarantine Disposition = "quarantine"
	Reject     Disposition = "reject"
)

// DMARC is a parsed policy record (RFC 9989 section 4.7).
type DMARC struct {
	Text        string
	Policy      Disposition // p=; none if missing or no policy
	Sub         Disposition // sp=; "" = as Policy
	NonExistent Disposition // np=; "" = as Sub
	PSD         byte        // psd=: 'y', 'n' or 'u'
	Testing     bool        // t=y
	StrictDKIM  bool        // adkim=s
	StrictSPF   bool        // aspf=s
	Aggregate   []string    // rua=, the addresses
	Failure     []string    // ruf=, the addresses
	Remarks     []Remark
}

// DMARCReport is what applies to the mail of one domain.
type DMARCReport struct {
	Domain string // of From
	// Record that applies, nil if none does; At is where it stands.
	Record *DMARC
	At     string
	// Organisation is the organisational domain (RFC 9989 section 4.10.2); the domain
	// itself if nothing says otherwise.
	Organisation string
	// Effective policy for Domain, with np, sp and t counted in; "" without a record.
	Effective Disposition
	Several   []string // names with several records, of which none applies
	Asked     []string // the names that were asked, in order
	Remarks   []Remark
}

// IsDMARC tells whether a text begins as a DMARC record does.
func IsDMARC(text string) bool { return false }

// ParseDMARC reads one record. Errors are Invalid; what RFC 9989 wants ignored is a
// remark.
func ParseDMARC(text string) (*DMARC, error) { return nil, notYet() }

// EvaluateDMARC finds the record that applies to mail from a domain, by the tree walk of
// RFC 9989 section 4.10, with at most eight questions. Errors are Temporary.
func EvaluateDMARC(ctx context.Context, r Resolver, domain string) (*DMARCReport, error) {
	return nil, notYet()
}

// Organisation finds the organisational domain of a domain.
func Organisation(ctx context.Context, r Resolver, domain string) (string, error) {
	return "", notYet()
}

// Aligned tells whether an authenticated domain (DKIM's d=, SPF's) counts for mail from
// another: the same one, or if not strict, one of the same organisation.
func Aligned(ctx context.Context, r Resolver, from, authenticated string, strict bool) (bool, error) {
	return false, notYet()
}

// ReportsWelcome tells whether reports on domain may be sent to an address elsewhere: the
// other side has to say so at domain._report._dmarc.other (RFC 9990). An address of the
// same organisation is always welcome.
func ReportsWelcome(ctx context.Context, r Resolver, domain, address string) (bool, error) {
	return false, notYet()
}
