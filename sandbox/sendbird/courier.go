package sendbird

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	hooksInFlight = 64
	hooksKept     = 2000 // for resending
)

// A hook is one event, ready to post.
type hook struct {
	id       int64
	category string
	channel  string // URL, "" for events without
	url      string
	body     []byte
	tries    []try
	state    string // waiting, delivered, lost, dropped
}

type try struct {
	At     int64  `json:"at"`
	Status int    `json:"status,omitempty"`
	Error  string `json:"error,omitempty"`
	Millis int64  `json:"ms"`
	Resend bool   `json:"resend,omitempty"`
}

// courier posts events. Within a channel the first tries go one after another, unless rules.Unordered; later tries of
// one event hold nothing up.
type courier struct {
	ctx    context.Context
	cfg    Config
	client *http.Client
	own    *http.Transport // closed with the courier when the client is ours
	book   *book
	faults *faults
	slots  chan struct{}
	wg     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	rules   Switches
	epoch   context.Context // ends with Reset: what was queued before is not sent
	renew   context.CancelFunc
	hooks   map[int64]*hook
	order   []int64
	lanes   map[string]*lane
	pending int           // events not yet at their end
	quiet   chan struct{} // closed when pending falls to 0
}

// A lane is what is still to go out for one channel.
type lane struct {
	queue   []*parcel
	held    []*parcel // reordered: after the next
	running bool
}

// A parcel is one delivery of a hook; a duplicate is another parcel.
type parcel struct {
	hook   *hook
	ctx    context.Context
	resend bool
	after  []*parcel // held ones to send behind it
}

func newCourier(ctx context.Context, cfg Config, b *book, f *faults) *courier {
	c := &courier{ctx: ctx, cfg: cfg, client: cfg.HTTPClient, book: b, faults: f,
		slots: make(chan struct{}, hooksInFlight), lanes: map[string]*lane{}, renew: func() {}}
	if c.client == nil {
		// HTTP/1.1 with keep-alive, as the real one wants of an endpoint; no proxy between two local programs.
		c.own = &http.Transport{
			DialContext:         (&net.Dialer{}).DialContext,
			MaxIdleConnsPerHost: hooksInFlight,
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true,
			Protocols:           new(http.Protocols),
		}
		c.own.Protocols.SetHTTP1(true)
		c.client = &http.Client{Transport: c.own, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}
	}
	return c
}

func (c *courier) setRules(sw Switches) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rules = sw
}

// take accepts an event and gives its number. It does not block.
func (c *courier) take(h *hook) {
	c.book.add(c.entry(h, "webhook"))
	fault := c.faults.hook(h.category, h.channel)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(h)
	p := &parcel{hook: h, ctx: c.epoch}
	if fault == nil {
		c.queue(p)
		return
	}
	switch fault.Do {
	case "drop":
		h.state = "dropped"
		c.book.add(Entry{Kind: "outcome", Webhook: h.id, Category: h.category, Channel: h.channel, State: h.state, Fault: "drop"})
	case "duplicate":
		for range max(fault.Copies, 2) {
			c.queue(&parcel{hook: h, ctx: c.epoch})
		}
	case "delay":
		c.later(p, time.Duration(fault.DelayMS)*time.Millisecond)
	case "reorder":
		c.hold(p, time.Duration(fault.DelayMS)*time.Millisecond)
	}
}

// keep remembers the event for resending. Called under mu.
func (c *courier) keep(h *hook) {
	h.state = "waiting"
	c.hooks[h.id] = h
	c.order = append(c.order, h.id)
	if len(c.order) > hooksKept {
		delete(c.hooks, c.order[0])
		c.order = c.order[1:]
	}
}

func (c *courier) begin() {
	if c.pending == 0 {
		c.quiet = make(chan struct{})
	}
	c.pending++
}

func (c *courier) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending--; c.pending == 0 {
		close(c.quiet)
	}
}

// queue puts p at the end of its lane. Called under mu.
func (c *courier) queue(p *parcel) {
	if c.closed {
		return
	}
	c.begin()
	c.enqueue(p)
}

func (c *courier) enqueue(p *parcel) {
	if c.rules.Unordered {
		c.wg.Go(func() { c.deliver(p, func() {}) })
		return
	}
	l := c.lane(p.hook.channel)
	p.after, l.held = l.held, nil
	l.queue = append(l.queue, p)
	if !l.running {
		l.running = true
		c.wg.Go(func() { c.run(p.hook.channel) })
	}
}

func (c *courier) lane(key string) *lane {
	l := c.lanes[key]
	if l == nil {
		l = &lane{}
		c.lanes[key] = l
	}
	return l
}

