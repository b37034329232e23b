package relay

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern"
)

// outcome is what a made-up call does: fail, and have its effect or not.
type outcome struct {
	err     error
	happens bool
}

func failure(k postern.Kind, c ...postern.Cause) outcome {
	e := postern.Errorf(k, "fake", "made up")
	for _, c := range c {
		e.Cause = c
	}
	return outcome{err: e}
}

// lost is a call that had its effect, and whose answer was lost.
func lost() outcome {
	return outcome{err: postern.Errorf(postern.Unsure, "fake", "no answer"), happens: true}
}

// take gives what the next call of a name does: success when nothing was said.
func take(calls map[string][]outcome, name string) outcome {
	q := calls[name]
	if len(q) == 0 {
		return outcome{happens: true}
	}
	calls[name] = q[1:]
	return q[0]
}

// fakeChat is a chat platform whose webhooks are the events themselves, as JSON.
type fakeChat struct {
	*house
	name     string
	members  []postern.Member
	messages []postern.ChatMessage
	posts    []posted
	marks    []string // "delivered bob", "read bob"
	files    map[string]string
	maxText  int
	calls    map[string][]outcome
	asked    []string      // names of the calls made
	off      time.Duration // how far its clock is ahead of ours
	told     bool          // it is known only after an answer
	listed   func()        // what happens while a list is on its way to us; once
	opened   func()        // the same of a file
}

func (c *fakeChat) Ahead() time.Duration {
	if !c.told {
		return 0
	}
	return c.off
}

// posted is a post that was made, with the bytes of its file.
type posted struct {
	postern.NewPost
	content string
}

func (c *fakeChat) call(name string) outcome {
	c.asked, c.told = append(c.asked, name), true
	return take(c.calls, name)
}

func (c *fakeChat) Decode(body []byte) (e postern.ChatEvent, err error) {
	if err := json.Unmarshal(body, &e); err != nil {
		return e, &postern.Error{Kind: postern.Invalid, Op: "fake", Err: err}
	}
	return e, nil
}

func (c *fakeChat) Channel(context.Context, postern.ChannelID) (postern.Channel, error) {
	return postern.Channel{ID: channel, Name: c.name, MaxMessageLength: c.maxText}, c.call("channel").err
}

func (c *fakeChat) Members(context.Context, postern.ChannelID) ([]postern.Member, error) {
	if o := c.call("members"); o.err != nil {
		return nil, o.err
	}
	return slices.Clone(c.members), nil
}

func (c *fakeChat) Messages(_ context.Context, _ postern.ChannelID, since time.Time) ([]postern.ChatMessage, error) {
	if o := c.call("messages"); o.err != nil {
		return nil, o.err
	}
	var out []postern.ChatMessage
	for _, m := range c.messages {
		if !m.CreatedAt.Before(since) && len(out) < 200 {
			out = append(out, m)
		}
	}
	if f := c.listed; f != nil {
		c.listed = nil
		f()
	}
	return out, nil
}

func (c *fakeChat) Post(_ context.Context, p postern.NewPost) (postern.MessageID, error) {
	o := c.call("post")
	if !o.happens {
		return "", o.err
	}
	made := posted{NewPost: p}
	if p.File != nil {
		body, err := p.File.Open()
		c.must(err)
		b, err := io.ReadAll(body)
		c.must(err)
		if made.content = string(b); int64(len(b)) != p.File.Size {
			c.t.Errorf("a file of %d bytes is announced with %d", len(b), p.File.Size)
		}
	}
	c.posts = append(c.posts, made)
	c.now = c.now.Add(time.Millisecond)
	m := postern.ChatMessage{ID: postern.MessageID(c.next()), Channel: p.Channel, Sender: postern.User{ID: p.User}, Text: p.Text, CreatedAt: c.now, Mark: p.Mark}
	if p.User == "" {
		m.Type = postern.AdminMessage
	}
	c.messages = append(c.messages, m)
	return m.ID, o.err
}

