package blob

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern"
)

func newDir(t *testing.T) *Dir {
	t.Helper()
	d, err := NewDir(filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func wantKind(t *testing.T, err error, kind postern.Kind, cause postern.Cause) {
	t.Helper()
	if err == nil || postern.KindOf(err) != kind || postern.CauseOf(err) != cause {
		t.Errorf("error %v, want kind %v, cause %d", err, kind, cause)
	}
}

// files lists what stands below the directory, but for folders.
func files(t *testing.T, d *Dir) (names []string) {
	t.Helper()
	err := filepath.WalkDir(d.root, func(p string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func keep(t *testing.T, d *Dir, limit int, content string) (inMemory []byte, ref string) {
	t.Helper()
	draft := d.NewDraft(limit)
	defer draft.Discard()
	if _, err := io.Copy(draft, strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	if draft.Size() != int64(len(content)) {
		t.Errorf("Size is %d of %d bytes", draft.Size(), len(content))
	}
	inMemory, ref, err := draft.Keep()
	if err != nil {
		t.Fatal(err)
	}
	return inMemory, ref
}

func read(t *testing.T, d *Dir, ref string) string {
	t.Helper()
	f, err := d.Open(ref)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	if err != nil || int64(len(b)) != f.Size() {
		t.Fatalf("%d bytes, %v; Size says %d", len(b), err, f.Size())
	}
	at := make([]byte, 1)
	if n, err := f.ReadAt(at, 0); len(b) > 0 && (n != 1 || err != nil || at[0] != b[0]) {
		t.Errorf("ReadAt gives %q, %v", at[:n], err)
	}
	return string(b)
}

func TestDraft(t *testing.T) {
	for _, tt := range []struct{ limit, size, filesKept int }{
		{10, 0, 0}, {10, 1, 0}, {10, 10, 0}, {10, 11, 1}, {0, 0, 0}, {0, 1, 1}, {-1, 1, 1}, {10, 1 << 20, 1},
	} {
		t.Run(fmt.Sprintf("%d of %d", tt.size, tt.limit), func(t *testing.T) {
			d, content := newDir(t), strings.Repeat("ab\x00\xff", tt.size/4+1)[:tt.size]
			mem, ref := keep(t, d, tt.limit, content)
			got := string(mem)
			if tt.filesKept == 1 {
				got = read(t, d, ref)
			}
			if got != content {
				t.Errorf("kept %d bytes of %d, or others", len(got), len(content))
			}
			if n := len(files(t, d)); n != tt.filesKept || (ref != "") != (n == 1) {
				t.Errorf("%d files, name %q, want %d", n, ref, tt.filesKept)
			}
		})
	}
}

// Bytes that were in memory come first in the file.
func TestDraftInSteps(t *testing.T) {
	d := newDir(t)
	draft := d.NewDraft(5)
	for _, s := range []string{"one", "", "two", "three", ""} {
		if n, err := io.WriteString(draft, s); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	_, ref, err := draft.Keep()
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, d, ref); got != "onetwothree" {
		t.Errorf("%q", got)
	}
}

// A file of no bytes is a file where the caller wants one.
func TestDraftEmptyFile(t *testing.T) {
	d := newDir(t)
	draft := d.NewDraft(-1)
	if _, err := draft.Write(nil); err != nil {
		t.Fatal(err)
	}
	_, ref, err := draft.Keep()
	if err != nil || ref == "" {
		t.Fatal(ref, err)
	}
	if got := read(t, d, ref); got != "" {
		t.Errorf("%q", got)
	}
}

func TestDiscard(t *testing.T) {
	for _, limit := range []int{100, 0} {
		d := newDir(t)
		draft := d.NewDraft(limit)
		_, _ = draft.Write([]byte("x"))
		draft.Discard()
		draft.Discard()
		if left := files(t, d); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestDiscardAfterKeep(t *testing.T) {
	d := newDir(t)
	draft := d.NewDraft(0)
	_, _ = draft.Write([]byte("x"))
	_, ref, err := draft.Keep()
	if err != nil {
		t.Fatal(err)
	}
	draft.Discard()
	if got := read(t, d, ref); got != "x" {
		t.Errorf("%q", got)
	}
}

// Nothing stands under a blob's name before Keep, so that a name never tells of half a blob.
func TestNothingBeforeKeep(t *testing.T) {
	d := newDir(t)
	draft := d.NewDraft(0)
	_, _ = draft.Write([]byte("half"))
	for _, name := range files(t, d) {
		if filepath.Dir(name) != d.tmp() {
			t.Errorf("%s stands there already", name)
		}
	}
	_, ref, err := draft.Keep()
	if err != nil {
		t.Fatal(err)
	}
	if got := files(t, d); len(got) != 1 || filepath.Base(got[0]) != ref {
		t.Errorf("files %v, want %s alone", got, ref)
	}
}

func TestPrivate(t *testing.T) {
	d := newDir(t)
	_, ref := keep(t, d, 0, "secret")
	p, _ := d.path(ref)
	for _, name := range []string{p, filepath.Dir(p), d.root, d.tmp()} {
		st, err := os.Stat(name)
		if err != nil || st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v: others may look", name, st.Mode(), err)
		}
	}
}

func TestStrangeNames(t *testing.T) {
	d := newDir(t)
	outside := filepath.Join(filepath.Dir(d.root), strings.Repeat("a", 32))
	if err := os.WriteFile(outside, []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	hex := strings.Repeat("0123456789abcdef", 2)
	for _, ref := range []string{
		"", ".", "..", "/etc/passwd", "../" + strings.Repeat("a", 32), "..\\..\\x", strings.Repeat("A", 32), hex[:31], hex + "0",
		"../../../../../../../etc/passwd0", strings.Repeat("\x00", 32), "0/..........................." + "..x", "tmp", strings.Repeat("é", 16),
	} {
		_, err := d.Open(ref)
		wantKind(t, err, postern.Permanent, postern.CauseNotFound)
		wantKind(t, d.Delete(ref), postern.Permanent, postern.CauseNotFound)
	}
	_, err := d.Open(hex)
	wantKind(t, err, postern.Permanent, postern.CauseNotFound)
	if err := d.Delete(hex); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error("a file outside is gone")
	}
}

func TestDelete(t *testing.T) {
	d := newDir(t)
	_, ref := keep(t, d, 0, "x")
	_, other := keep(t, d, 0, "y")
	if err := d.Delete(ref); err != nil {
		t.Fatal(err)
	}
	_, err := d.Open(ref)
	wantKind(t, err, postern.Permanent, postern.CauseNotFound)
	if got := read(t, d, other); got != "y" {
		t.Errorf("the other blob is %q", got)
	}
}

// Only drafts that are certainly nobody's any more are removed.
func TestLeftovers(t *testing.T) {
	d := newDir(t)
	young, old := filepath.Join(d.tmp(), "draft-1"), filepath.Join(d.tmp(), "draft-2")
	for _, name := range []string{young, old} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := time.Now().Add(-staleDraft - time.Minute)
	if err := os.Chtimes(old, before, before); err != nil {
		t.Fatal(err)
	}
	_, ref := keep(t, d, 0, "kept")
	p, _ := d.path(ref)
	if err := os.Chtimes(p, before, before); err != nil {
		t.Fatal(err)
	}
	again, err := NewDir(d.root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("a draft that may be another process's was removed")
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("a dead process's draft was left")
	}
	if got := read(t, again, ref); got != "kept" {
		t.Errorf("an old blob is %q", got)
	}
}

func TestConcurrent(t *testing.T) {
	d := newDir(t)
	var wg sync.WaitGroup
	refs := make([]string, 32)
	for i := range refs {
		wg.Go(func() {
			draft := d.NewDraft(4)
			defer draft.Discard()
			_, _ = draft.Write(bytes.Repeat([]byte{byte('a' + i)}, 100+i))
			_, refs[i], _ = draft.Keep()
			if i%2 == 1 {
				_ = d.Delete(refs[i])
			}
		})
	}
	wg.Wait()
	for i, ref := range refs {
		if i%2 == 1 {
			_, err := d.Open(ref)
			wantKind(t, err, postern.Permanent, postern.CauseNotFound)
		} else if got := read(t, d, ref); got != strings.Repeat(string(rune('a'+i)), 100+i) {
			t.Errorf("blob %d is %q", i, got)
		}
	}
}

// Trouble with the disk may pass: it is Temporary, and a draft that failed leaves nothing.
func TestDiskTrouble(t *testing.T) {
	t.Run("no folder", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := NewDir(filepath.Join(file, "blobs"))
		wantKind(t, err, postern.Temporary, postern.CauseNone)
	})
	t.Run("no place for drafts", func(t *testing.T) {
		d := newDir(t)
		if err := os.RemoveAll(d.root); err != nil {
			t.Fatal(err)
		}
		draft := d.NewDraft(2)
		if _, err := draft.Write([]byte("ab")); err != nil {
			t.Error(err)
		}
		_, err := draft.Write([]byte("c"))
		wantKind(t, err, postern.Temporary, postern.CauseNone)
		draft.Discard()
	})
	t.Run("the file is gone", func(t *testing.T) {
		d := newDir(t)
		draft := d.NewDraft(0)
		_, _ = draft.Write([]byte("x"))
		_ = draft.f.Close()
		_, err := draft.Write([]byte("y"))
		wantKind(t, err, postern.Temporary, postern.CauseNone)
		if _, _, err = draft.Keep(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("half a blob was kept: %v", err)
		}
		wantKind(t, err, postern.Temporary, postern.CauseNone)
		draft.Discard()
		if left := files(t, d); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("a file where a folder belongs", func(t *testing.T) {
		d := newDir(t)
		for i := range 256 {
			if err := os.WriteFile(filepath.Join(d.root, fmt.Sprintf("%02x", i)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		draft := d.NewDraft(0)
		_, _ = draft.Write([]byte("x"))
		_, _, err := draft.Keep()
		wantKind(t, err, postern.Temporary, postern.CauseNone)
		draft.Discard()
		_, err = d.Open(strings.Repeat("0", 32))
		wantKind(t, err, postern.Temporary, postern.CauseNone)
	})
}
