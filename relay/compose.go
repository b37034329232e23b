package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// content is what a delivery says, complete but for the bytes of its files. It is
// stored with the delivery (JSON), so that a second try sends the same, and so that an
// answer can be compared with what was sent.
type content struct {
	From       string       `json:"from"`    // display name
	Address    string       `json:"address"` // the participant's reply address
	To         string       `json:"to"`      // display name
	Subject    string       `json:"subject"`
	References []string     `json:"references"`
	Date       time.Time    `json:"date"`
	Lang       string       `json:"lang"` // of our own words in it
	Said       []paragraph  `json:"said"`
	Shown      []shownLink  `json:"shown,omitempty"` // the links as the mail shows them
	Files      []attachment `json:"files,omitempty"`
	Links      []linked     `json:"links,omitempty"`
	Leave      string       `json:"leave,omitempty"` // where to unsubscribe
	Of         []stated     `json:"of,omitempty"`

	// Text and HTML are written from the above: kept, they would be most of what is kept.
	Text string `json:"-"`
	HTML string `json:"-"`

	messages []wanted
	locale   string
	sender   string
	where    string
}

// attachment is a file that goes with the mail.
type attachment struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Size int64  `json:"size"`
	Blob string `json:"blob"`
}

// linked is a file that does not go with the mail: too large, or not to be had.
type linked struct {
	Name string `json:"name"`
	Type string `json:"type,omitempty"`
	// URL is where the file stands at the platform; the mail itself links to us.
	URL     string `json:"url,omitempty"`
	Foreign bool   `json:"foreign,omitempty"` // a host we do not fetch from: the mail shows this very URL
}

// stated is a chat message that a mail was made of, and how it read then.
type stated struct {
	ID  postern.MessageID `json:"id"`
	Sum string            `json:"sum"` // of its text
}

// compose writes a mail, and fetches the files that go with it. What depends on the
// participant's address is filled in by address.
func (r *Rules) compose(ctx context.Context, t *letterTo) (*content, error) {
	c := &content{To: strings.ToValidUTF8(t.person.Name, "\uFFFD"), Date: r.Now(), messages: t.messages, locale: t.person.Locale, sender: r.displayName(t), where: r.where(t)}
	left := r.AttachLimit
	for i, m := range t.messages {
		files, err := r.filesOf(ctx, t.channel.ID, m)
		if err != nil {
			r.drop(c)
			return nil, err
		}
		t.messages[i].Files = files
		for k, f := range files {
			n, err := r.take(ctx, c, f, left, t.attempts)
			if err != nil {
				r.drop(c)
				return nil, err
			}
			left -= n
			t.messages[i].Files[k].Name = fileName(f)
		}
		c.Of = append(c.Of, stated{m.ID, hash(m.Text)})
	}
	return c, nil
}

// messageReader is an ability of a Platform: it can be asked for one message. A
// webhook may tell of a file without saying where it is.
type messageReader interface {
	Message(ctx context.Context, ch postern.ChannelID, id postern.MessageID) (postern.ChatMessage, error)
}

func (r *Rules) filesOf(ctx context.Context, ch postern.ChannelID, m wanted) ([]postern.ChatFile, error) {
	known := len(m.Files) > 0 && !slices.ContainsFunc(m.Files, func(f postern.ChatFile) bool { return f.URL == "" })
	reader, ok := able[messageReader](r.Platform)
	if known || m.Type != postern.FileMessage || !ok {
		return slices.Clone(m.Files), nil
	}
	now, err := through(ctx, r.chat, func(ctx context.Context) (postern.ChatMessage, error) { return reader.Message(ctx, ch, m.ID) })
	switch {
	case err != nil && !settled(err):
		return nil, err
	case err == nil && len(now.Files) > 0:
		return now.Files, nil
	case len(m.Files) > 0:
		return slices.Clone(m.Files), nil
	}
	return []postern.ChatFile{{}}, nil // there is a file, of which nothing is known
}

// take fetches one file into the mail, or links it; it tells how many bytes it took.
func (r *Rules) take(ctx context.Context, c *content, f postern.ChatFile, left int64, attempts int) (int64, error) {
	link := linked{Name: fileName(f), Type: f.ContentType, URL: f.URL}
	if f.URL == "" || f.Size > left {
		c.Links = append(c.Links, link)
		return 0, nil
	}
	body, size, err := r.Platform.OpenFile(ctx, f)
	if err == nil && size > left {
		_ = body.Close()
		c.Links = append(c.Links, link)
		return 0, nil
	}
	if err != nil {
		if !settled(err) && attempts < patience {
			return 0, err
		}
		link.Foreign = settled(err) && postern.CauseOf(err) != postern.CauseNotFound
		c.Links = append(c.Links, link)
		return 0, nil
	}
	a, err := r.fetch(body, f, left)
	switch {
	case errors.Is(err, errTooMuch), err != nil && attempts >= patience: // a file may always break off
		c.Links = append(c.Links, link)
		return 0, nil
	case err != nil:
		return 0, err
	}
	c.Files = append(c.Files, a)
	return a.Size, nil
}

