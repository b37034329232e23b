package seal

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// secret is a key of n equal bytes, as it stands in a configuration.
func secret(c byte, n int) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{c}, n))
}

func keys(t testing.TB, secrets ...string) *Keys {
	t.Helper()
	k, err := Parse(strings.Join(secrets, ","))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestParse(t *testing.T) {
	good, url := secret('a', 32), strings.TrimRight(base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{0xfb, 0xff}, 20)), "=")
	tests := []struct {
		name, secret string
		keys         int
		err          string
	}{
		{"one", good, 1, ""},
		{"two, with spaces", " " + good + " , " + secret('b', 64) + "\n", 2, ""},
		{"of the alphabet for URLs", url, 1, ""},
		{"empty", "", 0, "key 1 of secret has 0 bytes, at least 32 are needed"},
		{"comma at the end", good + ",", 0, "key 2 of secret has 0 bytes, at least 32 are needed"},
		{"short", secret('a', 31), 0, "key 1 of secret has 31 bytes, at least 32 are needed"},
		{"second short", good + "," + secret('a', 16), 0, "key 2 of secret has 16 bytes, at least 32 are needed"},
		{"not base64", "correct horse battery staple", 0, "key 1 of secret is not base64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, err := Parse(tt.secret)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || len(k.keys) != tt.keys {
				t.Fatalf("%v, %v, want %d keys", k, err, tt.keys)
			}
		})
	}
}

// An error must not repeat a part of the secret.
func TestParseKeepsTheSecret(t *testing.T) {
	_, err := Parse("hunter2-hunter2-hunter2!")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

func TestIDRoundTrip(t *testing.T) {
	k := keys(t, secret('a', 32))
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.Uint64().Draw(t, "id")
		word := k.ID("address", id)
		if len(word) > 40 || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz234567") != "" {
			t.Fatalf("%q does not fit a local part everywhere", word)
		}
		mixed := []byte(word)
		for i := range mixed {
			if rapid.Bool().Draw(t, "upper") {
				mixed[i] = strings.ToUpper(word[i : i+1])[0]
			}
		}
		for _, w := range []string{word, strings.ToUpper(word), string(mixed)} {
			if got, ok := k.OpenID("address", w); !ok || got != id {
				t.Fatalf("%q opens as %d, %t, want %d", w, got, ok, id)
			}
		}
		if _, ok := k.OpenID("leave", word); ok {
			t.Fatal("opens for another purpose")
		}
	})
}

// change gives words that differ from one in a single place.
func change(t *rapid.T, word string) string {
	i := rapid.IntRange(0, len(word)-1).Draw(t, "at")
	c := rapid.ByteRange(0, 255).Draw(t, "byte")
	switch rapid.IntRange(0, 2).Draw(t, "how") {
	case 0:
		return word[:i] + string([]byte{c}) + word[i+1:]
	case 1:
		return word[:i] + string([]byte{c}) + word[i:]
	}
	return word[:i] + word[i+1:]
}

func TestChangedIDIsRefused(t *testing.T) {
	k := keys(t, secret('a', 32))
	rapid.Check(t, func(t *rapid.T) {
		word := k.ID("address", rapid.Uint64().Draw(t, "id"))
		bad := change(t, word)
		if _, ok := k.OpenID("address", bad); ok != strings.EqualFold(bad, word) {
			t.Fatalf("%q opens: %t; sealed was %q", bad, ok, word)
		}
	})
}

func TestChangedTextIsRefused(t *testing.T) {
	k := keys(t, secret('a', 32))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		word := k.Text("mark", text)
		if got, ok := k.OpenText("mark", word); !ok || got != text {
			t.Fatalf("%q opens as %q, %t", word, got, ok)
		}
		if _, ok := k.OpenText("file", word); ok {
			t.Fatal("opens for another purpose")
		}
		bad := change(t, word)
		if _, ok := k.OpenText("mark", bad); ok != (bad == word) {
			t.Fatalf("%q opens: %t; sealed was %q", bad, ok, word)
		}
	})
}

