package mailgun

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/postern-chat/postern"
)

type examRoute struct {
	ID         string   `json:"id"`
	Priority   int      `json:"priority"`
	Expression string   `json:"expression"`
	Actions    []string `json:"actions"`
}

var forwardURL = regexp.MustCompile(`https?://[^\s"',)]+`)

// targets are the addresses that a route posts to.
func (r examRoute) targets() []string {
	var out []string
	for _, a := range r.Actions {
		out = append(out, forwardURL.FindAllString(a, -1)...)
	}
	return out
}

func (r examRoute) stops() bool {
	return slices.ContainsFunc(r.Actions, func(a string) bool { return strings.HasPrefix(strings.TrimSpace(a), "stop(") })
}

func (r examRoute) String() string {
	return fmt.Sprintf("route %s (priority %d, %s)", r.ID, r.Priority, r.Expression)
}

// route asks what becomes of a mail to one of our addresses. Routes are the account's:
// others' may catch it first.
func (x *Examiner) route(ctx context.Context) []postern.Finding {
	if x.exam.InboundURL == "" {
		return []postern.Finding{skip("MAILGUN-ROUTE", "public_url is not set")}
	}
	all, err := x.routes(ctx)
	if err != nil {
		return []postern.Finding{skip("MAILGUN-ROUTE", "%v", err)}
	}
	mine := slices.IndexFunc(all, func(r examRoute) bool { return slices.Contains(r.targets(), x.exam.InboundURL) })
	first, matched, a := x.match(ctx)
	switch {
	case a.status != http.StatusOK && a.status != http.StatusNotFound:
		return []postern.Finding{skip("MAILGUN-ROUTE", "Mailgun does not tell which route matches: %s", a.why())}
	case !matched && mine >= 0:
		return []postern.Finding{fail("MAILGUN-ROUTE-MISS", "%s posts to us, but does not match %s", all[mine], x.shape())}
	case !matched:
		return []postern.Finding{fail("MAILGUN-ROUTE-NONE", "no route matches %s", x.shape())}
	case slices.Contains(first.targets(), x.exam.InboundURL):
		return []postern.Finding{fine("MAILGUN-ROUTE", "%s posts mail to %s", first, x.exam.InboundURL)}
	}
	return []postern.Finding{x.caught(first, all, mine)}
}

// caught judges a route that matches first and is not ours.
func (x *Examiner) caught(first examRoute, all []examRoute, mine int) postern.Finding {
	ours, _ := url.Parse(x.exam.InboundURL)
	for _, t := range first.targets() {
		u, err := url.Parse(t)
		if err != nil || ours == nil {
			continue
		}
		switch {
		case u.Host == ours.Host && t+"/mime" == x.exam.InboundURL:
			return mend(warn("MAILGUN-ROUTE-PARSED", "%s posts parsed mail to %s", first, t), "Let it forward to %s.", x.exam.InboundURL)
		case u.Path == ours.Path && u.Host != ours.Host:
			return mend(fail("MAILGUN-ROUTE-STALE", "%s posts mail to %s, we are at %s", first, t, x.exam.InboundURL), "Run postern setup --replace; or let the route forward to %s.", x.exam.InboundURL)
		}
	}
	if mine < 0 {
		return fail("MAILGUN-ROUTE-NONE", "%s takes mail to %s and does not post it to us: %s", first, x.shape(), strings.Join(first.Actions, ", "))
	}
	if first.stops() {
		return mend(fail("MAILGUN-ROUTE-CAUGHT", "%s matches mail to %s first, and stops; ours is %s", first, x.shape(), all[mine]),
			"Give our route a smaller number than %d as priority, or make the other one more precise.", first.Priority)
	}
	return warn("MAILGUN-ROUTE-SHARED", "%s takes mail to %s as well: %s", first, x.shape(), strings.Join(first.Actions, ", "))
}

// shape is what our addresses look like, for the evidence.
func (x *Examiner) shape() string { return "TOKEN@" + x.c.cfg.Domain }

func (x *Examiner) match(ctx context.Context) (r examRoute, ok bool, a asked) {
	a = x.get(ctx, "/v3/routes/match?address="+url.QueryEscape(x.exam.Reply))
	var m struct {
		Route examRoute `json:"route"`
	}
	ok = a.status == http.StatusOK && json.Unmarshal(a.body, &m) == nil && m.Route.ID != ""
	return m.Route, ok, a
}

func (x *Examiner) routes(ctx context.Context) ([]examRoute, error) {
	a := x.get(ctx, "/v3/routes?limit=1000")
	var list struct {
		Items []examRoute `json:"items"`
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &list) != nil {
		return nil, fmt.Errorf("the routes are not told by Mailgun: %s", a.why())
	}
	slices.SortStableFunc(list.Items, func(a, b examRoute) int { return a.Priority - b.Priority })
	return list.Items, nil
}

const mostHookURLs = 3 // per event

