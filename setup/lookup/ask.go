package lookup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/postern-chat/postern"
)

// ednsSize is what fits into one packet everywhere (DNS flag day 2020).
const ednsSize = 1232

// question is what is remembered by.
type question struct {
	server string // host:port
	name   string
	kind   uint16
	// recurse: by a resolver. unchecked: without validation.
	recurse, unchecked bool
}

// pending is a question that was asked; its fields are read once done is closed.
type pending struct {
	done  chan struct{}
	reply *dns.Msg // nil: none came
	err   error    // why
	at    time.Time
	gone  bool // the asker gave up: ask again
}

// ask gives the reply to a question, and asks it if nobody has. An error means that no
// reply came; only for context and budget errors it is a *postern.Error.
func (c *Client) ask(ctx context.Context, q question) (*dns.Msg, time.Time, error) {
	for {
		c.mu.Lock()
		p, known := c.known[q]
		if !known {
			p = &pending{done: make(chan struct{})}
			c.known[q] = p
		}
		c.mu.Unlock()
		if !known {
			p.reply, p.err = c.send(ctx, q)
			p.at = c.cfg.Now()
			if ctx.Err() != nil && p.err != nil {
				p.gone, p.err = true, timeUp(ctx)
				c.mu.Lock()
				delete(c.known, q)
				c.mu.Unlock()
			}
			close(p.done)
			return p.reply, p.at, p.err
		}
		select {
		case <-p.done:
		case <-ctx.Done():
			return nil, c.cfg.Now(), timeUp(ctx)
		}
		if !p.gone {
			return p.reply, p.at, p.err
		}
	}
}

func timeUp(ctx context.Context) error {
	return postern.Errorf(postern.Temporary, op, "name servers: %w", ctx.Err())
}

// send asks by UDP, twice at most, by TCP if the answer is too long for that, and
// without EDNS a server that does not know it.
func (c *Client) send(ctx context.Context, q question) (*dns.Msg, error) {
	select {
	case c.gate <- struct{}{}:
		defer func() { <-c.gate }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(q.name), q.kind)
	m.RecursionDesired = q.recurse
	m.AuthenticatedData = q.recurse // tell us whether you validated (RFC 6840 section 5.7)
	m.CheckingDisabled = q.unchecked
	m.SetEdns0(ednsSize, false)

	var err error
	network := "udp"
	for range 4 {
		var reply *dns.Msg
		if reply, err = c.exchange(ctx, network, m, q.server); err != nil {
			if ctx.Err() != nil || isBudget(err) {
				return nil, err
			}
			if network == "udp-again" || network == "tcp" {
				return nil, err
			}
			network = "udp-again"
			continue
		}
		switch {
		case reply.Truncated && network != "tcp":
			network = "tcp"
		case (reply.Rcode == dns.RcodeFormatError || reply.Rcode == dns.RcodeNotImplemented) && m.IsEdns0() != nil:
			m = m.Copy()
			m.Extra = nil
		default:
			return reply, nil
		}
	}
	return nil, errors.Join(errors.New("neither by UDP nor by TCP"), err)
}

var errGarbled = errors.New("what came is no answer to the question")

func isBudget(err error) bool { return postern.CauseOf(err) == postern.CauseBusy }

func (c *Client) exchange(ctx context.Context, network string, m *dns.Msg, server string) (*dns.Msg, error) {
	c.mu.Lock()
	c.asked++
	c.mu.Unlock()
	if err := c.overBudget(); err != nil {
		return nil, err
	}
	client := &dns.Client{Net: strings.TrimSuffix(network, "-again"), Timeout: c.cfg.Timeout, UDPSize: ednsSize}
	m = m.Copy()
	m.Id = dns.Id()
	reply, _, err := client.ExchangeContext(ctx, m, server)
	if err != nil {
		return nil, err
	}
	if !reply.Response || len(reply.Question) > 1 ||
		len(reply.Question) == 1 && (!strings.EqualFold(reply.Question[0].Name, m.Question[0].Name) || reply.Question[0].Qtype != m.Question[0].Qtype) {
		return nil, errGarbled
	}
	return reply, nil
}

// overBudget fails once more was asked than may be.
func (c *Client) overBudget() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked > c.cfg.MaxQuestions {
		return postern.Errorf(postern.Denied, op, "more than %d questions", c.cfg.MaxQuestions).Because(postern.CauseBusy)
	}
	return nil
}

// kindOf reads a type, "MX". Transfers and ANY are no questions of ours.
func kindOf(kind string) (uint16, error) {
	k, ok := dns.StringToType[strings.ToUpper(kind)]
	if !ok || k == dns.TypeANY || k == dns.TypeAXFR || k == dns.TypeIXFR || k == dns.TypeOPT {
		return 0, postern.Errorf(postern.Invalid, op, "unknown record type %q", kind)
	}
	return k, nil
}

// failed makes the answer of a server that gave none.
func failed(a Answer, err error) Answer {
	a.Status = Unreachable
	a.Reason = reason(err)
	if errors.Is(err, errGarbled) {
		a.Status = Garbled
	}
	var packed *dns.Error
	if errors.As(err, &packed) {
		a.Status = Garbled
	}
	return a
}

// reason puts the usual failures in words.
func reason(err error) string {
	var t interface{ Timeout() bool }
	if errors.As(err, &t) && t.Timeout() {
		return "no answer in time"
	}
	return fmt.Sprint(err)
}
