package dns

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func (s *Server) v1Endpoints() []endpoint {
	const records = "/v1/domains/{domain}/records"
	return []endpoint{
		{"GET", "/v1/domains/{domain}", v1Read, func(c *call) { c.s.v1Domain(c) }},
		{"GET", records, v1Read, func(c *call) { c.s.v1List(c) }},
		{"GET", records + "/{type}", v1Read, func(c *call) { c.s.v1List(c) }},
		{"GET", records + "/{type}/{name}", v1Read, func(c *call) { c.s.v1List(c) }},
		{"PATCH", records, v1Update, func(c *call) { c.s.v1Add(c) }},
		{"PUT", records, v1Update, func(c *call) { c.s.v1Replace(c) }},
		{"PUT", records + "/{type}", v1Update, func(c *call) { c.s.v1Replace(c) }},
		{"PUT", records + "/{type}/{name}", v1Update, func(c *call) { c.s.v1Replace(c) }},
		{"DELETE", records + "/{type}/{name}", v1Update, func(c *call) { c.s.v1Delete(c) }},
	}
}

// v1Types are all types of v1; it has never heard of CAA.
func v1Types() []string { return []string{"A", "AAAA", "CNAME", "MX", "NS", "SOA", "SRV", "TXT"} }

// v1Deletable are those of which DELETE takes away an RRset.
func v1Deletable() []string { return []string{"A", "AAAA", "CNAME", "MX", "SRV", "TXT"} }

// v1Zone runs f on the path's domain under the lock. A refusal of f's is answered.
func (s *Server) v1Zone(c *call, f func(z *zone) *refusal) bool {
	s.mu.Lock()
	z := s.hosted(c.params["domain"], "godaddy")
	if z != nil && !c.key.sees(z.Name) {
		z = nil
	}
	var no *refusal
	switch {
	case z == nil:
		no = &refusal{status: http.StatusNotFound, code: "UNKNOWN_DOMAIN", message: "The given domain is not registered, or does not have a zone file"}
	case c.r.Method != http.MethodGet && s.st.switches.Ineligible:
		no = &refusal{status: http.StatusConflict, code: "CONFLICT", message: "The given domain is not eligible to have its records changed"}
	default:
		no = f(z)
	}
	s.mu.Unlock()
	if no != nil {
		c.godaddyError("v1", no.status, no.code, no.message, no.fields...)
	}
	return no == nil
}

// v1Path tells whether a record is meant by the path's type and name.
func (c *call) v1Path(zone string) func(Record) bool {
	kind, name := c.params["type"], c.params["name"]
	return func(r Record) bool {
		return (kind == "" || r.Type == kind) && (name == "" || under(name, zone) == r.Name)
	}
}

// v1Kind refuses a type that v1 does not know.
func (c *call) v1Kind(known []string) bool {
	kind := c.params["type"]
	if kind == "" || slices.Contains(known, kind) {
		return true
	}
	c.godaddyError("v1", http.StatusUnprocessableEntity, "INVALID_VALUE_ENUM", fmt.Sprintf("type not any of: %s", strings.Join(known, ", ")))
	return false
}

func (s *Server) v1Domain(c *call) {
	var out any
	if s.v1Zone(c, func(z *zone) *refusal {
		ns := z.NS
		if len(z.Delegated) > 0 {
			ns = z.Delegated
		}
		out = map[string]any{"domain": z.Name, "status": "ACTIVE", "locked": true, "nameServers": ns, "createdAt": z.created.UTC().Format("2006-01-02T15:04:05.000Z")}
		return nil
	}) {
		c.answer(http.StatusOK, out)
	}
}

func (s *Server) v1List(c *call) {
	if !c.v1Kind(v1Types()) {
		return
	}
	items := []any{}
	if s.v1Zone(c, func(z *zone) *refusal {
		meant := c.v1Path(z.Name)
		for _, r := range z.records {
			if meant(r) && slices.Contains(v1Types(), r.Type) {
				items = append(items, v1Record(r, z.Name))
			}
		}
		return nil
	}) {
		c.answer(http.StatusOK, items)
	}
}

func v1Record(r Record, zone string) map[string]any {
	out := map[string]any{"type": r.Type, "name": relative(r.Name, zone), "data": r.Data, "ttl": r.TTL}
	if r.Data == zone && r.Type == "CNAME" {
		out["data"] = "@"
	}
	switch r.Type {
	case "MX":
		out["priority"] = r.Priority
	case "SRV":
		out["priority"], out["weight"], out["port"] = r.Priority, r.Weight, r.Port
	}
	return out
}

