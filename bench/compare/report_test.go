//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheTableGoesBetweenTheMarks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "doc.md")
	if err := os.WriteFile(file, []byte("before\n"+beginMark+"\nold\n"+endMark+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	no := false
	for range 2 { // writing it again changes nothing else
		if err := writeTable(options{out: file}, &machine{cores: 2}, []line{{"a row", "1/s", "2/s", "0.50", "0.8", &no}}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	if !strings.HasPrefix(doc, "before\n"+beginMark) || !strings.HasSuffix(doc, endMark+"\nafter\n") || strings.Contains(doc, "old") ||
		strings.Count(doc, "| a row | 1/s | 2/s | 0.50 | 0.8 | **no** |") != 1 {
		t.Errorf("the document is now:\n%s", doc)
	}
	if err := os.WriteFile(file, []byte("no marks"), 0o600); err != nil {
		t.Fatal(err)
	}
	if writeTable(options{out: file}, &machine{}, nil) == nil {
		t.Error("a document without marks is written to")
	}
}

func TestReaddressed(t *testing.T) {
	got := string(readdressed([]byte("Subject: x\nFrom: Old\n <old@a.example>\nTo: y@b.example\nX-A: 1\n 2\n\nbody\n"), "me@p.example", "you@q.example"))
	want := "From: me@p.example\r\nTo: you@q.example\r\nSubject: x\r\nX-A: 1\r\n 2\r\n\r\nbody\r\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(c.of); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.of, got, c.want)
		}
	}
}
