package mailbox

import (
	"bytes"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/postern-chat/postern/sandbox/mailbox/spool"
)

// FuzzSection: whatever the mail, header and text are the mail, every line that goes
// out ends in CRLF, and asking for any part of it ends well.
func FuzzSection(f *testing.F) {
	f.Add([]byte("From: a\r\nSubject: b\r\n\r\ntext\r\n"), 1, int64(0), int64(3))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=x\n\n--x\n\n1\n--x\nContent-Type: message/rfc822\n\nSubject: in\n\n2\n--x--\n"), 2, int64(1), int64(1<<62))
	f.Add([]byte("\n\n"), 0, int64(-1), int64(-1))
	f.Add([]byte("no field\n folded\n: \nA\n"), 1, int64(1<<62), int64(1<<62))
	f.Fuzz(func(t *testing.T, letter []byte, part int, offset, size int64) {
		sp, err := spool.New(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = sp.Close() }()
		blob, err := sp.Put(bytes.NewReader(letter), 0)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := (&mail{raw: blob}).wire()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(raw, []byte("\n")) != bytes.Count(raw, []byte("\r\n")) {
			t.Errorf("a bare line feed: %q", raw)
		}
		if !bytes.Equal(bytes.ReplaceAll(raw, []byte("\r"), nil), bytes.ReplaceAll(letter, []byte("\r"), nil)) {
			t.Errorf("not the same mail: %q, %q", letter, raw)
		}
		header, text := section(raw, &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader}), section(raw, &imap.FetchItemBodySection{Specifier: imap.PartSpecifierText})
		if !bytes.Equal(append(bytes.Clone(header), text...), raw) {
			t.Errorf("header %q and text %q of %q", header, text, raw)
		}
		cut := section(raw, &imap.FetchItemBodySection{Partial: &imap.SectionPartial{Offset: offset, Size: size}})
		if !bytes.Contains(raw, cut) || size >= 0 && int64(len(cut)) > size {
			t.Errorf("%d bytes of %d at %d: %q", size, len(raw), offset, cut)
		}
		if structure(raw) == nil {
			t.Error("no structure")
		}
		if part > 0 {
			section(raw, &imap.FetchItemBodySection{Part: []int{part, 1}, Specifier: imap.PartSpecifierMIME})
			section(raw, &imap.FetchItemBodySection{Part: []int{part}, HeaderFields: []string{"Subject"}, Specifier: imap.PartSpecifierHeader})
		}
		few := section(raw, &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"subject"}})
		for line := range strings.Lines(string(few)) {
			if c := line[0]; c != ' ' && c != '\t' && c != '\r' && !strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), "subject") {
				t.Errorf("not asked for: %q", line)
			}
		}
	})
}
