package conformance

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// plainCalls are made without a client, for the endpoints that none of the clients asks for.
type plainCalls struct {
	t       *testing.T
	base    string
	headers map[string]string
}

// ask makes a call and checks its status; the answer is a tree, empty if it has no body.
func (p plainCalls) ask(method, path, kind, body string, status int) any {
	p.t.Helper()
	req := must(http.NewRequestWithContext(p.t.Context(), method, p.base+path, strings.NewReader(body)))(p.t, path)
	req.Header.Set("Content-Type", kind)
	for k, v := range p.headers {
		req.Header.Set(k, v)
	}
	resp := must(http.DefaultClient.Do(req))(p.t, path)
	defer func() { _ = resp.Body.Close() }()
	b := must(io.ReadAll(resp.Body))(p.t, path)
	if resp.StatusCode != status {
		p.t.Errorf("%s %s answers %d %s, want %d", method, path, resp.StatusCode, b, status)
	}
	var v any
	if len(b) > 0 {
		ok(p.t, path, json.Unmarshal(b, &v))
	}
	return v
}

func (p plainCalls) form(method, path string, status int, fields ...string) any {
	p.t.Helper()
	v := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		v.Add(fields[i], fields[i+1])
	}
	return p.ask(method, path, "application/x-www-form-urlencoded", v.Encode(), status)
}

func (p plainCalls) is(what string, tree any, path, want string) {
	p.t.Helper()
	if why := differs(at(tree, path), want); why != "" {
		p.t.Errorf("%s: %s %s: %v", what, path, why, tree)
	}
}

func testPlain(t *testing.T, rec *Recorder) {
	t.Run("mailgun webhooks v4", func(t *testing.T) { plainHooks4(startPlainMail(t, rec)) })
	t.Run("mailgun webhooks v1", func(t *testing.T) { plainHooks1(startPlainMail(t, rec)) })
	t.Run("mailgun domains v3", func(t *testing.T) { plainDomains(startPlainMail(t, rec)) })
	t.Run("mailgun allowlist", func(t *testing.T) { plainAllowlist(startPlainMail(t, rec)) })
	t.Run("mailgun queues and stored mail", func(t *testing.T) { plainStored(startPlainMail(t, rec)) })
	t.Run("DNS hosts", func(t *testing.T) { plainDNS(t, rec) })
	t.Run("sendbird", func(t *testing.T) { plainChat(t, rec) })
}

func startPlainMail(t *testing.T, rec *Recorder) (plainCalls, *mail) {
	w := startMail(t, rec, Plain)
	req, err := http.NewRequest("GET", w.url, nil)
	ok(t, "NewRequest", err)
	req.SetBasicAuth("api", accountKey)
	return plainCalls{t, w.url, map[string]string{"Authorization": req.Header.Get("Authorization")}}, w
}

func plainHooks4(p plainCalls, _ *mail) {
	const path = "/v4/domains/" + domain + "/webhooks"
	made := p.form("POST", path, 200, "url", "http://a.example/h", "event_types", "delivered", "event_types", "opened")
	p.is("made", made, "webhooks/delivered/urls/0", "=http://a.example/h")
	p.is("made", made, "webhooks/opened/urls/0", "=http://a.example/h")
	again := p.form("POST", path, 400, "url", "http://a.example/h", "event_types", "opened")
	p.is("again", again, "Reason", "=Webhook for event type 'opened' with URL 'http://a.example/h' already exists")
	put := p.form("PUT", path, 200, "url", "http://a.example/h", "event_types", "clicked")
	p.is("put", put, "webhooks/clicked/urls/0", "=http://a.example/h")
	p.is("put", put, "webhooks/opened", "-")
	p.is("deleted", p.form("DELETE", path+"?url=http://a.example/h", 200), "webhooks/clicked", "-")
	p.is("deleted twice", p.form("DELETE", path+"?url=http://a.example/h", 404), "Description", "=Webhook not found")
}

