package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/setup/lookup"
	"github.com/postern-chat/postern/setup/policy"
)

// mx judges who takes mail for the domain.
func (x *zoneExam) mx(ctx context.Context) []postern.Finding {
	a, err := x.Lookup.Authoritative(ctx, x.Domain, "MX")
	if err != nil || !a.Status().Known() {
		return []postern.Finding{Skip("DNS-MX", "no server of the zone answers%s", because(err))}
	}
	if a.Alias != "" {
		return []postern.Finding{Skip("DNS-MX", "%s is a CNAME: see DNS-CNAME", x.Domain)}
	}
	wanted, werr := x.of(isMX)
	have := a.Records()
	switch {
	case len(have) == 0 && werr != nil:
		return []postern.Finding{mend(Found("DNS-MX-NONE", "%s has no MX record", x.Domain), "Make the MX records that the provider names for the domain.")}
	case len(have) == 0:
		return []postern.Finding{mend(Found("DNS-MX-NONE", "%s has no MX record", x.Domain), bySetup, x.lines(ctx, wanted))}
	case slices.ContainsFunc(have, func(r postern.DNSRecord) bool { return strings.Trim(r.Value, ".") == "" }):
		return []postern.Finding{mend(Found("DNS-MX-NULL", "%s has a null MX (\".\")", x.Domain), "Take it away; then postern setup, or by hand: %s", x.lines(ctx, wanted))}
	case werr != nil:
		return []postern.Finding{Skip("DNS-MX", "%s; whether those are right cannot be told: %v", hosts(have), werr)}
	}
	return x.judgeMX(ctx, have, wanted)
}

func (x *zoneExam) judgeMX(ctx context.Context, have, wanted []postern.DNSRecord) []postern.Finding {
	var out []postern.Finding
	var foreign, missing []postern.DNSRecord
	for _, r := range have {
		if !hasHost(wanted, r.Value) {
			foreign = append(foreign, r)
		}
	}
	for _, r := range wanted {
		if !hasHost(have, r.Value) {
			missing = append(missing, r)
		}
	}
	switch {
	case len(missing) == len(wanted):
		out = append(out, mend(Found("DNS-MX-OTHER", "mail to %s goes to %s%s", x.Domain, hosts(foreign), whose(foreign)), otherMX, x.Domain))
	case len(foreign) > 0:
		out = append(out, mend(Found("DNS-MX-MIXED", "beside the provider's, mail to %s goes to %s%s", x.Domain, hosts(foreign), whose(foreign)), otherMX, x.Domain))
	case len(missing) > 0:
		out = append(out, mend(Found("DNS-MX-PART", "only %s; missing: %s", hosts(have), hosts(missing)), bySetup, x.lines(ctx, missing)))
	}
	for _, r := range have {
		answer, err := x.Lookup.Recursive(ctx, r.Value, "A")
		if err != nil || !answer.Status.Known() {
			continue
		}
		if len(answer.Aliases) > 0 {
			out = append(out, Found("DNS-MX-CNAME", "the MX %s is a CNAME for %s", r.Value, answer.Aliases[0]))
		} else if answer.Status.Empty() && x.noIPv6(ctx, r.Value) {
			out = append(out, Found("DNS-MX-DEAD", "the MX %s has no address", r.Value))
		}
	}
	if len(out) == 0 {
		out = append(out, OK("DNS-MX", "mail to %s goes to %s", x.Domain, hosts(have)))
	}
	return out
}

const otherMX = "If people's mail goes there, give the gateway a domain of its own (mailgun.domain = \"reply.%[1]s\"). If not, take those MX records away and run postern setup."

func (x *zoneExam) noIPv6(ctx context.Context, host string) bool {
	a, err := x.Lookup.Recursive(ctx, host, "AAAA")
	return err == nil && a.Status.Empty()
}

