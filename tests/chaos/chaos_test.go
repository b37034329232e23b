//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/internal/pgtest"
)

// The short run, for CI: the whole thing on both databases, a few kills each.
func TestShort(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "postern")
	if err := build(t.Context(), binary); err != nil {
		t.Fatal(err)
	}
	o := options{Seed: 7, Kills: 6, For: 6 * time.Second, Rate: 4, Delay: 200 * time.Millisecond, Unsure: 3 * time.Second, Channels: 4, Drop: 0.05, Binary: binary}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		o := o
		o.Database = "sqlite"
		short(t, o)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		o := o
		o.Database, o.Replicas, o.Seed = pgtest.Start(t), 2, 8
		short(t, o)
	})
}

func short(t *testing.T, o options) {
	t.Helper()
	r, err := run(t.Context(), o, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	r.print(t.Output())
	if r.broken() {
		t.Errorf("%d promises broken", len(r.violations))
	}
	if n := r.w.kills.total(); n < o.Kills {
		t.Errorf("killed %d times, not %d", n, o.Kills)
	}
	if r.expected == 0 || r.parts == 0 {
		t.Errorf("too little was put in to tell anything: %d mails, %d answers", r.expected, r.parts)
	}
}

// sayings makes messages of one channel, a second apart.
func sayings(user string, toks ...string) (out []*said) {
	for i, tok := range toks {
		m := &said{ID: jsonNumber(tok), Created: int64(i+1) * 1000, tok: tok}
		if strings.Contains(tok, "-f") {
			m.File.Size = 7
		}
		m.User.ID = user
		out = append(out, m)
	}
	return out
}

// boxOf puts mails into an inbox, each with its tokens.
func boxOf(mails ...string) *inbox {
	b := &inbox{byToken: map[string][]*mailed{}}
	for i, text := range mails {
		m := &mailed{nth: i}
		m.Text, m.Received, m.MessageID = text, time.UnixMilli(int64(i+1)*10_000), text
		for _, t := range tokensOf(m.Message) {
			b.byToken[t] = append(b.byToken[t], m)
		}
		b.mails = append(b.mails, m)
	}
	return b
}

const one, two, three = "m-00-00001", "m-00-00002", "m-00-00003"

func judged(t *testing.T) (*world, *report) {
	t.Helper()
	w := &world{}
	w.books.init()
	return w, &report{w: w}
}

func (b *books) accept(key string, came, taken int64) {
	b.acks[key] = &ack{time.UnixMilli(came), time.UnixMilli(taken)}
}

// The judge finds what he is there for.
func TestJudgeMail(t *testing.T) {
	tests := []struct {
		name                  string
		mails                 []string
		first                 int64 // when the first was accepted; 0 = before the second came
		lost, twice, disorder int
		late                  int
	}{
		{"all is well", []string{one, two + " " + three}, 0, 0, 0, 0, 0},
		{"lost", []string{one, three}, 0, 1, 0, 0, 0},
		{"twice", []string{one, two + " " + three, two}, 0, 0, 1, 0, 0},
		{"out of order", []string{two, one, three}, 0, 0, 0, 1, 0},
		{"out of order in one mail", []string{one, three + " " + two}, 0, 0, 0, 1, 0},
		{"accepted out of order", []string{two, one, three}, 900, 0, 0, 0, 1},
		{"accepted out of order, in one mail", []string{two + " " + one, three}, 900, 0, 0, 1, 0},
		{"accepted within the other's quiet window", []string{two, one, three}, 300, 0, 0, 1, 0},
		{"accepted out of order with one, in order with another", []string{two, three, one}, 900, 0, 0, 1, 0},
		{"his own comes back", []string{one, two, three + " m-00-00009"}, 0, 0, 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, r := judged(t)
			w.opt.Delay = 250 * time.Millisecond
			w.books.accept("chat "+one, 110, 150)
			w.books.accept("chat "+two, 100, 250)
			w.books.accept("chat "+three, 1000, 1050)
			if tt.first != 0 {
				w.books.accept("chat "+one, 110, tt.first)
			} else {
				w.books.accept("chat "+two, 200, 250)
			}
			w.judgeMail(r, &channel{}, "bea", append(sayings("wim", one, two, three), sayings("bea", "m-00-00009")...), boxOf(tt.mails...))
			echo := 0
			if strings.Contains(tt.mails[len(tt.mails)-1], "m-00-00009") {
				echo = 1
			}
			if r.lost != tt.lost || r.twice != tt.twice || r.disorder != tt.disorder || r.late != tt.late || len(r.violations) != tt.lost+tt.twice+tt.disorder+echo {
				t.Errorf("lost %d, twice %d, out of order %d, late %d; %v", r.lost, r.twice, r.disorder, r.late, r.violations)
			}
		})
	}
}

