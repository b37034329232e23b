package main

import (
	"log/slog"

	"github.com/postern-chat/postern/relay"
	"github.com/postern-chat/postern/webhook"
)

// chatPlatform is a chat platform as a whole: what the rules call, and its way in.
type chatPlatform interface {
	relay.Platform
	webhook.ChatHook
}

// mailProvider is an e-mail provider as a whole.
type mailProvider interface {
	relay.Provider
	webhook.MailHook
}

// maker makes a platform or provider from its section of the configuration.
type maker[T any] struct {
	name string // of its section and of its hooks: /hooks/NAME
	make func(*Config, *slog.Logger) (T, error)
}

// platforms lists the chat platforms: one line each.
func platforms() []maker[chatPlatform] {
	return []maker[chatPlatform]{}
}

// providers lists the e-mail providers: one line each.
func providers() []maker[mailProvider] {
	return []maker[mailProvider]{}
}
