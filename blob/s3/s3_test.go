package s3_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/blob"
	"github.com/postern-chat/postern/blob/blobtest"
	"github.com/postern-chat/postern/blob/s3"
	"github.com/postern-chat/postern/blob/s3/s3test"
)

// place is a store that tells which server it is on.
type place struct {
	*s3.Store
	server *s3test.Server
	cfg    s3.Config
}

func config(t *testing.T, server *s3test.Server) s3.Config {
	return s3.Config{
		Endpoint: server.URL, Region: s3test.Region, Bucket: s3test.Bucket, Prefix: "house/", AccessKey: s3test.AccessKey, SecretKey: s3test.SecretKey,
		Scratch: t.TempDir(), PartSize: 5 << 20, Transport: server.Transport, Retries: 1,
	}
}

func open(t *testing.T, server *s3test.Server, cfg s3.Config) *place {
	t.Helper()
	s, err := s3.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &place{s, server, cfg}
}

func fresh(t *testing.T, secure bool) *place {
	t.Helper()
	server := s3test.Start(t, secure)
	return open(t, server, config(t, server))
}

func TestSuite(t *testing.T) {
	for name, secure := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			blobtest.Run(t, blobtest.Place{
				Fresh: func(t *testing.T) blob.Store { return fresh(t, secure) },
				Again: func(t *testing.T, s blob.Store) blob.Store {
					p := s.(*place)
					return open(t, p.server, p.cfg)
				},
				Age: func(_ *testing.T, s blob.Store, ref string, by time.Duration) {
					s.(*place).server.Age("house/"+ref, by)
				},
			})
		})
	}
}

func TestNew(t *testing.T) {
	for _, endpoint := range []string{"", "s3.example.com", "ftp://s3.example.com", "https://s3.example.com/bucket", "https://"} {
		if _, err := s3.New(s3.Config{Endpoint: endpoint, Bucket: "b", Scratch: t.TempDir()}); postern.KindOf(err) != postern.Denied {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}

// What only an operator can change is said when the gateway starts.
func TestCheck(t *testing.T) {
	server := s3test.Start(t, true)
	good := config(t, server)
	for name, tt := range map[string]struct {
		change func(*s3.Config)
		want   postern.Kind
	}{
		"secret key": {func(c *s3.Config) { c.SecretKey = "another" }, postern.Denied},
		"access key": {func(c *s3.Config) { c.AccessKey = "another" }, postern.Denied},
		"bucket":     {func(c *s3.Config) { c.Bucket = "another" }, postern.Denied},
		"region":     {func(c *s3.Config) { c.Region = "us-east-9" }, postern.Denied},
		"nobody":     {func(c *s3.Config) { c.Endpoint = "https://127.0.0.1:1" }, postern.Temporary},
	} {
		cfg := good
		tt.change(&cfg)
		if err := open(t, server, cfg).Check(t.Context()); postern.KindOf(err) != tt.want {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	good.Region = "" // it is asked for
	if err := open(t, server, good).Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// Whatever is wrong with the store may pass; nothing is lost, and nothing is half there.
func TestTrouble(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusServiceUnavailable} {
		server := s3test.Start(t, true)
		var broken atomic.Bool
		server.Fault = func(*http.Request) int {
			if broken.Load() {
				return status
			}
			return 0
		}
		s := open(t, server, config(t, server))
		ref := blobtest.Keep(t, s, []byte("x"))
		broken.Store(true)
		d := s.NewDraft(-1)
		_, _ = d.Write([]byte("draft"))
		_, _, err := d.Keep()
		wantTemporary(t, "keep", err)
		_, err = s.Open(ref)
		wantTemporary(t, "open", err)
		wantTemporary(t, "delete", s.Delete(ref))
		_, err = s.Owner(t.Context(), "me")
		wantTemporary(t, "owner", err)
		wantTemporary(t, "old", s.Old(t.Context(), time.Now(), func([]string) error { return nil }))
		broken.Store(false)
		if _, again, err := d.Keep(); err != nil || again == "" {
			t.Errorf("kept again: %v", err)
		}
		if left, _ := os.ReadDir(s.cfg.Scratch); len(left) != 0 {
			t.Errorf("%d drafts are left", len(left))
		}
	}
}

func wantTemporary(t *testing.T, what string, err error) {
	t.Helper()
	if postern.KindOf(err) != postern.Temporary {
		t.Errorf("%s: %v", what, err)
	}
}

// An upload in parts that fails leaves nothing behind.
func TestPartFails(t *testing.T) {
	server := s3test.Start(t, true)
	server.Fault = func(r *http.Request) int {
		if r.URL.Query().Get("partNumber") == "2" {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	s := open(t, server, config(t, server))
	d := s.NewDraft(-1)
	defer d.Discard()
	_, _ = d.Write(make([]byte, 12<<20))
	_, _, err := d.Keep()
	wantTemporary(t, "keep", err)
	if n := server.Uploads(); n != 0 || len(server.Keys()) != 0 {
		t.Errorf("%d uploads, objects %v", n, server.Keys())
	}
}

// A line that breaks while a blob is read costs a piece, not the blob.
func TestReadBreaks(t *testing.T) {
	server := s3test.Start(t, true)
	var cuts atomic.Int64
	server.Cut = func(*http.Request) int64 {
		if cuts.Add(1)%2 == 1 {
			return 1000
		}
		return -1
	}
	s := open(t, server, config(t, server))
	content := []byte(strings.Repeat("0123456789", 250_000))
	ref := blobtest.Keep(t, s, content)
	f, err := s.Open(ref)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(f)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if n := server.Calls("GET"); n != 6 { // three pieces, each twice
		t.Errorf("%d calls", n)
	}
}

// Memory does not grow with the size of a blob, neither way.
func TestMemory(t *testing.T) {
	for _, secure := range []bool{true, false} {
		s := fresh(t, secure)
		const size = 96 << 20
		d := s.NewDraft(32 << 10)
		defer d.Discard()
		part := bytes.Repeat([]byte("abcdefg\n"), 8<<10)
		for range size / len(part) {
			if _, err := d.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		before := allocated()
		_, ref, err := d.Keep()
		if err != nil {
			t.Fatal(err)
		}
		if n := s.server.Calls("PART"); n < 2 {
			t.Errorf("uploaded in %d parts", n)
		}
		up := allocated() - before
		f, err := s.Open(ref)
		if err != nil {
			t.Fatal(err)
		}
		before = allocated()
		if n, err := io.Copy(io.Discard, f); n != size || err != nil {
			t.Fatal(n, err)
		}
		down := allocated() - before
		// Of all that was allocated, freed or not; the server is counted too, which takes
		// signed chunks (without TLS) into memory one by one.
		if secure && up > size/4 || down > size/4 {
			t.Errorf("%d bytes up and %d down for a blob of %d", up, down, size)
		}
		_ = f.Close()
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// Nothing of a blob is left on the local disk.
func TestScratch(t *testing.T) {
	s := fresh(t, true)
	blobtest.Keep(t, s, make([]byte, 1<<20))
	if left, _ := filepath.Glob(filepath.Join(s.cfg.Scratch, "*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}
