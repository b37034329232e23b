package eml_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/postern-chat/postern/sandbox/mailbox/eml"
	"github.com/postern-chat/postern/sandbox/mailbox/spool"
	"pgregory.net/rapid"
)

// copier puts all the pieces together again.
type copier struct{ bytes.Buffer }

func (c *copier) Header(_ *eml.Entity, raw []byte) error { c.Write(raw); return nil }
func (c *copier) Body(_ *eml.Entity, p []byte) error     { c.Write(p); return nil }
func (c *copier) End(*eml.Entity) error                  { return nil }
func (c *copier) Frame(p []byte) error                   { c.Write(p); return nil }

func whole(t interface{ Fatalf(string, ...any) }, raw []byte) {
	var c copier
	if err := eml.Walk(bytes.NewReader(raw), &c); err != nil {
		t.Fatalf("%v", err)
	}
	if !bytes.Equal(c.Bytes(), raw) {
		t.Fatalf("the pieces are\n%q\nthe mail was\n%q", c.Bytes(), raw)
	}
}

const nested = "Subject: x\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\npreamble\r\n--a\r\nContent-Type: multipart/alternative; boundary=\"b c\"\r\n\r\n" +
	"--b c\r\n\r\nplain\r\n--b c\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b c--\r\nepilogue\r\n--a\r\nContent-Type: image/png; name=p.png\r\nContent-Transfer-Encoding: base64\r\n\r\nUE5H\r\n--a--\r\nend\r\n"

// TestWalkKeepsEveryByte, whatever the mail is made of.
func TestWalkKeepsEveryByte(t *testing.T) {
	whole(t, []byte(nested))
	words := []string{"Subject: x", "Content-Type: multipart/mixed; boundary=a", "Content-Type: multipart/related; boundary=b", "Content-Type: text/html", " folded",
		"--a", "--a--", "--b", "--b--", "--", "", "text", "From me", "no field", "\r", strings.Repeat("x", 70_000), "\xff\x00"}
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for _, w := range rapid.SliceOfN(rapid.SampledFrom(words), 0, 25).Draw(t, "lines") {
			b.WriteString(w + rapid.SampledFrom([]string{"\r\n", "\n", ""}).Draw(t, "end"))
		}
		whole(t, []byte(b.String()))
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(nested))
	f.Add([]byte("Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: base64\n\n!!4\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		whole(t, raw)
		if _, err := eml.Parse(bytes.NewReader(raw), nil); err != nil {
			t.Fatal(err)
		}
	})
}

func parse(t *testing.T, raw string) *eml.Mail {
	t.Helper()
	sp, err := spool.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sp.Close() })
	m, err := eml.Parse(strings.NewReader(raw), sp)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestParse(t *testing.T) {
	m := parse(t, nested)
	if m.Text != "plain" || m.HTML != "<p>" || len(m.Files) != 1 || m.Files[0].Filename != "p.png" || m.Size != int64(len(nested)) {
		t.Fatalf("%+v", m)
	}
	if b, err := m.Files[0].Blob.Bytes(100); err != nil || string(b) != "PNG" {
		t.Errorf("%q %v", b, err)
	}
	for _, c := range []struct{ name, raw, text, file string }{
		{"latin1", "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xfc\xdfe\r\n", "Grüße\r\n", ""},
		{"windows-1252 in quoted-printable", "Content-Type: text/plain; charset=windows-1252\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\n=80 5=\r\n0\r\n", "€ 50\r\n", ""},
		{"unknown charset", "Content-Type: text/plain; charset=klingon\r\n\r\nG\xfc\r\n", "G\uFFFD\r\n", ""},
		{"base64 with rubbish", "Content-Transfer-Encoding: base64\r\n\r\nSGVs\r\n bG8=!\r\n", "Hello", ""},
		{"no header", "just text\r\n", "just text\r\n", ""},
		{"no blank line", "Subject: x\r\nthen text\r\n", "then text\r\n", ""},
		{"two texts", "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\none\r\n--a\r\n\r\ntwo\r\n--a--\r\n", "one\ntwo", ""},
		{"unclosed", "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\none", "one", ""},
		{"2231 name", "Content-Disposition: attachment; filename*=utf-8''%C3%BC%20x.pdf\r\n\r\nx", "", "ü x.pdf"},
		{"2047 name", "Content-Disposition: attachment; filename=\"=?utf-8?q?=C3=BC.pdf?=\"\r\n\r\nx", "", "ü.pdf"},
		{"path in name", "Content-Disposition: attachment; filename=\"..\\\\..\\\\x.exe\"\r\n\r\nx", "", "x.exe"},
		{"broken parameters", "Content-Type: application/pdf; name=a b.pdf; x\r\n\r\nx", "", "a b.pdf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := parse(t, c.raw)
			file := ""
			if len(m.Files) > 0 {
				file = m.Files[0].Filename
			}
			if m.Text != c.text || file != c.file {
				t.Errorf("text %q, file %q; want %q, %q", m.Text, file, c.text, c.file)
			}
		})
	}
}

// TestSizeWithoutSpool: a file that is not kept is counted as it would be decoded.
func TestSizeWithoutSpool(t *testing.T) {
	for _, c := range []struct {
		encoding, body string
		want           int64
	}{
		{"base64", "YXR0YWNoZWQ=", 8}, {"base64", "YXR0\r\nYWNo\r\nZWQ=\r\n", 8}, {"7bit", "attached", 8},
		{"quoted-printable", "att=61ched", 8}, {"quoted-printable", "atta=\r\nche=64", 8},
	} {
		raw := "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Disposition: attachment; filename=f\r\nContent-Transfer-Encoding: " +
			c.encoding + "\r\n\r\n" + c.body + "\r\n--a--\r\n"
		m, err := eml.Parse(strings.NewReader(raw), nil)
		if err != nil || len(m.Files) != 1 || m.Files[0].Size != c.want {
			t.Errorf("%s %q: %+v, %v", c.encoding, c.body, m, err)
		}
	}
}

func TestDepthIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 500 {
		b.WriteString("Content-Type: multipart/mixed; boundary=b" + strings.Repeat("x", i) + "\r\n\r\n--b" + strings.Repeat("x", i) + "\r\n")
	}
	whole(t, []byte(b.String()))
	parse(t, b.String())
}

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		`"Müller, Bob" <bob@x.org>, carl@x.org`: "bob@x.org carl@x.org",
		`=?utf-8?q?B=C3=B6b?= <bob@x.org>`:      "bob@x.org",
		`Bob @ Home <bob@x.org>`:                "bob@x.org",
		`bob@x.org (Bob)`:                       "bob@x.org",
		`undisclosed-recipients:;`:              "",
		`nobody`:                                "",
	} {
		var got []string
		for _, a := range eml.Addresses(in) {
			got = append(got, a.Address)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s gives %v", in, got)
		}
	}
}

// TestEncodingsRoundTrip: what is encoded decodes to the same bytes.
func TestEncodingsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		enc := rapid.SampledFrom([]string{"base64", "8bit"}).Draw(t, "encoding")
		got, err := io.ReadAll(eml.Decoded(bytes.NewReader(eml.Encode(p, enc)), enc))
		if err != nil || !bytes.Equal(got, p) {
			t.Fatalf("%s: %q became %q (%v)", enc, p, got, err)
		}
	})
	for _, s := range []string{"Grüße = ja\r\n.\r\n", strings.Repeat("ä", 200)} {
		got, _ := io.ReadAll(eml.Decoded(bytes.NewReader(eml.Encode([]byte(s), "quoted-printable")), "quoted-printable"))
		if string(got) != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}
