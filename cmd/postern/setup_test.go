package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"github.com/postern-chat/postern/internal/seal"
	"github.com/postern-chat/postern/sandbox/dns"
)

// TestReplyPattern: the route takes what seal makes, and the sample is one.
func TestReplyPattern(t *testing.T) {
	keys, err := seal.Parse(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	if err != nil {
		t.Fatal(err)
	}
	re := regexp.MustCompile("^(?:" + replyPattern + ")$")
	for _, id := range []uint64{1, 2, 1 << 62} {
		if w := keys.ID("address", id); !re.MatchString(w) {
			t.Errorf("%q is not as the route wants it", w)
		}
	}
	if !re.MatchString(replySample) {
		t.Error("the sample is none")
	}
}

func startOutside(t *testing.T) *outside {
	t.Helper()
	w, err := newOutside(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// setup runs the command in this process.
func (w *outside) setup(t *testing.T, env []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	status = run(t.Context(), append([]string{"setup"}, args...), strings.NewReader(""), &out, &errOut, env)
	return status, out.String(), errOut.String()
}

// state is everything that a set-up can touch.
func (w *outside) state(t *testing.T) string {
	t.Helper()
	s, err := w.account()
	if err != nil {
		t.Fatal(err)
	}
	return w.zone() + s
}

// TestSetupHosts: each host that the emulator has, there and back. GoDaddy lets us do 60
// calls a minute: it is in TestSetupKilled, without that limit of our own.
func TestSetupHosts(t *testing.T) {
	w := startOutside(t)
	env := append(w.environ("cloudflare"), "POSTERN_DATA_DIR="+t.TempDir())
	before := w.state(t)
	for _, step := range []struct {
		args   string
		status int
		out    string // of standard output
	}{
		{"--plan", exitOK, "? known after the domain is created"},
		{"", exitUsage, "Plan: 11 to add"},
		{"--plan --json", exitOK, `"complete":false`},
		{"--yes", exitOK, "Everything is as it should be."},
		{"", exitOK, "19 as they should be.\nEverything is as it should be."}, // nothing to ask
		{"--plan --json", exitOK, `"complete":true`},
		{"--undo --plan", exitOK, "16 to remove"},
		{"--undo", exitUsage, "16 to remove"},
		{"--undo --yes", exitOK, "Taken back."},
		{"--undo --yes", exitOK, "There is nothing to take back."},
	} {
		was := w.state(t)
		status, out, errOut := w.setup(t, env, strings.Fields(step.args)...)
		if status != step.status || !strings.Contains(out, step.out) {
			t.Fatalf("setup %s is %d:\n%s%s", step.args, status, out, errOut)
		}
		if !strings.Contains(step.args, "--yes") && w.state(t) != was {
			t.Fatalf("setup %s changed something", step.args)
		}
		if text := out + errOut; strings.Contains(text, "key-sandbox") || strings.Contains(text, w.chat.MasterToken()) || strings.Contains(text, w.dns.CloudflareToken()) {
			t.Fatalf("setup %s tells a secret:\n%s", step.args, text)
		}
	}
	if have := w.state(t); have != before {
		t.Errorf("after undoing:\n%s\nbefore:\n%s", have, before)
	}
}

// TestSetupManual: with a zone kept by hand the run says what to enter, and goes on where
// it stopped.
func TestSetupManual(t *testing.T) {
	w := startOutside(t)
	env := append(w.environ("manual"), "POSTERN_DATA_DIR="+t.TempDir(), "POSTERN_DNS_REPORTS=dmarc@example.com")
	status, out, errOut := w.setup(t, env, "--yes", "--wait=1ms")
	if status != exitFailed {
		t.Fatalf("%d\n%s%s", status, out, errOut)
	}
	for _, want := range []string{"Enter where the zone example.com is kept", "k1._domainkey.mg", "mg.example.com.", "IN\tMX\t10 mxa.mailgun.org.", "v=DMARC1; p=none; rua=mailto:dmarc@example.com"} {
		if !strings.Contains(strings.ReplaceAll(out, "  ", "\t"), want) && !strings.Contains(out, want) {
			t.Errorf("does not say %q:\n%s", want, out)
		}
	}
	if !strings.Contains(errOut, "not seen yet: MX mg.example.com; TXT mg.example.com; ") || !strings.Contains(errOut, "waiting for the DNS to be right: Mailgun: route for answers") {
		t.Errorf("does not say what is missing:\n%s", errOut)
	}
	records, err := w.call("GET", "/v4/domains/mg.example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.enter(records); err != nil {
		t.Fatal(err)
	}
	if err := w.dns.Put(dns.Record{Name: "_dmarc.mg.example.com", Type: "TXT", Data: "v=DMARC1; p=reject"}); err != nil {
		t.Fatal(err)
	}
	if status, out, errOut = w.setup(t, env, "--yes", "--wait=10s"); status != exitOK {
		t.Fatalf("%d\n%s%s", status, out, errOut)
	}
}

// TestSetupConflicts: what is in the way is told, not touched, and the rest is done as
// far as it makes sense.
func TestSetupConflicts(t *testing.T) {
	w := startOutside(t)
	for _, r := range []dns.Record{
		{Name: "mg.example.com", Type: "MX", Data: "aspmx.l.google.com", Priority: 1},
		{Name: "email.mg.example.com", Type: "A", Data: "192.0.2.9"},
		{Name: "k1._domainkey.mg.example.com", Type: "CNAME", Data: "dkim.mcsv.net"},
	} {
		if err := w.dns.Put(r); err != nil {
			t.Fatal(err)
		}
	}
	before := w.zone()
	env := append(w.environ("cloudflare"), "POSTERN_DATA_DIR="+t.TempDir())
	status, out, errOut := w.setup(t, env, "--yes")
	if status != exitFailed || !strings.Contains(errOut, "for you to decide") {
		t.Fatalf("%d\n%s%s", status, out, errOut)
	}
	for _, want := range []string{"Google (aspmx.l.google.com)", "use a subdomain", "a CNAME must stand alone", "the selector has a key of somebody else", "done    + DNS: SPF TXT"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("does not say %q:\n%s", want, out)
		}
	}
	if s := w.state(t); strings.Contains(s, "hooks/sendbird") || strings.Contains(s, "hooks/mailgun") {
		t.Errorf("let mail in before the DNS is right:\n%s", s)
	}
	if status, out, errOut = w.setup(t, env, "--undo", "--yes"); status != exitOK || w.zone() != before {
		t.Errorf("undo: %d\n%s%s%s", status, out, errOut, w.zone())
	}
}

// TestSetupOnly: parts alone, with what they need and no more.
func TestSetupOnly(t *testing.T) {
	w := startOutside(t)
	env := []string{"POSTERN_PUBLIC_URL=https://postern.example.net", "POSTERN_SENDBIRD_API_URL=" + w.chatURL + "/v3",
		"POSTERN_SENDBIRD_API_TOKEN=" + w.chat.MasterToken(), "POSTERN_DATA_DIR=" + t.TempDir()}
	if status, out, errOut := w.setup(t, env, "--only=sendbird", "--yes"); status != exitOK || strings.Contains(out, "Mailgun") {
		t.Errorf("%d\n%s%s", status, out, errOut)
	}
	if status, _, errOut := w.setup(t, env, "--only=mailgun", "--yes"); status != exitUsage || !strings.Contains(errOut, "mailgun.account_key is missing") {
		t.Errorf("%d %s", status, errOut)
	}
	if status, _, errOut := w.setup(t, env, "--only=mailgum"); status != exitUsage || !strings.Contains(errOut, "there are mailgun, dns, sendbird") {
		t.Errorf("%d %s", status, errOut)
	}
}

// TestSetupStopped: a signal ends a run that waits, and the next one goes on.
func TestSetupStopped(t *testing.T) {
	w := startOutside(t)
	env := append(w.environ("manual"), "POSTERN_DATA_DIR="+t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	errOut := &watcher{word: "waiting: ", seen: cancel}
	if status := run(ctx, []string{"setup", "--yes"}, strings.NewReader(""), &out, errOut, env); status != exitFailed {
		t.Errorf("status %d", status)
	}
	if !strings.Contains(errOut.String(), "stopped after 3 changes; run `postern setup` again to go on") {
		t.Errorf("%s", errOut)
	}
}

// watcher is a writer that calls seen when a word was written.
type watcher struct {
	bytes.Buffer
	word string
	seen func()
}

func (w *watcher) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.word)) {
		w.seen()
	}
	return w.Buffer.Write(p)
}
