//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

const (
	domain     = "mg.postern.example"
	adminToken = "chaos-admin"
)

// world is the gateway's processes and everything around them.
type world struct {
	opt  options
	out  io.Writer
	dir  string
	keep bool // leave dir

	chat     *sendbird.Server
	mail     *mailgun.Server
	people   *mailbox.Server
	chatURL  string
	mailURL  string
	front    *front
	replicas []*replica
	old      string // the binary, and that of the next version; "" = none
	next     string
	clocks   clocks
	storm    atomic.Int64 // over 0: calls are answered 429
	troubled int          // times that the database or the disk was taken away
	database database
	client   *http.Client
	servers  []*http.Server

	channels []*channel
	away     []string // user ids of those who are written to
	books    books
	points   points
	calls    tally // by the gateway and to it
	kills    tally
	strikes  tally
	sent     atomic.Int64
	pending  atomic.Int64 // things that people are about to do
	unrest   string       // why there was no rest
	infra    atomic.Int64 // when the database or the disk was last taken away, Unix ms
	wg       sync.WaitGroup
	end      context.CancelFunc
	ctx      context.Context
}

// channel is a conversation: some write in the chat, some are away.
type channel struct {
	n       int
	url     string
	writers []string
	away    []string
}

func address(user string) string { return user + "@people.example" }

func newWorld(ctx context.Context, o options, out io.Writer) (w *world, err error) {
	w = &world{opt: o, out: out, client: &http.Client{Timeout: 20 * time.Second}, keep: o.Keep != ""}
	w.ctx, w.end = context.WithCancel(ctx)
	w.books.init()
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.dir, err = makeDir(o.Keep); err != nil {
		return w, err
	}
	if w.database, err = newDatabase(w); err != nil {
		return w, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return w, err
	}
	w.front = newFront(w, "http://"+ln.Addr().String())
	if err := w.startServices(); err != nil {
		return w, err
	}
	w.serve(ln, w.front)
	if err := w.startReplicas(ctx); err != nil {
		return w, err
	}
	return w, w.populate(ctx)
}

