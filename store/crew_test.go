package store

import (
	"runtime"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// Goroutines that are done go on with what comes next; who has waited too long leaves,
// and at the end everybody.
func TestCrew(t *testing.T) {
	defer goleak.VerifyNone(t)
	var c crew
	waiting := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.idle)
	}
	for range 20 {
		var busy, begun sync.WaitGroup
		hold := make(chan struct{})
		for range 5 {
			begun.Add(1)
			busy.Add(1)
			c.run(func() { begun.Done(); <-hold; busy.Done() })
		}
		begun.Wait()
		if n := waiting(); n != 0 {
			t.Fatalf("%d wait while five are busy", n)
		}
		close(hold)
		busy.Wait()
		for waiting() < 5 {
			runtime.Gosched()
		}
	}
	c.thin(idleFor)
	if n := waiting(); n != 5 {
		t.Errorf("%d wait, want 5", n)
	}
	c.thin(0)
	if n := waiting(); n != 0 {
		t.Errorf("%d wait, want none", n)
	}
	done := make(chan struct{})
	c.run(func() { close(done) })
	<-done
	c.end()
}
