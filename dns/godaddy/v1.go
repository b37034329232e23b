package godaddy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/postern-chat/postern"
)

// v1 is the classic API. It knows no single values: PATCH adds, PUT and DELETE of a type
// at a name are about all values there. Always asked per type and name, without pages: how
// its offset counts is not agreed on.
type v1 struct {
	h    *Host
	auth string
}

func (a *v1) path(zone string, rest ...string) string {
	p := "/v1/domains/" + url.PathEscape(zone) + "/records"
	for _, r := range rest {
		p += "/" + url.PathEscape(r)
	}
	return p
}

func (a *v1) list(ctx context.Context, zone, kind, name string) ([]record, error) {
	body, err := a.h.do(ctx, http.MethodGet, a.path(zone, kind, name), a.auth, nil)
	if err != nil {
		return nil, err
	}
	var all []record
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, garbled(err)
	}
	for i := range all { // the path has said it; be content if the answer does not repeat it
		if all[i].Name == "" {
			all[i].Name = name
		}
		if all[i].Type == "" {
			all[i].Type = kind
		}
	}
	return slices.DeleteFunc(all, func(r record) bool {
		return lower(r.Name) != lower(name) || lower(r.Type) != lower(kind)
	}), nil
}

// create adds by PATCH. The body has to be an array, of one. Accounts were seen that may
// only make calls for one type at one name, and PATCH is for the domain: where it is
// forbidden, the value is written together with those that are there.
func (a *v1) create(ctx context.Context, zone string, r record) error {
	a.h.v1Lock.Lock()
	defer a.h.v1Lock.Unlock()
	body, err := json.Marshal([]record{r})
	if err != nil {
		return postern.Errorf(postern.Internal, op, "%w", err)
	}
	_, err = a.h.do(ctx, http.MethodPatch, a.path(zone), a.auth, body)
	var e *postern.Error
	if !errors.As(err, &e) || e.Kind != postern.Denied || e.Code != "ACCESS_DENIED" {
		return err
	}
	there, listErr := a.list(ctx, zone, r.Type, r.Name)
	if listErr != nil {
		return err
	}
	if r.raw, err = json.Marshal(r); err != nil {
		return postern.Errorf(postern.Internal, op, "%w", err)
	}
	return a.replace(ctx, zone, r.Type, r.Name, append(slices.DeleteFunc(there, record.empty), r))
}

// remove reads all values at the name, writes back the others, and looks whether they
// are what is there then. What somebody else adds between reading and writing is lost:
// the window is one call wide, and v1 has nothing better.
func (a *v1) remove(ctx context.Context, zone, kind, name string, drop func(record) bool) error {
	a.h.v1Lock.Lock()
	defer a.h.v1Lock.Unlock()
	rs, err := a.list(ctx, zone, kind, name)
	if err != nil {
		return err
	}
	keep := slices.DeleteFunc(slices.Clone(rs), func(r record) bool { return drop(r) || r.empty() })
	if len(keep) == len(rs) {
		return nil
	}
	if len(keep) == 0 {
		_, err := a.h.do(ctx, http.MethodDelete, a.path(zone, kind, name), a.auth, nil)
		if postern.CauseOf(err) == postern.CauseNotFound {
			return nil
		}
		return err
	}
	return a.replace(ctx, zone, kind, name, keep)
}

// replace writes all values of one type at one name, and looks whether they are what is
// there then.
func (a *v1) replace(ctx context.Context, zone, kind, name string, want []record) error {
	body, err := withoutNames(want)
	if err != nil {
		return err
	}
	if _, err := a.h.do(ctx, http.MethodPut, a.path(zone, kind, name), a.auth, body); err != nil {
		return err
	}
	now, err := a.list(ctx, zone, kind, name)
	if err != nil {
		return err
	}
	if !sameRecords(zone, want, now) {
		return postern.Errorf(postern.Temporary, op, "the %s records at %s were changed by somebody else meanwhile; look at them", kind, name).Because(postern.CauseChanged)
	}
	return nil
}

// withoutNames gives the records as they were read, with all their fields, for a PUT
// whose path says type and name.
func withoutNames(rs []record) ([]byte, error) {
	out := make([]map[string]json.RawMessage, 0, len(rs))
	for _, r := range rs {
		m := map[string]json.RawMessage{}
		d := json.NewDecoder(bytes.NewReader(r.raw))
		if err := d.Decode(&m); err != nil {
			return nil, garbled(err)
		}
		delete(m, "type")
		delete(m, "name")
		out = append(out, m)
	}
	return json.Marshal(out)
}

func sameRecords(zone string, want, is []record) bool {
	is = slices.DeleteFunc(slices.Clone(is), record.empty)
	return len(want) == len(is) && !slices.ContainsFunc(want, func(w record) bool { return !has(is, zone, w.ours(zone)) })
}
