package policy

import (
	"net/url"
	"strings"
)

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

// IsDMARC tells whether a text begins as a DMARC record does; only then it counts as one.
func IsDMARC(text string) bool {
	first, _, _ := strings.Cut(text, ";")
	name, value, is := strings.Cut(first, "=")
	return is && strings.EqualFold(strings.Trim(name, " \t"), "v") && strings.Trim(value, " \t") == "DMARC1"
}

// ParseDMARC reads one record. Errors are Invalid; what RFC 9989 wants ignored is a
// remark.
func ParseDMARC(text string) (*DMARC, error) {
	if !IsDMARC(text) {
		return nil, invalid("no DMARC record: it does not begin with v=DMARC1")
	}
	tags, err := parseTags(text)
	if err != nil {
		return nil, err
	}
	d := &DMARC{Text: text, PSD: 'u'}
	for _, t := range tags[1:] {
		d.tag(strings.ToLower(t.name), t.value)
	}
	switch {
	case d.has(DMARCBadPolicy):
		// One policy that is none spoils them all (RFC 9989 section 4.10.1).
		d.Policy, d.Sub, d.NonExistent = None, "", ""
	case d.Policy == "":
		d.Policy = None
		d.remark(DMARCNoPolicy, "")
	}
	if len(d.Aggregate) == 0 {
		d.remark(DMARCNoReports, "")
	}
	if d.Testing {
		d.remark(DMARCTesting, "t=y")
	}
	return d, nil
}

func (d *DMARC) remark(code RemarkCode, detail string) {
	d.Remarks = append(d.Remarks, Remark{code, detail})
}

func (d *DMARC) has(code RemarkCode) bool {
	for _, r := range d.Remarks {
		if r.Code == code {
			return true
		}
	}
	return false
}

func (d *DMARC) tag(name, value string) {
	shown := name + "=" + value
	switch name {
	case "p":
		d.Policy = d.disposition(value, shown)
	case "sp":
		d.Sub = d.disposition(value, shown)
	case "np":
		d.NonExistent = d.disposition(value, shown)
	case "psd":
		if d.oneOf(value, shown, "y", "n", "u") {
			d.PSD = value[0] | 0x20
		}
	case "t":
		d.Testing = d.oneOf(value, shown, "y", "n") && strings.EqualFold(value, "y")
	case "adkim":
		d.StrictDKIM = d.oneOf(value, shown, "r", "s") && strings.EqualFold(value, "s")
	case "aspf":
		d.StrictSPF = d.oneOf(value, shown, "r", "s") && strings.EqualFold(value, "s")
	case "rua":
		d.Aggregate = d.addresses(value)
	case "ruf":
		d.Failure = d.addresses(value)
	case "fo":
		for _, f := range list(value, ":") {
			d.oneOf(f, shown, "0", "1", "d", "s")
		}
	case "pct", "rf", "ri":
		d.remark(DMARCRemovedTag, shown)
	default:
		d.remark(DMARCUnknownTag, shown)
	}
}

func (d *DMARC) disposition(value, shown string) Disposition {
	switch p := Disposition(strings.ToLower(value)); p {
	case None, Quarantine, Reject:
		return p
	}
	d.remark(DMARCBadPolicy, shown)
	return ""
}

func (d *DMARC) oneOf(value, shown string, allowed ...string) bool {
	for _, a := range allowed {
		if strings.EqualFold(a, value) {
			return true
		}
	}
	d.remark(DMARCBadTag, shown)
	return false
}

// addresses reads report addresses: mailto:a@b, with a size behind ! in older ones.
func (d *DMARC) addresses(value string) []string {
	var found []string
	for _, uri := range list(value, ",") {
		u, err := url.Parse(uri)
		if err != nil || !strings.EqualFold(u.Scheme, "mailto") {
			d.remark(DMARCBadReport, uri)
			continue
		}
		address, err := url.PathUnescape(u.Opaque)
		if i := strings.LastIndexByte(address, '!'); i > strings.LastIndexByte(address, '@') {
			address = address[:i]
		}
		if local, domain, _ := strings.Cut(address, "@"); err != nil || local == "" || domain == "" {
			d.remark(DMARCBadReport, uri)
			continue
		}
		found = append(found, address)
	}
	return found
}
