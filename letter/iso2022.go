package letter

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// decodeISO2022 decodes the 7-bit charsets that switch by escapes. The escapes themselves say which one it is, so an
// undeclared ISO-2022-JP is as good as a declared one.
func decodeISO2022(b []byte, declared string) (text, used string, ok bool) {
	switch {
	case declared == "hz-gb-2312":
		return decodeWith(simplifiedchinese.HZGB2312, b), declared, true
	case bytes.Contains(b, []byte("\x1b$)C")) || declared == "iso-2022-kr":
		return decode2022KR(b), "iso-2022-kr", true
	case bytes.Contains(b, []byte("\x1b$B")), bytes.Contains(b, []byte("\x1b$@")), bytes.Contains(b, []byte("\x1b(J")),
		bytes.Contains(b, []byte("\x1b(I")), bytes.Contains(b, []byte("\x1b$(D")):
		return decode2022JP(b), "iso-2022-jp", true
	}
	return "", "", false
}

// decode2022JP takes the escapes apart itself: x/text stops at 8-bit bytes, at JIS X 0212 and at a missing return to ASCII.
func decode2022JP(b []byte) string {
	var out strings.Builder
	mode := byte('B') // 'B' ASCII, 'K' JIS X 0208, 'D' JIS X 0212, 'I' half-width katakana
	for len(b) > 0 {
		esc := bytes.IndexByte(b, 0x1b)
		run := b
		if esc >= 0 {
			run = b[:esc]
		}
		write2022(&out, run, mode)
		if esc < 0 {
			break
		}
		var n int
		mode, n = escape2022(b[esc:], mode)
		b = b[esc+n:]
	}
	return out.String()
}

func escape2022(b []byte, mode byte) (next byte, n int) {
	for _, e := range []struct {
		seq  string
		mode byte
	}{{"\x1b(B", 'B'}, {"\x1b(J", 'B'}, {"\x1b$B", 'K'}, {"\x1b$@", 'K'}, {"\x1b(I", 'I'}, {"\x1b$(D", 'D'}, {"\x1b$(B", 'K'}, {"\x1b(H", 'B'}} {
		if bytes.HasPrefix(b, []byte(e.seq)) {
			return e.mode, len(e.seq)
		}
	}
	return mode, 1
}

// write2022 translates one run into EUC-JP and from there to UTF-8. Line ends return to ASCII.
func write2022(out *strings.Builder, run []byte, mode byte) {
	if mode == 'B' {
		text, _ := decodeCharset(bytes.ReplaceAll(run, []byte{0x1b}, nil), "", "shift_jis")
		out.WriteString(text)
		return
	}
	for len(run) > 0 {
		line := run
		if i := bytes.IndexAny(run, "\r\n"); i == 0 {
			out.WriteByte(run[0])
			run = run[1:]
			continue
		} else if i > 0 {
			line = run[:i]
		}
		run = run[len(line):]
		euc := make([]byte, 0, len(line)*2)
		for i := 0; i < len(line); {
			c := line[i]
			switch {
			case c <= ' ' || c >= 0x7f:
				euc = append(euc, c&0x7f)
				i++
			case mode == 'I':
				euc = append(euc, 0x8e, c|0x80)
				i++
			case i+1 < len(line):
				if mode == 'D' {
					euc = append(euc, 0x8f)
				}
				euc = append(euc, c|0x80, line[i+1]|0x80)
				i += 2
			default:
				i++
			}
		}
		out.WriteString(decodeWith(japanese.EUCJP, euc))
	}
}

// decode2022KR sets the high bit of what stands between SO and SI (RFC 1557).
func decode2022KR(b []byte) string {
	b = bytes.ReplaceAll(b, []byte("\x1b$)C"), nil)
	euc := make([]byte, 0, len(b))
	shifted := false
	for _, c := range b {
		switch {
		case c == 0x0e:
			shifted = true
		case c == 0x0f:
			shifted = false
		case shifted && c > ' ' && c < 0x7f:
			euc = append(euc, c|0x80)
		default:
			euc = append(euc, c)
		}
	}
	return decodeWith(korean.EUCKR, euc)
}

// decodeUTF7 decodes RFC 2152.
func decodeUTF7(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		i := bytes.IndexByte(b, '+')
		if i < 0 {
			break
		}
		out.Write(b[:i])
		b = b[i+1:]
		n := 0
		for n < len(b) && base64Values[b[n]] < 64 && b[n] != '-' && b[n] != '_' {
			n++
		}
		switch {
		case n == 0 && len(b) > 0 && b[0] == '-':
			out.WriteByte('+')
			b = b[1:]
			continue
		case n == 0:
			out.WriteByte('+')
			continue
		}
		raw := make([]byte, base64.RawStdEncoding.DecodedLen(n))
		m, _ := base64.RawStdEncoding.Decode(raw, b[:n])
		units := make([]uint16, 0, m/2)
		for j := 0; j+1 < m; j += 2 {
			units = append(units, uint16(raw[j])<<8|uint16(raw[j+1]))
		}
		out.WriteString(string(utf16.Decode(units)))
		b = b[n:]
		if len(b) > 0 && b[0] == '-' {
			b = b[1:]
		}
	}
	out.Write(b)
	return cleanUTF8(out.String())
}
