package store

import (
	"sync"
	"time"
)

// crew runs functions at the same time. A goroutine that is done waits for the next
// function: its stack has grown to what SQL, rendering and HTTP need, and a new one would
// have to grow again.
type crew struct {
	mu    sync.Mutex
	idle  []*mate // the last that was done is the first that goes on: the others may leave
	ended bool
	all   sync.WaitGroup
}

type mate struct {
	next  chan func() // closed: leave
	since time.Time   // when it was done
}

// idleFor is how long a goroutine waits for its next function, about.
const idleFor = 3 * time.Second

// run has f run, and does not wait for it.
func (c *crew) run(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.idle); n > 0 {
		m := c.idle[n-1]
		c.idle[n-1] = nil
		c.idle = c.idle[:n-1]
		m.next <- f // it waits, so there is room
		return
	}
	c.all.Add(1)
	go c.stay(&mate{next: make(chan func(), 1)}, f)
}

func (c *crew) stay(m *mate, f func()) {
	defer c.all.Done()
	for ok := true; ok; f, ok = <-m.next {
		f()
		f = nil
		if !c.rest(m) {
			return
		}
	}
}

// rest lets m wait; false if it is to leave.
func (c *crew) rest(m *mate) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.since = time.Now()
	if !c.ended {
		c.idle = append(c.idle, m)
	}
	return !c.ended
}

// thin lets go who has waited for so long.
func (c *crew) thin(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for ; n < len(c.idle) && time.Since(c.idle[n].since) >= d; n++ {
		close(c.idle[n].next)
	}
	c.idle = append(c.idle[:0:0], c.idle[n:]...)
}

// end lets everybody go, and waits for them. Nothing may be run any more.
func (c *crew) end() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.thin(0)
	c.all.Wait()
}
