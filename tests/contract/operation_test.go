package contract

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-chat/postern/internal/pgtest"
)

func TestHealthAndMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c, m := w.mailed("bob")
	w.happened(m, "delivered")
	w.answer(m, "an answer")
	w.posted(c, 1)
	w.request(pathSendbird, nil, strings.NewReader("forged"))
	w.gw.idle()
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, _ := w.gw.get(path); code != 200 {
			t.Errorf("%s: %d", path, code)
		}
	}
	if n := w.gw.metric("postern_events_total", `source="sendbird"`, `outcome="recorded"`); n != 1 {
		t.Errorf("%v Sendbird events", n)
	}
	if n := w.gw.metric("postern_events_total", "refused"); n != 1 {
		t.Errorf("%v refusals", n)
	}
	if n := w.gw.metric("postern_deliveries"); n != 1 {
		t.Errorf("%v deliveries", n)
	}
	_, body := w.gw.get("/metrics")
	for _, secret := range []string{"bob@example.org", "bob", "chan_", apiToken, sendingKey} {
		if contains(body, secret) {
			t.Errorf("%q is in the metrics", secret)
		}
	}
	for _, name := range []string{"postern_remote_call_seconds_count", "postern_lanes", "postern_oldest_job_age_seconds"} {
		if !contains(body, name) {
			t.Errorf("no metric %s", name)
		}
	}
}

// At info level the log tells nobody's address, words or keys, whatever goes wrong.
func TestLogsTellNothing(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, vars{"POSTERN_LOG_FORMAT": format})
			c, m := w.mailed("bobsecret")
			w.answer(m, "answerwords of mine")
			w.posted(c, 1)
			echo := func(rw http.ResponseWriter, status int, r *http.Request) {
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(status)
				_ = json.NewEncoder(rw).Encode(map[string]any{"message": "bad: bobsecret@example.org chatwords " + r.Header.Get("Api-Token"), "code": 400111, "error": true})
			}
			var status atomic.Int64
			status.Store(500)
			w.sb.change(func() {
				w.sb.before = func(rw http.ResponseWriter, r *http.Request) bool {
					if r.Method == "GET" {
						return false
					}
					echo(rw, int(status.Load()), r)
					return true
				}
			})
			w.mg.mu.Lock()
			w.mg.before = func(rw http.ResponseWriter, to string) bool {
				mgJSON(rw, int(status.Load()), map[string]string{"message": "'to' is not valid: bobsecret@example.org chatwords"})
				return true
			}
			w.mg.mu.Unlock()
			w.answer(m, "answerwords again")
			w.say(c, "ana", "chatwords")
			w.happened(m, "opened", opened(nil, person, time.Minute))
			w.happened(m, "failed", set("severity", "temporary"), set("delivery-status", map[string]any{"code": 450, "message": "bobsecret@example.org is slow"}))
			w.raw("nobody@"+domain, "eve@evil.example", letter("eve@evil.example", "nobody@"+domain, "strangewords"))
			w.raw("x@elsewhere.example", "eve@evil.example", letter("eve@evil.example", "x@elsewhere.example", "strangewords"))
			f := parsed(m.replyTo(t), m.To, "forgedwords")
			f.Set("signature", "00")
			w.post(pathParsed, f)
			w.request(pathSendbird, map[string]string{"X-Sendbird-Signature": "aa"}, strings.NewReader(`{"payload":"forgedwords"}`))
			poll(t, "a failure of both", func() error {
				if n := w.gw.metric("postern_remote_call_seconds_count", `outcome="`); n < 4 {
					return errWant(n)
				}
				return nil
			})
			status.Store(400)
			poll(t, "warnings", func() error {
				if strings.Count(w.gw.log.String(), "\n") < 6 {
					return errWant(strings.Count(w.gw.log.String(), "\n"))
				}
				return nil
			})
			w.gw.stop()
			log := w.gw.log.String()
			local, _, _ := strings.Cut(m.replyTo(t), "@")
			for _, secret := range []string{"example.org", "evil.example", "chatwords", "answerwords", "strangewords", "forgedwords", local, apiToken, masterToken, sendingKey, accountKey,
				signingKey, adminToken, w.gw.env["POSTERN_SECRET"], "Hello"} {
				if contains(log, secret) {
					t.Errorf("the log tells %q:\n%s", secret, log)
				}
			}
		})
	}
}

type errWant float64

func (e errWant) Error() string { return "not enough yet" }

// A broken store takes nothing and says so; when it is back, everything goes on.
func TestStoreBreaks(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Start(t)
	w := newWorld(t, vars{"POSTERN_DATABASE": dsn})
	c, m := w.mailed("bob")
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	admin := *u
	admin.Path = "/postgres"
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, admin.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	do := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	do(`ALTER DATABASE ` + name + ` WITH ALLOW_CONNECTIONS false`)
	do(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '` + name + `'`)
	p := w.sb.add(c, &post{User: "ana", Text: "not lost"})
	hook := wire(w.messageHook("group_channel:message_send", c, p))
	if code := w.hookRaw(hook); code != 503 {
		t.Errorf("chat: %d", code)
	}
	if code := w.raw(m.replyTo(t), m.To, letter(m.To, m.replyTo(t), "x")); code != 503 {
		t.Errorf("mail: %d", code)
	}
	if code := w.event(m, "delivered"); code != 503 {
		t.Errorf("event: %d", code)
	}
	if code, _ := w.gw.get("/readyz"); code != 503 {
		t.Errorf("readyz: %d", code)
	}
	if code, _ := w.gw.get("/healthz"); code != 200 {
		t.Errorf("healthz: %d", code)
	}
	do(`ALTER DATABASE ` + name + ` WITH ALLOW_CONNECTIONS true`)
	poll(t, "the store to be back", func() error {
		if code := w.hookRaw(hook); code != 200 {
			return want(code, 200)
		}
		return nil
	})
	w.mg.mail(t, m.To, 2)
}

// Two gateways on one PostgreSQL do everything once.
func TestReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, vars{"POSTERN_DATABASE": pgtest.Start(t), "POSTERN_NOTIFY_DELAY": "300ms"})
	second := newGateway(t, w.sb.srv.URL, w.mg.srv.URL, w.gw.env)
	second.env["POSTERN_LISTEN"] = second.addr
	second.start()
	both := []*world{w, {t: t, sb: w.sb, mg: w.mg, gw: second}}
	var chans []*channel
	for i := range 6 {
		c, _ := w.pair("bob" + string(rune('a'+i)))
		chans = append(chans, c)
	}
	for i := range 30 {
		c := chans[i%6]
		p := w.sb.add(c, &post{User: "ana", Text: "word" + string(rune('a'+i/6))})
		for _, w := range both { // both hear it, as after a time-out
			w.hook(w.messageHook("group_channel:message_send", c, p))
		}
	}
	w.gw.idle()
	for _, c := range chans {
		all := ""
		for _, m := range w.mg.mails(c.Members[1].ID + "@example.org") {
			all += m.envelope(t).Text
		}
		last := -1
		for i := range 5 {
			word := "word" + string(rune('a'+i))
			at := strings.Index(all, word)
			if strings.Count(all, word) != 1 || at < last {
				t.Errorf("%s: %q %d times, or out of order", c.URL, word, strings.Count(all, word))
			}
			last = at
		}
	}
}
