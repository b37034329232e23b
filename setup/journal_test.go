package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-chat/postern"
)

func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "snapshot.jsonl")
	open := func() *Journal {
		t.Helper()
		j, err := OpenJournal(path, fixedNow)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	j := open()
	for _, key := range []string{"one", "two", "three"} {
		seq, err := j.Will("Mail", postern.Change{Key: key, Sign: postern.Add, Before: []byte(`{"x":1}`)})
		if err != nil {
			t.Fatal(err)
		}
		if key == "two" {
			continue // cut off
		}
		if err := j.Did(seq); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Undone(3); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(path, nil); err == nil || !strings.Contains(err.Error(), "another setup is running") {
		t.Errorf("opened twice: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}

	// A line that was being written when the machine stopped.
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 1; cut < 40; cut += 7 {
		if err := os.WriteFile(path, append(append([]byte{}, whole...), `{"do":"will","seq":4,"key":"four","before":{"y":2}}`[:cut]...), 0o600); err != nil {
			t.Fatal(err)
		}
		j = open()
		left := j.Standing()
		if len(left) != 2 || left[0].Key != "one" || string(left[1].Before) != `{"x":1}` || !j.Worked(1) || j.Worked(2) {
			t.Errorf("cut at %d: %+v", cut, left)
		}
		if seq, err := j.Will("Mail", postern.Change{Key: "five"}); err != nil || seq != 4 {
			t.Errorf("cut at %d: next is %d, %v", cut, seq, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if j = open(); len(j.Standing()) != 3 {
			t.Errorf("cut at %d: the line after it is lost", cut)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}

	// A broken line in the middle is nobody's to guess.
	if err := os.WriteFile(path, append([]byte("nonsense\n"), whole...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(path, nil); err == nil || !strings.Contains(err.Error(), ":1 is no line of a snapshot") {
		t.Errorf("%v", err)
	}
	if got := JournalPath("data"); got != filepath.Join("data", "setup", "snapshot.jsonl") {
		t.Error(got)
	}
}
