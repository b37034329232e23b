package letter

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
)

// Message is one mail, read. All strings are valid UTF-8, line ends are "\n". Message-IDs stand without angle brackets.
type Message struct {
	Header Header

	From, Sender    []Address
	ReplyTo, To, Cc []Address
	Subject         string
	MessageID       string
	InReplyTo       []string
	References      []string
	Date            time.Time // zero if absent or unreadable

	// Text is the plain-text body, "" if the mail has none. When a mail has HTML that Text would not cover
	// completely, Text is "" and HTML holds everything, so that whoever takes either loses no word.
	Text string
	// HTML is the HTML body, "" if the mail has none. Images in it refer to Attachments by cid: (see Attachment.ContentID).
	HTML string

	// Attachments is everything that is not the body, in the order of the mail.
	Attachments []*Attachment

	// Auto is nil for mail written by a person.
	Auto *Automatic
	// Bounce is nil unless the mail reports on the delivery of another one.
	Bounce *Bounce
	// Calendar holds the events of all invitations, updates, cancellations and answers in the mail.
	Calendar []Invitation
	// Reaction is set if the mail is a mere emoji reaction to another one (Gmail). Text and HTML then are its fallback wording.
	Reaction *Reaction
	// Crypto is nil for mail neither signed nor encrypted.
	Crypto *Crypto
	// Problems says what was repaired, guessed or left out.
	Problems []Problem
}

// Options steer Read. The zero value is ready for use.
type Options struct {
	// Limits bound what a mail may cost; a zero field means its default.
	Limits Limits
	// OurIDs says whether a Message-ID (without angle brackets) is one that the caller sent. Optional. It is called for
	// candidates found anywhere in the mail, so it must be cheap to say no; it may be called twice for the same ID.
	OurIDs func(messageID string) bool
	// ReturnPath is the envelope sender if the transport knows it ("" means the empty one, as bounces have).
	// nil: the Return-Path or X-Envelope-From field decides.
	ReturnPath *string
	// LoopHeader names a header field that the caller puts into all mail of its own ("" = none): a mail with it is our own coming back.
	LoopHeader string
	// LoopValue, if set, must be contained in that field too.
	LoopValue string
	// Charset is tried first for 8-bit text without a usable charset of its own ("" = guess).
	Charset string
}

// Limits bound the work and memory of one Read. Exceeding Size, HeaderBytes, HeaderFields, Parts or Depth is a *LimitError;
// exceeding Text or Unpacked is only a Problem, and the part in question stays available as an attachment.
type Limits struct {
	Size         int64 // bytes of the raw message; default 64 MiB
	HeaderBytes  int   // bytes of all header blocks together; default 1 MiB
	HeaderFields int   // fields of all header blocks together; default 5,000
	Parts        int   // MIME parts; default 1,000
	Depth        int   // nesting of multiparts; default 30
	Text         int64 // decoded bytes of one body text held in memory, and half of what all of them may take; default 8 MiB
	Unpacked     int64 // bytes of a winmail.dat, S/MIME envelope or calendar held in memory; default 16 MiB
}

func (l Limits) withDefaults() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def64 := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	def64(&l.Size, 64<<20)
	def(&l.HeaderBytes, 1<<20)
	def(&l.HeaderFields, 5000)
	def(&l.Parts, 1000)
	def(&l.Depth, 30)
	def64(&l.Text, 8<<20)
	def64(&l.Unpacked, 16<<20)
	return l
}

// LimitError says which field of Limits a mail exceeded.
type LimitError struct {
	Limit string // name of the field in Limits, for instance "Parts"
	Max   int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("letter: message exceeds limit %s (%d)", e.Limit, e.Max)
}

// Problem is one repair or omission.
type Problem struct {
	Kind   ProblemKind
	Part   string // number of the part as in IMAP, "" for the message itself
	Detail string // for an operator; holds no text of the mail beyond names of charsets, encodings and files
}

// ProblemKind classes problems.
type ProblemKind string

// The kinds of Problem.
const (
	ProblemHeader     ProblemKind = "header"     // malformed header block, body begun where the header broke
	ProblemCharset    ProblemKind = "charset"    // charset missing, unknown or wrong: another one was used
	ProblemEncoding   ProblemKind = "encoding"   // transfer encoding unknown, broken or not what it says
	ProblemBoundary   ProblemKind = "boundary"   // boundary missing, guessed or not closed
	ProblemType       ProblemKind = "type"       // content type missing or malformed
	ProblemTruncated  ProblemKind = "truncated"  // text longer than Limits.Text
	ProblemStray      ProblemKind = "stray"      // text outside of the parts of a multipart
	ProblemUnpack     ProblemKind = "unpack"     // winmail.dat, S/MIME or calendar could not be read
	ProblemIncomplete ProblemKind = "incomplete" // plain text would not cover the HTML: Text left empty
	ProblemLimit      ProblemKind = "limit"      // reading ended at a limit
)

