package spool_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/postern-chat/postern/sandbox/mailbox/spool"
)

func TestSpool(t *testing.T) {
	parent := t.TempDir()
	s, err := spool.New(parent)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 32 << 10, 32<<10 + 1, 300_000} {
		want := bytes.Repeat([]byte("x"), n)
		b, err := s.Put(bytes.NewReader(want), int64(n))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			r, err := b.Open()
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(r)
			_ = r.Close()
			if !bytes.Equal(got, want) || b.Size() != int64(n) {
				t.Errorf("%d bytes came back as %d", n, len(got))
			}
		}
		if _, err := s.Put(bytes.NewReader(append(want, 'y', 'z')), int64(n)+1); !errors.Is(err, spool.ErrTooLarge) {
			t.Errorf("%d bytes over the limit: %v", n, err)
		}
	}
	files := func() (n int) {
		_ = walk(parent, &n)
		return n
	}
	if n := files(); n != 2 {
		t.Errorf("%d files, want the two large ones", n)
	}
	b, err := s.Put(strings.NewReader(strings.Repeat("x", 100_000)), 0)
	if err != nil {
		t.Fatal(err)
	}
	b.Remove()
	if n := files(); n != 2 {
		t.Errorf("%d files after Remove", n)
	}
	if err := s.Close(); err != nil || files() != 0 {
		t.Errorf("after Close: %d files, %v", files(), err)
	}
	if _, err := s.Put(strings.NewReader(strings.Repeat("x", 100_000)), 0); err == nil {
		t.Error("a closed spool takes more")
	}
}

func walk(dir string, n *int) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			_ = walk(dir+"/"+e.Name(), n)
			continue
		}
		*n++
	}
	return err
}
