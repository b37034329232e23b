package route53

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/apicall"
)

// do makes one call and reads its answer into out, if given.
func (h *Host) do(ctx context.Context, method, path string, q url.Values, body []byte, out any) error {
	address := h.cfg.BaseURL + version + path
	if len(q) > 0 {
		address += "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
	}
	header := http.Header{}
	if body != nil {
		header.Set("Content-Type", "text/xml")
	}
	a, err := h.call.Do(ctx, method, address, header, body, func(r *http.Request) {
		sign(r, body, credentials{h.cfg.AccessKey, h.cfg.SecretKey, h.cfg.SessionToken}, h.cfg.Region, "route53", h.cfg.Now())
	})
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK {
		return refusal(a)
	}
	if out != nil {
		if err := xml.Unmarshal(a.Body, out); err != nil {
			return postern.Errorf(postern.Temporary, op, "an answer that cannot be read: %w", err)
		}
	}
	return nil
}

// refusal reads the two forms of errors: an ErrorResponse, and InvalidChangeBatch with
// its list.
func refusal(a apicall.Answer) error {
	var b struct {
		XMLName  xml.Name
		Code     string   `xml:"Error>Code"`
		Message  string   `xml:"Error>Message"`
		Messages []string `xml:"Messages>Message"`
	}
	_ = xml.Unmarshal(a.Body, &b) // an answer in another form is judged by its status
	if b.Code == "" && b.XMLName.Local == "InvalidChangeBatch" {
		b.Code, b.Message = b.XMLName.Local, strings.Join(b.Messages, "; ")
	}
	kind, cause := apicall.Kind(a.Status)
	e := postern.Errorf(kind, op, "answered %d", a.Status).Because(cause)
	e.Code, e.Said, e.After = b.Code, b.Message, a.After
	switch b.Code {
	case "InvalidChangeBatch":
		// What was to be deleted is no longer so, what was to be created is there, or the
		// values are refused: change looks which.
		e.Kind, e.Cause = postern.Temporary, postern.CauseChanged
		e.Err = errors.New("the records were changed by somebody else meanwhile")
	case "Throttling", "PriorRequestNotComplete", "ThrottlingException":
		e.Kind = postern.Temporary
	}
	if e.Kind == postern.Denied {
		e.Err = errors.New("the key is not accepted, or may not list and change the zone's record sets")
	}
	return e
}

// refused turns "changed meanwhile" into what it is when nothing was.
func refused(err error) error {
	var e *postern.Error
	if !errors.As(err, &e) {
		return err
	}
	r := *e
	r.Kind, r.Cause, r.Err = postern.Permanent, postern.CauseNone, errors.New("the values are refused")
	return &r
}

type credentials struct{ key, secret, token string }

// sign adds AWS's signature, version 4. All headers that are set are signed but the user
// agent, which proxies may change.
func sign(r *http.Request, body []byte, c credentials, region, service string, now time.Time) {
	date := now.UTC().Format("20060102T150405Z")
	r.Header.Set("X-Amz-Date", date)
	if c.token != "" {
		r.Header.Set("X-Amz-Security-Token", c.token)
	}
	names := []string{"host"}
	for name := range r.Header {
		if name != "User-Agent" {
			names = append(names, strings.ToLower(name))
		}
	}
	slices.Sort(names)
	var canonical strings.Builder
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	canonical.WriteString(r.Method + "\n" + path + "\n" + r.URL.RawQuery + "\n")
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.URL.Host
		}
		canonical.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	signed := strings.Join(names, ";")
	canonical.WriteString("\n" + signed + "\n" + digest(body))

	scope := date[:8] + "/" + region + "/" + service + "/aws4_request"
	key := []byte("AWS4" + c.secret)
	for _, part := range strings.Split(scope, "/") {
		key = mac(key, part)
	}
	signature := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+digest([]byte(canonical.String()))))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+c.key+"/"+scope+", SignedHeaders="+signed+", Signature="+signature)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}
