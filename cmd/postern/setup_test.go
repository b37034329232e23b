package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/postern-chat/postern/internal/seal"
)

func testReplyPattern(t *testing.T, secret string) {
	keys, err := seal.Parse(secret)
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

// setupRun runs the command in this process.
func (w *outside) setupRun(t *testing.T, env []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	status = run(context.Background(), append([]string{"setup"}, args...), strings.NewReader(""), &out, &errOut, env)
	return status, out.String(), errOut.String()
}

func TestSetupSmoke(t *testing.T) {
	w, err := newOutside(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, host := range []string{"rfc2136"} {
		env := append(w.environ(host), "POSTERN_DATA_DIR="+t.TempDir())
		for _, args := range [][]string{{"--plan"}, {}, {"--yes", "--wait=5s"}, {"--plan"}, {"--undo", "--plan"}, {"--undo", "--yes"}, {"--plan", "--json"}} {
			status, out, errOut := w.setupRun(t, env, args...)
			t.Logf("postern setup %s -> %d\n%s%s", strings.Join(args, " "), status, out, errOut)
		}
		t.Log(w.zone())
	}
}
