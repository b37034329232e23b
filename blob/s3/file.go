package s3

import (
	"context"
	"io"
	"sync"

	"github.com/minio/minio-go/v7"
)

// piece is how much of a blob is read in one call. Two pieces stay in memory: one that is
// read through, and one that is looked at again.
const piece = 1 << 20

// file is a blob that is read piece by piece. A reader who goes back or breaks off costs
// pieces, never the whole again.
type file struct {
	s    *Store
	key  string
	size int64

	mu     sync.Mutex
	at     int64
	pieces [2]loaded // the one used last comes first
}

type loaded struct {
	from int64
	b    []byte // nil = none
}

func (f *file) Size() int64 { return f.size }

// Close implements io.Closer.
func (f *file) Close() error { return nil }

// Read implements io.Reader.
func (f *file) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	n, err := f.some(p, f.at)
	f.at += int64(n)
	return n, err
}

// ReadAt implements io.ReaderAt.
func (f *file) ReadAt(p []byte, off int64) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n < len(p) {
		m, err := f.some(p[n:], off+int64(n))
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

// some copies what is in one piece.
func (f *file) some(p []byte, off int64) (int, error) {
	if off >= f.size || off < 0 {
		return 0, io.EOF
	}
	from := off / piece * piece
	if f.pieces[0].b == nil || f.pieces[0].from != from {
		f.pieces[0], f.pieces[1] = f.pieces[1], f.pieces[0]
	}
	if f.pieces[0].b == nil || f.pieces[0].from != from {
		if err := f.load(from); err != nil {
			return 0, err
		}
	}
	return copy(p, f.pieces[0].b[off-from:]), nil
}

// load reads a piece over the one that was not used last.
func (f *file) load(from int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	n := min(piece, f.size-from)
	b := f.pieces[0].b
	f.pieces[0].b = nil // until it is whole
	if int64(cap(b)) < n {
		b = make([]byte, n)
	}
	b = b[:n]
	err := f.fetch(ctx, from, b)
	if err != nil { // the line broke: once more
		err = f.fetch(ctx, from, b)
	}
	if err != nil {
		return fail("s3.read", err)
	}
	f.pieces[0] = loaded{from, b}
	return nil
}

func (f *file) fetch(ctx context.Context, from int64, b []byte) error {
	var opts minio.GetObjectOptions
	if err := opts.SetRange(from, from+int64(len(b))-1); err != nil {
		return err
	}
	r, _, _, err := f.s.core.GetObject(ctx, f.s.cfg.Bucket, f.key, opts)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	_, err = io.ReadFull(r, b)
	return err
}
