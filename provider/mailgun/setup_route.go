package mailgun

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-chat/postern"
)

// route is an inbound rule. Routes are the whole account's: any domain's, anybody's.
type route struct {
	ID          string   `json:"id,omitempty"`
	Priority    int      `json:"priority"` // the smallest runs first
	Description string   `json:"description"`
	Expression  string   `json:"expression"`
	Actions     []string `json:"actions"`
}

func (r route) same(o route) bool {
	return r.Priority == o.Priority && r.Expression == o.Expression && slices.Equal(r.Actions, o.Actions)
}

func (r route) String() string {
	return fmt.Sprintf("%d: %s -> %s", r.Priority, r.Expression, strings.Join(r.Actions, ", "))
}

func (r route) stops() bool {
	return slices.ContainsFunc(r.Actions, func(a string) bool { return strings.HasPrefix(strings.TrimSpace(a), "stop(") })
}

func (r route) form() *setupForm {
	return &setupForm{values: url.Values{"priority": {strconv.Itoa(r.Priority)}, "description": {r.Description}, "expression": {r.Expression}, "action": r.Actions}}
}

// inboundURL is where raw mail goes: a URL that ends in "mime" gets it as it came.
func (s *Setup) inboundURL() string { return s.cfg.PublicURL + "/hooks/mailgun/inbound/mime" }

// wantedRoute takes our reply addresses and nothing else, first of all routes, and lets no
// other have them: a wide one of somebody else would get people's answers too.
func (s *Setup) wantedRoute() route {
	domain := strings.ReplaceAll(s.c.cfg.Domain, ".", "[.]") // no backslash: two languages would read it
	return route{
		Description: s.routeMark(),
		Expression:  `match_recipient("^(?:` + s.cfg.Local + `)@` + domain + `$")`,
		Actions:     []string{`forward("` + s.inboundURL() + `")`, "stop()"},
	}
}

func (s *Setup) routeMark() string { return "Postern: answers to " + s.c.cfg.Domain }

// ours tells whether a route is of this installation; marked, whether of any of ours for
// this domain.
func (s *Setup) ours(r route) (ours, marked bool) {
	for _, a := range r.Actions {
		for _, t := range actionTargets(a) {
			if t == s.inboundURL() || t == strings.TrimSuffix(s.inboundURL(), "/mime") {
				return true, true
			}
		}
	}
	return false, r.Description == s.routeMark()
}

var ruleText = regexp.MustCompile(`"([^"]*)"|'([^']*)'`)

// actionTargets are the addresses in an action such as forward("a@b, https://c").
func actionTargets(action string) []string {
	var all []string
	for _, m := range ruleText.FindAllStringSubmatch(action, -1) {
		for t := range strings.SplitSeq(m[1]+m[2], ",") {
			all = append(all, strings.TrimSpace(t))
		}
	}
	return all
}

func (s *Setup) routes(ctx context.Context) ([]route, error) {
	var all []route
	for {
		var a struct {
			Total int     `json:"total_count"`
			Items []route `json:"items"`
		}
		if err := s.do(ctx, "routes", http.MethodGet, "/v3/routes?limit=1000&skip="+strconv.Itoa(len(all)), nil, &a); err != nil {
			return nil, err
		}
		all = append(all, a.Items...)
		if len(a.Items) == 0 || len(all) >= a.Total || len(all) >= 20_000 {
			return all, nil
		}
	}
}

func (s *Setup) routeChanges(ctx context.Context, _ *domainAnswer) ([]postern.Change, error) {
	all, err := s.routes(ctx)
	if err != nil {
		return nil, err
	}
	want := s.wantedRoute()
	c := postern.Change{Key: keyRoute, Sign: postern.Add, Title: "route for answers", Want: want.String()}
	if r, ok := s.catcher(all, want.Priority); ok {
		c.Sign, c.Is = postern.Conflict, r.String()
		c.Why = fmt.Sprintf("the route %q (%s) would take our mail first and stops there: make its expression narrower, or give it a priority number above %d", r.Description, r.ID, want.Priority)
		return []postern.Change{c}, nil
	}
	mine, elsewhere := s.sortOwn(all, want)
	if len(mine) == 0 && len(elsewhere) > 0 {
		if !s.cfg.Replace {
			c.Sign, c.Is = postern.Conflict, elsewhere[0].String()
			c.Why = "another Postern takes this domain's answers; if that is this one under an older address: --replace"
			return []postern.Change{c}, nil
		}
		mine = elsewhere[:1]
	}
	if len(mine) == 0 {
		c.Before = remember(nil, want)
		c.Apply = func(ctx context.Context) error { return s.createRoute(ctx, want) }
		return []postern.Change{c}, nil
	}
	first := mine[0]
	c.Is = first.String()
	if c.Sign = postern.Keep; !first.same(want) {
		c.Sign, c.Before = postern.Alter, remember(first, want)
		c.Apply = func(ctx context.Context) error { return s.putRoute(ctx, first, want) }
	}
	changes := []postern.Change{c}
	for _, r := range mine[1:] {
		changes = append(changes, postern.Change{
			Key: keyExtra + r.ID, Sign: postern.Remove, Title: "second route to us", Is: r.String(),
			Why: "every answer would come twice", Before: remember(r, nil),
			Apply: func(ctx context.Context) error { return s.removeRoute(ctx, r) },
		})
	}
	return changes, nil
}

