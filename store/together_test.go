package store_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

// riddle is a question whose answer is its number doubled.
type riddle struct {
	number, answer int
	panics         bool
	err            error
	stuck          <-chan struct{} // not answered before it is closed
	lingers        bool            // not answered before the store closes
}

// readers are those under test. held is what their first questions are held up by, one each.
type readers struct {
	store.Together[riddle]
	t    *testing.T
	s    *store.Store
	said bytes.Buffer
	held []chan struct{}
	wg   sync.WaitGroup

	mu      sync.Mutex
	reads   [][]int // numbers of the groups that were read; those that were held are 0
	working int
}

func newReaders(t *testing.T) *readers {
	r := &readers{t: t}
	r.s = openSQLite(t, store.Config{Database: sqlite().Fresh(t), Logger: slog.New(slog.NewTextHandler(&r.said, nil))})
	r.Together = store.ReadTogether(r.s, r.read)
	t.Cleanup(func() { _ = r.s.Close() })
	return r
}

func (r *readers) read(ctx context.Context, group []*riddle) error {
	r.mu.Lock()
	var numbers []int
	for _, q := range group {
		numbers = append(numbers, q.number)
	}
	r.reads = append(r.reads, numbers)
	r.working++
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.working--
		r.mu.Unlock()
	}()
	for _, q := range group {
		if q.stuck != nil {
			<-q.stuck
		}
		if q.lingers {
			<-ctx.Done()
			for range 200_000 { // others have time to leave him behind
				runtime.Gosched()
			}
		}
		if q.panics {
			panic("a riddle")
		}
		if q.err != nil {
			return q.err
		}
		q.answer = 2 * q.number
	}
	return nil
}

// hold keeps all readers busy, so that what is asked now waits.
func (r *readers) hold() {
	for range store.Readers {
		free := make(chan struct{})
		r.held = append(r.held, free)
		r.wg.Go(func() {
			if err := r.Ask(context.Background(), &riddle{stuck: free}, 1); err != nil {
				r.t.Error(err)
			}
		})
		r.until(func() bool { return r.working == len(r.held) })
	}
}

// until waits for what must come.
func (r *readers) until(ok func() bool) {
	for {
		r.mu.Lock()
		done := ok()
		r.mu.Unlock()
		if done {
			return
		}
		runtime.Gosched()
	}
}

// asked has a question wait in the queue; check gets what became of it.
func (r *readers) asked(ctx context.Context, q riddle, rows int, check func(riddle, error)) {
	before := r.Queued()
	r.wg.Go(func() {
		err := r.Ask(ctx, &q, rows)
		if err != nil {
			q = riddle{number: q.number} // it may still be worked on
		}
		check(q, err)
	})
	r.until(func() bool { return r.Queued() == before+1 })
}

// free lets one reader go on, which answers all that waits, and then the others.
func (r *readers) free() {
	close(r.held[0])
	r.until(func() bool { return r.Queued() == 0 })
	for _, h := range r.held[1:] {
		close(h)
	}
	r.held = nil
	r.wg.Wait()
}

func (r *readers) answered(q riddle, err error) {
	if err != nil || q.answer != 2*q.number {
		r.t.Errorf("%+v: %v", q, err)
	}
}

// after tells what was read after the readers were held.
func (r *readers) after() [][]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.reads), func(g []int) bool { return g[0] == 0 })
}

func (r *readers) wantReads(want ...int) {
	r.t.Helper()
	var got []int
	for _, g := range r.after() {
		got = append(got, len(g))
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("read %d at once, want %d", got, want)
	}
}

// What waits is read at once, up to so many rows; a question is never cut in two.
func TestTogetherGroups(t *testing.T) {
	for name, c := range map[string]struct{ rows, want []int }{
		"few":        {[]int{1, 1, 1}, []int{3}},
		"many":       {slices.Repeat([]int{1}, store.RowsTogether+8), []int{store.RowsTogether, 8}},
		"large":      {[]int{1, 250, 1, 1}, []int{2, 2}},
		"rows of 0":  {slices.Repeat([]int{0}, store.RowsTogether+1), []int{store.RowsTogether, 1}},
		"just fit":   {[]int{store.RowsTogether, 1}, []int{1, 1}},
		"nearly fit": {[]int{store.RowsTogether - 1, 5, 1}, []int{2, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReaders(t)
			r.hold()
			for i, rows := range c.rows {
				r.asked(t.Context(), riddle{number: i + 1}, rows, r.answered)
			}
			r.free()
			r.wantReads(c.want...)
			if r.said.Len() > 0 {
				t.Errorf("the store said: %s", r.said.String())
			}
		})
	}
}

