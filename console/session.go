package console

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// sessionFor is how long a login holds.
const sessionFor = 12 * time.Hour

const sessionCookie = "postern_console"

// newSession makes the cookie of a login. It is signed with the admin token, so it ends
// when the token is changed, and on every replica alike.
func (a *API) newSession(now time.Time) *http.Cookie {
	until := strconv.FormatInt(now.Add(sessionFor).Unix(), 36)
	return a.cookie(until+"."+a.sign(until), int(sessionFor.Seconds()))
}

func (a *API) cookie(value string, age int) *http.Cookie {
	return &http.Cookie{Name: sessionCookie, Value: value, Path: "/console/", MaxAge: age, HttpOnly: true, Secure: a.cfg.Secure, SameSite: http.SameSiteStrictMode}
}

func (a *API) sign(until string) string {
	h := hmac.New(sha256.New, a.token[:])
	h.Write([]byte("console session " + until))
	return hex.EncodeToString(h.Sum(nil))
}

// loggedIn tells whether a request comes from somebody who gave the token.
func (a *API) loggedIn(r *http.Request, now time.Time) bool {
	c, err := r.Cookie(sessionCookie)
	if err != nil || a.cfg.Token == "" {
		return false
	}
	until, sig, ok := strings.Cut(c.Value, ".")
	if !ok || subtle.ConstantTimeCompare([]byte(sig), []byte(a.sign(until))) != 1 {
		return false
	}
	t, err := strconv.ParseInt(until, 36, 64)
	return err == nil && now.Unix() < t
}

func (a *API) isToken(given string) bool {
	h := sha256.Sum256([]byte(given))
	return a.cfg.Token != "" && subtle.ConstantTimeCompare(h[:], a.token[:]) == 1
}
