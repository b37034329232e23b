package letter

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf16"
)

const maxRTF = 8 << 20

// rtfDictionary is the text that every compressed RTF starts from ([MS-OXRTFCP] section 2.1.3.1).
const rtfDictionary = "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"

// inflateRTF undoes LZFu compression.
func inflateRTF(b []byte) ([]byte, bool) {
	if len(b) < 16 {
		return nil, false
	}
	size, magic := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	b = b[16:]
	if magic == 0x414c454d { // "MELA": stored
		return b[:min(len(b), int(size))], true
	}
	if magic != 0x75465a4c || size > maxRTF { // "LZFu"
		return nil, false
	}
	var dict [4096]byte
	w := copy(dict[:], rtfDictionary)
	out := make([]byte, 0, min(int(size), len(b)*8))
	put := func(c byte) {
		out = append(out, c)
		dict[w&4095] = c
		w++
	}
	for i := 0; i < len(b) && len(out) < int(size); {
		control := b[i]
		i++
		for bit := 0; bit < 8 && i < len(b) && len(out) < int(size); bit++ {
			if control>>bit&1 == 0 {
				put(b[i])
				i++
				continue
			}
			if i+1 >= len(b) {
				return out, true
			}
			ref := int(b[i])<<8 | int(b[i+1])
			i += 2
			offset, n := ref>>4, ref&15+2
			if offset == w&4095 {
				return out, true
			}
			for ; n > 0; n-- {
				put(dict[offset&4095])
				offset++
			}
		}
	}
	return out, true
}

// readRTF takes the text out of RTF, or the HTML that Outlook has wrapped into it ([MS-OXRTFEX]).
func readRTF(b []byte) (text string, isHTML bool) {
	s := string(b)
	r := rtfReader{s: s, codepage: "windows-1252", html: strings.Contains(clip(s, 4096), "\\fromhtml")}
	r.run()
	return strings.TrimSpace(newlines(cleanUTF8(r.out.String()))), r.html
}

type rtfReader struct {
	s        string
	html     bool
	codepage string
	out      strings.Builder
	high     rune   // first half of a surrogate pair
	raw      []byte // 8-bit characters not yet decoded
	stack    []rtfState
	state    rtfState
}

type rtfState struct {
	skip bool // a destination that is no text
	tag  bool // within \*\htmltag
	rtf  bool // within \htmlrtf: repeats for RTF readers what the HTML says
	uc   int  // characters that stand in for a \u
}

func (r *rtfReader) flush() {
	if len(r.raw) > 0 {
		s, _ := decodeCharset(r.raw, r.codepage, "")
		r.out.WriteString(s)
		r.raw = r.raw[:0]
	}
}

func (r *rtfReader) write(s string) {
	if !r.state.skip && !r.state.rtf {
		r.flush()
		r.out.WriteString(s)
	}
}

func (r *rtfReader) run() {
	r.state.uc = 1
	for i := 0; i < len(r.s); {
		switch c := r.s[i]; c {
		case '{':
			if len(r.stack) > 1000 {
				r.flush()
				return
			}
			r.stack = append(r.stack, r.state)
			i++
		case '}':
			if n := len(r.stack); n > 0 {
				r.state, r.stack = r.stack[n-1], r.stack[:n-1]
			}
			i++
		case '\\':
			i = r.control(i + 1)
		case '\r', '\n':
			i++
		default:
			if !r.state.skip && !r.state.rtf {
				r.raw = append(r.raw, c)
			}
			i++
		}
	}
	r.flush()
}

// control reads a control word or symbol and returns the position after it.
func (r *rtfReader) control(i int) int {
	if i >= len(r.s) {
		return i
	}
	c := r.s[i]
	if c|0x20 < 'a' || c|0x20 > 'z' {
		return r.symbol(c, i+1)
	}
	j := i
	for j < len(r.s) && r.s[j]|0x20 >= 'a' && r.s[j]|0x20 <= 'z' && j-i < 40 {
		j++
	}
	word, k := r.s[i:j], j
	if k < len(r.s) && r.s[k] == '-' {
		k++
	}
	for k < len(r.s) && r.s[k] >= '0' && r.s[k] <= '9' && k-j < 12 {
		k++
	}
	n, err := strconv.Atoi(r.s[j:k])
	given := err == nil
	if k < len(r.s) && r.s[k] == ' ' {
		k++
	}
	return r.word(word, n, given, k)
}

func (r *rtfReader) symbol(c byte, next int) int {
	switch c {
	case '\'':
		if next+1 < len(r.s) {
			if h, l := unhex(r.s[next]), unhex(r.s[next+1]); h >= 0 && l >= 0 && !r.state.skip && !r.state.rtf {
				r.raw = append(r.raw, byte(h<<4|l))
			}
			return next + 2
		}
	case '*':
		if !strings.HasPrefix(r.s[next:], "\\htmltag") {
			r.state.skip = true
		}
	case '~':
		r.write("\u00a0")
	case '_':
		r.write("-")
	case '\\', '{', '}':
		r.write(string(rune(c)))
	case '\n', '\r':
		r.write("\n")
	}
	return next
}

func (r *rtfReader) word(word string, n int, given bool, next int) int {
	switch word {
	case "fonttbl", "colortbl", "stylesheet", "info", "pict", "header", "footer", "object", "themedata":
		r.state.skip = true
	case "htmltag":
		r.state.tag, r.state.rtf = true, false
	case "htmlrtf":
		r.flush()
		r.state.rtf = !given || n != 0
	case "ansicpg":
		if given {
			r.codepage = codepage(uint32(n))
		}
	case "par", "line", "row":
		r.write("\n")
	case "tab", "cell":
		r.write("\t")
	case "uc":
		r.state.uc = min(max(n, 0), 8)
	case "u":
		if n < 0 {
			n += 65536
		}
		switch {
		case utf16.IsSurrogate(rune(n)) && n < 0xdc00:
			r.high = rune(n)
		default:
			c := rune(n)
			if utf16.IsSurrogate(c) {
				c = utf16.DecodeRune(r.high, c)
			}
			r.write(string(c))
		}
		return r.standIn(next)
	case "lquote":
		r.write("‘")
	case "rquote":
		r.write("’")
	case "ldblquote":
		r.write("“")
	case "rdblquote":
		r.write("”")
	case "bullet":
		r.write("•")
	case "endash":
		r.write("–")
	case "emdash":
		r.write("—")
	}
	return next
}

// standIn passes over the characters given for readers without Unicode.
func (r *rtfReader) standIn(i int) int {
	for n := r.state.uc; n > 0 && i < len(r.s); n-- {
		switch {
		case strings.HasPrefix(r.s[i:], "\\'") && i+4 <= len(r.s):
			i += 4
		case r.s[i] == '\\' || r.s[i] == '{' || r.s[i] == '}':
			return i
		default:
			i++
		}
	}
	return i
}
