package mailgun

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/postern-chat/postern"
)

const (
	opFind   = "mailgun.find"
	maxPages = 10
	// findSlack is taken off the beginning of a search: clocks differ, and a repeated
	// webhook's event is older than its arrival.
	findSlack = 5 * time.Minute
)

// Find asks the Events API, then the Logs API that replaces it, for any event of a
// message with this Message-ID. Mailgun's books lag: it says that only what is older
// than about 30 minutes is complete. It needs the account key.
//
// False means that at least one of the two answered and the search went through to its end.
func (c *Client) Find(ctx context.Context, messageID string, since time.Time) (found bool, err error) {
	defer c.observe("find", c.cfg.Now(), &err)
	id := bareID(messageID)
	if id == "" {
		return false, postern.Errorf(postern.Permanent, opFind, "no Message-ID")
	}
	s := &search{id: id, since: since, visit: func(object) bool { found = true; return true }}
	err = c.search(ctx, s, func() bool { return found })
	return found, err
}

// Trace lists what the books tell of a message with this Message-ID, in the order in
// which it happened. It asks like Find: the Logs API only where the Events API tells
// nothing.
func (c *Client) Trace(ctx context.Context, messageID string, since time.Time) (told []postern.MailEvent, err error) {
	defer c.observe("trace", c.cfg.Now(), &err)
	id := bareID(messageID)
	if id == "" {
		return nil, postern.Errorf(postern.Permanent, opFind, "no Message-ID")
	}
	s := &search{id: id, since: since, visit: func(o object) bool {
		told = append(told, mailEvent(o))
		return false
	}}
	err = c.search(ctx, s, func() bool { return len(told) > 0 })
	slices.SortStableFunc(told, func(a, b postern.MailEvent) int { return a.At.Compare(b.At) })
	return told, err
}

// search is a look for the events of one message.
type search struct {
	id    string
	since time.Time
	visit func(object) (enough bool)
}

// search looks through the books from s.since on, which is by our clock. Where that was
// minutes ahead of Mailgun's, which only an answer tells, it looks once more from as much
// earlier: a miss must not come of a clock.
func (c *Client) search(ctx context.Context, s *search, told func() bool) error {
	ours := s.since
	for try := 1; ; try++ {
		behind := c.clock.Behind()
		s.since = ours.Add(-behind - findSlack)
		err := c.searchBoth(ctx, s, told)
		if err != nil || told() || try == 2 || c.clock.Behind()-behind < findSlack/2 {
			return err
		}
	}
}

// searchBoth asks both APIs, the second only if the first told nothing. It fails only if
// neither answered, or if a search did not go through to its end.
func (c *Client) searchBoth(ctx context.Context, s *search, told func() bool) error {
	eventsErr := c.searchEvents(ctx, s)
	if told() {
		return nil
	}
	logsErr := c.findLogs(ctx, s)
	switch {
	case told(), eventsErr == nil, logsErr == nil:
		return nil
	case postern.KindOf(eventsErr) != postern.Temporary && postern.KindOf(logsErr) == postern.Temporary:
		return logsErr // the one that may answer later
	}
	return eventsErr
}

// page is one answer of either API.
type page struct {
	items []object
	next  string // the whole address (Events), or a token (Logs)
}

func readPage(op string, a *answer, next func(object) any) (page, error) {
	v, err := parseTree(a.body)
	top, ok := v.(object)
	if err != nil || !ok {
		return page{}, postern.Errorf(postern.Temporary, op, "200 without a JSON object: %s", clean(string(a.body), 100))
	}
	p := page{next: str(next(top), 4000)}
	for _, item := range list(top["items"]) {
		p.items = append(p.items, obj(item))
	}
	return p, nil
}

// each gives those of a page that are of the id itself: a filter that the other side
// does not know is ignored, and brings everything.
func (p page) each(s *search) (enough bool) {
	for _, item := range p.items {
		at := eventTime(item)
		if messageID(item) == s.id && (at.IsZero() || !at.Before(s.since)) && s.visit(item) {
			return true
		}
	}
	return false
}

