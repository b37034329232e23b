package mailgun

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox/eml"
)

// route is one inbound rule of the account.
type route struct {
	id          string
	priority    int
	description string
	expression  string
	actions     []string
	created     time.Time
	filter      filter
	parsed      []action
}

func (r *route) json() map[string]any {
	return map[string]any{"id": r.id, "priority": r.priority, "description": r.description, "expression": r.expression,
		"actions": r.actions, "created_at": httpDate(r.created)}
}

// httpDate is like `Wed, 15 Feb 2012 13:03:31 GMT`.
func httpDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

func (s *Server) routeEndpoints() []endpoint {
	return []endpoint{
		{"GET", "/v3/routes", scopeAccount, func(c *call) { c.s.routeList(c) }},
		{"POST", "/v3/routes", scopeAccount, func(c *call) { c.s.routeCreate(c) }},
		{"GET", "/v3/routes/match", scopeAccount, func(c *call) { c.s.routeMatch(c) }},
		{"GET", "/v3/routes/{id}", scopeAccount, func(c *call) { c.s.routeGet(c) }},
		{"PUT", "/v3/routes/{id}", scopeAccount, func(c *call) { c.s.routeUpdate(c) }},
		{"DELETE", "/v3/routes/{id}", scopeAccount, func(c *call) { c.s.routeDelete(c) }},
	}
}

// set takes over the form's fields; those that are missing stay.
func (r *route) set(f url.Values) error {
	if f.Has("priority") {
		n, err := strconv.Atoi(f.Get("priority"))
		if err != nil {
			return refuse(http.StatusBadRequest, "Invalid priority")
		}
		r.priority = n
	}
	if f.Has("description") {
		r.description = f.Get("description")
	}
	if f.Has("expression") {
		parsed, err := parseFilter(f.Get("expression"))
		if err != nil {
			return refuse(http.StatusBadRequest, "Invalid filter: %v", err)
		}
		r.expression, r.filter = f.Get("expression"), parsed
	}
	if f.Has("action") {
		r.actions, r.parsed = nil, nil
		for _, text := range f["action"] {
			a, err := parseAction(text)
			if err != nil {
				return refuse(http.StatusBadRequest, "Invalid action: %v", err)
			}
			r.actions, r.parsed = append(r.actions, text), append(r.parsed, a)
		}
	}
	return nil
}

func (s *Server) routeCreate(c *call) {
	f, ok := c.form()
	if !ok {
		return
	}
	r := &route{created: s.Now(), actions: []string{}}
	if !f.Has("expression") {
		c.message(http.StatusBadRequest, "Missing mandatory parameter: expression")
		return
	}
	if err := r.set(f); err != nil {
		c.refused(err)
		return
	}
	s.mu.Lock()
	r.id = s.ids.hex(24)
	s.st.routes = append(s.st.routes, r)
	out := r.json()
	s.mu.Unlock()
	c.answer(http.StatusOK, map[string]any{"message": "Route has been created", "route": out})
}

// AddRoute makes a route as the API would: for setting up a sandbox.
func (s *Server) AddRoute(priority int, expression string, actions ...string) (id string, err error) {
	r := &route{created: s.Now()}
	if err := r.set(url.Values{"priority": {strconv.Itoa(priority)}, "expression": {expression}, "action": actions}); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.id = s.ids.hex(24)
	s.st.routes = append(s.st.routes, r)
	return r.id, nil
}

func (s *Server) routeList(c *call) {
	limit := c.intParam("limit", 100)
	if limit > 1000 {
		c.message(http.StatusBadRequest, "The 'limit' parameter can't be larger than 1000")
		return
	}
	s.mu.Lock()
	all := s.st.sortedRoutes()
	items := []any{}
	for i := c.intParam("skip", 0); i < len(all) && len(items) < limit; i++ {
		items = append(items, all[i].json())
	}
	s.mu.Unlock()
	c.answer(http.StatusOK, map[string]any{"total_count": len(all), "items": items})
}

// sortedRoutes are the routes in the order in which they run.
func (st *state) sortedRoutes() []*route {
	all := slices.Clone(st.routes)
	slices.SortStableFunc(all, func(a, b *route) int { return a.priority - b.priority })
	return all
}

// withRoute runs f on the named route under the lock, or answers 404.
func (s *Server) withRoute(c *call, f func(i int, r *route) (any, error)) {
	s.mu.Lock()
	var out any
	var err error = refuse(http.StatusNotFound, "Route not found")
	for i, r := range s.st.routes {
		if r.id == c.params["id"] {
			out, err = f(i, r)
			break
		}
	}
	s.mu.Unlock()
	if err != nil {
		c.refused(err)
		return
	}
	c.answer(http.StatusOK, out)
}

func (s *Server) routeGet(c *call) {
	s.withRoute(c, func(_ int, r *route) (any, error) { return map[string]any{"route": r.json()}, nil })
}

// routeUpdate answers flat, as recorded in 2025 (the OpenAPI file nests it).
func (s *Server) routeUpdate(c *call) {
	f, ok := c.form()
	if !ok {
		return
	}
	s.withRoute(c, func(i int, r *route) (any, error) {
		next := *r
		if err := next.set(f); err != nil {
			return nil, err
		}
		s.st.routes[i] = &next
		out := next.json()
		out["message"] = "Route has been updated"
		return out, nil
	})
}

func (s *Server) routeDelete(c *call) {
	s.withRoute(c, func(i int, r *route) (any, error) {
		s.st.routes = slices.Delete(slices.Clone(s.st.routes), i, i+1)
		return map[string]any{"message": "Route has been deleted", "id": r.id}, nil
	})
}

func (s *Server) routeMatch(c *call) {
	address := c.r.URL.Query().Get("address")
	s.mu.Lock()
	all := s.st.sortedRoutes()
	s.mu.Unlock()
	for _, r := range all {
		if _, ok := r.filter.match(address, eml.Header{}, true); ok {
			c.answer(http.StatusOK, map[string]any{"route": r.json()})
			return
		}
	}
	c.message(http.StatusNotFound, "Route not found")
}
