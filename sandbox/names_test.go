package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/postern-chat/postern/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mailgunSays calls Mailgun's API with the account key.
func mailgunSays(t *testing.T, w *sandbox.World, method, path string, form url.Values) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.MailgunAPI+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("api", w.AccountKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	_ = json.Unmarshal(b, &out) // a refusal need not be JSON
	return resp.StatusCode, out
}

// TestConfiguredNames: in the usual world an operator has entered everything.
func TestConfiguredNames(t *testing.T) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	w := sandbox.Run(t, sandbox.Config{})
	for _, q := range [][]string{
		{"MX", w.Domain, "10 mxa.mailgun.org"}, {"TXT", w.Domain, "v=spf1 include:mailgun.org ~all"}, {"TXT", "_dmarc." + w.Domain, "v=DMARC1; p=none"},
		{"CNAME", "email." + w.Domain, "mailgun.org"}, {"MX", w.Zone, "1 aspmx.l.google.com"}, {"NS", w.Zone, "ns01.domaincontrol.com"},
	} {
		if have, err := w.Names.Lookup(t.Context(), q[0], q[1]); err != nil || !slices.Contains(have, q[2]) {
			t.Errorf("%s %s: %q, %v", q[0], q[1], have, err)
		}
	}
	_, body := mailgunSays(t, w, "PUT", "/v4/domains/"+w.Domain+"/verify", nil)
	for _, list := range []string{"receiving_dns_records", "sending_dns_records"} {
		for _, r := range body[list].([]any) {
			if m := r.(map[string]any); m["valid"] != "valid" {
				t.Errorf("%v", m)
			}
		}
	}
}

// TestUnset: nothing is there that somebody has to do, and what others have is.
func TestUnset(t *testing.T) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	for _, host := range []string{"godaddy", "cloudflare", "rfc2136"} {
		w := sandbox.Run(t, sandbox.Config{Unset: true, DNS: host, GatewayURL: "http://127.0.0.1:9"})
		if status, _ := mailgunSays(t, w, "GET", "/v4/domains/"+w.Domain, nil); status != http.StatusNotFound {
			t.Errorf("%s: Mailgun has the domain: %d", host, status)
		}
		if _, body := mailgunSays(t, w, "GET", "/v3/routes", nil); body["total_count"] != 0.0 {
			t.Errorf("%s: routes %v", host, body)
		}
		if _, err := w.Say(t.Context(), "ana", w.Channel, "Is anybody there?"); err != nil {
			t.Fatal(err)
		}
		if err := w.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, e := range w.Chat.Book(0, 0) {
			if strings.HasPrefix(e.Kind, "webhook") {
				t.Errorf("%s: a webhook: %+v", host, e)
			}
		}
		for _, r := range w.Names.Records(w.Zone) {
			if strings.Contains(r.Name, w.Domain) {
				t.Errorf("%s: %v is in the zone", host, r)
			}
		}
		if have, _ := w.Names.Lookup(t.Context(), "TXT", w.Zone); len(have) != 2 {
			t.Errorf("%s: foreign records %q", host, have)
		}
		// With the domain made and its records entered, Mailgun is content.
		mailgunSays(t, w, "POST", "/v4/domains", url.Values{"name": {w.Domain}, "use_automatic_sender_security": {"true"}})
		if status, body := mailgunSays(t, w, "GET", "/v4/domains/"+w.Domain, nil); status != 200 || len(body["sending_dns_records"].([]any)) != 4 {
			t.Errorf("%s: %d %v", host, status, body)
		}
	}
}
