package doctor

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-chat/postern"
)

// TestDiskLeavesNothing: the true disk is tried, and nothing is left there.
func TestDiskLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	f := Disk{DataDir: filepath.Join(dir, "not", "yet"), Database: dir}.ask(t.Context())
	for _, x := range f {
		if x.Health == postern.Failure {
			t.Errorf("%+v", x)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestClockBelievesTheNearest: one service with a wrong clock is not ours being wrong.
func TestClockBelievesTheNearest(t *testing.T) {
	at := func(off time.Duration) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	for _, test := range []struct {
		urls []string
		code string
	}{
		{[]string{at(0)}, "CLOCK"},
		{[]string{at(time.Hour), at(0)}, "CLOCK"},
		{[]string{at(time.Hour), at(time.Minute)}, "CLOCK-OFF"},
		{[]string{at(-time.Hour), at(2 * time.Hour)}, "CLOCK-WRONG"},
		{[]string{"http://127.0.0.1:1"}, "CLOCK"},
		{nil, "CLOCK"},
	} {
		if f := (Clock{URLs: test.urls}).ask(t.Context()); len(f) != 1 || f[0].Code != test.code {
			t.Errorf("%v: %+v", test.urls, f)
		}
	}
}

func TestWeakKeys(t *testing.T) {
	for secret, weak := range map[string]bool{
		"q7FZ0kXw1r9mX3vK8mYt5hB2nC4dE6gJ0aL+zP/uS1E=": false,
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=": true,
		"": false,
		"q7FZ0kXw1r9mX3vK8mYt5hB2nC4dE6gJ0aL+zP/uS1E,YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=": true,
	} {
		if why := weakKey(secret); (why != "") != weak {
			t.Errorf("%q: %q", secret, why)
		}
	}
}
