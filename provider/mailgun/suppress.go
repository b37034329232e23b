package mailgun

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-chat/postern"
)

// Lift takes an address off the domain's lists of bounces, unsubscribes and
// complaints. An address that is on none is no error. All three are tried even if one
// fails. It needs the account key.
func (c *Client) Lift(ctx context.Context, address string) (err error) {
	const op = "mailgun.lift"
	defer c.observe("lift", c.cfg.Now(), &err)
	if !strings.Contains(address, "@") {
		// An empty name, or a dot, would make it the call that empties the whole list.
		return postern.Errorf(postern.Permanent, op, "no address")
	}
	var first error
	for _, list := range []string{"bounces", "unsubscribes", "complaints"} {
		target := c.base + "/v3/" + url.PathEscape(c.cfg.Domain) + "/" + list + "/" + url.PathEscape(address)
		a, err := c.call(ctx, op, http.MethodDelete, target, nil)
		if a != nil && a.status == http.StatusNotFound {
			err = nil
		}
		if err != nil && first == nil {
			first = err
		}
	}
	return first
}
