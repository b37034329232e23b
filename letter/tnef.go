package letter

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf16"
)

// TNEF, the container "winmail.dat" of Outlook and Exchange ([MS-OXTNEF]). The decoder is bounded by its input: every
// attribute is a slice of it.

type tnef struct {
	text, html string
	files      []tnefFile
	partial    bool
	codepage   string
	rtf        []byte
}

type tnefFile struct {
	name, mediaType, cid string
	data                 []byte
}

const (
	tnefSignature = 0x223e9f78
	maxTNEFFiles  = 500
	maxTNEFDepth  = 4
)

// Attributes ([MS-OXTNEF] section 2.1.3.2), the upper half being their type.
const (
	attBody        = 0x0002800c
	attProps       = 0x00069003
	attOEMCodepage = 0x00069007
	attRendData    = 0x00069002
	attTitle       = 0x00018010
	attData        = 0x0006800f
	attAttachment  = 0x00069005
)

// MAPI properties ([MS-OXPROPS]).
const (
	prBody          = 0x1000
	prRTF           = 0x1009
	prHTML          = 0x1013
	prAttachData    = 0x3701
	prAttachName    = 0x3704
	prAttachLong    = 0x3707
	prAttachMIME    = 0x370e
	prAttachCID     = 0x3712
	prDisplayName   = 0x3001
	typeString8     = 0x1e
	typeUnicode     = 0x1f
	typeBinary      = 0x102
	typeObject      = 0x0d
	typeMultiValued = 0x1000
)

func parseTNEF(b []byte, depth int) (t *tnef, ok bool) {
	if len(b) < 6 || binary.LittleEndian.Uint32(b) != tnefSignature || depth > maxTNEFDepth {
		return nil, false
	}
	t = &tnef{}
	b = b[6:]
	for len(b) > 0 {
		if len(b) < 9 {
			t.partial = true
			break
		}
		id, n := binary.LittleEndian.Uint32(b[1:]), int64(binary.LittleEndian.Uint32(b[5:]))
		b = b[9:]
		if n+2 > int64(len(b)) {
			t.partial = true
			if n > int64(len(b)) { // the last file may be cut off: what is there is better than nothing
				n = int64(len(b))
			}
			t.attribute(id, b[:n], depth)
			break
		}
		t.attribute(id, b[:n], depth)
		b = b[n+2:] // a checksum follows, which many writers get wrong
	}
	t.finish()
	return t, true
}

func (t *tnef) attribute(id uint32, data []byte, depth int) {
	var file *tnefFile
	if n := len(t.files); n > 0 {
		file = &t.files[n-1]
	}
	switch id {
	case attOEMCodepage:
		if len(data) >= 4 {
			t.codepage = codepage(binary.LittleEndian.Uint32(data))
		}
	case attBody:
		t.text = t.string8(data)
	case attProps:
		mapiProps(data, func(p mapiProp) { t.messageProp(p) })
	case attRendData:
		if len(t.files) < maxTNEFFiles {
			t.files = append(t.files, tnefFile{})
		}
	case attTitle:
		if file != nil && file.name == "" {
			file.name = t.string8(data)
		}
	case attData:
		if file != nil {
			file.data = data
		}
	case attAttachment:
		if file != nil {
			mapiProps(data, func(p mapiProp) { t.fileProp(file, p, depth) })
		}
	}
}

func (t *tnef) messageProp(p mapiProp) {
	switch p.id {
	case prBody:
		if s := t.string(p); s != "" {
			t.text = s
		}
	case prHTML:
		if p.kind == typeBinary {
			s, _ := decodeCharset(p.data, orDefault(metaCharset(p.data), t.codepage), "")
			t.html = newlines(cleanUTF8(strings.TrimRight(s, "\x00")))
		} else {
			t.html = t.string(p)
		}
	case prRTF:
		t.rtf = p.data
	}
}

func (t *tnef) fileProp(f *tnefFile, p mapiProp, depth int) {
	switch p.id {
	case prAttachLong:
		f.name = orDefault(t.string(p), f.name)
	case prAttachName, prDisplayName:
		f.name = orDefault(f.name, t.string(p))
	case prAttachMIME:
		f.mediaType = strings.ToLower(t.string(p))
	case prAttachCID:
		f.cid = strings.Trim(t.string(p), "<> ")
	case prAttachData:
		if p.kind == typeObject && len(p.data) > 16 { // an embedded message: an interface identifier, then TNEF again
			if inner, ok := parseTNEF(p.data[16:], depth+1); ok {
				t.embed(f, inner)
				return
			}
			f.data = p.data[16:]
		} else if len(p.data) > 0 && len(f.data) == 0 {
			f.data = p.data
		}
	}
}

