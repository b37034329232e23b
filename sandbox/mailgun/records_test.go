package mailgun_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/dns"
	"github.com/postern-chat/postern/sandbox/mailgun"
)

// withDNS gives the emulator a world to look at.
func withDNS(t *testing.T, change ...func(*mailgun.Config)) (*world, *dns.Server) {
	t.Helper()
	d, err := dns.New(dns.Config{Seed: 1, Zones: []dns.Zone{{Name: "shop.example"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	set := func(c *mailgun.Config) {
		c.Domains, c.SendingDomain, c.Lookup = nil, "mg.shop.example", d.Lookup
		c.Publish = func(r mailgun.DNSRecord) { put(t, d, r) }
	}
	return start(t, append([]func(*mailgun.Config){set}, change...)...), d
}

func put(t *testing.T, d *dns.Server, r mailgun.DNSRecord) {
	t.Helper()
	if err := d.Put(dns.Record{Name: r.Name, Type: r.Type, Data: r.Value, Priority: r.Priority}); err != nil {
		t.Error(err)
	}
}

// states are the records' validity by type and name.
func states(body map[string]any) map[string]string {
	out := map[string]string{}
	for _, list := range []string{"receiving_dns_records", "sending_dns_records"} {
		for _, r := range body[list].([]any) {
			m := r.(map[string]any)
			name, _ := m["name"].(string)
			out[m["record_type"].(string)+" "+name+" "+m["value"].(string)] = m["valid"].(string)
		}
	}
	return out
}

func (w *world) wantStates(body map[string]any, want map[string]string) {
	w.t.Helper()
	have := states(body)
	for k, v := range want {
		n := 0
		for h, s := range have {
			if strings.HasPrefix(h, k) {
				n++
				if s != v {
					w.t.Errorf("%s is %s, want %s", h, s, v)
				}
			}
		}
		if n == 0 {
			w.t.Errorf("no record %s in %v", k, have)
		}
	}
}

// TestVerifyByDNS: what is in the zone decides, and nothing else.
func TestVerifyByDNS(t *testing.T) {
	w, d := withDNS(t)
	if status, _, text := w.trySend("mg.shop.example"); status != 401 || text != "Forbidden" {
		t.Errorf("before the domain is there: %d %q", status, text)
	}
	_, body := w.call("POST", "/v4/domains", url.Values{"name": {"mg.shop.example"}, "dkim_key_size": {"2048"}})
	w.want(body, "domain/state", "unverified")
	w.wantStates(body, map[string]string{"MX  mxa.mailgun.org": "unknown", "TXT mg.shop.example v=spf1": "unknown", "TXT k1._domainkey.mg.shop.example": "unknown", "CNAME email.mg.shop.example": "unknown"})
	verify := func() map[string]any {
		t.Helper()
		_, body := w.call("PUT", "/v4/domains/mg.shop.example/verify", url.Values{})
		return body
	}
	w.want(verify(), "domain/state", "unverified")
	records := w.mg.DNSRecords("mg.shop.example")
	if len(records) != 5 {
		t.Fatalf("wanted are %v", records)
	}
	// Wrong values are invalid; two SPF records are none.
	put(t, d, mailgun.DNSRecord{Type: "TXT", Name: "mg.shop.example", Value: "v=spf1 -all"})
	put(t, d, mailgun.DNSRecord{Type: "TXT", Name: "mg.shop.example", Value: "v=spf1 include:mailgun.org ~all"})
	put(t, d, mailgun.DNSRecord{Type: "MX", Name: "mg.shop.example", Value: "mxa.mailgun.org", Priority: 10})
	put(t, d, mailgun.DNSRecord{Type: "CNAME", Name: "email.mg.shop.example", Value: "elsewhere.example"})
	body = verify()
	w.want(body, "domain/state", "unverified")
	w.wantStates(body, map[string]string{"MX  mxa.mailgun.org": "valid", "MX  mxb.mailgun.org": "invalid", "TXT mg.shop.example v=spf1": "invalid", "TXT k1._domainkey": "unknown", "CNAME email.": "invalid"})
	d.Drop("mg.shop.example", "TXT")
	put(t, d, mailgun.DNSRecord{Type: "TXT", Name: "mg.shop.example", Value: "v=spf1 include:_spf.google.com include:mailgun.org ~all"})
	for _, r := range records {
		if r.Type == "TXT" && strings.HasPrefix(r.Value, "k=rsa") {
			if n := keyBits(t, r.Value); n != 2048 {
				t.Errorf("a key of %d bits", n)
			}
			put(t, d, r)
		}
	}
	body = verify()
	w.want(body, "domain/state", "active") // tracking and receiving it can do without
	w.wantStates(body, map[string]string{"TXT mg.shop.example v=spf1": "valid", "TXT k1._domainkey": "valid", "CNAME email.": "invalid"})
	// A resolver that fails tells nothing: what was seen stays.
	if _, err := d.AddFault(dns.Fault{On: "dns", Action: "servfail"}); err != nil {
		t.Fatal(err)
	}
	w.wantStates(verify(), map[string]string{"TXT mg.shop.example v=spf1": "valid"})
	if status, _, _ := w.trySend("mg.shop.example"); status != 200 {
		t.Errorf("the sending key of the domain: %d", status)
	}
}

func (w *world) trySend(domain string) (status int, body map[string]any, text string) {
	w.t.Helper()
	status, text, _ = w.callAs(sendingKey, "POST", "/v3/"+domain+"/messages", url.Values{"from": {"a@" + domain}, "to": {"bob@example.org"}, "text": {"hello"}})
	return status, nil, strings.TrimSpace(text)
}

func keyBits(t *testing.T, record string) int {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(record, "k=rsa; p="))
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PublicKey).N.BitLen()
}

// TestAutomaticSenderSecurity: the keys are CNAMEs to Mailgun's own zone.
func TestAutomaticSenderSecurity(t *testing.T) {
	w, d := withDNS(t)
	_, body := w.call("POST", "/v4/domains", url.Values{"name": {"mg.shop.example"}, "use_automatic_sender_security": {"true"}})
	w.wantStates(body, map[string]string{"CNAME pdk1._domainkey.mg.shop.example pdk1._domainkey.": "unknown", "CNAME pdk2._domainkey.mg.shop.example": "unknown"})
	for _, r := range w.mg.DNSRecords("mg.shop.example") {
		put(t, d, r)
	}
	_, body = w.call("PUT", "/v4/domains/mg.shop.example/verify", url.Values{})
	w.want(body, "domain/state", "active")
	keys, err := d.Lookup(t.Context(), "TXT", "pdk1._domainkey.mg.shop.example")
	if err != nil || len(keys) != 1 || !strings.HasPrefix(keys[0], "k=rsa; p=MI") {
		t.Errorf("behind the CNAME is %q, %v", keys, err)
	}
}

// TestDKIMAuthority: with the parent in the account, the key stands at the parent.
func TestDKIMAuthority(t *testing.T) {
	w := start(t, func(c *mailgun.Config) { c.Region = "eu" })
	name := func(form url.Values) string {
		_, body := w.call("POST", "/v4/domains", form)
		w.wantStates(body, map[string]string{"MX  mxa.eu.mailgun.org": "unknown", "CNAME email." + form.Get("name") + " eu.mailgun.org": "unknown"})
		return body["sending_dns_records"].([]any)[1].(map[string]any)["name"].(string)
	}
	for want, form := range map[string]url.Values{
		"k1._domainkey." + domain:             {"name": {"a." + domain}},
		"s2._domainkey.b." + domain:           {"name": {"b." + domain}, "force_dkim_authority": {"true"}, "dkim_selector": {"s2"}},
		"k1._domainkey.example.com":           {"name": {"c." + domain}, "dkim_host_name": {"example.com"}},
		"k1._domainkey.stranger.example.test": {"name": {"stranger.example.test"}},
	} {
		if have := name(form); have != want {
			t.Errorf("%v: %s, want %s", form, have, want)
		}
	}
	if status, _ := w.call("POST", "/v4/domains", url.Values{"name": {"x.example.test"}, "dkim_key_size": {"512"}}); status != 400 {
		t.Errorf("a key of 512 bits: %d", status)
	}
	if _, body := w.call("PUT", "/v3/domains/stranger.example.test/dkim_selector", url.Values{"dkim_selector": {"new"}}); body["message"] != "DKIM selector changed" {
		t.Errorf("%v", body)
	}
	_, body := w.call("GET", "/v4/domains/stranger.example.test", nil)
	w.wantStates(body, map[string]string{"TXT new._domainkey.stranger.example.test": "unknown"})
}

func TestUnverifiedSendsLittle(t *testing.T) {
	w, _ := withDNS(t)
	w.call("POST", "/v4/domains", url.Values{"name": {"mg.shop.example"}})
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.UnverifiedPerDay = 2 })
	for i, want := range []int{200, 200, 403} {
		if status, _, text := w.trySend("mg.shop.example"); status != want {
			t.Errorf("mail %d: %d %s", i, status, text)
		}
	}
	w.mg.Advance(25 * time.Hour)
	if status, _, _ := w.trySend("mg.shop.example"); status != 200 {
		t.Errorf("the next day: %d", status)
	}
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.UnverifiedPerDay = 0 })
	if status, _, text := w.trySend("mg.shop.example"); status != 403 || !strings.Contains(text, "unverified") {
		t.Errorf("none: %d %s", status, text)
	}
	w.mg.VerifyDNS("mg.shop.example")
	w.call("PUT", "/v4/domains/mg.shop.example/verify", url.Values{})
	if status, _, text := w.trySend("mg.shop.example"); status != 200 {
		t.Errorf("verified: %d %s", status, text)
	}
}

