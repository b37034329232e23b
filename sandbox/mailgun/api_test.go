package mailgun_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
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
		{"POST", base, url.Values{"id": {"delivered"}, "url": {"http://a.example/1"}}, 400, `{"message":"Webhook already exists"}`},
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

func TestSuppressionAPI(t *testing.T) {
	w := start(t)
	base := "/v3/" + domain + "/"
	for _, c := range []struct {
		method, path string
		form         url.Values
		status       int
		want         string
	}{
		{"POST", "bounces", url.Values{"address": {"a@x.org"}, "code": {"550"}, "error": {"gone"}}, 200, `{"address":"a@x.org","message":"Address has been added to the bounces table"}`},
		{"GET", "bounces/a@x.org", nil, 200, `{"address":"a@x.org","code":"550","created_at":"Mon, 02 Nov 2026 09:00:00 UTC","error":"gone"}`},
		{"GET", "bounces/b@x.org", nil, 404, `{"message":"Address not found in bounces table"}`},
		{"DELETE", "bounces/a@x.org", nil, 200, `{"address":"a@x.org","message":"Bounced address has been removed"}`},
		{"DELETE", "bounces/a@x.org", nil, 404, `{"message":"Address not found in bounces table"}`},
		{"POST", "unsubscribes", url.Values{"address": {"a@x.org"}, "tags": {"news"}}, 200, `{"address":"a@x.org","message":"Address has been added to the unsubscribes table"}`},
		{"GET", "unsubscribes/a@x.org", nil, 200, `{"address":"a@x.org","created_at":"Mon, 02 Nov 2026 09:00:00 UTC","tags":["*"]}`},
		{"DELETE", "unsubscribes/a@x.org", nil, 200, `{"address":"a@x.org","message":"Unsubscribe event has been removed"}`},
		{"POST", "complaints", url.Values{"address": {"a@x.org"}}, 200, `{"address":"a@x.org","message":"Address has been added to the complaints table"}`},
		{"DELETE", "complaints/a@x.org", nil, 200, `{"address":"a@x.org","message":"Spam complaint has been removed"}`},
		{"POST", "bounces", url.Values{"address": {"nonsense"}}, 400, `{"message":"Invalid address: nonsense"}`},
		{"DELETE", "bounces", nil, 200, `{"message":"Bounced addresses for this domain have been removed"}`},
	} {
		status, body, _ := w.callAs(accountKey, c.method, base+c.path, c.form)
		if status != c.status || strings.TrimSpace(body) != c.want {
			t.Errorf("%s %s is %d %s, want %d %s", c.method, c.path, status, body, c.status, c.want)
		}
	}
	list := func(n int) string {
		var parts []string
		for i := range n {
			parts = append(parts, fmt.Sprintf(`{"address":"u%04d@x.org"}`, i))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	for _, c := range []struct {
		kind   string
		n      int
		status int
		want   string
	}{
		{"bounces", 4, 200, "4 addresses have been added to the bounces table"},
		{"complaints", 4, 200, "4 complaint addresses have been added to the complaints table"},
		{"bounces", 1001, 400, "Batch size should be less than 1000"},
		{"bounces", 250, 200, "250 addresses have been added to the bounces table"},
	} {
		status, body, _ := w.do(newJSON(t, w, "POST", base+c.kind, list(c.n)))
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%d %s is %d %s", c.n, c.kind, status, body)
		}
	}
	w.do(newJSON(t, w, "POST", base+"bounces", `[{"address":"n@x.org","code":552}]`))
	if _, body := w.call("GET", base+"bounces/n@x.org", nil); body["code"] != "552" {
		t.Errorf("a code sent as a number comes back as %v", body["code"])
	}
	w.call("DELETE", base+"bounces/n@x.org", nil)
	seen := map[any]bool{}
	next := base + "bounces?limit=100"
	for range 5 {
		_, body := w.call("GET", next, nil)
		for _, x := range body["items"].([]any) {
			seen[x.(map[string]any)["address"]] = true
		}
		next = strings.TrimPrefix(get(body, "paging/next").(string), w.url)
	}
	if len(seen) != 250 {
		t.Errorf("paging gave %d addresses", len(seen))
	}
	_, body := w.call("GET", base+"bounces?limit=100&page=last", nil)
	if items := body["items"].([]any); len(items) != 100 || items[99].(map[string]any)["address"] != "u0249@x.org" {
		t.Errorf("last page has %d", len(items))
	}
	_, body = w.call("GET", strings.TrimPrefix(get(body, "paging/previous").(string), w.url), nil)
	if items := body["items"].([]any); len(items) != 100 || items[0].(map[string]any)["address"] != "u0050@x.org" {
		t.Errorf("previous page is %v", items[0])
	}
	if n := len(w.items(base + "bounces?term=u000")); n != 10 {
		t.Errorf("term gave %d", n)
	}
}

func TestDomains(t *testing.T) {
	w := start(t)
	status, body := w.call("POST", "/v4/domains", url.Values{"name": {"New.example.net"}, "spam_action": {"tag"}})
	if status != 200 || body["message"] != "Domain DNS records have been created" {
		t.Fatalf("%d %v", status, body)
	}
	w.want(body, "domain/state", "unverified")
	w.want(body, "domain/smtp_login", "postmaster@new.example.net")
	w.want(body, "domain/created_at", "Mon, 02 Nov 2026 09:00:00 GMT")
	mx := body["receiving_dns_records"].([]any)[0].(map[string]any)
	if _, named := mx["name"]; named || mx["priority"] != "10" || mx["value"] != "mxa.mailgun.org" || mx["is_active"] != false {
		t.Errorf("MX is %v", mx)
	}
	if status, _ = w.call("POST", "/v4/domains", url.Values{"name": {"new.example.net"}}); status != 400 {
		t.Errorf("twice is %d", status)
	}
	verify := func() any {
		_, body = w.call("PUT", "/v4/domains/new.example.net/verify", url.Values{})
		if body["message"] != "Domain DNS records have been updated" {
			t.Errorf("verify says %v", body["message"])
		}
		return get(body, "domain/state")
	}
	if got := verify(); got != "unverified" {
		t.Errorf("without DNS it is %v", got)
	}
	w.control("POST", "/_emulator/dns/new.example.net", `{"records":["TXT new.example.net"]}`)
	if got := verify(); got != "unverified" {
		t.Errorf("with half of it, %v", got)
	}
	if spf := body["sending_dns_records"].([]any)[0].(map[string]any); spf["valid"] != "valid" || spf["value"] != "v=spf1 include:mailgun.org ~all" {
		t.Errorf("SPF is %v", spf)
	}
	w.control("POST", "/_emulator/dns/new.example.net", `{}`)
	if got := verify(); got != "active" {
		t.Errorf("with all of it, %v", got)
	}
	_, body = w.call("GET", "/v4/domains?state=active&sort=name:desc", nil)
	w.want(body, "total_count", 3)
	if status, body = w.call("PUT", "/v4/domains/new.example.net", url.Values{"web_scheme": {"https"}}); body["message"] != "Domain has been updated" {
		t.Errorf("%d %v", status, body)
	}
	w.want(body, "domain/web_scheme", "https")
	if _, body = w.call("DELETE", "/v3/domains/new.example.net", nil); body["message"] != "Domain will be deleted in the background" {
		t.Errorf("%v", body)
	}
	if status, body = w.call("GET", "/v4/domains/new.example.net", nil); status != 404 || body["message"] != "Domain not found" {
		t.Errorf("%d %v", status, body)
	}
}

func TestTagLimits(t *testing.T) {
	w := start(t)
	w.send("bob@example.org", simpleMail, url.Values{"o:tag": {"a", "b"}})
	w.send("bob@example.org", simpleMail, url.Values{"o:tag": {"A"}})
	_, body := w.call("GET", "/v3/domains/"+domain+"/limits/tag", nil)
	w.want(body, "limit", 20000)
	w.want(body, "count", 2)
	_, body = w.call("GET", "/v1/analytics/tags/limits", nil)
	w.want(body, "limit_reached", false)
}

func TestKeys(t *testing.T) {
	w := start(t)
	status, body := w.call("POST", "/v1/keys", url.Values{"role": {"sending"}, "kind": {"domain"}, "domain_name": {domain}})
	secret, _ := get(body, "key/secret").(string)
	if status != 200 || secret == "" {
		t.Fatalf("%d %v", status, body)
	}
	send := url.Values{"from": {"a@b.c"}, "to": {"b@example.org"}, "text": {"x"}}
	if status, _, _ := w.callAs(secret, "POST", "/v3/"+domain+"/messages", send); status != 200 {
		t.Errorf("new key sends %d", status)
	}
	w.call("DELETE", "/v1/keys/"+get(body, "key/id").(string), nil)
	if status, _, _ := w.callAs(secret, "POST", "/v3/"+domain+"/messages", send); status != 401 {
		t.Errorf("deleted key sends %d", status)
	}
	if got := w.items("/v1/keys?kind=domain"); len(got) != 1 || got[0]["secret"] != nil {
		t.Errorf("keys are %v", got)
	}
}

// TestRateLimits: three families of headers, all with Unix milliseconds.
func TestRateLimits(t *testing.T) {
	w := start(t)
	send := url.Values{"from": {"a@b.c"}, "to": {"b@example.org,c@example.org"}, "text": {"x"}}
	if _, _, h := w.callAs(sendingKey, "POST", "/v3/"+domain+"/messages", send); h.Get("X-Ratelimit-Limit") != "" {
		t.Error("limits without the switch")
	}
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.RateLimit, sw.SendsPerWindow, sw.RecipientsPerWin = true, 3, 5 })
	_, _, h := w.callAs(sendingKey, "POST", "/v3/"+domain+"/messages", send)
	reset := strconv.FormatInt(w.mg.Now().Add(10*time.Second).UnixMilli(), 10)
	for name, want := range map[string]string{"X-Ratelimit-Limit": "3", "X-Ratelimit-Remaining": "2", "X-Ratelimit-Reset": reset, "X-Recipient-Limit": "5",
		"X-Recipient-Remaining": "3", "X-Recipient-Reset": reset} {
		if h.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, h.Get(name), want)
		}
	}
	w.callAs(sendingKey, "POST", "/v3/"+domain+"/messages", send)
	w.mg.Advance(2500 * time.Millisecond)
	status, body, _ := w.callAs(sendingKey, "POST", "/v3/"+domain+"/messages", send)
	if want := "Domain " + domain + " is not allowed to send: account-requests-per-sec limit exceeded, try again after 8 seconds"; status != 429 || !strings.Contains(body, want) {
		t.Errorf("%d %s", status, body)
	}
	w.mg.Advance(8 * time.Second)
	if status, _, _ = w.callAs(sendingKey, "POST", "/v3/"+domain+"/messages", send); status != 200 {
		t.Errorf("after the window %d", status)
	}
	if _, _, h = w.callAs(accountKey, "GET", "/v3/"+domain+"/bounces", nil); h.Get("X-Request-Limit") != "2500" || len(h.Get("X-Request-Reset")) != 13 {
		t.Errorf("headers are %v", h)
	}
	if _, _, h = w.callAs(accountKey, "PUT", "/v4/domains/"+domain+"/verify", url.Values{}); h.Get("X-Request-Limit") != "10" {
		t.Errorf("verify's headers are %v", h)
	}
	for range 300 {
		w.call("GET", "/v3/domains/"+domain+"/webhooks", nil)
	}
	if status, body, _ := w.callAs(accountKey, "GET", "/v3/domains/"+domain+"/webhooks", nil); status != 429 || strings.TrimSpace(body) != `{"retry-seconds":60}` {
		t.Errorf("webhooks: %d %s", status, body)
	}
}

