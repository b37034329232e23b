package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern/store"
)

func testReplay(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ctx := ctxOf(t)
	id := record(t, s, "1", store.LaneJob{Lane: "l", Kind: "x", Args: []byte("args")})
	do(t, s, func(tx *store.Tx) error { return tx.Add(job("m", "y")) })
	for _, l := range claim(t, s) {
		bury(t, s, l)
	}
	dead := must(s.DeadJobs(ctx, "", 0, 10))(t)
	if len(dead) != 2 || dead[0].Kind != "x" || dead[0].Event != id || dead[0].Lane != "l" || dead[0].Reason != "no use" || !dead[0].DiedAt.Equal(clock.Now()) || dead[1].Event != 0 {
		t.Fatalf("%+v", dead)
	}
	if of := must(s.DeadJobs(ctx, "y", 0, 10))(t); len(of) != 1 || of[0] != dead[1] {
		t.Errorf("of one kind: %+v", of)
	}
	if of := must(s.DeadJobs(ctx, "", dead[0].ID, 10))(t); len(of) != 1 || of[0] != dead[1] {
		t.Errorf("after one: %+v", of)
	}
	clock.Move(time.Hour)
	for _, want := range []bool{true, false} {
		if got := must(s.Replay(ctx, dead[0].ID))(t); got != want {
			t.Errorf("replayed: %v", got)
		}
	}
	for _, want := range []bool{true, false} {
		if got := must(s.DiscardDead(ctx, dead[1].ID))(t); got != want {
			t.Errorf("discarded: %v", got)
		}
	}
	l := claimOne(t, s, "l")
	j := l.Jobs[0]
	if j.Kind != "x" || string(j.Args) != "args" || j.Attempts != 0 || j.Event == nil || j.Event.ID != id || !j.AddedAt.Equal(clock.Now()) {
		t.Errorf("%+v", j)
	}
	finish(t, s, l)
	claimNone(t, s, "discarded")
	notes := must(s.Explain(ctx, store.EventRef(id)))(t)
	if len(notes) != 1 || notes[0].What != "replayed" || notes[0].Detail != "x" {
		t.Errorf("%+v", notes)
	}
}

// Replayed jobs come after what waits, and in their own order.
func testReplayOrder(t *testing.T, b Backend) {
	s, _ := open(t, b)
	ctx := ctxOf(t)
	record(t, s, "1", job("l", "a"), job("l", "b"))
	bury(t, s, claimOne(t, s, "l"))
	record(t, s, "2", job("l", "c"), job("l", "d"))
	busy := claimOne(t, s, "l") // is worked meanwhile
	for _, d := range must(s.DeadJobs(ctx, "", 0, 10))(t) {
		must(s.Replay(ctx, d.ID))(t)
	}
	ok(t, s.Finish(ctx, busy, func(tx *store.Tx) error { return tx.Done(busy.Jobs[0]) }))
	if got := kinds(claimOne(t, s, "l").Jobs); !slices.Equal(got, []string{"d", "a", "b"}) {
		t.Errorf("%v", got)
	}
}

// Of two who replay the same job only one gets it.
func testReplayTwice(t *testing.T, b Backend) {
	clock := NewClock()
	cfg := store.Config{Database: b.Fresh(t), Now: clock.Now, Lease: lease}
	one, two := openAt(t, cfg), openAt(t, cfg)
	for i := range 20 {
		record(t, one, fmt.Sprint(i), job("l", "x"))
		bury(t, one, claimOne(t, one, "l"))
		id := must(one.DeadJobs(ctxOf(t), "", 0, 1))(t)[0].ID
		got := make([]bool, 2)
		var wg sync.WaitGroup
		for k, s := range []*store.Store{one, two} {
			wg.Go(func() { got[k], _ = s.Replay(context.Background(), id) })
		}
		wg.Wait()
		l := claimOne(t, one, "l")
		if got[0] == got[1] || len(l.Jobs) != 1 {
			t.Fatalf("replayed %v, %d jobs", got, len(l.Jobs))
		}
		finish(t, one, l)
	}
}
