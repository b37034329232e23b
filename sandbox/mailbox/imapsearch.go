package mailbox

import (
	netmail "net/mail"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/postern-chat/postern/sandbox/mailbox/eml"
)

// Search finds mails. Texts are looked for in what the mail says, decoded.
func (x *reader) Search(kind imapserver.NumKind, c *imap.SearchCriteria, _ *imap.SearchOptions) (*imap.SearchData, error) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	data := &imap.SearchData{}
	var seqs imap.SeqSet
	var uids imap.UIDSet
	x.each(func(seq, maxSeq uint32, m *mail, maxUID imap.UID) {
		if !(found{seq, maxSeq, maxUID, m}).by(c) {
			return
		}
		n := seq
		if kind == imapserver.NumKindUID {
			n = uint32(m.uid)
		}
		seqs.AddNum(seq)
		uids.AddNum(m.uid)
		if data.Count == 0 {
			data.Min = n
		}
		data.Max = n
		data.Count++
	})
	data.All = seqs
	if kind == imapserver.NumKindUID {
		data.All = uids
	}
	return data, nil
}

type found struct {
	seq, maxSeq uint32
	maxUID      imap.UID
	m           *mail
}

// by says whether every criterion holds. It needs Server.mu.
func (f found) by(c *imap.SearchCriteria) bool {
	for _, set := range c.SeqNum {
		if !within(set, f.seq, f.maxSeq, 0, 0) {
			return false
		}
	}
	for _, set := range c.UID {
		if !within(set, 0, 0, f.m.uid, f.maxUID) {
			return false
		}
	}
	for _, flag := range c.Flag {
		if !f.m.flag(flag) {
			return false
		}
	}
	for _, flag := range c.NotFlag {
		if f.m.flag(flag) {
			return false
		}
	}
	for i := range c.Not {
		if f.by(&c.Not[i]) {
			return false
		}
	}
	for i := range c.Or {
		if !f.by(&c.Or[i][0]) && !f.by(&c.Or[i][1]) {
			return false
		}
	}
	return f.when(c) && f.says(c)
}

func (f found) when(c *imap.SearchCriteria) bool {
	size := f.m.raw.Size()
	if c.Larger != 0 && size <= c.Larger || c.Smaller != 0 && size >= c.Smaller || !days(f.m.received, c.Since, c.Before) {
		return false
	}
	if c.SentSince.IsZero() && c.SentBefore.IsZero() {
		return true
	}
	t, err := netmail.ParseDate(f.m.parsed.Header.Get("Date"))
	return err == nil && days(t, c.SentSince, c.SentBefore)
}

// days compares dates without times and zones, RFC 3501 section 6.4.4.
func days(t, since, before time.Time) bool {
	t = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return (since.IsZero() || !t.Before(since)) && (before.IsZero() || t.Before(before))
}

func (f found) says(c *imap.SearchCriteria) bool {
	p := f.m.parsed
	for _, want := range c.Header {
		if !inHeader(p.Header, want.Key, want.Value) {
			return false
		}
	}
	for _, want := range c.Body {
		if !contains(p.Text, want) && !contains(p.HTML, want) {
			return false
		}
	}
	for _, want := range c.Text {
		if !contains(p.Text, want) && !contains(p.HTML, want) && !inHeader(p.Header, "", want) {
			return false
		}
	}
	return true
}

// inHeader looks in the fields of that name, or in all.
func inHeader(h eml.Header, name, want string) bool {
	for _, f := range h {
		if (name == "" || strings.EqualFold(f.Name, name)) && contains(eml.DecodeWords(f.Value), want) {
			return true
		}
	}
	return false
}

func contains(s, want string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(want))
}
