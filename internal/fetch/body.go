package fetch

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/postern-chat/postern"
)

var (
	errTotal = errors.New("took too long")
	errIdle  = errors.New("stalled")
)

// body hands a file on, piece by piece, within its limits.
type body struct {
	ctx    context.Context
	cancel context.CancelFunc
	src    io.ReadCloser
	idle   time.Duration
	timer  *time.Timer // runs only while Read waits for the other side
	left   int64       // what may still come
	limit  int64
	fail   error       // sticky
	stall  atomic.Bool // the timer has struck
}

func newBody(ctx context.Context, cancel context.CancelFunc, src io.ReadCloser, idle time.Duration, limit int64) *body {
	b := &body{ctx: ctx, cancel: cancel, src: src, idle: idle, left: limit, limit: limit}
	b.timer = time.AfterFunc(idle, func() { b.stall.Store(true); cancel() })
	b.timer.Stop()
	return b
}

// Read gives the next piece. See Response.Body for its errors.
func (b *body) Read(p []byte) (int, error) {
	if b.fail != nil {
		return 0, b.fail
	}
	if len(p) == 0 {
		return 0, nil
	}
	// One byte more than may come tells a file that ends here from one that is too large.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	b.timer.Reset(b.idle)
	n, err := b.src.Read(p)
	b.timer.Stop()
	if int64(n) > b.left {
		n, b.left = int(b.left), 0
		b.fail = tooLarge("file", b.limit)
		return n, b.fail
	}
	b.left -= int64(n)
	if err != nil {
		b.fail = b.class(err)
	}
	return n, b.fail
}

func (b *body) class(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case b.stall.Load():
		err = errIdle
	case b.ctx.Err() != nil:
		err = context.Cause(b.ctx)
	}
	return postern.Errorf(postern.Temporary, op, "file broke off: %w", err)
}

// Close ends the fetch, finished or not.
func (b *body) Close() error {
	b.timer.Stop()
	b.cancel()
	return b.src.Close()
}
