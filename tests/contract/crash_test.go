package contract

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// once gives a channel, and a function that sends on it.
func once() (chan struct{}, func()) {
	ch := make(chan struct{}, 100)
	return ch, func() { ch <- struct{}{} }
}

// hang gives a function that does not come back before the test is over.
func hang(t *testing.T) func() {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	return func() { <-over }
}

func wait(t *testing.T, ch <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(patience):
		t.Fatal("waited in vain for ", what)
	}
}

// Killed after Mailgun took a mail and before its answer: no second mail; what became of
// it is found in the books, or told by a webhook.
func TestKilledDuringSend(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"books", "webhook", "not taken"} {
		for _, db := range databases(t) {
			t.Run(how+" "+db.name, func(t *testing.T) {
				t.Parallel()
				unsure := map[string]string{"books": "20s", "webhook": "10m", "not taken": "6s"}[how]
				w := newWorld(t, vars{"POSTERN_DATABASE": db.dsn(t), "POSTERN_MAILGUN_UNSURE_AFTER": unsure})
				c, addr := w.pair("bob")
				reached, tell := once()
				forever := hang(t)
				hold := func(http.ResponseWriter, *sent) bool { tell(); forever(); return true }
				w.mg.mu.Lock()
				if how == "not taken" {
					w.mg.before = func(http.ResponseWriter, string) bool { tell(); forever(); return true }
				} else {
					w.mg.after = hold
				}
				w.mg.mu.Unlock()
				w.say(c, "ana", "only once")
				wait(t, reached, "the call")
				w.gw.kill()
				w.mg.mu.Lock()
				w.mg.before, w.mg.after = nil, nil
				w.mg.mu.Unlock()
				if how == "webhook" {
					w.mg.change(func() { w.mg.hide[w.mg.sent[0].ID] = true })
				}
				killed := time.Now()
				w.gw.start()
				w.say(c, "ana", "and the next") // waits behind it: nothing out of order
				switch how {
				case "webhook":
					w.happened(w.mg.mails(addr)[0], "delivered")
				}
				last := w.mg.mail(t, addr, 2)
				if !contains(last.envelope(t).Text, "and the next") {
					t.Errorf("%q", last.envelope(t).Text)
				}
				first := w.mg.mails(addr)[0]
				if !contains(first.envelope(t).Text, "only once") {
					t.Errorf("%q", first.envelope(t).Text)
				}
				if how == "not taken" && first.At.Sub(killed) < 4*time.Second {
					t.Errorf("sent again after %v", first.At.Sub(killed))
				}
				w.gw.idle()
				if n := len(w.mg.mails(addr)); n != 2 {
					t.Errorf("%d mails", n)
				}
			})
		}
	}
}

type database struct {
	name string
	dsn  func(*testing.T) string
}

func (m *mailgun) change(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// Killed after Sendbird took a post and before its answer: found by its mark, not posted twice.
func TestKilledDuringPost(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"taken", "not taken"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			c, m := w.mailed("bob")
			reached, tell := once()
			forever := hang(t)
			w.sb.change(func() {
				if how == "taken" {
					w.sb.after = func(_ http.ResponseWriter, p *post) bool {
						if p.Type == "FILE" {
							tell()
							forever()
							return true
						}
						return false
					}
				} else {
					w.sb.before = func(_ http.ResponseWriter, r *http.Request) bool {
						if r.Method == "POST" && strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
							tell()
							forever()
							return true
						}
						return false
					}
				}
			})
			files := []part{{"", "one.txt", "text/plain", []byte("1")}, {"", "two.txt", "text/plain", []byte("2")}}
			if code := w.raw(m.replyTo(t), m.To, mixed(m.To, m.replyTo(t), "with files", files...)); code != 200 {
				t.Fatal(code)
			}
			wait(t, reached, "the call")
			w.gw.kill()
			w.sb.change(func() { w.sb.after, w.sb.before = nil, nil })
			w.gw.start()
			checkFiles(t, w.posted(c, 3), "with files", files)
			w.gw.idle()
			w.posted(c, 3)
		})
	}
}

