package policy

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"slices"
	"strings"
)

// DKIMKey is a key record (RFC 6376 section 3.6.1).
type DKIMKey struct {
	KeyType  string   // k=, "rsa" or "ed25519"
	Key      []byte   // p=, decoded
	Bits     int      // of an RSA key's modulus; 256 of ed25519; 0 if no key can be read from p=
	Revoked  bool     // p= is empty
	Testing  bool     // t=y
	Strict   bool     // t=s: i= must not be of a subdomain
	Hashes   []string // h=; nil = all
	Services []string // s=; nil = all
}

// ParseDKIM reads one key record. Errors are Invalid.
func ParseDKIM(text string) (*DKIMKey, error) {
	tags, err := parseTags(text)
	if err != nil {
		return nil, err
	}
	k := &DKIMKey{KeyType: "rsa"}
	hasKey := false
	for i, t := range tags {
		switch t.name {
		case "v":
			if i != 0 || t.value != "DKIM1" {
				return nil, invalid("v= has to be DKIM1, and first")
			}
		case "k":
			k.KeyType = strings.ToLower(t.value)
		case "h":
			k.Hashes = list(strings.ToLower(t.value), ":")
		case "s":
			if k.Services = list(strings.ToLower(t.value), ":"); slices.Contains(k.Services, "*") {
				k.Services = nil
			}
		case "t":
			flags := list(strings.ToLower(t.value), ":")
			k.Testing, k.Strict = slices.Contains(flags, "y"), slices.Contains(flags, "s")
		case "p":
			hasKey = true
			if k.Key, err = decodeKey(t.value); err != nil {
				return nil, invalid("p= is not base64")
			}
		}
	}
	if !hasKey {
		return nil, invalid("p= is missing")
	}
	k.Revoked = len(k.Key) == 0
	k.Bits = keyBits(k.KeyType, k.Key)
	return k, nil
}

// decodeKey takes white space out, and forgives missing padding as verifiers do.
func decodeKey(value string) ([]byte, error) {
	value = strings.Join(strings.Fields(value), "")
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
}

func keyBits(kind string, key []byte) int {
	switch kind {
	case "ed25519":
		if len(key) == 32 {
			return 256
		}
	case "rsa":
		if pub, err := x509.ParsePKIXPublicKey(key); err == nil {
			if r, ok := pub.(*rsa.PublicKey); ok {
				return r.N.BitLen()
			}
		}
		if r, err := x509.ParsePKCS1PublicKey(key); err == nil {
			return r.N.BitLen()
		}
	}
	return 0
}

// Same tells whether two records publish the same key, however they are written. The
// conditions (t=, h=, s=) do not count.
func (k *DKIMKey) Same(o *DKIMKey) bool {
	return k.KeyType == o.KeyType && bytes.Equal(k.Key, o.Key)
}

// SameDKIM tells whether two texts are key records that publish the same key.
func SameDKIM(a, b string) bool {
	x, err := ParseDKIM(a)
	if err != nil {
		return false
	}
	y, err := ParseDKIM(b)
	return err == nil && x.Same(y)
}
