package sendbird

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-chat/postern"
)

// Exam says what Examine holds the application to.
type Exam struct {
	HookURL string // where events should be posted; "" = not known
}

// Examiner looks at the application. It satisfies setup.Examiner.
type Examiner struct {
	c    *Client
	exam Exam
}

// Examiner makes an examiner; it makes no call.
func (c *Client) Examiner(e Exam) *Examiner { return &Examiner{c, e} }

func find(h postern.Health, code, format string, args ...any) postern.Finding {
	return postern.Finding{Code: code, Health: h, Evidence: fmt.Sprintf(format, args...)}
}

// Examine asks what is wrong with tokens, webhook and features. It changes nothing.
func (x *Examiner) Examine(ctx context.Context) []postern.Finding {
	first := x.ask(ctx, x.c.cfg.APIToken, "settings/webhook", url.Values{"display_all_webhook_categories": {"true"}})
	if !first.ok() {
		out := []postern.Finding{x.refusedAll(first)}
		for _, subject := range []string{"SENDBIRD-HOOK", "SENDBIRD-MASTER", "SENDBIRD-ALLOWLIST", "SENDBIRD-RECEIPTS"} {
			out = append(out, find(postern.Skipped, subject, "not asked: see SENDBIRD-API"))
		}
		return out
	}
	parts := []func(context.Context) []postern.Finding{
		func(context.Context) []postern.Finding { return x.rate(first) },
		func(context.Context) []postern.Finding { return x.hook(first) },
		x.master, x.allowlist, x.receipts,
	}
	answers := make([]chan []postern.Finding, len(parts))
	for i, part := range parts {
		answers[i] = make(chan []postern.Finding, 1)
		go func() { answers[i] <- part(ctx) }()
	}
	out := []postern.Finding{find(postern.Fine, "SENDBIRD-API", "the token opens the application at %s", x.c.base)}
	for _, a := range answers {
		out = append(out, <-a...)
	}
	return out
}

// asked is what became of a question.
type asked struct {
	status int // 0 = no answer
	header http.Header
	body   []byte
	refusal
	err error
}

func (a asked) ok() bool { return a.status/100 == 2 }

func (a asked) why() string {
	if a.status == 0 {
		return a.err.Error()
	}
	return fmt.Sprintf("%d, code %s, %s", a.status, a.code, shorten(a.message))
}

// ask reads below /applications, or a path of its own if it begins with a slash, with
// the given token and outside the pace: a doctor asks a handful of questions.
func (x *Examiner) ask(ctx context.Context, token, path string, query url.Values) asked {
	target := x.c.base + "/applications/" + path
	if strings.HasPrefix(path, "/") {
		target = x.c.base + path
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target+"?"+query.Encode(), nil)
	if err != nil {
		return asked{err: err}
	}
	req.Header.Set("Api-Token", token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "postern")
	resp, err := x.c.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the rest of it is the address
		}
		return asked{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return asked{err: err}
	}
	a := asked{status: resp.StatusCode, header: resp.Header, body: body}
	if !a.ok() {
		a.refusal = readRefusal(body)
	}
	return a
}

// refusedAll says why nothing can be asked.
func (x *Examiner) refusedAll(a asked) postern.Finding {
	var dns *net.DNSError
	switch {
	case a.status == 0 && errors.As(a.err, &dns) && dns.IsNotFound:
		return find(postern.Failure, "SENDBIRD-APP", "there is no %s", dns.Name)
	case a.status == 0:
		return find(postern.Failure, "SENDBIRD-UNREACHABLE", "%s: %v", x.c.base, a.err)
	case a.status == http.StatusTooManyRequests || slowDown(a.code):
		return find(postern.Warning, "SENDBIRD-RATE-NONE", "the application may make no more calls now: %s", a.why())
	case a.status >= 500:
		return find(postern.Skipped, "SENDBIRD-API", "Sendbird answers %s", a.why())
	case a.code == "400401" || a.code == "400302":
		f := find(postern.Failure, "SENDBIRD-TOKEN", "sendbird.api_token is refused: %s", a.why())
		if n := len(x.c.cfg.APIToken); n != 40 || strings.Trim(x.c.cfg.APIToken, "0123456789abcdef") != "" {
			f.Evidence += fmt.Sprintf("; it has %d characters, Sendbird's have 40 hexadecimal digits", n)
		}
		return f
	case a.code == "403100" || a.code == "400304":
		return find(postern.Failure, "SENDBIRD-APP", "the application is not there, or not open: %s", a.why())
	case a.code == "400108":
		return find(postern.Failure, "SENDBIRD-DENIED", "Sendbird refuses us: %s", a.why())
	case a.code == "":
		return find(postern.Failure, "SENDBIRD-UNREACHABLE", "%s answers %d, but not as Sendbird's API does", x.c.base, a.status)
	}
	return find(postern.Failure, "SENDBIRD-DENIED", "Sendbird answers %s", a.why())
}