// Killed again and again while much is going on: everything once, in order.
func TestKilledOften(t *testing.T) {
	t.Parallel()
	for _, db := range databases(t) {
		t.Run(db.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, vars{"POSTERN_DATABASE": db.dsn(t), "POSTERN_MAILGUN_UNSURE_AFTER": "3s"})
			const people, words = 4, 6
			var chans []*channel
			for i := range people {
				c, _ := w.pair(fmt.Sprintf("bob%d", i))
				chans = append(chans, c)
			}
			accepted := make(chan struct{}, 1000)
			w.mg.change(func() {
				w.mg.after = func(http.ResponseWriter, *sent) bool { accepted <- struct{}{}; return false }
			})
			for n := range words {
				for _, c := range chans {
					p := w.sb.add(c, &post{User: "ana", Text: fmt.Sprintf("word%d.", n)})
					body := wire(w.messageHook("group_channel:message_send", c, p))
					poll(t, "the webhook to be taken", func() error { return want(w.tryHook(body), 200) })
				}
				if n%2 == 0 { // in the middle of the sends
					wait(t, accepted, "a mail")
					w.gw.kill()
					w.gw.start()
				}
			}
			for _, c := range chans {
				addr := c.Members[1].ID + "@example.org"
				var all string
				poll(t, "all words", func() error {
					all = ""
					for _, m := range w.mg.mails(addr) {
						all += m.envelope(t).Text
					}
					for n := range words {
						if !contains(all, fmt.Sprintf("word%d.", n)) {
							return fmt.Errorf("%s: word%d is missing", addr, n)
						}
					}
					return nil
				})
				for n := range words {
					if k := strings.Count(all, fmt.Sprintf("word%d.", n)); k != 1 {
						t.Errorf("%s: word%d %d times", addr, n, k)
					}
					if n > 0 && strings.Index(all, fmt.Sprintf("word%d.", n)) < strings.Index(all, fmt.Sprintf("word%d.", n-1)) {
						t.Errorf("%s: word%d out of order", addr, n)
					}
				}
			}
		})
	}
}

// tryHook is hookRaw for a gateway that may be away: 0 then.
func (w *world) tryHook(body string) int {
	req, _ := http.NewRequest("POST", w.gw.url(pathSendbird), strings.NewReader(body))
	req.Header.Set("X-Sendbird-Signature", sign(masterToken, body))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

// SIGTERM while calls run: what runs is finished, what waits is done by the next start.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, vars{"POSTERN_NOTIFY_DELAY": "2s"})
	c, m := w.mailed("bob")
	c2, addr2 := w.pair("carl")
	reached, tell := once()
	release := make(chan struct{})
	w.sb.change(func() { w.sb.after = func(http.ResponseWriter, *post) bool { tell(); <-release; return false } })
	w.answer(m, "during the stop")
	wait(t, reached, "the call")
	w.say(c2, "ana", "waits in its window")
	code := make(chan int)
	go func() { code <- w.gw.stop() }()
	poll(t, "the door to be closed", func() error {
		res, err := http.Get(w.gw.url("/readyz"))
		if err != nil {
			return nil
		}
		res.Body.Close()
		if res.StatusCode != 503 {
			return fmt.Errorf("readyz: %s", res.Status)
		}
		return nil
	})
	close(release)
	if got := <-code; got != 0 {
		t.Errorf("exit code %d\n%s", got, w.gw.log)
	}
	w.gw.start()
	w.mg.mail(t, addr2, 1)
	w.gw.idle()
	w.posted(c, 1)
	if n := len(w.mg.mails(addr2)); n != 1 {
		t.Errorf("%d mails", n)
	}
}

// A stop does not wait for ever for a service that hangs.
func TestStopWhileHanging(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c, _ := w.pair("bob")
	reached, tell := once()
	forever := hang(t)
	w.mg.change(func() { w.mg.after = func(http.ResponseWriter, *sent) bool { tell(); forever(); return true } })
	w.say(c, "ana", "hangs")
	wait(t, reached, "the call")
	began := time.Now()
	if code := w.gw.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	t.Logf("stopped after %v", time.Since(began).Round(time.Second))
}
