package relay

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// headerLoop names this house in every mail it sends, so that it knows its own mail
// when it comes back by a detour.
const headerLoop = "X-Postern-Loop"

func (r *Rules) loopWord() string { return hash("loop/" + r.Domain) }

// outgoing makes a delivery with its content ready for a provider.
func (r *Rules) outgoing(d store.Delivery, c *content) (postern.Outgoing, error) {
	m := message{content: c, messageID: d.MessageID, to: d.Recipient, loop: r.loopWord(), boundary: boundary(d.ID), open: r.openBlob}
	o := postern.Outgoing{Delivery: d.ID, Participant: d.Participant, To: d.Recipient, MessageID: d.MessageID}
	if len(c.Files) == 0 {
		var b bytes.Buffer
		b.Grow(m.length())
		if err := m.texts(&b); err != nil {
			return o, err
		}
		o.Size = int64(b.Len())
		o.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }
		return o, nil
	}
	// The size is that of the same message with zeros for files.
	sized := m
	sized.open = func(a attachment) (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(zeros{}, a.Size)), nil
	}
	var n counter
	if err := sized.write(&n); err != nil {
		return o, err
	}
	o.Size = int64(n)
	o.Open = func() (io.ReadCloser, error) {
		pr, pw := io.Pipe()
		go func() { pw.CloseWithError(m.write(pw)) }()
		return pr, nil
	}
	return o, nil
}

func (r *Rules) openBlob(a attachment) (io.ReadCloser, error) {
	return r.Blobs.Open(a.Blob)
}

// boundary is the same for every try of a delivery.
func boundary(id postern.DeliveryID) string {
	h := sha256.Sum256([]byte("boundary/" + string(id)))
	return "=_" + hex.EncodeToString(h[:15])
}

// message writes a mail. Written again it gives the same bytes.
type message struct {
	*content
	messageID string
	to        string
	loop      string
	boundary  string
	open      func(attachment) (io.ReadCloser, error)
}

func (m message) write(w io.Writer) error {
	var b bytes.Buffer
	b.Grow(m.length())
	if err := m.texts(&b); err != nil {
		return err
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return err
	}
	outer := m.boundary + "m"
	for _, f := range m.Files {
		if err := m.file(w, f, outer); err != nil {
			return err
		}
	}
	if len(m.Files) > 0 {
		_, err := fmt.Fprintf(w, "--%s--\r\n", outer)
		return err
	}
	return nil
}

// length is about how long a mail is without its files: most of it is ASCII.
func (m message) length() int { return 2048 + len(m.Text) + len(m.HTML)*5/4 }

// texts writes all that stands before the files.
func (m message) texts(b *bytes.Buffer) error {
	m.header(b)
	outer, inner := m.boundary+"m", m.boundary+"a"
	if len(m.Files) > 0 {
		put(b, "Content-Type: multipart/mixed; boundary=\"", outer, "\"\r\n\r\n--", outer, "\r\n")
	}
	put(b, "Content-Type: multipart/alternative; boundary=\"", inner, "\"\r\n\r\n")
	for _, part := range [][2]string{{"text/plain", m.Text}, {"text/html", m.HTML}} {
		put(b, "--", inner, "\r\nContent-Type: ", part[0], "; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
		q := quotedprintable.NewWriter(b) // which makes CR LF of the line ends
		if _, err := io.WriteString(q, part[1]); err != nil {
			return err
		}
		if err := q.Close(); err != nil {
			return err
		}
		b.WriteString("\r\n")
	}
	put(b, "--", inner, "--\r\n")
	return nil
}

func (m message) header(b *bytes.Buffer) {
	own := mailbox(m.From, m.Address)
	field := func(name, value string) { put(b, name, ": ", fold(value), "\r\n") }
	field("From", own)
	field("Reply-To", own)
	field("To", mailbox(oneLine(m.To, 80), m.to))
	field("Subject", mime.QEncoding.Encode("utf-8", m.Subject))
	field("Date", m.Date.UTC().Format(time.RFC1123Z))
	field("Message-ID", "<"+m.messageID+">")
	field("In-Reply-To", "<"+m.References[len(m.References)-1]+">")
	field("References", "<"+strings.Join(m.References, "> <")+">")
	// A person wrote this, but nobody's out-of-office may answer it: RFC 3834 section 5,
	// and for Exchange MS-OXCMAIL.
	field("Auto-Submitted", "auto-generated")
	field("X-Auto-Response-Suppress", "OOF, AutoReply")
	field(headerLoop, m.loop)
	if m.Leave != "" {
		// RFC 8058: the link alone acts, by POST, without asking.
		field("List-Unsubscribe", "<"+m.Leave+">")
		field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	field("MIME-Version", "1.0")
}

// mailbox is a name and an address. net/mail leaves a backslash as it is in the encoded
// word of a name, which RFC 2047 section 5 forbids.
func mailbox(name, address string) string {
	if word := mime.BEncoding.Encode("utf-8", name); word != name {
		return word + " " + (&mail.Address{Address: address}).String()
	}
	return (&mail.Address{Name: name, Address: address}).String()
}

// fold breaks a field between its encoded words and its ids: RFC 5322 section 2.1.1
// allows 998 characters a line at most.
func fold(v string) string {
	v = strings.ReplaceAll(v, "?= =?", "?=\r\n =?")
	return strings.ReplaceAll(v, "> <", ">\r\n <")
}

// file writes an attachment in base64, as a stream.
func (m message) file(w io.Writer, f attachment, outer string) error {
	name := mime.FormatMediaType("attachment", map[string]string{"filename": f.Name})
	if name == "" {
		name = "attachment"
	}
	_, err := fmt.Fprintf(w, "--%s\r\nContent-Type: %s\r\nContent-Disposition: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n", outer, mediaType(f.Type), name)
	if err != nil {
		return err
	}
	body, err := m.open(f)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if err := writeBase64(w, body); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\r\n")
	return err
}

// writeBase64 writes lines of 76 characters (RFC 2045 section 6.8).
func writeBase64(w io.Writer, r io.Reader) error {
	const perLine, lines = 57, 512
	in := make([]byte, perLine*lines)
	out := make([]byte, 0, (76+2)*lines)
	for {
		n, err := io.ReadFull(r, in)
		out = out[:0]
		for at := 0; at < n; at += perLine {
			out = base64.StdEncoding.AppendEncode(out, in[at:min(at+perLine, n)])
			out = append(out, '\r', '\n')
		}
		if _, werr := w.Write(out); werr != nil {
			return werr
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// mediaType keeps a type only if it is one, no longer than RFC 6838 section 4.2 has
// them, and none that a mail program would treat as part of the mail itself.
func mediaType(s string) string {
	t, params, err := mime.ParseMediaType(s)
	if err != nil || len(t) > 2*127+1 || strings.HasPrefix(t, "multipart/") || strings.HasPrefix(t, "message/") || !strings.Contains(t, "/") {
		return "application/octet-stream"
	}
	if cs := params["charset"]; cs != "" && len(cs) <= 40 { // RFC 2978 section 2.3
		return mime.FormatMediaType(t, map[string]string{"charset": cs})
	}
	return t
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
