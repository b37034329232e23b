package sendbird

import (
	"context"
	"net/http"

	"github.com/postern-chat/postern"
)

// MarkDelivered moves the user's delivered mark in the channel to now, over all messages
// there are. Where the application has not bought delivery receipts it does nothing.
func (c *Client) MarkDelivered(ctx context.Context, id postern.ChannelID, user postern.UserID) error {
	return c.mark(ctx, "mark_delivered", "mark_as_delivered", id, user, nil)
}

// MarkRead moves the user's read mark in the channel to now, over all messages there
// are. It waits for its turn like Post. Sendbird may answer with a message_read webhook.
func (c *Client) MarkRead(ctx context.Context, id postern.ChannelID, user postern.UserID) error {
	return c.mark(ctx, "mark_read", "mark_as_read", id, user, paced(id, user))
}

func (c *Client) mark(ctx context.Context, name, verb string, id postern.ChannelID, user postern.UserID, bs []bucket) error {
	k := call{name: name, method: http.MethodPut, path: []string{"group_channels", string(id), "messages", verb}, paced: bs}
	body, err := jsonPayload(struct {
		UserID postern.UserID `json:"user_id"`
	}{user})
	if err != nil {
		return postern.Errorf(postern.Internal, k.op(), "%w", err)
	}
	k.body = body
	// The answer may hold the new mark, or nothing: the status is all that is promised.
	_, err = c.do(ctx, k)
	return err
}
