package mailgun

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

var suppressionKinds = []string{"bounces", "unsubscribes", "complaints", "whitelists"}

// suppressed addresses of one kind, in the order of their coming.
type suppressionList struct{ items []suppression }

type suppression struct {
	address, code, text string
	tags                []string
	created             time.Time
}

func (l *suppressionList) find(address string) int {
	return slices.IndexFunc(l.items, func(x suppression) bool { return strings.EqualFold(x.address, address) })
}

func (x suppression) json(kind string) map[string]any {
	out := map[string]any{"address": x.address, "created_at": x.created.UTC().Format("Mon, 02 Jan 2006 15:04:05 UTC")}
	switch kind {
	case "bounces":
		out["code"], out["error"] = orText(x.code, "550"), x.text
	case "unsubscribes":
		out["tags"] = x.tags
	case "whitelists":
		// The one table with a camel-cased time (OpenAPI file and mailgun.js agree).
		out = map[string]any{"type": "address", "value": x.address, "reason": x.text, "createdAt": out["created_at"]}
		if !strings.Contains(x.address, "@") {
			out["type"] = "domain"
		}
	}
	return out
}

func (s *Server) suppressionEndpoints() []endpoint {
	var all []endpoint
	for _, kind := range suppressionKinds {
		all = append(all,
			endpoint{"GET", "/v3/{domain}/" + kind, scopeDomain, func(c *call) { c.s.suppressionList(c, kind) }},
			endpoint{"POST", "/v3/{domain}/" + kind, scopeDomain, func(c *call) { c.s.suppressionAdd(c, kind) }},
			endpoint{"DELETE", "/v3/{domain}/" + kind, scopeDomain, func(c *call) { c.s.suppressionClear(c, kind) }},
			endpoint{"GET", "/v3/{domain}/" + kind + "/{address}", scopeDomain, func(c *call) { c.s.suppressionGet(c, kind) }},
			endpoint{"DELETE", "/v3/{domain}/" + kind + "/{address}", scopeDomain, func(c *call) { c.s.suppressionDelete(c, kind) }})
	}
	return all
}

// suppress puts an address on a domain's list; an older entry is replaced.
func (s *Server) suppress(domain, kind, address, code, text string, tags []string) {
	now := s.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.st.domains[domain]
	if d == nil {
		return
	}
	if kind != "whitelists" && d.whitelisted(address) {
		return
	}
	d.suppression[kind].put(suppression{strings.ToLower(address), code, text, tags, now})
}

func (l *suppressionList) put(x suppression) {
	if i := l.find(x.address); i >= 0 {
		l.items[i] = x
		return
	}
	l.items = append(l.items, x)
}

func (d *domain) whitelisted(address string) bool {
	w := d.suppression["whitelists"]
	return w.find(address) >= 0 || w.find(domainOf(address)) >= 0
}

