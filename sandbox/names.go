package sandbox

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/postern-chat/postern/sandbox/dns"
	"github.com/postern-chat/postern/sandbox/mailgun"
)

// DNS is where the zone of the domain is kept and how it is asked: part of Addresses.
type DNS struct {
	Zone     string   `json:"zone"`
	Host     string   `json:"dns_host"`     // godaddy, cloudflare or rfc2136
	API      string   `json:"dns_api"`      // GoDaddy's; Cloudflare's is below /client/v4, the control plane at /_emulator/
	Resolver string   `json:"dns_resolver"` // host:port, UDP and TCP
	Servers  []string `json:"dns_servers"`  // of the zone, host:port; the first takes RFC 2136 updates

	GoDaddyToken    string `json:"godaddy_token"`
	GoDaddyKey      string `json:"godaddy_key"`
	GoDaddySecret   string `json:"godaddy_secret"`
	CloudflareToken string `json:"cloudflare_token"`
	TSIGName        string `json:"tsig_name"`
	TSIGKey         string `json:"tsig_key"` // base64, HMAC-SHA256
}

// zoneOf is the zone that a domain's owner has: a domain of three parts lies below it.
func zoneOf(domain string) string {
	if _, rest, _ := strings.Cut(domain, "."); strings.Contains(rest, ".") {
		return rest
	}
	return domain
}

// startDNS serves the zone of the domain, with what is in it already and is nobody's
// business: the owner's web site and his mail at Google.
func (w *World) startDNS() error {
	zone := zoneOf(w.Domain)
	host := cmp.Or(w.cfg.DNS, "godaddy")
	names, err := dns.New(dns.Config{Host: w.cfg.Host, Seed: uint64(w.cfg.Seed), Logger: w.cfg.Logger, Zones: []dns.Zone{{Name: zone, Host: host, Records: []dns.Record{
		{Name: zone, Type: "A", Data: "192.0.2.80"},
		{Name: "www." + zone, Type: "CNAME", Data: zone},
		{Name: zone, Type: "MX", Data: "aspmx.l.google.com", Priority: 1},
		{Name: zone, Type: "MX", Data: "alt1.aspmx.l.google.com", Priority: 5},
		{Name: zone, Type: "TXT", Data: "google-site-verification=rXOxyZounnZasA8Z7oaD3c14JdjS9aKSWvsR1EbUSIQ"},
		{Name: zone, Type: "TXT", Data: "v=spf1 include:_spf.google.com ~all"},
	}}}})
	if err != nil {
		return err
	}
	w.Names, w.closers = names, append(w.closers, names.Close)
	ln, err := w.listen("")
	if err != nil {
		return err
	}
	d := &w.DNS
	d.Zone, d.Host, d.API = zone, host, w.serve(ln, names.Handler())
	d.Resolver, d.Servers = names.Addr(dns.Resolver), []string{names.Addr(dns.NS1), names.Addr(dns.NS2)}
	d.GoDaddyToken, d.CloudflareToken = names.GoDaddyToken(), names.CloudflareToken()
	d.GoDaddyKey, d.GoDaddySecret = names.GoDaddyKey()
	d.TSIGName, d.TSIGKey = names.TSIG()
	return nil
}

// lookUp is how Mailgun sees the world's DNS.
func (w *World) lookUp(ctx context.Context, kind, name string) ([]string, error) {
	return w.Names.Lookup(ctx, kind, name)
}

// publish enters a record of Mailgun's own, if it is not there.
func (w *World) publish(r mailgun.DNSRecord) {
	if there, err := w.Names.Lookup(context.Background(), r.Type, r.Name); err == nil && len(there) == 0 {
		_ = w.Names.Put(dns.Record{Name: r.Name, Type: r.Type, Data: r.Value}) // its zone is always there
	}
}

// enterRecords does what an operator did when the domain was set up: all that Mailgun
// wants is in the zone, and a policy for those who check.
func (w *World) enterRecords() error {
	var errs []error
	for _, r := range w.Mail.DNSRecords(w.Domain) {
		errs = append(errs, w.Names.Put(dns.Record{Name: r.Name, Type: r.Type, Data: r.Value, Priority: r.Priority}))
	}
	return errors.Join(append(errs, w.Names.Put(dns.Record{Name: "_dmarc." + w.Domain, Type: "TXT", Data: "v=DMARC1; p=none"}))...)
}
