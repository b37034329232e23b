// Package blobtest is the suite that every place for blobs must pass.
//
// What lives here: tests of blob.Store. What may not: anything about one place only.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/blob"
)

// Place is a place under test.
type Place struct {
	// Fresh makes an empty place.
	Fresh func(t *testing.T) blob.Store
	// Again opens the same place as another process would.
	Again func(t *testing.T, s blob.Store) blob.Store
	// Age makes a blob older.
	Age func(t *testing.T, s blob.Store, ref string, by time.Duration)
}

// Run runs the suite.
func Run(t *testing.T, p Place) {
	t.Run("Sizes", func(t *testing.T) { testSizes(t, p) })
	t.Run("Absent", func(t *testing.T) { testAbsent(t, p) })
	t.Run("Discard", func(t *testing.T) { testDiscard(t, p) })
	t.Run("Anywhere", func(t *testing.T) { testAnywhere(t, p) })
	t.Run("Concurrent", func(t *testing.T) { testConcurrent(t, p) })
	t.Run("Old", func(t *testing.T) { testOld(t, p) })
	t.Run("Owner", func(t *testing.T) { testOwner(t, p) })
	t.Run("Again", func(t *testing.T) { testAgain(t, p) })
}

// bytesOf makes bytes that differ everywhere.
func bytesOf(n int, seed uint64) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// Keep keeps bytes as a blob.
func Keep(t testing.TB, s blob.Store, content []byte) (ref string) {
	t.Helper()
	d := s.NewDraft(-1)
	defer d.Discard()
	for part := range slices.Chunk(append(content, 0), 64<<10) {
		if _, err := d.Write(part[:min(len(part), len(content)-int(d.Size()))]); err != nil {
			t.Fatal(err)
		}
	}
	_, ref, err := d.Keep()
	if err != nil || ref == "" {
		t.Fatal(ref, err)
	}
	return ref
}

func read(t testing.TB, s blob.Store, ref string) []byte {
	t.Helper()
	f, err := s.Open(ref)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	if err != nil || int64(len(b)) != f.Size() {
		t.Fatalf("%d bytes of %d, %v", len(b), f.Size(), err)
	}
	return b
}

func wantAbsent(t *testing.T, err error) {
	t.Helper()
	if postern.KindOf(err) != postern.Permanent || postern.CauseOf(err) != postern.CauseNotFound {
		t.Errorf("%v, want Permanent, not found", err)
	}
}

func testSizes(t *testing.T, p Place) {
	s := p.Fresh(t)
	for _, n := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 5<<20 + 1, 13 << 20} {
		content := bytesOf(n, uint64(n))
		ref := Keep(t, s, content)
		if !blob.Valid(ref) {
			t.Errorf("a blob called %q", ref)
		}
		if !bytes.Equal(read(t, s, ref), content) {
			t.Errorf("a blob of %d bytes is another now", n)
		}
	}
	d := s.NewDraft(10)
	_, _ = d.Write([]byte("few"))
	if b, ref, err := d.Keep(); string(b) != "few" || ref != "" || err != nil {
		t.Error(b, ref, err)
	}
}

func testAbsent(t *testing.T, p Place) {
	s := p.Fresh(t)
	for _, ref := range []string{"", "../x", "owner", strings.Repeat("A", 32), strings.Repeat("a", 33)} {
		_, err := s.Open(ref)
		wantAbsent(t, err)
		wantAbsent(t, s.Delete(ref))
	}
	never := strings.Repeat("0", 32)
	_, err := s.Open(never)
	wantAbsent(t, err)
	if err := s.Delete(never); err != nil {
		t.Error(err)
	}
	ref := Keep(t, s, []byte("x"))
	if err := s.Delete(ref); err != nil {
		t.Error(err)
	}
	_, err = s.Open(ref)
	wantAbsent(t, err)
}

