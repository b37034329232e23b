package mailgun

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/postern-chat/postern"
)

func (d *domainAnswer) read(body []byte) error {
	if err := json.Unmarshal(body, d); err != nil {
		return err
	}
	if d.Domain.Name == "" {
		return errors.New("no domain in it")
	}
	return nil
}

// record gives a record its full form, MX records come without a name; false if it is
// none that we could set.
func (d *domainAnswer) record(r recordAnswer) (postern.DNSRecord, bool) {
	rec := postern.DNSRecord{Name: plainName(r.Name), Type: strings.ToUpper(r.Type), Value: strings.TrimSpace(r.Value)}
	if rec.Name == "" {
		rec.Name = plainName(d.Domain.Name)
	}
	switch rec.Type {
	case "MX":
		rec.Priority = int(r.Priority)
		rec.Value = plainName(rec.Value)
	case "CNAME":
		rec.Value = plainName(rec.Value)
	case "TXT":
		rec.Value = strings.Trim(rec.Value, `"`)
	default:
		return rec, false
	}
	return rec, rec.Value != ""
}

// Wanted tells the DNS records that Mailgun wants for the domain, and the selectors'
// names among them as they are.
func (x *Examiner) Wanted(ctx context.Context) ([]postern.DNSRecord, error) {
	const op = "mailgun.examine"
	if x.c.cfg.AccountKey == "" {
		return nil, postern.Errorf(postern.Denied, op, "mailgun.account_key is not set")
	}
	a := x.get(ctx, x.ours("v4", ""))
	if a.status != http.StatusOK {
		return nil, postern.Errorf(postern.Denied, op, "Mailgun does not tell its records: %s", a.why())
	}
	var d domainAnswer
	if err := d.read(a.body); err != nil {
		return nil, postern.Errorf(postern.Internal, op, "Mailgun's answer cannot be read")
	}
	var out []postern.DNSRecord
	for _, r := range slices.Concat(d.Receiving, d.Sending) {
		if rec, ok := d.record(r); ok {
			out = append(out, rec)
		}
	}
	return out, nil
}

// Secured tells whether tracking links are https.
func (x *Examiner) Secured(ctx context.Context) bool {
	var d domainAnswer
	a := x.get(ctx, x.ours("v4", ""))
	return a.status == http.StatusOK && d.read(a.body) == nil && d.Domain.WebScheme == "https"
}

// domain judges the domain's state and the records as Mailgun sees them.
func (x *Examiner) domain(d domainAnswer) []postern.Finding {
	var out []postern.Finding
	name := x.c.cfg.Domain
	switch {
	case d.Domain.State == "disabled" || d.Domain.IsDisabled:
		out = append(out, fail("MAILGUN-DISABLED", "%s is disabled", name))
	case d.Domain.State != "active":
		out = append(out, fail("MAILGUN-UNVERIFIED", "the state of %s is %q", name, d.Domain.State))
	}
	if d.Domain.Type != "" && d.Domain.Type != "custom" { // there are two types only
		out = append(out, warn("MAILGUN-TRIAL", "%s is a domain for trying Mailgun", name))
	}
	switch d.Domain.SpamAction {
	case "block":
		out = append(out, warn("MAILGUN-SPAM-BLOCK", "spam_action of %s is block", name))
	case "disabled":
		out = append(out, warn("MAILGUN-SPAM-OFF", "spam_action of %s is disabled", name))
	}
	out = append(out, x.records(d)...)
	if len(out) == 0 {
		out = append(out, fine("MAILGUN-DOMAIN", "%s is active, and Mailgun finds its %d DNS records in order", name, len(d.Receiving)+len(d.Sending)))
	}
	return out
}

// records tells which records Mailgun has not seen: without MX, SPF and DKIM mail fails,
// without the CNAME only tracking does.
func (x *Examiner) records(d domainAnswer) []postern.Finding {
	var need, nice []string
	for _, r := range slices.Concat(d.Receiving, d.Sending) {
		full, ok := d.record(r)
		if !ok || r.Valid == "valid" {
			continue
		}
		line := full.Type + " " + full.Name + " (" + r.Valid + ")"
		if full.Type == "CNAME" && !strings.Contains(full.Name, "._domainkey.") {
			nice = append(nice, line)
		} else if !slices.Contains(need, line) {
			need = append(need, line)
		}
	}
	var out []postern.Finding
	if len(need) > 0 {
		out = append(out, fail("MAILGUN-RECORDS", "Mailgun does not find: %s", strings.Join(need, ", ")))
	}
	if len(nice) > 0 {
		out = append(out, warn("MAILGUN-RECORD-TRACK", "Mailgun does not find: %s", strings.Join(nice, ", ")))
	}
	return out
}

// tracking looks for settings that get in the way of what we ask for with each mail.
func (x *Examiner) tracking(ctx context.Context) []postern.Finding {
	a := x.get(ctx, x.ours("v3", "/tracking"))
	var t struct {
		Tracking struct {
			Open, Unsubscribe struct {
				Active any `json:"active"`
			}
		} `json:"tracking"`
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &t) != nil {
		return []postern.Finding{skip("MAILGUN-TRACK", "Mailgun does not tell: %s", a.why())}
	}
	var out []postern.Finding
	if !isOn(t.Tracking.Open.Active) {
		out = append(out, warn("MAILGUN-TRACK-OFF", "tracking of opens is off for %s", x.c.cfg.Domain))
	}
	if isOn(t.Tracking.Unsubscribe.Active) {
		out = append(out, warn("MAILGUN-TRACK-UNSUBSCRIBE", "tracking of unsubscribes is on for %s", x.c.cfg.Domain))
	}
	if len(out) == 0 {
		out = append(out, fine("MAILGUN-TRACK", "opens are tracked; no footer is added"))
	}
	return out
}

// isOn reads a setting that is a boolean here and a word there.
func isOn(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		return v == "yes" || v == "true" || v == "htmlonly"
	}
	return false
}

// signing compares the key that Mailgun signs webhooks with to ours.
func (x *Examiner) signing(ctx context.Context) []postern.Finding {
	if len(x.c.cfg.SigningKeys) == 0 {
		return []postern.Finding{fail("MAILGUN-SIGNING-OTHER", "mailgun.signing_keys is not set")}
	}
	a := x.get(ctx, "/v5/accounts/http_signing_key")
	var k struct {
		Key string `json:"http_signing_key"`
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &k) != nil || k.Key == "" {
		return []postern.Finding{skip("MAILGUN-SIGNING", "Mailgun does not tell its key: %s", a.why())}
	}
	for _, ours := range x.c.cfg.SigningKeys {
		if subtle.ConstantTimeCompare([]byte(ours), []byte(k.Key)) == 1 {
			return []postern.Finding{fine("MAILGUN-SIGNING", "Mailgun signs with a key that we know")}
		}
	}
	f := fail("MAILGUN-SIGNING-OTHER", "none of our %d signing keys is the one that Mailgun signs with", len(x.c.cfg.SigningKeys))
	for _, ours := range x.c.cfg.SigningKeys {
		if ours == x.c.cfg.AccountKey || ours == x.c.cfg.SendingKey {
			f = mend(f, "mailgun.signing_keys holds an API key. Put the HTTP webhook signing key there: Mailgun's page, Sending > Webhooks, or run setup.")
		}
	}
	return []postern.Finding{f}
}
