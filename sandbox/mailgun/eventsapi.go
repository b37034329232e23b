package mailgun

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (s *Server) eventEndpoints() []endpoint {
	return []endpoint{
		{"GET", "/v3/{domain}/events", scopeDomain, func(c *call) { c.s.eventsFirst(c) }},
		{"GET", "/v3/{domain}/events/{page}", scopeDomain, func(c *call) { c.s.eventsPage(c) }},
		{"POST", "/v1/analytics/logs", scopeAccount, func(c *call) { c.s.logs(c) }},
		{"GET", "/v3/domains/{domain}/messages/{key}/attachments/{n}", scopeDomain, func(c *call) { c.s.storedAttachment(c) }},
	}
}

// eventQuery is a query of the Events API with the place to go on from; it is
// what a paging token holds.
type eventQuery struct {
	Begin, End time.Time `json:",omitzero"`
	Ascending  bool
	Limit      int
	Filters    url.Values
	// From is the number of events to skip, counted from the oldest when
	// ascending and else from the newest that existed at Total.
	From, Total int
}

// maxEvents per page.
const maxEvents = 300

var eventFilters = []string{"event", "list", "attachment", "from", "message-id", "subject", "to", "size", "recipient", "recipients", "tags", "severity"}

func (s *Server) eventsFirst(c *call) {
	v := c.r.URL.Query()
	q := eventQuery{Limit: min(max(c.intParam("limit", 100), 1), maxEvents), Filters: url.Values{}, Total: -1}
	for name, dst := range map[string]*time.Time{"begin": &q.Begin, "end": &q.End} {
		if raw := v.Get(name); raw != "" {
			t, ok := readTime(raw)
			if !ok {
				c.message(http.StatusBadRequest, "invalid %s: %s", name, raw)
				return
			}
			*dst = t
		}
	}
	// A range says its direction by its ends, else `ascending` does.
	switch {
	case v.Get("ascending") != "":
		q.Ascending = v.Get("ascending") == "yes"
	case !q.Begin.IsZero() && !q.End.IsZero():
		q.Ascending = q.Begin.Before(q.End)
	}
	if !q.Begin.IsZero() && !q.End.IsZero() && q.End.Before(q.Begin) {
		q.Begin, q.End = q.End, q.Begin
	} else if !q.Begin.IsZero() && q.End.IsZero() && !q.Ascending {
		q.Begin, q.End = q.End, q.Begin // begin alone, going back
	}
	for _, name := range eventFilters {
		if v.Has(name) {
			q.Filters[name] = v[name]
		}
	}
	s.eventsAnswer(c, q)
}

func (s *Server) eventsPage(c *call) {
	b, err := base64.RawURLEncoding.DecodeString(c.params["page"])
	var q eventQuery
	if err != nil || json.Unmarshal(b, &q) != nil || q.From < 0 || q.Limit < 1 || q.Limit > maxEvents {
		c.message(http.StatusBadRequest, "invalid page")
		return
	}
	s.eventsAnswer(c, q)
}

// eventsAnswer pages over what is visible by now. `next` is always there:
// asked again later, it gives what has come since.
func (s *Server) eventsAnswer(c *call, q eventQuery) {
	all := s.visible(func(ev *event) bool {
		if ev.domain != c.domain || (!q.Begin.IsZero() && ev.at.Before(q.Begin)) || (!q.End.IsZero() && ev.at.After(q.End)) {
			return false
		}
		for name, vs := range q.Filters {
			for _, v := range vs {
				if !ev.fits(name, v) {
					return false
				}
			}
		}
		return true
	})
	if !q.Ascending {
		if q.Total < 0 || q.Total > len(all) {
			q.Total = len(all)
		}
		all = all[:q.Total]
		slices.Reverse(all)
	}
	page := all[min(q.From, len(all)):]
	page = page[:min(q.Limit, len(page))]
	items := []any{}
	for _, ev := range page {
		items = append(items, ev.data)
	}
	link := func(from int) string {
		q := q
		q.From = max(0, from)
		b, _ := json.Marshal(q)
		return c.base() + "/v3/" + c.domain + "/events/" + base64.RawURLEncoding.EncodeToString(b)
	}
	c.answer(http.StatusOK, map[string]any{"items": items, "paging": map[string]string{
		"first": link(0), "last": link(len(all) - len(all)%q.Limit), "next": link(q.From + len(page)), "previous": link(q.From - q.Limit)}})
}

// visible are the events that the lag lets through, oldest first.
func (s *Server) visible(keep func(*event) bool) []*event {
	now := s.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	edge := now.Add(-seconds(s.st.switches.EventLagSeconds))
	oldest := now.Add(-s.st.switches.retention())
	var out []*event
	for _, ev := range s.st.events {
		if !ev.at.After(edge) && !ev.at.Before(oldest) && keep(ev) {
			out = append(out, ev)
		}
	}
	return out
}

// readTime takes epoch seconds or an RFC 2822 date.
func readTime(s string) (time.Time, bool) {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return time.UnixMicro(int64(f * 1e6)), true
	}
	t, err := mail.ParseDate(s)
	return t, err == nil
}

