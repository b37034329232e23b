package policy

import (
	"context"
	"strings"

	"github.com/postern-chat/postern"
)

// SPFLimits is what a merged record has to keep to.
type SPFLimits struct {
	MaxText    int // bytes; 0 = 512
	MaxLookups int // 0 = MaxLookups
}

// MergeSPF adds an include to the SPF record of a domain and leaves the rest of the text
// as it is. existing "" makes a record that ends in ~all. If the tree already leads to
// include the text comes back unchanged. Errors: Invalid if existing is no record;
// Permanent with CauseTooLong if the result would be longer than it may; Permanent if it
// would take, or takes already, more look-ups than receivers make, or be a permerror for
// another reason; Temporary if that could not be found out.
func MergeSPF(ctx context.Context, r Resolver, domain, existing, include string, limits SPFLimits) (string, error) {
	if limits.MaxText == 0 {
		limits.MaxText = 512
	}
	if limits.MaxLookups == 0 {
		limits.MaxLookups = MaxLookups
	}
	merged, err := InsertInclude(existing, include)
	if err != nil {
		return "", err
	}
	if existing != "" {
		before := evaluate(ctx, r, domain, []string{existing}, nil)
		switch {
		case before.Outcome == SPFTempError:
			return "", postern.Errorf(postern.Temporary, op, "SPF of %s: %s", domain, before.Detail)
		case !before.Includes(include):
		case before.Outcome != SPFValid: // it is there and helps nobody
			return "", postern.Errorf(postern.Permanent, op, "SPF of %s includes %s already and does not work: %s", domain, include, before.Detail)
		default:
			return existing, nil
		}
	}
	if len(merged) > limits.MaxText {
		return "", postern.Errorf(postern.Permanent, op, "SPF of %s would have %d bytes; %d are the most", domain, len(merged), limits.MaxText).Because(postern.CauseTooLong)
	}
	after := evaluate(ctx, r, domain, []string{merged}, nil)
	switch {
	case after.Outcome == SPFTempError:
		return "", postern.Errorf(postern.Temporary, op, "SPF of %s: %s", domain, after.Detail)
	case after.Outcome != SPFValid:
		return "", postern.Errorf(postern.Permanent, op, "SPF of %s would not work with include:%s: %s", domain, include, after.Detail)
	case after.Lookups > limits.MaxLookups:
		return "", postern.Errorf(postern.Permanent, op, "SPF of %s would take %d look-ups; %d are the most", domain, after.Lookups, limits.MaxLookups)
	}
	return merged, nil
}

// InsertInclude is the text half of MergeSPF: include before the all term, or before
// redirect=, or at the end; nothing if it is there already and counts. Errors are Invalid.
func InsertInclude(existing, include string) (string, error) {
	term := "include:" + include
	if _, err := parseTerm(term); err != nil {
		return "", err
	}
	if existing == "" {
		return "v=spf1 " + term + " ~all", nil
	}
	record, err := ParseSPF(existing)
	if err != nil {
		return "", err
	}
	at, redirect := -1, -1 // where it goes: the all term, or the same include that does not pass
	pos := len("v=spf1")
	for _, t := range record.Terms {
		start := pos + strings.Index(existing[pos:], t.Text)
		pos = start + len(t.Text)
		same := t.Name == "include" && !t.Modifier && strings.EqualFold(strings.TrimSuffix(t.Domain, "."), strings.TrimSuffix(include, "."))
		switch {
		case same && t.Qualifier == '+' && at < 0:
			return existing, nil
		case at < 0 && !t.Modifier && (t.Name == "all" || same):
			at = start
		case redirect < 0 && t.Modifier && t.Name == "redirect":
			redirect = start
		}
	}
	if at < 0 {
		at = redirect
	}
	if at < 0 {
		return strings.TrimRight(existing, " ") + " " + term, nil
	}
	return existing[:at] + term + " " + existing[at:], nil
}
