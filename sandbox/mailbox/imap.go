package mailbox

import (
	"errors"
	"math"
	"net"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/postern-chat/postern/sandbox/mailbox/eml"
	"github.com/postern-chat/postern/sandbox/mailbox/spool"
)

// newIMAP is a server that lets anybody into every mailbox; it belongs on
// loopback.
func (s *Server) newIMAP() *imapserver.Server {
	return imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return &reader{s: s}, nil, nil
		},
		Caps: imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapNamespace: {}, imap.CapUIDPlus: {}, imap.CapMove: {}, imap.CapSpecialUse: {},
			imap.CapListExtended: {}, imap.CapListStatus: {}, imap.CapESearch: {}, imap.CapChildren: {}},
		Logger:       discardLog{},
		InsecureAuth: true,
	})
}

// ServeIMAP lets mail programs read on l until Close. A person's address is the
// user name, and any password is right. The mailbox has the folders INBOX, Sent,
// Drafts, Junk and Trash; moving a mail to Junk is a complaint, as Spam is.
func (s *Server) ServeIMAP(l net.Listener) error {
	if !s.listens(l) {
		return l.Close()
	}
	defer s.serving.Done()
	err := s.imap.Serve(l)
	if s.ctx.Err() != nil {
		return nil
	}
	return err
}

// reader is one connection of a mail program. The library calls it from one
// goroutine, but for Idle.
type reader struct {
	s       *Server
	address string
	f       *folder // selected
	view    *imapserver.SessionTracker
	look    bool // opened by EXAMINE: nothing may change
}

var (
	_ imapserver.SessionNamespace   = (*reader)(nil)
	_ imapserver.SessionMove        = (*reader)(nil)
	_ imapserver.SessionAppendLimit = (*reader)(nil)
)

const delimiter = '/'

func no(code imap.ResponseCode, text string) error {
	return &imap.Error{Type: imap.StatusResponseTypeNo, Code: code, Text: text}
}

func noFolder(name string) error {
	return no(imap.ResponseCodeNonExistent, "There is no folder "+name+"; there are INBOX, Sent, Drafts, Junk and Trash")
}

func (x *reader) Close() error { return x.Unselect() }

func (x *reader) Login(user, _ string) error {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if x.s.boxes[strings.ToLower(user)] == nil {
		return no(imap.ResponseCodeAuthenticationFailed, "Nobody has the address "+user)
	}
	x.address = strings.ToLower(user)
	return nil
}

func (x *reader) AppendLimit() uint32 { return uint32(min(x.s.cfg.MaxBytes, math.MaxUint32)) }

func (x *reader) Namespace() (*imap.NamespaceData, error) {
	return &imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Delim: delimiter}}}, nil
}

func (x *reader) Select(name string, o *imap.SelectOptions) (*imap.SelectData, error) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	f := x.s.folder(x.address, name)
	if f == nil {
		return nil, noFolder(name)
	}
	x.f, x.view, x.look = f, f.tracker.NewSession(), o.ReadOnly
	flags := []imap.Flag{imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagSeen, imap.FlagDraft}
	data := &imap.SelectData{Flags: flags, PermanentFlags: append(flags[:len(flags):len(flags)], imap.FlagWildcard),
		NumMessages: uint32(len(f.mails)), UIDNext: f.next, UIDValidity: x.s.uidValidity}
	for i, m := range f.mails {
		if !m.seen {
			data.FirstUnseenSeqNum = uint32(i) + 1
			break
		}
	}
	return data, nil
}

func (x *reader) Unselect() error {
	x.s.mu.Lock() // Idle may not have ended yet
	defer x.s.mu.Unlock()
	if x.view != nil {
		x.view.Close()
	}
	x.f, x.view = nil, nil
	return nil
}

var errFixed = no(imap.ResponseCodeCannot, "The folders of the sandbox are fixed")

func (x *reader) Create(name string, _ *imap.CreateOptions) error {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if x.s.folder(x.address, name) != nil {
		return no(imap.ResponseCodeAlreadyExists, "There is such a folder")
	}
	return errFixed
}

func (x *reader) Delete(string) error                              { return errFixed }
func (x *reader) Rename(string, string, *imap.RenameOptions) error { return errFixed }
func (x *reader) Subscribe(string) error                           { return nil }
func (x *reader) Unsubscribe(string) error                         { return nil }