func tooMany() error {
	return postern.Errorf(postern.Temporary, opFind, "more than %d pages of events", maxPages)
}

func (c *Client) searchEvents(ctx context.Context, s *search) error {
	q := url.Values{
		"message-id": {s.id},
		"begin":      {strconv.FormatInt(s.since.Unix(), 10)},
		"ascending":  {"yes"},
		"limit":      {"300"},
	}
	root := c.base + "/v3/" + url.PathEscape(c.cfg.Domain) + "/events"
	target := root + "?" + q.Encode()
	for range maxPages {
		a, err := c.call(ctx, opFind, http.MethodGet, target, nil)
		if err != nil {
			return err
		}
		p, err := readPage(opFind, a, func(o object) any { return obj(o["paging"])["next"] })
		if err != nil {
			return err
		}
		if p.each(s) || len(p.items) == 0 || p.next == "" {
			return nil
		}
		if target = c.samePlace(p.next); target == "" {
			return postern.Errorf(postern.Denied, opFind, "the next page is at another host: the API URL %s is wrong", c.base)
		}
	}
	return tooMany()
}

// samePlace lets a paging address pass only if it is at the host that our key belongs to.
func (c *Client) samePlace(next string) string {
	u, err := url.Parse(next)
	if err != nil {
		return ""
	}
	base, err := url.Parse(c.base)
	if err != nil || u.Scheme != base.Scheme || u.Host != base.Host {
		return ""
	}
	u.User = nil
	return u.String()
}

type logsQuery struct {
	Start      string         `json:"start"`
	End        string         `json:"end"`
	Filter     logsFilter     `json:"filter"`
	Pagination logsPagination `json:"pagination"`
}

type logsFilter struct {
	And []logsTerm `json:"AND"`
}

type logsTerm struct {
	Attribute  string      `json:"attribute"`
	Comparator string      `json:"comparator"`
	Values     []logsValue `json:"values"` // label and value must both be there
}

type logsValue struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

type logsPagination struct {
	Sort  string `json:"sort"`
	Limit int    `json:"limit"`
	Token string `json:"token,omitempty"`
}

func equal(attribute, value string) logsTerm {
	return logsTerm{Attribute: attribute, Comparator: "=", Values: []logsValue{{value, value}}}
}

// findLogs asks with the Message-ID as a filter. That attribute is not documented: where
// it is refused, the domain's log of that time is read through instead.
func (c *Client) findLogs(ctx context.Context, s *search) error {
	terms := []logsTerm{equal("domain", c.cfg.Domain), equal("message-id", s.id)}
	err := c.searchLogs(ctx, s, terms)
	if postern.KindOf(err) == postern.Permanent {
		err = c.searchLogs(ctx, s, terms[:1])
	}
	return err
}

func (c *Client) searchLogs(ctx context.Context, s *search, terms []logsTerm) error {
	q := logsQuery{
		Start:      s.since.UTC().Format(time.RFC1123Z),
		End:        c.cfg.Now().Add(max(c.clock.Ahead(), 0) + findSlack).UTC().Format(time.RFC1123Z),
		Filter:     logsFilter{And: terms},
		Pagination: logsPagination{Sort: "timestamp:asc", Limit: 100},
	}
	for range maxPages {
		body, err := json.Marshal(q)
		if err != nil {
			return err
		}
		a, err := c.call(ctx, opFind, http.MethodPost, c.base+"/v1/analytics/logs", body)
		if err != nil {
			return err
		}
		p, err := readPage(opFind, a, func(o object) any { return obj(o["pagination"])["next"] })
		if err != nil {
			return err
		}
		if p.each(s) || len(p.items) < q.Pagination.Limit || p.next == "" {
			return nil
		}
		q.Pagination.Token = p.next
	}
	return tooMany()
}