// fits says whether the event's field fits a filter expression.
func (ev *event) fits(name, expr string) bool {
	var have []string
	headers := map[string]any{}
	var files []any
	if m, ok := ev.data["message"].(map[string]any); ok {
		headers, _ = m["headers"].(map[string]any)
		files, _ = m["attachments"].([]any)
		if name == "size" {
			if n, ok := m["size"].(int64); ok {
				have = []string{strconv.FormatInt(n, 10)}
			}
		}
	}
	text := func(v any) string { s, _ := v.(string); return s }
	switch name {
	case "event":
		have = []string{ev.name}
	case "message-id":
		expr = strings.NewReplacer("<", "", ">", "").Replace(expr)
		have = []string{ev.messageID}
	case "recipient", "recipients":
		have = []string{ev.recipient}
	case "from", "to", "subject":
		have = []string{text(headers[name])}
	case "severity":
		have = []string{text(ev.data["severity"])}
	case "tags":
		tags, _ := ev.data["tags"].([]any)
		for _, t := range tags {
			have = append(have, text(t))
		}
	case "attachment":
		for _, f := range files {
			have = append(have, text(f.(map[string]any)["filename"]))
		}
	}
	exact := slices.Contains([]string{"event", "message-id", "recipient", "recipients", "severity", "tags"}, name)
	return fitsExpression(expr, have, exact)
}

// logsRequest is the body of POST /v1/analytics/logs.
type logsRequest struct {
	Start, End, Duration string
	Events               []string
	Filter               struct {
		AND []struct {
			Attribute, Comparator string
			Values                []struct{ Label, Value string }
		}
	}
	Pagination struct {
		Sort, Token string
		Limit       int
	}
}

func (s *Server) logs(c *call) {
	var q logsRequest
	b, _ := io.ReadAll(io.LimitReader(c.r.Body, 1<<20))
	if json.Unmarshal(b, &q) != nil {
		c.message(http.StatusBadRequest, "invalid request body")
		return
	}
	now := s.Now()
	start, end := now.Add(-24*time.Hour), now
	if d, ok := readDuration(q.Duration); ok {
		start = now.Add(-d)
	}
	for raw, dst := range map[string]*time.Time{q.Start: &start, q.End: &end} {
		if t, err := mail.ParseDate(raw); raw != "" && err == nil {
			*dst = t
		} else if raw != "" {
			c.message(http.StatusBadRequest, "invalid date: %s", raw)
			return
		}
	}
	if why := s.checkLogsFilter(q); why != "" {
		c.message(http.StatusBadRequest, "%s", why)
		return
	}
	all := s.visible(func(ev *event) bool {
		return !ev.at.Before(start) && !ev.at.After(end.Add(time.Second)) && q.keeps(ev)
	})
	if q.Pagination.Sort != "timestamp:asc" {
		slices.Reverse(all)
	}
	limit := min(orInt(q.Pagination.Limit, 100), 100)
	from, _ := strconv.Atoi(q.Pagination.Token)
	from = min(max(from, 0), len(all))
	page := all[from:min(from+limit, len(all))]
	items := []any{}
	for _, ev := range page {
		items = append(items, ev.logItem())
	}
	p := map[string]any{"first": "0", "last": itoa(max(0, len(all)-limit)), "total": len(all), "previous": itoa(max(0, from-limit)), "next": ""}
	if from+len(page) < len(all) {
		p["next"] = itoa(from + len(page))
	}
	c.answer(http.StatusOK, map[string]any{"start": rfc2822(start), "end": rfc2822(end), "items": items, "pagination": p, "aggregates": map[string]any{}})
}

func rfc2822(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0000") }

// readDuration reads 1d, 2h, 30m.
func readDuration(s string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * 24 * time.Hour, err == nil
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && s != ""
}

var logAttributes = []string{"domain", "recipient", "event", "recipient-domain", "tag", "subject", "from"}

func (s *Server) checkLogsFilter(q logsRequest) string {
	known := logAttributes
	if s.switches().LogsFilterMessageID {
		known = append(slices.Clone(known), "message-id")
	}
	for _, f := range q.Filter.AND {
		if !slices.Contains(known, f.Attribute) {
			return "invalid filter attribute: " + f.Attribute
		}
		for _, v := range f.Values {
			if v.Label == "" || v.Value == "" { // both are needed
				return "filter values need label and value"
			}
		}
	}
	return ""
}

func (q logsRequest) keeps(ev *event) bool {
	if len(q.Events) > 0 && !slices.Contains(q.Events, ev.name) {
		return false
	}
	for _, f := range q.Filter.AND {
		have := map[string]string{"domain": ev.domain, "recipient": ev.recipient, "event": ev.name,
			"recipient-domain": domainOf(ev.recipient), "message-id": ev.messageID}[f.Attribute]
		any := false
		for _, v := range f.Values {
			equal, within := strings.EqualFold(have, strings.Trim(v.Value, "<>")), strings.Contains(have, v.Value)
			any = any || map[string]bool{"=": equal, "!=": !equal, "contains": within, "not contains": !within}[f.Comparator]
		}
		if !any {
			return false
		}
	}
	return true
}

// logItem is an event in the shape of the Logs API (recording of 2025).
func (ev *event) logItem() map[string]any {
	out := maps.Clone(ev.data)
	delete(out, "timestamp")
	out["@timestamp"] = ev.at.UTC().Format("2006-01-02T15:04:05.000Z")
	vars, _ := json.Marshal(out["user-variables"])
	out["user-variables"] = string(vars)
	out["originating-ip"] = "198.51.100.7"
	if st, ok := out["storage"].(map[string]any); ok {
		st = maps.Clone(st)
		st["url"] = []any{st["url"]}
		out["storage"] = st
	}
	if fl, ok := out["flags"].(map[string]any); ok {
		all := map[string]any{"is-callback": false, "is-delayed-bounce": false, "is-routed": false, "is-system-test": false}
		maps.Copy(all, fl)
		fl = all
		out["flags"] = fl
	}
	return out
}
