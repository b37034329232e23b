package cloudflare

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/apicall"
)

// envelope is around every answer.
type envelope struct {
	Success bool `json:"success"`
	Errors  []struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"errors"`
	Result     json.RawMessage `json:"result"`
	ResultInfo struct {
		TotalPages int `json:"total_pages"`
	} `json:"result_info"`
}

// do makes one call and reads its result into out, if given.
func (h *Host) do(ctx context.Context, method, path string, body []byte, out any) (pages int, err error) {
	header := http.Header{"Authorization": {"Bearer " + h.cfg.Token}, "Accept": {"application/json"}}
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	a, err := h.call.Do(ctx, method, h.cfg.BaseURL+path, header, body, nil)
	if err != nil {
		return 0, err
	}
	var e envelope
	failed := json.Unmarshal(a.Body, &e)
	if a.Status < 200 || a.Status >= 300 || failed == nil && !e.Success {
		return 0, refusal(a, e)
	}
	if failed == nil && out != nil {
		failed = json.Unmarshal(e.Result, out)
	}
	if failed != nil {
		return 0, postern.Errorf(postern.Temporary, op, "an answer that cannot be read: %w", failed)
	}
	return e.ResultInfo.TotalPages, nil
}

func refusal(a apicall.Answer, b envelope) error {
	kind, cause := apicall.Kind(a.Status)
	e := postern.Errorf(kind, op, "answered %d", a.Status).Because(cause)
	e.After = a.After
	if len(b.Errors) > 0 {
		e.Code, e.Said = strconv.Itoa(b.Errors[0].Code), b.Errors[0].Message
		switch b.Errors[0].Code {
		case codeHeaders, codeToken, codeAuth:
			e.Kind = postern.Denied
		}
	}
	if e.Kind == postern.Denied {
		e.Err = errors.New("the token is not accepted, or lacks Zone:Read or DNS:Edit for the zone")
	}
	return e
}

// codeOf gives Cloudflare's code of an error, 0 without one.
func codeOf(err error) int {
	var e *postern.Error
	if !errors.As(err, &e) {
		return 0
	}
	n, _ := strconv.Atoi(e.Code)
	return n
}
