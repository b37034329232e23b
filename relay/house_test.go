package relay

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/blob"
	"github.com/postern-chat/postern/internal/seal"
	"github.com/postern-chat/postern/store"
)

const (
	bobsAddress = "bob@people.example"
	domain      = "mg.postern.example"
	channel     = postern.ChannelID("support")
)

// start is a moment like any other, to the millisecond.
func start() time.Time { return time.UnixMilli(1_800_000_000_000).UTC() }

func testKeys(t testing.TB) *seal.Keys {
	t.Helper()
	k, err := seal.Parse(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// house is the rules with the real store, and with a chat and a mail service that do
// what a test tells them.
type house struct {
	*Rules
	t      testing.TB
	now    time.Time
	chat   *fakeChat
	mail   *fakeMail
	ids    int
	buried []string // reasons of jobs that were given up
}

// empty is a database that is up to date and holds nothing: making one anew for every
// test would take most of the time.
var empty = sync.OnceValue(func() []byte {
	dir, err := os.MkdirTemp("", "postern-relay-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "empty.db")
	s, err := store.Open(context.Background(), store.Config{Database: "sqlite:" + file})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		panic(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	return b
})

func newHouse(t testing.TB, set ...func(*Config)) *house {
	t.Helper()
	h := &house{t: t, now: start()}
	dir, now := t.TempDir(), func() time.Time { return h.now }
	file := filepath.Join(dir, "house.db")
	if err := os.WriteFile(file, empty(), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Config{Database: "sqlite:" + file, Now: now, Discarded: Discarded})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	blobs, err := blob.NewDir(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	h.chat = &fakeChat{house: h, name: "Support", files: map[string]string{}, calls: map[string][]outcome{}}
	h.mail = &fakeMail{house: h, calls: map[string][]outcome{}}
	cfg := Config{
		Store: s, Blobs: blobs, Keys: testKeys(t), Platform: h.chat, PlatformName: "fake", Provider: h.mail,
		Domain: domain, PublicURL: "https://postern.example", When: WhenOffline, AttachLimit: 1 << 20,
		Read: ReadHumanOpen, HumanAfter: 20 * time.Second, Strangers: StrangersHold, UnsureAfter: 35 * time.Minute, Now: now,
	}
	for _, f := range set {
		f(&cfg)
	}
	if h.Rules, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	for _, u := range []postern.UserID{"ana", "bob"} {
		h.chat.members = append(h.chat.members, postern.Member{User: postern.User{ID: u, Name: strings.ToUpper(string(u[:1])) + string(u[1:])}, Active: true, Joined: true, Online: u == "ana"})
	}
	h.put(postern.Person{UserID: "bob", Email: bobsAddress, Name: "Bob"})
	return h
}

// fresh begins anew with what was not there before, in the same store: its own platform.
func (h *house) fresh() {
	h.PlatformName = "fake" + h.next()
	h.now = h.now.Add(time.Hour)
	h.chat.messages, h.chat.posts, h.chat.marks = nil, nil, nil
	h.mail.sent, h.mail.tries = nil, nil
	h.put(postern.Person{UserID: "bob", Email: bobsAddress, Name: "Bob"})
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) put(p postern.Person) { h.t.Helper(); h.must(h.Store.PutPeople(h.t.Context(), p)) }

// next is an id that was not used before.
func (h *house) next() string { h.ids++; return strconv.Itoa(1000 + h.ids) }

// settle works all lanes that are due now, until none is.
func (h *house) settle() {
	h.t.Helper()
	for range 1000 {
		leases, err := h.Store.Claim(h.t.Context(), 50)
		h.must(err)
		if len(leases) == 0 {
			return
		}
		for _, l := range leases {
			h.work(l)
		}
	}
	h.t.Fatal("it never comes to rest")
}

// work does what store.Workers do with one lease.
func (h *house) work(l *store.Lease) {
	h.t.Helper()
	ctx := h.t.Context()
	final, err := h.Handle(ctx, l)
	if err == nil {
		err = h.Store.Finish(ctx, l, final)
	}
	if err == nil || store.Lost(err) {
		return
	}
	head := l.Jobs[0]
	kind := postern.KindOf(err)
	h.must(h.Store.Finish(ctx, l, func(tx *store.Tx) error {
		if kind == postern.Permanent || kind == postern.Invalid {
			h.buried = append(h.buried, err.Error())
			return tx.Bury(head, err.Error())
		}
		return tx.Retry(head, tx.Now().Add(time.Second<<min(head.Attempts, 9)))
	}))
}

// pass lets time pass, a little at a time, and works what becomes due.
func (h *house) pass(d time.Duration) {
	h.t.Helper()
	for end := h.now.Add(d); h.now.Before(end); {
		h.settle()
		due, ok, err := h.Store.NextDue(h.t.Context())
		h.must(err)
		if !ok || !due.Before(end) {
			h.now = end
		} else if due.After(h.now) {
			h.now = due
		}
	}
	h.settle()
}

// says has somebody write in the chat; set may change the event before it arrives.
func (h *house) says(user postern.UserID, text string, set ...func(*postern.ChatEvent)) postern.ChatMessage {
	h.t.Helper()
	h.now = h.now.Add(time.Millisecond)
	m := postern.ChatMessage{ID: postern.MessageID(h.next()), Channel: channel, Sender: postern.User{ID: user}, Text: text, CreatedAt: h.now}
	for _, u := range h.chat.members {
		if u.ID == user {
			m.Sender.Name = u.Name
		}
	}
	e := postern.ChatEvent{Kind: postern.MessageSent, Channel: postern.Channel{ID: channel, Name: h.chat.name}, Message: m, Members: slices.Clone(h.chat.members), HasMembers: true}
	for _, f := range set {
		f(&e)
	}
	h.chat.messages = append(h.chat.messages, e.Message)
	h.arrives(e)
	return e.Message
}

// arrives brings a chat event in, as the webhook does; false if nothing is to be done.
func (h *house) arrives(e postern.ChatEvent) bool {
	h.t.Helper()
	plan := h.SortChat(e)
	if plan.Skip != "" {
		return false
	}
	body, err := json.Marshal(e)
	h.must(err)
	_, _, err = h.Store.Record(h.t.Context(), store.Arrival{Source: "fake", Dedup: plan.Dedup, Body: body, Jobs: plan.Jobs, Notes: plan.Notes})
	h.must(err)
	return true
}

// tells brings an event on a mail in.
func (h *house) tells(kind postern.MailEventKind, d sent, set ...func(*postern.MailEvent)) {
	h.t.Helper()
	e := postern.MailEvent{Kind: kind, At: h.now, Delivery: d.Delivery, Participant: d.Participant, MessageID: d.MessageID}
	for _, f := range set {
		f(&e)
	}
	plan := h.SortMailEvent(e)
	if plan.Skip != "" {
		return
	}
	body, err := json.Marshal(e)
	h.must(err)
	_, _, err = h.Store.Record(h.t.Context(), store.Arrival{Source: "mail.events", Dedup: h.next(), Body: body, Jobs: plan.Jobs})
	h.must(err)
	h.settle()
}

// answers brings a mail in; it tells the event's id.
func (h *house) answers(to, raw string, set ...func(*postern.Inbound)) int64 {
	h.t.Helper()
	in := postern.Inbound{Recipient: to, Sender: bobsAddress}
	for _, f := range set {
		f(&in)
	}
	plan, err := h.SortInbound(in)
	h.must(err)
	body, err := json.Marshal(in)
	h.must(err)
	id, _, err := h.Store.Record(h.t.Context(), store.Arrival{Source: "mail.inbound", Dedup: h.next(), Body: body, Content: []byte(raw), Jobs: plan.Jobs})
	h.must(err)
	h.settle()
	return id
}

// letterFrom is a raw mail of one's own words.
func (h *house) letterFrom(from, text string, fields ...string) string {
	head := append([]string{"From: " + from, "To: somebody@" + domain, "Date: " + h.now.Format(time.RFC1123Z), "Message-ID: <" + h.next() + "@people.example>", "Subject: Re: Support"}, fields...)
	return strings.Join(head, "\r\n") + "\r\n\r\n" + strings.ReplaceAll(text, "\n", "\r\n") + "\r\n"
}

// noted tells the reasons of all notes of one kind, in order.
func (h *house) noted(what string) (why []string) {
	h.t.Helper()
	notes, err := h.Store.Lately(h.t.Context(), 1000)
	h.must(err)
	noted, err := h.Store.Notes(h.t.Context(), 0, 1000)
	h.must(err)
	for _, n := range append(notes, noted...) {
		if n.What == what {
			why = append(why, n.Why)
		}
	}
	return why
}

func (h *house) wantNoted(what string, want ...string) {
	h.t.Helper()
	if got := h.noted(what); !slices.Equal(got, want) {
		h.t.Errorf("noted %q: %q, want %q", what, got, want)
	}
}

func (h *house) delivery(s sent) store.Delivery {
	h.t.Helper()
	d, ok, err := h.Store.Delivery(h.t.Context(), s.Delivery)
	if err != nil || !ok {
		h.t.Fatal(s.Delivery, ok, err)
	}
	return d
}

func (h *house) wantState(s sent, want store.DeliveryState) {
	h.t.Helper()
	if got := h.delivery(s).State; got != want {
		h.t.Errorf("the delivery is %v, want %v", got, want)
	}
}

// mailed has one message mailed to Bob and gives the mail.
func (h *house) mailed(text string) sent {
	h.t.Helper()
	n := len(h.mail.sent)
	h.says("ana", text)
	h.settle()
	if len(h.mail.sent) != n+1 {
		h.t.Fatalf("%d mails, want one more than %d; not mailed: %q", len(h.mail.sent), n, h.noted("not mailed"))
	}
	return h.mail.sent[n]
}

func (h *house) held() []store.Held {
	h.t.Helper()
	held, err := h.Store.HeldMail(h.t.Context(), 0, 100)
	h.must(err)
	return held
}

func (h *house) person(u postern.UserID) postern.Person {
	h.t.Helper()
	p, _, err := h.Store.Person(h.t.Context(), u)
	h.must(err)
	return p
}

func messageJobFor(h *house, u postern.UserID) store.LaneJob { return h.messageJob(channel, u) }

// recordJobs records a chat event with jobs of the test's own.
func (h *house) recordJobs(e postern.ChatEvent, dedup string, jobs ...store.LaneJob) {
	h.t.Helper()
	body, err := json.Marshal(e)
	h.must(err)
	_, _, err = h.Store.Record(h.t.Context(), store.Arrival{Source: "fake", Dedup: dedup, Body: body, Jobs: jobs})
	h.must(err)
}

func (h *house) recordPlan(e postern.ChatEvent, dedup string) {
	h.t.Helper()
	h.recordJobs(e, dedup, h.SortChat(e).Jobs...)
}

func (h *house) recordRaw(body string, jobs ...store.LaneJob) {
	h.t.Helper()
	_, _, err := h.Store.Record(h.t.Context(), store.Arrival{Source: "fake", Dedup: h.next(), Body: []byte(body), Jobs: jobs})
	h.must(err)
}
