package mailgun

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
)

const rawMail = "From: Bob <bob@example.org>\r\nTo: c.abc@mg.example.com\r\nSubject: caf\xe9\r\n\r\n50% & more = \xff\xfe\x00+\r\n"

func TestInboundMIME(t *testing.T) {
	fields := inboundFields(
		pair{name: "body-mime", value: rawMail},
		pair{name: "stripped-text", value: "50% & more\nzwei"},
		pair{name: "Message-Id", value: "<m1@example.org>"},
		pair{name: "X-Mailgun-Spf", value: "Pass"},
		pair{name: "X-Mailgun-Dkim-Check-Result", value: "Fail"},
	)
	want := postern.Inbound{
		Key: "mailgun:" + testToken, Recipient: "c.abc@mg.example.com", Sender: "bob@example.org",
		Stripped: "50% & more\nzwei", Verdicts: postern.Verdict{SPF: "pass", DKIM: "fail"}, MessageID: "m1@example.org",
	}
	for name, r := range map[string]*http.Request{
		"urlencoded":     urlencodedPost(fields),
		"multipart":      multipartPost(t, "b1", fields),
		"multipart file": multipartPost(t, "b1", append([]pair{{"body-mime", rawMail, "mail.eml", "message/rfc822"}}, fields[1:]...)),
	} {
		t.Run(name, func(t *testing.T) {
			var mail bytes.Buffer
			in, err := newClient(t, nil).InboundMIME(context.Background(), r, &mail)
			if err != nil {
				t.Fatal(err)
			}
			if mail.String() != rawMail {
				t.Errorf("mail is %q", mail.String())
			}
			if len(in.Digest) != 32 {
				t.Errorf("digest %x", in.Digest)
			}
			in.Digest = nil
			if got := in; got.Key != want.Key || got.Recipient != want.Recipient || got.Sender != want.Sender ||
				got.Stripped != want.Stripped || got.Verdicts != want.Verdicts || got.MessageID != want.MessageID {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// both are the two readers, each with the content that it needs.
func both(c *Client) map[string]struct {
	read reader
	body pair
} {
	return map[string]struct {
		read reader
		body pair
	}{
		"mime": {c.InboundMIME, pair{name: "body-mime", value: rawMail}},
		"form": {c.InboundForm, pair{name: "body-plain", value: "hello"}},
	}
}

func without(fields []pair, name string) (out []pair) {
	for _, f := range fields {
		if f.name != name {
			out = append(out, f)
		}
	}
	return out
}

func with(fields []pair, name, value string) []pair {
	return append(without(fields, name), pair{name: name, value: value})
}

func TestInboundRefused(t *testing.T) {
	form := "application/x-www-form-urlencoded"
	tests := []struct {
		name    string
		request func(t *testing.T, body pair) *http.Request
		kind    postern.Kind
		cause   postern.Cause
	}{
		{"no signature", func(_ *testing.T, b pair) *http.Request {
			return urlencodedPost(without(inboundFields(b), "signature"))
		}, postern.Denied, 0},
		{"forged", func(_ *testing.T, b pair) *http.Request {
			return urlencodedPost(append([]pair{b, {name: "recipient", value: "a@b"}}, signed("guess", now(), testToken)...))
		}, postern.Denied, 0},
		{"signature not hex", func(_ *testing.T, b pair) *http.Request {
			return urlencodedPost(with(inboundFields(b), "signature", "zz"))
		}, postern.Denied, 0},
		{"signature too long", func(_ *testing.T, b pair) *http.Request {
			return urlencodedPost(with(inboundFields(b), "signature", strings.Repeat("a", 1<<16)))
		}, postern.Denied, 0},
		{"stale", func(_ *testing.T, b pair) *http.Request {
			return urlencodedPost(append([]pair{b, {name: "recipient", value: "a@b"}}, signed(testKey, now().Add(-24*time.Hour-time.Second), testToken)...))
		}, postern.Denied, postern.CauseStale},
		{"from the future", func(_ *testing.T, b pair) *http.Request {
			return urlencodedPost(append([]pair{b, {name: "recipient", value: "a@b"}}, signed(testKey, now().Add(11*time.Minute), testToken)...))
		}, postern.Denied, postern.CauseStale},
		{"no timestamp", func(_ *testing.T, b pair) *http.Request {
			return urlencodedPost(without(inboundFields(b), "timestamp"))
		}, postern.Denied, 0},
		{"timestamp no number", func(_ *testing.T, b pair) *http.Request {
			return urlencodedPost(with(inboundFields(b), "timestamp", "soon"))
		}, postern.Denied, 0},
		{"no token", func(_ *testing.T, b pair) *http.Request { return urlencodedPost(without(inboundFields(b), "token")) }, postern.Denied, 0},
		{"token too long", func(_ *testing.T, b pair) *http.Request {
			return urlencodedPost(append([]pair{b, {name: "recipient", value: "a@b"}}, signed(testKey, now(), strings.Repeat("t", 129))...))
		}, postern.Denied, 0},
		{"no recipient", func(_ *testing.T, b pair) *http.Request {
			return urlencodedPost(without(inboundFields(b), "recipient"))
		}, postern.Invalid, 0},
		{"recipient with NUL", func(_ *testing.T, b pair) *http.Request {
			return urlencodedPost(with(inboundFields(b), "recipient", "a\x00@b"))
		}, postern.Invalid, 0},
		{"recipient too long", func(_ *testing.T, b pair) *http.Request {
			return urlencodedPost(with(inboundFields(b), "recipient", strings.Repeat("a", 2000)+"@b"))
		}, postern.Invalid, 0},
		{"no content", func(*testing.T, pair) *http.Request { return urlencodedPost(inboundFields()) }, postern.Invalid, 0},
		{"empty", func(*testing.T, pair) *http.Request { return rawPost(form, strings.NewReader("")) }, postern.Denied, 0},
		{"JSON", func(*testing.T, pair) *http.Request { return rawPost("application/json", strings.NewReader("{}")) }, postern.Invalid, 0},
		{"no type", func(*testing.T, pair) *http.Request { return rawPost("", strings.NewReader("a=b")) }, postern.Invalid, 0},
		{"multipart without boundary", func(*testing.T, pair) *http.Request {
			return rawPost("multipart/form-data", strings.NewReader("--x"))
		}, postern.Invalid, 0},
		{"multipart cut", func(t *testing.T, b pair) *http.Request {
			r := multipartPost(t, "cut", inboundFields(b))
			body, _ := io.ReadAll(r.Body)
			return rawPost(r.Header.Get("Content-Type"), bytes.NewReader(body[:len(body)-30]))
		}, postern.Invalid, 0},
		{"compressed", func(_ *testing.T, b pair) *http.Request {
			r := urlencodedPost(inboundFields(b))
			r.Header.Set("Content-Encoding", "gzip")
			return r
		}, postern.Invalid, 0},
		{"bad escape in a value", func(*testing.T, pair) *http.Request { return rawPost(form, strings.NewReader("a=%zz")) }, postern.Invalid, 0},
		{"bad escape at the end", func(*testing.T, pair) *http.Request { return rawPost(form, strings.NewReader("a=%4")) }, postern.Invalid, 0},
		{"bad escape in a name", func(*testing.T, pair) *http.Request { return rawPost(form, strings.NewReader("%g1=a")) }, postern.Invalid, 0},
		{"too many fields", func(*testing.T, pair) *http.Request {
			return rawPost(form, strings.NewReader(strings.Repeat("a=b&", maxFields+1)))
		}, postern.Invalid, 0},
		{"too many empty pairs", func(*testing.T, pair) *http.Request {
			return rawPost(form, strings.NewReader(strings.Repeat("&", maxFields+2)))
		}, postern.Invalid, 0},
		{"too large", func(_ *testing.T, b pair) *http.Request {
			b.value = strings.Repeat("x", 1<<20+1)
			return urlencodedPost(inboundFields(b))
		}, postern.Invalid, postern.CauseTooLarge},
		{"too large in what is not read", func(_ *testing.T, b pair) *http.Request {
			return urlencodedPost(inboundFields(b, pair{name: "X", value: strings.Repeat("x", 8<<20)}))
		}, postern.Invalid, postern.CauseTooLarge},
		{"too large without a length", func(_ *testing.T, b pair) *http.Request {
			r := urlencodedPost(inboundFields(b, pair{name: "X", value: strings.Repeat("x", 8<<20)}))
			r.ContentLength = -1
			return r
		}, postern.Invalid, postern.CauseTooLarge},
		{"cut off by the server's limit", func(_ *testing.T, b pair) *http.Request {
			r := urlencodedPost(inboundFields(b))
			r.Body = http.MaxBytesReader(nil, r.Body, 10)
			return r
		}, postern.Invalid, postern.CauseTooLarge},
		{"connection broke", func(_ *testing.T, b pair) *http.Request {
			r := urlencodedPost(inboundFields(b))
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader("a=b&recip"), broken{io.ErrUnexpectedEOF}))
			return r
		}, postern.Temporary, 0},
	}
	for _, test := range tests {
		c := newClient(t, func(cfg *Config) { cfg.MaxInbound = 1 << 20 })
		for name, way := range both(c) {
			t.Run(name+"/"+test.name, func(t *testing.T) {
				_, err := way.read(context.Background(), test.request(t, way.body), io.Discard)
				wantKind(t, err, test.kind, test.cause)
			})
		}
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error)  { return 0, b.err }
func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestInboundOurOwnTrouble(t *testing.T) {
	for name, way := range both(newClient(t, nil)) {
		t.Run(name, func(t *testing.T) {
			_, err := way.read(context.Background(), urlencodedPost(inboundFields(way.body)), broken{errors.New("disk full")})
			wantKind(t, err, postern.Temporary, 0)

			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_, err = way.read(ctx, urlencodedPost(inboundFields(way.body)), io.Discard)
			wantKind(t, err, postern.Temporary, 0)
		})
	}
	t.Run("no room for attachments", func(t *testing.T) {
		c := newClient(t, func(cfg *Config) { cfg.TempDir += "/absent" })
		big := pair{"attachment-1", strings.Repeat("x", memorySpool+1), "a.bin", "application/octet-stream"}
		_, err := c.InboundForm(context.Background(), multipartPost(t, "b", inboundFields(big)), io.Discard)
		wantKind(t, err, postern.Temporary, 0)
	})
}

func TestInboundKeys(t *testing.T) {
	for _, key := range []string{testKey, oldKey} {
		for name, way := range both(newClient(t, nil)) {
			fields := append([]pair{way.body, {name: "recipient", value: "a@b"}}, signed(key, now().Add(-8*time.Hour), testToken)...)
			if _, err := way.read(context.Background(), urlencodedPost(fields), io.Discard); err != nil {
				t.Errorf("%s, %s: %v", name, key, err)
			}
		}
	}
	c := newClient(t, func(cfg *Config) { cfg.SigningKeys = []string{" ", ""} })
	for _, way := range both(c) {
		_, err := way.read(context.Background(), urlencodedPost(inboundFields(way.body)), io.Discard)
		wantKind(t, err, postern.Denied, 0)
	}
}

// The signature of the facts' test vector.
func TestSignatureVector(t *testing.T) {
	c := newClient(t, func(cfg *Config) { cfg.SigningKeys = []string{"key-gw-test"} })
	err := c.verify("test", triple{
		timestamp: "1793577600",
		token:     "0123456789abcdef0123456789abcdef0123456789abcdef01",
		signature: "7887ae20867b76e156ac1e4840b5fa1dc49130b9e7867e058af9e72cdb564a57",
	})
	if err != nil {
		t.Error(err)
	}
}

// Timestamp and token are signed without a separator: digits moved from one to the other
// leave the signature as it was.
func TestSignatureShifted(t *testing.T) {
	c := newClient(t, nil)
	ts, sig := sign(testKey, now(), "1"+testToken)
	for _, shifted := range []triple{
		{ts + "1", testToken, sig},
		{ts[:9], ts[9:] + "1" + testToken, sig},
	} {
		wantKind(t, c.verify("test", shifted), postern.Denied, postern.CauseStale)
	}
}

func TestVerifiedBeforeWriting(t *testing.T) {
	c := newClient(t, nil)
	forged := append(signed("guess", now(), testToken), pair{name: "recipient", value: "a@b"}, pair{name: "body-mime", value: rawMail}, pair{name: "body-plain", value: "x"})
	for name, read := range map[string]reader{"mime": c.InboundMIME, "form": c.InboundForm} {
		var w bytes.Buffer
		_, err := read(context.Background(), urlencodedPost(forged), &w)
		wantKind(t, err, postern.Denied, 0)
		if w.Len() > 0 {
			t.Errorf("%s wrote %d bytes", name, w.Len())
		}
	}
}

// A mail may have headers that are called like Mailgun's fields.
func TestInboundCollisions(t *testing.T) {
	evil := []pair{
		{name: "Recipient", value: "victim@mg.example.com"}, {name: "Sender", value: "boss@example.org"},
		{name: "Signature", value: "00"}, {name: "Token", value: "x"}, {name: "Timestamp", value: "1"}, {name: "Body-Mime", value: "no"},
		{name: "RECIPIENT", value: "v@x"}, {name: "Body-Plain", value: "no"},
	}
	late := []pair{
		{name: "recipient", value: "victim@mg.example.com"}, {name: "sender", value: "boss@example.org"}, {name: "signature", value: "00"},
		{name: "token", value: "x"}, {name: "timestamp", value: "1"}, {name: "body-mime", value: "no"}, {name: "body-plain", value: "no"},
		{name: "X-Mailgun-Spf", value: "Pass"},
	}
	c := newClient(t, nil)
	for name, way := range both(c) {
		fields := append(append([]pair{}, evil...), inboundFields(way.body, pair{name: "X-Mailgun-Spf", value: "SoftFail"})...)
		fields = append(fields, late...)
		for kind, r := range map[string]*http.Request{"urlencoded": urlencodedPost(fields), "multipart": multipartPost(t, "b", fields)} {
			var w bytes.Buffer
			in, err := way.read(context.Background(), r, &w)
			if err != nil {
				t.Fatalf("%s %s: %v", name, kind, err)
			}
			if in.Recipient != "c.abc@mg.example.com" || in.Sender != "bob@example.org" || in.Key != "mailgun:"+testToken || in.Verdicts.SPF != "softfail" {
				t.Errorf("%s %s: %+v", name, kind, in)
			}
			if !strings.Contains(w.String(), way.body.value) {
				t.Errorf("%s %s: content lost: %q", name, kind, w.String())
			}
		}
	}
}

func TestInboundDigest(t *testing.T) {
	ctx := context.Background()
	c := newClient(t, nil)
	fields := inboundFields(
		pair{name: "body-mime", value: rawMail}, pair{name: "body-plain", value: "hello"},
		pair{"attachment-1", "data", "a.txt", "text/plain"},
	)
	for name, read := range map[string]reader{"mime": c.InboundMIME, "form": c.InboundForm} {
		digest := func(r *http.Request) string {
			in, err := read(ctx, r, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			return string(in.Digest)
		}
		first := digest(multipartPost(t, "first-boundary", fields))
		if digest(multipartPost(t, "second-boundary", fields)) != first {
			t.Errorf("%s: another boundary is another post", name)
		}
		turned := append(append([]pair{}, fields[2:]...), fields[:2]...)
		if digest(multipartPost(t, "b", turned)) != first {
			t.Errorf("%s: another order is another post", name)
		}
		for _, change := range []pair{{name: "body-mime", value: rawMail + " "}, {name: "body-plain", value: "hellO"}, {name: "Unknown", value: "1"}} {
			if digest(multipartPost(t, "b", append(without(fields, change.name), change))) == first {
				t.Errorf("%s: another %s is the same post", name, change.name)
			}
		}
		other := append([]pair{}, fields...)
		other[2].filename = "b.txt"
		if digest(multipartPost(t, "b", other)) == first {
			t.Errorf("%s: another file name is the same post", name)
		}
		// Where one value ends and the next begins is part of the content.
		a := digest(urlencodedPost(inboundFields(fields[0], fields[1], pair{name: "x", value: "yz"})))
		b := digest(urlencodedPost(inboundFields(fields[0], fields[1], pair{name: "xy", value: "z"})))
		if a == b {
			t.Errorf("%s: digest does not tell names from values", name)
		}
	}
}

func TestStrippedIsBounded(t *testing.T) {
	c := newClient(t, func(cfg *Config) { cfg.MaxText = 5 })
	for name, way := range both(c) {
		in, err := way.read(context.Background(), urlencodedPost(inboundFields(way.body, pair{name: "stripped-text", value: "aaaa\u00e9bbbb"})), io.Discard)
		if err != nil || in.Stripped != "aaaa" {
			t.Errorf("%s: %q, %v", name, in.Stripped, err)
		}
	}
}

// Values that end at, or escape across, the edge of the reader's buffer come out whole.
func TestURLEncodedEdges(t *testing.T) {
	for shift := range 8 {
		want := strings.Repeat("x", 32<<10-len("body-mime=")-4+shift) + "\x00&=%+ \xff" + strings.Repeat("y", 100)
		var got bytes.Buffer
		in, err := newClient(t, nil).InboundMIME(context.Background(), urlencodedPost(append([]pair{{name: "body-mime", value: want}}, inboundFields()...)), &got)
		if err != nil || got.String() != want || in.Recipient != "c.abc@mg.example.com" {
			t.Errorf("shift %d: %d bytes of %d, %+v, %v", shift, got.Len(), len(want), in, err)
		}
	}
}
