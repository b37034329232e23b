package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/postern-chat/postern/setup/lookup"
	"golang.org/x/term"
)

// interview asks on a terminal for what a configuration needs.
type interview struct {
	values map[string]string // by key; answers are put here
	out    io.Writer
	line   func() (string, error) // reads an answer
	hidden func() (string, error) // reads an answer that does not show
	keeper func(domain string) (lookup.Host, bool)
}

func newInterview(a *app, values map[string]string) *interview {
	i := &interview{values: values, out: a.stderr, line: func() (string, error) { return readLine(a.ctx, a.stdin) }}
	i.hidden = i.line
	if f, ok := a.stdin.(*os.File); ok {
		i.hidden = func() (string, error) { return readHidden(a.ctx, f) }
	}
	i.keeper = func(domain string) (lookup.Host, bool) { return whoKeeps(a.ctx, domain) }
	return i
}

// readHidden reads a line without showing it. Whatever ends it, the terminal shows what is
// typed again.
func readHidden(ctx context.Context, f *os.File) (string, error) {
	fd := int(f.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = term.Restore(fd, before) })
	defer stop()
	type result struct {
		text []byte
		err  error
	}
	got := make(chan result, 1)
	go func() {
		b, err := term.ReadPassword(fd)
		got <- result{b, err}
	}()
	select {
	case <-ctx.Done():
		_ = term.Restore(fd, before)
		return "", ctx.Err()
	case r := <-got:
		return string(r.text), r.err
	}
}

// whoKeeps asks the DNS who keeps the zone of a domain.
func whoKeeps(ctx context.Context, domain string) (lookup.Host, bool) {
	client, err := lookup.New(lookup.Config{Timeout: 2 * time.Second, Total: 6 * time.Second})
	if err != nil {
		return lookup.Host{}, false
	}
	zone, err := client.Zone(ctx, domain)
	if err != nil {
		return lookup.Host{}, false
	}
	return lookup.HostOf(zone.ServerNames())
}

// question is one of the interview.
type question struct {
	key  string
	text string
	hint string // where the answer is found
}

// questions are asked in this order; those of a DNS host follow.
func questions() []question {
	return []question{
		{"public_url", "Where does the world reach this gateway?", "like https://postern.example.com"},
		{"sendbird.app_id", "Sendbird: application id", "dashboard, Overview"},
		{"sendbird.api_token", "Sendbird: API token", "dashboard, Settings, General, API tokens"},
		{"sendbird.master_token", "Sendbird: master API token", "empty if that was the master token"},
		{"mailgun.domain", "Mailgun: sending domain", "a subdomain of its own, like mail.example.com; setup creates it"},
		{"mailgun.region", "Mailgun: region", "us or eu"},
		{"mailgun.account_key", "Mailgun: account API key", "dashboard, API Security; setup needs it"},
		{"mailgun.sending_key", "Mailgun: domain sending key", "empty: the account key sends as well; a key of its own can do less harm"},
		{"mailgun.signing_keys", "Mailgun: HTTP webhook signing key", "dashboard, API Security"},
	}
}

// hostQuestions are what it takes to change a zone at a host.
func hostQuestions(host string) []question {
	switch host {
	case "godaddy":
		return []question{{"dns.godaddy.token", "GoDaddy: personal access token", "developer.godaddy.com; scopes domains.domain:read, domains.dns:update"}}
	case "cloudflare":
		return []question{{"dns.cloudflare.token", "Cloudflare: API token", "My Profile, API Tokens, template Edit zone DNS"}}
	case "route53":
		return []question{{"dns.route53.access_key_id", "Route 53: access key id", ""}, {"dns.route53.secret_access_key", "Route 53: secret access key", ""}}
	case "rfc2136":
		return []question{{"dns.rfc2136.server", "Updates: primary name server", "like ns1.example.com:53"},
			{"dns.rfc2136.key_name", "Updates: name of the TSIG key", ""}, {"dns.rfc2136.key", "Updates: the TSIG key, base64", ""}}
	}
	return nil
}

// run asks. An empty answer takes what stands in brackets, or leaves the key out.
func (i *interview) run(a *app) error {
	_, _ = fmt.Fprint(i.out, "An empty answer leaves a question open; the file can be edited later.\n\n")
	for _, q := range questions() {
		if err := i.ask(q, ""); err != nil {
			return err
		}
	}
	if i.values["mailgun.sending_key"] == "" && i.values["mailgun.account_key"] != "" {
		i.values["mailgun.sending_key"] = i.values["mailgun.account_key"]
	}
	guess := "manual"
	if domain := i.values["mailgun.domain"]; domain != "" && i.values["dns.host"] == "" {
		if h, ok := i.keeper(domain); ok {
			_, _ = fmt.Fprintf(i.out, "The zone of %s is at %s.\n", domain, h.Title)
			for _, own := range dnsHosts() {
				if own.keeper == h.ID {
					guess = own.name
				}
			}
		}
	}
	if err := i.ask(question{"dns.host", "Who keeps the zone?", "manual, godaddy, cloudflare, route53 or rfc2136; with manual, setup shows what to enter"}, guess); err != nil {
		return err
	}
	for _, q := range hostQuestions(i.values["dns.host"]) {
		if err := i.ask(q, ""); err != nil {
			return err
		}
	}
	return a.ctx.Err()
}

// ask asks one question until the answer is one, unless a flag has given it.
func (i *interview) ask(q question, guess string) error {
	if i.values[q.key] != "" {
		return nil
	}
	var o option
	for _, x := range options() {
		if x.Key == q.key {
			o = x
		}
	}
	if guess == "" {
		guess = o.Default
	}
	for {
		text := q.text
		if q.hint != "" {
			text += " (" + q.hint + ")"
		}
		if guess != "" {
			text += " [" + guess + "]"
		}
		if !strings.HasSuffix(q.text, "?") {
			text += ":"
		}
		_, _ = fmt.Fprint(i.out, text+" ")
		read := i.line
		if o.secret() {
			read = i.hidden
		}
		answer, err := read()
		if o.secret() {
			_, _ = fmt.Fprintln(i.out)
		}
		if err != nil {
			return err
		}
		if answer = strings.TrimSpace(answer); answer == "" {
			answer = guess
		}
		if answer == "" {
			return nil
		}
		tidy, err := checkOption(q.key, answer)
		if err == nil {
			i.values[q.key] = tidy
			return nil
		}
		_, _ = fmt.Fprintf(i.out, "%s\n", err)
	}
}
