package conformance

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

// testNode runs one of the suites in node/ against emulators of its own. Without its packages (npm ci) it is skipped;
// run.sh sets CONFORMANCE_ALL, which makes that a failure. It gives the client's calls for what is not emulated.
func testNode(t *testing.T, file string, env map[string]string) (left []string) {
	if _, err := os.Stat("node/node_modules"); err != nil {
		if os.Getenv("CONFORMANCE_ALL") != "" {
			t.Fatal("node/node_modules is missing: run npm ci in tests/conformance/node")
		}
		t.Skip("node/node_modules is missing: run tests/conformance/run.sh")
	}
	cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=tap", file)
	cmd.Dir = "node"
	cmd.Env = os.Environ()
	for k, v := range env {
		cmd.Env = append(cmd.Env, "CONFORMANCE_"+k+"="+v)
	}
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if list, found := strings.CutPrefix(line, "# left out: "); found {
			left = strings.Split(list, " ")
		} else if strings.HasPrefix(line, "# ") && !strings.HasPrefix(line, "# Subtest") {
			t.Log(line)
		}
	}
	if err != nil {
		t.Errorf("node --test %s: %v\n%s", file, err, out)
	}
	return left
}

func list(t *testing.T, endpoints []string) string {
	b, err := json.Marshal(endpoints)
	ok(t, "endpoints", err)
	return string(b)
}

func testMailgunJS(t *testing.T, rec *Recorder) []string {
	w := startMail(t, rec, MailgunJS)
	return testNode(t, "mailgun.test.mjs", map[string]string{"MAILGUN_URL": w.url, "MAILGUN_KEY": accountKey, "MAILGUN_DOMAIN": domain,
		"MAILGUN_ENDPOINTS": list(t, mailgun.Endpoints())})
}

func testSendbirdJS(t *testing.T, rec *Recorder) []string {
	s, url := startChat(t, rec, SendbirdJS)
	return testNode(t, "sendbird.test.mjs", map[string]string{"SENDBIRD_URL": url, "SENDBIRD_TOKEN": s.MasterToken(),
		"SENDBIRD_ENDPOINTS": list(t, sendbird.Endpoints())})
}
