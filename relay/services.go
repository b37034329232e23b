package relay

import (
	"context"
	"io"
	"time"

	"github.com/postern-chat/postern"
)

// gatedPlatform and gatedProvider make each call through its service's gate. What never
// blocks goes straight through.
type gatedPlatform struct {
	Platform
	gate *gate
}

type nothing = struct{}

func (p gatedPlatform) Channel(ctx context.Context, id postern.ChannelID) (postern.Channel, error) {
	return through(ctx, p.gate, func(ctx context.Context) (postern.Channel, error) { return p.Platform.Channel(ctx, id) })
}

func (p gatedPlatform) Members(ctx context.Context, id postern.ChannelID) ([]postern.Member, error) {
	return through(ctx, p.gate, func(ctx context.Context) ([]postern.Member, error) { return p.Platform.Members(ctx, id) })
}

func (p gatedPlatform) Messages(ctx context.Context, id postern.ChannelID, since time.Time) ([]postern.ChatMessage, error) {
	return through(ctx, p.gate, func(ctx context.Context) ([]postern.ChatMessage, error) { return p.Platform.Messages(ctx, id, since) })
}

func (p gatedPlatform) Post(ctx context.Context, m postern.NewPost) (postern.MessageID, error) {
	return through(ctx, p.gate, func(ctx context.Context) (postern.MessageID, error) { return p.Platform.Post(ctx, m) })
}

func (p gatedPlatform) MarkDelivered(ctx context.Context, id postern.ChannelID, user postern.UserID) error {
	_, err := through(ctx, p.gate, func(ctx context.Context) (nothing, error) {
		return nothing{}, p.Platform.MarkDelivered(ctx, id, user)
	})
	return err
}

func (p gatedPlatform) MarkRead(ctx context.Context, id postern.ChannelID, user postern.UserID) error {
	_, err := through(ctx, p.gate, func(ctx context.Context) (nothing, error) {
		return nothing{}, p.Platform.MarkRead(ctx, id, user)
	})
	return err
}

// OpenFile is not gated: a file's host may be down while the platform is not.
func (p gatedPlatform) OpenFile(ctx context.Context, f postern.ChatFile) (io.ReadCloser, int64, error) {
	return p.Platform.OpenFile(ctx, f)
}

type gatedProvider struct {
	Provider
	gate *gate
}

func (p gatedProvider) Send(ctx context.Context, m postern.Outgoing) (string, error) {
	return through(ctx, p.gate, func(ctx context.Context) (string, error) { return p.Provider.Send(ctx, m) })
}

// The abilities of a platform and a provider, as they were given: a gate has none.
func able[T any](v any) (T, bool) {
	switch g := v.(type) {
	case gatedPlatform:
		v = g.Platform
	case gatedProvider:
		v = g.Provider
	}
	t, ok := v.(T)
	return t, ok
}
