package setup

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
)

// fakePart is a platform with changes that note that they were carried out.
type fakePart struct {
	fakeProvider
	err error
}

func (*fakePart) Name() string { return "Chat" }
func (p *fakePart) Plan(context.Context) ([]postern.Change, error) {
	return p.changes, p.err
}

// bench is a run in which everything is a fake.
type bench struct {
	mail *fakeProvider
	chat *fakePart
	zone *fakeZone
	talk *fakeTalk
	done []string
	cfg  Config
	path string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{mail: &fakeProvider{records: wantedRecords()}, chat: &fakePart{}, zone: newFakeZone(), talk: &fakeTalk{}}
	b.mail.changes = []postern.Change{b.change("domain", nil), b.change("late/route", nil)}
	b.chat.changes = []postern.Change{b.change("hook", nil)}
	d := newTestDNS(t, b.zone, func(c *DNSConfig) { c.Source, c.Owner = b.mail, b.mail })
	b.path = filepath.Join(t.TempDir(), "setup", "snapshot.jsonl")
	j, err := OpenJournal(b.path, fixedNow)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	b.cfg = Config{Provider: b.mail, DNS: d, Platform: b.chat, Journal: j, Talk: b.talk, Poll: time.Microsecond, Again: time.Microsecond}
	return b
}

// change is one that fails with errs, one after another, before it works.
func (b *bench) change(key string, errs ...error) postern.Change {
	return postern.Change{Key: key, Sign: postern.Add, Title: key, Before: []byte(`{}`), Apply: func(context.Context) error {
		if len(errs) > 0 && errs[0] != nil {
			err := errs[0]
			errs = errs[1:]
			return err
		}
		b.done = append(b.done, key)
		return nil
	}}
}

