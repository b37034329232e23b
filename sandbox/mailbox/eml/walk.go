package eml

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

const (
	maxDepth  = 16
	maxHeader = 1 << 20
	maxParts  = 2000
)

// Entity is the message itself or one of its MIME parts.
type Entity struct {
	Header      Header
	Type        string            // media type, lower case; "text/plain" when unsaid
	Params      map[string]string // of Content-Type
	Disposition string            // "", "inline", "attachment"
	Filename    string            // decoded, never a path
	Encoding    string            // Content-Transfer-Encoding, lower case
	ContentID   string            // without brackets
	Parent      *Entity
	depth       int
}

// Leaf says whether the entity has a body of its own.
func (e *Entity) Leaf() bool { return e.boundary() == "" }

// IsText says whether the entity is shown as the mail's text, not as a file.
func (e *Entity) IsText(kind string) bool {
	return e.Type == kind && e.Disposition != "attachment" && e.Filename == ""
}

func (e *Entity) boundary() string {
	if !strings.HasPrefix(e.Type, "multipart/") || e.depth >= maxDepth {
		return ""
	}
	return e.Params["boundary"]
}

// Visitor is told of a message's pieces in their order. All the pieces together
// are the message, byte for byte. A piece is valid only during the call. An
// error ends the walk.
type Visitor interface {
	// Header is an entity's header block with the blank line that ends it.
	Header(e *Entity, raw []byte) error
	// Body is a piece of a leaf's body, still encoded.
	Body(e *Entity, p []byte) error
	// End says that a leaf's body is complete.
	End(e *Entity) error
	// Frame is what lies between parts: preamble, boundary lines, epilogue.
	Frame(p []byte) error
}

// Walk reads one message from r. It never fails because of what the message
// holds; errors are r's and v's own.
func Walk(r io.Reader, v Visitor) error {
	w := &walker{v: v, inHeader: true}
	br := bufio.NewReaderSize(r, 8<<10)
	start := true
	for {
		line, err := br.ReadSlice('\n')
		if len(line) > 0 {
			if e := w.line(line, start); e != nil {
				return e
			}
			start = line[len(line)-1] == '\n'
		}
		if err == io.EOF {
			return w.finish()
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

type walker struct {
	v        Visitor
	stack    []*Entity // open multiparts
	leaf     *Entity
	inHeader bool
	parts    int
	head     []byte
	newline  []byte // end of the last body line; belongs to a boundary that follows
}

func (w *walker) line(line []byte, start bool) error {
	if start && len(w.stack) > 0 && bytes.HasPrefix(line, []byte("--")) {
		if level, last, ok := w.boundary(line); ok {
			return w.cross(level, last, line)
		}
	}
	switch {
	case w.inHeader:
		return w.headerLine(line, start)
	case w.leaf != nil:
		if err := w.flushNewline(); err != nil {
			return err
		}
		body := bytes.TrimRight(line, "\r\n")
		w.newline = append(w.newline[:0], line[len(body):]...)
		if len(body) == 0 {
			return nil
		}
		return w.v.Body(w.leaf, body)
	default:
		return w.v.Frame(line)
	}
}

func (w *walker) flushNewline() error {
	if len(w.newline) == 0 {
		return nil
	}
	err := w.v.Body(w.leaf, w.newline)
	w.newline = w.newline[:0]
	return err
}

// headerLine collects header lines. A line that cannot be a field ends the
// header although the blank line is missing, as mail programs read it.
func (w *walker) headerLine(line []byte, start bool) error {
	blank := len(bytes.TrimRight(line, "\r\n")) == 0
	first := len(w.head) == 0
	if start && !blank && line[0] != ' ' && line[0] != '\t' && !fieldLike(line) && !(first && bytes.HasPrefix(line, []byte("From "))) {
		if err := w.endHeader(); err != nil {
			return err
		}
		return w.line(line, false)
	}
	w.head = append(w.head, line...)
	if (blank && start) || len(w.head) > maxHeader {
		return w.endHeader()
	}
	return nil
}

func fieldLike(line []byte) bool {
	i := bytes.IndexByte(line, ':')
	return i > 0 && !bytes.ContainsAny(bytes.TrimRight(line[:i], " \t"), " \t")
}

func (w *walker) endHeader() error {
	var parent *Entity
	if n := len(w.stack); n > 0 {
		parent = w.stack[n-1]
	}
	e := newEntity(w.head, parent)
	err := w.v.Header(e, w.head)
	w.head, w.inHeader, w.leaf = nil, false, nil
	if e.Leaf() {
		w.leaf = e
	} else {
		w.stack = append(w.stack, e)
	}
	return err
}

// boundary finds the innermost open multipart that the line delimits.
func (w *walker) boundary(line []byte) (level int, last, ok bool) {
	rest := string(bytes.TrimRight(line[2:], " \t\r\n"))
	for i := len(w.stack) - 1; i >= 0; i-- {
		b := w.stack[i].boundary()
		if rest == b {
			return i, false, true
		}
		if rest == b+"--" {
			return i, true, true
		}
	}
	return 0, false, false
}

func (w *walker) cross(level int, last bool, line []byte) error {
	if w.inHeader {
		if err := w.endHeader(); err != nil {
			return err
		}
	}
	if err := w.endLeaf(false); err != nil {
		return err
	}
	w.stack = w.stack[:level+1]
	if last {
		w.stack = w.stack[:level]
	} else if w.parts++; w.parts <= maxParts {
		w.inHeader = true
	}
	if err := w.v.Frame(w.newline); err != nil {
		return err
	}
	w.newline = w.newline[:0]
	return w.v.Frame(line)
}

func (w *walker) endLeaf(withNewline bool) error {
	if w.leaf == nil {
		return nil
	}
	if withNewline {
		if err := w.flushNewline(); err != nil {
			return err
		}
	}
	e := w.leaf
	w.leaf = nil
	return w.v.End(e)
}

func (w *walker) finish() error {
	if w.inHeader {
		if err := w.endHeader(); err != nil {
			return err
		}
	}
	return w.endLeaf(true)
}

func newEntity(raw []byte, parent *Entity) *Entity {
	e := &Entity{Header: ParseHeader(raw), Parent: parent}
	fallback := "text/plain"
	if parent != nil {
		e.depth = parent.depth + 1
		if parent.Type == "multipart/digest" {
			fallback = "message/rfc822"
		}
	}
	e.Type, e.Params = mediaType(e.Header.Get("Content-Type"), fallback)
	var dp map[string]string
	if d := e.Header.Get("Content-Disposition"); d != "" {
		e.Disposition, dp = mediaType(d, "")
	}
	e.Filename = dp["filename"]
	if e.Filename == "" {
		e.Filename = e.Params["name"]
	}
	e.Filename = DecodeWords(e.Filename)
	if i := strings.LastIndexAny(e.Filename, `/\`); i >= 0 {
		e.Filename = e.Filename[i+1:]
	}
	e.Encoding = strings.ToLower(strings.TrimSpace(e.Header.Get("Content-Transfer-Encoding")))
	e.ContentID = MessageID(e.Header.Get("Content-ID"))
	return e
}
