package sandbox_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/postern-chat/postern/sandbox"
	"github.com/postern-chat/postern/sandbox/mailbox"
	"github.com/postern-chat/postern/sandbox/mailgun"
)

const page = "../docs/sandbox.md"

var update = flag.Bool("update", false, "write what is made from code")

// TestGenerated holds docs/sandbox.md to the code: its table of faults is made from
// it, by -update, and no address that the sandbox prints is missing.
func TestGenerated(t *testing.T) {
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), "<!-- faults by name:")
	first, rest, ok2 := strings.Cut(rest, "\n")
	_, after, ok3 := strings.Cut(rest, "<!-- end of faults by name -->")
	if !ok || !ok2 || !ok3 {
		t.Fatal("the marks of the table are gone from " + page)
	}
	want := before + "<!-- faults by name:" + first + "\n" + faults() + "<!-- end of faults by name -->" + after
	if want != string(b) {
		if !*update {
			t.Fatal(page + " has drifted from the code: go test ./sandbox -run '^TestGenerated$' -update")
		}
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[sandbox.Addresses]()) {
		if key, _, _ := strings.Cut(f.Tag.Get("json"), ","); !f.Anonymous && !strings.Contains(string(b), "`"+key+"`") {
			t.Errorf("%s says nothing of the key %q", page, key)
		}
	}
}

func faults() string {
	var out strings.Builder
	out.WriteString("| recipient | what happens |\n|---|---|\n")
	for _, table := range []map[string]string{mailgun.Locals(), mailbox.Habits()} {
		for _, local := range slices.Sorted(maps.Keys(table)) {
			fmt.Fprintf(&out, "| `%s@` | %s |\n", local, table[local])
		}
	}
	return out.String()
}
