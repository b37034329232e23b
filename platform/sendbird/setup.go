package sendbird

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-chat/postern"
)

// SetupConfig says how the application should be.
type SetupConfig struct {
	// PublicURL is where Sendbird reaches us, without a slash at its end.
	PublicURL string
	// Events are the categories that we use; default SetupEvents.
	Events []string
	// Replace takes the application's one webhook URL from whoever has it.
	Replace bool
}

// SetupEvents are the webhook categories that the gateway reads.
func SetupEvents() []string {
	return []string{"group_channel:message_send", "group_channel:message_update", "group_channel:message_delete", "group_channel:message_read"}
}

// Setup is Sendbird's side of a set-up: the application's webhook. It is a setup.Part.
type Setup struct {
	c   *Client
	cfg SetupConfig
}

// NewSetup makes a Setup. It makes no call.
func NewSetup(c *Client, cfg SetupConfig) (*Setup, error) {
	if cfg.PublicURL == "" {
		return nil, errors.New("sendbird: no public URL")
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	if cfg.Events == nil {
		cfg.Events = SetupEvents()
	}
	return &Setup{c: c, cfg: cfg}, nil
}

// Name is what the operator calls it.
func (*Setup) Name() string { return "Sendbird" }

const keyWebhook = "sendbird/webhook"

// allEvents stands for every category.
const allEvents = "*"

// webhookSettings is what an application has, once: an application has one URL.
type webhookSettings struct {
	Enabled bool     `json:"enabled"`
	URL     string   `json:"url"`
	Members bool     `json:"include_members"`
	Events  []string `json:"enabled_events"`
}

func (w webhookSettings) same(o webhookSettings) bool {
	return w.Enabled == o.Enabled && w.URL == o.URL && w.Members == o.Members && slices.Equal(sortedCopy(w.Events), sortedCopy(o.Events))
}

func sortedCopy(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// String shows the settings to the operator.
func (w webhookSettings) String() string {
	if w.URL == "" {
		return ""
	}
	s := w.URL
	if !w.Enabled {
		s += ", off"
	}
	if w.Members {
		s += ", with members"
	} else {
		s += ", without members"
	}
	events := make([]string, len(w.Events))
	for i, e := range w.Events {
		events[i] = strings.TrimPrefix(e, "group_channel:")
	}
	return s + ", events: " + strings.Join(events, " ")
}

func (s *Setup) settings(ctx context.Context) (webhookSettings, error) {
	return s.exchange(ctx, call{name: "webhook-settings", method: http.MethodGet, path: []string{"applications", "settings", "webhook"},
		query: url.Values{"display_all_webhook_categories": {"true"}}})
}

func (s *Setup) exchange(ctx context.Context, k call) (webhookSettings, error) {
	body, err := s.c.do(ctx, k)
	if err != nil {
		return webhookSettings{}, err
	}
	var a struct {
		Webhook *webhookSettings `json:"webhook"`
	}
	if err := json.Unmarshal(body, &a); err != nil || a.Webhook == nil {
		return webhookSettings{}, postern.Errorf(postern.Denied, k.op(), "the answer holds no webhook settings: sendbird.api_url is wrong, or the plan has no webhooks")
	}
	return *a.Webhook, nil
}

// wanted is what the settings should be: all that is on stays on.
func (s *Setup) wanted(now webhookSettings) webhookSettings {
	want := webhookSettings{Enabled: true, URL: s.hookURL(), Members: true}
	if now.Enabled && now.URL != "" {
		want.Events = slices.Clone(now.Events)
	}
	if slices.Contains(want.Events, allEvents) {
		return want
	}
	for _, e := range s.cfg.Events {
		if !slices.Contains(want.Events, e) {
			want.Events = append(want.Events, e)
		}
	}
	return want
}

func (s *Setup) hookURL() string { return s.cfg.PublicURL + "/hooks/sendbird" }

// Plan reads the application's webhook and says how it should be.
func (s *Setup) Plan(ctx context.Context) ([]postern.Change, error) {
	now, err := s.settings(ctx)
	if err != nil {
		return nil, err
	}
	want := s.wanted(now)
	c := postern.Change{Key: keyWebhook, Sign: postern.Alter, Title: "webhook", Is: now.String(), Want: want.String()}
	foreign := now.URL != "" && now.URL != s.hookURL()
	switch {
	case now.same(want):
		c.Sign = postern.Keep
		return []postern.Change{c}, nil
	case foreign && !s.cfg.Replace:
		c.Sign = postern.Conflict
		c.Why = "an application has one webhook URL, and somebody else has it: have that receiver pass the posts on to us, or take its place with --replace (setup --undo gives it back)"
		return []postern.Change{c}, nil
	case foreign:
		c.Why = "the receiver there will get nothing any more"
	case now.URL == "":
		c.Sign = postern.Add
	}
	c.Before, _ = json.Marshal(snapshot{Was: now, Made: want}) // plain types: never fails
	c.Apply = func(ctx context.Context) error { return s.put(ctx, now, want) }
	return []postern.Change{c}, nil
}

// snapshot is what Restore needs.
type snapshot struct {
	Was  webhookSettings `json:"was"`
	Made webhookSettings `json:"made"`
}

// put makes the settings into others, if they still are what they were.
func (s *Setup) put(ctx context.Context, from, to webhookSettings) error {
	now, err := s.settings(ctx)
	switch {
	case err != nil:
		return err
	case now.same(to):
		return nil
	case !now.same(from):
		return postern.Errorf(postern.Permanent, "sendbird.webhook-settings", "the webhook has changed meanwhile").Because(postern.CauseChanged)
	}
	err = s.write(ctx, map[string]any{"enabled": to.Enabled, "url": to.URL, "include_members": to.Members, "enabled_events": to.list()})
	if err != nil && to.URL == "" && postern.KindOf(err) == postern.Permanent {
		// Whether an empty URL is taken is not documented; off it is in any case.
		err = s.write(ctx, map[string]any{"enabled": false, "include_members": to.Members, "enabled_events": to.list()})
	}
	return err
}

func (w webhookSettings) list() []string {
	if w.Events == nil {
		return []string{}
	}
	return w.Events
}

func (s *Setup) write(ctx context.Context, settings map[string]any) error {
	body, err := jsonPayload(settings)
	if err != nil {
		return postern.Errorf(postern.Internal, "sendbird.webhook-settings", "%w", err)
	}
	_, err = s.exchange(ctx, call{name: "webhook-settings", method: http.MethodPut, path: []string{"applications", "settings", "webhook"}, body: body})
	return err
}

// Restore brings the settings back, if they are as we left them.
func (s *Setup) Restore(ctx context.Context, key string, before json.RawMessage) error {
	var was snapshot
	if err := json.Unmarshal(before, &was); err != nil || key != keyWebhook {
		return postern.Errorf(postern.Invalid, "sendbird.restore", "not a snapshot of ours: %q", key)
	}
	return s.put(ctx, was.Made, was.Was)
}
