package policy_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/setup/policy"
)

func rsaKey(t *testing.T, bits int) (pkix, pkcs1 string) {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b), base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&k.PublicKey))
}

func TestParseDKIM(t *testing.T) {
	big, old := rsaKey(t, 2048)
	small, _ := rsaKey(t, 1024)
	pub, _, _ := ed25519.GenerateKey(rand.Reader)
	ed := base64.StdEncoding.EncodeToString(pub)
	for _, test := range []struct {
		text    string
		bits    int
		kind    string
		revoked bool
		testing bool
		strict  bool
	}{
		{"k=rsa; p=" + big, 2048, "rsa", false, false, false},
		{"v=DKIM1;k=rsa;t=y:s;h=sha256;s=email;n=a note;p=" + old + ";", 2048, "rsa", false, true, true},
		{"p=" + small[:60] + " \t " + small[60:], 1024, "rsa", false, false, false},
		{"v=DKIM1; k=ed25519; p=" + ed, 256, "ed25519", false, false, false},
		{"v=DKIM1; p=", 0, "rsa", true, false, false},
		{"v=DKIM1; k=future; p=AAAA", 0, "future", false, false, false},
		{"p=AAAA", 0, "rsa", false, false, false},
	} {
		k, err := policy.ParseDKIM(test.text)
		if err != nil || k.Bits != test.bits || k.KeyType != test.kind || k.Revoked != test.revoked || k.Testing != test.testing || k.Strict != test.strict {
			t.Errorf("%.40q: %+v, %v", test.text, k, err)
		}
	}
	for _, bad := range []string{"", "hello", "v=DKIM1", "k=rsa", "v=DKIM2; p=AAAA", "k=rsa; v=DKIM1; p=AAAA", "p=AAAA; p=BBBB", "p=not base64!", ";p=AAAA", "v=spf1 -all", strings.Repeat("a", 20<<10)} {
		if _, err := policy.ParseDKIM(bad); err == nil || postern.KindOf(err) != postern.Invalid {
			t.Errorf("%.40q: %v, want Invalid", bad, err)
		}
	}
	if !policy.SameDKIM("k=rsa; p="+big, "v=DKIM1;  t=s; p="+big[:100]+" "+big[100:]) {
		t.Error("the same key written differently is another")
	}
	if policy.SameDKIM("p="+big, "p="+small) || policy.SameDKIM("p="+big, "k=ed25519; p="+big) || policy.SameDKIM("hello", "hello") {
		t.Error("other keys count as the same")
	}
}