func plainHooks1(p plainCalls, _ *mail) {
	made := p.form("POST", "/v1/webhooks", 200, "url", "http://a.example/h", "event_types", "delivered", "description", "d")
	id, _ := at(made, "webhook_id").(string)
	one := p.form("GET", "/v1/webhooks/"+id, 200)
	p.is("one", one, "url", "=http://a.example/h")
	p.is("one", one, "event_types/0", "=delivered")
	p.form("PUT", "/v1/webhooks/"+id, 204, "url", "http://a.example/i", "event_types", "opened")
	p.is("list", p.form("GET", "/v1/webhooks", 200), "webhooks/0/url", "=http://a.example/i")
	p.form("DELETE", "/v1/webhooks/"+id, 204)
	p.form("GET", "/v1/webhooks/"+id, 404)
	p.form("POST", "/v1/webhooks", 200, "url", "http://a.example/h", "event_types", "delivered")
	p.form("DELETE", "/v1/webhooks?all=true", 204)
	p.is("after the delete of all", p.form("GET", "/v1/webhooks", 200), "webhooks/0", "-")
}

// plainDomains: the older version of the calls, which older clients still make.
func plainDomains(p plainCalls, _ *mail) {
	made := p.form("POST", "/v3/domains", 200, "name", "old.example.net")
	p.is("made", made, "message", "=Domain DNS records have been created")
	p.is("made", made, "domain/state", "=unverified")
	p.is("updated", p.form("PUT", "/v3/domains/old.example.net", 200, "web_prefix", "t"), "message", "=Domain has been updated")
	got := p.form("GET", "/v3/domains/old.example.net", 200)
	p.is("got", got, "domain/web_prefix", "=t")
	p.is("got", got, "sending_dns_records", "list")
	p.is("list", p.form("GET", "/v3/domains?search=old", 200), "items/0/name", "=old.example.net")
	p.is("verified", p.form("PUT", "/v3/domains/old.example.net/verify", 200), "message", "=Domain DNS records have been updated")
	p.is("selector", p.form("PUT", "/v3/domains/old.example.net/dkim_selector", 200, "dkim_selector", "s2"), "message", "=DKIM selector changed")
}

// plainAllowlist: who may call the API at all.
func plainAllowlist(p plainCalls, _ *mail) {
	const path = "/v2/ip_whitelist"
	p.is("added", p.form("POST", path, 200, "address", "127.0.0.1", "description", "here"), "addresses/0/ip_address", "=127.0.0.1")
	p.is("not an address", p.form("POST", path, 400, "address", "x"), "message", "=Invalid IP Address or CIDR")
	p.is("changed", p.form("PUT", path, 200, "address", "127.0.0.1", "description", "us"), "addresses/0/description", "=us")
	p.is("list", p.form("GET", path, 200), "addresses/0/description", "=us")
	p.is("gone", p.form("DELETE", path+"?address=127.0.0.1", 200), "addresses/0", "-")
}

func plainStored(p plainCalls, w *mail) {
	messages := "/v3/" + domain + "/messages"
	p.form("POST", messages, 200, "from", "a@"+domain, "to", bob, "text", "t", "o:deliverytime", w.mg.Now().Add(time.Hour).Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	w.settle()
	p.is("cleared", p.form("DELETE", "/v3/"+domain+"/envelopes", 200), "message", "=done")
	w.mg.Advance(2 * time.Hour)
	w.settle()
	same(p.t, "mails of Bob", len(w.boxes.Messages(bob)), 0)
	stored := "/v3/domains/" + domain + "/messages/" + w.mg.Messages()[0].Key
	p.is("stored", p.form("GET", stored, 200), "body-plain", "~^t")
	p.form("DELETE", stored, 200)
	p.is("gone", p.form("GET", stored, 404), "message", "=Message not found")
}

func plainChat(t *testing.T, rec *Recorder) {
	s, base := startChat(t, rec, Plain)
	p := plainCalls{t, base + "/v3", map[string]string{"Api-Token": s.MasterToken()}}
	call := func(method, path, body string) any {
		t.Helper()
		return p.ask(method, path, "application/json; charset=utf8", body, 200)
	}
	call("POST", "/users", `{"user_id":"ana","nickname":"Ana","profile_url":""}`)
	call("POST", "/group_channels", `{"channel_url":"room-1","user_ids":["ana"]}`)
	token := call("POST", "/users/ana/token", `{}`)
	p.is("session token", token, "token", "~^[0-9a-f]{40}$")
	p.is("session token", token, "expires_at", "number")
	typing := func(want bool) {
		t.Helper()
		state := plainCalls{t, base, nil}.ask("GET", "/_emulator/state", "application/json", "", 200)
		same(t, "typing", at(state, "channels/0/members/0/is_typing"), any(want))
	}
	call("POST", "/group_channels/room-1/typing", `{"user_ids":["ana"]}`)
	typing(true)
	call("DELETE", "/group_channels/room-1/typing", `{"user_ids":["ana"]}`)
	typing(false)
}
