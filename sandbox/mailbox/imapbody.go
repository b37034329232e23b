package mailbox

import (
	"bufio"
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-message/textproto"
)

// write answers for one mail. A mail that was thrown away meanwhile has no bytes.
func (x *reader) write(w *imapserver.FetchResponseWriter, a asked, o *imap.FetchOptions) error {
	w.WriteUID(a.uid)
	if o.Flags {
		w.WriteFlags(a.flags)
	}
	if o.InternalDate {
		w.WriteInternalDate(a.m.received)
	}
	if !o.RFC822Size && !o.Envelope && o.BodyStructure == nil && len(o.BodySection)+len(o.BinarySection)+len(o.BinarySectionSize) == 0 {
		return w.Close()
	}
	raw, err := a.m.wire()
	if err != nil {
		raw = nil
	}
	if o.RFC822Size {
		w.WriteRFC822Size(int64(len(raw)))
	}
	if o.Envelope {
		// A header that breaks off at an error still has the fields before it.
		h, _ := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(fieldsOnly(raw))))
		w.WriteEnvelope(imapserver.ExtractEnvelope(h))
	}
	if o.BodyStructure != nil {
		w.WriteBodyStructure(structure(raw))
	}
	for _, b := range o.BodySection {
		part := section(raw, b)
		body := w.WriteBodySection(b, int64(len(part)))
		_, err := body.Write(part)
		if err := errors.Join(err, body.Close()); err != nil {
			return err
		}
	}
	return w.Close()
}

// wire is the mail as IMAP wants it, every line ended by CRLF (RFC 3501 section
// 2.3.1 by RFC 5322): strangers' .eml files often are not.
func (m *mail) wire() ([]byte, error) {
	raw, err := m.raw.Bytes(m.raw.Size())
	if err != nil {
		return nil, err
	}
	bare := bytes.Count(raw, []byte("\n")) - bytes.Count(raw, []byte("\r\n"))
	if bare == 0 {
		return raw, nil
	}
	out := make([]byte, 0, len(raw)+bare)
	for i, c := range raw {
		if c == '\n' && (i == 0 || raw[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, c)
	}
	return out, nil
}

// maxParts bounds what the library's reader of structures, which knows no bounds,
// is given: it reads the rest of the mail once per level.
const maxParts = 200

func structure(raw []byte) imap.BodyStructure {
	if countFold(raw, "\ncontent-type", maxParts) >= maxParts {
		return &imap.BodyStructureSinglePart{Type: "text", Subtype: "plain", Encoding: "8bit", Size: uint32(len(raw)),
			Text: &imap.BodyStructureText{NumLines: int64(bytes.Count(raw, []byte("\n")))}, Extended: &imap.BodyStructureSinglePartExt{}}
	}
	return imapserver.ExtractBodyStructure(bytes.NewReader(fieldsOnly(raw)))
}

// countFold counts a lower-case ASCII needle that begins with a line feed, whatever
// the case of what is searched, up to limit.
func countFold(raw []byte, needle string, limit int) (n int) {
	for n < limit {
		i := bytes.IndexByte(raw, '\n')
		if i < 0 {
			return n
		}
		if raw = raw[i:]; len(raw) >= len(needle) && strings.EqualFold(string(raw[:len(needle)]), needle) {
			n++
		}
		raw = raw[1:]
	}
	return n
}

// section is what a program asked for of a mail. The header and the text of the
// whole mail are cut here, byte for byte; the library writes headers anew, and gives
// up at the first line that is none.
func section(raw []byte, b *imap.FetchItemBodySection) []byte {
	if len(b.Part) > 0 {
		if countFold(raw, "\ncontent-type", maxParts) >= maxParts {
			return nil
		}
		return imapserver.ExtractBodySection(bytes.NewReader(fieldsOnly(raw)), b)
	}
	out := raw
	header, text := cutHeader(raw)
	switch b.Specifier {
	case imap.PartSpecifierHeader, imap.PartSpecifierMIME:
		out = fields(header, b.HeaderFields, b.HeaderFieldsNot)
	case imap.PartSpecifierText:
		out = text
	}
	if p := b.Partial; p != nil {
		from := min(max(p.Offset, 0), int64(len(out)))
		out = out[from:]
		out = out[:min(max(p.Size, 0), int64(len(out)))]
	}
	return out
}

// cutHeader parts a mail after its first empty line.
func cutHeader(raw []byte) (header, text []byte) {
	if bytes.HasPrefix(raw, []byte("\r\n")) {
		return raw[:2], raw[2:]
	}
	if i := bytes.Index(raw, []byte("\r\n\r\n")); i >= 0 {
		return raw[:i+4], raw[i+4:]
	}
	return raw, nil
}

// fieldsOnly leaves out the lines of a mail's header that are no field: the library
// would stop at the first.
func fieldsOnly(raw []byte) []byte {
	header, text := cutHeader(raw)
	out := make([]byte, 0, len(raw)+2)
	for line := range bytes.Lines(header) {
		name, _, ok := bytes.Cut(line, []byte(":"))
		folded := (line[0] == ' ' || line[0] == '\t') && len(out) > 0
		if folded || ok && len(name) > 0 && !bytes.ContainsAny(name, " \t") {
			out = append(out, line...)
		}
	}
	return append(append(out, "\r\n"...), text...)
}

// fields are the header's fields of these names, or, if there are none, all but
// those of the other names.
func fields(header []byte, only, not []string) []byte {
	if len(only) == 0 && len(not) == 0 {
		return header
	}
	var out []byte
	keep, names := false, slices.Concat(only, not)
	for line := range bytes.Lines(header) {
		if line[0] != ' ' && line[0] != '\t' {
			name, _, _ := bytes.Cut(line, []byte(":"))
			keep = len(only) == 0
			if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, string(bytes.TrimSpace(name))) }) {
				keep = len(only) > 0
			}
		}
		if keep && len(bytes.TrimRight(line, "\r\n")) > 0 {
			out = append(out, line...)
		}
	}
	return append(out, "\r\n"...)
}
