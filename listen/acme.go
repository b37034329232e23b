package listen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/caddyserver/certmagic"
)

// acme obtains certificates and renews them, by certmagic: it knows ACME's renewal
// information (RFC 9773), which the shorter lifetimes since 2026 ask for, and replicas
// that share the storage share certificates and challenges.
type acme struct {
	cfg    Config
	cache  *certmagic.Cache
	magic  *certmagic.Config
	issuer *certmagic.ACMEIssuer
	port   int // our own TLS port, for TLS-ALPN-01
}

func newACME(cfg Config) (*acme, error) {
	if len(cfg.Names) == 0 || cfg.Storage == "" {
		return nil, errors.New("listen: a name for the certificate and a folder to keep it are needed")
	}
	roots, err := pool(cfg.CARoots)
	if err != nil {
		return nil, err
	}
	a := &acme{cfg: cfg}
	log := toSlog(cfg.Logger)
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return a.magic, nil },
		Logger:           log,
	})
	a.magic = certmagic.New(a.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: cfg.Storage}, Logger: log,
		OCSP: certmagic.OCSPConfig{DisableStapling: true}, // Let's Encrypt ended OCSP in 2025
	})
	ca := cfg.CA
	if ca == "" {
		ca = certmagic.LetsEncryptProductionCA
	}
	a.issuer = certmagic.NewACMEIssuer(a.magic, certmagic.ACMEIssuer{
		CA: ca, Email: cfg.Email, Agreed: true, TrustedRoots: roots, Logger: log,
		DisableHTTPChallenge: cfg.HTTPListen == "",
	})
	a.magic.Issuers = []certmagic.Issuer{a.issuer}
	return a, nil
}

// config is the TLS side of our own listener, which also answers TLS-ALPN-01.
func (a *acme) config(at net.Addr) *tls.Config {
	if tcp, ok := at.(*net.TCPAddr); ok {
		a.port = tcp.Port
	}
	c := a.magic.TLSConfig()
	c.NextProtos = append([]string{"h2", "http/1.1"}, c.NextProtos...)
	return c
}

// run keeps the certificates until ctx ends.
func (a *acme) run(ctx context.Context) error {
	defer a.cache.Stop()
	// certmagic opens the challenges' ports itself unless somebody has them: it is told
	// that we do.
	a.issuer.AltTLSALPNPort = a.port
	served := make(chan error, 1)
	if a.cfg.HTTPListen != "" {
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.cfg.HTTPListen)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		if tcp, ok := ln.Addr().(*net.TCPAddr); ok {
			a.issuer.AltHTTPPort = tcp.Port
		}
		go func() { served <- serveUntil(ctx, a.server(), ln) }()
	}
	if err := a.magic.ManageAsync(ctx, a.cfg.Names); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	a.cfg.Logger.Info("certificates are kept by ourselves", "names", a.cfg.Names)
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		return nil
	}
}

func (a *acme) server() *http.Server {
	return &http.Server{
		Handler:           a.issuer.HTTPChallengeHandler(http.HandlerFunc(redirect)),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second,
		MaxHeaderBytes: 16 << 10,
	}
}

// pool reads certificates to trust; nil = the system's.
func pool(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("listen: no certificate in %s", file)
	}
	return p, nil
}
