package mailgun

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
)

var update = flag.Bool("update", false, "write the golden files anew")

// now is the instant at which all tests take place.
func now() time.Time { return time.Unix(1793577660, 0) }

const (
	testKey   = "signing-new"
	oldKey    = "signing-old"
	testToken = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f607182"
)

func newClient(t testing.TB, change func(*Config)) *Client {
	t.Helper()
	cfg := Config{
		Domain:      "mg.example.com",
		SendingKey:  "sending",
		AccountKey:  "account",
		SigningKeys: []string{testKey, oldKey},
		TempDir:     t.TempDir(),
		Now:         now,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sign is written apart from the code under test.
func sign(key string, at time.Time, token string) (timestamp, signature string) {
	timestamp = strconv.FormatInt(at.Unix(), 10)
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(timestamp + token))
	return timestamp, hex.EncodeToString(h.Sum(nil))
}

// pair is a form field; with a file name it is a file.
type pair struct {
	name, value, filename, contentType string
}

func signed(key string, at time.Time, token string, more ...pair) []pair {
	ts, sig := sign(key, at, token)
	return append(more, pair{name: "timestamp", value: ts}, pair{name: "token", value: token}, pair{name: "signature", value: sig})
}

// inboundFields is a post that is in order, signed a minute ago.
func inboundFields(more ...pair) []pair {
	all := append(more, pair{name: "recipient", value: "c.abc@mg.example.com"}, pair{name: "sender", value: "bob@example.org"})
	return signed(testKey, now().Add(-time.Minute), testToken, all...)
}

func urlencodedPost(fields []pair) *http.Request {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(f.name) + "=" + url.QueryEscape(f.value))
	}
	return rawPost("application/x-www-form-urlencoded", strings.NewReader(b.String()))
}

func multipartPost(t testing.TB, boundary string, fields []pair) *http.Request {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary(boundary); err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		h := textproto.MIMEHeader{}
		d := `form-data; name="` + f.name + `"`
		if f.filename != "" {
			d += `; filename="` + f.filename + `"`
		}
		h.Set("Content-Disposition", d)
		if f.contentType != "" {
			h.Set("Content-Type", f.contentType)
		}
		p, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(p, f.value); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return rawPost(w.FormDataContentType(), &b)
}

func rawPost(contentType string, body io.Reader) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/hooks/mailgun/inbound", body)
	r.Header.Set("Content-Type", contentType)
	return r
}

type reader func(ctx context.Context, r *http.Request, w io.Writer) (postern.Inbound, error)

// wantKind fails the test unless err has this kind and cause.
func wantKind(t testing.TB, err error, kind postern.Kind, cause postern.Cause) {
	t.Helper()
	var e *postern.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is none of ours, want %v", err, kind)
	}
	if e.Kind != kind || e.Cause != cause {
		t.Fatalf("error %v (cause %d), want %v (cause %d)", err, e.Cause, kind, cause)
	}
}

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update accepts):\ngot  %s\nwant %s", name, got, want)
	}
}
