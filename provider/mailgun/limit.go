package mailgun

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/postern-chat/postern"
)

// Limiter keeps a rate that several processes share, by the name of the call.
type Limiter interface {
	// Wait blocks until a call may begin. It fails with Temporary if ctx ends first, or
	// if there is no turn for long.
	Wait(ctx context.Context, call string) error
	// Hold keeps all processes from such calls until then.
	Hold(ctx context.Context, call string, until time.Time) error
}

// leastHold is for a 429 that does not say for how long.
const leastHold = time.Second

// turn waits for our turn to make a call.
func (c *Client) turn(ctx context.Context, call string) error {
	if c.cfg.Limiter == nil {
		return nil
	}
	return c.cfg.Limiter.Wait(ctx, call)
}

// heed tells all processes of an answer that it is too much.
func (c *Client) heed(ctx context.Context, call string, err error) {
	var e *postern.Error
	if c.cfg.Limiter == nil || !errors.As(err, &e) || e.Code != strconv.Itoa(http.StatusTooManyRequests) {
		return
	}
	// If it fails the others will be told as we were.
	_ = c.cfg.Limiter.Hold(ctx, call, c.cfg.Now().Add(max(e.After, leastHold)))
}
