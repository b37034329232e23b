package mailgun

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jhillyerd/enmime/v2"

	"github.com/postern-chat/postern"
)

const headerJSON = `[["Received","by mx with ESMTP id 1"],["Received","from laptop by out"],["From","Zoë Müller <bob@example.org>"],` +
	`["To","\"Ana (Support)\" <c.abc@mg.example.com>"],["Subject","Re: Grüße aus Köln, und noch mehr Wörter, damit die Zeile gefaltet wird"],` +
	`["Message-Id","<m1@example.org>"],["References","<r0@mg.example.com> <r1@mg.example.com>\r\n <r2@mg.example.com>"],` +
	`["Content-Type","multipart/mixed; boundary=\"old\""],["Content-Transfer-Encoding","7bit"],["Mime-Version","1.0"],["X-Evil","a\nBcc: all@example.com"],` +
	`["Bad Name","x"],["X-Number",5],["short"],"no pair",["X-Postern-Not-Fetched","forged"]]`

// forms are posts of every shape that the facts name.
func forms() map[string][]pair {
	plain, headers := pair{name: "body-plain", value: "Hello = äöü\n\n> quoted\n"}, pair{name: "message-headers", value: headerJSON}
	html := pair{name: "body-html", value: "<p>Hello <img src=\"cid:pic1\"></p>"}
	picture := pair{"attachment-1", "\x89PNG\x00\x01", "pic.png", "image/png"}
	file := pair{"attachment-2", strings.Repeat("0123456789", 20), "Bericht über alles.pdf", "application/pdf"}
	all := func(more ...pair) []pair {
		return inboundFields(append(more, pair{name: "stripped-text", value: "Hello"}, pair{name: "X-Mailgun-Spf", value: "Pass"})...)
	}
	return map[string][]pair{
		"plain":                   all(plain, headers),
		"alternative":             all(html, plain, headers),
		"html-only-mail":          all(html, plain, pair{name: "message-headers", value: `[["From","b@example.org"],["Content-Type","text/html; charset=utf-8"]]`}),
		"inline-and-file":         all(headers, html, plain, pair{name: "content-id-map", value: `{"<pic1>":"attachment-1"}`}, pair{name: "attachment-count", value: "2"}, picture, file),
		"attachments-first":       append([]pair{picture, file}, all(html, plain, pair{name: "content-id-map", value: `{"<pic1>":"attachment-1"}`}, headers)...),
		"cid-map-odd":             all(html, plain, headers, pair{name: "content-id-map", value: `{"":"attachment-1","<a b>":"attachment-1","<one>":"attachment-1","two":"attachment-1","<gone>":"attachment-9","<n>":null}`}, picture),
		"cid-map-broken":          all(html, plain, headers, pair{name: "content-id-map", value: `[]`}, picture),
		"picture-without-html":    all(plain, headers, pair{name: "content-id-map", value: `{"<pic1>":"attachment-1"}`}, picture),
		"odd-names":               all(plain, headers, pair{"attachment-1", "a", `a"b;c.txt`, "text/plain; charset=iso-8859-1"}, pair{"attachment-2", "b", `C:\docs\x.doc`, "nonsense"}, pair{"attachment-3", "c", "", "application/zip"}, pair{"attachment-4", "d", "=?utf-8?q?=C3=A4.txt?=", "multipart/mixed; boundary=x"}, pair{"attachment-5", "e", strings.Repeat("n", 300) + ".jpeg", "image/jpeg"}),
		"attachment-header":       all(plain, headers, pair{name: "attachment-1", value: "a header of the mail"}),
		"forwarded-message":       all(plain, headers, pair{"attachment-1", "From: x@example.net\r\nSubject: inner\r\n\r\ninner text\r\n", "fwd.eml", "message/rfc822"}),
		"bounce":                  all(plain, pair{name: "message-headers", value: `[["From","MAILER-DAEMON@example.org"],["Auto-Submitted","auto-replied"],["Content-Type","multipart/report; report-type=delivery-status; boundary=q"]]`}, pair{"attachment-1", "Final-Recipient: rfc822; bob@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n", "", "message/delivery-status"}),
		"without-message-headers": all(pair{name: "From", value: "Bob <bob@example.org>"}, pair{name: "Message-Id", value: "<m2@example.org>"}, pair{name: "Auto-Submitted", value: "auto-replied"}, pair{name: "from", value: "Bob <bob@example.org>"}, pair{name: "subject", value: "Hi"}, plain),
		"broken-message-headers":  all(pair{name: "message-headers", value: `[["From"`}, pair{name: "from", value: "Bob <bob@example.org>"}, pair{name: "subject", value: "Hi"}, plain),
		"store-notify":            all(plain, headers, pair{name: "attachments", value: `[{"size":1234,"url":"https://storage.example/1","name":"größe \"a\".pdf","content-type":"application/pdf"},{"url":"x"},7]`}, pair{name: "message-url", value: "https://storage.example/m"}),
		"empty-body":              all(pair{name: "body-plain", value: ""}, headers),
		"latin-1":                 all(pair{name: "body-plain", value: "caf\xe9"}, headers),
		"missing-stripped":        without(all(plain, headers), "stripped-text"),
	}
}