// rate tells what is left of the plan's calls in this second.
func (x *Examiner) rate(a asked) []postern.Finding {
	// Sendbird writes the names with its own capitals; net/http folds them.
	limit, left := a.header.Get("X-Ratelimit-Limit"), a.header.Get("X-Ratelimit-Remaining")
	if limit == "" || left == "" {
		return []postern.Finding{find(postern.Skipped, "SENDBIRD-RATE", "Sendbird did not tell a limit")}
	}
	n, _, _ := strings.Cut(limit, ";")
	if left == "0" {
		return []postern.Finding{find(postern.Warning, "SENDBIRD-RATE-NONE", "0 of %s calls a second are left", n)}
	}
	return []postern.Finding{find(postern.Fine, "SENDBIRD-RATE", "%s of %s calls a second are left", left, n)}
}

// hook judges the application's one webhook.
func (x *Examiner) hook(a asked) []postern.Finding {
	var s struct {
		Webhook struct {
			Enabled        bool     `json:"enabled"`
			URL            string   `json:"url"`
			IncludeMembers bool     `json:"include_members"`
			Events         []string `json:"enabled_events"`
		} `json:"webhook"`
	}
	if json.Unmarshal(a.body, &s) != nil {
		return []postern.Finding{find(postern.Skipped, "SENDBIRD-HOOK", "the answer cannot be read")}
	}
	h := s.Webhook
	switch {
	case x.exam.HookURL == "":
		return []postern.Finding{find(postern.Skipped, "SENDBIRD-HOOK", "public_url is not set")}
	case h.URL == "":
		return []postern.Finding{find(postern.Failure, "SENDBIRD-HOOK-NONE", "the application posts its events nowhere")}
	case h.URL != x.exam.HookURL:
		return []postern.Finding{x.otherHook(h.URL)}
	case !h.Enabled:
		return []postern.Finding{find(postern.Failure, "SENDBIRD-HOOK-OFF", "the webhook to %s is there, and switched off", h.URL)}
	}
	var out []postern.Finding
	if !slices.Contains(h.Events, "*") {
		var missing []string
		for _, e := range SetupEvents() {
			if !slices.Contains(h.Events, e) {
				missing = append(missing, e)
			}
		}
		if slices.Contains(missing, "group_channel:message_send") {
			out = append(out, find(postern.Failure, "SENDBIRD-EVENTS", "not posted: %s", strings.Join(missing, ", ")))
		} else if len(missing) > 0 {
			out = append(out, find(postern.Warning, "SENDBIRD-EVENTS-SOME", "not posted: %s", strings.Join(missing, ", ")))
		}
	}
	if !h.IncludeMembers {
		out = append(out, find(postern.Warning, "SENDBIRD-MEMBERS", "include_members is off"))
	}
	if len(out) == 0 {
		out = append(out, find(postern.Fine, "SENDBIRD-HOOK", "events come to %s, with members", h.URL))
	}
	return out
}

// otherHook tells our own old address from somebody else's.
func (x *Examiner) otherHook(have string) postern.Finding {
	theirs, err1 := url.Parse(have)
	ours, err2 := url.Parse(x.exam.HookURL)
	if err1 == nil && err2 == nil && theirs.Path == ours.Path {
		return find(postern.Failure, "SENDBIRD-HOOK-STALE", "events go to %s, we are at %s", have, x.exam.HookURL)
	}
	host := have
	if err1 == nil {
		host = theirs.Scheme + "://" + theirs.Host // a path may hold somebody's secret
	}
	return find(postern.Failure, "SENDBIRD-HOOK-OTHER", "events go to %s, and an application has one address only; ours is %s", host, x.exam.HookURL)
}

