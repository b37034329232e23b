package letter

import (
	"bytes"
	"errors"
	"io"
)

// source is the raw message or an unpacked container, readable at offsets.
type source struct {
	at   io.ReaderAt
	size int64
	mem  []byte // set if everything is in memory anyway
	win  int    // size of the scanner's window, 0 for the default
}

func memorySource(b []byte) *source { return &source{at: memory(b), size: int64(len(b)), mem: b} }

// bytes returns [start,end), or as much of it as limit allows. Callers must not change the result.
func (s *source) bytes(start, end, limit int64) ([]byte, error) {
	start, end = max(start, 0), min(end, s.size)
	if end-start > limit {
		end = start + limit
	}
	if start >= end {
		return nil, nil
	}
	if s.mem != nil {
		return s.mem[start:end:end], nil
	}
	b := make([]byte, end-start)
	n, err := s.at.ReadAt(b, start)
	if n == len(b) || errors.Is(err, io.EOF) {
		err = nil // a source shorter than it said is a mail that ends early
	}
	return b[:n], err
}

func (s *source) reader(start, end int64) io.Reader {
	return io.NewSectionReader(s.at, start, max(end-start, 0))
}

// liner yields the lines of a source with their offsets, through one buffer of fixed size.
type liner struct {
	s    *source
	buf  []byte
	base int64 // offset of buf[0]
	r, w int
	nl   byte
	mid  bool // the next piece continues a line longer than the buffer
	end  bool
}

const window = 64 << 10

func newLiner(s *source) (*liner, error) {
	l := &liner{s: s, nl: '\n'}
	if s.mem != nil {
		l.buf, l.w, l.end = s.mem, len(s.mem), true
	} else {
		win := s.win
		if win == 0 {
			win = window
		}
		l.buf = make([]byte, min(max(s.size, 1), int64(win)))
		if err := l.fill(); err != nil {
			return nil, err
		}
	}
	// Old Mac line ends: CR only.
	head := l.buf[:min(l.w, window)]
	if bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0 {
		l.nl = '\r'
	}
	return l, nil
}

func (l *liner) fill() error {
	if l.r > 0 {
		copy(l.buf, l.buf[l.r:l.w])
		l.base += int64(l.r)
		l.w -= l.r
		l.r = 0
	}
	for l.w < len(l.buf) && !l.end {
		off := l.base + int64(l.w)
		want := min(int64(len(l.buf)-l.w), l.s.size-off)
		if want <= 0 {
			l.end = true
			break
		}
		n, err := l.s.at.ReadAt(l.buf[l.w:l.w+int(want)], off)
		l.w += n
		switch {
		case errors.Is(err, io.EOF):
			l.end = off+int64(n) >= l.s.size || n == 0
		case err != nil:
			return err
		case n == 0:
			return io.ErrNoProgress
		}
	}
	return nil
}

// next returns the next line with its terminator, valid until the following call. start tells whether the piece begins a
// line: lines longer than the window come in pieces. At the end line is nil.
func (l *liner) next() (line []byte, off int64, start bool, err error) {
	i := bytes.IndexByte(l.buf[l.r:l.w], l.nl)
	if i < 0 && !l.end {
		if err := l.fill(); err != nil {
			return nil, 0, false, err
		}
		i = bytes.IndexByte(l.buf[l.r:l.w], l.nl)
	}
	off, start = l.base+int64(l.r), !l.mid
	if l.r == l.w {
		return nil, off, start, nil
	}
	if i < 0 {
		line = l.buf[l.r:l.w]
	} else {
		line = l.buf[l.r : l.r+i+1]
	}
	l.mid = i < 0
	l.r += len(line)
	return line, off, start, nil
}

// back moves to an earlier or later offset, which must begin a line.
func (l *liner) seek(off int64) error {
	l.mid = false
	if rel := off - l.base; rel >= 0 && rel <= int64(l.w) {
		l.r = int(rel)
		return nil
	}
	l.base, l.r, l.w, l.end = off, 0, 0, false
	return l.fill()
}

func (l *liner) offset() int64 { return l.base + int64(l.r) }