func hasHost(list []postern.DNSRecord, host string) bool {
	return slices.ContainsFunc(list, func(r postern.DNSRecord) bool {
		return strings.EqualFold(strings.TrimSuffix(r.Value, "."), strings.TrimSuffix(host, "."))
	})
}

func hosts(list []postern.DNSRecord) string {
	out := make([]string, len(list))
	for i, r := range list {
		out[i] = fmt.Sprintf("%s (%d)", r.Value, r.Priority)
	}
	return strings.Join(out, ", ")
}

// whose tells who keeps well-known mail servers.
func whose(list []postern.DNSRecord) string {
	for _, r := range list {
		v := "." + strings.ToLower(strings.TrimSuffix(r.Value, "."))
		for _, k := range [][2]string{
			{".google.com", "Google"}, {".googlemail.com", "Google"}, {".mail.protection.outlook.com", "Microsoft"}, {".mx.microsoft", "Microsoft"},
			{".pphosted.com", "Proofpoint"}, {".ppe-hosted.com", "Proofpoint"}, {".mimecast.com", "Mimecast"}, {".secureserver.net", "GoDaddy"},
			{".zoho.com", "Zoho"}, {".icloud.com", "Apple"}, {".mailgun.org", "Mailgun, but not as it wants it here"},
		} {
			if strings.HasSuffix(v, k[0]) {
				return " (" + k[1] + ")"
			}
		}
	}
	return ""
}

// dkim judges the keys that the provider signs with.
func (x *zoneExam) dkim(ctx context.Context) []postern.Finding {
	wanted, err := x.of(isDKIM)
	if err != nil {
		return []postern.Finding{Skip("DNS-DKIM", "which keys are used is not known: %v", err)}
	}
	var out []postern.Finding
	for _, w := range wanted {
		a, err := x.Lookup.Authoritative(ctx, w.Name, w.Type)
		switch {
		case err != nil || !a.Status().Known():
			out = append(out, Skip("DNS-DKIM", "no server answers for %s%s", w.Name, because(err)))
		case w.Type == "CNAME":
			out = append(out, x.dkimAlias(ctx, w, a)...)
		default:
			out = append(out, x.dkimText(ctx, w, a)...)
		}
	}
	if len(out) == 0 {
		out = append(out, OK("DNS-DKIM", "%s: as the provider has it", recordNames(wanted)))
	}
	return out
}

func recordNames(list []postern.DNSRecord) string {
	var out []string
	for _, r := range list {
		out = append(out, r.Name)
	}
	return strings.Join(out, ", ")
}

func (x *zoneExam) dkimAlias(ctx context.Context, w postern.DNSRecord, a *lookup.Answers) []postern.Finding {
	have := a.Records()
	switch {
	case len(have) == 0:
		return []postern.Finding{mend(Found("DNS-DKIM-NONE", "%s is not there", w.Name), bySetup, x.line(ctx, w))}
	case !hasHost(have, w.Value):
		return []postern.Finding{mend(Found("DNS-DKIM-OTHER", "%s is a CNAME for %s", w.Name, have[0].Value), bySetup, x.line(ctx, w))}
	}
	if r, err := x.Lookup.Recursive(ctx, w.Value, "TXT"); err == nil && r.Status.Empty() {
		return []postern.Finding{Found("DNS-DKIM-DEAD", "%s leads to %s, and there is no key there", w.Name, w.Value)}
	}
	return nil
}

