package conformance

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libdns/cloudflare"
	"github.com/libdns/libdns"
	"github.com/libdns/rfc2136"

	"github.com/postern-chat/postern/sandbox/dns"
)

const zone = "shop.example"

// startDNS is an emulated zone with a foreign record, as one client sees it.
func startDNS(t *testing.T, rec *Recorder, client, host string) (*dns.Server, *httptest.Server) {
	t.Helper()
	s := must(dns.New(dns.Config{Seed: 1, Zones: []dns.Zone{{Name: zone, Host: host, Records: []dns.Record{
		{Name: zone, Type: "TXT", Data: "google-site-verification=abc"},
	}}}}))(t, "dns.New")
	srv := rec.Serve(client, DNSHosts, dns.Endpoints(), s.Handler())
	t.Cleanup(func() {
		srv.Close()
		ok(t, "Close", s.Close())
	})
	return s, srv
}

// libdnsHost is what both providers of libdns can do.
type libdnsHost interface {
	libdns.RecordGetter
	libdns.RecordAppender
	libdns.RecordDeleter
}

// playLibdns enters a mail domain's records, reads them and takes one of a pair away.
func playLibdns(t *testing.T, s *dns.Server, host libdnsHost) {
	ctx := t.Context()
	long := "k=rsa; p=" + strings.Repeat("A", 392)
	records := []libdns.Record{
		libdns.MX{Name: "mg", TTL: time.Hour, Preference: 10, Target: "mxa.mailgun.org."},
		libdns.MX{Name: "mg", TTL: time.Hour, Preference: 10, Target: "mxb.mailgun.org."},
		libdns.TXT{Name: "mg", TTL: time.Hour, Text: "v=spf1 include:mailgun.org ~all"},
		libdns.TXT{Name: "k1._domainkey.mg", TTL: time.Hour, Text: long},
		libdns.CNAME{Name: "email.mg", TTL: time.Hour, Target: "mailgun.org."},
	}
	same(t, "appended", len(must(host.AppendRecords(ctx, zone+".", records))(t, "AppendRecords")), 5)
	seen := func(kind, name string) string {
		values := must(s.Lookup(ctx, kind, name))(t, "Lookup")
		slices.Sort(values)
		return strings.Join(values, " | ")
	}
	same(t, "MX", seen("MX", "mg."+zone), "10 mxa.mailgun.org | 10 mxb.mailgun.org")
	same(t, "DKIM", seen("TXT", "k1._domainkey.mg."+zone), long)
	same(t, "CNAME", seen("CNAME", "email.mg."+zone), "mailgun.org")
	found := 0
	for _, r := range must(host.GetRecords(ctx, zone+"."))(t, "GetRecords") {
		if rr := r.RR(); rr.Type == "TXT" && rr.Name == "k1._domainkey.mg" && rr.Data == long || rr.Type == "MX" && rr.Name == "mg" {
			found++
		}
	}
	same(t, "read", found, 3)
	must(host.DeleteRecords(ctx, zone+".", records[:1]))(t, "DeleteRecords")
	same(t, "MX after the delete", seen("MX", "mg."+zone), "10 mxb.mailgun.org")
	same(t, "what others have", seen("TXT", zone), "google-site-verification=abc")
}

// redirected sends a client that knows one address only to another.
type redirected struct{ to *url.URL }

func (r redirected) Do(req *http.Request) (*http.Response, error) {
	req.URL.Scheme, req.URL.Host, req.Host = r.to.Scheme, r.to.Host, r.to.Host
	return http.DefaultClient.Do(req)
}

func testLibdns(t *testing.T, rec *Recorder) {
	t.Run("cloudflare", func(t *testing.T) {
		s, srv := startDNS(t, rec, LibdnsCloudflare, "cloudflare")
		host := &cloudflare.Provider{APIToken: s.CloudflareToken(), HTTPClient: redirected{must(url.Parse(srv.URL))(t, "Parse")}}
		playLibdns(t, s, host)
		_, err := host.AppendRecords(t.Context(), zone+".", []libdns.Record{libdns.TXT{Name: "mg", TTL: time.Hour, Text: "v=spf1 include:mailgun.org ~all"}})
		same(t, "an identical record is refused as such", err != nil && strings.Contains(err.Error(), "81058"), true)
	})
	t.Run("rfc2136", func(t *testing.T) {
		s, _ := startDNS(t, rec, Plain, "rfc2136")
		name, key := s.TSIG()
		playLibdns(t, s, &rfc2136.Provider{KeyName: name, Key: key, KeyAlg: "hmac-sha256", Server: s.Addr(dns.NS1)})
	})
}

