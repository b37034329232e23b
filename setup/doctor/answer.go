package doctor

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postern-chat/postern/internal/seal"
)

// Path is where the running gateway answers a doctor; a nonce follows.
const Path = "/.well-known/postern/"

// Purposes of the words that doctor and gateway show each other.
const (
	purposeAnswer = "doctor-answer"
	purposeBody   = "doctor-body"
)

const (
	headerWord   = "Postern-Doctor"
	minNonce     = 16
	maxNonce     = 64
	maxSelfTest  = 40 << 20 // the longest body of a self-test that is read
	selfTestLife = 10 * time.Minute
)

// Responder answers a doctor who calls from outside, so that he knows that it is this
// gateway which the world reaches, and that whole bodies come through:
//
//	GET  /.well-known/postern/NONCE  answers the nonce, signed with our secret
//	POST /.well-known/postern/NONCE  answers a signed length and hash of the body
//
// The signature is good for nothing else. A POST is read only if the caller knows the
// secret too and said so not long ago; so nobody else can make us read.
func Responder(keys *seal.Keys, now func() time.Time) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path+"{nonce}", func(w http.ResponseWriter, r *http.Request) {
		nonce := r.PathValue("nonce")
		if !isNonce(nonce) {
			http.NotFound(w, r)
			return
		}
		answer(w, keys.Text(purposeAnswer, nonce))
	})
	mux.HandleFunc("POST "+Path+"{nonce}", func(w http.ResponseWriter, r *http.Request) {
		nonce := r.PathValue("nonce")
		if !isNonce(nonce) || !admitted(keys, now(), nonce, r.Header.Get(headerWord)) {
			http.Error(w, "not signed by this gateway's doctor", http.StatusUnauthorized)
			return
		}
		h := sha256.New()
		n, err := io.Copy(h, http.MaxBytesReader(w, r.Body, maxSelfTest))
		if err != nil {
			http.Error(w, "the body broke off", http.StatusBadRequest)
			return
		}
		answer(w, keys.Text(purposeAnswer, bodyWord(nonce, n, h.Sum(nil))))
	})
	return mux
}

func answer(w http.ResponseWriter, word string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, word)
}

func isNonce(s string) bool {
	return len(s) >= minNonce && len(s) <= maxNonce && strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

// admission is what a doctor shows before he sends a body.
func admission(keys *seal.Keys, now time.Time, nonce string) string {
	return keys.Text(purposeBody, nonce+"."+strconv.FormatInt(now.Unix(), 10))
}

func admitted(keys *seal.Keys, now time.Time, nonce, word string) bool {
	text, ok := keys.OpenText(purposeBody, word)
	if !ok {
		return false
	}
	stamp, ok := strings.CutPrefix(text, nonce+".")
	if !ok {
		return false
	}
	sec, err := strconv.ParseInt(stamp, 10, 64)
	return err == nil && now.Sub(time.Unix(sec, 0)).Abs() < selfTestLife
}

func bodyWord(nonce string, n int64, sum []byte) string {
	return fmt.Sprintf("%s.%d.%s", nonce, n, hex.EncodeToString(sum))
}
