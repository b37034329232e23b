package mailgun_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/mailgun"
)

func TestWebhooksV3(t *testing.T) {
	w := start(t)
	base := "/v3/domains/" + domain + "/webhooks"
	for _, c := range []struct {
		method, path string
		form         url.Values
		status       int
		want         string
	}{
		{"GET", base, nil, 200, `{"webhooks":{}}`},
		{"POST", base, url.Values{"id": {"delivered"}, "url": {"http://a.example/1", "http://a.example/2"}}, 200, `{"message":"Webhook has been created","webhook":{"urls":["http://a.example/1","http://a.example/2"]}}`},
		{"POST", base, url.Values{"id": {"delivered"}, "url": {"http://a.example/1"}}, 400, `{"Reason":"Webhook already exists"}`},
		{"POST", base, url.Values{"id": {"teleported"}, "url": {"http://a.example/1"}}, 400, `{"Reason":"invalid webhook id: teleported"}`},
		{"POST", base, url.Values{"id": {"opened"}, "url": {"ftp://a.example/1"}}, 400, `{"Reason":"ftp://a.example/1 is not a valid url: invalid URL scheme"}`},
		{"POST", base, url.Values{"id": {"opened"}, "url": {"http://a.example/1", "http://a.example/2", "http://a.example/3", "http://a.example/4"}}, 400, `{"Reason":"no more than 3 URLs are allowed for one event type"}`},
		{"GET", base + "/delivered", nil, 200, `{"webhook":{"urls":["http://a.example/1","http://a.example/2"]}}`},
		{"PUT", base + "/delivered", url.Values{"url": {"http://a.example/3"}}, 200, `{"message":"Webhook has been updated","webhook":{"urls":["http://a.example/3"]}}`},
		{"GET", base, nil, 200, `{"webhooks":{"delivered":{"urls":["http://a.example/3"]}}}`},
		{"DELETE", base + "/delivered", nil, 200, `{"message":"Webhook has been deleted","webhook":{"urls":["http://a.example/3"]}}`},
		{"GET", base + "/delivered", nil, 404, `{"message":"Webhook not found"}`},
		{"DELETE", base + "/delivered", nil, 404, `{"message":"Webhook not found"}`},
	} {
		status, body, _ := w.callAs(accountKey, c.method, c.path, c.form)
		if status != c.status || strings.TrimSpace(body) != c.want {
			t.Errorf("%s %s is %d %s, want %d %s", c.method, c.path, status, body, c.status, c.want)
		}
	}
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.ResolveHooks = true })
	_, body, _ := w.callAs(accountKey, "POST", base, url.Values{"id": {"opened"}, "url": {"http://localhost/x"}})
	if strings.TrimSpace(body) != `{"Reason":"http://localhost/x is not a valid url: host not found"}` {
		t.Errorf("localhost: %s", body)
	}
}

func TestWebhooksV4(t *testing.T) {
	w := start(t)
	base := "/v4/domains/" + domain + "/webhooks"
	for _, c := range []struct {
		method, path string
		form         url.Values
		status       int
		want         string
	}{
		{"POST", base, url.Values{"url": {"http://a.example/1"}, "event_types": {"clicked", "opened"}}, 200, `{"webhooks":{"clicked":{"urls":["http://a.example/1"]},"opened":{"urls":["http://a.example/1"]}}}`},
		{"POST", base, url.Values{"url": {"http://a.example/1"}, "event_types": {"delivered,clicked"}}, 400, `{"Reason":"Webhook for event type 'clicked' with URL 'http://a.example/1' already exists"}`},
		{"PUT", base, url.Values{"url": {"http://a.example/1"}, "event_types": {"delivered"}}, 200, `{"webhooks":{"delivered":{"urls":["http://a.example/1"]}}}`},
		{"PUT", base, url.Values{"url": {"http://a.example/9"}, "event_types": {"delivered"}}, 404, `{"Description":"Webhook not found"}`},
		{"POST", base, url.Values{"url": {"nonsense"}, "event_types": {"delivered"}}, 400, `{"Reason":"invalid parameters: nonsense is not a valid url: invalid URL scheme"}`},
		{"DELETE", base, nil, 400, `{"Field":"url"}`},
		{"DELETE", base + "?url=http://a.example/1,http://a.example/2", nil, 200, `{"webhooks":{}}`},
		{"DELETE", base + "?url=http://a.example/1", nil, 404, `{"Description":"Webhook not found"}`},
	} {
		status, body, _ := w.callAs(accountKey, c.method, c.path, c.form)
		if status != c.status || strings.TrimSpace(body) != c.want {
			t.Errorf("%s %s is %d %s, want %d %s", c.method, c.path, status, body, c.status, c.want)
		}
	}
}

// TestWebhooksV1: the same URL in the account's and the domain's list is posted
// to once, and changes take their time.
func TestWebhooksV1(t *testing.T) {
	w := start(t)
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.HookLagSeconds = 600 })
	w.mg.AddWebhook(domain, w.hooks.url+"/a", "accepted")
	ids := []string{}
	for _, path := range []string{"/a", "/b"} {
		status, body := w.call("POST", "/v1/webhooks", url.Values{"url": {w.hooks.url + path}, "event_types": {"accepted"}, "description": {"d"}})
		id, _ := body["webhook_id"].(string)
		if status != 200 || id == "" {
			t.Fatalf("%d %v", status, body)
		}
		ids = append(ids, id)
	}
	count := func() (paths []string) {
		w.hooks.forget()
		w.send("bob@example.org", simpleMail, nil)
		w.mg.Advance(time.Second)
		for _, p := range w.hooks.all() {
			paths = append(paths, p.path)
		}
		slices.Sort(paths)
		return paths
	}
	if got := count(); !slices.Equal(got, []string{"/a"}) {
		t.Errorf("before the lag: %v", got)
	}
	w.mg.Advance(10 * time.Minute)
	if got := count(); !slices.Equal(got, []string{"/a", "/b"}) {
		t.Errorf("after the lag: %v", got)
	}
	if status, body := w.call("GET", "/v1/webhooks/"+ids[1], nil); status != 200 || body["url"] != w.hooks.url+"/b" {
		t.Errorf("%d %v", status, body)
	}
	if status, _ := w.call("PUT", "/v1/webhooks/"+ids[1], url.Values{"url": {w.hooks.url + "/c"}, "event_types": {"opened"}}); status != 204 {
		t.Errorf("update is %d", status)
	}
	if status, _ := w.call("DELETE", "/v1/webhooks/"+ids[0], nil); status != 204 {
		t.Errorf("delete is %d", status)
	}
	if status, _ := w.call("GET", "/v1/webhooks/"+ids[0], nil); status != 404 {
		t.Errorf("deleted one is %d", status)
	}
	if _, body := w.call("GET", "/v1/webhooks", nil); len(body["webhooks"].([]any)) != 1 {
		t.Errorf("list is %v", body)
	}
}
