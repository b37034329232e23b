package letter

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// decodeCharset turns b into UTF-8. declared is what the mail says ("" = nothing), hint a charset to prefer when that is
// of no use. used names the charset that was taken in the end; it equals the declared one (in its own spelling) when that held.
//
// Declarations are often wrong, so the bytes have the last word: byte-order marks, ISO-2022 escapes, and UTF-8, which
// hardly anything else resembles, win over them.
func decodeCharset(b []byte, declared, hint string) (text, used string) {
	declared = charsetLabel(declared)
	if text, used, ok := byMark(b); ok {
		return text, used
	}
	ascii := is7bit(b)
	switch {
	case bytes.IndexByte(b, 0x1b) >= 0 || ascii && stateful(declared):
		if text, used, ok := decodeISO2022(b, declared); ok {
			return text, used
		}
	case declared == "utf-7":
		return decodeUTF7(b), declared
	}
	wide := strings.HasPrefix(declared, "utf-16") || strings.HasPrefix(declared, "utf-32")
	if ascii && !wide {
		return string(b), orASCII(declared)
	}
	if wide {
		if text, used, ok := decodeWide(b, declared); ok {
			return text, used
		}
		declared = ""
	}
	if !multibyte(declared) && utf8.Valid(b) {
		return string(b), "utf-8"
	}
	if multibyte(declared) {
		return decodeMultibyte(b, declared, hint)
	}
	return decodeSingle(b, declared, hint)
}

func orASCII(declared string) string {
	if declared == "" {
		return "us-ascii"
	}
	return declared
}

func is7bit(b []byte) bool {
	for len(b) >= 8 {
		if b[0]|b[1]|b[2]|b[3]|b[4]|b[5]|b[6]|b[7] >= 0x80 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// byMark obeys a byte-order mark.
func byMark(b []byte) (text, used string, ok bool) {
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) && utf8.Valid(b):
		return string(b[3:]), "utf-8", true
	case bytes.HasPrefix(b, []byte("\xff\xfe\x00\x00")):
		return decodeWith(utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), b), "utf-32le", true
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		return decodeWith(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), b), "utf-16le", true
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		return decodeWith(unicode.UTF16(unicode.BigEndian, unicode.UseBOM), b), "utf-16be", true
	}
	return "", "", false
}

// decodeWide decodes UTF-16 and UTF-32 without a mark. Text with hardly any zero byte that reads as UTF-8 was misdeclared.
func decodeWide(b []byte, declared string) (text, used string, ok bool) {
	zeros := bytes.Count(b, []byte{0})
	if zeros == 0 && utf8.Valid(b) {
		return "", "", false
	}
	if strings.HasPrefix(declared, "utf-32") {
		e := utf32.BigEndian
		if declared == "utf-32le" || len(b) > 3 && b[0] != 0 {
			e = utf32.LittleEndian
		}
		return decodeWith(utf32.UTF32(e, utf32.IgnoreBOM), b), declared, true
	}
	e := unicode.BigEndian // RFC 2781 section 4.3
	evenZeros := 0
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == 0 {
			evenZeros++
		}
	}
	if declared == "utf-16le" || declared == "utf-16" && zeros > 2*evenZeros {
		e = unicode.LittleEndian
	}
	return decodeWith(unicode.UTF16(e, unicode.IgnoreBOM), b), declared, true
}

// decodeMultibyte decodes UTF-8 and the East Asian charsets.
func decodeMultibyte(b []byte, declared, hint string) (text, used string) {
	if utf8.Valid(b) && (declared == "utf-8" || hasThreeByte(b)) {
		return string(b), "utf-8"
	}
	if declared == "utf-8" {
		if text, ok := mostlyUTF8(b); ok {
			return text, "utf-8"
		}
	} else {
		text := decodeWith(lookup(declared), b)
		bad := strings.Count(text, "\ufffd")
		if bad == 0 || bad*50 < utf8.RuneCountInString(text) {
			return text, declared
		}
		if utf8.Valid(b) {
			return string(b), "utf-8"
		}
	}
	return guess(b, hint)
}

