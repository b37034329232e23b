package sendbird

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestExamineOddAnswers: whatever comes back, each subject is told of, nothing is
// changed, and no token is repeated.
func TestExamineOddAnswers(t *testing.T) {
	token := strings.Repeat("5ec7e7", 7)[:40]
	settings := `{"webhook":{"enabled":true,"url":"https://gw.example.com/hooks/sendbird","enabled_events":["*"],"include_members":true}}`
	for name, body := range map[string]string{
		"nothing": "", "null": "null", "a list": "[]", "a text": "<html>", "half": `{"webhook":{`, "settings": settings, "no such code": `{"code":1,"error":true}`,
		"wrong types": `{"webhook":7,"ip_whitelist_addresses":{},"channels":{},"api_tokens":1}`, "refused": `{"message":"no","code":400108,"error":true}`,
		"the token": `{"api_tokens":[{"token":"` + token + `"}]}`,
	} {
		for _, status := range []int{200, 302, 400, 403, 429, 500} {
			for _, first := range []bool{true, false} {
				s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method != http.MethodGet {
						t.Errorf("%s %s", r.Method, r.URL)
					}
					code, answer := status, body
					if first && strings.HasSuffix(r.URL.Path, "/settings/webhook") {
						code, answer = 200, settings
					}
					w.WriteHeader(code)
					_, _ = io.WriteString(w, answer)
				}))
				c, err := New(Config{APIURL: s.URL + "/v3", APIToken: token})
				if err != nil {
					t.Fatal(err)
				}
				subjects := map[string]bool{}
				for _, f := range c.Examiner(Exam{HookURL: "https://gw.example.com/hooks/sendbird"}).Examine(t.Context()) {
					if f.Evidence == "" || strings.Contains(f.Evidence+f.Remedy, token) {
						t.Errorf("%s, %d: %+v", name, status, f)
					}
					subjects[strings.SplitN(f.Code, "-", 3)[1]] = true
				}
				if len(subjects) < 4 {
					t.Errorf("%s, %d, %t: only %v", name, status, first, subjects)
				}
				s.Close()
			}
		}
	}
}