func TestJudgeReplies(t *testing.T) {
	const a, b = "r-00-00001-bea", "r-00-00002-bea"
	tests := []struct {
		name                  string
		user                  string
		posts                 []string
		lost, twice, disorder int
	}{
		{"all is well", "bea", []string{a, a + "-f0", b}, 0, 0, 0},
		{"a part is lost", "bea", []string{a, b}, 1, 0, 0},
		{"a part twice", "bea", []string{a, a + "-f0", a + "-f0", b}, 0, 1, 0},
		{"parts out of order", "bea", []string{a + "-f0", a, b}, 0, 0, 1},
		{"mails out of order", "bea", []string{b, a, a + "-f0"}, 0, 0, 2},
		{"a file behind the next mail", "bea", []string{a, b, a + "-f0"}, 0, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, r := judged(t)
			w.books.answered(a, "bea", "a@x", 7)
			w.books.answered(b, "bea", "b@x")
			w.books.accept("mail a@x", 0, 50)
			w.books.accept("mail b@x", 100, 150)
			w.judgeReplies(r, &channel{}, sayings(tt.user, tt.posts...))
			if r.lost != tt.lost || r.twice != tt.twice || r.disorder != tt.disorder || len(r.violations) != tt.lost+tt.twice+tt.disorder {
				t.Errorf("lost %d, twice %d, out of order %d; %v", r.lost, r.twice, r.disorder, r.violations)
			}
		})
	}
	for what, posts := range map[string][]*said{
		"posted as somebody else":   sayings("cem", b),
		"posted and not to be":      sayings("bea", b, a),
		"a file of it not to be":    sayings("bea", b, a+"-f0"),
		"a file that was cut short": append(sayings("bea", b), file("bea", b+"-f0", 6)),
	} {
		w, r := judged(t)
		w.books.answered(b, "bea", "b@x")
		if strings.Contains(what, "cut") {
			w.books.replies[0].files = []int{7}
		}
		if w.judgeReplies(r, &channel{}, posts); len(r.violations) != 1 {
			t.Errorf("%s: %v", what, r.violations)
		}
	}
}

func file(user, tok string, size int) *said {
	m := sayings(user, tok)[0]
	m.File.Size = size
	return m
}

func TestJudgeChanges(t *testing.T) {
	tests := []struct {
		name           string
		mails          []string
		deleted        bool
		taken          int64 // when the change was accepted; the window ends at 1000
		twice, violate int
	}{
		{"mailed as edited", []string{one, two + amended}, false, 900, 0, 0},
		{"mailed as it was", []string{one, two + ", as promised"}, false, 900, 0, 1},
		{"edited too late", []string{one, two + ", as promised"}, false, 1100, 0, 0},
		{"not mailed", []string{one}, true, 900, 0, 0},
		{"mailed though deleted", []string{one, two}, true, 900, 0, 1},
		{"deleted too late", []string{one, two}, true, 1100, 0, 0},
		{"deleted too late, mailed twice", []string{one, two, two}, true, 1100, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, r := judged(t)
			w.opt.Delay = 400 * time.Millisecond
			w.books.accept("chat "+one, 100, 150)
			w.books.accept("chat "+two, 600, 650)
			ch := change{id: two, deleted: tt.deleted}
			w.books.changes[two] = ch
			w.books.accept(ch.key(), 700, tt.taken)
			box := boxOf(tt.mails...)
			box.mails[0].Received = time.UnixMilli(500)
			w.judgeChanges(r, &channel{}, "bea", sayings("wim", one, two), box)
			if r.twice != tt.twice || len(r.violations) != tt.violate {
				t.Errorf("twice %d, %v", r.twice, r.violations)
			}
		})
	}
}

