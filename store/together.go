package store

import (
	"context"
	"database/sql"
	"runtime/debug"
	"sync"
	"time"

	"github.com/postern-chat/postern"
)

// How questions about participants are answered: so many goroutines for each kind, each
// with at most so many at once, and not for longer than this.
const (
	togetherReaders = 2
	togetherMost    = 32
	togetherTimeout = 10 * time.Second
)

// together answers questions of one kind about participants. Like writes they are done
// together with whatever others wait: a statement costs more than its rows, and on SQLite
// each look begins with an empty cache. The goroutines stay, with the stacks that they have
// grown inside SQLite.
type together[A any] struct {
	s                  *Store
	fields, deliveries string // see about
	scan               func(*sql.Rows) (n int, add func(*A), err error)
	sort               func(*A)
	queue              chan *question[A]
	done               chan struct{} // closed: nobody is answered any more
}

// question is one on its way.
type question[A any] struct {
	ctx    context.Context
	id     postern.ParticipantID
	word   string
	answer A
	found  bool
	result chan error
}

var errNoAnswer = postern.Errorf(postern.Temporary, "store.read", "the store is closed")

func (s *Store) startTogether() {
	s.answerers = &together[Answerer]{s: s, fields: answererFields, deliveries: lastFew, scan: scanAnswerer, sort: (*Answerer).sort}
	s.marks = &together[Marks]{s: s, fields: marksFields, deliveries: sinceMarks, scan: scanMarks, sort: (*Marks).sort}
	s.stops = append(s.stops, s.answerers.start(), s.marks.start())
}

func (t *together[A]) start() (stop func()) {
	t.queue, t.done = make(chan *question[A], maxQueue), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for range togetherReaders {
		running.Go(func() {
			for ctx.Err() == nil {
				select {
				case first := <-t.queue:
					t.answer(ctx, t.gather(first))
				case <-ctx.Done():
				}
			}
		})
	}
	return func() { cancel(); running.Wait(); close(t.done) }
}

// ask waits for an answer; false if there is no such participant. It sees what was
// committed before.
func (t *together[A]) ask(ctx context.Context, id postern.ParticipantID, word string) (a A, found bool, err error) {
	if err := ctx.Err(); err != nil {
		return a, false, fault("store.read", err)
	}
	q := &question[A]{ctx: ctx, id: id, word: text(word), result: make(chan error, 1)}
	select {
	case t.queue <- q:
	case <-ctx.Done():
		return a, false, fault("store.read", ctx.Err())
	case <-t.done:
		return a, false, errNoAnswer
	}
	select {
	case err = <-q.result:
	case <-ctx.Done():
		return a, false, fault("store.read", ctx.Err())
	case <-t.done:
		select {
		case err = <-q.result: // just before the end
		default:
			return a, false, errNoAnswer
		}
	}
	if err != nil || !q.found {
		return a, false, err
	}
	return q.answer, true, nil
}

// gather takes what waits, leaving out whoever has stopped waiting.
func (t *together[A]) gather(first *question[A]) (group []*question[A]) {
	for {
		if first.ctx.Err() == nil {
			group = append(group, first)
		}
		if len(group) == togetherMost {
			return group
		}
		select {
		case first = <-t.queue:
		default:
			return group
		}
	}
}

// answer answers a group. If the database blames the statement, or it panicked, all are
// answered one by one, so that a bad one cannot fail its neighbours.
func (t *together[A]) answer(ctx context.Context, group []*question[A]) {
	if len(group) == 0 {
		return
	}
	err := t.find(ctx, group)
	if len(group) > 1 && postern.KindOf(err) == postern.Internal {
		for _, q := range group {
			q.result <- t.find(ctx, []*question[A]{q})
		}
		return
	}
	for _, q := range group {
		q.result <- err
	}
}

func (t *together[A]) find(ctx context.Context, group []*question[A]) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.s.cfg.Logger.Error("a read panicked", "panic", p, "stack", string(debug.Stack()))
			err = postern.Errorf(postern.Internal, "store.read", "panic: %v", p)
		}
	}()
	// Not the callers' contexts: one that ends would break its neighbours' statement.
	ctx, cancel := t.s.dialect.patience(ctx, togetherTimeout)
	defer cancel()
	ids, words := make([]int64, len(group)), make([]string, len(group))
	for i, q := range group {
		ids[i], words[i], q.found = int64(q.id), q.word, false //nolint:gosec // the same 64 bits
		q.answer = *new(A)
	}
	query, args := t.s.dialect.about(t.fields, t.deliveries, ids, words)
	rows, err := t.s.query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		n, add, err := t.scan(rows)
		if err != nil {
			return fault("store.read", err)
		}
		group[n].found = true
		add(&group[n].answer)
	}
	for _, q := range group {
		t.sort(&q.answer)
	}
	return fault("store.read", rows.Err())
}
