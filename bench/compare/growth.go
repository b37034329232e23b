//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postern-chat/postern/bench/grow"
	"github.com/postern-chat/postern/bench/load"
	"github.com/postern-chat/postern/store"
)

func generate(ctx context.Context, opt options) error {
	return fill(ctx, opt.generate, opt)
}

// fill makes the tables of the real schema and fills them.
func fill(ctx context.Context, database string, opt options) error {
	s, err := store.Open(ctx, store.Config{Database: database})
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	begun := time.Now()
	err = grow.Fill(ctx, database, grow.Size{Messages: opt.messages, Conversations: opt.conversations, People: grownPeople(opt), Domain: domain},
		func(table string, rows int64) {
			fmt.Fprintf(os.Stderr, "  %s: %d rows after %v\n", table, rows, time.Since(begun).Round(time.Second))
		})
	return err
}

func grownPeople(opt options) int { return max(20_000, opt.conversations/2) }

// pair is a store that has grown and an empty one.
type pair struct {
	empty, grown *gateway
}

// rowGrowth: the rows above with many messages in the store, beside an empty one.
// Traffic goes to conversations all over the grown store.
func rowGrowth(ctx context.Context, w *world) ([]line, error) {
	if w.opt.grown == "" {
		if err := os.MkdirAll(filepath.Join(w.dir, "grown"), 0o755); err != nil {
			return nil, err
		}
		if err := fill(ctx, w.database("grown"), w.opt); err != nil {
			return nil, err
		}
	}
	size := 0.0
	if st, err := os.Stat(strings.TrimPrefix(w.grownDatabase(), "sqlite:")); err == nil {
		size = float64(st.Size()) / 1e9
	}
	head := fmt.Sprintf("growth: %s messages, %s conversations in SQLite", thousands(w.opt.messages), thousands(w.opt.conversations))
	out := []line{{what: head, ours: fmt.Sprintf("a file of %.1f GB", size), beside: "below: a store with nothing in it"}}
	p, err := w.pair("0s")
	if err != nil {
		return out, err
	}
	out = append(out, line{what: "  start to ready", ours: ms(p.grown.ready), beside: ms(p.empty.ready)})
	lines, err := w.grownFlows(ctx, p)
	out = append(out, lines...)
	if err != nil {
		return out, err
	}
	p.empty.stop()
	p.grown.stop()
	if p, err = w.pair("1h"); err != nil {
		return out, err
	}
	m, err := w.contest(ctx, w.posts("empty", w.target(p.empty.addr, 1), p.empty), w.posts("grown", w.grownTarget(p.grown.addr, 1), p.grown))
	if err != nil {
		return out, err
	}
	return append(out, ratioLine("  accepted durably", m["grown"], m["empty"], "", "0.9", 0.9)), nil
}

func (w *world) pair(delay string) (p pair, err error) {
	if p.empty, err = w.start(setting{name: "empty", delay: delay}); err != nil {
		return p, err
	}
	p.grown, err = w.start(setting{name: "grown", database: w.grownDatabase(), delay: delay, people: -1})
	return p, err
}

func (w *world) grownDatabase() string {
	if w.opt.grown != "" {
		return w.opt.grown
	}
	return w.database("grown")
}

func (w *world) grownTarget(addr string, away int) load.Target {
	t := w.target(addr, away)
	t.Kind.Channels = min(channels, w.opt.conversations)
	t.Kind.Stride = max(1, w.opt.conversations/t.Kind.Channels)
	t.Kind.People = grownPeople(w.opt)
	return t
}

func (w *world) grownFlows(ctx context.Context, p pair) (out []line, err error) {
	type two struct {
		what         string
		empty, grown *contender
	}
	compare := func(c two) (map[string]sample, error) {
		c.empty.name, c.grown.name = "empty", "grown"
		return w.contest(ctx, c.empty, c.grown)
	}
	m, err := compare(two{"", w.posts("", w.target(p.empty.addr, 0), p.empty), w.posts("", w.grownTarget(p.grown.addr, 0), p.grown)})
	if err != nil {
		return out, err
	}
	out = append(out, ratioLine("  needs no mail", m["grown"], m["empty"], "", "0.9", 0.9))
	if m, err = compare(two{"", w.flow("", w.target(p.empty.addr, 1), providerDelay, 1000, p.empty), w.flow("", w.grownTarget(p.grown.addr, 1), providerDelay, 1000, p.grown)}); err != nil {
		return out, err
	}
	out = append(out, ratioLine("  chat to mail, one recipient (mails)", m["grown"], m["empty"], "", "0.9", 0.9))
	half := m["empty"].rate / 2
	if m, err = compare(two{"", w.timed("", w.target(p.empty.addr, 1), half, p.empty), w.timed("", w.grownTarget(p.grown.addr, 1), half, p.grown)}); err != nil {
		return out, err
	}
	met := m["grown"].mail99 < 30*time.Millisecond
	out = append(out, line{fmt.Sprintf("  event to provider call at %.0f/s", half), "99 % in " + ms(m["grown"].mail99), ms(m["empty"].mail99),
		fmt.Sprintf("%.2f", float64(m["empty"].mail99)/float64(m["grown"].mail99)), "99 % below 30 ms", &met})
	mails, err := corpus(w.opt.corpus)
	if err != nil {
		return out, nil // said above
	}
	n := len(mails) + w.opt.rounds*mailsARound
	pe, err := w.participants(p.empty, n, w.target(p.empty.addr, 1).Kind)
	if err != nil {
		return out, err
	}
	pg, err := w.participants(p.grown, n, w.grownTarget(p.grown.addr, 1).Kind)
	if err != nil {
		return out, err
	}
	if mails, err = w.single(p.empty, mails, pe); err != nil {
		return out, err
	}
	pe, pg = pe[len(pe)-w.opt.rounds*mailsARound:], pg[len(pg)-w.opt.rounds*mailsARound:]
	if m, err = compare(two{"", w.inbound("", p.empty, mails, pe), w.inbound("", p.grown, mails, pg)}); err != nil {
		return out, err
	}
	return append(out, ratioLine("  raw mail to chat post", m["grown"], m["empty"], "", "0.9", 0.9)), nil
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
