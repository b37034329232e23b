package mailgun

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-chat/postern"
)

// form is the body of a call that changes something.
type setupForm struct {
	values    url.Values
	multipart bool // as the OpenAPI file has it for domains and tracking
}

func (f *setupForm) encode() (contentType string, body []byte, err error) {
	if f == nil {
		return "", nil, nil
	}
	if !f.multipart {
		return "application/x-www-form-urlencoded", []byte(f.values.Encode()), nil
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, values := range f.values {
		for _, v := range values {
			err = errors.Join(err, w.WriteField(name, v))
		}
	}
	err = errors.Join(err, w.Close())
	return w.FormDataContentType(), b.Bytes(), err
}

// do makes a call with the account key and reads the answer into out, if that is not
// nil. None of its errors is Unsure: every caller looks before it acts. What does not
// exist is CauseNotFound, be it a thing or the whole path.
func (s *Setup) do(ctx context.Context, op, method, path string, form *setupForm, out any) error {
	return s.doAt(ctx, s.c.base, op, method, path, form, out)
}

func (s *Setup) doAt(ctx context.Context, base, op, method, path string, form *setupForm, out any) (err error) {
	op = "mailgun." + op
	defer s.c.observe("setup", s.c.cfg.Now(), &err)
	contentType, body, err := form.encode()
	if err != nil {
		return &postern.Error{Kind: postern.Internal, Op: op, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
	if err != nil {
		return &postern.Error{Kind: postern.Permanent, Op: op, Err: err}
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	a, err := s.c.perform(req, s.c.cfg.AccountKey)
	if err != nil {
		return &postern.Error{Kind: postern.Temporary, Op: op, Err: err}
	}
	if a.status/100 != 2 {
		e := s.c.refusal(op, a)
		if e.Kind == postern.Unsure {
			e.Kind = postern.Temporary
		}
		if e.Kind == postern.Permanent || e.Cause == postern.CauseNotFound {
			e.Err = errors.New(a.reason())
		}
		return e
	}
	if out == nil || a.status == http.StatusNoContent {
		return nil
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		// A path that does not exist can answer 200 with a plain text.
		return postern.Errorf(postern.Denied, op, "the answer is no JSON").Because(postern.CauseNotFound)
	}
	return nil
}

// reason is Mailgun's word on a refusal in any of its three spellings, without what may
// be an address.
func (a *answer) reason() string {
	var m struct{ Message, Reason, Description string } // names match in any case
	if json.Unmarshal(a.body, &m) == nil {
		for _, text := range []string{m.Message, m.Reason, m.Description} {
			if text != "" {
				return (&answer{body: []byte(text)}).anonymous()
			}
		}
	}
	return a.anonymous()
}

// domainPath is the path of something of our domain.
func (s *Setup) domainPath(version, below string) string {
	return "/" + version + "/domains/" + url.PathEscape(s.c.cfg.Domain) + below
}

// missing tells whether an error says that a thing does not exist.
func missing(err error) bool { return postern.CauseOf(err) == postern.CauseNotFound }

// plainName is a domain name as we compare them.
func plainName(s string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(s), "."))
}
