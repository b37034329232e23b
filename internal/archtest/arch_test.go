package archtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/postern-chat/postern"

// TestHouse holds the rules over the real tree.
func TestHouse(t *testing.T) {
	root := filepath.Join("..", "..")
	if mod, err := os.ReadFile(filepath.Join(root, "go.mod")); err != nil || !strings.HasPrefix(string(mod), "module "+module+"\n") {
		t.Fatalf("%s is not the root of %s", root, module)
	}
	problems, files, err := check(module, os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("only %d files seen", files)
	}
	for _, p := range problems {
		t.Error(p)
	}
}

// TestRules holds the rules themselves: what they forbid is found, what they allow
// is not.
func TestRules(t *testing.T) {
	long := strings.Repeat("\n", maxLines+1)
	tests := []struct {
		name, path, src string
		want            string // part of the one problem; "" = none
	}{
		{"root, standard", "a.go", `import "errors"`, ""},
		{"root, module", "a.go", `import "github.com/x/y"`, "a.go: imports github.com/x/y: the root is the vocabulary"},
		{"root, ours", "a.go", `import "M/store"`, "imports store"},
		{"root, leaf", "a.go", `import "M/internal/x"`, "imports internal/x"},
		{"root, http", "a.go", `import "net/http"`, "imports net/http"},
		{"store, root", "store/a.go", `import ("M"; "database/sql"; "M/internal/x"; "M/store/migrations")`, ""},
		{"store, relay", "store/a.go", `import "M/relay"`, "imports relay: memory and lanes"},
		{"store, test helper in a test", "store/a_test.go", `import ("M/internal/pgtest"; "M/store/storetest")`, ""},
		{"store, test helper outside", "store/a.go", `import "M/internal/pgtest"`, "imports internal/pgtest"},
		{"suite, test helper", "store/storetest/a.go", `import ("M/internal/pgtest"; "M/store")`, ""},
		{"suite in production", "webhook/a.go", `import "M/store/storetest"`, "imports store/storetest"},
		{"webhook, store", "webhook/a.go", `import ("M/store"; "net/http")`, ""},
		{"webhook, relay", "webhook/a.go", `import "M/relay"`, "imports relay"},
		{"webhook, SQL", "webhook/a.go", `import "github.com/jackc/pgx/v5"`, "imports github.com/jackc/pgx/v5"},
		{"relay, letter", "relay/a.go", `import ("M"; "M/store"; "M/letter"; "M/replytext")`, ""},
		{"relay, HTTP", "relay/a.go", `import "net/http"`, "imports net/http: the rules know no HTTP"},
		{"relay, HTTP in a test", "relay/a_test.go", `import "net/http"`, ""},
		{"relay, SQL", "relay/a.go", `import "database/sql"`, "imports database/sql"},
		{"relay, platform", "relay/a.go", `import "M/platform/sendbird"`, "imports platform/sendbird"},
		{"relay, platform in a test", "relay/a_test.go", `import "M/platform/sendbird"`, "imports platform/sendbird"},
		{"door, rules", "door/a.go", `import ("M/relay"; "net/http")`, ""},
		{"door, store", "door/a.go", `import "M/store"`, "imports store"},
		{"replytext, below", "replytext/internal/x/a.go", `import "M/replytext"`, ""},
		{"console, relay", "console/a.go", `import "M/relay"`, "imports relay"},
		{"platform, leaf", "platform/sendbird/a.go", `import ("M"; "M/internal/fetch")`, ""},
		{"platform, store", "platform/sendbird/a.go", `import "M/store"`, "imports store"},
		{"platform, seam in a test", "platform/sendbird/a_test.go", `import ("M/relay"; "M/webhook"; "M/sandbox/sendbird")`, ""},
		{"platform, seam outside", "platform/sendbird/a.go", `import "M/relay"`, "imports relay"},
		{"platform, emulator", "platform/sendbird/a.go", `import "M/sandbox/sendbird"`, "imports sandbox/sendbird"},
		{"platform, its own external test", "platform/sendbird/a_test.go", `import "M/platform/sendbird"`, ""},
		{"provider, platform", "provider/mailgun/a.go", `import "M/platform/sendbird"`, "imports platform/sendbird"},
		{"dns host, words", "dns/route53/a.go", `import "M"`, ""},
		{"dns host, seam", "dns/route53/a.go", `import "M/setup"`, "imports setup"},
		{"dns host, store", "dns/route53/a.go", `import "M/store"`, "imports store"},
		{"replytext, root", "replytext/a.go", `import "M"`, "imports .: it can be used alone"},
		{"letter, root", "letter/a.go", `import "M"`, "imports ."},
		{"letter, leaf", "letter/a.go", `import "M/internal/x"`, "imports internal/x"},
		{"sandbox, emulator", "sandbox/a.go", `import "M/sandbox/mailgun"`, ""},
		{"emulator, client", "sandbox/mailgun/a.go", `import "M/provider/mailgun"`, "share no code"},
		{"emulator, root", "sandbox/mailgun/a.go", `import "M"`, "share no code"},
		{"emulator, leaf", "sandbox/mailgun/a.go", `import "M/internal/x"`, "share no code"},
		{"emulator, client in a test", "sandbox/mailgun/a_test.go", `import "M/provider/mailgun"`, "share no code"},
		{"leaf, store", "internal/x/a.go", `import "M/store"`, "imports store"},
		{"cmd", "cmd/postern/a.go", `import ("M"; "M/sandbox"; "M/store"; "M/relay")`, ""},
		{"cmd, test helper", "cmd/postern/a.go", `import "M/internal/pgtest"`, "imports internal/pgtest"},
		{"a package that nobody foresaw", "queue/a.go", ``, "package queue has no rule"},

		{"rand", "relay/a.go", `import "math/rand/v2"`, "imports math/rand/v2: it can be guessed"},
		{"rand, old, in an emulator", "sandbox/x/a.go", `import "math/rand"`, "imports math/rand"},
		{"rand, emulator", "sandbox/x/a.go", `import "math/rand/v2"`, ""},
		{"rand, test", "relay/a_test.go", `import "math/rand/v2"`, ""},

		{"init", "relay/a.go", `func init() {}`, "has an init function"},
		{"init, method", "relay/a.go", `type T struct{}; func (T) init() {}`, ""},
		{"init, test", "relay/a_test.go", `func init() {}`, ""},

		{"sandbox in a name", "relay/a.go", `var isSandbox bool`, "knows of the sandbox (isSandbox)"},
		{"sandbox in a text", "relay/a.go", `const x = "the sandbox"`, "knows of the sandbox"},
		{"sandbox in a comment", "relay/a.go", `// as the sandbox does`, ""},
		{"sandbox in cmd", "cmd/postern/a.go", `var sandbox bool`, ""},
		{"sandbox in a test", "relay/a_test.go", `var sandbox bool`, ""},

		{"long", "relay/a.go", long, "more than one subject"},
		{"long, test", "relay/a_test.go", long, "more than one subject"},
		{"almost long", "relay/a.go", strings.Repeat("\n", maxLines-1), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := "package x\n" + strings.ReplaceAll(tt.src, `"M`, `"`+module)
			have, files, err := check(module, fstest.MapFS{tt.path: {Data: []byte(src)}})
			if err != nil || files != 1 {
				t.Fatal(files, err)
			}
			switch {
			case tt.want == "" && len(have) > 0:
				t.Errorf("have %q, want nothing", have)
			case tt.want != "" && (len(have) != 1 || !strings.Contains(have[0], tt.want)):
				t.Errorf("have %q, want %q", have, tt.want)
			}
		})
	}
}