func (x *reader) List(w *imapserver.ListWriter, ref string, patterns []string, o *imap.ListOptions) error {
	if len(patterns) == 0 { // asks for the delimiter, RFC 3501 section 6.3.8
		return w.WriteList(&imap.ListData{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: delimiter})
	}
	for _, data := range x.list(ref, patterns, o) {
		if err := w.WriteList(&data); err != nil {
			return err
		}
	}
	return nil
}

func (x *reader) list(ref string, patterns []string, o *imap.ListOptions) (out []imap.ListData) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.folder(x.address, inbox) // makes them all
	for _, f := range x.s.folders[x.address] {
		matches := false
		for _, p := range patterns {
			matches = matches || imapserver.MatchList(f.name, delimiter, ref, p)
		}
		if !matches || o.SelectSpecialUse && f.attr == "" {
			continue
		}
		data := imap.ListData{Mailbox: f.name, Delim: delimiter, Attrs: []imap.MailboxAttr{imap.MailboxAttrHasNoChildren}}
		if f.attr != "" {
			data.Attrs = append(data.Attrs, f.attr)
		}
		if o.ReturnSubscribed || o.SelectSubscribed {
			data.Attrs = append(data.Attrs, imap.MailboxAttrSubscribed)
		}
		if o.ReturnStatus != nil {
			data.Status = x.status(f, o.ReturnStatus)
		}
		out = append(out, data)
	}
	return out
}

func (x *reader) Status(name string, o *imap.StatusOptions) (*imap.StatusData, error) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	f := x.s.folder(x.address, name)
	if f == nil {
		return nil, noFolder(name)
	}
	return x.status(f, o), nil
}

// status needs Server.mu.
func (x *reader) status(f *folder, o *imap.StatusOptions) *imap.StatusData {
	all, unseen, deleted, recent, size := uint32(len(f.mails)), uint32(0), uint32(0), uint32(0), int64(0)
	for _, m := range f.mails {
		if !m.seen {
			unseen++
		}
		if m.flag(imap.FlagDeleted) {
			deleted++
		}
		size += m.raw.Size()
	}
	out := &imap.StatusData{Mailbox: f.name, UIDNext: f.next, UIDValidity: x.s.uidValidity, NumMessages: &all, NumUnseen: &unseen}
	if o.NumRecent {
		out.NumRecent = &recent
	}
	if o.NumDeleted {
		out.NumDeleted = &deleted
	}
	if o.Size {
		out.Size = &size
	}
	return out
}

// Append keeps a mail that the program wrote. A copy for Sent of a mail that was
// sent by SMTP stands there already and is not kept twice, as at Gmail.
func (x *reader) Append(name string, r imap.LiteralReader, o *imap.AppendOptions) (*imap.AppendData, error) {
	x.s.mu.Lock()
	f := x.s.folder(x.address, name)
	x.s.mu.Unlock()
	if f == nil {
		return nil, no(imap.ResponseCodeTryCreate, "There is no such folder")
	}
	m, err := x.s.parse(r)
	if errors.Is(err, spool.ErrTooLarge) {
		return nil, no(imap.ResponseCodeTooBig, "The mail is too large")
	}
	if err != nil {
		return nil, err
	}
	m.sent = f.name == sentFolder || f.name == drafts
	if !o.Time.IsZero() {
		m.received = o.Time
	}
	for _, flag := range o.Flags {
		m.setFlag(flag, true)
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if old := f.sameID(m); old != nil && f.name == sentFolder {
		m.free()
		m = old
	} else {
		x.s.file(m, x.address, f.name)
	}
	return &imap.AppendData{UID: m.uid, UIDValidity: x.s.uidValidity}, nil
}

// sameID needs Server.mu.
func (f *folder) sameID(m *mail) *mail {
	id := eml.MessageID(m.parsed.Header.Get("Message-Id"))
	for _, old := range f.mails {
		if id != "" && eml.MessageID(old.parsed.Header.Get("Message-Id")) == id {
			return old
		}
	}
	return nil
}

// Poll tells the program what changed since it last asked.
func (x *reader) Poll(w *imapserver.UpdateWriter, allowExpunge bool) error {
	if x.view == nil {
		return nil
	}
	return x.view.Poll(w, allowExpunge)
}

// Idle tells the program of changes as they come. The library's own Idle would
// miss what came between the last command and this one.
func (x *reader) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	x.s.mu.Lock()
	f, view := x.f, x.view
	x.s.mu.Unlock()
	if view == nil {
		<-stop
		return nil
	}
	for {
		x.s.mu.Lock()
		changed := f.changed
		x.s.mu.Unlock()
		if err := view.Poll(w, true); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stop:
			return nil
		}
	}
}
