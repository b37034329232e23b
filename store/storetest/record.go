package storetest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

func testRecord(t *testing.T, b Backend) {
	s, clock := open(t, b)
	in := store.Arrival{
		Source: "sendbird", Dedup: "k", Digest: []byte{1}, Body: []byte("body\x00\xff"), Content: []byte("content"), Ref: "blob",
		Jobs:  []store.LaneJob{{Lane: "a", Kind: "x", Args: []byte("args")}, {Lane: "b", Kind: "y"}},
		Notes: []store.Note{{What: "seen", Why: "told"}},
	}
	id, dup, err := s.Record(ctxOf(t), in)
	if err != nil || dup {
		t.Fatal(dup, err)
	}
	e, found, err := s.Event(ctxOf(t), id)
	want := store.Event{ID: id, Source: "sendbird", ReceivedAt: clock.Now(), Body: in.Body, Content: in.Content, Ref: "blob"}
	if diff := cmp.Diff(want, e); err != nil || !found || diff != "" {
		t.Fatal(found, err, diff)
	}
	leases := claim(t, s)
	if len(leases) != 2 {
		t.Fatal(names(leases))
	}
	for _, l := range leases {
		if len(l.Jobs) != 1 || l.Jobs[0].Event == nil || !cmp.Equal(*l.Jobs[0].Event, want) {
			t.Errorf("lane %s: %+v", l.Lane, l.Jobs)
		}
		if l.Lane == "a" && string(l.Jobs[0].Args) != "args" {
			t.Errorf("args %q", l.Jobs[0].Args)
		}
		finish(t, s, l)
	}

	again, dup, err := s.Record(ctxOf(t), in)
	if err != nil || !dup || again != id {
		t.Errorf("repeat: id %d, duplicate %v, %v; want %d, true", again, dup, err, id)
	}
	in.Digest = []byte{2}
	again, _, err = s.Record(ctxOf(t), in)
	if postern.KindOf(err) != postern.Denied || postern.CauseOf(err) != postern.CauseReplayed || again != id {
		t.Errorf("other content: id %d, %v", again, err)
	}
	claimNone(t, s, "repeats make no jobs")
	if told := must(s.Lately(ctxOf(t), 10))(t); len(told) != 1 || told[0].Ref != store.EventRef(id) {
		t.Errorf("repeats make no notes: %+v", told)
	}

	in.Dedup = ""
	first, dup1, err1 := s.Record(ctxOf(t), in)
	second, dup2, err2 := s.Record(ctxOf(t), in)
	if dup1 || dup2 || err1 != nil || err2 != nil || first == second {
		t.Errorf("without a key every arrival is new: %d %v %v, %d %v %v", first, dup1, err1, second, dup2, err2)
	}
}

// Repeats inside one group.
func testRecordGroup(t *testing.T, b Backend) {
	s, _ := open(t, b)
	const n = 12
	ids, dups := make([]int64, n), make([]bool, n)
	errs := together(t, b, s, n, func(i int) (err error) {
		a := store.Arrival{Source: "test", Dedup: fmt.Sprint("k", i%3), Digest: []byte("same"), Body: []byte{byte(i)}}
		if i == n-1 {
			a.Digest = []byte("other")
		}
		ids[i], dups[i], err = s.Record(context.Background(), a)
		return err
	})
	for i := range n {
		wantKind := postern.CauseNone
		if i == n-1 {
			wantKind = postern.CauseReplayed
		}
		if postern.CauseOf(errs[i]) != wantKind || (wantKind == postern.CauseNone && errs[i] != nil) {
			t.Errorf("%d: %v", i, errs[i])
		}
		if ids[i] != ids[i%3] || dups[i] != (i >= 3) {
			t.Errorf("%d: id %d, duplicate %v; the first of its key has %d", i, ids[i], dups[i], ids[i%3])
		}
	}
}

