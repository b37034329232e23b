package doctor

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/internal/seal"
)

func testKeys(t testing.TB, c string) *seal.Keys {
	k, err := seal.Parse(base64.StdEncoding.EncodeToString([]byte(strings.Repeat(c, 32))))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// untouched is a body that nobody may read.
type untouched struct{ t testing.TB }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, errors.New("no")
}

func TestResponder(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	keys, others := testKeys(t, "a"), testKeys(t, "b")
	h := Responder(keys, func() time.Time { return now })
	ask := func(method, nonce, word string, body io.Reader) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, Path+nonce, body)
		if word != "" {
			r.Header.Set(headerWord, word)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	nonce := seal.NewID(now)
	if w := ask("GET", nonce, "", nil); w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", w.Code, w.Header())
	} else if word, ok := keys.OpenText(purposeAnswer, w.Body.String()); !ok || word != nonce {
		t.Errorf("answered %q", w.Body)
	}
	for _, bad := range []string{"short", strings.Repeat("a", maxNonce+1), strings.Repeat("A", 20), strings.Repeat("a", 20) + ".b", "aaaaaaaaaaaaaaaaaaaa%2f.."} {
		if w := ask("GET", bad, "", nil); w.Code != http.StatusNotFound {
			t.Errorf("%q: %d", bad, w.Code)
		}
	}
	for name, word := range map[string]string{
		"unsigned":             "",
		"of another secret":    admission(others, now, nonce),
		"of another nonce":     admission(keys, now, seal.NewID(now)),
		"of long ago":          admission(keys, now.Add(-time.Hour), nonce),
		"of the future":        admission(keys, now.Add(time.Hour), nonce),
		"an answer of our own": keys.Text(purposeAnswer, nonce+".1800000000"),
	} {
		if w := ask("POST", nonce, word, untouched{t}); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	w := ask("POST", nonce, admission(keys, now.Add(-time.Minute), nonce), strings.NewReader("hello"))
	sum := sha256.Sum256([]byte("hello"))
	if word, ok := keys.OpenText(purposeAnswer, w.Body.String()); !ok || word != bodyWord(nonce, 5, sum[:]) {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if w := ask("POST", nonce, admission(keys, now, nonce), &filler{left: maxSelfTest + 1, seed: "x"}); w.Code != http.StatusBadRequest {
		t.Errorf("too long: %d", w.Code)
	}
	if w := ask("PUT", nonce, "", nil); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %d", w.Code)
	}
}

func TestFiller(t *testing.T) {
	for _, n := range []int64{0, 1, 32<<10 - 1, 100_001} {
		got, err := io.ReadAll(&filler{left: n, seed: "s"})
		again, _ := io.ReadAll(io.MultiReader(io.LimitReader(&filler{left: n, seed: "s"}, 7), strings.NewReader("")))
		if err != nil || int64(len(got)) != n || !strings.HasPrefix(string(got), string(again)) {
			t.Errorf("%d: %d bytes, %v", n, len(got), err)
		}
	}
}

// FuzzResponder: whatever a stranger asks, nothing of his is read or signed but a nonce.
func FuzzResponder(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	keys := testKeys(f, "a")
	h := Responder(keys, func() time.Time { return now })
	f.Add("aaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaa.1800000000.x", true)
	f.Add("x", "", false)
	f.Fuzz(func(t *testing.T, nonce, word string, post bool) {
		r := httptest.NewRequest("GET", Path, nil)
		if post {
			r = httptest.NewRequest("POST", Path, untouched{t})
		}
		r.URL.Path = Path + nonce
		r.Header[headerWord] = []string{word}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got, ok := keys.OpenText(purposeAnswer, w.Body.String()); ok && (post || got != nonce || !isNonce(nonce)) {
			t.Errorf("signed %q", got)
		}
	})
}

func FuzzTidy(f *testing.F) {
	f.Add("a\x1b[2Jb\u202ec\n")
	f.Fuzz(func(t *testing.T, s string) {
		if got := tidy(s); strings.ContainsAny(got, "\x1b\n\r\u202e\u0085") || len(got) > 1600 {
			t.Errorf("%q", got)
		}
	})
}
