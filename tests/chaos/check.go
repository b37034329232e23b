//go:build unix

package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox"
)

// said is a message as the chat holds it.
type said struct {
	ID      jsonNumber `json:"message_id"`
	Type    string
	Message string
	Created int64 `json:"created_at"`
	User    struct {
		ID string `json:"user_id"`
	}
	File struct {
		Name string
		Size int
	}
	tok string
}

// member is somebody of a channel, with his marks.
type member struct {
	ID        string `json:"user_id"`
	Read      int64  `json:"read_ts"`
	Delivered int64  `json:"delivered_ts"`
}

// mailed is a mail as it lies in a mailbox.
type mailed struct {
	mailbox.Message
	nth    int // in the order in which the provider took them
	tokens []string
}

// inbox is what a person got in one conversation.
type inbox struct {
	user    string
	mails   []*mailed
	byToken map[string][]*mailed
}

// judge compares what was put in with what came out.
func (w *world) judge(ctx context.Context) *report {
	r := &report{w: w}
	st, err := w.status(ctx)
	if err != nil { // it came to its kill point only now, on its rounds
		w.rest(ctx)
		st, err = w.status(ctx)
	}
	if w.unrest != "" {
		r.violate("", "no rest", w.unrest)
	}
	if err != nil {
		r.violate("", "no status", err.Error())
	}
	if r.status = st; st.Dead > 0 {
		r.violate("", "dead", fmt.Sprintf("%d jobs were given up", st.Dead))
	}
	for _, state := range []string{"queued", "sending", "unsure"} {
		if n := st.Deliveries[state]; n > 0 {
			r.violate("", "stuck", fmt.Sprintf("%d mails are %s though nothing is to be done", n, state))
		}
	}
	if n := w.strikes.n["ended by itself"]; n > 0 {
		r.violate("", "ended", fmt.Sprintf("a process ended by itself %d times", n))
	}
	w.judgeLogs(r)
	order := w.takenOrder(r)
	boxes := w.inboxes(r, order)
	for _, c := range w.channels {
		messages, members, err := w.channelState(ctx, c)
		if err != nil {
			r.violate("", "no state", err.Error())
			continue
		}
		r.messages += len(messages)
		for _, u := range w.away {
			if n := len(boxes[u][c.n].mails); n > 0 && !slices.Contains(c.away, u) {
				r.violate("", "somebody else's", fmt.Sprintf("%s, who is not there, has %d mails of %s", u, n, c.url))
			}
		}
		for _, u := range c.away {
			box := boxes[u][c.n]
			w.judgeMail(r, c, u, messages, box)
			w.judgeChanges(r, c, u, messages, box)
			w.judgeMarks(r, c, u, messages, members, box)
		}
		w.judgeReplies(r, c, messages)
	}
	w.count(r)
	w.explain(ctx, r)
	return r
}

// judgeLogs: no process panicked, also where it may have ended for want of its disk.
func (w *world) judgeLogs(r *report) {
	for _, one := range w.replicas {
		b, err := os.ReadFile(one.logFile())
		if err != nil {
			r.violate("", "no log", err.Error())
		}
		for line := range bytes.Lines(b) {
			if panicked.Match(line) {
				r.violate("", "panic", fmt.Sprintf("%s: %s", one.logFile(), bytes.TrimSpace(line)))
			}
		}
	}
}

// panicked is what the runtime says, or who caught it.
var panicked = regexp.MustCompile(`^panic: |^fatal error: |^WARNING: DATA RACE|panic serving|panicked`)

// takenOrder numbers the mails in the order in which the provider took them; a
// Message-ID that it took twice is a violation.
func (w *world) takenOrder(r *report) map[string]int {
	order := map[string]int{}
	for i, m := range w.mail.Messages() {
		id := strings.Trim(m.MessageID, "<>")
		if _, twice := order[id]; twice {
			r.violate(id, "mailed twice", "the provider took this Message-ID twice")
			r.twice++
			continue
		}
		order[id] = i
	}
	r.mails = len(order)
	return order
}

