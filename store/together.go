package store

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/postern-chat/postern"
)

// How questions are answered: so many goroutines for each kind, each with about so many
// rows at once, and not for longer than this.
const (
	togetherReaders = 2
	togetherRows    = 32
	togetherTimeout = 10 * time.Second
)

// together answers questions of one kind. Like writes these reads are done together with
// whatever others wait: a statement costs more than its rows, and on SQLite each look begins
// with an empty cache. The goroutines stay, with the stacks that they have grown inside
// SQLite.
type together[Q any] struct {
	s *Store
	// read answers each of a group in place. It may be called again with one that it
	// failed to answer.
	read  func(ctx context.Context, group []*Q) error
	queue chan *waiter[Q]
	done  chan struct{} // closed: nobody is answered any more
}

// waiter is somebody with a question on its way.
type waiter[Q any] struct {
	ctx      context.Context
	question *Q
	rows     int
	result   chan error
}

var errNoReader = postern.Errorf(postern.Temporary, "store.read", "the store is closed")

// readTogether starts readers; the store ends them.
func readTogether[Q any](s *Store, read func(context.Context, []*Q) error) *together[Q] {
	t := &together[Q]{s: s, read: read, queue: make(chan *waiter[Q], maxQueue), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for range togetherReaders {
		running.Go(func() { t.answerAll(ctx) })
	}
	s.stops = append(s.stops, func() { cancel(); running.Wait(); close(t.done) })
	return t
}

// startReaders starts all that is read so.
func (s *Store) startReaders() {
	s.recipients = readTogether(s, s.readRecipients)
	s.answerers = readTogether(s, readLookups[Answerer](s, answererFields, lastFew))
	s.marks = readTogether(s, readLookups[Marks](s, marksFields, sinceMarks))
}

// ask waits until the question, about which so many rows are to be read, is answered. What
// was committed before is seen. After an error the question is not to be touched: somebody
// may still be answering it.
func (t *together[Q]) ask(ctx context.Context, question *Q, rows int) error {
	if err := ctx.Err(); err != nil {
		return fault("store.read", err)
	}
	w := &waiter[Q]{ctx: ctx, question: question, rows: max(1, rows), result: make(chan error, 1)}
	select {
	case t.queue <- w:
	case <-ctx.Done():
		return fault("store.read", ctx.Err())
	case <-t.done:
		return errNoReader
	}
	select {
	case err := <-w.result:
		return err
	case <-ctx.Done():
		return fault("store.read", ctx.Err())
	case <-t.done:
	}
	select {
	case err := <-w.result: // just before the end
		return err
	default:
		return errNoReader
	}
}

func (t *together[Q]) answerAll(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case first := <-t.queue:
			// Whoever else can run now may be about to ask: lanes begin many at once. Without
			// this each wakes a reader for itself, and costs twice as much.
			runtime.Gosched()
			t.answer(ctx, t.gather(first))
		case <-ctx.Done():
		}
	}
}

// gather takes what waits, leaving out whoever has stopped waiting.
func (t *together[Q]) gather(first *waiter[Q]) (group []*waiter[Q]) {
	for rows := 0; ; {
		if first.ctx.Err() == nil {
			group, rows = append(group, first), rows+first.rows
		}
		if rows >= togetherRows {
			return group
		}
		select {
		case first = <-t.queue:
		default:
			return group
		}
	}
}

// answer answers a group, which may be empty. If the database blames the question, or
// answering it panicked, they are answered one by one, so that a bad one cannot fail its
// neighbours.
func (t *together[Q]) answer(ctx context.Context, group []*waiter[Q]) {
	if len(group) == 0 {
		return
	}
	err := t.find(ctx, group)
	if err != nil && len(group) > 1 && postern.KindOf(err) == postern.Internal {
		t.s.cfg.Logger.Warn("reads are tried one by one", "reads", len(group), "error", err)
		for i, w := range group {
			w.result <- t.find(ctx, group[i:i+1])
		}
		return
	}
	for _, w := range group {
		w.result <- err
	}
}

func (t *together[Q]) find(ctx context.Context, group []*waiter[Q]) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.s.cfg.Logger.Error("a read panicked", "panic", p, "stack", string(debug.Stack()))
			err = postern.Errorf(postern.Internal, "store.read", "panic: %v", p)
		}
	}()
	// Not the callers' contexts: one that ends would break its neighbours' statement.
	ctx, cancel := t.s.dialect.patience(ctx, togetherTimeout)
	defer cancel()
	questions := make([]*Q, len(group))
	for i, w := range group {
		questions[i] = w.question
	}
	return t.read(ctx, questions)
}
