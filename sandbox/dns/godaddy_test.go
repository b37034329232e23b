package dns_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/dns"
)

const (
	v3 = "/v3/domains/zones/shop.example/dns-records"
	v1 = "/v1/domains/shop.example/records"
)

func TestV3(t *testing.T) {
	w := start(t, "godaddy")
	r := w.want(w.call("POST", v3, w.pat(), `{"name":"mg","type":"MX","data":"mxa.mailgun.org.","ttl":600,"priority":10}`), 201,
		`"data":"mxa.mailgun.org."`, `"priority":10`)
	id, _ := r.json["recordId"].(string)
	if id == "" || r.header.Get("Location") != v3+"/"+id {
		t.Errorf("Location %q, record %s", r.header.Get("Location"), r.text)
	}
	w.want(w.call("POST", v3, w.pat(), `{"name":"mg","type":"MX","data":"mxb.mailgun.org.","ttl":600,"priority":10}`), 201)
	w.wantLookup("MX", "mg.shop.example", "10 mxa.mailgun.org", "10 mxb.mailgun.org")
	w.want(w.call("POST", v3, w.pat(), `{"name":"mg","type":"MX","data":"MXB.mailgun.org","ttl":3600,"priority":10}`), 422, "DUPLICATE_RECORD", "correlationId")
	w.want(w.call("DELETE", v3+"/"+id, w.pat(), ""), 204)
	w.want(w.call("DELETE", v3+"/"+id, w.pat(), ""), 404)
	w.wantLookup("MX", "mg.shop.example", "10 mxb.mailgun.org")

	for body, part := range map[string]string{
		`[{"name":"a","type":"A","data":"192.0.2.1","ttl":600}]`:                        "INVALID_BODY",
		`{"name":"a","type":"A","data":"192.0.2.1"}`:                                    "ttl is required",
		`{"name":"a","type":"A","data":"192.0.2.1","ttl":599}`:                          "between 600 and 86400",
		`{"name":"a","type":"A","data":"192.0.2.1","ttl":86401}`:                        "between 600 and 86400",
		`{"name":"a","type":"A","data":"nowhere","ttl":600}`:                            "not an address",
		`{"name":"a","type":"MX","data":"x.example.","ttl":600}`:                        "priority is required",
		`{"name":"a","type":"TXT","data":"","ttl":600}`:                                 "1 to 512",
		`{"name":"a","type":"TXT","data":"` + strings.Repeat("x", 513) + `","ttl":600}`: "1 to 512",
		`{"name":"*","type":"TXT","data":"x","ttl":600}`:                                "wildcard",
		`{"name":"www","type":"TXT","data":"x","ttl":600}`:                              "www has a CNAME record",
		`{"name":"@","type":"CNAME","data":"x.example.","ttl":600}`:                     "CNAME record cannot be created",
		`{"name":"_sip._tcp","type":"SRV","data":"x.example.","ttl":600}`:               "priority is required",
	} {
		if r := w.call("POST", v3, w.pat(), body); r.status != 422 && r.status != 400 || !strings.Contains(r.text, part) {
			t.Errorf("%s: %d %s", body, r.status, r.text)
		}
	}
	// A full name is taken for a relative one.
	w.want(w.call("POST", v3, w.pat(), `{"name":"mg.shop.example","type":"TXT","data":"x","ttl":600}`), 201)
	w.wantLookup("TXT", "mg.shop.example.shop.example", "x")
	w.want(w.call("GET", "/v3/domains/zones/other.example/dns-records", w.pat(), ""), 404)
	w.dns.SetSwitches(func(sw *dns.Switches) { sw.UnknownZone = 400 })
	w.want(w.call("GET", "/v3/domains/zones/other.example/dns-records", w.pat(), ""), 400)
}

