package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/postern-chat/postern/setup/doctor"
)

// TestGeneratedDoctor holds docs/doctor.md to the table; `make generate` writes it.
func TestGeneratedDoctor(t *testing.T) { generated(t, "../../docs/doctor.md", doctor.WriteDoc) }

var codeForm = regexp.MustCompile(`^(CONFIG|CLOCK|DB|DISK|URL|MAILGUN|SENDBIRD|DNS|ROUND-TRIP)(-[A-Z0-9]+)*$`)

// TestEveryCodeIsExplained: whatever stands in the sources as a code is in the table; the
// codes of a certificate are made of a subject and an ending.
func TestEveryCodeIsExplained(t *testing.T) {
	endings := []string{"-NONE", "-EXPIRED", "-NAME", "-CHAIN", "-SOON"}
	seen := map[string]bool{}
	for _, e := range endings {
		seen["URL-TLS"+e] = true
	}
	for _, pattern := range []string{"../../setup/doctor/*.go", "../../provider/mailgun/examine*.go", "../../platform/sendbird/examine*.go", "doctor*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, name := range files {
			if !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(filepath.Base(name), "catalogue") {
				literals(t, name, seen)
			}
		}
	}
	for code := range seen {
		if s, _, _ := doctor.Entry(code); s == nil {
			t.Errorf("%s is not in the table", code)
		}
	}
	for _, g := range doctor.Catalogue() {
		for _, s := range g.Subjects {
			for _, p := range s.Problems {
				if !seen[p.Code] {
					t.Errorf("nothing says %s", p.Code)
				}
				if p.Title == "" || p.Means == "" || p.Harm == "" || p.Remedy == "" || s.ByHand == "" {
					t.Errorf("%s is not explained", p.Code)
				}
			}
		}
	}
}

// literals notes the codes among a file's texts.
func literals(t *testing.T, name string, seen map[string]bool) {
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil && codeForm.MatchString(s) {
				seen[s] = true
			}
		}
		return true
	})
}
