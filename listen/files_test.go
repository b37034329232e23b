package listen

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writePair writes a certificate for localhost with this serial number, and its key.
func writePair(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, certFile, "CERTIFICATE", der)
	writePEM(t, keyFile, "PRIVATE KEY", keyDER)
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A renewed pair is served without a restart; half a pair leaves the old one.
func TestFilesRenewed(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, cert, key, 1)
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	f, err := New(Config{Mode: ModeFiles, CertFile: cert, KeyFile: key, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		c, err := f.files.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.SerialNumber.Int64()
	}
	change := func(n int64, only string) {
		c2, k2 := filepath.Join(dir, "c2"), filepath.Join(dir, "k2")
		writePair(t, c2, k2, n)
		for from, to := range map[string]string{c2: cert, k2: key} {
			if only != "" && to != only {
				continue
			}
			later := time.Now().Add(time.Duration(n) * time.Second)
			if err := os.Chtimes(from, later, later); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := serial(); got != 1 {
		t.Fatalf("serial %d at the start", got)
	}
	change(2, "")
	if got := serial(); got != 1 {
		t.Errorf("serial %d: the files were looked at again at once", got)
	}
	now = now.Add(lookEvery)
	if got := serial(); got != 2 {
		t.Errorf("serial %d after a renewal, want 2", got)
	}
	change(3, cert)
	now = now.Add(lookEvery)
	if got := serial(); got != 2 {
		t.Errorf("serial %d with a key that does not fit, want the old 2", got)
	}
	change(4, "")
	now = now.Add(lookEvery)
	if got := serial(); got != 4 {
		t.Errorf("serial %d, want 4", got)
	}
}

func TestFilesMissing(t *testing.T) {
	for _, c := range []Config{{Mode: ModeFiles}, {Mode: ModeFiles, CertFile: "/nowhere/a", KeyFile: "/nowhere/b"}, {Mode: "on"}, {Mode: ModeACME}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

// The listener speaks TLS, HTTP/2 included.
func TestFilesServe(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, cert, key, 1)
	f, err := New(Config{Mode: ModeFiles, CertFile: cert, KeyFile: key})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := f.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = serveUntil(t.Context(), &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })}, ln)
	}()
	roots, err := pool(cert)
	if err != nil {
		t.Fatal(err)
	}
	for _, h2 := range []bool{true, false} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}, ForceAttemptHTTP2: h2}
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr}).Get("https://" + ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if want := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[h2]; string(body) != want {
			t.Errorf("served by %s, want %s", body, want)
		}
	}
}