// inboxes sorts all mails by person and channel.
func (w *world) inboxes(r *report, order map[string]int) map[string]map[int]*inbox {
	out := map[string]map[int]*inbox{}
	for _, u := range w.away {
		out[u] = map[int]*inbox{}
		for _, c := range w.channels {
			out[u][c.n] = &inbox{user: u, byToken: map[string][]*mailed{}}
		}
		for _, short := range w.people.Messages(address(u)) {
			full, _ := w.people.Message(address(u), short.ID)
			toks := tokensOf(full)
			if !full.Sent && len(toks) == 0 && !w.books.wordless {
				r.violate(full.MessageID, "empty", "a mail to "+u+" has nothing of anybody's in it")
			}
			if full.Sent || len(toks) == 0 {
				continue
			}
			for _, f := range full.Files {
				if token.MatchString(f.Filename) && f.Size != int64(len(fileContent)) && !strings.Contains(f.Filename, "-f") {
					r.violate(full.MessageID, "cut short", fmt.Sprintf("%s came to %s with %d bytes", f.Filename, u, f.Size))
				}
			}
			m := &mailed{Message: full, nth: order[strings.Trim(full.MessageID, "<>")], tokens: toks}
			var n int
			_, _ = fmt.Sscanf(toks[0][2:4], "%d", &n) // the pattern has digits there
			box := out[u][n]
			box.mails = append(box.mails, m)
			for _, t := range toks {
				box.byToken[t] = append(box.byToken[t], m)
			}
		}
		for _, box := range out[u] {
			slices.SortStableFunc(box.mails, func(a, b *mailed) int { return cmp.Compare(a.nth, b.nth) })
		}
	}
	return out
}

// channelState gives a channel's messages that have a token and were not deleted, and its
// members.
func (w *world) channelState(ctx context.Context, c *channel) (messages []*said, members map[string]member, err error) {
	all, members, err := w.everything(ctx, c)
	for _, m := range all {
		if m.tok = token.FindString(m.Message + " " + m.File.Name); m.tok != "" && !w.books.deleted(m.tok) {
			messages = append(messages, m)
		}
	}
	return messages, members, err
}

// everything gives all of a channel.
func (w *world) everything(ctx context.Context, c *channel) (messages []*said, members map[string]member, err error) {
	var state struct {
		Channels []struct {
			URL      string `json:"channel_url"`
			Messages []*said
			Members  []member
		}
	}
	err = w.api(ctx, http.MethodGet, w.chatURL+"/_emulator/state?messages=10000&channel_url="+url.QueryEscape(c.url), nil, &state)
	members = map[string]member{}
	for _, ch := range state.Channels {
		messages = append(messages, ch.Messages...)
		for _, m := range ch.Members {
			members[m.ID] = m
		}
	}
	return messages, members, err
}

// spare says that a message is not to reach somebody.
func (b *books) spare(tok, user string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spared[tok+" "+user] = true
}

func (b *books) spares(tok, user string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.spared[tok+" "+user]
}

func (b *books) deleted(tok string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changes[tok].deleted
}

// judgeMail: each message of somebody else stands in exactly one mail, and in order, and
// none of his own; and nobody who is not there has any.
func (w *world) judgeMail(r *report, c *channel, user string, messages []*said, box *inbox) {
	var wanted []*said
	for _, m := range messages {
		if m.User.ID == user && len(box.byToken[m.tok]) > 0 {
			r.violate(m.ID.String(), "echo", fmt.Sprintf("%s came back to %s, who wrote it", m.tok, user))
		}
		if m.User.ID == user || w.books.spares(m.tok, user) {
			continue
		}
		wanted = append(wanted, m)
		r.expected++
		switch mails := box.byToken[m.tok]; {
		case len(mails) == 0:
			r.lost++
			r.violate(m.ID.String(), "lost", fmt.Sprintf("%s of %s was never mailed to %s", m.tok, m.User.ID, user))
		case len(mails) > 1:
			r.twice++
			r.violate(m.ID.String(), "twice", fmt.Sprintf("%s was mailed to %s %d times", m.tok, user, len(mails)))
		}
	}
	for i, m := range wanted {
		late := 0
		for _, later := range wanted[i+1:] {
			if !w.swapped(box, m, later) {
				continue
			}
			if w.hadToWait(user, m, later, messages, box) {
				late = 0
				r.disorder++
				r.violate(later.ID.String(), "out of order", fmt.Sprintf("%s came to %s before %s", later.tok, user, m.tok))
				break
			}
			late = 1
		}
		r.late += late
	}
}

