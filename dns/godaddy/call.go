package godaddy

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/apicall"
)

// allowed is the guard: it knows the calls that touch one name at the most, and no others
// leave. path is escaped, so that a slash is always one of ours.
func allowed(method, path string) bool {
	path, _, _ = strings.Cut(path, "?")
	p := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for _, part := range p {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	switch {
	case len(p) >= 5 && p[0] == "v3" && p[1] == "domains" && p[2] == "zones" && p[4] == "dns-records":
		switch method {
		case http.MethodGet, http.MethodPost:
			return len(p) == 5
		case http.MethodDelete:
			return len(p) == 6
		}
	case len(p) >= 4 && p[0] == "v1" && p[1] == "domains" && p[3] == "records":
		switch method {
		case http.MethodPatch:
			return len(p) == 4
		case http.MethodGet, http.MethodPut, http.MethodDelete:
			return len(p) == 6
		}
	}
	return false
}

// do makes one call and gives the body of a success.
func (h *Host) do(ctx context.Context, method, path, auth string, body []byte) ([]byte, error) {
	if !allowed(method, path) {
		return nil, postern.Errorf(postern.Internal, op, "%s of more than one name is never done", method)
	}
	header := http.Header{"Authorization": {auth}, "Accept": {"application/json"}}
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	a, err := h.call.Do(ctx, method, h.cfg.BaseURL+path, header, body, nil)
	if err != nil {
		return nil, err
	}
	if a.Status >= 200 && a.Status < 300 {
		return a.Body, nil
	}
	return nil, refusal(a, method)
}

// refusal reads both forms of errors: v1's code and v3's name.
func refusal(a apicall.Answer, method string) error {
	var b struct {
		Code    string `json:"code"`
		Name    string `json:"name"`
		Message string `json:"message"`
		Fields  []struct {
			Code string `json:"code"`
			Path string `json:"path"`
		} `json:"fields"`
	}
	_ = json.Unmarshal(a.Body, &b) // an answer in another form is judged by its status
	kind, cause := apicall.Kind(a.Status)
	e := postern.Errorf(kind, op, "answered %d", a.Status).Because(cause)
	e.Code, e.Said, e.After = b.Code, b.Message, a.After
	if e.Code == "" {
		e.Code = b.Name
	}
	switch {
	case a.Status == http.StatusUnauthorized:
		e.Err = errText("the credential is not accepted (keys of the test environment fail like this, too)")
	case a.Status == http.StatusForbidden:
		e.Err = errText("the account may not: the API needs at least one domain in it, and a token the scopes domains.domain:read and domains.dns:update")
	case a.Status == http.StatusConflict:
		e.Kind = postern.Denied
		e.Err = errText("GoDaddy manages this record itself or does not let the domain be changed")
	case a.Status == http.StatusNotFound || a.Status == http.StatusBadRequest && (b.Code == "UNKNOWN_DOMAIN" || method == http.MethodGet):
		// v3 was seen to answer 400 for a zone it does not have; of a GET of ours nothing else
		// can be wrong.
		e.Cause = postern.CauseNotFound
		e.Err = errText("this account does not have the zone or record")
	case a.Status == http.StatusUnprocessableEntity && len(b.Fields) > 0:
		e.Err = errText("refused: " + b.Fields[0].Code + " at " + b.Fields[0].Path)
	}
	return e
}

type errText string

func (e errText) Error() string { return string(e) }

func garbled(err error) error {
	return postern.Errorf(postern.Temporary, op, "an answer that cannot be read: %w", err)
}