func (b *bench) run(t *testing.T) *Outcome {
	t.Helper()
	r, err := New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	o, err := r.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestRunOrder: domain, DNS, verification, the provider's late steps, the platform last.
func TestRunOrder(t *testing.T) {
	b := newBench(t)
	b.mail.missing = [][]string{{"MX"}, {"MX"}, nil}
	seen := ""
	b.talk.onLine = func(line string) {
		if strings.Contains(line, "Mail does not see yet: MX") {
			seen = strings.Join(b.done, " ")
		}
	}
	o := b.run(t)
	if !o.Complete() || o.Done != 8 || strings.Join(b.done, " ") != "domain late/route hook" || seen != "domain" || b.mail.asked != 3 {
		t.Errorf("%+v, done %q, while waiting %q, verified %d times", o, b.done, seen, b.mail.asked)
	}
	if len(b.talk.asked) != 1 || len(b.cfg.Journal.Standing()) != 8 {
		t.Errorf("asked %q, journal %d", b.talk.asked, len(b.cfg.Journal.Standing()))
	}
}

// TestRunLater: records that are known only when the domain is there are shown and asked
// for then; a no there stops the rest.
func TestRunLater(t *testing.T) {
	for _, answers := range [][]bool{{true, true}, {true, false}, {false}} {
		b := newBench(t)
		b.mail.absent = true
		first := b.mail.changes[0].Apply
		b.mail.changes[0].Apply = func(ctx context.Context) error { b.mail.absent = false; return first(ctx) }
		b.talk.answers = answers
		o := b.run(t)
		all := !strings.Contains(strings.Trim(strings.ReplaceAll(strings.Join(b.done, " "), "domain", ""), " "), "hook")
		if len(b.talk.asked) != len(answers) || o.Refused == answers[len(answers)-1] || all == answers[len(answers)-1] {
			t.Errorf("answers %v: asked %q, done %q, %+v", answers, b.talk.asked, b.done, o)
		}
		if b.talk.plans[0][1].Note == "" {
			t.Error("the first plan does not say that the records come later")
		}
	}
}

// TestRunFailures: what fails stops its part and what rests on it, and is told.
func TestRunFailures(t *testing.T) {
	broken := postern.Errorf(postern.Denied, "fake", "no")
	busy := postern.Errorf(postern.Temporary, "fake", "later")
	tests := []struct {
		name  string
		set   func(b *bench)
		done  string
		check func(o *Outcome) bool
	}{
		{"domain denied", func(b *bench) { b.mail.changes[0] = b.change("domain", broken) }, "", func(o *Outcome) bool { return o.Failed == 1 && len(o.Held) > 0 }},
		{"domain busy twice", func(b *bench) { b.mail.changes[0] = b.change("domain", busy, busy) }, "domain late/route hook", (*Outcome).Complete},
		{"domain busy for ever", func(b *bench) { b.mail.changes[0] = b.change("domain", busy, busy, busy) }, "", func(o *Outcome) bool { return o.Failed == 1 }},
		{"chat cannot be read", func(b *bench) { b.chat.err = broken }, "domain late/route", func(o *Outcome) bool { return o.Conflicts && !o.Complete() }},
		{"route denied", func(b *bench) { b.mail.changes[1] = b.change("late/route", broken) }, "domain hook", func(o *Outcome) bool { return o.Failed == 1 }},
		{"DNS in conflict", func(b *bench) {
			b.zone.records = []postern.DNSRecord{{Name: "mg.example.com", Type: "MX", Value: "aspmx.l.google.com"}}
			b.mail.missing = [][]string{{"MX"}}
		}, "domain", func(o *Outcome) bool {
			return o.Conflicts && reflect.DeepEqual(o.Waiting, []string{"MX"}) && reflect.DeepEqual(o.Held, []string{"Mail: late/route", "Chat: hook"})
		}},
		{"never verified", func(b *bench) { b.mail.missing = [][]string{{"DKIM"}}; b.cfg.Wait = time.Nanosecond }, "domain",
			func(o *Outcome) bool { return reflect.DeepEqual(o.Waiting, []string{"DKIM"}) && len(o.Held) == 2 }},
		{"verification denied", func(b *bench) { b.mail.verify = broken }, "domain", func(o *Outcome) bool { return o.Failed == 1 && len(o.Held) == 2 }},
		{"without DNS", func(b *bench) { b.cfg.DNS = nil; b.mail.missing = [][]string{{"DKIM"}} }, "domain late/route hook", (*Outcome).Complete},
		{"chat alone", func(b *bench) { b.cfg.DNS, b.cfg.Provider = nil, nil }, "hook", (*Outcome).Complete},
		{"servers lag for ever", func(b *bench) { b.zone.lagging = true; b.cfg.Wait = time.Nanosecond }, "domain", func(o *Outcome) bool { return len(o.Waiting) == 5 && len(o.Held) == 2 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			tt.set(b)
			o := b.run(t)
			if strings.Join(b.done, " ") != tt.done || !tt.check(o) {
				t.Errorf("done %q, want %q; %+v, said %q", b.done, tt.done, o, b.talk.said)
			}
		})
	}
}

// TestRunNothingToDo asks nothing, and verifies all the same.
func TestRunNothingToDo(t *testing.T) {
	b := newBench(t)
	b.run(t)
	b.mail.changes, b.chat.changes, b.talk.asked, b.mail.asked = nil, nil, nil, 0
	if o := b.run(t); !o.Complete() || len(b.talk.asked) > 0 || b.mail.asked != 1 {
		t.Errorf("%+v, asked %q, verified %d times", o, b.talk.asked, b.mail.asked)
	}
}

// TestRunCancelled: the context ends a run that waits.
func TestRunCancelled(t *testing.T) {
	b := newBench(t)
	b.mail.missing = [][]string{{"MX"}}
	ctx, cancel := context.WithCancel(t.Context())
	b.talk.onLine = func(line string) {
		if strings.Contains(line, "does not see yet") {
			cancel()
		}
	}
	r, err := New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestRunJournalFirst: what cannot be written down is not done.
func TestRunJournalFirst(t *testing.T) {
	b := newBench(t)
	if err := b.cfg.Journal.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Run(t.Context()); postern.KindOf(err) != postern.Denied || len(b.done) > 0 {
		t.Errorf("%v, done %q", err, b.done)
	}
}

// TestUndo: the newest first; what has changed since stays and is told; a second undo
// tries only what is left.
func TestUndo(t *testing.T) {
	b := newBench(t)
	b.run(t)
	r, err := New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.mail.restore = func(key string) error {
		if key == "late/route" {
			return changed("route")
		}
		return nil
	}
	if p := r.UndoPlan(); p.Count(postern.Remove) != 8 || p[0].Part != "Chat" || p[1].Changes[0].Key != "late/route" {
		t.Errorf("%+v", p)
	}
	o, err := r.Undo(t.Context())
	if err != nil || !o.Conflicts || o.Done != 7 || strings.Join(b.mail.undone, " ") != "domain" || len(b.zone.records) > 0 {
		t.Errorf("%+v %v, undone %q, zone %s", o, err, b.mail.undone, b.zone.text())
	}
	b.mail.restore = nil
	if o, err = r.Undo(t.Context()); err != nil || o.Done != 1 || !o.Complete() {
		t.Errorf("%+v %v", o, err)
	}
	b.talk.asked = nil
	if o, err = r.Undo(t.Context()); err != nil || o.Done != 0 || len(b.talk.asked) > 0 {
		t.Errorf("%+v %v", o, err)
	}
}

func TestUndoRefused(t *testing.T) {
	b := newBench(t)
	b.run(t)
	b.talk.answers = []bool{false}
	r, err := New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := r.Undo(t.Context()); err != nil || !o.Refused || o.Done > 0 || len(b.chat.undone) > 0 {
		t.Errorf("%+v %v", o, err)
	}
}
