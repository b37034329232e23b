package sendbird

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/postern-chat/postern"
)

// Channels lists group channels, Supergroups too, in which something was ever written,
// the newest message first; 100 at once. page is "" first, then what the call before told
// as next. Sendbird's pages hold only while nobody writes: a channel may come twice, and
// one that is written to meanwhile moves to the front. Silent messages, and replies that
// stay in their thread, may not count as a channel's last message.
func (c *Client) Channels(ctx context.Context, page string) (list []postern.Recent, next string, err error) {
	k := call{name: "channels", method: http.MethodGet, path: []string{"group_channels"}}
	k.query = url.Values{
		"order":      {"latest_last_message"},
		"limit":      {"100"},
		"show_empty": {"false"},
	}
	if page != "" {
		k.query.Set("token", page)
	}
	answer, err := c.do(ctx, k)
	if err != nil {
		return nil, "", err
	}
	if list, next, err = readChannels(answer); err != nil {
		return nil, "", postern.Errorf(postern.Temporary, k.op(), "%w", err)
	}
	if next == page && page != "" {
		return nil, "", postern.Errorf(postern.Temporary, k.op(), "pages go round in circles")
	}
	return list, next, nil
}

func readChannels(answer []byte) (list []postern.Recent, next string, err error) {
	next, err = readPage(answer, "channels", func(r *reader) {
		for r.array(); r.next(); {
			if one := r.recent(); one.Channel.ID != "" {
				list = append(list, one)
			}
		}
	})
	return list, next, err
}

// readPage reads an answer that is a list, by its name, and the token of the page after it.
func readPage(answer []byte, name string, list func(*reader)) (next string, err error) {
	r := reader{b: answer}
	found := false
	for r.object(); ; {
		key, ok := r.key()
		if !ok {
			break
		}
		switch {
		case string(key) == name && r.peek() == '[':
			found = true
			list(&r)
		case string(key) == "next":
			next = r.str()
		default:
			r.skip()
		}
	}
	if err := r.end(); err != nil {
		return "", err
	}
	if !found {
		return "", fmt.Errorf("answer without %s", name)
	}
	return next, nil
}

// recent reads a channel of a list, with its last message.
func (r *reader) recent() (out postern.Recent) {
	if !r.object() {
		return out
	}
	for {
		key, ok := r.key()
		if !ok {
			out.Last.Channel = out.Channel.ID
			return out
		}
		switch string(key) {
		case "channel_url":
			out.Channel.ID = postern.ChannelID(r.str())
		case "name":
			out.Channel.Name = r.str()
		case "custom_type":
			out.Channel.CustomType = r.str()
		case "is_super":
			out.Channel.Large = r.boolean(false)
		case "max_length_message":
			out.Channel.MaxMessageLength = int(r.integer())
		case "last_message":
			if r.peek() != '{' { // null: nobody wrote yet
				r.skip()
				continue
			}
			var m message
			m.object(r)
			out.Last = m.finish()
		default:
			r.skip()
		}
	}
}