// suppressed says why a mail is not even tried. The codes are Mailgun's own.
func (s *Server) suppressed(m *message, d *delivery) (code int, text, reason string) {
	codes := []struct {
		kind, reason, text string
		code               int
	}{
		{"bounces", "suppress-bounce", "Not delivering to previously bounced address", 605},
		{"unsubscribes", "suppress-unsubscribe", "Not delivering to unsubscribed address", 606},
		{"complaints", "suppress-complaint", "Not delivering to a user who marked your messages as spam", 607},
	}
	if d.pending != nil && d.pending.Action == "suppress" {
		for _, c := range codes {
			if c.code == d.pending.Status {
				return c.code, c.text, c.reason
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	dom := s.st.domains[m.domain]
	if dom == nil || m.inbound {
		return 0, "", ""
	}
	for _, c := range codes {
		l := dom.suppression[c.kind]
		i := l.find(d.to)
		if i < 0 || (c.kind == "unsubscribes" && !l.items[i].covers(m.opts.tags)) {
			continue
		}
		return c.code, c.text, c.reason
	}
	return 0, "", ""
}

// covers: an unsubscription is for the whole domain ("*") or for tags.
func (x suppression) covers(tags []string) bool {
	return len(x.tags) == 0 || slices.Contains(x.tags, "*") ||
		slices.ContainsFunc(tags, func(t string) bool { return slices.Contains(x.tags, t) })
}

func (s *Server) suppressionList(c *call, kind string) {
	q := c.r.URL.Query()
	limit := min(max(c.intParam("limit", 100), 1), 1000)
	s.mu.Lock()
	all := slices.Clone(s.st.domains[c.domain].suppression[kind].items)
	s.mu.Unlock()
	term := strings.ToLower(q.Get("term"))
	all = slices.DeleteFunc(all, func(x suppression) bool { return !strings.HasPrefix(x.address, term) })
	slices.SortFunc(all, func(a, b suppression) int { return strings.Compare(a.address, b.address) })
	from := 0
	pivot, _ := slices.BinarySearchFunc(all, q.Get("address"), func(x suppression, a string) int { return strings.Compare(x.address, a) })
	switch q.Get("page") {
	case "next":
		from = pivot
		if pivot < len(all) && all[pivot].address == q.Get("address") {
			from++
		}
	case "previous":
		from = max(0, pivot-limit)
		all = all[:pivot]
	case "last":
		from = max(0, len(all)-limit)
	}
	page := all[min(from, len(all)):]
	page = page[:min(limit, len(page))]
	items := []any{}
	for _, x := range page {
		items = append(items, x.json(kind))
	}
	c.answer(http.StatusOK, map[string]any{"items": items, "paging": c.suppressionPaging(page, limit, term)})
}

func (c *call) suppressionPaging(page []suppression, limit int, term string) map[string]string {
	link := func(which, address string) string {
		v := url.Values{"limit": {itoa(limit)}, "term": {term}}
		if which != "" {
			v.Set("page", which)
		}
		if address != "" {
			v.Set("address", address)
		}
		return c.base() + c.r.URL.Path + "?" + v.Encode()
	}
	first, last := "", ""
	if n := len(page); n > 0 {
		first, last = page[0].address, page[n-1].address
	}
	return map[string]string{"first": link("", ""), "next": link("next", last), "previous": link("previous", first), "last": link("last", "")}
}

// suppressionInput is one entry of a JSON list.
type suppressionInput struct {
	Address string   `json:"address"`
	Code    any      `json:"code"` // clients send numbers as well as strings
	Error   string   `json:"error"`
	Tags    []string `json:"tags"`
}

func (s *Server) suppressionAdd(c *call, kind string) {
	var in []suppressionInput
	if strings.HasPrefix(c.r.Header.Get("Content-Type"), "application/json") {
		b, _ := io.ReadAll(io.LimitReader(c.r.Body, 4<<20))
		if json.Unmarshal(b, &in) != nil {
			c.message(http.StatusBadRequest, "Invalid format")
			return
		}
		if len(in) > 1000 {
			c.message(http.StatusBadRequest, "Batch size should be less than 1000")
			return
		}
	} else {
		f, ok := c.form()
		if !ok {
			return
		}
		// A form's tags field ends as ["*"] (recording of 2026).
		in = []suppressionInput{{Address: orText(orText(f.Get("address"), f.Get("domain")), f.Get("value")), Code: f.Get("code"),
			Error: orText(f.Get("error"), f.Get("reason"))}}
	}
	for _, x := range in {
		if _, ok := strictAddresses(x.Address); !ok && kind != "whitelists" || x.Address == "" {
			c.message(http.StatusBadRequest, "Invalid address: %s", x.Address)
			return
		}
	}
	for _, x := range in {
		if len(x.Tags) == 0 {
			x.Tags = []string{"*"}
		}
		code := ""
		if x.Code != nil {
			code = fmt.Sprint(x.Code)
		}
		s.suppress(c.domain, kind, x.Address, code, x.Error, x.Tags)
	}
	c.suppressionAdded(kind, in)
}

func (c *call) suppressionAdded(kind string, in []suppressionInput) {
	table := strings.TrimSuffix(kind, "s")
	switch {
	case kind == "whitelists":
		c.answer(http.StatusOK, map[string]string{"message": "Address/Domain has been added to the whitelists table", "value": in[0].Address, "type": "address"})
	case len(in) == 1 && !strings.HasPrefix(c.r.Header.Get("Content-Type"), "application/json"):
		c.answer(http.StatusOK, map[string]string{"message": "Address has been added to the " + kind + " table", "address": in[0].Address})
	case kind == "complaints":
		c.message(http.StatusOK, "%d %s addresses have been added to the %s table", len(in), table, kind)
	default:
		c.message(http.StatusOK, "%d addresses have been added to the %s table", len(in), kind)
	}
}

func (s *Server) suppressionGet(c *call, kind string) {
	s.mu.Lock()
	l := s.st.domains[c.domain].suppression[kind]
	i := l.find(c.params["address"])
	var out map[string]any
	if i >= 0 {
		out = l.items[i].json(kind)
	}
	s.mu.Unlock()
	if out == nil {
		c.message(http.StatusNotFound, "Address not found in %s table", kind)
		return
	}
	c.answer(http.StatusOK, out)
}

func (s *Server) suppressionDelete(c *call, kind string) {
	said := map[string]string{"bounces": "Bounced address has been removed", "unsubscribes": "Unsubscribe event has been removed",
		"complaints": "Spam complaint has been removed", "whitelists": "Whitelist address/domain has been removed"}
	s.mu.Lock()
	l := s.st.domains[c.domain].suppression[kind]
	i := l.find(c.params["address"])
	address := ""
	if i >= 0 {
		address = l.items[i].address
		l.items = slices.Delete(slices.Clone(l.items), i, i+1)
	}
	s.mu.Unlock()
	if i < 0 {
		c.message(http.StatusNotFound, "Address not found in %s table", kind)
		return
	}
	out := map[string]string{"message": said[kind], "address": address}
	if kind == "whitelists" {
		out = map[string]string{"message": said[kind], "value": address}
	}
	c.answer(http.StatusOK, out)
}

func (s *Server) suppressionClear(c *call, kind string) {
	said := map[string]string{"bounces": "Bounced addresses for this domain have been removed",
		"unsubscribes": "Unsubscribe addresses for this domain have been removed",
		"complaints":   "Complaint addresses for this domain have been removed",
		"whitelists":   "Whitelist addresses/domains for this domain have been removed"}
	s.mu.Lock()
	s.st.domains[c.domain].suppression[kind].items = nil
	s.mu.Unlock()
	c.message(http.StatusOK, "%s", said[kind])
}
