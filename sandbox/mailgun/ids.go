package mailgun

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// idMaker makes ids that look random and repeat with the seed.
type idMaker struct {
	seed uint64
	n    uint64
}

func (m *idMaker) next() [32]byte {
	m.n++
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], m.seed)
	binary.BigEndian.PutUint64(b[8:], m.n)
	return sha256.Sum256(b[:])
}

func (m *idMaker) hex(n int) string {
	x := m.next()
	s := hex.EncodeToString(x[:])
	return s[:n]
}

// text is a 22 letter id as events have them.
func (m *idMaker) text() string {
	x := m.next()
	return base64.RawURLEncoding.EncodeToString(x[:16])
}

// message is an id of Mailgun's own form: date, 1, 16 hex digits, domain.
func (m *idMaker) message(now time.Time, domain string) string {
	return fmt.Sprintf("%s.1.%s@%s", now.UTC().Format("20060102150405"), strings.ToUpper(m.hex(16)), domain)
}

// chance is a number in [0,1) that depends on the seed and the words alone, so
// that faults by chance do not depend on which goroutine came first.
func chance(seed uint64, words ...string) float64 {
	h := fnv.New64a()
	_ = binary.Write(h, binary.BigEndian, seed)
	for _, w := range words {
		_, _ = h.Write([]byte(w))
		_, _ = h.Write([]byte{0})
	}
	x := h.Sum64() // FNV's high bits are poor for short words; mix them
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}
