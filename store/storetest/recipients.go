package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// oddities are parts of ids as strangers may send them; in the store some are the same.
var oddities = []string{"", "a", "A", "a\x00", "a\uFFFD", "\xff", "é", "e\u0301", "日本", `"]`, "'; --", "?", "$1", "%", " a", "\u2028", "null", "0"}

// dice fall the same way each time.
type dice uint64

func (d *dice) IntN(n int) int {
	*d = *d*6364136223846793005 + 1442695040888963407
	return int(*d>>33) % n
}

// asked is a question for a recipient.
type asked struct {
	channel  postern.ChannelID
	user     postern.UserID
	messages []postern.MessageID
}

// recipients is a model of what Recipient reads; its keys are ids as they are kept.
type recipients struct {
	s         *store.Store
	people    map[string]bool
	parts     map[[2]string]postern.ParticipantID
	rooms     map[string]store.Conversation
	reads     map[[2]string]int64
	revisions map[[2]string]store.Revision
	ours      map[[2]string]bool
	mailed    map[[3]string]bool
}

func kept(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// fill writes some of everything, chosen by chance.
func (m *recipients) fill(t testing.TB, r *dice) {
	t.Helper()
	ctx := ctxOf(t)
	next := 0
	for _, user := range oddities {
		u := postern.UserID(user)
		if r.IntN(3) > 0 {
			ok(t, m.s.PutPeople(ctx, postern.Person{UserID: u, Email: "x@example.com", Name: "N" + user, Locale: "de", TimeZone: "UTC"}))
			m.people[kept(user)] = true
		}
		do(t, m.s, func(tx *store.Tx) error {
			if !m.people[kept(user)] || r.IntN(3) > 0 {
				return nil
			}
			_, err := tx.StopPerson(u, "x@example.com", postern.StopBounced, "550")
			return err
		})
	}
	for _, channel := range oddities {
		ch := postern.ChannelID(channel)
		do(t, m.s, func(tx *store.Tx) error {
			for _, user := range oddities {
				key := [2]string{kept(channel), kept(user)}
				if r.IntN(3) == 0 {
					at := int64(r.IntN(1000)) + 1
					if err := tx.SawRead("sendbird", ch, postern.ReadMark{User: postern.UserID(user), At: time.UnixMilli(at)}); err != nil {
						return err
					}
					m.reads[key] = max(m.reads[key], at)
				}
				if r.IntN(4) > 0 {
					continue
				}
				next++
				p, err := tx.EnsureParticipant(store.NewConversation{Platform: "sendbird", Channel: ch, Name: "N" + channel, Subject: "S" + channel, RootID: "R" + channel}, postern.UserID(user), postern.ParticipantID(1<<63|uint64(next)))
				if err != nil {
					return err
				}
				if err := tx.Marked(p.ID, true, int64(next)); err != nil {
					return err
				}
				m.parts[key], m.rooms[key[0]] = p.ID, p.Conversation
			}
			for _, message := range oddities {
				if r.IntN(3) > 0 {
					continue
				}
				rev := store.Revision{Removed: r.IntN(2) == 0, Text: "T" + channel + message}
				if err := tx.Revise("sendbird", ch, postern.MessageID(message), rev, time.UnixMilli(5)); err != nil {
					return err
				}
				if old, known := m.revisions[[2]string{kept(channel), kept(message)}]; !known || !old.Removed {
					m.revisions[[2]string{kept(channel), kept(message)}] = store.Revision{Removed: rev.Removed, Text: kept(rev.Text)}
				}
			}
			return nil
		})
	}
	keys := slices.SortedFunc(maps.Keys(m.parts), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	do(t, m.s, func(tx *store.Tx) error {
		for _, key := range keys {
			if err := m.write(tx, r, key, m.parts[key]); err != nil {
				return err
			}
		}
		return nil
	})
	for _, key := range keys {
		id := m.parts[key]
		switch r.IntN(8) {
		case 0:
			ok(t, m.s.SetMuted(ctx, id, true))
		case 1:
			ok(t, m.s.Revoke(ctx, id))
		}
	}
}

// write mails some messages to a participant, and posts some in his conversation.
func (m *recipients) write(tx *store.Tx, r *dice, key [2]string, id postern.ParticipantID) error {
	name := fmt.Sprint("d", uint64(id))
	var mailed []store.Mailed
	for _, message := range oddities {
		if k := [3]string{key[0], key[1], kept(message)}; r.IntN(3) == 0 && !m.mailed[k] {
			m.mailed[k] = true
			mailed = append(mailed, store.Mailed{Message: postern.MessageID(message)})
		}
	}
	if err := tx.AddDelivery(store.Delivery{ID: postern.DeliveryID(name), Participant: id, MessageID: name + "@x", Content: []byte{}}, mailed); err != nil {
		return err
	}
	for i, message := range oddities {
		if r.IntN(5) > 0 {
			continue
		}
		p := store.Post{ID: postern.PostID(fmt.Sprint(name, "/", i)), Batch: name, Seq: i, Conversation: m.rooms[key[0]].ID}
		if err := tx.PlanPosts([]store.Post{p}); err != nil {
			return err
		}
		if err := tx.PostEnds(p.ID, store.Posted, postern.MessageID(message), ""); err != nil {
			return err
		}
		m.ours[[2]string{key[0], kept(message)}] = message != ""
	}
	return nil
}

// want is what is to be told, by the model and by what reads one thing at a time.
func (m *recipients) want(t testing.TB, a asked) (want store.Recipient) {
	t.Helper()
	ctx := ctxOf(t)
	var err error
	channel, user := kept(string(a.channel)), kept(string(a.user))
	key := [2]string{channel, user}
	want.Person, want.Known, err = m.s.Person(ctx, a.user)
	ok(t, err)
	if want.Known != m.people[user] {
		t.Fatalf("%q is known: %v", user, want.Known)
	}
	id, participates := m.parts[key]
	if participates {
		want.Participant, _, err = m.s.Participant(ctx, id)
		ok(t, err)
	}
	if want.Participant.Conversation != (store.Conversation{}) && want.Participant.Conversation != m.rooms[channel] {
		t.Fatalf("%+v is in another conversation", want.Participant)
	}
	want.Participant.ReadAt, want.Participant.Conversation = m.reads[key], m.rooms[channel]
	want.Revisions, want.Mailed, want.Ours = map[postern.MessageID]store.Revision{}, map[postern.MessageID]bool{}, map[postern.MessageID]bool{}
	for _, message := range a.messages {
		if rev, ok := m.revisions[[2]string{channel, kept(string(message))}]; ok {
			want.Revisions[message] = rev
		}
		if m.mailed[[3]string{channel, user, kept(string(message))}] {
			want.Mailed[message] = true
		}
		if participates && m.ours[[2]string{channel, kept(string(message))}] {
			want.Ours[message] = true
		}
	}
	return want
}

func someOf(r *dice) string { return oddities[r.IntN(len(oddities))] }

// messages are some, now and then more than one lease hands out.
func messages(r *dice) (out []postern.MessageID) {
	n := []int{0, 1, 1, 1, 1, 1, 2, 2, 2, 3, 5, 9, 32, 33, 40, 250}[r.IntN(16)]
	for i := range n {
		if r.IntN(3) == 0 {
			out = append(out, postern.MessageID(fmt.Sprint("unheard of ", i)))
		} else {
			out = append(out, postern.MessageID(someOf(r)))
		}
	}
	return out
}

// Whoever asks gets his own answer, whatever others ask for at the same time.
func testRecipients(t *testing.T, b Backend) {
	var said bytes.Buffer // warnings: that a group failed, above all
	s := openAt(t, store.Config{Database: b.Fresh(t), Now: NewClock().Now, Logger: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if b.Closing != nil {
		t.Cleanup(func() { b.Closing(s) })
	}
	r := dice(1)
	m := &recipients{s, map[string]bool{}, map[[2]string]postern.ParticipantID{}, map[string]store.Conversation{}, map[[2]string]int64{}, map[[2]string]store.Revision{}, map[[2]string]bool{}, map[[3]string]bool{}}
	m.fill(t, &r)
	var asks []asked
	var wants []store.Recipient
	for range 150 {
		a := asked{postern.ChannelID(someOf(&r)), postern.UserID(someOf(&r)), messages(&r)}
		if r.IntN(10) == 0 {
			a.channel = "where nothing is"
		}
		if r.IntN(10) == 0 {
			a.user = "nobody"
		}
		asks, wants = append(asks, a), append(wants, m.want(t, a))
	}
	check := func(i int) {
		got, err := s.Recipient(context.Background(), "sendbird", asks[i].channel, asks[i].user, asks[i].messages)
		if err != nil {
			t.Error(err)
			return
		}
		want := wants[i]
		// No map says as much as an empty one.
		if len(got.Revisions) == 0 && len(want.Revisions) == 0 {
			got.Revisions, want.Revisions = nil, nil
		}
		if len(got.Mailed) == 0 && len(want.Mailed) == 0 {
			got.Mailed, want.Mailed = nil, nil
		}
		if len(got.Ours) == 0 && len(want.Ours) == 0 {
			got.Ours, want.Ours = nil, nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v: %s", asks[i], diff)
		}
	}
	for i := range asks {
		check(i) // alone
	}
	var wg sync.WaitGroup
	for range 4 {
		for i := range asks {
			wg.Go(func() { check(i) })
		}
	}
	wg.Wait()
	if said.Len() > 0 {
		t.Errorf("the store said: %s", said.String())
	}
	other, err := s.Recipient(ctxOf(t), "another platform", asks[0].channel, asks[0].user, nil)
	if err != nil || other.Participant != (store.Participant{}) {
		t.Errorf("at another platform: %+v, %v", other.Participant, err)
	}
}

// Each sees what was committed before he asked, however many write and ask at once.
func testRecipientsSeeCommitted(t *testing.T, b Backend) {
	s, _ := open(t, b)
	var wg sync.WaitGroup
	for i := range 20 {
		user := postern.UserID(fmt.Sprint("user", i))
		wg.Go(func() {
			for n := range int64(10) {
				id := postern.MessageID(fmt.Sprint("m", n))
				err := s.Do(context.Background(), func(tx *store.Tx) error {
					if err := tx.Revise("p", postern.ChannelID(user), id, store.Revision{Text: string(id)}, time.UnixMilli(1)); err != nil {
						return err
					}
					return tx.SawRead("p", postern.ChannelID(user), postern.ReadMark{User: user, At: time.UnixMilli(n + 1)})
				})
				if err != nil {
					t.Error(err)
				}
				got, err := s.Recipient(context.Background(), "p", postern.ChannelID(user), user, []postern.MessageID{id})
				if err != nil || got.Participant.ReadAt != n+1 || got.Revisions[id].Text != string(id) {
					t.Errorf("after read mark %d: %+v, %v", n+1, got, err)
				}
			}
		})
	}
	wg.Wait()
}

// Who has stopped waiting is told so, others are answered; after Close nobody waits.
func testRecipientsEnd(t *testing.T, b Backend) {
	s, _ := open(t, b)
	ask := func(ctx context.Context) error {
		_, err := s.Recipient(ctx, "p", "c", "u", []postern.MessageID{"m"})
		return err
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if err := ask(gone); !errors.Is(err, context.Canceled) || postern.KindOf(err) != postern.Temporary {
		t.Errorf("asked in a context that has ended: %v", err)
	}
	var wg sync.WaitGroup
	going, leave := context.WithCancel(context.Background())
	defer leave()
	for i := range 200 {
		wg.Go(func() {
			if i == 100 {
				leave()
			}
			if i%2 == 0 {
				if err := ask(going); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				return
			}
			if err := ask(context.Background()); err != nil {
				t.Errorf("a neighbour's context ended: %v", err)
			}
		})
	}
	wg.Wait()
	for range 100 {
		wg.Go(func() {
			for {
				err := ask(context.Background())
				if err == nil {
					continue
				}
				if postern.KindOf(err) != postern.Temporary {
					t.Errorf("while the store closes: %v", err)
				}
				return
			}
		})
	}
	ok(t, ask(context.Background()))
	ok(t, s.Close())
	wg.Wait()
}