// embed turns a message within the container into a text file and the files it carries.
func (t *tnef) embed(f *tnefFile, inner *tnef) {
	f.data, f.mediaType = []byte(inner.text), "text/plain"
	ext := ".txt"
	if inner.text == "" && inner.html != "" {
		f.data, f.mediaType, ext = []byte(inner.html), "text/html", ".html"
	}
	f.name = orDefault(f.name, "message") + ext
	for _, g := range inner.files {
		if len(t.files) < maxTNEFFiles {
			t.files = append(t.files, g)
		}
	}
}

func (t *tnef) finish() {
	t.text = strings.TrimRight(t.text, "\x00")
	if t.html == "" && len(t.rtf) > 0 {
		if plain, ok := inflateRTF(t.rtf); ok {
			text, isHTML := readRTF(plain)
			if isHTML {
				t.html = text
			} else if t.text == "" {
				t.text = text
			}
		}
	}
	files := t.files[:0]
	for i, f := range t.files {
		if f.name = safeName(f.name); f.name == "" && len(f.data) == 0 {
			continue
		}
		f.mediaType = clip(cleanUTF8(f.mediaType), 100)
		if !strings.Contains(f.mediaType, "/") {
			f.mediaType = "application/octet-stream"
		}
		if f.name == "" {
			f.name = "attachment-" + strconv.Itoa(i+1) + extension(f.mediaType)
		}
		f.cid = cleanUTF8(f.cid)
		files = append(files, f)
	}
	t.files = files
}

func (t *tnef) string8(b []byte) string {
	b = []byte(strings.TrimRight(string(b), "\x00"))
	s, _ := decodeCharset(b, t.codepage, "")
	return newlines(cleanUTF8(s))
}

func (t *tnef) string(p mapiProp) string {
	if p.kind != typeUnicode {
		return t.string8(p.data)
	}
	units := make([]uint16, len(p.data)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(p.data[2*i:])
	}
	return newlines(strings.TrimRight(string(utf16.Decode(units)), "\x00"))
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// codepage names a Windows code page as a charset.
func codepage(n uint32) string {
	switch n {
	case 65001:
		return "utf-8"
	case 20866:
		return "koi8-r"
	case 28591:
		return "iso-8859-1"
	case 50220, 50221:
		return "iso-2022-jp"
	case 51932:
		return "euc-jp"
	case 54936:
		return "gb18030"
	}
	return "cp" + strconv.Itoa(int(n))
}

type mapiProp struct {
	id, kind uint16
	data     []byte
}

// mapiProps calls yield for every property; of multi-valued ones for the first value only.
func mapiProps(b []byte, yield func(mapiProp)) {
	if len(b) < 4 {
		return
	}
	count := binary.LittleEndian.Uint32(b)
	c := cursor{b: b[4:]}
	for ; count > 0 && !c.bad; count-- {
		kind, id := uint16(c.u16()), uint16(c.u16())
		if id >= 0x8000 { // a named property
			c.skip(16)
			if c.u32() == 0 {
				c.skip(4)
			} else {
				c.skip(padded(c.u32()))
			}
		}
		p := mapiProp{id: id, kind: kind &^ typeMultiValued}
		size, variable := propSize(p.kind)
		values := uint32(1)
		if variable || kind&typeMultiValued != 0 {
			values = c.u32()
		}
		for i := uint32(0); i < values && !c.bad; i++ {
			n := size
			if variable {
				n = c.u32()
			}
			data := c.take(n)
			if i == 0 && !c.bad {
				p.data = data
			}
			c.skip(padded(n) - n)
		}
		if !c.bad {
			yield(p)
		}
	}
}

func padded(n uint32) uint32 { return (n + 3) &^ 3 }

func propSize(kind uint16) (n uint32, variable bool) {
	switch kind {
	case typeString8, typeUnicode, typeBinary, typeObject:
		return 0, true
	case 0x05, 0x06, 0x07, 0x14, 0x40:
		return 8, false
	case 0x48:
		return 16, false
	}
	return 4, false
}

// cursor reads little-endian numbers until the data ends.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n uint32) []byte {
	if c.bad || uint64(n) > uint64(len(c.b)) {
		c.bad = true
		return nil
	}
	out := c.b[:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) skip(n uint32) { c.take(n) }

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u16() uint32 {
	if b := c.take(2); b != nil {
		return uint32(binary.LittleEndian.Uint16(b))
	}
	return 0
}