func makeDir(keep string) (string, error) {
	if keep == "" {
		return os.MkdirTemp("", "chaos-")
	}
	dir, err := filepath.Abs(keep)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

func (w *world) logf(format string, args ...any) {
	fmt.Fprintf(w.out, "%s %s\n", time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
}

func (w *world) serve(ln net.Listener, h http.Handler) string {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	w.servers = append(w.servers, s)
	go func() { _ = s.Serve(ln) }() // ends with close
	return "http://" + ln.Addr().String()
}

// startServices starts the emulators, each behind a tap.
func (w *world) startServices() (err error) {
	chat, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mail, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.chatURL, w.mailURL = "http://"+chat.Addr().String(), "http://"+mail.Addr().String()
	w.chat, err = sendbird.New(sendbird.Config{
		Seed: w.opt.Seed, BookEntries: 200_000, FilesURL: w.chatURL, TempDir: w.dir,
		Webhook: sendbird.Webhook{URL: w.front.url + "/hooks/sendbird", IncludeMembers: true},
	})
	if err != nil {
		return err
	}
	pauses := make([]time.Duration, 40)
	for i := range pauses {
		pauses[i] = time.Duration(min(i+1, 5)) * time.Second
	}
	sw := mailgun.DefaultSwitches()
	sw.EventLagSeconds = w.opt.Unsure.Seconds() / 3
	w.mail, err = mailgun.New(mailgun.Config{
		Domains: []string{domain}, AccountKey: "key-account", SendingKey: "key-sending", SigningKey: "key-signing", TempDir: w.dir,
		Seed: uint64(w.opt.Seed), PublicURL: w.mailURL, Switches: &sw, Timing: mailgun.Timing{EventRetries: pauses, RouteRetries: pauses},
		Deliver: func(ctx context.Context, from, to string, raw io.Reader) error {
			return w.people.Deliver(ctx, from, to, raw)
		},
	})
	if err != nil {
		return err
	}
	w.people, err = mailbox.New(mailbox.Config{Exchange: w.mail, Seed: uint64(w.opt.Seed), TempDir: w.dir})
	if err != nil {
		return err
	}
	w.serve(chat, &tap{w: w, next: w.chat.Handler(), kind: chatCall})
	w.serve(mail, &tap{w: w, next: w.mail.Handler(), kind: mailCall})
	if _, err := w.mail.AddRoute(0, `match_recipient(".*@`+domain+`")`, `forward("`+w.front.url+`/hooks/mailgun/inbound/mime")`, "stop()"); err != nil {
		return err
	}
	w.mail.AddWebhook(domain, w.front.url+"/hooks/mailgun/events")
	if w.opt.Drop > 0 { // first in the list: whatever else strikes
		_, err = w.chat.AddHookFault(sendbird.HookFault{Do: "drop", Category: "group_channel:message_send", Probability: w.opt.Drop})
	}
	return err
}

// startReplicas builds the gateway, unless there is one, and starts its processes.
func (w *world) startReplicas(ctx context.Context) error {
	binary := w.opt.Binary
	if binary == "" {
		binary = filepath.Join(w.dir, "postern")
		if err := buildVariant(ctx, binary, variant{clock: w.opt.Clock}); err != nil {
			return err
		}
	}
	w.old = binary
	if w.next = w.opt.Next; w.opt.Upgrade && w.next == "" {
		w.next = filepath.Join(w.dir, "postern-next")
		if err := buildVariant(ctx, w.next, variant{clock: w.opt.Clock, next: true}); err != nil {
			return err
		}
	}
	n := 1
	if w.database.shared() {
		if n = w.opt.Replicas; n <= 0 {
			n = 2
		}
	}
	w.clocks.init(w, n)
	for i := range n {
		r, err := newReplica(w, i, binary)
		if err != nil {
			return err
		}
		w.replicas = append(w.replicas, r)
		if err := r.start(); err != nil {
			return err
		}
	}
	for _, r := range w.replicas {
		if err := r.ready(ctx, 30*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// populate makes the people and their channels. In each, two write in the chat, three
// are away with an address, and one is away without.
func (w *world) populate(ctx context.Context) error {
	w.away = []string{"bea", "cem", "dov", "eva"}
	for _, u := range append([]string{"wim", "xia", "nobody"}, w.away...) {
		if err := w.api(ctx, http.MethodPost, w.chatURL+"/v3/users", map[string]any{"user_id": u, "nickname": strings.ToUpper(u[:1]) + u[1:], "profile_url": ""}, nil); err != nil {
			return err
		}
	}
	for _, u := range []string{"wim", "xia"} {
		if err := w.chat.SetPresence(u, true); err != nil {
			return err
		}
	}
	for _, u := range w.away {
		w.people.Open(address(u), u)
		body := map[string]string{"email": address(u), "name": u, "locale": "en"}
		if err := w.operate(ctx, http.MethodPut, "/api/v1/people/"+u, body, nil); err != nil {
			return err
		}
	}
	for n := range w.opt.Channels {
		c := &channel{n: n, writers: []string{"wim", "xia"}}
		for i, u := range w.away {
			if i != n%len(w.away) {
				c.away = append(c.away, u)
			}
		}
		var made struct {
			URL string `json:"channel_url"`
		}
		ids := append(append([]string{"nobody"}, c.writers...), c.away...)
		if err := w.api(ctx, http.MethodPost, w.chatURL+"/v3/group_channels", map[string]any{"name": fmt.Sprintf("Room %d", n), "user_ids": ids}, &made); err != nil {
			return err
		}
		c.url = made.URL
		w.channels = append(w.channels, c)
	}
	return nil
}

// api makes a JSON call of an emulator or of the gateway.
func (w *world) api(ctx context.Context, method, to string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, to, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Api-Token", w.chat.MasterToken())
	req.Header.Set("Authorization", "Bearer "+adminToken)
	return w.exchange(req, out)
}

// operate calls the gateway's API as an operator does: again, if it was not there.
func (w *world) operate(ctx context.Context, method, path string, in, out any) (err error) {
	for end := time.Now().Add(stepTime); time.Now().Before(end); {
		if err = w.api(ctx, method, w.replicas[w.anybody()].url+path, in, out); err == nil || w.opt.stop == nil {
			return err
		}
		if !sleep(ctx, 100*time.Millisecond) {
			break
		}
	}
	return err
}

func (w *world) exchange(req *http.Request, out any) error {
	resp, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", req.Method, req.URL, resp.Status, bytes.TrimSpace(answer))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

func (w *world) close() {
	w.end()
	for _, r := range w.replicas {
		r.stop()
	}
	w.wg.Wait()
	for _, s := range w.servers {
		_ = s.Close()
	}
	if w.people != nil {
		_ = w.people.Close()
	}
	if w.mail != nil {
		_ = w.mail.Close()
	}
	if w.chat != nil {
		_ = w.chat.Close()
	}
	if w.database != nil {
		w.database.close()
	}
	if w.dir != "" && !w.keep {
		_ = os.RemoveAll(w.dir)
	} else if w.dir != "" {
		w.logf("logs and data are in %s", w.dir)
	}
}
