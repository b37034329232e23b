package sendbird

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/postern-chat/postern"
)

// maxMembers bounds a channel; whoever needs more does not want a mail for each.
const maxMembers = 20_000

// Channel tells name and limits of a channel.
func (c *Client) Channel(ctx context.Context, id postern.ChannelID) (postern.Channel, error) {
	k := call{name: "channel", method: http.MethodGet, path: []string{"group_channels", string(id)}}
	answer, err := c.do(ctx, k)
	if err != nil {
		return postern.Channel{}, err
	}
	r := reader{b: answer}
	var ch postern.Channel
	r.channel(&ch)
	err = r.end()
	if err == nil && ch.ID == "" {
		err = fmt.Errorf("answer without channel_url")
	}
	if err != nil {
		return postern.Channel{}, postern.Errorf(postern.Temporary, k.op(), "%w", err)
	}
	return ch, nil
}

// Members lists everybody in a channel, joined or invited, through all pages, with
// presence and receipts as they are now. More than 20,000 are Permanent.
func (c *Client) Members(ctx context.Context, id postern.ChannelID) ([]postern.Member, error) {
	k := call{name: "members", method: http.MethodGet, path: []string{"group_channels", string(id), "members"}}
	var all []postern.Member
	known := map[postern.UserID]bool{} // pages shift when somebody joins meanwhile
	seen := map[string]bool{}
	for token := ""; ; {
		k.query = url.Values{
			"limit":                 {"100"},
			"member_state_filter":   {"all"},
			"show_read_receipt":     {"true"},
			"show_delivery_receipt": {"true"},
		}
		if token != "" {
			k.query.Set("token", token)
		}
		answer, err := c.do(ctx, k)
		if err != nil {
			return nil, err
		}
		page, next, err := readMembers(answer)
		if err != nil {
			return nil, postern.Errorf(postern.Temporary, k.op(), "%w", err)
		}
		before := len(all)
		for _, m := range page {
			if !known[m.ID] {
				known[m.ID] = true
				all = append(all, m)
			}
		}
		switch {
		case len(all) > maxMembers:
			return nil, postern.Errorf(postern.Permanent, k.op(), "more than %d members", maxMembers)
		case next == "":
			return all, nil
		case seen[next] || len(all) == before:
			return nil, postern.Errorf(postern.Temporary, k.op(), "pages go round in circles")
		}
		seen[next] = true
		token = next
	}
}

func readMembers(answer []byte) (page []postern.Member, next string, err error) {
	next, err = readPage(answer, "members", func(r *reader) { page = r.members() })
	return page, next, err
}
