package mailbox

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// The folders that everybody has; there are no others.
const (
	inbox      = "INBOX"
	sentFolder = "Sent"
	drafts     = "Drafts"
	junk       = "Junk"
	trash      = "Trash"
)

// folder is what IMAP calls a mailbox. All of it needs Server.mu.
//
// It outlives a reset, so that a mail program which has it open sees it become
// empty and fill again, with UIDs that only rise (RFC 3501 section 2.3.1.1).
type folder struct {
	name    string
	attr    imap.MailboxAttr // RFC 6154
	listed  bool             // its mails are a person's mails; drafts and trash are not
	mails   []*mail          // by UID
	next    imap.UID
	tracker *imapserver.MailboxTracker
	changed chan struct{} // closed at a change
}

func newFolders() []*folder {
	all := []*folder{
		{name: inbox, listed: true},
		{name: sentFolder, attr: imap.MailboxAttrSent, listed: true},
		{name: drafts, attr: imap.MailboxAttrDrafts},
		{name: junk, attr: imap.MailboxAttrJunk, listed: true},
		{name: trash, attr: imap.MailboxAttrTrash},
	}
	for _, f := range all {
		f.next, f.tracker, f.changed = 1, imapserver.NewMailboxTracker(0), make(chan struct{})
	}
	return all
}

// folder needs mu; nil if there is none of that name.
func (s *Server) folder(address, name string) *folder {
	key := strings.ToLower(address)
	if s.folders[key] == nil {
		s.folders[key] = newFolders()
	}
	for _, f := range s.folders[key] {
		if f.name == name || f.name == inbox && strings.EqualFold(name, inbox) {
			return f
		}
	}
	return nil
}

// file needs mu. It puts a mail that is nowhere yet into a folder.
func (s *Server) file(m *mail, address, name string) {
	s.seq++
	m.n, m.id = s.seq, fmt.Sprintf("m%d", s.seq)
	f := s.folder(address, name)
	if b := s.box(address); f.listed {
		b.mails = append(b.mails, m)
	}
	f.add(m)
}

// move needs mu. It puts a mail into another folder of its mailbox.
func (s *Server) move(m *mail, address, name string) {
	to := s.folder(address, name)
	if to == m.folder || m.folder == nil { // gone meanwhile
		return
	}
	m.folder.remove(m)
	to.add(m)
	m.spam = name == junk
	b := s.box(address)
	b.mails = slices.DeleteFunc(b.mails, func(x *mail) bool { return x == m })
	if to.listed {
		i, _ := slices.BinarySearchFunc(b.mails, m.n, func(x *mail, n uint64) int { return cmp.Compare(x.n, n) })
		b.mails = slices.Insert(b.mails, i, m)
	}
}

// expunge needs mu. The mail is gone for good.
func (s *Server) expunge(m *mail, address string) {
	if m.folder == nil {
		return
	}
	m.folder.remove(m)
	b := s.box(address)
	b.mails = slices.DeleteFunc(b.mails, func(x *mail) bool { return x == m })
	m.free()
}

func (f *folder) add(m *mail) {
	m.folder, m.uid = f, f.next
	f.next++
	f.mails = append(f.mails, m)
	f.tracker.QueueNumMessages(uint32(len(f.mails)))
	f.tell()
}

func (f *folder) remove(m *mail) {
	i := slices.Index(f.mails, m)
	if i < 0 {
		return
	}
	f.mails = slices.Delete(f.mails, i, i+1)
	f.tracker.QueueExpunge(uint32(i) + 1)
	m.folder = nil
	f.tell()
}

// flagged tells every program that looks, except one, of m's new flags.
func (f *folder) flagged(m *mail, but *imapserver.SessionTracker) {
	if i := slices.Index(f.mails, m); i >= 0 {
		f.tracker.QueueMessageFlags(uint32(i)+1, m.uid, m.flags(), but)
		f.tell()
	}
}

func (f *folder) tell() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// see needs mu.
func (m *mail) see() {
	if !m.seen && m.folder != nil {
		m.seen = true
		m.folder.flagged(m, nil)
	}
}

// flags needs mu.
func (m *mail) flags() []imap.Flag {
	out := make([]imap.Flag, 0, len(m.keywords)+1)
	for _, f := range m.keywords {
		out = append(out, f)
	}
	slices.Sort(out)
	if m.seen {
		out = append(out, imap.FlagSeen)
	}
	return out
}

// flag needs mu.
func (m *mail) flag(f imap.Flag) bool {
	if strings.EqualFold(string(f), string(imap.FlagSeen)) {
		return m.seen
	}
	_, ok := m.keywords[strings.ToLower(string(f))]
	return ok
}

// setFlag needs mu.
func (m *mail) setFlag(f imap.Flag, on bool) {
	key := strings.ToLower(string(f))
	switch {
	case strings.EqualFold(key, string(imap.FlagSeen)):
		m.seen = on
	case key == `\recent`: // only a server sets it, RFC 3501 section 2.3.2
	case !on:
		delete(m.keywords, key)
	case m.keywords == nil:
		m.keywords = map[string]imap.Flag{key: f}
	case len(m.keywords) < maxKeywords:
		m.keywords[key] = f
	}
}

const maxKeywords = 100

func (m *mail) free() {
	m.raw.Remove()
	m.parsed.Remove()
}