// hadToWait tells whether a message that was mailed before an earlier one should not have
// been: they stand in one mail, which is sorted; or the earlier one was accepted before it
// came, or within its quiet window, with nothing else in the lane that could have taken it
// along sooner.
func (w *world) hadToWait(user string, earlier, later *said, messages []*said, box *inbox) bool {
	mail := box.byToken[later.tok][0]
	if box.byToken[earlier.tok][0] == mail || w.books.inOrder("chat "+earlier.ID.String(), "chat "+later.ID.String()) {
		return true
	}
	w.books.mu.Lock()
	defer w.books.mu.Unlock()
	x, y := w.books.acks["chat "+earlier.ID.String()], w.books.acks["chat "+later.ID.String()]
	if x == nil || y == nil || x.taken.IsZero() || y.taken.IsZero() {
		return false
	}
	over := y.came.Add(w.opt.Delay)
	return x.taken.Before(over) && !mail.Received.Before(over) && !w.laneBusy(user, later.tok, ack{y.came, over}, messages, box)
}

// swapped tells whether a message was mailed before one that was written earlier.
func (w *world) swapped(box *inbox, earlier, later *said) bool {
	a, b := box.byToken[earlier.tok], box.byToken[later.tok]
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	if a[0] != b[0] {
		return a[0].nth > b[0].nth
	}
	i, j := strings.Index(a[0].Text, earlier.tok), strings.Index(a[0].Text, later.tok)
	return i >= 0 && j >= 0 && i > j
}

// inOrder tells whether the gateway accepted one webhook before the other came at all.
func (b *books) inOrder(first, second string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, y := b.acks[first], b.acks[second]
	return x != nil && y != nil && !x.taken.IsZero() && x.taken.Before(y.came)
}

// judgeReplies: each answer stands in the chat once, as the person's, its files behind
// it and whole, and in the order in which the mails were accepted; and nothing else does.
func (w *world) judgeReplies(r *report, c *channel, messages []*said) {
	places := map[string][]int{}
	for i, m := range messages {
		places[m.tok] = append(places[m.tok], i)
	}
	byUser, known := map[string][]reply{}, map[string]bool{}
	prefix := fmt.Sprintf("r-%02d-", c.n)
	w.books.mu.Lock()
	replies := slices.Clone(w.books.replies)
	w.books.mu.Unlock()
	for _, a := range replies {
		if strings.HasPrefix(a.token, prefix) {
			byUser[a.user] = append(byUser[a.user], a)
			known[a.token] = true
			w.judgeReply(r, a, messages, places)
		}
	}
	for tok := range places {
		if mail, _, _ := strings.Cut(tok, "-f"); strings.HasPrefix(tok, "r-") && !known[mail] {
			r.violate("", "unwanted", tok+" was posted, and should not have been")
		}
	}
	for _, as := range byUser {
		w.judgeReplyOrder(r, as, places)
	}
}

