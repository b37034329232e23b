package mailgun

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/postern-chat/postern"
)

const opSend = "mailgun.send"

// The variables that come back in every event, see event.go.
const (
	varDelivery    = "postern_delivery"
	varParticipant = "postern_participant"
)

// Send posts one message to messages.mime, streamed, and tells the id that Mailgun
// gives it (ours, without angle brackets). It does not repeat anything: Mailgun takes
// an equal Message-ID twice, so after Unsure ask Find first.
func (c *Client) Send(ctx context.Context, m postern.Outgoing) (id string, err error) {
	defer c.observe("send", c.cfg.Now(), &err)
	key := c.cfg.SendingKey
	if key == "" {
		key = c.cfg.AccountKey
	}
	if key == "" {
		return "", postern.Errorf(postern.Denied, opSend, "no key: mailgun.sending_key is needed")
	}
	if err := oneRecipient(m.To); err != nil {
		return "", &postern.Error{Kind: postern.Permanent, Op: opSend, Err: err}
	}
	if err := c.turn(ctx, "send"); err != nil {
		return "", err
	}
	out, err := c.upload(m)
	if err != nil {
		return "", err
	}
	req, err := out.request(ctx, c.base+"/v3/"+url.PathEscape(c.cfg.Domain)+"/messages.mime")
	if err != nil {
		return "", err
	}
	a, err := c.perform(req, key)
	if a == nil {
		return "", out.failure(err)
	}
	id, err = c.sent(a, err)
	c.heed(ctx, "send", err)
	return id, err
}

// oneRecipient refuses what Mailgun would read as a list.
func oneRecipient(to string) error {
	if strings.ContainsAny(to, ",;\r\n\x00") {
		return errors.New("recipient is not one address")
	}
	if a, err := mail.ParseAddress(to); err != nil || a.Name != "" {
		return errors.New("recipient is not a bare address")
	}
	return nil
}

// sent reads the answer to a message that went out. readErr says that the answer broke off.
func (c *Client) sent(a *answer, readErr error) (string, error) {
	if a.status != http.StatusOK {
		return "", c.refusal(opSend, a)
	}
	unsure := func(err error) error {
		return &postern.Error{Kind: postern.Unsure, Op: opSend, Code: "200", Err: err}
	}
	if readErr != nil {
		return "", unsure(readErr)
	}
	var ok struct {
		ID string `json:"id"`
	}
	if !json.Valid(a.body) {
		// Any wrong path answers 200 and a line of text.
		e := postern.Errorf(postern.Denied, opSend, "200 without JSON: %s is not Mailgun's API", c.base)
		e.Code, e.Said = "200", a.message()
		return "", e
	}
	if err := json.Unmarshal(a.body, &ok); err != nil || ok.ID == "" {
		return "", unsure(errors.New("200 without an id"))
	}
	return bareID(ok.ID), nil
}

// upload is one message on its way: the form's beginning, the message, the form's end.
// The transport reads it on a goroutine of its own, perhaps more than once.
type upload struct {
	m           postern.Outgoing
	head, tail  []byte
	contentType string
	first       io.ReadCloser
	started     atomic.Bool                 // a byte was asked for: from here on it may have left
	latest      atomic.Pointer[exactReader] // the message as the transport's latest try reads it
}