// hooks asks whether the events that we act on come to us, by the domain's list or the
// account's.
func (x *Examiner) hooks(ctx context.Context) []postern.Finding {
	if x.exam.EventsURL == "" {
		return []postern.Finding{skip("MAILGUN-HOOK", "public_url is not set")}
	}
	have, err := x.hookURLs(ctx)
	if err != nil {
		return []postern.Finding{skip("MAILGUN-HOOK", "%v", err)}
	}
	ours, _ := url.Parse(x.exam.EventsURL)
	var missing, stale, full []string
	for _, event := range SetupEvents() {
		if slices.Contains(have[event], x.exam.EventsURL) {
			continue
		}
		missing = append(missing, event)
		for _, t := range have[event] {
			if u, err := url.Parse(t); err == nil && ours != nil && u.Path == ours.Path && !slices.Contains(stale, t) {
				stale = append(stale, t)
			}
		}
		if len(have[event]) >= mostHookURLs {
			full = append(full, event)
		}
	}
	switch {
	case len(missing) == 0:
		return []postern.Finding{fine("MAILGUN-HOOK", "%s come to %s", strings.Join(SetupEvents(), ", "), x.exam.EventsURL)}
	case len(full) > 0:
		return []postern.Finding{fail("MAILGUN-HOOK-FULL", "all %d places are taken for %s", mostHookURLs, strings.Join(full, ", "))}
	case len(stale) > 0:
		return []postern.Finding{mend(fail("MAILGUN-HOOK-STALE", "events go to %s, we are at %s", strings.Join(stale, ", "), x.exam.EventsURL), "Run postern setup --replace; or put %s in their place.", x.exam.EventsURL)}
	}
	return []postern.Finding{fail("MAILGUN-HOOK-NONE", "nobody posts to %s: %s", x.exam.EventsURL, strings.Join(missing, ", "))}
}

func (x *Examiner) hookURLs(ctx context.Context) (map[string][]string, error) {
	a := x.get(ctx, x.ours("v3", "/webhooks"))
	var list struct {
		Webhooks map[string]struct {
			URLs []string `json:"urls"`
		} `json:"webhooks"`
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &list) != nil {
		return nil, fmt.Errorf("the webhooks are not told by Mailgun: %s", a.why())
	}
	have := map[string][]string{}
	for event, w := range list.Webhooks {
		have[event] = w.URLs
	}
	// The account's own list; plans without it refuse, which says nothing.
	var account struct {
		Webhooks []struct {
			URL   string   `json:"url"`
			Types []string `json:"event_types"`
		} `json:"webhooks"`
	}
	if a := x.get(ctx, "/v1/webhooks"); a.status == http.StatusOK && json.Unmarshal(a.body, &account) == nil {
		for _, w := range account.Webhooks {
			for _, event := range w.Types {
				if w.URL == x.exam.EventsURL {
					have[event] = append(have[event], w.URL)
				}
			}
		}
	}
	return have, nil
}

// mostSuppressed bounds how much of each list is read.
const mostSuppressed = 1000

// suppressed compares the domain's lists with the people whom we write to.
func (x *Examiner) suppressed(ctx context.Context) []postern.Finding {
	if x.exam.People == nil {
		return []postern.Finding{skip("MAILGUN-PEOPLE", "the table of people is not at hand")}
	}
	people, err := x.exam.People(ctx)
	if err != nil {
		return []postern.Finding{skip("MAILGUN-PEOPLE", "the table of people cannot be read: %v", err)}
	}
	var hit []string
	count, more := 0, false
	for _, list := range []string{"bounces", "complaints", "unsubscribes"} {
		addresses, full, err := x.suppressions(ctx, list)
		if err != nil {
			return []postern.Finding{skip("MAILGUN-PEOPLE", "%v", err)}
		}
		count, more = count+len(addresses), more || full
		for _, a := range addresses {
			if id, ok := people[strings.ToLower(a)]; ok {
				hit = append(hit, string(id)+" ("+list+")")
			}
		}
	}
	note := ""
	if more {
		note = fmt.Sprintf("; only the first %d of each list were read", mostSuppressed)
	}
	if len(hit) == 0 {
		return []postern.Finding{fine("MAILGUN-PEOPLE", "none of %d people is among the %d addresses that Mailgun does not write to%s", len(people), count, note)}
	}
	const most = 10
	if len(hit) > most {
		hit = append(hit[:most], fmt.Sprintf("and %d more", len(hit)-most))
	}
	id, _, _ := strings.Cut(hit[0], " (")
	return []postern.Finding{mend(warn("MAILGUN-PEOPLE-SUPPRESSED", "Mailgun does not write to these users: %s%s", strings.Join(hit, ", "), note),
		"Find out why; when it is mended: postern people lift %s", id)}
}

func (x *Examiner) suppressions(ctx context.Context, list string) (addresses []string, full bool, err error) {
	a := x.get(ctx, fmt.Sprintf("/v3/%s/%s?limit=%d", url.PathEscape(x.c.cfg.Domain), list, mostSuppressed))
	var page struct {
		Items []struct {
			Address string `json:"address"`
		} `json:"items"`
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &page) != nil {
		return nil, false, fmt.Errorf("the %s are not told by Mailgun: %s", list, a.why())
	}
	for _, i := range page.Items {
		addresses = append(addresses, i.Address)
	}
	return addresses, len(addresses) >= mostSuppressed, nil
}
