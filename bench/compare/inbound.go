//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jhillyerd/enmime/v2"

	"github.com/postern-chat/postern/bench/load"
	"github.com/postern-chat/postern/letter"
)

var errNoCorpus = errors.New("no ../shared/corpus/replies beside the repository")

// mailsARound is how many mails come in one round.
const mailsARound = 1000

// corpus reads real replies as whole mails: what is a body only gets a head. Mails with
// files are left out, because a user's posts are spaced (Sendbird: 5 a second).
func corpus(dir string) (mails [][]byte, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(files) == 0 {
		return nil, errNoCorpus
	}
	slices.Sort(files)
	for _, f := range files {
		ext := filepath.Ext(f)
		if strings.Contains(filepath.Base(f), ".expected") || !slices.Contains([]string{".eml", ".txt", ".html"}, ext) {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		if ext != ".eml" {
			kind := map[string]string{".txt": "plain", ".html": "html"}[ext]
			b = append([]byte("Subject: Re: Support\nDate: Mon, 2 Nov 2026 10:00:00 +0000\nMIME-Version: 1.0\nContent-Type: text/"+kind+"; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"), b...)
		}
		m, err := letter.Read(bytes.NewReader(b), int64(len(b)), letter.Options{})
		if err != nil || len(m.Attachments) > 0 || m.Auto != nil || m.Bounce != nil {
			continue
		}
		mails = append(mails, b)
	}
	return mails, nil
}

// readdressed gives a mail another writer and reader, and the line ends of mail: only
// the participant's own word is posted.
func readdressed(raw []byte, from, to string) []byte {
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	head, body, _ := bytes.Cut(raw, []byte("\n\n"))
	out := []byte("From: " + from + "\r\nTo: " + to + "\r\n")
	skip := false
	for field := range bytes.SplitSeq(head, []byte("\n")) {
		if folded := len(field) > 0 && (field[0] == ' ' || field[0] == '\t'); !folded {
			name, _, _ := bytes.Cut(field, []byte(":"))
			skip = slices.Contains([]string{"from", "to", "cc", "sender", "reply-to", "return-path", "delivered-to", "received-spf", "authentication-results"}, strings.ToLower(string(name)))
		}
		if !skip {
			out = append(append(out, field...), '\r', '\n')
		}
	}
	out = append(out, '\r', '\n')
	return append(out, bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n"))...)
}

// route is Mailgun's post of a raw mail, up to the mail and behind it.
func route(recipient, sender, token string) (head, tail string, contentType string) {
	const boundary = "benchbenchbenchbenchbench"
	now := fmt.Sprint(time.Now().Unix())
	mac := hmac.New(sha256.New, []byte(signingKey))
	_, _ = io.WriteString(mac, now+token)
	var b strings.Builder
	for _, f := range [][2]string{{"recipient", recipient}, {"sender", sender}, {"from", sender}, {"subject", "Re: Support"}, {"timestamp", now}, {"token", token}, {"signature", hex.EncodeToString(mac.Sum(nil))}} {
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", boundary, f[0], f[1])
	}
	fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"body-mime\"\r\n\r\n", boundary)
	return b.String(), "\r\n--" + boundary + "--\r\n", "multipart/form-data; boundary=" + boundary
}

const inboundPath = "/hooks/mailgun/inbound/mime"

// envelope is whom a mail is from and to.
type envelope struct{ user, reply string }

// participants makes n people who were mailed, and tells their reply addresses.
func (w *world) participants(g *gateway, n int, k load.Kind) ([]envelope, error) {
	if _, err := w.ask("reset?replies=true"); err != nil {
		return nil, err
	}
	t := load.Target{Addr: g.addr, IDs: &w.ids, Kind: k}
	if _, err := load.Count(t, n); err != nil {
		return nil, err
	}
	if err := await(context.Background(), int64(n), func() int64 { return w.counts().mails }); err != nil {
		return nil, err
	}
	b, err := w.ask("addresses")
	if err != nil {
		return nil, err
	}
	var known map[string]string
	if err := json.Unmarshal(b, &known); err != nil {
		return nil, err
	}
	var out []envelope
	for to, reply := range known {
		out = append(out, envelope{to, reply})
	}
	if len(out) < n {
		return nil, fmt.Errorf("%d reply addresses are known, %d were to be", len(out), n)
	}
	return out, nil
}

// send posts one mail to each of so many people, taking the mails in turn, and waits
// until enough says that they are posted.
func (w *world) send(g *gateway, mails [][]byte, people []envelope, enough func() error) (sample, error) {
	var posts [][]byte
	for i, p := range people {
		raw := readdressed(mails[i%len(mails)], p.user, p.reply)
		head, tail, kind := route(p.reply, p.user, fmt.Sprintf("%050d", w.ids.Add(1)))
		posts = append(posts, fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s%s%s", inboundPath, kind, len(head)+len(raw)+len(tail), head, raw, tail))
	}
	if err := w.reset(0); err != nil {
		return sample{}, err
	}
	used, begun := g.cpu(), time.Now()
	times, err := postAll(g.addr, posts)
	if err != nil {
		return sample{}, err
	}
	if err := enough(); err != nil {
		return sample{}, err
	}
	if err := quiet(g); err != nil { // with the marks that follow the posts
		return sample{}, err
	}
	s, err := w.stats()
	n := len(people)
	out := sample{rate: float64(n) / s.Last.Sub(begun).Seconds(), cpu: (g.cpu() - used) / time.Duration(n)}
	out.p50, out.p99 = load.Quantiles(times)
	return out, err
}

// quiet waits until there is nothing left to do.
func quiet(g *gateway) error {
	for range 1200 {
		if strings.Contains(g.metrics("postern_jobs"), "postern_jobs 0") {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("the mails are not worked within a minute")
}

// single leaves those mails that become exactly one post. What becomes more says
// nothing about speed: the posts of one user are spaced, as Sendbird wants it.
func (w *world) single(g *gateway, mails [][]byte, people []envelope) ([][]byte, error) {
	if _, err := w.send(g, mails, people[:len(mails)], func() error { return nil }); err != nil {
		return nil, err
	}
	b, err := w.ask("posters")
	if err != nil {
		return nil, err
	}
	posters := map[string]int{}
	if err := json.Unmarshal(b, &posters); err != nil {
		return nil, err
	}
	var out [][]byte
	most := 0
	for i, m := range mails {
		user, _, _ := strings.Cut(people[i].user, "@")
		most = max(most, posters[user])
		if posters[user] == 1 {
			out = append(out, m)
		}
	}
	fmt.Fprintf(os.Stderr, "  of %d mails %d become one post, %d none, the others up to %d; %s\n", len(mails), len(out), len(mails)-len(posters), most, g.metrics("postern_decisions_total"))
	if len(out) == 0 {
		return nil, errors.New("no mail becomes a post")
	}
	return out, nil
}

// inbound is a contender who is mailed to; each round has participants of its own,
// because the same mail to the same address is taken once.
func (w *world) inbound(name string, g *gateway, mails [][]byte, people []envelope) *contender {
	return &contender{name: name, run: func() (sample, error) {
		if len(people) < mailsARound {
			return sample{}, errors.New("too few participants")
		}
		now := people[:mailsARound]
		people = people[mailsARound:]
		return w.send(g, mails, now, func() error {
			return await(context.Background(), mailsARound, func() int64 { return w.counts().posts })
		})
	}}
}

// metrics tells those of the gateway's metrics whose name begins so.
func (g *gateway) metrics(name string) string {
	resp, err := http.Get("http://" + g.addr + "/metrics")
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	var out []string
	for in := bufio.NewScanner(resp.Body); in.Scan(); {
		if strings.HasPrefix(in.Text(), name) {
			out = append(out, in.Text())
		}
	}
	return strings.Join(out, "; ")
}

// postAll posts each request once, over 64 connections.
func postAll(addr string, posts [][]byte) (times []time.Duration, err error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range 64 {
		wg.Go(func() {
			mine, e := postSome(addr, posts, &next)
			mu.Lock()
			defer mu.Unlock()
			times, err = append(times, mine...), errors.Join(err, e)
		})
	}
	wg.Wait()
	return times, err
}

func postSome(addr string, posts [][]byte, next *atomic.Int64) (times []time.Duration, err error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	for {
		i := int(next.Add(1)) - 1
		if i >= len(posts) {
			return times, nil
		}
		begun := time.Now()
		if _, err := c.Write(posts[i]); err != nil {
			return times, err
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return times, err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return times, fmt.Errorf("a mail was answered %s", resp.Status)
		}
		times = append(times, time.Since(begun))
	}
}

// enmimes is a contender that only takes mails apart, on so many cores.
func enmimes(mails [][]byte, cores int) *contender {
	return &contender{name: fmt.Sprintf("enmime %d", cores), run: func() (sample, error) {
		var next atomic.Int64
		var wg sync.WaitGroup
		begun := time.Now()
		for range cores {
			wg.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= mailsARound {
						return
					}
					_, _ = enmime.ReadEnvelope(bytes.NewReader(mails[i%len(mails)])) // some it cannot read
				}
			})
		}
		wg.Wait()
		return sample{rate: mailsARound / time.Since(begun).Seconds()}, nil
	}}
}

// rowInbound: real mails become chat messages.
func rowInbound(ctx context.Context, w *world) ([]line, error) {
	what := fmt.Sprintf("raw mail to chat post, %d real mails, SQLite", mailsARound)
	mails, err := corpus(w.opt.corpus)
	if err != nil {
		return []line{{what: what, ours: "left out: " + err.Error()}}, nil
	}
	g, err := w.start(setting{name: "inbound", delay: "0s"})
	if err != nil {
		return nil, err
	}
	people, err := w.participants(g, len(mails)+w.opt.rounds*mailsARound, w.target(g.addr, 1).Kind)
	if err != nil {
		return nil, err
	}
	if mails, err = w.single(g, mails, people); err != nil {
		return nil, err
	}
	people = people[len(people)-w.opt.rounds*mailsARound:]
	whole := make([][]byte, len(mails))
	for i, m := range mails {
		whole[i] = readdressed(m, "u00000000@people.example", people[0].reply)
	}
	one, all := enmimes(whole, 1), enmimes(whole, runtime.NumCPU())
	m, err := w.contest(ctx, w.inbound("postern", g, mails, people), one, all)
	if err != nil {
		return nil, err
	}
	ours, beside := m["postern"], m[all.name]
	r := ours.rate / beside.rate
	met := r >= 0.6
	return []line{{what, fmt.Sprintf("%.0f mails/s, %v of processor each", ours.rate, ours.cpu.Round(time.Microsecond)),
		fmt.Sprintf("enmime only parsing them: %.0f/s on all cores, %.0f/s on one", beside.rate, m[one.name].rate),
		fmt.Sprintf("%.2f (%.2f of one core)", r, ours.rate/m[one.name].rate), "0.6", &met}}, nil
}
