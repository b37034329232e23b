package eml

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"strings"

	"golang.org/x/net/html/charset"
)

// Decoded reads a body in the given transfer encoding, leniently: strange bytes
// in base64 are skipped, a broken end is cut off.
func Decoded(r io.Reader, encoding string) io.Reader {
	switch encoding {
	case "base64":
		return &noError{base64.NewDecoder(base64.StdEncoding.WithPadding(base64.NoPadding), &base64Letters{r: r})}
	case "quoted-printable":
		return &noError{quotedprintable.NewReader(r)}
	}
	return r
}

// Encode writes p in the given transfer encoding, in lines of at most 76
// characters for the two that have lines of their own.
func Encode(p []byte, encoding string) []byte {
	var b bytes.Buffer
	switch encoding {
	case "base64":
		enc := base64.StdEncoding.EncodeToString(p)
		for len(enc) > 76 {
			b.WriteString(enc[:76] + "\r\n")
			enc = enc[76:]
		}
		b.WriteString(enc)
	case "quoted-printable":
		w := quotedprintable.NewWriter(&b)
		_, _ = w.Write(p)
		_ = w.Close()
	default:
		return p
	}
	return b.Bytes()
}

// UTF8 turns text in the named charset into UTF-8; unknown charsets are taken
// for UTF-8 with the invalid bytes replaced.
func UTF8(p []byte, label string) string {
	label = strings.ToLower(strings.TrimSpace(label))
	if label != "" && label != "utf-8" && label != "us-ascii" {
		if r, err := charset.NewReaderLabel(label, bytes.NewReader(p)); err == nil {
			if out, err := io.ReadAll(r); err == nil {
				return strings.ToValidUTF8(string(out), "\uFFFD")
			}
		}
	}
	return strings.ToValidUTF8(string(p), "\uFFFD")
}

// base64Letters lets through only letters of the alphabet; padding is dropped
// because the decoder behind it wants none.
type base64Letters struct{ r io.Reader }

func (b *base64Letters) Read(p []byte) (int, error) {
	for {
		n, err := b.r.Read(p)
		k := 0
		for _, c := range p[:n] {
			if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' {
				p[k] = c
				k++
			}
		}
		if k > 0 || err != nil {
			return k, err
		}
	}
}

// noError ends at the first error as if the input had ended.
type noError struct{ r io.Reader }

func (e *noError) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}