func TestAllowlist(t *testing.T) {
	w := start(t)
	const path = "/v2/ip_whitelist"
	for _, tt := range []struct {
		method, path string
		form         url.Values
		status       int
		message      string
	}{
		{"POST", path, url.Values{"address": {"nowhere"}}, 400, "Invalid IP Address or CIDR"},
		{"POST", path, url.Values{"address": {"127.0.0.0/8"}, "description": {"here"}}, 200, ""},
		{"PUT", path, url.Values{"address": {"192.0.2.1"}}, 400, "IP not found"},
		{"PUT", path, url.Values{"address": {"127.0.0.0/8"}, "description": {"us"}}, 200, ""},
		{"POST", path, url.Values{"address": {"192.0.2.1"}}, 200, ""},
		{"DELETE", path, nil, 400, "IP address can not be blank"},
	} {
		status, body := w.call(tt.method, tt.path, tt.form)
		if message, _ := body["message"].(string); status != tt.status || message != tt.message {
			t.Errorf("%s %v: %d %v", tt.method, tt.form, status, body)
		}
	}
	_, body := w.call("GET", path, nil)
	if first := body["addresses"].([]any)[0].(map[string]any); first["description"] != "us" {
		t.Errorf("%v", body)
	}
	// Whoever locks himself out is out.
	if status, _ := w.call("DELETE", path+"?address="+url.QueryEscape("127.0.0.0/8"), nil); status != 200 {
		t.Error(status)
	}
	if status, _, text := w.trySend(domain); status != 403 || !strings.Contains(text, "Forbidden") {
		t.Errorf("from an address that is not listed: %d %s", status, text)
	}
}

// TestLookupFails: a DNS that does not answer leaves everything unknown.
func TestLookupFails(t *testing.T) {
	w := start(t, func(c *mailgun.Config) {
		c.Lookup = func(context.Context, string, string) ([]string, error) { return nil, errors.New("no answer") }
	})
	w.call("POST", "/v4/domains", url.Values{"name": {"new.example.net"}})
	_, body := w.call("PUT", "/v4/domains/new.example.net/verify", url.Values{})
	w.want(body, "domain/state", "unverified")
	w.wantStates(body, map[string]string{"TXT new.example.net": "unknown"})
}
