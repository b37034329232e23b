package relay

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/seal"
	"github.com/postern-chat/postern/letter"
	"github.com/postern-chat/postern/store"
)

// settleTime is how long a call whose answer was lost may still take effect at the
// platform. Only after it a search for our mark that finds nothing counts.
const settleTime = 10 * time.Second

// blindTime is the same where nobody can search: longer than any call of ours takes that
// the platform may still be at work on.
const blindTime = time.Minute

// post makes the posts of a batch that are not made yet, in order.
func (r *Rules) post(ctx context.Context, l *store.Lease, j store.Job) (func(*store.Tx) error, error) {
	a, err := decode(j)
	if err != nil {
		return nil, err
	}
	posts, err := r.Store.Posts(ctx, a.Batch)
	if err != nil || len(posts) == 0 {
		return func(tx *store.Tx) error { return tx.Done(j) }, err
	}
	c, ok, err := r.Store.Conversation(ctx, posts[0].Conversation)
	if err != nil || !ok {
		return func(tx *store.Tx) error { return tx.Done(j) }, err
	}
	b := &poster{r: r, l: l, j: j, channel: c.Channel}
	defer b.close()
	return b.all(ctx, a, posts)
}

// all makes the posts of a batch in order.
func (b *poster) all(ctx context.Context, a args, posts []store.Post) (func(*store.Tx) error, error) {
	for i := 0; i < len(posts); i++ {
		b.last = i == len(posts)-1
		final, reshaped, err := b.one(ctx, posts[i])
		if err != nil || final != nil {
			return final, err
		}
		if reshaped {
			if posts, err = b.r.Store.Posts(ctx, a.Batch); err != nil {
				return nil, err
			}
			i-- // the post at this place is another one now
		}
	}
	return b.posted(a, posts), nil
}

// posted ends a batch.
func (b *poster) posted(a args, posts []store.Post) func(*store.Tx) error {
	j := b.j
	return func(tx *store.Tx) error {
		if b.made != "" {
			if err := tx.PostEnds(posts[len(posts)-1].ID, store.Posted, b.made, ""); err != nil {
				return err
			}
		}
		for _, p := range posts {
			if err := tx.Note(store.Note{What: "posted", Channel: a.Channel, User: a.User, Ref: a.Batch, Ref2: string(p.ID)}); err != nil {
				return err
			}
		}
		if a.Delivery != "" && j.Kind == jobPost {
			if err := tx.Add(receiptJob(a.For)); err != nil {
				return err
			}
		}
		return tx.Done(j)
	}
}

// poster makes posts of one batch; it opens the mail their files stand in at most once.
type poster struct {
	r       *Rules
	l       *store.Lease
	j       store.Job
	channel postern.ChannelID
	mail    *arrived

	// A mail of one post takes two transactions, not four.
	begun postern.PostID    // begins in the store already, with its plan
	last  bool              // the post under way ends its batch
	made  postern.MessageID // the last one stands in the chat; written down with the end of the batch
}

func (b *poster) close() {
	if b.mail != nil {
		_ = b.mail.close()
	}
}

// one makes one post. final: the lane is to be given back with it, the batch waits or
// is given up. reshaped: other posts stand in its place now.
func (b *poster) one(ctx context.Context, p store.Post) (final func(*store.Tx) error, reshaped bool, err error) {
	switch p.State {
	case store.Posted, store.Refused:
		return nil, false, nil
	case store.Posting:
		final, done, err := b.search(ctx, p)
		if err != nil || final != nil || done {
			return final, false, err
		}
	}
	again := !p.AttemptedAt.IsZero()
	np, err := b.compose(ctx, p)
	if err != nil {
		return nil, false, err
	}
	if p.ID != b.begun {
		if err := b.work(ctx, func(tx *store.Tx) error { return tx.PostBegins(p.ID) }); err != nil {
			return nil, false, err
		}
	}
	id, err := b.r.Platform.Post(ctx, np)
	if err == nil && b.last && id != "" {
		b.made = id
		return nil, false, nil
	}
	if err == nil {
		return nil, false, b.work(ctx, func(tx *store.Tx) error { return tx.PostEnds(p.ID, store.Posted, id, "") })
	}
	if again && postern.CauseOf(err) == postern.CauseExists {
		// Nobody else has this id: an earlier call of ours had its effect.
		return nil, false, b.work(ctx, func(tx *store.Tx) error { return tx.PostEnds(p.ID, store.Posted, "", "the chat has it by its id") })
	}
	return b.failed(ctx, p, err)
}

func (b *poster) work(ctx context.Context, fn func(*store.Tx) error) error {
	return b.r.Store.Work(ctx, b.l, fn)
}