const maxProblems = 100

func (m *Message) problem(kind ProblemKind, part *part, format string, args ...any) {
	if len(m.Problems) >= maxProblems {
		return
	}
	path := ""
	if part != nil {
		path = part.path
	}
	m.Problems = append(m.Problems, Problem{kind, path, clip(cleanUTF8(fmt.Sprintf(format, args...)), 200)})
}

// Read parses one raw RFC 5322 message of size bytes. src is read at random offsets, and again whenever an attachment
// is opened: it must stay readable as long as the Message is used. The raw bytes are not kept in memory.
//
// Read never panics, and any input yields a Message: what cannot be understood is text. An error is either one of src
// (then the Message is nil) or a *LimitError (then the Message holds what was read up to there, at least the header
// as far as it goes).
func Read(src io.ReaderAt, size int64, opt Options) (*Message, error) {
	s := &source{at: src, size: max(size, 0)}
	if b, ok := src.(memory); ok {
		s.mem = b[:size]
	}
	return guarded(s, opt)
}

// guarded keeps the promise never to panic even where this package or one it uses has a fault: then the mail is its header
// and text as they stand. Tests call read, so that faults show.
func guarded(s *source, opt Options) (m *Message, err error) {
	defer func() {
		if recover() == nil {
			return
		}
		m = &Message{}
		raw, readErr := s.bytes(0, s.size, opt.Limits.withDefaults().Text)
		if readErr != nil {
			m, err = nil, readErr
			return
		}
		text := newlines(cleanUTF8(string(raw)))
		head, body, _ := strings.Cut(text, "\n\n")
		m.Header, m.Text, err = parseHeader(head+"\n", 16), body, nil
		m.problem(ProblemHeader, nil, "internal fault, shown as it stood")
	}()
	return read(s, opt)
}

// ReadBytes is Read of a message that is in memory already. b must not be changed while the Message is in use.
func ReadBytes(b []byte, opt Options) (*Message, error) {
	return Read(memory(b), int64(len(b)), opt)
}

// memory lets the scanner look at bytes without copying them.
type memory []byte

func (m memory) ReadAt(p []byte, off int64) (int, error) { return bytes.NewReader(m).ReadAt(p, off) }

// reader carries the state of one Read.
type reader struct {
	msg        *Message
	opt        Options
	lim        Limits
	containers int   // opened so far
	unpacked   int64 // bytes they took
	textUsed   int64 // bytes of body text decoded so far
	matched    *subjectMatch
	spare      run // the body of a winmail.dat, for mails without another
}

func read(s *source, opt Options) (*Message, error) {
	rd := &reader{msg: &Message{}, opt: opt, lim: opt.Limits.withDefaults()}
	opt.Limits = rd.lim
	var limit error
	if s.size > rd.lim.Size {
		limit = &LimitError{"Size", rd.lim.Size}
		s.size = min(rd.lim.Size, 1<<20) // enough for the header
		if s.mem != nil {
			s.mem = s.mem[:s.size]
		}
	}
	root, err := scan(s, rd.msg, rd.lim)
	if err != nil {
		if _, ok := err.(*LimitError); !ok {
			return nil, err
		}
		if limit == nil {
			limit = err
		}
	}
	rd.msg.Header = root.header
	rd.addressing()
	if err := rd.contents(root); err != nil {
		return nil, err
	}
	if limit != nil {
		rd.msg.problem(ProblemLimit, nil, "%v", limit)
	}
	return rd.msg, limit
}

// addressing fills the fields that repeat the header.
func (rd *reader) addressing() {
	m, h := rd.msg, rd.msg.Header
	m.From, m.Sender = h.Addresses("From"), h.Addresses("Sender")
	m.ReplyTo, m.To, m.Cc = h.Addresses("Reply-To"), h.Addresses("To"), h.Addresses("Cc")
	m.Subject = h.Get("Subject")
	if ids := messageIDs(h.Raw("Message-ID")); len(ids) > 0 {
		m.MessageID = ids[0]
	}
	m.InReplyTo = messageIDs(h.Raw("In-Reply-To"))
	m.References = messageIDs(h.Raw("References"))
	m.Date = parseDate(h.Raw("Date"))
}
