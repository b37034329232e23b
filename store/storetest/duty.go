package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern/store"
)

func testDuty(t *testing.T, b Backend) {
	s, clock := open(t, b)
	ran := 0
	duty := func(fails error, want bool) {
		t.Helper()
		done, err := s.Duty(ctxOf(t), "sweep", time.Hour, time.Minute, func(context.Context) error { ran++; return fails })
		if done != want || !errors.Is(err, fails) {
			t.Errorf("done %v, %v", done, err)
		}
	}
	duty(nil, true)
	duty(nil, false) // done just now
	clock.Move(time.Hour)
	failure := errors.New("no")
	duty(failure, false)
	duty(nil, true) // a failure is made good at once
	if ran != 3 {
		t.Errorf("ran %d times", ran)
	}
	if done, err := s.Duty(ctxOf(t), "other", time.Hour, time.Minute, func(context.Context) error { return nil }); !done || err != nil {
		t.Error("another duty", done, err)
	}
}

// Who is on duty and dies is replaced when his lease ran out.
func testDutyLost(t *testing.T, b Backend) {
	s, clock := open(t, b)
	inside, leave, left := make(chan struct{}), make(chan struct{}), make(chan bool, 1)
	go func() {
		done, _ := s.Duty(context.Background(), "sweep", time.Hour, time.Minute, func(context.Context) error {
			close(inside)
			<-leave
			return nil
		})
		left <- done
	}()
	receive(t, inside, "the first")
	again := func() bool {
		return must(s.Duty(ctxOf(t), "sweep", time.Hour, time.Minute, func(context.Context) error { return nil }))(t)
	}
	if again() {
		t.Error("two at once")
	}
	clock.Move(time.Minute)
	if !again() {
		t.Error("not replaced")
	}
	close(leave)
	receive(t, left, "the late one")
	if again() {
		t.Error("done again too soon")
	}
}

func testDutyShared(t *testing.T, b Backend) {
	cfg := store.Config{Database: b.Fresh(t)}
	stores := []*store.Store{openAt(t, cfg), openAt(t, cfg), openAt(t, cfg)}
	var mu sync.Mutex
	ran := 0
	var wg sync.WaitGroup
	for _, s := range stores {
		for range 5 {
			wg.Go(func() {
				_, err := s.Duty(context.Background(), "sweep", time.Hour, time.Minute, func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					ran++
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if ran != 1 {
		t.Errorf("ran %d times", ran)
	}
}
