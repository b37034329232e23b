// Package seal makes and checks the short signed words that leave the house: reply
// addresses, links, and the marks on our own chat messages.
//
// What lives here: keys and their use. What may not: what a word means.
package seal

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// macSize is the length of a signature: 128 bits.
const macSize = 16

// Encoding is lower-case base32 without padding: it survives relays that change the
// case of a local part, and web forms that refuse signs.
var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Keys sign and verify. The first signs, all verify, so that a key can be changed
// while words signed with the old one are still about.
type Keys struct{ keys [][]byte }

// Parse reads one or more base64 keys of at least 32 bytes each, comma separated.
func Parse(secret string) (*Keys, error) {
	k := &Keys{}
	for i, part := range strings.Split(secret, ",") {
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(part))
		if err != nil {
			b, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(part), "="))
		}
		if err != nil {
			return nil, fmt.Errorf("key %d of secret is not base64", i+1)
		}
		if len(b) < 32 {
			return nil, fmt.Errorf("key %d of secret has %d bytes, at least 32 are needed", i+1, len(b))
		}
		k.keys = append(k.keys, b)
	}
	return k, nil
}

func mac(key []byte, purpose string, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("postern/" + purpose + "\x00"))
	h.Write(data)
	return h.Sum(nil)[:macSize]
}

// sign gives data's signature for a purpose: what is signed for one never holds for
// another.
func (k *Keys) sign(purpose string, data []byte) []byte { return mac(k.keys[0], purpose, data) }

func (k *Keys) verify(purpose string, data, sig []byte) bool {
	ok := 0
	for _, key := range k.keys {
		ok |= subtle.ConstantTimeCompare(mac(key, purpose, data), sig)
	}
	return ok == 1
}

// ID makes a 39-character word of lower-case base32 out of a number: it says nothing,
// cannot be guessed and fits the local part of an address.
func (k *Keys) ID(purpose string, id uint64) string {
	b := binary.BigEndian.AppendUint64(nil, id)
	return encoding.EncodeToString(append(b, k.sign(purpose, b)...))
}

// OpenID reads a word made by ID, in any case; false if the signature does not hold.
func (k *Keys) OpenID(purpose, word string) (uint64, bool) {
	b, ok := unspell(strings.ToLower(word), 8+macSize)
	if !ok || !k.verify(purpose, b[:8], b[8:]) {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}

// unspell reads base32 of n bytes. Only the one spelling counts: the last character
// carries unused bits, and the decoder passes over line ends.
func unspell(s string, n int) ([]byte, bool) {
	if len(s) != encoding.EncodedLen(n) {
		return nil, false
	}
	b, err := encoding.DecodeString(s)
	return b, err == nil && len(b) == n && encoding.EncodeToString(b) == s
}

// Text makes a word out of a short text, which stands in it readably.
func (k *Keys) Text(purpose, text string) string {
	return text + "." + encoding.EncodeToString(k.sign(purpose, []byte(text)))
}

// OpenText reads a word made by Text; false if the signature does not hold.
func (k *Keys) OpenText(purpose, word string) (string, bool) {
	i := strings.LastIndexByte(word, '.')
	if i < 0 || len(word) > 4096 {
		return "", false
	}
	sig, ok := unspell(word[i+1:], macSize)
	if !ok || !k.verify(purpose, []byte(word[:i]), sig) {
		return "", false
	}
	return word[:i], true
}

// sorted is an encoding whose words are in the order of their bytes (RFC 4648 section 7).
var sorted = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// NewID makes an identifier of 26 characters: time first, so that identifiers are in the
// order of their times, to the millisecond, then 80 random bits.
func NewID(now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(b[6:]) // never fails, see crypto/rand
	return sorted.EncodeToString(b[:])
}

// NewNumber makes a random identifier of 62 bits, never 0.
func NewNumber() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return binary.BigEndian.Uint64(b[:])>>2 | 1
}