// sortOwn gives the routes to this installation, the one most like the wanted first, and
// those of installations of ours elsewhere.
func (s *Setup) sortOwn(all []route, want route) (mine, elsewhere []route) {
	for _, r := range all {
		switch ours, marked := s.ours(r); {
		case ours && r.same(want):
			mine = slices.Insert(mine, 0, r)
		case ours:
			mine = append(mine, r)
		case marked:
			elsewhere = append(elsewhere, r)
		}
	}
	return mine, elsewhere
}

// catcher finds a route of somebody else that runs before ours, matches our mail and
// stops. Among routes of one priority the order is not documented: they count.
func (s *Setup) catcher(all []route, priority int) (route, bool) {
	for _, r := range all {
		if ours, marked := s.ours(r); ours || marked || r.Priority > priority || !r.stops() {
			continue
		}
		if s.catches(r.Expression) {
			return r, true
		}
	}
	return route{}, false
}

var (
	filterCall = regexp.MustCompile(`(?s)^\s*([a-z_]+)\s*\((.*)\)\s*$`)
	filterAnd  = regexp.MustCompile(`\)\s*and\s+`)
)

// catches tells whether an expression takes each mail to one of our addresses. A
// condition on a header takes some mail at most: it does not count. What cannot be read
// is taken not to match.
func (s *Setup) catches(expression string) bool {
	parts := filterAnd.Split(expression, -1)
	for i, part := range parts {
		if i < len(parts)-1 {
			part += ")"
		}
		m := filterCall.FindStringSubmatch(part)
		if m == nil {
			return false
		}
		switch m[1] {
		case "catch_all":
		case "match_recipient":
			q := ruleText.FindStringSubmatch(m[2])
			if q == nil {
				return false
			}
			// Python's re.match is anchored at its start only.
			re, err := regexp.Compile(`(?i)\A(?:` + q[1] + q[2] + `)`)
			if err != nil || !re.MatchString(s.sample) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func (s *Setup) createRoute(ctx context.Context, want route) error {
	all, err := s.routes(ctx)
	if err != nil {
		return err
	}
	mine, elsewhere := s.sortOwn(all, want)
	switch {
	case len(mine) > 0 && mine[0].same(want):
		return nil
	case len(mine) > 0, len(elsewhere) > 0:
		return changed("mailgun.route", "the list of routes")
	}
	if _, ok := s.catcher(all, want.Priority); ok {
		return changed("mailgun.route", "the list of routes")
	}
	return s.do(ctx, "route", http.MethodPost, "/v3/routes", want.form(), nil)
}

// putRoute makes one route into another, if it still is what it was.
func (s *Setup) putRoute(ctx context.Context, from, to route) error {
	now, err := s.findRoute(ctx, from.ID)
	switch {
	case missing(err):
		return changed("mailgun.route", "the route")
	case err != nil, now.same(to):
		return err
	case !now.same(from):
		return changed("mailgun.route", "the route")
	}
	return s.do(ctx, "route", http.MethodPut, "/v3/routes/"+url.PathEscape(from.ID), to.form(), nil)
}

func (s *Setup) findRoute(ctx context.Context, id string) (route, error) {
	var a struct {
		Route route `json:"route"`
	}
	err := s.do(ctx, "route", http.MethodGet, "/v3/routes/"+url.PathEscape(id), nil, &a)
	return a.Route, err
}

func (s *Setup) removeRoute(ctx context.Context, r route) error {
	now, err := s.findRoute(ctx, r.ID)
	switch {
	case missing(err):
		return nil
	case err != nil:
		return err
	case !now.same(r):
		return changed("mailgun.route", "the route")
	}
	if err = s.do(ctx, "route", http.MethodDelete, "/v3/routes/"+url.PathEscape(r.ID), nil, nil); missing(err) {
		return nil
	}
	return err
}

// restoreRoute brings a route back: one that we made goes, one that we altered is altered
// back, one that we removed comes again, under another id.
func (s *Setup) restoreRoute(ctx context.Context, m memo) error {
	var was, made route
	if err := m.read(&was, &made); err != nil {
		return err
	}
	if m.had() && made.Expression != "" {
		made.ID = was.ID
		return s.putBack(ctx, made, was)
	}
	all, err := s.routes(ctx)
	if err != nil {
		return err
	}
	if m.had() {
		if slices.ContainsFunc(all, was.same) {
			return nil
		}
		return s.do(ctx, "route", http.MethodPost, "/v3/routes", was.form(), nil)
	}
	for _, r := range all {
		if r.same(made) && r.Description == made.Description {
			return s.removeRoute(ctx, r)
		}
	}
	if slices.ContainsFunc(all, func(r route) bool { _, marked := s.ours(r); return marked }) {
		return changed("mailgun.route", "the route")
	}
	return nil
}

func (s *Setup) putBack(ctx context.Context, made, was route) error {
	err := s.putRoute(ctx, made, was)
	if postern.CauseOf(err) == postern.CauseChanged {
		if _, gone := s.findRoute(ctx, made.ID); missing(gone) {
			return postern.Errorf(postern.Permanent, "mailgun.route", "the route is gone").Because(postern.CauseChanged)
		}
	}
	return err
}
