package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/setup/policy"
)

// spf evaluates the domain's SPF as a receiver does, and asks whether the provider passes.
func (x *zoneExam) spf(ctx context.Context) []postern.Finding {
	view := x.view()
	r := policy.EvaluateSPF(ctx, view, x.Domain)
	switch r.Outcome {
	case policy.SPFTempError:
		return []postern.Finding{Skip("DNS-SPF", "could not be found out: %s", r.Detail)}
	case policy.SPFNone:
		want, err := x.of(isSPF)
		if err != nil || len(want) == 0 {
			return []postern.Finding{mend(Found("DNS-SPF-NONE", "%s has no SPF record", x.Domain), "Make the SPF record that the provider names for the domain.")}
		}
		return []postern.Finding{mend(Found("DNS-SPF-NONE", "%s has no SPF record", x.Domain), bySetup, x.lines(ctx, want))}
	case policy.SPFPermError:
		return []postern.Finding{x.spfBroken(ctx, r)}
	}
	out := x.spfRemarks(r)
	include := x.include()
	if include == "" {
		return append(out, Skip("DNS-SPF", "%s; what the provider wants is not known", text(r)))
	}
	if !r.Includes(include) && !r.Authorises(policy.EvaluateSPF(ctx, view, include)) {
		f := Found("DNS-SPF-PROVIDER", "%s has %s, which does not lead to %s", x.Domain, text(r), include)
		if merged, err := policy.InsertInclude(r.Root.Texts[0], include); err == nil {
			f = mend(f, "Run postern setup, or change the record to: %s", merged)
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		out = append(out, OK("DNS-SPF", "%s leads to %s with %d of %d look-ups", text(r), include, r.Lookups, policy.MaxLookups))
	}
	return out
}

// include is the domain whose SPF the provider wants to be led to.
func (x *zoneExam) include() string {
	want, err := x.of(isSPF)
	if err != nil {
		return ""
	}
	for _, w := range want {
		if s, err := policy.ParseSPF(w.Value); err == nil {
			for _, t := range s.Terms {
				if t.Name == "include" {
					return t.Domain
				}
			}
		}
	}
	return ""
}

func text(r *policy.SPFReport) string {
	if r.Root == nil || len(r.Root.Texts) == 0 {
		return "no record"
	}
	return brief(r.Root.Texts)
}

// spfBroken says why no mail passes, and where in the tree.
func (x *zoneExam) spfBroken(ctx context.Context, r *policy.SPFReport) postern.Finding {
	at := faulty(r.Root)
	where := x.Domain
	if at != nil {
		where = at.Domain
	}
	own := at == nil || at == r.Root
	switch r.Code {
	case policy.SPFSeveral:
		if own {
			f := Found("DNS-SPF-TWO", "%s has %d SPF records: %s", x.Domain, len(r.Root.Texts), text(r))
			return mend(f, "Make one of them and take the others away. Run postern setup afterwards: it adds the provider.")
		}
	case policy.SPFSyntax:
		if own {
			return Found("DNS-SPF-SYNTAX", "%s: %s", text(r), r.Detail)
		}
	case policy.SPFLookups, policy.SPFManyMX:
		return Found("DNS-SPF-LOOKUPS", "%d look-ups, %d are allowed: %s", r.Lookups, policy.MaxLookups, tree(r.Root))
	case policy.SPFVoids:
		return Found("DNS-SPF-VOID", "%d look-ups find nothing, %d are allowed: %s", r.Voids, policy.MaxVoid, r.Detail)
	case policy.SPFLoop:
		return Found("DNS-SPF-LOOP", "%s: %s", where, r.Detail)
	}
	return Found("DNS-SPF-INCLUDE", "%s, which the record of %s leads to: %s %s", where, x.Domain, r.Code, r.Detail)
}

// faulty finds the first node where something is wrong of itself.
func faulty(n *policy.SPFNode) *policy.SPFNode {
	if n == nil {
		return nil
	}
	for _, c := range n.Children {
		if f := faulty(c); f != nil {
			return f
		}
	}
	if n.Code != policy.SPFFine {
		return n
	}
	return nil
}

// tree writes who leads to whom, and at what cost.
func tree(n *policy.SPFNode) string {
	if n == nil {
		return ""
	}
	s := fmt.Sprintf("%s=%d", n.Domain, n.Lookups)
	if len(n.Children) == 0 {
		return s
	}
	var parts []string
	for _, c := range n.Children {
		parts = append(parts, tree(c))
	}
	return s + " (" + strings.Join(parts, ", ") + ")"
}

func (x *zoneExam) spfRemarks(r *policy.SPFReport) []postern.Finding {
	codes := map[policy.RemarkCode]string{
		policy.SPFAllPass: "DNS-SPF-ALL", policy.SPFAllNeutral: "DNS-SPF-OPEN", policy.SPFNoAll: "DNS-SPF-OPEN",
		policy.SPFAllRedirect: "DNS-SPF-IGNORED", policy.SPFAfterAll: "DNS-SPF-IGNORED", policy.SPFPtr: "DNS-SPF-PTR",
		policy.SPFTooLong: "DNS-SPF-LONG", policy.SPFNearLimit: "DNS-SPF-NEAR",
	}
	var out []postern.Finding
	for _, m := range r.Remarks {
		if code, ok := codes[m.Code]; ok {
			out = once(out, Found(code, "%s: %s", text(r), m.Detail))
		}
	}
	return out
}