// decodeSingle decodes 8-bit charsets, and text without a known one.
func decodeSingle(b []byte, declared, hint string) (text, used string) {
	enc := lookup(declared)
	if enc == nil {
		if text, ok := mostlyUTF8(b); ok {
			return text, "utf-8"
		}
		return guess(b, hint)
	}
	c1 := 0
	for _, c := range b {
		if c >= 0x80 && c < 0xa0 {
			c1++
		}
	}
	if win := windowsOf(declared); win != "" && c1 > 0 {
		declared, enc = win, lookup(win) // the control range is empty in ISO 8859; Windows fills it
	}
	// Western text has few letters beyond ASCII. When most are, another alphabet was declared as Latin-1.
	if declared == "windows-1252" || declared == "iso-8859-15" {
		high, letters := 0, 0
		for _, c := range b {
			if c >= 0xc0 {
				high++
			}
			if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= 0xc0 {
				letters++
			}
		}
		if high*2 > letters && high >= 4 {
			if text, used := guess(b, hint); !strings.Contains(text, "\ufffd") {
				return text, used
			}
		}
	}
	return decodeWith(enc, b), declared
}

// mostlyUTF8 decodes UTF-8 with some foreign bytes in it, which are taken as windows-1252.
func mostlyUTF8(b []byte) (string, bool) {
	good, bad := 0, 0
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			bad++
		case n > 1:
			good++
		}
		i += n
	}
	if good == 0 || bad > good {
		return "", false
	}
	var out strings.Builder
	out.Grow(len(b) + bad*2)
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			if i+3 < len(b) || good == 0 { // cut off at the very end: drop what is left of the character
				r = charmap.Windows1252.DecodeByte(b[i])
			} else {
				r = utf8.RuneError
			}
		}
		out.WriteRune(r)
		i += n
	}
	return out.String(), true
}

func hasThreeByte(b []byte) bool {
	for _, c := range b {
		if c >= 0xe0 {
			return true
		}
	}
	return false
}

func decodeWith(e encoding.Encoding, b []byte) string {
	if e == nil {
		return strings.ToValidUTF8(string(b), "\ufffd")
	}
	out, err := e.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\ufffd")
	}
	return string(out)
}

func multibyte(label string) bool {
	switch label {
	case "utf-8", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr", "hz-gb-2312":
		return true
	}
	return false
}

func stateful(label string) bool {
	return strings.HasPrefix(label, "iso-2022") || label == "hz-gb-2312"
}

// charsetLabel reduces the spellings of charset names to one, "" for those that say nothing.
func charsetLabel(s string) string {
	s = strings.ToLower(strings.Trim(s, " \t\"'`;,<>"))
	switch {
	case s == "utf-8" || s == "us-ascii" || s == "":
	case len(s) > 60:
		return ""
	default:
		s = oddLabel(s)
	}
	if s == "us-ascii" {
		return ""
	}
	return s
}