// v1Body reads the array of a call; type and name may stand in the path instead.
func (s *Server) v1Body(c *call) (list []wanted, ok bool) {
	var raw []json.RawMessage
	if err := json.Unmarshal(c.body, &raw); err != nil || raw == nil {
		s.v1Invalid(c, field{"records", "UNEXPECTED_TYPE", "is not a array"})
		return nil, false
	}
	var bad []field
	for i, one := range raw {
		at := fmt.Sprintf("records[%d]", i)
		w, err := readWanted(one)
		if err != nil {
			bad = append(bad, field{at, "UNEXPECTED_TYPE", "is not a record"})
			continue
		}
		if kind := c.params["type"]; kind != "" {
			w.Type = &kind
		}
		if name := c.params["name"]; name != "" {
			w.Name = &name
		}
		bad = append(bad, v1Bad(w, at)...)
		list = append(list, w)
	}
	if len(bad) > 0 {
		s.v1Invalid(c, bad...)
		return nil, false
	}
	return list, true
}

func (s *Server) v1Invalid(c *call, bad ...field) {
	c.godaddyError("v1", http.StatusUnprocessableEntity, "INVALID_BODY", "Request body doesn't fulfill schema, see details in `fields`", bad...)
}

func v1Bad(w wanted, at string) (bad []field) {
	add := func(name, code, text string) { bad = append(bad, field{at + "." + name, code, text}) }
	for name, missing := range map[string]bool{"type": w.Type == nil, "name": w.Name == nil, "data": w.Data == nil} {
		if missing {
			add(name, "MISSING_REQUIRED_FIELD", "is required")
		}
	}
	if len(bad) > 0 {
		return bad
	}
	if !slices.Contains(v1Types(), *w.Type) {
		add("type", "INVALID_VALUE_ENUM", "is not any of: "+strings.Join(v1Types(), ", "))
	} else if why := w.record("zone.example").badData(); why != "" {
		add("data", "INVALID_VALUE", why)
	}
	if w.TTL != nil && *w.TTL < 600 {
		add("ttl", "UNKNOWN_RESTRICTION", "must have a minimum value of 600")
	}
	if w.TTL != nil && *w.TTL > 604800 {
		add("ttl", "UNKNOWN_RESTRICTION", "must have a maximum value of 604800")
	}
	return bad
}

// v1Put adds all, or says why not and leaves the zone as it was. Needs Server.mu.
func (s *Server) v1Put(z *zone, list []wanted, at string) *refusal {
	before := slices.Clone(z.records)
	for i, w := range list {
		r := w.record(z.Name)
		where := field{path: fmt.Sprintf("records[%d]", i)}
		if z.twin(r) != nil {
			z.records = before
			where.code, where.message = "DUPLICATE_RECORD", "another record with the same attributes already exists"
			return &refusal{http.StatusUnprocessableEntity, "DUPLICATE_RECORD", "Another record with the same attributes already exists", []field{where}}
		}
		if o := z.clash(r); o != nil {
			z.records = before
			where.code, where.message = "RECORD_CONFLICT", "conflicts with a "+o.Type+" record of the same name"
			return &refusal{http.StatusUnprocessableEntity, "INVALID_BODY", "Record conflicts with another " + at, []field{where}}
		}
		protect(s.st.switches, &r)
		r.ID, r.Created = s.newID(), s.now()
		z.records = append(z.records, r)
	}
	s.changed(z)
	return nil
}

// v1Add adds the array to what is there.
func (s *Server) v1Add(c *call) {
	list, ok := s.v1Body(c)
	if ok && s.v1Zone(c, func(z *zone) *refusal { return s.v1Put(z, list, "that is there") }) {
		c.w.WriteHeader(http.StatusOK)
	}
}

// v1Replace puts the array in place of all that the path means, be it an RRset, all
// records of a type, or the zone.
func (s *Server) v1Replace(c *call) {
	if !c.v1Kind(v1Types()) {
		return
	}
	list, ok := s.v1Body(c)
	if ok && s.v1Zone(c, func(z *zone) *refusal {
		meant, before := c.v1Path(z.Name), z.records
		z.records = slices.DeleteFunc(slices.Clone(before), func(r Record) bool { return meant(r) && !r.System })
		no := s.v1Put(z, list, "of the array")
		if no != nil {
			z.records = before
		}
		return no
	}) {
		c.w.WriteHeader(http.StatusOK)
	}
}

// v1Delete takes away a whole RRset.
func (s *Server) v1Delete(c *call) {
	if c.v1Kind(v1Deletable()) && s.v1Zone(c, func(z *zone) *refusal {
		gone := s.remove(z, c.v1Path(z.Name))
		if len(gone) == 0 {
			return &refusal{status: http.StatusNotFound, code: "NOT_FOUND", message: "No record matches the given type and name"}
		}
		s.leavePlaceholders(z, gone)
		return nil
	}) {
		c.w.WriteHeader(http.StatusNoContent)
	}
}
