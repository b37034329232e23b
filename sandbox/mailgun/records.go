package mailgun

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// dnsRecord is a DNS record that a domain needs.
type dnsRecord struct {
	kind, name, value string
	receiving         bool
	optional          bool // the domain is active without it
}

func (r dnsRecord) key() string { return r.kind + " " + r.name }

// wantedRecords are the records that the domain needs: the names that a plan must use as
// they are, for the DKIM key may stand in the parent domain.
func (d *domain) wantedRecords() []dnsRecord {
	mx, web := "mailgun.org", "mailgun.org"
	if d.region == "eu" {
		mx, web = "eu.mailgun.org", "eu.mailgun.org"
	}
	out := []dnsRecord{
		{kind: "MX", name: d.Name, value: "mxa." + mx, receiving: true, optional: true},
		{kind: "MX", name: d.Name, value: "mxb." + mx, receiving: true, optional: true},
		{kind: "TXT", name: d.Name, value: "v=spf1 include:" + web + " ~all"},
	}
	if truths[strings.ToLower(d.Settings["use_automatic_sender_security"])] == "yes" {
		for _, selector := range []string{"pdk1", "pdk2"} {
			out = append(out, dnsRecord{kind: "CNAME", name: selector + "._domainkey." + d.dkimHost, value: d.rotated(selector)})
		}
	} else {
		out = append(out, dnsRecord{kind: "TXT", name: orText(d.Settings["dkim_selector"], "k1") + "._domainkey." + d.dkimHost, value: "k=rsa; p=" + d.publicKey()})
	}
	return append(out, dnsRecord{kind: "CNAME", name: orText(d.Settings["web_prefix"], "email") + "." + d.Name, value: web, optional: true})
}

// rotated is where Mailgun itself keeps a key of automatic sender security.
func (d *domain) rotated(selector string) string {
	return selector + "._domainkey." + d.dkim[:6] + ".dkim1.mailgun.com"
}

// publicKey is a key of the right size and form that nobody has the other half of: a
// modulus made from the domain's seed.
func (d *domain) publicKey() string {
	bits, err := strconv.Atoi(d.Settings["dkim_key_size"])
	if err != nil {
		bits = 1024
	}
	n := new(big.Int)
	for i := 0; n.BitLen() < bits; i++ {
		sum := sha256.Sum256([]byte(d.dkim + " " + strconv.Itoa(i)))
		n.Lsh(n, 256).Or(n, new(big.Int).SetBytes(sum[:]))
	}
	n.Rsh(n, uint(n.BitLen()-bits)) // starts with a 1, as it must
	n.SetBit(n, 0, 1)
	der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n, E: 65537})
	if err != nil {
		return hex.EncodeToString(n.Bytes()) // cannot be: the form is right
	}
	return base64.StdEncoding.EncodeToString(der)
}

// setDKIMHost decides where the DKIM key stands: with a parent domain of the account, at
// that one, unless the caller says otherwise. Needs Server.mu.
func (st *state) setDKIMHost(d *domain) {
	d.dkimHost = d.Name
	if h := strings.ToLower(d.Settings["dkim_host_name"]); h != "" {
		d.dkimHost = h
		return
	}
	if truths[strings.ToLower(d.Settings["force_dkim_authority"])] == "yes" {
		return
	}
	for parent := d.Name; strings.Contains(parent, "."); {
		_, parent, _ = strings.Cut(parent, ".")
		if st.domains[parent] != nil {
			d.dkimHost = parent
			return
		}
	}
}

// records are the DNS records as the API shows them. MX records carry no name (recording
// of 2025), and the priority is a string.
func (d *domain) records() (receiving, sending []any) {
	for _, w := range d.wantedRecords() {
		r := map[string]any{"is_active": false, "cached": []any{}, "name": w.name, "record_type": w.kind, "valid": "unknown", "value": w.value}
		switch seen, looked := d.seen[w.key()]; {
		case d.verified[w.key()] || !looked && d.State == "active":
			r["is_active"], r["valid"], r["cached"] = true, "valid", []string{w.value}
		case looked:
			ok, valid := w.judge(seen)
			r["is_active"], r["valid"], r["cached"] = ok, valid, append([]string{}, seen...)
		}
		if w.receiving {
			delete(r, "name")
			r["priority"] = "10"
			receiving = append(receiving, r)
		} else {
			sending = append(sending, r)
		}
	}
	return receiving, sending
}

