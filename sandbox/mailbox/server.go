package mailbox

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-smtp"
	"github.com/postern-chat/postern/sandbox/mailbox/eml"
	"github.com/postern-chat/postern/sandbox/mailbox/spool"
)

// Exchange is the mail provider whose domains are not people's mailboxes; the
// Mailgun emulator is one.
type Exchange interface {
	// Hosts says whether mail for the address belongs to the provider.
	Hosts(address string) bool
	// Receive takes a mail for addresses that it hosts. It may block while it
	// reads raw. An error is told to the sending client.
	Receive(ctx context.Context, from string, to []string, raw io.Reader) error
}

// Complainer is an Exchange that hears of spam complaints.
type Complainer interface {
	Complain(recipient, messageID string) error
}

// Config is what New needs; the zero value is good for a sandbox without
// Exchange.
type Config struct {
	Exchange Exchange
	// Now is the clock; default time.Now.
	Now func() time.Time
	// HTTPClient fetches pictures and follows links as the person's programs do.
	// Default: a client with a time-out of ten seconds.
	HTTPClient *http.Client
	// Fetch says whether a picture or link may be fetched; default: only from
	// loopback addresses, so that no sandbox ever asks the real world.
	Fetch func(url string) bool
	// Logger takes what an operator of the sandbox should see; default: none.
	Logger *slog.Logger
	// TempDir is where mails above 32 KB are kept; default the system's.
	TempDir string
	// MaxBytes is the largest mail taken; default 64 MB.
	MaxBytes int64
	// Seed makes ids repeatable.
	Seed uint64
	// Observe is told of everything that happens; it must not block.
	Observe func(Happening)
}

// Happening is one thing that a person or his mail program did.
type Happening struct {
	Seq       int64     `json:"seq"`
	Time      time.Time `json:"time"`
	What      string    `json:"what"` // received, seen, opened, clicked, sent, complained, unsubscribed, refused
	Address   string    `json:"address"`
	Message   string    `json:"message,omitempty"` // id within the mailbox
	MessageID string    `json:"message_id,omitempty"`
	Subject   string    `json:"subject,omitempty"`
	Detail    string    `json:"detail,omitempty"`
	Failed    bool      `json:"failed,omitempty"`
}

// Server holds all mailboxes. It is safe for concurrent use.
type Server struct {
	cfg   Config
	spool *spool.Spool
	smtp  *smtp.Server
	imap  *imapserver.Server
	ctx   context.Context
	stop  context.CancelFunc
	// uidValidity differs from run to run: a mail program that kept the mails of the
	// run before must forget them (RFC 3501 section 2.3.1.1).
	uidValidity uint32

	mu      sync.Mutex
	boxes   map[string]*box
	folders map[string][]*folder // by address; outlive a reset, see folder
	order   []string
	seq     uint64
	log     []Happening
	logSeq  int64
	changed chan struct{}
	acting  int        // habits at work
	idle    *sync.Cond // told when one ends

	listeners []net.Listener
	serving   sync.WaitGroup // ServeSMTP and ServeIMAP
}

type box struct {
	address string
	name    string
	mails   []*mail // in the order of their coming, without the trash
}

// mail is one message in a mailbox.
type mail struct {
	n        uint64 // in the order of their coming, through all mailboxes
	id       string
	from     string // envelope
	received time.Time
	raw      *spool.Blob
	parsed   *eml.Mail
	sent     bool // written by the owner
	seen     bool
	opens    int
	shown    bool // a person saw its pictures
	spam     bool

	folder   *folder
	uid      imap.UID
	keywords map[string]imap.Flag // set by IMAP, by lower case; \Seen is seen
}

// New makes a server without mailboxes; they come into being when mail arrives
// or by Open. Close it.
func New(cfg Config) (*Server, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = &http.Client{Timeout: 10 * time.Second}
	}
	if cfg.Fetch == nil {
		cfg.Fetch = loopbackOnly
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 64 << 20
	}
	sp, err := spool.New(cfg.TempDir)
	if err != nil {
		return nil, fmt.Errorf("sandbox mailbox: %w", err)
	}
	s := &Server{cfg: cfg, spool: sp, boxes: map[string]*box{}, folders: map[string][]*folder{}, changed: make(chan struct{})}
	s.uidValidity = uint32(max(1, cfg.Now().Unix()))
	s.idle = sync.NewCond(&s.mu)
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.smtp, s.imap = s.newSMTP(), s.newIMAP()
	return s, nil
}

// Close ends the SMTP and IMAP servers and everything that runs, and removes the
// mails.
func (s *Server) Close() error {
	s.hangUp()
	s.serving.Wait()
	_, _ = s.imap.Close(), s.smtp.Close() // their only errors are of listeners that are closed already
	s.Wait()
	return s.spool.Close()
}

// Open makes a person's mailbox, or names it anew.
func (s *Server) Open(address, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.box(address)
	if name != "" {
		b.name = name
	}
}