func TestInboundForm(t *testing.T) {
	for name, fields := range forms() {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, nil)
			var got bytes.Buffer
			in, err := c.InboundForm(context.Background(), multipartPost(t, "first", fields), &got)
			if err != nil {
				t.Fatal(err)
			}
			if in.Recipient != "c.abc@mg.example.com" || in.Verdicts.SPF != "pass" {
				t.Errorf("envelope %+v", in)
			}
			golden(t, filepath.Join("testdata", "form", name+".eml"), got.Bytes())
			sound(t, got.Bytes())

			var again bytes.Buffer
			if _, err := c.InboundForm(context.Background(), multipartPost(t, "second", fields), &again); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), again.Bytes()) {
				t.Error("a repetition gives another message")
			}
		})
	}
}

// sound walks a message and fails on what RFC 5322 and 2045 do not allow.
func sound(t testing.TB, raw []byte) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("no message: %v", err)
	}
	header, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	for _, line := range bytes.Split(header, []byte("\r\n")) {
		if bytes.ContainsAny(line, "\r\n\x00") {
			t.Errorf("bare line end in %q", line)
		}
	}
	if v := m.Header["Mime-Version"]; len(v) != 1 || len(m.Header["Content-Type"]) != 1 || len(m.Header["Bcc"]) != 0 {
		t.Errorf("headers %v", m.Header)
	}
	walk(t, textproto.MIMEHeader(m.Header), m.Body, 0)
}

