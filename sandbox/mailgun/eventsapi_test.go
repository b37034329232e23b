package mailgun_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/mailgun"
)

func (w *world) items(path string) []map[string]any {
	w.t.Helper()
	status, body := w.call("GET", path, nil)
	if status != 200 {
		w.t.Fatalf("%s: %d %v", path, status, body)
	}
	var out []map[string]any
	for _, x := range body["items"].([]any) {
		out = append(out, x.(map[string]any))
	}
	return out
}

func TestEventFilters(t *testing.T) {
	w := start(t)
	one := w.send("bob@example.org", simpleMail, url.Values{"o:tag": {"red"}})
	w.mg.Advance(time.Minute)
	w.send("bounce@example.org", strings.Replace(simpleMail, "Hello", "Other", 1), url.Values{"o:tag": {"blue"}})
	w.mg.Advance(time.Minute)
	files := strings.ReplaceAll(filesMail, "mg.example.com", "example.org")
	w.send("carl@example.org", files, nil)
	w.mg.Advance(time.Minute)
	q := func(v string) string { return url.QueryEscape(v) }
	at := strconv.FormatInt(w.mg.Now().Add(-150*time.Second).Unix(), 10)
	for _, c := range []struct {
		query string
		want  string
	}{
		{"", "delivered/carl accepted/carl failed/bounce accepted/bounce delivered/bob accepted/bob"},
		{"ascending=yes", "accepted/bob delivered/bob accepted/bounce failed/bounce accepted/carl delivered/carl"},
		{"message-id=" + one, "delivered/bob accepted/bob"},
		{"message-id=" + q("<"+one+">"), "delivered/bob accepted/bob"},
		{"message-id=nobody", ""},
		{"event=failed", "failed/bounce"},
		{"event=" + q("failed OR delivered"), "delivered/carl failed/bounce delivered/bob"},
		{"event=" + q("NOT accepted") + "&recipient=carl@example.org", "delivered/carl"},
		{"severity=permanent", "failed/bounce"},
		{"tags=red", "delivered/bob accepted/bob"},
		{"subject=other", "failed/bounce accepted/bounce"},
		{"subject=" + q(`"Hel" AND NOT "Other"`), "delivered/bob accepted/bob"},
		{"attachment=p.png", "delivered/carl"}, // accepted has no attachments
		{"size=" + q(">100000"), ""},
		{"to=bob@example.org&event=delivered", "delivered/bob"},
		{"begin=" + at + "&ascending=yes", "accepted/bounce failed/bounce accepted/carl delivered/carl"},
		{"begin=" + at, "delivered/bob accepted/bob"},
		{"end=" + at + "&begin=0", "accepted/bob delivered/bob"},
	} {
		var got []string
		for _, e := range w.items("/v3/" + domain + "/events?" + c.query) {
			name, _, _ := strings.Cut(e["recipient"].(string), "@")
			got = append(got, e["event"].(string)+"/"+name)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s gives %s, want %s", c.query, s, c.want)
		}
	}
}

func TestEventPagingAndLag(t *testing.T) {
	w := start(t)
	for i := range 5 {
		w.send(fmt.Sprintf("u%d@example.org", i), simpleMail, nil)
	}
	w.mg.Advance(time.Second)
	for _, ascending := range []string{"yes", "no"} {
		seen := map[string]bool{}
		next := "/v3/" + domain + "/events?limit=3&ascending=" + ascending
		for range 10 {
			_, body := w.call("GET", next, nil)
			items := body["items"].([]any)
			if len(items) > 3 {
				t.Fatalf("%d items on a page", len(items))
			}
			for _, x := range items {
				seen[x.(map[string]any)["id"].(string)] = true
			}
			next = strings.TrimPrefix(get(body, "paging/next").(string), w.url)
			if len(items) == 0 {
				break
			}
		}
		if len(seen) != 10 {
			t.Errorf("ascending=%s gave %d events, want 10", ascending, len(seen))
		}
		if ascending != "yes" {
			continue
		}
		// Asked again later, the last next gives what has come since.
		w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.EventLagSeconds = 60 })
		w.mg.Advance(2 * time.Minute)
		w.send("late@example.org", simpleMail, nil)
		w.mg.Advance(time.Second)
		if n := len(w.items(next)); n != 0 {
			t.Errorf("%d events before the lag is over", n)
		}
		w.mg.Advance(time.Minute)
		if n := len(w.items(next)); n != 2 {
			t.Errorf("%d events after the lag, want 2", n)
		}
		w.mg.Reset()
		for i := range 5 {
			w.send(fmt.Sprintf("u%d@example.org", i), simpleMail, nil)
		}
		w.mg.Advance(time.Second)
	}
	if status, _ := w.call("GET", "/v3/"+domain+"/events/nonsense", nil); status != 400 {
		t.Errorf("a made up page is %d", status)
	}
}

func (w *world) logs(body string) (int, map[string]any) {
	w.t.Helper()
	status, text, _ := w.do(newJSON(w.t, w, "POST", "/v1/analytics/logs", body))
	var out map[string]any
	_ = json.Unmarshal([]byte(text), &out)
	return status, out
}

