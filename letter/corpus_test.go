package letter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shared finds a folder beside the repository: tests over foreign mails skip where it is absent.
func shared(t testing.TB, path string) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	path = filepath.Join(dir, "..", "shared", path)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no corpus at %s", path)
	}
	return path
}

func corpusMails(t testing.TB) map[string][]byte {
	mails := map[string][]byte{}
	err := filepath.WalkDir(shared(t, "corpus/replies"), func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".eml") {
			mails[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return mails
}

// TestCorpus reads every real mail beside the repository and asks for a body without broken characters.
func TestCorpus(t *testing.T) {
	for path, raw := range corpusMails(t) {
		m := mustRead(t, raw)
		if strings.TrimSpace(m.Text+m.HTML) == "" {
			t.Errorf("%s: no body", path)
		}
		if strings.Contains(m.Text+m.HTML+m.Subject, "\ufffd") {
			t.Errorf("%s: broken characters", path)
		}
		if len(m.From) == 0 && m.Header.Has("From") {
			t.Errorf("%s: no author in %q", path, m.Header.Raw("From"))
		}
		t.Logf("%s: text %d html %d att %d %v", filepath.Base(path), len(m.Text), len(m.HTML), len(m.Attachments), m.Problems)
	}
}