func walk(t testing.TB, h textproto.MIMEHeader, body io.Reader, depth int) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || depth > 3 {
		t.Fatalf("depth %d, type %q: %v", depth, h.Get("Content-Type"), err)
	}
	if !strings.HasPrefix(kind, "multipart/") {
		if h.Get("Content-Transfer-Encoding") == "base64" {
			body = base64.NewDecoder(base64.StdEncoding, body)
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		return
	}
	r := multipart.NewReader(body, params["boundary"])
	for n := 0; ; n++ {
		p, err := r.NextPart()
		if err == io.EOF {
			if n < 1 {
				t.Errorf("%s has %d parts", kind, n)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		walk(t, p.Header, p, depth+1)
	}
}

// What was put in is what a mail program finds.
func TestInboundFormRead(t *testing.T) {
	fields := forms()["inline-and-file"]
	var got bytes.Buffer
	if _, err := newClient(t, nil).InboundForm(context.Background(), multipartPost(t, "b", fields), &got); err != nil {
		t.Fatal(err)
	}
	e, err := enmime.ReadEnvelope(&got)
	if err != nil {
		t.Fatal(err)
	}
	if e.Text != "Hello = äöü\r\n\r\n> quoted\r\n" && e.Text != "Hello = äöü\n\n> quoted\n" {
		t.Errorf("text %q", e.Text)
	}
	if len(e.Inlines) != 1 || e.Inlines[0].ContentID != "pic1" || string(e.Inlines[0].Content) != "\x89PNG\x00\x01" {
		t.Errorf("inlines %v", e.Inlines)
	}
	if len(e.Attachments) != 1 || e.Attachments[0].FileName != "Bericht über alles.pdf" || string(e.Attachments[0].Content) != strings.Repeat("0123456789", 20) {
		t.Errorf("attachments %v", e.Attachments)
	}
	if s := e.GetHeader("Subject"); s != "Re: Grüße aus Köln, und noch mehr Wörter, damit die Zeile gefaltet wird" {
		t.Errorf("subject %q", s)
	}
	if from, err := e.AddressList("From"); err != nil || from[0].Name != "Zoë Müller" || from[0].Address != "bob@example.org" {
		t.Errorf("from %v, %v", from, err)
	}
	if received := e.GetHeaderValues("Received"); len(received) != 2 || received[0] != "by mx with ESMTP id 1" {
		t.Errorf("received %q", received)
	}
	if len(e.Errors) > 0 {
		t.Errorf("complaints %v", e.Errors)
	}
}

func TestUrlencodedFormIsTheSame(t *testing.T) {
	fields := forms()["alternative"]
	var a, b bytes.Buffer
	c := newClient(t, nil)
	ia, err := c.InboundForm(context.Background(), urlencodedPost(fields), &a)
	if err != nil {
		t.Fatal(err)
	}
	ib, err := c.InboundForm(context.Background(), multipartPost(t, "b", fields), &b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) || !bytes.Equal(ia.Digest, ib.Digest) {
		t.Error("the same post urlencoded and multipart differ")
	}
}

func TestRawPostAtTheParsedPath(t *testing.T) {
	fields := inboundFields(pair{name: "body-mime", value: rawMail}, pair{name: "message-headers", value: headerJSON})
	_, err := newClient(t, nil).InboundForm(context.Background(), urlencodedPost(fields), io.Discard)
	wantKind(t, err, postern.Invalid, 0)
}

// The verdicts may stand among the headers alone, and the worst counts there too.
func TestFormVerdicts(t *testing.T) {
	list := `[["X-Mailgun-Spf","Pass"],["X-Mailgun-Spf","Fail"],["X-Mailgun-Dkim-Check-Result","Pass"],["X-Mailgun-Spf","Neutral"]]`
	fields := inboundFields(pair{name: "body-plain", value: "x"}, pair{name: "message-headers", value: list})
	in, err := newClient(t, nil).InboundForm(context.Background(), urlencodedPost(fields), io.Discard)
	if err != nil || in.Verdicts != (postern.Verdict{SPF: "fail", DKIM: "pass"}) {
		t.Errorf("%+v, %v", in.Verdicts, err)
	}
}

func TestHeaderListTooLong(t *testing.T) {
	fields := inboundFields(pair{name: "body-plain", value: "x"}, pair{name: "message-headers", value: strings.Repeat(" ", maxHeaderList+1)})
	_, err := newClient(t, nil).InboundForm(context.Background(), urlencodedPost(fields), io.Discard)
	wantKind(t, err, postern.Invalid, postern.CauseTooLarge)
}

// pipePost streams a post, so that the test itself holds nothing.
func pipePost(t *testing.T, write func(w *multipart.Writer) error) (contentType string, body io.Reader) {
	r, w := io.Pipe()
	m := multipart.NewWriter(w)
	go func() {
		b := write(m)
		if b == nil {
			b = m.Close()
		}
		w.CloseWithError(b)
	}()
	t.Cleanup(func() { r.Close() })
	return m.FormDataContentType(), r
}

func TestInboundStreams(t *testing.T) {
	fields := inboundFields()
	t.Run("form", func(t *testing.T) {
		c := newClient(t, nil)
		kind, body := pipePost(t, func(m *multipart.Writer) error {
			p, err := m.CreateFormFile("attachment-1", "a.bin")
			if err != nil {
				return err
			}
			if _, err := io.Copy(p, &zeros{large}); err != nil {
				return err
			}
			for _, f := range append(fields, pair{name: "body-plain", value: "x"}) {
				if err := m.WriteField(f.name, f.value); err != nil {
					return err
				}
			}
			return nil
		})
		var got counter
		n := allocated(func() {
			if _, err := c.InboundForm(context.Background(), rawPost(kind, body), &got); err != nil {
				t.Fatal(err)
			}
		})
		t.Logf("%d KiB allocated in all", n>>10)
		if got < large || n > 4<<20 {
			t.Errorf("%d bytes written, %d allocated", got, n)
		}
		if left, _ := os.ReadDir(c.cfg.TempDir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("mime", func(t *testing.T) {
		c := newClient(t, nil)
		var tail strings.Builder
		for _, f := range fields {
			tail.WriteString("&" + f.name + "=" + strings.ReplaceAll(f.value, "+", "%2B"))
		}
		body := io.MultiReader(strings.NewReader("body-mime="), &zeros{large}, strings.NewReader(tail.String()))
		var got counter
		n := allocated(func() {
			if _, err := c.InboundMIME(context.Background(), rawPost("application/x-www-form-urlencoded", body), &got); err != nil {
				t.Fatal(err)
			}
		})
		t.Logf("%d KiB allocated in all", n>>10)
		if got != large || n > 2<<20 {
			t.Errorf("%d bytes written, %d allocated", got, n)
		}
	})
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

func TestWriteHeaderFolds(t *testing.T) {
	value := "a " + strings.Repeat("word ", 60) + " two  spaces " + strings.Repeat("x", 200) + " end"
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	writeHeader(w, "X-Long", value)
	w.Flush()
	for _, line := range strings.Split(strings.TrimSuffix(b.String(), "\r\n"), "\r\n") {
		if len(line) > 78 && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("line of %d: %q", len(line), line)
		}
		if strings.TrimSpace(line) == "" {
			t.Error("a line of white space")
		}
	}
	if got := strings.ReplaceAll(b.String(), "\r\n", ""); got != "X-Long: "+value {
		t.Errorf("unfolded %q", got)
	}
}

// The helper of the golden files must itself be JSON.
func TestHeaderJSON(t *testing.T) {
	if !json.Valid([]byte(headerJSON)) {
		t.Error("not JSON")
	}
}
