package policy

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/postern-chat/postern"
)

// walkLookups is where a walk ends: enough to say by how much a record is over the limit.
const walkLookups = 40

// maxMX is how many hosts an mx term may lead to (RFC 7208 section 4.6.4).
const maxMX = 10

// EvaluateSPF walks the tree of a domain's SPF records. It follows what a receiver would
// and stops soon after the limits; whatever it finds, the report says.
func EvaluateSPF(ctx context.Context, r Resolver, domain string) *SPFReport {
	texts, err := r.TXT(ctx, plain(domain))
	return evaluate(ctx, r, domain, texts, err)
}

// evaluate walks from the texts at a domain.
func evaluate(ctx context.Context, r Resolver, domain string, texts []string, err error) *SPFReport {
	w := &walk{ctx: ctx, r: r, rep: &SPFReport{Domain: plain(domain)}}
	w.rep.Root = w.node(plain(domain), "", true, nil, texts, err)
	w.finish()
	return w.rep
}

// walk is one evaluation under way.
type walk struct {
	ctx context.Context
	r   Resolver
	rep *SPFReport
}

func plain(domain string) string { return strings.ToLower(strings.TrimSuffix(domain, ".")) }

// finish draws the conclusion.
func (w *walk) finish() {
	rep := w.rep
	switch {
	case len(rep.Root.Texts) == 0 && rep.Code == SPFFine:
		rep.Outcome = SPFNone
		return
	case rep.Code == SPFFine && rep.Lookups > MaxLookups:
		rep.Code, rep.Detail = SPFLookups, fmt.Sprintf("%d look-ups", rep.Lookups)
	case rep.Code == SPFFine && rep.Voids > MaxVoid:
		rep.Code, rep.Detail = SPFVoids, fmt.Sprintf("%d look-ups find nothing", rep.Voids)
	}
	switch {
	case rep.Code == SPFUnanswered:
		rep.Outcome = SPFTempError
	case rep.Code != SPFFine:
		rep.Outcome = SPFPermError
	default:
		rep.Outcome = SPFValid
		if rep.Lookups >= MaxLookups-1 {
			rep.Remarks = append(rep.Remarks, Remark{SPFNearLimit, fmt.Sprintf("%d of %d look-ups", rep.Lookups, MaxLookups)})
		}
	}
}

// fail notes what is wrong at a node; the first counts for the whole.
func (w *walk) fail(n *SPFNode, code SPFCode, detail string) {
	if n.Code == SPFFine {
		n.Code, n.Detail = code, detail
	}
	if w.rep.Code == SPFFine {
		w.rep.Code, w.rep.Detail = code, n.Domain+": "+detail
	}
}

// node reads the records of one domain; above are the domains that led here.
func (w *walk) node(domain, via string, pass bool, above, texts []string, err error) *SPFNode {
	n := &SPFNode{Domain: domain, Via: via, Pass: pass}
	if err != nil {
		w.fail(n, SPFUnanswered, "its TXT could not be asked for")
		return n
	}
	for _, t := range texts {
		if IsSPF(t) {
			n.Texts = append(n.Texts, t)
		}
	}
	switch {
	case len(n.Texts) == 0:
		if via != "" {
			w.fail(n, SPFMissing, via+" leads to a domain without SPF")
		}
		return n
	case len(n.Texts) > 1:
		w.fail(n, SPFSeveral, fmt.Sprintf("%d SPF records", len(n.Texts)))
		return n
	}
	if n.Record, err = ParseSPF(n.Texts[0]); err != nil {
		w.fail(n, SPFSyntax, err.(*postern.Error).Err.Error())
		return n
	}
	for _, r := range n.Record.Remarks() {
		// A record that is only included needs no end of its own, and its all decides nothing.
		if via == "" || !strings.Contains(via, "include:") || r.Code != SPFNoAll && r.Code != SPFAllNeutral {
			r.Detail = strings.TrimPrefix(domain+": "+r.Detail, w.rep.Domain+": ")
			w.rep.Remarks = append(w.rep.Remarks, r)
		}
	}
	before := w.rep.Lookups
	w.terms(n, append(slices.Clone(above), domain))
	n.Lookups = w.rep.Lookups - before
	return n
}

