// Package spool keeps the bytes of mails: small ones in memory, large ones in
// files of one temporary directory that goes away with the Spool.
//
// It knows nothing of mail, and nothing but the sandbox's emulators uses it.
package spool

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// ErrTooLarge says that the reader held more than the caller's limit.
var ErrTooLarge = errors.New("spool: larger than the limit")

// inMemory is the size up to which a blob is not worth a file.
const inMemory = 32 << 10

// Spool is a set of blobs. It is safe for concurrent use.
type Spool struct {
	mu     sync.Mutex
	dir    string
	closed bool
}

// New makes a spool in a new directory below parent (the system's place for
// temporary files when empty). Close removes the directory.
func New(parent string) (*Spool, error) {
	dir, err := os.MkdirTemp(parent, "postern-sandbox-")
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return &Spool{dir: dir}, nil
}

// Close removes every file. Blobs that were in files can no longer be opened.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return os.RemoveAll(s.dir)
}

// Put reads r to its end and keeps the bytes. More than limit bytes (when limit
// is positive) is ErrTooLarge, and nothing is kept.
func (s *Spool) Put(r io.Reader, limit int64) (*Blob, error) {
	w := s.NewWriter(limit)
	if _, err := io.Copy(w, r); err != nil {
		w.Abort()
		return nil, err
	}
	return w.Done()
}

// NewWriter starts a blob that is written piece by piece.
func (s *Spool) NewWriter(limit int64) *Writer { return &Writer{spool: s, limit: limit} }

func (s *Spool) create() (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("spool: closed")
	}
	return os.CreateTemp(s.dir, "blob-*")
}

// Writer collects one blob. End it with Done or Abort.
type Writer struct {
	spool *Spool
	limit int64
	size  int64
	mem   bytes.Buffer
	file  *os.File
	buf   *bufio.Writer // of file
}

// Write adds p, and is ErrTooLarge once the limit is passed.
func (w *Writer) Write(p []byte) (int, error) {
	if w.limit > 0 && w.size+int64(len(p)) > w.limit {
		return 0, ErrTooLarge
	}
	if w.file == nil && w.size+int64(len(p)) > inMemory {
		f, err := w.spool.create()
		if err != nil {
			return 0, err
		}
		w.file, w.buf = f, bufio.NewWriterSize(f, 64<<10)
		if _, err := w.buf.Write(w.mem.Bytes()); err != nil {
			return 0, err
		}
		w.mem = bytes.Buffer{}
	}
	w.size += int64(len(p))
	if w.file != nil {
		return w.buf.Write(p)
	}
	return w.mem.Write(p)
}

// Done ends the blob.
func (w *Writer) Done() (*Blob, error) {
	if w.file == nil {
		return &Blob{mem: w.mem.Bytes(), size: w.size}, nil
	}
	name := w.file.Name()
	if err := errors.Join(w.buf.Flush(), w.file.Close()); err != nil {
		return nil, err
	}
	return &Blob{path: name, size: w.size}, nil
}

// Abort throws the blob away.
func (w *Writer) Abort() {
	if w.file != nil {
		_ = w.file.Close()
		_ = os.Remove(w.file.Name())
	}
}

// Blob is a finished piece of bytes; it never changes.
type Blob struct {
	mem  []byte
	path string
	size int64
}

// Size is the number of bytes.
func (b *Blob) Size() int64 { return b.size }

// Open reads the blob from its start; the caller closes it. Any number of
// readers may be open at once.
func (b *Blob) Open() (io.ReadCloser, error) {
	if b.path == "" {
		return io.NopCloser(bytes.NewReader(b.mem)), nil
	}
	return os.Open(b.path)
}

// Bytes reads at most limit bytes of the blob.
func (b *Blob) Bytes(limit int64) ([]byte, error) {
	r, err := b.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return io.ReadAll(io.LimitReader(r, limit))
}

// Remove frees the blob's file. Readers that are open stay good.
func (b *Blob) Remove() {
	if b != nil && b.path != "" {
		_ = os.Remove(b.path)
	}
}
