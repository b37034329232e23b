package conformance

import (
	"flag"
	"os"
	"testing"

	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

var update = flag.Bool("update", false, "write docs/sandbox-conformance.md anew")

const documentPath = "../../docs/sandbox-conformance.md"

// testDocument holds the document against this run.
func testDocument(t *testing.T, rec *Recorder, left []LeftOut) {
	asked := map[string]bool{}
	for _, x := range rec.Exchanges() {
		asked[x.Client] = true
	}
	for _, c := range []string{MailgunGo, MailgunJS, SendbirdJS, PosternClients, Plain} {
		if !asked[c] {
			t.Skip("not all suites ran; the document is written from all of them: " + c + " is missing")
		}
	}
	want := Document([]Emulated{{Mailgun, mailgun.Endpoints()}, {Sendbird, sendbird.Endpoints()}}, left, rec)
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
	for _, s := range []Emulated{{Mailgun, mailgun.Endpoints()}, {Sendbird, sendbird.Endpoints()}} {
		for _, e := range s.Endpoints {
			if len(rec.Asked(s.Service, e)) == 0 {
				t.Errorf("%s: nobody asked %s", s.Service, e)
			}
		}
	}
}