// terms goes through a record until its all.
func (w *walk) terms(n *SPFNode, path []string) {
	for _, t := range n.Record.Terms {
		if t.Modifier {
			continue
		}
		if t.Name == "all" {
			if n.Pass && t.Qualifier == '+' {
				w.network(netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0))
			}
			return
		}
		w.mechanism(n, t, path)
	}
	if t, ok := n.Record.Redirect(); ok {
		w.follow(n, t, n.Pass, path)
	}
}

func (w *walk) network(ps ...netip.Prefix) {
	for _, p := range ps {
		if !slices.Contains(w.rep.Networks, p) {
			w.rep.Networks = append(w.rep.Networks, p)
		}
	}
}

// mechanism follows one term.
func (w *walk) mechanism(n *SPFNode, t Term, path []string) {
	pass := n.Pass && t.Qualifier == '+'
	if t.Name == "ip4" || t.Name == "ip6" {
		if pass {
			w.network(t.Prefix)
		}
		return
	}
	if t.Name == "include" {
		w.follow(n, t, pass, path)
		return
	}
	w.rep.Lookups++
	if t.HasMacro() || t.Name == "ptr" || w.rep.Lookups > walkLookups {
		return
	}
	target := n.Domain
	if t.Domain != "" {
		target = plain(t.Domain)
	}
	hosts := []string{target}
	if t.Name == "mx" {
		var err error
		if hosts, err = w.r.MX(w.ctx, target); err != nil {
			w.fail(n, SPFUnanswered, t.Text)
			return
		}
		if len(hosts) > maxMX {
			w.fail(n, SPFManyMX, fmt.Sprintf("%s: %d hosts", t.Text, len(hosts)))
			return
		}
	}
	found := t.Name == "mx" && len(hosts) > 0
	for _, h := range hosts {
		addrs, err := w.r.Addresses(w.ctx, h)
		if err != nil {
			w.fail(n, SPFUnanswered, t.Text)
			return
		}
		found = found || len(addrs) > 0
		if pass && t.Name != "exists" {
			w.addresses(t, addrs)
		}
	}
	if !found {
		w.rep.Voids++
	}
}

func (w *walk) addresses(t Term, addrs []netip.Addr) {
	for _, a := range addrs {
		bits := t.Bits6
		if a.Is4() {
			bits = t.Bits4
		}
		if p, err := a.Prefix(bits); err == nil {
			w.network(p)
		}
	}
}

// follow goes into an include or redirect.
func (w *walk) follow(n *SPFNode, t Term, pass bool, path []string) {
	w.rep.Lookups++
	if t.HasMacro() || w.rep.Lookups > walkLookups {
		return
	}
	target := plain(t.Domain)
	if slices.Contains(path, target) {
		w.fail(n, SPFLoop, t.Text+" leads back")
		return
	}
	texts, err := w.r.TXT(w.ctx, target)
	if err == nil && len(texts) == 0 {
		w.rep.Voids++
	}
	n.Children = append(n.Children, w.node(target, t.Text, pass, path, texts, err))
}

// Includes tells whether the tree leads to other by terms that let pass: directly, or
// through records in between such as those that hosts generate. It looks at the tree
// alone, be the Outcome what it may.
func (r *SPFReport) Includes(other string) bool {
	other = plain(other)
	var in func(n *SPFNode) bool
	in = func(n *SPFNode) bool {
		return n.Pass && n.Code == SPFFine && (n.Domain == other || slices.ContainsFunc(n.Children, in))
	}
	return slices.ContainsFunc(r.Root.Children, in)
}

// Authorises tells whether all that passes by other passes here: because the tree leads to
// it, or because each of its networks passes by itself (a flattened record). Terms that
// refuse some address before it could pass are not weighed. Only of valid reports.
func (r *SPFReport) Authorises(other *SPFReport) bool {
	if r.Outcome != SPFValid {
		return false
	}
	if r.Includes(other.Domain) {
		return true
	}
	if other.Outcome != SPFValid || len(other.Networks) == 0 {
		return false
	}
	for _, p := range other.Networks {
		if !slices.ContainsFunc(r.Networks, func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) }) {
			return false
		}
	}
	return true
}
