package mailgun

import (
	"bytes"
	"io"
	"os"
)

// memorySpool is how much of a post's texts and attachments stays in memory.
const memorySpool = 256 << 10

// spool keeps the long values of a post until it is known whether they may be written
// and where: the order of a form's fields is not promised, and a message begins with
// its headers. What is more than a little goes to a file that has no name.
type spool struct {
	dir   string
	limit int64
	mem   []byte
	file  *os.File
	size  int64
}

// section is one value in a spool.
type section struct {
	s      *spool
	off, n int64
}

// add reads one value to its end.
func (s *spool) add(r io.Reader) (section, error) {
	off := s.size
	n, err := io.Copy(s, r)
	return section{s: s, off: off, n: n}, err
}

func (s *spool) Write(p []byte) (int, error) {
	if s.size+int64(len(p)) > s.limit {
		return 0, errTooLarge
	}
	if s.file == nil && s.size+int64(len(p)) <= memorySpool {
		s.mem = append(s.mem, p...)
		s.size += int64(len(p))
		return len(p), nil
	}
	if err := s.open(); err != nil {
		return 0, ours(opInbound, err)
	}
	n, err := s.file.Write(p)
	s.size += int64(n)
	if err != nil {
		err = ours(opInbound, err)
	}
	return n, err
}

func (s *spool) open() error {
	if s.file != nil {
		return nil
	}
	f, err := os.CreateTemp(s.dir, "postern-inbound-*")
	if err != nil {
		return err
	}
	// Without a name it is gone with the process. Where that cannot be, close removes it.
	_ = os.Remove(f.Name())
	s.file = f
	_, err = f.Write(s.mem)
	s.mem = nil
	return err
}

func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
		_ = os.Remove(s.file.Name())
	}
}

// open reads the value; it may be opened any number of times.
func (p section) open() io.Reader {
	switch {
	case p.n == 0:
		return bytes.NewReader(nil)
	case p.s.file != nil:
		return io.NewSectionReader(p.s.file, p.off, p.n)
	}
	return bytes.NewReader(p.s.mem[p.off : p.off+p.n])
}
