package mailgun

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"strconv"
	"time"

	"github.com/postern-chat/postern"
)

const (
	maxToken   = 128              // seen: 50 characters
	maxAhead   = 10 * time.Minute // of a clock that goes before ours
	maxTimeLen = 12               // digits of a Unix time in seconds
)

// triple is Mailgun's signature. It covers nothing but itself: whoever saw one can put
// it on another body, so the caller must keep tokens beside what they came with.
type triple struct {
	timestamp, token, signature string
}

// verify checks the triple with every key we have, then its age.
func (c *Client) verify(op string, t triple) error {
	if t.signature == "" {
		return postern.Errorf(postern.Denied, op, "no signature")
	}
	if !digits(t.timestamp) || len(t.timestamp) > maxTimeLen {
		return postern.Errorf(postern.Denied, op, "timestamp missing or not a number")
	}
	if !plainToken(t.token) {
		return postern.Errorf(postern.Denied, op, "token missing or malformed")
	}
	if len(c.cfg.SigningKeys) == 0 {
		return postern.Errorf(postern.Denied, op, "no signing key is configured (mailgun.signing_keys)")
	}
	given, err := hex.DecodeString(t.signature)
	if err != nil {
		return postern.Errorf(postern.Denied, op, "signature is not hexadecimal")
	}
	holds := 0
	for _, key := range c.cfg.SigningKeys {
		holds |= subtle.ConstantTimeCompare(mac(key, t.timestamp, t.token), given)
	}
	if holds == 0 {
		return postern.Errorf(postern.Denied, op, "signature does not hold")
	}
	// The window also stops digits from being moved between timestamp and token, which are
	// signed without a separator.
	sec, err := strconv.ParseInt(t.timestamp, 10, 64)
	if err != nil {
		return postern.Errorf(postern.Denied, op, "timestamp is not a number")
	}
	age := c.cfg.Now().Sub(time.Unix(sec, 0))
	if age > c.cfg.SignatureWindow || age < -maxAhead {
		return postern.Errorf(postern.Denied, op, "signature is outside its window of time").Because(postern.CauseStale)
	}
	return nil
}

func mac(key, timestamp, token string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	io.WriteString(h, timestamp)
	io.WriteString(h, token)
	return h.Sum(nil)
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// plainToken keeps out what a store or a log could stumble over.
func plainToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxToken
}
