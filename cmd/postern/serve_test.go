package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Who is told to end while it starts ends as well as later; who cannot start says so.
func TestServeEndsWhileItStarts(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for _, want := range []int{exitFailed, exitOK} {
		env := []string{
			"POSTERN_PUBLIC_URL=https://postern.test", "POSTERN_SECRET=" + testSecret, "POSTERN_DATABASE=postgres://nobody@127.0.0.1:1/none", "POSTERN_DATA_DIR=" + t.TempDir(),
			"POSTERN_SENDBIRD_APP_ID=app", "POSTERN_SENDBIRD_API_TOKEN=token", "POSTERN_MAILGUN_DOMAIN=mail.postern.test", "POSTERN_MAILGUN_SENDING_KEY=key", "POSTERN_MAILGUN_SIGNING_KEYS=key",
		}
		var stderr bytes.Buffer
		if status := run(ctx, []string{"serve"}, nil, io.Discard, &stderr, env); status != want || (status == exitOK) != (stderr.Len() == 0) {
			t.Errorf("status %d, want %d: %s", status, want, &stderr)
		}
		stop()
	}
}

// A gateway with a certificate of its own and a private address: the world finds the
// hooks by HTTPS and nothing else, the operator finds the rest.
func TestServeTLSAndPrivate(t *testing.T) {
	dir := t.TempDir()
	roots := selfSigned(t, dir, "postern.test")
	private := freeAddress(t)
	cfg, err := loadConfig("", []string{
		"POSTERN_PUBLIC_URL=https://postern.test", "POSTERN_SECRET=" + testSecret, "POSTERN_ADMIN_TOKEN=admin", "POSTERN_DATABASE=sqlite:" + dir + "/p.db",
		"POSTERN_DATA_DIR=" + dir + "/data", "POSTERN_SENDBIRD_APP_ID=app", "POSTERN_SENDBIRD_API_TOKEN=token", "POSTERN_MAILGUN_DOMAIN=mail.postern.test",
		"POSTERN_MAILGUN_SENDING_KEY=key", "POSTERN_MAILGUN_SIGNING_KEYS=key", "POSTERN_TLS_MODE=files", "POSTERN_TLS_CERT_FILE=" + dir + "/cert.pem",
		"POSTERN_TLS_KEY_FILE=" + dir + "/key.pem", "POSTERN_SERVER_PRIVATE_LISTEN=" + private,
	})
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGateway(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	ln, err := g.front.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, ln) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()

	world := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "postern.test"}}}
	inside := &http.Client{}
	for _, tt := range []struct {
		client *http.Client
		url    string
		status int
	}{
		{world, "https://" + ln.Addr().String() + "/healthz", 200},
		{world, "https://" + ln.Addr().String() + "/metrics", 404},
		{world, "https://" + ln.Addr().String() + "/console/", 404},
		{world, "https://" + ln.Addr().String() + "/api/v1/people", 404},
		{inside, "http://" + private + "/metrics", 200},
		{inside, "http://" + private + "/api/v1/people", 401},
	} {
		resp, err := tt.client.Get(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != tt.status {
			t.Errorf("%s: %d, want %d", tt.url, resp.StatusCode, tt.status)
		}
	}
	if _, err := newRemote(cfg).People(t.Context(), "", 10); err != nil {
		t.Errorf("a command does not find the running gateway: %v", err)
	}
	cfg.Server.PrivateListen, cfg.Listen = "", ln.Addr().String()
	if base := newRemote(cfg).base; base != "https://postern.test" {
		t.Errorf("without a private address a command asks %s", base)
	}
}

const testSecret = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// selfSigned writes cert.pem and key.pem for a host and gives whom to trust.
func selfSigned(t *testing.T, dir, host string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, data := range map[string][]byte{"cert.pem": cert, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	return roots
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}
