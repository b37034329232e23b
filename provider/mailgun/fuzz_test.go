package mailgun

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/postern-chat/postern"
)

// signedPost puts fuzzed bytes before fields that are in order, so that they get past the
// signature: what comes first counts.
func signedPost(t testing.TB, data []byte, boundary string) *http.Request {
	fields := inboundFields(pair{name: "body-mime", value: rawMail}, pair{name: "body-plain", value: "hello"})
	r, kind, sep := urlencodedPost(fields), "application/x-www-form-urlencoded", "&"
	if boundary != "" {
		r, sep = multipartPost(t, boundary, fields), "\r\n"
		kind = r.Header.Get("Content-Type")
	}
	tail, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return rawPost(kind, io.MultiReader(bytes.NewReader(data), strings.NewReader(sep), bytes.NewReader(tail)))
}

func addPosts(f *testing.F) {
	for _, fields := range forms() {
		r := multipartPost(f, "fuzz", fields)
		b, err := io.ReadAll(r.Body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:len(b)-len("--fuzz--\r\n")], true)
		if b, err = io.ReadAll(urlencodedPost(fields).Body); err != nil {
			f.Fatal(err)
		}
		f.Add(b, false)
	}
	f.Add([]byte("a=%zz&%41=+&=&&recipient"), false)
}

// checkInbound holds what must be true of every post, whatever is in it.
func checkInbound(t *testing.T, read reader, data []byte, multipart bool, written *bytes.Buffer) bool {
	boundary := ""
	if multipart {
		boundary = "fuzz"
	}
	in, err := read(context.Background(), signedPost(t, data, boundary), written)
	if err != nil {
		if k := postern.KindOf(err); k != postern.Invalid && k != postern.Denied {
			t.Fatal(err)
		}
		return false
	}
	if len(in.Digest) != 32 || !strings.HasPrefix(in.Key, "mailgun:") || in.Recipient == "" {
		t.Fatalf("%+v", in)
	}
	for _, s := range []string{in.Key, in.Recipient, in.Sender, in.MessageID} {
		if strings.ContainsAny(s, "\x00\r\n") {
			t.Fatalf("unclean %q", s)
		}
	}
	again, err := read(context.Background(), signedPost(t, data, boundary), io.Discard)
	if err != nil || !bytes.Equal(again.Digest, in.Digest) {
		t.Fatalf("a repetition: %+v, %v", again, err)
	}
	return true
}

func FuzzInboundMIME(f *testing.F) {
	addPosts(f)
	c := newClient(f, func(cfg *Config) { cfg.MaxInbound = 1 << 20 })
	f.Fuzz(func(t *testing.T, data []byte, multipart bool) {
		var got bytes.Buffer
		if checkInbound(t, c.InboundMIME, data, multipart, &got) && got.Len() == 0 {
			t.Fatal("no mail")
		}
	})
}

func FuzzInboundForm(f *testing.F) {
	addPosts(f)
	c := newClient(f, func(cfg *Config) { cfg.MaxInbound = 1 << 20 })
	f.Fuzz(func(t *testing.T, data []byte, multipart bool) {
		var got bytes.Buffer
		if checkInbound(t, c.InboundForm, data, multipart, &got) {
			sound(t, got.Bytes())
		}
	})
}
