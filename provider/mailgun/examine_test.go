package mailgun

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postern-chat/postern"
)

func examinerOf(t testing.TB, h http.HandlerFunc) *Examiner {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := New(Config{Domain: "mg.example.com", APIURL: s.URL, SendingKey: "s3cret-sending", AccountKey: "s3cret-account", SigningKeys: []string{"s3cret-signing"}})
	if err != nil {
		t.Fatal(err)
	}
	return c.Examiner(Exam{
		InboundURL: "https://gw.example.com/hooks/mailgun/inbound/mime", EventsURL: "https://gw.example.com/hooks/mailgun/events", Reply: "x@mg.example.com",
		People: func(context.Context) (map[string]postern.UserID, error) { return nil, errors.New("no") },
	})
}

// TestExamineOddAnswers: whatever comes back, each subject is told of, nothing is
// changed, and no key is repeated.
func TestExamineOddAnswers(t *testing.T) {
	domain := `{"domain":{"name":"mg.example.com","state":"active"},"sending_dns_records":[{"record_type":"TXT","valid":"valid"}]}`
	for name, body := range map[string]string{
		"nothing": "", "null": "null", "a list": "[]", "a text": "Mailgun Magnificent API", "half": `{"domain":{`, "a number": "12", "the domain": domain,
		"wrong types": `{"domain":{"name":1},"items":{},"webhooks":[],"tracking":7,"route":"x","http_signing_key":{}}`,
		"an echo":     `{"message":"no: s3cret"}`,
	} {
		for _, status := range []int{200, 302, 400, 401, 404, 429, 500} {
			x := examinerOf(t, func(w http.ResponseWriter, r *http.Request) {
				if b, _ := io.ReadAll(r.Body); r.Method != http.MethodGet && (r.Method != http.MethodPost || string(b) != "o%3Atestmode=yes") {
					t.Errorf("%s %s %q", r.Method, r.URL, b)
				}
				code, answer := status, body
				if r.URL.Path == "/v4/domains/mg.example.com" && name != "nothing" { // so that the others are asked, too
					code, answer = 200, domain
				}
				w.WriteHeader(code)
				_, _ = io.WriteString(w, answer)
			})
			subjects := map[string]bool{}
			for _, f := range x.Examine(t.Context()) {
				if f.Evidence == "" || strings.Contains(f.Evidence+f.Remedy, "s3cret-") {
					t.Errorf("%s, %d: %+v", name, status, f)
				}
				parts := strings.SplitN(f.Code, "-", 3)
				subjects[parts[1]] = true
			}
			if len(subjects) < 6 {
				t.Errorf("%s, %d: only %v", name, status, subjects)
			}
		}
	}
}

func TestOtherRegion(t *testing.T) {
	for region, want := range map[string]string{"us": "https://api.eu.mailgun.net", "eu": "https://api.mailgun.net"} {
		c, err := New(Config{Domain: "d.example", Region: region})
		if err != nil {
			t.Fatal(err)
		}
		if have := c.Examiner(Exam{}).exam.OtherAPIURL; have != want {
			t.Errorf("%s: %s", region, have)
		}
	}
	c, err := New(Config{Domain: "d.example", APIURL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if have := c.Examiner(Exam{}).exam.OtherAPIURL; have != "" {
		t.Errorf("a key would go to %s", have)
	}
}