func (w *world) judgeReply(r *report, a reply, messages []*said, places map[string][]int) {
	r.replies++
	last := -1
	for part := -1; part < len(a.files); part++ {
		tok := a.part(part)
		r.parts++
		at := places[tok]
		switch {
		case len(at) == 0:
			r.lost++
			r.violate(a.messageID, "lost", tok+" was never posted")
			continue
		case len(at) > 1:
			r.twice++
			r.violate(a.messageID, "twice", fmt.Sprintf("%s was posted %d times", tok, len(at)))
		}
		m := messages[at[0]]
		if m.User.ID != a.user {
			r.violate(a.messageID, "somebody else's", tok+" was posted as "+m.User.ID)
		}
		if part >= 0 && m.File.Size != a.files[part] && (a.files[part] != refusedFile || m.Type == "FILE") {
			r.violate(a.messageID, "cut short", fmt.Sprintf("%s was posted with %d bytes of %d", tok, m.File.Size, a.files[part]))
		}
		if at[0] < last {
			r.disorder++
			r.violate(a.messageID, "out of order", tok+" stands before what precedes it in its mail")
		}
		last = at[0]
	}
}

// part is the token of one of a reply's files, or of its words (-1).
func (a reply) part(n int) string {
	if n < 0 {
		return a.token
	}
	return fmt.Sprintf("%s-f%d", a.token, n)
}

func (w *world) judgeReplyOrder(r *report, as []reply, places map[string][]int) {
	for i, a := range as {
		for _, b := range as[i+1:] {
			first, second := a, b
			if w.books.inOrder("mail "+b.messageID, "mail "+a.messageID) {
				first, second = b, a
			} else if !w.books.inOrder("mail "+a.messageID, "mail "+b.messageID) {
				continue
			}
			y := places[second.token]
			for part := -1; part < len(first.files); part++ { // all of one mail, then the next
				if x := places[first.part(part)]; len(x) > 0 && len(y) > 0 && x[0] > y[0] {
					r.disorder++
					r.violate(second.messageID, "out of order", second.token+" was posted before "+first.part(part)+", which was accepted before it came")
				}
			}
		}
	}
}

// count fills in what is not a promise but worth knowing.
func (w *world) count(r *report) {
	w.books.mu.Lock()
	defer w.books.mu.Unlock()
	for _, state := range w.books.gaveUp {
		if state == "lost" {
			r.webhooksLost++
		} else {
			r.webhooksDropped++
		}
	}
	r.marks = len(w.books.marks)
	r.unaccepted = 0
	for key, a := range w.books.acks {
		if strings.HasPrefix(key, "chat ") && a.taken.IsZero() {
			r.unaccepted++
		}
	}
}

// explain fetches the gateway's notes on the first violations.
func (w *world) explain(ctx context.Context, r *report) {
	for i := range r.violations {
		v := &r.violations[i]
		if i >= 5 || v.ref == "" {
			continue
		}
		refs := []string{v.ref, v.ref + "@", ""}
		if id, _, ok := strings.Cut(v.ref, "@"); ok {
			refs[1] = id // of a mail of ours: the delivery
		}
		seen := map[string]bool{}
		for len(refs) > 0 && len(seen) < 12 {
			ref := refs[0]
			refs = refs[1:]
			if ref == "" || seen[ref] {
				continue
			}
			seen[ref] = true
			var out struct{ Notes []note }
			if w.api(ctx, http.MethodGet, w.replicas[0].url+"/api/v1/explain/"+url.PathEscape(ref), nil, &out) != nil {
				continue
			}
			for _, n := range out.Notes {
				v.notes = append(v.notes, n)
				refs = append(refs, n.Ref, n.Ref2)
			}
		}
		slices.SortFunc(v.notes, func(a, b note) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.String(), b.String())) })
		v.notes = slices.CompactFunc(v.notes, func(a, b note) bool { return a.At.Equal(b.At) && a.String() == b.String() })
	}
}

// note is what the gateway says of what it did.
type note struct {
	ID                                          int64
	At                                          time.Time
	What, Why, Channel, User, Ref, Ref2, Detail string
}

func (n note) String() string {
	return fmt.Sprintf("%s %s: %s user=%s ref=%s ref2=%s %s", n.At.Format("15:04:05.000"), n.What, n.Why, n.User, n.Ref, n.Ref2, n.Detail)
}