// master asks whether the token that verifies webhooks is the master token: Sendbird
// signs with no other. Only the master token may list the secondary ones (documented
// for making them; that it holds for listing is inferred).
func (x *Examiner) master(ctx context.Context) []postern.Finding {
	token := x.c.cfg.MasterToken
	a := x.ask(ctx, token, "api_tokens", nil)
	switch {
	case a.ok() && strings.Contains(string(a.body), `"`+token+`"`):
		return []postern.Finding{find(postern.Failure, "SENDBIRD-MASTER-SECONDARY", "the token that is to verify webhooks is among the secondary tokens")}
	case a.ok():
		return []postern.Finding{find(postern.Fine, "SENDBIRD-MASTER", "webhooks are verified with the master token")}
	case a.code == "400401":
		return []postern.Finding{find(postern.Failure, "SENDBIRD-MASTER-WRONG", "sendbird.master_token is refused: %s", a.why())}
	case a.code == "400108":
		return []postern.Finding{find(postern.Failure, "SENDBIRD-MASTER-SECONDARY", "the token that is to verify webhooks may not list tokens, as the master token may")}
	}
	return []postern.Finding{find(postern.Skipped, "SENDBIRD-MASTER", "Sendbird answers %s", a.why())}
}

// allowlist tells whether callers are limited by address. We are let in now; a gateway
// whose address changes will not be.
func (x *Examiner) allowlist(ctx context.Context) []postern.Finding {
	a := x.ask(ctx, x.c.cfg.APIToken, "settings/ip_whitelist", nil)
	var s struct {
		List []string `json:"ip_whitelist_addresses"`
	}
	if !a.ok() || json.Unmarshal(a.body, &s) != nil {
		return []postern.Finding{find(postern.Skipped, "SENDBIRD-ALLOWLIST", "Sendbird does not tell: %s", a.why())}
	}
	if len(s.List) > 0 {
		return []postern.Finding{find(postern.Warning, "SENDBIRD-ALLOWLIST-ON", "calls are taken from %d addresses only; ours is among them now", len(s.List))}
	}
	return []postern.Finding{find(postern.Fine, "SENDBIRD-ALLOWLIST", "calls are taken from everywhere")}
}

// receipts looks for signs of the delivery-receipt feature among the latest channels:
// where somebody has read the last message of another and no delivery mark stands
// anywhere, the application does not keep them.
func (x *Examiner) receipts(ctx context.Context) []postern.Finding {
	a := x.ask(ctx, x.c.cfg.APIToken, "/group_channels", url.Values{
		"limit": {"20"}, "order": {"latest_last_message"}, "show_read_receipt": {"true"}, "show_delivery_receipt": {"true"},
	})
	var s struct {
		Channels []struct {
			Read      map[string]int64 `json:"read_receipt"`
			Delivered map[string]int64 `json:"delivery_receipt"`
			Last      *struct {
				CreatedAt int64 `json:"created_at"`
				User      struct {
					ID string `json:"user_id"`
				} `json:"user"`
			} `json:"last_message"`
		} `json:"channels"`
	}
	if !a.ok() || json.Unmarshal(a.body, &s) != nil {
		return []postern.Finding{find(postern.Skipped, "SENDBIRD-RECEIPTS", "Sendbird does not tell: %s", a.why())}
	}
	against := 0
	for _, ch := range s.Channels {
		for _, ts := range ch.Delivered {
			if ts > 0 {
				return []postern.Finding{find(postern.Fine, "SENDBIRD-RECEIPTS", "the application keeps delivery marks")}
			}
		}
		for user, ts := range ch.Read {
			if ch.Last != nil && ch.Last.User.ID != user && ts >= ch.Last.CreatedAt {
				against++
			}
		}
	}
	if against > 0 {
		return []postern.Finding{find(postern.Warning, "SENDBIRD-RECEIPTS-OFF", "messages were read in %d cases, and none is marked as delivered", against)}
	}
	return []postern.Finding{find(postern.Skipped, "SENDBIRD-RECEIPTS", "nobody has read anything yet in the latest %d channels, so there is no sign of the feature", len(s.Channels))}
}
