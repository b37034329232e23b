package lookup

import "strings"

// Host is a company, or a program, that keeps zones for others.
type Host struct {
	// ID is short and stable: "godaddy". Where we can write to the host it is the name of
	// our package for it.
	ID    string
	Title string // "GoDaddy"
	// suffixes of its servers' names. One that begins with a dot matches names below it;
	// "awsdns-*" matches a label that begins so.
	suffixes []string
}

// Hosts is who is recognised by the names of its servers. It is data: a line more is all
// that a new one needs. Domain Connect's discovery is left out: it goes over HTTP, which
// does not belong here, and adds but a link to a page that these names lead to as well.
func Hosts() []Host {
	return []Host{
		{"godaddy", "GoDaddy", []string{".domaincontrol.com"}},
		{"cloudflare", "Cloudflare", []string{".ns.cloudflare.com", ".secondary.cloudflare.com"}},
		{"route53", "Amazon Route 53", []string{"awsdns-*"}},
		{"google", "Google Cloud DNS", []string{".googledomains.com"}},
		{"azure", "Azure DNS", []string{".azure-dns.com", ".azure-dns.net", ".azure-dns.org", ".azure-dns.info"}},
		{"namecheap", "Namecheap", []string{".registrar-servers.com", ".namecheaphosting.com"}},
		{"squarespace", "Squarespace", []string{".squarespacedns.com"}},
		{"digitalocean", "DigitalOcean", []string{".digitalocean.com"}},
		{"hetzner", "Hetzner", []string{".ns.hetzner.com", ".ns.hetzner.de", ".second-ns.com", ".second-ns.de", ".first-ns.de"}},
		{"ovh", "OVHcloud", []string{".ovh.net", ".ovh.ca", ".anycast.me"}},
		{"gandi", "Gandi", []string{".gandi.net"}},
		{"ionos", "IONOS", []string{".ui-dns.com", ".ui-dns.org", ".ui-dns.de", ".ui-dns.biz"}},
		{"porkbun", "Porkbun", []string{".ns.porkbun.com", ".porkbun.com"}},
		{"namecom", "Name.com", []string{".name.com"}},
		{"dnsimple", "DNSimple", []string{".dnsimple.com", ".dnsimple-edge.net", ".dnsimple-edge.org", ".dnsimple-edge.io"}},
		{"dnsmadeeasy", "DNS Made Easy", []string{".dnsmadeeasy.com"}},
		{"nsone", "IBM NS1", []string{".nsone.net"}},
		{"vercel", "Vercel", []string{".vercel-dns.com", ".zeit.world"}},
		{"wix", "Wix", []string{".wixdns.net"}},
		{"linode", "Akamai (Linode)", []string{".linode.com"}},
		{"hover", "Hover", []string{".hover.com"}},
		{"networksolutions", "Network Solutions", []string{".worldnic.com"}},
		{"bluehost", "Bluehost", []string{".bluehost.com"}},
		{"hostinger", "Hostinger", []string{".dns-parking.com"}},
		{"dreamhost", "DreamHost", []string{".dreamhost.com"}},
		{"inwx", "INWX", []string{".inwx.de", ".inwx.eu", ".inwx.com"}},
		{"desec", "deSEC", []string{".desec.io", ".desec.org"}},
	}
}

// HostOf tells who keeps a zone by the names of its servers; false if they belong to
// nobody whom we know, or not all to the same.
func HostOf(servers []string) (Host, bool) {
	var found Host
	for _, s := range servers {
		h, ok := hostOfServer(strings.ToLower(strings.TrimSuffix(s, ".")))
		if !ok || found.ID != "" && h.ID != found.ID {
			return Host{}, false
		}
		found = h
	}
	return found, found.ID != ""
}

func hostOfServer(name string) (Host, bool) {
	for _, h := range Hosts() {
		for _, suffix := range h.suffixes {
			if prefix, is := strings.CutSuffix(suffix, "*"); is {
				for label := range strings.SplitSeq(name, ".") {
					if strings.HasPrefix(label, prefix) {
						return h, true
					}
				}
			} else if strings.HasSuffix(name, suffix) {
				return h, true
			}
		}
	}
	return Host{}, false
}