func TestBookAndReset(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url, "accepted")
	w.send("bob@example.org", simpleMail, nil)
	w.mg.Advance(time.Second)
	_, body := w.control("GET", "/_emulator/book", "")
	kinds := map[string]int{}
	for _, x := range body["entries"].([]any) {
		e := x.(map[string]any)
		kinds[e["kind"].(string)]++
		if text, _ := marshal(e); strings.Contains(text, sendingKey) || strings.Contains(text, "Authorization") {
			t.Errorf("a key is in the book: %s", text)
		}
	}
	for kind, n := range map[string]int{"request": 1, "event": 2, "post": 1, "delivery": 1} {
		if kinds[kind] != n {
			t.Errorf("%d entries of kind %s, want %d", kinds[kind], kind, n)
		}
	}
	after := int64(body["after"].(float64))
	if _, body = w.control("GET", fmt.Sprintf("/_emulator/book?after=%d", after), ""); len(body["entries"].([]any)) != 0 {
		t.Error("the cursor gives old entries")
	}
	w.control("POST", "/_emulator/inbound?from=a@x.org&to=x@"+domain, simpleMail)
	if _, body = w.control("GET", fmt.Sprintf("/_emulator/book?after=%d&kind=note", after), ""); len(body["entries"].([]any)) != 1 {
		t.Errorf("notes are %v", body)
	}
	w.send("later@example.org", simpleMail, nil)
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.MaxTags = 9 })
	w.control("POST", "/_emulator/reset", "")
	w.mg.Advance(time.Hour)
	if len(w.mg.Messages()) != 0 || len(w.mg.Posts()) != 0 || len(w.boxes.Messages("later@example.org")) != 0 || w.pending() != 0 {
		t.Error("something is left after a reset")
	}
	if _, sw := w.control("GET", "/_emulator/switches", ""); sw["max_tags"] != 3.0 {
		t.Errorf("max_tags is %v", sw["max_tags"])
	}
	if entries := w.mg.Book(0, 0); len(entries) != 0 {
		t.Errorf("%d entries in the book", len(entries))
	}
	w.send("bob@example.org", simpleMail, nil)
	if entries := w.mg.Book(after, 0); len(entries) != 1 {
		t.Errorf("an old cursor gives %d entries", len(entries))
	}
}

