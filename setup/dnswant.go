package setup

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/setup/lookup"
	"github.com/postern-chat/postern/setup/policy"
)

// plan compares one name's values of one type with what is wanted there.
func (w want) plan(ctx context.Context, d *DNS) (edit, error) {
	e := edit{Name: w.name, Kind: w.kind, title: w.kind + " " + w.name, want: show(w.records)}
	if !d.within(w.name) {
		return e.conflict("the name is not in the zone " + d.zone.Name + ": enter the record where it belongs"), nil
	}
	spf := w.kind == "TXT" && policy.IsSPF(w.records[0].Value)
	key := strings.Contains(w.name, "._domainkey.")
	if !key {
		if beside, err := d.beside(ctx, w); err != nil || beside != "" {
			return e.conflict(beside), err
		}
	}
	now, err := d.values(ctx, w.name, w.kind)
	if err != nil {
		return e, err
	}
	switch {
	case spf:
		return w.planSPF(ctx, d, e, now)
	case key:
		return w.planKey(ctx, d, e, now)
	}
	return w.planOwn(d, e, now), nil
}

// beside names what stands at the name and cannot stand beside what is wanted: a CNAME
// has its name to itself (RFC 1034 section 3.6.2).
func (d *DNS) beside(ctx context.Context, w want) (string, error) {
	kinds := []string{"CNAME"}
	if w.kind == "CNAME" {
		kinds = []string{"A", "AAAA", "MX", "TXT"}
	}
	for _, kind := range kinds {
		a, err := d.names.Authoritative(ctx, w.name, kind)
		if err != nil {
			return "", err
		}
		switch {
		case w.kind != "CNAME" && a.Alias != "":
			return "the name is an alias of " + a.Alias + ", and an alias has no other records: take another name for the domain, or remove the CNAME", nil
		case w.kind == "CNAME" && a.Alias == "" && len(a.Records()) > 0:
			return "the name has " + kind + " records, and a CNAME must stand alone: remove them, or choose another tracking name at the provider", nil
		}
	}
	return "", nil
}

// planOwn is for MX and the tracking CNAME: what is the provider's is put right, what is
// not is left alone.
func (w want) planOwn(d *DNS, e edit, now []postern.DNSRecord) edit {
	e.is = show(now)
	for _, r := range now {
		switch {
		case slices.ContainsFunc(w.records, r.Same):
		case d.cfg.Owner != nil && d.cfg.Owner.Owns(r):
			e.Remove = append(e.Remove, r)
		case w.kind == "MX":
			return e.conflict("mail for " + w.name + " goes to " + receiver(r.Value) + ", and would go to either: use a subdomain as mailgun.domain, such as mail." + w.name)
		default:
			return e.conflict("the name leads elsewhere: remove the record, or choose another tracking name at the provider")
		}
	}
	for _, r := range w.records {
		if !slices.ContainsFunc(now, r.Same) {
			e.Add = append(e.Add, r)
		}
	}
	e.Alone = w.kind == "CNAME"
	return e
}

// receiver knows the large receivers of mail by their hosts.
func receiver(host string) string {
	h := "." + plain(host)
	for _, r := range []struct{ suffix, name string }{
		{".google.com", "Google"}, {".googlemail.com", "Google"}, {".outlook.com", "Microsoft"}, {".mx.microsoft", "Microsoft"},
		{".pphosted.com", "Proofpoint"}, {".secureserver.net", "GoDaddy"}, {".zoho.com", "Zoho"}, {".icloud.com", "Apple"},
	} {
		if strings.HasSuffix(h, r.suffix) {
			return r.name + " (" + plain(host) + ")"
		}
	}
	if h == "." {
		return "nobody (a null MX)"
	}
	return plain(host)
}

// planKey is for DKIM. A stale key of the provider is replaced, in whatever type it is
// published; somebody else's selector is left alone.
func (w want) planKey(ctx context.Context, d *DNS, e edit, now []postern.DNSRecord) (edit, error) {
	e.title = "DKIM " + e.title
	other := "CNAME"
	if w.kind == "CNAME" {
		other = "TXT"
	}
	more, err := d.values(ctx, w.name, other)
	if err != nil {
		return e, err
	}
	all := slices.Concat(now, more)
	e.is = show(all)
	wanted := w.records[0]
	found := false
	for _, r := range all {
		if r.Same(wanted) || r.Type == "TXT" && wanted.Type == "TXT" && policy.SameDKIM(r.Value, wanted.Value) {
			found = true
			e.Stay = append(e.Stay, r)
			continue
		}
		if d.cfg.Owner == nil || !d.cfg.Owner.Owns(r) {
			return e.conflict("the selector has a key of somebody else: have the provider use another selector, or remove the record"), nil
		}
		e.Remove = append(e.Remove, r)
	}
	if !found {
		e.Add = []postern.DNSRecord{wanted}
	}
	e.Alone = w.kind == "CNAME" || len(more) > 0
	return e, nil
}