func (c *Client) upload(m postern.Outgoing) (*upload, error) {
	var form bytes.Buffer
	form.Grow(2048)
	for _, f := range [...][2]string{
		{"to", m.To},
		{"o:tag", c.cfg.Tag},
		{"o:tracking-opens", "yes"},
		{"o:tracking-clicks", "no"},
		// Variables travel to the recipient in this header; they are nobody's business there.
		// X-Mailgun-Sid stays: feedback loops find the mail by it.
		{"o:suppress-headers", "X-Mailgun-Variables"},
		{"v:" + varDelivery, string(m.Delivery)},
		{"v:" + varParticipant, strconv.FormatUint(uint64(m.Participant), 10)},
	} {
		c.part(&form, `form-data; name="`, f[0], "\"\r\n\r\n", f[1], "\r\n")
	}
	c.part(&form, `form-data; name="message"; filename="message.mime"`, "\r\nContent-Type: message/rfc822\r\n\r\n")
	n := form.Len()
	put(&form, "\r\n--", c.formBoundary, "--\r\n")
	u := &upload{m: m, head: form.Bytes()[:n:n], tail: form.Bytes()[n:], contentType: "multipart/form-data; boundary=" + c.formBoundary}
	var err error
	if u.first, err = m.Open(); err != nil {
		return nil, ours(opSend, err)
	}
	return u, nil
}

// part begins a part of the form (RFC 7578). All names are ours and need no quoting.
func (c *Client) part(b *bytes.Buffer, disposition string, rest ...string) {
	put(b, "--", c.formBoundary, "\r\nContent-Disposition: ", disposition)
	put(b, rest...)
}

func put(b *bytes.Buffer, words ...string) {
	for _, w := range words {
		b.WriteString(w)
	}
}

// request makes the POST. With a known size it has a Content-Length, else it is chunked.
func (u *upload) request(ctx context.Context, target string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, u.body(u.first))
	if err != nil {
		u.first.Close()
		return nil, &postern.Error{Kind: postern.Denied, Op: opSend, Err: err}
	}
	req.ContentLength = -1
	if u.m.Size > 0 {
		req.ContentLength = int64(len(u.head)) + u.m.Size + int64(len(u.tail))
	}
	// For a kept connection that was found closed before a byte was written. The transport
	// repeats a POST in no other case.
	req.GetBody = func() (io.ReadCloser, error) {
		r, err := u.m.Open()
		if err != nil {
			return nil, err
		}
		return u.body(r), nil
	}
	req.Header.Set("Content-Type", u.contentType)
	return req, nil
}

func (u *upload) body(message io.ReadCloser) io.ReadCloser {
	exact := &exactReader{r: message, want: u.m.Size}
	u.latest.Store(exact)
	r := io.MultiReader(bytes.NewReader(u.head), exact, bytes.NewReader(u.tail))
	return &uploadBody{Reader: r, Closer: message, started: &u.started}
}

// failure classes an exchange that brought no answer. An earlier try may have broken off,
// closed by the transport, and the latest be whole.
func (u *upload) failure(err error) error {
	if b := u.latest.Load().broken.Load(); b != nil {
		return ours(opSend, *b) // Mailgun cannot have had the whole of it
	}
	kind := postern.Temporary
	if u.started.Load() {
		kind = postern.Unsure
	}
	return &postern.Error{Kind: kind, Op: opSend, Err: err}
}

// ours is an error of our own side: its kind if it has one, else Temporary.
func ours(op string, err error) error {
	kind := postern.KindOf(err)
	if kind == postern.Internal {
		kind = postern.Temporary
	}
	return &postern.Error{Kind: kind, Cause: postern.CauseOf(err), Op: op, Err: err}
}

type uploadBody struct {
	io.Reader
	io.Closer
	started *atomic.Bool
}

func (b *uploadBody) Read(p []byte) (int, error) {
	b.started.Store(true)
	return b.Reader.Read(p)
}

// exactReader fails when the message is shorter or longer than it was said to be: the
// form's end must never close a mail that is cut.
type exactReader struct {
	r      io.Reader
	want   int64 // 0 = unknown
	got    int64
	broken atomic.Pointer[error] // why the message could not be read to its end
}

func (e *exactReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.got += int64(n)
	if e.want > 0 && (e.got > e.want || err == io.EOF && e.got < e.want) {
		n, err = 0, fmt.Errorf("the message has not the %d bytes it was said to have", e.want)
	}
	if err != nil && err != io.EOF {
		e.broken.Store(&err)
	}
	return n, err
}
