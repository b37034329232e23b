package relay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/seal"
	"github.com/postern-chat/postern/letter"
	"github.com/postern-chat/postern/replytext"
	"github.com/postern-chat/postern/store"
)

// arrived is an e-mail on its way into the chat.
type arrived struct {
	event  int64
	in     postern.Inbound
	mail   *letter.Message
	to     store.Participant // zero: no such reply address
	person postern.Person
	last   []store.Delivery // the last deliveries to him, newest first
	since  time.Time        // when he was written down, with the first delivery to him
	named  string           // see batch
	before bool             // posts of the same mail are written down already
	close  func() error
}

// inbound decides about an e-mail that arrived, writes down the posts it becomes, and
// makes them.
func (r *Rules) inbound(ctx context.Context, l *store.Lease, j store.Job) (func(*store.Tx) error, error) {
	a, err := decode(j)
	if err != nil {
		return nil, err
	}
	m, err := r.open(j)
	defer func() { _ = m.close() }()
	var limit *letter.LimitError
	large := errors.As(err, &limit)
	if err != nil && !large {
		return nil, err
	}
	if err := r.lookUp(ctx, m); err != nil {
		return nil, err
	}
	if large {
		return r.setAside(j, m, ruling{doHold, "larger or more complicated than is taken", limit.Limit}, nil), nil
	}
	rule := r.judge(m.in, m.mail, m.to, m.person)
	if a.Released && m.to.ID != 0 {
		rule = ruling{do: doPost, why: "released by an operator"}
	}
	if rule.do != doPost && rule.do != doGuest {
		var news *bounceNews
		if rule.do == doNote {
			if news, err = r.bounceNews(ctx, m); err != nil {
				return nil, err
			}
		}
		return r.setAside(j, m, rule, news), nil
	}
	return r.toPosts(ctx, l, j, m, rule, a.Released)
}

// toPosts makes posts of one mail.
func (r *Rules) toPosts(ctx context.Context, l *store.Lease, j store.Job, m *arrived, rule ruling, released bool) (func(*store.Tx) error, error) {
	sent, answered, err := r.answersTo(ctx, m)
	if err != nil {
		return nil, err
	}
	posts, trimmed, err := r.plan(ctx, m, rule, sent)
	if err != nil {
		return nil, err
	}
	if len(posts) == 0 {
		return r.setAside(j, m, ruling{doHold, "no words of its own were found in it", ""}, nil), nil
	}
	batch := posts[0].Batch
	if m.before && !released {
		return func(tx *store.Tx) error {
			if err := tx.Note(r.mailNote(m, "not posted", "the same mail came before", "")); err != nil {
				return err
			}
			return tx.Done(j)
		}, nil
	}
	next := args{Batch: batch, Channel: m.to.Channel, User: m.to.User, Delivery: answered, For: m.to.ID}
	b := &poster{r: r, l: l, j: j, channel: m.to.Channel, mail: m} // which inbound closes
	if !m.before && len(posts[0].File) == 0 {
		b.begun = posts[0].ID // nothing but its call is left to do
	}
	err = r.Store.Work(ctx, l, func(tx *store.Tx) error {
		// Released: what was planned then is posted, not what would be planned now.
		plan := func() error { return tx.PlanAgain(batch) }
		if !m.before {
			planned := slices.Clone(posts)
			if b.begun != "" {
				planned[0].State, planned[0].AttemptedAt = store.Posting, tx.Now()
			}
			plan = func() error { return tx.PlanPosts(planned) }
		}
		if err := plan(); err != nil {
			return err
		}
		if err := r.answers(tx, m, answered, rule); err != nil {
			return err
		}
		n := r.mailNote(m, "to be posted", rule.why, trimmed)
		n.Ref2 = batch
		if err := tx.Note(n); err != nil {
			return err
		}
		return tx.Become(j, jobPost, encode(next))
	})
	if err != nil {
		return nil, err
	}
	b.j.Kind, b.j.Args = jobPost, encode(next)
	if m.before {
		return r.post(ctx, l, b.j)
	}
	return b.all(ctx, next, posts)
}