func TestBookStream(t *testing.T) {
	w := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", w.url+"/_emulator/book/stream", nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	w.send("bob@example.org", simpleMail, nil)
	sc := bufio.NewScanner(resp.Body)
	var id, data string
	for sc.Scan() && data == "" {
		if v, ok := strings.CutPrefix(sc.Text(), "id: "); ok {
			id = v
		}
		if v, ok := strings.CutPrefix(sc.Text(), "data: "); ok {
			data = v
		}
	}
	var e mailgun.Entry
	if err := json.Unmarshal([]byte(data), &e); err != nil || e.Kind != "request" || strconv.FormatInt(e.Seq, 10) != id {
		t.Errorf("event %s is %s %v", id, data, err)
	}
}

// TestSameSeedSameWorld: the whole book repeats with the seed.
func TestSameSeedSameWorld(t *testing.T) {
	run := func(seed uint64) string {
		w := start(t, func(c *mailgun.Config) { c.Seed = seed; c.PublicURL = "http://emulator.invalid" })
		w.send("bob@example.org", simpleMail, nil)
		w.send("defer@example.org", simpleMail, nil)
		w.mg.Advance(time.Hour)
		var out strings.Builder
		for _, e := range w.mg.Book(0, 0) {
			out.WriteString(e.Kind + " " + e.Time.String() + " " + e.What + " " + e.MessageID + "\n")
		}
		return out.String()
	}
	if a, b := run(3), run(3); a != b {
		t.Errorf("two runs differ:\n%s\n%s", a, b)
	}
	if run(3) == run(4) {
		t.Error("another seed makes the same world")
	}
}

// TestAutomatic runs without anybody moving the clock, and many at once.
func TestAutomatic(t *testing.T) {
	w := start(t, func(c *mailgun.Config) { c.Manual, c.Now = false, time.Now })
	w.mg.AddWebhook(domain, w.hooks.url)
	const n = 40
	done := make(chan error, n)
	for i := range n {
		go func() {
			status, body := w.try(fmt.Sprintf("u%d@example.org", i))
			if status != 200 {
				done <- fmt.Errorf("%d %s", status, body)
				return
			}
			done <- nil
		}()
	}
	for range n {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if err := w.mg.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	order := map[string]string{}
	for _, e := range w.events() {
		order[e["recipient"].(string)] += e["event"].(string)[:1]
	}
	if len(order) != n {
		t.Errorf("%d recipients have events", len(order))
	}
	for to, got := range order {
		if got != "ad" {
			t.Errorf("%s has %s", to, got)
		}
	}
}
