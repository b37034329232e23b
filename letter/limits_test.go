package letter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

func TestLimits(t *testing.T) {
	many := func(n int, s string) string { return strings.Repeat(s, n) }
	nest := ""
	for i := range 12 {
		nest += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	for _, c := range []struct {
		limit string
		lim   Limits
		raw   string
	}{
		{"Size", Limits{Size: 100}, "From: a@b.example\n\n" + many(100, "x")},
		{"HeaderBytes", Limits{HeaderBytes: 100}, "From: a@b.example\nX: " + many(200, "x") + "\n\nbody"},
		{"HeaderFields", Limits{HeaderFields: 10}, "From: a@b.example\n" + many(20, "X: y\n") + "\nbody"},
		{"Parts", Limits{Parts: 5}, "From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\n" + many(10, "--x\n\nt\n")},
		{"Depth", Limits{Depth: 5}, "From: a@b.example\n" + nest + "\ndeep"},
	} {
		m, err := ReadBytes(crlf(c.raw), Options{Limits: c.lim})
		var limit *LimitError
		if !errors.As(err, &limit) || limit.Limit != c.limit {
			t.Errorf("%s: %v", c.limit, err)
			continue
		}
		if m == nil || len(m.From) != 1 {
			t.Errorf("%s: header lost: %+v", c.limit, m)
		}
	}
	if _, err := ReadBytes(crlf("From: a@b.example\n"+nest+"\ndeep"), Options{}); err != nil {
		t.Errorf("within the limits: %v", err)
	}
}

func TestLongText(t *testing.T) {
	long := strings.Repeat("words ", 1000)
	m, err := ReadBytes(crlf("Subject: x\n\n"+long), Options{Limits: Limits{Text: 600}})
	if err != nil || len(m.Text) != 600 {
		t.Fatalf("%v, %d bytes", err, len(m.Text))
	}
	if len(m.Attachments) != 1 || m.Attachments[0].Role != RoleText || content1(t, m.Attachments[0]) != long {
		t.Errorf("the rest is lost: %+v", m.Attachments)
	}
}

type failing struct{ after int64 }

var errDisk = errors.New("disk gone")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.after {
		return 0, errDisk
	}
	return copy(p, "Subject: x\r\n\r\n"+strings.Repeat("y", len(p))), nil
}

func TestSourceFails(t *testing.T) {
	for _, after := range []int64{0, 70000} {
		m, err := Read(failing{after}, 200000, Options{})
		if !errors.Is(err, errDisk) || m != nil {
			t.Errorf("%v %v", m, err)
		}
	}
}

// bigMail is a mail with one attachment, made while it is read: nothing of it is in memory.
type bigMail struct {
	head, line, tail string
	lines            int64
}

func (f *bigMail) size() int64 {
	return int64(len(f.head)) + f.lines*int64(len(f.line)) + int64(len(f.tail))
}

// TestMemory: what Read and Open allocate does not depend on the size of an attachment.
func TestMemory(t *testing.T) {
	cost := func(lines int64) uint64 {
		b := &bigMail{
			head:  "From: a@f.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nthe words\r\n--x\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n",
			line:  strings.Repeat("QUJD", 19) + "\r\n",
			tail:  "--x--\r\n",
			lines: lines,
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Read(b, b.size(), Options{})
		if err != nil || m.Text != "the words" || len(m.Attachments) != 1 {
			t.Fatalf("%v %+v", err, m)
		}
		r, err := m.Attachments[0].Open()
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, r)
		if want := lines * 57; err != nil || n != want || m.Attachments[0].Size != want {
			t.Fatalf("%d bytes, size %d, want %d: %v", n, m.Attachments[0].Size, want, err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	cost(10)
	small, big := cost(1000), cost(25<<20/78)
	if big > small+256<<10 {
		t.Errorf("78 kB cost %d bytes of memory, 25 MB cost %d", small, big)
	}
}

func (f *bigMail) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		rel := at - int64(len(f.head))
		switch {
		case rel < 0:
			n += copy(p[n:], f.head[at:])
		case rel < f.lines*int64(len(f.line)):
			n += copy(p[n:], f.line[rel%int64(len(f.line)):])
		case at < f.size():
			n += copy(p[n:], f.tail[rel-f.lines*int64(len(f.line)):])
		default:
			return n, io.EOF
		}
	}
	return n, nil
}

// TestTransferStreams: decoding in pieces of any size gives what decoding at once gives.
func TestTransferStreams(t *testing.T) {
	bodies := []string{"QUJD\r\nREVG=\r\nR0g=\r\nSUo=", "a=3D=\r\nb =\t\r\nc=", strings.Repeat("x=C3=A4 =\r\n", 50), "begin 644 x\r\n#86)C\r\n`\r\nend\r\n", "=", "==", "=4", "\r\n=\r", ""}
	for _, encoding := range []string{"base64", "quoted-printable", "x-uuencode", ""} {
		for _, body := range bodies {
			want := decodeTransfer([]byte(body), encoding)
			for step := 1; step < 8; step++ {
				got, err := io.ReadAll(newTransferReader(&trickle{[]byte(body), step}, encoding))
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s %q by %d: %q, want %q (%v)", encoding, body, step, got, want, err)
				}
			}
		}
	}
}

type trickle struct {
	rest []byte
	step int
}

func (s *trickle) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.rest[:min(s.step, len(s.rest))])
	s.rest = s.rest[n:]
	return n, nil
}