// answers keeps what a mail proves of the delivery that it answers: that it arrived, and,
// if it is the participant's own word, that he read it.
func (r *Rules) answers(tx *store.Tx, m *arrived, answered postern.DeliveryID, rule ruling) error {
	if answered == "" {
		return nil
	}
	if slices.ContainsFunc(m.last, func(d store.Delivery) bool { return d.ID == answered && d.State < store.Accepted }) {
		// Its call was uncertain, and now the lane may go on.
		if err := tx.Poke(r.mailLane(m.to), jobSend); err != nil {
			return err
		}
	}
	if rule.do == doPost {
		return tx.Answered(answered)
	}
	_, err := tx.Advance(answered, store.Delivered, tx.Now(), "")
	return err
}

// open reads an e-mail's envelope and content. It may give a mail and an error: of one
// that is too large the envelope is known. What it gives is to be closed.
func (r *Rules) open(j store.Job) (*arrived, error) {
	m := &arrived{close: func() error { return nil }}
	if j.Event == nil {
		return m, postern.Errorf(postern.Permanent, "relay.inbound", "the recorded mail is gone")
	}
	m.event = j.Event.ID
	if err := json.Unmarshal(j.Event.Body, &m.in); err != nil {
		return m, postern.Errorf(postern.Permanent, "relay.inbound", "envelope of a mail: %w", err)
	}
	return m, r.read(j.Event, m)
}

// lookUp finds whom an e-mail is for, and what was sent to him last.
func (r *Rules) lookUp(ctx context.Context, m *arrived) error {
	local, _, _ := cutAddress(m.in.Recipient)
	id, ok := r.participantOf(local)
	if !ok {
		return nil
	}
	batch := ""
	if m.mail != nil {
		m.named = m.batch()
		batch = m.named
	}
	a, ok, err := r.Store.Answerer(ctx, id, batch)
	if err != nil || !ok {
		return err
	}
	m.to, m.person, m.last, m.since, m.before = a.Participant, a.Person, a.Last, a.Since, a.Before
	if !a.Known && r.UserIDIsAddress && isAddress(string(m.to.User)) {
		m.person.Email = string(m.to.User)
	}
	return nil
}

// read opens and reads the raw message; it stays open until close, because attachments
// are read from it.
func (r *Rules) read(e *store.Event, m *arrived) error {
	var src io.ReaderAt = bytes.NewReader(e.Content)
	size := int64(len(e.Content))
	if e.Ref != "" {
		f, err := r.Blobs.Open(e.Ref)
		if err != nil {
			return err
		}
		src, size, m.close = f, f.Size(), f.Close
	}
	opt := letter.Options{
		OurIDs:     func(id string) bool { return strings.HasSuffix(id, "@"+r.Domain) },
		LoopHeader: headerLoop, LoopValue: r.loopWord(),
	}
	if m.in.Sender != "" { // an empty one may also be one that was not told
		opt.ReturnPath = &m.in.Sender
	}
	var err error
	m.mail, err = letter.Read(src, size, opt)
	return err
}

// setAside keeps a mail out of the chat, with the reason.
func (r *Rules) setAside(j store.Job, m *arrived, rule ruling, news *bounceNews) func(*store.Tx) error {
	h := store.Held{Event: m.event, Participant: m.to.ID, Reason: rule.why, Detail: rule.detail, Sender: m.in.Sender, Recipient: m.in.Recipient, State: store.HeldWaiting}
	if m.mail != nil {
		h.Subject = clip(oneLine(m.mail.Subject, 200), 800)
		if len(m.mail.From) > 0 {
			h.Sender = m.mail.From[0].Address
		}
	}
	what := "held"
	if rule.do == doRefuse {
		what, h.State = "refused", store.HeldRefused
	}
	if rule.do == doNote {
		what = "not posted"
	}
	r.Observe(what, rule.why)
	return func(tx *store.Tx) error {
		if rule.do == doNote {
			if err := r.bounced(tx, m, news); err != nil {
				return err
			}
		} else if err := tx.Hold(h); err != nil {
			return err
		}
		if err := tx.Note(r.mailNote(m, what, rule.why, rule.detail)); err != nil {
			return err
		}
		return tx.Done(j)
	}
}

func (r *Rules) mailNote(m *arrived, what, why, detail string) store.Note {
	n := store.Note{What: what, Why: why, Channel: m.to.Channel, User: m.to.User, Ref: store.EventRef(m.event), Detail: detail}
	if m.mail != nil {
		n.Ref2 = clip(m.mail.MessageID, 200) // so that a mail is found by its own name too
	}
	return n
}

