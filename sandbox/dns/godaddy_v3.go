package dns

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func (s *Server) v3Endpoints() []endpoint {
	const records = "/v3/domains/zones/{zone}/dns-records"
	return []endpoint{
		{"GET", records, v3Read, func(c *call) { c.s.v3List(c) }},
		{"POST", records, v3Update, func(c *call) { c.s.v3Create(c) }},
		{"DELETE", records + "/{recordId}", v3Update, func(c *call) { c.s.v3Delete(c) }},
		{"PUT", records + "/{recordId}", v3Update, func(c *call) { c.s.v3Replace(c) }},
	}
}

// refusal is an answer other than success.
type refusal struct {
	status        int
	code, message string
	fields        []field
}

// v3Zone runs f on the path's zone under the lock. A refusal of f's is answered.
func (s *Server) v3Zone(c *call, f func(z *zone) *refusal) bool {
	s.mu.Lock()
	z := s.hosted(c.params["zone"], "godaddy")
	if z != nil && !c.key.sees(z.Name) {
		z = nil
	}
	var no *refusal
	if z == nil {
		no = &refusal{status: s.st.switches.UnknownZone, code: "NOT_FOUND", message: "The zone was not found"}
		if no.status == http.StatusBadRequest {
			no.code, no.message = "INVALID_REQUEST", "The zone is not valid for this customer"
		}
	} else {
		no = f(z)
	}
	s.mu.Unlock()
	if no != nil {
		c.godaddyError("v3", no.status, no.code, no.message, no.fields...)
	}
	return no == nil
}

// v3Record is a record as v3 shows it.
func v3Record(r Record, zone string) map[string]any {
	out := map[string]any{"recordId": r.ID, "name": relative(r.Name, zone), "type": r.Type, "data": r.Data, "ttl": r.TTL}
	if isHost(r.Type) {
		out["data"] = r.Data + "."
	}
	switch r.Type {
	case "MX":
		out["priority"] = r.Priority
	case "SRV":
		parts := strings.SplitN(relative(r.Name, zone)+"..", ".", 3)
		out["priority"], out["weight"], out["port"] = r.Priority, r.Weight, r.Port
		out["service"], out["protocol"] = parts[0], parts[1]
		out["name"] = strings.TrimRight(parts[2], ".")
		if out["name"] == "" {
			out["name"] = "@"
		}
	case "CAA":
		out["flag"], out["tag"] = r.Flag, r.Tag
	}
	return out
}

func (s *Server) v3List(c *call) {
	q := c.r.URL.Query()
	page, size := 1, 25
	for name, p := range map[string]*int{"page": &page, "pageSize": &size} {
		if !q.Has(name) {
			continue
		}
		n, err := strconv.Atoi(q.Get(name))
		if err != nil || n < 1 || name == "pageSize" && n > 100 {
			c.godaddyError("v3", http.StatusBadRequest, "INVALID_REQUEST", "Request is not valid",
				field{name, "INVALID_VALUE", name + " is out of its range"})
			return
		}
		*p = n
	}
	items := []any{}
	if !s.v3Zone(c, func(z *zone) *refusal {
		for _, r := range z.records {
			if (q.Get("type") == "" || strings.EqualFold(q.Get("type"), r.Type)) && (q.Get("name") == "" || under(q.Get("name"), z.Name) == r.Name) {
				items = append(items, only(v3Record(r, z.Name), q.Get("fields")))
			}
		}
		return nil
	}) {
		return
	}
	total := len(items)
	pages := (total + size - 1) / size
	from := min((page-1)*size, total)
	out := map[string]any{"items": items[from:min(from+size, total)], "links": v3Links(c.r.URL, page, pages)}
	if q.Get("totalRequired") == "true" && total > 0 {
		out["totalItems"], out["totalPages"] = total, pages
	}
	c.answer(http.StatusOK, out)
}

// only leaves the named fields, separated by commas; none: all.
func only(record map[string]any, fields string) map[string]any {
	if fields != "" {
		keep := strings.Split(fields, ",")
		for k := range record {
			if !slices.Contains(keep, k) {
				delete(record, k)
			}
		}
	}
	return record
}

func v3Links(u *url.URL, page, pages int) []any {
	to := func(rel string, n int) any {
		q := u.Query()
		q.Set("page", strconv.Itoa(n))
		return map[string]any{"rel": rel, "href": u.Path + "?" + q.Encode()}
	}
	links := []any{to("self", page), to("first", 1)}
	if page > 1 {
		links = append(links, to("prev", page-1))
	}
	if page < pages {
		links = append(links, to("next", page+1))
	}
	return append(links, to("last", max(pages, 1)))
}

// v3Types are the types that can be created.
func v3Types() []string { return []string{"A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TXT"} }