// box needs mu.
func (s *Server) box(address string) *box {
	key := strings.ToLower(address)
	b := s.boxes[key]
	if b == nil {
		b = &box{address: key}
		s.boxes[key] = b
		s.order = append(s.order, key)
	}
	return b
}

// Reset throws all mailboxes away. Numbers go on, so that no id comes twice.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, folders := range s.folders {
		for _, f := range folders {
			for _, m := range slices.Clone(f.mails) {
				f.remove(m)
				m.free()
			}
		}
	}
	s.boxes, s.order, s.log = map[string]*box{}, nil, nil
}

// Deliver puts a mail into the recipient's mailbox, and lets the person's
// programs do what his local part says (see Habits). It returns when the mail
// is stored.
func (s *Server) Deliver(_ context.Context, from, to string, raw io.Reader) error {
	m, err := s.store(from, to, raw, false)
	if err != nil {
		return err
	}
	s.note(Happening{What: "received", Address: strings.ToLower(to), Message: m.id, Detail: "from " + m.parsed.Header.Text("From")}, m)
	s.habit(to, m)
	return nil
}

// store parses and keeps a mail; nothing of it is held in memory but its text.
func (s *Server) store(from, address string, raw io.Reader, sent bool) (*mail, error) {
	m, err := s.parse(raw)
	if err != nil {
		return nil, err
	}
	m.from, m.sent, m.seen = from, sent, sent
	s.mu.Lock()
	defer s.mu.Unlock()
	name := inbox
	if sent {
		name = sentFolder
	}
	s.file(m, address, name)
	if b := s.box(address); sent && b.name == "" {
		if from := eml.Addresses(m.parsed.Header.Get("From")); len(from) > 0 {
			b.name = from[0].Name
		}
	}
	return m, nil
}

// parse reads a mail that is in no folder yet.
func (s *Server) parse(raw io.Reader) (*mail, error) {
	blob, err := s.spool.Put(raw, s.cfg.MaxBytes)
	if err != nil {
		return nil, err
	}
	r, err := blob.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	parsed, err := eml.Parse(r, s.spool)
	if err != nil {
		blob.Remove()
		return nil, err
	}
	return &mail{received: s.cfg.Now(), raw: blob, parsed: parsed}, nil
}

// Submit sends a mail that a person wrote: to the Exchange for the addresses it
// hosts, to mailboxes for all others, and a copy to the writer's own mailbox.
func (s *Server) Submit(ctx context.Context, from string, to []string, raw io.Reader) error {
	blob, err := s.spool.Put(raw, s.cfg.MaxBytes)
	if err != nil {
		return err
	}
	defer blob.Remove()
	var hosted []string
	for _, rcpt := range to {
		if s.cfg.Exchange != nil && s.cfg.Exchange.Hosts(rcpt) {
			hosted = append(hosted, rcpt)
			continue
		}
		if err := s.withBlob(blob, func(r io.Reader) error { return s.Deliver(ctx, from, rcpt, r) }); err != nil {
			return err
		}
	}
	if len(hosted) > 0 {
		if err := s.withBlob(blob, func(r io.Reader) error { return s.cfg.Exchange.Receive(ctx, from, hosted, r) }); err != nil {
			s.note(Happening{What: "refused", Address: from, Detail: err.Error(), Failed: true}, nil)
			return err
		}
	}
	if from == "" {
		return nil
	}
	// A copy for the writer, as in a folder of sent mail.
	return s.withBlob(blob, func(r io.Reader) error {
		m, err := s.store(from, from, r, true)
		if err == nil {
			s.note(Happening{What: "sent", Address: strings.ToLower(from), Message: m.id, Detail: "to " + strings.Join(to, ", ")}, m)
		}
		return err
	})
}

func (s *Server) withBlob(b *spool.Blob, f func(io.Reader) error) error {
	r, err := b.Open()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	return f(r)
}

// find needs no lock.
func (s *Server) find(address, id string) *mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boxes[strings.ToLower(address)]
	if b == nil {
		return nil
	}
	i := slices.IndexFunc(b.mails, func(m *mail) bool { return m.id == id })
	if i < 0 {
		return nil
	}
	return b.mails[i]
}

const keptHappenings = 5000

func (s *Server) note(h Happening, m *mail) {
	h.Time = s.cfg.Now()
	if m != nil {
		h.MessageID = eml.MessageID(m.parsed.Header.Get("Message-Id"))
		h.Subject = m.parsed.Header.Text("Subject")
	}
	s.mu.Lock()
	s.logSeq++
	h.Seq = s.logSeq
	if len(s.log) >= keptHappenings {
		s.log = append(s.log[:0:0], s.log[keptHappenings/4:]...)
	}
	s.log = append(s.log, h)
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	if s.cfg.Observe != nil {
		s.cfg.Observe(h)
	}
}

// Happenings are what came after number seq, and a channel that closes when
// there is more.
func (s *Server) Happenings(seq int64) ([]Happening, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := len(s.log)
	for i > 0 && s.log[i-1].Seq > seq {
		i--
	}
	return slices.Clone(s.log[i:]), s.changed
}
