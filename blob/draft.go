package blob

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"time"
)

// Draft takes bytes of unknown length: in memory while they are few, in a file when
// they are many. Exactly one of Keep and Discard ends it; Discard after Keep is
// harmless.
type Draft struct {
	dir    string
	limit  int // beyond this many bytes they go to a file
	settle func(f *os.File, size int64, ref string) error
	buf    bytes.Buffer
	f      *os.File
	n      int64
	ended  bool
}

// NewDraft is for those who implement Store. Many bytes go to a file in dir; settle puts
// it where blobs of that name are kept. If settle closes or moves the file it may, else
// it is removed.
func NewDraft(dir string, inMemory int, settle func(f *os.File, size int64, ref string) error) *Draft {
	return &Draft{dir: dir, limit: inMemory, settle: settle}
}

// staleDraft is the age after which a draft was certainly left by a process that died.
const staleDraft = 24 * time.Hour

// Scratch makes a folder for drafts and removes what a dead process left in it. Several
// processes may share it.
func Scratch(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fail("blob.open", err)
	}
	drafts, err := os.ReadDir(dir)
	if err != nil {
		return fail("blob.open", err)
	}
	for _, e := range drafts {
		if st, err := e.Info(); err == nil && time.Since(st.ModTime()) > staleDraft {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	return nil
}

// Expect says about how many bytes will come, before the first; less than 0 = unknown.
func (t *Draft) Expect(n int64) {
	if t.n == 0 && n > 0 {
		t.buf.Grow(int(min(n, int64(t.limit))))
	}
}

// Write implements io.Writer.
func (t *Draft) Write(p []byte) (int, error) {
	if t.f == nil && t.buf.Len()+len(p) > t.limit {
		f, err := os.CreateTemp(t.dir, "draft-")
		if err != nil {
			return 0, fail("blob.write", err)
		}
		t.f = f
		if _, err := f.Write(t.buf.Bytes()); err != nil {
			return 0, fail("blob.write", err)
		}
		t.buf = bytes.Buffer{}
	}
	t.n += int64(len(p))
	if t.f == nil {
		return t.buf.Write(p)
	}
	n, err := t.f.Write(p)
	if err != nil {
		return n, fail("blob.write", err)
	}
	return n, nil
}

// Size tells how many bytes were written.
func (t *Draft) Size() int64 { return t.n }

// Keep ends the draft: few bytes are handed back, many stand for good under the name it
// tells.
func (t *Draft) Keep() (content []byte, ref string, err error) {
	if t.f == nil {
		t.ended = true
		return t.buf.Bytes(), "", nil
	}
	var name [16]byte
	_, _ = rand.Read(name[:]) // never fails, see crypto/rand
	ref = hex.EncodeToString(name[:])
	if err := t.settle(t.f, t.n, ref); err != nil {
		return nil, "", fail("blob.keep", err)
	}
	// Where settle left it, it is done with.
	_ = t.f.Close()
	_ = os.Remove(t.f.Name())
	t.ended = true
	return nil, ref, nil
}

// Discard ends the draft and forgets the bytes.
func (t *Draft) Discard() {
	if t.ended || t.f == nil {
		return
	}
	t.ended = true
	_ = t.f.Close()
	_ = os.Remove(t.f.Name())
}
