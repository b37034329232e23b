package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/postern-chat/postern"
)

// fewDays is when a certificate that should have been renewed is still good.
const fewDays = 14 * 24 * time.Hour

func (v *visitor) certificate(ctx context.Context) []postern.Finding {
	if v.url.Scheme != "https" {
		return []postern.Finding{Skip("URL-TLS", "public_url is not https")}
	}
	port := or(v.url.Port(), "443")
	return []postern.Finding{examineCertificate(ctx, v.Public, "URL-TLS", v.url.Hostname(), port)}
}

// examineCertificate shakes hands as a strict client would and tells what is wrong with
// what is shown. subject is the code that all its codes begin with.
func examineCertificate(ctx context.Context, p Public, subject, host, port string) postern.Finding {
	conn, err := p.Dial(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return Skip(subject, "%s port %s cannot be reached: %v", host, port, err)
	}
	defer func() { _ = conn.Close() }()
	// Whatever is shown is looked at below, so that the reason can be told.
	c := tls.Client(conn, &tls.Config{ServerName: host, InsecureSkipVerify: true}) //nolint:gosec // see above
	if err := c.HandshakeContext(ctx); err != nil {
		if ctx.Err() != nil {
			return Skip(subject, "%s does not shake hands in time", host)
		}
		return Found(subject+"-NONE", "%s port %s does not speak TLS: %v", host, port, err)
	}
	shown := c.ConnectionState().PeerCertificates
	if len(shown) == 0 {
		return Found(subject+"-NONE", "%s shows no certificate", host)
	}
	return judgeCertificate(p, subject, host, shown)
}

func judgeCertificate(p Public, subject, host string, shown []*x509.Certificate) postern.Finding {
	leaf, now := shown[0], p.Now()
	between := x509.NewCertPool()
	for _, c := range shown[1:] {
		between.AddCert(c)
	}
	if now.After(leaf.NotAfter) {
		return Found(subject+"-EXPIRED", "the certificate of %s ended on %s", host, day(leaf.NotAfter))
	}
	if now.Before(leaf.NotBefore) {
		return Found(subject+"-EXPIRED", "the certificate of %s begins only on %s", host, day(leaf.NotBefore))
	}
	if err := leaf.VerifyHostname(host); err != nil {
		return Found(subject+"-NAME", "the certificate at %s is for %s", host, names(leaf))
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Intermediates: between, Roots: p.Roots, CurrentTime: now, DNSName: host}); err != nil {
		var unknown x509.UnknownAuthorityError
		why := err.Error()
		if errors.As(err, &unknown) {
			why = fmt.Sprintf("it was made by %s, which is not known or does not come with it (%d certificates are shown)", leaf.Issuer, len(shown))
		}
		return Found(subject+"-CHAIN", "the certificate of %s is not trusted: %s", host, why)
	}
	left := leaf.NotAfter.Sub(now)
	if left < min(fewDays, leaf.NotAfter.Sub(leaf.NotBefore)/4) { // some live for six days only
		return Found(subject+"-SOON", "the certificate of %s ends on %s, in %d days", host, day(leaf.NotAfter), int(left.Hours()/24))
	}
	return OK(subject, "the certificate of %s, by %s, holds until %s", host, leaf.Issuer.CommonName, day(leaf.NotAfter))
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }

func names(c *x509.Certificate) string {
	all := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "nobody"
	}
	const most = 5
	if len(all) > most {
		return strings.Join(all[:most], ", ") + fmt.Sprintf(" and %d more", len(all)-most)
	}
	return strings.Join(all, ", ")
}