func (x *zoneExam) dkimText(ctx context.Context, w postern.DNSRecord, a *lookup.Answers) []postern.Finding {
	have := a.Final().Records()
	switch len(have) {
	case 0:
		return []postern.Finding{mend(Found("DNS-DKIM-NONE", "%s is not there", w.Name), bySetup, x.line(ctx, w))}
	case 1:
	default:
		return []postern.Finding{mend(Found("DNS-DKIM-TWO", "%s has %d texts: %s", w.Name, len(have), brief(valuesOf(have))), "Leave only this one: %s", x.line(ctx, w))}
	}
	key, err := policy.ParseDKIM(have[0].Value)
	var out []postern.Finding
	switch {
	case err != nil:
		return []postern.Finding{mend(Found("DNS-DKIM-SYNTAX", "%s is no key record: %s", w.Name, brief(valuesOf(have))), bySetup, x.line(ctx, w))}
	case key.Revoked:
		return []postern.Finding{mend(Found("DNS-DKIM-REVOKED", "%s has an empty p=", w.Name), bySetup, x.line(ctx, w))}
	case !policy.SameDKIM(have[0].Value, w.Value) && !sameKey(key, w.Value):
		return []postern.Finding{mend(Found("DNS-DKIM-OTHER", "%s has another key: %s", w.Name, brief(valuesOf(have))), bySetup, x.line(ctx, w))}
	}
	switch {
	case key.KeyType == "rsa" && key.Bits > 0 && key.Bits < 1024:
		out = append(out, Found("DNS-DKIM-SHORT", "the key at %s has %d bits", w.Name, key.Bits))
	case key.KeyType == "rsa" && key.Bits >= 1024 && key.Bits < 2048:
		out = append(out, Found("DNS-DKIM-1024", "the key at %s has %d bits", w.Name, key.Bits))
	}
	if key.Testing {
		out = append(out, Found("DNS-DKIM-TESTING", "%s has t=y", w.Name))
	}
	return out
}

// sameKey tells whether only the conditions differ.
func sameKey(k *policy.DKIMKey, wanted string) bool {
	w, err := policy.ParseDKIM(wanted)
	return err == nil && string(w.Key) == string(k.Key) && w.KeyType == k.KeyType
}

func valuesOf(list []postern.DNSRecord) []string {
	var out []string
	for _, r := range list {
		out = append(out, r.Value)
	}
	return out
}

// dmarc judges the policy and whether our mail satisfies it.
func (x *zoneExam) dmarc(ctx context.Context) []postern.Finding {
	r, err := policy.EvaluateDMARC(ctx, x.view(), x.Domain)
	switch {
	case err != nil:
		return []postern.Finding{Skip("DNS-DMARC", "%v", err)}
	case len(r.Several) > 0:
		return []postern.Finding{Found("DNS-DMARC-TWO", "several records at %s; none of them counts", strings.Join(r.Several, ", "))}
	case r.Record == nil:
		want := postern.DNSRecord{Name: "_dmarc." + x.Domain, Type: "TXT", Value: "v=DMARC1; p=none"}
		return []postern.Finding{mend(Found("DNS-DMARC-NONE", "there is none for %s (asked: %s)", x.Domain, strings.Join(r.Asked, ", ")), bySetup, x.line(ctx, want))}
	}
	var out []postern.Finding
	out = append(out, x.aligned(ctx, r)...)
	for _, m := range append(slices.Clone(r.Record.Remarks), r.Remarks...) {
		switch m.Code {
		case policy.DMARCRemovedTag:
			out = once(out, Found("DNS-DMARC-TAGS", "%s: %s", r.At, m.Detail))
		case policy.DMARCBadPolicy, policy.DMARCNoPolicy, policy.DMARCBadTag, policy.DMARCBadReport:
			out = once(out, Found("DNS-DMARC-SYNTAX", "%s: %s (%s)", r.At, m.Code, m.Detail))
		}
	}
	for _, address := range r.Record.Aggregate {
		if ok, err := policy.ReportsWelcome(ctx, x.Lookup.View(), strings.TrimPrefix(r.At, "_dmarc."), address); err == nil && !ok {
			_, other, _ := strings.Cut(address, "@")
			f := Found("DNS-DMARC-REPORTS", "reports are to go to %s, which does not say that it takes them", other)
			out = append(out, mend(f, "At %s, make: TXT %s._report._dmarc.%s -> v=DMARC1", other, x.Domain, other))
		}
	}
	if len(out) == 0 {
		out = append(out, OK("DNS-DMARC", "policy %s from %s, and our mail satisfies it", r.Effective, r.At))
	}
	return out
}