// plainDNS: what no client asks for whose address can be set.
func plainDNS(t *testing.T, rec *Recorder) {
	s, srv := startDNS(t, rec, Plain, "")
	p := plainCalls{t, srv.URL, map[string]string{"Authorization": "Bearer " + s.GoDaddyToken()}}
	do := func(method, path, body string, status int) any {
		t.Helper()
		return p.ask(method, path, "application/json", body, status)
	}
	const v1, v3 = "/v1/domains/" + zone, "/v3/domains/zones/" + zone + "/dns-records"
	do("PATCH", v1+"/records", `[{"type":"MX","name":"mg","data":"mxa.mailgun.org","priority":10,"ttl":600}]`, 200)
	p.is("v1", do("GET", v1+"/records/MX/mg", "", 200), "0/data", "=mxa.mailgun.org")
	do("PUT", v1+"/records/MX/mg", `[{"data":"mxb.mailgun.org","priority":10}]`, 200)
	p.is("v1", do("GET", v1+"/records/MX", "", 200), "0/data", "=mxb.mailgun.org")
	do("PUT", v1+"/records/MX", `[{"name":"mg","data":"mxa.mailgun.org","priority":10}]`, 200)
	do("DELETE", v1+"/records/MX/mg", "", 204)
	p.is("domain", do("GET", v1, "", 200), "domain", "="+zone)
	made := do("POST", v3, `{"name":"mg","type":"MX","data":"mxa.mailgun.org.","priority":10,"ttl":600}`, 201)
	p.is("v3", made, "data", "=mxa.mailgun.org.")
	id, _ := at(made, "recordId").(string)
	p.is("v3", do("GET", v3+"?type=MX&name=mg", "", 200), "items/0/recordId", "="+id)
	p.is("wiped", do("PUT", v3+"/"+id, `{"name":"mg","type":"MX","data":"mxb.mailgun.org.","priority":10,"ttl":600}`, 200), "data", "=mxb.mailgun.org.")
	p.is("the foreign record is gone", do("GET", v3+"?type=TXT", "", 200), "items/0", "-")
	id, _ = at(do("GET", v3+"?type=MX", "", 200), "items/0/recordId").(string)
	do("DELETE", v3+"/"+id, "", 204)
	do("PUT", v1+"/records", `[{"type":"A","name":"@","data":"192.0.2.1"}]`, 200)
	p.is("all", do("GET", v1+"/records", "", 200), "0/type", "=SOA")

	p.headers = map[string]string{"Authorization": "Bearer " + s.CloudflareToken()}
	const v4 = "/client/v4"
	p.is("token", do("GET", v4+"/user/tokens/verify", "", 200), "result/status", "=active")
	zid, _ := at(do("GET", v4+"/zones?name="+zone, "", 200), "result/0/id").(string)
	p.is("zone", do("GET", v4+"/zones/"+zid, "", 200), "result/name", "="+zone)
	records := v4 + "/zones/" + zid + "/dns_records"
	id, _ = at(do("POST", records, `{"type":"TXT","name":"a","content":"x"}`, 200), "result/id").(string)
	p.is("one", do("GET", records+"/"+id, "", 200), "result/content", "=x")
	p.is("patched", do("PATCH", records+"/"+id, `{"content":"y"}`, 200), "result/content", "=y")
	p.is("put", do("PUT", records+"/"+id, `{"type":"TXT","name":"a","content":"z","ttl":60}`, 200), "result/content", "=z")
	p.is("list", do("GET", records+"?type=TXT", "", 200), "result/0/content", "=z")
	p.is("deleted", do("DELETE", records+"/"+id, "", 200), "result/id", "="+id)
}