func TestSkipped(t *testing.T) {
	bad := &fstest.MapFile{Data: []byte("package x\nfunc init() {}\n")}
	have, files, err := check(module, fstest.MapFS{
		"tools/go.mod": {Data: []byte("module x\n")}, "tools/a.go": bad,
		"relay/testdata/a.go": bad, ".git/a.go": bad, "node_modules/x/a.go": bad, "_x/a.go": bad,
		"relay/gen.go": {Data: []byte("// Code generated by x. DO NOT EDIT.\npackage x\n" + strings.Repeat("\n", maxLines))},
	})
	if err != nil || files != 1 || len(have) > 0 {
		t.Errorf("have %q in %d files, %v", have, files, err)
	}
}

// TestReasons: every rule says why, and every exception.
func TestReasons(t *testing.T) {
	for _, r := range rules {
		if r.why == "" {
			t.Errorf("rule of %s has no reason", r.pkg)
		}
	}
	for _, l := range slices.Concat(random, knowSandbox) {
		if l.why == "" {
			t.Errorf("exception of %s has no reason", l.pkg)
		}
	}
	for name, why := range longFiles {
		if _, err := os.Stat(filepath.Join("..", "..", name)); err != nil || why == "" {
			t.Errorf("long file %s is gone or has no reason", name)
		}
	}
}