func TestLogs(t *testing.T) {
	w := start(t)
	w.send("bob@example.org", "Message-ID: <own@mg.example.com>\r\n"+simpleMail, url.Values{"v:a": {"1"}})
	w.mg.Advance(time.Second)
	status, body := w.logs(`{"events":["delivered"],"filter":{"AND":[{"attribute":"recipient","comparator":"=","values":[{"label":"bob@example.org","value":"bob@example.org"}]}]},"pagination":{"sort":"timestamp:asc","limit":50}}`)
	if status != 200 || len(body["items"].([]any)) != 1 {
		t.Fatalf("%d %v", status, body)
	}
	e := body["items"].([]any)[0].(map[string]any)
	w.want(e, "user-variables", `{"a":"1"}`)
	w.want(e, "@timestamp", "2026-11-02T09:00:00.000Z")
	w.want(e, "flags/is-callback", false)
	w.want(e, "message/headers/message-id", "own@mg.example.com")
	if u, ok := get(e, "storage/url").([]any); !ok || len(u) != 1 {
		t.Errorf("storage.url is %v", get(e, "storage/url"))
	}
	byID := `{"filter":{"AND":[{"attribute":"message-id","comparator":"=","values":[{"label":"own@mg.example.com","value":"own@mg.example.com"}]}]}}`
	if status, _ = w.logs(byID); status != 400 {
		t.Errorf("message-id is %d by default", status)
	}
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.LogsFilterMessageID = true })
	if status, body = w.logs(byID); status != 200 || len(body["items"].([]any)) != 2 {
		t.Errorf("%d %v", status, body)
	}
	if status, _ = w.logs(`{"filter":{"AND":[{"attribute":"domain","comparator":"=","values":[{"value":"x"}]}]}}`); status != 400 {
		t.Errorf("a value without label is %d", status)
	}
	status, body = w.logs(`{"pagination":{"limit":1}}`)
	if next, _ := get(body, "pagination/next").(string); status != 200 || next == "" {
		t.Fatalf("%v", body)
	} else if _, body = w.logs(`{"pagination":{"limit":1,"token":"` + next + `"}}`); len(body["items"].([]any)) != 1 {
		t.Errorf("second page is %v", body)
	}
	w.mg.Advance(25 * time.Hour)
	if _, body = w.logs(`{}`); len(body["items"].([]any)) != 0 {
		t.Error("the default window is longer than a day")
	}
	if _, body = w.logs(`{"duration":"2d"}`); len(body["items"].([]any)) != 2 {
		t.Errorf("two days give %v", body["items"])
	}
}

func TestStoredMessage(t *testing.T) {
	w := start(t)
	w.send("bob@example.org", simpleMail, nil)
	w.mg.Advance(time.Second)
	e := w.items("/v3/" + domain + "/events?event=delivered")[0]
	path := strings.TrimPrefix(get(e, "storage/url").(string), w.url)
	status, body := w.call("GET", path, nil)
	if status != 200 || body["Subject"] != "Hello" || body["recipients"] != "bob@example.org" || !strings.HasPrefix(body["body-plain"].(string), "Hi Bob") {
		t.Errorf("%d %v", status, body)
	}
	req, _ := http.NewRequest("GET", w.url+path, nil)
	req.SetBasicAuth("api", accountKey)
	req.Header.Set("Accept", "message/rfc822")
	if _, text, _ := w.do(req); strings.Contains(text, "body-mime") {
		t.Error("message/rfc822 is not what Mailgun asks for")
	}
	req.Header.Set("Accept", "message/rfc2822")
	if _, text, _ := w.do(req); !strings.Contains(text, `"body-mime":"From: Ana`) {
		t.Errorf("raw is %s", text)
	}
	if status, body = w.call("POST", path, url.Values{"to": {"carl@example.org"}}); status != 200 || body["message"] != "Queued. Thank you." {
		t.Errorf("resend: %d %v", status, body)
	}
	w.mg.Advance(time.Second)
	if len(w.boxes.Messages("carl@example.org")) != 1 {
		t.Error("the resent mail did not arrive")
	}
	if status, body = w.call("GET", path+"x", nil); status != 404 || body["message"] != "Message not found" {
		t.Errorf("%d %v", status, body)
	}
	_, body = w.call("GET", "/v3/domains/"+domain+"/sending_queues", nil)
	w.want(body, "regular/is_disabled", false)
}

func TestRetention(t *testing.T) {
	w := start(t)
	w.send("bob@example.org", simpleMail, nil)
	w.mg.Advance(71 * time.Hour)
	events := w.items("/v3/" + domain + "/events")
	if len(events) != 2 {
		t.Fatalf("%d events within the retention", len(events))
	}
	path := strings.TrimPrefix(get(events[0], "storage/url").(string), w.url)
	if status, _ := w.call("GET", path, nil); status != 200 {
		t.Errorf("the kept mail is %d", status)
	}
	w.mg.Advance(2 * time.Hour)
	if n := len(w.items("/v3/" + domain + "/events")); n != 0 {
		t.Errorf("%d events after the retention", n)
	}
	if status, _ := w.call("GET", path, nil); status != 404 {
		t.Errorf("after the retention the mail is %d", status)
	}
}

func TestClearQueues(t *testing.T) {
	w := start(t, func(c *mailgun.Config) { c.Timing.DeliverAfter = time.Minute })
	w.send("bob@example.org", simpleMail, nil)
	w.mg.Advance(time.Second)
	if status, _ := w.call("DELETE", "/v3/"+domain+"/envelopes", nil); status != 200 {
		t.Fatal(status)
	}
	w.mg.Advance(time.Hour)
	if len(w.boxes.Messages("bob@example.org")) != 0 {
		t.Error("delivered all the same")
	}
}
