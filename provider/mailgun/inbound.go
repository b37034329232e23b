package mailgun

import (
	"context"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/postern-chat/postern"
)

// InboundMIME reads the post of a route whose URL ends in "mime": the message as it
// came, in the field body-mime, beside the envelope. The message is decoded straight
// into w, as bytes of no charset. If the signature comes before the message, it is
// checked before anything is written.
func (c *Client) InboundMIME(ctx context.Context, r *http.Request, w io.Writer) (postern.Inbound, error) {
	f, err := c.openForm(ctx, r)
	if err != nil {
		return postern.Inbound{}, err
	}
	env := newEnvelope(c)
	var size int64
	for {
		fl, err := f.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return postern.Inbound{}, err
		}
		if fl.name != "body-mime" || size > 0 {
			if err := env.take(fl); err != nil {
				return postern.Inbound{}, err
			}
			continue
		}
		if env.signed() {
			if err := c.verify(opInbound, env.triple()); err != nil {
				return postern.Inbound{}, err
			}
		}
		if size, err = c.copyMail(w, fl.r); err != nil {
			return postern.Inbound{}, err
		}
	}
	in, err := env.inbound(f)
	if err == nil && size == 0 {
		err = postern.Errorf(postern.Invalid, opInbound, "no body-mime: a parsed post belongs at the other path")
	}
	return in, err
}

// copySize is how much of a mail is copied at once.
const copySize = 16 << 10

func (c *Client) copyMail(w io.Writer, r io.Reader) (int64, error) {
	limit := c.cfg.MaxInbound
	buf, _ := c.copies.Get().(*[copySize]byte)
	if buf == nil {
		buf = new([copySize]byte)
	}
	defer c.copies.Put(buf)
	n, err := io.CopyBuffer(&sink{w}, io.LimitReader(r, limit+1), buf[:])
	if err == nil && n > limit {
		err = postern.Errorf(postern.Invalid, opInbound, "the mail is larger than %d bytes", limit).Because(postern.CauseTooLarge)
	}
	return n, err
}

// sink gives an error of our own side a kind, so that it is not taken for the sender's.
type sink struct{ w io.Writer }

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		err = ours(opInbound, err)
	}
	return n, err
}

// envelope gathers the small fields of a post. A mail's headers arrive as fields too and
// its sender chose their names, so only the first field of an exact documented name counts.
type envelope struct {
	c      *Client
	values map[string]string
	v      postern.Verdict
	id     string
}

// Longest values of the documented fields. Longer ones are kept one byte too long, so
// that whoever reads them sees it.
const (
	maxAddress = 1000 // RFC 5321 4.5.3.1.3 allows 256
	maxSmall   = 256
	maxHeader  = 1000
)

func newEnvelope(c *Client) *envelope { return &envelope{c: c, values: map[string]string{}} }

// take keeps a field if it is one of the envelope's.
func (e *envelope) take(f *field) error {
	var limit int64
	switch f.name {
	case "recipient", "sender":
		limit = maxAddress
	case "timestamp", "token", "signature":
		limit = maxSmall
	case "stripped-text":
		limit = e.c.cfg.MaxText
	default:
		return e.header(f)
	}
	if _, seen := e.values[f.name]; seen {
		return nil
	}
	v, err := readUpTo(f.r, limit+1)
	e.values[f.name] = v
	return err
}

func readUpTo(r io.Reader, limit int64) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit))
	return string(b), err
}

// header keeps what Mailgun says in header fields. Whoever wrote the mail may have put
// the like into it, so the worst verdict counts.
func (e *envelope) header(f *field) error {
	switch {
	case strings.EqualFold(f.name, "X-Mailgun-Spf"):
		v, err := readUpTo(f.r, maxHeader)
		e.v.SPF = worst(e.v.SPF, v, "pass", "neutral", "softfail", "fail")
		return err
	case strings.EqualFold(f.name, "X-Mailgun-Dkim-Check-Result"):
		v, err := readUpTo(f.r, maxHeader)
		e.v.DKIM = worst(e.v.DKIM, v, "pass", "fail")
		return err
	case strings.EqualFold(f.name, "Message-Id") && e.id == "":
		v, err := readUpTo(f.r, maxHeader)
		e.id = bareID(v)
		return err
	}
	return nil
}

// worst is the later of two in the scale; what is not in it does not count.
func worst(a, b string, scale ...string) string {
	b = strings.ToLower(strings.TrimSpace(b))
	for i := len(scale) - 1; i >= 0; i-- {
		if scale[i] == a || scale[i] == b {
			return scale[i]
		}
	}
	return a
}

func (e *envelope) triple() triple {
	return triple{timestamp: e.values["timestamp"], token: e.values["token"], signature: e.values["signature"]}
}

func (e *envelope) signed() bool {
	t := e.triple()
	return t.timestamp != "" && t.token != "" && t.signature != ""
}

// inbound verifies the signature and tells the envelope, when all fields were read.
func (e *envelope) inbound(f *form) (postern.Inbound, error) {
	t := e.triple()
	if err := e.c.verify(opInbound, t); err != nil {
		return postern.Inbound{}, err
	}
	recipient, sender := strings.Trim(e.values["recipient"], "<> \t"), strings.Trim(e.values["sender"], "<> \t")
	if !address(recipient) || recipient == "" {
		return postern.Inbound{}, postern.Errorf(postern.Invalid, opInbound, "recipient missing or malformed")
	}
	if !address(sender) {
		return postern.Inbound{}, postern.Errorf(postern.Invalid, opInbound, "sender malformed")
	}
	return postern.Inbound{
		Key:       "mailgun:" + t.token,
		Digest:    f.digest(),
		Recipient: recipient,
		Sender:    sender,
		Stripped:  cut(text(e.values["stripped-text"]), int(e.c.cfg.MaxText)),
		Verdicts:  e.v,
		MessageID: e.id,
	}, nil
}

// address lets pass what can be stored and compared; it need not be a good address.
func address(s string) bool {
	if len(s) > maxAddress || !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// text keeps lines, and makes the rest safe to store.
func text(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.ReplaceAll(s, "\x00", "")
}
