package load

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Result is what one round gave.
type Result struct {
	N        int
	Took     time.Duration
	P50, P99 time.Duration
}

// PerSecond is the throughput.
func (r Result) PerSecond() float64 { return float64(r.N) / r.Took.Seconds() }

// Target is who is posted to.
type Target struct {
	Addr  string // host:port
	Kind  Kind
	Conns int            // 0 = 64
	IDs   *atomic.Uint64 // the last message id used; never used twice
	// Gate is waited at before each post of a closed loop; nil = none. It ends the loop
	// by answering false.
	Gate func() bool
}

// connection posts and reads answers.
type connection struct {
	c     net.Conn
	in    *bufio.Reader
	hook  *Webhook
	times []time.Duration
}

func (t Target) connect() ([]*connection, error) {
	var out []*connection
	n := t.Conns
	if n == 0 {
		n = 64
	}
	for range n {
		c, err := net.Dial("tcp", t.Addr)
		if err != nil {
			return out, err
		}
		out = append(out, &connection{c: c, in: bufio.NewReader(c), hook: NewWebhook(t.Kind)})
	}
	return out, nil
}

func closeAll(cs []*connection) {
	for _, c := range cs {
		_ = c.c.Close()
	}
}

// post sends message n and reads the answer.
func (c *connection) post(n uint64, planned time.Time) error {
	if _, err := c.c.Write(c.hook.Patch(n, planned)); err != nil {
		return err
	}
	return c.answer()
}

var contentLength = []byte("content-length:")

// answer reads an answer with Content-Length, in chunks, or with no body at all.
func (c *connection) answer() error {
	length, chunked := 0, false
	for first := true; ; first = false {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		switch {
		case first && (len(line) < 12 || string(line[9:12]) != "200"):
			return fmt.Errorf("answered %q", line)
		case len(line) > len(contentLength) && bytes.EqualFold(line[:len(contentLength)], contentLength):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(contentLength):]))); err != nil {
				return err
			}
		case bytes.EqualFold(bytes.TrimSpace(line), []byte("transfer-encoding: chunked")):
			chunked = true
		}
		if len(line) <= 2 {
			break
		}
	}
	if !chunked {
		_, err := c.in.Discard(length)
		return err
	}
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return err
		}
		if _, err := c.in.Discard(int(n) + 2); err != nil || n == 0 {
			return err
		}
	}
}

// Closed posts for d, each connection as soon as it has its answer.
func Closed(t Target, d time.Duration) (Result, error) {
	return run(t, func(start time.Time, c *connection) error {
		for time.Since(start) < d && (t.Gate == nil || t.Gate()) {
			begun := time.Now()
			if err := c.post(t.IDs.Add(1), begun); err != nil {
				return err
			}
			c.times = append(c.times, time.Since(begun))
		}
		return nil
	})
}

// Count posts n webhooks.
func Count(t Target, n int) (Result, error) {
	var left atomic.Int64
	left.Store(int64(n))
	return run(t, func(_ time.Time, c *connection) error {
		for left.Add(-1) >= 0 {
			begun := time.Now()
			if err := c.post(t.IDs.Add(1), begun); err != nil {
				return err
			}
			c.times = append(c.times, time.Since(begun))
		}
		return nil
	})
}

// Open posts so many a second for d. Where all connections are busy a post starts late,
// but its clock has run since its time.
func Open(t Target, rate float64, d time.Duration) (Result, error) {
	var next atomic.Int64
	total := int64(rate * d.Seconds())
	return run(t, func(start time.Time, c *connection) error {
		for {
			i := next.Add(1) - 1
			if i >= total {
				return nil
			}
			planned := start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
			if wait := time.Until(planned); wait > 0 {
				time.Sleep(wait)
			}
			if err := c.post(t.IDs.Add(1), planned); err != nil {
				return err
			}
			c.times = append(c.times, time.Since(planned))
		}
	})
}

func run(t Target, each func(start time.Time, c *connection) error) (Result, error) {
	cs, err := t.connect()
	defer closeAll(cs)
	if err != nil {
		return Result{}, err
	}
	errs := make(chan error, len(cs))
	var wg sync.WaitGroup
	start := time.Now()
	for _, c := range cs {
		wg.Go(func() {
			if err := each(start, c); err != nil && err != io.EOF {
				errs <- err
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	select {
	case err := <-errs:
		return Result{}, err
	default:
	}
	var times []time.Duration
	for _, c := range cs {
		times = append(times, c.times...)
	}
	r := Result{N: len(times), Took: took}
	r.P50, r.P99 = Quantiles(times)
	return r, nil
}

// Quantiles sorts the times and tells their median and 99th percentile.
func Quantiles(times []time.Duration) (p50, p99 time.Duration) {
	if len(times) == 0 {
		return 0, 0
	}
	slices.Sort(times)
	return times[len(times)/2], times[len(times)*99/100]
}
