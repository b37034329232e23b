// Package blob keeps what is too large for the database: raw mails and attachments
// on their way. A blob is written once and never changed.
//
// What lives here: Store, what a place for blobs must do; Dir, blobs in a directory;
// and Draft, through which bytes of unknown length arrive. Package s3 keeps blobs in an
// object store. What may not: knowledge of what the bytes are.
package blob

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern"
)

// Store is a place for blobs. Its methods are safe for concurrent use and may block on
// disk or network. Their errors are Temporary, but for blobs that are not there, which
// are Permanent with CauseNotFound.
type Store interface {
	// NewDraft begins a blob that keeps up to inMemory bytes in memory. With a negative
	// number the first Write makes a file, even of no bytes. It does not block.
	NewDraft(inMemory int) *Draft
	// Open opens a blob for reading.
	Open(ref string) (File, error)
	// Delete removes a blob; one that is not there is no error.
	Delete(ref string) error
	// Old lists blobs that were written before a moment, in portions of up to 500 and in
	// no order. What do removes is not listed again; what it fails with ends the list.
	Old(ctx context.Context, before time.Time, do func(refs []string) error) error
	// Owner tells whose the place is: whoever asked first, by the name he gave.
	Owner(ctx context.Context, name string) (string, error)
}

// File is a blob opened for reading.
type File interface {
	io.Reader
	io.ReaderAt
	io.Closer
	Size() int64
}

// portion is how many blobs Old lists at once.
const portion = 500

// Dir keeps blobs as files of a directory.
type Dir struct{ root string }

// NewDir makes the directory and removes what a dead process left half written. Several
// processes may share it.
func NewDir(root string) (*Dir, error) {
	d := &Dir{root: root}
	return d, Scratch(d.tmp())
}

func (d *Dir) tmp() string { return filepath.Join(d.root, "tmp") }

// Valid tells whether a text can be a blob's name.
func Valid(ref string) bool {
	return len(ref) == 32 && strings.Trim(ref, "0123456789abcdef") == ""
}

// path spreads blobs over 256 folders by the start of their random names.
func (d *Dir) path(ref string) (string, error) {
	if !Valid(ref) {
		return "", errAbsent
	}
	return filepath.Join(d.root, ref[:2], ref), nil
}

var errAbsent error = postern.Errorf(postern.Permanent, "blob.open", "no such blob").Because(postern.CauseNotFound)

// Open opens a blob; CauseNotFound if it is not there.
func (d *Dir) Open(ref string) (File, error) {
	p, err := d.path(ref)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errAbsent
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

// NewDraft begins a blob.
func (d *Dir) NewDraft(inMemory int) *Draft { return NewDraft(d.tmp(), inMemory, d.settle) }

// settle makes a draft's file durable before anybody can refer to it: its bytes, its
// name, the name of the folder it stands in.
func (d *Dir) settle(f *os.File, _ int64, ref string) error {
	to, err := d.path(ref)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), to); err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Dir(to)), syncDir(d.root))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Old lists files by the time of their last change.
func (d *Dir) Old(ctx context.Context, before time.Time, do func(refs []string) error) error {
	folders, err := os.ReadDir(d.root)
	if err != nil {
		return fail("blob.list", err)
	}
	for _, folder := range folders {
		if !folder.IsDir() || len(folder.Name()) != 2 {
			continue
		}
		files, err := os.ReadDir(filepath.Join(d.root, folder.Name()))
		if err != nil {
			return fail("blob.list", err)
		}
		var refs []string
		for _, f := range files {
			st, err := f.Info()
			if err == nil && st.Mode().IsRegular() && Valid(f.Name()) && st.ModTime().Before(before) {
				refs = append(refs, f.Name())
			}
		}
		for part := range slices.Chunk(refs, portion) {
			if err := errors.Join(ctx.Err(), do(part)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Owner keeps the name in a file beside the blobs.
func (d *Dir) Owner(_ context.Context, name string) (string, error) {
	p := filepath.Join(d.root, "owner")
	for range 2 {
		b, err := os.ReadFile(p)
		if err == nil {
			return strings.TrimSpace(string(b)), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fail("blob.owner", err)
		}
		if err := d.own(p, name); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fail("blob.owner", err)
		}
	}
	return "", postern.Errorf(postern.Temporary, "blob.owner", "%s comes and goes", p)
}

// own writes the name in one step, so that nobody reads half of it. Whoever is there
// first stays.
func (d *Dir) own(path, name string) error {
	f, err := os.CreateTemp(d.tmp(), "draft-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(name + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

// fail classes an error of the disk: it may pass (a full disk is emptied).
func fail(op string, err error) error {
	return &postern.Error{Kind: postern.Temporary, Op: op, Err: err}
}