func oddLabel(s string) string {
	s, _, _ = strings.Cut(s, "//") // "us-ascii//translit"
	s = strings.TrimPrefix(strings.TrimPrefix(strings.ReplaceAll(s, "_", "-"), "x-"), "cs")
	switch s {
	case "ascii", "ansi-x3.4-1968", "iso-ir-6", "646", "unknown-8bit", "unknown", "default", "8bit", "7bit", "binary", "none",
		"none-of-your-business", "user-defined", "default-charset", "charset", "iso646-us", "us":
		return ""
	case "utf8", "utf-8-sig", "unicode-1-1-utf-8", "utf8mb4", "cp65001":
		return "utf-8"
	case "utf7", "unicode-1-1-utf-7", "utf-7-imap":
		return "utf-7"
	case "utf16", "unicode", "ucs-2", "iso-10646-ucs-2":
		return "utf-16"
	case "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be":
		return s
	case "gb2312", "gbk", "gb-2312", "gb-2312-80", "gb2312-80", "gb-2312-1980", "euc-cn", "cp936", "ms936", "windows-936", "chinese", "gb18030", "gb-18030", "gb", "gbk2312":
		return "gb18030"
	case "cp950", "big-5", "big5-hkscs", "big5", "cn-big5", "big5-eten":
		return "big5"
	case "cp932", "ms932", "sjis", "shift-jis", "windows-31j", "shiftjis", "ms-kanji":
		return "shift_jis"
	case "cp949", "ks-c-5601-1987", "ks-c-5601", "ksc5601", "ksc-5601", "korean", "uhc", "windows-949", "euckr", "ks-c-5601-1989":
		return "euc-kr"
	case "eucjp", "ujis":
		return "euc-jp"
	case "hz", "hz-gb", "hz-gb2312":
		return "hz-gb-2312"
	case "iso-2022-jp", "iso-2022-jp-1", "iso-2022-jp-2", "iso-2022-jp-3", "iso-2022-jp-ms", "jis", "iso2022-jp", "cp50220", "cp50221":
		return "iso-2022-jp"
	case "iso-2022-kr", "iso2022-kr":
		return "iso-2022-kr"
	case "ansi", "latin1", "latin-1", "cp1252", "iso-8859-1", "iso8859-1", "iso-8859-1-windows", "windows-1252-latin-1", "western", "windows1252":
		return "windows-1252"
	}
	if n, ok := strings.CutPrefix(s, "iso8859"); ok {
		return "iso-8859-" + strings.Trim(n, "-")
	}
	if n, ok := strings.CutPrefix(s, "iso-8859"); ok {
		n, _, _ = strings.Cut(strings.Trim(n, "-"), ":")
		n = strings.TrimSuffix(strings.TrimSuffix(n, "-i"), "-e")
		return "iso-8859-" + n
	}
	if n, ok := strings.CutPrefix(s, "windows-125"); ok {
		return "windows-125" + n
	}
	if n, ok := strings.CutPrefix(s, "cp125"); ok {
		return "windows-125" + n
	}
	return strings.ReplaceAll(s, "cp-", "cp")
}

// lookup returns nil for unknown charsets.
func lookup(label string) encoding.Encoding {
	switch label {
	case "":
		return nil
	case "gb18030":
		return simplifiedchinese.GB18030
	case "hz-gb-2312":
		return simplifiedchinese.HZGB2312
	case "shift_jis":
		return japanese.ShiftJIS
	case "euc-kr":
		return korean.EUCKR
	case "cp437", "ibm437":
		return charmap.CodePage437
	case "cp850", "ibm850":
		return charmap.CodePage850
	case "cp852", "ibm852":
		return charmap.CodePage852
	case "cp855", "ibm855":
		return charmap.CodePage855
	case "cp858", "ibm858", "ibm00858":
		return charmap.CodePage858
	case "cp860", "ibm860":
		return charmap.CodePage860
	case "cp862", "ibm862":
		return charmap.CodePage862
	case "cp863", "ibm863":
		return charmap.CodePage863
	case "cp865", "ibm865":
		return charmap.CodePage865
	case "mac", "mac-roman", "macroman":
		return charmap.Macintosh
	case "iso-8859-1":
		return charmap.Windows1252
	}
	e, err := htmlindex.Get(label)
	if err != nil || e == encoding.Replacement {
		return nil
	}
	return e
}

// windowsOf names the Windows code page that has the same letters as an ISO charset.
func windowsOf(label string) string {
	switch label {
	case "iso-8859-2":
		return "windows-1250"
	case "iso-8859-7":
		return "windows-1253"
	case "iso-8859-8":
		return "windows-1255"
	case "iso-8859-9":
		return "windows-1254"
	case "iso-8859-13":
		return "windows-1257"
	}
	return ""
}
