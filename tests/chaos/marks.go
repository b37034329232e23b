//go:build unix

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// judgeMarks: when a mark was moved, every message before it was in a mail that had
// arrived; a read mark besides needs the newest of those mails to have been opened. A
// message that was written after the gateway had asked the chat for later ones, and
// before the chat moved the mark, is not held against it: the chat's call has no time.
// At the end the delivered mark covers everything, and the read mark does if the newest
// mail was answered. A message that is not to reach him lies
// under a mark only if a later one reached him: the chat has one mark for all.
func (w *world) judgeMarks(r *report, c *channel, user string, messages []*said, members map[string]member, box *inbox) {
	w.books.mu.Lock()
	defer w.books.mu.Unlock()
	var marks []marking
	for _, m := range w.books.marks {
		if m.channel == c.url && m.user == user {
			marks = append(marks, m)
		}
	}
	for _, mark := range marks {
		w.judgeMark(r, mark, user, messages, box)
	}
	var last *said
	for _, m := range messages {
		if m.User.ID == user {
			continue
		}
		if last = m; w.books.spared[m.tok+" "+user] {
			last = nil
		}
	}
	if last == nil {
		return
	}
	if members[user].Delivered < last.Created {
		r.unmarked++
		r.violate(last.ID.String(), "not marked", fmt.Sprintf("%s is in the mailbox of %s but not marked as delivered", last.tok, user))
	}
	if members[user].Read < last.Created && w.books.answeredMail(user, box, last) {
		r.unmarked++
		r.violate(last.ID.String(), "not marked", fmt.Sprintf("%s was answered by %s but is not marked as read", last.tok, user))
	}
}

// answeredMail tells whether somebody answered the mail in which a message came to him.
func (b *books) answeredMail(user string, box *inbox, m *said) bool {
	mails := box.byToken[m.tok]
	return len(mails) > 0 && slices.ContainsFunc(b.replies, func(a reply) bool {
		to := box.byToken["m"+strings.TrimSuffix(a.token[1:], "-"+a.user)]
		return a.user == user && len(to) > 0 && to[0] == mails[0]
	})
}

func (w *world) judgeMark(r *report, mark marking, user string, messages []*said, box *inbox) {
	var newest *mailed
	var newestOf, spared *said
	for _, m := range messages {
		if m.User.ID == user || m.Created >= mark.began.UnixMilli() {
			continue
		}
		if w.books.spared[m.tok+" "+user] {
			spared = m
			continue
		}
		var in *mailed
		if mails := box.byToken[m.tok]; len(mails) > 0 && mails[0].Received.Before(mark.began) {
			in = mails[0]
			newest, newestOf, spared = in, m, nil
			continue
		}
		switch {
		case w.raced(mark, m):
			r.raced++
		case w.books.unknownAt(m, mark.began):
			r.unknown++
			r.violate(m.ID.String(), "mark over unheard", fmt.Sprintf("at %s %s was marked as %s for %s before its webhook was accepted", mark.began.Format("15:04:05.000"), m.tok, markWord(mark), user))
		default:
			r.wrong++
			r.violate(m.ID.String(), "wrong mark", fmt.Sprintf("at %s %s was marked as %s for %s, who did not have it", mark.began.Format("15:04:05.000"), m.tok, markWord(mark), user))
		}
	}
	if spared != nil && !w.raced(mark, spared) {
		r.wrong++
		r.violate(spared.ID.String(), "wrong mark", fmt.Sprintf("at %s %s was marked as %s for %s, who does not get it and has nothing later", mark.began.Format("15:04:05.000"), spared.tok, markWord(mark), user))
	}
	if !mark.read || newest == nil {
		return
	}
	if at := w.books.opened[address(user)][newest.MessageID]; at.IsZero() || at.After(mark.began) {
		if w.raced(mark, newestOf) {
			r.raced++
			return
		}
		r.wrong++
		r.violate(newestOf.ID.String(), "wrong mark", fmt.Sprintf("at %s %s was marked as read for %s, who had not opened it", mark.began.Format("15:04:05.000"), newestOf.tok, user))
	}
}

func markWord(m marking) string {
	if m.read {
		return "read"
	}
	return "delivered"
}

// raceWindow is how long before a mark the gateway may have asked for later messages:
// its turn for the call, and what slows calls down here. In a story nothing does.
func (w *world) raceWindow() time.Duration {
	if w.opt.stop != nil {
		return 2 * time.Second
	}
	return 6 * time.Second
}

// raced tells whether the process that moved the mark may have asked for later messages
// just before this one was written.
func (w *world) raced(mark marking, m *said) bool {
	lists := w.books.lists
	for i := len(lists) - 1; i >= 0; i-- {
		l := lists[i]
		if mark.began.Sub(l.began) > w.raceWindow() {
			return false
		}
		if l.from != mark.from || l.channel != mark.channel || l.began.After(mark.began) || l.began.UnixMilli() > m.Created || l.since > m.Created {
			continue
		}
		return true
	}
	return false
}

// unknownAt tells whether the gateway had not accepted a message's webhook yet: it
// could know of it only by asking, which it has to before it moves a mark.
func (b *books) unknownAt(m *said, when time.Time) bool {
	a := b.acks["chat "+strings.TrimSpace(m.ID.String())]
	return a == nil || a.taken.IsZero() || a.taken.After(when)
}