// compose makes a post ready for the platform.
func (b *poster) compose(ctx context.Context, p store.Post) (postern.NewPost, error) {
	np := postern.NewPost{ID: p.ID, Mark: b.r.mark(p), Channel: b.channel, User: p.User, Text: p.Text}
	if len(p.File) == 0 {
		return np, nil
	}
	var ref fileRef
	if err := json.Unmarshal(p.File, &ref); err != nil {
		return np, postern.Errorf(postern.Permanent, "relay.post", "reference to a file: %w", err)
	}
	if ref.Index == wholeText {
		np.Text = ""
		np.File = &postern.Upload{Name: ref.Name, ContentType: ref.Type, Size: int64(len(p.Text)), Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(p.Text)), nil
		}}
		return np, nil
	}
	if err := b.open(ctx, ref.Event); err != nil {
		return np, err
	}
	if ref.Index < 0 || ref.Index >= len(b.mail.mail.Attachments) {
		return np, postern.Errorf(postern.Permanent, "relay.post", "the mail has no such file")
	}
	f := b.mail.mail.Attachments[ref.Index]
	size, err := exactSize(f)
	np.File = &postern.Upload{Name: ref.Name, ContentType: mediaType(ref.Type), Size: size, Open: f.Open}
	return np, err
}

// exactSize reads a file through once where the mail itself does not tell its size for
// sure: an upload's length is announced before its bytes.
func exactSize(f *letter.Attachment) (int64, error) {
	body, err := f.Open()
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }()
	n, err := io.Copy(io.Discard, body)
	if err != nil {
		return 0, &postern.Error{Kind: postern.Temporary, Op: "relay.post", Err: err}
	}
	return n, nil
}

func (b *poster) open(ctx context.Context, event int64) error {
	if b.mail != nil {
		return nil
	}
	e, ok, err := b.r.Store.Event(ctx, event)
	if err != nil {
		return err
	}
	if !ok {
		return postern.Errorf(postern.Permanent, "relay.post", "the recorded mail is gone")
	}
	m, err := b.r.open(store.Job{Event: &e})
	if err != nil {
		_ = m.close()
		return err
	}
	b.mail = m
	return nil
}

// maxPostAge is how long a post is tried while the chat is down or refuses us all. Then
// its mail waits for an operator as held mail, before the job itself would be given up.
const maxPostAge = 70 * time.Hour

// failed says what becomes of a post that was not made.
func (b *poster) failed(ctx context.Context, p store.Post, cause error) (final func(*store.Tx) error, reshaped bool, err error) {
	r, j := b.r, b.j
	switch kind, why := postern.KindOf(cause), postern.CauseOf(cause); {
	case why == postern.CauseTooLong && len(p.File) == 0 && len([]rune(p.Text)) > leastText:
		return nil, true, b.reshape(ctx, p)
	case why == postern.CauseTooLarge && len(p.File) > 0:
		return nil, true, b.replaceFile(ctx, p)
	case kind == postern.Unsure:
		r.Logger.Warn("a post may or may not stand in the chat", "post", p.ID, "error", cause)
		return func(tx *store.Tx) error { return tx.Again(j, tx.Now().Add(settleTime)) }, false, nil
	case kind == postern.Permanent || kind == postern.Invalid || r.Now().Sub(j.AddedAt) > maxPostAge:
		r.Logger.Error("the chat refuses a post for good", "post", p.ID, "error", cause)
		return b.refused(p, cause), false, nil
	}
	// Certainly not made: it is planned again, and the job's error puts the lane off.
	if err := b.work(ctx, func(tx *store.Tx) error { return tx.PostEnds(p.ID, store.Planned, "", "") }); err != nil {
		return nil, false, err
	}
	return nil, false, cause
}

// reshape splits a text that the platform found too long, in half.
func (b *poster) reshape(ctx context.Context, p store.Post) error {
	parts := splitText(p.Text, max(leastText, (len([]rune(p.Text))+1)/2))
	return b.replace(ctx, p, func(p store.Post) []store.Post {
		out := make([]store.Post, len(parts))
		for i, text := range parts {
			out[i] = store.Post{Conversation: p.Conversation, User: p.User, Text: text}
		}
		return out
	})
}

// replaceFile puts a line in the place of a file that the platform finds too large. The
// operator has the mail.
func (b *poster) replaceFile(ctx context.Context, p store.Post) error {
	var ref fileRef
	if err := json.Unmarshal(p.File, &ref); err != nil {
		return postern.Errorf(postern.Permanent, "relay.post", "reference to a file: %w", err)
	}
	return b.replace(ctx, p, func(p store.Post) []store.Post {
		return []store.Post{{Conversation: p.Conversation, User: p.User, Text: "📎 " + ref.Name + " (too large for the chat)"}}
	})
}

// replace puts other posts in the place of one, and moves those behind it along.
func (b *poster) replace(ctx context.Context, p store.Post, by func(store.Post) []store.Post) error {
	all, err := b.r.Store.Posts(ctx, p.Batch)
	if err != nil {
		return err
	}
	next := by(p)
	for _, q := range all {
		if q.Seq > p.Seq {
			next = append(next, q)
		}
	}
	for i := range next {
		next[i].ID, next[i].Batch, next[i].Seq, next[i].State = postern.PostID(seal.NewID(b.r.Now())), p.Batch, p.Seq+i, store.Planned
		next[i].AttemptedAt = time.Time{}
	}
	return b.work(ctx, func(tx *store.Tx) error {
		if err := tx.PostEnds(p.ID, store.Planned, "", ""); err != nil {
			return err
		}
		return tx.Reshape(p, next)
	})
}

