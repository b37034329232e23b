package policy

// DKIMKey is a key record (RFC 6376 section 3.6.1).
type DKIMKey struct {
	KeyType  string   // k=, "rsa" or "ed25519"
	Key      []byte   // p=, decoded
	Bits     int      // of an RSA key's modulus; 256 of ed25519; 0 if unreadable
	Revoked  bool     // p= is empty
	Testing  bool     // t=y
	Strict   bool     // t=s: i= must not be of a subdomain
	Hashes   []string // h=; nil = all
	Services []string // s=; nil = all
}

// ParseDKIM reads one key record. Errors are Invalid.
func ParseDKIM(text string) (*DKIMKey, error) { return nil, notYet() }

// Same tells whether two records publish the same key under the same conditions, however
// they are written.
func (k *DKIMKey) Same(o *DKIMKey) bool { return false }

// SameDKIM tells whether two texts are key records that publish the same.
func SameDKIM(a, b string) bool { return false }
