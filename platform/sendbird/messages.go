package sendbird

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/postern-chat/postern"
)

// Names of the calls, for errors and metrics.
const (
	callPost     = "post"
	callMessages = "messages"
	callMessage  = "message"
)

// newMessage is the body of a send (docs: message/messaging-basics/send-a-message).
type newMessage struct {
	Type       string `json:"message_type"`
	UserID     string `json:"user_id,omitempty"`
	Message    string `json:"message"`
	CustomType string `json:"custom_type"`
	Data       string `json:"data"`
	DedupID    string `json:"dedup_id"`
	MarkAsRead *bool  `json:"mark_as_read,omitempty"`
}

// Post writes one message, text or file, and tells its id. It waits for its turn, by
// channel and user. See relay.Platform for its errors; a collision of dedup_id (the
// message is there already, perhaps) is Unsure with CauseExists.
func (c *Client) Post(ctx context.Context, p postern.NewPost) (postern.MessageID, error) {
	body, err := c.postBody(p)
	if err != nil {
		return "", err
	}
	k := call{name: callPost, method: http.MethodPost, path: []string{"group_channels", string(p.Channel), "messages"}, body: body}
	k.paced = paced(p.Channel, p.User)
	answer, err := c.do(ctx, k)
	if err != nil {
		return "", err
	}
	m, err := readMessage(answer)
	if err == nil && m.ID == "" {
		err = fmt.Errorf("answer without message id")
	}
	if err != nil {
		return "", postern.Errorf(postern.Unsure, k.op(), "%w", err)
	}
	return m.ID, nil
}

func paced(channel postern.ChannelID, user postern.UserID) []bucket {
	bs := []bucket{{'c', string(channel)}}
	if user != "" {
		bs = append(bs, bucket{'u', string(user)})
	}
	return bs
}

func (c *Client) postBody(p postern.NewPost) (*payload, error) {
	data, err := json.Marshal(map[string]string{markName: p.Mark})
	if err != nil {
		return nil, postern.Errorf(postern.Internal, opPost, "%w", err)
	}
	m := newMessage{
		Type: "MESG", UserID: string(p.User), Message: p.Text,
		CustomType: c.cfg.MarkKey, Data: string(data), DedupID: dedupID(p.ID),
		// The default, true, would move the sender's read mark over what he never saw.
		MarkAsRead: new(bool),
	}
	switch {
	case p.File != nil:
		return c.filePayload(p, m)
	case p.User == "":
		m.Type, m.MarkAsRead = "ADMM", nil
	}
	body, err := jsonPayload(m)
	if err != nil {
		return nil, postern.Errorf(postern.Internal, opPost, "%w", err)
	}
	return body, nil
}

const opPost = "sendbird." + callPost

// dedupID is the same for every try of one post. Sendbird may or may not heed it.
func dedupID(id postern.PostID) string {
	sum := sha256.Sum256([]byte("postern post " + id))
	return hex.EncodeToString(sum[:16])
}

// Messages lists a channel's messages created at or after since, oldest first, thread
// replies and removed ones included; at most 200.
func (c *Client) Messages(ctx context.Context, id postern.ChannelID, since time.Time) ([]postern.ChatMessage, error) {
	k := call{name: callMessages, method: http.MethodGet, path: []string{"group_channels", string(id), "messages"}}
	k.query = url.Values{
		"message_ts":         {strconv.FormatInt(max(since.UnixMilli(), 0), 10)},
		"prev_limit":         {"0"},
		"next_limit":         {"200"},
		"include":            {"true"},
		"include_reply_type": {"ALL"}, // the default hides thread replies
		"including_removed":  {"true"},
	}
	answer, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	list, err := readMessages(answer)
	if err != nil {
		return nil, postern.Errorf(postern.Temporary, k.op(), "%w", err)
	}
	for i := range list {
		list[i].Channel = id
	}
	slices.SortStableFunc(list, byAge)
	return list, nil
}

// byAge orders messages of one millisecond by their ids, which grow.
func byAge(a, b postern.ChatMessage) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
}

// Message gets one message: a webhook may tell of a file without telling where it is.
// A message that was deleted is Permanent with CauseNotFound.
func (c *Client) Message(ctx context.Context, channel postern.ChannelID, id postern.MessageID) (postern.ChatMessage, error) {
	k := call{name: callMessage, method: http.MethodGet, path: []string{"group_channels", string(channel), "messages", string(id)}}
	answer, err := c.do(ctx, k)
	if err != nil {
		return postern.ChatMessage{}, err
	}
	m, err := readMessage(answer)
	if err == nil && m.ID == "" {
		err = fmt.Errorf("answer without message id")
	}
	if err != nil {
		return postern.ChatMessage{}, postern.Errorf(postern.Temporary, k.op(), "%w", err)
	}
	m.Channel = channel
	return m, nil
}

func readMessage(answer []byte) (postern.ChatMessage, error) {
	r := reader{b: answer}
	var m message
	m.object(&r)
	return m.finish(), r.end()
}

func readMessages(answer []byte) ([]postern.ChatMessage, error) {
	r := reader{b: answer}
	var list []postern.ChatMessage
	found := false
	for r.object(); ; {
		key, ok := r.key()
		if !ok {
			break
		}
		if string(key) != "messages" || r.peek() != '[' {
			r.skip()
			continue
		}
		found = true
		for r.array(); r.next(); {
			var m message
			m.object(&r)
			if one := m.finish(); one.ID != "" {
				list = append(list, one)
			}
		}
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("answer without messages")
	}
	return list, nil
}
