package relay

import (
	"context"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/postern-chat/postern"
)

// fileWord is the signed word of a link to a file that did not go with its mail. It
// holds until a time; the file is fetched when the link is followed, so it dies with
// the chat message.
func (r *Rules) fileWord(id postern.DeliveryID, i int, until time.Time) string {
	return r.Keys.Text(purposeFile, string(id)+"-"+strconv.Itoa(i)+"-"+strconv.FormatInt(until.Unix(), 36))
}

// LinkedFile is a file behind a link, opened.
type LinkedFile struct {
	Name, Type string
	Size       int64 // -1 = unknown
	Body       io.ReadCloser
}

// OpenLink follows a file's signed word. Permanent: it does not hold, any more or at
// all; who asks is not told which.
func (r *Rules) OpenLink(ctx context.Context, word string) (f LinkedFile, err error) {
	no := postern.Errorf(postern.Permanent, "relay.link", "no such link").Because(postern.CauseNotFound)
	text, ok := r.Keys.OpenText(purposeFile, word)
	parts := strings.Split(text, "-")
	if !ok || len(parts) != 3 {
		return f, no
	}
	i, err1 := strconv.Atoi(parts[1])
	until, err2 := strconv.ParseInt(parts[2], 36, 64)
	if err1 != nil || err2 != nil || r.Now().Unix() > until {
		return f, no
	}
	d, ok, err := r.Store.Delivery(ctx, postern.DeliveryID(parts[0]))
	if err != nil {
		return f, err
	}
	var c content
	if !ok || json.Unmarshal(d.Content, &c) != nil || i < 0 || i >= len(c.Links) {
		return f, no
	}
	l := c.Links[i]
	f.Name, f.Type = l.Name, l.Type
	f.Body, f.Size, err = r.Platform.OpenFile(ctx, postern.ChatFile{URL: l.URL, Name: l.Name, ContentType: l.Type})
	return f, err
}

// LeavePage is what the unsubscribe page needs to know.
type LeavePage struct {
	Participant  postern.ParticipantID
	Conversation string
	Muted        bool
}

// Leaving reads the word of an unsubscribe link; false if it does not hold.
func (r *Rules) Leaving(ctx context.Context, word string) (LeavePage, bool, error) {
	id, ok := r.Keys.OpenID(purposeLeave, word)
	if !ok {
		return LeavePage{}, false, nil
	}
	p, ok, err := r.Store.Participant(ctx, postern.ParticipantID(id))
	return LeavePage{Participant: p.ID, Conversation: p.Subject, Muted: p.Muted}, ok, err
}

// Leave lets a participant out of a conversation's mail, or in again. Repeating it
// changes nothing.
func (r *Rules) Leave(ctx context.Context, p postern.ParticipantID, out bool) error {
	return r.Store.SetMuted(ctx, p, out)
}
