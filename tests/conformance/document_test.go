package conformance

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/postern-chat/postern/sandbox/dns"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

var update = flag.Bool("update", false, "write docs/sandbox-conformance.md anew")

const documentPath = "../../docs/sandbox-conformance.md"

// silent are the clients that asked nothing: their suite was skipped or left out by -run.
func silent(rec *Recorder) []string {
	out := []string{MailgunGo, MailgunJS, SendbirdJS, PosternClients, LibdnsCloudflare, Plain}
	for _, x := range rec.Exchanges() {
		out = slices.DeleteFunc(out, func(c string) bool { return c == x.Client })
	}
	return out
}

// testDocument holds the document against this run.
func testDocument(t *testing.T, rec *Recorder, left []LeftOut) {
	if who := silent(rec); len(who) > 0 {
		t.Skipf("the document is written from all suites; missing: %s", strings.Join(who, ", "))
	}
	want := Document([]Emulated{{Mailgun, mailgun.Endpoints()}, {Sendbird, sendbird.Endpoints()}, {DNSHosts, dns.Endpoints()}}, left, rec)
	if *update {
		ok(t, "WriteFile", os.WriteFile(documentPath, []byte(want), 0o644))
		return
	}
	got, err := os.ReadFile(documentPath)
	if err != nil || string(got) != want {
		t.Errorf("docs/sandbox-conformance.md is out of date (%v): run tests/conformance/run.sh -update", err)
	}
}

// testEverything fails for an endpoint that nobody asked for with success.
func testEverything(t *testing.T, rec *Recorder) {
	if who := silent(rec); len(who) > 0 {
		t.Skipf("this looks at all suites; missing: %s", strings.Join(who, ", "))
	}
	for _, s := range []Emulated{{Mailgun, mailgun.Endpoints()}, {Sendbird, sendbird.Endpoints()}, {DNSHosts, dns.Endpoints()}} {
		for _, e := range s.Endpoints {
			if len(rec.Asked(s.Service, e)) == 0 {
				t.Errorf("%s: nobody asked %s", s.Service, e)
			}
		}
	}
}
