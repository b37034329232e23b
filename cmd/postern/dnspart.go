package main

import (
	"fmt"
	"strings"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/dns/cloudflare"
	"github.com/postern-chat/postern/dns/godaddy"
	"github.com/postern-chat/postern/dns/manual"
	"github.com/postern-chat/postern/dns/rfc2136"
	"github.com/postern-chat/postern/dns/route53"
	"github.com/postern-chat/postern/setup"
	"github.com/postern-chat/postern/setup/lookup"
)

// dnsHost is one way to change a zone.
type dnsHost struct {
	name    string // of dns.host and of its section
	keeper  string // as lookup.Hosts names it, "" = its servers can be any
	maxText int    // longest TXT it takes, 0 = any
	make    func(DNSConfig) (setup.Host, error)
}

// dnsHosts lists the DNS hosts: one line each. manual is none of them.
func dnsHosts() []dnsHost {
	return []dnsHost{
		{"godaddy", "godaddy", 512, newGoDaddy},
		{"cloudflare", "cloudflare", 0, newCloudflare},
		{"route53", "route53", 0, newRoute53},
		{"rfc2136", "", 0, newRFC2136},
	}
}

func newGoDaddy(c DNSConfig) (setup.Host, error) {
	g := c.GoDaddy
	return godaddy.New(godaddy.Config{Token: string(g.Token), Key: string(g.Key), Secret: string(g.Secret), BaseURL: g.APIURL, UserAgent: "postern"})
}

func newCloudflare(c DNSConfig) (setup.Host, error) {
	return cloudflare.New(cloudflare.Config{Token: string(c.Cloudflare.Token), BaseURL: c.Cloudflare.APIURL})
}

func newRoute53(c DNSConfig) (setup.Host, error) {
	r := c.Route53
	return route53.New(route53.Config{
		AccessKey: r.AccessKeyID, SecretKey: string(r.SecretAccessKey), SessionToken: string(r.SessionToken), ZoneID: r.HostedZone,
		BaseURL: r.APIURL, Region: r.Region,
	})
}

func newRFC2136(c DNSConfig) (setup.Host, error) {
	r := c.RFC2136
	return rfc2136.New(rfc2136.Config{Server: r.Server, KeyName: r.KeyName, Secret: string(r.Key), Algorithm: r.Algorithm})
}

// newDNSHost makes the host that is configured; nil is the operator's own hands.
func newDNSHost(c DNSConfig) (setup.Host, dnsHost, error) {
	for _, h := range dnsHosts() {
		if h.name != c.Host {
			continue
		}
		host, err := h.make(c)
		if err != nil {
			return nil, h, fmt.Errorf("dns.host is %s, and its section dns.%s is not complete: %w", h.name, h.name, err)
		}
		return host, h, nil
	}
	return nil, dnsHost{}, nil
}

// newLookup makes what asks name servers.
func newLookup(c DNSConfig) (*lookup.Client, error) {
	client, err := lookup.New(lookup.Config{Resolver: c.Resolver, Servers: c.Servers})
	if err != nil {
		return nil, fmt.Errorf("dns.resolver, dns.servers: %w", err)
	}
	return client, nil
}

// newDNSPart makes the part of a set-up that is in the DNS.
func newDNSPart(cfg *Config, provider setup.Part) (setup.Part, error) {
	host, kind, err := newDNSHost(cfg.DNS)
	if err != nil {
		return nil, err
	}
	client, err := newLookup(cfg.DNS)
	if err != nil {
		return nil, err
	}
	source, ok := provider.(setup.RecordSource)
	if !ok {
		return nil, fmt.Errorf("%s does not say which DNS records it needs", provider.Name())
	}
	owner, _ := provider.(setup.Owner)
	return setup.NewDNS(setup.DNSConfig{
		Domain: cfg.Mailgun.Domain, Source: source, Owner: owner, Host: host, HostID: kind.keeper, MaxText: kind.maxText,
		Zone: cfg.DNS.Zone, Reports: cfg.DNS.Reports, Page: dnsPage,
		Ask: func() setup.Names { return setup.Lookup{Client: client.Fresh()} },
	})
}

// dnsPage says what to enter by hand, in the form of the page of whoever keeps the zone.
func dnsPage(keeper lookup.Host, zone string, remove, add []postern.DNSRecord) string {
	at := "where the zone " + zone + " is kept"
	if keeper.Title != "" {
		at = "in the zone " + zone + " at " + keeper.Title
	}
	page := manual.PageOf(keeper.ID)
	var b strings.Builder
	if len(remove) > 0 {
		fmt.Fprintf(&b, "Remove %s:\n\n%s\n", at, indented(page.Table(zone, remove)))
	}
	if len(add) > 0 {
		fmt.Fprintf(&b, "Enter %s:\n\n%s\nThe same as lines of a zone file:\n\n%s", at, indented(page.Table(zone, add)), indented(manual.BIND(add)))
	}
	return strings.TrimRight(b.String(), "\n")
}

func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + line)
	}
	return b.String()
}