// Repeats across groups and writers: of each key exactly one is new.
func testRecordRace(t *testing.T, b Backend) {
	s, _ := open(t, b)
	const keys, each = 40, 8
	var fresh [keys]atomic.Int32
	var ids [keys][each]int64
	var wg sync.WaitGroup
	for e := range each {
		wg.Go(func() {
			for k := range keys {
				// Other lanes, so that PostgreSQL's writers all see the key.
				id, dup, err := s.Record(ctxOf(t), store.Arrival{Source: "test", Dedup: fmt.Sprint(k), Digest: []byte{1}, Body: []byte("b"), Jobs: []store.LaneJob{job(fmt.Sprint("lane", e), "x")}})
				if err != nil {
					t.Errorf("key %d: %v", k, err)
				}
				if !dup {
					fresh[k].Add(1)
				}
				ids[k][e] = id
			}
		})
	}
	wg.Wait()
	for k := range keys {
		if n := fresh[k].Load(); n != 1 {
			t.Errorf("key %d was new %d times", k, n)
		}
		for _, id := range ids[k] {
			if id != ids[k][0] {
				t.Errorf("key %d has ids %v", k, ids[k])
				break
			}
		}
	}
	if bl := must(s.Backlog(ctxOf(t)))(t); bl.Jobs != keys {
		t.Errorf("%d jobs, want %d", bl.Jobs, keys)
	}
}

// What strangers send: NUL, broken UTF-8, nothing at all, too much.
func testRecordStrange(t *testing.T, b Backend) {
	s, _ := open(t, b)
	for _, key := range []string{"nul\x00nul", "broken\xff\xfe", strings.Repeat("ä", 400)} {
		in := store.Arrival{Source: "te\x00st", Dedup: key, Jobs: []store.LaneJob{job("lane\x00"+key, "k\xff")}, Notes: []store.Note{{What: "n", Detail: key, Why: "\x00"}}}
		id, _, err := s.Record(ctxOf(t), in)
		ok(t, err)
		again, dup, err := s.Record(ctxOf(t), in)
		if err != nil || !dup || again != id {
			t.Errorf("%q: %d, %v, %v", key, again, dup, err)
		}
		if e, found, err := s.Event(ctxOf(t), id); err != nil || !found || len(e.Body) != 0 {
			t.Error(e, found, err)
		}
	}
	leases := claim(t, s)
	if len(leases) != 3 {
		t.Fatal(names(leases))
	}
	for _, l := range leases {
		ok(t, s.Finish(ctxOf(t), l, func(tx *store.Tx) error { return tx.Bury(l.Jobs[0], "\xff\x00"+strings.Repeat("€", 3000)) }))
	}
	long := strings.Repeat("x", 4000)
	for _, in := range []store.Arrival{{Dedup: long}, {Jobs: []store.LaneJob{job(long, "k")}}} {
		if _, _, err := s.Record(ctxOf(t), in); postern.KindOf(err) != postern.Invalid {
			t.Errorf("a long key: %v", err)
		}
	}
	big := bytes.Repeat([]byte{0, 1, 2, 255}, 1<<20)
	id, _, err := s.Record(ctxOf(t), store.Arrival{Source: "test", Body: []byte("envelope"), Content: big})
	ok(t, err)
	if e, _, err := s.Event(ctxOf(t), id); err != nil || !bytes.Equal(e.Content, big) {
		t.Errorf("4 MiB of content: %d bytes, %v", len(e.Content), err)
	}
}

// Inside a lane jobs come in the order in which their recorders were answered.
func testOrder(t *testing.T, b Backend) {
	s, _ := open(t, b)
	const lanes, recorders, each = 3, 16, 25
	var wg sync.WaitGroup
	for r := range recorders {
		wg.Go(func() {
			for i := range each {
				// Several lanes at once: rows are locked in one order whatever order these have.
				first, second := fmt.Sprint("lane", (r+i)%lanes), fmt.Sprint("lane", (r+i+1)%lanes)
				if _, _, err := s.Record(ctxOf(t), store.Arrival{Source: "test", Body: []byte("b"),
					Jobs: []store.LaneJob{job(first, fmt.Sprintf("%d %d", r, 2*i)), job(second, fmt.Sprintf("%d %d", r, 2*i)), job(first, fmt.Sprintf("%d %d", r, 2*i+1))}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	total := 0
	last := map[string]int{}
	for leases := claim(t, s); len(leases) > 0; leases = claim(t, s) {
		for _, l := range leases {
			for _, j := range l.Jobs {
				var r, i int
				if _, err := fmt.Sscan(j.Kind, &r, &i); err != nil {
					t.Fatal(err)
				}
				key := fmt.Sprint(l.Lane, " ", r)
				if prev, seen := last[key]; seen && prev >= i {
					t.Errorf("%s: %d after %d", key, i, prev)
				}
				last[key] = i
				total++
			}
			finish(t, s, l)
		}
	}
	if want := recorders * each * 3; total != want {
		t.Errorf("%d jobs, want %d", total, want)
	}
}
