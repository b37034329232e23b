package fake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/bench/load"
)

func TestMailsAndMessagesAreCounted(t *testing.T) {
	w := New()
	call := func(method, path, body string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, httptest.NewRequest(method, path, strings.NewReader(body)))
		if rec.Code != http.StatusOK {
			t.Fatalf("%s is answered %d", path, rec.Code)
		}
		return rec
	}
	call("GET", "/_bench/reset?replies=true", "")
	stamp := func(ago time.Duration) string {
		return fmt.Sprintf("%s%019d ", load.StampMark, time.Now().Add(-ago).UnixNano())
	}
	one, two := stamp(time.Second), stamp(time.Minute)
	// A mail says everything twice, as text and as HTML.
	call("POST", "/v3/mg.example.com/messages.mime", "From: \"Ana\"\r\n <tok@mg.example.com>\r\nTo: bob@people.example\r\n\r\n"+one+two+one+two)
	call("POST", "/v3/mg.example.com/messages", "text="+stamp(0))
	call("POST", "/sendbird/v3/group_channels/c/messages", `{"user_id":"bob"}`)
	var s Stats
	if err := json.Unmarshal(call("GET", "/_bench/stats", "").Body.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	if s.Mails != 2 || s.Messages != 3 || s.Posts != 1 {
		t.Errorf("counted %+v; want 2 mails with 3 messages, and a post", s)
	}
	if s.P50 < time.Second || s.P50 > time.Minute || s.P99 < time.Minute {
		t.Errorf("the times are %v and %v", s.P50, s.P99)
	}
	if got := call("GET", "/_bench/addresses", "").Body.String(); !strings.Contains(got, `"bob@people.example":"tok@mg.example.com"`) {
		t.Errorf("the reply addresses are %s", got)
	}
	if got := call("GET", "/_bench/posters", "").Body.String(); !strings.Contains(got, `"bob":1`) {
		t.Errorf("the posters are %s", got)
	}
}
