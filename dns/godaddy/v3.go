package godaddy

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/postern-chat/postern"
)

// What one listing may cost. Names and types are filtered by the server, so that more
// than one page is rare.
const (
	pageSize = 100
	maxPages = 50
)

// v3 is the Domains API of July 2026. Only GET, POST and DELETE of records are used.
type v3 struct {
	h    *Host
	auth string
}

func (a *v3) path(zone string) string {
	return "/v3/domains/zones/" + url.PathEscape(zone) + "/dns-records"
}

// list asks page by page. The links in the answer only say whether there is more: they
// are not followed, as the credential would go wherever they lead.
func (a *v3) list(ctx context.Context, zone, kind, name string) ([]record, error) {
	var all []record
	for page := 1; page <= maxPages; page++ {
		q := url.Values{"type": {kind}, "name": {name}, "page": {strconv.Itoa(page)}, "pageSize": {strconv.Itoa(pageSize)}}
		body, err := a.h.do(ctx, http.MethodGet, a.path(zone)+"?"+q.Encode(), a.auth, nil)
		if err != nil {
			return nil, err
		}
		var answer struct {
			Items []record `json:"items"`
			Links []struct {
				Rel string `json:"rel"`
			} `json:"links"`
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return nil, garbled(err)
		}
		for _, r := range answer.Items {
			if lower(r.Name) == lower(name) && lower(r.Type) == lower(kind) {
				all = append(all, r)
			}
		}
		more := len(answer.Items) >= pageSize
		for _, l := range answer.Links {
			more = more || l.Rel == "next"
		}
		if !more || len(answer.Items) == 0 {
			return all, nil
		}
	}
	return nil, postern.Errorf(postern.Permanent, op, "more than %d pages of %s records", maxPages, kind)
}

func (a *v3) create(ctx context.Context, zone string, r record) error {
	body, err := json.Marshal(r)
	if err != nil {
		return postern.Errorf(postern.Internal, op, "%w", err)
	}
	_, err = a.h.do(ctx, http.MethodPost, a.path(zone), a.auth, body)
	return err
}

// remove deletes by id, which is the only way that touches nothing else.
func (a *v3) remove(ctx context.Context, zone, kind, name string, drop func(record) bool) error {
	rs, err := a.list(ctx, zone, kind, name)
	if err != nil {
		return err
	}
	for _, r := range rs {
		if !drop(r) {
			continue
		}
		if r.ID == "" {
			return postern.Errorf(postern.Permanent, op, "a %s record without an id", kind)
		}
		_, err := a.h.do(ctx, http.MethodDelete, a.path(zone)+"/"+url.PathEscape(r.ID), a.auth, nil)
		if err != nil && postern.CauseOf(err) != postern.CauseNotFound {
			return err
		}
	}
	return nil
}
