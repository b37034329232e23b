package main

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"github.com/postern-chat/postern/platform/sendbird"
	"github.com/postern-chat/postern/provider/mailgun"
	"github.com/postern-chat/postern/relay"
	"github.com/postern-chat/postern/setup"
	"github.com/postern-chat/postern/store"
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

// observer is told of each call to a service when it is over.
type observer func(call, outcome string, took time.Duration)

// maker makes a platform or provider from its section of the configuration.
type maker[T any] struct {
	name string // of its section and of its hooks: /hooks/NAME
	make func(*Config, *slog.Logger, observer, *store.Limits) (T, error)
	// setup makes its side of a set-up; replace takes the place of others.
	setup func(c *Config, replace bool) (setup.Part, error)
}

// platforms lists the chat platforms: one line each.
func platforms() []maker[chatPlatform] {
	return []maker[chatPlatform]{
		{"sendbird", newSendbird, newSendbirdSetup},
	}
}

// providers lists the e-mail providers: one line each.
func providers() []maker[mailProvider] {
	return []maker[mailProvider]{
		{"mailgun", newMailgun, newMailgunSetup},
	}
}

// shared are the rates of one service, kept with other replicas.
type shared struct {
	limits  *store.Limits
	service string
	rates   map[string]float64 // calls a second; none = no limit
}

// Wait implements the limiters of platforms and providers.
func (s shared) Wait(ctx context.Context, call string) error {
	return s.limits.Wait(ctx, s.service+call, s.rates[call])
}

// Hold implements the limiters of platforms and providers.
func (s shared) Hold(ctx context.Context, call string, until time.Time) error {
	return s.limits.Hold(ctx, s.service+call, until)
}

// newSendbird makes the client. No limits: whoever calls a few times need not be paced.
func newSendbird(c *Config, _ *slog.Logger, o observer, l *store.Limits) (chatPlatform, error) {
	cfg := sendbirdConfig(c, o)
	if s := c.Sendbird; l != nil {
		cfg.Limiter = shared{l, "sendbird/", map[string]float64{http.MethodGet: s.GetRate, http.MethodPost: s.PostRate, http.MethodPut: s.PutRate}}
	}
	return sendbird.New(cfg)
}

func sendbirdConfig(c *Config, o observer) sendbird.Config {
	s := c.Sendbird
	return sendbird.Config{
		AppID: s.AppID, APIURL: s.APIURL, APIToken: string(s.APIToken), MasterToken: string(s.MasterToken),
		FileHosts: s.FileHosts, Observe: o,
	}
}

func newSendbirdSetup(c *Config, replace bool) (setup.Part, error) {
	client, err := sendbird.New(sendbirdConfig(c, nil))
	if err != nil {
		return nil, err
	}
	return sendbird.NewSetup(client, sendbird.SetupConfig{PublicURL: c.PublicURL, Replace: replace})
}

// Reply addresses, as relay makes them of internal/seal: what the inbound route takes.
const (
	replyPattern = "[A-Za-z2-7]{39}"
	replySample  = "abcdefghijklmnopqrstuvwxyz234567abcdefg"
)

func newMailgunSetup(c *Config, replace bool) (setup.Part, error) {
	client, err := mailgun.New(mailgunConfig(c, nil))
	if err != nil {
		return nil, err
	}
	return mailgun.NewSetup(client, mailgun.SetupConfig{PublicURL: c.PublicURL, Local: replyPattern, Sample: replySample, Replace: replace})
}

func newMailgun(c *Config, _ *slog.Logger, o observer, l *store.Limits) (mailProvider, error) {
	cfg := mailgunConfig(c, o)
	if l != nil {
		cfg.Limiter = shared{l, "mailgun/", map[string]float64{"send": c.Mailgun.SendRate}}
	}
	return mailgun.New(cfg)
}

func mailgunConfig(c *Config, o observer) mailgun.Config {
	m := c.Mailgun
	keys := make([]string, len(m.SigningKeys))
	for i, k := range m.SigningKeys {
		keys[i] = string(k)
	}
	return mailgun.Config{
		Domain: m.Domain, Region: m.Region, APIURL: m.APIURL, SendingKey: string(m.SendingKey), AccountKey: string(m.AccountKey),
		SigningKeys: keys, TempDir: filepath.Join(c.DataDir, "tmp"), Observe: o,
	}
}