// said is what stands in the chat by our doing: who, and the text or the file's name.
func (c *fakeChat) said() (lines []string) {
	for _, p := range c.posts {
		text := p.Text
		if p.File != nil {
			text = p.File.Name + "=" + p.content
		}
		lines = append(lines, string(p.User)+": "+text)
	}
	return lines
}

func (c *fakeChat) moved(what string, u postern.UserID) error {
	o := c.call("mark " + what)
	if o.happens {
		c.marks = append(c.marks, what+" "+string(u))
	}
	return o.err
}

func (c *fakeChat) MarkDelivered(_ context.Context, _ postern.ChannelID, u postern.UserID) error {
	return c.moved("delivered", u)
}

func (c *fakeChat) MarkRead(_ context.Context, _ postern.ChannelID, u postern.UserID) error {
	return c.moved("read", u)
}

func (c *fakeChat) OpenFile(_ context.Context, f postern.ChatFile) (io.ReadCloser, int64, error) {
	if o := c.call("file"); o.err != nil && o.happens { // breaks off half way
		return io.NopCloser(io.MultiReader(strings.NewReader("half"), broken{o.err})), -1, nil
	} else if o.err != nil {
		return nil, 0, o.err
	}
	if f := c.opened; f != nil {
		c.opened = nil
		f()
	}
	content, ok := c.files[f.URL]
	if !ok {
		return nil, 0, postern.Errorf(postern.Permanent, "fake", "no such file").Because(postern.CauseNotFound)
	}
	return io.NopCloser(strings.NewReader(content)), int64(len(content)), nil
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// fakeMail is an e-mail provider with books.
type fakeMail struct {
	*house
	sent   []sent
	tries  []string // Message-IDs of all calls, taken or not
	lifted []string
	calls  map[string][]outcome
	asked  int       // how often the books were looked at
	since  time.Time // from when on, the last time
	lag    bool
	books  map[string][]postern.MailEvent // what became of mails, by Message-ID
	traced int
	found  func() // what happens while an answer of the books is on its way to us; once
}

// sent is a mail that the provider took.
type sent struct {
	postern.Outgoing
	raw string
}

func (m *fakeMail) Send(_ context.Context, o postern.Outgoing) (string, error) {
	m.tries = append(m.tries, o.MessageID)
	body, err := o.Open()
	if err != nil {
		return "", err
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return "", &postern.Error{Kind: postern.KindOf(err), Op: "fake", Cause: postern.CauseOf(err), Err: err}
	}
	if int64(len(raw)) != o.Size {
		m.t.Errorf("a mail of %d bytes is announced with %d", len(raw), o.Size)
	}
	out := take(m.calls, "send")
	if out.happens {
		m.sent = append(m.sent, sent{o, string(raw)})
	}
	return fmt.Sprint("id-", len(m.tries)), out.err
}

func (m *fakeMail) DecodeEvent(body []byte) (e postern.MailEvent, err error) {
	return e, json.Unmarshal(body, &e)
}

func (m *fakeMail) Find(_ context.Context, id string, since time.Time) (bool, error) {
	m.asked++
	m.since = since
	if o := take(m.calls, "find"); o.err != nil {
		return false, o.err
	}
	if f := m.found; f != nil {
		m.found = nil
		f()
	}
	return !m.lag && slices.ContainsFunc(m.sent, func(s sent) bool { return s.MessageID == id }), nil
}

func (m *fakeMail) Trace(_ context.Context, id string, _ time.Time) ([]postern.MailEvent, error) {
	m.traced++
	if o := take(m.calls, "trace"); o.err != nil {
		return nil, o.err
	}
	return m.books[id], nil
}

func (m *fakeMail) Lift(_ context.Context, address string) error {
	m.lifted = append(m.lifted, address)
	return take(m.calls, "lift").err
}

// replyTo is the address that a mail is answered to.
func (s sent) replyTo() string {
	_, rest, _ := strings.Cut(s.raw, "\r\nReply-To: ")
	line, _, _ := strings.Cut(rest, "\r\nTo: ")
	_, address, _ := strings.Cut(line, "<")
	return strings.TrimSuffix(address, ">")
}