// What is thrown away was never there.
func testDiscard(t *testing.T, p Place) {
	s := p.Fresh(t)
	d := s.NewDraft(-1)
	if _, err := d.Write(bytesOf(6<<20, 1)); err != nil {
		t.Fatal(err)
	}
	d.Discard()
	if refs := old(t, s, time.Now().Add(time.Hour)); len(refs) != 0 {
		t.Errorf("there are %v", refs)
	}
}

// A blob can be read from anywhere, and by several at once.
func testAnywhere(t *testing.T, p Place) {
	s := p.Fresh(t)
	content := bytesOf(3<<20+17, 2)
	ref := Keep(t, s, content)
	f, err := s.Open(ref)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 3))
			for range 40 {
				off := r.IntN(len(content))
				b := make([]byte, r.IntN(300<<10))
				n, err := f.ReadAt(b, int64(off))
				want := min(len(b), len(content)-off)
				if n != want || (err != nil) != (want < len(b)) || err != nil && err != io.EOF || !bytes.Equal(b[:n], content[off:off+n]) {
					t.Errorf("%d bytes from %d: %d, %v", len(b), off, n, err)
				}
			}
		})
	}
	wg.Wait()
	if n, err := f.ReadAt(make([]byte, 1), int64(len(content))); n != 0 || err != io.EOF {
		t.Error("behind the end", n, err)
	}
	g, err := s.Open(ref)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.Close() }()
	if err := iotest.TestReader(struct{ io.Reader }{io.NewSectionReader(g, 0, 5000)}, content[:5000]); err != nil {
		t.Error(err)
	}
}

func testConcurrent(t *testing.T, p Place) {
	s := p.Fresh(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			content := bytesOf(100<<10+i, uint64(i))
			ref := Keep(t, s, content)
			if !bytes.Equal(read(t, s, ref), content) {
				t.Errorf("blob %d is another", i)
			}
		})
	}
	wg.Wait()
}

func old(t *testing.T, s blob.Store, before time.Time) (refs []string) {
	t.Helper()
	err := s.Old(t.Context(), before, func(part []string) error {
		if len(part) == 0 || len(part) > 500 {
			t.Errorf("a portion of %d", len(part))
		}
		refs = append(refs, part...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(refs)
	return refs
}

func testOld(t *testing.T, p Place) {
	s := p.Fresh(t)
	if _, err := s.Owner(t.Context(), "house"); err != nil {
		t.Fatal(err)
	}
	var aged []string
	young := map[string]bool{}
	for i := range 30 {
		ref := Keep(t, s, []byte(fmt.Sprint(i)))
		if i%3 > 0 {
			p.Age(t, s, ref, 48*time.Hour)
			aged = append(aged, ref)
		} else {
			young[ref] = true
		}
	}
	slices.Sort(aged)
	before := time.Now().Add(-24 * time.Hour)
	if got := old(t, s, before); !slices.Equal(got, aged) {
		t.Errorf("%d old ones, want %d", len(got), len(aged))
	}
	stop := errors.New("stop")
	if err := s.Old(t.Context(), before, func([]string) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Old(ctx, before, func([]string) error { return nil }); err == nil {
		t.Error("listed after the end")
	}
	// They can be removed as they are listed.
	err := s.Old(t.Context(), before, func(refs []string) error {
		for _, ref := range refs {
			if err := s.Delete(ref); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if left := old(t, s, time.Now().Add(time.Hour)); len(left) != len(young) || !young[left[0]] {
		t.Errorf("left: %v", left)
	}
}

func testOwner(t *testing.T, p Place) {
	s := p.Fresh(t)
	for _, name := range []string{"first", "second", "first"} {
		if got, err := s.Owner(t.Context(), name); got != "first" || err != nil {
			t.Error(got, err)
		}
	}
	if got, err := p.Again(t, s).Owner(t.Context(), "third"); got != "first" || err != nil {
		t.Error(got, err)
	}
}

func testAgain(t *testing.T, p Place) {
	s := p.Fresh(t)
	ref := Keep(t, s, []byte("kept"))
	if got := read(t, p.Again(t, s), ref); string(got) != "kept" {
		t.Errorf("%q", got)
	}
}
