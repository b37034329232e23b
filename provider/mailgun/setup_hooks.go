package mailgun

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-chat/postern"
)

// hookURLs is how many URLs Mailgun takes for one type of event.
const hookURLs = 3

func (s *Setup) hookURL() string { return s.cfg.PublicURL + "/hooks/mailgun/events" }

// hooks are the domain's webhooks: event type -> URLs. Only types that are set are
// listed; those made by v4 are too.
func (s *Setup) hooks(ctx context.Context) (map[string][]string, error) {
	var a struct {
		Webhooks map[string]struct {
			URLs []string `json:"urls"`
			URL  string   `json:"url"` // older answers
		} `json:"webhooks"`
	}
	if err := s.do(ctx, "webhooks", http.MethodGet, s.domainPath("v3", "/webhooks"), nil, &a); err != nil {
		return nil, err
	}
	all := map[string][]string{}
	for kind, h := range a.Webhooks {
		urls := slices.DeleteFunc(append(slices.Clone(h.URLs), h.URL), func(u string) bool { return u == "" })
		slices.Sort(urls)
		if urls = slices.Compact(urls); len(urls) > 0 {
			all[kind] = urls
		}
	}
	return all, nil
}

// accountHooks are the event types for which the account's own list posts to us: the same
// URL in both lists is posted to once.
func (s *Setup) accountHooks(ctx context.Context) ([]string, error) {
	var a struct {
		Webhooks []struct {
			URL   string   `json:"url"`
			Types []string `json:"event_types"`
		} `json:"webhooks"`
	}
	err := s.do(ctx, "account-webhooks", http.MethodGet, "/v1/webhooks", nil, &a)
	if k := postern.KindOf(err); err != nil && k != postern.Denied && k != postern.Permanent {
		return nil, err
	}
	var types []string
	for _, h := range a.Webhooks {
		if h.URL == s.hookURL() {
			types = append(types, h.Types...)
		}
	}
	return types, nil
}

func (s *Setup) hookChanges(ctx context.Context, d *domainAnswer) ([]postern.Change, error) {
	now := map[string][]string{}
	if d != nil {
		var err error
		if now, err = s.hooks(ctx); err != nil {
			return nil, err
		}
	}
	account, err := s.accountHooks(ctx)
	if err != nil {
		return nil, err
	}
	var all []postern.Change
	for _, kind := range s.cfg.Events {
		c := postern.Change{Key: keyHook + kind, Sign: postern.Keep, Title: "webhook " + kind, Is: s.hookURL(), Want: s.hookURL()}
		switch {
		case slices.Contains(now[kind], s.hookURL()):
		case slices.Contains(account, kind):
			c.Is, c.Want = c.Is+" (of the account)", c.Want+" (of the account)"
		case len(now[kind]) >= hookURLs:
			c.Sign, c.Is = postern.Conflict, strings.Join(now[kind], ", ")
			c.Why = "Mailgun takes " + strconv.Itoa(hookURLs) + " URLs for one event, and all are taken: remove one, or register ours as a webhook of the account"
		default:
			c.Sign, c.Is = postern.Add, ""
			if len(now[kind]) > 0 {
				c.Why = "beside " + strings.Join(now[kind], ", ")
			}
			c.Before = remember(nil, s.hookURL())
			c.Apply = func(ctx context.Context) error { return s.addHook(ctx, kind) }
		}
		all = append(all, c)
	}
	return all, nil
}

// addHook adds our URL to one type of event and leaves the others there.
func (s *Setup) addHook(ctx context.Context, kind string) error {
	now, err := s.hooks(ctx)
	if err != nil || slices.Contains(now[kind], s.hookURL()) {
		return err
	}
	if len(now[kind]) >= hookURLs {
		return changed("mailgun.webhook", "the list of webhooks")
	}
	err = s.do(ctx, "webhook", http.MethodPost, s.domainPath("v4", "/webhooks"),
		&setupForm{values: url.Values{"url": {s.hookURL()}, "event_types": {kind}}}, &struct{}{})
	if err == nil || !missing(err) {
		return err
	}
	if len(now[kind]) == 0 {
		return s.do(ctx, "webhook", http.MethodPost, s.domainPath("v3", "/webhooks"),
			&setupForm{values: url.Values{"id": {kind}, "url": {s.hookURL()}}}, nil)
	}
	return s.putHooks3(ctx, kind, append(now[kind], s.hookURL()))
}

// putHooks3 replaces the URLs of one type, all of them.
func (s *Setup) putHooks3(ctx context.Context, kind string, urls []string) error {
	return s.do(ctx, "webhook", http.MethodPut, s.domainPath("v3", "/webhooks/"+url.PathEscape(kind)), &setupForm{values: url.Values{"url": urls}}, nil)
}

// restoreHook takes the URL that we added away from one type of event.
func (s *Setup) restoreHook(ctx context.Context, kind string, m memo) error {
	var ours string
	if err := m.read(new(any), &ours); err != nil {
		return err
	}
	now, err := s.hooks(ctx)
	if missing(err) || err == nil && !slices.Contains(now[kind], ours) {
		return nil
	}
	if err != nil {
		return err
	}
	// v4 changes what our URL gets and touches no other's. PUT replaces all its types.
	var rest []string
	for other, urls := range now {
		if other != kind && slices.Contains(urls, ours) {
			rest = append(rest, other)
		}
	}
	path := s.domainPath("v4", "/webhooks")
	if len(rest) > 0 {
		err = s.do(ctx, "webhook", http.MethodPut, path, &setupForm{values: url.Values{"url": {ours}, "event_types": sorted(rest)}}, &struct{}{})
	} else {
		err = s.do(ctx, "webhook", http.MethodDelete, path+"?"+url.Values{"url": {ours}}.Encode(), nil, &struct{}{})
	}
	if err == nil || !missing(err) {
		return err
	}
	if left := slices.DeleteFunc(slices.Clone(now[kind]), func(u string) bool { return u == ours }); len(left) > 0 {
		return s.putHooks3(ctx, kind, left)
	}
	err = s.do(ctx, "webhook", http.MethodDelete, s.domainPath("v3", "/webhooks/"+url.PathEscape(kind)), nil, nil)
	if missing(err) {
		return nil
	}
	return err
}
