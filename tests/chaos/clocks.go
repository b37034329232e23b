//go:build unix

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// clocks are the replicas' wall clocks. Those of the services go right.
type clocks struct {
	w   *world
	mu  sync.Mutex
	rnd *rand.Rand
	off []int // s, as long as nobody sets them
}

// wrongBy is how much the second replica's clock is off all the time.
const wrongBy = 5 * time.Minute

func (c *clocks) init(w *world, replicas int) {
	c.w, c.rnd, c.off = w, rand.New(rand.NewPCG(uint64(w.opt.Seed), 4)), make([]int, replicas)
	if replicas > 1 && w.opt.Clock {
		c.off[1] = int(wrongBy.Seconds())
		if w.opt.Seed%2 == 0 {
			c.off[1] = -c.off[1]
		}
		w.strikes.add(fmt.Sprintf("clock of replica 1 off by %d s", c.off[1]), 1)
	}
	for n, off := range c.off {
		c.write(n, off)
	}
}

func (c *clocks) file(n int) string { return filepath.Join(c.w.dir, fmt.Sprintf("clock-%d", n)) }

func (c *clocks) write(n, off int) {
	name := c.file(n)
	err := os.WriteFile(name+".new", []byte(strconv.Itoa(off)), 0o600)
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		c.w.logf("a clock cannot be set: %v", err)
	}
}

// move changes for good by how much a clock is off, and gives that.
func (c *clocks) move(n, by int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off[n] += by
	return c.off[n]
}

// set sets one replica's clock by hours, forward or back; what it gives sets it right.
func (c *clocks) set() (right func()) {
	c.mu.Lock()
	n, by := c.rnd.IntN(len(c.off)), 3600+c.rnd.IntN(9*3600)
	if c.rnd.IntN(2) == 0 {
		by = -by
	}
	c.mu.Unlock()
	c.write(n, c.off[n]+by)
	if by > 0 {
		c.w.strikes.add("clock set forward", 1)
	} else {
		c.w.strikes.add("clock set back", 1)
	}
	return func() { c.write(n, c.off[n]) }
}

// upgrade goes over to the next version while everything goes on: one process after the
// other, then one back, then all back, as somebody would who did not like it.
func (w *world) upgrade(ctx context.Context) {
	var steps []func()
	for _, r := range w.replicas {
		steps = append(steps, func() { r.replace(ctx, w.next, "upgraded") })
	}
	for _, r := range w.replicas {
		steps = append(steps, func() { r.replace(ctx, w.old, "rolled back") })
	}
	for _, step := range steps {
		if !sleep(ctx, w.opt.For/time.Duration(len(steps)+1)) {
			return
		}
		step()
	}
}
