package dns

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Codes and texts of Cloudflare's API v4 as its documents and public clients have them.

func (s *Server) cloudflareEndpoints() []endpoint {
	const zones = "/client/v4/zones"
	const records = zones + "/{zone}/dns_records"
	return []endpoint{
		{"GET", "/client/v4/user/tokens/verify", cloudflareRead, func(c *call) { c.cloudflareToken() }},
		{"GET", zones, cloudflareRead, func(c *call) { c.s.cloudflareZones(c) }},
		{"GET", zones + "/{zone}", cloudflareRead, func(c *call) { c.s.cloudflareZone(c) }},
		{"GET", records, cloudflareRead, func(c *call) { c.s.cloudflareList(c) }},
		{"POST", records, cloudflareWrite, func(c *call) { c.s.cloudflareCreate(c) }},
		{"GET", records + "/{record}", cloudflareRead, func(c *call) { c.s.cloudflareGet(c) }},
		{"PATCH", records + "/{record}", cloudflareWrite, func(c *call) { c.s.cloudflareChange(c) }},
		{"PUT", records + "/{record}", cloudflareWrite, func(c *call) { c.s.cloudflareChange(c) }},
		{"DELETE", records + "/{record}", cloudflareWrite, func(c *call) { c.s.cloudflareDelete(c) }},
	}
}