// judge compares what is wanted with what the DNS has.
func (r dnsRecord) judge(seen []string) (ok bool, valid string) {
	switch {
	case r.kind == "MX":
		ok = slices.ContainsFunc(seen, func(s string) bool { return strings.HasSuffix(s, " "+r.value) })
	case r.kind == "CNAME":
		ok = slices.ContainsFunc(seen, func(s string) bool { return strings.EqualFold(strings.TrimSuffix(s, "."), r.value) })
	case strings.HasPrefix(r.value, "v=spf1"):
		return r.judgeSPF(seen)
	default:
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
		ok = slices.ContainsFunc(seen, func(s string) bool { return squeeze(s) == squeeze(r.value) })
	}
	switch {
	case ok:
		return true, "valid"
	case len(seen) > 0:
		return false, "invalid"
	}
	return false, "unknown"
}

// judgeSPF: other senders may stand in the record too; two records are none (RFC 7208
// section 4.5).
func (r dnsRecord) judgeSPF(seen []string) (ok bool, valid string) {
	include := strings.Fields(r.value)[1]
	var found []string
	for _, s := range seen {
		if s == "v=spf1" || strings.HasPrefix(strings.ToLower(s), "v=spf1 ") {
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 0:
		return false, "unknown"
	case len(found) == 1 && slices.Contains(strings.Fields(strings.ToLower(found[0])), include):
		return true, "valid"
	}
	return false, "invalid"
}

// lookAtDNS asks the world's DNS for all that the domain needs. Where it does not answer,
// what was seen before stays.
func (s *Server) lookAtDNS(ctx context.Context, name string) {
	if s.cfg.Lookup == nil {
		return
	}
	s.mu.Lock()
	d := s.st.domains[name]
	var wanted []dnsRecord
	if d != nil {
		wanted = d.wantedRecords()
	}
	s.mu.Unlock()
	seen := map[string][]string{}
	for _, w := range wanted {
		if _, done := seen[w.key()]; done {
			continue
		}
		if values, err := s.cfg.Lookup(ctx, w.kind, w.name); err == nil {
			seen[w.key()] = values
		}
	}
	if d == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, v := range seen {
		d.seen[k] = v
	}
}

// domainVerify looks at the world's DNS, or, without one, at what the control plane says
// of it (VerifyDNS). An active domain stays so.
func (s *Server) domainVerify(c *call) {
	s.lookAtDNS(c.r.Context(), c.domain)
	s.withDomain(c, func(d *domain) any {
		d.activate()
		return d.withRecords("Domain DNS records have been updated")
	})
}

// activate makes the domain active if all that sending needs is there. Tracking and
// receiving it does without.
func (d *domain) activate() {
	all := true
	for _, w := range d.wantedRecords() {
		ok := d.verified[w.key()]
		if seen, looked := d.seen[w.key()]; looked && !ok {
			ok, _ = w.judge(seen)
		}
		all = all && (ok || w.optional)
	}
	if all {
		d.State = "active"
	}
}

// VerifyDNS says that the world's DNS has the domain's records of the given names ("TXT
// mg.example.com"); with no names, all of them.
func (s *Server) VerifyDNS(name string, records ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.st.domains[strings.ToLower(name)]
	if d == nil {
		return
	}
	if len(records) == 0 {
		for _, w := range d.wantedRecords() {
			records = append(records, w.key())
		}
	}
	for _, r := range records {
		d.verified[r] = true
	}
}

// DNSRecord is a record that a domain needs in the world's DNS.
type DNSRecord struct {
	Type, Name, Value string
	Priority          int // of MX
}

// DNSRecords are the records that a domain needs; none if there is no such domain.
func (s *Server) DNSRecords(name string) (out []DNSRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.st.domains[strings.ToLower(name)]
	if d == nil {
		return nil
	}
	for _, w := range d.wantedRecords() {
		r := DNSRecord{Type: w.kind, Name: w.name, Value: w.value}
		if w.kind == "MX" {
			r.Priority = 10
		}
		out = append(out, r)
	}
	return out
}

// publish puts the keys that Mailgun rotates into the world's DNS.
func (s *Server) publish(name string) {
	if s.cfg.Publish == nil {
		return
	}
	s.mu.Lock()
	d := s.st.domains[name]
	var keys []DNSRecord
	if d != nil && truths[strings.ToLower(d.Settings["use_automatic_sender_security"])] == "yes" {
		for _, selector := range []string{"pdk1", "pdk2"} {
			keys = append(keys, DNSRecord{Type: "TXT", Name: d.rotated(selector), Value: "k=rsa; p=" + d.publicKey()})
		}
	}
	s.mu.Unlock()
	for _, k := range keys {
		s.cfg.Publish(k)
	}
}
