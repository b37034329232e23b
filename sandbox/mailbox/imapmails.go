package mailbox

import (
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// within says whether a set holds a number; star is what * stands for.
func within(set imap.NumSet, seq, maxSeq uint32, uid, maxUID imap.UID) bool {
	switch set := set.(type) {
	case imap.SeqSet:
		return slices.ContainsFunc(set, func(r imap.SeqRange) bool { return between(r.Start, r.Stop, seq, maxSeq) })
	case imap.UIDSet:
		return slices.ContainsFunc(set, func(r imap.UIDRange) bool { return between(r.Start, r.Stop, uid, maxUID) })
	}
	return false
}

func between[N ~uint32](start, stop, n, star N) bool {
	if start == 0 {
		start = star
	}
	if stop == 0 {
		stop = star
	}
	return min(start, stop) <= n && n <= max(start, stop) // RFC 3501 section 9: the order does not matter
}

// each calls f with every mail that the program knows of, with the number that it
// has for the program. It needs Server.mu.
func (x *reader) each(f func(seq, maxSeq uint32, m *mail, maxUID imap.UID)) {
	mails := slices.Clone(x.f.mails)
	var maxSeq uint32
	var maxUID imap.UID
	seqs := make([]uint32, len(mails))
	for i, m := range mails {
		if seqs[i] = x.view.EncodeSeqNum(uint32(i) + 1); seqs[i] > 0 {
			maxSeq, maxUID = max(maxSeq, seqs[i]), m.uid
		}
	}
	for i, m := range mails {
		if seqs[i] > 0 { // else it has not been told of it yet
			f(seqs[i], maxSeq, m, maxUID)
		}
	}
}

// of is each mail of a set.
func (x *reader) of(set imap.NumSet, f func(seq uint32, m *mail)) {
	x.each(func(seq, maxSeq uint32, m *mail, maxUID imap.UID) {
		if within(set, seq, maxSeq, m.uid, maxUID) {
			f(seq, m)
		}
	})
}

// asked is a mail as it was when a program asked for it.
type asked struct {
	seq   uint32
	m     *mail
	uid   imap.UID
	flags []imap.Flag
}

// Fetch tells of mails, and marks them as seen where the program does not peek. No
// picture is fetched for it: that the sender must not take it for an opening.
func (x *reader) Fetch(w *imapserver.FetchWriter, set imap.NumSet, o *imap.FetchOptions) error {
	look := x.look || !slices.ContainsFunc(o.BodySection, func(b *imap.FetchItemBodySection) bool { return !b.Peek })
	var all []asked
	var seen []*mail
	x.s.mu.Lock()
	x.of(set, func(seq uint32, m *mail) {
		if !look && !m.seen {
			m.see()
			seen = append(seen, m)
		}
		all = append(all, asked{seq, m, m.uid, m.flags()})
	})
	x.s.mu.Unlock()
	for _, m := range seen {
		x.s.note(Happening{What: "seen", Address: x.address, Message: m.id, Detail: "by IMAP"}, m)
	}
	for _, a := range all {
		if err := x.write(w.CreateMessage(a.seq), a, o); err != nil {
			return err
		}
	}
	return nil
}

var errReadOnly = no(imap.ResponseCodeNoPerm, "The folder is open for looking only")

// Store sets flags. That a program marks a mail as seen is no opening either.
func (x *reader) Store(w *imapserver.FetchWriter, set imap.NumSet, flags *imap.StoreFlags, _ *imap.StoreOptions) error {
	if x.look {
		return errReadOnly
	}
	var seen []*mail
	x.s.mu.Lock()
	x.of(set, func(_ uint32, m *mail) {
		was := m.seen
		m.store(flags)
		if m.seen && !was {
			seen = append(seen, m)
		}
		x.f.flagged(m, x.view)
	})
	x.s.mu.Unlock()
	for _, m := range seen {
		x.s.note(Happening{What: "seen", Address: x.address, Message: m.id, Detail: "by IMAP"}, m)
	}
	if flags.Silent {
		return nil
	}
	return x.Fetch(w, set, &imap.FetchOptions{Flags: true})
}

// store needs Server.mu.
func (m *mail) store(flags *imap.StoreFlags) {
	if flags.Op == imap.StoreFlagsSet {
		m.seen, m.keywords = false, nil
	}
	for _, f := range flags.Flags {
		m.setFlag(f, flags.Op != imap.StoreFlagsDel)
	}
}

// Expunge removes what is marked as deleted, of uids only if there are some.
func (x *reader) Expunge(_ *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	if x.look {
		return nil // CLOSE after EXAMINE removes nothing, RFC 3501 section 6.4.2
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.each(func(_, _ uint32, m *mail, maxUID imap.UID) {
		if m.flag(imap.FlagDeleted) && (uids == nil || within(*uids, 0, 0, m.uid, maxUID)) {
			x.s.expunge(m, x.address)
		}
	})
	return nil
}

// target is the folder for a move or copy. It needs Server.mu.
func (x *reader) target(name string) (*folder, error) {
	to := x.s.folder(x.address, name)
	if to == nil {
		return nil, no(imap.ResponseCodeTryCreate, "There is no such folder")
	}
	if to == x.f {
		return nil, no(imap.ResponseCodeCannot, "The mails are there already")
	}
	return to, nil
}

// Copy files each mail a second time.
func (x *reader) Copy(set imap.NumSet, dest string) (*imap.CopyData, error) {
	x.s.mu.Lock()
	to, err := x.target(dest)
	var all []asked
	if err == nil {
		x.of(set, func(seq uint32, m *mail) { all = append(all, asked{seq, m, m.uid, m.flags()}) })
	}
	x.s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	data := &imap.CopyData{UIDValidity: x.s.uidValidity}
	for _, a := range all {
		if err := x.copy(a, to, data); err != nil {
			return nil, err
		}
	}
	return data, nil
}

func (x *reader) copy(a asked, to *folder, data *imap.CopyData) error {
	r, err := a.m.raw.Open()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	m, err := x.s.parse(r)
	if err != nil {
		return err
	}
	m.from, m.received, m.sent = a.m.from, a.m.received, a.m.sent
	for _, f := range a.flags {
		m.setFlag(f, true)
	}
	x.s.mu.Lock()
	x.s.file(m, x.address, to.name)
	data.SourceUIDs.AddNum(a.uid)
	data.DestUIDs.AddNum(m.uid)
	x.s.mu.Unlock()
	return nil
}

// Move puts mails into another folder. The library tells the program which are
// gone, by Poll.
func (x *reader) Move(w *imapserver.MoveWriter, set imap.NumSet, dest string) error {
	if x.look {
		return errReadOnly
	}
	data := &imap.CopyData{UIDValidity: x.s.uidValidity}
	var moved []*mail
	x.s.mu.Lock()
	to, err := x.target(dest)
	if err == nil {
		x.of(set, func(_ uint32, m *mail) {
			data.SourceUIDs.AddNum(m.uid)
			x.s.move(m, x.address, to.name)
			data.DestUIDs.AddNum(m.uid)
			moved = append(moved, m)
		})
	}
	x.s.mu.Unlock()
	if err != nil || len(moved) == 0 {
		return err
	}
	if err := w.WriteCopyData(data); err != nil {
		return err
	}
	if to.name != junk {
		return nil
	}
	for _, m := range moved {
		if err := x.s.complain(x.address, m); err != nil {
			x.s.cfg.Logger.Warn("a complaint was not heard", "error", err)
		}
	}
	return nil
}