// Spellings that a base32 decoder takes for the same bytes are not the same word.
func TestOneSpelling(t *testing.T) {
	k := keys(t, secret('a', 32))
	text, id := k.Text("mark", "p"), k.ID("address", 7)
	for _, bad := range []string{text + "\n", text[:5] + "\r\n" + text[5:], text[:len(text)-1] + next(text), text + "=", strings.ToUpper(text)} {
		if _, ok := k.OpenText("mark", bad); ok {
			t.Errorf("%q opens, sealed was %q", bad, text)
		}
	}
	for _, bad := range []string{strings.Repeat("\n", len(id)), id[:38] + "\n", id[1:] + "\n", "\n" + id, id[:len(id)-1] + next(id), "\u212a" + id[3:], ""} {
		if _, ok := k.OpenID("address", bad); ok {
			t.Errorf("%q opens, sealed was %q", bad, id)
		}
	}
}

// next is the character after a word's last: its used bits may be the same.
func next(word string) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	return string(alphabet[(strings.IndexByte(alphabet, word[len(word)-1])+1)%32])
}

func TestRotation(t *testing.T) {
	a, b := secret('a', 32), secret('b', 32)
	before, during, after := keys(t, a), keys(t, b, a), keys(t, b)
	word, text := before.ID("address", 1), before.Text("mark", "p")
	if id, ok := during.OpenID("address", word); !ok || id != 1 {
		t.Error("the old key's word does not open while both are set")
	}
	if _, ok := during.OpenText("mark", text); !ok {
		t.Error("the old key's text does not open while both are set")
	}
	if _, ok := after.OpenID("address", word); ok {
		t.Error("the old key's word opens after the old key is gone")
	}
	if during.ID("address", 1) != after.ID("address", 1) || during.ID("address", 1) == word {
		t.Error("the first key does not sign")
	}
}

func TestOpenTextIsBounded(t *testing.T) {
	k := keys(t, secret('a', 32))
	if _, ok := k.OpenText("mark", k.Text("mark", strings.Repeat("x", 5000))); ok {
		t.Error("a word of 5,000 bytes opens")
	}
}

func TestNewID(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	a, b := NewID(now), NewID(now)
	if a == b || len(a) != 26 || a[:9] != b[:9] {
		t.Errorf("%q and %q: want 26 characters, the same beginning, different ends", a, b)
	}
	if c := NewID(now.Add(24 * time.Hour)); c[:9] == a[:9] {
		t.Errorf("%q a day after %q", c, a)
	}
	last := NewID(now)
	for i := range 3000 { // every power of 32 is passed
		now = now.Add(time.Duration(1+i*i) * time.Millisecond)
		next := NewID(now)
		if next <= last {
			t.Fatalf("%q after %q", next, last)
		}
		last = next
	}
}

func TestNewNumber(t *testing.T) {
	var seen []uint64
	for range 1000 {
		n := NewNumber()
		if n == 0 || n>>62 != 0 || slices.Contains(seen, n) {
			t.Fatalf("%d after %d others", n, len(seen))
		}
		seen = append(seen, n)
	}
}

func FuzzOpenID(f *testing.F) {
	k := keys(f, secret('a', 32), secret('b', 40))
	f.Add(k.ID("address", 0))
	f.Add(k.ID("address", 1<<63))
	f.Add(strings.Repeat("\n", 39))
	f.Add(strings.Repeat("7", 39))
	f.Fuzz(func(t *testing.T, word string) {
		if id, ok := k.OpenID("address", word); ok && !strings.EqualFold(word, k.ID("address", id)) {
			t.Errorf("%q opens as %d", word, id)
		}
	})
}

func FuzzOpenText(f *testing.F) {
	k := keys(f, secret('a', 32), secret('b', 40))
	f.Add(k.Text("mark", ""))
	f.Add(k.Text("mark", "01.02"))
	f.Add("x." + strings.Repeat("\n", 26))
	f.Add(".")
	f.Fuzz(func(t *testing.T, word string) {
		if text, ok := k.OpenText("mark", word); ok && word != k.Text("mark", text) {
			t.Errorf("%q opens as %q", word, text)
		}
	})
}
