package sendbird

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

var (
	errAbandoned = errors.New("request was given up")
	errSize      = errors.New("file has not the size it was said to have")
)

// payload is the body of a request. It knows whether the transport took all of it: if
// not, the other side cannot have acted, however the call ended.
type payload struct {
	contentType string
	head, tail  []byte
	file        func() (io.ReadCloser, error) // between head and tail, nil = none
	fileSize    int64

	mu      sync.Mutex
	current *stream // of the transport's latest try
}

func jsonPayload(v any) (*payload, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return &payload{contentType: "application/json; charset=utf-8", head: b}, nil
}

func (p *payload) size() int64 { return int64(len(p.head)) + p.fileSize + int64(len(p.tail)) }

// slowest is the slowest upload that is waited for, in bytes a second.
const slowest = 64 << 10

// extraTime is what a call may take longer because of its body.
func (p *payload) extraTime() time.Duration {
	if p == nil {
		return 0
	}
	return time.Duration(p.size()/slowest) * time.Second
}

// attach makes p the body of req, with its exact length.
func (p *payload) attach(req *http.Request) error {
	body, err := p.open()
	if err != nil {
		return err
	}
	req.Body = body
	req.ContentLength = p.size()
	// The transport asks for it when an idle connection turns out to be dead.
	req.GetBody = p.open
	req.Header.Set("Content-Type", p.contentType)
	return nil
}

// open gives the body from its start; an earlier one is not read any further.
func (p *payload) open() (io.ReadCloser, error) {
	s := &stream{left: p.size()}
	parts := []io.Reader{bytes.NewReader(p.head)}
	if p.file != nil {
		f, err := p.file()
		if err != nil {
			return nil, err
		}
		s.file = f
		parts = append(parts, &exactly{src: f, left: p.fileSize})
	}
	s.src = io.MultiReader(append(parts, bytes.NewReader(p.tail))...)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil {
		p.current.abandon()
	}
	p.current = s
	return s, nil
}

// abandon ends the request's body. It tells whether the transport has had all of it,
// and our own error if reading it failed.
func (p *payload) abandon() (complete bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil {
		return false, nil
	}
	return p.current.abandon()
}

// stream is a body on its way out.
type stream struct {
	mu   sync.Mutex
	src  io.Reader
	file io.Closer
	left int64 // not yet handed to the transport
	err  error // ours, sticky
}

func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.src.Read(p)
	s.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// abandon makes sure that the verdict stays true: nothing is handed out after it.
func (s *stream) abandon() (complete bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.err
	if err == nil {
		s.err = errAbandoned
	}
	return s.left <= 0, err
}

func (s *stream) Close() error {
	if s.file != nil {
		return s.file.Close()
	}
	return nil
}

// exactly reads a file of a known size, and fails before the end if it has another one.
type exactly struct {
	src  io.Reader
	left int64
	done bool
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.done {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if e.left == 0 {
		var one [1]byte
		switch n, err := io.ReadFull(e.src, one[:]); {
		case n > 0:
			return 0, fmt.Errorf("%w: more", errSize)
		case !errors.Is(err, io.EOF):
			return 0, err
		}
		e.done = true
		return 0, io.EOF
	}
	n, err := e.src.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = nil
		if n == 0 {
			err = fmt.Errorf("%w: %d bytes less", errSize, e.left)
		}
	}
	return n, err
}
