// Package blob keeps what is too large for the database: raw mails and attachments
// on their way. A blob is written once and never changed.
//
// What lives here: Dir, blobs in a directory, and Draft, through which bytes of
// unknown length arrive. What may not: knowledge of what the bytes are.
package blob

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postern-chat/postern"
)

// File is a blob opened for reading.
type File interface {
	io.Reader
	io.ReaderAt
	io.Closer
	Size() int64
}

// Dir keeps blobs as files of a directory.
type Dir struct{ root string }

// staleDraft is the age after which a draft was certainly left by a process that died.
const staleDraft = 24 * time.Hour

// NewDir makes the directory and removes what a dead process left half written. Several
// processes may share it.
func NewDir(root string) (*Dir, error) {
	d := &Dir{root: root}
	if err := os.MkdirAll(d.tmp(), 0o700); err != nil {
		return nil, fail("blob.open", err)
	}
	drafts, err := os.ReadDir(d.tmp())
	if err != nil {
		return nil, fail("blob.open", err)
	}
	for _, e := range drafts {
		if st, err := e.Info(); err == nil && time.Since(st.ModTime()) > staleDraft {
			_ = os.Remove(filepath.Join(d.tmp(), e.Name()))
		}
	}
	return d, nil
}

func (d *Dir) tmp() string { return filepath.Join(d.root, "tmp") }

// path spreads blobs over 256 folders by the start of their random names.
func (d *Dir) path(ref string) (string, error) {
	if len(ref) != 32 || strings.Trim(ref, "0123456789abcdef") != "" {
		return "", postern.Errorf(postern.Permanent, "blob.path", "not a blob's name").Because(postern.CauseNotFound)
	}
	return filepath.Join(d.root, ref[:2], ref), nil
}

// Open opens a blob; CauseNotFound if it is not there.
func (d *Dir) Open(ref string) (File, error) {
	p, err := d.path(ref)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, postern.Errorf(postern.Permanent, "blob.open", "no such blob").Because(postern.CauseNotFound)
	}
	if err != nil {
		return nil, fail("blob.open", err)
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, fail("blob.open", err)
	}
	return &file{f, st.Size()}, nil
}

type file struct {
	*os.File
	size int64
}

func (f *file) Size() int64 { return f.size }

// Delete removes a blob; one that is not there is no error.
func (d *Dir) Delete(ref string) error {
	p, err := d.path(ref)
	if err != nil {
		return err
	}
	if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail("blob.delete", err)
	}
	return nil
}

// Draft takes bytes of unknown length: in memory while they are few, in a file when
// they are many. Exactly one of Keep and Discard ends it; Discard after Keep is
// harmless.
type Draft struct {
	d     *Dir
	limit int // beyond this many bytes they go to a file
	buf   bytes.Buffer
	f     *os.File
	n     int64
	ended bool
}

// NewDraft begins a draft that keeps up to inMemory bytes in memory. With a negative
// number the first Write makes the file, even of no bytes.
func (d *Dir) NewDraft(inMemory int) *Draft { return &Draft{d: d, limit: inMemory} }

// Write implements io.Writer.
func (t *Draft) Write(p []byte) (int, error) {
	if t.f == nil && t.buf.Len()+len(p) > t.limit {
		f, err := os.CreateTemp(t.d.tmp(), "draft-")
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

// Keep ends the draft: few bytes are handed back, many stand on the disk for good
// under the name it tells.
func (t *Draft) Keep() (content []byte, ref string, err error) {
	if t.f == nil {
		t.ended = true
		return t.buf.Bytes(), "", nil
	}
	var name [16]byte
	_, _ = rand.Read(name[:]) // never fails, see crypto/rand
	ref = hex.EncodeToString(name[:])
	to, err := t.d.path(ref)
	if err != nil {
		return nil, "", err
	}
	if err := t.settle(to); err != nil {
		return nil, "", fail("blob.keep", err)
	}
	t.ended = true
	return nil, ref, nil
}

// settle makes the file durable before anybody can refer to it: its bytes, its name,
// the name of the folder it stands in.
func (t *Draft) settle(to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := t.f.Sync(); err != nil {
		return err
	}
	if err := t.f.Close(); err != nil {
		return err
	}
	if err := os.Rename(t.f.Name(), to); err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Dir(to)), syncDir(t.d.root))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
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

// fail classes an error of the disk: it may pass (a full disk is emptied).
func fail(op string, err error) error {
	return &postern.Error{Kind: postern.Temporary, Op: op, Err: err}
}
