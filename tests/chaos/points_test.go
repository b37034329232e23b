//go:build unix

package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/internal/pgtest"
)

// Some of the points at which more is at stake than at others; "make killpoints" is all.
// Each is the first of its act whose name begins like this.
var somePoints = map[string][]string{
	"mail": {
		"arrival sendbird after", "arrival mailgun.events after", "relay.(*Rules).writeDown.", "relay.(*Rules).send.", "relay.(*Rules).move.",
		"send unanswered", "mark delivered unanswered",
	},
	"answers": {
		"arrival mailgun.inbound after", "relay.(*Rules).toPosts.", "relay.(*poster).one.", "relay.(*poster).posted.", "store.(*Store).Settle.",
		"upload unanswered",
	},
}

// An act, killed at each of some points of it.
func TestPoints(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "postern")
	if err := buildVariant(t.Context(), binary, variant{kills: true}); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]options{
		"mail on sqlite":      {Database: "sqlite", Points: "mail"},
		"answers on postgres": {Points: "answers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if o.Database == "" {
				pgtest.Start(t) // or skip
				o.Database = "postgres"
			}
			o.Seed, o.Binary = 3, binary
			asItIs := playAct(t.Context(), o, &stop{act: o.Points})
			if tell(t.Output(), asItIs); asItIs.broken() {
				t.FailNow()
			}
			all := pointsOf(asItIs, map[string]bool{})
			if len(asItIs.writes) < 20 || len(asItIs.calls) < 7 {
				t.Errorf("%d points of writes and %d calls are too few: the act does not do what it is for", len(asItIs.writes), len(asItIs.calls))
			}
			var stops []*stop
			for _, prefix := range somePoints[o.Points] {
				i := slices.IndexFunc(all, func(s *stop) bool { return strings.HasPrefix(s.String(), prefix) })
				if i < 0 {
					t.Errorf("no point begins with %q", prefix)
					continue
				}
				stops = append(stops, all[i])
			}
			o.Beside = 4
			for _, out := range playAll(t.Context(), o, stops, t.Output()) {
				if out.broken() {
					t.Errorf("not as it should be after %s", out.stop)
				}
				if !out.hit {
					t.Errorf("nobody was killed at %s", out.stop)
				}
			}
		})
	}
}

// What was not to reach somebody is found where it did.
func TestJudgeSpared(t *testing.T) {
	w, r := judged(t)
	w.books.spare(one, "bea")
	w.judgeMail(r, &channel{}, "bea", sayings("wim", one, two), boxOf(two))
	if r.lost != 0 || len(r.violations) != 0 {
		t.Errorf("a message that he does not get is missed: %v", r.violations)
	}
	w.judgeMail(r, &channel{}, "cem", sayings("wim", one, two), boxOf(two))
	if r.lost != 1 {
		t.Errorf("another's message is not missed: %v", r.violations)
	}
}

// One mark covers all: what did not reach him lies under it only before what did.
func TestJudgeSparedMarks(t *testing.T) {
	for _, tt := range []struct {
		name            string
		spared          string
		marked          int64 // up to when, in the end
		wrong, unmarked int
	}{
		{"before what reached him", one, 30_000, 0, 0},
		{"after it, marked", two, 30_000, 1, 0},
		{"before it, not marked", one, 1500, 0, 1},
	} {
		w, r := judged(t)
		w.books.spare(tt.spared, "bea")
		box := boxOf(one)
		if tt.spared == one {
			box = boxOf(two)
		}
		w.books.marks = []marking{{"ch", "bea", false, time.UnixMilli(25_000), 0}}
		w.judgeMarks(r, &channel{url: "ch"}, "bea", sayings("wim", one, two), map[string]member{"bea": {Delivered: tt.marked}}, box)
		if r.wrong != tt.wrong || r.unmarked != tt.unmarked {
			t.Errorf("%s: wrong %d, unmarked %d; %v", tt.name, r.wrong, r.unmarked, r.violations)
		}
	}
	w, r := judged(t)
	w.books.spare(two, "bea")
	w.judgeMarks(r, &channel{url: "ch"}, "bea", sayings("wim", one, two), map[string]member{"bea": {}}, boxOf(one))
	if len(r.violations) != 0 {
		t.Errorf("a mark that would claim too much is missed: %v", r.violations)
	}
}

func TestPointsOf(t *testing.T) {
	seen := map[string]bool{}
	o := &outcome{stop: &stop{act: "mail"}, writes: map[string]int{"f\tafter": 1, "f\tbefore": 3}, calls: map[string]int{"send": 1}}
	var got []string
	for _, s := range pointsOf(o, seen) {
		got = append(got, s.String())
	}
	want := []string{"f after (1)", "f before (1)", "f before (2)", "send before", "send unanswered", "send answered"}
	if !slices.Equal(got, want) {
		t.Errorf("points %q, want %q", got, want)
	}
	if again := pointsOf(o, seen); len(again) != 0 {
		t.Errorf("seen points are points again: %v", again)
	}
}

func TestDiedAtPoint(t *testing.T) {
	if err := exec.Command("sh", "-c", "kill -9 $$").Run(); !diedAtPoint(err) {
		t.Errorf("%v", err)
	}
	for _, err := range []error{nil, errors.New("x"), exec.Command("false").Run(), exec.Command("sh", "-c", "kill -15 $$").Run()} {
		if diedAtPoint(err) {
			t.Errorf("%v", err)
		}
	}
}
