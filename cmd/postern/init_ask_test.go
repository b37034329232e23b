package main

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/postern-chat/postern/setup/lookup"
)

// TestInterview: answers go to their keys, what a flag has said is not asked, a bad answer
// is asked again, and the host of the zone is guessed.
func TestInterview(t *testing.T) {
	var out bytes.Buffer
	answers := []string{"https://p.example.com", "APP", "us-east", "eu", ""}
	secrets := []string{"s-chat", "", "s-account", "s-sending", "s-signing", "gd_pat_x"}
	hidden := slices.Clone(secrets)
	next := func(list *[]string) func() (string, error) {
		return func() (string, error) {
			if len(*list) == 0 {
				return "", io.ErrUnexpectedEOF
			}
			a := (*list)[0]
			*list = (*list)[1:]
			return a + "\n", nil
		}
	}
	i := &interview{values: map[string]string{"mailgun.domain": "mg.example.com"}, out: &out, line: next(&answers), hidden: next(&secrets),
		keeper: func(domain string) (lookup.Host, bool) {
			return lookup.Host{ID: "godaddy", Title: "GoDaddy"}, domain == "mg.example.com"
		}}
	if err := i.run(&app{ctx: t.Context()}); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	want := map[string]string{
		"public_url": "https://p.example.com", "sendbird.app_id": "APP", "sendbird.api_token": "s-chat", "mailgun.domain": "mg.example.com", "mailgun.region": "eu",
		"mailgun.account_key": "s-account", "mailgun.sending_key": "s-sending", "mailgun.signing_keys": "s-signing", "dns.host": "godaddy", "dns.godaddy.token": "gd_pat_x",
	}
	for k, v := range want {
		if i.values[k] != v {
			t.Errorf("%s is %q, want %q", k, i.values[k], v)
		}
	}
	if len(i.values) != len(want) || len(answers)+len(secrets) > 0 {
		t.Errorf("values %v, left %q %q", i.values, answers, secrets)
	}
	for _, text := range []string{"The zone of mg.example.com is at GoDaddy.", "[godaddy]", `"us-east" is not one of us, eu`} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("does not say %q:\n%s", text, &out)
		}
	}
	if strings.Contains(out.String(), "sending domain") {
		t.Errorf("asks what a flag said:\n%s", &out)
	}
	for _, secret := range hidden {
		if secret != "" && strings.Contains(out.String(), secret) {
			t.Errorf("shows %q:\n%s", secret, &out)
		}
	}
	if err := i.ask(question{key: "sendbird.master_token", text: "x"}, ""); err == nil {
		t.Error("a terminal that fails is not noticed")
	}
}

// TestQuestions: each is about a key that there is, and secret ones do not show.
func TestQuestions(t *testing.T) {
	keys := map[string]option{}
	for _, o := range options() {
		keys[o.Key] = o
	}
	all := questions()
	for _, h := range dnsHosts() {
		if len(hostQuestions(h.name)) == 0 {
			t.Errorf("nothing is asked for %s", h.name)
		}
		all = append(all, hostQuestions(h.name)...)
	}
	for _, q := range all {
		o, ok := keys[q.key]
		if secret := strings.HasSuffix(q.key, "token") || strings.HasSuffix(q.key, "_key") || strings.HasSuffix(q.key, ".key") || strings.HasSuffix(q.key, "keys"); !ok || secret != o.secret() {
			t.Errorf("%s: there %t, secret %t", q.key, ok, o.secret())
		}
	}
}

// TestDNSHosts: every word of dns.host but manual has its line, and says what it lacks.
func TestDNSHosts(t *testing.T) {
	for _, o := range options() {
		if o.Key != "dns.host" {
			continue
		}
		for _, name := range o.Enum {
			host, kind, err := newDNSHost(DNSConfig{Host: name})
			if name == "manual" {
				if host != nil || err != nil {
					t.Errorf("manual: %v %v", host, err)
				}
			} else if kind.name != name || err == nil || !strings.Contains(err.Error(), "dns."+name) {
				t.Errorf("%s: %v %v", name, kind.name, err)
			}
		}
	}
}