// refused gives a batch up: what was not posted waits for an operator as held mail.
func (b *poster) refused(p store.Post, cause error) func(*store.Tx) error {
	a, _ := decode(b.j) // was decoded before
	return func(tx *store.Tx) error {
		if err := tx.PostEnds(p.ID, store.Refused, "", postern.KindOf(cause).String()); err != nil {
			return err
		}
		if e := b.j.Event; e != nil && b.j.Kind == jobPost {
			var in postern.Inbound
			_ = json.Unmarshal(e.Body, &in) // at worst the operator sees no addresses
			local, _, _ := cutAddress(in.Recipient)
			to, _ := b.r.participantOf(local)
			h := store.Held{Event: e.ID, Participant: to, Reason: "the chat refused it", Detail: codeOf(cause), Sender: in.Sender, Recipient: in.Recipient, State: store.HeldWaiting}
			if err := tx.Hold(h); err != nil {
				return err
			}
		}
		if err := tx.Note(store.Note{What: "not posted", Why: "the chat refused it", Channel: a.Channel, User: a.User, Ref: a.Batch, Ref2: string(p.ID), Detail: codeOf(cause)}); err != nil {
			return err
		}
		return tx.Done(b.j)
	}
}

// search looks for a post whose call was made but whose answer was lost. done: it
// stands in the chat. Neither done nor final: it is to be made again.
//
// Where the platform does not let messages be listed, nobody can look. Then the call is
// repeated after a longer while with the id that the platform has of it: Sendbird says of
// its dedup_id that it checks for a duplicate, not for how long nor with what answer. An
// answer that is lost for ever would lose the mail's words, which is worse than a line
// that stands twice; a note says that it was done so.
func (b *poster) search(ctx context.Context, p store.Post) (final func(*store.Tx) error, done bool, err error) {
	id, err := b.find(ctx, p)
	blind := settled(err)
	if err != nil && !blind {
		return nil, false, err
	}
	if id != "" {
		return nil, true, b.work(ctx, func(tx *store.Tx) error { return tx.PostEnds(p.ID, store.Posted, id, "found by its mark") })
	}
	patient := settleTime
	if blind {
		patient = blindTime
	}
	if wait := patient - b.r.Store.Now().Sub(p.AttemptedAt); wait > 0 {
		wait = min(wait, patient) // the clock may have been set between reading p and now
		return func(tx *store.Tx) error { return tx.Again(b.j, tx.Now().Add(wait)) }, false, nil
	}
	if !blind {
		return nil, false, nil
	}
	b.r.Logger.Warn("a post is repeated unseen: the chat does not let messages be listed", "post", p.ID, "code", codeOf(err))
	a, _ := decode(b.j) // was decoded before
	return nil, false, b.work(ctx, func(tx *store.Tx) error {
		return tx.Note(store.Note{What: "repeated", Why: "the chat does not let messages be listed: it tells repeats by their id alone", Channel: a.Channel, User: a.User, Ref: a.Batch, Ref2: string(p.ID)})
	})
}

// clockSkew is how far the platform's clock may be from ours, beyond what it told us, when
// its messages are searched by time.
const clockSkew = 5 * time.Minute

// find looks for our mark among the channel's messages since the call began. Where our
// clock was ahead of the platform's, which only an answer tells, it looks once more from as
// much earlier.
func (b *poster) find(ctx context.Context, p store.Post) (postern.MessageID, error) {
	behind := max(-b.r.ahead(), 0)
	id, err := b.findSince(ctx, p.AttemptedAt.Add(-behind-clockSkew), b.r.mark(p))
	if now := max(-b.r.ahead(), 0); err == nil && id == "" && now-behind > clockSkew/2 {
		return b.findSince(ctx, p.AttemptedAt.Add(-now-clockSkew), b.r.mark(p))
	}
	return id, err
}

func (b *poster) findSince(ctx context.Context, since time.Time, mark string) (postern.MessageID, error) {
	const pages = 20
	for range pages {
		ms, err := b.r.Platform.Messages(ctx, b.channel, since)
		if err != nil {
			return "", err
		}
		newest := since
		for _, m := range ms {
			if m.Mark == mark {
				return m.ID, nil
			}
			if m.CreatedAt.After(newest) {
				newest = m.CreatedAt
			}
		}
		if !newest.After(since) {
			break
		}
		since = newest
	}
	return "", nil
}

// leastText is how many characters a channel takes at least, whatever it says.
const leastText = 50

// textLimit is how long a text of the channel may be, in characters.
func (r *Rules) textLimit(ctx context.Context, ch postern.ChannelID, text string) (int, error) {
	if len(text) <= leastText {
		return r.MaxText, nil // if the channel is that narrow, its refusal tells
	}
	most, err := r.longestText(ctx, ch)
	if settled(err) || err == nil && most <= 0 {
		return r.MaxText, nil
	}
	return min(r.MaxText, most), err
}

func codeOf(err error) string {
	var e *postern.Error
	if errors.As(err, &e) {
		return strings.TrimSpace(e.Kind.String() + " " + e.Code)
	}
	return postern.KindOf(err).String()
}