// planSPF merges the provider's includes into the one record that a name may have.
func (w want) planSPF(ctx context.Context, d *DNS, e edit, now []postern.DNSRecord) (edit, error) {
	e.title, e.part = "SPF "+e.title, "spf"
	now = slices.DeleteFunc(slices.Clone(now), func(r postern.DNSRecord) bool { return !policy.IsSPF(r.Value) })
	e.is = show(now)
	if len(now) == 0 {
		e.Add = w.records[:1]
		return e, nil
	}
	// Cut off between making the new record and removing the old one, we left both.
	if len(now) == 2 {
		for i, old := range now {
			if text, err := w.merge(ctx, d, old.Value); err == nil && text == now[1-i].Value && text != old.Value {
				e.Remove, e.Stay, e.want = []postern.DNSRecord{old}, []postern.DNSRecord{now[1-i]}, text
				return e, nil
			}
		}
	}
	if len(now) > 1 {
		return e.conflict("the name has several SPF records, of which receivers take none (RFC 7208 section 3.2): make one of them"), nil
	}
	text, err := w.merge(ctx, d, now[0].Value)
	e.want = text
	switch {
	case err == nil:
	case postern.KindOf(err) == postern.Permanent || postern.KindOf(err) == postern.Invalid:
		e.want = show(w.records)
		return e.conflict("the record cannot take it: " + err.Error()), nil
	default:
		return e, err
	}
	if text == now[0].Value {
		return e, nil
	}
	e.Add = []postern.DNSRecord{{Name: w.name, Type: "TXT", Value: text, TTL: now[0].TTL}}
	e.Remove = now
	return e, nil
}

// merge adds every include of the wanted record.
func (w want) merge(ctx context.Context, d *DNS, text string) (string, error) {
	wanted, err := policy.ParseSPF(w.records[0].Value)
	if err != nil {
		return "", err
	}
	for _, t := range wanted.Terms {
		if t.Name != "include" {
			continue
		}
		if text, err = policy.MergeSPF(ctx, d.names.View(d.zone.Name), w.name, text, t.Domain, policy.SPFLimits{MaxText: d.cfg.MaxText}); err != nil {
			return "", err
		}
	}
	return text, nil
}

// planDMARC publishes a policy that asks for nothing, if none applies so far: large
// receivers want one to be there.
func (d *DNS) planDMARC(ctx context.Context) (edit, error) {
	name := "_dmarc." + d.cfg.Domain
	text := "v=DMARC1; p=none"
	if d.cfg.Reports != "" {
		text += "; rua=mailto:" + d.cfg.Reports
	}
	e := edit{Name: name, Kind: "TXT", title: "DMARC TXT " + name, part: "dmarc", want: text}
	if !d.within(name) {
		return e.conflict("the name is not in the zone"), nil
	}
	now, err := d.values(ctx, name, "TXT")
	if err != nil {
		return e, err
	}
	now = slices.DeleteFunc(slices.Clone(now), func(r postern.DNSRecord) bool { return !policy.IsDMARC(r.Value) })
	if len(now) > 1 {
		e.is = show(now)
		return e.conflict("the name has several DMARC records, of which none counts: leave one"), nil
	}
	if len(now) == 1 {
		e.is, e.want = now[0].Value, now[0].Value
		return e, nil
	}
	report, err := policy.EvaluateDMARC(ctx, d.names.View(d.zone.Name), d.cfg.Domain)
	if err != nil {
		return e, err
	}
	if report.Record != nil {
		e.is, e.want = report.Record.Text, report.Record.Text
		e.why = "of " + report.At
		return e, nil
	}
	if beside, err := d.beside(ctx, want{name: name, kind: "TXT"}); err != nil || beside != "" {
		return e.conflict(beside), err
	}
	e.Add = []postern.DNSRecord{{Name: name, Type: "TXT", Value: text}}
	return e, nil
}

// show puts records into one line.
func show(records []postern.DNSRecord) string {
	var all []string
	for _, r := range records {
		v := r.Value
		if r.Type == "MX" {
			v = strconv.Itoa(r.Priority) + " " + v
		}
		all = append(all, v)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// unseen tells which values of one type some servers do not show yet, or still show.
// Servers that do not answer do not count.
func (e edit) unseen(kind string, a *lookup.Answers) []string {
	var missing []string
	look := func(records []postern.DNSRecord, there bool, mark string) {
		var at []string
		known, lacking := 0, false
		for _, s := range a.Servers {
			if !s.Status.Known() {
				continue
			}
			known++
			if slices.ContainsFunc(records, func(r postern.DNSRecord) bool { return r.Type == kind && shows(s, r) != there }) {
				at, lacking = append(at, s.Server), true
			}
		}
		if !lacking {
			return
		}
		text := kind + " " + e.Name + mark
		if len(at) < known {
			text += " at " + strings.Join(at, ", ")
		}
		missing = append(missing, text)
	}
	look(e.Add, true, "")
	look(e.Remove, false, " (the old value)")
	return missing
}

// shows tells whether a server has a value.
func shows(s lookup.Answer, r postern.DNSRecord) bool {
	return slices.ContainsFunc(s.Records, r.Same) ||
		r.Type == "CNAME" && slices.ContainsFunc(s.Aliases, func(t string) bool { return plain(t) == plain(r.Value) })
}
