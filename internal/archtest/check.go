package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// file is one Go file of ours.
type file struct {
	path    string // from the module's root
	pkg     string // folder, "." for the root
	test    bool
	syntax  *ast.File
	lines   int
	madeBy  bool // generated
	imports []string
}

// check reads every Go file of a module, under whatever build tags, and lists what
// breaks the rules.
func check(module string, tree fs.FS) (problems []string, files int, err error) {
	fset := token.NewFileSet()
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(tree, name)
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := readFile(fset, tree, name)
		if err != nil {
			return err
		}
		files++
		c := checker{module: module, file: f}
		c.checkImports()
		c.checkDeclarations()
		c.checkWords()
		if f.lines > maxLines && !f.madeBy && longFiles[name] == "" {
			c.addf("has %d lines; %d are the most: it has more than one subject", f.lines, maxLines)
		}
		problems = append(problems, c.problems...)
		return nil
	})
	return problems, files, err
}

// skip leaves out folders that hold no code of this module.
func skip(tree fs.FS, dir string) error {
	if dir == "." {
		return nil
	}
	base := path.Base(dir)
	if base == "testdata" || base == "node_modules" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return fs.SkipDir
	}
	if _, err := fs.Stat(tree, path.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func readFile(fset *token.FileSet, tree fs.FS, name string) (*file, error) {
	src, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	syntax, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &file{
		path:   name,
		pkg:    path.Dir(name),
		test:   strings.HasSuffix(name, "_test.go"),
		syntax: syntax,
		lines:  bytes.Count(src, []byte("\n")),
		madeBy: ast.IsGenerated(syntax),
	}
	for _, spec := range syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		f.imports = append(f.imports, p)
	}
	return f, nil
}

type checker struct {
	module   string
	file     *file
	problems []string
}

func (c *checker) addf(format string, args ...any) {
	c.problems = append(c.problems, c.file.path+": "+fmt.Sprintf(format, args...))
}

func (c *checker) checkImports() {
	f := c.file
	r, ok := ruleOf(f.pkg)
	if !ok {
		c.addf("package %s has no rule; give it one in internal/archtest/rules.go", f.pkg)
		return
	}
	for _, imp := range f.imports {
		if ours, is := c.ours(imp); is {
			if ours != f.pkg && !mayImport(r, f, ours) {
				c.addf("imports %s: %s", ours, r.why)
			}
			continue
		}
		if !f.test && matchesAny(r.not, imp) {
			c.addf("imports %s: %s", imp, r.why)
		}
		if !f.test && (imp == "math/rand" || imp == "math/rand/v2" && !listed(f.pkg, random)) {
			c.addf("imports %s: it can be guessed; use crypto/rand", imp)
		}
	}
}

// ours tells the folder of an import, if it is one of this module.
func (c *checker) ours(imp string) (folder string, is bool) {
	if imp == c.module {
		return ".", true
	}
	return strings.CutPrefix(imp, c.module+"/")
}

func mayImport(r rule, f *file, ours string) bool {
	if f.test && (matchesAny(testHelpers, ours) || matchesAny(r.tests, ours)) {
		return true
	}
	if !f.test && matchesAny(testHelpers, ours) && !slices.Contains(r.ours, ours) {
		return false
	}
	return matchesAny(r.ours, ours)
}

func (c *checker) checkDeclarations() {
	if c.file.test {
		return
	}
	for _, d := range c.file.syntax.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			c.addf("has an init function; whoever needs the work calls it")
		}
	}
}

// checkWords looks for the sandbox in names and texts.
func (c *checker) checkWords() {
	if c.file.test || listed(c.file.pkg, knowSandbox) {
		return
	}
	ast.Inspect(c.file.syntax, func(n ast.Node) bool {
		var word string
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false // the import rule's matter
		case *ast.Ident:
			word = n.Name
		case *ast.BasicLit:
			if n.Kind != token.STRING {
				return true
			}
			word = n.Value
		}
		if strings.Contains(strings.ToLower(word), "sandbox") {
			c.addf("knows of the sandbox (%s): production code behaves the same everywhere", word)
		}
		return true
	})
}

func ruleOf(pkg string) (rule, bool) {
	for _, r := range rules {
		if matches(r.pkg, pkg) {
			return r, true
		}
	}
	return rule{}, false
}

func listed(pkg string, list []struct{ pkg, why string }) bool {
	return slices.ContainsFunc(list, func(l struct{ pkg, why string }) bool { return matches(l.pkg, pkg) })
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

// matches tells whether a pattern names a package: itself, "x/*" all below x, "*"
// all but the root, "*test" all whose last folder ends so, "*.*/*" all whose first
// part has a dot, which are those from outside the standard library.
func matches(pattern, name string) bool {
	switch {
	case pattern == "*":
		return name != "."
	case pattern == "*.*/*":
		first, _, _ := strings.Cut(name, "/")
		return strings.Contains(first, ".")
	case strings.HasPrefix(pattern, "*"):
		return strings.HasSuffix(name, pattern[1:])
	case strings.HasSuffix(pattern, "/*"):
		return strings.HasPrefix(name, strings.TrimSuffix(pattern, "*"))
	}
	return pattern == name
}
