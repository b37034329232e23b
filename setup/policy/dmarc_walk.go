package policy

import (
	"context"
	"strings"

	"github.com/postern-chat/postern"
)

// maxWalk is how many questions a tree walk asks (RFC 9989 section 4.10).
const maxWalk = 8

// DMARCReport is what applies to the mail of one domain.
type DMARCReport struct {
	Domain string // of From
	// Record that applies, nil if none does; At is the domain whose record it is.
	Record *DMARC
	At     string
	// Organisation is the organisational domain (RFC 9989 section 4.10.2); the domain
	// itself if nothing says otherwise.
	Organisation string
	// Effective policy for Domain, with np, sp and t counted in; "" without a record.
	Effective Disposition
	Several   []string // domains with several records, of which none applies
	Broken    []string // domains whose record cannot be read, so that it does not apply
	Asked     []string // the names that were asked, in order
	Remarks   []Remark // of the record that applies, and on the way
}

// found is a record on the way up.
type found struct {
	domain string
	record *DMARC
}

// EvaluateDMARC finds the record that applies to mail from a domain, by the tree walk of
// RFC 9989 section 4.10, with at most eight questions. Errors are Temporary.
func EvaluateDMARC(ctx context.Context, r Resolver, domain string) (*DMARCReport, error) {
	rep := &DMARCReport{Domain: plain(domain)}
	way, err := rep.walk(ctx, r)
	if err != nil {
		return nil, err
	}
	rep.Organisation = organisation(rep.Domain, way)
	for _, f := range way {
		// The domain's own record, else its organisation's, else that of the public suffix.
		if f.domain == rep.Domain || f.domain == rep.Organisation || f.record.PSD == 'y' {
			rep.Record, rep.At = f.record, f.domain
			break
		}
	}
	if rep.Record == nil {
		return rep, nil
	}
	rep.Remarks = append(rep.Remarks, rep.Record.Remarks...)
	return rep, rep.effective(ctx, r)
}

// walk asks upward and gives the records found, nearest first.
func (rep *DMARCReport) walk(ctx context.Context, r Resolver) ([]found, error) {
	var way []found
	at := rep.Domain
	for range maxWalk {
		rep.Asked = append(rep.Asked, "_dmarc."+at)
		record, err := rep.at(ctx, r, at)
		if err != nil {
			return nil, err
		}
		if record != nil {
			way = append(way, found{at, record})
			if record.PSD != 'u' {
				break
			}
		}
		labels := strings.Split(at, ".")
		if len(labels) <= 1 {
			break
		}
		// A name with eight labels or more is cut to seven at once.
		at = strings.Join(labels[max(1, len(labels)-maxWalk+1):], ".")
	}
	return way, nil
}

// at reads the record of one domain, nil if none counts.
func (rep *DMARCReport) at(ctx context.Context, r Resolver, domain string) (*DMARC, error) {
	texts, err := r.TXT(ctx, "_dmarc."+domain)
	if err != nil {
		return nil, postern.Errorf(postern.Temporary, op, "DMARC of %s: %w", domain, err)
	}
	var only string
	n := 0
	for _, t := range texts {
		if IsDMARC(t) {
			only = t
			n++
		}
	}
	switch n {
	case 0:
		return nil, nil
	case 1:
		d, err := ParseDMARC(only)
		if err != nil {
			rep.Broken = append(rep.Broken, domain)
			return nil, nil
		}
		return d, nil
	}
	rep.Several = append(rep.Several, domain)
	return nil, nil
}

// organisation chooses by the rules of RFC 9989 section 4.10.2.
func organisation(domain string, way []found) string {
	for _, f := range way {
		switch {
		case f.record.PSD == 'n':
			return f.domain
		case f.record.PSD == 'y' && f.domain != domain:
			// One label below the public suffix.
			labels := strings.Split(strings.TrimSuffix(domain, "."+f.domain), ".")
			return labels[len(labels)-1] + "." + f.domain
		}
	}
	if len(way) > 0 {
		return way[len(way)-1].domain
	}
	return domain
}

// effective works out what is asked for this very domain.
func (rep *DMARCReport) effective(ctx context.Context, r Resolver) error {
	d := rep.Record
	rep.Effective = d.Policy
	if rep.At != rep.Domain {
		exists, err := r.Exists(ctx, rep.Domain)
		if err != nil {
			return postern.Errorf(postern.Temporary, op, "%s: %w", rep.Domain, err)
		}
		if d.Sub != "" {
			rep.Effective = d.Sub
		}
		if !exists {
			rep.Remarks = append(rep.Remarks, Remark{DMARCNonExistent, rep.Domain})
			if d.NonExistent != "" {
				rep.Effective = d.NonExistent
			}
		}
	}
	if d.Testing {
		switch rep.Effective {
		case Reject:
			rep.Effective = Quarantine
		case Quarantine:
			rep.Effective = None
		}
	}
	return nil
}

// Organisation finds the organisational domain of a domain. Errors are Temporary.
func Organisation(ctx context.Context, r Resolver, domain string) (string, error) {
	rep := &DMARCReport{Domain: plain(domain)}
	way, err := rep.walk(ctx, r)
	if err != nil {
		return "", err
	}
	return organisation(rep.Domain, way), nil
}

// Aligned tells whether an authenticated domain (DKIM's d=, SPF's) counts for mail from
// another: the same one, or if not strict, one of the same organisation.
func Aligned(ctx context.Context, r Resolver, from, authenticated string, strict bool) (bool, error) {
	from, authenticated = plain(from), plain(authenticated)
	if from == authenticated || strict {
		return from == authenticated, nil
	}
	a, err := Organisation(ctx, r, from)
	if err != nil {
		return false, err
	}
	b, err := Organisation(ctx, r, authenticated)
	return a == b, err
}

// ReportsWelcome tells whether reports on domain may be sent to an address elsewhere: the
// other side has to say so at domain._report._dmarc.other (RFC 9990). An address of the
// same organisation is always welcome.
func ReportsWelcome(ctx context.Context, r Resolver, domain, address string) (bool, error) {
	_, host, ok := strings.Cut(address, "@")
	if !ok {
		return false, invalid("not an address")
	}
	same, err := Aligned(ctx, r, domain, host, false)
	if err != nil || same {
		return same, err
	}
	texts, err := r.TXT(ctx, plain(domain)+"._report._dmarc."+plain(host))
	if err != nil {
		return false, postern.Errorf(postern.Temporary, op, "report address: %w", err)
	}
	for _, t := range texts {
		if IsDMARC(t) {
			return true, nil
		}
	}
	return false, nil
}