var errTooMuch = errors.New("larger than what is left")

func (r *Rules) fetch(body io.ReadCloser, f postern.ChatFile, left int64) (attachment, error) {
	defer func() { _ = body.Close() }()
	d := r.Blobs.NewDraft(-1)
	defer d.Discard()
	n, err := io.Copy(d, io.LimitReader(body, left+1))
	if err != nil {
		return attachment{}, &postern.Error{Kind: postern.Temporary, Op: "relay.fetch", Err: err}
	}
	if n > left {
		return attachment{}, errTooMuch
	}
	if n == 0 { // a file of no bytes is a file
		if _, err := d.Write(nil); err != nil {
			return attachment{}, err
		}
	}
	_, ref, err := d.Keep()
	return attachment{Name: fileName(f), Type: mediaType(f.ContentType), Size: n, Blob: ref}, err
}

// blobs names the files of a mail.
func (c *content) blobs() (refs []string) {
	for _, f := range c.Files {
		if f.Blob != "" {
			refs = append(refs, f.Blob)
		}
	}
	return refs
}

// drop forgets the files of a mail that is not written down.
func (r *Rules) drop(c *content) {
	for _, ref := range c.blobs() {
		_ = r.Blobs.Delete(ref)
	}
}

// address fills in what depends on the participant, renders the texts, and gives the
// stored form.
func (c *content) address(r *Rules, p store.Participant, id postern.DeliveryID) ([]byte, error) {
	c.From, c.Address, c.Subject = c.sender, r.replyAddress(p.ID), p.Subject
	c.References = []string{p.RootID}
	if r.PublicURL != "" {
		c.Leave = r.PublicURL + "/u/" + r.Keys.ID(purposeLeave, uint64(p.ID))
	}
	c.render(r, id)
	return c.stored()
}

// stored is the form that is kept, of which restored makes the same content again. Signs
// of HTML stay as they are: escaped they would take six bytes each.
func (c *content) stored() ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(c.Text) + 1024)
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(c); err != nil {
		return nil, err
	}
	return b.Bytes()[:b.Len()-1], nil // without the line's end
}

func restored(b []byte) (*content, error) {
	c := &content{}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, postern.Errorf(postern.Permanent, "relay.outgoing", "content of a delivery: %w", err)
	}
	c.write()
	return c, nil
}

// displayName is what stands before the reply address: who writes, and where.
func (r *Rules) displayName(t *letterTo) string {
	var names []string
	for _, m := range t.messages {
		if n := oneLine(m.senderName(), 80); n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	where := r.where(t)
	var who string
	switch {
	case len(names) == 0:
		return where
	case len(names) <= 3:
		who = strings.Join(names, ", ")
	default:
		who = names[0] + ", " + names[1] + " +" + strconv.Itoa(len(names)-2)
	}
	if where == who || where == unnamed {
		return who
	}
	return who + " (" + where + ")"
}

// unnamed is what a channel without a name is called.
const unnamed = "Chat"

// where is what the place is called in which the messages were written.
func (r *Rules) where(t *letterTo) string {
	for _, s := range []string{r.FromName, oneLine(t.channel.Name, 80)} {
		if s != "" {
			return s
		}
	}
	return unnamed
}

// senderName is how the writer of a message is called; "" for the application's lines.
func (m wanted) senderName() string {
	if m.Sender.Name != "" {
		return m.Sender.Name
	}
	if isAddress(string(m.Sender.ID)) {
		return "" // a user id that is an address is nobody else's business
	}
	return string(m.Sender.ID)
}

// oneLine makes a text fit for a header: one line, no control characters, nothing that
// turns the direction of what follows or reads as an encoded word (RFC 2047), at most
// so many characters.
func oneLine(s string, most int) string {
	s = strings.Map(func(c rune) rune {
		switch {
		case unicode.IsControl(c) || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069:
			return ' '
		case c == 0x200b || c == 0x2060 || c == 0xfeff: // of no width, and nothing else
			return -1
		}
		return c
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Join(strings.Fields(strings.ReplaceAll(s, "=?", "= ?")), " ")
	if r := []rune(s); len(r) > most {
		s = string(r[:most-1]) + "…"
	}
	return s
}

// maxFileName is the longest name of a file, in bytes: less than file systems take,
// and so that its header field stays below 998 characters when every byte takes three.
const maxFileName = 200

// fileName is a file's name without path. One that is too long keeps its ending.
func fileName(f postern.ChatFile) string {
	name := f.Name
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.ReplaceAll(oneLine(name, 1000), `"`, "'") // which not every reader finds the end of
	if ext := path.Ext(name); len(name) > maxFileName && len(ext) <= 20 {
		name = clip(name, maxFileName-len(ext)) + ext
	}
	name = clip(name, maxFileName)
	if name == "" || name == "." || name == ".." {
		return "file"
	}
	return name
}

func sortMessages(ms []wanted) {
	slices.SortStableFunc(ms, func(a, b wanted) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		if len(a.ID) != len(b.ID) { // ids are numbers: the longer is the larger
			return len(a.ID) - len(b.ID)
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
}
