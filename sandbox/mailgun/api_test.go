package mailgun_test

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/mailgun"
)

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