func TestV3Pages(t *testing.T) {
	w := start(t, "godaddy")
	for i := range 30 {
		if err := w.dns.Put(dns.Record{Name: "t.shop.example", Type: "TXT", Data: "value " + strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
	first := w.want(w.call("GET", v3+"?type=TXT&name=t&totalRequired=true", w.pat(), ""), 200, `"totalItems":30`, `"totalPages":2`)
	if n := len(first.json["items"].([]any)); n != 25 {
		t.Errorf("%d on the first page", n)
	}
	next := ""
	for _, l := range first.json["links"].([]any) {
		if l := l.(map[string]any); l["rel"] == "next" {
			next = l["href"].(string)
		}
	}
	second := w.want(w.call("GET", next, w.pat(), ""), 200)
	if n := len(second.json["items"].([]any)); n != 5 || strings.Contains(second.text, `"next"`) {
		t.Errorf("second page: %s", second.text)
	}
	if r := w.call("GET", v3+"?type=TXT&name=none&totalRequired=true", w.pat(), ""); r.status != 200 || strings.Contains(r.text, "totalItems") {
		t.Errorf("none: %s", r.text)
	}
	w.want(w.call("GET", v3+"?pageSize=101", w.pat(), ""), 400)
	w.want(w.call("GET", v3+"?pageSize=100&page=2", w.pat(), ""), 200, `"items":[]`)
}

// TestV3PutWipes: the call that nobody may make.
func TestV3PutWipes(t *testing.T) {
	w := start(t, "godaddy")
	id := ""
	for _, r := range w.dns.Records("shop.example") {
		if r.Type == "A" {
			id = r.ID
		}
		if r.System {
			w.want(w.call("DELETE", v3+"/"+r.ID, w.pat(), ""), 409)
		}
	}
	w.want(w.call("PUT", v3+"/"+id, w.pat(), `{"name":"@","type":"A","data":"192.0.2.2","ttl":600}`), 200)
	if have := w.zone(); !slices.Equal(have, []string{`shop.example A "192.0.2.2"`}) {
		t.Errorf("left is %q", have)
	}
	w.wantLookup("NS", "shop.example", "ns01.domaincontrol.com", "ns02.domaincontrol.com")
	w.dns.Reset()
	w.dns.SetSwitches(func(sw *dns.Switches) { sw.PutRepaired = true })
	n := len(w.zone())
	for _, r := range w.dns.Records("shop.example") {
		if r.Type == "A" {
			id = r.ID
		}
	}
	w.want(w.call("PUT", v3+"/"+id, w.pat(), `{"name":"@","type":"A","data":"192.0.2.2","ttl":600}`), 200)
	if len(w.zone()) != n {
		t.Errorf("left is %q", w.zone())
	}
}

func TestV1(t *testing.T) {
	w := start(t, "godaddy")
	for _, auth := range []string{w.sso(), w.pat()} {
		w.want(w.call("GET", v1+"/TXT/@", auth, ""), 200, "google-site-verification", `"name":"@"`)
	}
	// PATCH adds.
	w.want(w.call("PATCH", v1, w.sso(), `[{"type":"MX","name":"mg","data":"mxa.mailgun.org","priority":10,"ttl":600},{"type":"MX","name":"mg","data":"mxb.mailgun.org","priority":10}]`), 200)
	w.wantLookup("MX", "mg.shop.example", "10 mxa.mailgun.org", "10 mxb.mailgun.org")
	w.want(w.call("PATCH", v1, w.sso(), `[{"type":"TXT","name":"new","data":"x"},{"type":"MX","name":"mg","data":"mxb.mailgun.org","priority":10}]`), 422, "DUPLICATE_RECORD")
	w.wantLookup("TXT", "new.shop.example") // all or nothing
	w.want(w.call("PATCH", v1, w.sso(), `{"type":"TXT","name":"new","data":"x"}`), 422, "INVALID_BODY", `"message":"is not a array"`, `"path":"records"`)
	w.want(w.call("PATCH", v1, w.sso(), `[{"type":"TXT","name":"new","data":"x","ttl":300}]`), 422, "UNKNOWN_RESTRICTION", "must have a minimum value of 600", "records[0].ttl")
	// PUT replaces the whole RRset: this loses Google's verification.
	w.want(w.call("PUT", v1+"/TXT/@", w.sso(), `[{"data":"v=spf1 include:mailgun.org ~all"}]`), 200)
	w.wantLookup("TXT", "shop.example", "v=spf1 include:mailgun.org ~all")
	w.want(w.call("PUT", v1+"/TXT/www", w.sso(), `[{"data":"x"}]`), 422, "CNAME")
	w.want(w.call("DELETE", v1+"/MX/mg", w.sso(), ""), 204)
	w.want(w.call("DELETE", v1+"/MX/mg", w.sso(), ""), 404)
	w.want(w.call("DELETE", v1+"/NS/@", w.sso(), ""), 422)
	w.want(w.call("GET", v1+"/CAA/@", w.sso(), ""), 422)
	w.want(w.call("PUT", v1+"/TXT", w.sso(), `[{"name":"a","data":"1"}]`), 200)
	w.wantLookup("TXT", "shop.example")
	w.want(w.call("PUT", v1, w.sso(), `[{"type":"A","name":"a","data":"192.0.2.1"}]`), 200)
	if have := w.zone(); !slices.Equal(have, []string{`a.shop.example A "192.0.2.1"`}) {
		t.Errorf("left is %q", have)
	}
	w.want(w.call("GET", "/v1/domains/other.example/records/A/@", w.sso(), ""), 404, "UNKNOWN_DOMAIN")
	w.want(w.call("GET", "/v1/domains/shop.example", w.sso(), ""), 200, "ns01.domaincontrol.com")
	w.dns.SetSwitches(func(sw *dns.Switches) { sw.Ineligible = true })
	w.want(w.call("PATCH", v1, w.sso(), `[{"type":"TXT","name":"new","data":"x"}]`), 409, "not eligible")
}

func TestGoDaddyRefuses(t *testing.T) {
	w := start(t, "godaddy")
	add := func(c dns.Credential) {
		if err := w.dns.AddCredential(c); err != nil {
			t.Fatal(err)
		}
	}
	add(dns.Credential{Kind: "pat", Secret: "gd_pat_reader", Scopes: []string{dns.ScopeRead}})
	add(dns.Credential{Kind: "pat", Secret: "gd_pat_foreign", Zones: []string{"other.example"}})
	record := `{"name":"a","type":"A","data":"192.0.2.1","ttl":600}`
	w.want(w.call("GET", v3, w.sso(), ""), 401, `"correlationId"`)
	w.want(w.call("GET", v3, "Bearer gd_pat_wrong", ""), 401, "UNABLE_TO_AUTHENTICATE")
	w.want(w.call("GET", v1, "", ""), 401, "UNABLE_TO_AUTHENTICATE")
	w.want(w.call("GET", v3, "Bearer gd_pat_reader", ""), 200)
	w.want(w.call("POST", v3, "Bearer gd_pat_reader", record), 403, "ACCESS_DENIED")
	w.want(w.call("GET", v3, "Bearer gd_pat_foreign", ""), 404)
	if r := w.call("GET", v3, "Bearer gd_pat_ote_emulated0123456789", ""); r.status != 401 || r.text != "Unauthorized" {
		t.Errorf("a test key in production: %d %q", r.status, r.text)
	}
	w.want(w.call("GET", "/ote"+v3, "Bearer gd_pat_ote_emulated0123456789", ""), 200)
	if r := w.call("GET", "/ote"+v1, w.sso(), ""); r.status != 401 || r.text != "Unauthorized" {
		t.Errorf("a production key in the test environment: %d %q", r.status, r.text)
	}
	if r := w.call("GET", v3, w.pat(), "", "User-Agent", ""); r.status != 403 || !strings.Contains(r.text, "<html>") {
		t.Errorf("no User-Agent: %d %s", r.status, r.text)
	}
	w.dns.SetSwitches(func(sw *dns.Switches) { sw.Access = "by-name" })
	w.want(w.call("GET", v1+"/TXT", w.sso(), ""), 403, `{"code":"ACCESS_DENIED","message":"Authenticated user is not allowed access"}`)
	w.want(w.call("GET", v1+"/TXT/@", w.sso(), ""), 200)
	w.dns.SetSwitches(func(sw *dns.Switches) { sw.Access = "denied" })
	w.want(w.call("GET", v1+"/TXT/@", w.sso(), ""), 403)
}

func TestGoDaddyLimit(t *testing.T) {
	w := start(t, "godaddy")
	for i := range 60 {
		if r := w.call("GET", v1+"/A/@", w.pat(), ""); r.status != 200 {
			t.Fatalf("call %d: %d", i, r.status)
		}
	}
	w.dns.Advance(20 * time.Second)
	r := w.want(w.call("GET", v3, w.pat(), ""), http.StatusTooManyRequests, "TOO_MANY_REQUESTS")
	if r.header.Get("Retry-After") != "40" || strings.Contains(r.text, "retryAfterSec") {
		t.Errorf("Retry-After %q: %s", r.header.Get("Retry-After"), r.text)
	}
	w.want(w.call("GET", v1+"/A/@", w.sso(), ""), 200) // counted by itself
	w.dns.SetSwitches(func(sw *dns.Switches) { sw.RetryAfter = "body" })
	if r := w.want(w.call("GET", v1, w.pat(), ""), 429, `"retryAfterSec":40`); r.header.Get("Retry-After") != "" {
		t.Error("the header as well")
	}
	w.dns.Advance(40 * time.Second)
	w.want(w.call("GET", v1, w.pat(), ""), 200)
}

// TestProtection: changes "succeed".
func TestProtection(t *testing.T) {
	w := start(t, "godaddy")
	w.dns.SetSwitches(func(sw *dns.Switches) { sw.Protected = true })
	w.want(w.call("POST", v3, w.pat(), `{"name":"a","type":"TXT","data":"hello","ttl":600}`), 201)
	w.wantLookup("TXT", "a.shop.example", "")
	w.want(w.call("PATCH", v1, w.pat(), `[{"type":"TXT","name":"b","data":"hello"}]`), 200)
	w.want(w.call("GET", v1+"/TXT/b", w.pat(), ""), 200, `"data":""`)
	w.dns.SetSwitches(func(sw *dns.Switches) { sw.Protected, sw.Placeholder = false, true })
	w.want(w.call("DELETE", v1+"/TXT/@", w.pat(), ""), 204)
	w.wantLookup("TXT", "shop.example", " ")
}

func TestAPIFaults(t *testing.T) {
	w := start(t, "godaddy")
	fault := func(f string) { w.want(w.call("POST", "/_emulator/faults", "", f), 200) }
	fault(`{"on":"api","action":"status","status":503,"body":"down","path":"/v3/**","times":1}`)
	w.want(w.call("GET", v1, w.pat(), ""), 200)
	w.want(w.call("GET", v3, w.pat(), ""), 503, "down")
	fault(`{"on":"api","action":"status-after","status":502,"method":"POST","times":1}`)
	w.want(w.call("POST", v3, w.pat(), `{"name":"a","type":"TXT","data":"x","ttl":600}`), 502)
	w.wantLookup("TXT", "a.shop.example", "x")
	fault(`{"on":"api","action":"reset","times":1}`)
	req, _ := http.NewRequestWithContext(t.Context(), "POST", w.url+v3, strings.NewReader("{}")) // a GET the client would repeat
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_ = resp.Body.Close()
		t.Error("an answer in spite of the reset")
	}
	if f := w.call("GET", "/_emulator/faults", "", ""); strings.Count(f.text, `"struck":1`) != 3 {
		t.Error(f.text)
	}
	w.want(w.call("DELETE", "/_emulator/faults", "", ""), 200)
}

func TestCloudflare(t *testing.T) {
	w := start(t, "cloudflare")
	get := func(path string) reply { return w.call("GET", "/client/v4"+path, w.cloud(), "") }
	zones := w.want(get("/zones?name=shop.example"), 200, `"success":true`, `"total_count":1`, "ada.ns.cloudflare.com")
	zone := zones.json["result"].([]any)[0].(map[string]any)["id"].(string)
	w.want(get("/zones?name=other.example"), 200, `"result":[]`)
	w.want(get("/user/tokens/verify"), 200, `"active"`)
	records := "/client/v4/zones/" + zone + "/dns_records"
	post := func(body string) reply { return w.call("POST", records, w.cloud(), body) }
	w.want(post(`{"type":"MX","name":"mg.shop.example","content":"mxa.mailgun.org","priority":10,"ttl":1}`), 200, `"name":"mg.shop.example"`)
	made := w.want(post(`{"type":"MX","name":"mg","content":"mxb.mailgun.org","priority":10,"ttl":1}`), 200, `"name":"mg.shop.example"`)
	w.wantLookup("MX", "mg.shop.example", "10 mxa.mailgun.org", "10 mxb.mailgun.org")
	w.want(post(`{"type":"TXT","name":"mg.shop.example","content":"\"v=spf1 \" \"~all\"","ttl":300}`), 200)
	w.wantLookup("TXT", "mg.shop.example", "v=spf1 ~all")
	for body, code := range map[string]int{
		`{"type":"MX","name":"mg.shop.example","content":"mxb.mailgun.org","priority":10}`: 81058,
		`{"type":"A","name":"shop.example","content":"192.0.2.1"}`:                         81057,
		`{"type":"CNAME","name":"mg.shop.example","content":"mailgun.org"}`:                81053,
		`{"type":"TXT","name":"www.shop.example","content":"x"}`:                           81054,
		`{"type":"TXT","name":"a.shop.example","content":""}`:                              9101,
		`{"type":"MX","name":"a.shop.example","content":"x.example"}`:                      9101,
		`{"type":"A","name":"a.shop.example","content":"x"}`:                               9005,
		`{"type":"A","name":"a.shop.example","content":"192.0.2.1","ttl":7}`:               9021,
		`{"type":"TXT","name":"a.shop.example","content":"x","proxied":true}`:              9004,
		`[`: 9207,
	} {
		w.want(post(body), 400, fmt.Sprintf(`"code":%d`, code), `"success":false`)
	}
	// A proxied CNAME is not seen in the DNS.
	w.want(post(`{"type":"CNAME","name":"email.mg.shop.example","content":"mailgun.org","proxied":true}`), 200)
	w.wantLookup("CNAME", "email.mg.shop.example")
	w.wantLookup("A", "email.mg.shop.example", "104.16.0.1")
	id := made.json["result"].(map[string]any)["id"].(string)
	w.want(w.call("PATCH", records+"/"+id, w.cloud(), `{"priority":20}`), 200, `"priority":20`)
	w.want(w.call("GET", records+"/"+id, w.cloud(), ""), 200, `"priority":20`)
	w.want(w.call("DELETE", records+"/"+id, w.cloud(), ""), 200, id)
	w.want(w.call("DELETE", records+"/"+id, w.cloud(), ""), 404, "81044")
	w.want(w.call("GET", records+"?type=MX&name=mg.shop.example", w.cloud(), ""), 200, `"total_count":1`, "mxa")
	if r := w.call("GET", records+"?per_page=2&page=2", w.cloud(), ""); len(r.json["result"].([]any)) != 2 || strings.Contains(r.text, "SOA") {
		t.Errorf("page 2: %s", r.text)
	}
	w.want(w.call("GET", "/client/v4/zones", "", ""), 400, "9106")
	w.want(w.call("GET", "/client/v4/zones", "Basic eA==", ""), 400, "6003", "6111")
	w.want(w.call("GET", "/client/v4/zones", "Bearer wrong", ""), 403, "9109")
	w.want(w.call("GET", "/client/v4/zones/none/dns_records", w.cloud(), ""), 404, "7003")
	if err := w.dns.AddCredential(dns.Credential{Kind: "cloudflare", Secret: "reader", Scopes: []string{"read"}}); err != nil {
		t.Fatal(err)
	}
	w.want(w.call("POST", records, "Bearer reader", `{}`), 403, "10000")
	w.dns.SetSwitches(func(sw *dns.Switches) { sw.CloudflareLimit, sw.QuoteTXT = 1, true })
	w.want(w.call("GET", records+"?type=TXT&name=mg.shop.example", "Bearer reader", ""), 429, "971")
	w.dns.Advance(5 * time.Minute)
	if r := w.want(w.call("GET", records+"?type=TXT&name=mg.shop.example", "Bearer reader", ""), 200, `"\"v=spf1 ~all\""`); r.header.Get("Retry-After") != "" {
		t.Error("Retry-After with success")
	}
}