func (c *call) cloudflareAllowed(scope string) bool {
	if h := c.r.Header.Get("Authorization"); h == "" {
		c.cloudflareError(http.StatusBadRequest, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
		return false
	} else if !strings.HasPrefix(h, "Bearer ") {
		c.cloudflareError(http.StatusBadRequest, 6003, "Invalid request headers", chained{6111, "Invalid format for Authorization header"})
		return false
	}
	if c.key = c.s.credential(c.r, "cloudflare"); c.key == nil {
		c.cloudflareError(http.StatusForbidden, 9109, "Invalid access token")
		return false
	}
	if wait, over := c.s.limited(c.key.Secret, c.s.switches().CloudflareLimit, 5*time.Minute); over {
		c.w.Header().Set("Retry-After", strconv.Itoa(wait))
		c.cloudflareError(http.StatusTooManyRequests, 971, "Please wait and consider throttling your request speed")
		return false
	}
	if !c.key.may(scope) && !c.key.may("edit") {
		c.cloudflareError(http.StatusForbidden, 10000, "Authentication error")
		return false
	}
	return true
}

type chained struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (c *call) cloudflareError(status, code int, message string, chain ...chained) {
	e := map[string]any{"code": code, "message": message}
	if len(chain) > 0 {
		e["error_chain"] = chain
	}
	c.answer(status, map[string]any{"success": false, "errors": []any{e}, "messages": []any{}, "result": nil})
}

func (c *call) cloudflareResult(result any, info map[string]any) {
	out := map[string]any{"success": true, "errors": []any{}, "messages": []any{}, "result": result}
	if info != nil {
		out["result_info"] = info
	}
	c.answer(http.StatusOK, out)
}

// cloudflarePage cuts a list to the page that is asked for.
func (c *call) cloudflarePage(items []any, def, most int) ([]any, map[string]any) {
	number := func(name string, def int) int {
		if n, err := strconv.Atoi(c.r.URL.Query().Get(name)); err == nil && n > 0 {
			return n
		}
		return def
	}
	page, size := number("page", 1), min(number("per_page", def), most)
	total := len(items)
	from := min((page-1)*size, total)
	out := items[from:min(from+size, total)]
	return out, map[string]any{"page": page, "per_page": size, "count": len(out), "total_count": total, "total_pages": (total + size - 1) / size}
}

func (c *call) cloudflareToken() {
	c.cloudflareResult(map[string]any{"id": "emulated", "status": "active"}, nil)
}

func (z *zone) cloudflare() map[string]any {
	status := "active"
	if len(z.Delegated) > 0 {
		status = "pending"
	}
	return map[string]any{"id": z.id, "name": z.Name, "status": status, "paused": false, "type": "full", "name_servers": z.NS,
		"created_on": z.created.UTC().Format(time.RFC3339Nano), "permissions": []string{"#dns_records:edit", "#dns_records:read", "#zone:read"}}
}

// cloudflareSeen are the zones that the caller may see. Needs Server.mu.
func (s *Server) cloudflareSeen(c *call) (out []*zone) {
	for _, name := range s.st.order {
		if z := s.hosted(name, "cloudflare"); z != nil && c.key.sees(name) {
			out = append(out, z)
		}
	}
	return out
}

func (s *Server) cloudflareZones(c *call) {
	q := c.r.URL.Query()
	items := []any{}
	s.mu.Lock()
	for _, z := range s.cloudflareSeen(c) {
		if q.Get("name") == "" || canonical(q.Get("name")) == z.Name {
			items = append(items, z.cloudflare())
		}
	}
	s.mu.Unlock()
	items, info := c.cloudflarePage(items, 20, 50)
	c.cloudflareResult(items, info)
}

// inZone runs f on the path's zone under the lock; f's refusal is answered.
func (s *Server) inZone(c *call, f func(z *zone) (any, *cloudflareNo)) {
	s.mu.Lock()
	seen := s.cloudflareSeen(c)
	i := slices.IndexFunc(seen, func(z *zone) bool { return z.id == c.params["zone"] })
	var out any
	no := &cloudflareNo{http.StatusNotFound, 7003, "Could not route to /zones/" + c.params["zone"] + ", perhaps your object identifier is invalid?", nil}
	if i >= 0 {
		out, no = f(seen[i])
	}
	s.mu.Unlock()
	if no != nil {
		c.cloudflareError(no.status, no.code, no.message, no.chain...)
		return
	}
	if p, ok := out.(page); ok {
		items, info := c.cloudflarePage(p, 100, 50_000)
		c.cloudflareResult(items, info)
		return
	}
	c.cloudflareResult(out, nil)
}

// page is a result that is a list.
type page []any

type cloudflareNo struct {
	status, code int
	message      string
	chain        []chained
}

func (s *Server) cloudflareZone(c *call) {
	s.inZone(c, func(z *zone) (any, *cloudflareNo) { return z.cloudflare(), nil })
}

func proxiable(kind string) bool { return slices.Contains([]string{"A", "AAAA", "CNAME"}, kind) }

// cloudflareRecord is a record as the API shows it. Needs Server.mu.
func (s *Server) cloudflareRecord(z *zone, r Record) map[string]any {
	at := r.Created.UTC().Format(time.RFC3339Nano)
	out := map[string]any{"id": r.ID, "name": r.Name, "type": r.Type, "content": r.Data, "ttl": r.TTL, "proxied": r.Proxied, "proxiable": proxiable(r.Type),
		"comment": nil, "tags": []any{}, "settings": map[string]any{}, "meta": map[string]any{}, "created_on": at, "modified_on": at,
		"zone_id": z.id, "zone_name": z.Name}
	if r.Comment != "" {
		out["comment"] = r.Comment
	}
	switch r.Type {
	case "MX":
		out["priority"] = r.Priority
	case "TXT":
		if s.st.switches.QuoteTXT {
			out["content"] = quoted(r.Data)
		}
	}
	return out
}

// quoted is a TXT as a zone file has it.
func quoted(text string) string {
	out := make([]string, 0, 2)
	for _, c := range chunks(text) {
		out = append(out, `"`+c+`"`)
	}
	return strings.Join(out, " ")
}

// unquoted reads either way of writing a TXT.
func unquoted(content string) string {
	if len(content) < 2 || content[0] != '"' {
		return content
	}
	rr, err := parseRR(". TXT " + content)
	if err != nil {
		return content
	}
	return value(rr)
}

// cloudflareList shows no SOA, and no NS of the host's own.
func (s *Server) cloudflareList(c *call) {
	q := c.r.URL.Query()
	fits := func(name, value string) bool {
		for _, k := range []string{name, name + ".exact"} {
			if w := q.Get(k); w != "" && !strings.EqualFold(w, value) {
				return false
			}
		}
		return true
	}
	s.inZone(c, func(z *zone) (any, *cloudflareNo) {
		items := page{}
		for _, r := range z.records {
			if !r.System && fits("type", r.Type) && fits("name", r.Name) && (fits("content", r.Data) || fits("content", quoted(r.Data))) {
				items = append(items, s.cloudflareRecord(z, r))
			}
		}
		return items, nil
	})
}

// cloudflareWish is a body; what is missing stays as it is.
type cloudflareWish struct {
	Name     *string `json:"name"`
	Type     *string `json:"type"`
	Content  *string `json:"content"`
	TTL      *int    `json:"ttl"`
	Priority *int    `json:"priority"`
	Proxied  *bool   `json:"proxied"`
	Comment  *string `json:"comment"`
}

func (w cloudflareWish) apply(r Record, zone string) (Record, *cloudflareNo) {
	set := func(p *string, to *string) {
		if p != nil {
			*to = *p
		}
	}
	set(w.Name, &r.Name)
	set(w.Type, &r.Type)
	set(w.Content, &r.Data)
	set(w.Comment, &r.Comment)
	if w.TTL != nil {
		r.TTL = *w.TTL
	}
	if w.Priority != nil {
		r.Priority = *w.Priority
	}
	if w.Proxied != nil {
		r.Proxied = *w.Proxied
	}
	if r.TTL == 0 || r.TTL == 1 {
		r.TTL = 300 // 1 is "automatic"
	}
	r.tidy()
	if r.Name == "@" || !within(r.Name, zone) { // a short name is completed
		r.Name = under(r.Name, zone)
	}
	if r.Type == "TXT" {
		r.Data = unquoted(r.Data)
	}
	return r, cloudflareBad(r, w)
}

func cloudflareBad(r Record, w cloudflareWish) *cloudflareNo {
	bad := func(code int, format string, args ...any) *cloudflareNo {
		text := fmt.Sprintf(format, args...)
		return &cloudflareNo{http.StatusBadRequest, code, text, nil}
	}
	switch {
	case r.Type == "" || !slices.Contains(v3Types(), r.Type):
		return &cloudflareNo{http.StatusBadRequest, 1004, "DNS Validation Error", []chained{{9000, "DNS record type is invalid."}}}
	case r.Data == "" && r.Type != "CAA" && r.Type != "SRV":
		return bad(9101, "content is a required data field")
	case r.Type == "MX" && w.Priority == nil && r.Priority == 0:
		return bad(9101, "priority is a required data field")
	case r.TTL < 60 || r.TTL > 86400:
		return &cloudflareNo{http.StatusBadRequest, 1004, "DNS Validation Error", []chained{{9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic."}}}
	case r.Proxied && !proxiable(r.Type):
		return bad(9004, "This record type cannot be proxied.")
	case r.badData() != "":
		return &cloudflareNo{http.StatusBadRequest, 1004, "DNS Validation Error", []chained{{9005, "Content for " + r.Type + " record is invalid."}}}
	}
	return nil
}

// cloudflareClash says why a record cannot stand beside what is there.
func (z *zone) cloudflareClash(r Record) *cloudflareNo {
	if z.twin(r) != nil {
		if proxiable(r.Type) {
			return &cloudflareNo{http.StatusBadRequest, 81057, "The record already exists.", nil}
		}
		return &cloudflareNo{http.StatusBadRequest, 81058, "An identical record already exists.", nil}
	}
	other := z.find(func(o Record) bool { return r.Type == "CNAME" && o.Type == "CNAME" && o.Name == r.Name && o.ID != r.ID })
	switch o := z.clash(r); {
	case o != nil && o.Type == "CNAME":
		return &cloudflareNo{http.StatusBadRequest, 81054, "A CNAME record with that host already exists.", nil}
	case o != nil || other != nil:
		return &cloudflareNo{http.StatusBadRequest, 81053, "An A, AAAA, or CNAME record with that host already exists.", nil}
	}
	return nil
}

// cloudflareBody reads the call's wish.
func (c *call) cloudflareBody() (w cloudflareWish, ok bool) {
	if err := json.Unmarshal(c.body, &w); err != nil {
		c.cloudflareError(http.StatusBadRequest, 9207, "Request body is invalid.")
		return w, false
	}
	return w, true
}

func (s *Server) cloudflareCreate(c *call) {
	w, ok := c.cloudflareBody()
	if !ok {
		return
	}
	s.inZone(c, func(z *zone) (any, *cloudflareNo) {
		r, no := w.apply(Record{Name: "@"}, z.Name)
		if no == nil {
			no = z.cloudflareClash(r)
		}
		if no != nil {
			return nil, no
		}
		return s.cloudflareRecord(z, s.add(z, r)), nil
	})
}

// withRecord runs f on the path's record.
func (s *Server) withRecord(c *call, f func(z *zone, r *Record) (any, *cloudflareNo)) {
	s.inZone(c, func(z *zone) (any, *cloudflareNo) {
		r := z.find(func(r Record) bool { return r.ID == c.params["record"] && !r.System })
		if r == nil {
			return nil, &cloudflareNo{http.StatusNotFound, 81044, "Record does not exist.", nil}
		}
		return f(z, r)
	})
}

func (s *Server) cloudflareGet(c *call) {
	s.withRecord(c, func(z *zone, r *Record) (any, *cloudflareNo) { return s.cloudflareRecord(z, *r), nil })
}

func (s *Server) cloudflareChange(c *call) {
	w, ok := c.cloudflareBody()
	if !ok {
		return
	}
	s.withRecord(c, func(z *zone, r *Record) (any, *cloudflareNo) {
		next, no := w.apply(*r, z.Name)
		if no == nil {
			no = z.cloudflareClash(next)
		}
		if no != nil {
			return nil, no
		}
		*r = next
		s.changed(z)
		return s.cloudflareRecord(z, next), nil
	})
}

func (s *Server) cloudflareDelete(c *call) {
	s.withRecord(c, func(z *zone, r *Record) (any, *cloudflareNo) {
		id := r.ID
		s.remove(z, func(o Record) bool { return o.ID == id })
		return map[string]any{"id": id}, nil
	})
}
