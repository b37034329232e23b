package letter

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestRoundTrip: what the standard library writes, Read gives back: subject, text, files with their names.
func TestRoundTrip(t *testing.T) {
	words := rapid.StringOfN(rapid.RuneFrom([]rune("abc xyzäöüß日本語привет🙂=?_-.,;<>&\"\n")), 1, 200, -1)
	rapid.Check(t, func(t *rapid.T) {
		text := strings.TrimSpace(words.Draw(t, "text")) + "."
		subject := strings.Join(strings.Fields(words.Draw(t, "subject")), " ") + "x"
		files := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 5000), 0, 3).Draw(t, "files")
		raw := compose(t, subject, text, files)
		m, err := Read(bytes.NewReader(raw), int64(len(raw)), Options{})
		if err != nil || len(m.Problems) > 0 {
			t.Fatalf("%v %v", err, m.Problems)
		}
		if m.Subject != subject || m.Text != text || len(m.Attachments) != len(files) {
			t.Fatalf("subject %q text %q, want %q %q", m.Subject, m.Text, subject, text)
		}
		for i, a := range m.Attachments {
			r, _ := a.Open()
			var b bytes.Buffer
			if _, err := b.ReadFrom(r); err != nil || !bytes.Equal(b.Bytes(), files[i]) || a.Size != int64(len(files[i])) || a.Name != fileName(i) {
				t.Fatalf("file %d: %d bytes, size %d, name %q (%v)", i, b.Len(), a.Size, a.Name, err)
			}
		}
	})
}

func fileName(i int) string { return fmt.Sprintf("Übersicht (%d).bin", i) }

func compose(t *rapid.T, subject, text string, files [][]byte) []byte {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	fmt.Fprintf(&b, "From: a@b.example\r\nSubject: %s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n",
		mime.QEncoding.Encode("utf-8", subject), w.Boundary())
	part, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"text/plain; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}})
	if err != nil {
		t.Fatal(err)
	}
	q := quotedprintable.NewWriter(part)
	_, _ = q.Write([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
	_ = q.Close()
	for i, f := range files {
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Type":              {"application/octet-stream"},
			"Content-Disposition":       {mime.FormatMediaType("attachment", map[string]string{"filename": fileName(i)})},
			"Content-Transfer-Encoding": {"base64"},
		})
		if err != nil {
			t.Fatal(err)
		}
		enc := base64.StdEncoding.EncodeToString(f)
		for len(enc) > 76 {
			fmt.Fprintf(part, "%s\r\n", enc[:76])
			enc = enc[76:]
		}
		fmt.Fprint(part, enc)
	}
	_ = w.Close()
	return b.Bytes()
}