func TestJudgeMarks(t *testing.T) {
	at := time.UnixMilli
	tests := []struct {
		name                  string
		mark                  int64 // when
		read                  bool
		opened                int64 // when the newest mail was
		list                  int64 // when the gateway asked for what came after the first message
		from                  int   // which process asked; 0 moves the mark
		late                  bool  // the second message's webhook was accepted later
		wrong, raced, unknown int
	}{
		{"delivered, all there", 25_000, false, 0, 0, 0, false, 0, 0, 0},
		{"delivered too early", 15_000, false, 0, 0, 0, false, 1, 0, 0},
		{"overtaken", 2100, false, 0, 1900, 0, false, 1, 1, 0}, // the first is not there either
		{"overtaken while another asked", 2100, false, 0, 1900, 1, false, 2, 0, 0},
		{"unheard of", 15_000, false, 0, 0, 0, true, 0, 0, 1},
		{"read and opened", 25_000, true, 24_000, 0, 0, false, 0, 0, 0},
		{"read, not opened", 25_000, true, 0, 0, 0, false, 1, 0, 0},
		{"read before it was opened", 25_000, true, 26_000, 0, 0, false, 1, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, r := judged(t)
			box := boxOf(one, two) // at 10 s and 20 s, written at 1 s and 2 s
			w.books.accept("chat "+one, 1000, 1050)
			w.books.accept("chat "+two, 2000, 2050)
			if tt.late {
				w.books.accept("chat "+two, 2000, 19_000)
			}
			if tt.list != 0 {
				w.books.lists = []listing{{"ch", 1001, at(tt.list), tt.from}}
			}
			if tt.opened != 0 {
				w.books.opened[address("bea")] = map[string]time.Time{two: at(tt.opened)}
			}
			w.books.marks = []marking{{"ch", "bea", tt.read, at(tt.mark), 0}}
			members := map[string]member{"bea": {Delivered: 30_000}}
			w.judgeMarks(r, &channel{url: "ch"}, "bea", sayings("wim", one, two), members, box)
			if r.wrong != tt.wrong || r.raced != tt.raced || r.unknown != tt.unknown || len(r.violations) != tt.wrong+tt.unknown {
				t.Errorf("wrong %d, raced %d, unknown %d; %v", r.wrong, r.raced, r.unknown, r.violations)
			}
		})
	}
	w, r := judged(t)
	w.judgeMarks(r, &channel{url: "ch"}, "bea", sayings("wim", one, two), map[string]member{"bea": {Delivered: 1500}}, boxOf(one, two))
	if r.unmarked != 1 || len(r.violations) != 1 {
		t.Errorf("a missing mark is not found: %v", r.violations)
	}
	w, r = judged(t)
	w.books.answered("r-00-00002-bea", "bea", "b@x")
	w.judgeMarks(r, &channel{url: "ch"}, "bea", sayings("wim", one, two), map[string]member{"bea": {Delivered: 2000, Read: 1000}}, boxOf(one, two))
	if r.unmarked != 1 || len(r.violations) != 1 {
		t.Errorf("a missing read mark is not found: %v", r.violations)
	}
}

func TestJudgeLogs(t *testing.T) {
	w, r := judged(t)
	w.dir = t.TempDir()
	w.replicas = []*replica{{w: w}}
	log := "time=x level=INFO msg=\"started\"\n" + "panic: runtime error: index out of range\n" + "2026 http: panic serving 127.0.0.1:1: boom\n"
	if err := os.WriteFile(w.replicas[0].logFile(), []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	if w.judgeLogs(r); len(r.violations) != 2 {
		t.Errorf("of two panics are found %v", r.violations)
	}
}

func TestMessageKey(t *testing.T) {
	form := "recipient=a&body-mime=From%3A+x%0D%0AMessage-ID%3A+%3Cm.1%40x%3E%0D%0A%0D%0Ahello"
	multi := "--b\r\nContent-Disposition: form-data; name=\"body-mime\"\r\n\r\nMessage-Id: <m.2@x>\r\n\r\nhello\r\n--b--\r\n"
	for _, tt := range []struct{ hook, kind, body, want string }{
		{"hook chat", "application/json", `{"category":"group_channel:message_send","payload":{"message_id":12}}`, "chat 12"},
		{"hook chat", "application/json", `{"category":"group_channel:message_read"}`, ""},
		{"hook inbound", "application/x-www-form-urlencoded", form, "mail m.1@x"},
		{"hook inbound", "multipart/form-data; boundary=b", multi, "mail m.2@x"},
		{"hook event", "application/json", `{}`, ""},
	} {
		if got := messageKey(tt.hook, tt.kind, []byte(tt.body)); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.hook, tt.kind, got, tt.want)
		}
	}
}

// Two runs of one seed put the same in, and draw the same.
func TestSeed(t *testing.T) {
	a, b := &world{opt: options{Seed: 3}}, &world{opt: options{Seed: 4}}
	if a.dice("x", "y") != a.dice("x", "y") || a.dice("x", "y") == b.dice("x", "y") || a.sentence("u", one) == a.sentence("u", two) {
		t.Error("the dice depend on something else than the seed and the words")
	}
}