// answersTo finds what was sent to the participant that this mail may answer, the
// likeliest first, and the delivery that it certainly answers.
func (r *Rules) answersTo(ctx context.Context, m *arrived) (sent []replytext.Sent, answered postern.DeliveryID, err error) {
	const recent, most = store.LastFew, 32 // how many are compared, and looked for
	var ds []store.Delivery
	ids := slices.Concat(m.mail.References, m.mail.InReplyTo)
	slices.Reverse(ids) // References ends with what is answered (RFC 5322 section 3.6.4)
	named := false
	for _, id := range ids[:min(len(ids), most)] {
		if len(ds) == recent || id == m.to.RootID || !strings.HasSuffix(id, "@"+r.Domain) {
			continue
		}
		named = true
		d, ok, err := r.deliveryNamed(ctx, m, id)
		if err != nil {
			return nil, "", err
		}
		if ok && d.Participant == m.to.ID {
			if answered == "" {
				answered = d.ID
			}
			ds = append(ds, d)
		}
	}
	if answered == "" && !named && len(m.last) == 1 && m.last[0].CreatedAt.Equal(m.since) {
		answered = m.last[0].ID // only that can have told him where to write to: none is forgotten by now
	}
	seen := map[postern.DeliveryID]bool{}
	for _, d := range append(ds, m.last...) {
		c, err := restored(d.Content)
		if seen[d.ID] || err != nil {
			continue
		}
		seen[d.ID] = true
		sent = append(sent, replytext.Sent{From: []string{c.Address}, Name: c.From, Subject: c.Subject, MessageID: d.MessageID, Text: c.Text, HTML: c.HTML})
	}
	return sent, answered, nil
}

// deliveryNamed finds a delivery by its Message-ID, mostly among the last ones.
func (r *Rules) deliveryNamed(ctx context.Context, m *arrived, id string) (store.Delivery, bool, error) {
	for _, d := range m.last {
		if d.MessageID == id {
			return d, true, nil
		}
	}
	return r.Store.DeliveryByMessageID(ctx, id)
}

// maxTextPosts is how many messages the text of one mail may become. A log of a megabyte
// that somebody pasted would fill the channel with two hundred, and as one user may post
// four a second, nothing else of his would be heard for a minute.
const maxTextPosts = 20

// wholeName is what the file with the whole of a long text is called.
const wholeName = "message.txt"

// bounded keeps the beginning of a text that is too long, and a line which says so. whole:
// all of it is to follow as a file. A guest has no user who could post one.
func bounded(parts []string, guest bool) (kept []string, whole bool) {
	if len(parts) <= maxTextPosts {
		return parts, false
	}
	kept = slices.Clone(parts[:maxTextPosts-1])
	if guest {
		return append(kept, "[…] (the rest is not posted)"), false
	}
	return append(kept, "[…] (all of it follows as "+wholeName+")"), true
}

// wholeText is the Index of a file that is not the mail's own: the text of its post.
const wholeText = -1

// fileRef says where in a recorded mail a file stands.
type fileRef struct {
	Event int64  `json:"event"`
	Index int    `json:"index"`
	Name  string `json:"name"`
	Type  string `json:"type"`
}

