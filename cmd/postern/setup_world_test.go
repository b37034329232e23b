package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-chat/postern/sandbox/dns"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

// outside is the world that a set-up changes: an account at Mailgun with nothing in it
// but somebody else's, an application of Sendbird's, and the zone example.com.
type outside struct {
	dns     *dns.Server
	mail    *mailgun.Server
	chat    *sendbird.Server
	mailURL string
	chatURL string
	dnsURL  string
	close   []func()
}

const (
	tsigName = "postern.key"
	tsigKey  = "c2V0LXVwIHRlc3RzIG9mIHBvc3Rlcm4sIDMyIGJ5dGU="
)

// newOutside starts a world. Close it.
func newOutside(dir string) (w *outside, err error) {
	w = &outside{}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	if w.dns, err = dns.New(dns.Config{
		TSIGName: tsigName, TSIGKey: tsigKey, Seed: 1, Zones: []dns.Zone{{Name: "example.com", Records: []dns.Record{
			{Name: "example.com", Type: "MX", Data: "aspmx.l.google.com", Priority: 1},
			{Name: "example.com", Type: "TXT", Data: "v=spf1 include:_spf.google.com ~all"},
			{Name: "example.com", Type: "TXT", Data: "google-site-verification=abc"},
			{Name: "www.example.com", Type: "A", Data: "192.0.2.1"},
		}}},
	}); err != nil {
		return w, err
	}
	w.close = append(w.close, func() { _ = w.dns.Close() })
	if w.mail, err = mailgun.New(mailgun.Config{
		Domains: []string{"other.example.org"}, SendingDomain: "mg.example.com", Seed: 1, Manual: true, TempDir: dir, Lookup: w.dns.Lookup,
		Publish: func(r mailgun.DNSRecord) {
			_ = w.dns.Put(dns.Record{Name: r.Name, Type: r.Type, Data: r.Value, Priority: r.Priority}) // Mailgun's zone is in every world
		},
	}); err != nil {
		return w, err
	}
	w.close = append(w.close, func() { _ = w.mail.Close() })
	if w.chat, err = sendbird.New(sendbird.Config{Seed: 1, TempDir: dir}); err != nil {
		return w, err
	}
	w.close = append(w.close, func() { _ = w.chat.Close() })
	w.mailURL, w.chatURL, w.dnsURL = w.serve(w.mail.Handler()), w.serve(w.chat.Handler()), w.serve(w.dns.Handler())
	return w, nil
}

func (w *outside) serve(h http.Handler) string {
	s := httptest.NewServer(h)
	w.close = append(w.close, s.Close)
	return s.URL
}

// Close stops everything.
func (w *outside) Close() {
	for _, f := range slices.Backward(w.close) {
		f()
	}
}

// environ is the configuration of a gateway in this world whose zone is kept at host.
func (w *outside) environ(host string) []string {
	gdKey, gdSecret := w.dns.GoDaddyKey()
	return []string{
		"POSTERN_PUBLIC_URL=https://postern.example.net", "POSTERN_SENDBIRD_API_URL=" + w.chatURL + "/v3", "POSTERN_SENDBIRD_API_TOKEN=" + w.chat.MasterToken(),
		"POSTERN_MAILGUN_DOMAIN=mg.example.com", "POSTERN_MAILGUN_API_URL=" + w.mailURL, "POSTERN_MAILGUN_ACCOUNT_KEY=key-sandbox-account",
		"POSTERN_MAILGUN_SIGNING_KEYS=key-sandbox-signing",
		"POSTERN_DNS_HOST=" + host, "POSTERN_DNS_RESOLVER=" + w.dns.Addr(dns.Resolver), "POSTERN_DNS_SERVERS=" + w.dns.Addr(dns.NS1) + "," + w.dns.Addr(dns.NS2),
		"POSTERN_DNS_GODADDY_TOKEN=" + w.dns.GoDaddyToken(), "POSTERN_DNS_GODADDY_KEY=" + gdKey, "POSTERN_DNS_GODADDY_SECRET=" + gdSecret, "POSTERN_DNS_GODADDY_API_URL=" + w.dnsURL,
		"POSTERN_DNS_CLOUDFLARE_TOKEN=" + w.dns.CloudflareToken(), "POSTERN_DNS_CLOUDFLARE_API_URL=" + w.dnsURL + "/client/v4",
		"POSTERN_DNS_RFC2136_SERVER=" + w.dns.Addr(dns.NS1), "POSTERN_DNS_RFC2136_KEY_NAME=" + tsigName, "POSTERN_DNS_RFC2136_KEY=" + tsigKey,
	}
}

// zone is what is in example.com, sorted, without the host's own records, their ids and
// times to live.
func (w *outside) zone() string {
	var all []string
	for _, r := range w.dns.Records("example.com") {
		if !r.System {
			all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %d %s", r.Name, r.Type, r.Priority, r.Data)))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n") + "\n"
}

// call asks Mailgun as its owner.
func (w *outside) call(method, path string, form url.Values) (string, error) {
	req, err := http.NewRequest(method, w.mailURL+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.SetBasicAuth("api", "key-sandbox-account")
	return answerOf(req)
}

func answerOf(req *http.Request) (string, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return fmt.Sprintf("%d %s", res.StatusCode, b), err
}

// account is what is at Mailgun and at Sendbird, as text.
func (w *outside) account() (string, error) {
	all := ""
	for _, path := range []string{"/v4/domains?sort=name", "/v3/routes", "/v3/domains/mg.example.com/webhooks", "/v3/domains/mg.example.com/tracking",
		"/v3/domains/other.example.org/webhooks", "/v3/domains/other.example.org/tracking", "/v1/webhooks"} {
		body, err := w.call(http.MethodGet, path, nil)
		if err != nil {
			return "", err
		}
		all += path + " " + body + "\n"
	}
	req, err := http.NewRequest(http.MethodGet, w.chatURL+"/v3/applications/settings/webhook", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Api-Token", w.chat.MasterToken())
	body, err := answerOf(req)
	return all + body + "\n", err
}

// enter puts the records of an answer of Mailgun's into the zone, as an operator would.
func (w *outside) enter(answer string) error {
	type record struct {
		Type     string `json:"record_type"`
		Name     string `json:"name"`
		Value    string `json:"value"`
		Priority string `json:"priority"`
	}
	var a struct {
		Receiving []record `json:"receiving_dns_records"`
		Sending   []record `json:"sending_dns_records"`
	}
	if err := json.Unmarshal([]byte(answer[4:]), &a); err != nil {
		return err
	}
	for _, r := range append(a.Receiving, a.Sending...) {
		d := dns.Record{Name: r.Name, Type: r.Type, Data: r.Value}
		if r.Type == "MX" {
			d.Name, d.Priority = "mg.example.com", 10
		}
		if err := w.dns.Put(d); err != nil {
			return err
		}
	}
	return nil
}