// A question that cannot be answered does not keep its neighbours from their answers, and
// a database that does not answer fails all of them, in kind, once.
func TestTogetherNeighbours(t *testing.T) {
	for name, c := range map[string]struct {
		bad   riddle
		kind  postern.Kind
		reads []int
		all   bool // fail
		said  string
	}{
		"panics":  {riddle{number: 2, panics: true}, postern.Internal, []int{3, 1, 1, 1}, false, "a read panicked"},
		"blamed":  {riddle{number: 2, err: postern.Errorf(postern.Internal, "store.read", "a bad one")}, postern.Internal, []int{3, 1, 1, 1}, false, "tried one by one"},
		"no kind": {riddle{number: 2, err: errors.New("of whatever kind")}, postern.Internal, []int{3, 1, 1, 1}, false, "tried one by one"},
		"away":    {riddle{number: 2, err: postern.Errorf(postern.Temporary, "store.read", "away")}, postern.Temporary, []int{3}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReaders(t)
			r.hold()
			failed := func(q riddle, err error) {
				if err == nil || postern.KindOf(err) != c.kind {
					t.Errorf("%d: %v", q.number, err)
				}
			}
			good := r.answered
			if c.all {
				good = failed
			}
			r.asked(t.Context(), riddle{number: 1}, 1, good)
			r.asked(t.Context(), c.bad, 1, failed)
			r.asked(t.Context(), riddle{number: 3}, 1, good)
			r.free()
			r.wantReads(c.reads...)
			if said := r.said.String(); !strings.Contains(said, c.said) || (said == "") != (c.said == "") {
				t.Errorf("the store said: %s", said)
			}
			// Alone it is asked once, and the readers live on.
			for range store.Readers + 1 {
				bad, before := c.bad, len(r.after())
				failed(bad, r.Ask(t.Context(), &bad, 1))
				if n := len(r.after()); n != before+1 {
					t.Errorf("asked %d times", n-before)
				}
			}
			q := riddle{number: 5}
			err := r.Ask(t.Context(), &q, 1)
			r.answered(q, err)
		})
	}
}

// Whoever stops waiting gets his error at once, whether his question waits or is being
// answered, and is not asked about any more.
func TestTogetherLeave(t *testing.T) {
	r := newReaders(t)
	r.hold()
	gone := func(_ riddle, err error) {
		if !errors.Is(err, context.Canceled) || postern.KindOf(err) != postern.Temporary {
			t.Error(err)
		}
	}
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	r.asked(t.Context(), riddle{number: 1}, 1, r.answered)
	r.asked(ctx, riddle{number: 2}, 1, func(q riddle, err error) { gone(q, err); close(left) })
	r.asked(t.Context(), riddle{number: 3}, 1, r.answered)
	leave()
	<-left // no reader is free yet
	gone(riddle{}, r.Ask(ctx, &riddle{number: 4}, 1))
	if n := r.Queued(); n != 3 {
		t.Errorf("%d wait", n)
	}
	r.free()
	if got := r.after(); len(got) != 1 || !slices.Equal(got[0], []int{1, 3}) {
		t.Errorf("read %d", got)
	}

	ctx, leave = context.WithCancel(t.Context())
	free := make(chan struct{})
	r.wg.Go(func() { gone(riddle{}, r.Ask(ctx, &riddle{number: 6, stuck: free}, 1)) })
	r.until(func() bool { return r.working == 1 })
	leave()
	r.wg.Wait() // while it is being answered
	close(free)
}

// Close lets the readers end what they are at; who waits is told, and nobody waits after.
func TestTogetherClose(t *testing.T) {
	r := newReaders(t)
	for i := range store.Readers {
		r.wg.Go(func() {
			q := riddle{number: 7, lingers: true}
			err := r.Ask(context.Background(), &q, 1)
			r.answered(q, err)
		})
		r.until(func() bool { return r.working == i+1 })
	}
	closed := func(_ riddle, err error) {
		if err == nil || postern.KindOf(err) != postern.Temporary {
			t.Error(err)
		}
	}
	for range 5 {
		r.asked(context.Background(), riddle{number: 1}, 1, closed)
	}
	if err := r.s.Close(); err != nil {
		t.Error(err)
	}
	r.mu.Lock()
	if r.working != 0 {
		t.Errorf("%d readers are at work after the end", r.working)
	}
	r.mu.Unlock()
	r.wg.Wait()
	closed(riddle{}, r.Ask(context.Background(), &riddle{number: 9}, 1))
	r.wantReads(slices.Repeat([]int{1}, store.Readers)...)
}

// What is asked again, because a neighbour's question failed, is answered as if it were the
// first time.
func TestReadAgain(t *testing.T) {
	s := openSQLite(t, store.Config{Database: sqlite().Fresh(t)})
	defer func() { _ = s.Close() }()
	const who = postern.ParticipantID(5)
	if err := s.PutPeople(t.Context(), postern.Person{UserID: "bob", Email: "bob@example.com"}); err != nil {
		t.Fatal(err)
	}
	err := s.Do(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.EnsureParticipant(store.NewConversation{Platform: "p", Channel: "c", Subject: "s", RootID: "r"}, "bob", who); err != nil {
			return err
		}
		return tx.AddDelivery(store.Delivery{ID: "d", Participant: who, MessageID: "d@x", State: store.Sending, NewestAt: 1, Content: []byte("{}")}, []store.Mailed{{Message: "m", CreatedAt: 1}})
	})
	if err != nil {
		t.Fatal(err)
	}
	known, mailed, last, since, err := s.ReadTwice(t.Context(), "p", "c", "bob", "m", who)
	if err != nil || !known || mailed != 1 || last != 1 || since != 1 {
		t.Errorf("known %v, mailed %d, last %d, since %d, %v", known, mailed, last, since, err)
	}
}