// plan says which chat messages a mail becomes: its new words, split where they are too
// long, then its files in order. trimmed says what was left out of the words.
func (r *Rules) plan(ctx context.Context, m *arrived, rule ruling, sent []replytext.Sent) (posts []store.Post, trimmed string, err error) {
	reply := r.extract(m, sent)
	text := strings.TrimSpace(pictureMark.ReplaceAllString(reply.Text, ""))
	if m.mail.Reaction != nil {
		text = m.mail.Reaction.Emoji // its texts are a fall-back in words
	}
	for _, c := range m.mail.Calendar {
		text = strings.TrimSpace(text + "\n\n" + invitation(c))
	}
	if len(reply.Cuts) > 0 {
		trimmed = fmt.Sprintf("%d cuts, confidence %.2f, certain %t", len(reply.Cuts), reply.Confidence, reply.Certain)
	}
	batch := m.named
	add := func(p store.Post) {
		p.ID, p.Batch, p.Seq, p.Conversation = postern.PostID(seal.NewID(r.Now())), batch, len(posts), m.to.Conversation.ID
		if p.User = m.to.User; rule.do == doGuest {
			p.User = "" // nobody else may speak as the participant
		}
		posts = append(posts, p)
	}
	if rule.do == doGuest {
		text = guestText(m, reply, text)
	}
	limit, err := r.textLimit(ctx, m.to.Channel, text)
	if err != nil {
		return nil, "", err
	}
	parts, whole := bounded(splitText(text, limit), rule.do == doGuest)
	for _, part := range parts {
		add(store.Post{Text: part})
	}
	if whole {
		ref, _ := json.Marshal(fileRef{Event: m.event, Index: wholeText, Name: wholeName, Type: "text/plain; charset=utf-8"}) // never fails
		add(store.Post{Text: text, File: ref})
	}
	if len(parts) == maxTextPosts {
		trimmed = strings.TrimPrefix(trimmed+"; longer than is posted", "; ")
	}
	for i, f := range m.mail.Attachments {
		if !wantedFile(f, reply) || rule.do == doGuest {
			continue
		}
		ref, _ := json.Marshal(fileRef{m.event, i, fileName(postern.ChatFile{Name: f.Name}), f.ContentType}) // strings and numbers: never fails
		add(store.Post{File: ref})
	}
	return posts, trimmed, nil
}

func (r *Rules) extract(m *arrived, sent []replytext.Sent) replytext.Result {
	return replytext.Extract(replytext.Input{Text: m.mail.Text, HTML: m.mail.HTML, Subject: m.mail.Subject, Sent: sent, ProviderText: m.in.Stripped})
}

// pictureMark is how replytext keeps the place of a picture; the picture itself follows
// as a file.
var pictureMark = regexp.MustCompile(`!\[[^\]]*\]\(cid:[^)]*\)`)

// wantedFile leaves out what only programs read, and pictures of what was cut away.
func wantedFile(f *letter.Attachment, reply replytext.Result) bool {
	switch f.Role {
	case letter.RoleFile, letter.RoleMessage, letter.RoleText:
		return true
	case letter.RoleInline:
		// A picture that stands only in the quoted history, or in the signature below it, is not new.
		return f.ContentID == "" || reply.Source != replytext.FromHTML || strings.Contains(reply.Text, f.ContentID)
	}
	return false
}

// guestText is a guest's line. A file needs a user who posts it, so his files are named
// only; the operator has the mail.
func guestText(m *arrived, reply replytext.Result, text string) string {
	for _, f := range m.mail.Attachments {
		if wantedFile(f, reply) {
			text = strings.TrimSpace(text + "\n📎 " + oneLine(f.Name, 150))
		}
	}
	if text == "" {
		return ""
	}
	return guestName(m) + ": " + text
}

func guestName(m *arrived) string {
	if n := oneLine(m.mail.From[0].Name, 80); n != "" {
		return n + " (by e-mail)"
	}
	return "Somebody (by e-mail)"
}

// batch names a mail by what it says, so that the same mail coming by two ways, or
// twice, is one. A mail without a Message-ID is told by its whole content.
func (m *arrived) batch() string {
	h := sha256.New()
	for _, s := range []string{strings.ToLower(m.in.Recipient), m.mail.MessageID, m.mail.Header.Get("Date"), m.mail.Header.Get("From"), m.mail.Text, m.mail.HTML} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	for _, f := range m.mail.Attachments {
		fmt.Fprintf(h, "%s/%s/%d", f.Name, f.ContentType, f.Size)
	}
	return "mail-" + hex.EncodeToString(h.Sum(nil)[:16])
}

// invitation is how a calendar invitation reads in the chat.
func invitation(c letter.Invitation) string {
	s := "📅 " + c.Title
	switch {
	case c.Start.IsZero():
	case c.AllDay:
		s += "\n" + c.Start.Format("Mon 2 Jan 2006")
	case c.Floating:
		s += "\n" + c.Start.Format("Mon 2 Jan 2006 15:04")
	default:
		s += "\n" + c.Start.Format("Mon 2 Jan 2006 15:04 MST")
	}
	if c.Place != "" {
		s += "\n" + c.Place
	}
	return s
}