// later queues p after d. Called under mu.
func (c *courier) later(p *parcel, d time.Duration) {
	if c.closed {
		return
	}
	c.begin()
	c.wg.Go(func() {
		if !sleep(p.ctx, p.ctx, d) {
			c.end()
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.enqueue(p)
	})
}

// hold keeps p back until the next of its lane has gone out, or d has passed. Called under mu.
func (c *courier) hold(p *parcel, d time.Duration) {
	if c.closed {
		return
	}
	c.begin()
	l := c.lane(p.hook.channel)
	l.held = append(l.held, p)
	if d <= 0 {
		d = time.Second
	}
	c.wg.Go(func() {
		sleep(p.ctx, p.ctx, d)
		c.mu.Lock()
		defer c.mu.Unlock()
		for i, h := range l.held {
			if h == p {
				l.held = append(l.held[:i], l.held[i+1:]...)
				c.enqueue(p)
				return
			}
		}
	})
}

// run empties a lane and ends.
func (c *courier) run(key string) {
	for {
		c.mu.Lock()
		l := c.lanes[key]
		if len(l.queue) == 0 {
			l.running = false
			if len(l.held) == 0 {
				delete(c.lanes, key)
			}
			c.mu.Unlock()
			return
		}
		p := l.queue[0]
		l.queue = l.queue[1:]
		c.mu.Unlock()
		first := make(chan struct{})
		c.wg.Go(func() { c.deliver(p, func() { close(first) }) })
		<-first
		c.mu.Lock()
		l.queue = append(p.after, l.queue...)
		c.mu.Unlock()
	}
}

// deliver makes up to three tries and calls tried after the first.
func (c *courier) deliver(p *parcel, tried func()) {
	defer c.end()
	h, state := p.hook, "lost"
	for n := 0; n <= len(c.cfg.Delivery.Pauses); n++ {
		if n > 0 && !sleep(p.ctx, p.ctx, c.cfg.Delivery.Pauses[n-1]) || p.ctx.Err() != nil {
			if n == 0 {
				tried()
			}
			return
		}
		ok := c.attempt(p, n+1)
		if n == 0 {
			tried()
		}
		if ok {
			state = "delivered"
			break
		}
	}
	c.mu.Lock()
	if h.state != "delivered" {
		h.state = state
	}
	c.mu.Unlock()
	c.book.add(Entry{Kind: "outcome", Webhook: h.id, Category: h.category, Channel: h.channel, State: state})
}

// attempt posts once and tells whether that was the last time.
func (c *courier) attempt(p *parcel, n int) bool {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-p.ctx.Done():
		return false
	}
	begun := time.Now()
	status, answer, err := c.post(p.ctx, p.hook)
	t := try{At: c.cfg.Now().UnixMilli(), Status: status, Millis: time.Since(begun).Milliseconds(), Resend: p.resend}
	e := c.entry(p.hook, "try")
	e.Request, e.Try, e.Status, e.Millis = "", n, status, t.Millis
	e.setAnswer(answer)
	if err != nil {
		t.Error = reason(err)
		e.Error = t.Error
	}
	c.mu.Lock()
	p.hook.tries = append(p.hook.tries, t)
	anyStatus := c.rules.NoRetryOnStatus
	c.mu.Unlock()
	c.book.add(e)
	return err == nil && (anyStatus || status/100 == 2)
}

func reason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}

func (c *courier) post(ctx context.Context, h *hook) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Delivery.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(h.body))
	if err != nil {
		return 0, nil, err
	}
	sig := c.sign(h.body)
	// As captured (facts, W20).
	for k, v := range map[string]string{
		"User-Agent": "SendBird", "Content-Type": "application/json", "Accept": "*/*", "Accept-Encoding": "gzip, deflate",
		"Unicode-Escaped": "true", "X-Sendbird-Signature": sig, "X-Signature": sig,
	} {
		req.Header.Set(k, v)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, entryBodyLimit))
	return resp.StatusCode, answer, nil
}

// sign keys with the master token, whatever token the API is called with.
func (c *courier) sign(body []byte) string {
	m := hmac.New(sha256.New, []byte(c.cfg.MasterToken))
	m.Write(body)
	return hex.EncodeToString(m.Sum(nil))
}

func (c *courier) entry(h *hook, kind string) Entry {
	e := Entry{Kind: kind, Webhook: h.id, Category: h.category, Channel: h.channel, Path: h.url, Signature: c.sign(h.body)}
	e.setRequest(h.body)
	return e
}

// resend posts the same bytes again, after d.
func (c *courier) resend(id int64, copies int, d time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hooks[id]
	if h == nil {
		return false
	}
	for range max(copies, 1) {
		c.later(&parcel{hook: h, ctx: c.epoch, resend: true}, d)
	}
	return true
}

// dropAll forgets what is queued and kept, and breaks off what is under way.
func (c *courier) dropAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renew()
	c.epoch, c.renew = context.WithCancel(c.ctx)
	c.hooks, c.order = map[int64]*hook{}, nil
}

// wait blocks until every event has reached its end.
func (c *courier) wait(ctx context.Context) error {
	c.mu.Lock()
	quiet, pending := c.quiet, c.pending
	c.mu.Unlock()
	if pending == 0 {
		return nil
	}
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

func (c *courier) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.wg.Wait()
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// WaitWebhooks blocks until every event made so far has been delivered, lost or dropped.
func (s *Server) WaitWebhooks(ctx context.Context) error { return s.courier.wait(ctx) }