// v3Bad says what is wrong with a body.
func v3Bad(w wanted, sw Switches) (bad []field) {
	missing := func(name string, is bool) {
		if is {
			bad = append(bad, field{name, "MISSING_REQUIRED_FIELD", name + " is required"})
		}
	}
	missing("name", w.Name == nil)
	missing("type", w.Type == nil)
	missing("data", w.Data == nil)
	missing("ttl", w.TTL == nil)
	if len(bad) > 0 {
		return bad
	}
	wrong := func(name, why string) { bad = append(bad, field{name, "INVALID_VALUE", name + " " + why}) }
	kind := *w.Type
	missing("priority", w.Priority == nil && (kind == "MX" || kind == "SRV"))
	if n := len(*w.Name); n < 1 || n > 255 {
		wrong("name", "must have 1 to 255 characters")
	}
	if !slices.Contains(v3Types(), kind) {
		wrong("type", "is not supported")
	}
	if n := len([]rune(*w.Data)); n < 1 || n > 512 {
		wrong("data", "must have 1 to 512 characters")
	} else if why := w.record("zone.example").badData(); why != "" {
		wrong("data", why)
	} else if sw.NeedDot && isHost(kind) && !strings.HasSuffix(*w.Data, ".") {
		wrong("data", "must be fully qualified")
	}
	if *w.TTL < 600 || *w.TTL > 86400 {
		wrong("ttl", "must be between 600 and 86400")
	}
	if w.Priority != nil && (*w.Priority < 0 || *w.Priority > 65535) {
		wrong("priority", "must be between 0 and 65535")
	}
	if strings.Contains(*w.Name, "*") && !slices.Contains([]string{"A", "AAAA", "CNAME"}, kind) {
		wrong("name", "must not be a wildcard for this type")
	}
	return bad
}

// v3Body reads the one object of a call.
func (s *Server) v3Body(c *call) (w wanted, ok bool) {
	_, err := c.object()
	if err == nil {
		w, err = readWanted(c.body)
	}
	if err != nil {
		c.godaddyError("v3", http.StatusBadRequest, "INVALID_REQUEST", "Request body is not valid", field{"body", "INVALID_BODY", "the body " + err.Error()})
		return w, false
	}
	if bad := v3Bad(w, s.switches()); len(bad) > 0 {
		c.godaddyError("v3", http.StatusUnprocessableEntity, "INVALID_REQUEST", "Request is well formed but not valid", bad...)
		return w, false
	}
	return w, true
}

func (s *Server) v3Create(c *call) {
	w, ok := s.v3Body(c)
	if !ok {
		return
	}
	var made Record
	var in string
	if !s.v3Zone(c, func(z *zone) *refusal {
		in = z.Name
		r := w.record(z.Name)
		if no := s.v3Refuses(z, r); no != nil {
			return no
		}
		protect(s.st.switches, &r)
		made = s.add(z, r)
		return nil
	}) {
		return
	}
	c.w.Header().Set("Location", strings.TrimSuffix(c.r.URL.EscapedPath(), "/")+"/"+made.ID)
	c.answer(http.StatusCreated, v3Record(made, in))
}

// v3Refuses needs Server.mu.
func (s *Server) v3Refuses(z *zone, r Record) *refusal {
	if s.st.switches.Ineligible {
		return &refusal{status: http.StatusConflict, code: "CONFLICT", message: "The domain is not eligible to have its records changed"}
	}
	if z.twin(r) != nil {
		return &refusal{status: http.StatusUnprocessableEntity, code: "DUPLICATE_RECORD", message: "Another record with the same attributes already exists"}
	}
	if o := z.clash(r); o != nil {
		return &refusal{status: http.StatusUnprocessableEntity, code: "RECORD_CONFLICT",
			message: fmt.Sprintf("A %s record cannot be created: %s has a %s record", r.Type, relative(o.Name, z.Name), o.Type)}
	}
	return nil
}

func (s *Server) v3Delete(c *call) {
	ok := s.v3Zone(c, func(z *zone) *refusal {
		r := z.find(func(r Record) bool { return r.ID == c.params["recordId"] })
		switch {
		case r == nil:
			return &refusal{status: http.StatusNotFound, code: "NOT_FOUND", message: "The record was not found"}
		case r.System:
			return &refusal{status: http.StatusConflict, code: "CONFLICT", message: "The record is managed by GoDaddy and cannot be deleted"}
		case s.st.switches.Ineligible:
			return &refusal{status: http.StatusConflict, code: "CONFLICT", message: "The domain is not eligible to have its records changed"}
		}
		s.leavePlaceholders(z, s.remove(z, func(o Record) bool { return o.ID == c.params["recordId"] }))
		return nil
	})
	if ok {
		c.w.WriteHeader(http.StatusNoContent)
	}
}

// v3Replace answers as if one record had been replaced, and leaves nothing in the zone
// but that and the host's own (godaddy/cli issue 136 of 2026-07-21).
func (s *Server) v3Replace(c *call) {
	w, ok := s.v3Body(c)
	if !ok {
		return
	}
	var made Record
	var in string
	if !s.v3Zone(c, func(z *zone) *refusal {
		in = z.Name
		id := c.params["recordId"]
		old := z.find(func(r Record) bool { return r.ID == id })
		if old == nil {
			return &refusal{status: http.StatusNotFound, code: "NOT_FOUND", message: "The record was not found"}
		}
		if old.System {
			return &refusal{status: http.StatusConflict, code: "CONFLICT", message: "The record is managed by GoDaddy and cannot be changed"}
		}
		repaired := s.st.switches.PutRepaired
		s.remove(z, func(r Record) bool { return r.ID == id || !repaired && !r.System })
		made = s.add(z, w.record(z.Name))
		return nil
	}) {
		return
	}
	c.answer(http.StatusOK, v3Record(made, in))
}