// once adds a finding unless one of its code is there.
func once(list []postern.Finding, f postern.Finding) []postern.Finding {
	if slices.ContainsFunc(list, func(o postern.Finding) bool { return o.Code == f.Code }) {
		return list
	}
	return append(list, f)
}

// aligned asks whether what is proven about our mail counts for its From: the domain of
// the DKIM key. The envelope's is that of From; but it does not survive forwarding.
func (x *zoneExam) aligned(ctx context.Context, r *policy.DMARCReport) []postern.Finding {
	keys, err := x.of(isDKIM)
	if err != nil || len(keys) == 0 {
		return nil
	}
	var others []string
	for _, k := range keys {
		_, d, _ := strings.Cut(k.Name, "._domainkey.")
		ok, err := policy.Aligned(ctx, x.view(), x.Domain, d, r.Record.StrictDKIM)
		if err != nil || ok {
			return nil
		}
		others = append(others, d)
	}
	mode := "relaxed"
	if r.Record.StrictDKIM {
		mode = "strict (adkim=s)"
	}
	return []postern.Finding{Found("DNS-DMARC-ALIGN", "mail is from %s, signed by %s; the policy at %s wants %s alignment", x.Domain, strings.Join(others, ", "), r.At, mode)}
}

// track judges the name that links and pictures of tracking go through.
func (x *zoneExam) track(ctx context.Context) []postern.Finding {
	wanted, err := x.of(isTrack)
	if err != nil {
		return []postern.Finding{Skip("DNS-TRACK", "which name is used is not known: %v", err)}
	}
	if len(wanted) == 0 {
		return []postern.Finding{Skip("DNS-TRACK", "the provider wants none")}
	}
	w := wanted[0]
	a, err := x.Lookup.Authoritative(ctx, w.Name, "CNAME")
	if err != nil || !a.Status().Known() {
		return []postern.Finding{Skip("DNS-TRACK", "no server answers for %s%s", w.Name, because(err))}
	}
	have := a.Records()
	switch {
	case len(have) == 0:
		return []postern.Finding{mend(Found("DNS-TRACK-NONE", "%s is no CNAME", w.Name), bySetup, x.line(ctx, w))}
	case !hasHost(have, w.Value):
		return []postern.Finding{mend(Found("DNS-TRACK-OTHER", "%s leads to %s", w.Name, have[0].Value), bySetup, x.line(ctx, w))}
	}
	if x.Secured == nil || !x.Secured(ctx) {
		return []postern.Finding{OK("DNS-TRACK", "%s leads to %s", w.Name, w.Value)}
	}
	return x.secured(ctx, w)
}

// trackCA makes the provider's certificates for tracking (Mailgun: Let's Encrypt).
const trackCA = "letsencrypt.org"

func (x *zoneExam) secured(ctx context.Context, w postern.DNSRecord) []postern.Finding {
	if c, err := x.Lookup.CAA(ctx, w.Name); err == nil && !c.Allows(trackCA, false) {
		return []postern.Finding{mend(Found("DNS-TRACK-CAA", "the CAA records at %s do not let %s make a certificate for %s", c.At, trackCA, w.Name), "Add at %s: CAA 0 issue \"%s\"", c.At, trackCA)}
	}
	f := examineCertificate(ctx, x.Net, "URL-TLS", w.Name, "443")
	switch f.Health {
	case postern.Fine:
		return []postern.Finding{OK("DNS-TRACK", "%s leads to %s; %s", w.Name, w.Value, f.Evidence)}
	case postern.Skipped:
		return []postern.Finding{Skip("DNS-TRACK", "%s", f.Evidence)}
	}
	return []postern.Finding{Found("DNS-TRACK-CERT", "%s", f.Evidence)}
}
